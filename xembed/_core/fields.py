"""Types of the fields of results, which say what a field may hold, and what reads them back, checked."""

from __future__ import annotations

import dataclasses
import functools
import math
import os
import sys
import types
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from json import loads
from reprlib import repr as brief
from typing import Annotated, Any, Literal, TypeAlias, Union, get_args, get_origin, get_type_hints

import numpy as np
import numpy.typing as npt

from xembed._core.files import read_bytes, unique_keys
from xembed._core.schemas import current_schema

_DEEPEST = 40  # plain data in each other
_ROUNDING = 1e-6  # a cosine of float32 may be a little more than 1
_LARGEST = sys.float_info.max

Read: TypeAlias = Callable[[Any, str], Any]


@dataclass(frozen=True)
class Between:
    """Marks a number, or all of an array, tuple or mapping, that lies in an interval, without its ends if ``open``."""

    low: float
    high: float = math.inf
    open: bool = False

    def __str__(self) -> str:
        if self.high == math.inf:
            return f"of at least {self.low:g}"
        return f"in {'(' if self.open else '['}{self.low:g}, {self.high:g}{')' if self.open else ']'}"


@dataclass(frozen=True, init=False)
class _Names:
    names: tuple[str, ...]

    def __init__(self, *names: str) -> None:
        object.__setattr__(self, "names", names)


class Sides(_Names):
    """Marks an array or tuple by what each of its sides counts.

    The name of a field with an integer is that length, of one with texts or numbers the length of these. Other names
    have one length in all of a result. ``"counts+1"`` is one more, ``"test.n_F"`` is a field of a field.
    """


class OneOf(_Names):
    """Marks a text that is one of some."""


@dataclass(frozen=True)
class LengthsOf:
    """Marks a tuple of sequences, each as long as that of another field."""

    field: str


@dataclass(frozen=True)
class Has:
    """Marks a mapping by the types of its keys that must be there, and of others that may be."""

    types: tuple[tuple[str, Any], ...]
    others: tuple[tuple[str, Any], ...] = ()


class MayBeNaN:
    """Marks an array whose numbers may be NaN, which JSON writes as null."""


class Ordered:
    """Marks the two bounds of an interval."""


Probability = Annotated[float, Between(0, 1)]  # p-values, shares, rates
Level = Annotated[float, Between(0, 1, open=True)]
Cosine = Annotated[float, Between(-1, 1)]  # correlations, too
NonNegative = Annotated[float, Between(0)]
Count = Annotated[int, Between(0)]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Probabilities = Annotated[npt.NDArray[np.float64], Between(0, 1)]
Cosines = Annotated[npt.NDArray[np.float64], Between(-1, 1)]
Counts = Annotated[npt.NDArray[np.int64], Between(0)]
Interval = Annotated[tuple[float, float], Ordered]
MaybeInterval = Annotated[tuple[float, ...], Ordered]  # () where there is none
_Versions = Annotated[dict[str, str], Has((("xembed", str),))]
Provenance = Annotated[
    dict[str, Any],
    Has((("function", str), ("parameters", dict[str, Any]), ("versions", _Versions))),
]


class Misfit(ValueError):
    """What is read is not what a field holds: the place, what was expected, and what came."""


def misfit(place: str, expected: str, value: Any) -> Misfit:
    """Return the error of a place."""
    return Misfit(f"{place or 'it'} must be {expected}. Got {brief(value)}.")


# ---- files


def read_json(path: str | os.PathLike[str], caller: str = "read_result") -> tuple[Any, str]:
    """Return what a JSON file holds, and how messages call the file; '-' is standard input, '.gz' is unpacked."""
    content, _, where = read_bytes(path, caller)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{where} must be JSON in UTF-8. Its byte {error.start} is not.") from None
    return parse_json(text, where), where


