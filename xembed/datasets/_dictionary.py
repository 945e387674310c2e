"""Dictionaries: entries and their definitions."""

from __future__ import annotations

import csv
import dataclasses
import io
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from xembed._core.files import check_file, read_bytes
from xembed._core.text import count
from xembed._core.validation import RNG, check_number, check_texts
from xembed.datasets._bundled import find_bundled
from xembed.datasets._draw import draw
from xembed.datasets._read_table import Form, check_form, ending, split_lines, to_utf8

# Separates the definitions of an entry in the published dictionaries of DefSent+.
_MORE = "<|list_more_def|>"
_HEADERS = {"entry", "word", "term"}, {"definition", "definitions", "gloss"}
_SUFFIXES = (".csv", ".tsv", ".txt")
# The files of a WordNet database.
_WORDNET_FILES = tuple(f"data.{part}" for part in ("noun", "verb", "adj", "adv"))
# Where an adjective may stand: attributive, predicative, immediately after the noun.
_POSITION = re.compile(r"\((?:a|p|ip)\)$")
_EXAMPLES = '; "'

Pair = tuple[str, str]


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Dictionary:
    """Entries with their definitions; `load_dictionary` reads one.

    Parameters
    ----------
    name : str
        Name of the dictionary in reports.
    entries : sequence of str
        Words or phrases, each once. Upper and lower case are kept, and tell entries apart.
    definitions : sequence of sequence of str
        At least one definition for each entry.
    card : str, default=''
        Description of the data, and their license.
    n_dropped_empty, n_duplicates : int, default=0
        Numbers of definitions dropped on reading: empty ones, and repetitions (where case does not tell entries apart).

    Raises
    ------
    TypeError, ValueError
        If a text is no string, not valid Unicode or blank, lengths differ, there is no entry, or one comes twice or has
        no definition.

    Examples
    --------
    >>> from xembed.datasets import Dictionary
    >>> Dictionary.from_mapping({"kettle": "a vessel to boil water in", "rain": ["water that falls", "to fall so"]})
    Dictionary('mapping': 2 entries, 3 definitions)
    """

    name: str
    entries: tuple[str, ...]
    definitions: tuple[tuple[str, ...], ...]
    card: str = ""
    n_dropped_empty: int = 0
    n_duplicates: int = 0

    def __post_init__(self) -> None:
        entries = tuple(check_texts(self.entries, name="entries"))
        if isinstance(self.definitions, str | bytes) or not isinstance(self.definitions, Iterable):
            raise TypeError(
                "The 'definitions' of a Dictionary must be a sequence of sequences of strings. "
                f"Got {type(self.definitions).__name__} instead."
            )
        groups = list(self.definitions)
        if len(groups) != len(entries):
            raise ValueError(
                "The 'definitions' of a Dictionary must hold one sequence an entry. "
                f"Got {len(groups)} for {len(entries)} entries."
            )
        if len(set(entries)) < len(entries):
            twice = next(entry for entry, count in Counter(entries).items() if count > 1)
            raise ValueError(
                f"A Dictionary must hold each entry once. Got {twice!r:.60} more than once: give it all its "
                "definitions together."
            )
        definitions = _check_all(groups, entries)
        object.__setattr__(self, "entries", entries)  # the way a frozen dataclass sets its own fields
        object.__setattr__(self, "definitions", definitions)

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any], *, name: str = "mapping") -> Dictionary:
        """Make a dictionary of a mapping of entries to a definition or a list of definitions.

        Empty and repeated definitions are dropped and counted, and entries that have no other. What is no mapping of
        strings to these, has a blank entry, or leaves nothing is an error.
        """
        if not isinstance(mapping, Mapping):
            raise TypeError(
                "The 'mapping' parameter of Dictionary.from_mapping must be a mapping of entries to definitions. "
                f"Got {type(mapping).__name__} instead."
            )
        entries = check_texts(list(mapping), name="The entries of the mapping", min_texts=0)
        pairs: list[Pair] = []
        for entry, group in zip(entries, mapping.values(), strict=True):
            texts = [group] if isinstance(group, str) else group
            definitions = check_texts(texts, name=f"The definitions of {entry!r:.60}", min_texts=0, blank=True)
            pairs.extend((entry, definition) for definition in definitions)
        return _collect(pairs, name=name, source="The mapping")

    @property
    def n_definitions(self) -> int:
        """The number of definitions of all entries."""
        return sum(map(len, self.definitions))

    def pairs(self) -> Iterator[Pair]:
        """Yield (entry, definition) for each definition, in order."""
        for entry, group in zip(self.entries, self.definitions, strict=True):
            for definition in group:
                yield entry, definition

    def sample(self, n: int, rng: RNG = None) -> Dictionary:
        """Return ``n`` random entries (at most all) with their definitions, in their order; ``rng=None`` is seed 0."""
        rows, _ = draw(n, len(self), rng, of="entries", caller="Dictionary.sample")
        return self._take(rows.tolist(), self.name)

    def split(self, fraction: float, rng: RNG = None) -> tuple[Dictionary, Dictionary]:
        """Return the rest, and a random share of the entries that is held out; ``rng=None`` is seed 0.

        ``fraction`` is in (0, 1); one entry at least is held out, and one stays. No entry is in both. A definition can
        be, if it belongs to several entries, as the synonyms of WordNet do.

        Examples
        --------
        >>> from xembed.datasets import load_dictionary
        >>> rest, held_out = load_dictionary().split(0.1)
        >>> set(rest.entries) & set(held_out.entries)
        set()
        """
        caller = "Dictionary.split"
        fraction = check_number(fraction, name="fraction", caller=caller, low=0, high=1, closed="neither")
        if len(self) < 2:
            raise ValueError(f"A Dictionary must hold at least 2 entries for {caller}. Got {len(self)}.")
        n_held_out = min(max(round(fraction * len(self)), 1), len(self) - 1)
        held_out, rest = draw(n_held_out, len(self), rng, of="entries", caller=caller)
        kept = self._take(rest.tolist(), f"{self.name} (rest)")
        return kept, self._take(held_out.tolist(), f"{self.name} (held out)")

    def __len__(self) -> int:
        return len(self.entries)

    def __repr__(self) -> str:
        n, m = len(self), self.n_definitions
        return f"Dictionary({self.name!r}: {n} entr{'y' if n == 1 else 'ies'}, {m} definition{'s' * (m != 1)})"

    def _take(self, rows: list[int], name: str) -> Dictionary:
        entries = tuple(self.entries[i] for i in rows)
        return dataclasses.replace(
            self, name=name, entries=entries, definitions=tuple(self.definitions[i] for i in rows)
        )


