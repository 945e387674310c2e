"""The rows that are explained, and which can't be."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from xembed._core.validation import check_count
from xembed.datasets import PairedSentences
from xembed.encoders._words import EncodedWords, WordEncoder


@dataclass(frozen=True)
class TestSet:
    """The rows that are explained.

    Attributes
    ----------
    data : PairedSentences
        Complete groups only.
    pairs : list of (int, int)
        The rows of the first and the second form of each group.
    """

    __test__ = False  # not a test of pytest's

    data: PairedSentences
    pairs: list[tuple[int, int]]

    @staticmethod
    def of(data: PairedSentences) -> TestSet:
        """Find the pairs."""
        return TestSet(data, [(rows[0], rows[1]) for rows in data.complete_groups().values()])

    def rows_of_first(self, n_groups: int) -> list[int]:
        """Return the rows of the first two forms of the first groups."""
        return [row for pair in self.pairs[:n_groups] for row in pair]


def prepare(
    data: Any, n_sentences: int | None, words: WordEncoder, *, caller: str
) -> tuple[PairedSentences, TestSet, dict[str, int]]:
    """Return the training data, the test rows that can be scored, and counts of what was left out.

    Raises
    ------
    ValueError
        If train and test share a sentence or differ in classes, or nothing is left.
    TypeError
        If the data are not PairedSentences.
    """
    train, test = _check_data(data, caller=caller)
    complete = test.complete_groups()
    excluded = {"rows of sentences without all forms": len(test) - sum(map(len, complete.values()))}
    encoded = words.encode(test.sentences)
    kept: list[int] = []
    for rows in complete.values():
        if problem := _problem(test, rows, encoded):
            name = f"rows of sentences {problem}"
            excluded[name] = excluded.get(name, 0) + len(rows)
        else:
            kept += rows
    excluded = {reason: count for reason, count in excluded.items() if count}
    if not kept:
        raise ValueError(f"The test data of {caller} must hold a sentence that can be scored. Left out: {excluded}.")
    test_rows = test.take(kept)
    if n_sentences is not None:
        n = check_count(n_sentences, name="n_sentences", caller=caller)
        test_rows = test_rows.sample(n) if n < len(set(test_rows.groups)) else test_rows
    return train, TestSet.of(test_rows), excluded


def _check_data(data: Any, *, caller: str) -> tuple[PairedSentences, PairedSentences]:
    if not isinstance(data, tuple | list) or len(data) != 2 or not all(isinstance(d, PairedSentences) for d in data):
        raise TypeError(
            f"The 'data' of {caller} must be training and test data, two PairedSentences. Got {type(data).__name__}."
        )
    train, test = data
    if train.classes != test.classes:
        raise ValueError(
            f"Training and test data of {caller} must have the same classes. Got {train.classes} and {test.classes}."
        )
    if len(set(train.labels)) < len(train.classes):
        raise ValueError(
            f"The training data of {caller} must have rows of every class of {train.classes}. Got rows of "
            f"{len(set(train.labels))} only."
        )
    if shared := set(train.sentences) & set(test.sentences):
        raise ValueError(
            f"Training and test data of {caller} must not share sentences. {len(shared)} of the test data are in the "
            f"training data (first: {' '.join(sorted(shared)[0])!r:.60})."
        )
    return train, test


def _problem(test: PairedSentences, rows: tuple[int, ...], encoded: list[EncodedWords]) -> str:
    """Say why a sentence can't be scored, if it can't."""
    marks = [test.ground_truth[row] for row in rows]
    if not all(any(of_row) for of_row in marks):
        return "without ground truth"
    if any(all(of_row) for of_row in marks):
        return "whose words are all ground truth"
    if len({len(test.sentences[row]) for row in rows[:2]}) > 1:
        return "whose forms differ in length"
    return "that are too long for the model" if any(encoded[row].truncated for row in rows) else ""


def digest(data: PairedSentences) -> str:
    """Return a fingerprint of all that numbers depend on."""
    parts = repr((data.sentences, data.ground_truth, data.labels, data.groups, data.classes))
    return hashlib.sha256(parts.encode("utf-8", "surrogatepass")).hexdigest()
