"""Mean distances on the sphere by blocks of matrix products, for distances without a closed form."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from xembed._core.directions import UnitRows
from xembed._core.neighbors import BLOCK, pair_dtype
from xembed._core.parallel import ordered_map, row_blocks
from xembed._core.progress import track
from xembed._core.validation import FloatArray

Floats = npt.NDArray[np.float64]

# Rows of a block that one thread transforms at a time: they stay in its cache between the steps.
_SLICE = 64
# The cosine of a row with its copy is 1 but for rounding: at most 12 units of the last place, measured up to 4,096
# dimensions. The root of a difference of 1e-15 is 3e-8, so copies would get distances that depend on where they stand.
_ROUNDING = 16


@dataclass(frozen=True)
class Distance:
    """A distance between directions: its largest value, and ``scale * from_cosine(cosine)``, in place."""

    supremum: float
    from_cosine: Callable[[FloatArray], FloatArray]
    scale: float = 1.0


def _one_minus(cosines: FloatArray) -> FloatArray:
    np.subtract(1.0, cosines, out=cosines)
    return cosines


def _half_chord(cosines: FloatArray) -> FloatArray:
    np.subtract(1.0, cosines, out=cosines)
    np.putmask(cosines, cosines < _ROUNDING * np.finfo(cosines.dtype).eps, 0.0)
    np.sqrt(cosines, out=cosines)
    return cosines


def _angular(cosines: FloatArray) -> FloatArray:
    np.maximum(cosines, -1.0, out=cosines)
    np.putmask(cosines, cosines > 1 - _ROUNDING * np.finfo(cosines.dtype).eps, 1.0)
    np.arccos(cosines, out=cosines)
    return cosines


DISTANCES = {
    "cosine": Distance(2.0, _one_minus),
    "chord": Distance(2.0, _half_chord, np.sqrt(2.0)),
    "angular": Distance(np.pi, _angular),
}


def mean_distances(X: UnitRows, reference: UnitRows, distance: Distance) -> Floats:
    """Return the mean distance of each row of ``X`` to all rows of ``reference``, shape (len(X),)."""
    dtype = pair_dtype(X, reference)
    totals = np.zeros(len(X))
    for rows in track(row_blocks(0, len(X), BLOCK), "Depths"):
        block = X.unit(rows, dtype)
        for columns in row_blocks(0, len(reference), BLOCK):
            totals[rows] += _block_sums(block, reference.unit(columns, dtype), distance)
    return totals * (distance.scale / len(reference))


def mean_distances_within(X: UnitRows, distance: Distance) -> Floats:
    """Return the mean distance of each row of ``X`` to all other rows, shape (len(X),).

    Distances are symmetric, so each pair of blocks is computed once and counts for both.
    """
    dtype = pair_dtype(X, X)
    totals = np.zeros(len(X))
    blocks = row_blocks(0, len(X), BLOCK)
    for i, rows in enumerate(track(blocks, "Depths")):
        block = X.unit(rows, dtype)
        totals[rows] += _block_sums(block, block, distance, skip_diagonal=True)
        for columns in blocks[i + 1 :]:
            totals[rows] += _block_sums(block, X.unit(columns, dtype), distance, over_rows=totals[columns])
    return totals * (distance.scale / (len(X) - 1))


def _block_sums(
    A: FloatArray, B: FloatArray, distance: Distance, *, skip_diagonal: bool = False, over_rows: Floats | None = None
) -> Floats:
    """Return the sums over the columns of the unscaled distances of two blocks, shape (len(A),).

    The sums over the rows, (len(B),), are added to ``over_rows`` where that is given.
    """
    cosines = A @ B.T  # (len(A), len(B)), the only large array

    def measure(rows: slice) -> tuple[FloatArray, FloatArray | None]:
        part = distance.from_cosine(cosines[rows])
        if skip_diagonal:  # a text's distance to itself is 0, not what rounding makes of it
            part[np.arange(len(part)), np.arange(rows.start, rows.stop)] = 0.0
        return part.sum(axis=1), None if over_rows is None else part.sum(axis=0)

    sums = np.empty(len(A))
    slices = row_blocks(0, len(A), _SLICE)
    for rows, (over_columns, part_over_rows) in zip(slices, ordered_map(measure, slices), strict=True):
        sums[rows] = over_columns
        if over_rows is not None and part_over_rows is not None:
            over_rows += part_over_rows
    return sums
