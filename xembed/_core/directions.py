"""Unit rows without a copy, and their sum s, the resultant: the mean cosine of a row u with all n rows is u . s / n."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from xembed._core.blocks import Blocks, Rows
from xembed._core.parallel import ordered_map, row_blocks
from xembed._core.progress import Advance, no_progress
from xembed._core.validation import FloatArray, raise_for_bad_rows

# Rows a thread takes at a time: so many that threads seldom meet at the interpreter's lock.
_TASK = 16384
# Rows it goes over twice in a row, while they are in its cache. Within them sums are kept in the working dtype.
_BLOCK = 2048
# Up to this many elements float32 rows are computed with in float64. Above, in float32 with sums in float64,
# at the speed of the memory; the depths then differ by up to 3e-8 (tests/benchmarks measures both).
_EXACT_ELEMENTS = 2**25

Array: TypeAlias = npt.NDArray[np.float64]
Weights: TypeAlias = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True)
class UnitRows:
    """Rows of an array, checked, with the inverses of their lengths, found once: unit rows without a copy."""

    rows: FloatArray
    weights: Weights

    @classmethod
    def of(cls, X: FloatArray, *, name: str, advance: Advance = no_progress) -> UnitRows:
        """Check the rows of ``X`` and find their lengths and the resultant; errors as in `resultant`."""
        total, weights = resultant(X, name=name, advance=advance)
        unit = cls(X, weights)
        unit.__dict__["total"] = total
        return unit

    @classmethod
    def of_unit(cls, unit: FloatArray) -> UnitRows:
        """Take rows whose length is 1 already."""
        return cls(unit, np.ones(len(unit), unit.dtype))

    @cached_property
    def total(self) -> Array:
        """The sum of the unit rows, shape (n_dims,), float64."""
        return _weighted_sum(self.rows, self.weights)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def n_dims(self) -> int:
        """Number of dimensions."""
        return int(self.rows.shape[1])

    def unit(self, rows: Any = slice(None), dtype: npt.DTypeLike = np.float64) -> FloatArray:
        """Return some rows scaled to length 1; ``rows`` is a slice, indices or a mask."""
        scaled: FloatArray = np.asarray(self.rows[rows], dtype) * self.weights[rows, None].astype(dtype)
        return scaled

    def take(self, rows: Any) -> UnitRows:
        """Return some rows as unit rows of their own."""
        return UnitRows(self.rows[rows], self.weights[rows])

    def project(
        self, direction: Array, *, scale: float = 1.0, shift: float = 0.0, advance: Advance = no_progress
    ) -> Array:
        """Return ``scale * u_i . direction + shift``, shape (n,), float64."""
        return affine_projection(self.rows, direction, self.weights, scale=scale, shift=shift, advance=advance)


@dataclass(frozen=True)
class UnitBlocks:
    """What `UnitRows` is for arrays, for rows that come in blocks: each use reads them once more."""

    blocks: Blocks
    name: str

    @classmethod
    def of(cls, X: Blocks, *, name: str, advance: Advance = no_progress) -> UnitBlocks:
        """Check the rows and find the resultant; errors as in `resultant`."""
        unit = cls(X, name)
        unit.__dict__["total"] = X.total(partial(_block_resultant, name=name, part_of=X.size), advance)
        return unit

    @cached_property
    def total(self) -> Array:
        """The sum of the unit rows, shape (n_dims,), float64."""
        return UnitBlocks.of(self.blocks, name=self.name).total

    def __len__(self) -> int:
        return self.blocks.count()

    def project(
        self, direction: Array, *, scale: float = 1.0, shift: float = 0.0, advance: Advance = no_progress
    ) -> Array:
        """Return ``scale * u_i . direction + shift``, shape (n,), float64."""
        task = partial(
            _block_projection, direction=direction, scale=scale, shift=shift, name=self.name, part_of=self.blocks.size
        )
        return np.concatenate(list(self.blocks.map(task, advance)))


Directions: TypeAlias = UnitRows | UnitBlocks


def directions(X: Rows, *, name: str, advance: Advance = no_progress) -> Directions:
    """Return the unit rows of an array or of blocks, with their sum."""
    if isinstance(X, Blocks):
        return UnitBlocks.of(X, name=name, advance=advance)
    return UnitRows.of(X, name=name, advance=advance)


def unsummed_directions(X: Rows, *, name: str) -> Directions:
    """Return the unit rows of an array or of blocks; blocks are not read yet."""
    return UnitBlocks(X, name) if isinstance(X, Blocks) else UnitRows(X, direction_weights(X, name=name))


def unit_rows(X: npt.ArrayLike, *, name: str = "the embeddings") -> Array:
    """Return the rows of a 2-D array scaled to length 1, float64; rows without direction are named in the error."""
    rows = np.asarray(X)
    rows = rows if rows.dtype.kind == "f" else rows.astype(np.float64)
    return np.asarray(UnitRows(rows, direction_weights(rows, name=name)).unit(), dtype=np.float64)


class PooledRows(NamedTuple):
    """Two corpora read as one, without a copy: positions from 0 are those of F, from ``n`` those of G."""

    F: UnitRows
    G: UnitRows
    dtype: np.dtype[Any]

    @property
    def n(self) -> int:
        """Rows of F."""
        return len(self.F)

    def __len__(self) -> int:
        return len(self.F) + len(self.G)

    def unit(self, positions: npt.NDArray[np.int64]) -> FloatArray:
        """Return the rows at sorted positions, scaled to length 1."""
        cut = int(np.searchsorted(positions, self.n))
        return np.concatenate(
            [self.F.unit(positions[:cut], self.dtype), self.G.unit(positions[cut:] - self.n, self.dtype)]
        )


def resultant(
    X: FloatArray, *, name: str, part_of: int = 0, first_row: int = 0, advance: Advance = no_progress
) -> tuple[Array, Weights]:
    """Return the sum of the unit rows of ``X``, shape (d,), and the inverse row norms, shape (n,).

    ``X`` may be a block of more rows: of ``part_of`` elements in all, its first row being the ``first_row``-th of them.
    """
    dtype = working_dtype(X, part_of)
    weights = np.empty(len(X), dtype)

    # Every call of numpy meets the other threads at the interpreter's lock, so there are few in the inner loop.
    def measure(task: slice) -> Array:
        part = np.zeros(X.shape[1])
        with np.errstate(all="ignore"):  # rows without direction are found and named at the end
            for rows in row_blocks(task.start, task.stop, _BLOCK):
                block, factors = _as_dtype(X[rows], dtype), weights[rows]
                _inverse_norms(block, out=factors)
                # Not a BLAS product: its own threads would compete with ours.
                part += np.einsum("i,ij->j", factors, block)
        return part

    total = np.zeros(X.shape[1])
    tasks = row_blocks(0, len(X), _TASK)
    for task, part in zip(tasks, ordered_map(measure, tasks), strict=True):
        total += part
        advance(task.stop - task.start)
    _raise_for_bad_directions(X, weights, name=name, first_row=first_row)
    return total, weights


def mean_cosines(totals: Array, counts: npt.NDArray[np.integer[Any]]) -> Array:
    """Return the mean cosines within (diagonal) and between corpora, (K, K), by resultants, (K, d), and sizes, (K,)."""
    products = totals @ totals.T
    result: Array = products / np.outer(counts, counts)
    np.fill_diagonal(result, (np.diag(products) - counts) / (counts * (counts - 1)))
    return result


def affine_projection(
    X: FloatArray, direction: Array, weights: Weights, *, scale: float, shift: float, advance: Advance = no_progress
) -> Array:
    """Return ``scale * u_i . direction + shift``, (n,), float64; each row by itself: equal rows give equal values."""
    dtype = weights.dtype
    target = direction.astype(dtype)
    result = np.empty(len(X))

    def project(task: slice) -> None:
        products = np.empty(task.stop - task.start, dtype)
        step = len(X) if X.dtype == dtype else _BLOCK  # converted rows should stay in the cache
        for rows in row_blocks(task.start, task.stop, step):
            np.vecdot(_as_dtype(X[rows], dtype), target, out=products[rows.start - task.start : rows.stop - task.start])
        part = result[task]
        np.multiply(products, weights[task], out=part)
        part *= scale
        part += shift

    tasks = row_blocks(0, len(X), _TASK)
    for task, _ in zip(tasks, ordered_map(project, tasks), strict=True):
        advance(task.stop - task.start)
    return result


def direction_weights(X: FloatArray, *, name: str, part_of: int = 0, first_row: int = 0) -> Weights:
    """Return the inverse row norms of ``X``, shape (n,), in the dtype to compute in; all else as `resultant`."""
    dtype = working_dtype(X, part_of)
    weights = np.empty(len(X), dtype)

    def measure(rows: slice) -> None:
        with np.errstate(all="ignore"):
            _inverse_norms(_as_dtype(X[rows], dtype), out=weights[rows])

    for _ in ordered_map(measure, row_blocks(0, len(X), _TASK)):
        pass
    _raise_for_bad_directions(X, weights, name=name, first_row=first_row)
    return weights


def _weighted_sum(X: FloatArray, weights: Weights) -> Array:
    """Return the sum of the unit rows, rounded as by `resultant`."""

    def task_sum(task: slice) -> Array:
        part = np.zeros(X.shape[1])
        for rows in row_blocks(task.start, task.stop, _BLOCK):
            part += np.einsum("i,ij->j", weights[rows], _as_dtype(X[rows], weights.dtype))
        return part

    total = np.zeros(X.shape[1])
    for part in ordered_map(task_sum, row_blocks(0, len(X), _TASK)):
        total += part
    return total


def _block_resultant(block: FloatArray, start: int, *, name: str, part_of: int) -> Array:
    return resultant(block, name=name_part(name, start, block, part_of), part_of=part_of, first_row=start)[0]


def _block_projection(
    block: FloatArray, start: int, *, direction: Array, scale: float, shift: float, name: str, part_of: int
) -> Array:
    weights = direction_weights(block, name=name_part(name, start, block, part_of), part_of=part_of, first_row=start)
    return affine_projection(block, direction, weights, scale=scale, shift=shift)


def name_part(name: str, start: int, block: FloatArray, part_of: int) -> str:
    """Say which rows a message counts, if it is about a block of more of them."""
    return name if block.size == part_of else f"{name} (rows {start} to {start + len(block) - 1})"


def working_dtype(X: FloatArray, part_of: int = 0) -> np.dtype[Any]:
    """Return the dtype to compute in: float64 wherever it is cheap. ``part_of``: elements of what ``X`` is part of."""
    exact = X.dtype == np.float64 or max(X.size, part_of) <= _EXACT_ELEMENTS
    return np.dtype(np.float64 if exact else np.float32)


def _inverse_norms(block: FloatArray, *, out: Weights) -> None:
    """Write 1 / |row| into ``out``: infinite, zero or NaN for rows that have no direction or can't be squared."""
    np.vecdot(block, block, out=out)
    np.sqrt(out, out=out)
    np.divide(1.0, out, out=out)


