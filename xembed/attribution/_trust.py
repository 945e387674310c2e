"""Which method finds words that don't belong: a test on the user's own texts, before explanations are believed."""

from __future__ import annotations

import copy
import dataclasses
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np
import numpy.typing as npt

from xembed._core.directions import unit_rows
from xembed._core.fields import Count, Interval, NonNegative, Probability, Provenance, Sides
from xembed._core.progress import shows_steps, step
from xembed._core.provenance import provenance
from xembed._core.results import IntervalIn, NotCompared, Result, RowKey, UserText
from xembed._core.validation import RNG, check_count, check_number, check_rng, check_texts, describe_rng, quote_options
from xembed.attribution._embedding_targets import Depth, EmbeddingTarget, NearestSimilarity, embeddings_of
from xembed.attribution._explain import explain
from xembed.attribution._method import Method, MethodOptions
from xembed.attribution._methods import check_options, find_methods
from xembed.attribution._word_vectors import LABELS, word_vectors
from xembed.datasets._word_lists import read_word_lists
from xembed.encoders import describe_encoder, encode_texts
from xembed.stats._resampling import bootstrap_rows

if TYPE_CHECKING:
    import pandas as pd

Floats = npt.NDArray[np.float64]
TARGETS = ("depth", "nearest_similarity")
# Methods that did best and those that people try first.
DEFAULT_METHODS = ("lime", "shapley_sampling", "occlusion", "integrated_gradients", "saliency_l2")
_N_EXAMPLES = 3
_N_RESAMPLES = 2_000
# Texts shorter than this have no place to plant words in.
_MIN_WORDS = 4
# Words of so many letters are seldom function words.
_CONTENT_LETTERS = 5
_PUNCTUATION = ".,;:!?\"'()[]“”‘’…-"
# A planted shift is of few words: in a real one the same words recur, too.
_PLANTED_WORDS, _PLANTED_TEXTS = 6, 40
_TEXTS = 400  # in which the shift is made
# AUROC that the lower end of the interval has to reach in a planted shift.
THRESHOLD = 0.8


@dataclass(frozen=True, repr=False)
class MethodTrust(Result):
    """Validation of one method by planted words, for one target.

    Attributes
    ----------
    method, label : str
        Method, and its name in tables.
    target : {'nearest_similarity', 'depth', 'shift'}
        Number that was attributed to words.
    auroc : float
        AUC of planted words against the text's own, by how far each pulls away from the corpus: the mean over texts,
        in [0, 1]; .5 is chance.
    interval : tuple of float, (2,)
        95 % bootstrap interval over texts.
    signed : bool
        Whether the method has signs. One without ranks words by size: it finds planted nouns among function words in
        any corpus, whether they belong or not.
    content : float or None
        AUC against words of five letters and more only, among which there are few function words; None where no text
        has such words.
    first : float
        Share of texts in which a planted word is first.
    completeness : float or None
        Median completeness error of the method, None if it promises no sum.
    seconds : float
        Time taken for a text.
    """

    schema: ClassVar[str] = "xembed.attribution.MethodTrust/1"

    method: Annotated[str, RowKey]
    label: str
    target: Annotated[str, RowKey]
    auroc: Annotated[Probability, IntervalIn("interval")]
    interval: Interval
    signed: bool
    content: Probability | None
    first: float
    completeness: float | None
    seconds: NonNegative


@dataclass(frozen=True, repr=False)
class PlantedExample(Result):
    """A text with planted words, and how far each word pulls it away, by the recommended method.

    Attributes
    ----------
    words : tuple of str
        Words of the text, in order.
    planted : tuple of bool
        Whether each was planted.
    values : tuple of float
        Attribution of each word.
    """

    schema: ClassVar[str] = "xembed.attribution.PlantedExample/1"

    words: Annotated[tuple[str, ...], UserText]
    planted: Annotated[tuple[bool, ...], Sides("words")]
    values: Annotated[tuple[float, ...], Sides("words")]


