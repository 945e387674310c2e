"""Corpora given as texts or as embeddings: read when called, encoded when everything else is checked."""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Iterable, Mapping, Sequence, Sized
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from xembed._core.inputs import (
    column_names,
    holds_texts,
    is_missing,
    list_items,
    mark_masked,
    refuse,
    refuse_lazy,
    text_columns,
)
from xembed._core.text import count, first_of
from xembed._core.validation import FloatArray, check_number, check_texts
from xembed.encoders._encoding import describe_encoder, encode_texts

# Columns beside the texts that a result keeps by itself, and the most characters of a value.
_MOST_COLUMNS, _SHORT = 4, 40
_MIDNIGHT = " 00:00:00"


class Embedded(NamedTuple):
    """Embeddings, what to warn of, the description of the encoder (None for ready ones), and `Encoding.unread`."""

    embeddings: FloatArray
    warnings: list[str]
    encoder: dict[str, Any] | None
    unread: float = 0.0


def embed(texts: Sequence[str], encoder: Any, *, name: str, table: Any = None) -> Embedded:
    """Return the embeddings of texts, which warnings call ``name``; those of the ``table`` they are from come along."""
    encoding = encode_texts(encoder, texts)
    warnings = [*encoding.warnings(name), *notes_of_reading(table, name)]
    return Embedded(encoding.embeddings, warnings, describe_encoder(encoder), encoding.unread)


def notes_of_reading(table: Any, name: str) -> list[str]:
    """Return what to say of how a table was read: warnings of its file, and how many blank texts were dropped."""
    n_skipped = getattr(table, "n_skipped", 0)
    dropped = f"{count(n_skipped, 'blank text')} {'were' if n_skipped > 1 else 'was'} dropped from {name}."
    return [*getattr(table, "warnings", ()), *([dropped] if n_skipped else [])]


class Corpora(NamedTuple):
    """By the name of the parameter: what was given, and its texts (none where embeddings were given)."""

    sources: dict[str, Any]
    texts: dict[str, list[str]]
    encoder: Any

    def places(self, name: str) -> npt.NDArray[np.float32]:
        """Return an array with as many rows as a corpus has texts, for checks that need no more."""
        return np.ones((len(self.texts[name]), 1), np.float32)

    def beside(self, text_column: Any) -> tuple[dict[str, list[Any]], ...] | None:
        """Return what stands beside the texts in the tables that they are from; None if they are from none."""
        tables = [self.sources[name] for name in self.texts]
        if all(column_names(table) is None for table in tables):
            return None
        rows = [
            table.rows if is_text_table(table) else range(len(texts))
            for table, texts in zip(tables, self.texts.values(), strict=True)
        ]
        read = any(map(is_text_table, tables)) and text_column is None
        return columns_beside(tables, rows, left_out="text" if read else text_column)

    def load(self) -> Any:
        """Return the encoder of the texts; a model that was named, or the default one, is loaded."""
        if self.encoder is not None and not isinstance(self.encoder, str | os.PathLike):
            return self.encoder
        from xembed.encoders._load import load_encoder

        return load_encoder(self.encoder)

    def embed(self, **names: str) -> tuple[list[Any], list[str], dict[str, Any] | None, list[float]]:
        """Return the embeddings of all, what to warn of (``names`` say of what), the encoder, and `Encoding.unread`."""
        encoder = self.encoder
        if not self.texts:
            given = encoder is None or isinstance(encoder, Mapping)
            described = encoder if given else describe_encoder(encoder)
            ready = list(self.sources.values())
            return ready, [], None if described is None else dict(described), [0.0] * len(ready)
        encoder = self.load()
        parts = [
            embed(texts, encoder, name=names.get(name, name), table=self.sources[name])
            for name, texts in self.texts.items()
        ]
        warnings = [warning for part in parts for warning in part.warnings]
        return [part.embeddings for part in parts], warnings, parts[0].encoder, [part.unread for part in parts]


MUCH_UNREAD = 0.5  # share of a corpus' texts of which the encoder reads nothing, from which on a verdict says so first


