"""A corpus as a table: texts and what belongs to each of them."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from xembed._core.text import first_of
from xembed._core.validation import check_option, check_texts, quote_options

if TYPE_CHECKING:
    import pandas as pd

_ISO_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_LOCAL_DAY = re.compile(r"([0-9]{1,2})([./-])([0-9]{1,2})\2([0-9]{4})(?![0-9])")
_SHORT_YEAR = re.compile(r"[0-9]{1,2}([./-])[0-9]{1,2}\1[0-9]{2}(?![0-9./-])")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_SHOWN_VALUES = 12  # values listed in an error message
_SHOWN_ROWS, _SHOWN_COLUMNS, _SHOWN_TEXT, _SHOWN_CELL = 5, 8, 300, 60  # what _repr_html_ shows


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class TextTable:
    """Texts with their labels, dates and further columns, one row a text.

    Parameters
    ----------
    name : str
        Name of the corpus in messages and reports.
    texts : sequence of str
        Texts, kept as a tuple. Blank ones are allowed here.
    labels : sequence of str, optional
        Label of each text; the column 'label'.
    dates : array-like of dates, optional
        Date of each text (kept as a read-only datetime64[D] array); the column 'date'.
    metadata : mapping of str to sequence, optional
        Further columns.
    card : str, default=''
        Description of the data: what they are, how they were made, their license and limits.
    n_skipped : int, default=0
        Number of blank texts that were dropped when the table was read.
    rows : sequence of int, optional
        Number of each text in its file, as messages count: rows of a table from 0, lines of a file from 1. ``None``
        counts from 0.
    unit : {'row', 'line'}
        What ``rows`` counts.
    ids : sequence of str, optional
        Identifier of each text.
    skipped : sequence of int
        Numbers in the file of the texts that were dropped.
    warnings : sequence of str
        What is odd about the file, in sentences.

    Raises
    ------
    TypeError, ValueError
        If a text, label or identifier is not a string (of valid Unicode), columns differ in length or share a name, or
        a date can't be read.

    Notes
    -----
    Iterating over a table gives its texts: it can be handed to whatever takes a list of texts. It equals itself only.

    Examples
    --------
    >>> from xembed.datasets import TextTable
    >>> table = TextTable("notes", ["Milk", "Rain", "Bread"], labels=["shop", "sky", "shop"])
    >>> table
    TextTable('notes': 3 texts, columns 'text', 'label')
    >>> table.where(label="shop").texts
    ('Milk', 'Bread')
    >>> table[1:].labels
    ('sky', 'shop')
    """

    name: str
    texts: tuple[str, ...]
    labels: tuple[str, ...] | None = None
    dates: npt.NDArray[np.datetime64] | None = None
    metadata: Mapping[str, tuple[Any, ...]] = dataclasses.field(default_factory=dict)
    card: str = ""
    n_skipped: int = 0
    rows: tuple[int, ...] = None  # type: ignore[assignment]
    unit: str = "row"
    ids: tuple[str, ...] | None = None
    skipped: tuple[int, ...] = ()
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        texts = check_texts(self.texts, name="texts", min_texts=0, blank=True)
        labels, ids = (
            None if column is None else tuple(check_texts(column, name=name, min_texts=0, blank=True))
            for name, column in (("labels", self.labels), ("ids", self.ids))
        )
        check_option(self.unit, ("row", "line"), name="unit", caller="TextTable")
        rows = tuple(range(len(texts)) if self.rows is None else map(int, self.rows))
        dates = None if self.dates is None else _as_days(self.dates)
        metadata = {name: tuple(column) for name, column in self.metadata.items()}
        taken = {"text"} | ({"label"} if labels is not None else set()) | ({"date"} if dates is not None else set())
        if clash := sorted(taken & set(metadata)):
            raise ValueError(f"metadata must not hold the columns {clash}: the table has columns of that name.")
        for name, column in {"labels": labels, "dates": dates, "rows": rows, "ids": ids, **metadata}.items():
            if column is not None and len(column) != len(texts):
                raise ValueError(
                    f"All columns of a TextTable must have the same length. Got {len(texts)} texts and "
                    f"{len(column)} entries in {name!r}."
                )
        own = {"texts": tuple(texts), "labels": labels, "dates": dates, "metadata": metadata, "rows": rows, "ids": ids}
        own |= {"skipped": tuple(map(int, self.skipped)), "warnings": tuple(self.warnings)}
        for name, value in own.items():
            object.__setattr__(self, name, value)  # the way a frozen dataclass sets its own fields

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns: 'text', 'label' and 'date' where there are any, then the metadata."""
        return tuple(self._columns)

    @property
    def _columns(self) -> dict[str, Any]:
        own = {"text": self.texts, "label": self.labels, "date": self.dates}
        return {name: column for name, column in own.items() if column is not None} | dict(self.metadata)

    def column(self, name: str) -> tuple[Any, ...] | npt.NDArray[np.datetime64]:
        """Return one of `columns` (ValueError if there is none): a datetime64[D] array for 'date', else a tuple."""
        if name not in self.columns:
            columns = quote_options(self.columns)
            raise ValueError(f"{self.name!r} must have the column asked for. Got {name!r}; the columns are {columns}.")
        column: tuple[Any, ...] | npt.NDArray[np.datetime64] = self._columns[name]
        return column

    def where(self, **column_equals: Any) -> TextTable:
        """Return the rows whose columns have the given values, in their order.

        Parameters
        ----------
        **column_equals
            For each column a value, or several (list, tuple, set, array) of which any will do; dates also as strings.

        Raises
        ------
        ValueError
            If there is no such column, a value does not occur in it (those that do are listed), or no row is left.

        Examples
        --------
        >>> from xembed.datasets import load_corpora
        >>> tickets = load_corpora("support_tickets")
        >>> len(tickets.where(week=1, label=["billing", "contract"]))
        44
        """
        kept = np.ones(len(self), dtype=np.bool_)
        for name, wanted in column_equals.items():
            several = isinstance(wanted, list | tuple | set | frozenset | range | np.ndarray)
            column, options = list(self.column(name)), list(wanted) if several else [wanted]
            if name == "date" and self.dates is not None:
                column, options = self.dates.tolist(), _as_days(options).tolist()
            matches, absent = _match(column, options)
            if absent or not options:
                got = repr(absent[0] if len(absent) == 1 else absent)
                raise ValueError(
                    f"The {name!r} asked for must occur in {self.name!r}: {_list_values(column)}. Got {got} instead."
                )
            kept &= matches
        if not kept.any():
            conditions = " and ".join(f"{name}={wanted!r}" for name, wanted in column_equals.items())
            raise ValueError(f"{self.name!r} must hold texts that meet all conditions. None has {conditions}.")
        return self.take(np.flatnonzero(kept))

    def take(self, indices: Sequence[int] | npt.NDArray[Any]) -> TextTable:
        """Return the texts at ``indices`` (from 0, in this order) with all that belongs to each of them.

        Raises
        ------
        IndexError, TypeError
            If an index is outside the table, or the indices are not a one-dimensional sequence of integers.

        Examples
        --------
        >>> from xembed.datasets import TextTable
        >>> TextTable("notes", ["Milk", "Rain", "Bread"]).take([2, 0]).rows
        (2, 0)
        """
        index = np.asarray(indices)
        if index.size == 0 and index.ndim == 1 and index.dtype.kind == "f":  # an empty list has no type
            index = index.astype(np.intp)
        if index.ndim != 1 or index.dtype.kind not in "iu":
            raise TypeError(
                "The rows of a TextTable must be a slice, a 1-D array of integers or a 1-D mask of booleans. "
                f"Got {indices!r:.80} instead; for a single text take .texts[i]."
            )
        outside = index[(index < -len(self)) | (index >= len(self))]
        if len(outside):
            raise IndexError(f"Rows must be below {len(self)}, the number of texts of {self.name!r}. Got {outside[0]}.")
        places = index.tolist()

        def of(column: tuple[Any, ...]) -> tuple[Any, ...]:
            return tuple(column[i] for i in places)

        return dataclasses.replace(
            self,
            texts=of(self.texts),
            labels=None if self.labels is None else of(self.labels),
            dates=None if self.dates is None else self.dates[index],
            metadata={name: of(column) for name, column in self.metadata.items()},
            rows=of(self.rows),
            ids=None if self.ids is None else of(self.ids),
        )

    def to_frame(self) -> pd.DataFrame:
        """Return a table with one row a text and the columns `columns`; a missing value may become NaN."""
        import pandas as pd

        # pandas has no dates without a time of day: seconds are the coarsest unit it knows.
        columns = self._columns
        if self.dates is not None:
            columns["date"] = self.dates.astype("datetime64[s]")
        return pd.DataFrame(columns)

    def __len__(self) -> int:
        return len(self.texts)

    def __iter__(self) -> Iterator[str]:
        return iter(self.texts)

    def __getitem__(self, rows: slice | Sequence[int] | Sequence[bool] | npt.NDArray[Any]) -> TextTable:
        if isinstance(rows, slice):
            return self.take(np.arange(len(self))[rows])
        index = np.asarray(rows)
        if index.ndim == 1 and index.dtype.kind == "b":
            if len(index) != len(self):
                raise ValueError(
                    f"A mask must have one entry a text. Got {len(index)} entries for the {len(self)} texts "
                    f"of {self.name!r}."
                )
            return self.take(np.flatnonzero(index))
        return self.take(rows)

    def __repr__(self) -> str:
        names = first_of(map(repr, self.columns), _SHOWN_COLUMNS)
        return f"TextTable({self.name!r}: {len(self)} text{'s' * (len(self) != 1)}, columns {names})"

    def _repr_html_(self) -> str:
        names = self.columns[:_SHOWN_COLUMNS]
        lengths = [_SHOWN_TEXT if name == "text" else _SHOWN_CELL for name in names]
        head = _cells("th", names, [_SHOWN_CELL] * len(names))
        rows = ([self._columns[name][row] for name in names] for row in range(min(_SHOWN_ROWS, len(self))))
        body = "".join(f"<tr>{_cells('td', row, lengths)}</tr>" for row in rows)
        caption = f"{_cell(self.name, _SHOWN_CELL)}: {len(self)} text{'s' * (len(self) != 1)}"
        return f"<table><caption>{caption}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def as_day(value: Any, *, dayfirst: bool = False) -> datetime.date:
    """Return a date, ISO string (``dayfirst``: a European one) or time at midnight as a day, or raise ValueError."""
    if isinstance(value, np.datetime64):
        value = value.astype("datetime64[us]").item()
    if isinstance(value, str):
        value = _as_iso(value) if dayfirst else value
        if _ISO_DAY.fullmatch(value):
            return datetime.date.fromisoformat(value)
    if isinstance(value, datetime.datetime):
        is_missing = value != value  # pandas' NaT is a datetime, too
        if not is_missing and value.time() == datetime.time():
            return value.date()
    elif isinstance(value, datetime.date):
        return value
    raise ValueError(f"not a day: {value!r}")


