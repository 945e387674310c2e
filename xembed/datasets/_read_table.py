"""One reader of tables: from a file to columns of plain Python values, with errors that say where a file is wrong."""

from __future__ import annotations

import codecs
import csv
import dataclasses
import io
import json
import os
import re
from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import Any, NoReturn

from xembed._core.files import check_file
from xembed._core.validation import quote_options

# Longer marks first: that of UTF-32 (little-endian) begins with that of UTF-16.
_OTHER_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32", codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16",
}  # fmt: skip
_PANDAS_INDEX = re.compile(r"__index_level_\d+__")


@dataclasses.dataclass(frozen=True)
class Columns:
    """Columns of equal length, and how messages name a row: 'line' 17 of the file or 'row' 16 of the table."""

    columns: dict[str, list[Any]]
    numbers: Sequence[int]
    unit: str
    name: str = ""  # that of the file without its suffix
    source: str = ""  # the path as messages write it

    def take(self, rows: Sequence[int]) -> Columns:
        columns = {name: [column[i] for i in rows] for name, column in self.columns.items()}
        return dataclasses.replace(self, columns=columns, numbers=[self.numbers[i] for i in rows])


def read_table(
    path: str | os.PathLike[str], *, caller: str, formats: Collection[str] | None = None, remedy: str = ""
) -> Columns:
    """Return the columns of a file by its suffix, one of ``formats`` or `FORMATS`; ``remedy`` ends the message else.

    Values are as in the file: everything in a .csv is text. Missing ones are None. Errors name the line.
    """
    file, source = check_file(path, caller)
    suffix, formats = file.suffix.lower(), FORMATS if formats is None else formats
    if suffix not in formats:
        raise ValueError(
            f"{source} must end in one of {quote_options(formats)} to be read by {caller}. Got {suffix!r} instead."
            + remedy
        )
    return dataclasses.replace(FORMATS[suffix](file.read_bytes(), source), name=file.stem, source=source)


def decode(data: bytes, source: str, *, utf16: bool = False) -> str:
    """Return the text that a UTF-8 file holds; that of UTF-16 with a byte order mark, too, if ``utf16``."""
    for mark, encoding in _OTHER_MARKS.items():
        if not data.startswith(mark):
            continue
        if not (utf16 and encoding == "utf-16"):
            mark_of = f"It starts with the byte order mark of {encoding.upper()}"
            _raise_encoding(f"{source} must be UTF-8. {mark_of}", encoding)
        try:
            return data.decode(encoding)
        except UnicodeDecodeError as error:
            raise ValueError(f"{source} is not valid UTF-16: {error.reason} at byte {error.start}.") from None
    try:
        # 'utf-8-sig' would count the bytes of an error without the mark.
        content = data.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        where = f"byte {error.start} (line {line}) is 0x{data[error.start]:02x}"
        _raise_encoding(f"{source} must be UTF-8, but {where}", "latin1")
    if content.count("\0") * 3 > len(content) > 0:  # every other byte, where UTF-16 holds Latin letters
        encoding = "utf-16be" if content[0] == "\0" else "utf-16le"
        _raise_encoding(f"{source} must be UTF-8. It looks like UTF-16 without a byte order mark", encoding)
    return content


def _raise_encoding(problem: str, encoding: str) -> NoReturn:
    raise ValueError(f"{problem}. Convert it first, for example: iconv -f {encoding} -t utf-8 OLD > NEW")


def split_lines(content: str) -> list[str]:
    r"""Split at ``\n`` and ``\r\n`` only; the last one ends a line and begins none.

    Never `str.splitlines`: it splits at U+2028, form feeds and other characters that texts may hold.
    """
    lines = content.split("\n")
    return [line.removesuffix("\r") for line in (lines[:-1] if lines[-1] == "" else lines)]


def _read_txt(data: bytes, source: str) -> Columns:
    lines = split_lines(decode(data, source))
    return Columns({"text": lines}, range(1, len(lines) + 1), "line")


