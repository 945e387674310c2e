"""Writing tables so that they read back, and so that a spreadsheet runs nothing in them."""

from __future__ import annotations

import csv
import datetime
import io
import json
import math
import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, TypeAlias

import numpy as np

from xembed._core.files import atomic_write, check_writable
from xembed._core.inputs import is_missing
from xembed._core.validation import check_flag, check_texts, quote_options

Columns: TypeAlias = dict[str, list[Any]]

_FORMULA_START = ("=", "+", "-", "@", "\t", "\r")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


def write_table(path: str | os.PathLike[str], columns: Mapping[str, Sequence[Any]], *, overwrite: bool = True) -> None:
    r"""Write columns as a .csv, .jsonl or .parquet file, whole or not at all.

    Parameters
    ----------
    path : str or path-like
        Path of the file. The suffix (in any case) gives the format.
    columns : mapping of str to sequence
        Columns of the same length by their names: lists, tuples, arrays or pandas Series of strings, numbers, booleans,
        dates or ``None``. NaN and NaT count as missing. Lists and dicts are possible in .jsonl, lists in .parquet.
    overwrite : bool, default=True
        Replace the file if there is one.

    Raises
    ------
    TypeError, ValueError
        If the suffix is unknown, there are no columns, they differ in length, a name or text is not valid Unicode or
        (in .csv) holds a NUL character, (in .jsonl) a number is infinite, or the format can't hold a value.
    OSError
        If the folder does not exist or can't be written, or the file exists and is not to be replaced.

    Notes
    -----
    In .csv, a text that begins with ``=``, ``+``, ``-``, ``@``, a tab or a carriage return gets a leading apostrophe,
    unless it is a plain number: spreadsheets run such a cell as a formula (https://owasp.org, "CSV Injection"). It
    stays when it is read back (`read_texts`); the other formats keep texts as they are. Missing values are empty cells
    in .csv and null elsewhere. Dates are written in ISO form in .csv and .jsonl.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from xembed.datasets import write_table
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "scores.csv"
    ...     write_table(path, {"text": ["Rain", "=1+1"], "depth": [0.5, -0.25]})
    ...     path.read_text().splitlines()
    ['"text","depth"', '"Rain",0.5', '"\'=1+1",-0.25']
    """
    suffix = check_table_path(path).suffix.lower()
    cleaned = _clean(columns)
    with atomic_write(path, exclusive=not check_flag(overwrite, name="overwrite", caller="write_table")) as file:
        _WRITERS[suffix](file, cleaned)


def csv_text(columns: Mapping[str, Sequence[Any]]) -> bytes:
    """Return what `write_table` writes to a .csv file."""
    file = io.BytesIO()
    _write_csv(file, _clean(columns))
    return file.getvalue()


def check_table_path(path: str | os.PathLike[str]) -> Path:
    """Return ``path`` if `write_table` can write there, to ask before long work; errors are those of `write_table`."""
    suffix = Path(path).suffix.lower()
    if suffix not in _WRITERS:
        raise ValueError(
            f"{os.fspath(path)!r} must end in one of {quote_options(_WRITERS)} to be written by write_table. "
            f"Got {suffix!r} instead."
        )
    return check_writable(path)


def _clean(columns: Mapping[str, Sequence[Any]]) -> Columns:
    """Return the columns as lists of plain Python values of equal length."""
    if not columns:
        raise ValueError("columns must hold at least one column. Got none.")
    if wrong := [name for name in columns if not isinstance(name, str)]:
        raise TypeError(f"The names of columns must be strings. Got {wrong[0]!r} instead.")
    if single := [name for name, column in columns.items() if isinstance(column, str | bytes)]:
        raise TypeError(f"The column {single[0]!r} must be a list of values. Got a single text instead.")
    check_texts(list(columns), name="columns", blank=True)  # names must be valid Unicode, too
    cleaned = {name: _plain_values(column) for name, column in columns.items()}
    lengths = {name: len(column) for name, column in cleaned.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"All columns must have the same length. Got {lengths}.")
    for name, column in cleaned.items():
        strings = [value if isinstance(value, str) else "" for value in column]  # keeps the row numbers
        check_texts(strings, name=f"The column {name!r}", min_texts=0, blank=True)
    return cleaned


