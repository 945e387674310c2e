"""Sums over rows, in one pass and in float64, that measures and corrections follow from; those of parts add up."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from xembed._core.blocks import Blocks, Rows
from xembed._core.directions import UnitRows, direction_weights, name_part, working_dtype
from xembed._core.parallel import one_blas_thread, ordered_map, row_blocks
from xembed._core.validation import FloatArray, raise_for_bad_rows

Array = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]
Selection = slice | npt.NDArray[np.int64]

EPS = float(np.finfo(np.float64).eps)
# Elements of a block in float64: 16 MB, enough for fast matrix products.
_FLOAT_ELEMENTS = 2**21

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
    """Sums over some rows, in one vector: n, the sum, the products and, if ``unit``, the two sums of unit rows."""

    sums: Array
    width: int  # of the coordinates that the sums are of, fewer than n_dims where there are fewer rows
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
        sums = (values.sum(axis=0) for values in (rows, np.square(rows), directions, np.square(directions)))
        return cls(len(rows), *sums)

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


def unit_moments(X: Blocks) -> Moments:
    """Return the sums over the unit rows of blocks; zero rows are an error."""
    sums = X.total(partial(_unit_block_sums, name=X.name, part_of=X.size))
    return Moments(sums, X.n_dims, X.n_dims)


def unit_blocks(block: FloatArray, start: int, *, name: str, part_of: int) -> Iterator[FloatArray]:
    """Yield the unit rows of a block, a few at a time, in the working dtype."""
    weights = direction_weights(block, name=name_part(name, start, block, part_of), part_of=part_of, first_row=start)
    for rows in row_blocks(0, len(block), _BLOCK):
        yield UnitRows(block, weights).unit(rows, weights.dtype)


def _unit_block_sums(block: FloatArray, start: int, *, name: str, part_of: int) -> Array:
    d = block.shape[1]
    first, second = np.zeros(d), np.zeros((d, d))
    for unit in unit_blocks(block, start, name=name, part_of=part_of):
        first += unit.sum(axis=0, dtype=np.float64)
        second += unit.T @ unit
    return np.concatenate([[float(len(block))], first, second.ravel()])


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
    """Return ``X``, or, with fewer rows than dimensions, its rows in an orthonormal basis of their span."""
    if len(X) >= X.shape[1]:
        return X
    triangle: Any = np.linalg.qr(np.asarray(X, dtype=np.float64).T, mode="r")
    return np.ascontiguousarray(triangle.T, dtype=np.float64)


def check_rows(X: FloatArray, *, name: str, unit: bool) -> None:
    """Name rows that are not finite or, with ``unit``, zero, if ``X`` is small; others are checked in their pass."""
    if len(X) < X.shape[1]:
        if unit:
            direction_weights(X, name=name)
        with np.errstate(over="ignore", invalid="ignore"):
            wide = X.astype(np.float64)
            raise_for_squares(wide, np.vecdot(wide, wide), name=name)


def block_sums(X: FloatArray, start: int, *, name: str, part_of: int, unit: bool, n_groups: int, seed: int) -> Array:
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

        def sum_selection(item: tuple[int, Selection]) -> Array:
            with np.errstate(all="ignore"):
                return _selection_sums(X, item[1], shift, squares, unit=unit)

        parts = ordered_map(sum_selection, items) if threaded else map(sum_selection, items)
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
        selection = part if isinstance(rows, slice) else rows[part]
        yield selection, np.asarray(X[selection], dtype=dtype, order="C")


def _selection_sums(X: FloatArray, rows: Selection, shift: FloatArray, squares: FloatArray, *, unit: bool) -> Array:
    """Return the sums over some rows, those of the rows about ``shift``, and write squared lengths to ``squares``."""
    d = X.shape[1]
    total, second, unit_total, unit_squares = np.zeros(d), np.zeros((d, d)), np.zeros(d), np.zeros(d)
    shifted, strip = np.empty((_BLOCK, d), shift.dtype), np.empty((_STRIP, d), shift.dtype)
    factors = np.ones((2, _STRIP), shift.dtype)
    n = 0
    for selection, block in row_chunks(X, rows, shift.dtype):
        n += len(block)
        lengths = squares[selection] = np.vecdot(block, block)
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
    problem = f"too large for the squares of {squares.dtype}"
    raise_for_bad_rows(bad[1], name=name, problem=problem, remedy="Scale all rows by one number first.")


def block_slices(n_rows: int, n_dims: int) -> list[slice]:
    """Return slices that cut rows into blocks of bounded memory."""
    return row_blocks(0, n_rows, max(1, _FLOAT_ELEMENTS // n_dims))


def float_blocks(X: FloatArray, rows: Indices | None = None) -> Iterator[Array]:
    """Yield copies in float64 of blocks of ``X``, or of those of its ``rows``."""
    for part in block_slices(len(X) if rows is None else len(rows), X.shape[1]):
        yield X[part if rows is None else rows[part]].astype(np.float64)


def raise_for_infinite_rows(X: FloatArray, *, name: str) -> None:
    """Count and name the rows that hold NaN or infinity."""
    bad = np.zeros(len(X), dtype=bool)
    for part in block_slices(*X.shape):
        bad[part] = ~np.isfinite(X[part]).all(axis=1)
    raise_for_bad_rows(bad, name=name, problem="not finite (NaN or inf)", remedy="Drop or repair them first.")


def column_means(X: FloatArray, rows: Indices | None = None) -> Array:
    """Return the means of the columns, shape (n_dims,); that of a constant column is exact."""
    # Sums of differences from one row lose nothing to a mean that is large beside the spread.
    first = X[0 if rows is None else rows[0]].astype(np.float64)
    total = np.zeros(X.shape[1])
    n_rows = len(X) if rows is None else len(rows)
    with np.errstate(over="ignore", invalid="ignore"):
        for block in float_blocks(X, rows):
            block -= first
            total += block.sum(axis=0)
        mean: Array = first + total / n_rows
    if not np.isfinite(mean).all():
        _raise_for_overflow(X)
    return mean


def column_variances(X: FloatArray, mean: Array) -> Array:
    """Return the mean squared differences from ``mean``, shape (n_dims,)."""
    squares, rest = np.zeros(X.shape[1]), np.zeros(X.shape[1])
    with np.errstate(over="ignore", invalid="ignore"):
        for block in float_blocks(X):
            block -= mean
            rest += block.sum(axis=0)
            squares += np.einsum("ij,ij->j", block, block)
        variances: Array = np.maximum(squares - rest**2 / len(X), 0.0) / len(X)
    if not np.isfinite(variances).all():
        _raise_for_overflow(X)
    return variances


def scatter(X: FloatArray, mean: Array, *, scale: Array | None = None, rows: Indices | None = None) -> Array:
    """Return the sum of the outer products of the rows of ``(X - mean) / scale``, shape (n_dims, n_dims)."""
    n_dims = X.shape[1]
    total, rest, n_rows = np.zeros((n_dims, n_dims)), np.zeros(n_dims), 0
    with np.errstate(over="ignore", invalid="ignore"):
        for block in float_blocks(X, rows):
            block -= mean
            if scale is not None:
                block /= scale
            rest += block.sum(axis=0)  # zero but for the rounding of the mean
            total += block.T @ block
            n_rows += len(block)
        total -= np.outer(rest, rest / n_rows)
    if not np.isfinite(total).all():
        _raise_for_overflow(X)
    return total


def fourth_powers(X: FloatArray, mean: Array) -> float:
    """Return the sum of the fourth powers of the lengths of the rows of ``X - mean``."""
    total = 0.0
    with np.errstate(over="ignore", invalid="ignore"):
        for block in float_blocks(X):
            block -= mean
            total += float(np.sum(np.einsum("ij,ij->i", block, block) ** 2))
    if not np.isfinite(total):
        _raise_for_overflow(X)
    return total


def find_dead(X: FloatArray, variances: Array) -> npt.NDArray[np.bool_]:
    """Return which columns are constant but for rounding in the type of ``X``, shape (n_dims,)."""
    largest = np.zeros(X.shape[1])
    for part in block_slices(*X.shape):
        np.maximum(largest, np.abs(X[part]).max(axis=0), out=largest)
    dead: npt.NDArray[np.bool_] = np.sqrt(variances) <= 2 * float(np.finfo(X.dtype).eps) * largest
    return dead


def raise_if_all_dead(dead: npt.NDArray[np.bool_], *, caller: str, n_rows: int) -> None:
    """Refuse rows that do not differ."""
    if dead.all():
        raise ValueError(
            f"X must hold rows that differ for {caller}.fit. Got {n_rows} rows that are equal up to rounding: fit on a "
            "corpus of different texts."
        )


def principal_axes(covariance: Array) -> tuple[Array, Array]:
    """Return the eigenvalues, falling and not negative, and the eigenvectors as columns, with a fixed sign."""
    values, vectors = np.linalg.eigh(covariance)
    values, vectors = np.maximum(values[::-1], 0.0), vectors[:, ::-1]
    largest = np.abs(vectors).argmax(axis=0)
    signs = np.where(vectors[largest, np.arange(len(values))] < 0, -1.0, 1.0)
    return values, np.ascontiguousarray(vectors * signs)


def count_directions(values: Array, *, floor: float = 0.0) -> int:
    """Return how many of the falling ``values`` are above ``floor`` times the largest, and above rounding."""
    return int(np.count_nonzero(values > max(floor, len(values) * EPS) * values[0]))


def _raise_for_overflow(X: FloatArray) -> NoReturn:
    largest = max(float(np.abs(X[part]).max()) for part in block_slices(*X.shape))
    raise ValueError(
        f"X must hold numbers whose squares can be summed in float64. Got numbers up to {largest:.3g}: divide X by its "
        "scale first."
    )


def as_matrix(array: Any) -> Array:
    """Return ``array`` in float64 and in C order, so that products with it round alike after saving and loading."""
    return np.array(array, dtype=np.float64, order="C")
