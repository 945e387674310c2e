"""What corrections learn from rows: means, variances and axes, by blocks, in float64, without a centered copy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from xembed._core.parallel import row_blocks
from xembed._core.validation import FloatArray, raise_for_bad_rows

Float64Array = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]

# Elements of a block in float64: 16 MB, enough for fast matrix products.
_ELEMENTS = 2**21
EPS = float(np.finfo(np.float64).eps)


def block_slices(n_rows: int, n_dims: int) -> list[slice]:
    """Return slices that cut rows into blocks of bounded memory."""
    return row_blocks(0, n_rows, max(1, _ELEMENTS // n_dims))


def float_blocks(X: FloatArray, rows: Indices | None = None) -> Iterator[Float64Array]:
    """Yield copies in float64 of blocks of ``X``, or of those of its ``rows``."""
    for part in block_slices(len(X) if rows is None else len(rows), X.shape[1]):
        yield X[part if rows is None else rows[part]].astype(np.float64)


def raise_for_infinite_rows(X: FloatArray, *, name: str) -> None:
    """Count and name the rows that hold NaN or infinity."""
    bad = np.zeros(len(X), dtype=bool)
    for part in block_slices(*X.shape):
        bad[part] = ~np.isfinite(X[part]).all(axis=1)
    raise_for_bad_rows(bad, name=name, problem="not finite (NaN or inf)", remedy="Drop or repair them first.")


def column_means(X: FloatArray, rows: Indices | None = None) -> Float64Array:
    """Return the means of the columns, shape (n_dims,); that of a constant column is exact."""
    # Sums of differences from one row lose nothing to a mean that is large beside the spread.
    first = X[0 if rows is None else rows[0]].astype(np.float64)
    total = np.zeros(X.shape[1])
    n_rows = len(X) if rows is None else len(rows)
    with np.errstate(over="ignore", invalid="ignore"):
        for block in float_blocks(X, rows):
            block -= first
            total += block.sum(axis=0)
        mean: Float64Array = first + total / n_rows
    if not np.isfinite(mean).all():
        _raise_for_overflow(X)
    return mean


def column_variances(X: FloatArray, mean: Float64Array) -> Float64Array:
    """Return the mean squared differences from ``mean``, shape (n_dims,)."""
    squares, rest = np.zeros(X.shape[1]), np.zeros(X.shape[1])
    with np.errstate(over="ignore", invalid="ignore"):
        for block in float_blocks(X):
            block -= mean
            rest += block.sum(axis=0)
            squares += np.einsum("ij,ij->j", block, block)
        variances: Float64Array = np.maximum(squares - rest**2 / len(X), 0.0) / len(X)
    if not np.isfinite(variances).all():
        _raise_for_overflow(X)
    return variances


def scatter(
    X: FloatArray, mean: Float64Array, *, scale: Float64Array | None = None, rows: Indices | None = None
) -> Float64Array:
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


def fourth_powers(X: FloatArray, mean: Float64Array) -> float:
    """Return the sum of the fourth powers of the lengths of the rows of ``X - mean``."""
    total = 0.0
    with np.errstate(over="ignore", invalid="ignore"):
        for block in float_blocks(X):
            block -= mean
            total += float(np.sum(np.einsum("ij,ij->i", block, block) ** 2))
    if not np.isfinite(total):
        _raise_for_overflow(X)
    return total


def find_dead(X: FloatArray, variances: Float64Array) -> npt.NDArray[np.bool_]:
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


def principal_axes(covariance: Float64Array) -> tuple[Float64Array, Float64Array]:
    """Return the eigenvalues, falling and not negative, and the eigenvectors as columns, with a fixed sign."""
    values, vectors = np.linalg.eigh(covariance)
    values, vectors = np.maximum(values[::-1], 0.0), vectors[:, ::-1]
    largest = np.abs(vectors).argmax(axis=0)
    signs = np.where(vectors[largest, np.arange(len(values))] < 0, -1.0, 1.0)
    return values, np.ascontiguousarray(vectors * signs)


def count_directions(values: Float64Array, *, floor: float = 0.0) -> int:
    """Return how many of the falling ``values`` are above ``floor`` times the largest, and above rounding."""
    return int(np.count_nonzero(values > max(floor, len(values) * EPS) * values[0]))


def _raise_for_overflow(X: FloatArray) -> NoReturn:
    largest = max(float(np.abs(X[part]).max()) for part in block_slices(*X.shape))
    raise ValueError(
        f"X must hold numbers whose squares can be summed in float64. Got numbers up to {largest:.3g}: divide X by its "
        "scale first."
    )


def as_matrix(array: Any) -> Float64Array:
    """Return ``array`` in float64 and in C order, so that products with it round alike after saving and loading."""
    return np.array(array, dtype=np.float64, order="C")