def unread_verdict(unread: Mapping[str, float], *, same: bool = False) -> str:
    """Return what has to be said before all else where an encoder reads too little of texts; empty if it reads enough.

    Parameters
    ----------
    unread : mapping of str to float
        `Encoding.unread` by what sentences call the texts.
    same : bool, default=False
        Whether different texts have the same embedding, all of them.
    """
    parts = [
        f"nothing of {'' if share == 1 else f'{100 * share:.3g} % of '}{texts}"
        for texts, share in unread.items()
        if share >= MUCH_UNREAD
    ]
    if parts:
        return f"The encoder reads {' and '.join(parts)}: nothing can be said of what they say."
    return (
        "The encoder gives all these texts the same embedding: nothing can be said of how they differ." if same else ""
    )


def lead_verdict(not_read: str, verdict: str) -> str:
    """Return a verdict after what `unread_verdict` says, if it says anything."""
    return f"{not_read} Of the embeddings alone: {verdict}" if not_read else verdict


def check_unread(unread: Any, *, caller: str) -> tuple[float, float]:
    """Return the shares of the texts of two corpora of which an encoder reads nothing."""
    if not isinstance(unread, Sequence) or len(unread) != 2:
        raise TypeError(f"The 'unread' parameter of {caller} must be a pair of shares. Got {unread!r:.60} instead.")
    first, second = (check_number(share, name="unread", caller=caller, low=0, high=1) for share in unread)
    return first, second


def read_corpora(
    sources: Mapping[str, Any],
    *,
    encoder: Any = None,
    text_column: Any = None,
    min_texts: Mapping[str, int] | None = None,
    caller: str,
) -> Corpora:
    """Return corpora, all of texts or all of embeddings, of which nothing is encoded yet; None is left out."""
    given = {name: _once(source) for name, source in sources.items() if source is not None}
    least = min_texts or {}
    if text_column is not None and all(column_names(source) is None for source in given.values()):
        raise TypeError(
            f"The 'text_column' parameter of {caller} goes with a DataFrame or another table. Got none: make one, or "
            "leave 'text_column' out."
        )
    texts = {
        name: _find_texts(source, text_column, name=name, caller=caller, min_texts=least.get(name, 1))
        for name, source in given.items()
    }
    as_rows = [name for name, items in texts.items() if items is None]
    if as_rows and len(as_rows) < len(texts):
        as_texts = next(name for name, items in texts.items() if items is not None)
        raise ValueError(
            f"{caller} takes texts or embeddings, not one of each. Got texts as {as_texts} and embeddings as "
            f"{as_rows[0]}: encode the texts with the model that made the embeddings, encoder.encode({as_texts})."
        )
    _check_encoder(encoder, are_texts=not as_rows, caller=caller)
    return Corpora(given, {name: items for name, items in texts.items() if items is not None}, encoder)


def _once(source: Any) -> Any:
    """Return what can be read only once, such as a generator of texts, as a list; blocks of rows stay a stream."""
    plain = isinstance(source, Iterable) and not isinstance(source, Sized | Mapping | os.PathLike)
    if not plain or column_names(source) is not None or hasattr(source, "__array__"):
        return source
    items = iter(source)
    first = list(itertools.islice(items, 1))
    whole = itertools.chain(first, items)
    return whole if getattr(next(iter(first), None), "ndim", None) == 2 else list(whole)


def is_text_table(source: Any) -> bool:
    """Return whether a value is a table of `xembed.datasets`."""
    return hasattr(source, "texts") and hasattr(source, "column")


def named_column(value: Any, table: Any, *, name: str, of: str, caller: str) -> Any:
    """Return what a parameter holds: a column of ``table`` (``of`` in messages) if it is a string, else itself."""
    if not isinstance(value, str):
        return value
    names = column_names(table)
    if names is None or isinstance(table, Mapping):
        raise ValueError(
            f"The {name!r} parameter of {caller} can be the name of a column only where {of} is a table. Got {value!r}:"
            " pass its values, one a row."
        )
    if value not in names:
        raise ValueError(
            f"The {name!r} parameter of {caller} must be a column of {of}. Got {value!r}; the columns are "
            f"{first_of(map(repr, names), 20, total=True)}."
        )
    return table.column(value) if is_text_table(table) else table[value]


