"""Comparison of corrections on the same pairs, texts and resamples, and the recommendation of one or none."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt

from xembed._core.fields import Count, Level, Probability, Provenance
from xembed._core.progress import step
from xembed._core.provenance import provenance
from xembed._core.results import Result, RowKey, UserText
from xembed._core.text import in_sentence
from xembed._core.validation import (
    RNG,
    FloatArray,
    check_count,
    check_embeddings,
    check_flag,
    check_number,
    check_rng,
    describe_rng,
    is_name,
)
from xembed.datasets import STSPairs, TextTable
from xembed.encoders import describe_encoder, encode_texts
from xembed.isotropy import _evaluation, _sts
from xembed.isotropy._evaluation import NeighborOverlap, ProbeFolds, ProbeResult
from xembed.isotropy._measure import Measure, measure_rows
from xembed.isotropy._metrics import METRICS
from xembed.isotropy._sts import NamedTexts, STSCorrelation
from xembed.stats._correlations import SPEARMAN, Array, correlate, interval

if TYPE_CHECKING:
    import pandas as pd

RAW, NONE = "raw", "none"
FEW_TEXTS = (
    "Corrections were fitted on {} texts for {} dimensions: whitening needs more texts than dimensions, or shrinkage."
)
_MEASURES = ("debiased_isoscore", "average_cosine", "partition_isotropy", "uniformity", "hubness")
_MIN_RESAMPLES = 20
_NEIGHBORS = 10
_SPLITS = 5
# Data that choose and data that judge, by the kind of score.
_DATA = {
    "correlation": ("the tune pairs", "the test pairs"),
    "accuracy": ("the half of the labeled texts that chooses", "the other half"),
}


@dataclass(frozen=True, eq=False, repr=False)
class Gain(Result):
    """The difference between a correction and raw embeddings, on the same resamples.

    Attributes
    ----------
    name : str
        Name of the set of pairs, 'mean' for the mean of several, or 'probe'.
    statistic : str
        'spearman' or 'accuracy'.
    value : float
        Corrected minus raw.
    low, high : float or None
        Limits of its confidence interval.
    """

    schema: ClassVar[str] = "xembed.isotropy.Gain/1"

    name: Annotated[str, UserText, RowKey]
    statistic: str
    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True, eq=False, repr=False)
class CorrectionRow(Result):
    """One correction, or raw embeddings.

    Attributes
    ----------
    name, description : str
        Name of the correction, 'raw' for none, and how it is written.
    measures : tuple of Measure
        Measures of the texts.
    tune : STSCorrelation or None
        Correlation on the pairs that choose; of several sets the mean.
    tests : tuple of STSCorrelation
        Correlation on each test set.
    test : STSCorrelation or None
        Correlation on the test set; of several sets the mean.
    tune_gain, test_gain : Gain or None
        Gains on ``tune`` and ``test``; None for raw.
    test_gains : tuple of Gain
        Gain on each test set.
    neighbor_overlap : NeighborOverlap or None
        Nearest neighbors shared with raw embeddings.
    probe_tune, probe : ProbeResult or None
        Linear probe on the half of the labeled texts that chooses, and on the other half.
    probe_gain : Gain or None
        Gain of ``probe``.
    """

    schema: ClassVar[str] = "xembed.isotropy.CorrectionRow/1"

    name: Annotated[str, UserText, RowKey]
    description: Annotated[str, UserText]
    measures: tuple[Measure, ...]
    tune: STSCorrelation | None
    tests: tuple[STSCorrelation, ...]
    test: STSCorrelation | None
    tune_gain: Gain | None
    test_gains: tuple[Gain, ...]
    test_gain: Gain | None
    neighbor_overlap: NeighborOverlap | None
    probe_tune: ProbeResult | None
    probe: ProbeResult | None
    probe_gain: Gain | None


@dataclass(frozen=True, eq=False, repr=False)
class CorrectionsResult(Result):
    """Result of `compare_corrections`.

    Attributes
    ----------
    recommendation : str or None
        Name of a correction, 'none' where raw embeddings should be kept, or None where there is no evidence.
    reason : str
        The reason in one sentence with figures.
    rows : tuple of CorrectionRow
        One row a correction, raw embeddings first.
    fit_on, n_fit : str, int
        Name and number of the texts that corrections were fitted on.
    measured_on : str
        Name of the texts of measures, neighbors and probe.
    tune, test : tuple of str
        Names of the sets of pairs.
    fit_overlap, tune_overlap : dict of str to float
        Share of the sentences of each set that are in the fit, and of each test set that are in the tune sets.
    transductive : bool
        Whether corrections were fitted on sentences of a test set.
    n_resamples, confidence_level : int, float
        Number of resamples for the intervals, and their confidence level.
    encoder : dict or None
        Description of the encoder.
    notes : tuple of str
        Caveats.
    provenance : dict
        Function, parameters and versions.
    """

    schema: ClassVar[str] = "xembed.isotropy.CorrectionsResult/1"
    page: ClassVar[str | None] = "xembed.isotropy._pages.corrections:corrections"

    recommendation: Annotated[str | None, UserText]
    reason: str
    rows: tuple[CorrectionRow, ...]
    fit_on: Annotated[str, UserText]
    n_fit: Count
    measured_on: Annotated[str, UserText]
    tune: Annotated[tuple[str, ...], UserText]
    test: Annotated[tuple[str, ...], UserText]
    fit_overlap: Annotated[dict[str, Probability], UserText]
    tune_overlap: Annotated[dict[str, Probability], UserText]
    transductive: bool
    n_resamples: Count
    confidence_level: Level
    encoder: dict[str, Any] | None
    notes: tuple[str, ...]
    provenance: Provenance

    def row(self, name: str) -> CorrectionRow:
        """Return the row of a correction, or that of 'raw'; a KeyError lists those that there are."""
        for row in self.rows:
            if row.name == name:
                return row
        raise KeyError(f"{name!r} is not among the corrections compared: {[row.name for row in self.rows]}")

    def to_frame(self) -> pd.DataFrame:
        """Return a table with one row a correction; correlations and accuracies x 100, gains with their interval."""
        import pandas as pd

        return pd.DataFrame([_flat(row) for row in self.rows])


def _flat(row: CorrectionRow) -> dict[str, Any]:
    flat: dict[str, Any] = {"correction": row.name} | {measure.name: measure.value for measure in row.measures}
    if row.tune is not None:
        flat["tune"] = 100 * row.tune.spearman
    flat |= {f"test {correlation.name}": 100 * correlation.spearman for correlation in row.tests}
    if row.test is not None:
        flat |= {"test": 100 * row.test.spearman, **_flat_gain("gain", row.test_gain)}
    flat["neighbor_overlap"] = 1.0 if row.neighbor_overlap is None else row.neighbor_overlap.value
    if row.probe is not None:
        flat |= {"probe": 100 * row.probe.accuracy, **_flat_gain("probe_gain", row.probe_gain)}
    return flat


def _flat_gain(name: str, gain: Gain | None) -> dict[str, float | None]:
    values = (None, None, None) if gain is None else (gain.value, gain.low, gain.high)
    names = (name, f"{name}_low", f"{name}_high")
    return {key: None if value is None else 100 * value for key, value in zip(names, values, strict=True)}


def default_corrections() -> dict[str, Any]:
    """Return the corrections that are compared by default, unfitted.

    Returns
    -------
    dict of str to transformer
        ``center``, ``standardize``, ``all_but_the_top``, ``soft_whitening`` (power 0.5), ``whitening``,
        ``shrunk_whitening`` (Ledoit-Wolf) and ``cluster_isotropy``. They can be fitted, saved and applied to an encoder
        (`xembed.transforms.wrap`).

    Examples
    --------
    >>> from xembed.isotropy import default_corrections
    >>> default_corrections()["soft_whitening"]
    Whitening(method='zca', power=0.5)
    """
    from xembed.transforms import AllButTheTop, ClusterIsotropy, Standardize, Whitening

    return {
        "center": AllButTheTop(0),
        "standardize": Standardize(),
        "all_but_the_top": AllButTheTop(),
        "soft_whitening": Whitening("zca", power=0.5),
        "whitening": Whitening("zca"),
        "shrunk_whitening": Whitening("zca", shrinkage="ledoit_wolf"),
        "cluster_isotropy": ClusterIsotropy(),
    }


def compare_corrections(
    encoder_or_embeddings: Any,
    *,
    fit_texts: Any,
    tune: Any = None,
    test: Any = None,
    texts: Any = None,
    labels: Any = None,
    corrections: Any = "default",
    n_resamples: int = 1000,
    confidence_level: float = 0.95,
    transductive: bool = False,
    rng: RNG = None,
) -> CorrectionsResult:
    """Compare corrections of an embedding space by their isotropy and by their effect on a task.

    Corrections are fitted on ``fit_texts``, ``tune`` chooses one, and ``test`` decides whether it is recommended.

    Parameters
    ----------
    encoder_or_embeddings : encoder, or mapping of str to array-like of shape (n_dims,)
        An `Encoder` or any object with ``.encode(list of str)``; or the embedding of every text.
    fit_texts : list of str, TextTable, STSPairs or list of STSPairs
        Texts that corrections are fitted on; scores are not used.
    tune, test : STSPairs or list of STSPairs, optional
        Pairs with scores. Of several sets the mean of the correlations counts, with equal weights.
    texts : list of str or TextTable, optional
        Texts of isotropy, neighbors and the probe. By default the sentences of ``test``, else of ``tune``, else
        ``fit_texts``.
    labels : sequence of str or int, optional
        A label for each of ``texts``, for a linear probe (`linear_probe`), each on 10 texts at least; by default those
        of a TextTable.
    corrections : 'default' or mapping of str to correction, default='default'
        Unfitted objects with ``fit`` and ``transform``, by name; they are copied. The default: `default_corrections`,
        without whole whitening if there are no more texts in the fit than dimensions.
    n_resamples : int, default=1000
        Number of resamples for the intervals, at least 20.
    confidence_level : float in (0, 1), default=0.95
        Confidence level of the intervals.
    transductive : bool, default=False
        Whether ``fit_texts`` may be those of ``test``. The result is then marked.
    rng : int, numpy.random.Generator or None, default=None
        Random number generator of resamples, folds, and the subsets that measures draw. None is seed 0.

    Returns
    -------
    CorrectionsResult
        ``recommendation`` and ``reason``, and in ``rows`` for raw embeddings and each correction: measures,
        correlations, gains over raw with paired intervals, the overlap of nearest neighbors with raw, and the probe.

    Raises
    ------
    ValueError
        If ``fit_texts`` are those of ``test`` without ``transductive``; ``tune`` and ``test`` share a set; a correction
        can't be fitted or gives rows that are zero or not finite; or texts, labels or pairs are too few.
    TypeError
        If an argument is of the wrong type.

    Notes
    -----
    The candidate with the best mean correlation on ``tune``, raw embeddings among them, is chosen. If it is a
    correction, it is recommended if the interval of its gain over raw on ``test`` lies above 0, and otherwise 'none'.
    Without pairs, the probe decides in the same way: one half of the labeled texts chooses, the other tests. Without
    either there is no recommendation. ``fit_texts`` count as those of ``test`` if they have its name, or half of its
    sentences are among them, without regard to case and punctuation. The reasons are in docs/explanation/isotropy.md.

    Examples
    --------
    >>> import xembed
    >>> from xembed.datasets import load_corpora
    >>> from xembed.isotropy import Standardize, compare_corrections
    >>> reviews = load_corpora("product_reviews")
    >>> result = compare_corrections(
    ...     xembed.load_encoder(device="cpu"),
    ...     fit_texts=reviews.texts[:100],
    ...     corrections={"standardize": Standardize()},
    ... )
    >>> print(result.recommendation)
    None
    """
    caller = "compare_corrections"
    candidates = check_corrections(corrections, caller=caller)
    count = check_count(n_resamples, name="n_resamples", caller=caller, low=_MIN_RESAMPLES)
    level = check_number(confidence_level, name="confidence_level", caller=caller, low=0, high=1, closed="neither")
    transductive = check_flag(transductive, name="transductive", caller=caller)
    seeds = check_rng(rng, caller=caller).integers(2**32, size=5).tolist()
    protocol, (fit_overlap, is_fit_on_test), tune_overlap, halves = check_data(
        fit_texts, tune, test, texts, labels, transductive, seeds[0], caller=caller
    )

    X, described, unread = _embed(encoder_or_embeddings, protocol.everything, caller=caller)
    notes = unread + _notes(protocol, X.shape[1], fit_overlap, tune_overlap, is_fit_on_test)
    if corrections == "default" and len(protocol.fit.texts) <= X.shape[1]:
        del candidates["whitening"]  # its rows would be equally far from each other, so that there is no correlation
        notes.append("Whole whitening was left out for that reason.")
    descriptions = describe_corrections(candidates)
    draws = _Draws(count, level, seeds)
    trials = []
    with step("Corrections", 1 + len(candidates), "correction") as advance:
        for candidate in {RAW: None, **candidates}.items():
            trials.append(_try(*candidate, X, protocol, halves, draws))
            advance(1)
    rows = _rows(trials, descriptions, protocol, halves, draws)
    recommendation, reason = recommend(_scores(rows), level, has_tune=bool(protocol.tune), has_test=bool(protocol.test))
    tune_names, test_names = ([item.name for item in sets] for sets in (protocol.tune, protocol.test))
    return CorrectionsResult(
        recommendation=recommendation,
        reason=reason,
        rows=rows,
        fit_on=protocol.fit.name,
        n_fit=len(protocol.fit.texts),
        measured_on=protocol.measured.name,
        tune=tuple(tune_names),
        test=tuple(test_names),
        fit_overlap=fit_overlap,
        tune_overlap=tune_overlap,
        transductive=is_fit_on_test,
        n_resamples=count,
        confidence_level=level,
        encoder=described,
        notes=tuple(notes),
        provenance=provenance(
            caller,
            fit_texts=protocol.fit.name,
            tune=tune_names,
            test=test_names,
            texts=protocol.measured.name,
            corrections=descriptions,
            n_resamples=count,
            confidence_level=level,
            transductive=transductive,
            rng=describe_rng(rng),
        ),
    )


def check_corrections(corrections: Any, *, caller: str) -> dict[str, Any]:
    """Return the unfitted corrections by name; 'default' are those of this package."""
    if isinstance(corrections, str) and corrections == "default":
        return default_corrections()
    if not isinstance(corrections, Mapping) or not corrections:
        raise TypeError(
            f"The 'corrections' parameter of {caller} must be 'default' or a mapping of names to corrections, such as "
            f"{{'whitening': xembed.isotropy.Whitening()}}. Got {corrections!r:.60} instead."
        )
    for name, correction in corrections.items():
        if not is_name(name) or name in {RAW, "none"}:
            raise ValueError(
                f"The names of the 'corrections' of {caller} must be strings other than {RAW!r} and 'none', which have "
                f"a meaning of their own. Got {name!r:.60}."
            )
        is_class = isinstance(correction, type)
        if is_class or not all(callable(getattr(correction, method, None)) for method in ("fit", "transform")):
            remedy = " Make one of the class first." if is_class else ""
            raise TypeError(
                f"The 'corrections' of {caller} must have .fit and .transform. Got {correction!r:.60} as {name!r}."
                + remedy
            )
    return dict(corrections)


def describe_corrections(corrections: Mapping[str, Any]) -> dict[str, str]:
    return {name: " ".join(repr(correction).split()) for name, correction in corrections.items()}


def correct(name: str, correction: Any, fit_rows: FloatArray, rows: FloatArray) -> FloatArray:
    """Return ``rows``, in float64, after a copy of the correction was fitted to ``fit_rows``."""
    if correction is None:
        return _sts.check_vectors(rows, name="The matrix of embeddings", unit=True)
    from sklearn.base import clone

    fitted = clone(correction) if hasattr(correction, "get_params") else copy.deepcopy(correction)
    try:
        corrected = fitted.fit(fit_rows).transform(rows)
    except ValueError as error:
        raise ValueError(f"The correction {name!r} can't be fitted to {len(fit_rows)} rows: {error}") from error
    corrected = _sts.check_vectors(corrected, name=f"The matrix of embeddings after {name!r}")
    if len(corrected) != len(rows):
        raise ValueError(f"The correction {name!r} must give one row a text. Got {len(corrected)} for {len(rows)}.")
    return corrected


class Protocol(NamedTuple):
    """Which texts are fitted on, choose, judge and are measured."""

    fit: NamedTexts
    tune: tuple[STSPairs, ...]
    test: tuple[STSPairs, ...]
    measured: NamedTexts
    everything: dict[str, int]  # all different texts, with their rows

    @classmethod
    def of(
        cls, fit: NamedTexts, tune: tuple[STSPairs, ...], test: tuple[STSPairs, ...], measured: NamedTexts
    ) -> Protocol:
        texts = dict.fromkeys([*measured.texts, *fit.texts, *_sts.sentences_of((*tune, *test))])
        return cls(fit, tune, test, measured, {text: i for i, text in enumerate(texts)})

    def rows_of(self, texts: Sequence[str]) -> npt.NDArray[np.intp]:
        return np.array([self.everything[text] for text in texts], dtype=np.intp)


def check_data(
    fit_texts: Any, tune: Any, test: Any, texts: Any, labels: Any, transductive: bool, seed: int, *, caller: str
) -> tuple[Protocol, tuple[dict[str, float], bool], dict[str, float], list[_Half]]:
    """Check the texts, pairs and labels of `compare_corrections`; nothing need be encoded for that.

    Returned are what is compared, the overlaps of the fit and whether it is on test sentences, those of the tune sets,
    and the halves of the labeled texts.
    """
    protocol = _check_protocol(fit_texts, tune, test, texts, caller=caller)
    fit = _check_fit(protocol, allowed=transductive, caller=caller)
    tune_overlap = _check_tune(protocol, caller=caller)
    halves = _halve(_find_labels(labels, texts, caller=caller), len(protocol.measured.texts), seed, caller=caller)
    return protocol, fit, tune_overlap, halves


def _check_protocol(fit_texts: Any, tune: Any, test: Any, texts: Any, *, caller: str) -> Protocol:
    fit = _sts.named_texts(fit_texts, name="fit_texts", caller=caller)
    tune_sets = () if tune is None else _sts.check_pairs(tune, name="tune", caller=caller)
    test_sets = () if test is None else _sts.check_pairs(test, name="test", caller=caller)
    measured = fit
    if texts is not None or test_sets or tune_sets:
        texts = list(test_sets or tune_sets) if texts is None else texts
        measured = _sts.named_texts(texts, name="texts", caller=caller)
    return Protocol.of(fit, tune_sets, test_sets, measured)


def _find_labels(labels: Any, texts: Any, *, caller: str) -> Any:
    if labels is not None and texts is None:
        raise ValueError(f"The 'labels' parameter of {caller} must come with 'texts', one label a text. Got no texts.")
    return texts.labels if labels is None and isinstance(texts, TextTable) else labels


def _check_fit(protocol: Protocol, *, allowed: bool, caller: str) -> tuple[dict[str, float], bool]:
    """Return the overlaps of the fit with each set; refuse a fit on test sentences unless it is allowed."""
    fit, tune, test = protocol.fit, protocol.tune, protocol.test
    verdicts = {item.name: _sts.is_transductive(*fit, item) for item in (*tune, *test)}
    shares = {name: share for name, (_, share) in verdicts.items()}
    same = [item.name for item in test if verdicts[item.name][0]]
    if same and not allowed:
        raise ValueError(
            f"The 'fit_texts' of {caller} must not be those of the test: {shares[same[0]]:.0%} of the sentences of "
            f"{same[0]!r} are among {fit.name!r}. Fit on other texts, or say transductive=True, which marks the result."
        )
    return shares, bool(same)


def _check_tune(protocol: Protocol, *, caller: str) -> dict[str, float]:
    """Return the share of the sentences of each test set that are in the tune sets; refuse a set that is both."""
    tune, test = protocol.tune, protocol.test
    if common := sorted({item.name for item in tune} & {item.name for item in test}):
        raise ValueError(
            f"The 'tune' and 'test' of {caller} must be different sets: what chooses a correction can't judge it. "
            f"Got {common[0]!r} in both."
        )
    known = _sts.sentences_of(tune)
    return {item.name: _sts.overlap(item.sentences, known) for item in test} if tune else {}


def _embed(
    source: Any, texts: Mapping[str, int], *, caller: str
) -> tuple[FloatArray, dict[str, Any] | None, list[str]]:
    """Return the embeddings of the texts, in float64, the encoder's description, and what it does not read."""
    unread: list[str] = []
    if isinstance(source, Mapping):
        if missing := [text for text in texts if text not in source]:
            raise ValueError(
                f"The 'encoder_or_embeddings' parameter of {caller} must hold an embedding for every text. It lacks "
                f"{len(missing)} of {len(texts)} (first: {missing[0]!r:.60})."
            )
        rows = {text: np.asarray(source[text]) for text in texts}
        shape = next(iter(rows.values())).shape
        for text, row in rows.items():
            if row.ndim != 1 or row.shape != shape:
                raise ValueError(
                    "The embeddings of all texts must be 1-D and of one length. Got the shapes "
                    f"{shape} and {row.shape} (of {text!r:.60})."
                )
        embeddings, described = check_embeddings(list(rows.values()), name="The embeddings", caller=caller), None
    elif callable(getattr(source, "encode", None)) and not isinstance(source, str):
        encoding = encode_texts(source, list(texts))
        embeddings, described, unread = encoding.embeddings, describe_encoder(source), encoding.warnings()
    else:
        raise TypeError(
            f"The 'encoder_or_embeddings' parameter of {caller} must be an encoder (an object with .encode(list of "
            f"texts)) or a mapping of texts to embeddings. Got {type(source).__name__} instead."
        )
    return embeddings.astype(np.float64), described, unread


