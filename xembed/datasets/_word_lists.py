"""Lists of words that come with xembed: the files of the folder ``lexicons``."""

from __future__ import annotations

import re
from functools import lru_cache
from importlib import resources


@lru_cache
def read_word_lists(name: str) -> dict[str, tuple[str, ...]]:
    """Return the lists of words in a bundled file by their headings, in brackets; lines with ``#`` are comments."""
    text = resources.files("xembed.datasets").joinpath("lexicons", f"{name}.txt").read_text(encoding="utf-8")
    _, *parts = re.split(r"^\[(.+)\]$", re.sub(r"^#.*\n", "", text, flags=re.MULTILINE), flags=re.MULTILINE)
    return {heading: tuple(words.split()) for heading, words in zip(parts[::2], parts[1::2], strict=True)}
