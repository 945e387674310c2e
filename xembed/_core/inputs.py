"""What people pass where embeddings or texts are asked for, recognized without importing the library it is from."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sized
from typing import Any, NoReturn, TypeAlias

import numpy as np
import numpy.typing as npt

from xembed._core.text import count

# What `as_array` reads: arrays, tensors, DataFrames of numbers, and columns or lists of vectors.
Embeddings: TypeAlias = npt.ArrayLike | Iterable[Any]

_LIBRARIES = ("pandas", "polars", "pyarrow", "torch", "cupy")
_PLAIN = {list, tuple, np.ndarray, int, float}


def library_of(value: Any) -> str | None:
    """Return which of the libraries that are treated by name a value comes from."""
    modules = (base.__module__.partition(".")[0] for base in type(value).__mro__)
    return next((module for module in modules if module in _LIBRARIES), None)


def column_names(value: Any) -> list[Any] | None:
    """Return the names of the columns of a table of any library, or None for what is no table."""
    for attribute in ("column_names", "columns"):  # the columns of pyarrow are arrays
        names = getattr(value, attribute, None)
        if isinstance(names, Iterable):
            return list(names)
    return None


def list_items(texts: Any, *, name: str) -> list[Any]:
    """Return the items of what should hold texts; what has none, or no order, is refused."""
    if isinstance(texts, str | bytes):
        raise TypeError(
            f"{name} must be a list of strings. Got one {type(texts).__name__}: for a single text pass a list with it; "
            "the texts of a file are read by xembed.datasets.read_texts."
        )
    names = None if hasattr(texts, "texts") else column_names(texts)
    if names is not None:
        example = next((item for item in names if str(item) in {"text", "texts", "sentence"}), names[0] if names else 0)
        raise TypeError(
            f"{name} must be a list of strings. Got a {type(texts).__name__} with {len(names)} columns: pass the "
            f"column with the texts, as in table[{example!r:.60}]."
        )
    if isinstance(texts, Mapping | set | frozenset):
        raise TypeError(
            f"{name} must be a list of strings. Got a {type(texts).__name__}, which is no sequence of texts: pass a "
            "list of those that you mean, in their order."
        )
    if not isinstance(texts, Iterable):
        raise TypeError(f"{name} must be a list of strings. Got {type(texts).__name__} instead.")
    items: Any = texts
    return list(items.to_pylist() if library_of(items) == "pyarrow" else items)


def is_missing(item: Any) -> bool:
    """Return whether an item stands for a missing one: None, NaN, a masked item, or pandas' NA and NaT."""
    absent = {"NAType", "NaTType", "MaskedConstant"}
    return item is None or (isinstance(item, float) and item != item) or type(item).__name__ in absent


def mark_masked(column: Any) -> Any:
    """Return a column in which None stands for what was masked."""
    if not isinstance(column, np.ma.MaskedArray) or not np.ma.is_masked(column):
        return column
    items = column.data.astype(object)
    items[np.ma.getmaskarray(column)] = None
    return items


def is_blank(item: Any) -> bool:
    """Return whether an item is missing or a blank string: rows without a group are not one group together."""
    return is_missing(item) or (isinstance(item, str) and not item.strip())


def holds_texts(value: Any) -> bool:
    """Return whether the first item of a list or column that is not missing is a text."""
    if isinstance(value, np.ndarray):
        return value.dtype.kind in "SUT" or (value.dtype.kind == "O" and value.ndim == 1 and _starts_with_text(value))
    if isinstance(value, str | bytes | Iterator | Mapping | set | frozenset) or getattr(value, "ndim", 1) != 1:
        return False
    return isinstance(value, Iterable) and isinstance(value, Sized) and _starts_with_text(value)


def _starts_with_text(items: Iterable[Any]) -> bool:
    plain = (item.as_py() if library_of(item) == "pyarrow" else item for item in items)
    return isinstance(next((item for item in plain if not is_missing(item)), None), str | bytes)


def refuse_lazy(table: Any, name: str) -> None:
    """Refuse a table whose values are not computed yet."""
    call = "collect" if hasattr(table, "collect") else "compute" if hasattr(table, "compute") else None
    if call is not None and not isinstance(table, Mapping):
        raise TypeError(
            f"{name} is a {type(table).__name__} (of {type(table).__module__.partition('.')[0]}), whose values are not "
            f"computed yet: pass {name}.{call}()."
        )