def as_times(
    column: Iterable[Any], *, dayfirst: bool = False, name: str = "times", rows: Sequence[int] | None = None
) -> list[Any]:
    """Return times as numbers or ISO strings where they are text, as in a .csv; other values as they are.

    Messages name items from 0, or ``rows``: their numbers in the file.
    """
    values = list(column)
    where = [f"item {i}" if rows is None else f"row {rows[i]}" for i in range(len(values))]
    texts = [value.strip() for value in values if isinstance(value, str)]
    if texts and len(texts) == len(values) and all(map(_NUMBER.fullmatch, texts)):
        return list(map(float, texts))
    numbers = [isinstance(value, str) and _NUMBER.fullmatch(value.strip()) is not None for value in values]
    days_or_years = all(len(value) in {4, 8} for value in texts if value.isdigit())  # 20240304 stands for a day
    if sum(numbers) > len(values) / 2 and not days_or_years:
        row = numbers.index(False)
        raise ValueError(
            f"{name} must hold numbers only, or dates only. Got {values[row]!r:.40} in {where[row]}, among "
            f"{sum(numbers):,} numbers: repair or drop such rows first."
        )
    for row, value in enumerate(values):
        if isinstance(value, str) and _SHORT_YEAR.match(value.strip()):
            raise ValueError(
                f"{name} must hold dates with years of four digits, such as '2024-03-04'. Got {value!r:.40} in "
                f"{where[row]}: write the century, too."
            )
        if isinstance(value, str) and _LOCAL_DAY.match(value.strip()):
            if not dayfirst:
                raise ValueError(
                    f"{name} must hold dates that are read in one way, such as '2024-03-04'. Got {value!r:.40} in "
                    f"{where[row]}: if the day comes before the month, pass dayfirst=True (--dayfirst); else write "
                    "them as year-month-day."
                )
            try:
                values[row] = _as_iso(value)
            except ValueError:
                raise ValueError(
                    f"{name} must hold dates with the day before the month, as dayfirst says. Got {value!r:.40} in "
                    f"{where[row]}."
                ) from None
    return values


