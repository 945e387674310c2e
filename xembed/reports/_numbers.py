"""The numbers of any result by name: those of its own, and those of the rows of its tables.

Plain data are read, not classes, so that one walk serves every kind of result and its parts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

Data: TypeAlias = Mapping[str, Any]
Key: TypeAlias = tuple[str, str, str]  # table ("": none), row, name

# How a result was made is compared elsewhere; samples of texts and null distributions are no findings.
_SKIPPED = frozenset(
    (
        "schema", "provenance", "encoder", "trained_encoder", "options", "examples", "sentences", "failures",
        "excluded", "cosine_histogram", "id", "cooccurrence",
    )
)  # fmt: skip
# What tells the rows of a table apart; the first whose fields are all there.
_KEYS = (
    ("scheme", "method"), ("layer", "pooling", "correction"), ("method", "target"), ("kind", "label"), ("name",),
    ("term",), ("scheme",), ("method",), ("label",), ("round",), ("row",),
)  # fmt: skip
# The interval of a number, where its name does not say so.
_PAIRS = {
    "effect_size": ("confidence_interval",), "gap": ("gap_interval",), "signed_gap": ("signed_interval",),
    "heldout_accuracy": ("heldout_interval",), "heldout_row_accuracy": ("heldout_row_interval",),
    "log_odds": ("interval",), "effect": ("interval",), "contribution": ("interval",), "auroc": ("interval",),
    "rejection_rate": ("interval",), "difference": ("interval",),
}  # fmt: skip
_ENDS = {"value": "", "mean": "", "difference": "", "balanced_accuracy": "balanced_"}
# Tables that are held as arrays: what names a row, and the columns.
_ARRAYS: dict[str, tuple[tuple[str, str, tuple[str, ...]], ...]] = {
    "xembed.attribution.Attributions/1": (("texts", "words", ("scores", "completeness")),),
    "xembed.concepts.AxesExplanation/1": (("pairs", "", ("similarity", "difference", "difference_rest")),),
    "xembed.attribution.DepthExplanation/1": (("texts", "texts", ("depths", "deeper_than", "nearest_similarity")),),
    "xembed.shift.DriftResult/1": (
        ("windows", "starts", ("evidence", "pvalues", "similarity_to_reference", "depth_mean")),
    ),
    "xembed.attribution.SimilarityExplanation/1": (
        ("words of A", "words_a", ("values_a",)),
        ("words of B", "words_b", ("values_b",)),
    ),
}


@dataclass(frozen=True)
class Number:
    """A number with its interval, and what its row is called."""

    label: str
    value: float | None
    interval: tuple[float, float] | None


def numbers_of(data: Data) -> dict[Key, Number]:
    """Return all numbers of a result, in its order; arrays without names for their items are left out."""
    found: dict[Key, Number] = {}
    for key, number in _walk(data, "", ("", ""), ()):
        found.setdefault(key, number)
    return found


def words(name: str) -> str:
    """Return the name of a field as people write it."""
    return name.replace("_", " ").replace("pvalue", "p-value").replace("qvalue", "q-value")


def _walk(data: Data, table: str, row: tuple[str, str], name: tuple[str, ...]) -> Iterator[tuple[Key, Number]]:
    for key, value in data.items():
        if key in _SKIPPED or isinstance(value, bool) or key in ("low", "high") or key.endswith(("_low", "_high")):
            continue
        if value is None or isinstance(value, int | float):
            plain = key in ("value", "mean") and "low" in data and name
            path = name if plain else (*name, words(key))
            yield (table, row[0], " › ".join(path)), Number(row[1], value, _interval(data, key))
        elif isinstance(value, Mapping):
            yield from _walk(value, table, row, (*name, words(key)))
        elif isinstance(value, list) and value and all(isinstance(item, Mapping) for item in value):
            yield from _rows(value, words(key), table, row, name)
    yield from _arrays(data, table, row)


def _rows(
    items: Sequence[Data], field: str, table: str, row: tuple[str, str], name: tuple[str, ...]
) -> Iterator[tuple[Key, Number]]:
    fields = next((fields for fields in _KEYS if all(key in items[0] for key in fields)), None)
    if fields is None:
        return
    # Named rows inside of a row, such as the measures of a layer, are columns of it.
    if table and fields == ("name",):
        for item in items:
            yield from _walk(_without(item, fields), table, row, (*name, field, str(item.get("label") or item["name"])))
        return
    seen: dict[str, int] = {}
    inner = " › ".join(filter(None, (table, *name, field)))
    for item in items:
        key = " · ".join(str(item[one]) for one in fields)
        label = _label(item, fields)
        seen[key] = seen.get(key, 0) + 1
        if seen[key] > 1:
            key, label = f"{key} ({seen[key]})", f"{label} ({seen[key]})"
        both = tuple(" › ".join(filter(None, pair)) for pair in zip(row, (key, label), strict=True))
        yield from _walk(_without(item, fields), inner, (both[0], both[1]), ())


def _without(item: Data, fields: Sequence[str]) -> Data:
    return {key: value for key, value in item.items() if key not in fields}


def _label(item: Data, fields: Sequence[str]) -> str:
    """Return what people call a row: by its title or label where it has one."""
    called = [str(item[one]) for one in fields]
    better = item.get("title") or item.get("label")
    if isinstance(better, str) and "label" not in fields:
        place = {"method": "method", "name": "name"}
        called = [better if one in place else text for one, text in zip(fields, called, strict=True)]
    return " · ".join(called)


def _interval(data: Data, key: str) -> tuple[float, float] | None:
    for name in (f"{key}_interval", *_PAIRS.get(key, ())):
        pair = data.get(name)
        if isinstance(pair, list) and len(pair) == 2 and all(isinstance(end, int | float) for end in pair):
            return float(pair[0]), float(pair[1])
    prefix = _ENDS.get(key, f"{key}_")
    low, high = data.get(f"{prefix}low"), data.get(f"{prefix}high")
    return None if low is None or high is None else (float(low), float(high))


def _arrays(data: Data, table: str, row: tuple[str, str]) -> Iterator[tuple[Key, Number]]:
    if data.get("schema") == "xembed.shift.ManyResult/1":
        yield from _pairs(data)
    for title, names, columns in _ARRAYS.get(str(data.get("schema")), ()):
        inner = " › ".join(filter(None, (table, title)))
        called = data[names] if names else [f"pair {i}" for i in range(len(data[columns[0]]))]
        seen: dict[str, int] = {}
        for i, one in enumerate(called):
            key = " ".join(one) if isinstance(one, list) else str(one)
            seen[key] = seen.get(key, 0) + 1
            key = f"{key} ({seen[key]})" if seen[key] > 1 else key
            for column in columns:
                yield (
                    (inner, " › ".join(filter(None, (row[0], key))), words(column)),
                    Number(key, data[column][i], None),
                )


def _pairs(data: Data) -> Iterator[tuple[Key, Number]]:
    matrices = {"adjusted p-value": data["adjusted_pvalues"], "p-value": data["pvalues"]}
    matrices |= {f"effect › {test}": matrix for test, matrix in zip(data["tests"], data["effects"], strict=True)}
    matrices["similarity"] = data["similarities"]
    for i, first in enumerate(data["names"]):
        for j, second in enumerate(data["names"][i + 1 :], start=i + 1):
            pair = f"{first} and {second}"
            for name, matrix in matrices.items():
                yield ("pairs", pair, name), Number(pair, matrix[i][j], None)