def text_columns(table: Any) -> list[Any]:
    """Return the names of the columns of a table that do not hold numbers."""
    names, dtypes = column_names(table) or [], getattr(table, "dtypes", None)
    if dtypes is None:  # a table of pyarrow or of datasets: not a matrix, whatever its columns hold
        return names
    return [name for name, dtype in zip(names, dtypes, strict=True) if not _is_number(dtype)]


def _is_number(dtype: Any) -> bool:
    return bool(dtype.is_numeric()) if hasattr(dtype, "is_numeric") else getattr(dtype, "kind", "O") in "iuf"


def as_array(X: Any, *, name: str, caller: str) -> npt.NDArray[Any]:
    """Return embeddings as an array of any shape and type of numbers; texts, sparse matrices and sets are refused."""
    if isinstance(X, np.ndarray):
        return _from_numpy(X, name, caller)
    refuse(X, name, caller)
    if column_names(X) is not None:
        return _from_table(X, name, caller)
    match library_of(X):
        case "torch":
            return _from_torch(X, name)
        case "pyarrow":
            return _from_arrow(X, name, caller)
        case "pandas" | "polars":  # a column
            return _from_numpy(X.to_numpy(), name, caller)
        case "cupy":
            return np.asarray(X.get())
    if isinstance(X, memoryview) or hasattr(X, "__array__") or hasattr(X, "__array_interface__"):
        return np.asarray(X)
    if hasattr(X, "__dlpack__"):
        return np.from_dlpack(X)
    if isinstance(X, Iterable) and isinstance(X, Sized):
        return _stack(list(X), name, caller)
    raise TypeError(
        f"{name} must be a 2-D array of numbers (one row a text). Got {type(X).__name__} instead: pass an array, or a "
        "list of vectors."
    )


def refuse(X: Any, name: str, caller: str) -> None:
    """Refuse what is no sequence of rows: sparse matrices, texts, paths, and what has no order."""
    if hasattr(X, "toarray") or hasattr(X, "todense"):
        raise TypeError(
            f"{name} must be a dense 2-D array (one row a text). Got the sparse {type(X).__name__}: "
            f"pass {name}.toarray()."
        )
    if holds_texts(X) or hasattr(X, "texts"):
        raise_for_texts(name, caller)
    if isinstance(X, str | bytes | bytearray | Mapping | set | frozenset | os.PathLike):
        remedy = "pass an array, or a list of vectors in the order of the texts"
        if isinstance(X, str | os.PathLike):
            remedy = "a file is read by read_embeddings or read_texts (xembed.datasets); a text goes into a list"
        elif isinstance(X, Mapping) and X and not isinstance(next(iter(X.values())), int | float):
            remedy = (
                f"pass list({name}.values()) if its values are the rows, in their order, or one of them, "
                f"{name}[{next(iter(X))!r:.60}]"
            )
        raise TypeError(f"{name} must be a 2-D array of numbers (one row a text). Got a {type(X).__name__}: {remedy}.")


def _from_numpy(X: npt.NDArray[Any], name: str, caller: str) -> npt.NDArray[Any]:
    if isinstance(X, np.ma.MaskedArray):
        _raise_for_masked(np.ma.getmaskarray(X), name)
        X = X.data
    return _stack(list(X), name, caller) if X.dtype == object and X.ndim == 1 else np.asarray(X)


def raise_for_texts(name: str, caller: str) -> NoReturn:
    """Refuse texts where only embeddings will do."""
    raise TypeError(
        f"{name} must hold real numbers (argument of {caller}). Got texts: embed them first: "
        "xembed.load_encoder().encode(texts)."
    )


