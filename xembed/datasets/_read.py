"""Reading texts and embeddings that users bring."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from xembed._core.files import open_npy
from xembed._core.validation import check_option, check_texts, quote_options
from xembed.datasets._read_table import Columns, read_table
from xembed.datasets._tables import TextTable, as_day

_TEXT_COLUMNS = ("sentence", "content", "body", "document", "review", "question")
_SKIP = "Drop them with skip_blank=True (--skip-blank on the command line)."


def read_texts(
    path: str | os.PathLike[str],
    *,
    text_column: str | None = None,
    skip_blank: bool = False,
    id_column: str | None = None,
) -> TextTable:
    r"""Read texts, and what belongs to them, from a file.

    Parameters
    ----------
    path : str or path-like
        A file whose suffix (in any case) says what it is: .txt (a text a line), .csv or .tsv (the first line names the
        columns), .jsonl or .ndjson (a JSON object or string a line), all in UTF-8, or .parquet.
    text_column : str, optional
        The column with the texts. ``None`` takes the column 'text'; else the only one that holds text (besides 'label'
        and 'date'); else the one called 'sentence', 'content', 'body', 'document', 'review' or 'question', if there is
        exactly one of them. A .txt file has no columns; the argument is then ignored.
    skip_blank : bool, default=False
        Drop texts that are missing, empty or white space only, with their whole row, instead of raising an error.
    id_column : str, optional
        The column with an identifier of each text: strings or integers, none of them missing. It stays in the metadata.

    Returns
    -------
    TextTable
        Named after the file. A column 'label' of strings or integers becomes its labels (as strings), a column 'date'
        of ISO dates its dates; otherwise they are kept in the metadata, like all other columns. ``rows`` are the
        numbers of the texts in the file, ``skipped`` those of the dropped ones, which ``n_skipped`` counts. A further
        column that is called 'text', too, is kept as 'text\_'.

    Raises
    ------
    FileNotFoundError, IsADirectoryError, PermissionError, TypeError
        If the file can't be opened, or ``path`` is not a path.
    ValueError
        If the suffix is unknown, the file is not UTF-8 or not well-formed (the message says where), the column with
        the texts is not found, cells of it are not text, texts are blank, or there are none.

    Notes
    -----
    Only ``\n`` and ``\r\n`` end a line in .txt and .jsonl, so texts may hold U+2028 and other separators. Numbers are
    never turned into texts, and everything in a .csv is text, metadata too. Messages count rows from 0, lines from 1.

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
    table = read_table(path, caller="read_texts", remedy=" .npy is for ready embeddings: read_embeddings reads it.")
    if not table.numbers:
        raise ValueError(f"{table.source} holds no texts.")
    has_columns = Path(path).suffix.lower() != ".txt"
    texts_column = _choose_text_column(table, text_column) if has_columns else "text"
    table, skipped = _without_blank(table, texts_column, skip_blank)
    texts = _as_texts(table, texts_column)
    others = {name: column for name, column in table.columns.items() if name != texts_column}
    labels, dates = _as_labels(others.get("label")), _as_dates(others.get("date"))
    read = {"label": labels, "date": dates}
    metadata = {name: column for name, column in others.items() if read.get(name) is None}
    return TextTable(
        name=table.name,
        texts=tuple(texts),
        labels=labels,
        dates=dates,
        metadata={_free_name(name, metadata): tuple(column) for name, column in metadata.items()},
        n_skipped=len(skipped),
        rows=tuple(table.numbers),
        unit=table.unit,
        ids=None if id_column is None else _as_ids(table, id_column),
        skipped=skipped,
    )


def read_embeddings(path: str | os.PathLike[str], *, name: str | None = None) -> npt.NDArray[Any]:
    """Open embeddings from a .npy file without reading them into memory.

    Parameters
    ----------
    path : str or path-like
        A file that ``numpy.save`` wrote. Nothing in it is ever run: arrays of Python objects are refused.
    name : str, optional
        Name of the embeddings in messages, such as 'F'.

    Returns
    -------
    ndarray of shape (n_texts, n_dims)
        A read-only memory map of real numbers. Whether they are finite is checked by what computes with them.

    Raises
    ------
    FileNotFoundError, IsADirectoryError, PermissionError, TypeError
        If the file can't be opened, or ``path`` is not a path.
    ValueError
        If the file is not a .npy file, is incomplete, or holds no 2-D array of real numbers.

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
    return open_npy(path, caller="read_embeddings", name=name)


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
        return candidates[0]
    raise ValueError(
        f"{table.source} must say which of its columns holds the texts: none is called 'text'. "
        f"Got {quote_options(names)}: name one with text_column=... (--text-column on the command line)."
    )


def _holds_text(column: Iterable[Any]) -> bool:
    present = [value for value in column if value is not None]
    return bool(present) and all(isinstance(value, str) for value in present)


def _without_blank(table: Columns, texts_column: str, skip_blank: bool) -> tuple[Columns, tuple[int, ...]]:
    """Drop the rows with blank texts, or raise an error if there are any."""
    column = table.columns[texts_column]
    blank = [i for i, value in enumerate(column) if isinstance(value, str) and not value.strip()]
    if not skip_blank:
        if blank:
            raise ValueError(
                f"{table.source} holds {len(blank)} blank text{'s' * (len(blank) > 1)} (first: {table.unit} "
                f"{table.numbers[blank[0]]}). {_SKIP}"
            )
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
        numbers = ", ".join(str(table.numbers[i]) for i in wrong[:5]) + (", ..." if len(wrong) > 5 else "")
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


def _as_labels(column: list[Any] | None) -> tuple[str, ...] | None:
    if column is None or not all(isinstance(value, str | int) for value in column):
        return None
    return tuple(str(value) for value in column)


def _as_dates(column: list[Any] | None) -> npt.NDArray[np.datetime64] | None:
    if column is None:
        return None
    try:
        return np.array([as_day(value) for value in column], dtype="datetime64[D]")
    except ValueError:
        return None


def _free_name(name: str, taken: Iterable[str]) -> str:
    """Return ``name``, changed if it is the name of a table's own column of texts."""
    if name != "text":
        return name
    while name in {"text", *taken}:
        name += "_"
    return name
