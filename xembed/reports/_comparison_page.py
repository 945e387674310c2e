"""The page that shows two results of one kind beside each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from xembed.reports._common import card, page_context
from xembed.reports._format import bounds, count, cut, number
from xembed.reports._geco_figures import cell, grid

Data = Mapping[str, Any]
_ROWS = 200  # of a table on the page
_OPEN = 30  # rows that a table shows without being asked
_NAME, _VALUE = 120, 300  # characters of a row's name, and of a setting


def comparison_context(data: Data) -> dict[str, Any]:
    """Return what the page of a comparison needs."""
    old, new = data["old"], data["new"]
    same = old["finding"] == new["finding"]
    own = [row for row in data["numbers"] if not row["table"]]
    tables: dict[str, list[Data]] = {}
    for row in data["numbers"]:
        if row["table"]:
            tables.setdefault(row["table"], []).append(row)
    sections = [_verdicts(old, new), _changed(data["changed"])]
    if own:
        note = _LEGEND if data["n_with_intervals"] else ""
        sections.append(_grids("numbers", "Numbers", "Numbers of the results", note, [_own_grid(own)]))
    if tables:
        sections.append(_tables(tables))
    sections.append(_made(data))
    title = new["title"] if old["title"] == new["title"] else f"{old['title']} → {new['title']}"
    return page_context(
        data,
        template="comparison.html.j2",
        kind=f"two runs compared: {data['kind']}",
        title=title,
        chip=(not same, "same finding" if same else "finding changed", "=" if same else "≠"),
        verdict=" ".join(data["changed"][:3]),
        cards=[
            card(
                "Numbers that differ",
                f"{data['n_different']:,}",
                f"of {data['n_numbers']:,} that both have, times left out",
            ),
            card(
                "Beyond their intervals",
                f"{data['n_beyond']:,}" if data["n_with_intervals"] else "–",
                f"of {data['n_with_intervals']:,} with intervals"
                if data["n_with_intervals"]
                else "there are no intervals",
            ),
            card("Settings that differ", f"{data['n_settings']:,}", "parameters, options, encoder, names"),
        ],
        sections=sections,
        sizes=count(data["n_numbers"], "number"),
        package="xembed.reports",
    )


_LEGEND = "✓ and bold: the two intervals, in small print, do not overlap."


def _grids(id_: str, nav: str, title: str, note: str, grids: Sequence[Data]) -> dict[str, Any]:
    return {"kind": "grids", "id": id_, "nav": nav, "title": title, "note": note, "grids": list(grids)}


def _verdicts(old: Data, new: Data) -> dict[str, Any]:
    steps = [(name, f"{side['finding']}. {side['verdict']}") for name, side in (("Old", old), ("New", new))]
    return {
        "kind": "protocol",
        "id": "verdicts",
        "nav": "Verdicts",
        "title": "Both verdicts",
        "alert": None,
        "steps": steps,
    }


def _changed(sentences: Sequence[str]) -> dict[str, Any]:
    blocks = [("In words", sentences)]
    return {"kind": "findings", "id": "changed", "nav": "What changed", "title": "What changed", "blocks": blocks}


def _line(label: str, cells: Sequence[Data], badge: str = "") -> dict[str, Any]:
    return {"label": cut(label, _NAME), "badge": badge, "note": "", "kind": "", "cells": list(cells)}


def _own_grid(rows: Sequence[Data]) -> dict[str, Any]:
    lines = []
    for row in rows:
        cells = [cell(number(row[side]), _bounds(row[f"{side}_interval"])) for side in ("old", "new")]
        cells.append(_difference(row))
        lines.append(_line(row["name"], cells))
    return grid("", ["Number", "Old", "New", "Difference"], lines)


def _difference(row: Data) -> dict[str, Any]:
    text = "–" if row["difference"] is None else "=" if row["difference"] == 0 else _signed(row["difference"])
    return cell(text, **_mark(row))


def _mark(row: Data) -> dict[str, Any]:
    return {"sure": True, "mark": "✓", "hear": "changed by more than the intervals"} if row["beyond"] else {}


def _signed(value: float) -> str:
    return f"{'+' if value > 0 else '−'}{number(abs(value))}"


def _bounds(interval: Sequence[float] | None) -> str:
    return (bounds(*interval) or "") if interval else ""


def _tables(tables: Mapping[str, Sequence[Data]]) -> dict[str, Any]:
    changed = {name: rows for name, rows in tables.items() if any(map(_moved, rows))}
    same = [
        f"{name} ({count(len({one['row'] for one in rows}), 'row')})"
        for name, rows in tables.items()
        if name not in changed
    ]
    said = [f"Old → new. {_LEGEND}"] if changed else []
    said += [f"The same in every number: {', '.join(same)}."] if same else []
    grids = [_table_grid(name, rows) for name, rows in changed.items()]
    return _grids("tables", "Tables", "Tables side by side", " ".join(said), grids)


def _table_grid(name: str, numbers: Sequence[Data]) -> dict[str, Any]:
    """Return a table: a line a row, a column a number in which anything differs."""
    rows: dict[str, dict[str, Data]] = {}
    for one in numbers:
        rows.setdefault(one["row"], {})[one["name"]] = one
    columns = list(dict.fromkeys(one["name"] for one in numbers))
    moved = [column for column in columns if any(_moved(row.get(column)) for row in rows.values())]
    same = [column for column in columns if column not in moved]
    # Rows that differ come first: a long table is cut.
    order = sorted(rows.values(), key=lambda row: not any(map(_moved, row.values())))
    lines = []
    for row in order[:_ROWS]:
        numbers_here = list(row.values())
        only = [
            side for side, other in (("old", "new"), ("new", "old")) if all(one[other] is None for one in numbers_here)
        ]
        badge = f"only {only[0]}" if only else ""
        lines.append(_line(numbers_here[0]["label"], [_both(row.get(column)) for column in moved], badge))
    said = []
    if same:
        said.append(f"The same in every row: {', '.join(same)}.")
    if len(rows) > _ROWS:
        said.append(
            f"Here are {_ROWS} of {len(rows):,} rows, those that differ first; all are in the .json file beside."
        )
    title = f"{name[0].upper()}{name[1:]}"
    return grid(title, ["Row", *moved], lines, " ".join(said), fold=len(rows) > _OPEN)


def _moved(one: Data | None) -> bool:
    return one is not None and one["old"] != one["new"]


def _both(one: Data | None) -> dict[str, Any]:
    if one is None:
        return cell("–")
    if one["old"] == one["new"]:
        return cell(number(one["new"]))
    notes = [] if one["difference"] is None else [_signed(one["difference"])]
    if one["old_interval"] and one["new_interval"]:
        notes.append(f"{_bounds(one['old_interval'])} → {_bounds(one['new_interval'])}")
    return cell(f"{number(one['old'])} → {number(one['new'])}", "; ".join(notes), **_mark(one))


def _made(data: Data) -> dict[str, Any]:
    lines = []
    for name, (old, new) in (("seed", data["seed"]), ("encoder’s fingerprint", data["fingerprint"])):
        if old == new and old is not None:
            lines.append(_line(name, [cell(_text(old)), cell("the same")]))
    for row in data["made"]:
        lines.append(_line(f"{row['group']}: {row['name']}", [cell(_text(row["old"])), cell(_text(row["new"]))]))
    note = "" if data["made"] else "Nothing else differs in how the results were made."
    return _grids(
        "made", "How they were made", "How the results were made", note, [grid("", ["What", "Old", "New"], lines)]
    )


def _text(value: Any) -> str:
    text = "–" if value is None else value if isinstance(value, str) else repr(value)
    return cut(text, _VALUE)