def _raise_for_bad_directions(X: FloatArray, weights: Weights, *, name: str, first_row: int) -> None:
    """Name the rows of ``X`` that have no direction: their weight is not a positive number."""
    suspects = np.flatnonzero(~((weights > 0) & (weights < np.inf)))
    if not len(suspects):
        return
    rows = np.asarray(X[suspects], dtype=np.float64)
    bad = np.zeros((3, first_row + len(X)), dtype=bool)
    finite = np.isfinite(rows).all(axis=1)
    zero = ~rows.any(axis=1)
    for kind, mask in zip(bad, (~finite, zero, finite & ~zero), strict=True):
        kind[first_row + suspects[mask]] = True
    raise_for_bad_rows(bad[0], name=name, problem="not finite (NaN or inf)", remedy="Drop or repair them first.")
    remedy = "A zero vector has no direction: drop such rows first."
    raise_for_bad_rows(bad[1], name=name, problem="zero", remedy=remedy)
    problem = f"too small or too large for the squares of {weights.dtype}"
    raise_for_bad_rows(bad[2], name=name, problem=problem, remedy="Scale them first: only directions matter here.")


def _as_dtype(block: FloatArray, dtype: np.dtype[Any]) -> FloatArray:
    # In C order, so that the memory's layout can't change the order of a sum.
    return np.asarray(block, dtype=dtype, order="C")
