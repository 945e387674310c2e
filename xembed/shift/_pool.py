"""Two corpora put together for tests by permutation: unit rows in random order, and their labels."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from xembed._core.directions import direction_weights
from xembed._core.memory import available_memory
from xembed._core.validation import FloatArray, check_embeddings, check_same_dims
from xembed.stats._permutation import Labels, Permutations, permute_groups, permute_pairs, permute_rows

Groups = tuple[Sequence[Hashable], Sequence[Hashable]]

# Up to this many rows everything is computed in float64; above, products in float32 and sums in float64.
_EXACT_ROWS = 2048
# Share of the free memory that a test may take.
_SHARE = 0.8


@dataclass(frozen=True)
class Pool:
    """Rows of both corpora in random order, and which of them are of F under each labeling."""

    unit: FloatArray  # (N, d)
    labels: Labels  # (N, 1 + n_resamples), 1 for F, the observed labels first; in the dtype of ``unit``
    order: npt.NDArray[np.intp]  # (N,) row of [F; G] at each place
    n_F: int
    n_G: int


def check_pair(F: npt.ArrayLike, G: npt.ArrayLike, *, caller: str) -> tuple[FloatArray, FloatArray]:
    """Return two checked corpora of at least two rows each."""
    first = check_embeddings(F, name="F", caller=caller, min_rows=2)
    second = check_embeddings(G, name="G", caller=caller, min_rows=2)
    check_same_dims(("F", first), ("G", second))
    return first, second


def make_pool(
    F: FloatArray,
    G: FloatArray,
    *,
    n_resamples: int,
    rng: np.random.Generator,
    groups: Groups | None = None,
    paired: bool = False,
    caller: str,
) -> Pool:
    """Pool two checked corpora and draw labelings: of rows, of whole groups, or by swaps within pairs.

    Raises
    ------
    ValueError
        If rows are zero or not finite, groups or pairs do not fit the rows, or a group is in both corpora.
    MemoryError
        If the rows and labels can't fit into the free memory, with advice.
    """
    n, m = len(F), len(G)
    dtype = np.dtype(np.float64 if n + m <= _EXACT_ROWS else np.float32)
    _check_memory(n + m, F.shape[1], n_resamples, dtype.itemsize, caller)
    weights = np.concatenate([direction_weights(F, name="F"), direction_weights(G, name="G")])
    permuted = _permute(n, m, n_resamples, rng, groups, paired, caller)
    unit = np.empty((n + m, F.shape[1]), dtype)
    unit[:n], unit[n:] = F, G
    unit *= weights[:, None].astype(dtype)
    return Pool(unit[permuted.order], permuted.labels.astype(dtype, copy=False), permuted.order, n, m)


def _permute(
    n: int,
    m: int,
    n_resamples: int,
    rng: np.random.Generator,
    groups: Groups | None,
    paired: bool,
    caller: str,
) -> Permutations:
    if paired:
        if n != m:
            raise ValueError(
                f"With paired=True row i of F and row i of G are two versions of one text, so {caller} needs as many "
                f"rows in both. Got {n} and {m}."
            )
        if groups is not None:
            raise ValueError(f"{caller} takes 'groups' or paired=True, not both: average the pairs of a group first.")
        return permute_pairs(n, n_resamples, rng)
    if groups is None:
        return permute_rows(n, m, n_resamples, rng)
    return permute_groups(*number_groups(groups, n, m, caller=caller), n_resamples, rng)


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
    found = [
        number_labels(labels, n_rows, numbers, name=name, caller=caller)
        for name, n_rows, labels in (("F", n, groups[0]), ("G", m, groups[1]))
    ]
    shared = np.intersect1d(found[0], found[1])
    if len(shared):
        example = next(label for label, number in numbers.items() if number == shared[0])
        raise ValueError(
            f"Groups must lie within one corpus to be permuted whole. Got {len(shared)} in both F and G (first: "
            f"{example!r}). Use a finer grouping or, for two versions of the same texts, paired=True."
        )
    if min(len(np.unique(part)) for part in found) < 2:
        raise ValueError(
            f"{caller} with groups needs at least 2 groups in each corpus. Got {len(np.unique(found[0]))} in F and "
            f"{len(np.unique(found[1]))} in G: nothing can be said about groups from one of them."
        )
    return found[0], found[1]


def number_labels(
    labels: Iterable[Hashable], n_rows: int, numbers: dict[Hashable, int], *, name: str, caller: str
) -> npt.NDArray[np.intp]:
    """Return the group of each row as a number; new groups are added to ``numbers``."""
    groups = list(labels)
    if len(groups) != n_rows:
        raise ValueError(f"{name} must have as many groups as rows in {caller}. Got {len(groups)} and {n_rows} rows.")
    missing = [row for row, group in enumerate(groups) if group is None or group != group]
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
