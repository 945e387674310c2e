"""The page that shows two results of one kind beside each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from xembed.reports._blocks import (
    Block,
    Bullets,
    Card,
    Cell,
    Data,
    Definitions,
    Fold,
    Line,
    Prose,
    Section,
    Span,
    Table,
)
from xembed.reports._comparison import short
from xembed.reports._format import bounds, count, cut, number
from xembed.reports._methods import methods_of
from xembed.reports._page import Finding, Page, provenance_rows

_ROWS = 200  # of a table on the page
_OPEN = 30  # rows that a table shows without being asked
_NAME, _VALUE = 120, 300  # characters of a row's name, and of a setting
_LEGEND = "✓ and bold: the two intervals, in small print, do not overlap."


def comparison_page(data: Data) -> Page:
    """Return the page of a comparison."""
    old, new = data["old"], data["new"]
    same = old["finding"] == new["finding"]
    own = [row for row in data["numbers"] if not row["table"]]
    tables: dict[str, list[Data]] = {}
    for row in data["numbers"]:
        if row["table"]:
            tables.setdefault(row["table"], []).append(row)
    verdicts = [(name, f"{side['finding']}. {side['verdict']}") for name, side in (("Old", old), ("New", new))]
    blocks: list[Block] = [
        Section("verdicts", "Both verdicts", [Definitions(verdicts)], nav="Verdicts"),
        Section("changed", "What changed", [Bullets(data["changed"])]),
    ]
    if own:
        table = Table(
            ["Number", "Old", "New", "Difference"], [_own(row) for row in own], label="Numbers of the results"
        )
        legend = [Prose(_LEGEND, "quiet")] if data["n_with_intervals"] else []
        blocks.append(Section("numbers", "Numbers of the results", [*legend, table], nav="Numbers"))
    if tables:
        blocks.append(_tables(tables))
    blocks.append(_made(data))
    n_intervals, sizes = data["n_with_intervals"], count(data["n_numbers"], "number")
    return Page(
        title=new["title"] if old["title"] == new["title"] else f"{old['title']} → {new['title']}",
        kind=f"two runs compared: {data['kind']}",
        finding=Finding("same finding", sign="=") if same else Finding("finding changed", True, "≠"),
        verdict=" ".join(data["changed"][:3]),
        cards=[
            Card(
                "Numbers that differ",
                f"{data['n_different']:,}",
                f"of {data['n_numbers']:,} that both have, times left out",
            ),
            Card(
                "Beyond their intervals",
                f"{data['n_beyond']:,}" if n_intervals else "–",
                f"of {n_intervals:,} with intervals" if n_intervals else "there are no intervals",
            ),
            Card("Settings that differ", f"{data['n_settings']:,}", "parameters, options, encoder, names"),
        ],
        blocks=blocks,
        methods=list(map(methods_of("xembed.reports"), ("comparison", "beyond", "causes"))),
        sizes=sizes,
        provenance=provenance_rows(data, sizes),
    )


def _own(row: Data) -> list[Cell | Line]:
    sides = [Cell(number(row[side]), _bounds(row[f"{side}_interval"])) for side in ("old", "new")]
    text = "–" if row["difference"] is None else "=" if row["difference"] == 0 else _signed(row["difference"])
    return [cut(row["name"], _NAME), *sides, _cell(text, "", row)]


def _cell(text: str, note: str, row: Data) -> Cell:
    mark = ("✓", "changed by more than the intervals") if row["beyond"] else None
    return Cell(text, note, sure=bool(row["beyond"]), mark=mark)


def _signed(value: float) -> str:
    return f"{'+' if value > 0 else '−'}{number(abs(value))}"


def _bounds(interval: Sequence[float] | None) -> str:
    return (bounds(interval[0], interval[1]) or "") if interval else ""


def _tables(tables: Mapping[str, Sequence[Data]]) -> Block:
    changed = {name: rows for name, rows in tables.items() if any(map(_moved, rows))}
    same = [
        f"{name} ({count(len({one['row'] for one in rows}), 'row')})"
        for name, rows in tables.items()
        if name not in changed
    ]
    notes = [f"Old → new. {_LEGEND}"] if changed else []
    notes += [f"The same in every number: {', '.join(same)}."] if same else []
    blocks = [block for name, rows in changed.items() for block in _table(name, rows)]
    return Section("tables", "Tables side by side", [Prose(" ".join(notes), "quiet"), *blocks], nav="Tables")


def _table(name: str, numbers: Sequence[Data]) -> list[Block]:
    """Return a table: a line a row, a column a number in which anything differs."""
    rows: dict[str, dict[str, Data]] = {}
    for one in numbers:
        rows.setdefault(one["row"], {})[one["name"]] = one
    columns = list(dict.fromkeys(one["name"] for one in numbers))
    moved = [column for column in columns if any(_moved(row.get(column)) for row in rows.values())]
    same = [column for column in columns if column not in moved]
    # Rows that differ come first: a long table is cut.
    order = sorted(rows.values(), key=lambda row: not any(map(_moved, row.values())))
    notes = []
    if same:
        notes.append(f"The same in every row: {', '.join(same)}.")
    if len(rows) > _ROWS:
        notes.append(
            f"Here are {_ROWS} of {len(rows):,} rows, those that differ first; all are in the .json file beside."
        )
    title = f"{name[0].upper()}{name[1:]}"
    folded = len(rows) > _OPEN
    table = Table(
        ["Row", *moved],
        [[_label(row), *(_both(row.get(column)) for column in moved)] for row in order[:_ROWS]],
        label=title,
        title="" if folded else title,
        note=" ".join(notes),
    )
    return [Fold(title, [table])] if folded else [table]


def _label(row: Mapping[str, Data]) -> Line:
    numbers = list(row.values())
    label = cut(numbers[0]["label"], _NAME)
    for side, other in (("old", "new"), ("new", "old")):
        if all(one[other] is None for one in numbers):
            return [label, " ", Span(f"only {side}", "badge quiet")]
    return label


def _moved(one: Data | None) -> bool:
    return one is not None and one["old"] != one["new"]


def _both(one: Data | None) -> Cell:
    if one is None:
        return Cell("–")
    if one["old"] == one["new"]:
        return Cell(number(one["new"]))
    notes = [] if one["difference"] is None else [_signed(one["difference"])]
    if one["old_interval"] and one["new_interval"]:
        notes.append(f"{_bounds(one['old_interval'])} → {_bounds(one['new_interval'])}")
    return _cell(f"{number(one['old'])} → {number(one['new'])}", "; ".join(notes), one)


def _made(data: Data) -> Block:
    rows: list[Sequence[Cell | Line]] = []
    for name, (old, new) in (("seed", data["seed"]), ("encoder’s fingerprint", data["fingerprint"])):
        if old == new and old is not None:
            rows.append([name, _text(old), "the same"])
    rows += [
        [cut(f"{row['group']}: {row['name']}", _NAME), _text(row["old"]), _text(row["new"])] for row in data["made"]
    ]
    note = "" if data["made"] else "Nothing else differs in how the results were made."
    table = Table(["What", "Old", "New"], rows, label="How the results were made", note=note)
    return Section("made", "How the results were made", [table], nav="Provenance of both")


def _text(value: Any) -> str:
    return "–" if value is None else short(value, _VALUE)
