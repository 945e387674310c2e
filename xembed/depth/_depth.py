"""TTE depth: how central a text is in a corpus (Seegmiller & Preum, EMNLP 2023)."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from xembed._core.blocks import check_same_width, count_rows, read_array, read_rows
from xembed._core.directions import Directions, UnitRows, directions, unsummed_directions
from xembed._core.progress import Advance, no_progress
from xembed._core.validation import check_option
from xembed.depth._moments import moment_depths
from xembed.depth._pairwise import DISTANCES, mean_distances, mean_distances_within

Floats = npt.NDArray[np.float64]

# Depths that differ by less than rounding are tied, as those of duplicated texts should be.
DECIMALS = 12
_METHODS = ("auto", "closed_form", "pairwise", "moments")
_BLOCKS_FOR = "distance='cosine' (in closed form) and method='moments'"


def tte_depth(X: Any, reference: Any = None, *, distance: str = "cosine", method: str = "auto") -> Floats:
    r"""Return the depth of each text with respect to a corpus.

    The depth of :math:`x` with respect to the corpus F is :math:`\sup\delta - E_{h \sim F}\,\delta(x, h)` [1]_, a
    distance-based depth on the sphere [2]_. High depth: typical; low depth: an outlier.

    Parameters
    ----------
    X : array-like of shape (n_texts, n_dims), or blocks of it
        Embeddings of any float or integer dtype. Only their directions matter; rows need not have length 1.
        Where the method is 'closed_form' or 'moments', they may come in blocks, of which one is in memory at a time:
        as a list of 2-D arrays, a function that returns an iterator of them, a ``dask.array`` (which is computed
        where its chunks are), or the path of a .npy or .parquet file. An iterator will do where it is read once, that
        is, if ``reference`` is given.
    reference : array-like of shape (n_reference, n_dims), or blocks of it, optional
        The corpus. ``None`` takes ``X`` itself and leaves each text out of its own mean; without that,
        each text would look deeper in its own corpus than an equal text of another one, and tests built on
        the depths would be wrong.
    distance : {'cosine', 'chord', 'angular'}, default='cosine'
        With the cosine :math:`c`: :math:`1 - c` (depths in [0, 2]), :math:`\sqrt{2(1-c)}` (in [0, 2]), or
        :math:`\arccos c` (in [0, :math:`\pi`]).
    method : {'auto', 'closed_form', 'pairwise', 'moments'}, default='auto'
        'closed_form' needs the sum of the unit vectors only: O(n d) time. It exists for the cosine distance, where
        'auto' takes it. 'pairwise' computes all pairs in blocks of matrix products: O(n² d) time, O(block) memory.
        'moments' approximates chord and angular depth by the mean and variance of the cosines: O(n d²) time.
        `moment_error` says how well on given data.

    Returns
    -------
    ndarray of shape (n_texts,), float64
        The depths.

    Raises
    ------
    ValueError
        If an array is not 2-D, is too short, or holds rows that are zero or not finite (they are named); if the
        dimensions differ; if ``distance`` or ``method`` is unknown, or the method does not exist for the distance; if
        blocks come where an array is needed.
    TypeError
        If an array does not hold real numbers, or an iterator comes where the rows are read twice.

    See Also
    --------
    TTEDepth : the same as an estimator, for streams and outlier detection.
    xembed.shift.rank_sum_test : a test of two corpora by their depths.

    Notes
    -----
    In closed form, with unit rows and their sum :math:`s`:
    :math:`D_F(f_i) = 1 + (f_i \cdot s - 1)/(n - 1)` and :math:`D_F(g) = 1 + g \cdot s / n`. So cosine depth ranks texts
    by their projection on the mean direction, and sees nothing that is orthogonal to it: a text between two clusters
    is deep. Sums are accumulated in float64. Float32 and float16 rows are computed with in float64 up to
    2²⁵ elements ('closed_form', 'moments') or 2²⁴ pairs ('pairwise'), above that in float32; in blocks of which
    nobody knows how many will come, in float64. Where the authors' published code differs is in docs/comparison.md.

    References
    ----------
    .. [1] P. Seegmiller, S. M. Preum. "Statistical Depth for Ranking and Characterizing Transformer-Based
           Text Embeddings". EMNLP 2023.
    .. [2] G. Pandolfo, D. Paindaveine, G. C. Porzio. "Distance-based depths for directional data". Canadian
           Journal of Statistics 46 (2018), 593-609.

    Examples
    --------
    >>> from xembed.depth import tte_depth
    >>> F = [[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0]]
    >>> tte_depth(F).round(4)
    array([1.2357, 1.2357, 1.    , 1.4714])
    >>> tte_depth([[1, 0, 1], [-1, 0, 0], [1, 2, 2]], F).round(4)
    array([1.4786, 0.5732, 1.5934])
    """
    check_option(distance, DISTANCES, name="distance", caller="tte_depth")
    check_option(method, _METHODS, name="method", caller="tte_depth")
    if method == "closed_form" and distance != "cosine":
        raise ValueError(
            f"The 'method' parameter of tte_depth can be 'closed_form' for distance='cosine' only. Got "
            f"distance={distance!r}: use method='pairwise' or 'auto'."
        )
    if method == "moments" and distance == "cosine":
        raise ValueError(
            "The 'method' parameter of tte_depth can be 'moments' for distance='chord' and 'angular' only. Got "
            "distance='cosine': its depths are exact in closed form, use method='auto'."
        )
    alone = reference is None
    caller, min_rows = ("tte_depth with reference=None", 2) if alone else ("tte_depth", 1)
    if method == "moments" or (distance == "cosine" and method != "pairwise"):
        points = read_rows(X, name="X", caller=caller, min_rows=min_rows, again=alone)
        corpus = points if alone else read_rows(reference, name="reference", caller=caller)
        check_same_width(("X", points), ("reference", corpus))
        if method == "moments":
            return moment_depths(points, None if alone else corpus, distance)
        if alone:
            return leave_one_out(directions(points, name="X"))
        resultant = directions(corpus, name="reference").total
        return closed_form(unsummed_directions(points, name="X"), resultant, count_rows(corpus))

    array = read_array(X, name="X", caller=caller, min_rows=min_rows, blocks_for=_BLOCKS_FOR)
    if alone:
        return _pairwise(UnitRows.of(array, name="X"), None, distance)
    other = read_array(reference, name="reference", caller=caller, blocks_for=_BLOCKS_FOR)
    check_same_width(("X", array), ("reference", other))
    return _pairwise(UnitRows.of(array, name="X"), UnitRows.of(other, name="reference"), distance)


def closed_form(X: Directions, total: Floats, n_reference: int) -> Floats:
    """Return cosine depths with respect to a corpus of which the resultant ``total`` (d,) is known."""
    return X.project(total, scale=1 / n_reference, shift=1.0)


def leave_one_out(
    X: Directions, total: Floats | None = None, n_texts: int | None = None, *, advance: Advance = no_progress
) -> Floats:
    """Return the cosine depths of rows in a corpus that they are part of.

    ``total`` and ``n_texts`` are resultant and size of the corpus; by default it is ``X``.
    """
    others = (len(X) if n_texts is None else n_texts) - 1
    return X.project(X.total if total is None else total, scale=1 / others, shift=1 - 1 / others, advance=advance)


def unit_depths(X: UnitRows, reference: UnitRows | None = None, distance: str = "cosine") -> Floats:
    """Return the depths of unit rows in ``reference`` or, leave-one-out, in ``X``: `tte_depth` of checked rows."""
    if distance == "cosine":
        return leave_one_out(X) if reference is None else closed_form(X, reference.total, len(reference))
    return _pairwise(X, reference, distance)


def _pairwise(X: UnitRows, reference: UnitRows | None, name: str) -> Floats:
    distance = DISTANCES[name]
    mean = mean_distances_within(X, distance) if reference is None else mean_distances(X, reference, distance)
    return distance.supremum - mean
