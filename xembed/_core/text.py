"""Texts of users and numbers as messages, sentences and terminals show them: on one line, short, without control."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

JOINERS = "\u200c\u200d"  # unprintable, but parts of emoji and of the letters of some scripts


def printable(text: str, replacement: str = " ") -> str:
    """Replace the characters that a terminal obeys or that turn a line around."""
    return "".join(c if c.isprintable() or c in JOINERS else replacement for c in text)


def cut(text: str, length: int) -> str:
    """Shorten a text to ``length`` characters, saying so by an ellipsis."""
    return text if len(text) <= length else text[: length - 1].rstrip() + "…"


def one_line(text: str, length: int = 90) -> str:
    """Shorten a text to one line that a terminal can show; texts may hold line breaks and escape sequences."""
    return cut(" ".join(printable(text).split()), length)


def in_sentence(text: str, length: int = 60) -> str:
    """Return a text as it may stand in a sentence: one short line that leaves the rest of the sentence in its place."""
    line = one_line(text, length)
    # A word that goes from right to left is isolated, so that what follows it stays where it is.
    return f"\u2068{line}\u2069" if any(unicodedata.bidirectional(c) in ("R", "AL") for c in line) else line


def short_names(names: Iterable[str]) -> tuple[str, ...]:
    """Return names that fit into a heading, a legend and a sentence, different ones for different names."""
    taken: dict[str, str] = {}
    for name in (given := list(names)):
        short = in_sentence(name) or "–"
        if name not in taken:
            taken[name] = short if short not in taken.values() else f"{short} ({len(taken) + 1})"
    return tuple(taken[name] for name in given)


def p_value(pvalue: float | None) -> str:
    """Write a p-value with two digits, and none as zero; a missing one as a dash."""
    if pvalue is None:
        return "–"
    return "< 1e-300" if pvalue < 1e-300 else f"{pvalue:.2g}"


def format_p(pvalue: float) -> str:
    """Write a p-value for a sentence, such as 'p = 0.012'."""
    written = p_value(pvalue)
    return f"p {written}" if written.startswith("<") else f"p = {written}"
