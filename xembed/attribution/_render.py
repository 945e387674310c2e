"""Words with numbers in a notebook or a terminal: signed colors, and the sign at the word."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from xembed._core import text
from xembed._core.text import cut

if TYPE_CHECKING:
    from rich.text import Text

# Orange and blue of Okabe and Ito's palette for color-blind people, over the ground of the notebook, light or dark, no
# denser than its text can be read on.
_ORANGE, _BLUE, _DENSEST = "230,159,0", "0,114,178", 0.55
_SHAPE = "padding:1px 3px;border-radius:4px"
# In terminals, whose ground is not known: dark letters on a strong and on a weak color.
_STRONG, _WEAK = {1: "#f0a030", -1: "#56b4e9"}, {1: "#ffd787", -1: "#9ad4f5"}
# Shares of the largest value below which a word has no sign, and from which its color is strong.
FAINT, _LARGE = 0.05, 0.5
_WORD = 60  # characters of a word
CELL_BYTES = 40_000  # of a notebook's cell


def words_html(
    words: Sequence[str],
    values: Iterable[float],
    *,
    signed: bool = True,
    most: float | None = None,
    n_bytes: int = CELL_BYTES,
) -> str:
    """Return a paragraph of words on colored grounds, as HTML without a style sheet and without markup of theirs.

    Above 0 a word is orange with +, below 0 blue with −; without ``signed`` all are orange without marks. ``most`` is
    the absolute value of the deepest color, by default the largest. Words are cut after 60 characters, and only counted
    from ``n_bytes`` of UTF-8 on. ValueError if there are not as many words as values.

    >>> "−</sup>" in words_html(["wifi", "violin"], [0.1, -0.2])
    True
    """
    parts: list[str] = []
    used = 0
    for place, (word, value, share) in enumerate(_shares(words, values, most)):
        part = _span(word, value, share, signed)
        used += len(part.encode("utf-8")) + 1
        if used > n_bytes:
            parts.append(f"<i>… and {len(words) - place:,} more words</i>")
            break
        parts.append(part)
    return f"<p style='line-height:1.9;margin:2px 0' dir='auto'>{' '.join(parts)}</p>"


def _span(word: str, value: float, share: float, signed: bool) -> str:
    sign = "" if share < FAINT or not signed else "+" if value > 0 else "−"
    color = _ORANGE if value > 0 or not signed else _BLUE
    ground = f"background:rgba({color},{_DENSEST * share:.2f});" if share >= 0.005 else ""
    mark = f"<sup style='line-height:0'>{sign}</sup>" if sign else ""
    # unicode-bidi keeps what turns a line around within its word, as <bdi> does, and lets dir='auto' see the word.
    return (
        f"<span style='{ground}{_SHAPE};unicode-bidi:isolate' title='{with_sign(value, signed)}'>"
        f"{escape(printable(word), quote=True)}{mark}</span>"
    )


def words_text(
    words: Sequence[str], values: Iterable[float], *, signed: bool = True, most: float | None = None
) -> Text:
    """Return one line of words for a terminal: colored, with + or − after those that count, without control characters.

    >>> words_text(["My", "wifi", "violin"], [0.0, 0.1, -0.2]).plain
    'My wifi+ violin−'
    """
    from rich.text import Text

    line = Text()
    for place, (word, value, share) in enumerate(_shares(words, values, most)):
        if place:
            line.append(" ")
        sign = 1 if value > 0 or not signed else -1
        mark = "" if share < FAINT or not signed else "+" if sign > 0 else "−"
        style = ""
        if share >= FAINT:
            strong = share >= _LARGE
            style = f"{'bold ' if strong else ''}black on {(_STRONG if strong else _WEAK)[sign]}"
        line.append(f"{printable(word)}{mark}", style=style)
    return line


def _shares(words: Sequence[str], values: Iterable[float], most: float | None) -> Iterable[tuple[str, float, float]]:
    array = np.asarray(list(values), dtype=np.float64)
    if array.shape != (len(words),):
        raise ValueError(f"There must be a value for each of {len(words)} words. Got an array of shape {array.shape}.")
    largest = float(np.abs(array).max(initial=0.0)) if most is None else float(most)
    shares = np.minimum(np.abs(array) / largest, 1.0) if largest > 0 else np.zeros(len(array))
    return zip(words, array.tolist(), shares.tolist(), strict=True)


def with_sign(value: float, signed: bool = True) -> str:
    return (f"{value:+.3g}" if signed else f"{value:.3g}").replace("-", "−")


def printable(word: str, length: int = _WORD) -> str:
    """Return a word cut, without characters that a terminal obeys or that turn a line around."""
    return cut(text.printable(word[: length + 1], "�"), length)


# ---- parts of a notebook's cell


def heading(text: str) -> str:
    return f"<div style='font-weight:600;margin:2px 0'>{escape(printable(text, 200))}</div>"


def line(text: str, *, strong: bool = False) -> str:
    shown = escape(printable(text, 500))
    return f"<div style='margin:2px 0;font-size:90%;{'margin-top:8px' if strong else ''}' dir='auto'>{shown}</div>"


def legend(signed: bool, up: str, down: str) -> str:
    if not signed:
        return line("The method has no signs: the deeper the color, the more a word counts.")
    plus, minus = (
        f"<span style='background:rgba({color},{_DENSEST});{_SHAPE}'>{name}<sup>{sign}</sup></span>"
        for color, name, sign in ((_ORANGE, "orange", "+"), (_BLUE, "blue", "−"))
    )
    return f"<div style='margin:2px 0;font-size:90%'>{plus} {up}, {minus} {down}</div>"
