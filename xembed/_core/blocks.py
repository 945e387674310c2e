"""Rows of embeddings that come block by block: files, streams and dask arrays behind one interface."""

from __future__ import annotations

import importlib
import itertools
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NoReturn, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from xembed._core.files import open_npy
from xembed._core.parallel import row_blocks
from xembed._core.progress import Advance, no_progress
from xembed._core.validation import FloatArray, check_embeddings, check_same_dims

Value = TypeVar("Value")

# Elements of a block: large enough for several threads, small beside any machine's memory (64 MB of float32).
_ELEMENTS = 2**24
# Results of workers that are added up at a time.
_FAN_IN = 8
_SOURCES = (
    "an array, a list of 2-D blocks, a function that returns an iterator of them, a dask.array, or the path of a "
    ".npy or .parquet file"
)


class Blocks(ABC):
    """Rows that are read block by block: ``n_dims`` columns, ``n_rows`` rows (None: nobody has counted them yet)."""

    n_dims: int
    n_rows: int | None

    def __init__(self, *, name: str, caller: str, min_rows: int) -> None:
        self.name = name
        self._caller = caller
        self._min_rows = min_rows

    @abstractmethod
    def map(self, function: Callable[[FloatArray, int], Value], advance: Advance = no_progress) -> Iterator[Value]:
        """Yield ``function(block, first_row)`` of each block in order; a picklable one, for it may run elsewhere."""

    @abstractmethod
    def count(self) -> int:
        """Return the number of rows, counted if need be."""

    def total(
        self, function: Callable[[FloatArray, int], npt.NDArray[np.float64]], advance: Advance = no_progress
    ) -> npt.NDArray[np.float64]:
        """Return the sum of ``function(block, first_row)`` over all blocks."""
        parts = self.map(function, advance)
        total = next(parts).copy()
        for part in parts:
            total += part
        return total

    def _set_shape(self, n_rows: int | None, n_dims: int) -> None:
        self.n_rows, self.n_dims = n_rows, n_dims
        self.size = n_dims * (n_rows or 0)  # 0 if not known beforehand: the precision is chosen by it
        if n_rows is not None:
            self._check_rows(n_rows)

    def _check_rows(self, n_rows: int) -> None:
        if n_rows < self._min_rows:  # raises, in the words it has for arrays
            check_embeddings(np.empty((n_rows, 1)), name=self.name, caller=self._caller, min_rows=self._min_rows)


