"""Permutations of the labels of two corpora, and p-values from statistics computed under all of them at once.

A test is a row of a table: its statistic under the observed labels (column 0) and under random ones, shared by all.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from xembed.stats._resampling import TIE
from xembed.stats._resampling import Floats as Floats

Labels = npt.NDArray[np.floating[Any]]


class Permutations(NamedTuple):
    """Permuted labels of shuffled rows: 1 for F, 0 for G; column 0 is the observed one."""

    order: npt.NDArray[np.intp]  # (N,) row of the stacked corpora [F; G] that stands at each place
    labels: Labels  # (N, 1 + n_resamples)


def permute_rows(n: int, m: int, n_resamples: int, rng: np.random.Generator) -> Permutations:
    """Permute the labels of ``n`` rows of F and ``m`` of G: all permutations are equally likely without a shift."""
    # Rows are shuffled first: whatever depends on their order, such as ties or rounding, then does not favor the
    # observed labels, and the first rows are a random sample.
    order = rng.permutation(n + m)
    labels = np.empty((n + m, 1 + n_resamples), np.float32)
    labels[:, 0] = order < n
    for block in range(1, 1 + n_resamples, 64):
        keys = rng.random((min(64, 1 + n_resamples - block), n + m), np.float32)
        of_F = np.zeros(keys.shape, np.float32)
        np.put_along_axis(of_F, keys.argsort(axis=1)[:, :n], 1.0, axis=1)
        labels[:, block : block + len(keys)] = of_F.T
    return Permutations(order, labels)


def permute_groups(
    groups_F: npt.NDArray[np.intp], groups_G: npt.NDArray[np.intp], n_resamples: int, rng: np.random.Generator
) -> Permutations:
    """Permute the labels of whole groups. Groups are numbered from 0, those of F first, and none is in both corpora."""
    n_groups_F = int(groups_F.max()) + 1
    group = np.concatenate([groups_F, groups_G])
    n_groups = int(group.max()) + 1
    of_groups = permute_rows(n_groups_F, n_groups - n_groups_F, n_resamples, rng)
    labels_by_group = np.empty_like(of_groups.labels)
    labels_by_group[of_groups.order] = of_groups.labels
    order = rng.permutation(len(group))
    return Permutations(order, labels_by_group[group[order]])


def permute_pairs(n_pairs: int, n_resamples: int, rng: np.random.Generator) -> Permutations:
    """Permute labels within pairs of rows (i of F, i of G): each pair keeps or swaps them, as in sign flips."""
    swapped = rng.random((n_pairs, 1 + n_resamples), np.float32) < 0.5
    swapped[:, 0] = False
    labels = np.concatenate([~swapped, swapped]).astype(np.float32)
    order = rng.permutation(2 * n_pairs)
    return Permutations(order, labels[order])


def column_pvalues(statistics: Floats) -> Floats:
    """Return the p-value that each column would have as the observed one, (n_tests, 1 + n_resamples).

    The p-value of a column is the share of all columns, itself included, with a statistic at least as large: the
    "+ 1" rule, so that no p-value is zero. Statistics that differ by rounding are tied.
    """
    n_columns = statistics.shape[1]
    result = np.empty(statistics.shape)
    for row, values in zip(result, statistics, strict=True):
        ascending = np.sort(values)
        slack = TIE * max(float(np.abs(ascending).max()), np.finfo(float).tiny)
        row[:] = (n_columns - np.searchsorted(ascending, values - slack, side="left")) / n_columns
    return result


class StepDown(NamedTuple):
    """What `westfall_young` found."""

    pvalue: float  # of the hypothesis that nothing differs
    adjusted: Floats  # (n_tests,)


def westfall_young(pvalues: Floats, weights: npt.NDArray[np.float64] | None = None) -> StepDown:
    """Combine the tests of one table by step-down min-p.

    The smallest p-value of a column, each divided by the weight of its test, is compared with those of all columns.
    Columns with the same smallest one are ordered by Fisher's sum, because a few hundred columns make many ties, and
    ties waste level. Every column is treated alike, so the level is exact for any weights. Westfall and Young (1993),
    algorithm 2.8.
    """
    weighted = pvalues if weights is None else pvalues / weights[:, None]
    fisher = -np.log(pvalues)
    order = np.argsort(weighted[:, 0], kind="stable")
    adjusted = np.empty(len(pvalues))
    previous = 0.0
    for step, test in enumerate(order):
        remaining = order[step:]
        adjusted[test] = previous = max(previous, _min_p(weighted[remaining], fisher[remaining]))
    return StepDown(float(adjusted[order[0]]), adjusted)


def _min_p(weighted: Floats, fisher: Floats) -> float:
    """Return the share of columns at least as extreme as the first."""
    smallest, total = weighted.min(axis=0), fisher.sum(axis=0)
    below = smallest < smallest[0] * (1 - TIE)
    tied = ~below & (smallest <= smallest[0] * (1 + TIE))
    return float((below | (tied & (total >= total[0] * (1 - TIE)))).mean())
