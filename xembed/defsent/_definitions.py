"""Dictionaries as training reads them: entries, their definitions, and which of them are held out."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Definitions:
    """Entries and their definitions, one after the other.

    ``texts[i]`` is a definition of entry ``owners[i]``; ``held_out[e]`` says that entry ``e`` is for validation.
    """

    entries: tuple[str, ...]
    texts: tuple[str, ...]
    owners: npt.NDArray[np.int64]
    held_out: npt.NDArray[np.bool_]

    def rows(self, *, held_out: bool) -> npt.NDArray[np.int64]:
        """Return which definitions belong to entries that are held out, or to the others."""
        return np.flatnonzero(self.held_out[self.owners] == held_out)

    def digest(self) -> str:
        """Return a hash of all of it."""
        content = [self.entries, self.texts, self.owners.tolist(), self.held_out.tolist()]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()

    def keep(self, kept: npt.NDArray[np.bool_]) -> Definitions:
        """Return the entries where ``kept`` is true."""
        new = np.cumsum(kept) - 1
        rows = np.flatnonzero(kept[self.owners])
        return Definitions(
            tuple(entry for entry, is_kept in zip(self.entries, kept, strict=True) if is_kept),
            tuple(self.texts[i] for i in rows),
            new[self.owners[rows]],
            self.held_out[kept],
        )

    def without_shared(self, rng: np.random.Generator, *, caller: str) -> Definitions:
        """Return entries of which no two have a definition in common: in random order, those that come first."""
        groups: list[list[int]] = [[] for _ in self.entries]
        for row, owner in enumerate(self.owners):
            groups[owner].append(row)
        seen: set[str] = set()
        kept = np.zeros(len(self.entries), dtype=bool)
        for entry in rng.permutation(len(self.entries)):
            texts = {self.texts[row] for row in groups[entry]}
            if not texts & seen:
                kept[entry] = True
                seen |= texts
        if np.count_nonzero(kept & ~self.held_out) < 2:
            raise ValueError(
                f"The dictionary must hold at least 2 entries without a definition in common for {caller}: training "
                f"tells entries apart. Got {len(self.entries)} entries that share theirs."
            )
        return self.keep(kept)


def read_definitions(dictionary: Any, validation: Any, *, caller: str) -> Definitions:
    """Return the entries of both dictionaries; those of ``validation``, if it is given, are held out."""
    entries, groups = _read(dictionary, name="dictionary", caller=caller)
    n_train = len(entries)
    if validation is not None:
        others, more = _read(validation, name="validation", caller=caller)
        common = sorted(set(entries) & set(others))
        if common:
            raise ValueError(
                f"The dictionary and the 'validation' of {caller} must have no entry in common. Got {len(common)} in "
                f"both (first: {common[0]!r:.60}): what is trained on can't be validated on."
            )
        entries, groups = entries + others, groups + more
    if len(entries) < 2 or n_train < 2:
        raise ValueError(
            f"The dictionary must hold at least 2 entries for {caller}: training tells entries apart. Got {n_train}."
        )
    return Definitions(
        tuple(entries),
        tuple(text for group in groups for text in group),
        np.repeat(np.arange(len(groups)), [len(group) for group in groups]),
        np.arange(len(entries)) >= n_train,
    )


def hold_out(definitions: Definitions, fraction: float, rng: np.random.Generator, *, caller: str) -> Definitions:
    """Return the same entries with a random part of them held out, if none is yet."""
    count = round(fraction * len(definitions.entries))
    if fraction > 0:
        count = max(count, 1)
    if definitions.held_out.any() or count == 0:
        return definitions
    if len(definitions.entries) - count < 2:
        raise ValueError(
            f"The 'validation_fraction' parameter of {caller} must leave at least 2 entries for training. Got "
            f"{fraction!r} of {len(definitions.entries)} entries: add entries, or take validation_fraction=0."
        )
    held_out = np.zeros(len(definitions.entries), dtype=bool)
    held_out[rng.permutation(len(held_out))[:count]] = True
    return Definitions(definitions.entries, definitions.texts, definitions.owners, held_out)


def _read(dictionary: Any, *, name: str, caller: str) -> tuple[list[str], list[list[str]]]:
    # A Dictionary of xembed.datasets, or whatever has the same two sequences.
    entries: Any = getattr(dictionary, "entries", None)
    definitions: Any = getattr(dictionary, "definitions", None)
    if isinstance(dictionary, Mapping):
        entries, definitions = list(dictionary), list(dictionary.values())
    if not _is_sequence(entries) or not _is_sequence(definitions) or len(entries) != len(definitions):
        raise TypeError(
            f"The {name!r} parameter of {caller} must be a Dictionary (see xembed.datasets.load_dictionary) or a "
            f"mapping of entries to definitions. Got {type(dictionary).__name__} instead."
        )
    groups = [
        _read_group(group, f"The definitions of the entry {entry!r:.60} in the {name!r} parameter of {caller}")
        for entry, group in zip(entries, definitions, strict=True)
    ]
    for entry in entries:
        if not isinstance(entry, str):
            raise TypeError(f"The entries of the {name!r} parameter of {caller} must be strings. Got {entry!r:.60}.")
    if len(set(entries)) < len(entries):
        twice = next(entry for entry, count in Counter(entries).items() if count > 1)
        raise ValueError(
            f"The {name!r} parameter of {caller} must hold each entry once. Got {twice!r:.60} twice: give an entry "
            "all its definitions in one list."
        )
    return [str(entry) for entry in entries], groups


def _read_group(group: Any, subject: str) -> list[str]:
    texts = [group] if isinstance(group, str) else group
    if not _is_sequence(texts):
        raise TypeError(f"{subject} must be a string or a list of strings. Got {type(group).__name__} instead.")
    for text in texts:
        if not isinstance(text, str):
            raise TypeError(f"{subject} must be strings. Got {type(text).__name__} {text!r:.60} instead.")
        if not text.strip():
            raise ValueError(f"{subject} must not be empty. Got {text!r:.60}: drop the definition, or the entry.")
        try:
            text.encode("utf-8")
        except UnicodeEncodeError:
            raise ValueError(f"{subject} must be valid Unicode. Got a lone surrogate in {text!a:.60}.") from None
    if not len(texts):
        raise ValueError(f"{subject} must be one text at least. Got none: drop the entry.")
    return [str(text) for text in texts]


def _is_sequence(value: Any) -> bool:
    return isinstance(value, Sequence | np.ndarray) and not isinstance(value, str | bytes)
