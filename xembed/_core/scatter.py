r"""Sums over rows that most measures follow from, in one pass over arrays, files, streams and dask arrays.

With rows :math:`x_i` and unit rows :math:`u_i` the pass keeps :math:`n`, :math:`\sum x_i`, :math:`\sum x_i x_i^T` and,
where asked, :math:`\sum u_i` and the column sums of :math:`u_{ij}^2`: all in float64, in one vector, so that the sums
of parts add up to those of the whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from xembed._core.blocks import Blocks, Rows
from xembed._core.directions import direction_weights, name_part, working_dtype
from xembed._core.parallel import one_blas_thread, ordered_map, row_blocks
from xembed._core.validation import FloatArray, raise_for_bad_rows

Array = npt.NDArray[np.float64]
Selection = slice | npt.NDArray[np.int64]

# Rows that a thread takes at a time, and rows whose products are added up in the working dtype.
_TASK = 16384
_BLOCK = 4096
# Rows of a block that are gone over several times in a row.
_STRIP = 1024
# Up to this many dimensions threads take tasks, each with its own sums; above, the products' own threads do the work.
_THREADED_DIMS = 1024
# Rows that the shift is the mean of. It only has to be near the mean.
_SHIFT_ROWS = 256
# Data whose variance is below this share of their mean square are constant: float64 can't tell them from it.
_CONSTANT = 1e-13
# A dimension is dead if its standard deviation is below this share of its mean, or of all dimensions' spread.
_DEAD = 1e-6


@dataclass(frozen=True)
class Moments:
    """Sums over some rows, in one vector: n, the sum, the products and, if ``unit``, the two sums of unit rows.

    ``n_dims`` are the dimensions of the embeddings; ``width`` those of the coordinates that the sums are of, fewer
    where there are fewer rows than dimensions.
    """

    sums: Array
    width: int
    n_dims: int

    @property
    def n_rows(self) -> int:
        return round(float(self.sums[0]))

    @property
    def total(self) -> Array:
        return self.sums[1 : 1 + self.width]

    @property
    def second(self) -> Array:
        """Return the sum of the rows' outer products, (width, width)."""
        start = 1 + self.width
        return self.sums[start : start + self.width**2].reshape(self.width, self.width)

    @property
    def unit_total(self) -> Array:
        start = 1 + self.width + self.width**2
        return self.sums[start : start + self.width]

    @property
    def unit_squares(self) -> Array:
        start = 1 + 2 * self.width + self.width**2
        return self.sums[start : start + self.width]

    def scatter(self) -> Array:
        """Return the sum of the outer products of the centered rows, (width, width)."""
        return self.second - np.outer(self.total, self.total / self.n_rows)

    def is_constant(self) -> bool:
        """Return whether all rows are the same, within rounding."""
        second = float(np.trace(self.second))
        spread = second - float(self.total @ self.total) / self.n_rows
        return spread <= _CONSTANT * second


@dataclass(frozen=True)
class Columns:
    """Sums over the rows for every dimension; those of unit rows only where they were asked for."""

    n_rows: int
    total: Array
    squares: Array
    unit_total: Array
    unit_squares: Array

    @classmethod
    def of(cls, X: Rows, moments: Moments, *, unit: bool, name: str) -> Columns:
        """Return the sums that ``moments`` hold or, where those are of coordinates, those of the few rows ``X``."""
        if moments.width == moments.n_dims:
            diagonal = np.diag(moments.second)
            return cls(moments.n_rows, moments.total, diagonal, moments.unit_total, moments.unit_squares)
        rows = np.asarray(X, dtype=np.float64)
        directions = rows * direction_weights(rows, name=name)[:, None] if unit else rows[:0]
        return cls(
            len(rows),
            rows.sum(axis=0),
            np.square(rows).sum(axis=0),
            directions.sum(axis=0),
            np.square(directions).sum(axis=0),
        )

    def contributions(self) -> Array:
        """Return the mean of u_ij u_kj over all pairs i != k, for every dimension j."""
        return (np.square(self.unit_total) - self.unit_squares) / (self.n_rows * (self.n_rows - 1))

    def dead(self) -> npt.NDArray[np.int64]:
        """Return the dimensions that are constant within rounding."""
        mean = self.total / self.n_rows
        variance = np.maximum(self.squares / self.n_rows - np.square(mean), 0.0)
        scale = np.maximum(np.square(mean), variance.mean())
        return np.flatnonzero(variance <= _DEAD**2 * scale)