@dataclass(frozen=True, repr=False)
class TrustResult(Result):
    """Result of `trust_check`.

    Attributes
    ----------
    verdict : str
        Findings, in plain words.
    trusted : bool
        Whether the interval of the best method is above ``threshold``, it has signs, and an untrained encoder does
        worse.
    recommended, recommended_target : str
        Method with signs and target with the highest AUROC.
    methods : tuple of MethodTrust
        Best first, those without signs behind all that have them.
    threshold : float
        AUROC that the lower end of the interval has to reach.
    untrained : float or None
        AUROC of the recommended method on the same encoder with random weights; None if it has no weights, or
        corrections that were fitted to trained embeddings.
    deletion : float
        Share of texts in which deleting the word that the recommended method puts first raises the target more than
        deleting another word of the text drawn at random, which may be planted, too; ties count half.
    n_texts, n_planted : int
        Numbers of texts with planted words, and of planted words.
    n_reference : int
        Number of texts of the reference.
    off_topic : tuple of str
        Words to draw from.
    examples : tuple of PlantedExample
        A few texts with the values of the recommended method.
    encoder : dict
        Description of the encoder.
    warnings : tuple of str
        Caveats.
    provenance : dict
        Function, parameters and versions.
    """

    schema: ClassVar[str] = "xembed.attribution.TrustResult/1"
    page: ClassVar[str | None] = "xembed.attribution._pages.corpora:trust"

    verdict: str
    trusted: bool
    recommended: str
    recommended_target: str
    methods: tuple[MethodTrust, ...]
    threshold: float
    untrained: float | None
    deletion: float
    n_texts: Count
    n_planted: Count
    n_reference: Count
    off_topic: Annotated[tuple[str, ...], UserText]
    examples: Annotated[tuple[PlantedExample, ...], NotCompared]
    encoder: dict[str, Any]
    warnings: tuple[str, ...]
    provenance: Provenance

    def to_frame(self) -> pd.DataFrame:
        """Return a table with a row for each method and target, best first."""
        import pandas as pd

        columns = ["method", "target", "auroc", "low", "high", "signed", "content", "first", "completeness", "seconds"]
        rows = [dataclasses.asdict(row) | {"low": row.interval[0], "high": row.interval[1]} for row in self.methods]
        return pd.DataFrame(rows, columns=columns)


