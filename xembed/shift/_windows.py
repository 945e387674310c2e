"""A stream of texts: its times, its reference, and windows of it, by number, length of time, or the calendar."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from xembed._core.directions import direction_weights
from xembed._core.inputs import mark_masked
from xembed._core.validation import FloatArray, check_embeddings, check_same_dims
from xembed.shift._battery import number_labels

Times: TypeAlias = npt.NDArray[Any]  # float64 or datetime64[us]
Label: TypeAlias = str | float
# What stands for a time or a length of time, where an integer would be a number of rows.
DATES = (str, datetime.date, np.datetime64)
LENGTHS = (str, datetime.timedelta, np.timedelta64)
Indices: TypeAlias = npt.NDArray[np.intp]
_DAY = np.timedelta64(1, "D")


@dataclass(frozen=True)
class Stream:
    """Texts in the order of time, in units: rows, or groups of rows. The first units are the reference."""

    outside: FloatArray | None  # rows of the reference, where they are not rows of X
    rows: FloatArray  # X
    order: Indices  # (N,) rows of [outside; X], unit by unit
    offsets: Indices  # (n_units + 1,) where each unit begins in ``order``
    times: Times  # of the units that are not of the reference
    n_reference: int
    unit: str  # 'row' or 'group'

    def take(self, units: Indices) -> tuple[FloatArray, Indices]:
        """Return the rows of units, and the unit of each."""
        sizes = self.offsets[units + 1] - self.offsets[units]
        places = [self.order[self.offsets[unit] : self.offsets[unit + 1]] for unit in units]
        index = np.concatenate(places) if self.unit == "group" else self.order[units]
        return self._rows(index), np.repeat(units, sizes)

    def between(self, first: int, last: int) -> FloatArray:
        """Return the rows of the units ``first`` to ``last`` - 1, all of the reference or none."""
        if self.unit == "group":
            return self._rows(self.order[self.offsets[first] : self.offsets[last]])
        if self.outside is None:
            return self.rows[first:last]  # not a copy: there may be many
        n_outside = len(self.outside)
        return self.outside[first:last] if last <= n_outside else self.rows[first - n_outside : last - n_outside]

    def sample(self, first: int, last: int, n_units: int, rng: np.random.Generator) -> Indices:
        """Return ``n_units`` of the units ``first`` to ``last`` - 1 at random, or all of them if they are not more."""
        if last - first <= n_units:
            return np.arange(first, last)
        return first + np.sort(rng.choice(last - first, n_units, replace=False, shuffle=False))

    def _rows(self, index: Indices) -> FloatArray:
        if self.outside is None:
            return self.rows[index]
        inside = index >= len(self.outside)
        result = np.empty((len(index), self.rows.shape[1]), np.result_type(self.outside, self.rows))
        result[~inside] = self.outside[index[~inside]]
        result[inside] = self.rows[index[inside] - len(self.outside)]
        return result


def read_stream(X: FloatArray, times: Times, reference: Any, groups: Any, *, caller: str) -> tuple[Stream, Any]:
    """Return the stream, and the time that it starts from if ``reference`` is one, else None."""
    is_time = is_place(reference) and not _is_count(reference)
    outside = None if is_place(reference) else _read_outside(reference, X, caller)
    unit = "row" if groups is None else "group"
    units = _number_units(X, outside, groups, caller)
    n_outside = 0 if outside is None else int(units[: -len(X)].max()) + 1
    order = np.argsort(units, kind="stable")
    offsets = np.concatenate([[0], np.cumsum(np.bincount(units))])
    # A unit has the time of its first row.
    n_rows_outside = len(units) - len(X)
    unit_times = times[order[offsets[n_outside:-1]] - n_rows_outside]
    if outside is not None:
        return Stream(outside, X, order, offsets, unit_times, n_outside, unit), None
    origin = read_time(reference, times, name="reference", caller=caller) if is_time else None
    n_reference = int((unit_times < origin).sum()) if is_time else int(reference)
    if not 0 <= n_reference < len(unit_times):
        advice = "" if is_time or times.dtype.kind == "M" else f" For the time pass {float(reference)}."
        raise ValueError(
            f"The 'reference' parameter of {caller} must leave {unit}s of X for the stream. Got {reference!r}, which "
            f"takes {n_reference} of {len(unit_times)} {unit}s.{advice}"
        )
    return Stream(None, X, order, offsets, unit_times[n_reference:], n_reference, unit), origin


def _read_outside(reference: Any, X: FloatArray, caller: str) -> FloatArray:
    if reference is None or isinstance(reference, bool):
        raise TypeError(
            f"The 'reference' parameter of {caller} must be embeddings, a number of rows of X, or a time. Got "
            f"{reference!r} instead."
        )
    outside = check_embeddings(reference, name="reference", caller=caller)
    check_same_dims(("reference", outside), ("X", X))
    direction_weights(outside, name="reference")
    return outside


def _number_units(X: FloatArray, outside: FloatArray | None, groups: Any, caller: str) -> Indices:
    """Return the unit of each row of [outside; X], numbered in the order of their first rows."""
    n_outside = 0 if outside is None else len(outside)
    if groups is None:
        return np.arange(n_outside + len(X))
    if outside is None:
        return number_labels(groups, len(X), {}, name="X", caller=caller)
    if isinstance(groups, str) or not hasattr(groups, "__len__") or len(groups) != 2:
        raise ValueError(
            f"The 'groups' parameter of {caller} must be a pair where the reference is an array: the group of each row "
            f"of the reference, and of each row of X. Got {type(groups).__name__}."
        )
    numbers: dict[Hashable, int] = {}
    first = number_labels(groups[0], n_outside, numbers, name="reference", caller=caller)
    n_groups = len(numbers)
    second = number_labels(groups[1], len(X), numbers, name="X", caller=caller)
    shared = np.flatnonzero(second < n_groups)
    if len(shared):
        raise ValueError(
            f"The 'groups' parameter of {caller} has groups that are in both the reference and X (first: "
            f"{list(groups[1])[shared[0]]!r}): leave them out of one."
        )
    return np.concatenate([first, second])


class Window(NamedTuple):
    """Units (rows or groups) ``first`` to ``last`` - 1, and what the window's ends are called."""

    first: int
    last: int
    start: Label
    end: Label


