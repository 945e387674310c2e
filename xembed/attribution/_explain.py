"""Explain what a model says of texts, word by word."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from xembed._core.provenance import provenance
from xembed._core.validation import (
    RNG,
    check_count,
    check_number,
    check_option,
    check_rng,
    check_texts,
    describe_rng,
    shows_progress,
)
from xembed.attribution._embedding_targets import EmbeddingTarget
from xembed.attribution._integrated import FIRST_STEPS
from xembed.attribution._method import MethodOptions, Targets
from xembed.attribution._methods import find_methods, run_method
from xembed.attribution._result import Attributions
from xembed.attribution._scored_model import BASELINES, DELETIONS, ScoredModel
from xembed.encoders import describe_encoder
from xembed.encoders._words import EncodedWords


def explain(
    model: Any,
    texts: Any,
    *,
    method: str = "integrated_gradients",
    target: Any = None,
    level: str = "word",
    tokenizer: Any = None,
    output: str = "logit",
    site: str = "word",
    baseline: str = "pad",
    deletion: str | None = None,
    n_samples: int = 100,
    tolerance: float = 0.01,
    max_steps: int = 96,
    fitted: Any = None,
    max_length: int | None = None,
    progress: bool | None = None,
    rng: RNG = None,
) -> Attributions:
    """Attribute what a model says of texts to their words: the score of a classifier, or a number of an embedding.

    Parameters
    ----------
    model : torch.nn.Module, object with .model and .tokenizer, or encoder
        A sequence classifier of transformers, or one that `xembed.geco.train` gives; or an encoder such as
        `xembed.load_encoder` gives, with corrections around it or not. It is not changed. For any other object with
        ``.encode`` only methods that leave words out are possible.
    texts : list of str, or list of list of str
        Texts, whose words are then the tokenizer's; or lists of words.
    method : str, default='integrated_gradients'
        A name in `METHODS`.
    target : int, sequence of int, None, or target of an embedding, default=None
        Of a classifier the output that is explained, one for all texts or one for each; None: what it finds most
        likely. Of an encoder `Similarity`, `Depth`, `NearestSimilarity`, `Projection`, `Logit`, or a function from
        embeddings, a torch.Tensor of shape (n, n_dims), to a number for each.
    level : {'word', 'token'}, default='word'
        Sum the attributions of tokens to words, or not.
    tokenizer : transformers.PreTrainedTokenizerFast, optional
        Of ``model``, where it has none.
    output : {'logit', 'probability'}, default='logit'
        What is explained. Probabilities near 0 and 1 are flat: their gradients vanish.
    site : {'word', 'block', 'block_twice'}, default='word'
        Whose gradients: word embeddings; the output of the embedding block, with positions and LayerNorm; or that
        output fed in as word embeddings, which some published numbers are of.
    baseline : {'pad', 'mask', 'unk', 'zero'}, default='pad'
        The input without information that gradients are integrated or multiplied from: every token but the special
        ones replaced. Its own score is in ``baseline_scores``: it is what the attributions don't explain.
    deletion : {'mask', 'pad', 'unk', 'delete'}, optional
        What stands for an absent word in methods that perturb. By default 'mask' for classifiers, and 'delete' for
        encoders, which read texts of any length.
    n_samples : int, default=100
        Perturbed rows a text for LIME, Kernel SHAP and Shapley sampling; Gradient SHAP takes a fifth as many gradients.
    tolerance : float in (0, 1), default=0.01
        Integrated Gradients takes more steps until its completeness error is no larger.
    max_steps : int, default=96
        Most steps: 12, 24, 48, 96, ...
    fitted : object, optional
        For the reference methods that have to be fitted on training data: ``METHODS[name].fit(pairs)``.
    max_length : int, optional
        Tokens read of a text; by default what the tokenizer says.
    progress : bool, optional
        Show a progress bar on stderr. By default only if that is a terminal.
    rng : int, numpy.random.Generator or None, default=None
        For methods that draw. None is seed 0. What is drawn for a text depends on the text and the seed alone.

    Returns
    -------
    Attributions
        ``values``: for each text an array with a number for each word.

    Raises
    ------
    ValueError
        If the method is unknown (the message lists all), a target is no output of the model, a text is blank, or the
        method needs what the model or the tokenizer does not have.
    TypeError
        If the tokenizer is a slow one, or an argument is of the wrong type.
    RuntimeError
        If scores or attributions are not finite.

    See Also
    --------
    method_health : whether a method says anything on this model.

    Examples
    --------
    >>> import torch, transformers, xembed
    >>> from xembed.attribution import explain
    >>> encoder = xembed.load_encoder(device="cpu")
    >>> tokenizer = encoder.model[0].tokenizer
    >>> config = transformers.BertConfig(hidden_size=16, num_hidden_layers=1, num_attention_heads=2)
    >>> model = transformers.BertForSequenceClassification(config)
    >>> found = explain(model, ["She opened the door."], method="saliency_l2", target=1, tokenizer=tokenizer)
    >>> found.words[0]
    ('She', 'opened', 'the', 'door', '.')
    >>> bool((found.values[0] >= 0).all())
    True

    >>> from xembed.attribution import Similarity
    >>> found = explain(
    ...     encoder, ["The king greeted his guests."], target=Similarity("The queen met visitors."), method="occlusion"
    ... )
    >>> found.top(0, 1)[0][0]
    'king'
    """
    caller = "explain"
    (chosen,) = find_methods([method], caller=caller)
    check_option(level, ("token", "word"), name="level", caller=caller)
    of_encoder = is_encoder(model)
    options = MethodOptions(
        baseline=check_option(baseline, BASELINES, name="baseline", caller=caller),
        deletion=check_option(
            ("delete" if of_encoder else "mask") if deletion is None else deletion,
            DELETIONS,
            name="deletion",
            caller=caller,
        ),
        n_samples=check_count(n_samples, name="n_samples", caller=caller, low=2),
        tolerance=check_number(tolerance, name="tolerance", caller=caller, low=0, high=1, closed="neither"),
        max_steps=check_steps(max_steps, caller=caller),
        seed=int(check_rng(rng, caller=caller).integers(2**63)),
        fitted=fitted,
    )
    targets: Targets | None = None
    if of_encoder:
        if tokenizer is not None or output != "logit":
            raise ValueError(f"The parameters 'tokenizer' and 'output' of {caller} are for classifiers, not encoders.")
        scored, rows, targets = read_encoder(
            model,
            texts,
            target,
            needs_model=chosen.family in ("attention", "gradient"),
            site=site,
            max_length=max_length,
            caller=caller,
        )
    else:
        if isinstance(target, EmbeddingTarget):
            raise TypeError(
                f"The 'target' parameter of {caller} is a {type(target).__name__}, which is of an encoder's "
                f"embeddings. Got a {type(model).__name__} as model: give an encoder, or a class as target."
            )
        scored = as_scored_model(model, tokenizer, site=site, output=output, max_length=max_length, caller=caller)
        rows = scored.words.encode(texts)
    if level == "token":
        if not hasattr(scored, "tokenizer"):
            raise ValueError(f"{caller} with level='token' needs an encoder with tokens. Got {type(model).__name__}.")
        rows = [_by_token(row, scored.tokenizer) for row in rows]
    show = shows_progress(progress, caller=caller)
    began = time.monotonic()
    all_scores = scored.score_ids([row.ids for row in rows])
    if targets is None:
        targets = check_targets(target, all_scores, caller=caller)
    with _bar(show, chosen.label) as update:
        found = run_method(chosen, scored, rows, targets, _with_progress(options, update))
    truncated = np.array([row.truncated for row in rows])
    notes = []
    if truncated.any():
        notes.append(
            f"{truncated.sum()} of {len(rows)} texts are longer than the {scored.words.max_length} tokens that the "
            f"model reads: words that were cut off {'have 0' if _holds_cut_words(rows) else 'are not shown'}."
        )
    over = int((found.completeness > options.tolerance).sum()) if chosen.name == "integrated_gradients" else 0
    if over:
        notes.append(
            f"For {over} texts the completeness error is above {options.tolerance:g} with {options.max_steps} steps."
        )
    return Attributions(
        method=chosen.name,
        label=chosen.label,
        signed=chosen.signed,
        words=tuple(row.words for row in rows),
        values=tuple(found.words),
        targets=targets,
        scores=all_scores[np.arange(len(rows)), targets],
        baseline_scores=found.baseline_scores,
        completeness=found.completeness,
        special=found.special,
        truncated=truncated,
        output=scored.output,
        baseline=options.deletion if chosen.family == "perturbation" else options.baseline,
        notes=tuple(notes),
        seconds=time.monotonic() - began,
        provenance=provenance(
            caller,
            model=describe_encoder(model) if of_encoder else type(scored.module).__name__,
            target=scored.output if of_encoder else None,
            method=chosen.name,
            level=level,
            output=scored.output,
            site=scored.site,
            baseline=baseline,
            deletion=options.deletion,
            n_samples=n_samples,
            tolerance=tolerance,
            max_steps=max_steps,
            rng=describe_rng(rng),
        ),
    )


def is_encoder(model: Any) -> bool:
    """Whether an object gives embeddings of texts, rather than scores of classes."""
    return callable(getattr(model, "encode", None)) and not isinstance(model, str)


def read_encoder(
    encoder: Any,
    texts: Any,
    target: Any,
    *,
    needs_model: bool,
    site: str = "word",
    max_length: int | None = None,
    caller: str,
) -> tuple[ScoredModel, list[EncodedWords], Targets]:
    """Return an encoder with a target as methods read it, the rows of texts, and the output to explain for each."""
    from xembed.attribution._encoder_model import ScoredEncoder, as_scored_encoder, prepare_target

    listed = list(texts) if isinstance(texts, Iterable) and not isinstance(texts, str | bytes) else check_texts(texts)
    joined = check_texts([_joined(text, number) for number, text in enumerate(listed)])
    head, targets, name = prepare_target(encoder, target, joined, caller=caller)
    scored = as_scored_encoder(encoder, head, needs_model=needs_model, site=site, max_length=max_length, caller=caller)
    rows = scored.words.encode(listed)
    if isinstance(scored, ScoredEncoder) and max_length is None:
        scored.verify(rows[0], joined[0])
    scored.output = name
    return scored, rows, targets


def _joined(text: Any, number: int) -> Any:
    if isinstance(text, str) or not isinstance(text, Iterable):
        return text
    return " ".join(check_texts(text, name=f"The words of text {number}", blank=True))


def as_scored_model(
    model: Any,
    tokenizer: Any = None,
    *,
    site: str = "word",
    output: str = "logit",
    max_length: int | None = None,
    caller: str,
) -> ScoredModel:
    """Return what methods read, from a module and its tokenizer or from an object that holds both."""
    import torch

    if isinstance(model, ScoredModel):
        return model
    module = model if isinstance(model, torch.nn.Module) else getattr(model, "model", None)
    if not isinstance(module, torch.nn.Module):
        raise TypeError(
            f"The 'model' parameter of {caller} must be a sequence classifier of transformers, with its tokenizer as "
            f"'tokenizer', or an object with .model and .tokenizer. Got {type(model).__name__}."
        )
    found = getattr(model, "tokenizer", None) if tokenizer is None else tokenizer
    if found is None:
        raise ValueError(
            f"The 'tokenizer' parameter of {caller} must be given for a {type(module).__name__}. Got none."
        )
    return ScoredModel(module, found, site=site, output=output, max_length=max_length, caller=caller)


def check_targets(target: Any, scores: np.ndarray, *, caller: str) -> Targets:
    """Return the output to explain for each row of ``scores``, (n_texts, n_outputs)."""
    n_texts, n_outputs = scores.shape
    if target is None:
        return np.asarray(scores.argmax(axis=1), dtype=np.int64)
    values = np.asarray(target)
    if values.dtype.kind not in "iu" or values.ndim > 1 or (values.ndim == 1 and len(values) != n_texts):
        raise ValueError(
            f"The 'target' parameter of {caller} must be None, an integer, or one for each of the {n_texts} texts. Got "
            f"{target!r:.60} instead."
        )
    values = np.broadcast_to(values, n_texts).astype(np.int64)
    if len(values) and (values.min() < 0 or values.max() >= n_outputs):
        raise ValueError(
            f"The 'target' parameter of {caller} must be from 0 to {n_outputs - 1}: the model has {n_outputs} outputs. "
            f"Got {int(values.min() if values.min() < 0 else values.max())}."
        )
    return values


def check_steps(max_steps: Any, *, caller: str) -> int:
    count = check_count(max_steps, name="max_steps", caller=caller)
    doublings, rest = divmod(count, FIRST_STEPS)
    if rest or doublings & (doublings - 1):
        raise ValueError(
            f"The 'max_steps' parameter of {caller} must be {FIRST_STEPS}, {2 * FIRST_STEPS}, {4 * FIRST_STEPS}, ...: "
            f"steps are doubled. Got {count} instead."
        )
    return count


def _holds_cut_words(rows: Sequence[EncodedWords]) -> bool:
    """Whether words without tokens are among the words: those of lists are, of strings they are not known."""
    last = [(len(row.words), max(word for word in row.word_ids if word is not None)) for row in rows if row.truncated]
    return any(n_words > word + 1 for n_words, word in last)


def _by_token(row: EncodedWords, tokenizer: Any) -> EncodedWords:
    places = [place for place, word in enumerate(row.word_ids) if word is not None]
    tokens = tokenizer.convert_ids_to_tokens([row.ids[place] for place in places])
    number = {place: i for i, place in enumerate(places)}
    return EncodedWords(
        tuple(tokens), row.ids, tuple(number.get(place) for place in range(len(row.ids))), row.truncated
    )


def _with_progress(options: MethodOptions, update: Any) -> MethodOptions:
    import dataclasses

    return dataclasses.replace(options, progress=update)


class _bar:
    """A progress bar of rows that went through the model, or nothing."""

    def __init__(self, show: bool, label: str) -> None:
        self.show, self.label = show, label

    def __enter__(self) -> Any:
        if not self.show:
            return None
        from tqdm import tqdm

        self.bar = tqdm(desc=self.label, unit="row")
        return self.bar.update

    def __exit__(self, *_: object) -> None:
        if self.show:
            self.bar.close()


__all__: Sequence[str] = ("as_scored_model", "check_targets", "explain")
