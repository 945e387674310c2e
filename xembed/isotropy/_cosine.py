"""Measures of directions: cosines, their largest contributions, uniformity and alignment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from xembed._core.blocks import count_rows, read_array, read_rows
from xembed._core.directions import UnitRows, directions
from xembed._core.fields import Cosine, Count, Provenance
from xembed._core.moments import Array, Columns, read_moments
from xembed._core.parallel import row_blocks
from xembed._core.provenance import provenance
from xembed._core.results import Result
from xembed._core.validation import RNG, check_count, check_embeddings, check_number, check_rng, check_same_dims

_BLOCK = 256


@dataclass(frozen=True, eq=False, repr=False)
class OutlierDimensions(Result):
    """Result of `outlier_dimensions`.

    Attributes
    ----------
    n, n_dims : int
        Numbers of texts and dimensions.
    average_cosine : float
        Mean cosine of two different texts.
    contributions : ndarray of shape (n_dims,)
        Contribution of each dimension to the average cosine. They sum to it.
    top_share : float or None
        Share of the largest contribution in the average cosine; None where that is not above 0.01 and shares are noise.
    rogue, dead : tuple of int
        Dimensions with a contribution of at least ``min_contribution`` and at least ``min_ratio`` times the mean,
        largest first, and dimensions that are constant within rounding.
    min_contribution, min_ratio : float
        The thresholds of rogue dimensions.
    provenance : dict
        Function, parameters and versions.
    """

    schema: ClassVar[str] = "xembed.isotropy.OutlierDimensions/1"
    page: ClassVar[str | None] = "xembed.isotropy._pages.spaces:outlier_dimensions"

    n: Count
    n_dims: Count
    average_cosine: Cosine
    contributions: npt.NDArray[np.float64]
    top_share: float | None
    rogue: tuple[Count, ...]
    dead: tuple[Count, ...]
    min_contribution: float
    min_ratio: float
    provenance: Provenance


def average_cosine(X: Any) -> float:
    r"""Return the mean cosine of two different texts, exactly.

    With unit rows :math:`u_i`, :math:`(|\sum_i u_i|^2 - n) / (n (n - 1))`, over all pairs [1]_.

    Parameters
    ----------
    X : array-like of shape (n_texts, n_dims), or blocks of it
        Embeddings, one row a text, two at least; blocks as in `participation_ratio`. They are read once.

    Returns
    -------
    float
        The mean cosine, in [-1/(n - 1), 1]. 0: no common direction, which is not yet isotropy.

    Raises
    ------
    ValueError
        If rows are zero or not finite (they are named), or there are fewer than two.
    TypeError
        If ``X`` does not hold real numbers.

    References
    ----------
    .. [1] K. Ethayarajh. "How Contextual are Contextualized Word Representations?". EMNLP 2019.

    Examples
    --------
    >>> from xembed.isotropy import average_cosine
    >>> average_cosine([[1, 0], [0, 2], [3, 0]])
    0.3333333333333333
    """
    rows = read_rows(X, name="X", caller="average_cosine", min_rows=2)
    return mean_cosine(directions(rows, name="X").total, count_rows(rows))


def mean_cosine(unit_sum: Array, n_rows: int) -> float:
    """Return the mean cosine of two different of ``n_rows`` rows with this sum of unit rows."""
    value = (float(unit_sum @ unit_sum) - n_rows) / (n_rows * (n_rows - 1))
    return float(np.clip(value, -1 / (n_rows - 1), 1.0))


def outlier_dimensions(X: Any, *, min_contribution: float = 0.01, min_ratio: float = 10.0) -> OutlierDimensions:
    r"""Find rogue dimensions, with a large contribution to the average cosine, and dead ones, which are constant.

    The contribution of dimension j is the mean of :math:`u_{ij} u_{kj}` over all pairs of different texts [1]_. All
    contributions sum to the average cosine.

    Parameters
    ----------
    X : array-like of shape (n_texts, n_dims), or blocks of it
        Embeddings, one row a text, two at least; blocks as in `participation_ratio`. They are read once.
    min_contribution : float, default=0.01
        Smallest contribution of a rogue dimension to the average cosine.
    min_ratio : float, default=10
        Smallest ratio of its contribution to the mean of all dimensions; fewer than ``min_ratio`` dimensions have no
        rogue ones. Both thresholds are conventions of this function.

    Returns
    -------
    OutlierDimensions
        ``contributions``, ``top_share``, ``rogue`` and ``dead``.

    Raises
    ------
    ValueError
        If rows are zero or not finite (they are named), there are fewer than two, or a parameter is out of range.
    TypeError
        If ``X`` does not hold real numbers, or a parameter is not a number.

    Notes
    -----
    A dimension is dead if its standard deviation is below 1e-6 of its mean, or of the root mean variance of all.

    References
    ----------
    .. [1] W. Timkey, M. van Schijndel. "All Bark and No Bite: Rogue Dimensions in Transformer Language Models Obscure
           Representational Quality". EMNLP 2021.

    Examples
    --------
    >>> import numpy as np
    >>> from xembed.isotropy import outlier_dimensions
    >>> X = np.random.default_rng(0).normal(size=(500, 32))
    >>> X[:, 7] += 10
    >>> X[:, 3] = 1
    >>> outliers = outlier_dimensions(X)
    >>> outliers.rogue, outliers.dead, round(outliers.top_share, 2)
    ((7,), (3,), 0.99)
    """
    caller = "outlier_dimensions"
    thresholds = {
        name: check_number(value, name=name, caller=caller, low=0, closed="right")
        for name, value in (("min_contribution", min_contribution), ("min_ratio", min_ratio))
    }
    rows = read_rows(X, name="X", caller=caller, min_rows=2)
    columns = Columns.of(rows, read_moments(rows, name="X", unit=True), unit=True, name="X")
    contributions = columns.contributions()
    return OutlierDimensions(
        n=columns.n_rows,
        n_dims=len(contributions),
        average_cosine=mean_cosine(columns.unit_total, columns.n_rows),
        contributions=contributions,
        top_share=top_share(contributions),
        rogue=rogue_dimensions(contributions, **thresholds),
        dead=tuple(columns.dead().tolist()),
        **thresholds,
        provenance=provenance(caller, **thresholds),
    )


def top_share(contributions: Array) -> float | None:
    """Return the share of the largest contribution, or None where the sum is not above 0.01."""
    total = float(contributions.sum())
    return float(contributions.max()) / total if total > 0.01 else None


def rogue_dimensions(contributions: Array, min_contribution: float = 0.01, min_ratio: float = 10.0) -> tuple[int, ...]:
    """Return the dimensions that contribute at least so much, largest first."""
    lowest = max(min_contribution, min_ratio * float(contributions.mean()))
    order = np.argsort(-contributions, kind="stable")
    return tuple(order[contributions[order] >= lowest].tolist())


def uniformity(X: Any, *, t: float = 2.0, max_rows: int = 5000, rng: RNG = None) -> float:
    r"""Return the uniformity of Wang and Isola: how evenly directions fill the sphere; lower is more even.

    :math:`\log \mathrm{mean}_{i<j} \exp(-t |u_i - u_j|^2)` for unit rows [1]_.

    Parameters
    ----------
    X : array-like of shape (n_texts, n_dims)
        Embeddings, one row a text, two at least.
    t : float, default=2
        Scale of the kernel; 2 is the paper's.
    max_rows : int, default=5000
        Maximum number of rows; of more, a random subset is taken, because time grows with the square of their number.
    rng : int, numpy.random.Generator or None, default=None
        Random number generator of the subset. None is seed 0.

    Returns
    -------
    float
        The uniformity, in [-4t, 0]. 0: all directions are the same. Uniformly random directions have
        :math:`-2t + \log {}_0F_1(d/2; t^2)`, which is near -2t in many dimensions.

    Raises
    ------
    ValueError
        If rows are zero or not finite (they are named), there are fewer than two, or a parameter is out of range.
    TypeError
        If ``X`` does not hold real numbers, or a parameter is of the wrong type.

    References
    ----------
    .. [1] T. Wang, P. Isola. "Understanding Contrastive Representation Learning through Alignment and Uniformity on the
           Hypersphere". ICML 2020.

    Examples
    --------
    >>> from xembed.isotropy import uniformity
    >>> round(uniformity([[1, 0], [-1, 0]]), 9)
    -8.0
    """
    caller = "uniformity"
    check_number(t, name="t", caller=caller, low=0, closed="right")
    check_count(max_rows, name="max_rows", caller=caller, low=2)
    generator = check_rng(rng, caller=caller)
    rows = read_array(X, name="X", caller=caller, blocks_for="other measures", min_rows=2)
    unit = UnitRows.of(rows, name="X").unit(random_rows(len(rows), max_rows, generator))
    return uniformity_of(lambda rows: unit[rows] @ unit[: rows.stop].T, len(unit), t)


def _kernel_sum(cosines: Array, t: float) -> float:
    """Return the sum of exp(-t |u - v|²) over pairs of the last rows with all rows before them."""
    n_rows, n_columns = cosines.shape
    cosines -= 1.0
    np.minimum(cosines, 0.0, out=cosines)
    cosines *= 2 * t
    np.exp(cosines, out=cosines)
    corner = cosines[:, n_columns - n_rows :]
    return float(cosines[:, : n_columns - n_rows].sum()) + (float(corner.sum()) - float(np.trace(corner))) / 2


def uniformity_of(cosines: Callable[[slice], Array], n_rows: int, t: float = 2.0) -> float:
    """Return the uniformity from new arrays of the cosines of some rows with themselves and those before."""
    total = sum(_kernel_sum(cosines(rows), t) for rows in row_blocks(0, n_rows, _BLOCK))
    return float(np.log(total / (n_rows * (n_rows - 1) / 2)))


def uniform_uniformity(n_dims: int, t: float = 2.0) -> float:
    """Return the uniformity of directions that are uniformly random."""
    from scipy.special import hyp0f1

    return float(-2 * t + np.log(hyp0f1(n_dims / 2, t * t)))


def alignment(X: Any, Y: Any, *, alpha: float = 2.0) -> float:
    r"""Return the alignment of Wang and Isola (2020, see `uniformity`): the distance of texts to their partners.

    :math:`\mathrm{mean}_i |u_i - v_i|^\alpha` for the unit rows of pairs with the same meaning.

    Parameters
    ----------
    X, Y : array-like of shape (n_pairs, n_dims)
        Embeddings; row i of ``Y`` is the partner of row i of ``X``.
    alpha : float, default=2
        Exponent of the distance; 2 is the paper's.

    Returns
    -------
    float
        The alignment, in [0, 2**alpha]; lower is nearer.

    Raises
    ------
    ValueError
        If shapes differ, rows are zero or not finite (they are named), or ``alpha`` is not positive.
    TypeError
        If an array does not hold real numbers, or ``alpha`` is not a number.

    Examples
    --------
    >>> from xembed.isotropy import alignment
    >>> alignment([[1, 0], [0, 1]], [[2, 0], [1, 0]])
    1.0
    """
    caller = "alignment"
    check_number(alpha, name="alpha", caller=caller, low=0, closed="right")
    first = check_embeddings(X, name="X", caller=caller)
    second = check_embeddings(Y, name="Y", caller=caller)
    check_same_dims(("X", first), ("Y", second))
    if len(first) != len(second):
        raise ValueError(f"X and Y must hold the same number of rows, one a pair. Got {len(first)} and {len(second)}.")
    left, right = UnitRows.of(first, name="X"), UnitRows.of(second, name="Y")
    total = 0.0
    for rows in row_blocks(0, len(first), _BLOCK):
        difference = left.unit(rows) - right.unit(rows)
        total += float((np.vecdot(difference, difference) ** (alpha / 2)).sum())
    return total / len(first)


def random_rows(n_rows: int, n_wanted: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """Return sorted random rows without repetition, all of them if no more are wanted."""
    if n_rows <= n_wanted:
        return np.arange(n_rows)
    return np.sort(rng.choice(n_rows, n_wanted, replace=False))
