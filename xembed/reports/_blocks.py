"""What a page is made of: blocks, whose fields say what each of them needs.

A block of the class ``Table`` is shown by the template ``blocks/table.html.j2``, and so on. Blocks hold plain data and
know nothing of analyses. Texts of users may stand in every string: templates escape them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Literal, TypeAlias

Data: TypeAlias = Mapping[str, Any]
Style = Literal[
    "strong", "name", "quiet", "small", "nobreak", "code", "f", "g", "boxed", "plus", "minus", "spoken", "status",
    "status found", "badge", "badge f", "badge g", "badge quiet", "badge found", "caution",
]  # fmt: skip


@dataclass(frozen=True)
class Span:
    """A piece of a line: its style ('name' is text of a user in a sentence of ours), and the id that it leads to."""

    text: str
    style: Style | None = None
    to: str = ""


Line: TypeAlias = str | Span | Sequence[str | Span]


def line(*pieces: str | Span) -> Line:
    """Return a line made of pieces."""
    return pieces


def strong(text: str) -> Span:
    """Return a text in bold type."""
    return Span(text, "strong")


def name(text: str) -> Span:
    """Return a user's name for something, kept apart from the direction of the sentence around it."""
    return Span(text, "name")


def quiet(text: str) -> Span:
    """Return a text in small gray type."""
    return Span(text, "quiet")


def status(found: bool, words: str = "", sign: str | None = None) -> Span:
    """Return whether something was found, as a sign with words: neither a tick nor an alarm."""
    sign = ("●" if found else "○") if sign is None else sign
    return Span(f"{sign} {words}".strip(), "status found" if found else "status")


def plain_text(line: Line) -> str:
    """Return the characters of a line."""
    if isinstance(line, str):
        return line
    return line.text if isinstance(line, Span) else "".join(map(plain_text, line))


class Block:
    """Base of all blocks."""

    def entries(self) -> list[tuple[str, str]]:
        """Return what a list of contents says of the block: pairs of an id and a name."""
        return []


# ---- text


@dataclass(frozen=True)
class Prose(Block):
    """A paragraph. 'alert' is a remark that no one may miss, 'note' one beside the text."""

    text: Line
    tone: Literal["", "quiet", "note", "note alert"] = ""
    cites: tuple[str, ...] = ()  # keys of references.bib


@dataclass(frozen=True)
class Bullets(Block):
    """A list of sentences, numbered or not."""

    lines: Sequence[Line]
    numbered: bool = False


@dataclass(frozen=True)
class Definitions(Block):
    """Terms with what they mean."""

    items: Sequence[tuple[Line, Line]]


# ---- numbers


@dataclass(frozen=True)
class Card:
    """A number to see first: ``found`` marks it, ``more`` stands below the note in small print."""

    label: Line
    value: Line
    note: Line = ""
    more: Line = ""
    found: bool = False


def interval_card(label: str, value: str, ends: str | None, what: str = "") -> Card:
    """Return a number with the ends of its interval, after ``what`` it is."""
    note = f"interval {ends}" if ends else "no interval"
    return Card(label, value, f"{what}; {note}" if what else note)


@dataclass(frozen=True)
class Cards(Block):
    """Numbers side by side."""

    cards: Sequence[Card]


@dataclass(frozen=True)
class Dumbbell(Block):
    """Two shares on one scale from 0 to ``most``: a dot for F, a diamond for G."""

    f: float
    g: float
    most: float = 1.0


