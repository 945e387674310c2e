"""The tests of `compare_corpora` on one set of relabelings, and what each of them measured."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from xembed._core.parallel import one_blas_thread
from xembed._core.validation import quote_options
from xembed.depth import tte_depth
from xembed.shift import _statistics as statistics
from xembed.shift._kinds import DEFAULT, KINDS
from xembed.shift._pairs import ENERGY, pass_over_pairs, rbf
from xembed.shift._pool import Pool
from xembed.shift._rank_sum import DECIMALS
from xembed.shift._statistics import Statistic
from xembed.stats._permutation import Floats, StepDown, column_pvalues, westfall_young

N_NEIGHBORS = 10
# Multiples of 1 / (2 median squared distance): the scale of the whole corpus, and local ones. Powers of 2.
_SCALES = (1.0, 4.0, 16.0)
# Rows up to which matrix products run on one thread.
_SMALL = 1024


@dataclass(frozen=True)
class Battery:
    """Tests measured on one pool, and their combination."""

    names: tuple[str, ...]
    measured: dict[str, Statistic]
    pvalues: Floats  # (n_tests,)
    combined: StepDown


def check_tests(tests: Any, *, caller: str) -> tuple[str, ...]:
    """Return the names of tests, the default ones for 'default'."""
    if isinstance(tests, str) and tests == "default":
        return DEFAULT
    chosen = (tests,) if isinstance(tests, str) else tests
    if not isinstance(chosen, Collection) or not chosen or not all(name in KINDS for name in chosen):
        raise ValueError(
            f"The 'tests' parameter of {caller} must be 'default' or names of {quote_options(KINDS)}. "
            f"Got {tests!r} instead."
        )
    return tuple(dict.fromkeys(chosen))


def run_battery(pool: Pool, tests: tuple[str, ...], distance: str = "cosine") -> Battery:
    """Measure the tests on one pool and combine them."""
    measured = measure(pool, tests, distance)
    table = column_pvalues(np.stack([measured[name].values for name in tests]))
    weights = np.array([KINDS[name].weight for name in tests])
    return Battery(tests, measured, table[:, 0], westfall_young(table, weights))


def measure(pool: Pool, tests: tuple[str, ...], distance: str = "cosine") -> dict[str, Statistic]:
    """Return each test's statistic under all labelings; what they share is computed once."""
    with one_blas_thread() if len(pool.unit) <= _SMALL else nullcontext():
        return _measure(pool, tests, distance)


def _measure(pool: Pool, tests: tuple[str, ...], distance: str) -> dict[str, Statistic]:
    found: dict[str, Statistic] = {}
    unit, labels = pool.unit, pool.labels
    if {"depth", "tail"} & set(tests):
        depths = pooled_depths(pool, distance)
        found["depth"] = statistics.rank_sum_statistic(depths, labels)
        found["tail"] = statistics.tail_statistic(depths, labels)
    if "mean" in tests:
        found["mean"] = statistics.mean_statistic(unit, labels)
    if "linear" in tests:
        found["linear"] = statistics.linear_statistic(unit, labels)
    if {"rbf", "knn"} & set(tests):
        kernel = None
        if "rbf" in tests:
            base = statistics.inverse_median(unit)
            kernel = rbf([base * scale for scale in _SCALES])
        n_neighbors = min(N_NEIGHBORS, len(unit) - 2) if "knn" in tests else 0
        sums, neighbors = pass_over_pairs(unit, labels, kernel, n_neighbors=n_neighbors)
        if sums:
            found["rbf"] = statistics.mmd_statistic(sums, labels)
        if n_neighbors:
            found["knn"] = statistics.neighbor_statistic(neighbors, labels)
    if "energy" in tests:
        sums, _ = pass_over_pairs(unit, labels, ENERGY)
        found["energy"] = statistics.mmd_statistic(sums, labels)
    if "classifier" in tests:
        found["classifier"] = statistics.classifier_statistic(unit, labels)
    return found


def pooled_depths(pool: Pool, distance: str = "cosine") -> npt.NDArray[np.float64]:
    """Return the depth of each row of the pool in it, itself left out, with rounding removed."""
    return tte_depth(pool.unit, distance=distance).round(DECIMALS)
