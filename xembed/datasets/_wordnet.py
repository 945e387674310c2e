"""Reading a WordNet database folder: the words of each synset with the synset's definition."""

from __future__ import annotations

import re
from pathlib import Path

from xembed.datasets._read_table import decode, split_lines

_PARTS = ("noun", "verb", "adj", "adv")
FILES = tuple(f"data.{part}" for part in _PARTS)
# Where an adjective may stand: attributive, predicative, immediately after the noun.
_POSITION = re.compile(r"\((?:a|p|ip)\)$")
_EXAMPLES = '; "'


def is_wordnet(folder: Path) -> bool:
    """Say whether any of the database's files is in the folder."""
    return any((folder / name).is_file() for name in FILES)


def read_wordnet(folder: Path, source: str) -> tuple[list[tuple[str, str]], str]:
    """Return (entry, definition) for each word of each synset, and the license that the files begin with."""
    if missing := [name for name in FILES if not (folder / name).is_file()]:
        raise ValueError(
            f"{source} must hold the four data files of a WordNet database. It lacks {missing}: is it complete?"
        )
    pairs: list[tuple[str, str]] = []
    license: list[str] = []
    for name in FILES:
        for number, line in enumerate(split_lines(decode((folder / name).read_bytes(), f"{source}, {name}")), start=1):
            if not line.strip():
                continue
            if line.startswith("  "):  # the license, in numbered lines
                if name == FILES[0]:
                    license.append(line.strip().partition(" ")[2])
                continue
            where = f"{source}: line {number} of {name}"
            words, definition = _read_synset(line, where)
            pairs.extend((word, definition) for word in words)
    return pairs, "\n".join(license).strip()


def _read_synset(line: str, where: str) -> tuple[list[str], str]:
    """Read one line: offset, file, kind, count of words in hexadecimal, words with their ids, pointers, | gloss."""
    head, bar, gloss = line.partition("| ")
    cells = head.split()
    try:
        count = int(cells[3], 16)
        words = cells[4 : 4 + 2 * count : 2]
    except (IndexError, ValueError):
        words, count = [], 0
    if not bar or not count or len(words) != count:
        raise ValueError(f"{where} is not a synset of WordNet's data format. It starts with {line!r:.60}.")
    entries = [_POSITION.sub("", word).replace("_", " ") for word in words]
    # A few glosses end with the semicolon that would part them from examples.
    return entries, gloss.split(_EXAMPLES, 1)[0].rstrip("; \t")
