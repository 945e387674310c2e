"""The arithmetic behind the scores against ground truth, for many rows at once, and the checks of what comes in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


class _Groups(NamedTuple):
    """Words of the same size in each row, the largest first: one item a group."""

    row: Ints
    start: Ints  # words of the row before the group
    size: Ints
    true: Ints  # true words in the group
    true_before: Ints


class Rows:
    """Rows of attributions and ground truth, filled up to one length."""

    def __init__(self, attributions: Sequence[Floats], ground_truth: Sequence[npt.NDArray[np.bool_]]) -> None:
        self.n_words = np.array([len(row) for row in attributions], np.int64)
        shape = (len(attributions), int(self.n_words.max()))
        self.valid = np.arange(shape[1]) < self.n_words[:, None]
        self.signed = np.zeros(shape)
        self.signed[self.valid] = np.concatenate(list(attributions))
        self.truth = np.zeros(shape, bool)
        self.truth[self.valid] = np.concatenate(list(ground_truth))
        self.n_true: Ints = self.truth.sum(axis=1)

    def __len__(self) -> int:
        return len(self.n_words)

    @cached_property
    def order(self) -> npt.NDArray[np.intp]:
        """Places of the words, the largest first; what was filled up comes last."""
        return np.argsort(-np.where(self.valid, np.abs(self.signed), -1.0), axis=1, kind="stable")

    @cached_property
    def groups(self) -> _Groups:
        size = np.take_along_axis(np.where(self.valid, np.abs(self.signed), -1.0), self.order, axis=1)
        truth = np.take_along_axis(self.truth, self.order, axis=1)
        new = np.ones(size.shape, bool)
        new[:, 1:] = size[:, 1:] != size[:, :-1]
        first = np.flatnonzero(new)
        true = np.add.reduceat(truth.ravel().astype(np.int64), first)
        row, start = np.divmod(first, size.shape[1])
        true_before = np.cumsum(true) - true - (np.cumsum(self.n_true) - self.n_true)[row]
        sizes = np.diff(np.append(first, size.size))
        kept = size.ravel()[first] >= 0
        return _Groups(row[kept], start[kept], sizes[kept], true[kept], true_before[kept])

    def sums(self, row: Ints, values: npt.NDArray[Any]) -> Floats:
        """Return the sum of ``values`` of each row."""
        return np.bincount(row, weights=values, minlength=len(self)).astype(np.float64)


def _scaled(values: Floats) -> Floats:
    """Return rows with 1 as the largest value, so that sums neither overflow nor vanish."""
    largest = values.max(axis=1, keepdims=True)
    return values / np.where(largest > 0, largest, 1.0)


def _mass(rows: Rows, values: Floats) -> Floats:
    values = _scaled(values)
    total = values.sum(axis=1)
    on_truth = np.where(rows.truth, values, 0.0).sum(axis=1)
    # Nothing anywhere is the constant explanation.
    return np.where(total > 0, on_truth / np.where(total > 0, total, 1.0), rows.n_true / rows.n_words)


def _mass_accuracy(rows: Rows) -> Floats:
    return _mass(rows, np.abs(rows.signed))


def _positive_mass_accuracy(rows: Rows) -> Floats:
    return _mass(rows, np.maximum(rows.signed, 0.0))


def _mass_above_chance(rows: Rows) -> Floats:
    expected = rows.n_true / rows.n_words
    return (_mass_accuracy(rows) - expected) / (1 - expected)


def expected_hits(rows: Rows, k: Ints) -> Floats:
    """Return how many of the first ``k`` words are expected to be true."""
    groups = rows.groups
    taken = np.clip(k[groups.row] - groups.start, 0, groups.size)
    return rows.sums(groups.row, groups.true * taken / groups.size)


def _rank_accuracy(rows: Rows) -> Floats:
    return expected_hits(rows, rows.n_true) / rows.n_true


def _pointing_game(rows: Rows) -> Floats:
    return expected_hits(rows, np.ones(len(rows), np.int64))


def _auroc(rows: Rows) -> Floats:
    groups = rows.groups
    n_false = rows.n_words - rows.n_true
    false = groups.size - groups.true
    false_after = n_false[groups.row] - (groups.start - groups.true_before) - false
    # Twice the pairs in the right order: whole numbers, so that one half is exactly that.
    won = rows.sums(groups.row, groups.true * (2 * false_after + false))
    return won / (2 * rows.n_true * n_false)


def _auprc(rows: Rows) -> Floats:
    groups = rows.groups
    place = np.repeat(np.arange(len(groups.row)), groups.size)
    within = np.arange(len(place)) - np.repeat(np.cumsum(groups.size) - groups.size, groups.size)
    row, start, size, true, true_before = (values[place] for values in groups)
    # A place of a group holds a true word with probability true / size. If it does, the places before it in the group
    # hold each of the other true words with equal probability.
    before = true_before + within * (true - 1) / np.maximum(size - 1, 1)
    precision = (before + 1) / (start + within + 1)
    return rows.sums(row, true / size * precision) / rows.n_true


def _gini(rows: Rows) -> Floats:
    values = np.take_along_axis(_scaled(np.abs(rows.signed)), rows.order, axis=1)
    weights = rows.n_words[:, None] - 2 * np.arange(values.shape[1]) - 1
    total = values.sum(axis=1)
    unequal: Floats = np.maximum((weights * values).sum(axis=1), 0.0)
    return unequal / (rows.n_words * np.where(total > 0, total, 1.0))


KERNELS: dict[str, Callable[[Rows], Floats]] = {
    "mass_accuracy": _mass_accuracy,
    "mass_accuracy_above_chance": _mass_above_chance,
    "positive_mass_accuracy": _positive_mass_accuracy,
    "rank_accuracy": _rank_accuracy,
    "top_k_precision": _rank_accuracy,
    "auroc": _auroc,
    "auprc": _auprc,
    "pointing_game": _pointing_game,
    "gini": _gini,
}
# Scores that ask for a word that is not true.
NEEDS_FALSE = {"auroc", "mass_accuracy_above_chance"}


def _as_numbers(values: Any, *, where: str) -> npt.NDArray[Any]:
    try:
        array = np.asarray(values)
        array = array.astype(np.float64) if array.dtype.kind == "O" else array
    except (TypeError, ValueError, RuntimeError) as error:
        raise TypeError(f"{where} must be a 1-D array of numbers, one a word: {error}.") from None
    if array.dtype.kind not in "biuf":
        raise (ValueError if array.size == 0 else TypeError)(
            f"{where} must be a 1-D array of numbers, one a word. Got dtype {array.dtype}."
        )
    if array.ndim != 1 or not len(array):
        raise ValueError(f"{where} must be a 1-D array with one number a word. Got an array of shape {array.shape}.")
    return array


def check_attributions(values: Any, *, where: str) -> Floats:
    array = _as_numbers(values, where=where).astype(np.float64)
    finite = np.isfinite(array)
    if not finite.all():
        raise ValueError(
            f"{where} must be finite. Got {array[~finite][0]} for word {int(np.argmin(finite))}: such a text has no "
            "score, so drop and count it, or mend the method."
        )
    return array


def check_truth(values: Any, *, where: str, names: Sequence[str], n_words: int | None = None) -> npt.NDArray[np.bool_]:
    array = _as_numbers(values, where=where)
    if array.dtype != bool and not ((array == 0) | (array == 1)).all():
        raise ValueError(f"{where} must be marks, 0 or 1 (or false or true). Got other values among them.")
    if n_words is not None and len(array) != n_words:
        raise ValueError(f"{where} must have one mark for each of the {n_words} words. Got {len(array)} marks.")
    truth = array.astype(bool)
    if not truth.any():
        raise ValueError(f"{where} must mark at least one word as true. Got none of {len(truth)}: drop such texts.")
    if truth.all() and (undefined := [name for name in names if name in NEEDS_FALSE]):
        raise ValueError(
            f"{where} must leave a word that is not true for {' and '.join(undefined)} to be defined. "
            f"Got all {len(truth)} as true: drop such texts."
        )
    return truth
