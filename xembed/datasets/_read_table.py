"""One reader of tables: from a file to columns of plain Python values, with errors that say where a file is wrong."""

from __future__ import annotations

import codecs
import csv
import dataclasses
import io
import json
import os
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from xembed._core.files import check_file, is_stream, most_bytes, read_bytes, too_large, unique_keys
from xembed._core.text import count
from xembed._core.validation import quote_options
from xembed.datasets._sniff import is_mostly_utf8, json_ending, kind_of, likely_encoding, marked_encoding

_PANDAS_INDEX = re.compile(r"__index_level_\d+__")
_MAX_COLUMNS = 10_000
# Cells of a table, of which a twentieth must be filled: objects with other keys in each line are no table.
_MAX_SPARSE_CELLS, _MIN_FILLED = 2_000_000, 20
_MAX_DEPTH = 100  # levels of nested JSON
_MAX_LINES = 50  # lines of a cell, beyond which a quote may be lacking
_SEPARATORS = (",", ";", "\t", "|", ":", "^", "~", "¦", "\x1f", "\x01")
_BATCH = 256  # rows of Parquet that are unpacked at once


@dataclasses.dataclass(frozen=True)
class Columns:
    """Columns of equal length, and how messages name a row: 'line' 17 of the file or 'row' 16 of the table."""

    columns: dict[str, list[Any]]
    numbers: Sequence[int]
    unit: str
    warnings: tuple[str, ...] = ()
    name: str = ""  # that of the file without its suffix
    source: str = ""  # the path as messages write it
    suffix: str = ""  # the format

    def take(self, rows: Sequence[int]) -> Columns:
        columns = {name: [column[i] for i in rows] for name, column in self.columns.items()}
        return dataclasses.replace(self, columns=columns, numbers=[self.numbers[i] for i in rows])


class Form(NamedTuple):
    """What a file does not say of itself."""

    delimiter: str | None = None
    encoding: str | None = None
    only_column: str | None = None  # what the only column may be called, even if it looks like another separator
    is_table: bool = False  # standard input has named columns


def read_table(
    path: str | os.PathLike[str],
    *,
    caller: str,
    form: Form | None = None,
    formats: Collection[str] | None = None,
    remedy: str = "",
) -> Columns:
    """Return the columns of a file of one of the ``formats``; in messages ``remedy`` is said of other files.

    Values are as in the file: everything in a .csv is text. Missing ones are None. Errors name the line.
    """
    form = check_form(form or Form(), caller)
    formats = FORMATS if formats is None else formats
    if not is_stream(path):
        file, source = check_file(path, caller)
        suffix = ending(file)
        if suffix not in formats:
            raise ValueError(
                f"{source} must end in one of {quote_options(formats)}, each also with .gz, to be read by {caller}. "
                f"Got {file.suffix!r} instead." + remedy
            )
    data, file, source = read_bytes(path, caller)
    table = parse(data, ending(file) if not is_stream(path) else None, source, form)
    if table.suffix not in formats:
        raise ValueError(f"{source} must be a table to be read by {caller}. Got {table.suffix} instead." + remedy)
    return dataclasses.replace(table, name="stdin" if is_stream(path) else file.stem, source=source)


def ending(file: Path) -> str:
    """Return the suffix in lower case, that before '.gz' if there is one."""
    suffix = file.suffix.lower()
    return Path(file.stem).suffix.lower() if suffix == ".gz" else suffix