class Stream(Blocks):
    """Blocks of any sizes from ``read``, cut and joined to one size: nothing depends on how the stream was cut."""

    def __init__(
        self, read: Callable[[], Iterable[Any]], *, name: str, caller: str, n_rows: int | None = None, min_rows: int = 1
    ) -> None:
        super().__init__(name=name, caller=caller, min_rows=min_rows)
        self._read = read
        blocks = self._open()
        first = list(itertools.islice(blocks, 1))
        self._opened: Iterator[Any] | None = itertools.chain(first, blocks)  # a first look costs no reading
        n_dims = self._check(first[0], 0, 0).shape[1] if first else 1
        self._set_shape(n_rows if first else 0, n_dims)
        # A power of two, so that blocks end where the blocks of other code end.
        self._step = 1 << max(0, (_ELEMENTS // n_dims).bit_length() - 1)

    def blocks(self) -> Iterator[FloatArray]:
        """Yield the rows in checked blocks of one size, the last one excepted."""
        held: list[FloatArray] = []
        n_held = n_rows = 0
        for number, item in enumerate(self._iterate()):
            block = self._check(item, number, n_rows)
            n_rows += len(block)
            while n_held + len(block) >= self._step:
                cut = self._step - n_held
                yield np.concatenate([*held, block[:cut]]) if held else block[:cut]
                block, held, n_held = block[cut:], [], 0
            if len(block):
                held.append(block.copy())  # the stream may write its next block where this one lies
                n_held += len(block)
        if held:
            yield np.concatenate(held)
        self._end(n_rows)

    def map(self, function: Callable[[FloatArray, int], Value], advance: Advance = no_progress) -> Iterator[Value]:
        """Yield ``function(block, first_row)`` of each block in order."""
        start = 0
        for block in self.blocks():
            yield function(block, start)
            start += len(block)
            advance(len(block))

    def count(self) -> int:
        """Return the number of rows; the first time, this may read all of them."""
        if self.n_rows is None:
            self.n_rows = sum(len(block) for block in self.blocks())
        return self.n_rows

    def _iterate(self) -> Iterator[Any]:
        opened, self._opened = self._opened, None
        return self._open() if opened is None else opened

    def _open(self) -> Iterator[Any]:
        blocks = self._read()
        if isinstance(blocks, str | bytes) or not isinstance(blocks, Iterable):
            raise TypeError(
                f"The function given as {self.name} must return an iterator of 2-D blocks. "
                f"Got {type(blocks).__name__} instead."
            )
        return iter(blocks)

    def _check(self, item: Any, number: int, start: int) -> FloatArray:
        where = f"Block {number} of {self.name} (from row {start})"
        if getattr(item, "ndim", 2) != 2:
            raise ValueError(
                f"{where} must be a 2-D array of shape (n_rows, n_dims). Got an array of shape {tuple(item.shape)} "
                "instead."
            )
        block = check_embeddings(item, name=where, caller=self._caller, min_rows=0)
        n_dims = getattr(self, "n_dims", block.shape[1])  # the first block says
        if block.shape[1] != n_dims:
            raise ValueError(
                f"{where} must have {n_dims} dimensions, as the blocks before it. Got {block.shape[1]}: were they "
                "embedded by the same model?"
            )
        return block

    def _end(self, n_rows: int) -> None:
        if self.n_rows is not None and n_rows != self.n_rows:
            raise ValueError(
                f"{self.name} must give the same rows each time it is read. Got {self.n_rows} rows, then {n_rows}: a "
                "function has to return a fresh iterator each time it is called."
            )
        self._check_rows(n_rows)
        self.n_rows = n_rows


class Chunks(Blocks):
    """The chunks of a dask array: functions go to them, rows are never gathered."""

    def __init__(self, array: Any, *, name: str, caller: str, min_rows: int = 1) -> None:
        super().__init__(name=name, caller=caller, min_rows=min_rows)
        if array.ndim != 2:
            raise ValueError(
                f"{name} must be a 2-D dask array of shape (n_texts, n_dims). Got one of shape {array.shape} instead."
            )
        if np.isnan(array.shape).any():
            raise ValueError(
                f"{name} must be a dask array with chunks of known sizes. Got the shape {array.shape}: call "
                f"{name}.compute_chunk_sizes() first."
            )
        # The checks for arrays, of what is known without reading: the type of the numbers, and the width.
        check_embeddings(np.empty((0, array.shape[1]), array.dtype), name=name, caller=caller, min_rows=0)
        n_rows, n_dims = (int(length) for length in array.shape)
        self._set_shape(n_rows, n_dims)
        self._array = array.rechunk({1: -1})
        self._n_rows = n_rows

    def map(self, function: Callable[[FloatArray, int], Value], advance: Advance = no_progress) -> Iterator[Value]:
        """Yield ``function(chunk, first_row)`` of each chunk in order; all are computed before the first comes."""
        yield from _dask().compute(*self._tasks(function))
        advance(self._n_rows)

    def total(
        self, function: Callable[[FloatArray, int], npt.NDArray[np.float64]], advance: Advance = no_progress
    ) -> npt.NDArray[np.float64]:
        """Return the sum of ``function(chunk, first_row)`` over all chunks, added up by the workers."""
        add = _dask().delayed(_add, pure=False)
        parts = self._tasks(function)
        while len(parts) > 1:
            parts = [add(parts[i : i + _FAN_IN]) for i in range(0, len(parts), _FAN_IN)]
        total: npt.NDArray[np.float64] = _dask().compute(parts[0])[0]
        advance(self._n_rows)
        return total

    def count(self) -> int:
        """Return the number of rows."""
        return self._n_rows

    def _tasks(self, function: Callable[[FloatArray, int], Value]) -> list[Any]:
        # The function travels once, not with every task: it may hold arrays.
        shared = _dask().delayed(function, pure=False)
        call = _dask().delayed(_call_on_chunk, pure=False)
        rows = self._array.chunks[0]
        starts = itertools.accumulate(rows[:-1], initial=0)
        chunks = self._array.to_delayed().ravel()
        return [
            call(shared, chunk, start, self.name, self._caller)
            for chunk, start, n_rows in zip(chunks, starts, rows, strict=True)
            if n_rows
        ]


Rows: TypeAlias = FloatArray | Blocks


def read_rows(X: Any, *, name: str, caller: str, min_rows: int = 1, again: bool = False) -> Rows:
    """Return an array, or the path of one, as one, checked, all else as `Blocks`; ``again``: for several passes."""
    if again:
        check_rereadable(X, name=name, caller=caller)
    X = open_source(X, name=name, caller=caller, min_rows=min_rows)
    if isinstance(X, np.memmap) and X.dtype not in (np.float16, np.float32, np.float64):
        return _slices(X, name=name, caller=caller, min_rows=min_rows)  # as an array it would be converted whole
    return X if isinstance(X, Blocks) else check_embeddings(X, name=name, caller=caller, min_rows=min_rows)


def read_blocks(X: Any, *, name: str, caller: str, min_rows: int = 1, again: bool = False) -> Blocks:
    """Return ``X`` as `Blocks`, arrays too."""
    rows = read_rows(X, name=name, caller=caller, min_rows=min_rows, again=again)
    return rows if isinstance(rows, Blocks) else _slices(rows, name=name, caller=caller, min_rows=min_rows)


def read_array(X: Any, *, name: str, caller: str, blocks_for: str, min_rows: int = 1) -> FloatArray:
    """Return ``X`` as an array; blocks are refused, with ``blocks_for`` saying where they can be used."""
    source = open_source(X, name=name, caller=caller, min_rows=min_rows)
    if isinstance(source, Blocks):
        raise ValueError(
            f"{name} must be an array or the path of a .npy file for this call: {caller} can read blocks only for "
            f"{blocks_for}. Got {type(X).__name__} instead: if the blocks fit into memory, pass np.concatenate(blocks)."
        )
    return check_embeddings(source, name=name, caller=caller, min_rows=min_rows)


def open_source(X: Any, *, name: str, caller: str, min_rows: int) -> Any:
    """Return `Blocks` of what comes in blocks, the memory map of a .npy file, and ``X`` itself otherwise."""
    if isinstance(X, Blocks):
        return X
    stream = partial(Stream, name=name, caller=caller, min_rows=min_rows)
    if isinstance(X, str | os.PathLike):
        return _open_file(X, stream, name=name)
    if type(X).__module__.startswith("dask."):
        if not hasattr(type(X), "chunks"):
            raise TypeError(
                f"{name} must be {_SOURCES}. Got a dask {type(X).__name__}: make a dask.array of it, of a DataFrame by "
                ".to_dask_array(lengths=True)."
            )
        return Chunks(X, name=name, caller=caller, min_rows=min_rows)
    if isinstance(X, list | tuple) and any(getattr(block, "ndim", None) == 2 for block in X):
        return stream(lambda: X, n_rows=sum(len(block) for block in X if getattr(block, "ndim", None) == 2))
    if isinstance(X, Iterator):
        return stream(_read_once(X, name=name, caller=caller))
    if callable(X) and not hasattr(X, "__array__"):
        return stream(X)
    return X


def check_rereadable(X: Any, *, name: str, caller: str) -> None:
    """Refuse an iterator, which can be read once, where rows are read more than once."""
    if isinstance(X, Iterator):
        _raise_for_second_pass(X, name, caller)


def check_same_width(*named: tuple[str, Rows]) -> None:
    """Check that all rows have the same number of dimensions."""
    check_same_dims(*((name, np.empty((0, width(rows)))) for name, rows in named))


def width(rows: Rows) -> int:
    """Return the number of dimensions."""
    return rows.n_dims if isinstance(rows, Blocks) else rows.shape[1]


def known_rows(*sources: Rows) -> int | None:
    """Return the number of rows of all sources together, or None where one of them does not know."""
    numbers = [rows.n_rows if isinstance(rows, Blocks) else len(rows) for rows in sources]
    return None if None in numbers else sum(number or 0 for number in numbers)


def count_rows(rows: Rows) -> int:
    """Return the number of rows; blocks may have to be read for that, if they have not been before."""
    return rows.count() if isinstance(rows, Blocks) else len(rows)


def _read_once(X: Iterator[Any], *, name: str, caller: str) -> Callable[[], Iterator[Any]]:
    unread = [X]

    def read() -> Iterator[Any]:
        if not unread:
            _raise_for_second_pass(X, name, caller)
        return unread.pop()

    return read


def _raise_for_second_pass(X: Any, name: str, caller: str) -> NoReturn:
    raise TypeError(
        f"{name} must be something that can be read more than once for {caller}: {_SOURCES}. Got an iterator "
        f"({type(X).__name__}), which ends with its first reading: pass the function that makes it."
    )


def _slices(array: npt.NDArray[Any], *, name: str, caller: str, min_rows: int) -> Stream:
    check_embeddings(array[:0], name=name, caller=caller, min_rows=0)
    step = max(1, _ELEMENTS // array.shape[1])
    return Stream(
        lambda: (array[rows] for rows in row_blocks(0, len(array), step)),
        name=name,
        caller=caller,
        n_rows=len(array),
        min_rows=min_rows,
    )


def _open_file(path: str | os.PathLike[str], stream: Callable[..., Stream], *, name: str) -> Any:
    suffix = Path(path).suffix.lower()
    if suffix == ".npy":
        return open_npy(path, caller="read_embeddings", name=name)
    if suffix == ".parquet":
        from xembed._core.parquet import parquet_blocks, parquet_rows

        return stream(partial(parquet_blocks, path, name=name), n_rows=parquet_rows(path, name=name))
    raise ValueError(f"{name} must be {_SOURCES}. Got {os.fspath(path)!r} instead.")


def _dask() -> Any:
    return importlib.import_module("dask")  # loaded already, by whoever made the array


def _call_on_chunk(
    function: Callable[[FloatArray, int], Value], chunk: Any, start: int, name: str, caller: str
) -> Value:
    block = check_embeddings(chunk, name=f"The chunk of {name} from row {start}", caller=caller, min_rows=0)
    return function(block, start)


def _add(parts: list[npt.NDArray[np.float64]]) -> npt.NDArray[np.float64]:
    return np.sum(parts, axis=0)  # type: ignore[no-any-return]
