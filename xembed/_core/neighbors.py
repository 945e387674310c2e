"""Nearest neighbors by cosine: one search in blocks of bounded memory, one rule for ties."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from xembed._core.directions import UnitRows
from xembed._core.parallel import ordered_map, row_blocks
from xembed._core.progress import track
from xembed._core.validation import FloatArray

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]

# Neighbors are looked for among at most so many rows of a corpus, where a sample will do.
MAX_CANDIDATES = 10_000
# Cosines held at a time.
BLOCK_ELEMENTS = 2**23
# Rows of a block of pairs.
BLOCK = 4096
# Up to so many pairs cosines are computed in float64, above in float32.
_EXACT_PAIRS = 2**24
# Rows of a block that a thread takes at a time: they stay in its cache.
_SLICE = 64


class Neighbors(NamedTuple):
    """Rows and cosines of nearest neighbors, nearest first, both of shape (n, k)."""

    rows: Indices
    cosines: FloatArray


def cosine_dtype(n: int, m: int) -> np.dtype[Any]:
    """Return the dtype for the cosines of ``n`` rows with ``m`` rows, whatever that of the rows: ranks need no more."""
    return np.dtype(np.float64 if n * m <= _EXACT_PAIRS else np.float32)


def pair_dtype(X: UnitRows, Y: UnitRows) -> np.dtype[Any]:
    """Return float64 for float64 input and wherever there are few pairs, for values that should be exact."""
    wide = np.float64 in (X.rows.dtype, Y.rows.dtype)
    return np.dtype(np.float64) if wide else cosine_dtype(len(X), len(Y))


def cosine_tolerance(dtype: np.dtype[Any]) -> float:
    """Return the difference up to which cosines are equal: copies must not be ranked by rounding."""
    return 1e-9 if dtype == np.float64 else 1e-5


def cosine_blocks(
    points: FloatArray, candidates: FloatArray, exclude: Indices | None = None
) -> Iterator[tuple[slice, FloatArray]]:
    """Yield blocks of rows of two arrays' products; those with the candidates in ``exclude``, (n,), are -inf."""
    for rows in track(row_blocks(0, len(points), max(1, BLOCK_ELEMENTS // len(candidates))), "Neighbors"):
        cosines = points[rows] @ candidates.T
        if exclude is not None:
            cosines[np.arange(len(cosines)), exclude[rows]] = -np.inf
        yield rows, cosines


def top_k(
    X: UnitRows,
    Y: UnitRows,
    k: int,
    *,
    exclude: Indices | None = None,
    dtype: np.dtype[Any] | None = None,
    tolerance: float | None = None,
) -> Neighbors:
    """Return the ``k`` rows of ``Y`` with the largest cosines for every row of ``X``, tied ones in their order.

    ``exclude``, (len(X),), is a row of ``Y`` that is no neighbor of the row of ``X``: itself. Cosines that round to the
    same multiple of ``tolerance`` are tied; with 0 only equal ones are. Memory is O(block + len(X) k).
    """
    dtype = pair_dtype(X, Y) if dtype is None else np.dtype(dtype)
    tolerance = cosine_tolerance(dtype) if tolerance is None else tolerance
    rows, cosines = np.empty((len(X), k), np.int64), np.empty((len(X), k), dtype)
    for block in track(row_blocks(0, len(X), BLOCK), "Neighbors"):
        queries = X.unit(block, dtype)
        best = Neighbors(np.empty((len(queries), 0), np.int64), np.empty((len(queries), 0), dtype))
        for columns in row_blocks(0, len(Y), BLOCK):
            products = queries @ Y.unit(columns, dtype).T  # the only large array
            if exclude is not None:
                own = exclude[block]
                inside = np.flatnonzero((own >= columns.start) & (own < columns.stop))
                products[inside, own[inside] - columns.start] = -np.inf
            places = largest(products, min(k, products.shape[1]), tolerance=tolerance)
            best = _merged(best, places + columns.start, np.take_along_axis(products, places, axis=1), k, tolerance)
        rows[block], cosines[block] = best
    return Neighbors(rows, cosines)


def _merged(best: Neighbors, rows: Indices, cosines: FloatArray, k: int, tolerance: float) -> Neighbors:
    """Return the ``k`` best of those found before and those of a block of later rows."""
    if not best.rows.shape[1]:
        return Neighbors(rows, cosines)
    rows, cosines = np.concatenate([best.rows, rows], axis=1), np.concatenate([best.cosines, cosines], axis=1)
    # Tied ones are in the order of their rows already, and a stable sort keeps it.
    order = np.argsort(-_ranked(cosines, tolerance), axis=1, kind="stable")[:, :k]
    return Neighbors(np.take_along_axis(rows, order, axis=1), np.take_along_axis(cosines, order, axis=1))


def largest(similarities: FloatArray, k: int, *, tolerance: float = 0.0) -> Indices:
    """Return the columns of the ``k`` largest of each row, (n, k), largest first; ties as in `top_k`."""
    places, tied = _select(similarities, k, tolerance)
    if len(tied):
        order = np.argsort(-_ranked(similarities[tied], tolerance), axis=1, kind="stable")
        places[tied] = np.sort(order[:, :k], axis=1)
    ranks = -_ranked(np.take_along_axis(similarities, places, axis=1), tolerance)
    return np.take_along_axis(places, np.argsort(ranks, axis=1, kind="stable"), axis=1)


def neighbor_sums(
    similarities: FloatArray,
    k: int,
    values: FloatArray,
    *,
    tolerance: float,
    exact: Callable[[Indices], Floats] | None = None,
) -> FloatArray:
    """Return the sums of the ``values``, (m, B), of the ``k`` largest columns of each row, (n, B).

    Columns within ``tolerance`` of the k-th share the places that larger ones leave. In float32, ``exact`` returns the
    similarities of some rows in float64, to tell copies from what is merely near.
    """
    from scipy.sparse import csr_matrix

    places, tied = _select(similarities, k, tolerance)
    ends = np.arange(0, places.size + 1, k)
    nearest = csr_matrix((np.ones(places.size, values.dtype), places.ravel(), ends), shape=similarities.shape)
    sums: FloatArray = nearest @ values
    if len(tied):
        if exact is None:
            shares = place_shares(similarities[tied], k, tolerance=tolerance)
        else:
            shares = place_shares(exact(tied), k, tolerance=cosine_tolerance(np.dtype(np.float64)))
        columns = np.flatnonzero(shares.any(axis=0))
        sums = sums.astype(np.float64)
        sums[tied] = shares[:, columns] @ values[columns].astype(np.float64)
    return sums


def neighbor_counts(similarities: FloatArray, k: int, *, tolerance: float) -> Floats:
    """Return how often each column is among the ``k`` largest of a row, (m,); tied ones as in `neighbor_sums`."""
    places, tied = _select(similarities, k, tolerance)
    clear = np.delete(places, tied, axis=0)
    counts = np.bincount(clear.ravel(), minlength=similarities.shape[1]).astype(np.float64)
    return counts + place_shares(similarities[tied], k, tolerance=tolerance).sum(axis=0) if len(tied) else counts


def place_shares(similarities: FloatArray, k: int, *, tolerance: float) -> Floats:
    """Return how much of a place each column has among the ``k`` largest of a row, (n, m): tied ones share the last."""
    last = np.partition(similarities, similarities.shape[1] - k, axis=1)[:, similarities.shape[1] - k, None]
    nearer = similarities > last + tolerance
    level = (similarities >= last - tolerance) & ~nearer
    shares: Floats = nearer + level * ((k - nearer.sum(axis=1)) / level.sum(axis=1))[:, None]
    return shares


def largest_values(similarities: FloatArray, k: int) -> FloatArray:
    """Return the ``k`` largest of each row, (n, k), largest first."""
    n = similarities.shape[1]
    values: FloatArray = np.sort(np.partition(similarities, n - k, axis=1)[:, n - k :], axis=1)[:, ::-1]
    return values


def _select(similarities: FloatArray, k: int, tolerance: float) -> tuple[Indices, Indices]:
    """Return the columns of the ``k`` largest of each row, in their order, and the rows where that is not clear."""
    n, m = similarities.shape
    places, tied = np.empty((n, k), np.int64), np.zeros(n, dtype=bool)
    if k == m:
        places[:] = np.arange(m)
        return places, np.flatnonzero(tied)

    def select(rows: slice) -> None:
        part = similarities[rows]
        # To find the values and then where they are takes a third of the time of argpartition.
        ends = np.partition(part, m - k - 1, axis=1)[:, m - k - 1 :]
        last = ends[:, 1:].min(axis=1)
        unclear = last - ends[:, 0] <= 2 * tolerance
        taken = part >= last[:, None]
        if unclear.any():
            tied[rows] = unclear
            taken[unclear] = np.arange(m) < k
        places[rows] = (np.flatnonzero(taken) % m).reshape(-1, k)

    for _ in ordered_map(select, row_blocks(0, n, _SLICE)):
        pass
    return places, np.flatnonzero(tied)


def _ranked(similarities: FloatArray, tolerance: float) -> FloatArray:
    """Return similarities to rank by: multiples of the tolerance, so that what ties does not depend on the rest."""
    return np.rint(similarities * (1 / tolerance)) if tolerance else similarities