def read_moments(X: Rows, *, name: str, unit: bool = False) -> Moments:
    """Return the sums over all rows. With ``unit``, zero rows are an error."""
    return Moments(*_grouped(X, name=name, unit=unit, n_groups=1, seed=0))


def grouped_moments(X: Rows, *, name: str, unit: bool, n_groups: int, seed: int) -> tuple[Array, int, int]:
    """Return the sums of rows in random groups, (n_groups, length), the width of their coordinates, and n_dims."""
    sums, width, n_dims = _grouped(X, name=name, unit=unit, n_groups=n_groups, seed=seed)
    return np.atleast_2d(sums), width, n_dims


def _grouped(X: Rows, *, name: str, unit: bool, n_groups: int, seed: int) -> tuple[Array, int, int]:
    task = partial(block_sums, name=name, unit=unit, n_groups=n_groups, seed=seed)
    if isinstance(X, Blocks):
        sums, width, n_dims = X.total(partial(task, part_of=X.size)), X.n_dims, X.n_dims
    else:
        check_rows(X, name=name, unit=unit)
        rows = coordinates(X)
        sums, width, n_dims = task(rows, 0, part_of=rows.size), rows.shape[1], X.shape[1]
    return (sums[0] if n_groups == 1 else sums), width, n_dims


def coordinates(X: FloatArray) -> FloatArray:
    """Return ``X``, or, if it has fewer rows than dimensions, its rows in an orthonormal basis of their span.

    Lengths and angles stay, so that n x n sums tell what d x d sums would.
    """
    if len(X) >= X.shape[1]:
        return X
    triangle: Any = np.linalg.qr(np.asarray(X, dtype=np.float64).T, mode="r")
    return np.ascontiguousarray(triangle.T, dtype=np.float64)


def check_rows(X: FloatArray, *, name: str, unit: bool) -> None:
    """Raise an error that names rows that are not finite or, with ``unit``, zero, if ``X`` is small.

    Only what is turned into coordinates needs it beforehand: large arrays are checked in the pass over them.
    """
    if len(X) < X.shape[1]:
        if unit:
            direction_weights(X, name=name)
        with np.errstate(over="ignore", invalid="ignore"):
            wide = X.astype(np.float64)
            raise_for_squares(wide, np.vecdot(wide, wide), name=name)


def block_sums(
    X: FloatArray,
    start: int,
    *,
    name: str,
    part_of: int,
    unit: bool,
    n_groups: int,
    seed: int,
) -> Array:
    """Return the sums over the rows of each random group of a block, (n_groups, length)."""
    dtype = working_dtype(X, part_of)
    with np.errstate(over="ignore", invalid="ignore"):  # rows that are not finite are found below
        shift = X[:_SHIFT_ROWS].mean(axis=0, dtype=np.float64).astype(dtype)
    squares = np.empty(len(X), dtype)
    d = X.shape[1]
    sums = np.zeros((n_groups, 1 + d + d * d + (2 * d if unit else 0)))
    items = group_rows(len(X), start, n_groups=n_groups, seed=seed)
    threaded = d <= _THREADED_DIMS
    with one_blas_thread() if threaded else nullcontext():

        def one(item: tuple[int, Selection]) -> Array:
            with np.errstate(all="ignore"):
                return _selection_sums(X, item[1], shift, squares, unit=unit)

        parts = ordered_map(one, items) if threaded else map(one, items)
        for (group, _), part in zip(items, parts, strict=True):
            sums[group] += part
    where = name_part(name, start, X, part_of)
    raise_for_squares(X, squares, name=where, first_row=start)
    if unit and not np.all(squares > 0):
        direction_weights(X, name=where, part_of=part_of, first_row=start)  # names the rows
    _unshift(sums, shift.astype(np.float64))
    return sums