def columns_beside(
    tables: Sequence[Any], rows: Sequence[Sequence[int]], *, left_out: Any = None, first: Sequence[str | None] = ()
) -> tuple[dict[str, list[Any]], ...]:
    """Return the numbers of the rows as 'row' and a few columns of short values, ``first`` before others.

    All tables give the same columns, of strings, finite numbers and None; what is no table has None in them.
    """
    columns: tuple[dict[str, list[Any]], ...] = tuple({"row": list(numbers)} for numbers in rows)
    names = [name for table in tables for name in column_names(table) or () if name not in {"row", left_out}]
    for name in dict.fromkeys([*(name for name in first if name in names), *names]):
        values = [_plain_values(table, name, len(numbers)) for table, numbers in zip(tables, rows, strict=True)]
        different = {value for column in values for value in column or ()}
        if None not in values and len(different) > 1 and max(len(str(value)) for value in different) <= _SHORT:
            for column, part in zip(columns, values, strict=True):
                column[str(name)] = part or []
        if len(columns[0]) > _MOST_COLUMNS:
            break
    return columns


def _plain_values(table: Any, name: Any, n_rows: int) -> list[Any] | None:
    """Return a column as JSON has it, without values if there is none of this name, or None if it holds vectors."""
    if name not in (column_names(table) or ()):
        return [None] * n_rows
    column = table.column(name) if is_text_table(table) else table[name]
    first = next(iter(column), "")
    vectors = isinstance(first, Iterable) and not isinstance(first, str)
    return None if vectors or column_names(column) is not None else plain_column(column)  # two columns of one name


def plain_column(column: Any) -> list[Any]:
    """Return the values of a column as JSON has them: finite numbers, None, and all others as strings."""
    items = list_items(mark_masked(column), name="metadata")
    plain = [_plain_value(item) for item in items]
    pairs = zip(plain, items, strict=True)
    are_days = all(new is None or (new is not old and str(new).endswith(_MIDNIGHT)) for new, old in pairs)
    return [item and item.removesuffix(_MIDNIGHT) for item in plain] if are_days else plain


def _plain_value(value: Any) -> Any:
    value = value.item() if isinstance(value, np.generic) and not isinstance(value, np.datetime64) else value
    if is_missing(value) or value != value or (isinstance(value, float) and not math.isfinite(value)):
        return None
    return value if isinstance(value, str | int | float) and not isinstance(value, bool) else str(value)


def _find_texts(source: Any, text_column: Any, *, name: str, caller: str, min_texts: int) -> list[str] | None:
    names = column_names(source)
    if names is not None and not isinstance(source, Mapping):
        refuse_lazy(source, name)
    if isinstance(source, str | bytes | Mapping | set | frozenset | os.PathLike):
        refuse(source, name, caller)
    if type(source).__module__.startswith("dask."):
        return None
    if is_text_table(source):
        items = source if text_column is None else source.column(text_column)
        return check_texts(items, name=name, min_texts=min_texts)
    if isinstance(source, list | tuple) and source and isinstance(source[0], Mapping):
        check_texts(source, name=name)  # which says what to do with records
    if names is None:
        return check_texts(source, name=name, min_texts=min_texts) if holds_texts(source) else None
    if text_column is None:
        written = text_columns(source)
        if not written:
            return None
        written = [column for column in written if holds_texts(source[column])] or written
        written.sort(key=lambda column: column != "text")
        raise TypeError(
            f"{name} must be texts or embeddings ({caller}). Got a {type(source).__name__} with the column "
            f"{written[0]!r:.60}: name the column of the texts, text_column={written[0]!r:.60}, or, if it holds "
            f"vectors, pass it alone, {name}[{written[0]!r:.60}]."
        )
    texts = named_column(text_column, source, name="text_column", of=name, caller=caller)
    return check_texts(texts, name=f"{name}[{text_column!r}]", min_texts=min_texts)


def _check_encoder(encoder: Any, *, are_texts: bool, caller: str) -> None:
    encodes = callable(getattr(encoder, "encode", None)) and not isinstance(encoder, str | type)
    if encoder is None or encodes or isinstance(encoder, str | os.PathLike if are_texts else Mapping):
        return
    if are_texts:
        expected, remedy = "an encoder, the name or folder of a model, or None (the default encoder)", "with texts"
    else:
        expected, remedy = "a mapping that describes the model, its encoder, or None", "with embeddings"
    raise TypeError(f"The 'encoder' parameter of {caller} must be {expected} {remedy}. Got {encoder!r:.80} instead.")