def load_dictionary(path: str | os.PathLike[str] | None = None, *, encoding: str | None = None) -> Dictionary:
    r"""Read a dictionary: the one that comes with xembed, a WordNet database, or a file.

    Parameters
    ----------
    path : path-like, optional
        None: the bundled dictionary of everyday words, written for this project; for trials, not for results.

        A folder: a WordNet database with data.noun, data.verb, data.adj and data.adv, such as ``/usr/share/wordnet``
        of Debian's package ``wordnet-base``. Each word of a synset becomes an entry with the synset's definition: the
        gloss before its first quoted example. Underscores become spaces, and marks of an adjective's position,
        "(a)", "(p)" and "(ip)", go.

        A .tsv, .txt or .csv file: an entry and a definition a line, without a header or with the header ``entry`` and
        ``definition``. Lines of the same entry are joined. ``<|list_more_def|>`` between definitions is understood, as
        in the published dictionaries of DefSent+. Quotes are literal where tabs are the separator, also in a .csv whose
        first line has one, and follow the rules of .csv where commas are. UTF-8, or UTF-16 with a byte order mark. Each
        also packed with gzip (.tsv.gz), within the limits of `read_texts`.
    encoding : str, optional
        Encoding of a file, such as 'cp1252', if it is another.

    Returns
    -------
    Dictionary
        Empty definitions, and those that an entry had already, are dropped and counted.

    Raises
    ------
    OSError, TypeError
        If the file can't be opened, or ``path`` is not a path.
    ValueError
        If the file or folder is in none of these forms (the line of a file is named), or nothing is left.

    Notes
    -----
    An entry that repeats another one with the same definition, but for upper and lower case, is a duplicate: "moose"
    and "Moose" of one synset. Of WordNet 3.0 in Debian's files 206,906 pairs of entry and definition are left.

    References
    ----------
    .. [1] C. Fellbaum (ed.). "WordNet: An Electronic Lexical Database". MIT Press, 1998.

    Examples
    --------
    >>> from xembed.datasets import load_dictionary
    >>> dictionary = load_dictionary()
    >>> dictionary.definitions[dictionary.entries.index("umbrella")]
    ('a folding shade on a stick that keeps rain off the person beneath it',)
    """
    if path is None:
        bundled = find_bundled("dictionary.tsv")
        pairs = _parse_file(bundled.read_bytes(), bundled, "the bundled dictionary", None)
        card = find_bundled("dictionary.md").read_text(encoding="utf-8")
        return _collect(pairs, name="dictionary", source="The bundled dictionary", card=card)
    if isinstance(path, str | os.PathLike) and Path(path).is_dir():
        folder, source = Path(path), repr(os.fspath(path))
        if not any((folder / name).is_file() for name in _WORDNET_FILES):
            raise ValueError(
                f"{source} must be a file, or the folder of a WordNet database with data.noun, data.verb, data.adj and "
                "data.adv. None of them is in it."
            )
        pairs, card = _read_wordnet(folder, source)
        return _collect(pairs, name=folder.resolve().name, source=source, card=card)
    file, source = check_file(path, "load_dictionary")
    if ending(file) not in _SUFFIXES:
        raise ValueError(
            f"{source} must end in one of {', '.join(_SUFFIXES)} to be read by load_dictionary, or be the folder of a "
            f"WordNet database. Got {file.suffix!r} instead."
        )
    check_form(Form(encoding=encoding), "load_dictionary")
    data, file, source = read_bytes(path, "load_dictionary")
    return _collect(_parse_file(data, file, source, encoding), name=file.stem, source=source)