def parse(data: bytes, suffix: str | None, source: str, form: Form) -> Columns:
    """Return the columns of what a file holds; without a suffix, it says itself what it is."""
    if suffix == ".parquet" or (suffix is None and data.startswith(b"PAR1")):
        return dataclasses.replace(_read_parquet(data, source), suffix=".parquet")
    data = to_utf8(data, source, form.encoding)
    of_json = json_ending(data)
    if suffix is None:
        is_object = data[:4096].lstrip().startswith(b"{") and form.delimiter is None
        is_table = form.is_table or form.delimiter is not None
        suffix = ".jsonl" if is_object else ".json" if of_json else ".csv" if is_table else ".txt"
    elif of_json and suffix in {".txt", ".csv", ".tsv"}:
        raise ValueError(f"{source} must be what {suffix!r} says. It seems to be JSON: give it the ending {of_json}.")
    return dataclasses.replace(FORMATS[suffix](data, source, form), suffix=suffix)


def check_form(form: Form, caller: str) -> Form:
    r"""Return ``form``, with the tab for '\t', if its delimiter can be one and its encoding is known."""
    delimiter = "\t" if form.delimiter == r"\t" else form.delimiter
    is_character = isinstance(delimiter, str) and len(delimiter) == 1 and delimiter.isascii()
    if delimiter is not None and (not is_character or delimiter.isalnum() or delimiter in '"\n\r\0'):
        raise ValueError(
            f"The 'delimiter' parameter of {caller} must be one ASCII character that is no letter, digit, quote or "
            f"line end, such as ';' or '\\t'. Got {delimiter!r} instead."
        )
    try:
        if form.encoding is not None:
            "a".encode(form.encoding)
    except (LookupError, TypeError, ValueError):
        raise ValueError(
            f"The 'encoding' parameter of {caller} must be an encoding of text that Python knows, such as 'cp1252' or "
            f"'utf-16'. Got {form.encoding!r} instead."
        ) from None
    return form._replace(delimiter=delimiter)


def to_utf8(data: bytes, source: str, encoding: str | None = None, *, utf16: bool = False) -> bytes:
    """Return text in UTF-8 without a mark; UTF-16 with a byte order mark is read unasked if ``utf16``."""
    if kind := kind_of(data):
        raise ValueError(f"{source} must be text. It seems to be {kind}.")
    marked = marked_encoding(data)
    if encoding is None and utf16 and marked and marked[0] == "utf-16":
        encoding = "utf-16"
    if encoding is not None:
        try:
            data = data.decode(encoding).removeprefix("\ufeff").encode("utf-8")
        except UnicodeError as error:
            where = f": {error.reason} at byte {error.start}" if isinstance(error, UnicodeDecodeError) else ""
            raise ValueError(f"{source} is not valid {encoding.upper()}{where}. Pass another encoding.") from None
    elif marked:
        _raise_encoding(f"{source} must be UTF-8. {marked[1]}", marked[0])
    elif not data.isascii():
        _check_utf8(data, source)
        data = data.removeprefix(codecs.BOM_UTF8)
    return data.replace(b"\r", b"\n") if b"\r" in data and b"\n" not in data else data


def _check_utf8(data: bytes, source: str) -> None:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for start in range(0, len(data), _CHUNK):  # the whole would take up to four times the memory
            decoder.decode(data[start : start + _CHUNK], start + _CHUNK >= len(data))
    except UnicodeDecodeError:
        pass
    else:
        return
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        problem = f"{source} must be UTF-8, but byte {error.start} (line {line}) is 0x{data[error.start]:02x}"
        if is_mostly_utf8(data, error.start):
            raise ValueError(
                f"{problem}. The rest is UTF-8: it is damaged there, or parts of it have another encoding. Repair it."
            ) from None
        _raise_encoding(problem, likely_encoding(data, error.start))


def _raise_encoding(problem: str, encoding: str | None) -> NoReturn:
    if encoding is None:
        raise ValueError(f"{problem}. Pass its encoding, which is not clear: encoding=... (--encoding).") from None
    raise ValueError(
        f"{problem}. It seems to be {encoding}: pass encoding={encoding!r} (--encoding {encoding})."
    ) from None


def split_lines(content: str) -> list[str]:
    r"""Split at ``\n`` and ``\r\n`` only, unlike `str.splitlines`: texts may hold U+2028 and other separators."""
    return [line for _, line in _lines(content.encode("utf-8"))]


