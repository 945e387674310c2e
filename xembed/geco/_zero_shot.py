"""Zero-shot: a masked language model fills in a prompt."""

from __future__ import annotations

import copy
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from xembed._core.torch import own_randomness
from xembed._core.validation import check_count, check_texts
from xembed.datasets import PairedSentences
from xembed.defsent._masked_lm import single_tokens
from xembed.defsent._options import quiet
from xembed.encoders import Encoder
from xembed.encoders._load import _find_source
from xembed.encoders._pipeline import find_device
from xembed.encoders._warn import warn_user
from xembed.encoders._words import EncodedWords, WordEncoder, collate
from xembed.geco._classifier import check_tokenizer, limit_tokens

# The prompts of the paper, for two and for three classes.
PROMPT = "Female or male : {mask} . {sentence}"
NON_BINARY_PROMPT = (
    "He proceeds to his place . male, She proceeds to her place . female, They proceed to their place . neutral, "
    "Female, male or neutral: {mask}. {sentence}"
)
_ALL = 999_999  # more tokens than a text has: nothing is cut before the parts are joined

Probabilities = npt.NDArray[np.float64]


def load_masked_lm(backbone: str | os.PathLike[str]) -> tuple[Any, Any]:
    """Load a masked language model with its prediction head, for `zero_shot`.

    Parameters
    ----------
    backbone : str or path
        A folder with a Hugging Face model, or the id of one on the hub. Code that comes with it is never executed.

    Returns
    -------
    model, tokenizer
        In float32, on the CPU and in evaluation mode.

    Raises
    ------
    ValueError
        If its kind has no such head, or its checkpoint lacks the weights of the head.
    TypeError
        If ``backbone`` is an `Encoder`, which holds no head, or the tokenizer is a slow one.
    FileNotFoundError
        If there is no such folder, or no model in it.

    Examples
    --------
    >>> from xembed.geco import load_masked_lm
    >>> model, tokenizer = load_masked_lm("bert-base-uncased")  # doctest: +SKIP
    """
    from transformers import AutoModelForMaskedLM, AutoTokenizer

    caller = "load_masked_lm"
    if isinstance(backbone, Encoder) or not isinstance(backbone, str | os.PathLike):
        raise TypeError(
            f"The 'backbone' parameter of {caller} must be a folder or the id of a model on the Hugging Face hub. An "
            f"Encoder holds no masked-language-model head. Got {backbone!r:.60} instead."
        )
    source = _find_source(backbone, None, None, caller=caller)
    options: dict[str, Any] = {"cache_dir": source.cache_dir, "trust_remote_code": False}
    nothing = f"The 'backbone' parameter of {caller} must be a masked language model. {source.name!r} has no such head"
    with own_randomness("cpu", 0), quiet():
        tokenizer = check_tokenizer(AutoTokenizer.from_pretrained(source.location, **options), caller=caller)
        try:
            model, info = AutoModelForMaskedLM.from_pretrained(
                source.location, dtype=torch.float32, output_loading_info=True, **options
            )
        except ValueError as error:  # a kind of model that transformers has no such head for
            raise ValueError(f"{nothing}: {str(error).splitlines()[0]:.120}.") from error
    missing = sorted(key for key in info["missing_keys"] if not key.startswith(f"{model.base_model_prefix}."))
    if missing:
        raise ValueError(
            f"{nothing} in its checkpoint: {', '.join(missing[:3])}{', ...' if len(missing) > 3 else ''} would be "
            "random."
        )
    limit_tokens(model, tokenizer)
    return model.eval(), tokenizer


