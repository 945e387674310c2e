"""Words of texts; texts of users and numbers as messages and terminals show them: on a line, short, without control."""

from __future__ import annotations

import functools
import itertools
import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

JOINERS = "\u200c\u200d"  # unprintable, but parts of emoji and of the letters of some scripts

_ASCII_WORD = re.compile(r"\w+(?:'\w+)*", re.ASCII)
# Scripts that put no blanks between words: runs of them are read as pairs of characters.
_NO_BLANKS = r"[\p{Han}\p{Hira}\p{Kana}\p{Thai}\p{Lao}\p{Khmr}\p{Mymr}ー]"

PARTED = str.maketrans("'’", "  ")  # for `str.translate`, where contractions are to be parted


@functools.cache
def _patterns() -> tuple[Any, Any]:
    """Return the pattern of words, runs of scripts without blanks and emoji, and of a character with its marks."""
    import regex  # `re` knows neither marks nor scripts: for it a vowel sign ends a word

    marks = r"(?:\p{M}|[\u00ad\u200c\u200d](?=[\p{L}\p{M}\p{N}]))*+"
    letters = rf"(?:[[\p{{L}}\p{{N}}_]--{_NO_BLANKS}]{marks})++"
    emoji = (
        r"(?:\p{Emoji_Presentation}\uFE0F?|\p{Extended_Pictographic}\uFE0F)\p{Emoji_Modifier}?[\U000E0020-\U000E007F]*"
    )
    pattern = (
        rf"(?P<word>{letters}(?:(?:['’׳״]|(?<=[lL])·(?=[lL])){letters})*)"
        rf"|(?P<run>(?:[[\p{{L}}\p{{N}}]&&{_NO_BLANKS}]{marks})++)"
        rf"|(?P<emoji>\p{{RI}}{{2}}|{emoji}(?:\u200D(?:{emoji}|\p{{Extended_Pictographic}}))*)"
    )
    return regex.compile(pattern, regex.V1), regex.compile(r"\P{M}[\p{M}\u0E33\u0EB3\u200c\u200d]*")


def words_of(text: str, *, bigrams: bool = True) -> list[str]:
    """Return the words of a text of any script; without blanks between words, pairs of characters or runs."""
    if text.isascii():
        return _ASCII_WORD.findall(text)
    pattern, character = _patterns()
    words = []
    for match in pattern.finditer(text):
        word = match[0].replace("\u00ad", "")
        characters = character.findall(word) if bigrams and match["run"] else ()
        words += [a + b for a, b in itertools.pairwise(characters)] or [word]
    return words


def terms_of(text: str, *, bigrams: bool = True) -> list[str]:
    """Return the words of a text in lower case that are more than a single letter or digit."""
    words = words_of(text.lower(), bigrams=bigrams)
    return [word for word in words if len(word) > 1 or is_bigram(word) or not (word.isalnum() or word == "_")]


def is_bigram(word: str) -> bool:
    """Say whether a word of `words_of` is of a script without blanks."""
    return not word.isascii() and bool(_patterns()[0].match(word)["run"])


def marked_spans(text: str) -> list[tuple[int, int]]:
    """Return where words with combining marks or joiners are, in scripts without blanks where such characters are."""
    if text.isascii():
        return []
    pattern, character = _patterns()
    spans = []
    for match in pattern.finditer(text):
        if match["run"]:
            start = match.start()
            spans += [(start + part.start(), start + part.end()) for part in character.finditer(match[0])]
        elif match["word"] and any(c in "\u00ad\u200c\u200d" or unicodedata.category(c)[0] == "M" for c in match[0]):
            spans.append(match.span())
    return [(start, end) for start, end in spans if end - start > 1]


def blankless_note(texts: Sequence[str]) -> list[str]:
    """Return a note if texts are in scripts without blanks, whose words can't be told."""
    count = sum(not text.isascii() and any(match["run"] for match in _patterns()[0].finditer(text)) for text in texts)
    note = (
        f"{count:,} of {len(texts):,} texts hold a script without blanks between words, such as Chinese, Japanese or "
        "Thai: it is read as pairs of adjacent characters."
    )
    return [note] if count else []


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


def count(number: int, noun: str) -> str:
    """Write a number with its noun."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def first_of(items: Iterable[object], most: int, *, total: bool = False) -> str:
    """Write the first items of a list, dots for those that follow and, with ``total``, how many there are."""
    written = [*map(str, items)]
    more = f", ... ({len(written)} in all)" if total else ", ..."
    return ", ".join(written[:most]) + (more if len(written) > most else "")


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
