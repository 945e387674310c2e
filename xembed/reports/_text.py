"""Texts of users in sentences, short and on one line; and data for scripts, in which no text can end an element."""

from __future__ import annotations

import base64
import gzip
import json
import unicodedata
from collections.abc import Sequence
from typing import Any

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


def pack(data: Any) -> str:
    """Return base64 of gzipped JSON: for many texts."""
    return pack_text(json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False))


def pack_text(text: str) -> str:
    """Return base64 of a gzipped text, the same for the same text. UTF-8 holds no halves of characters."""
    return base64.b64encode(gzip.compress(text.encode("utf-8", "replace"), 9, mtime=0)).decode("ascii")


def script_json(data: Any) -> str:
    """Return JSON without the characters that HTML or a script could take for something else."""
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