def _plain_values(column: Any) -> list[Any]:
    if isinstance(column, np.ndarray) and column.dtype.kind == "M":
        is_day = np.datetime_data(column.dtype)[0] in {"D", "W", "M", "Y"}
        column = column.astype("datetime64[D]" if is_day else "datetime64[us]").tolist()
    return [_plain_value(value) for value in column]


def _plain_value(value: Any) -> Any:
    if isinstance(value, np.datetime64):
        return _plain_values(np.array([value]))[0]
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if is_missing(value):
        return None
    if isinstance(value, str):
        return str(value)  # numpy.str_ and other subclasses become plain str
    return float(value) if isinstance(value, float) else value


def _write_csv(file: IO[bytes], columns: Columns) -> None:
    stream = io.TextIOWrapper(file, encoding="utf-8", newline="")
    # Quoting every text keeps line breaks of all kinds, blanks at the ends and empty lines as they are.
    writer = csv.writer(stream, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
    writer.writerow([_csv_text(name, name) for name in columns])
    for i, row in enumerate(zip(*columns.values(), strict=True)):
        writer.writerow([_csv_cell(value, name, i) for name, value in zip(columns, row, strict=True)])
    stream.flush()
    stream.detach()  # the file is closed by whoever opened it


def _csv_cell(value: Any, name: str, row: int) -> str | int | float | None:
    if isinstance(value, str):
        return _csv_text(value, name)
    if isinstance(value, bool):
        return str(value)
    if value is None or isinstance(value, int | float):
        return value
    if isinstance(value, datetime.date):
        return value.isoformat()
    raise TypeError(_cannot_hold(".csv", value, name, row))


def _csv_text(text: str, name: str) -> str:
    if "\0" in text:
        raise ValueError(
            f"The column {name!r} holds a NUL character, at which readers of .csv cut texts. Write .jsonl or .parquet."
        )
    return "'" + text if text.startswith(_FORMULA_START) and not _NUMBER.fullmatch(text) else text


def _write_jsonl(file: IO[bytes], columns: Columns) -> None:
    keys = {name: json.dumps(name, ensure_ascii=False) for name in columns}
    for i, row in enumerate(zip(*columns.values(), strict=True)):
        cells = (f"{keys[name]}: {_json_cell(value, name, i)}" for name, value in zip(columns, row, strict=True))
        file.write(f"{{{', '.join(cells)}}}\n".encode())


def _json_cell(value: Any, name: str, row: int) -> str:
    if isinstance(value, float) and math.isinf(value):
        raise ValueError(f"The column {name!r} must be finite: JSON has no number for {value} (row {row}).")
    if isinstance(value, datetime.date):
        value = value.isoformat()
    try:
        cell = json.dumps(value, ensure_ascii=False, allow_nan=False)
        cell.encode("utf-8")  # a list may hold what is not valid Unicode
    except (TypeError, ValueError) as error:
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(_cannot_hold(".jsonl", value, name, row)) from None
    return cell


def _write_parquet(file: IO[bytes], columns: Columns) -> None:
    import pyarrow as pa  # type: ignore[import-untyped]
    import pyarrow.parquet as pq  # type: ignore[import-untyped]

    arrays = {}
    for name, column in columns.items():
        try:
            arrays[name] = pa.array(column)
        except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError) as error:
            raise TypeError(
                f"The column {name!r} must hold values of one type to be written as .parquet: {error}"
            ) from None
    pq.write_table(pa.table(arrays), file)


def _cannot_hold(suffix: str, value: Any, name: str, row: int) -> str:
    return (
        f"A {suffix} file can't hold the {type(value).__name__} in the column {name!r} (row {row}). "
        "Turn it into text or numbers first."
    )


_Writer: TypeAlias = Callable[[IO[bytes], Columns], None]
_WRITERS: dict[str, _Writer] = {".csv": _write_csv, ".jsonl": _write_jsonl, ".parquet": _write_parquet}
TABLE_ENDINGS = tuple(_WRITERS)