def parse_json(text: str, where: str) -> Any:
    """Return what JSON text holds; ``where`` says what it is from."""
    if not text.strip():
        raise ValueError(f"{where} must hold a result of xembed as JSON. It is empty.")
    try:
        return loads(text, object_pairs_hook=unique_keys, parse_constant=_constant)
    except RecursionError:
        raise ValueError(f"{where} must be the .json file of a result. It is nested too deeply.") from None
    except ValueError as error:
        raise ValueError(
            f"{where} must be the .json file of a result, such as the one beside a report. It is not JSON: {error}."
        ) from None


def _constant(name: str) -> Any:
    raise ValueError(f"{name} is not a number of JSON")


# ---- values


def read_fields(kind: Any, data: Any, place: str = "") -> Any:
    """Return an object of a dataclass from the plain data of its fields; what it has no field for is left out."""
    if not isinstance(data, Mapping):
        raise misfit(place, f"an object with the fields of {kind.__name__}", data)
    schema = getattr(kind, "schema", None)
    if schema is not None and current_schema(data.get("schema")) != schema:
        raise Misfit(f"{place or kind.__name__} reads the schema {schema!r}. Got {brief(data.get('schema'))} instead.")
    fields = fields_of(kind)
    if missing := sorted(name for name, field in fields.items() if field.required and name not in data):
        raise Misfit(
            f"{place or 'it'} lacks the fields {missing} of {schema or kind.__name__!r}: is the file complete?"
        )
    before = f"{place}." if place else ""
    values = {name: field.read(data[name], before + name) for name, field in fields.items() if name in data}
    _check_together(fields, values, before)
    try:
        return kind(**values)
    except ValueError as error:
        raise Misfit(f"{place or kind.__name__}: {error}") from None


@dataclass(frozen=True)
class Field:
    """How a field is read, what marks it, and whether it must be there."""

    read: Read
    marks: tuple[Any, ...]
    required: bool


@cache
def fields_of(kind: Any) -> dict[str, Field]:
    hints = get_type_hints(kind, include_extras=True)
    none = dataclasses.MISSING
    return {
        field.name: Field(
            reader(hints[field.name]),
            tuple(mark for option in _options(hints[field.name]) for mark in marks_of(option)),
            field.default is none and field.default_factory is none,
        )
        for field in dataclasses.fields(kind)
    }


def _options(hint: Any) -> tuple[Any, ...]:
    union = get_origin(hint) in (Union, types.UnionType)
    return get_args(hint) if union else (hint,)


def marks_of(hint: Any) -> tuple[Any, ...]:
    """Return the marks of an annotated type."""
    return getattr(hint, "__metadata__", ())


def _check_together(fields: Mapping[str, Field], values: Mapping[str, Any], before: str) -> None:
    """Check lengths that belong together, and lower bounds against upper ones."""
    lengths: dict[str, int] = {}
    marked = [(name, mark) for name, field in fields.items() for mark in field.marks if values.get(name) is not None]
    for name, mark in marked:
        value, place = values[name], before + name
        if isinstance(mark, Sides):
            shape = value.shape if isinstance(value, np.ndarray) else (len(value),)
            for i, (side, length) in enumerate(zip(mark.names, shape, strict=False)):
                if 0 not in shape[:i]:  # JSON does not say what an empty side is wide
                    _check_length(place, side, length, values, lengths)
        elif isinstance(mark, LengthsOf):
            _check_lengths(place, value, mark.field, values[mark.field])
    for name, value in values.items():
        if value is not None and (name == "low" or name.endswith("_low")):
            high = values.get(f"{name.removesuffix('low')}high")
            if high is not None and value > high:
                raise misfit(before + name, f"at most {high!r}, the upper bound", value)


def _check_lengths(place: str, value: Any, field: str, other: Any) -> None:
    if len(value) != len(other):
        raise Misfit(f"{place} must hold {len(other)} items, by {field!r}. Got {len(value)}.")
    for i, (items, others) in enumerate(zip(value, other, strict=True)):
        if items is not None and len(items) != len(others):
            raise Misfit(f"{place}[{i}] must hold {len(others)} items, by {field!r}. Got {len(items)}.")