@shows_steps
def trust_check(
    encoder: Any,
    texts: Sequence[str],
    *,
    reference: Sequence[str] | None = None,
    methods: Sequence[str] | str = "default",
    targets: Sequence[str] = ("nearest_similarity", "depth"),
    n_texts: int = 60,
    n_words: tuple[int, int] = (2, 4),
    n_neighbors: int = 10,
    off_topic: Sequence[str] | None = None,
    threshold: float = 0.8,
    n_samples: int = 200,
    deletion: str | None = None,
    baseline: str = "pad",
    progress: bool | None = None,
    rng: RNG = None,
) -> TrustResult:
    """Validate methods on your own texts: plant words that don't belong, and measure which method finds them.

    The true reason why a text is an outlier is not known. Here the reason is made: a method that does not find it in
    these texts should not be believed about others of the corpus.

    Parameters
    ----------
    encoder : Encoder or object with ``.encode``
        The encoder. Without tokens, only methods that leave words out are tried.
    texts : sequence of str
        Texts of the corpus. Words are planted in some of those with 4 words and more.
    reference : sequence of str, optional
        Corpus that depth is taken in. By default those of ``texts`` that nothing is planted in.
    methods : 'default', or sequence of str
        Names in `METHODS`. By default LIME, Shapley sampling, occlusion, Integrated Gradients and Saliency.
    targets : sequence of {'nearest_similarity', 'depth'}
        Numbers to attribute to words: the similarity to the nearest texts of the reference, depth in all of it.
    n_texts : int, default=60
        Number of texts to plant words in, at most half of them.
    n_words : pair of int, default=(2, 4)
        Fewest and most words planted in a text.
    n_neighbors : int, default=10
        Number of nearest texts of 'nearest_similarity'.
    off_topic : sequence of str, optional
        Single words to plant. By default 180 common words of many fields, without those that occur in the corpus.
    threshold : float in (0.5, 1), default=0.8
        AUROC that the lower end of the interval of the best method has to reach for ``trusted``.
    n_samples, deletion, baseline
        Options of methods, as in `explain`.
    progress : bool, optional
        Whether to show progress bars on stderr. By default only if that is a terminal.
    rng : int, numpy.random.Generator or None, default=None
        Random state of the planted words and the resamples.

    Returns
    -------
    TrustResult
        The ``verdict``, the methods, best first, and ``report(path)``.

    Raises
    ------
    ValueError
        If there are too few texts, all words to plant occur in the corpus, or an option is unknown.
    TypeError
        If ``encoder`` is not an encoder, or a text is not a string.

    Notes
    -----
    Words are ranked by how far they pull the text away: minus the attribution, or its size for methods without signs,
    which are measured and never recommended. AUROCs are taken within each text and averaged. The reasons are in
    docs/explanation/embedding_explanations.md.

    Examples
    --------
    >>> import xembed
    >>> from xembed.attribution import trust_check
    >>> from xembed.datasets import load_corpora
    >>> texts = load_corpora("support_tickets").texts
    >>> found = trust_check(
    ...     xembed.load_encoder(device="cpu"), texts, methods=["occlusion"], targets=["nearest_similarity"], n_texts=8
    ... )
    >>> found.recommended, round(found.methods[0].auroc, 1), found.trusted  # eight texts are too few to be sure
    ('occlusion', 0.8, False)
    """
    caller = "trust_check"
    count = check_count(n_texts, name="n_texts", caller=caller, low=2)
    neighbors = check_count(n_neighbors, name="n_neighbors", caller=caller)
    check_number(threshold, name="threshold", caller=caller, low=0.5, high=1, closed="neither")
    wanted = find_methods(DEFAULT_METHODS if methods == "default" else methods, caller=caller)
    if not targets or any(target not in TARGETS for target in targets):
        raise ValueError(
            f"The 'targets' parameter of {caller} must be one or both of {quote_options(TARGETS)}. Got {targets!r}."
        )
    generator = check_rng(rng, caller=caller)
    check_options(baseline, "mask" if deletion is None else deletion, n_samples, caller=caller)
    seeds = generator.spawn(3)
    planted = plant(texts, reference, n_texts=count, n_words=n_words, off_topic=off_topic, rng=seeds[0], caller=caller)
    warnings: list[str] = []
    if methods == "default":
        wanted = _possible(wanted, encoder, warnings)
    options = {"n_samples": n_samples, "deletion": deletion, "baseline": baseline, "rng": 0}
    results: list[tuple[MethodTrust, list[Floats]]] = []
    drawn = bootstrap_rows(len(planted.rows), _N_RESAMPLES, seeds[1])  # the same for all methods
    embedded = embeddings_of(encoder, planted.reference, name="reference", caller=caller)
    with step("Trust", len(targets) * len(wanted), "trial") as advance:
        for name in targets:
            target = make_target(name, embedded, neighbors)
            for method in wanted:
                results.append(_measure(encoder, planted, method, target, options, drawn))
                advance(1)
    results.sort(key=lambda item: (not item[0].signed, -item[0].auroc))
    best, values = results[0]
    method = next(method for method in wanted if method.name == best.method)
    untrained = _untrained_auroc(encoder, planted, method, best.target, neighbors, options)
    moved = _deletion_share(encoder, planted, values, make_target(best.target, embedded, neighbors), seeds[2])
    trusted = best.signed and best.interval[0] >= threshold and (untrained is None or untrained < best.auroc)
    return TrustResult(
        verdict=_verdict(best, trusted, threshold, untrained),
        trusted=trusted,
        recommended=best.method,
        recommended_target=best.target,
        methods=tuple(item for item, _ in results),
        threshold=float(threshold),
        untrained=untrained,
        deletion=moved,
        n_texts=len(planted.rows),
        n_planted=int(sum(marks.sum() for marks in planted.planted)),
        n_reference=len(planted.reference),
        off_topic=planted.words,
        examples=tuple(
            PlantedExample(tuple(row), tuple(marks.tolist()), tuple(of_row.tolist()))
            for row, marks, of_row in list(zip(planted.rows, planted.planted, values, strict=True))[:_N_EXAMPLES]
        ),
        encoder=describe_encoder(encoder),
        warnings=tuple(warnings),
        provenance=provenance(
            caller,
            methods=[method.name for method in wanted],
            targets=list(targets),
            n_words=list(n_words),
            n_neighbors=neighbors,
            n_samples=n_samples,
            deletion=deletion,
            baseline=baseline,
            rng=describe_rng(rng),
        ),
    )