def _lines(data: bytes) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(io.BytesIO(data), start=1):
        yield number, line.removesuffix(b"\n").removesuffix(b"\r").decode("utf-8")


def _read_txt(data: bytes, source: str, form: Form) -> Columns:
    lines = [line for _, line in _lines(data)]
    return Columns({"text": lines}, range(1, len(lines) + 1), "line")


class _Records:
    """Objects with keys of any kind, gathered into columns."""

    def __init__(self) -> None:
        self.columns: dict[str, list[Any]] = {}
        self.n_rows = self.n_filled = 0

    def add(self, record: Any, where: str) -> None:
        if isinstance(record, str):
            record = {"text": record}
        if not isinstance(record, dict):
            raise ValueError(f"{where} must hold a JSON object or a string. Got {type(record).__name__} instead.")
        for name, value in record.items():
            column = self.columns.get(name)
            if column is None:
                column = self.columns[name] = [None] * self.n_rows
            column.append(value)
        self.n_rows += 1
        self.n_filled += len(record)
        for column in self.columns.values() if len(record) < len(self.columns) else ():
            if len(column) < self.n_rows:
                column.append(None)
        n_cells = self.n_rows * len(self.columns)
        is_sparse = n_cells > _MAX_SPARSE_CELLS and self.n_filled * _MIN_FILLED < n_cells
        if is_sparse or len(self.columns) > _MAX_COLUMNS:
            raise ValueError(
                f"{where}: objects must share most of their keys, and have at most {_MAX_COLUMNS:,}. Got "
                f"{len(self.columns):,} different keys in {self.n_rows:,} objects. Keep a list of keys and values "
                "under one key instead."
            )


def _read_jsonl(data: bytes, source: str, form: Form) -> Columns:
    records = _Records()
    numbers: list[int] = []
    for number, line in _lines(data):
        if not line.strip(" \t\r"):
            continue  # an empty line between records, or at the end
        where = f"{source}: line {number}"
        try:
            records.add(_parse_json(line, where), where)
        except ValueError as error:
            if numbers or json_ending(data) != ".json":
                raise
            raise ValueError(f"{error} As a whole it is JSON: give it the ending .json.") from None
        numbers.append(number)
    return Columns(records.columns, numbers, "line")


def _read_json(data: bytes, source: str, form: Form) -> Columns:
    expected = f"{source} must hold a list of objects or strings, or an object of equally long lists."
    value = _parse_json(data.decode("utf-8"), source) if data.strip() else []
    if isinstance(value, list):
        records = _Records()
        for i, record in enumerate(value):
            records.add(record, f"{source}: item {i}")
        return Columns(records.columns, range(records.n_rows), "row")
    if not isinstance(value, dict):
        raise ValueError(f"{expected} Got {type(value).__name__} instead.")
    if wrong := [name for name, column in value.items() if not isinstance(column, list)]:
        raise ValueError(
            f"{expected} Got an object whose {wrong[0]!r:.60} is {type(value[wrong[0]]).__name__}. With an object a "
            "line give it the ending .jsonl."
        )
    lengths = {name: len(column) for name, column in value.items()}
    if len({*lengths.values()}) > 1:
        raise ValueError(f"{expected} Got lists of the lengths {lengths!s:.200}.")
    _check_n_columns(value, source)
    return Columns(value, range(max(lengths.values(), default=0)), "row")


def _parse_json(text: str, where: str) -> Any:
    try:
        value = json.loads(text, parse_constant=_constant, object_pairs_hook=unique_keys)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}" if "\n" in text else f"column {error.colno}"
        raise ValueError(f"{where} is not valid JSON: {error.msg} at {place}.") from None
    except (ValueError, RecursionError) as error:  # a number of too many digits, too many levels, a key twice
        raise ValueError(f"{where} can't be read: {error}.") from None
    level = [value] if text.count("[") + text.count("{") > _MAX_DEPTH else []
    for _ in range(_MAX_DEPTH):
        parts = (item.values() if isinstance(item, dict) else item for item in level)
        level = [part for items in parts for part in items if isinstance(part, dict | list)]
    if level:
        raise ValueError(f"{where} can't be read: it is nested in more than {_MAX_DEPTH} levels.")
    return value


