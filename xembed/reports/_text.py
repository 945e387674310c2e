"""Texts of users in sentences: short, on one line, and without what turns the words around them."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence

from xembed.reports._format import cut

_WORD, _NAME = 60, 60  # characters
_JOINERS = "\u200c\u200d"  # in emoji, and between the letters of some scripts


def plain(word: str, length: int = _WORD) -> str:
    """Return a word as it may stand in a sentence: cut, without what turns the rest of the line around."""
    short = cut(_printable(word).strip(), length)
    # A word that goes from right to left is isolated, so that what follows it stays where it is.
    return f"\u2068{short}\u2069" if any(unicodedata.bidirectional(one) in ("R", "AL") for one in short) else short


def plain_sentence(sentence: str) -> str:
    """Return a sentence of an analysis without unprintable characters that names in it may hold."""
    return _printable(sentence, keep="\u2068\u2069")


def short_names(names: Iterable[str]) -> tuple[str, ...]:
    """Return names that fit into a heading, a legend and a sentence, different ones for different names."""
    taken: dict[str, str] = {}
    for name in (given := list(names)):
        short = plain(name, _NAME) or "–"
        if name not in taken:
            taken[name] = short if short not in taken.values() else f"{short} ({len(taken) + 1})"
    return tuple(taken[name] for name in given)


def direction(words: Sequence[str]) -> str:
    """Return 'rtl' if the first letter that has a direction goes from right to left: words stand in that order."""
    for character in "".join(words):
        kind = unicodedata.bidirectional(character)
        if kind in ("R", "AL"):
            return "rtl"
        if kind == "L":
            return "ltr"
    return "ltr"


def listed(items: Sequence[str]) -> str:
    """Write a list as a part of a sentence."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}" if items else ""


def _printable(text: str, keep: str = "") -> str:
    return "".join(one if one.isprintable() or one in _JOINERS or one in keep else " " for one in text)
