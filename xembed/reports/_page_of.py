"""From the plain data of a result to its page: that of its class or, without one, its numbers."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable
from dataclasses import replace

from xembed._core.schemas import class_of
from xembed.reports._blocks import Block, Column, Data, Prose, Section, Table
from xembed.reports._format import cut, number
from xembed.reports._numbers import Number, numbers_of
from xembed.reports._page import Finding, Page, provenance_rows
from xembed.reports._text import plain

_ROWS = 200  # of a table
_NAME = 120  # characters of what a row is called


def page_of(data: Data) -> Page:
    """Return the page of one result: that which its class names or, without one, its numbers."""
    kind = class_of(data, "A page")
    if kind.page is None:
        page = plain_page(data, kind.__name__, (kind.__doc__ or "").partition("\n")[0])
    else:
        module, function = kind.page.split(":")
        make: Callable[[Data], Page] = getattr(importlib.import_module(module), function)
        page = make(data)
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