def _as_iso(value: str) -> str:
    """Return a European date, and the time that may follow it, in ISO form; other strings as they are."""
    parts = _LOCAL_DAY.match(value.strip())
    if parts is None:
        return value
    day, month, year = (int(parts[i]) for i in (1, 3, 4))
    rest = value.strip()[parts.end() :].strip(" ,T")
    time = f"T{'0' * (rest[1:2] == ':')}{rest}" if rest else ""
    return datetime.date(year, month, day).isoformat() + time


def _as_days(dates: Any) -> npt.NDArray[np.datetime64]:
    """Return ``dates`` as a read-only array of days."""
    try:
        is_ready = isinstance(dates, np.ndarray) and dates.dtype == "datetime64[D]" and not np.isnat(dates).any()
        days = np.array(dates if is_ready else [as_day(date) for date in dates], dtype="datetime64[D]")
    except (TypeError, ValueError) as error:
        raise ValueError(f"dates must hold days, such as '2024-03-04', and no missing ones ({error}).") from None
    days.setflags(write=False)
    return days


def _key(cell: Any) -> tuple[bool, Any]:
    # True == 1 in Python, but a column of booleans is not one of numbers.
    return isinstance(cell, bool | np.bool_), cell


def _match(column: Sequence[Any], options: Sequence[Any]) -> tuple[npt.NDArray[np.bool_], list[Any]]:
    """Return which cells are among the options, and the options that no cell equals."""
    cells, keys = [_key(cell) for cell in column], [_key(option) for option in options]
    wanted: Collection[tuple[bool, Any]] = keys
    present: Collection[tuple[bool, Any]] = cells
    with contextlib.suppress(TypeError):  # lists and dicts have no hash: then each is compared with each
        wanted, present = set(keys), set(cells)
    kept = np.array([cell in wanted for cell in cells], dtype=np.bool_)
    return kept, [option for option, key in zip(options, keys, strict=True) if key not in present]


def _list_values(column: Collection[Any]) -> str:
    """List the values of a column in a fixed order, whatever their types, and not all of very many."""
    values = sorted({str(cell) if hasattr(cell, "isoformat") else repr(cell)[:80] for cell in column})
    return f"{{{first_of(values, _SHOWN_VALUES, total=True)}}}"


def _cells(tag: str, values: Sequence[Any], lengths: Sequence[int]) -> str:
    pairs = zip(values, lengths, strict=True)
    return "".join(f"<{tag} style='text-align:left'>{_cell(value, length)}</{tag}>" for value, length in pairs)


def _cell(value: Any, length: int) -> str:
    text = "" if value is None else str(value)
    return escape(text if len(text) <= length else text[:length] + "…")