@dataclass(frozen=True)
class Whisker(Block):
    """A number with its interval, from -1 to 1."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Quantiles(Block):
    """Five quantiles between 0 and 1, and what chance gives."""

    values: Sequence[float]
    chance: float | None = None


@dataclass(frozen=True)
class Bar(Block):
    """A share, from 0 to 1, as a bar above a text."""

    share: float


@dataclass(frozen=True)
class Button(Block):
    """A button that scripts show: ``attributes`` are its data, such as the region whose texts it shows."""

    text: str
    attributes: Mapping[str, str]
    kind: Literal["", "look"] = ""


@dataclass(frozen=True)
class Cell:
    """A cell of a table. Where nothing but a text stands in a cell, the text itself will do.

    ``sure`` marks a number as clear (in bold, and ✓ unless ``mark`` gives another sign and what it means), ``shade``
    (0 to 1) or ``tone`` with it colors the cell, ``note`` stands below in small print, ``span`` counts columns.
    """

    text: Line = ""
    note: Line = ""
    graphic: Dumbbell | Whisker | Quantiles | Bar | None = None
    sure: bool = False
    mark: tuple[str, str] | None = None
    shade: float | None = None
    tone: Literal["", "pos", "neg"] = ""
    span: int = 1
    button: Button | None = None


def estimate(value: str, ends: str | None, *, graphic: Whisker | None = None, sure: bool = False) -> Cell:
    """Return a number with the ends of its interval, if it has one, below it."""
    return Cell(value, Span(f"({ends})", "nobreak") if ends else "", graphic=graphic, sure=sure)


@dataclass(frozen=True)
class Column:
    """A column: numbers stand at its right; texts of users are ``text``. ``name`` is a short label for narrow pages."""

    label: Line
    kind: Literal["", "number", "text"] = ""
    name: str = ""

    @property
    def short(self) -> str:
        """Return the label where each cell carries its own."""
        words = plain_text(self.label)
        return self.name or (words if words[:2].isupper() else words[:1].lower() + words[1:])


@dataclass(frozen=True)
class Row:
    """A row of a table with what belongs to it alone: ``details`` to open below it, and how it is told from others."""

    cells: Sequence[Cell | Line]
    details: Sequence[Block] = ()
    summary: str = ""
    kind: Literal["", "chosen", "oracle", "chance"] = ""


@dataclass(frozen=True)
class Table(Block):
    """A table: sorted, searched and saved by scripts, whole without them.

    On a narrow page the rows of a ``stack`` become lines with labels, and a ``scroll`` is moved sideways. ``title`` is
    shown; without one ``label`` says what the table is called for screen readers and files. The first cell of a row
    names it unless ``headed`` is false.
    """

    columns: Sequence[Column | Line]
    rows: Sequence[Row | Sequence[Cell | Line]]
    label: str = ""
    title: Line = ""
    note: Line = ""
    layout: Literal["scroll", "stack"] = "scroll"
    headed: bool = True
    kind: Literal["", "texts", "terms", "matrix", "how", "summary", "grid"] = ""

    @property
    def heads(self) -> list[Column]:
        """Return the columns, those given by their label alone as well."""
        return [column if isinstance(column, Column) else Column(column) for column in self.columns]

    @property
    def lines(self) -> list[tuple[Row, list[tuple[Cell, Column]]]]:
        """Return the rows, and their cells with the column that each is in or begins in."""
        heads, lines = self.heads, []
        for given in self.rows:
            row = given if isinstance(given, Row) else Row(given)
            cells = [cell if isinstance(cell, Cell) else Cell(cell) for cell in row.cells]
            places = accumulate((cell.span for cell in cells[:-1]), initial=0)
            lines.append((row, [(cell, heads[place]) for cell, place in zip(cells, places, strict=True)]))
        return lines


def number_columns(labels: Sequence[Line]) -> list[Column]:
    """Return a first column of names, and columns of numbers."""
    return [Column(label, "number" if place else "") for place, label in enumerate(labels)]


@dataclass(frozen=True)
class Figure(Block):
    """A figure: ``spec`` is that of plotly (`to_script`), ``table`` its numbers.

    'square' and 'small' figures stand two in a row, 'wide' and 'tall' ones alone. ``sampled`` says what is left out.
    The dots of a ``linked`` one are texts of the page's `TextTable`.
    """

    id: str
    title: Line
    caption: str
    spec: str
    size: Literal["square", "small", "wide", "tall"] = "square"
    sampled: str = ""
    linked: bool = False
    table: Table | None = None


# ---- layout


@dataclass(frozen=True)
class Columns(Block):
    """Blocks two in a row where the page is wide enough."""

    blocks: Sequence[Block]


@dataclass(frozen=True)
class Panel(Block):
    """Blocks in a box with a heading of their own."""

    title: Line
    blocks: Sequence[Block]


@dataclass(frozen=True)
class Fold(Block):
    """Blocks to open."""

    summary: str
    blocks: Sequence[Block]


@dataclass(frozen=True)
class Section(Block):
    """Blocks under a heading, which the list of contents calls ``nav``."""

    id: str
    title: Line
    blocks: Sequence[Block]
    nav: str = ""

    def entries(self) -> list[tuple[str, str]]:
        """Return the section."""
        return [(self.id, self.nav or plain_text(self.title))]


@dataclass(frozen=True)
class Heading(Block):
    """A heading within a section."""

    title: Line


@dataclass(frozen=True)
class TextTable(Block):
    """All texts of a page: a table that scripts fill, search, sort and link to figures.

    ``data`` are its columns, packed; ``numbers`` those of numbers (a key, a label, what it means), ``last`` the heading
    of the last column, if there is one, ``texts`` those of short texts (a key, a label).
    """

    data: str
    numbers: Sequence[tuple[str, Line, str]]
    last: str
    note: Line
    texts: Sequence[tuple[str, Line]] = ()
