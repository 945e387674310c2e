"""Masked language models on pairs of sentences: zero-shot answers to a prompt, and the likelihood of shared words."""

from __future__ import annotations

import copy
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np
import numpy.typing as npt

from xembed._core.fields import Count, Counts, Floats, MaybeInterval, Probability, Provenance, Sides
from xembed._core.provenance import provenance
from xembed._core.results import IntervalIn, Result, UserText
from xembed._core.validation import RNG, check_count, check_number, check_rng, check_texts, describe_rng
from xembed.datasets import PairedSentences
from xembed.datasets._paired import paired_rows
from xembed.stats import paired_difference

if TYPE_CHECKING:
    from xembed.encoders import EncodedWords, WordEncoder

_CALLER = "pseudo_log_likelihood"

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
        Model in float32, on the CPU and in evaluation mode, and its tokenizer.

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
    from transformers import AutoTokenizer

    from xembed._core.torch import own_randomness
    from xembed.encoders import Encoder
    from xembed.encoders._load import find_source, quiet
    from xembed.encoders._masked_lm import load_with_head
    from xembed.geco._classifier import check_tokenizer, limit_tokens

    caller = "load_masked_lm"
    if isinstance(backbone, Encoder) or not isinstance(backbone, str | os.PathLike):
        raise TypeError(
            f"The 'backbone' parameter of {caller} must be a folder or the id of a model on the Hugging Face hub. An "
            f"Encoder holds no masked-language-model head. Got {backbone!r:.60} instead."
        )
    source = find_source(backbone, None, None, caller=caller)
    options: dict[str, Any] = {"cache_dir": source.cache_dir, "trust_remote_code": False}
    with own_randomness("cpu", 0), quiet():
        tokenizer = check_tokenizer(AutoTokenizer.from_pretrained(source.location, **options), caller=caller)
        model = load_with_head(source, parameter="backbone", caller=caller)
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
        Number of rows at once, of about the same length.
    device : str, optional
        Device of the computation; the model returns to where it was. By default where the model is.

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
    .. [1] R. Wilming et al. (2024). "GECOBench". https://arxiv.org/abs/2406.11547

    Examples
    --------
    >>> from xembed.geco import load_masked_lm, zero_shot
    >>> model, tokenizer = load_masked_lm("bert-base-uncased")  # doctest: +SKIP
    >>> zero_shot(model, tokenizer, ["She sings .", "He sings ."]).argmax(axis=1)  # doctest: +SKIP
    array([0, 1])
    """
    from scipy.special import softmax

    from xembed.encoders._masked_lm import check_masked_lm
    from xembed.encoders._pipeline import ready_on
    from xembed.geco._classifier import check_finite, check_tokenizer

    caller = "zero_shot"
    batch_size = check_count(batch_size, name="batch_size", caller=caller)
    check_masked_lm(model, caller=caller)
    tokens = _answer_tokens(check_tokenizer(tokenizer, caller=caller), data, answers, caller=caller)
    rows, places = _fill_in(tokenizer, data, prompt, caller=caller)
    logits = np.empty((len(rows), len(tokens)))
    with ready_on(model, device, caller=caller):
        order = sorted(range(len(rows)), key=lambda row: len(rows[row]))
        for start in range(0, len(order), batch_size):
            batch = order[start : start + batch_size]
            logits[batch] = _logits_at(model, [rows[i] for i in batch], [places[i] for i in batch], tokens, tokenizer)
    probabilities: Probabilities = softmax(check_finite(logits, caller=caller), axis=1)
    return probabilities


def _answer_tokens(tokenizer: Any, data: Any, answers: Any, *, caller: str) -> list[int]:
    from xembed.encoders._masked_lm import single_tokens

    words = check_texts(answers, name="answers", min_texts=2)
    if isinstance(data, PairedSentences) and len(words) != len(data.classes):
        raise ValueError(
            f"The 'answers' of {caller} must be one for each of the classes {data.classes}. Got {len(words)}: {words}."
        )
    if len(set(words)) < len(words):
        raise ValueError(f"The 'answers' of {caller} must all be different. Got {words}.")
    tokens: list[int] = single_tokens(tokenizer, words).tolist()
    if wrong := [word for word, token in zip(words, tokens, strict=True) if token < 0]:
        raise ValueError(
            f"The 'answers' of {caller} must be one token each of the model's vocabulary. {wrong[0]!r} is not: take "
            "another word for it."
        )
    if len(set(tokens)) < len(tokens):
        raise ValueError(f"The 'answers' of {caller} must all be different tokens. Got {words}.")
    return tokens


def _fill_in(tokenizer: Any, data: Any, prompt: Any, *, caller: str) -> tuple[list[list[int]], list[int]]:
    """Return the prompts with the sentences as token ids, and where in each the mask is."""
    from xembed.encoders import WordEncoder
    from xembed.encoders._warn import warn_user

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

    limit, n_others = tokenizer.model_max_length, sum(map(len, (opening, before, mask, between, after, closing)))
    if (room := limit - n_others) < 1:
        raise ValueError(
            f"The 'prompt' of {caller} must leave room for a sentence. The model reads {limit} tokens, and the prompt "
            f"has {n_others}."
        )
    bodies = [_inner(row) for row in encoded]
    if n_cut := sum(len(body) > room for body in bodies):
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
    import torch

    from xembed.encoders._words import collate

    device = next(model.parameters()).device
    ids, mask = collate(rows, int(tokenizer.pad_token_id))
    with torch.no_grad():
        logits = model(input_ids=ids.to(device), attention_mask=mask.to(device)).logits
    at_mask = logits[torch.arange(len(rows)), list(places)]
    return np.asarray(at_mask[:, list(tokens)].double().cpu().numpy())


# ---- likelihood


@dataclass(frozen=True, repr=False)
class PseudoLogLikelihood(Result):
    """Result of `pseudo_log_likelihood`.

    Attributes
    ----------
    name : str
        Name of the data.
    forms : tuple of str, (2,)
        The two forms that were compared.
    total, n_tokens, per_token : ndarray of shape (n_rows,)
        Sum over the tokens outside the ground truth of log p(token | all others), natural logarithm; at most 0. Number
        of these tokens, and ``total / n_tokens``.
    means : tuple of float, (2,)
        Mean of ``per_token`` over the pairs, of each form.
    n_pairs : int
        Sentences that have both forms.
    difference : float
        Mean of ``per_token`` of the first form minus the second: positive where the model finds the shared words more
        likely beside the words of the first form.
    interval, pvalue : tuple of float, float
        Confidence interval of the difference, by resampling pairs, and its p-value, by sign flips of pairs.
    provenance : dict
        Function, parameters and versions.
    """

    schema: ClassVar[str] = "xembed.geco.PseudoLogLikelihood/1"

    name: Annotated[str, UserText]
    forms: Annotated[tuple[str, ...], UserText]
    total: Annotated[Floats, Sides("rows")]
    n_tokens: Annotated[Counts, Sides("rows")]
    per_token: Annotated[Floats, Sides("rows")]
    means: Annotated[tuple[float, ...], Sides("forms")]
    n_pairs: Count
    difference: Annotated[float, IntervalIn("interval")]
    interval: MaybeInterval
    pvalue: Probability
    provenance: Provenance


def pseudo_log_likelihood(
    model: Any,
    tokenizer: Any,
    data: PairedSentences,
    *,
    forms: tuple[str, str] | None = None,
    batch_size: int = 64,
    device: str | None = None,
    n_resamples: int = 2000,
    confidence_level: float = 0.95,
    rng: RNG = None,
) -> PseudoLogLikelihood:
    """Sum, over the words outside the ground truth, how likely a masked language model finds each token.

    Each token is masked by itself while all others are seen, those of the same word included: words of many tokens
    look likelier than they are, in both forms alike.

    Parameters
    ----------
    model : transformers.PreTrainedModel
        Model with a masked-language-model head, such as from ``AutoModelForMaskedLM``. It is put into evaluation mode
        while this runs, and back.
    tokenizer : transformers.PreTrainedTokenizerFast
        Its tokenizer.
    data : PairedSentences
        The sentences.
    forms : pair of str, optional
        Which two forms to compare; by default the first two classes.
    batch_size : int of at least 1, default=64
        Masked sentences in one forward pass.
    device : str, optional
        Device of the computation; the model is moved there and back. By default where the model is.
    n_resamples, confidence_level, rng
        Options of `xembed.stats.paired_difference`.

    Returns
    -------
    PseudoLogLikelihood
        Sums and means of each row, and the difference between the forms.

    Raises
    ------
    TypeError
        If the model has no masked-language-model head, or the tokenizer is a slow one.
    ValueError
        If the tokenizer has no mask token, a text is longer than the model reads, all words of a text are ground truth,
        or the model returns numbers that are not finite. The row is named.

    References
    ----------
    J. Salazar et al. "Masked Language Model Scoring". ACL 2020.

    Examples
    --------
    >>> import xembed
    >>> from transformers import BertConfig, BertForMaskedLM
    >>> from xembed.datasets import PairedSentences
    >>> from xembed.geco import pseudo_log_likelihood
    >>> words = [["She", "sings", "well"], ["He", "sings", "well"], ["Her", "car"], ["His", "car"]]
    >>> truth = [[1, 0, 0], [1, 0, 0], [1, 0], [1, 0]]
    >>> data = PairedSentences("mine", words, truth, [0, 1, 0, 1], [1, 1, 2, 2], ("female", "male"))
    >>> tokenizer = xembed.load_encoder(device="cpu").model.tokenizer
    >>> size = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    >>> model = BertForMaskedLM(BertConfig(vocab_size=len(tokenizer), **size))  # a real one is trained
    >>> pseudo_log_likelihood(model, tokenizer, data).n_tokens
    array([2, 2, 1, 1])
    """
    from xembed.encoders import WordEncoder
    from xembed.encoders._masked_lm import check_masked_lm
    from xembed.encoders._pipeline import ready_on

    size = check_count(batch_size, name="batch_size", caller=_CALLER)
    made: dict[str, Any] = {
        "n_resamples": check_count(n_resamples, name="n_resamples", caller=_CALLER),
        "confidence_level": check_number(
            confidence_level, name="confidence_level", caller=_CALLER, low=0, high=1, closed="neither"
        ),
    }
    generator = check_rng(rng, caller=_CALLER)
    check_masked_lm(model, caller=_CALLER)
    pairs = paired_rows(data, forms, caller=_CALLER)
    encoder = WordEncoder(tokenizer, caller=_CALLER)
    if tokenizer.mask_token_id is None:
        raise ValueError(f"The tokenizer of {_CALLER} must have a mask token. Got {type(tokenizer).__name__} without.")
    rows = encoder.encode(data.sentences)
    todo = _to_mask(rows, data)
    with ready_on(model, device, caller=_CALLER):
        scores = _scores(model, rows, todo, tokenizer.mask_token_id, encoder.pad_id, size)
    total = np.zeros(len(rows))
    owner = np.array([row for row, _ in todo])
    np.add.at(total, owner, scores)
    n_tokens = np.bincount(owner, minlength=len(rows)).astype(np.int64)
    per_token = total / n_tokens
    first, second = per_token[pairs.first], per_token[pairs.second]
    gap = paired_difference(first, second, pairs.groups, **made, rng=generator)
    return PseudoLogLikelihood(
        name=data.name,
        forms=pairs.forms,
        total=total,
        n_tokens=n_tokens,
        per_token=per_token,
        means=(float(first.mean()), float(second.mean())),
        n_pairs=len(pairs.groups),
        difference=gap.difference,
        interval=(gap.low, gap.high),
        pvalue=gap.pvalue,
        provenance=provenance(_CALLER, model=type(model).__name__, **made, rng=describe_rng(rng)),
    )


def _to_mask(rows: Sequence[EncodedWords], data: PairedSentences) -> list[tuple[int, int]]:
    """Return the row and the place of every token outside the ground truth."""
    if cut := [number for number, row in enumerate(rows) if row.truncated]:
        raise ValueError(
            f"The texts of {_CALLER} must be as short as the model reads. Got {len(cut)} that "
            f"{'is' if len(cut) == 1 else 'are'} longer (first: row {cut[0]}). Drop them with data.take()."
        )
    todo: list[tuple[int, int]] = []
    for number, (row, marks) in enumerate(zip(rows, data.ground_truth, strict=True)):
        own = [(number, place) for place, word in enumerate(row.word_ids) if word is not None and not marks[word]]
        if not own:
            raise ValueError(
                f"The texts of {_CALLER} must have a word outside the ground truth. Got row {number} without: "
                "drop such rows with data.take()."
            )
        todo += own
    return todo


def _scores(
    model: Any, rows: Sequence[EncodedWords], todo: list[tuple[int, int]], mask_id: int, pad_id: int, batch_size: int
) -> npt.NDArray[np.float64]:
    """Return log p of each token, in the order of ``todo``."""
    import torch

    from xembed.encoders._words import collate

    device = next(model.parameters()).device
    result = np.empty(len(todo))
    # Rows of one length together: nothing is computed for what fills them up.
    order = sorted(range(len(todo)), key=lambda i: -len(rows[todo[i][0]].ids))
    wanted: dict[str, Any] = {}

    def only_masked(module: Any, inputs: tuple[Any, ...]) -> tuple[Any, ...] | None:
        # The vocabulary is the largest layer by far: it is asked for the masked token of each row only.
        states = inputs[0]
        if states.ndim != 3 or states.shape[:2] != wanted["shape"]:
            return None
        return (states[wanted["index"], wanted["places"]][:, None], *inputs[1:])

    head = model.get_output_embeddings()
    hook = head.register_forward_pre_hook(only_masked) if isinstance(head, torch.nn.Module) else None
    try:
        with torch.inference_mode():
            for start in range(0, len(order), batch_size):
                batch = order[start : start + batch_size]
                ids, mask = collate([rows[todo[i][0]].ids for i in batch], pad_id)
                index, places = torch.arange(len(batch)), torch.tensor([todo[i][1] for i in batch])
                original = ids[index, places].to(device)
                ids[index, places] = mask_id
                wanted |= {"shape": ids.shape, "index": index.to(device), "places": places.to(device)}
                logits = model(input_ids=ids.to(device), attention_mask=mask.to(device)).logits
                # A head that does not go through the hook gives all tokens.
                everywhere = logits.shape[1] == ids.shape[1]
                logits = logits[wanted["index"], wanted["places"]] if everywhere else logits[:, 0]
                logs = torch.log_softmax(logits.float(), dim=-1).gather(1, original[:, None])[:, 0]
                result[batch] = logs.double().cpu().numpy()
    finally:
        if hook is not None:
            hook.remove()
    bad = ~np.isfinite(result)
    if bad.any():
        row, _ = todo[int(np.argmax(bad))]
        raise ValueError(f"The model of {_CALLER} must return finite numbers. Got others for row {row}.")
    return result
