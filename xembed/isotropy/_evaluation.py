"""Effects of a correction on tasks: nearest neighbors that are kept, and a linear classifier."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt

from xembed._core.directions import UnitRows
from xembed._core.fields import Count, Probability, Provenance
from xembed._core.inputs import list_items
from xembed._core.moments import raise_for_infinite_rows
from xembed._core.neighbors import top_k
from xembed._core.progress import track
from xembed._core.provenance import provenance
from xembed._core.results import IntervalIn, Result, UserText
from xembed._core.validation import (
    RNG,
    FloatArray,
    check_count,
    check_embeddings,
    check_number,
    check_rng,
    describe_rng,
)
from xembed.isotropy._cosine import random_rows
from xembed.stats._correlations import Array, interval, mean_intervals

_MAX_ITERATIONS = 1000


@dataclass(frozen=True, eq=False, repr=False)
class NeighborOverlap(Result):
    """Result of `neighbor_overlap`.

    Attributes
    ----------
    value : float
        Mean share of the nearest neighbors that a text has in both spaces, in [0, 1].
    low, high : float or None
        Limits of its confidence interval; None where none was asked for.
    chance : float
        Expected value for two unrelated spaces: n_neighbors / (n_rows_used - 1).
    n_neighbors, n_rows_used : int
        Numbers of neighbors of a text and of texts.
    provenance : dict
        Function, parameters and versions.
    """

    schema: ClassVar[str] = "xembed.isotropy.NeighborOverlap/1"
    page: ClassVar[str | None] = "xembed.isotropy._pages.spaces:neighbor_overlap"

    value: Probability
    low: float | None
    high: float | None
    chance: float
    n_neighbors: Count
    n_rows_used: Count
    provenance: Provenance


@dataclass(frozen=True, eq=False, repr=False)
class ProbeResult(Result):
    """Result of `linear_probe`.

    Attributes
    ----------
    accuracy, accuracy_low, accuracy_high : float, or None for the interval
        Share of texts whose label is predicted by a classifier that was not trained on them, and its interval.
    balanced_accuracy, balanced_low, balanced_high : float, or None for the interval
        Mean of the shares of each class, and its interval.
    majority : float
        Accuracy of the most frequent label as the only prediction.
    classes : tuple of str
        The labels.
    n_texts, n_splits : int
        Numbers of texts and folds.
    provenance : dict
        Function, parameters and versions.
    """

    schema: ClassVar[str] = "xembed.isotropy.ProbeResult/1"
    page: ClassVar[str | None] = "xembed.isotropy._pages.spaces:probe"

    accuracy: Probability
    accuracy_low: float | None
    accuracy_high: float | None
    balanced_accuracy: Annotated[Probability, IntervalIn("balanced_low", "balanced_high")]
    balanced_low: float | None
    balanced_high: float | None
    majority: Probability
    classes: Annotated[tuple[str, ...], UserText]
    n_texts: Count
    n_splits: Count
    provenance: Provenance


class ProbeFolds(NamedTuple):
    """The classes, the class of each text as a number, and its fold."""

    classes: tuple[str, ...]
    targets: npt.NDArray[np.intp]
    folds: npt.NDArray[np.intp]


def neighbor_overlap(
    X: Any,
    Y: Any,
    *,
    n_neighbors: int = 10,
    max_rows: int = 2000,
    n_resamples: int = 1000,
    confidence_level: float = 0.95,
    rng: RNG = None,
) -> NeighborOverlap:
    """Measure the share of nearest neighbors that texts keep from one space to another.

    Parameters
    ----------
    X, Y : array-like of shape (n_texts, n_dims_X) and (n_texts, n_dims_Y)
        Embeddings of the same texts in the same order, for example before and after a correction. More than
        ``n_neighbors`` texts.
    n_neighbors : int, default=10
        Number of neighbors by cosine, without the text itself.
    max_rows : int, default=2000
        Maximum number of texts; of more, a random subset is compared. With fewer texts neighbors are farther away.
    n_resamples : int, default=1000
        Number of bootstrap resamples for the interval; 0 computes none.
    confidence_level : float in (0, 1), default=0.95
        Confidence level of the interval.
    rng : int, numpy.random.Generator or None, default=None
        Random number generator of the subset and the resamples. None is seed 0.

    Returns
    -------
    NeighborOverlap
        Value in [0, 1] (1: every text keeps its neighbors, as with a rotation), its interval and ``chance``.

    Raises
    ------
    ValueError
        If the numbers of rows differ, there are too few, or rows are zero or not finite (they are named).
    TypeError
        If an argument is of the wrong type.

    Notes
    -----
    A low value says that rankings change, not that they get worse. Of neighbors that are equally near, those first in
    the order of texts count. The interval is the percentile bootstrap over texts as queries, with the candidates fixed.

    Examples
    --------
    >>> import numpy as np
    >>> from xembed.isotropy import neighbor_overlap
    >>> X = np.random.default_rng(0).normal(size=(200, 8))
    >>> neighbor_overlap(X, 3 * X).value
    1.0
    """
    caller = "neighbor_overlap"
    first = check_embeddings(X, name="X", caller=caller, min_rows=2)
    second = check_embeddings(Y, name="Y", caller=caller, min_rows=2)
    k = check_count(n_neighbors, name="n_neighbors", caller=caller)
    most = check_count(max_rows, name="max_rows", caller=caller, low=k + 1)
    count = check_count(n_resamples, name="n_resamples", caller=caller, low=0)
    level = check_number(confidence_level, name="confidence_level", caller=caller, low=0, high=1, closed="neither")
    generator = check_rng(rng, caller=caller)
    if len(first) != len(second):
        raise ValueError(f"X and Y must have the same rows (texts). Got {len(first)} and {len(second)}.")
    if len(first) <= k:
        raise ValueError(f"X must hold more than {k} rows (texts) to have {k} neighbors each. Got {len(first)}.")
    spaces = UnitRows.of(first, name="X"), UnitRows.of(second, name="Y")
    kept = random_rows(len(first), most, generator)
    before, after = (UnitRows.of_unit(rows.unit(kept)) for rows in spaces)
    shares = shared_neighbors(before, after, k)
    return NeighborOverlap(
        float(shares.mean()),
        *interval(mean_intervals(shares[:, None], count, generator)[:, 0], level),
        chance=k / (len(shares) - 1),
        n_neighbors=k,
        n_rows_used=len(shares),
        provenance=provenance(
            caller, n_neighbors=k, max_rows=most, n_resamples=count, confidence_level=level, rng=describe_rng(rng)
        ),
    )


def linear_probe(
    X: Any, labels: Any, *, n_splits: int = 5, n_resamples: int = 1000, confidence_level: float = 0.95, rng: RNG = None
) -> ProbeResult:
    """Measure how well a linear classifier predicts labels from embeddings.

    Logistic regression (L2, C = 1) on standardized dimensions, cross-validated in stratified folds.

    Parameters
    ----------
    X : array-like of shape (n_texts, n_dims)
        Embeddings.
    labels : sequence of length n_texts
        Strings or integers; at least two different ones, each on ``n_splits`` texts or more.
    n_splits : int, default=5
        Number of folds, at least 2.
    n_resamples : int, default=1000
        Number of bootstrap resamples of texts (with fixed classifiers) for the intervals; 0 computes none.
    confidence_level : float in (0, 1), default=0.95
        Confidence level of the intervals.
    rng : int, numpy.random.Generator or None, default=None
        Random number generator of folds and resamples. None is seed 0.

    Returns
    -------
    ProbeResult
        ``accuracy``, ``balanced_accuracy``, their intervals, and ``majority`` as the baseline.

    Raises
    ------
    ValueError
        If there are not as many labels as rows, a label is too rare, there is only one, or rows are not finite.
    TypeError
        If an argument is of the wrong type.

    Examples
    --------
    >>> import numpy as np
    >>> from xembed.isotropy import linear_probe
    >>> rng = np.random.default_rng(0)
    >>> labels = ["shop", "sky"] * 50
    >>> X = rng.normal(size=(100, 4)) + np.arange(100)[:, None] % 2 * 3
    >>> linear_probe(X, labels).accuracy > 0.9
    True
    """
    caller = "linear_probe"
    rows = check_embeddings(X, name="X", caller=caller, min_rows=2)
    raise_for_infinite_rows(rows, name="X")
    splits = check_count(n_splits, name="n_splits", caller=caller, low=2)
    count = check_count(n_resamples, name="n_resamples", caller=caller, low=0)
    level = check_number(confidence_level, name="confidence_level", caller=caller, low=0, high=1, closed="neither")
    generator = check_rng(rng, caller=caller)
    folds = probe_folds(labels, len(rows), splits, generator, caller=caller)
    correct = probe_correct(rows, folds)
    resamples = probe_resamples(correct[:, None], folds, count, generator)
    made = provenance(caller, n_splits=splits, n_resamples=count, confidence_level=level, rng=describe_rng(rng))
    return summarize_probe(correct, folds, splits, resamples, level, made)


def shared_neighbors(first: UnitRows, second: UnitRows, k: int) -> Array:
    """Return for each row the share of its ``k`` nearest neighbors that are the same in both."""
    itself = np.arange(len(first))
    before, after = (top_k(space, space, k, exclude=itself).rows for space in (first, second))
    offsets = len(first) * itself[:, None]
    shares: Array = np.isin(before + offsets, after + offsets).mean(axis=1)
    return shares


def probe_folds(labels: Any, n_texts: int, n_splits: int, rng: np.random.Generator, *, caller: str) -> ProbeFolds:
    """Check labels and assign the texts of each class to folds of equal sizes."""
    classes, targets = check_labels(labels, n_texts, caller=caller)
    sizes = np.bincount(targets)
    if sizes.min() < n_splits:
        rare = int(np.argmin(sizes))
        raise ValueError(
            f"Each label must be on at least {n_splits} texts for {caller}, one a fold. Got {classes[rare]!r} on "
            f"{sizes[rare]}: drop rare labels, or choose a smaller 'n_splits'."
        )
    folds = np.empty(n_texts, np.intp)
    start = 0
    for label in range(len(classes)):
        members = rng.permutation(np.flatnonzero(targets == label))
        folds[members] = (start + np.arange(len(members))) % n_splits
        start += len(members)  # the next class continues where this one ended, so that folds are of one size
    return ProbeFolds(classes, targets, folds)


def check_labels(labels: Any, n_texts: int, *, caller: str) -> tuple[tuple[str, ...], npt.NDArray[np.intp]]:
    """Return the different labels, sorted, and the number of each text's label."""
    if isinstance(labels, str | bytes) or not hasattr(labels, "__len__"):
        raise TypeError(
            f"The 'labels' parameter of {caller} must be a sequence with one label a text. Got {labels!r:.60} instead."
        )
    values = list_items(labels, name="labels")
    wrong = [value for value in values if not isinstance(value, str | int | np.integer)]
    if wrong:
        raise TypeError(
            f"The 'labels' parameter of {caller} must hold strings or integers. Got {wrong[0]!r:.60}: drop such texts, "
            "or name a class for them."
        )
    if len(values) != n_texts:
        raise ValueError(f"There must be one label a text for {caller}. Got {len(values)} labels for {n_texts} texts.")
    classes, targets = np.unique([str(value) for value in values], return_inverse=True)
    if len(classes) < 2:
        raise ValueError(
            f"The 'labels' parameter of {caller} must hold at least 2 different labels. Got {len(classes)}."
        )
    return tuple(classes.tolist()), targets.astype(np.intp)


