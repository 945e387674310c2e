"""Linear MMD by block sums, the only way in which it depends on the rows: no kernel is formed, no labels are stored."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from xembed._core.blocks import check_same_width, read_blocks
from xembed._core.directions import UnitRows, name_part, resultant
from xembed._core.parallel import one_blas_thread, ordered_map, row_blocks
from xembed._core.progress import showing, step, track
from xembed._core.validation import RNG, FloatArray, check_count, check_rng

# Labels are drawn for so many rows at a time, counted from the first row of F, however blocks are cut.
_CELL = 2048
# Permutations at a time: bounds the memory of labels.
_BATCH = 1024
# Permuted values that differ from the observed one by less than this share of their range are equal to it.
_TIE = 1e-10

Array = npt.NDArray[np.float64]


class LinearMMD(NamedTuple):
    """Result of `linear_mmd`."""

    values: Array  # (1 + n_resamples,) unbiased squared MMD: observed first, then permuted
    n: int
    m: int
    sum_F: Array  # (n_dims,) of the unit rows
    sum_G: Array

    @property
    def pvalue(self) -> float:
        """Share of the values that are at least the observed one, itself counted."""
        tolerance = _TIE * float(np.ptp(self.values))
        return float((self.values >= self.values[0] - tolerance).mean())


@dataclass(frozen=True)
class Labels:
    """Uniformly random subsets of the rows of F and G together, drawn piece by piece.

    How many rows of each cell belong to a subset is drawn beforehand, so that the sizes add up; which ones, by a
    generator of the cell's own. So the labels of a row do not depend on what is read together with it, or where.
    """

    counts: npt.NDArray[np.int64]  # (n_subsets, n_cells)
    n_rows: int
    seed: int

    @classmethod
    def draw(cls, n: int, n_rows: int, n_subsets: int, rng: np.random.Generator) -> Labels:
        """Draw ``n_subsets`` subsets of ``n`` of ``n_rows`` rows."""
        cells = [rows.stop - rows.start for rows in row_blocks(0, n_rows, _CELL)]
        counts = rng.multivariate_hypergeometric(cells, n, size=n_subsets, method="marginals")
        return cls(counts, n_rows, int(rng.integers(2**63)))

    def cell(self, number: int, subsets: slice, dtype: np.dtype[Any]) -> FloatArray:
        """Return 1 where a row of a cell is in a subset and 0 elsewhere, shape (n_subsets, n_rows of the cell)."""
        size = min(_CELL, self.n_rows - number * _CELL)
        rng = np.random.default_rng([self.seed, number, subsets.start])
        counts = self.counts[subsets, number]
        labels = np.empty((len(counts), size), dtype)
        for row, n_chosen in zip(labels, counts, strict=True):
            row[:] = _random_subset(size, int(n_chosen), rng)
        return labels


def linear_mmd(
    F: Any, G: Any, *, n_resamples: int, rng: RNG = None, progress: bool | None = None, caller: str = "linear_mmd"
) -> LinearMMD:
    """Return unbiased squared MMD with the cosine kernel, observed and under random labels.

    Rows are read once where their number is known beforehand, and else twice. The random subsets depend on ``rng`` and
    the two sizes, not on how the rows are cut into blocks.
    """
    bars = showing(progress, caller=caller)
    check_count(n_resamples, name="n_resamples", caller=caller, low=0)
    generator = check_rng(rng, caller=caller)
    first = read_blocks(F, name="F", caller=caller, min_rows=2, again=True)
    second = read_blocks(G, name="G", caller=caller, min_rows=2, again=True)
    check_same_width(("F", first), ("G", second))
    n, m = first.count(), second.count()
    labels = Labels.draw(n, n + m, n_resamples, generator)
    task = partial(_block_sums, labels=labels)
    with bars, step("Linear MMD", n + m, "row") as advance:
        sums_F = first.total(partial(task, offset=0, name="F", part_of=first.size), advance)
        sums_G = second.total(partial(task, offset=n, name="G", part_of=second.size), advance)
    return _linear_mmd(sums_F, sums_G, n, m)


def linear_mmd_of_units(F: UnitRows, G: UnitRows, n_resamples: int, rng: np.random.Generator) -> LinearMMD:
    """Return `linear_mmd` of unit rows."""
    n, m = len(F), len(G)
    labels = Labels.draw(n, n + m, n_resamples, rng)
    return _linear_mmd(_labeled_sums(F, 0, labels), _labeled_sums(G, n, labels), n, m)


def _linear_mmd(sums_F: Array, sums_G: Array, n: int, m: int) -> LinearMMD:
    labeled = sums_F + sums_G
    labeled[0] = sums_F[0]
    rest = sums_F[0] + sums_G[0] - labeled
    # Without the terms of a row with itself.
    within_F = (np.vecdot(labeled, labeled) - n) / (n * (n - 1))
    within_G = (np.vecdot(rest, rest) - m) / (m * (m - 1))
    between = np.vecdot(labeled, rest) / (n * m)
    return LinearMMD(within_F + within_G - 2 * between, n, m, sums_F[0], sums_G[0])


def _block_sums(block: FloatArray, start: int, *, offset: int, labels: Labels, name: str, part_of: int) -> Array:
    """Return `_labeled_sums` of a block whose first row is row ``start`` of its corpus."""
    total, weights = resultant(block, name=name_part(name, start, block, part_of), part_of=part_of, first_row=start)
    return _labeled_sums(UnitRows(block, weights), offset + start, labels, total)


def _labeled_sums(unit: UnitRows, begin: int, labels: Labels, total: Array | None = None) -> Array:
    """Return the sum of unit rows and, below it, of those in each subset, (1 + B, d); the first is row ``begin``."""
    sums = np.zeros((1 + len(labels.counts), unit.n_dims))
    sums[0] = unit.total if total is None else total
    end, dtype = begin + len(unit), unit.weights.dtype

    def sum_cell(number: int) -> FloatArray:
        cell = number * _CELL
        first, last = max(begin, cell), min(end, cell + _CELL)  # a cell may begin in one block and end in the next
        rows = slice(first - begin, last - begin)
        part = unit.unit(rows, dtype)
        parts = [
            labels.cell(number, subsets, dtype)[:, first - cell : last - cell] @ part
            for subsets in row_blocks(0, len(labels.counts), _BATCH)
        ]
        return np.concatenate(parts) if parts else np.empty((0, unit.n_dims), dtype)

    with one_blas_thread():  # there is a cell for each of our own
        cells = range(begin // _CELL, -(-end // _CELL))
        for _, part in zip(track(cells, "Tests: means", "cell"), ordered_map(sum_cell, cells), strict=True):
            sums[1:] += part
    return sums


def _random_subset(size: int, n_chosen: int, rng: np.random.Generator) -> npt.NDArray[np.bool_]:
    """Return a mask of ``size`` with exactly ``n_chosen`` true, all such masks being equally likely.

    The places of the smallest of random numbers are such a mask, unless two of these are equal at the border.
    """
    if n_chosen == size:
        return np.ones(size, dtype=bool)
    while True:
        keys = rng.integers(2**32, size=size, dtype=np.uint32)
        mask: npt.NDArray[np.bool_] = keys < np.partition(keys, n_chosen)[n_chosen]
        if np.count_nonzero(mask) == n_chosen:
            return mask
