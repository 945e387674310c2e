"""The tests of `compare_corpora`: two corpora put together, permuted, measured, and the tests combined."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from xembed._core.directions import UnitRows
from xembed._core.inputs import is_blank
from xembed._core.memory import available_memory
from xembed._core.parallel import one_blas_thread
from xembed._core.validation import FloatArray, check_embeddings, check_same_dims, quote_options
from xembed.depth._depth import DECIMALS, unit_depths
from xembed.shift import _statistics as statistics
from xembed.shift._kinds import DEFAULT, KINDS
from xembed.shift._statistics import ENERGY, Statistic, pass_over_pairs, rbf
from xembed.stats import _permutation as permutation
from xembed.stats._permutation import Floats, Labels, StepDown, column_pvalues, westfall_young

Groups = tuple[Sequence[Hashable], Sequence[Hashable]]

# Up to this many rows everything is computed in float64; above, products in float32 and sums in float64.
_EXACT_ROWS = 2048
# Share of the free memory that a test may take.
_SHARE = 0.8
N_NEIGHBORS = 10
# Multiples of 1 / (2 median squared distance): the scale of the whole corpus, and local ones. Powers of 2.
_SCALES = (1.0, 4.0, 16.0)
# Rows up to which matrix products run on one thread.
_SMALL = 1024


@dataclass(frozen=True)
class Pool:
    """Rows of both corpora in random order, and which of them are of F under each permutation."""

    unit: FloatArray  # (N, d)
    labels: Labels  # (N, 1 + n_resamples), 1 for F, the observed labels first; in the dtype of ``unit``
    order: npt.NDArray[np.intp]  # (N,) row of [F; G] at each place
    n_F: int
    n_G: int


def sample_rows(positions: npt.NDArray[np.int64], size: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """Return at most ``size`` of sorted positions, drawn at random, still sorted."""
    return positions if len(positions) <= size else np.sort(rng.choice(positions, size, replace=False))


def check_pair(F: npt.ArrayLike, G: npt.ArrayLike, *, caller: str, min_rows: int = 2) -> tuple[UnitRows, UnitRows]:
    """Return the unit rows of two corpora, checked: the one place where norms are found."""
    first = check_embeddings(F, name="F", caller=caller, min_rows=min_rows)
    second = check_embeddings(G, name="G", caller=caller, min_rows=min_rows)
    check_same_dims(("F", first), ("G", second))
    return UnitRows.of(first, name="F"), UnitRows.of(second, name="G")


def make_pool(
    F: UnitRows,
    G: UnitRows,
    *,
    n_resamples: int,
    rng: np.random.Generator,
    groups: Groups | None = None,
    paired: bool = False,
    caller: str,
) -> Pool:
    """Pool two corpora and permute the labels: of rows, of whole groups, or by swaps within pairs."""
    n, m = len(F), len(G)
    dtype = np.dtype(np.float64 if n + m <= _EXACT_ROWS else np.float32)
    _check_memory(n + m, F.n_dims, n_resamples, dtype.itemsize, caller)
    if paired:
        check_pairing(n, m, groups, caller=caller)
        order, labels = permutation.permute_pairs(n, n_resamples, rng)
    elif groups is None:
        order, labels = permutation.permute_rows(n, m, n_resamples, rng)
    else:
        order, labels = permutation.permute_groups(*number_groups(groups, n, m, caller=caller), n_resamples, rng)
    unit = np.concatenate([F.unit(dtype=dtype), G.unit(dtype=dtype)])
    return Pool(unit[order], labels.astype(dtype, copy=False), order, n, m)


def check_pairing(n: int, m: int, groups: Groups | None, *, caller: str) -> None:
    """Refuse pairs of corpora that are not as long as each other, or that have groups."""
    if n != m:
        raise ValueError(
            f"With paired=True row i of F and row i of G are two versions of one text, so {caller} needs as many "
            f"rows in both. Got {n} and {m}."
        )
    if groups is not None:
        raise ValueError(f"{caller} takes 'groups' or paired=True, not both: average the pairs of a group first.")


def number_groups(groups: Groups, n: int, m: int, *, caller: str) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Return the groups of the rows of F and G as numbers from 0, those of F first."""
    if (
        isinstance(groups, str)
        or not isinstance(groups, Sequence)
        or len(groups) != 2
        or not all(isinstance(part, Iterable) and not isinstance(part, str) for part in groups)
    ):
        raise ValueError(
            f"The 'groups' parameter of {caller} must be a pair: the group of each row of F, and of each row of G. "
            f"Got {type(groups).__name__}."
        )
    numbers: dict[Hashable, int] = {}
    of_rows = [
        number_labels(labels, n_rows, numbers, name=name, caller=caller)
        for name, n_rows, labels in (("F", n, groups[0]), ("G", m, groups[1]))
    ]
    shared = np.intersect1d(of_rows[0], of_rows[1])
    if len(shared):
        example = next(label for label, number in numbers.items() if number == shared[0])
        raise ValueError(
            f"Groups must lie within one corpus to be permuted whole. Got {len(shared)} in both F and G (first: "
            f"{example!r}). Use a finer grouping or, for two versions of the same texts, paired=True."
        )
    if min(len(np.unique(part)) for part in of_rows) < 2:
        raise ValueError(
            f"{caller} with groups needs at least 2 groups in each corpus. Got {len(np.unique(of_rows[0]))} in F and "
            f"{len(np.unique(of_rows[1]))} in G: nothing can be said about groups from one of them."
        )
    return of_rows[0], of_rows[1]