def trust_note(report: TrustResult, method: str, target: str) -> str:
    """Return the verdict on one method and target, which need not be the recommended ones."""
    if (method, target) == (report.recommended, report.recommended_target):
        return report.verdict
    best, measured = report.methods[0], {(trial.method, trial.target): trial for trial in report.methods}
    if (own := measured.get((method, target))) is None:
        theirs = f"{best.label} on {best.target} has an AUROC of {best.auroc:.2f}"
        return f"This method was not validated on planted words; {theirs}."
    return (
        f"On planted words {own.label} has an AUROC of {own.auroc:.2f} ({own.interval[0]:.2f} to "
        f"{own.interval[1]:.2f}) here; {best.label} on {best.target} has {best.auroc:.2f}."
    )


def make_target(name: str, reference: Floats, n_neighbors: int, *, exclude: Any = None) -> EmbeddingTarget:
    """Return the target of a name in a corpus."""
    if name == "depth":
        return Depth(reference, exclude=exclude)
    return NearestSimilarity(reference, n_neighbors=n_neighbors, exclude=exclude)


def planted_scores(
    encoder: Any, planted: Planted, method: Method, target: EmbeddingTarget, options: dict[str, Any]
) -> tuple[list[Floats], Floats]:
    """Return how far each word pulls away, and the completeness errors."""
    attributions = explain(encoder, planted.rows, method=method.name, target=target, **options)
    return [-values if method.signed else np.abs(values) for values in attributions.values], attributions.completeness


def _measure(
    encoder: Any,
    planted: Planted,
    method: Method,
    target: EmbeddingTarget,
    options: dict[str, Any],
    drawn: npt.NDArray[np.int64],
) -> tuple[MethodTrust, list[Floats]]:
    """Return how well a method does, with an interval by the resamples ``drawn``, and how far each word pulls away."""
    began = time.monotonic()
    away, completeness = planted_scores(encoder, planted, method, target, options)
    seconds = (time.monotonic() - began) / len(away)
    finite = completeness[np.isfinite(completeness)]
    error = float(np.median(finite)) if len(finite) else None
    named, signed = (method.name, method.label, target.name), method.signed
    return method_trust(away, planted, drawn, named, signed=signed, completeness=error, seconds=seconds), away


def _possible(methods: list[Method], encoder: Any, warnings: list[str]) -> list[Method]:
    from xembed.attribution._encoder_model import EmbeddingModel

    try:
        EmbeddingModel(encoder, lambda embeddings: embeddings, caller="trust_check")
    except (TypeError, ValueError) as error:
        warnings.append(f"Only methods that leave words out were tried: {error}")
        return [method for method in methods if method.family == "perturbation"]
    return methods


def untrained_copy(encoder: Any, *, seed: int) -> Any:
    """Return a copy of an encoder whose transformer has random weights.

    None if it is not made of one, or if corrections are around it, which were fitted to trained embeddings.
    """
    from xembed.attribution._encoder_model import has_gradients, unwrap
    from xembed.attribution._randomisation import randomise

    inside, corrections = unwrap(encoder)
    if not has_gradients(inside) or corrections:
        return None
    random = copy.copy(inside)
    random.model = copy.deepcopy(inside.model)
    random.model[0].model = randomise(inside.model[0].auto_model, "all", seed=seed)
    random._state = None
    return random


def _untrained_auroc(
    encoder: Any, planted: Planted, method: Method, target: str, n_neighbors: int, options: dict[str, Any]
) -> float | None:
    random = untrained_copy(encoder, seed=0)
    if random is None:
        return None
    reference = random.encode(planted.reference, cache=False, progress=False)
    away, _ = planted_scores(random, planted, method, make_target(target, np.asarray(reference), n_neighbors), options)
    return float(planted_auroc(away, planted.planted).mean())


def _deletion_share(
    encoder: Any, planted: Planted, away: list[Floats], target: EmbeddingTarget, rng: np.random.Generator
) -> float:
    """Return how often deleting the first word raises the target more than deleting another one."""
    import torch

    first = [int(values.argmax()) for values in away]
    other = [int(rng.choice(np.delete(np.arange(len(values)), first[i]))) for i, values in enumerate(away)]
    whole = [" ".join(row) for row in planted.rows]
    head, targets = target.prepare(encoder, whole, caller="trust_check")
    scores = []
    for places in (first, other):
        left = [" ".join(row[:place] + row[place + 1 :]) for row, place in zip(planted.rows, places, strict=True)]
        with torch.no_grad():
            outputs = head(torch.from_numpy(np.asarray(encode_texts(encoder, left).embeddings, dtype=np.float64)))
        scores.append(outputs.numpy()[np.arange(len(left)), targets])
    return float(np.mean((scores[0] > scores[1]) + 0.5 * (scores[0] == scores[1])))