def _read_jsonl(data: bytes, source: str) -> Columns:
    records: dict[int, dict[str, Any]] = {}
    for number, line in enumerate(split_lines(decode(data, source)), start=1):
        if not line.strip(" \t\r"):
            continue  # an empty line between records, or at the end
        try:
            record = json.loads(line, parse_constant=_constant)
        except json.JSONDecodeError as error:
            reason = f"{error.msg} at column {error.colno}"
            raise ValueError(f"{source}: line {number} is not valid JSON: {reason}.") from None
        except (ValueError, RecursionError) as error:  # a number of too many digits, too many levels
            raise ValueError(f"{source}: line {number} can't be read: {error}.") from None
        if isinstance(record, str):
            record = {"text": record}
        if not isinstance(record, dict):
            raise ValueError(
                f"{source}: line {number} must hold a JSON object or a string. Got {type(record).__name__} instead."
            )
        records[number] = record
    names = dict.fromkeys(name for record in records.values() for name in record)
    return Columns({name: [record.get(name) for record in records.values()] for name in names}, [*records], "line")


def _constant(text: str) -> float | None:
    return None if text == "NaN" else float(text)  # not JSON, but what Python and others write


def _read_csv(data: bytes, source: str, separator: str = ",") -> Columns:
    import pandas as pd

    content = decode(data, source)
    if not content.strip():
        raise ValueError(f"{source} holds no texts.")
    if "\0" in content:  # readers of .csv cut texts there, pandas before its version 3 without a word
        line = content.count("\n", 0, content.index("\0")) + 1
        raise ValueError(
            f"{source} holds a NUL character (line {line}). Remove it, or save the texts as .jsonl or .parquet."
        )
    _check_header(content, source, separator)
    try:
        # keep_default_na=False: 'NA' and 'null' are texts like any other.
        frame = pd.read_csv(io.StringIO(content, newline=""), sep=separator, dtype=str, keep_default_na=False)
    except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        reason = str(error).removeprefix("Error tokenizing data. C error: ").strip()
        raise ValueError(
            f"{source} is not well-formed: {reason}. Is a text with commas or quotes not quoted?"
        ) from None
    if not isinstance(frame.index, pd.RangeIndex):  # pandas takes cells beyond the header for row names
        raise ValueError(f"{source} is not well-formed: its rows hold more cells than its first line names columns.")
    columns = {str(name): [c if isinstance(c, str) else None for c in frame[name].tolist()] for name in frame.columns}
    return Columns(columns, range(len(frame)), "row")


def _check_header(content: str, source: str, separator: str) -> None:
    """Check what pandas would pass over: two columns of one name, and the wrong separator."""
    reader = csv.reader(io.StringIO(content, newline=""), delimiter=separator)
    try:
        names = next(row for row in reader if row)
    except (StopIteration, csv.Error) as error:
        raise ValueError(f"{source} is not well-formed: its first line can't be read ({error}).") from None
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"{source} must name each column once. Got the name {twice[0]!r} more than once.")
    # Read with the wrong separator, a table is one column, and each row would pass for a text.
    others = [other for other in (",", ";", "\t") if other != separator and other in names[0]]
    if len(names) == 1 and others:
        raise ValueError(
            f"{source} must have columns separated by {separator!r}. Its first line is {names[0]!r:.80}: "
            f"if it is separated by {others[0]!r}, save it with commas as .csv or with tabs as .tsv."
        )


def _read_parquet(data: bytes, source: str) -> Columns:
    import pyarrow as pa  # type: ignore[import-untyped]
    import pyarrow.parquet as pq  # type: ignore[import-untyped]

    try:
        table = pq.ParquetFile(pa.BufferReader(data)).read()
        columns = {
            name: [None if isinstance(value, float) and value != value else value for value in column.to_pylist()]
            for name, column in zip(table.column_names, table.columns, strict=True)
            if not _PANDAS_INDEX.fullmatch(name)
        }
    except (pa.ArrowException, OSError, KeyError, ValueError) as error:
        raise ValueError(f"{source} can't be read as Parquet: {error}") from None
    return Columns(columns, range(table.num_rows), "row")


FORMATS: dict[str, Callable[[bytes, str], Columns]] = {
    ".txt": _read_txt, ".csv": _read_csv, ".tsv": partial(_read_csv, separator="\t"),
    ".jsonl": _read_jsonl, ".ndjson": _read_jsonl, ".parquet": _read_parquet,
}  # fmt: skip
