"""What the pages of explanations share: names of targets, texts with their words, and what methods do."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Literal

from xembed.attribution._embedding_targets import LABELS
from xembed.attribution._methods import METHODS
from xembed.reports import kit

_MANY = 14  # rows that fit into a square figure
_TARGET, _WORD = 80, 60  # characters of what a target is called, and of a word
_FREQUENT = 10  # words in each table over all texts
_SPACED = re.compile(r" (?=[.,;:!?)])")  # what joining words puts before signs

how = kit.methods_of("xembed.attribution._pages")


def size_for(n_rows: int) -> Literal["square", "tall"]:
    """Return the size of a figure with so many rows."""
    return "tall" if n_rows > _MANY else "square"


def target_label(output: str) -> str:
    """Return what was attributed to words, in words; targets of users are called as they call themselves."""
    return LABELS.get(output, kit.cut(str(output), _TARGET))


def agree(verb: str, words: Sequence[str]) -> str:
    """Return the verb as one or several words need it."""
    first, *more = verb.split(" ")
    return " ".join([first if len(words) > 1 else f"{first}s", *more])


def attribution_method(data: kit.Data) -> list[kit.Block]:
    """Return what the method does and where it is from; nothing for one that is not of this package."""
    known = METHODS.get(data["method"])
    if known is None:
        return []
    sentence = known.sentence
    return [kit.method(data["label"], sentence[:1].upper() + sentence[1:], *known.source)]


def word_item(
    data: kit.Data,
    row: int,
    facts: Sequence[tuple[str, str]],
    keys: Mapping[str, float],
    text: str | None = None,
    near: tuple[str, str] | None = None,
) -> kit.WordItem:
    """Return a text of attributions, to be opened."""
    words, values = data["words"][row], data["values"][row]
    text = _SPACED.sub("", " ".join(words)) if text is None else text
    cut_off = ["Longer than the model reads: words that were cut off have 0 or are not shown."]
    return kit.WordItem(row, words, values, facts, keys, text, cut_off if data["truncated"][row] else [], near)


def frequent_words(data: kit.Data, up: str, down: str) -> list[kit.Section]:
    """Return the words with the largest sums over all texts, or nothing for too few texts."""
    if len(data["words"]) < 5:
        return []
    sums: dict[str, float] = {}
    texts: dict[str, set[int]] = {}
    for place, (words, values) in enumerate(zip(data["words"], data["values"], strict=True)):
        for word, value in zip(words, values, strict=True):
            key = word.lower()
            if any(character.isalnum() for character in key):
                sums[key] = sums.get(key, 0.0) + float(value)
                texts.setdefault(key, set()).add(place)
    order = sorted(sums, key=lambda word: -sums[word])
    sides = [(up, [word for word in order if sums[word] > 0])]
    if data["signed"]:
        sides.append((down, [word for word in reversed(order) if sums[word] < 0]))
    panels = []
    for title, words in sides:
        rows = [[kit.cut(word, _WORD), kit.signed(sums[word]), f"{len(texts[word]):,}"] for word in words[:_FREQUENT]]
        panels.append(
            kit.Panel(title, [kit.Table(kit.number_columns(["Word", "Sum", "Texts"]), rows, title, kind="terms")])
        )
    note = (
        "Sum: what the word adds in all texts that were explained, in lower case, together. A word that is in many "
        "texts can have a large sum and be small in each."
    )
    return [kit.Section("words", "Words over all texts", [kit.Columns(panels), kit.Prose(note, "quiet")])]