def _constant(text: str) -> float | None:
    return None if text == "NaN" else float(text)  # not JSON, but what Python and others write


def _check_n_columns(names: Collection[str], source: str) -> None:
    if len(names) > _MAX_COLUMNS:
        raise ValueError(f"{source} must have at most {_MAX_COLUMNS:,} columns. Got {len(names):,}.")


def _read_csv(data: bytes, source: str, form: Form) -> Columns:
    import pandas as pd

    separator = form.delimiter or ","
    data = _from_first_line(data, source)
    if b"\0" in data:  # readers of .csv cut texts there, pandas before its version 3 without a word
        line = data.count(b"\n", 0, data.index(b"\0")) + 1
        raise ValueError(
            f"{source} holds a NUL character (line {line}). Remove it, or save the texts as .jsonl or .parquet."
        )
    # A cell in quotes from its start to its end, and what follows it up to the separator, which must be nothing.
    in_quotes = re.compile(
        rb'(?<![^%b\r\n])"[^"]*(?:""[^"]*)*("?)([^%b\r\n]*)' % ((re.escape(separator.encode()),) * 2)
    )
    start = data[:_CHUNK].decode("utf-8", "ignore")
    try:
        names = next(csv.reader(io.StringIO(start, newline=""), delimiter=separator))
    except csv.Error as error:
        raise ValueError(f"{source} is not well-formed: its first line can't be read ({error}).") from None
    lines = in_quotes.sub(b"", data[:_CHUNK]).decode("utf-8", "ignore").split("\n")
    _check_header(names, [line for line in lines if line.strip()][:20], source, separator, form)
    warnings, n_quoted = _check_quotes(data, in_quotes, source, separator.encode())
    try:
        # keep_default_na=False: 'NA' and 'null' are texts like any other. An empty line is a row of one column.
        frame = pd.read_csv(
            io.BytesIO(data), sep=separator, dtype=str, keep_default_na=False, skip_blank_lines=len(names) > 1,
            encoding="utf-8",
        )  # fmt: skip
    except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        _raise_ragged(data, in_quotes, source, separator, len(names))
        reason = str(error).removeprefix("Error tokenizing data. C error: ").strip()
        raise ValueError(f"{source} is not well-formed: {reason}.") from None
    n_separators = data.count(separator.encode()) - n_quoted
    if not isinstance(frame.index, pd.RangeIndex) or n_separators != (len(frame) + 1) * (len(names) - 1):
        # pandas takes cells beyond the header for row names, and those that lack for empty ones.
        _raise_ragged(data, in_quotes, source, separator, len(names))
        raise ValueError(f"{source} is not well-formed: its rows don't have as many cells as its first line.")
    n_rows = len(frame)
    columns = {str(name): _shared(frame.pop(name)) for name in list(frame.columns)}
    return Columns(columns, range(n_rows), "row", warnings)


def _from_first_line(data: bytes, source: str) -> bytes:
    """Return what follows empty lines, whose numbers messages do not count."""
    if not data.strip():
        raise ValueError(f"{source} holds no texts.")
    while data.startswith((b"\n", b"\r\n")):
        data = data[data.index(b"\n") + 1 :]
    return data


def _shared(column: Any) -> list[str]:
    """Return the values of a column, equal ones as one object where there are many of them."""
    values: list[str] = column.head(1000).tolist()
    if len({*values}) * 2 > len(values):
        return column.tolist()  # type: ignore[no-any-return]
    codes, different = column.factorize()
    values = different.tolist()
    return [values[code] for code in codes.tolist()]


