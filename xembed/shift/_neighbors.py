"""Nearest neighbors by cosine, in blocks of bounded memory."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from xembed._core.parallel import row_blocks
from xembed._core.validation import FloatArray
from xembed.depth._pairwise import Directions

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

# Neighbors are looked for among at most so many rows of a corpus.
MAX_CANDIDATES = 10_000
BLOCK_ELEMENTS = 2**23
# Up to so many pairs cosines are computed in float64, above in float32.
_EXACT_PAIRS = 2**24


class Near(NamedTuple):
    """The nearest neighbors of some rows: the mean cosine with k of them, and the next cosines."""

    mean: FloatArray
    last: FloatArray  # the k-th cosine
    following: FloatArray  # the one after it, or -inf


class PooledRows(NamedTuple):
    """Both corpora as one: positions from 0 are those of F, from ``n`` those of G."""

    F: Directions
    G: Directions
    dtype: np.dtype[Any]

    @property
    def n(self) -> int:
        return len(self.F)

    def __len__(self) -> int:
        return len(self.F) + len(self.G)

    def unit(self, positions: Ints) -> FloatArray:
        """Return the rows at sorted positions, scaled to length 1."""
        cut = int(np.searchsorted(positions, self.n))
        return np.concatenate(
            [
                self.F.unit(positions[:cut], self.dtype),
                self.G.unit(positions[cut:] - self.n, self.dtype),
            ]
        )


def cosine_dtype(n: int, m: int) -> np.dtype[Any]:
    """Return the dtype for the cosines of ``n`` rows with ``m`` rows, whatever that of the rows: ranks need no more."""
    return np.dtype(np.float64 if n * m <= _EXACT_PAIRS else np.float32)


def cosine_tolerance(dtype: np.dtype[Any]) -> float:
    """Return the difference up to which cosines are equal: duplicates must not be ranked by rounding."""
    return 1e-9 if dtype == np.float64 else 1e-5


def nearest(points: FloatArray, candidates: FloatArray, k: int, exclude: Ints | None = None) -> Near:
    """Return the nearest candidates of every point, but for the candidate that is the point itself."""
    parts = []
    for block in row_blocks(0, len(points), max(1, BLOCK_ELEMENTS // len(candidates))):
        cosines = points[block] @ candidates.T
        if exclude is not None:
            cosines[np.arange(len(cosines)), exclude[block]] = -np.inf
        parts.append(top(cosines, k))
    return Near(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def top(cosines: FloatArray, k: int) -> Near:
    """Return mean and last of the k largest cosines of every row, and the one after them."""
    size = cosines.shape[1]
    spare = size > k
    largest = np.sort(np.partition(cosines, size - k - spare, axis=1)[:, size - k - spare :], axis=1)
    following = largest[:, 0] if spare else np.full(len(cosines), -np.inf, cosines.dtype)
    return Near(largest[:, spare:].mean(axis=1), largest[:, int(spare)], following)


def neighbor_shares(pool: PooledRows, candidates: Ints) -> tuple[Floats, int]:
    """Return for every text the share of G among its nearest candidates, minus that among all, itself left out."""
    n_candidates = len(candidates)
    k = min(int(np.clip(round(np.sqrt(n_candidates)), 5, 50)), n_candidates - 1)
    rows = pool.unit(candidates)
    of_G = (candidates >= pool.n).astype(pool.dtype)
    tolerance = cosine_tolerance(pool.dtype)
    shares = np.empty(len(pool))
    for block in row_blocks(0, len(pool), max(1, BLOCK_ELEMENTS // n_candidates)):
        positions = np.arange(block.start, block.stop)
        cosines = pool.unit(positions) @ rows.T
        own = np.searchsorted(candidates, positions).clip(max=n_candidates - 1)
        is_candidate = candidates[own] == positions
        cosines[np.flatnonzero(is_candidate), own[is_candidate]] = -np.inf
        last = np.partition(cosines, n_candidates - k, axis=1)[:, n_candidates - k, None]
        nearer = cosines > last + tolerance
        level = (cosines >= last - tolerance) & ~nearer
        places = (k - nearer.sum(axis=1)) / level.sum(axis=1)
        found = (nearer @ of_G + places * (level @ of_G)) / k
        expected = (of_G.sum() - is_candidate * (positions >= pool.n)) / (n_candidates - is_candidate)
        shares[block] = found - expected
    return shares, k
