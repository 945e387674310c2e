"""A page: what a result's page function returns or, without one, all numbers of the result."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from xembed._core.schemas import class_of
from xembed.reports._blocks import Block, Card, Cards, Column, Data, Line, Prose, Section, Span, Table
from xembed.reports._format import cut, number
from xembed.reports._numbers import Number, numbers_of
from xembed.reports._text import plain

_ROWS = 200  # of a table
_NAME = 120  # characters of what a row is called
_LONGEST = 500  # characters of a parameter


@dataclass(frozen=True)
class Finding:
    """What was found, in a few words; its sign is by default a full circle if there is something, else an empty one."""

    words: str
    found: bool = False
    sign: str = ""

    @property
    def mark(self) -> str:
        """Return the sign."""
        return self.sign or ("●" if self.found else "○")


@dataclass(frozen=True)
class Page:
    """What a page says of one result.

    ``names`` are the heading of a page about two corpora, otherwise ``title`` is. ``cards`` are the numbers to see
    first, ``caveats`` what to know before relying on them. ``methods`` say what was done: paragraphs made by `method`,
    and other blocks; the works that they and ``cites`` name are listed below. How the result was made is added by the
    kit, which knows all of it but ``sizes``.
    """

    title: str
    kind: str
    finding: Finding
    verdict: str
    blocks: Sequence[Block]
    names: tuple[str, ...] | None = None
    cards: Sequence[Card] = ()
    caveats: Sequence[Line] = ()
    methods: Sequence[Block] = ()
    cites: Sequence[str] = ()
    sizes: str | None = None
    provenance: Sequence[tuple[str, str]] = ()

    @property
    def heading(self) -> list[str | Span]:
        """Return the names or the title as pieces of a line."""
        if self.names is None:
            return [Span(self.title, "name")]
        return [Span(self.names[0], "name"), " and ", Span(self.names[1], "name")]

    @property
    def numbers(self) -> Cards:
        """Return the cards as a block."""
        return Cards(self.cards)

    @property
    def parts(self) -> list[Part]:
        """Return the results of a combined page."""
        return [block for block in self.blocks if isinstance(block, Part)]

    @property
    def works(self) -> list[str]:
        """Return the keys of all works that the page cites, each once."""
        cited = [key for block in self.methods if isinstance(block, Prose) for key in block.cites]
        return list(dict.fromkeys([*cited, *self.cites]))

    @property
    def contents(self) -> list[tuple[str, str]]:
        """Return the sections of the page: ids and names."""
        entries = [entry for block in self.blocks for entry in block.entries()]
        return [*entries, ("method", "Methods")] if self.methods else entries


@dataclass(frozen=True)
class Part(Block):
    """A page as a part of a combined one."""

    page: Page
    number: int


@dataclass(frozen=True)
class Contents(Block):
    """The contents of a combined page."""

    parts: Sequence[Part]


def provenance_rows(data: Data, sizes: str | None) -> list[tuple[str, str]]:
    """Return how a result was made, rows without a value left out."""
    made = data.get("provenance")
    if made is None:
        return []
    package = ".".join(str(data["schema"]).split(".")[:2]) if data["schema"].count(".") == 2 else "xembed.reports"
    rows = [
        ("Command", made.get("command")),
        ("Date", made.get("created")),
        ("Function", f"{package}.{made['function']}"),
        ("Parameters", ", ".join(f"{key}={cut(repr(value), _LONGEST)}" for key, value in made["parameters"].items())),
        ("Sizes", sizes),
    ]
    encoder: Mapping[str, Any] = data.get("encoder") or {}
    rows += [(f"Encoder: {key}", cut(str(value), _LONGEST)) for key, value in encoder.items() if value is not None]
    rows.append(("Versions", ", ".join(f"{key} {value}" for key, value in made["versions"].items())))
    return [(key, value) for key, value in rows if value]


def page_of(data: Data) -> Page:
    """Return the page of one result: that which its class names or, without one, its numbers."""
    kind = class_of(data, "A page")
    if kind.page is None:
        page = plain_page(data, kind.__name__, (kind.__doc__ or "").partition("\n")[0])
    else:
        module, function = kind.page.split(":")
        make: Callable[[Data], Page] = getattr(importlib.import_module(module), function)
        try:
            page = make(data)
        except (LookupError, TypeError, AttributeError, ArithmeticError, ValueError) as error:
            raise ValueError(
                f"The page of {data['schema']!r} can't be made: its fields do not belong together "
                f"({type(error).__name__}: {ascii(str(error))[:100]}). Is the file as xembed wrote it?"
            ) from error
    return replace(page, provenance=provenance_rows(data, page.sizes))


def plain_page(data: Data, name: str, summary: str) -> Page:
    """Return the page of a result of the class ``name``, which ``summary`` says what it is."""
    tables: dict[str, dict[str, dict[str, Number]]] = {}
    for (table, row, field), value in numbers_of(data).items():
        tables.setdefault(table, {}).setdefault(row, {})[field] = value
    own = tables.pop("", {}).get("", {})
    blocks: list[Block] = []
    if own:
        rows = [[field, number(one.value), _bounds(one)] for field, one in own.items()]
        columns = [Column("Number"), Column("Value", "number"), Column("Interval", "number")]
        blocks.append(Section("numbers", "Numbers", [Table(columns, rows, "Numbers")]))
    blocks += [_table(place, title, rows) for place, (title, rows) in enumerate(tables.items())]
    title = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).capitalize()
    return Page(
        title=plain(str(data.get("name") or title)),
        kind=title.lower(),
        finding=Finding(""),
        verdict=data.get("verdict") or summary,
        blocks=blocks,
        caveats=[*data.get("warnings", ()), *data.get("notes", ())],
    )


def _table(place: int, title: str, rows: dict[str, dict[str, Number]]) -> Section:
    fields = list(dict.fromkeys(field for row in rows.values() for field in row))
    body = [
        [cut(next(iter(row.values())).label, _NAME), *(_cell(row.get(field)) for field in fields)]
        for row in list(rows.values())[:_ROWS]
    ]
    heading = f"{title[0].upper()}{title[1:]}"
    blocks: list[Block] = [Table([Column("Row"), *(Column(field, "number") for field in fields)], body, heading)]
    if len(rows) > _ROWS:
        blocks.append(Prose(f"The first {_ROWS} of {len(rows):,} rows; all are in the .json file.", "quiet"))
    return Section(f"table-{place}", heading, blocks)


def _cell(one: Number | None) -> str:
    if one is None:
        return "–"
    return number(one.value) + (f" ({_bounds(one)})" if one.interval else "")


def _bounds(one: Number) -> str:
    return f"{number(one.interval[0])} to {number(one.interval[1])}" if one.interval else ""
