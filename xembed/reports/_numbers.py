"""The numbers of any result by name: its own, and those of the rows of its tables, as marks of the classes tell."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, TypeAlias, TypeVar, get_args, get_origin, get_type_hints

from xembed._core.results import IntervalIn, NotCompared, PerPair, PerRow, RowKey
from xembed._core.schemas import class_of
from xembed.reports._blocks import Data

Key: TypeAlias = tuple[str, str, str]  # table ("": none), row, name
Mark = TypeVar("Mark")

# How a result was made is compared elsewhere.
_SKIPPED = frozenset(("schema", "provenance", "encoder", "trained_encoder", "options"))
_PLAIN = ("value", "mean", "difference")  # fields whose bounds are called low and high


@dataclass(frozen=True)
class Number:
    """A number with its interval, and what its row is called."""

    label: str
    value: float | None
    interval: tuple[float, float] | None


def numbers_of(data: Data) -> dict[Key, Number]:
    """Return all numbers of a result, in its order; arrays without names for their items are left out."""
    numbers: dict[Key, Number] = {}
    for key, number in _walk(data, "", ("", ""), ()):
        numbers.setdefault(key, number)
    return numbers


def words(name: str) -> str:
    """Return the name of a field as people write it."""
    return name.replace("_", " ").replace("pvalue", "p-value").replace("qvalue", "q-value")


@cache
def _all_marks(schema: str) -> dict[str, tuple[Any, ...]]:
    hints = get_type_hints(class_of({"schema": schema}, "A result"), include_extras=True)
    return {name: get_args(hint)[1:] for name, hint in hints.items() if get_origin(hint) is Annotated}


def _marked(data: Data, kind: type[Mark]) -> dict[str, Mark]:
    """Return the fields of a result that carry a mark; plain mappings carry none."""
    if "schema" not in data:
        return {}
    marks: dict[str, tuple[Any, ...]] = _all_marks(data["schema"])
    return {name: mark for name, many in marks.items() for mark in many if kind in (mark, type(mark))}


def _walk(data: Data, table: str, row: tuple[str, str], name: tuple[str, ...]) -> Iterator[tuple[Key, Number]]:
    skipped = _SKIPPED | _marked(data, NotCompared).keys()
    intervals = _marked(data, IntervalIn)
    for key, value in data.items():
        if key in skipped or isinstance(value, bool) or key in ("low", "high") or key.endswith(("_low", "_high")):
            continue
        if value is None or isinstance(value, int | float):
            plain = key in ("value", "mean") and "low" in data and name
            path = name if plain else (*name, words(key))
            yield (table, row[0], " › ".join(path)), Number(row[1], value, _interval(data, key, intervals.get(key)))
        elif isinstance(value, Mapping):
            yield from _walk(value, table, row, (*name, words(key)))
        elif isinstance(value, list) and value and all(isinstance(item, Mapping) for item in value):
            yield from _rows(value, words(key), table, row, name)
    yield from _arrays(data, table, row)
    yield from _pairs(data)


def _interval(data: Data, key: str, mark: IntervalIn | None) -> tuple[float, float] | None:
    pair = data.get(mark.low if mark is not None and mark.high is None else f"{key}_interval")
    if isinstance(pair, list) and len(pair) == 2 and all(isinstance(end, int | float) for end in pair):
        return float(pair[0]), float(pair[1])
    ends = ("low", "high") if key in _PLAIN else (f"{key}_low", f"{key}_high")
    if mark is not None and mark.high is not None:
        ends = (mark.low, mark.high)
    low, high = (data.get(end) for end in ends)
    return None if low is None or high is None else (float(low), float(high))


def _rows(
    items: Sequence[Data], field: str, table: str, row: tuple[str, str], name: tuple[str, ...]
) -> Iterator[tuple[Key, Number]]:
    fields = tuple(_marked(items[0], RowKey))
    if not fields:
        return
    # Named rows inside of a row, such as the measures of a layer, are columns of it.
    if table and fields == ("name",):
        for item in items:
            yield from _walk(_without(item, fields), table, row, (*name, field, str(item.get("label") or item["name"])))
        return
    inner = " › ".join(filter(None, (table, *name, field)))
    keys = [" · ".join(str(item[one]) for one in fields) for item in items]
    for item, key, number in zip(items, keys, _numbers_of_repeated(keys), strict=True):
        called = (key + number, _label(item, fields) + number)
        both = tuple(" › ".join(filter(None, pair)) for pair in zip(row, called, strict=True))
        yield from _walk(_without(item, fields), inner, (both[0], both[1]), ())


def _numbers_of_repeated(keys: Sequence[str]) -> Iterator[str]:
    """Yield what tells a repeated key from those before: nothing for the first, then ' (2)' and so on."""
    seen: Counter[str] = Counter()
    for key in keys:
        seen[key] += 1
        yield f" ({seen[key]})" if seen[key] > 1 else ""


def _without(item: Data, fields: Sequence[str]) -> Data:
    return {key: value for key, value in item.items() if key not in fields}


def _label(item: Data, fields: Sequence[str]) -> str:
    """Return what people call a row: by its title or label where it has one."""
    called = [str(item[one]) for one in fields]
    better = item.get("title") or item.get("label")
    if isinstance(better, str) and "label" not in fields:
        called = [better if one in ("method", "name") else text for one, text in zip(fields, called, strict=True)]
    return " · ".join(called)


def _arrays(data: Data, table: str, row: tuple[str, str]) -> Iterator[tuple[Key, Number]]:
    """Yield the numbers of tables that are held as arrays, one a column, row by row."""
    tables: dict[tuple[str, str | None], list[str]] = {}
    for column, mark in _marked(data, PerRow).items():
        tables.setdefault((mark.table, mark.names), []).append(column)
    for (title, names), columns in tables.items():
        inner = " › ".join(filter(None, (table, title)))
        called = data[names] if names else [f"{title.removesuffix('s')} {i}" for i in range(len(data[columns[0]]))]
        keys = [" ".join(one) if isinstance(one, list) else str(one) for one in called]
        for i, (key, number) in enumerate(zip(keys, _numbers_of_repeated(keys), strict=True)):
            place = " › ".join(filter(None, (row[0], key + number)))
            for column in columns:
                yield (inner, place, words(column)), Number(key + number, data[column][i], None)


def _pairs(data: Data) -> Iterator[tuple[Key, Number]]:
    """Yield the numbers of matrices, pair by pair."""
    matrices: dict[str, tuple[str, Any]] = {}
    for field, mark in _marked(data, PerPair).items():
        layers = data[mark.layers] if mark.layers else [None]
        for layer, matrix in zip(layers, data[field] if mark.layers else [data[field]], strict=True):
            matrices[" › ".join(filter(None, (mark.called, layer)))] = (mark.names, matrix)
    if not matrices:
        return
    names = data[next(iter(matrices.values()))[0]]
    for i, first in enumerate(names):
        for j, second in enumerate(names[i + 1 :], start=i + 1):
            pair = f"{first} and {second}"
            for name, (_, matrix) in matrices.items():
                yield ("pairs", pair, name), Number(pair, matrix[i][j], None)