def probe_correct(X: FloatArray, folds: ProbeFolds) -> Array:
    """Return 1.0 for each text whose label is predicted by a classifier that was not trained on it, else 0.0."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    # The probe is scale-invariant: a power of two changes no digit, and squares can't overflow.
    rows = np.ldexp(X.astype(np.float64), -int(np.frexp(np.abs(X).max())[1]))
    correct = np.empty(len(rows))
    for fold in track(np.unique(folds.folds).tolist(), "Linear probe", "fold"):
        held_out = folds.folds == fold
        model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=_MAX_ITERATIONS))
        model.fit(rows[~held_out], folds.targets[~held_out])
        correct[held_out] = model.predict(rows[held_out]) == folds.targets[held_out]
    return correct


def probe_resamples(correct: Array, folds: ProbeFolds, n_resamples: int, rng: np.random.Generator) -> Array:
    """Return accuracy and balanced accuracy of resamples, shape (n_resamples, 2, n_columns of ``correct``).

    Texts are drawn within their class for both, so that every resample has all classes.
    """
    sizes = np.bincount(folds.targets)
    recalls = np.stack(
        [mean_intervals(correct[folds.targets == label], n_resamples, rng) for label in range(len(sizes))], axis=1
    )  # (n_resamples, n_classes, n_columns)
    return np.stack([np.einsum("bck,c->bk", recalls, sizes / sizes.sum()), recalls.mean(axis=1)], axis=1)


def summarize_probe(
    correct: Array, folds: ProbeFolds, n_splits: int, resampled: Array, level: float, made: dict[str, Any]
) -> ProbeResult:
    """Return the result of one column; ``resampled`` has the shape (n_resamples, 2, 1)."""
    sizes = np.bincount(folds.targets)
    recalls = np.bincount(folds.targets, weights=correct) / sizes
    return ProbeResult(
        float(correct.mean()),
        *interval(resampled[:, 0, 0], level),
        float(recalls.mean()),
        *interval(resampled[:, 1, 0], level),
        majority=float(sizes.max() / sizes.sum()),
        classes=folds.classes,
        n_texts=len(correct),
        n_splits=n_splits,
        provenance=made,
    )
