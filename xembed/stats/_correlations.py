"""Correlations of many representations with one set of human scores, and their paired bootstrap.

A resample is how often each pair was drawn. Mid-ranks follow from cumulated counts in the order of the whole sample.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from xembed.stats._resampling import block_sizes, bootstrap_rows, count_rows

Array = npt.NDArray[np.float64]

_ELEMENTS = 2**21  # of a block of counts
SPEARMAN, PEARSON = 0, 1


class Correlations(NamedTuple):
    """Correlations of k representations, for each set of pairs, then for all pairs together, then their mean over sets.

    ``observed`` has the shape (k, n_sets + 2, 2) and ``resampled`` (n_resamples, k, n_sets + 2, 2); the last axis is
    Spearman's and Pearson's correlation. NaN where all scores or all similarities of a resample are the same.
    """

    observed: Array
    resampled: Array


class _Ranker:
    """Centered mid-ranks of resamples of a fixed sample."""

    def __init__(self, values: Array) -> None:
        self._order = np.argsort(values, kind="stable")
        ordered = values[self._order]
        first = np.r_[True, ordered[1:] != ordered[:-1]]
        self._starts = np.flatnonzero(first)
        self._group = np.empty(len(values), np.intp)
        self._group[self._order] = np.cumsum(first) - 1

    def ranks(self, counts: Array) -> Array:
        """Return the ranks of each item in each resample, minus their mean; ``counts`` has a row a resample."""
        in_group = np.add.reduceat(counts[:, self._order], self._starts, axis=1)
        rank = np.cumsum(in_group, axis=1) - in_group / 2
        rank -= counts.shape[1] / 2  # the mean of mid-ranks that count from one half
        return rank[:, self._group]


def correlate(
    similarities: Array, scores: Array, sizes: Sequence[int], n_resamples: int, rng: np.random.Generator
) -> Correlations:
    """Correlate the rows of ``similarities``, shape (k, n_pairs), with the scores.

    The pairs are those of the sets one after the other, of ``sizes`` pairs each. A resample draws from each set as many
    pairs as it has.
    """
    bounds = np.r_[0, np.cumsum(sizes)]
    parts = [slice(a, b) for a, b in itertools.pairwise(bounds)]
    units = parts if len(parts) == 1 else [*parts, slice(0, len(scores))]
    prepared = [_Unit(similarities[:, unit], scores[unit]) for unit in units]

    def of_counts(counts: Array) -> Array:
        of_units = [item.correlate(counts[:, unit]) for item, unit in zip(prepared, units, strict=True)]
        correlations = np.stack(of_units, axis=2)
        of_sets, together = correlations[:, :, : len(parts)], correlations[:, :, -1:]
        return np.concatenate([of_sets, together, of_sets.mean(axis=2, keepdims=True)], axis=2)

    observed = of_counts(np.ones((1, len(scores))))[0]
    blocks = [of_counts(counts) for counts in _counts(sizes, n_resamples, rng)]
    resampled = np.concatenate(blocks) if blocks else np.empty((0, *observed.shape))
    return Correlations(observed, resampled)


def interval(resampled: Array, level: float) -> tuple[float | None, float | None]:
    """Return the percentile interval; none where fewer than half of the resamples have a value."""
    values = resampled[np.isfinite(resampled)]
    if not len(values) or 2 * len(values) < len(resampled):
        return None, None
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def mean_intervals(values: Array, n_resamples: int, rng: np.random.Generator) -> Array:
    """Return the means of resamples of the columns of ``values``, shape (n_resamples, n_columns)."""
    blocks = [counts @ values / len(values) for counts in _counts([len(values)], n_resamples, rng)]
    return np.concatenate(blocks) if blocks else np.empty((0, values.shape[1]))


class _Unit:
    """What the correlations of one set need, computed once for all resamples."""

    def __init__(self, similarities: Array, scores: Array) -> None:
        self._of_scores = _Ranker(scores)
        self._of_rows = [_Ranker(row) for row in similarities]
        # Centered, so that the sums below lose no digits; scaled, so that squares can't overflow.
        self._x, self._y = _standardized(similarities), _standardized(scores[None])[0]

    def correlate(self, counts: Array) -> Array:
        """Return Spearman's and Pearson's correlations, shape (n_resamples, k, 2)."""
        n = counts.shape[1]
        rank_y = self._of_scores.ranks(counts)
        weighted = counts * rank_y
        square_y = np.einsum("ij,ij->i", weighted, rank_y)
        result = np.empty((len(counts), len(self._of_rows), 2))
        for k, ranker in enumerate(self._of_rows):
            rank_x = ranker.ranks(counts)
            square_x = np.einsum("ij,ij,ij->i", counts, rank_x, rank_x)
            result[:, k, SPEARMAN] = _ratio(np.einsum("ij,ij->i", weighted, rank_x), square_x, square_y, n**3)
        x, y = self._x, self._y
        sum_x, sum_y = counts @ x.T, (counts @ y)[:, None]
        cross = counts @ (x * y).T - sum_x * sum_y / n
        square_x, square_y = counts @ (x * x).T - sum_x**2 / n, (counts @ (y * y))[:, None] - sum_y**2 / n
        result[:, :, PEARSON] = _ratio(cross, square_x, square_y, n)
        return result


def _ratio(cross: Array, square_x: Array, square_y: Array, scale: float) -> Array:
    varies = (square_x > 1e-13 * scale) & (square_y > 1e-13 * scale)  # above rounding
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.where(varies, cross / np.sqrt(square_x * square_y), np.nan)
    return np.clip(ratio, -1.0, 1.0)


def _standardized(rows: Array) -> Array:
    centered = rows - rows.mean(axis=1, keepdims=True)
    largest = np.abs(centered).max(axis=1, keepdims=True)
    centered /= np.where(largest > 0, largest, 1.0)
    spread = np.sqrt(np.mean(centered**2, axis=1, keepdims=True))
    result: Array = centered / np.where(spread > 0, spread, 1.0)
    return result


def _counts(sizes: Sequence[int], n_resamples: int, rng: np.random.Generator) -> Iterator[Array]:
    """Yield counts in blocks of resamples. Each set has its own generator, so that blocks do not matter."""
    generators = [np.random.default_rng(seed) for seed in rng.integers(2**63, size=len(sizes))]
    for block in block_sizes(n_resamples, sum(sizes), _ELEMENTS):
        drawn = [bootstrap_rows(size, block, generator) for size, generator in zip(sizes, generators, strict=True)]
        yield np.concatenate([count_rows(rows) for rows in drawn], axis=1)