def _verdict(best: MethodTrust, trusted: bool, threshold: float, untrained: float | None) -> str:
    what = "the similarity to the nearest texts" if best.target == "nearest_similarity" else "depth in the whole corpus"
    numbers = _numbers(best, f" on {what}")
    if not best.signed:
        return f"Words can't be trusted as reasons here: {numbers}, and the method has no signs."
    if trusted:
        return f"Planted words are found: {numbers}. Use that method for these texts."
    if untrained is not None and untrained >= best.auroc:
        return (
            f"Words can't be trusted as reasons here: {numbers}, and the same encoder with random weights does no "
            f"worse ({untrained:.2f})."
        )
    return (
        f"Words can't be trusted as reasons here: {numbers}, where {threshold:.2f} is required of the lower end. The "
        "corpus is too broad, or its texts too short, for single words to make a text an outlier."
    )


def _numbers(trial: MethodTrust, where: str = "") -> str:
    low, high = trial.interval
    return f"AUROC {trial.auroc:.2f} ({low:.2f} to {high:.2f}) with {trial.label}{where}; chance is 0.50"


# ---- planted words


def off_topic_words() -> tuple[str, ...]:
    """Return common words of many fields, to be planted in texts that they have nothing to do with."""
    return read_word_lists("off_topic")["words"]


@dataclass(frozen=True)
class Planted:
    """Texts with planted words: their words, which of them are planted, the rest of the corpus, and words to plant."""

    rows: list[list[str]]
    planted: list[npt.NDArray[np.bool_]]
    reference: list[str]
    words: tuple[str, ...]