def _stack(rows: list[Any], name: str, caller: str) -> npt.NDArray[Any]:
    if not {type(row) for row in rows} <= _PLAIN:
        if holds_texts(rows):
            raise_for_texts(name, caller)
        _raise_for_missing(rows, name)
        _raise_for_masked(np.array([np.ma.is_masked(row) for row in rows]), name)
        rows = [_plain_row(row, name, caller) for row in rows]
    try:
        array = np.asarray(rows)
    except (ValueError, TypeError) as error:
        _raise_for_missing(rows, name)
        sizes = [len(row) if isinstance(row, Sized) else 1 for row in rows]
        wrong = next((row for row, size in enumerate(sizes) if size != sizes[0]), None)
        problem = error if wrong is None else f"row 0 has {sizes[0]} numbers, row {wrong} has {sizes[wrong]}"
        raise ValueError(
            f"{name} must be a 2-D array of numbers (one row a text). Its rows can't be put into one array: {problem}."
        ) from None
    if array.dtype == object and array.ndim == 1 and len(array):
        raise TypeError(
            f"{name} must hold numbers (argument of {caller}). Got {type(rows[0]).__name__} in row 0: "
            f"pass {value_of_each(rows[0], name) or 'one vector of numbers a text'}."
        )
    return array


def value_of_each(item: Any, name: str) -> str:
    """Say what one value of each record is, for advice; empty if an item is no record."""
    if not isinstance(item, Mapping):
        return ""
    return f"one value of each record, [record[{next(iter(item), 'text')!r:.60}] for record in {name}]"


def _raise_for_missing(rows: list[Any], name: str) -> None:
    if missing := [row for row, item in enumerate(rows) if is_missing(item)]:
        raise ValueError(
            f"{name} must hold one vector a row. Got {count(len(missing), 'row')} without one (first: row "
            f"{missing[0]}): drop such rows first."
        )


def _plain_row(row: Any, name: str, caller: str) -> Any:
    library = library_of(row)
    if library == "torch":
        return _from_torch(row, name)
    return row.as_py() if library == "pyarrow" and hasattr(row, "as_py") else row


def _raise_for_masked(masked: npt.NDArray[np.bool_], name: str) -> None:
    rows = np.unique(np.atleast_1d(masked).nonzero()[0])
    if len(rows):
        raise ValueError(
            f"{name} holds {count(len(rows), 'row')} with masked values (first: row {rows[0]}). Drop such "
            "rows first, or fill them."
        )


def _from_torch(X: Any, name: str) -> npt.NDArray[Any]:
    if str(X.layout) != "torch.strided" or X.is_nested or X.is_quantized or X.is_meta:
        kind = "quantized" if X.is_quantized else "nested" if X.is_nested else "meta" if X.is_meta else "sparse"
        remedy = {"quantized": "pass .dequantize()", "sparse": "pass .to_dense()", "meta": "it has no values"}
        raise TypeError(
            f"{name} must be a dense 2-D array (one row a text). Got a {kind} tensor: "
            f"{remedy.get(kind, 'pass rows of one length')}."
        )
    X = X.detach().cpu()
    try:
        return np.asarray(X.numpy())
    except TypeError:  # bfloat16 and float8, which numpy does not have
        return np.asarray(X.float().numpy())


def _from_table(X: Any, name: str, caller: str) -> npt.NDArray[Any]:
    refuse_lazy(X, name)
    if wrong := text_columns(X):
        raise TypeError(
            f"{name} must hold real numbers (argument of {caller}). Got a {type(X).__name__} with the column "
            f"{wrong[0]!r:.60}: if it holds texts, embed them first, encoder.encode({name}[{wrong[0]!r:.60}]); if it "
            "holds vectors, pass this column alone; else leave it out."
        )
    if library_of(X) == "pandas" and not all(isinstance(dtype, np.dtype) for dtype in X.dtypes):
        return np.asarray(X.to_numpy(dtype=np.float64, na_value=np.nan))  # numbers with NA
    return np.asarray(X.to_numpy())


def _from_arrow(X: Any, name: str, caller: str) -> npt.NDArray[Any]:
    column = X.combine_chunks() if hasattr(X, "combine_chunks") else X
    column = getattr(column, "storage", column)  # of an extension type, such as tensors of one shape
    if not hasattr(column, "value_lengths") and not hasattr(column.type, "list_size"):
        return np.asarray(column.to_numpy(zero_copy_only=False))
    if column.null_count:
        return _stack(column.to_pylist(), name, caller)  # which names the row
    values = np.asarray(column.flatten().to_numpy(zero_copy_only=False))
    if hasattr(column.type, "list_size"):
        return values.reshape(len(column), column.type.list_size)
    lengths = np.asarray(column.value_lengths())
    if len(lengths) and (lengths != lengths[0]).any():
        return _stack(column.to_pylist(), name, caller)
    return values.reshape(len(column), lengths[0] if len(lengths) else 0)