def number_labels(
    labels: Iterable[Hashable], n_rows: int, numbers: dict[Hashable, int], *, name: str, caller: str
) -> npt.NDArray[np.intp]:
    """Return the group of each row as a number; new groups are added to ``numbers``."""
    groups = list(labels)
    if len(groups) != n_rows:
        raise ValueError(f"{name} must have as many groups as rows in {caller}. Got {len(groups)} and {n_rows} rows.")
    missing = [row for row, group in enumerate(groups) if is_blank(group)]
    if missing:
        raise ValueError(
            f"{name} holds {len(missing)} row{'s' * (len(missing) > 1)} without a group (first: row {missing[0]}). "
            "Give each a group of its own, or drop them."
        )
    try:
        return np.array([numbers.setdefault(group, len(numbers)) for group in groups], np.intp)
    except TypeError:
        raise TypeError(
            f"The groups of {name} in {caller} must be strings, numbers or tuples of them. Got "
            f"{type(groups[0]).__name__} objects."
        ) from None


def _check_memory(n_rows: int, n_dims: int, n_resamples: int, itemsize: int, caller: str) -> None:
    # Rows twice (as given, shuffled), labels three times (keys, labels, with the column of ones), and blocks.
    needed = itemsize * (2 * n_rows * n_dims + 3 * n_rows * (n_resamples + 2)) + 2**27
    free = available_memory()
    if free is not None and needed > _SHARE * free:
        raise MemoryError(
            f"{caller} needs about {needed / 2**30:.1f} GB for {n_rows:,} rows and {n_resamples} permutations; "
            f"{free / 2**30:.1f} GB are free. Take a random sample of the rows, fewer n_resamples, or the tests that "
            "need sums only and stream: rank_sum_test and mmd_test(kernel='linear')."
        )


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
    names = (tests,) if isinstance(tests, str) else tests
    if not isinstance(names, Collection) or not names or not all(name in KINDS for name in names):
        raise ValueError(
            f"The 'tests' parameter of {caller} must be 'default' or names of {quote_options(KINDS)}. "
            f"Got {tests!r} instead."
        )
    return tuple(dict.fromkeys(names))


def run_battery(pool: Pool, tests: tuple[str, ...], distance: str = "cosine") -> Battery:
    """Measure the tests on one pool and combine them."""
    measured = measure(pool, tests, distance)
    table = column_pvalues(np.stack([measured[name].values for name in tests]))
    weights = np.array([KINDS[name].weight for name in tests])
    return Battery(tests, measured, table[:, 0], westfall_young(table, weights))


def measure(pool: Pool, tests: tuple[str, ...], distance: str = "cosine") -> dict[str, Statistic]:
    """Return each test's statistic under all permutations; what they share is computed once."""
    with one_blas_thread() if len(pool.unit) <= _SMALL else nullcontext():
        return _measure(pool, tests, distance)


def _measure(pool: Pool, tests: tuple[str, ...], distance: str) -> dict[str, Statistic]:
    measured: dict[str, Statistic] = {}
    unit, labels = pool.unit, pool.labels
    if {"depth", "tail"} & set(tests):
        depths = pooled_depths(pool, distance)
        measured["depth"] = statistics.rank_sum_statistic(depths, labels)
        measured["tail"] = statistics.tail_statistic(depths, labels)
    if "mean" in tests:
        measured["mean"] = statistics.mean_statistic(unit, labels)
    if "linear" in tests:
        measured["linear"] = statistics.linear_statistic(unit, labels)
    if {"rbf", "knn"} & set(tests):
        kernel = None
        if "rbf" in tests:
            base = statistics.inverse_median(unit)
            kernel = rbf([base * scale for scale in _SCALES])
        n_neighbors = min(N_NEIGHBORS, len(unit) - 2) if "knn" in tests else 0
        sums, neighbors = pass_over_pairs(unit, labels, kernel, n_neighbors=n_neighbors)
        if sums:
            measured["rbf"] = statistics.mmd_statistic(sums, labels)
        if n_neighbors:
            measured["knn"] = statistics.neighbor_statistic(neighbors, labels)
    if "energy" in tests:
        sums, _ = pass_over_pairs(unit, labels, ENERGY)
        measured["energy"] = statistics.mmd_statistic(sums, labels)
    if "classifier" in tests:
        measured["classifier"] = statistics.classifier_statistic(unit, labels)
    return measured


def pooled_depths(pool: Pool, distance: str = "cosine") -> npt.NDArray[np.float64]:
    """Return the depth of each row of the pool in it, itself left out, with rounding removed."""
    return unit_depths(UnitRows.of(pool.unit, name="the pool"), distance=distance).round(DECIMALS)
