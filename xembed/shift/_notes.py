"""What a reader should know before trusting a comparison: sizes, repeated texts, groups."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from xembed._core.validation import FloatArray
from xembed.shift._pool import Groups

_FEW = 20
_FEW_GROUPS = 10


def note_sizes(n_F: int, n_G: int) -> list[str]:
    """Say if the corpora are small."""
    if min(n_F, n_G) >= _FEW:
        return []
    return [f"Small corpora ({n_F} and {n_G} texts): only large differences can be found, and the intervals are wide."]


def note_resolution(units_F: int, units_G: int, n_resamples: int, alpha: float, what: str) -> list[str]:
    """Say if the p-value can't fall to ``alpha``, because there are too few labelings."""
    total = units_F + units_G
    # Logarithms of the factorials: of millions of rows they have millions of digits.
    log_subsets = math.lgamma(total + 1) - math.lgamma(units_F + 1) - math.lgamma(units_G + 1)
    log_relabelings = units_F * math.log(2) if what == "pairs" else log_subsets
    smallest = max(math.exp(-log_relabelings), 1 / (n_resamples + 1))
    notes = []
    if smallest > alpha:
        notes.append(
            f"No difference can be found: {units_F} and {units_G} {what} with {n_resamples} relabelings give p-values "
            f"of {smallest:.2g} or more, above the level {alpha:g}."
        )
    elif what == "groups" and min(units_F, units_G) < _FEW_GROUPS:
        notes.append(
            f"Few groups ({units_F} and {units_G}): whole groups are relabeled, so this is the size of the samples."
        )
    return notes


def note_groups(groups: Groups | None) -> list[str]:
    """Say what groups do not change, or that they change nothing."""
    if groups is None:
        return []
    if all(len(set(part)) == len(part) for part in groups):
        return ["Every group holds one row, so relabeling groups is relabeling rows."]
    return [
        "The tests relabel whole groups. All else (regions, coverage, terms, differences of form, the share of pairs "
        "that a classifier tells apart) takes each row for itself: with groups it looks surer than it is."
    ]


def note_duplicates(
    F: FloatArray,
    G: FloatArray,
    texts_F: Sequence[str] | None,
    texts_G: Sequence[str] | None,
    *,
    paired: bool,
) -> list[str]:
    """Say how many texts (or, without texts, rows) repeat an earlier one of their own corpus or the other."""
    if texts_F is not None and texts_G is not None:
        found: tuple[set[Any], set[Any]] = set(texts_F), set(texts_G)
        what = "text"
    else:
        found = {_digest(row) for row in F}, {_digest(row) for row in G}
        what = "row"
    within = len(F) - len(found[0]) + len(G) - len(found[1])
    shared = len(found[0] & found[1])
    notes = []
    if within:
        notes.append(
            f"{count(within, what, 'repeats', 'repeat')} another of the same corpus. Repeated texts are not "
            "independent, and p-values built on them are too small."
        )
    if shared and not paired:
        notes.append(
            f"{count(shared, what, 'occurs', 'occur')} in both corpora. If the corpora are two versions of the same "
            "texts, they are paired, not independent samples: compare them with paired=True."
        )
    return notes


def count(number: int, noun: str, singular: str, plural: str) -> str:
    """Write a number with its noun and verb."""
    return f"{number} {noun} {singular}" if number == 1 else f"{number} {noun}s {plural}"


def _digest(row: npt.NDArray[Any]) -> bytes:
    return hashlib.blake2b(np.ascontiguousarray(row).tobytes(), digest_size=16).digest()
