"""Reading texts and embeddings that users bring."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from xembed._core.files import check_file, is_stream, most_bytes, open_npy, too_large
from xembed._core.parquet import choose_columns, parquet_blocks
from xembed._core.text import count, first_of
from xembed._core.validation import check_flag, check_option, check_texts, quote_options
from xembed.datasets._read_table import Columns, Form, ending, read_table
from xembed.datasets._tables import TextTable, as_day

_TEXT_COLUMNS = ("sentence", "content", "body", "document", "review", "question")
_EMBEDDING_TABLES = {".csv", ".tsv", ".jsonl", ".ndjson", ".json", ".parquet"}
_ENDS = tuple(".!?…。！？")
_NUMERIC = re.compile(r"\s*[-+]?[0-9][0-9.,:/ T-]*\s*")
_TOKEN = re.compile(r"\s*[!-~]{1,64}\s*")
_HEADER = re.compile(r"[^\W\d][\w.-]{0,39}")  # the name of a column
_MIN_TEXTS, _MAX_TEXTS = 5, 10_000  # texts from which it is said what they look like
_SKIP = "Drop them with skip_blank=True (--skip-blank on the command line)."


def read_texts(
    path: str | os.PathLike[str],
    *,
    text_column: str | None = None,
    skip_blank: bool = False,
    id_column: str | None = None,
    delimiter: str | None = None,
    encoding: str | None = None,
    dayfirst: bool = False,
) -> TextTable:
    r"""Read texts, and what belongs to them, from a file.

    Parameters
    ----------
    path : str or path-like
        A file whose suffix (in any case) says what it is: .txt (a text a line), .csv or .tsv (the first line names the
        columns; quotes are literal in .tsv), .jsonl or .ndjson (a JSON object or string a line), .json (a list of
        objects or strings, or an object of equally long lists) or .parquet, each also packed with gzip (.csv.gz).

        '-' is standard input, and a pipe of the shell (``/dev/fd/63``) likewise has no suffix: what begins with '{' is
        read as .jsonl, a JSON list as .json, Parquet as such, everything else as .csv if ``text_column``, ``id_column``
        or ``delimiter`` is given, as .txt otherwise. Gzip is unpacked.
    text_column : str, optional
        The column with the texts. ``None`` takes the column 'text'; else the only one that holds text (besides 'label'
        and 'date'); else the one called 'sentence', 'content', 'body', 'document', 'review' or 'question', if there is
        exactly one of them. A .txt file has no columns; the argument is then ignored.
    skip_blank : bool, default=False
        Drop texts that are missing, empty or white space only, with their whole row, instead of raising an error.
    id_column : str, optional
        The column with an identifier of each text: strings or integers, none of them missing. It stays in the metadata.
    delimiter : str, optional
        The character between the cells of a .csv or .tsv; ``None`` is the comma, and the tab.
    encoding : str, optional
        Encoding of a file of text, such as 'cp1252'; ``None`` is UTF-8.
    dayfirst : bool, default=False
        Read dates such as '4.3.2024' and '04/03/2024' in the column 'date' as the 4th of March.

    Returns
    -------
    TextTable
        Named after the file. A column 'label' of strings or integers becomes its labels (as strings), a column 'date'
        of ISO dates its dates; otherwise they are kept in the metadata, like all other columns. ``rows`` are the
        numbers of the texts in the file, ``skipped`` those of the dropped ones, which ``n_skipped`` counts. A further
        column that is called 'text', too, is kept as 'text\_'.

    Raises
    ------
    OSError, TypeError
        If the file can't be opened, is a device or a named pipe, or ``path`` is not a path.
    ValueError
        If the suffix, the encoding (the likely one is named) or the delimiter is another; the file is too large or not
        well-formed (the message says where); a column's name looks like a text (``text_column`` with this name accepts
        it); the column with the texts is not found, its cells are no text or blank, or there are none.

    Notes
    -----
    Only ``\n`` and ``\r\n`` (``\r`` where there is nothing else) end a line in .txt, .tsv and .jsonl: texts may hold
    U+2028. Numbers are never turned into texts; all of a .csv is text. Messages count rows from 0, lines from 1. An
    empty line is a blank text where there is only one column, elsewhere it is no row.

    A file may hold 2 GiB, 10,000 columns and 100 levels of JSON. What is packed (.gz, .parquet) may unpack to 256 MiB
    or 100 times its size, whichever is more, and 2 GiB. ``XEMBED_MAX_BYTES`` in the environment replaces these limits.
    ``warnings`` say whether texts look like identifiers or numbers, or a cell spans more than 50 lines.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from xembed.datasets import read_texts
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "notes.csv"
    ...     _ = path.write_text("review,stars\nLovely,5\nBroke at once,1\n")
    ...     table = read_texts(path)
    >>> table, table.texts
    (TextTable('notes': 2 texts, columns 'text', 'stars'), ('Lovely', 'Broke at once'))
    """
    skip_blank = check_flag(skip_blank, name="skip_blank", caller="read_texts")
    dayfirst = check_flag(dayfirst, name="dayfirst", caller="read_texts")
    form = Form(delimiter, encoding, text_column, is_table=text_column is not None or id_column is not None)
    remedy = " .npy is for ready embeddings: read_embeddings reads it."
    table = read_table(path, caller="read_texts", form=form, remedy=remedy)
    if not table.numbers:
        raise ValueError(f"{table.source} holds no texts.")
    texts_column = "text" if table.suffix == ".txt" else _choose_text_column(table, text_column)
    table, skipped = _without_blank(table, texts_column, skip_blank)
    texts = _as_texts(table, texts_column)
    others = {name: column for name, column in table.columns.items() if name != texts_column}
    labels, dates = others.get("label"), _as_dates(others.get("date"), dayfirst)
    labels = None if labels is None or not all(isinstance(v, str | int) for v in labels) else list(map(str, labels))
    read = {"label": labels, "date": dates}
    metadata = {name: column for name, column in others.items() if read.get(name) is None}
    return TextTable(
        name=table.name,
        texts=tuple(texts),
        labels=None if labels is None else tuple(labels),
        dates=dates,
        metadata={_free_name(name, metadata): tuple(column) for name, column in metadata.items()},
        n_skipped=len(skipped),
        rows=tuple(table.numbers),
        unit=table.unit,
        ids=None if id_column is None else _as_ids(table, id_column),
        skipped=skipped,
        warnings=(*table.warnings, *_warn_of_table(texts, table), *_warn_of_texts(texts, table, texts_column)),
    )


def read_embeddings(
    path: str | os.PathLike[str],
    *,
    name: str | None = None,
    embedding_column: str | None = None,
    delimiter: str | None = None,
    encoding: str | None = None,
) -> npt.NDArray[Any]:
    """Read embeddings from a file; those of a .npy file without reading them into memory.

    Parameters
    ----------
    path : str or path-like
        A .npy file that ``numpy.save`` wrote. Nothing in it is ever run: arrays of Python objects are refused.

        A table, of the formats of `read_texts` but .txt, with a column of equally long lists of numbers (in a .csv
        written as JSON), or a column for each dimension. Only columns whose names are one stem and consecutive integers
        from 0 or 1 (``emb_0``, ``emb_1``, ...; ``0``, ``1``, ...) are dimensions. `read_columns` reads the others.
    name : str, optional
        Name of the embeddings in messages, such as 'F'.
    embedding_column : str, optional
        The column of lists, or the stem or any of the columns of dimensions (``'emb'`` or ``'emb_0'``). ``None`` takes
        the only ones there are.
    delimiter, encoding : str, optional
        As in `read_texts`.

    Returns
    -------
    ndarray of shape (n_texts, n_dims)
        A read-only memory map of real numbers, or an array, which may hold numbers that are not finite.

    Raises
    ------
    OSError, TypeError
        If the file can't be opened, or ``path`` is not a path.
    ValueError
        If it holds no 2-D array of real numbers or does not say which columns are embeddings; and as `read_texts`.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import numpy as np
    >>> from xembed.datasets import read_embeddings
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "embeddings.npy"
    ...     np.save(path, np.eye(3, 4, dtype=np.float32))
    ...     read_embeddings(path).shape
    (3, 4)
    """
    caller = "read_embeddings"
    suffix = ending(Path(path)) if isinstance(path, str | os.PathLike) else ""
    if suffix not in _EMBEDDING_TABLES and not is_stream(path):
        return open_npy(path, caller=caller, name=name)
    if suffix == ".parquet" and Path(path).suffix.lower() != ".gz":
        return _read_parquet(path, caller if name is None else name, embedding_column)
    form = Form(delimiter, encoding, is_table=True)
    table = read_table(path, caller=caller, form=form, formats=_EMBEDDING_TABLES)
    shown = table.source if name is None else f"{name} ({table.source})"
    chosen, is_list = _choose_embeddings(table, embedding_column, shown)
    if not is_list:
        return np.column_stack([_as_numbers(table, column, shown) for column in chosen])
    rows = [_as_vector(value) for value in table.columns[chosen[0]]]
    wrong = next((i for i, row in enumerate(rows) if row is None or len(row) != len(rows[0] or ())), None)
    if wrong is not None:
        raise ValueError(
            f"{shown} must hold lists of numbers of one length in the column {chosen[0]!r}. Got another value in "
            f"{table.unit} {table.numbers[wrong]}: drop such rows first."
        )
    return _as_matrix(np.array(rows, dtype=np.float64), shown)


def read_columns(
    path: str | os.PathLike[str],
    *,
    embedding_column: str | None = None,
    delimiter: str | None = None,
    encoding: str | None = None,
) -> dict[str, tuple[Any, ...]]:
    r"""Read what stands beside the embeddings in a table: all columns that are no dimensions, by their names.

    Parameters
    ----------
    path, embedding_column, delimiter, encoding
        As in `read_embeddings`; a .npy file has no columns, and gives an empty mapping.

    Returns
    -------
    dict of str to tuple
        Values as in the file, one a row; missing ones are None.

    Raises
    ------
    OSError, TypeError, ValueError
        As in `read_embeddings`.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from xembed.datasets import read_columns
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "vectors.csv"
    ...     _ = path.write_text("id,e0,e1,score\n7,0.5,1,0.25\n8,0.5,2,0.75\n")
    ...     read_columns(path)
    {'id': ('7', '8'), 'score': ('0.25', '0.75')}
    """
    if isinstance(path, str | os.PathLike) and Path(path).suffix.lower() == ".npy":
        return {}
    form = Form(delimiter, encoding, is_table=True)
    table = read_table(path, caller="read_columns", form=form, formats=_EMBEDDING_TABLES)
    chosen = {*_choose_embeddings(table, embedding_column, table.source)[0]}
    return {name: tuple(column) for name, column in table.columns.items() if name not in chosen}


def _read_parquet(path: str | os.PathLike[str], name: str, embedding_column: str | None) -> npt.NDArray[Any]:
    limit, size, blocks = most_bytes(check_file(path, name)[0].stat().st_size), 0, []
    for block in parquet_blocks(path, name=name, embedding_column=embedding_column):
        size += block.nbytes
        if size > limit:
            raise too_large(repr(os.fspath(path)), limit, unpacked=True)
        blocks.append(block)
    if not blocks:
        raise ValueError(f"{os.fspath(path)!r} is empty: it holds no embeddings.")
    return _as_matrix(np.concatenate(blocks), repr(os.fspath(path)))


def _as_matrix(array: npt.NDArray[Any], shown: str) -> npt.NDArray[Any]:
    if array.size == 0 or array.ndim != 2:
        raise ValueError(f"{shown} is empty: it holds an array of shape {array.shape}.")
    return array


def _choose_embeddings(table: Columns, asked: str | None, shown: str) -> tuple[list[str], bool]:
    """Return the columns of the embeddings, and whether it is one of lists, from the first row where there is text."""
    first = {name: next((v for v in column if v is not None), None) for name, column in table.columns.items()}
    lists = [name for name, value in first.items() if _as_vector(value) is not None]
    numbers = [name for name, value in first.items() if _as_number(value) is not None]
    return choose_columns(lists, numbers, list(first), asked, shown)


def _as_number(value: Any) -> float | None:
    try:
        return None if isinstance(value, bool) or not isinstance(value, int | float | str) else float(value)
    except ValueError:
        return None


def _as_vector(value: Any) -> list[float] | None:
    if isinstance(value, str) and value.startswith("[") and value.endswith("]"):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return None
    is_vector = isinstance(value, list) and value and all(type(item) in (int, float) for item in value)
    return value if is_vector else None


def _as_numbers(table: Columns, column: str, shown: str) -> npt.NDArray[np.float64]:
    numbers = [_as_number(value) for value in table.columns[column]]
    if None in numbers:
        i = numbers.index(None)
        raise ValueError(
            f"{shown} must hold a number in each cell of the column {column!r}. Got {table.columns[column][i]!r:.60} "
            f"in {table.unit} {table.numbers[i]}."
        )
    return np.array(numbers, dtype=np.float64)


def _choose_text_column(table: Columns, asked: str | None) -> str:
    names = list(table.columns)
    if asked is not None:
        return check_option(asked, names, name="text_column", caller="read_texts")
    if "text" in names:
        return "text"
    candidates = [name for name in names if name not in {"label", "date"} and _holds_text(table.columns[name])]
    if len(candidates) != 1:
        candidates = [name for name in candidates if name in _TEXT_COLUMNS]
    if len(candidates) == 1:
        name = candidates[0]
        is_sentence = len(name.split()) > 2 or len(name) > 40 or name.rstrip().endswith(_ENDS)
        if is_sentence and table.suffix in {".csv", ".tsv"}:
            raise ValueError(
                f"{table.source} must name its columns in the first line. The name of the column of texts is "
                f"{name!r:.80}, which looks like a text: without such a line, give it the ending .txt; if it is the "
                "name, pass it as text_column=... (--text-column)."
            )
        return name
    remedy = ""
    with contextlib.suppress(ValueError):
        (first, *_), _ = _choose_embeddings(table, None, "")
        remedy = f" Embeddings are read by read_embeddings (--embedding-column {first})."
    raise ValueError(
        f"{table.source} must say which of its columns holds the texts: none is called 'text'. "
        f"Got {quote_options(names)}: name one with text_column=... (--text-column on the command line)." + remedy
    )


def _warn_of_table(lines: list[str], table: Columns) -> list[str]:
    """Warn of lines that seem to be rows of a table: the first names columns, and most have as many cells."""
    if table.suffix != ".txt":
        return []
    names = ["text"] if lines[0].strip('"\r ').lower() == "text" else []
    for delimiter in ",\t;|":
        with contextlib.suppress(csv.Error):
            first, *rows = csv.reader(lines[:50], delimiter=delimiter)
            are_names = len({*first}) == len(first) > 1 and all(map(_HEADER.fullmatch, first))
            if are_names and sum(len(row) == len(first) for row in rows) >= max(1, 0.9 * len(rows)):
                names = first
    if not names:
        return []
    remedy = "it is read as one with text_column=... (--text-column)" if table.name == "stdin" else "name it .csv"
    shown = first_of(map(repr, names), 6)
    return [
        f"The first line of {table.source} seems to name the columns of a table ({shown}), and was read as a text: "
        f"if it is one, {remedy}."
    ]


def _warn_of_texts(texts: list[str], table: Columns, column: str) -> list[str]:
    """Warn of a column whose values are numbers, or identifiers and the like, and so hardly the texts."""
    texts = texts[:: len(texts) // _MAX_TEXTS + 1]
    if len(texts) < _MIN_TEXTS:
        return []
    n_numbers = sum(_NUMERIC.fullmatch(text) is not None for text in texts)
    n_tokens = sum(_TOKEN.fullmatch(text) is not None for text in texts)
    are_numbers, are_tokens = n_numbers >= 0.9 * len(texts), n_tokens >= 0.9 * len(texts)
    with_digits = sum(any(map(str.isdigit, text)) for text in texts) >= 0.9 * len(texts)
    are_different = len({*texts}) >= 0.9 * len(texts)
    if are_numbers or (are_tokens and are_different and (with_digits or len(table.columns) > 1)):
        kind = "numbers or dates" if are_numbers else "single words or identifiers, nearly all of them different"
        place = "" if table.suffix == ".txt" else f" in the column {column!r}"
        return [f"The texts of {table.name}{place} are {kind} (first: {texts[0]!r:.40}). Is this where the texts are?"]
    return []


def _holds_text(column: Iterable[Any]) -> bool:
    present = [value for value in column if value is not None]
    return bool(present) and all(isinstance(value, str) for value in present)


def _without_blank(table: Columns, texts_column: str, skip_blank: bool) -> tuple[Columns, tuple[int, ...]]:
    """Drop the rows with blank texts, or raise an error if there are any."""
    column = table.columns[texts_column]
    blank = [i for i, value in enumerate(column) if isinstance(value, str) and not value.strip()]
    if not skip_blank:
        if blank:
            first = f"{table.unit} {table.numbers[blank[0]]}"
            raise ValueError(f"{table.source} holds {count(len(blank), 'blank text')} (first: {first}). {_SKIP}")
        return table, ()
    dropped = {*blank, *(i for i, value in enumerate(column) if value is None)}
    kept = [i for i in range(len(column)) if i not in dropped]
    if not kept:
        raise ValueError(f"{table.source} holds no texts: all {len(column)} are blank.")
    return table.take(kept), tuple(table.numbers[i] for i in sorted(dropped))


def _as_texts(table: Columns, texts_column: str) -> list[str]:
    column = table.columns[texts_column]
    wrong = [i for i, value in enumerate(column) if not isinstance(value, str)]
    if wrong:
        first, plural = column[wrong[0]], "s" * (len(wrong) > 1)
        numbers = first_of((table.numbers[i] for i in wrong), 5)
        # Missing ones only: skip_blank helps. Numbers as texts are more likely the wrong column.
        remedy = _SKIP
        if any(column[i] is not None for i in wrong):
            remedy = "Numbers and other values are not turned into text: convert or drop these rows first."
        raise ValueError(
            f"{table.source} holds {len(wrong)} cell{plural} without text in the column {texts_column!r} "
            f"({table.unit}{plural} {numbers}; first: "
            f"{'missing' if first is None else f'{type(first).__name__} {first!r:.60}'}). {remedy}"
        )
    return check_texts(column, name=table.source)


def _as_ids(table: Columns, id_column: str) -> tuple[str, ...]:
    column = table.columns[check_option(id_column, list(table.columns), name="id_column", caller="read_texts")]
    for value, number in zip(column, table.numbers, strict=True):
        if isinstance(value, bool) or not isinstance(value, str | int) or not str(value).strip():
            raise ValueError(
                f"{table.source} must hold an identifier (a string or an integer) in each cell of the column "
                f"{id_column!r}. Got {value!r:.60} in {table.unit} {number}: fill it in, or name another column."
            )
    return tuple(map(str, column))


def _as_dates(column: list[Any] | None, dayfirst: bool) -> npt.NDArray[np.datetime64] | None:
    if column is None:
        return None
    try:
        return np.array([as_day(value, dayfirst=dayfirst) for value in column], dtype="datetime64[D]")
    except ValueError:
        return None


def _free_name(name: str, taken: Iterable[str]) -> str:
    """Return ``name``, changed if it is the name of a table's own column of texts."""
    if name != "text":
        return name
    while name in {"text", *taken}:
        name += "_"
    return name