def group_rows(n_rows: int, start: int, *, n_groups: int, seed: int) -> list[tuple[int, Selection]]:
    """Return (group, rows) for all rows of a block: slices for one group, random rows of equal numbers for more."""
    if n_groups == 1:
        return [(0, rows) for rows in row_blocks(0, n_rows, _TASK)]
    generator = np.random.default_rng([seed, start])
    groups = generator.permutation((np.arange(n_rows) + generator.integers(n_groups)) % n_groups)
    order = np.argsort(groups, kind="stable")
    ends = np.cumsum(np.bincount(groups, minlength=n_groups))
    items: list[tuple[int, Selection]] = []
    for group, end in enumerate(ends):
        first = ends[group - 1] if group else 0
        items += [(group, order[rows]) for rows in row_blocks(first, end, _TASK)]
    return items


def row_chunks(X: FloatArray, rows: Selection, dtype: np.dtype[Any]) -> Iterator[tuple[Selection, FloatArray]]:
    """Yield a few of the rows at a time, in the working dtype and in C order."""
    start, stop = (rows.start, rows.stop) if isinstance(rows, slice) else (0, len(rows))
    for part in row_blocks(start, stop, _BLOCK):
        chosen = part if isinstance(rows, slice) else rows[part]
        yield chosen, np.asarray(X[chosen], dtype=dtype, order="C")


def _selection_sums(X: FloatArray, rows: Selection, shift: FloatArray, squares: FloatArray, *, unit: bool) -> Array:
    """Return the sums over some rows, those of the rows about ``shift``, and write squared lengths to ``squares``."""
    d = X.shape[1]
    total, second, unit_total, unit_squares = np.zeros(d), np.zeros((d, d)), np.zeros(d), np.zeros(d)
    shifted, strip = np.empty((_BLOCK, d), shift.dtype), np.empty((_STRIP, d), shift.dtype)
    factors = np.ones((2, _STRIP), shift.dtype)
    n = 0
    for chosen, block in row_chunks(X, rows, shift.dtype):
        n += len(block)
        lengths = squares[chosen] = np.vecdot(block, block)
        for part in row_blocks(0, len(block), _STRIP):  # several steps while the rows are in the cache
            m = part.stop - part.start
            # What a large mean would round away stays.
            np.subtract(block[part], shift, out=shifted[part])
            inverse = 1.0 / lengths[part] if unit else factors[0, :m]
            factors[1, :m] = np.sqrt(inverse)
            sums = factors[:, :m] @ shifted[part]
            total += sums[0]
            if unit:
                unit_total += sums[1]
                unit_total += float(factors[1, :m].sum(dtype=np.float64)) * shift
                unit_squares += inverse @ np.multiply(block[part], block[part], out=strip[:m])
        second += shifted[: len(block)].T @ shifted[: len(block)]
    parts = [np.array([float(n)]), total, second.ravel()]
    return np.concatenate([*parts, unit_total, unit_squares] if unit else parts)


def _unshift(sums: Array, shift: Array) -> None:
    """Turn sums about ``shift`` into sums about zero, in place."""
    d = len(shift)
    for row in sums:
        n, total, second = row[0], row[1 : 1 + d], row[1 + d : 1 + d + d * d].reshape(d, d)
        cross = np.outer(shift, total)
        second += cross
        second += cross.T
        second += np.outer(n * shift, shift)
        total += n * shift


def raise_for_squares(X: FloatArray, squares: FloatArray, *, name: str, first_row: int = 0) -> None:
    """Name the rows of ``X`` whose squared length is not a finite number."""
    suspects = np.flatnonzero(~(squares < np.inf))
    if not len(suspects):
        return
    finite = np.array([bool(np.isfinite(X[row]).all()) for row in suspects])
    bad = np.zeros((2, first_row + len(X)), dtype=bool)
    bad[0, first_row + suspects[~finite]] = True
    bad[1, first_row + suspects[finite]] = True
    raise_for_bad_rows(bad[0], name=name, problem="not finite (NaN or inf)", remedy="Drop or repair them first.")
    raise_for_bad_rows(
        bad[1],
        name=name,
        problem=f"too large for the squares of {squares.dtype}",
        remedy="Scale all rows by one number first.",
    )