def _check_quotes(
    data: bytes, in_quotes: re.Pattern[bytes], source: str, separator: bytes
) -> tuple[tuple[str, ...], int]:
    """Check that quotes that open a cell close it; return warnings of long cells, and a count of quoted separators."""
    warnings: list[str] = []
    n_quoted = 0
    for cell in in_quotes.finditer(data) if b'"' in data else ():
        n_quoted += cell[0].count(separator)
        if cell[1] and not cell[2] and b"\n" not in cell[0]:
            continue
        n_lines = cell[0].count(b"\n") + 1
        line = data.count(b"\n", 0, cell.start()) + 1 if n_lines > _MAX_LINES or cell[2] or not cell[1] else 0
        if cell[2] or not cell[1]:
            problem = f"closes in line {line + n_lines - 1}, but text follows" if cell[1] else "is not closed"
            raise ValueError(
                f"{source} is not well-formed: the quote that opens a cell in line {line} {problem}. Write quotes "
                "within a quoted cell twice; where quotes are literal, use .tsv."
            )
        if n_lines > _MAX_LINES and not warnings:
            warnings.append(f"The cell in line {line} of {source} spans {n_lines} lines: does it lack a closing quote?")
    if re.search(rb"\r(?!\n)", data) and (lone := re.search(rb"\r(?!\n)", in_quotes.sub(_only_lines, data))):
        line = in_quotes.sub(_only_lines, data).replace(b"\1", b"\n").count(b"\n", 0, lone.start()) + 1
        raise ValueError(
            f"{source} holds a carriage return that ends no line (line {line}). Put the cell in quotes, or remove it."
        )
    return tuple(warnings), n_quoted


def _only_lines(cell: re.Match[bytes]) -> bytes:
    return b"\1" * cell[0].count(b"\n")


def _raise_ragged(data: bytes, in_quotes: re.Pattern[bytes], source: str, separator: str, n_columns: int) -> None:
    """Raise an error that names the first row that has more or fewer cells than there are columns."""
    line = 1
    for row in in_quotes.sub(_only_lines, data).split(b"\n"):
        n_cells = row.count(separator.encode()) + 1
        if n_cells != n_columns and row.strip(b"\r"):
            advice = "Is a text with separators or quotes not in quotes?"
            raise ValueError(_ragged(source, line, n_cells, n_columns, advice))
        line += 1 + row.count(b"\1")


def _ragged(source: str, line: int, n_cells: int, n_columns: int, advice: str) -> str:
    cells, columns = count(n_cells, "cell"), count(n_columns, "column")
    return f"{source} is not well-formed: line {line} holds {cells}, the first line names {columns}. {advice}"


def _check_header(names: list[str], lines: list[str], source: str, separator: str, form: Form) -> None:
    """Check what would pass for a table: columns of one name, and the wrong separator."""
    _check_n_columns(names, source)
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"{source} must name each column once. Got the name {twice[0]!r} more than once.")
    others: list[str] = []
    if len(names) == 1 and names[0] != form.only_column:
        # Each row of the wrong separator would pass for a text.
        others = [other for other in _SEPARATORS if other != separator and other in names[0]]
    elif len(names) > 1 and len({line.count(separator) for line in lines}) > 1:
        in_all = {other: {line.count(other) for line in lines} for other in (",", ";", "\t", "|")}
        others = [other for other, counts in in_all.items() if other != separator and len(counts) == 1 and min(counts)]
    if others:
        only = "" if len(names) > 1 else f" If this is the name of its only column: text_column={names[0]!r:.60}."
        raise ValueError(
            f"{source} must have columns separated by {separator!r}. Its first line is {lines[0] or names[0]!r:.80}: "
            f"if they are separated by {others[0]!r}, pass delimiter={others[0]!r} (--delimiter "
            f"{others[0]!r}).{only}"
        )


