"""Texts whose words carry numbers: one, many to open, and several aligned word by word."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from xembed.reports._blocks import Block, Line, Span, Table, number_columns
from xembed.reports._format import cut
from xembed.reports._text import direction, pack, plain

_WORD = 60  # characters of a word
_WORDS = 400  # words of a text; the others are in the .json file
_LINE, _TEXT = 200, 600  # characters of a text where it is a line to click, and where it is read
# Without scripts: texts that are there, and words of them in all.
_STATIC_TEXTS, _STATIC_WORDS = 50, 1500
_FAINT = 0.05  # share of the largest below which a word gets no sign


@dataclass(frozen=True)
class Chip:
    """A word with its number: written, as a share of the largest, and the sign beside the word."""

    word: str
    value: str
    share: str
    tone: str
    sign: str
    boxed: bool


def signed(value: float | None) -> str:
    """Write an attribution with its sign."""
    return "–" if value is None else "0" if value == 0 else f"{value:+.3g}".replace("-", "−")


def chip(word: str, value: float, most: float, *, boxed: bool = False, has_signs: bool = True) -> Chip:
    """Return a word whose color is as deep as its number is large beside ``most``."""
    share = abs(value) / most if most > 0 else 0.0
    return Chip(
        word=cut(word, _WORD),
        value=signed(value) if has_signs else signed(value).lstrip("+"),
        share=f"{share:.2f}",
        tone="pos" if value > 0 else "neg" if value < 0 else "",
        sign="" if share < _FAINT or not has_signs else "+" if value > 0 else "−",
        boxed=boxed,
    )


def largest(values: Sequence[float]) -> float:
    """Return the largest size of the numbers, 0 for none."""
    return max((abs(float(value)) for value in values), default=0.0)


def legend(plus: str, minus: str, *, has_signs: bool = True) -> list[str | Span]:
    """Return the pieces of a line that says what the colors of words mean."""
    if not has_signs:
        return [
            "The method has no signs: the deeper the ", Span("orange", "plus"),
            ", the more a word counts, in either direction",
        ]  # fmt: skip
    return [
        Span("orange", "plus"), f" {plus}, ", Span("blue", "minus"),
        f" {minus}. The deeper the color, the larger the number",
    ]  # fmt: skip


@dataclass(frozen=True)
class Words(Block):
    """A text as colored words, and its numbers to open; ``most`` is the value with the deepest color."""

    words: Sequence[str]
    values: Sequence[float]
    title: Line = ""
    note: str = ""
    label: str = ""  # of the table of numbers, where there is no title
    has_signs: bool = True
    boxed: Sequence[bool] | None = None
    most: float | None = None

    @property
    def chips(self) -> list[Chip]:
        """Return the words to be shown."""
        most = largest(self.values) if self.most is None else self.most
        marks = [False] * len(self.words) if self.boxed is None else self.boxed
        found = list(zip(self.words, self.values, marks, strict=True))[:_WORDS]
        return [
            chip(word, float(value), most, boxed=bool(mark), has_signs=self.has_signs) for word, value, mark in found
        ]

    @property
    def more(self) -> int:
        """Return how many words are left out."""
        return max(len(self.words) - _WORDS, 0)

    @property
    def dir(self) -> str:
        """Return the direction of the text."""
        return direction(self.words)

    @property
    def table(self) -> Table:
        """Return the numbers."""
        rows = [[f"{one.word}{' ▣' if one.boxed else ''}", one.value] for one in self.chips]
        return Table(number_columns(["Word", "Attribution"]), rows, label=self.label)


@dataclass(frozen=True)
class WordItem:
    """A text to open: its words, what is known of it, numbers to sort by, and a text to read beside it."""

    row: int
    words: Sequence[str]
    values: Sequence[float]
    facts: Sequence[tuple[str, str]]  # a label, and a number as it is written
    keys: Mapping[str, float]
    text: str = ""  # the line to click; by default the words
    notes: Sequence[str] = ()
    near: tuple[str, str] | None = None  # the text, and what is said of it

    @property
    def line(self) -> str:
        """Return the line to click."""
        return cut(self.text or " ".join(self.words), _LINE)

    @property
    def beside(self) -> tuple[str, str] | None:
        """Return the text to read beside it, cut."""
        return None if self.near is None else (cut(self.near[0], _TEXT), self.near[1])


@dataclass(frozen=True)
class WordList(Block):
    """Texts to open, packed for the script, the first ones as they are.

    ``orders`` are what the texts can be sorted by (a key, a label, whether it descends), the first as they are now;
    ``plus`` and ``minus`` say what the colors mean, ``beside`` what the texts beside are.
    """

    items: Sequence[WordItem]
    orders: Sequence[tuple[str, str, bool]]
    plus: str
    minus: str
    has_signs: bool = True
    beside: str = ""

    @property
    def legend(self) -> Line:
        """Return what the colors mean."""
        colors = legend(self.plus, self.minus, has_signs=self.has_signs)
        return ["Open a text to see its words. ", *colors, ", within each text. Point at a word for its number."]

    @property
    def static(self) -> list[tuple[WordItem, Words]]:
        """Return the texts that are there without scripts."""
        found: list[tuple[WordItem, Words]] = []
        total = 0
        for item in self.items[:_STATIC_TEXTS]:
            total += min(len(item.words), _WORDS)
            if found and total > _STATIC_WORDS:
                break
            words = Words(item.words, item.values, label=f"Words of row {item.row}", has_signs=self.has_signs)
            found.append((item, words))
        return found

    @property
    def data(self) -> str:
        """Return all texts for the script."""
        items = [
            {"row": item.row, "line": item.line, "facts": item.facts, "notes": item.notes}
            | {"near": item.beside, "keys": item.keys}
            | packed_words(item.words, item.values)
            for item in self.items
        ]
        orders = [{"key": key, "down": down} for key, _, down in self.orders]
        return pack({"orders": orders, "signs": self.has_signs, "beside": self.beside, "items": items})


def packed_words(words: Sequence[str], values: Sequence[float]) -> dict[str, Any]:
    """Return a text as words for the script."""
    return {
        "words": [cut(word, _WORD) for word in words[:_WORDS]],
        "values": [float(f"{value:.3g}") for value in values[:_WORDS]],  # as many digits as are shown
        "more": max(len(words) - _WORDS, 0),
        "dir": direction(words),
    }


@dataclass(frozen=True)
class Aligned(Block):
    """Words in columns, for texts that differ in some of them; ``written`` shows each number below its word."""

    columns: Sequence[Sequence[Chip]]
    written: bool = False


@dataclass(frozen=True)
class Inspector(Block):
    """Sentences to choose from, packed for the script; ``views`` are the first ones for pages without scripts."""

    data: str
    views: Sequence[Block]
    n: int


def named(words: Sequence[str], values: Sequence[float], *, most: int = 3, lowest: bool = False) -> list[str]:
    """Return the words with the largest values, in quotes; those with the lowest, if below 0, for ``lowest``."""
    array = -np.asarray(values, dtype=float) if lowest else np.asarray(values, dtype=float)
    floor = 0.1 * np.abs(array).max(initial=0.0)
    order = np.argsort(-array, kind="stable")
    found = [f"“{plain(words[i], 40)}”" for i in order if array[i] > floor and any(c.isalnum() for c in words[i])]
    return list(dict.fromkeys(found))[:most]
