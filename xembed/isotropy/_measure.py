"""All measures of an embedding space in one call, with intervals."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, TypeAlias

import numpy as np
import numpy.typing as npt

from xembed._core.blocks import Blocks, Rows, known_rows, read_rows
from xembed._core.blocks import width as width_of
from xembed._core.directions import working_dtype
from xembed._core.fields import Count, Counts, Floats, Level, OneOf, Provenance, Sides
from xembed._core.moments import Array, Columns, Moments, grouped_moments
from xembed._core.parallel import row_blocks
from xembed._core.progress import shows_steps, step, track
from xembed._core.provenance import provenance
from xembed._core.results import NotCompared, Result, RowKey
from xembed._core.validation import RNG, check_count, check_number, check_rng, describe_rng
from xembed.encoders._corpora import read_corpora
from xembed.isotropy._cosine import random_rows, rogue_dimensions, top_share
from xembed.isotropy._metrics import Metric, Sample, Space, check_metrics, cosine_histogram
from xembed.isotropy._partition import combine, extreme_vectors, isotropy_of, log_partition
from xembed.isotropy._spectrum import isotropic_score

if TYPE_CHECKING:
    import pandas as pd

# Rows that measures of pairs and neighborhoods are computed from, at most.
_SAMPLE_ROWS = 2000
_SAMPLE_HALVES = 50
# Groups of rows that halves are made of, and the numbers that their sums may hold in memory.
_GROUPS = 64
_MIN_GROUPS = 8
_GROUP_NUMBERS = 2**24
# Numbers in the sums of the half-samples that are in memory at a time.
_HALF_NUMBERS = 2**22
# Large arrays: Z is computed for the directions that are the most extreme in so many rows.
_SCREEN_ROWS = 4096
_SCREEN_KEPT = 8
_DIMENSIONS = ("twonn", "mle")
_LARGE_DIMENSION = 20

Halves: TypeAlias = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False, repr=False)
class Measure(Result):
    """One measure of an embedding space.

    Attributes
    ----------
    name, label : str
        Name in the code, and name on pages.
    value : float or None
        The value; None if it is not available, and ``warning`` then says why.
    low, high : float or None
        Limits of the confidence interval, if there is one.
    minimum, maximum : float or None
        Range of the measure at this size; None is unbounded.
    perfect : float or None
        Value of an isotropic space, in which all directions are alike; None where there is none.
    better : str
        'higher', 'lower' or 'none': the direction that means a more isotropic space.
    n_rows_used : int
        Number of rows that it was computed from.
    warning : str or None
        Caveat of this number.
    """

    schema: ClassVar[str] = "xembed.isotropy.Measure/1"

    name: Annotated[str, RowKey]
    label: str
    value: float | None
    low: float | None
    high: float | None
    minimum: float | None
    maximum: float | None
    perfect: float | None
    better: Annotated[str, OneOf("higher", "lower", "none")]
    n_rows_used: Count
    warning: str | None


@dataclass(frozen=True, eq=False, repr=False)
class CosineHistogram(Result):
    """Cosines of random pairs of different texts.

    Attributes
    ----------
    edges : ndarray of shape (n_bins + 1,)
        Edges of the bins, from -1 to 1.
    counts, expected : ndarray of shape (n_bins,)
        Number of pairs in each bin, and the expected one for uniformly random directions in as many dimensions.
    """

    schema: ClassVar[str] = "xembed.isotropy.CosineHistogram/1"

    edges: Annotated[Floats, Sides("counts+1")]
    counts: Annotated[Counts, Sides("counts")]
    expected: Annotated[Floats, Sides("counts")]


@dataclass(frozen=True, eq=False, repr=False)
class IsotropyResult(Result):
    """Result of `measure`.

    Attributes
    ----------
    n, n_dims : int
        Numbers of texts and dimensions.
    measures : tuple of Measure
        The measures, in a fixed order.
    spectrum : ndarray of shape (min(n - 1, n_dims),)
        Eigenvalues of the covariance, largest first.
    cosine_histogram : CosineHistogram or None
        Histogram of cosines; None without cosine measures, and for blocks.
    contributions : ndarray of shape (n_dims,) or None
        Contribution of each dimension to the average cosine; None without cosine measures.
    rogue_dimensions, dead_dimensions : tuple of int
        Rogue dimensions by the rule of `outlier_dimensions`, largest contribution first, and constant dimensions.
    n_resamples, confidence_level : int, float
        Number of half-samples for the intervals, and their confidence level.
    notes : tuple of str
        Caveats of all numbers.
    provenance : dict
        Function, parameters and versions.
    """

    schema: ClassVar[str] = "xembed.isotropy.IsotropyResult/1"
    page: ClassVar[str | None] = "xembed.isotropy._pages.spaces:isotropy"

    n: Count
    n_dims: Count
    measures: tuple[Measure, ...]
    spectrum: Annotated[Floats, Sides("directions")]
    cosine_histogram: Annotated[CosineHistogram | None, NotCompared]
    contributions: npt.NDArray[np.float64] | None
    rogue_dimensions: tuple[Count, ...]
    dead_dimensions: tuple[Count, ...]
    n_resamples: Count
    confidence_level: Level
    notes: tuple[str, ...]
    provenance: Provenance

    def measure(self, name: str) -> Measure:
        """Return the measure with this name; a KeyError lists those that were computed."""
        for computed in self.measures:
            if computed.name == name:
                return computed
        raise KeyError(f"{name!r} is not among the measures computed: {[computed.name for computed in self.measures]}")

    def to_frame(self) -> pd.DataFrame:
        """Return a table with one row a measure."""
        import pandas as pd

        return pd.DataFrame([vars(measure) for measure in self.measures])


class _Values:
    """Estimates, replicates for the intervals, numbers of rows, and warnings, by the name of the measure."""

    def __init__(self) -> None:
        self.estimates: dict[str, float] = {}
        self.replicates: dict[str, Array] = {}
        self.rows_used: dict[str, int] = {}
        self.warnings: dict[str, list[str]] = {}

    def compute(self, name: str, function: Callable[[], float]) -> None:
        """Compute a value; the reason why it is not available becomes a warning."""
        try:
            self.estimates[name] = function()
        except ValueError as error:
            self.warn(name, str(error))

    def warn(self, name: str, sentence: str) -> None:
        self.warnings.setdefault(name, []).append(sentence)

    def measure(self, metric: Metric, n: int, d: int, level: float) -> Measure:
        name, value = metric.name, self.estimates.get(metric.name)
        minimum, maximum, isotropic = metric.bounds(n, d)
        low = high = None
        if value is not None and name in self.replicates:
            replicates = self.replicates[name]
            if np.isfinite(replicates).all():
                tails = np.quantile(replicates - replicates.mean(), [(1 - level) / 2, (1 + level) / 2])
                limits = -np.inf if minimum is None else minimum, np.inf if maximum is None else maximum
                low, high = (float(np.clip(value + tail, *limits)) for tail in tails)
            else:
                self.warn(name, "No interval: the measure is not available for halves of the rows.")
        bounds = {"low": low, "high": high, "minimum": minimum, "maximum": maximum, "perfect": isotropic}
        used, warning = self.rows_used.get(name, n), " ".join(self.warnings.get(name, ())) or None
        return Measure(name, metric.label, value, **bounds, better=metric.better, n_rows_used=used, warning=warning)


@shows_steps
def measure(
    X: Any,
    *,
    metrics: Any = "all",
    n_resamples: int = 0,
    confidence_level: float = 0.95,
    text_column: str | None = None,
    encoder: Any = None,
    progress: bool | None = None,
    rng: RNG = None,
) -> IsotropyResult:
    r"""Measure an embedding space: the spread of its variance, its cosines, and its neighborhoods.

    Parameters
    ----------
    X : array-like of shape (n_texts, n_dims), blocks of it, or texts
        Embeddings, one row a text, two at least; or the texts themselves, which are encoded when everything else has
        been checked: a list or column of strings, or a table with a ``text_column`` (its index is not used). Blocks as
        in `participation_ratio`: measures of pairs and neighborhoods need an array or the path of a .npy file; the
        partition function reads the rows twice.
    metrics : 'all', str or list of str, default='all'
        Names of the measures: 'debiased_isoscore', 'isoscore', 'participation_ratio', 'effective_rank', 'rankme',
        'average_cosine', 'top_dimension_share', 'partition_isotropy', 'uniformity', 'hubness', 'robin_hood',
        'antihub_rate', 'twonn', 'mle'. Zero rows are an error only where lengths are divided by, that is, not for the
        first five and 'partition_isotropy'.
    n_resamples : int, default=0
        Number of half-samples for the intervals; 0 computes none, 200 are enough.
    confidence_level : float in (0, 1), default=0.95
        Confidence level of the intervals.
    text_column : str, optional
        Column of the texts, where X is a DataFrame or another table.
    encoder : encoder, str, path or mapping, optional
        For texts what encodes them: an `Encoder` or any object with ``.encode``, or the name or folder of a model; the
        default encoder if None. For embeddings the description of what made them (`Encoder.describe`). ``provenance``
        tells which.
    progress : bool, optional
        Whether to show progress bars on stderr. By default only if that is a terminal.
    rng : int, numpy.random.Generator or None, default=None
        Random number generator of the subset of rows and the half-samples. None is seed 0.

    Returns
    -------
    IsotropyResult
        The measures (``result.measure("isoscore").value``), and what they are computed from.

    Raises
    ------
    ValueError
        If rows are not finite or zero (they are named) or all the same, or a parameter is unknown or out of range.
    TypeError
        If ``X`` does not hold real numbers, or a parameter is of the wrong type.

    Notes
    -----
    Rows are texts: an array of shape (n_dims, n_texts) gives numbers too, and wrong ones. No measure says that a space
    is good for a task. Intervals are those of half-sampling without replacement [1]_, from random halves of up to 64
    random groups of rows; measures of neighborhoods use up to 50 halves of the subset. What the intervals cover, and
    how well, is in docs/explanation/isotropy.md.

    Above 2²⁵ elements products of float32 rows are float32, added up in float64; Z is then computed on all rows for the
    directions that are the most extreme in 4,096 random ones.

    References
    ----------
    .. [1] J. Shao, C. F. J. Wu. "A General Theory for Jackknife Variance Estimation". Annals of Statistics 17 (1989),
           1176-1197.

    Examples
    --------
    >>> import numpy as np
    >>> from xembed.isotropy import measure
    >>> X = np.random.default_rng(0).normal(size=(300, 16))
    >>> result = measure(X, metrics=["debiased_isoscore", "average_cosine"], n_resamples=100)
    >>> score = result.measure("debiased_isoscore")
    >>> round(score.value, 1), score.low < 1 < score.high
    (1.0, True)
    """
    caller = "measure"
    selected = check_metrics(metrics, caller=caller)
    count = check_count(n_resamples, name="n_resamples", caller=caller, low=0)
    level = check_number(confidence_level, name="confidence_level", caller=caller, low=0, high=1, closed="neither")
    generator = check_rng(rng, caller=caller)
    corpora = read_corpora({"X": X}, encoder=encoder, text_column=text_column, min_texts={"X": 2}, caller=caller)
    (X,), of_encoding, described, _ = corpora.embed()
    rows = read_rows(X, name="X", caller=caller, min_rows=2)
    result = measure_rows(rows, selected, count, level, generator, one_shot=isinstance(X, Iterator))
    names = [metric.name for metric in selected]
    made = provenance(
        caller,
        metrics=names,
        n_resamples=count,
        confidence_level=level,
        rng=describe_rng(rng),
        **({} if described is None else {"encoder": described}),
    )
    return dataclasses.replace(result, notes=(*of_encoding, *result.notes), provenance=made)


def measure_rows(
    rows: Rows,
    metrics: Sequence[Metric],
    n_resamples: int,
    level: float,
    rng: np.random.Generator,
    *,
    one_shot: bool = False,
) -> IsotropyResult:
    """Return the measures of checked rows, without provenance; ``one_shot`` rows can be read only once."""
    sources = {metric.source for metric in metrics}
    unit = bool(sources & {"unit", "sample"})
    n_groups = _n_groups(rows) if n_resamples else 1
    seed = int(rng.integers(2**32))
    sums, width, n_dims = grouped_moments(rows, name="X", unit=unit, n_groups=n_groups, seed=seed)
    space = Space(Moments(sums.sum(axis=0) if n_groups > 1 else sums[0], width, n_dims))
    n = space.moments.n_rows
    if space.moments.is_constant():
        raise ValueError("X must hold rows that differ: all are the same, within rounding. Are the texts different?")
    halves = _halves(n_groups, n, n_resamples, rng)
    columns = Columns.of(rows, space.moments, unit=unit, name="X")

    values = _Values()
    if "partition" in sources:
        if one_shot:
            values.warn("partition_isotropy", "Needs to read the rows twice: pass something other than an iterator.")
        else:
            _add_partition(values, rows, space, halves, seed, rng)
    of_sample = [metric for metric in metrics if metric.source == "sample"]
    of_space = [metric for metric in metrics if metric.of is not None and metric not in of_sample]
    _add_of_space(values, of_space, space, sums, halves)
    if any(metric.name == "top_dimension_share" for metric in metrics):
        share = top_share(columns.contributions())
        if share is None:
            values.warn("top_dimension_share", "The average cosine is not above 0.01, so shares in it are noise.")
        else:
            values.estimates["top_dimension_share"] = share
    histogram = None
    if isinstance(rows, Blocks):
        for metric in of_sample:
            values.warn(metric.name, "Needs an array or the path of a .npy file: rows are compared with each other.")
    elif unit:
        sample = Sample.of(rows[random_rows(n, _SAMPLE_ROWS, rng)], name="X")
        histogram = CosineHistogram(*cosine_histogram(sample.cosines, n_dims, rng))
        _add_of_sample(values, of_sample, sample, n, n_resamples, rng)
    _warn_of_size(values, n, n_dims)
    contributions = columns.contributions() if unit else None
    return IsotropyResult(
        n=n,
        n_dims=n_dims,
        measures=tuple(values.measure(metric, n, n_dims, level) for metric in metrics),
        spectrum=space.spectrum,
        cosine_histogram=histogram,
        contributions=contributions,
        rogue_dimensions=() if contributions is None else rogue_dimensions(contributions),
        dead_dimensions=tuple(columns.dead().tolist()),
        n_resamples=n_resamples,
        confidence_level=level,
        notes=_notes(n, n_dims, halves, n_resamples),
        provenance={},
    )


def _n_groups(rows: Rows) -> int:
    """Return an even number of groups whose sums fit into memory; 1 where there are too few rows."""
    n, d = known_rows(rows), width_of(rows)
    if n is not None and not isinstance(rows, Blocks):
        d = min(n, d)
    fitting = max(_MIN_GROUPS, _GROUP_NUMBERS // (d * d))
    wanted = min(_GROUPS, fitting, _GROUPS // 2 if isinstance(rows, Blocks) else _GROUPS)
    wanted = wanted if n is None else min(wanted, n)
    return wanted - wanted % 2 if wanted >= 4 else 1


def _halves(n_groups: int, n_rows: int, count: int, rng: np.random.Generator) -> Halves | None:
    """Return which groups each half-sample takes, (count, n_groups), or None where there are too few rows."""
    if not count or n_groups == 1 or n_rows < n_groups:
        return None
    order = np.argsort(rng.random((count, n_groups)), axis=1)
    halves: Halves = order < n_groups // 2
    return halves


def _add_partition(
    values: _Values, rows: Rows, space: Space, halves: Halves | None, seed: int, rng: np.random.Generator
) -> None:
    name, vectors = "partition_isotropy", space.axes[1]
    if not isinstance(rows, Blocks) and working_dtype(rows) == np.float32 and vectors.shape[1] > 4 * _SCREEN_KEPT:
        screened = rows[random_rows(len(rows), _SCREEN_ROWS, rng)]
        vectors = extreme_vectors(screened, vectors, _SCREEN_KEPT, part_of=rows.size)
        what = f"the {vectors.shape[1]} directions that are the most extreme in {_SCREEN_ROWS} rows"
        values.warn(name, f"Computed for {what}.")
    n_groups = 1 if halves is None else halves.shape[1]
    logs = log_partition(rows, vectors, n_groups=n_groups, seed=seed)
    values.estimates[name] = isotropy_of(combine(logs))
    if halves is not None:
        values.replicates[name] = np.array([isotropy_of(combine(logs[half])) for half in halves])
    size = np.sqrt(np.trace(space.moments.second) / space.moments.n_rows)
    if abs(size - 1) > 0.01:
        values.warn(name, f"Depends on the scale: rows have a root mean square length of {size:.3g}.")


def _add_of_space(values: _Values, metrics: Sequence[Metric], space: Space, sums: Array, halves: Halves | None) -> None:
    for metric in metrics:
        values.compute(metric.name, partial(metric.compute, space))
    if halves is None:
        return
    width, n_dims = space.moments.width, space.moments.n_dims
    replicates = {metric.name: np.full(len(halves), np.nan) for metric in metrics}
    with step("Intervals", len(halves), "half") as advance:
        for part in row_blocks(0, len(halves), max(1, _HALF_NUMBERS // sums.shape[1])):
            for i, half_sums in enumerate(halves[part].astype(np.float64) @ sums, part.start):
                half = Space(Moments(half_sums, width, n_dims))
                for metric in metrics:
                    with contextlib.suppress(ValueError):
                        replicates[metric.name][i] = metric.compute(half)
                advance(1)
    values.replicates |= replicates


def _add_of_sample(
    values: _Values, metrics: Sequence[Metric], sample: Sample, n: int, count: int, rng: np.random.Generator
) -> None:
    for metric in metrics:
        values.compute(metric.name, partial(metric.compute, sample))
        values.rows_used[metric.name] = len(sample)
        if len(sample) < n:
            values.warn(metric.name, f"Computed on {len(sample)} random rows.")
        if metric.name in _DIMENSIONS:
            values.rows_used[metric.name] = len(sample.rows)
            if sample.n_repeated:
                values.warn(metric.name, f"Repeated rows, {sample.n_repeated} of {len(sample)}, were left out.")
            if values.estimates.get(metric.name, 0.0) > _LARGE_DIMENSION:
                values.warn(metric.name, f"Above {_LARGE_DIMENSION} too low, the more the fewer rows there are.")
    replicates: dict[str, list[float]] = {metric.name: [] for metric in metrics}
    for _ in track(range(min(count, _SAMPLE_HALVES) if len(sample) >= 4 else 0), "Intervals of neighborhoods", "half"):
        half = sample.half(rng)
        for metric in metrics:
            try:
                replicates[metric.name].append(metric.compute(half))
            except ValueError:
                replicates[metric.name].append(np.nan)
    values.replicates |= {name: np.array(halved) for name, halved in replicates.items() if halved}


def _warn_of_size(values: _Values, n: int, d: int) -> None:
    if n >= 10 * d:
        return
    if "isoscore" in values.estimates:
        at_this_size = f"isotropic data would have {isotropic_score(n, d):.3g} at this size"
        values.warn("isoscore", f"Too low for few rows: {at_this_size}. See the debiased score.")
    for name in ("participation_ratio", "effective_rank", "rankme"):
        if name in values.estimates:
            values.warn(name, "Too low for few rows: compare only samples of the same size.")


def _notes(n: int, d: int, halves: Halves | None, count: int) -> tuple[str, ...]:
    notes = []
    if n < d:
        notes.append(f"There are fewer rows ({n}) than dimensions ({d}). Rows should be texts.")
    if halves is not None:
        notes.append(
            f"Intervals: {len(halves)} random halves of {halves.shape[1]} groups of rows, without replacement; for "
            f"measures of neighborhoods {min(count, _SAMPLE_HALVES)} halves of the subset. Those of plain measures "
            "cover the average of the measure at this number of rows, not the value of the population."
        )
    elif count:
        notes.append("No intervals for sums: too few rows for half-samples.")
    return tuple(notes)
