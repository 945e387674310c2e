"""Embeddings in Parquet files: a column of lists, or a column a dimension, read in small batches."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

from xembed._core.files import check_file
from xembed._core.validation import quote_options

# Rows of a batch. Blocks are made of them by `xembed._core.blocks`.
_BATCH = 4096
# Bytes that a column is read ahead. Without it, pyarrow reads whole row groups, which may be larger than the memory.
_READ_AHEAD = 2**16


def parquet_rows(path: str | os.PathLike[str], *, name: str) -> int:
    """Return the number of rows, from the file's footer."""
    with _opened(path, name) as (file, _):
        return int(file.metadata.num_rows)


def parquet_blocks(path: str | os.PathLike[str], *, name: str) -> Iterator[npt.NDArray[Any]]:
    """Yield the rows of a file in blocks, each of shape (n_rows, n_dims).

    Raises
    ------
    OSError
        If there is no such file, or it can't be opened.
    ValueError
        If it is not Parquet, or does not say which of its columns are the embeddings.
    """
    with _opened(path, name) as (file, shown):
        columns, lists = _choose_columns(file.schema_arrow, shown)
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
    except pa.ArrowException as error:
        raise ValueError(f"{shown} can't be read as Parquet: {error}") from None


def _choose_columns(schema: Any, shown: str) -> tuple[list[str], bool]:
    """Return the columns of the embeddings, and whether it is one column of lists."""
    from pyarrow import types

    def is_number(kind: Any) -> bool:
        return bool(types.is_floating(kind) or types.is_integer(kind))

    def is_list(kind: Any) -> bool:
        return bool(types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind))

    fields = [field for field in schema if not field.name.startswith("__index_level_")]  # pandas' own columns
    lists = [field.name for field in fields if is_list(field.type) and is_number(field.type.value_type)]
    floats = [field.name for field in fields if types.is_floating(field.type)]
    integers = [field.name for field in fields if types.is_integer(field.type)]
    remedy = "Pass a function that yields blocks of the columns that you mean, or save these alone."
    if len(lists) > 1:
        raise ValueError(f"{shown} must have one column of embeddings. Got {quote_options(lists)}. {remedy}")
    if lists:
        return lists, True
    if floats and integers:
        raise ValueError(
            f"{shown} must have columns of embeddings alone. It has {len(floats)} of decimal numbers and the columns "
            f"{quote_options(integers)} of whole numbers, which look like labels. {remedy}"
        )
    if not floats and not integers:
        raise ValueError(
            f"{shown} must have a column of lists of numbers, or a column of numbers for each dimension. Got the "
            f"columns {quote_options(field.name for field in fields)}. If these are texts, embed them first: "
            "xembed.load_encoder().encode(texts)."
        )
    return floats or integers, False


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