def _read_tsv(data: bytes, source: str, form: Form) -> Columns:
    separator = form.delimiter or "\t"
    as_csv = (
        "Quotes are literal in .tsv: if cells are in quotes as in .csv, give it the ending .csv and pass "
        f"delimiter={separator!r} (--delimiter {separator!r})."
    )
    lines = _lines(_from_first_line(data, source))
    names = next(lines)[1].split(separator)
    columns: list[list[str]] = [[] for _ in names]
    if quoted := [name for name in names if len(name) > 1 and name[0] == name[-1] == '"']:
        raise ValueError(f"{source} must name its columns without quotes. Got {quoted[0]}. {as_csv}")
    first_lines = data[:_CHUNK].decode("utf-8", "ignore").replace("\r\n", "\n").split("\n")
    _check_header(names, [line for line in first_lines if line.strip()][:20], source, separator, form)
    for number, line in lines:
        if not line and len(names) > 1:
            continue
        cells = line.split(separator)
        if len(cells) != len(names):
            raise ValueError(_ragged(source, number, len(cells), len(names), f"Cells can't span lines. {as_csv}"))
        for column, cell in zip(columns, cells, strict=True):
            column.append(cell)
        if '""' in line and any(map(_is_quoted, cells)):
            raise ValueError(f"{source} must have cells without quotes. One in line {number} is quoted. {as_csv}")
    return Columns(dict(zip(names, columns, strict=True)), range(len(columns[0])), "row")


def _is_quoted(cell: str) -> bool:
    """Return whether a cell is written as in .csv: in quotes, and those in it twice."""
    inside = cell[1:-1]
    return cell[:1] == '"' == cell[-1:] and '""' in inside and '"' not in inside.replace('""', "")


def _read_parquet(data: bytes, source: str) -> Columns:
    import pyarrow as pa  # type: ignore[import-untyped]
    import pyarrow.parquet as pq  # type: ignore[import-untyped]

    limit, size = most_bytes(len(data)), 0
    try:
        file = pq.ParquetFile(pa.BufferReader(data))
        names = [name for name in file.schema_arrow.names if not _PANDAS_INDEX.fullmatch(name)]
        columns: dict[str, list[Any]] = {name: [] for name in names}
        n_rows = file.metadata.num_rows
        # In small batches: a file of a few bytes may unpack to any number.
        for batch in file.iter_batches(batch_size=_BATCH, columns=names) if len(columns) == len(names) else ():
            # A value that is stored once is counted, as it becomes a Python object, in each row.
            arrays = [a.dictionary_decode() if isinstance(a, pa.DictionaryArray) else a for a in batch.columns]
            size += sum(array.nbytes for array in arrays)
            if size > limit:
                break
            for name, column in zip(batch.schema.names, arrays, strict=True):
                columns[name] += [None if isinstance(v, float) and v != v else v for v in column.to_pylist()]
    except (pa.ArrowException, OSError, KeyError, ValueError, OverflowError) as error:
        other = None if data.startswith(b"PAR1") else kind_of(data)
        problem = f"it seems to be {other}" if other else f"it is damaged, or holds what Python can't: {error}"
        raise ValueError(f"{source} can't be read as Parquet: {problem}") from None
    if size > limit:
        raise too_large(source, limit, unpacked=True)
    _check_n_columns(names, source)
    if len(columns) < len(names):
        raise ValueError(f"{source} must name each column once. Got the names {quote_options(names)}.")
    return Columns(columns, range(n_rows), "row")


_CHUNK = 2**20
FORMATS: dict[str, Callable[[bytes, str, Form], Columns]] = {
    ".txt": _read_txt, ".csv": _read_csv, ".tsv": _read_tsv, ".jsonl": _read_jsonl, ".ndjson": _read_jsonl,
    ".json": _read_json, ".parquet": lambda data, source, form: _read_parquet(data, source),
}  # fmt: skip
