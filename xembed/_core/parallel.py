"""Work on blocks of rows by threads. numpy releases the interpreter's lock inside its loops."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from contextvars import copy_context
from functools import cache
from typing import Any, TypeVar

Item = TypeVar("Item")
Value = TypeVar("Value")


def n_threads() -> int:
    """Return the number of processors that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS and Windows
        return os.cpu_count() or 1


def ordered_map(function: Callable[[Item], Value], items: Sequence[Item]) -> Iterator[Value]:
    """Yield ``function(item)`` in order, by a thread a processor: sums are the same everywhere, few are held."""
    threads = min(n_threads(), len(items))
    if threads <= 1:
        yield from map(function, items)
        return
    with ThreadPoolExecutor(threads) as pool:
        waiting: deque[Future[Value]] = deque()
        try:
            for item in items:
                waiting.append(pool.submit(copy_context().run, function, item))
                if len(waiting) > 2 * threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


@cache
def _blas() -> Any:
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()  # looks for libraries once: that takes longer than a small product


def one_blas_thread() -> AbstractContextManager[Any]:
    """Let matrix products run on one thread inside the context: many small ones on two wait for each other."""
    limit: AbstractContextManager[Any] = _blas().limit(limits=1, user_api="blas")
    return limit


def row_blocks(start: int, stop: int, size: int) -> list[slice]:
    """Return slices of at most ``size`` rows that cover the rows from ``start`` to ``stop`` in order."""
    return [slice(first, min(first + size, stop)) for first in range(start, stop, size)]
