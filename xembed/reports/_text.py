"""Texts of users in sentences: short, on one line, and without what turns the words around them."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from xembed._core.text import in_sentence, printable
from xembed._core.text import short_names as short_names

_ISOLATES = "\u2068\u2069"

plain = in_sentence


def plain_sentence(sentence: str) -> str:
    """Return a sentence of an analysis without unprintable characters that names in it may hold."""
    return "".join(one if one in _ISOLATES else printable(one) for one in sentence)


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