def _check_length(place: str, side: str, length: int, values: Mapping[str, Any], lengths: dict[str, int]) -> None:
    name, _, more = side.partition("+")
    first, *inner = name.split(".")
    known = functools.reduce(getattr, inner, values.get(first))
    if known is None:
        expected = lengths.setdefault(name, length - int(more or 0))
    else:
        expected = known if isinstance(known, int) else len(known)
    if length != expected + int(more or 0):
        raise Misfit(f"{place} must hold {expected + int(more or 0)} items, by {name!r}. Got {length}.")


@cache
def reader(hint: Any) -> Read:
    """Return what reads a value of a type from plain data, or raises a `Misfit`."""
    marks = marks_of(hint)
    hint = hint.__origin__ if marks else hint
    kind: Any = get_origin(hint) or hint
    options = get_args(hint)
    limits = next((mark for mark in marks if isinstance(mark, Between)), None)
    within = () if limits is None else (limits,)
    if hint is Any:
        return _anything
    if kind in (Union, types.UnionType):
        return _one_of(tuple(_inner(option, marks) for option in options))
    one_of = next((mark.names for mark in marks if isinstance(mark, OneOf)), ())
    if kind is Literal or (one_of and kind is str):
        return _literal(one_of or options)
    if kind in (int, float):
        return _number(kind, limits)
    if kind is np.ndarray:
        ndim = next((len(mark.names) for mark in marks if isinstance(mark, Sides)), None)
        return _array(np.dtype(get_args(options[1])[0] if options else np.float64), ndim, limits, MayBeNaN in marks)
    if kind is list:
        items = _sequence((_inner(options[0], within),), True, False)
        return lambda value, place: list(items(value, place))
    if kind is tuple:
        each = tuple(_inner(option, within) for option in options if option is not ...)
        return _sequence(each, ... in options, Ordered in marks)
    if kind is dict:
        has = next((mark for mark in marks if isinstance(mark, Has)), Has(()))
        return _mapping(
            _inner(options[1], within), {key: reader(of) for key, of in (*has.types, *has.others)}, dict(has.types)
        )
    if dataclasses.is_dataclass(kind):
        return lambda value, place: read_fields(kind, value, place)
    return _plain({str: "a text", bool: "true or false", types.NoneType: "null"}[kind], kind)


def _inner(option: Any, marks: tuple[Any, ...]) -> Read:
    return reader(Annotated[(option, *marks)] if marks else option)


def _plain(expected: str, kind: type[Any]) -> Read:
    def read(value: Any, place: str) -> Any:
        if type(value) is not kind:
            raise misfit(place, expected, value)
        return value

    return read


def _literal(options: tuple[Any, ...]) -> Read:
    def read(value: Any, place: str) -> Any:
        if not isinstance(value, str) or value not in options:
            raise misfit(place, f"one of {', '.join(map(repr, options))}", value)
        return value

    return read


def _number(kind: type[Any], limits: Between | None) -> Read:
    kinds = (int,) if kind is int else (float, int)
    low, high = _bounds(limits, kind)
    expected = f"{'an integer' if kind is int else 'a number'}{f' {limits}' if limits else ''}"
    excluded = (limits.low, limits.high) if limits and limits.open else ()

    def read(value: Any, place: str) -> Any:
        if type(value) not in kinds or not low <= value <= high or value in excluded:
            raise misfit(place, expected, value)
        return float(value) if type(value) is int and kind is float and abs(value) >= 2**63 else value

    return read


def _bounds(limits: Between | None, kind: type[Any]) -> tuple[float, float]:
    most = 2**64 if kind is int else _LARGEST
    if limits is None:
        return -most, most
    rounding = 0 if limits.open or kind is int else _ROUNDING
    return limits.low - rounding, most if limits.high == math.inf else limits.high + rounding