def _notes(
    protocol: Protocol, n_dims: int, fit_overlap: dict[str, float], tune_overlap: dict[str, float], transductive: bool
) -> list[str]:
    fit, tests = protocol.fit, [item.name for item in protocol.test]
    notes = [_sts.TRANSDUCTIVE.format(fit.name)] if transductive else []
    notes += [
        f"{share:.1%} of the sentences of {name!r} are among the texts of the fit, {fit.name!r}."
        for name, share in fit_overlap.items()
        if share and name in tests and not transductive
    ]
    notes += [
        f"{share:.1%} of the sentences of {name!r} are also in the tune sets: the test is not wholly held out."
        for name, share in tune_overlap.items()
        if share
    ]
    if len(fit.texts) <= n_dims:
        notes.append(FEW_TEXTS.format(len(fit.texts), n_dims))
    return notes


class _Draws(NamedTuple):
    """The number of resamples, the level of intervals, and the seeds of halves, subsets and resamples."""

    n_resamples: int
    level: float
    seeds: list[int]


class _Half(NamedTuple):
    """One half of the labeled texts: their rows and folds."""

    rows: npt.NDArray[np.intp]
    folds: ProbeFolds


class _Trial(NamedTuple):
    """One correction, or none: measures, neighbors, similarities of the tune and test pairs, hits of the probe."""

    name: str
    measures: tuple[Measure, ...]
    neighbors: NeighborOverlap | None
    similarities: list[Array]
    hits: list[Array]


