"""Embeddings in Parquet files: a column of lists, or a column a dimension, read in small batches."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

from xembed._core.files import check_file
from xembed._core.validation import quote_options

# Rows of a batch. Blocks are made of them by `xembed._core.blocks`.
_BATCH = 4096
_SHOWN_COLUMNS = 20
# Bytes that a column is read ahead. Without it, pyarrow reads whole row groups, which may be larger than the memory.
_READ_AHEAD = 2**16


def parquet_rows(path: str | os.PathLike[str], *, name: str) -> int:
    """Return the number of rows, from the file's footer."""
    with _opened(path, name) as (file, _):
        return int(file.metadata.num_rows)


def parquet_blocks(
    path: str | os.PathLike[str], *, name: str, embedding_column: str | None = None
) -> Iterator[npt.NDArray[Any]]:
    """Yield the rows of a file in blocks, each of shape (n_rows, n_dims)."""
    with _opened(path, name) as (file, shown):
        columns, lists = choose_columns(*_numbers_of(file.schema_arrow), embedding_column, shown)
        start, n_dims = 0, None
        for batch in file.iter_batches(batch_size=_BATCH, columns=columns):
            if lists:
                block = _from_lists(batch.column(0), columns[0], n_dims, start, shown)
                n_dims = block.shape[1]
            else:
                block = np.column_stack([column.to_numpy(zero_copy_only=False) for column in batch.columns])
            yield block
            start += len(block)


@contextmanager
def _opened(path: str | os.PathLike[str], name: str) -> Iterator[tuple[Any, str]]:
    import pyarrow as pa  # type: ignore[import-untyped]
    import pyarrow.parquet as pq  # type: ignore[import-untyped]

    file, shown = check_file(path, name)
    shown = f"{name} ({shown})"
    try:
        with pq.ParquetFile(file, buffer_size=_READ_AHEAD, pre_buffer=False) as opened:
            yield opened, shown
    except (pa.ArrowException, OSError) as error:  # what is damaged ends in either
        raise ValueError(f"{shown} can't be read as Parquet: {error}") from None


def _numbers_of(schema: Any) -> tuple[list[str], list[str], list[str]]:
    """Return the columns of lists of numbers, those of numbers, and all."""
    from pyarrow import types

    def is_number(kind: Any) -> bool:
        return bool(types.is_floating(kind) or types.is_integer(kind))

    def is_list(kind: Any) -> bool:
        return bool(types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind))

    fields = [field for field in schema if not field.name.startswith("__index_level_")]  # pandas' own columns
    lists = [field.name for field in fields if is_list(field.type) and is_number(field.type.value_type)]
    return lists, [field.name for field in fields if is_number(field.type)], [field.name for field in fields]


def choose_columns(
    lists: list[str], numbers: list[str], columns: list[str], asked: str | None, shown: str
) -> tuple[list[str], bool]:
    """Return the columns of embeddings, which ``asked`` may name (or their stem), and whether it is one of lists."""
    # Numbers are dimensions only if the names of their columns are one stem and consecutive integers from 0 or 1.
    by_stem: dict[str, dict[int, str]] = {}
    for name in numbers:
        if parts := re.fullmatch(r"(.*?)[-_. ]*([0-9]+)", name, re.DOTALL):
            by_stem.setdefault(parts[1], {})[int(parts[2])] = name
    choices: dict[str, tuple[list[str], bool]] = {name: ([name], True) for name in lists}
    for stem, members in by_stem.items():
        first, last = min(members), max(members)
        if first in (0, 1) and last - first == len(members) - 1 > 0:
            choices.setdefault(stem or members[first], ([members[i] for i in sorted(members)], False))
    remedy = (
        "Name one in read_embeddings(path, embedding_column=...) (--embedding-column): a column of lists, or what the "
        "names of the columns of dimensions have before their numbers, as in emb_0, emb_1, ..."
    )
    if asked is not None:
        if not isinstance(asked, str):
            raise TypeError(f"The 'embedding_column' parameter must be the name of a column. Got {asked!r} instead.")
        named = [choice for key, choice in choices.items() if asked.rstrip("-_. ") == key or asked in choice[0]]
        if len(named) != 1:
            raise ValueError(
                f"{shown} must hold the column of embeddings that is asked for. Got {asked!r}; those that can be are "
                f"{quote_options(choices)}, of the columns {_some(columns)}."
            )
        return named[0]
    if len(choices) > 1:
        raise ValueError(f"{shown} must have one column of embeddings. Got {quote_options(choices)}. {remedy}")
    if not choices:
        raise ValueError(
            f"{shown} must have a column of lists of numbers, or a column of numbers for each dimension, with names "
            f"such as emb_0, emb_1, ... without gaps. Got the columns {_some(columns)}. If these are texts, embed them "
            "first: xembed.load_encoder().encode(texts)."
        )
    return next(iter(choices.values()))


def _some(columns: list[str]) -> str:
    return quote_options(columns[:_SHOWN_COLUMNS]) + (f" and {len(columns) - _SHOWN_COLUMNS:,} more") * (
        len(columns) > _SHOWN_COLUMNS
    )


def _from_lists(column: Any, field: str, n_dims: int | None, start: int, shown: str) -> npt.NDArray[Any]:
    from pyarrow import compute

    lengths = compute.list_value_length(column).to_numpy(zero_copy_only=False)  # NaN for a missing list
    missing = np.flatnonzero(np.isnan(lengths))
    if len(missing):
        raise ValueError(
            f"{shown} holds no list of numbers in row {start + missing[0]} of the column {field!r}. Drop such rows "
            "first."
        )
    n_dims = int(lengths[0]) if n_dims is None else n_dims
    wrong = np.flatnonzero(lengths != n_dims)
    if len(wrong):
        raise ValueError(
            f"{shown} must have lists of the same length in the column {field!r}. Got {n_dims} numbers in row 0 and "
            f"{int(lengths[wrong[0]])} in row {start + wrong[0]}: were they embedded by the same model?"
        )
    values: npt.NDArray[Any] = column.flatten().to_numpy(zero_copy_only=False)
    return values.reshape(len(column), n_dims)