def zero_shot(
    model: Any,
    tokenizer: Any,
    data: PairedSentences | Sequence[str] | Sequence[Sequence[str]],
    *,
    prompt: str = PROMPT,
    answers: Sequence[str] = ("female", "male"),
    batch_size: int = 64,
    device: str | None = None,
) -> Probabilities:
    """Ask a masked language model which of some answers a prompt is best filled with.

    Parameters
    ----------
    model : transformers.PreTrainedModel
        A masked language model, see `load_masked_lm`.
    tokenizer : transformers.PreTrainedTokenizerFast
        Its tokenizer.
    data : PairedSentences, sequence of str or sequence of sequences of str
        The sentences, as texts (whose words are what blanks part) or as words.
    prompt : str, default='Female or male : {mask} . {sentence}'
        A text with ``{mask}`` and ``{sentence}`` once each. The default is that of the paper [1]_ for two classes;
        `NON_BINARY_PROMPT` is that for three.
    answers : sequence of str, default=('female', 'male')
        Two or more words that are one token each. For `PairedSentences` one for each class, in that order.
    batch_size : int, default=64
        Rows at once, of about the same length.
    device : str, optional
        Where to compute; the model returns to where it was. By default where the model is.

    Returns
    -------
    ndarray of shape (n_rows, n_answers), float64
        The softmax over the logits of the answers in the place of the mask. Rows add up to 1.

    Raises
    ------
    TypeError
        If the model has no masked-language-model head, the tokenizer is a slow one, or something else than sentences
        comes.
    ValueError
        If the prompt lacks a place, an answer is not one token, there are not as many answers as classes, or the
        tokenizer has no mask.
    RuntimeError
        If logits are not finite.

    Warns
    -----
    UserWarning
        If texts are longer than the model reads after the prompt; their ends are cut.

    Notes
    -----
    The place of the mask is known from how the row is put together, and a mask that is written in a sentence is read as
    text: neither can be taken for the other.

    References
    ----------
    .. [1] Wilming, R., Dox, A., Schulz, H., Oliveira, M., Clark, B. and Haufe, S. (2024). "GECOBench: A
       Gender-Controlled Text Dataset and Benchmark for Quantifying Biases in Explanations". https://arxiv.org/abs/2406.11547

    Examples
    --------
    >>> from xembed.geco import load_masked_lm, zero_shot
    >>> model, tokenizer = load_masked_lm("bert-base-uncased")  # doctest: +SKIP
    >>> zero_shot(model, tokenizer, ["She sings .", "He sings ."]).argmax(axis=1)  # doctest: +SKIP
    array([0, 1])
    """
    caller = "zero_shot"
    batch_size = check_count(batch_size, name="batch_size", caller=caller)
    _check_head(model, caller=caller)
    tokens = _answer_tokens(check_tokenizer(tokenizer, caller=caller), data, answers, caller=caller)
    rows, places = _fill_in(tokenizer, data, prompt, caller=caller)
    before, training = next(model.parameters()).device, model.training
    found = np.empty((len(rows), len(tokens)))
    try:
        if device is not None:
            model.to(find_device(device, caller=caller))
        model.eval()
        order = sorted(range(len(rows)), key=lambda row: len(rows[row]))
        for start in range(0, len(order), batch_size):
            batch = order[start : start + batch_size]
            found[batch] = _logits_at(model, [rows[i] for i in batch], [places[i] for i in batch], tokens, tokenizer)
    finally:
        model.train(training).to(before)
    bad = np.flatnonzero(~np.isfinite(found).all(axis=1))
    if len(bad):
        raise RuntimeError(
            f"The model of {caller} must give finite logits. Got NaN or infinity for {len(bad)} of {len(found)} rows "
            f"(first: row {bad[0]})."
        )
    raised = np.exp(found - found.max(axis=1, keepdims=True))
    probabilities: Probabilities = raised / raised.sum(axis=1, keepdims=True)
    return probabilities


def _check_head(model: Any, *, caller: str) -> None:
    from transformers.models.auto.modeling_auto import MODEL_FOR_MASKED_LM_MAPPING_NAMES

    kinds: set[str] = set()
    for names in MODEL_FOR_MASKED_LM_MAPPING_NAMES.values():
        kinds.update([names] if isinstance(names, str) else names)
    if not any(parent.__name__ in kinds for parent in type(model).__mro__):
        raise TypeError(
            f"The model of {caller} must have a masked-language-model head, as BertForMaskedLM has. Got "
            f"{type(model).__name__}, which has none: see load_masked_lm."
        )


def _answer_tokens(tokenizer: Any, data: Any, answers: Any, *, caller: str) -> list[int]:
    words = check_texts(answers, name="answers", min_texts=2)
    if isinstance(data, PairedSentences) and len(words) != len(data.classes):
        raise ValueError(
            f"The 'answers' of {caller} must be one for each of the classes {data.classes}. Got {len(words)}: {words}."
        )
    if len(set(words)) < len(words):
        raise ValueError(f"The 'answers' of {caller} must all be different. Got {words}.")
    tokens: list[int] = single_tokens(tokenizer, words).tolist()
    wrong = [word for word, token in zip(words, tokens, strict=True) if token < 0]
    if wrong:
        raise ValueError(
            f"The 'answers' of {caller} must be one token each of the model's vocabulary. {wrong[0]!r} is not: take "
            "another word for it."
        )
    if len(set(tokens)) < len(tokens):
        raise ValueError(f"The 'answers' of {caller} must all be different tokens. Got {words}.")
    return tokens


