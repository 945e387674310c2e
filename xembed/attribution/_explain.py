"""Attribute scores of models to the words of texts."""

from __future__ import annotations

import dataclasses
import itertools
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np
import numpy.typing as npt

from xembed._core.fields import Floats, Ints, LengthsOf, MayBeNaN, NonNegative, Provenance, Sides
from xembed._core.inputs import list_items
from xembed._core.progress import estimated_step, showing
from xembed._core.provenance import provenance
from xembed._core.results import PerRow, Result, UserText
from xembed._core.validation import RNG, check_option, check_texts, describe_rng
from xembed.attribution._embedding_targets import EmbeddingTarget
from xembed.attribution._method import REPORTED, Method, MethodOptions, MethodOutput, Targets
from xembed.attribution._methods import check_options, find_methods, run_method
from xembed.attribution._render import CELL_BYTES, heading, legend, line, words_html
from xembed.attribution._scored_model import ScoredModel
from xembed.encoders import describe_encoder
from xembed.encoders._words import EncodedWords

if TYPE_CHECKING:
    import pandas as pd

_TEXTS_IN_CELL = 8  # of a notebook


@dataclass(frozen=True, eq=False, repr=False)
class Attributions(Result):
    """Result of `explain`: a number for each word of each text, how much it speaks for the target.

    Attributes
    ----------
    method, label : str
        Name of the method, and its name in tables.
    signed : bool
        Whether negative numbers mean that a word speaks against the target. Of other methods only the size counts.
    words : tuple of tuple of str
        Words of each text.
    values : tuple of ndarray of shape (n_words,), float64
        Attributions of the words, in the unit of the model's output.
    targets : ndarray of shape (n_texts,), int64
        Explained output; of an encoder 0, or the number of the vector or class of the target.
    scores : ndarray of shape (n_texts,), float64
        Score of the target.
    baseline_scores : ndarray of shape (n_texts,), float64
        Score of the baseline of the method; NaN for methods without one.
    completeness : ndarray of shape (n_texts,), float64
        Relative error of the sum of the attributions against ``scores - baseline_scores``; NaN for methods that promise
        no sum.
    special : ndarray of shape (n_texts,), float64
        Share of the absolute attribution on special tokens, which is not in ``values``; NaN where there is none.
    truncated : ndarray of shape (n_texts,), bool
        Texts longer than the model reads. Words that were cut off have 0 where texts came as lists of words, and are
        not shown where they came as strings.
    output : str
        'logit' or 'probability' of a classifier; of an encoder the name of the target, such as 'similarity'.
    baseline : str
        Replacement of absent words in the baseline, or in perturbed texts.
    notes : tuple of str
        Caveats.
    seconds : float
        Time taken.
    provenance : dict
        Function, parameters and versions.
    """

    schema: ClassVar[str] = "xembed.attribution.Attributions/1"
    page: ClassVar[str | None] = "xembed.attribution._pages.texts:attributions"

    method: str
    label: str
    signed: bool
    words: Annotated[tuple[tuple[str, ...], ...], UserText]
    values: Annotated[tuple[Floats, ...], LengthsOf("words")]
    targets: Annotated[Ints, Sides("words")]
    scores: Annotated[Floats, Sides("words"), PerRow("texts", "words")]
    baseline_scores: Annotated[Floats, MayBeNaN, Sides("words")]
    completeness: Annotated[Floats, MayBeNaN, Sides("words"), PerRow("texts", "words")]
    special: Annotated[Floats, MayBeNaN, Sides("words")]
    truncated: Annotated[npt.NDArray[np.bool_], Sides("words")]
    output: str
    baseline: str
    notes: tuple[str, ...]
    seconds: NonNegative
    provenance: Provenance

    def to_frame(self) -> pd.DataFrame:
        """Return a table with a row for each word: text, position, word, attribution."""
        import pandas as pd

        return pd.DataFrame(
            [
                (text, place, word, value)
                for text, (words, values) in enumerate(zip(self.words, self.values, strict=True))
                for place, (word, value) in enumerate(zip(words, values, strict=True))
            ],
            columns=["text", "position", "word", "attribution"],
        )

    def top(self, text: int, n: int = 5) -> list[tuple[str, float]]:
        """Return the ``n`` words of a text with the largest absolute attribution, largest first."""
        order = np.argsort(-np.abs(self.values[text]), kind="stable")[:n]
        return [(self.words[text][place], float(self.values[text][place])) for place in order]

    def _scalars(self) -> dict[str, Any]:
        return {"method": self.method, "n_texts": len(self.words), "output": self.output, "seconds": self.seconds}

    def _repr_html_(self) -> str:
        return self._html(range(len(self.words)), "raises it", "lowers it")

    def _html(self, order: Iterable[int], up: str, down: str) -> str:
        n_texts = len(self.words)
        title = f"{self.label}: {self.output.replace('_', ' ')} of {n_texts:,} text{'' if n_texts == 1 else 's'}"
        parts = [heading(title), *map(line, self.notes), legend(self.signed, up, down)]
        room = CELL_BYTES - sum(len(part.encode("utf-8")) for part in parts)
        n_shown = 0
        for row in itertools.islice(order, _TEXTS_IN_CELL):
            head = line(self._place(row), strong=True)
            words = words_html(self.words[row], self.values[row], signed=self.signed, n_bytes=room // 2)
            n_shown += 1
            parts += [head, words]
            room -= len((head + words).encode("utf-8"))
            if room < 1_000:
                break
        if n_shown < n_texts:
            parts.append(line(f"… and {n_texts - n_shown:,} more texts: .report('page.html') shows all."))
        return "".join(parts)

    def _place(self, row: int) -> str:
        return f"Text {row}: {self.scores[row]:.3f}"


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
    """Attribute the score of a classifier, or a number of an embedding, to the words of texts.

    Parameters
    ----------
    model : torch.nn.Module, object with .model and .tokenizer, or encoder
        A sequence classifier of transformers, or of `xembed.geco.train`; or an encoder such as `xembed.load_encoder`
        gives, with or without corrections. It is not changed. For any other object with ``.encode`` only methods that
        leave words out are possible.
    texts : list of str, or list of list of str
        Texts, whose words are then the tokenizer's; or lists of words.
    method : str, default='integrated_gradients'
        A name in `METHODS`.
    target : int, sequence of int, None, or target of an embedding, default=None
        For a classifier the explained output, one for all texts or one for each; None: the most likely one. For an
        encoder `Similarity`, `Depth`, `NearestSimilarity`, `Projection`, `Logit`, or a function from embeddings, a
        torch.Tensor of shape (n, n_dims), to a number for each.
    level : {'word', 'token'}, default='word'
        Unit of the attributions: those of tokens are summed to words, or not.
    tokenizer : transformers.PreTrainedTokenizerFast, optional
        Tokenizer of ``model``, where it has none.
    output : {'logit', 'probability'}, default='logit'
        Explained score. Probabilities are sigmoids for a model of several labels (``config.problem_type``) or of one
        output, else the softmax. Near 0 and 1 they are flat: their gradients vanish.
    site : {'word', 'block', 'block_twice'}, default='word'
        Layer of the gradients: word embeddings; the output of the embedding block, with positions and LayerNorm; or
        that output fed in as word embeddings, as in some published numbers.
    baseline : {'pad', 'mask', 'unk', 'zero'}, default='pad'
        Input without information that gradients are integrated or multiplied from: every token but the special ones
        replaced. Its score is in ``baseline_scores``: the part that the attributions don't explain.
    deletion : {'mask', 'pad', 'unk', 'delete'}, optional
        Replacement of an absent word in methods that perturb. By default 'mask' for classifiers, and 'delete' for
        encoders, which read texts of any length.
    n_samples : int, default=100
        Perturbed texts for each text in LIME, Kernel SHAP and Shapley sampling; Gradient SHAP takes a fifth as many
        gradients.
    tolerance : float in (0, 1), default=0.01
        Completeness error up to which Integrated Gradients takes more steps.
    max_steps : int, default=96
        Largest number of steps: 12, 24, 48, 96, ...
    fitted : object, optional
        Result of ``METHODS[name].fit(pairs)``, for the reference methods that are fitted on training data.
    max_length : int, optional
        Number of tokens read of a text; by default that of the tokenizer.
    progress : bool, optional
        Whether to show a progress bar on stderr. By default only if that is a terminal.
    rng : int, numpy.random.Generator or None, default=None
        Random state of methods that draw. None is seed 0. Draws for a text depend on the text and the seed alone.

    Returns
    -------
    Attributions
        ``values``: for each text an array with a number for each word.

    Raises
    ------
    ValueError
        If the method is unknown, a target is not an output of the model, a text is blank, or the method needs what the
        model or the tokenizer does not have.
    TypeError
        If the tokenizer is a slow one, or an argument is of the wrong type.
    RuntimeError
        If scores or attributions are not finite, or a gradient method is asked of a model that gives other scores for
        embeddings than for ids.

    See Also
    --------
    method_health : whether a method is valid on this model.

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
    (how,) = find_methods([method], caller=caller)
    check_option(level, ("token", "word"), name="level", caller=caller)
    of_encoder = is_encoder(model)
    if deletion is None:
        deletion = "delete" if of_encoder else "mask"
    options = check_options(baseline, deletion, n_samples, tolerance, max_steps, fitted=fitted, rng=rng, caller=caller)
    if of_encoder:
        if tokenizer is not None or output != "logit":
            raise ValueError(f"The parameters 'tokenizer' and 'output' of {caller} are for classifiers, not encoders.")
        needs_model = how.family in ("attention", "gradient")
        scored, rows, targets = read_encoder(
            model, texts, target, needs_model=needs_model, site=site, max_length=max_length, caller=caller
        )
    elif isinstance(target, EmbeddingTarget):
        raise TypeError(
            f"The 'target' parameter of {caller} is a {type(target).__name__}, which is of an encoder's "
            f"embeddings. Got a {type(model).__name__} as model: give an encoder, or a class as target."
        )
    else:
        scored = as_scored_model(model, tokenizer, site=site, output=output, max_length=max_length, caller=caller)
        rows = scored.words.encode(texts)
    if level == "token":
        if not hasattr(scored, "tokenizer"):
            raise ValueError(f"{caller} with level='token' needs an encoder with tokens. Got {type(model).__name__}.")
        rows = [_by_token(row, scored.tokenizer) for row in rows]
    bars = showing(progress, caller=caller)
    began = time.monotonic()
    scores = scored.score_ids([row.ids for row in rows])
    if not of_encoder:
        targets = check_targets(target, scores, caller=caller)
    if how.family == "gradient":
        scored.require_same_scores(rows, scores)
    n_rows = round(sum(sum(how.rows(len(row.words), options)) for row in rows))
    with bars, estimated_step(how.label, n_rows, "row") as update:
        explained = run_method(how, scored, rows, targets, dataclasses.replace(options, progress=update))
    return Attributions(
        method=how.name,
        label=how.label,
        signed=how.signed,
        words=tuple(row.words for row in rows),
        values=tuple(explained.words),
        targets=targets,
        scores=scores[np.arange(len(rows)), targets],
        baseline_scores=explained.baseline_scores,
        completeness=explained.completeness,
        special=explained.special,
        truncated=np.array([row.truncated for row in rows]),
        output=scored.output,
        baseline=options.deletion if how.family == "perturbation" else options.baseline,
        notes=tuple(_notes(how, scored, rows, explained, options)),
        seconds=time.monotonic() - began,
        provenance=provenance(
            caller,
            model=describe_encoder(model) if of_encoder else type(scored.module).__name__,
            target=scored.output if of_encoder else None,
            method=how.name,
            level=level,
            output=scored.output,
            site=scored.site,
            **{name: getattr(options, name) for name in REPORTED},
            rng=describe_rng(rng),
        ),
    )


def _notes(
    method: Method, model: ScoredModel, rows: list[EncodedWords], output: MethodOutput, options: MethodOptions
) -> Iterator[str]:
    if n_truncated := sum(row.truncated for row in rows):
        yield (
            f"{n_truncated} of {len(rows)} texts are longer than the {model.words.max_length} tokens that the model "
            f"reads: words that were cut off {'have 0' if _holds_cut_words(rows) else 'are not shown'}."
        )
    if model.output == "probability" and model.problem_type == "regression":
        yield (
            "The model is a regression (config.problem_type): the sigmoid of its score is a probability only if it was "
            "trained as the logit of one. output='logit' explains the score as it is."
        )
    over = int((output.completeness > options.tolerance).sum())
    if over and method.name == "integrated_gradients":
        yield f"For {over} texts the completeness error is above {options.tolerance:g} with {options.max_steps} steps."


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

    listed = list_items(texts, name="texts")
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
    """Return the model as methods read it, from a module and its tokenizer or from an object that holds both."""
    import torch

    if isinstance(model, ScoredModel):
        return model
    module = model if isinstance(model, torch.nn.Module) else getattr(model, "model", None)
    if not isinstance(module, torch.nn.Module):
        raise TypeError(
            f"The 'model' parameter of {caller} must be a sequence classifier of transformers, with its tokenizer as "
            f"'tokenizer', or an object with .model and .tokenizer. Got {type(model).__name__}."
        )
    tokenizer = getattr(model, "tokenizer", None) if tokenizer is None else tokenizer
    if tokenizer is None:
        raise ValueError(
            f"The 'tokenizer' parameter of {caller} must be given for a {type(module).__name__}. Got none."
        )
    return ScoredModel(module, tokenizer, site=site, output=output, max_length=max_length, caller=caller)


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


def _holds_cut_words(rows: Sequence[EncodedWords]) -> bool:
    """Whether words without tokens are among the words: those of lists are, of strings they are not known."""
    last = [(len(row.words), max(word for word in row.word_ids if word is not None)) for row in rows if row.truncated]
    return any(n_words > word + 1 for n_words, word in last)


def _by_token(row: EncodedWords, tokenizer: Any) -> EncodedWords:
    places = [place for place, word in enumerate(row.word_ids) if word is not None]
    tokens = tokenizer.convert_ids_to_tokens([row.ids[place] for place in places])
    numbers = {place: number for number, place in enumerate(places)}
    return EncodedWords(tuple(tokens), row.ids, tuple(map(numbers.get, range(len(row.ids)))), row.truncated)
