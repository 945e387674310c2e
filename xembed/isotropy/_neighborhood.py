"""Measures of neighborhoods: hubness and intrinsic dimension."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt

from xembed._core.blocks import read_array
from xembed._core.directions import UnitRows, direction_weights
from xembed._core.fields import Count, Floats, Provenance, Sides
from xembed._core.moments import Array, raise_for_squares
from xembed._core.neighbors import largest, neighbor_counts
from xembed._core.parallel import row_blocks
from xembed._core.progress import track
from xembed._core.provenance import provenance
from xembed._core.results import Result
from xembed._core.validation import RNG, FloatArray, check_count, check_option, check_rng
from xembed.depth._local import raise_if_too_few
from xembed.isotropy._cosine import random_rows

_BLOCK_ELEMENTS = 2**22
# Up to so many pairs similarities are computed in float64, above in float32.
_EXACT_PAIRS = 2**26
# Similarities that differ by less than this share of the largest are tied.
_TIE = {np.dtype(np.float64): 1e-10, np.dtype(np.float32): 1e-5}
# Squared distances below this share of the squared lengths are computed from differences.
_CANCELLED = 1e-4
# Distances that differ by less than this share are the same, but for rounding.
_SAME_DISTANCE = 1e-9
_METRICS = ("cosine", "euclidean")
_METHODS = ("corrint", "fishers", "lpca", "mle", "mom", "tle", "twonn")
_MLE_NEIGHBORS = 20
_ADVICE = "Use another method, or more texts that differ."


@dataclass(frozen=True, eq=False, repr=False)
class HubnessResult(Result):
    """Result of `hubness`.

    Attributes
    ----------
    n, n_neighbors : int
        Numbers of texts and of neighbors of each.
    metric : str
        'cosine' or 'euclidean'.
    skewness : float
        Skewness of the k-occurrences. Near 0: no hubs; above about 1: strong ones.
    robin_hood : float
        Robin Hood index: the share of all places among nearest neighbors that would have to be redistributed for all
        texts to have the same number, in [0, 1).
    antihub_rate, largest : float
        Share of antihubs, texts with a k-occurrence of 0, in [0, 1), and the largest k-occurrence.
    k_occurrences : ndarray of shape (n,)
        Number of other texts that have each text among their nearest neighbors.
    provenance : dict
        Function, parameters and versions.
    """

    schema: ClassVar[str] = "xembed.isotropy.HubnessResult/1"
    page: ClassVar[str | None] = "xembed.isotropy._pages.spaces:hubness"

    n: Count
    n_neighbors: Count
    metric: str
    skewness: float
    robin_hood: float
    antihub_rate: float
    largest: float
    k_occurrences: Annotated[Floats, Sides("n")]
    provenance: Provenance


class HubStatistics(NamedTuple):
    skewness: float
    robin_hood: float
    antihub_rate: float


def hubness(X: Any, *, n_neighbors: int = 10, metric: str = "cosine") -> HubnessResult:
    r"""Measure hubness: whether some texts are the nearest neighbors of very many others, and some of none.

    The k-occurrence of a text is the number of other texts that have it among their k nearest neighbors; its mean is
    k. Hubs make its distribution skewed [1]_.

    Parameters
    ----------
    X : array-like of shape (n_texts, n_dims)
        Embeddings, one row a text.
    n_neighbors : int, default=10
        Number k of nearest neighbors, below the number of texts.
    metric : {'cosine', 'euclidean'}, default='cosine'
        Similarity, or distance, of neighbors.

    Returns
    -------
    HubnessResult
        ``skewness``, ``robin_hood`` (the Robin Hood index [2]_), ``antihub_rate``, ``largest`` and ``k_occurrences``.

    Raises
    ------
    ValueError
        If rows are not finite or, for cosine, zero (they are named), or a parameter is out of range.
    TypeError
        If ``X`` does not hold real numbers, or ``n_neighbors`` is not an integer.

    Notes
    -----
    Texts at the same distance share the remaining places, so that the result does not depend on the order of rows;
    k-occurrences need not be whole numbers. O(n² d) time; float32 above 2²⁶ pairs.

    References
    ----------
    .. [1] M. Radovanović, A. Nanopoulos, M. Ivanović. "Hubs in Space: Popular Nearest Neighbors in High-Dimensional
           Data". Journal of Machine Learning Research 11 (2010), 2487-2531.
    .. [2] R. Feldbauer, M. Leodolter, C. Plant, A. Flexer. "Fast Approximate Hubness Reduction for Large
           High-Dimensional Data". ICBK 2018.

    Examples
    --------
    >>> import numpy as np
    >>> from xembed.isotropy import hubness
    >>> X = np.random.default_rng(0).normal(size=(500, 100))
    >>> round(hubness(X).skewness, 1), round(hubness(X, metric="euclidean").skewness, 1)
    (0.4, 6.6)
    """
    caller = "hubness"
    check_option(metric, _METRICS, name="metric", caller=caller)
    k = check_count(n_neighbors, name="n_neighbors", caller=caller)
    rows = read_array(X, name="X", caller=caller, blocks_for="other measures", min_rows=2)
    raise_if_too_few(len(rows) - 1, k, where="X besides each text itself", caller=caller)
    occurrences = _occurrences(rows, k, metric)
    return HubnessResult(
        n=len(rows),
        n_neighbors=k,
        metric=metric,
        **hub_statistics(occurrences)._asdict(),
        largest=float(occurrences.max()),
        k_occurrences=occurrences,
        provenance=provenance(caller, n_neighbors=k, metric=metric),
    )


def _occurrences(X: FloatArray, k: int, metric: str) -> Array:
    n = len(X)
    dtype = np.dtype(np.float64 if n * n <= _EXACT_PAIRS else np.float32)
    if metric == "cosine":
        points = UnitRows(X, direction_weights(X, name="X")).unit(dtype=dtype)
        lengths, scale = np.zeros(n, dtype), 1.0
    else:
        points = _centered(X).astype(dtype)
        lengths = np.vecdot(points, points) / 2
        scale = float(lengths.max()) or 1.0
    counts = np.zeros(n)
    for rows in track(row_blocks(0, n, max(1, _BLOCK_ELEMENTS // n)), "Hubs"):
        similarities = points[rows] @ points.T
        similarities -= lengths  # half the squared distance, but for what is the same in a row
        similarities[np.arange(len(similarities)), np.arange(rows.start, rows.stop)] = -np.inf
        counts += neighbor_counts(similarities, k, tolerance=_TIE[dtype] * scale)
    return counts


def hub_statistics(occurrences: Array) -> HubStatistics:
    """Return skewness, Robin Hood index and antihub rate of k-occurrences."""
    mean = float(occurrences.mean())
    deviations = occurrences - mean
    variance = float(np.mean(np.square(deviations)))
    skewness = float(np.mean(deviations**3)) / variance**1.5 if variance > 1e-12 * mean * mean else 0.0
    return HubStatistics(
        skewness=skewness,
        robin_hood=float(np.abs(deviations).sum() / (2 * occurrences.sum())),
        antihub_rate=float(np.mean(occurrences == 0)),
    )


def intrinsic_dimension(X: Any, *, method: str = "twonn", max_rows: int = 5000, rng: RNG = None) -> float:
    r"""Return the intrinsic dimension of the texts, estimated from distances between neighbors.

    Parameters
    ----------
    X : array-like of shape (n_texts, n_dims)
        Embeddings, one row a text. Distances are Euclidean: for cosines, scale rows to length 1 first.
    method : {'twonn', 'mle', 'lpca', 'mom', 'tle', 'corrint', 'fishers'}, default='twonn'
        'twonn': from the ratio of the distances to the second and the first neighbor [1]_; 'mle': maximum
        likelihood from 20 neighbors [2]_; 'lpca': number of eigenvalues of the covariance of at least 5 % of the
        largest; 'mom', 'tle', 'corrint' and 'fishers': method of moments, tight local, correlation dimension and
        Fisher separability. All as in scikit-dimension [3]_, with its defaults.
    max_rows : int, default=5000
        Maximum number of rows; of more, a random subset is taken, because time grows with the square of their number.
    rng : int, numpy.random.Generator or None, default=None
        Random number generator of the subset. None is seed 0.

    Returns
    -------
    float
        The dimension, above 0. All methods underestimate dimensions above about 20, the more the fewer texts there are.

    Raises
    ------
    ValueError
        If rows are not finite (they are named) or too few differ, a parameter is out of range, or the method fails.
    TypeError
        If ``X`` does not hold real numbers, or a parameter is of the wrong type.

    Warns
    -----
    UserWarning
        If rows are repeated: the methods divide by distances, so each is taken once. The message says how many.

    Notes
    -----
    In a subset neighbors are farther away, so values of subsets of different sizes differ. 'fishers' fails above about
    50 dimensions; a single far outlier changes 'lpca' much.

    References
    ----------
    .. [1] E. Facco, M. d'Errico, A. Rodriguez, A. Laio. "Estimating the intrinsic dimension of datasets by a minimal
           neighborhood information". Scientific Reports 7 (2017), 12140.
    .. [2] E. Levina, P. Bickel. "Maximum Likelihood Estimation of Intrinsic Dimension". NIPS 2004.
    .. [3] J. Bac, E. M. Mirkes, A. N. Gorban, I. Tyukin, A. Zinovyev. "Scikit-Dimension: A Python Package for Intrinsic
           Dimension Estimation". Entropy 23 (2021), 1368.

    Examples
    --------
    >>> import numpy as np
    >>> from xembed.isotropy import intrinsic_dimension
    >>> rng = np.random.default_rng(0)
    >>> plane = rng.normal(size=(1000, 2)) @ rng.normal(size=(2, 50))
    >>> 1.8 < intrinsic_dimension(plane) < 2.2
    True
    """
    caller = "intrinsic_dimension"
    check_option(method, _METHODS, name="method", caller=caller)
    check_count(max_rows, name="max_rows", caller=caller, low=10)
    generator = check_rng(rng, caller=caller)
    rows = read_array(X, name="X", caller=caller, blocks_for="other measures", min_rows=3)
    points = _centered(rows)[random_rows(len(rows), max_rows, generator)]
    different = points[first_of_equals(points)]
    if repeated := len(points) - len(different):
        warnings.warn(
            f"X holds {repeated} row{'s' * (repeated > 1)} that repeat{'s' * (repeated == 1)} others: each is taken "
            "once, because the estimate divides by distances.",
            stacklevel=2,
        )
    return estimate_dimension(different, method)


def first_of_equals(X: FloatArray) -> npt.NDArray[np.int64]:
    """Return the positions of rows that no row before them equals."""
    positions: npt.NDArray[np.int64] = np.sort(np.unique(X, axis=0, return_index=True)[1])
    return positions


def check_enough(n_rows: int, method: str) -> None:
    """Check that there are as many different rows as the method needs."""
    needed = {"mle": _MLE_NEIGHBORS + 1, "tle": _MLE_NEIGHBORS + 1, "mom": 101}.get(method, 3)
    if n_rows < needed:
        raise ValueError(
            f"X must hold at least {needed} rows (texts) that differ for the method {method!r}. Got {n_rows}."
        )


def estimate_dimension(X: Array, method: str) -> float:
    """Return the intrinsic dimension of rows that all differ."""
    check_enough(len(X), method)
    if method in ("twonn", "mle"):
        k = 2 if method == "twonn" else _MLE_NEIGHBORS
        return dimension_of_distances(neighbor_distances(X, k), method)
    from skdim import id as estimators

    makers = {
        "lpca": lambda: estimators.lPCA(ver="FO"),
        "mom": estimators.MOM,
        "tle": estimators.TLE,
        "corrint": estimators.CorrInt,
        "fishers": estimators.FisherS,
    }
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a bad estimate is found by its number
        return _checked(float(makers[method]().fit(X).dimension_), method)


def dimension_of_distances(distances: Array, method: str) -> float:
    """Return the estimate of 'twonn' or 'mle' from the distances to the nearest neighbors, nearest first."""
    if np.ptp(distances) <= _SAME_DISTANCE * distances.max():
        raise ValueError(f"The method {method!r} needs distances that differ: all between neighbors are the same.")
    from skdim import id as estimators

    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            if method == "twonn":
                dimension = estimators.TwoNN(dist=True).fit(distances[:, :2]).dimension_
            else:
                neighbors = distances, np.zeros(distances.shape, np.int64)  # indices are not needed without smoothing
                estimator = estimators.MLE()
                estimator.fit(distances, precomputed_knn_arrays=neighbors, n_neighbors=distances.shape[1])
                dimension = estimator.dimension_
        except ValueError as error:
            raise ValueError(f"The method {method!r} gives no dimension for these rows: {error} {_ADVICE}") from None
    return _checked(float(dimension), method)


def neighbor_distances(X: Array, k: int) -> Array:
    """Return the Euclidean distances of each row to its k nearest others, nearest first, (n, k)."""
    lengths = np.vecdot(X, X)
    distances = np.empty((len(X), k))
    for rows in track(row_blocks(0, len(X), max(1, _BLOCK_ELEMENTS // (8 * len(X)))), "Neighbors"):
        squares = X[rows] @ X.T
        squares *= -2.0
        squares += lengths
        squares[np.arange(len(squares)), np.arange(rows.start, rows.stop)] = np.inf
        nearest = largest(-squares, k)
        near = np.take_along_axis(squares, nearest, axis=1) + lengths[rows, None]
        # Where rows are near each other, the difference of the products is rounding.
        first, second = np.nonzero(near < _CANCELLED * (lengths[rows, None] + lengths[nearest]))
        difference = X[rows.start + first] - X[nearest[first, second]]
        near[first, second] = np.vecdot(difference, difference)
        distances[rows] = np.sort(np.sqrt(near), axis=1)
    return distances


def _centered(X: FloatArray) -> Array:
    """Return finite rows around their mean in float64: products lose no digits to a large mean."""
    rows: Array = np.asarray(X, dtype=np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        raise_for_squares(rows, np.vecdot(rows, rows), name="X")
    centered: Array = rows - rows.mean(axis=0)
    return centered


def _checked(value: float, method: str) -> float:
    if not 0 < value < np.inf:
        raise ValueError(f"The method {method!r} gives {value} for these rows, which is no dimension. {_ADVICE}")
    return value
