"""Progress of long steps: a bar on stderr for each, if asked or, by default, if that is a terminal.

A public function opens `showing` with its ``progress`` parameter, most by the decorator `shows_steps`; whatever takes
long below it opens a `step` or loops over `track`, which know by a context variable whether anyone wants to see them.
Inside a step no other bar is shown.
"""

from __future__ import annotations

import contextlib
import functools
import sys
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from threading import Timer
from typing import ParamSpec, TypeAlias, TypeVar

from xembed._core.validation import shows_progress

Advance: TypeAlias = Callable[[int], object]
Item = TypeVar("Item")
Value = TypeVar("Value")
Parameters = ParamSpec("Parameters")

# Seconds before a bar that nobody asked for appears: None for no bars; not set where no function has decided.
_delay: ContextVar[float | None] = ContextVar("_delay")
_PATIENCE = 0.5


def no_progress(n: int) -> None:
    """Tell nobody."""


def showing(progress: bool | None, *, caller: str) -> contextlib.AbstractContextManager[None]:
    """Show the bars of what is done inside, or none; None leaves it to a function further out, or to the terminal."""
    show = shows_progress(progress, caller=caller)
    own = (_PATIENCE if progress is None else 0.0) if show else None
    return _set(_delay.get(own) if progress is None else own)


def shows_steps(function: Callable[Parameters, Value]) -> Callable[Parameters, Value]:
    """Open `showing` around a public function, with its keyword parameter ``progress``."""

    @functools.wraps(function)
    def wrapper(*args: Parameters.args, **options: Parameters.kwargs) -> Value:
        with showing(options.get("progress"), caller=function.__name__):  # type: ignore[arg-type]
            return function(*args, **options)

    return wrapper


@contextlib.contextmanager
def step(description: str, total: int | None, unit: str, *, done: int = 0) -> Iterator[Advance]:
    """Show a bar, and give what it is advanced by; a total of None is one that is not known."""
    with _bar(description, total, unit, done) as advance, _set(None):
        yield advance


@contextlib.contextmanager
def estimated_step(description: str, total: int, unit: str) -> Iterator[Advance]:
    """Do the same as `step` for a total that may be missed: the bar does not pass it, and reaches it at the end."""
    left = total

    def advance_at_most(n: int) -> None:
        nonlocal left
        left -= (bounded := min(n, left))
        advance(bounded)

    with step(description, total, unit) as advance:
        yield advance_at_most
        advance(left)


def track(items: Sequence[Item], description: str, unit: str = "row") -> Iterator[Item]:
    """Yield the items of a loop that holds no other steps, with a bar; slices count as the rows that they hold."""
    sizes = [item.stop - item.start if isinstance(item, slice) else 1 for item in items]
    with _bar(description, sum(sizes), unit) as advance:
        for item, size in zip(items, sizes, strict=True):
            yield item
            advance(size)


@contextlib.contextmanager
def _bar(description: str, total: int | None, unit: str, done: int = 0) -> Iterator[Advance]:
    delay = _delay.get(_PATIENCE if shows_progress(None, caller="step") else None)
    if delay is None:
        yield no_progress
        return
    from tqdm import tqdm

    scaled = total is None or total >= 100_000
    with tqdm(
        total=total, initial=done, desc=description, unit=unit, unit_scale=scaled, file=sys.stderr, delay=delay
    ) as bar:
        timer = Timer(delay, bar.refresh)  # a first part that takes long is announced, too
        timer.daemon = True
        if delay:
            timer.start()
        try:
            yield bar.update
        finally:
            timer.cancel()


@contextlib.contextmanager
def _set(delay: float | None) -> Iterator[None]:
    token = _delay.set(delay)
    try:
        yield
    finally:
        _delay.reset(token)
