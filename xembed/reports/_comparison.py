"""Two results of one kind beside each other: what differs, in numbers and in how they were made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from xembed._core.fields import Count, Has, Interval, Provenance
from xembed._core.provenance import provenance
from xembed.reports._blocks import Data, plain_text
from xembed.reports._format import count, cut, number
from xembed.reports._numbers import Number, numbers_of, words
from xembed.reports._page import Page, page_of

SCHEMA = "xembed.comparison/1"
_NAMED = 4  # numbers that a sentence names
_SEEDS = ("rng", "seed", "seeds", "random_state")
_TEXTS = ("texts", "texts_F", "texts_G", "text_a", "text_b", "words")
_Row = Annotated[
    dict[str, Any],
    Has(
        (
            *((name, str) for name in ("table", "row", "label", "name")),
            *((name, float | None) for name in ("old", "new", "difference")),
            *((name, Interval | None) for name in ("old_interval", "new_interval")),
            ("beyond", bool | None),
        )
    ),
]
_Setting = Annotated[dict[str, Any], Has((("group", str), ("name", str), ("old", Any), ("new", Any)))]
_Side = Annotated[
    dict[str, Any],
    Has((("title", str), ("finding", str), ("found", bool), ("verdict", str), ("warnings", tuple[str, ...]))),
]


@dataclass(frozen=True)
class Comparison:
    """What the file of a comparison holds."""

    schema: ClassVar[str] = SCHEMA

    of: str
    kind: str
    changed: tuple[str, ...]
    n_numbers: Count
    n_different: Count
    n_with_intervals: Count
    n_beyond: Count
    n_settings: Count
    old: _Side
    new: _Side
    numbers: tuple[_Row, ...]
    made: tuple[_Setting, ...]
    seed: tuple[Any, Any]
    fingerprint: tuple[Any, Any]
    provenance: Provenance


def compare_plain(old: Data, new: Data) -> dict[str, Any]:
    """Return what `xembed.reports.compare_results` does, from plain data."""
    kinds = old.get("schema"), new.get("schema")
    if kinds[0] != kinds[1]:
        raise ValueError(
            f"Two results can be compared if they are of the same schema. Got {kinds[0]!r} and {kinds[1]!r}: to have "
            "both on one page, combine them (xembed.reports.write_combined, or xembed report without --compare)."
        )
    if kinds[0] in (SCHEMA, "xembed.combined/1"):
        raise ValueError(
            f"Two results of one analysis can be compared. Got {kinds[0]!r}: give the results that it holds."
        )
    pages = [page_of(data) for data in (old, new)]
    sides = [_side(page) for page in pages]
    numbers = list(_numbers(numbers_of(old), numbers_of(new)))
    made = [*_made(old, new)]
    comparison: dict[str, Any] = {
        "schema": SCHEMA,
        "of": kinds[0],
        "kind": pages[0].kind,
        "changed": [],
        "n_numbers": sum(_in_both(row) for row in numbers),
        "n_different": sum(_differs(row) for row in numbers),
        "n_with_intervals": sum(row["beyond"] is not None for row in numbers),
        "n_beyond": sum(bool(row["beyond"]) for row in numbers),
        "n_settings": sum(row["group"] not in ("run", "versions") for row in made),
        "old": sides[0],
        "new": sides[1],
        "numbers": numbers,
        "made": made,
        "seed": [_seed(data) for data in (old, new)],
        "fingerprint": [_fingerprint(data) for data in (old, new)],
        "provenance": provenance("compare_results"),
    }
    comparison["changed"] = _sentences(comparison, _same_texts(old, new))
    return comparison


def _side(page: Page) -> dict[str, Any]:
    return {
        "title": plain_text(page.heading),
        "finding": page.finding.words,
        "found": page.finding.found,
        "verdict": page.verdict,
        "warnings": [plain_text(caveat) for caveat in page.caveats],
    }


def _numbers(old: Mapping[Any, Number], new: Mapping[Any, Number]) -> Iterator[dict[str, Any]]:
    # In the order of the new result; what only the old one has comes at the end of its table.
    order = sorted({*old, *new}, key=_places(old, new))
    for key in order:
        before, after = old.get(key), new.get(key)
        known = after or before
        values = [None if side is None else side.value for side in (before, after)]
        if known is None or values == [None, None]:
            continue
        intervals = [None if side is None or side.interval is None else list(side.interval) for side in (before, after)]
        beyond = None
        if before and after and before.interval and after.interval and None not in values:
            beyond = after.interval[0] > before.interval[1] or after.interval[1] < before.interval[0]
        yield {
            "table": key[0],
            "row": key[1],
            "label": known.label,
            "name": key[2],
            "old": values[0],
            "new": values[1],
            "difference": None if values[0] is None or values[1] is None else values[1] - values[0],
            "old_interval": intervals[0],
            "new_interval": intervals[1],
            "beyond": beyond,
        }


def _places(old: Mapping[Any, Number], new: Mapping[Any, Number]) -> Any:
    tables: dict[str, int] = {"": -1}
    rows: dict[tuple[str, str], int] = {}
    names: dict[Any, int] = {}
    for key in (*new, *old):
        tables.setdefault(key[0], len(tables))
        rows.setdefault(key[:2], len(rows))
        names.setdefault(key, len(names))
    return lambda key: (tables[key[0]], rows[key[:2]], names[key])


def _is_time(name: str) -> bool:
    return name.endswith("seconds") or name.startswith("cost")


def _in_both(row: Data) -> bool:
    """Return whether a number can be compared; that a run took longer is no finding."""
    return row["difference"] is not None and not _is_time(row["name"])


def _differs(row: Data) -> bool:
    return _in_both(row) and bool(row["old"] != row["new"])


def _made(old: Data, new: Data) -> Iterator[dict[str, Any]]:
    """Yield how the results were made, where it differs."""
    made = [data.get("provenance") or {} for data in (old, new)]
    groups: list[tuple[str, list[Data]]] = [
        ("run", [{key: one.get(key) for key in ("function", "command", "created")} for one in made]),
        ("parameters", [one.get("parameters") or {} for one in made]),
        ("options", [data.get("options") or {} for data in (old, new)]),
        ("encoder", [data.get("encoder") or {} for data in (old, new)]),
        ("settings", [_settings(data) for data in (old, new)]),
        ("versions", [one.get("versions") or {} for one in made]),
    ]
    for group, sides in groups:
        for key in dict.fromkeys([*sides[0], *sides[1]]):
            values = [side.get(key) for side in sides]
            if values[0] != values[1]:
                yield {"group": group, "name": words(key), "old": values[0], "new": values[1]}


def _settings(data: Data) -> dict[str, Any]:
    """Return the words and lists of words of a result that are no texts, such as its mode and its names."""
    skipped = {"schema", "verdict", "reason", "warnings", "notes", "text_a", "text_b"}
    found = {key: value for key, value in data.items() if isinstance(value, str) and key not in skipped}
    lists = {key: data[key] for key in ("names", "classes", "seeds", "poolings") if isinstance(data.get(key), list)}
    return found | lists


def _seed(data: Data) -> Any:
    parameters = (data.get("provenance") or {}).get("parameters") or {}
    return next((parameters[key] for key in _SEEDS if key in parameters), None)


def _fingerprint(data: Data) -> Any:
    return (data.get("encoder") or {}).get("fingerprint")


def _same_texts(old: Data, new: Data) -> bool | None:
    held = [key for key in _TEXTS if old.get(key) is not None and new.get(key) is not None]
    return all(old[key] == new[key] for key in held) if held else None


def _sentences(comparison: Data, same_texts: bool | None) -> list[str]:
    first, second, numbers = comparison["old"], comparison["new"], comparison["numbers"]
    if first["finding"] != second["finding"]:
        said = [f"The finding changed: “{first['finding']}” became “{second['finding']}”."]
    else:
        same = ", and so is the verdict, word for word" if first["verdict"] == second["verdict"] else ""
        said = [f"The finding is the same: “{second['finding']}”{same}."]
    both = [row for row in numbers if _in_both(row)]
    n_different = sum(map(_differs, both))
    if n_different:
        said.append(f"{n_different:,} of {count(len(both), 'number')} {'differs' if n_different == 1 else 'differ'}.")
    else:
        said.append(f"Of {count(len(both), 'number')} none differs.")
    said += _beyond(numbers)
    for places, which in ((("old", "new"), "old"), (("new", "old"), "new")):
        rows = _only(numbers, *places)
        if rows:
            more = f" and {len(rows) - _NAMED} more" if len(rows) > _NAMED else ""
            said.append(f"Only the {which} result has: {'; '.join(rows[:_NAMED])}{more}.")
    return [*said, *_settings_said(comparison, same_texts), *_warned(first, second)]


def _settings_said(comparison: Data, same_texts: bool | None) -> list[str]:
    made, seed, fingerprint = comparison["made"], comparison["seed"], comparison["fingerprint"]
    said = []
    for group, text in (("parameters", "Parameters"), ("options", "Options"), ("settings", "Settings")):
        names = [
            f"{row['name']} {short(row['old'])} → {short(row['new'])}"
            for row in made
            if row["group"] == group and row["name"] not in _SEEDS
        ]
        if names:
            said.append(f"{text} that differ: {'; '.join(names)}.")
    if any(fingerprint):
        said.append(
            "The encoder is the same."
            if fingerprint[0] == fingerprint[1]
            else "The encoders differ: distances and similarities of different encoders are not on one scale."
        )
    if same_texts is not None:
        said.append("The texts are the same." if same_texts else "The texts are not the same.")
    if seed[0] != seed[1]:
        said.append(f"The seed differs ({short(seed[0])} → {short(seed[1])}), so some differences are those of chance.")
    versions = [f"{row['name']} {row['old']} → {row['new']}" for row in made if row["group"] == "versions"]
    if versions:
        said.append(f"Versions that differ: {', '.join(versions)}.")
    return said


def _warned(first: Data, second: Data) -> list[str]:
    fresh = [text for text in second["warnings"] if text not in first["warnings"]]
    gone = [text for text in first["warnings"] if text not in second["warnings"]]
    return [f"New warning: {text}" for text in fresh] + [f"No longer warned of: {text}" for text in gone]


def _beyond(numbers: list[dict[str, Any]]) -> list[str]:
    known = [row for row in numbers if row["beyond"] is not None]
    if not known:
        return ["No number has an interval in both results."]
    rows = [row for row in known if row["beyond"]]
    if not rows:
        return [f"Of {count(len(known), 'number')} with intervals none changed by more than these."]
    named = "; ".join(f"{name_of(row)} {number(row['old'])} → {number(row['new'])}" for row in rows[:_NAMED])
    more = f"; and {len(rows) - _NAMED} more" if len(rows) > _NAMED else ""
    return [f"{len(rows):,} of {count(len(known), 'number')} with intervals changed by more than these: {named}{more}."]


def _only(numbers: list[dict[str, Any]], here: str, there: str) -> list[str]:
    """Return the rows of tables that only one result has."""
    rows: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in numbers:
        rows.setdefault((row["table"], row["row"]), []).append(row)
    return [
        f"{table}: {short(members[0]['label'])}"
        for (table, _), members in rows.items()
        if table
        and all(member[there] is None for member in members)
        and any(member[here] is not None for member in members)
    ]


def name_of(row: Data) -> str:
    """Return what a number is called."""
    name = "" if row["table"] and row["name"] == "value" else row["name"]
    return " › ".join(filter(None, (row["table"], short(row["label"]), name)))


def short(value: Any, most: int = 60) -> str:
    """Write a setting in one short line."""
    text = "none" if value is None else value if isinstance(value, str) else repr(value)
    return cut(text, most)