class Cut(NamedTuple):
    """A stream cut into windows."""

    windows: list[Window]
    n_waiting: int  # units after the last window, too few for one more
    n_joined: int  # windows with too few units that were joined with the next


def read_times(
    times: Any, *, n_rows: int, caller: str, in_order: bool = True, numbers: Sequence[int] | None = None
) -> Times:
    """Return times as float64 or datetime64[us] (UTC), checked to be complete and, if ``in_order``, to be in order.

    ``numbers`` are those of the rows in their file, for messages.
    """
    values = np.asarray(mark_masked(times))
    if values.ndim != 1 or len(values) != n_rows:
        raise ValueError(
            f"The 'times' parameter of {caller} must hold one time a row of X, in the same order. Got an array of "
            f"shape {values.shape} for {n_rows} rows."
        )
    result = _as_times(values, caller=caller)
    missing = np.flatnonzero(~np.isfinite(result))
    if len(missing):
        row, first = missing[0] if numbers is None else numbers[missing[0]], values.tolist()[missing[0]]
        raise ValueError(
            f"times holds {len(missing)} value{'s' * (len(missing) > 1)} that {'are' if len(missing) > 1 else 'is'} "
            f"missing or can't be read (first: row {row}, {first!r:.60}). Numbers and dates are read, as "
            "'2024-09-30' or '2024-09-30T17:05'. Repair or drop such rows first."
        )
    back = np.flatnonzero(result[1:] < result[:-1])
    if in_order and len(back):
        row = int(back[0]) + 1
        raise ValueError(
            f"times must not go back. Row {row} ({label(result[row])}) is before row {row - 1} "
            f"({label(result[row - 1])}). Sort first: order = np.argsort(times, kind='stable'), then X[order] and "
            "times[order]."
        )
    return result


def _as_times(values: npt.NDArray[Any], *, caller: str) -> Times:
    kind = values.dtype.kind
    if kind == "O" and all(item is None or _is_number(item) for item in values):
        return values.astype(np.float64)  # None becomes NaN
    if kind in "iuf":
        return values.astype(np.float64)
    if kind == "M":
        return values.astype("datetime64[us]")
    if kind not in "OU":
        raise TypeError(f"The 'times' parameter of {caller} must hold numbers or dates. Got dtype {values.dtype}.")
    import pandas as pd

    dates = pd.Series([None if _is_number(item) else item for item in values], dtype=object)
    parsed = pd.to_datetime(dates, utc=True, format="ISO8601", errors="coerce")
    return parsed.dt.tz_localize(None).to_numpy().astype("datetime64[us]")


def is_place(reference: Any) -> bool:
    """Return whether a reference is a number of rows or a time, not rows of its own."""
    return _is_count(reference) or isinstance(reference, (*DATES, float, np.floating))


def _is_count(value: Any) -> bool:
    # numpy takes lengths of time for integers.
    return isinstance(value, int | np.integer) and not isinstance(value, bool | np.timedelta64)


def _is_number(item: Any) -> bool:
    return isinstance(item, int | float | np.integer | np.floating) and not isinstance(item, bool)


def read_time(value: Any, like: Times, *, name: str, caller: str) -> Any:
    """Return one time of the same kind as ``like``."""
    dated = like.dtype.kind == "M"
    if dated != isinstance(value, DATES):
        raise TypeError(
            f"The {name!r} parameter of {caller} must be a time of the same kind as 'times', "
            f"{'a date' if dated else 'a float'}. Got {value!r} instead."
        )
    one = np.empty(1, object)
    one[0] = value
    result = _as_times(one, caller=caller)[0]
    if not np.isfinite(result):
        raise ValueError(f"The {name!r} parameter of {caller} must be a time. {value!r} can't be read as one.")
    return result