def _parse_file(data: bytes, file: Path, source: str, encoding: str | None) -> list[Pair]:
    content = to_utf8(data, source, encoding, utf16=True).decode("utf-8")
    first = content.partition("\n")[0]
    with_commas = file.suffix.lower() == ".csv" and "\t" not in first
    tab_rows = ((n, line.split("\t")) for n, line in enumerate(split_lines(content), start=1) if line.strip())
    pairs: list[Pair] = []
    for number, cells in _csv_rows(content, source) if with_commas else tab_rows:
        if len(cells) != 2:
            separator = "comma" if with_commas else "tab"
            raise ValueError(
                f"{source}: line {number} must hold an entry and a definition with one {separator} between them. "
                f"Got {count(len(cells), 'cell')}."
            )
        entry, definitions = (cell.strip() for cell in cells)
        if number == 1 and entry.lower() in _HEADERS[0] and definitions.lower() in _HEADERS[1]:
            continue
        if not entry:
            raise ValueError(f"{source}: line {number} must hold an entry before its definition. Got none.")
        pairs.extend((entry, definition) for definition in definitions.split(_MORE))
    return pairs


def _csv_rows(content: str, source: str) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(content, newline=""), strict=True)
    before = 0
    try:
        for cells in reader:
            if cells:
                yield before + 1, cells
            before = reader.line_num
    except csv.Error as error:
        raise ValueError(f"{source} is not well-formed at line {before + 1}: {error}.") from None


def _collect(pairs: Iterable[Pair], *, name: str, source: str, card: str = "") -> Dictionary:
    """Join the definitions of each entry; drop and count what is empty or repeated."""
    groups: dict[str, list[str]] = {}
    seen: set[Pair] = set()
    n_empty = n_duplicates = 0
    for entry, text in pairs:
        definition = text.strip()
        key = (entry.lower(), definition)
        if not definition:
            n_empty += 1
        elif key in seen:
            n_duplicates += 1
        else:
            seen.add(key)
            groups.setdefault(entry, []).append(definition)
    if not groups:
        raise ValueError(
            f"{source} holds no definition. {n_empty} empty one{'s were' if n_empty != 1 else ' was'} dropped."
        )
    return Dictionary(name, tuple(groups), tuple(map(tuple, groups.values())), card, n_empty, n_duplicates)


def _check_all(groups: list[Any], entries: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    """Check the definitions of each entry: all at once, and one by one only to find what is wrong."""
    if all(isinstance(group, list | tuple) and group for group in groups):
        flat = [text for group in groups for text in group]
        try:
            checked = iter(check_texts(flat))
            return tuple(tuple(next(checked) for _ in group) for group in groups)
        except (TypeError, ValueError):
            pass  # found again below, with the entry it belongs to
    return tuple(
        tuple(check_texts(group, name=f"The definitions of {entry!r:.60}"))
        for entry, group in zip(entries, groups, strict=True)
    )


def _read_wordnet(folder: Path, source: str) -> tuple[list[tuple[str, str]], str]:
    """Return (entry, definition) for each word of each synset, and the license that the files begin with."""
    if missing := [name for name in _WORDNET_FILES if not (folder / name).is_file()]:
        raise ValueError(
            f"{source} must hold the four data files of a WordNet database. It lacks {missing}: is it complete?"
        )
    pairs: list[tuple[str, str]] = []
    license: list[str] = []
    for name in _WORDNET_FILES:
        for number, line in enumerate(
            split_lines(to_utf8((folder / name).read_bytes(), f"{source}, {name}").decode("utf-8")), start=1
        ):
            if not line.strip():
                continue
            if line.startswith("  "):  # the license, in numbered lines
                if name == _WORDNET_FILES[0]:
                    license.append(line.strip().partition(" ")[2])
                continue
            words, definition = _read_synset(line, f"{source}: line {number} of {name}")
            pairs.extend((word, definition) for word in words)
    return pairs, "\n".join(license).strip()


def _read_synset(line: str, where: str) -> tuple[list[str], str]:
    """Read one line: offset, file, kind, count of words in hexadecimal, words with their ids, pointers, | gloss."""
    head, bar, gloss = line.partition("| ")
    cells = head.split()
    try:
        count = int(cells[3], 16)
    except (IndexError, ValueError):
        count = 0
    words = cells[4 : 4 + 2 * count : 2]
    if not bar or not count or len(words) != count:
        raise ValueError(f"{where} is not a synset of WordNet's data format. It starts with {line!r:.60}.")
    entries = [_POSITION.sub("", word).replace("_", " ") for word in words]
    # A few glosses end with the semicolon that would part them from examples.
    return entries, gloss.split(_EXAMPLES, 1)[0].rstrip("; \t")