def _one_of(options: tuple[Read, ...]) -> Read:
    def read(value: Any, place: str) -> Any:
        problems = []
        for option in options:
            try:
                return option(value, place)
            except Misfit as error:
                problems.append(error)
        # That of the innermost place says most: the others are of other types.
        raise max(problems, key=lambda error: len(str(error).partition(" must be ")[0]))

    return read


def _sequence(items: tuple[Read, ...], many: bool, ordered: bool) -> Read:
    def read(value: Any, place: str) -> Any:
        if not isinstance(value, list | tuple):
            raise misfit(place, "a list", value)
        if not many and len(value) != len(items):
            raise misfit(place, f"a list of {len(items)}", value)
        each = items * len(value) if many else items
        try:
            read = tuple([one(item, "") for one, item in zip(each, value, strict=True)])
        except Misfit:  # once more for its place
            for i, (one, item) in enumerate(zip(each, value, strict=True)):
                one(item, f"{place}[{i}]")
            raise
        if ordered and read and (len(read) != 2 or read[0] > read[1]):
            raise misfit(place, "a lower and an upper bound", value)
        return read

    return read


def _mapping(item: Read, known: Mapping[str, Read], required: Iterable[str]) -> Read:
    def read(value: Any, place: str) -> Any:
        if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
            raise misfit(place, "an object", value)
        if missing := [key for key in required if key not in value]:
            raise Misfit(f"{place} lacks the fields {missing}: is the file complete?")
        return {key: known.get(key, item)(content, f"{place}.{brief(key)[1:-1]}") for key, content in value.items()}

    return read


def _array(dtype: np.dtype[Any], ndim: int | None, limits: Between | None, may_be_nan: bool) -> Read:
    kinds = {"f": "iuf", "i": "iu", "b": "b"}[dtype.kind]
    what = {"f": "a number", "i": "an integer", "b": "true or false"}[dtype.kind]
    single = f"{what} {limits}" if limits else what
    expected = f"a list, each item {what}" if ndim in (None, 1) else f"a {ndim}-D list, each item {what}"
    low, high = _bounds(limits, float)

    def read(value: Any, place: str) -> Any:
        if not isinstance(value, list | tuple):
            raise misfit(place, expected, value)
        if may_be_nan:
            value = [math.nan if item is None else item for item in value]
        try:
            array = np.asarray(value)
        except ValueError:
            raise misfit(place, expected, value) from None
        if array.size == 0:
            return np.empty(array.shape if array.ndim == (ndim or array.ndim) else (0,) * (ndim or 1), dtype)
        wrong = array.dtype.kind not in kinds or (ndim is not None and array.ndim != ndim)
        if wrong or (dtype.kind != "b" and _holds_bool(value, array.ndim)):
            raise misfit(place, expected, value)
        array = array.astype(dtype, copy=False)
        if dtype.kind != "b":
            outside = (array < low) | (array > high) | (np.isnan(array) & (not may_be_nan))
            if limits is not None and limits.open:
                outside |= (array == limits.low) | (array == limits.high)
            if outside.any():
                at = tuple(map(int, np.argwhere(outside)[0]))
                raise misfit(place + "".join(f"[{i}]" for i in at), single, array[at].item())
        return array

    return read


def _holds_bool(value: Any, ndim: int) -> bool:
    """Return whether there is a bool among numbers, which numpy takes for one."""
    return bool in set(map(type, value)) if ndim == 1 else any(_holds_bool(item, ndim - 1) for item in value)


def _anything(value: Any, place: str, depth: int = 0) -> Any:
    if depth > _DEEPEST:
        raise misfit(place, f"nested at most {_DEEPEST} deep", value)
    if isinstance(value, float) and not math.isfinite(value):
        raise misfit(place, "a finite number", value)
    if isinstance(value, dict):
        for item in value.values():
            _anything(item, place, depth + 1)
    elif isinstance(value, list | tuple):
        for item in value:
            _anything(item, place, depth + 1)
    return value