def _fill_in(tokenizer: Any, data: Any, prompt: Any, *, caller: str) -> tuple[list[list[int]], list[int]]:
    """Return the prompts with the sentences as token ids, and where in each the mask is."""
    if not isinstance(prompt, str) or prompt.count("{mask}") != 1 or prompt.count("{sentence}") != 1:
        raise ValueError(
            f"The 'prompt' of {caller} must be a text with {{mask}} and {{sentence}} once each. Got {prompt!r} instead."
        )
    if tokenizer.mask_token_id is None:
        raise ValueError(f"The tokenizer of {caller} must have a mask token. {type(tokenizer).__name__} has none.")
    plain = copy.deepcopy(tokenizer)
    plain.split_special_tokens = True  # "[MASK]" in a sentence is text
    encoder = WordEncoder(plain, max_length=_ALL, caller=caller)
    encoded = encoder.encode(_words(data.sentences if isinstance(data, PairedSentences) else data))
    inside = [place for place, word in enumerate(encoded[0].word_ids) if word is not None]
    opening, closing = list(encoded[0].ids[: inside[0]]), list(encoded[0].ids[inside[-1] + 1 :])
    before, between, after, mask_first = _pieces(prompt, encoder)
    mask = [int(tokenizer.mask_token_id)]

    limit = tokenizer.model_max_length
    n_others = sum(map(len, (opening, before, mask, between, after, closing)))
    room = limit - n_others
    if room < 1:
        raise ValueError(
            f"The 'prompt' of {caller} must leave room for a sentence. The model reads {limit} tokens, and the prompt "
            f"has {n_others}."
        )
    bodies = [_inner(row) for row in encoded]
    n_cut = sum(len(body) > room for body in bodies)
    if n_cut:
        warn_user(
            f"{n_cut} of {len(bodies)} texts of {caller} are longer than the {room} tokens that the model reads after "
            "the prompt, and were cut."
        )
    rows: list[list[int]] = []
    places: list[int] = []
    for body in bodies:
        first, second = (mask, body[:room]) if mask_first else (body[:room], mask)
        rows.append([*opening, *before, *first, *between, *second, *after, *closing])
        places.append(len(opening) + len(before) + (0 if mask_first else len(first) + len(between)))
    return rows, places


def _pieces(prompt: str, encoder: WordEncoder) -> tuple[list[int], list[int], list[int], bool]:
    """Return the tokens before, between and after mask and sentence, and whether the mask comes first."""
    first, second = sorted(("{mask}", "{sentence}"), key=prompt.index)
    before, rest = prompt.split(first)
    texts = (before, *rest.split(second))
    tokens = [_inner(encoder.encode([text.split()])[0]) if text.split() else [] for text in texts]
    return tokens[0], tokens[1], tokens[2], first == "{mask}"


def _inner(row: EncodedWords) -> list[int]:
    """Return the tokens that are no special ones."""
    return [token for token, word in zip(row.ids, row.word_ids, strict=True) if word is not None]


def _words(sentences: Any) -> Any:
    """Return texts as their words, so that they are tokenized as lists of words are."""
    rows = list(sentences) if not isinstance(sentences, str) else sentences
    if isinstance(rows, str) or not all(isinstance(row, str) for row in rows):
        return rows
    return [text.split() for text in check_texts(rows, name="texts")]


def _logits_at(
    model: Any, rows: Sequence[Sequence[int]], places: Sequence[int], tokens: Sequence[int], tokenizer: Any
) -> npt.NDArray[np.float64]:
    device = next(model.parameters()).device
    ids, mask = collate(rows, int(tokenizer.pad_token_id))
    with torch.no_grad():
        logits = model(input_ids=ids.to(device), attention_mask=mask.to(device)).logits
    found: npt.NDArray[np.float64] = (
        logits[torch.arange(len(rows)), list(places)][:, list(tokens)].double().cpu().numpy()
    )
    return found
