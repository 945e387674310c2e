"""Texts of users as messages and terminals show them: on one line, and without what a terminal obeys."""

from __future__ import annotations

JOINERS = "\u200c\u200d"  # unprintable, but parts of emoji and of the letters of some scripts


def printable(text: str, replacement: str = " ") -> str:
    """Replace the characters that a terminal obeys or that turn a line around."""
    return "".join(c if c.isprintable() or c in JOINERS else replacement for c in text)


def one_line(text: str, length: int = 90) -> str:
    """Shorten a text to one line that a terminal can show; texts may hold line breaks and escape sequences."""
    line = " ".join(printable(text).split())
    return line if len(line) <= length else f"{line[: length - 1]}…"
