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
    """Yield ``function(item)`` in the order of ``items``, computed by one thread a processor.

    The order makes sums over blocks the same on every machine, whatever the number of threads. Only a few
    results are held at a time, so that their memory is bounded.
    """
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
    """Let matrix products run on one thread inside the context: for many small ones.

    Two threads are no faster there, and on a busy machine far slower, because each waits for the other: 200 batteries
    of 180 texts took 6 s in place of 204 s.
    """
    limit: AbstractContextManager[Any] = _blas().limit(limits=1, user_api="blas")
    return limit


def row_blocks(start: int, stop: int, size: int) -> list[slice]:
    """Return slices of at most ``size`` rows that cover the rows from ``start`` to ``stop`` in order."""
    return [slice(first, min(first + size, stop)) for first in range(start, stop, size)]
