"""Cutting embedding space into regions: k-means, started from Ward's clusters."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from xembed._core.directions import PooledRows
from xembed._core.neighbors import BLOCK_ELEMENTS
from xembed._core.parallel import row_blocks

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

# k-means goes over at most so many rows, and starts from Ward's clusters, which need all pairs, of at most so many.
_MAX_FIT, _MAX_START = 20_000, 2_000
_MAX_REGIONS = 50


def split_halves(n: int, m: int, rng: np.random.Generator) -> tuple[list[Ints], npt.NDArray[np.bool_]]:
    """Return the positions that make the clusters, those of F and of G, and a mask of those counted."""
    halves = [np.sort(rng.permutation(size)[: size // 2]) + start for size, start in ((n, 0), (m, n))]
    tested = np.ones(n + m, dtype=bool)
    tested[np.concatenate(halves)] = False
    return halves, tested


def keep_all(n: int, m: int) -> tuple[list[Ints], npt.NDArray[np.bool_]]:
    """Return all positions as one group, so that nothing about the clusters depends on whose a text is."""
    return [np.arange(n + m)], np.ones(n + m, dtype=bool)


def sample_rows(positions: Ints, size: int, rng: np.random.Generator) -> Ints:
    """Return at most ``size`` of sorted positions, drawn at random, still sorted."""
    if len(positions) <= size:
        return positions
    return np.sort(rng.choice(positions, size, replace=False))


def default_clusters(n: int, m: int) -> int:
    """Return the number of regions for ``n`` and ``m`` texts that make them: the smaller corpus sets the pace."""
    return int(np.clip(round(np.sqrt(4 / (1 / n + 1 / m))), 2, _MAX_REGIONS))


def cluster_centers(
    pool: PooledRows, groups: list[Ints], n_clusters: int, rng: np.random.Generator, *, caller: str
) -> tuple[Floats, list[str]]:
    """Return the centers of k-means on the rows of the groups, all groups of the same weight, (k, d), and notes."""
    from sklearn.cluster import AgglomerativeClustering, KMeans

    notes = []
    chosen = [sample_rows(group, _MAX_FIT // len(groups), rng) for group in groups]
    if sum(map(len, chosen)) < sum(map(len, groups)):
        notes.append(f"The regions were made by a random sample of {sum(map(len, chosen)):,} texts.")
    start: Floats = pool.unit(
        np.concatenate([sample_rows(group, _MAX_START // len(groups), rng) for group in chosen])
    ).astype(np.float64)
    if n_clusters > len(start):
        raise ValueError(
            f"The 'n_clusters' parameter of {caller} must be at most {len(start)} here, the number of texts that "
            f"regions can start from. Got {n_clusters} instead."
        )
    # Rows that are equal but for rounding can't make two regions.
    k = min(n_clusters, len(np.unique(start.round(9), axis=0)))
    if k < n_clusters:
        notes.append(f"Only {k} region{'s' * (k > 1)} could be made: so many different rows there are to make them.")
    if k == 1:
        return start[:1], notes
    labels = AgglomerativeClustering(k, linkage="ward").fit(start).labels_
    centers = np.stack([start[labels == label].mean(axis=0) for label in range(k)])
    rows = pool.unit(np.concatenate(chosen))
    weights = np.concatenate([np.full(len(group), len(rows) / len(chosen) / len(group)) for group in chosen])
    means = KMeans(k, init=centers.astype(rows.dtype), n_init=1).fit(rows, sample_weight=weights).cluster_centers_
    return means.astype(np.float64), notes


def assign(pool: PooledRows, centers: Floats) -> tuple[Ints, Floats]:
    """Return the cluster of every text and its cosine with the center."""
    clusters = np.empty(len(pool), dtype=np.int64)
    closeness = np.empty(len(pool))
    directions = centers.T.astype(pool.dtype)
    half_squares = ((centers**2).sum(axis=1) / 2).astype(pool.dtype)
    lengths = np.maximum(np.sqrt(2 * half_squares), np.finfo(np.float32).tiny)
    for block in row_blocks(0, len(pool), max(1, BLOCK_ELEMENTS // max(centers.shape))):
        products = pool.unit(np.arange(block.start, block.stop)) @ directions
        nearest = (products - half_squares).argmax(axis=1)
        clusters[block] = nearest
        closeness[block] = products[np.arange(len(nearest)), nearest] / lengths[nearest]
    return clusters, closeness