def plant(
    texts: Sequence[str],
    reference: Sequence[str] | None,
    *,
    n_texts: int,
    n_words: tuple[int, int],
    off_topic: Sequence[str] | None,
    rng: np.random.Generator,
    caller: str,
) -> Planted:
    """Return texts with words planted in them; ``reference`` None: the other texts are the corpus."""
    listed = check_texts(texts, min_texts=2)
    if not isinstance(n_words, tuple | list) or len(n_words) != 2:
        raise TypeError(
            f"The 'n_words' parameter of {caller} must be a pair of integers, the fewest and the most words planted in "
            f"a text. Got {n_words!r:.60} instead."
        )
    low, high = n_words
    check_count(low, name="n_words", caller=caller)
    check_count(high, name="n_words", caller=caller, low=low)
    others = None if reference is None else check_texts(reference, name="reference")
    known = {word.strip(_PUNCTUATION).lower() for text in (*listed, *(others or ())) for word in text.split()}
    pool = check_texts(off_topic_words() if off_topic is None else off_topic, name="off_topic")
    words = [word for word in dict.fromkeys(pool) if word.lower() not in known]
    if len(words) < high:
        raise ValueError(
            f"The 'off_topic' words of {caller} must hold at least {high} that don't occur in the corpus. Got "
            f"{len(words)} of {len(pool)}: give words of another field."
        )
    long_enough = [place for place, text in enumerate(listed) if len(text.split()) >= _MIN_WORDS]
    count = min(n_texts, len(long_enough) if others is not None else len(listed) // 2)
    if min(count, len(long_enough)) < 2:
        raise ValueError(
            f"The 'texts' parameter of {caller} must hold at least 2 texts of {_MIN_WORDS} words and as many others. "
            f"Got {len(listed)} texts, {len(long_enough)} of them long enough."
        )
    places = sorted(rng.choice(long_enough, size=min(count, len(long_enough)), replace=False).tolist())
    rows, marks = [], []
    for place in places:
        own = listed[place].split()
        of_text = [(word, False) for word in own]
        for word in rng.choice(words, size=int(rng.integers(low, high + 1)), replace=False):
            of_text.insert(int(rng.integers(len(of_text) + 1)), (str(word), True))
        rows.append([word for word, _ in of_text])
        marks.append(np.array([mark for _, mark in of_text]))
    if others is None:
        others = [text for place, text in enumerate(listed) if place not in {*places}]
    return Planted(rows, marks, others, tuple(words))


def planted_auroc(away: Sequence[Floats], planted: Sequence[npt.NDArray[np.bool_]]) -> Floats:
    """Return for each text the AUC of planted words against the others by how far they pull away; ties count half."""
    differences = [values[marks][:, None] - values[~marks] for values, marks in zip(away, planted, strict=True)]
    return np.array([((difference > 0) + 0.5 * (difference == 0)).mean() for difference in differences])


def method_trust(
    away: Sequence[Floats],
    planted: Planted,
    drawn: npt.NDArray[np.int64],
    named: tuple[str, str, str],
    *,
    signed: bool,
    completeness: float | None,
    seconds: float,
) -> MethodTrust:
    """Return how well a method finds planted words, with an interval by the resamples ``drawn``, (n_draws, n_texts).

    ``named`` are the method, its label and the target.
    """
    aurocs = planted_auroc(away, planted.planted)
    low, high = np.quantile(aurocs[drawn].mean(axis=1), [0.025, 0.975])
    return MethodTrust(
        *named,
        auroc=float(aurocs.mean()),
        interval=(float(low), float(high)),
        signed=signed,
        content=against_content(away, planted),
        first=float(np.mean([marks[values.argmax()] for values, marks in zip(away, planted.planted, strict=True)])),
        completeness=completeness,
        seconds=seconds,
    )


def against_content(away: Sequence[Floats], planted: Planted) -> float | None:
    """Return the AUC against words of some length only."""
    kept = []
    for values, marks, row in zip(away, planted.planted, planted.rows, strict=True):
        long = np.array([len(word.strip(_PUNCTUATION)) >= _CONTENT_LETTERS for word in row])
        if (long & ~marks).any():
            kept.append((values[long | marks], marks[long | marks]))
    return float(planted_auroc(*zip(*kept, strict=True)).mean()) if kept else None


# ---- a planted shift


def trust_by_planting(
    encoder: Any, texts: Sequence[str], *, method: str, options: MethodOptions, rng: np.random.Generator, caller: str
) -> MethodTrust:
    """Make a shift of known words in texts of the corpora, and measure how well a method finds them.

    Six words of other fields are planted in some texts, two to four in each. Along the direction from the other texts
    to these, planted words are compared with the texts' own. ValueError if there are too few texts or words.
    """
    began = time.monotonic()
    sample = [texts[i] for i in np.sort(rng.choice(len(texts), size=min(len(texts), _TEXTS), replace=False))]
    known = {word.lower() for text in sample for word in text.split()}
    free = [word for word in off_topic_words() if word.lower() not in known]
    words = [str(word) for word in rng.choice(free, size=min(_PLANTED_WORDS, len(free)), replace=False)]
    planted = plant(
        sample, None, n_texts=_PLANTED_TEXTS, n_words=(2, 4), off_topic=words or None, rng=rng, caller=caller
    )
    apart = [
        unit_rows(encode_texts(encoder, rows).embeddings).mean(axis=0)
        for rows in ([" ".join(row) for row in planted.rows], planted.reference)
    ]
    direction = apart[0] - apart[1]
    length = float(np.linalg.norm(direction))
    vectors = word_vectors(encoder, planted.rows, method=method, options=options, caller=caller)
    along = []
    with step("Trust", len(planted.rows), "text") as advance:
        for of_text in vectors:
            along.append(of_text.vectors @ (direction / length if length > 0 else direction))
            advance(1)
    drawn, named = bootstrap_rows(len(planted.rows), _N_RESAMPLES, rng), (method, LABELS[method], "shift")
    seconds = (time.monotonic() - began) / len(along)
    return method_trust(along, planted, drawn, named, signed=True, completeness=None, seconds=seconds)


def planting_sentence(validation: MethodTrust) -> str:
    """Return the verdict on a method by a shift of planted words."""
    if validation.interval[0] >= THRESHOLD:
        return f"Validated by a shift of planted words in these texts: they are found, {_numbers(validation)}."
    return (
        f"Words can't be trusted as reasons here: in a shift of planted words in these texts they have "
        f"{_numbers(validation)}, and {THRESHOLD:.2f} is required of the lower end."
    )