class _Correlations(NamedTuple):
    """The correlations of one trial on sets of pairs, and its gains over raw embeddings."""

    of_sets: tuple[STSCorrelation, ...] = ()
    pooled: STSCorrelation | None = None
    gains: tuple[Gain, ...] = ()
    gain: Gain | None = None


def _halve(labels: Any, n_texts: int, seed: int, *, caller: str) -> list[_Half]:
    """Halve the labeled texts within each class, and assign the texts of each half to folds."""
    if labels is None:
        return []
    classes, targets = _evaluation.check_labels(labels, n_texts, caller=caller)
    sizes = np.bincount(targets)
    if sizes.min() < 2 * _SPLITS:
        raise ValueError(
            f"Each label must be on at least {2 * _SPLITS} texts for {caller}. "
            f"Got {classes[int(np.argmin(sizes))]!r} on {sizes.min()}: drop rare labels first."
        )
    generator = np.random.default_rng(seed)
    tuned = np.zeros(n_texts, np.bool_)
    for label, size in enumerate(sizes):
        tuned[generator.permutation(np.flatnonzero(targets == label))[: size // 2]] = True
    names = np.array(classes)[targets]
    return [
        _Half(rows, _evaluation.probe_folds(names[rows].tolist(), len(rows), _SPLITS, generator, caller=caller))
        for rows in (np.flatnonzero(tuned), np.flatnonzero(~tuned))
    ]


def _try(
    name: str, correction: Any, X: FloatArray, protocol: Protocol, halves: Sequence[_Half], draws: _Draws
) -> _Trial:
    """Correct the embeddings of all texts, and measure them."""
    corrected = correct(name, correction, X[protocol.rows_of(protocol.fit.texts)], X)
    of_texts = protocol.rows_of(protocol.measured.texts)
    metrics = [METRICS[metric] for metric in _MEASURES]
    try:
        measures = measure_rows(corrected[of_texts], metrics, 0, 0.95, np.random.default_rng(draws.seeds[1])).measures
    except ValueError as error:
        raise ValueError(f"The embeddings called {name!r} can't be measured: {error}") from error
    neighbors = None
    if correction is not None and len(of_texts) > _NEIGHBORS:
        neighbors = _evaluation.neighbor_overlap(
            X[of_texts],
            corrected[of_texts],
            n_neighbors=_NEIGHBORS,
            n_resamples=draws.n_resamples,
            confidence_level=draws.level,
            rng=draws.seeds[2],
        )
    similarities = [similarities_of(corrected, sets, protocol) for sets in (protocol.tune, protocol.test)]
    hits = [_evaluation.probe_correct(corrected[of_texts[half.rows]], half.folds) for half in halves]
    return _Trial(name, measures, neighbors, similarities, hits)


def similarities_of(X: FloatArray, sets: Sequence[STSPairs], protocol: Protocol) -> Array:
    if not sets:
        return np.empty(0)
    pairs = _sts.pair_rows(sets)
    rows = protocol.rows_of(pairs.sentences)
    return _sts.compute_similarities(X[rows[pairs.first]], X[rows[pairs.second]], "cosine")


def _rows(
    trials: Sequence[_Trial],
    descriptions: Mapping[str, str],
    protocol: Protocol,
    halves: Sequence[_Half],
    draws: _Draws,
) -> tuple[CorrectionRow, ...]:
    """Return the table: all trials on the same resamples."""
    tuned, tested = (_correlate(trials, i, sets, draws) for i, sets in enumerate((protocol.tune, protocol.test)))
    probes = _probe(trials, halves, draws)
    return tuple(
        CorrectionRow(
            name=trial.name,
            description=descriptions.get(trial.name, ""),
            measures=trial.measures,
            tune=on_tune.pooled,
            tests=on_test.of_sets,
            test=on_test.pooled,
            tune_gain=on_tune.gain,
            test_gains=on_test.gains,
            test_gain=on_test.gain,
            neighbor_overlap=trial.neighbors,
            **probe,
        )
        for trial, on_tune, on_test, probe in zip(trials, tuned, tested, probes, strict=True)
    )


def _correlate(trials: Sequence[_Trial], part: int, sets: Sequence[STSPairs], draws: _Draws) -> list[_Correlations]:
    """Return the correlations of all trials on the tune (0) or test (1) pairs, and their gains over the first."""
    if not sets:
        return [_Correlations()] * len(trials)
    pairs = _sts.pair_rows(sets)
    similarities = np.stack([trial.similarities[part] for trial in trials])
    generator = np.random.default_rng(draws.seeds[3])
    correlations = correlate(similarities, pairs.scores, pairs.sizes, draws.n_resamples, generator)
    observed, resampled = correlations.observed[..., SPEARMAN], correlations.resampled[..., SPEARMAN]
    units = [*enumerate(item.name for item in sets), (len(sets) + 1, "mean")]
    pooled = -1 if len(sets) > 1 else 0
    rows = []
    for row, trial in enumerate(trials):
        try:
            of_sets, _, mean = _sts.summarize(correlations, row, sets, draws.level)
        except ValueError as error:
            raise ValueError(f"The embeddings called {trial.name!r} can't be evaluated: {error}") from error
        gains = []
        for unit, name in units if row else ():
            bounds = interval(resampled[:, row, unit] - resampled[:, 0, unit], draws.level)
            gains.append(Gain(name, "spearman", float(observed[row, unit] - observed[0, unit]), *bounds))
        gain = gains[pooled] if gains else None
        rows.append(_Correlations(of_sets, (*of_sets, mean)[pooled], tuple(gains[:-1]), gain))
    return rows


def _probe(trials: Sequence[_Trial], halves: Sequence[_Half], draws: _Draws) -> list[dict[str, Any]]:
    """Return the fields of all trials' probes on both halves, with gains over the first on the second half."""
    names = ("probe_tune", "probe", "probe_gain")
    if not halves:
        return [dict.fromkeys(names)] * len(trials)
    count, level, seeds = draws
    made = provenance("linear_probe", n_splits=_SPLITS, n_resamples=count, confidence_level=level)
    results, resamples = [], []
    for part, half in enumerate(halves):
        hits = np.stack([trial.hits[part] for trial in trials], axis=1)
        resamples.append(_evaluation.probe_resamples(hits, half.folds, count, np.random.default_rng(seeds[4])))
        results.append(
            [
                _evaluation.summarize_probe(column, half.folds, _SPLITS, resamples[part][:, :, i : i + 1], level, made)
                for i, column in enumerate(hits.T)
            ]
        )
    raw, accuracy = trials[0].hits[1], resamples[1][:, 0]
    gains = [
        Gain(
            "probe", "accuracy", float((trial.hits[1] - raw).mean()), *interval(accuracy[:, i] - accuracy[:, 0], level)
        )
        for i, trial in enumerate(trials)
    ]
    return [dict(zip(names, row, strict=True)) for row in zip(*results, [None, *gains[1:]], strict=True)]


class Scores(NamedTuple):
    """The scores of one candidate on the tune and on the test data, its gain over raw there, and the kind of score."""

    name: str
    tune: float
    test: float
    gain: Gain | None
    kind: str


def _scores(rows: Sequence[CorrectionRow]) -> list[Scores]:
    """Return the scores that decide: those on pairs if there are tune and test pairs, else those of the probe."""
    if rows[0].tune is not None and rows[0].test is not None:
        return [
            Scores(row.name, row.tune.spearman, row.test.spearman, row.test_gain, "correlation")
            for row in rows
            if row.tune is not None and row.test is not None
        ]
    return [
        Scores(row.name, row.probe_tune.accuracy, row.probe.accuracy, row.probe_gain, "accuracy")
        for row in rows
        if row.probe_tune is not None and row.probe is not None
    ]


def recommend(scores: Sequence[Scores], level: float, *, has_tune: bool, has_test: bool) -> tuple[str | None, str]:
    """Return the recommendation and its reason; the first of the scores are those of raw embeddings."""
    if not scores:
        if has_tune != has_test:
            missing = "test" if has_tune else "tune"
            reason = f"there are no {missing} pairs. One set chooses a correction, and another judges it."
            return None, f"No recommendation: {reason}"
        return None, (
            "No recommendation: there are neither pairs with scores nor labels, and isotropy alone is no reason for a "
            "correction: a more isotropic space can be worse for a task."
        )
    raw, kind = scores[0], scores[0].kind
    tuned, tested = _DATA[kind]
    best = max(scores, key=lambda score: score.tune)  # the first of equals: raw before corrections
    if best.gain is None:
        second = max(scores[1:], key=lambda score: score.tune)
        return NONE, (
            f"Keep the embeddings as they are: on {tuned} no correction has a higher {kind} than raw embeddings "
            f"({100 * raw.tune:.1f}); the best, {in_sentence(second.name)}, has {100 * second.tune:.1f}."
        )
    low, high = best.gain.low, best.gain.high
    ends = "too few for an interval"
    if low is not None and high is not None:
        ends = f"{100 * level:g} % interval {100 * low:+.1f} to {100 * high:+.1f}"
    choice = (
        f"{in_sentence(best.name)} has the best {kind} on {tuned} ({100 * best.tune:.1f}; raw embeddings "
        f"{100 * raw.tune:.1f})"
    )
    change = f"from {100 * raw.test:.1f} to {100 * best.test:.1f} ({100 * best.gain.value:+.1f} points, {ends})"
    if low is not None and low > 0:
        return best.name, f"{choice}, and on {tested} it raises the {kind} {change}."
    return NONE, (
        f"Keep the embeddings as they are: {choice}, but on {tested} there is no significant gain: the {kind} changes "
        f"{change}."
    )
