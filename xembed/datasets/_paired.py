"""Sentences in two or more forms that differ only in marked words: the data of an attribution benchmark."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from xembed._core.validation import RNG, is_name, quote_options
from xembed.datasets._draw import draw


@dataclass(frozen=True, repr=False)
class PairedSentences:
    """Sentences in two or more forms; the words in which the forms differ are the ground truth.

    Attributes
    ----------
    name : str
        Name of the data in results.
    sentences : tuple of tuple of str
        Words of each row, none of them blank.
    ground_truth : tuple of tuple of bool
        Marks of the words in which the forms of a sentence differ; one mark a word.
    labels : tuple of int
        Form of each row: its place in ``classes``.
    groups : tuple of int
        Number of each row's sentence: rows with the same number are forms of one sentence.
    classes : tuple of str
        Names of the forms, such as ``('female', 'male')``.
    defects : mapping of str to int
        Counts of what was wrong on reading, by what became of it.

    Raises
    ------
    TypeError, ValueError
        If there is no row, lengths differ, a word is no string or blank, a label has no class, or a group holds a form
        twice.

    Examples
    --------
    >>> from xembed.datasets import PairedSentences
    >>> pairs = PairedSentences(
    ...     name="mine",
    ...     sentences=[["She", "sings", "."], ["He", "sings", "."]],
    ...     ground_truth=[[1, 0, 0], [1, 0, 0]],
    ...     labels=[0, 1],
    ...     groups=[7, 7],
    ...     classes=("female", "male"),
    ... )
    >>> pairs.texts[1], pairs.complete_groups()
    ('He sings .', {7: (0, 1)})
    """

    name: str
    sentences: tuple[tuple[str, ...], ...]
    ground_truth: tuple[tuple[bool, ...], ...]
    labels: tuple[int, ...]
    groups: tuple[int, ...]
    classes: tuple[str, ...]
    defects: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not is_name(self.name):
            raise ValueError(f"The 'name' of PairedSentences must be a name. Got {self.name!r} instead.")
        rows = {
            "sentences": tuple(map(tuple, self.sentences)),
            "ground_truth": tuple(tuple(map(bool, marks)) for marks in self.ground_truth),
            "labels": tuple(map(int, self.labels)),
            "groups": tuple(map(int, self.groups)),
        }
        lengths = {name: len(values) for name, values in rows.items()}
        if len(set(lengths.values())) > 1 or not lengths["sentences"]:
            raise ValueError(f"The parts of PairedSentences must have one item a row, and a row. Got {lengths} items.")
        for name, values in (rows | {"classes": tuple(self.classes)}).items():
            object.__setattr__(self, name, values)  # the way a frozen dataclass sets its own fields
        if len(self.classes) < 2 or len(set(self.classes)) < len(self.classes):
            raise ValueError(
                f"The 'classes' of PairedSentences must be two or more different names. Got {self.classes!r}."
            )
        self._check_rows()

    def _check_rows(self) -> None:
        seen: set[tuple[int, int]] = set()
        for row, (words, marks, label, group) in enumerate(
            zip(self.sentences, self.ground_truth, self.labels, self.groups, strict=True)
        ):
            wrong = [word for word in words if not isinstance(word, str)]
            if wrong or isinstance(self.sentences[row], str):
                raise TypeError(f"Row {row} of {self.name!r} must be a list of words. Got {wrong[:1]!r} among them.")
            if not words or any(not word.strip() for word in words):
                raise ValueError(f"Row {row} of {self.name!r} must be words, none of them blank. Got {words!r:.80}.")
            if len(marks) != len(words):
                raise ValueError(
                    f"Row {row} of {self.name!r} must have a mark of ground truth for each of its {len(words)} words. "
                    f"Got {len(marks)} marks."
                )
            if not 0 <= label < len(self.classes):
                raise ValueError(
                    f"Row {row} of {self.name!r} must have a label from 0 to {len(self.classes) - 1}, "
                    f"one for each of {self.classes}. Got {label}."
                )
            if (group, label) in seen:
                raise ValueError(f"Group {group} of {self.name!r} holds the form {self.classes[label]!r} twice.")
            seen.add((group, label))

    @property
    def texts(self) -> tuple[str, ...]:
        """The rows, words joined by blanks."""
        return tuple(" ".join(words) for words in self.sentences)

    def complete_groups(self) -> dict[int, tuple[int, ...]]:
        """Return, for each group that has every form, its rows in the order of ``classes``."""
        rows: dict[int, dict[int, int]] = {}
        for row, (group, label) in enumerate(zip(self.groups, self.labels, strict=True)):
            rows.setdefault(group, {})[label] = row
        n = len(self.classes)
        return {group: tuple(of_form[i] for i in range(n)) for group, of_form in rows.items() if len(of_form) == n}

    def take(self, rows: Sequence[int] | npt.NDArray[np.integer[Any]]) -> PairedSentences:
        """Return these rows, in this order."""
        return dataclasses.replace(
            self,
            sentences=tuple(self.sentences[i] for i in rows),
            ground_truth=tuple(self.ground_truth[i] for i in rows),
            labels=tuple(self.labels[i] for i in rows),
            groups=tuple(self.groups[i] for i in rows),
        )

    def where(self, form: str) -> PairedSentences:
        """Return the rows of one form, such as 'female'; a ValueError lists the forms that there are."""
        if form not in self.classes:
            raise ValueError(f"The form must be one of {quote_options(self.classes)}. Got {form!r} instead.")
        label = self.classes.index(form)
        return self.take([row for row, of_row in enumerate(self.labels) if of_row == label])

    def sample(self, n_groups: int, rng: RNG = None) -> PairedSentences:
        """Return all rows of ``n_groups`` random groups (at most all), in their order; ``rng=None`` is seed 0."""
        return self.take(self._draw(n_groups, rng, caller="PairedSentences.sample")[0])

    def split(self, n_groups: int, rng: RNG = None) -> tuple[PairedSentences, PairedSentences]:
        """Return the rows of all groups but ``n_groups`` random ones, and the rows of those: no sentence is in both."""
        drawn, rest = self._draw(n_groups, rng, caller="PairedSentences.split")
        if not rest:
            raise ValueError(
                f"The 'n_groups' of PairedSentences.split must leave a group. Got {n_groups}, all of them."
            )
        return self.take(rest), self.take(drawn)

    def _draw(self, n_groups: int, rng: RNG, *, caller: str) -> tuple[list[int], list[int]]:
        """Return the rows of random groups, and all others."""
        groups = list(dict.fromkeys(self.groups))
        places, _ = draw(n_groups, len(groups), rng, of="groups", caller=caller, name="n_groups")
        drawn = {groups[i] for i in places}
        rows = range(len(self))
        return [i for i in rows if self.groups[i] in drawn], [i for i in rows if self.groups[i] not in drawn]

    def __len__(self) -> int:
        return len(self.sentences)

    def __repr__(self) -> str:
        groups = len(set(self.groups))
        return f"PairedSentences({self.name!r}: {len(self)} rows of {groups} sentences, {' / '.join(self.classes)})"


class PairedRows(NamedTuple):
    """Rows of sentences that have both of two forms."""

    forms: tuple[str, str]
    groups: npt.NDArray[np.int64]
    first: npt.NDArray[np.int64]
    second: npt.NDArray[np.int64]
    n_unpaired: int


def paired_rows(data: PairedSentences, forms: Sequence[str] | None, *, caller: str, least: int = 2) -> PairedRows:
    """Return the rows of the sentences that have both forms, at least ``least`` of them."""
    names = tuple(data.classes[:2] if forms is None else forms)
    if isinstance(forms, str) or len(names) != 2 or not set(names) <= set(data.classes) or names[0] == names[1]:
        raise ValueError(
            f"The 'forms' parameter of {caller} must be two of {quote_options(data.classes)}. Got {forms!r} instead."
        )
    labels = [data.classes.index(name) for name in names]
    rows_of: dict[int, dict[int, int]] = {}
    for row, (group, label) in enumerate(zip(data.groups, data.labels, strict=True)):
        if label in labels:
            rows_of.setdefault(group, {})[label] = row
    both = {group: rows for group, rows in rows_of.items() if len(rows) == 2}
    if len(both) < least:
        raise ValueError(
            f"The data of {caller} must hold at least {least} sentences in both forms {names}. Got {len(both)}."
        )
    return PairedRows(
        forms=(names[0], names[1]),
        groups=np.array(list(both), np.int64),
        first=np.array([rows[labels[0]] for rows in both.values()], np.int64),
        second=np.array([rows[labels[1]] for rows in both.values()], np.int64),
        n_unpaired=len(rows_of) - len(both),
    )