def label(time: Any) -> Label:
    """Return a time as JSON has it: a number, or an ISO date as short as it can be."""
    return str(np.datetime_as_string(time, unit="auto")) if isinstance(time, np.datetime64) else float(time)


def cut(times: Times, window: Any, *, origin: Any, min_units: int, caller: str) -> Cut:
    """Cut the units of a stream, of which ``times`` are given in order, into windows.

    ``origin`` is the time that windows of a length start from, or None: the first unit's, where windows of whole days
    start at midnight.
    """
    if _is_count(window):
        return _cut_by_number(times, int(window), min_units=min_units, caller=caller)
    numbers, bounds = _number_windows(times, window, origin, caller)
    windows: list[Window] = []
    first = n_small = n_joined = 0
    for last in [*(np.flatnonzero(np.diff(numbers)) + 1).tolist(), len(times)]:
        if last - first < min_units:
            n_small += 1
            continue
        start, end = bounds(numbers[first])[0], bounds(numbers[last - 1])[1]
        windows.append(Window(first, last, label(start), label(end)))
        first, n_joined, n_small = last, n_joined + n_small, 0
    return Cut(windows, len(times) - first, n_joined)


def _cut_by_number(times: Times, size: int, *, min_units: int, caller: str) -> Cut:
    if size < min_units:
        raise ValueError(
            f"The 'window' parameter of {caller} must be at least min_rows = {min_units} rows (with groups: groups). "
            f"Got {size}."
        )
    count = len(times) // size
    windows = [
        Window(i * size, (i + 1) * size, label(times[i * size]), label(times[(i + 1) * size - 1])) for i in range(count)
    ]
    return Cut(windows, len(times) - count * size, 0)


def _number_windows(
    times: Times, window: Any, origin: Any, caller: str
) -> tuple[npt.NDArray[np.int64], Callable[[Any], tuple[Any, Any]]]:
    """Return the number of each time's window, and a function from a number to the window's ends."""
    dated = times.dtype.kind == "M"
    if dated and isinstance(window, LENGTHS):
        length = _read_length(window, caller)
    elif not dated and isinstance(window, float | np.floating):
        length = float(window)
    else:
        raise TypeError(
            f"The 'window' parameter of {caller} must be an integer (rows a window) or a length of time: "
            f"{'a string such as 7D or MS (months), or a timedelta' if dated else 'a float'}, as times are "
            f"{'dates' if dated else 'numbers'}. Got {window!r} instead."
        )
    if not isinstance(length, float | np.timedelta64):
        edges = _calendar_edges(times, length)
        return np.searchsorted(edges, times, side="right") - 1, lambda number: (edges[number], edges[number + 1])
    if not (length > (np.timedelta64(0, "us") if dated else 0.0) and np.isfinite(length)):
        raise ValueError(f"The 'window' parameter of {caller} must be a positive length. Got {window!r} instead.")
    if origin is None:
        whole_days = isinstance(length, np.timedelta64) and length % _DAY == np.timedelta64(0, "us")
        origin = times[0].astype("datetime64[D]").astype(times.dtype) if whole_days else times[0]
    numbers = np.floor_divide(times - origin, length).astype(np.int64)
    return numbers, lambda number: (origin + number * length, origin + (number + 1) * length)


def _read_length(window: Any, caller: str) -> Any:
    """Return a timedelta64[us], or a pandas offset for months, quarters and years."""
    import pandas as pd

    try:
        offset = pd.tseries.frequencies.to_offset(window)
    except (ValueError, TypeError):
        offset = None  # '7 days' is a length, but no name of an offset
    if isinstance(offset, pd.offsets.Week):
        return np.timedelta64(7 * offset.n, "D").astype("timedelta64[us]")
    if offset is not None and not isinstance(offset, pd.offsets.Tick | pd.offsets.Day):
        if offset.n > 0:
            return offset
        raise ValueError(f"The 'window' parameter of {caller} must be a positive length. Got {window!r} instead.")
    try:
        return pd.Timedelta(window).to_numpy().astype("timedelta64[us]")
    except ValueError:
        raise ValueError(
            f"The 'window' parameter of {caller} must be a length of time that pandas reads, such as '7D', '2W', '12h' "
            f"or, for calendar months, quarters and years, 'MS', 'QS' and 'YS'. Got {window!r} instead."
        ) from None


def _calendar_edges(times: Times, offset: Any) -> Times:
    import pandas as pd

    start = offset.rollback(pd.Timestamp(times[0]).normalize())
    edges = [start]
    while edges[-1] <= pd.Timestamp(times[-1]):
        edges.append(edges[-1] + offset)
    return np.array([edge.to_datetime64() for edge in edges], "datetime64[us]")
