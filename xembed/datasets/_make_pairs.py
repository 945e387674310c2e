"""Making pairs of sentences from a user's own, by switching the words of a lexicon."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from xembed._core.validation import check_option, check_texts
from xembed.datasets._lexicon_rules import ABBREVIATIONS, Choice, WordContext
from xembed.datasets._lexicons import Lexicon, load_lexicon
from xembed.datasets._paired import PairedSentences

AMBIGUOUS, NAME, BOTH_FORMS, NOTHING = "ambiguous", "name", "both forms", "nothing to switch"

_APOSTROPHE = "['’]"
_CLITIC = rf"{_APOSTROPHE}(?:s|d|ll|re|ve|m)"
# Abbreviations, numbers, n't, clitics, words with inner hyphens and apostrophes, any other sign.
_WORD = re.compile(
    rf"(?:Mrs?|Ms|Mx|Dr|St|Ste)\.(?!\w)|(?:[A-Za-z]\.){{2,}}|\d+(?:[.,:]\d+)*|n{_APOSTROPHE}t\b"
    rf"|{_APOSTROPHE}(?:s|d|ll|re|ve|m)\b"
    rf"|\w+?(?=n{_APOSTROPHE}t\b)|\w+(?:(?:-|{_APOSTROPHE}(?!(?:s|d|ll|re|ve|m|t)\b))\w+)*|\S",
    re.IGNORECASE,
)
# Punctuation, the word, what is attached to it with an apostrophe, punctuation.
_PARTS = re.compile(rf"((?:(?!{_CLITIC}$)\W)*)(.*?)({_CLITIC}|{_APOSTROPHE})?(\W*)", re.IGNORECASE | re.DOTALL)
_VOWELS = tuple("aeiouàáâäéèêëíîïóòôöúùûü")
# Words that do not sound as they begin, for "a" and "an".
_SILENT_H = ("heir", "hour", "honest", "honor", "honour")
_CONSONANT_SOUND = ("uni", "eu", "use", "usu", "one-", "once", "ewe")


class Undecided(NamedTuple):
    """What `make_pairs` left open or guessed.

    Attributes
    ----------
    sentence : int
        Place of the sentence in what was passed in.
    position : int or None
        Place of the word in the sentence; None if it is about the whole sentence.
    word : str
        Word as it stands there, or the sentence.
    reason : str
        'ambiguous': it has more than one partner, or may be no word of the lexicon; ``put`` says what was done. 'name':
        a first name, not switched. 'no partner': says something of the form, but can't be switched. 'both forms': the
        sentence holds words of both, and all were set to one. 'nothing to switch': the sentence is left out.
    put : str or None
        Partner that was taken, or None.
    """

    sentence: int
    position: int | None
    word: str
    reason: str
    put: str | None = None


@dataclass(frozen=True, repr=False)
class MadePairs:
    """Pairs made by `make_pairs`, and what it could not decide.

    Attributes
    ----------
    pairs : PairedSentences
        Pairs of rows, that of the first form first; ``groups`` are places of sentences in what was passed in.
    undecided : tuple of Undecided
        Open decisions in the order of the sentences, also of sentences that were left out.
    n_sentences : int
        Number of sentences that were passed in.
    """

    pairs: PairedSentences
    undecided: tuple[Undecided, ...]
    n_sentences: int

    @property
    def counts(self) -> dict[str, int]:
        """Number of open decisions by reason."""
        return dict(Counter(item.reason for item in self.undecided))

    def __repr__(self) -> str:
        reasons = "".join(f", {count} {reason}" for reason, count in self.counts.items())
        return f"MadePairs({len(self.pairs) // 2} pairs of {self.n_sentences} sentences{reasons})"


class _Switch(NamedTuple):
    first: str
    second: str
    label: int


def make_pairs(
    sentences: Sequence[str] | Sequence[Sequence[str]],
    lexicon: str | Lexicon = "gender",
    *,
    undecided: str = "keep",
    name: str = "made pairs",
) -> MadePairs:
    """Write each sentence in two forms, by switching its words by a lexicon.

    Parameters
    ----------
    sentences : sequence of str, or sequence of sequences of str
        Texts, which are split into words and punctuation, or lists of words, which are kept as they are.
    lexicon : {'gender', 'age'} or Lexicon, default='gender'
        Lexicon of the words to switch, and of the names of the forms.
    undecided : {'keep', 'drop'}, default='keep'
        Whether to keep the sentences in which something was undecided. In either case it is reported.
    name : str, default='made pairs'
        Name of the data in results.

    Returns
    -------
    MadePairs
        The pairs; the words that were switched are their ground truth. What was undecided is beside them.

    Raises
    ------
    TypeError, ValueError
        If ``sentences`` are not texts or lists of words, or blank; there is no such lexicon, or no sentence is left.

    Notes
    -----
    A sentence may be in either form: each word is looked up in both, and set to one form in each row, as in GECO's
    ``*_all``. Capitals are kept; "a" and "an" follow the next word and are then ground truth, too. "her" (him or his)
    and "his" (her or hers) are decided by the words around them: of GECO's training file (``binary_gender_all``) 98 %
    of the words of the ground truth come out as they are there. Read some of your pairs before you use them.

    Examples
    --------
    >>> from xembed.datasets import make_pairs
    >>> made = make_pairs(["Her uncle thanked an actor.", "It rains.", "She knows John's sister."])
    >>> made
    MadePairs(2 pairs of 3 sentences, 1 both forms, 1 nothing to switch, 1 name)
    >>> made.pairs.texts[:2]
    ('Her aunt thanked an actress .', 'His uncle thanked an actor .')
    >>> made.undecided[-1]
    Undecided(sentence=2, position=2, word='John', reason='name', put=None)
    """
    lexicon = load_lexicon(lexicon) if not isinstance(lexicon, Lexicon) else lexicon
    check_option(undecided, ("drop", "keep"), name="undecided", caller="make_pairs")
    rows = _as_words(sentences)
    all_open: list[Undecided] = []
    made: list[tuple[int, list[_Switch]]] = []
    switcher = _Switcher(lexicon)
    for place, words in enumerate(rows):
        switches, open_items = switcher.switch(place, words)
        all_open += open_items
        if any(word.first != word.second for word in switches) and not (open_items and undecided == "drop"):
            made.append((place, switches))
    if not made:
        lacking = "in which nothing is undecided" if undecided == "drop" else f"with a word of {lexicon.name!r}"
        raise ValueError(f"sentences must hold at least one {lacking}, to make pairs. Got none among {len(rows)}.")
    truth = [tuple(word.first != word.second for word in switches) for _, switches in made]
    return MadePairs(
        pairs=PairedSentences(
            name=name,
            sentences=tuple(tuple(word[:2][form] for word in switches) for _, switches in made for form in (0, 1)),
            ground_truth=tuple(marks for marks in truth for _ in (0, 1)),
            labels=(0, 1) * len(made),
            groups=tuple(place for place, _ in made for _ in (0, 1)),
            classes=lexicon.classes,
        ),
        undecided=tuple(all_open),
        n_sentences=len(rows),
    )


def split_words(text: str) -> tuple[str, ...]:
    """Split a text into words and punctuation: "She's here." becomes She, 's, here and a full stop."""
    return tuple(_WORD.findall(text))


def _as_words(sentences: Iterable[str] | Iterable[Sequence[str]]) -> list[tuple[str, ...]]:
    if isinstance(sentences, str | bytes) or not isinstance(sentences, Iterable):
        raise TypeError(
            f"sentences must be a list of texts or of lists of words. Got {type(sentences).__name__}: for a single "
            "sentence pass a list with it."
        )
    items = list(sentences)
    if items and all(isinstance(item, list | tuple) for item in items):
        return [tuple(check_texts(item, name=f"sentences[{place}]")) for place, item in enumerate(items)]
    return [split_words(text) for text in check_texts(items, name="sentences")]


class _Switcher:
    def __init__(self, lexicon: Lexicon) -> None:
        self.lexicon = lexicon
        self.tables = lexicon.tables()

    def switch(self, place: int, words: Sequence[str]) -> tuple[list[_Switch], list[Undecided]]:
        """Return each word in both forms, and what was undecided about them."""
        parts = [self._parts(word) for word in words]
        cores = [
            core.lower() or (attached.lower().replace("’", "'") if len(attached) > 1 else "")
            for _, core, attached, _ in parts
        ]
        switches: list[_Switch] = []
        open_items: list[Undecided] = []
        labels: set[int] = set()
        for position, (word, (before, core, attached, after)) in enumerate(zip(words, parts, strict=True)):
            choice, label, reason = self._choose(WordContext(cores, words, position), core)
            if reason:
                open_items.append(Undecided(place, position, core, reason, choice.word))
            if choice.word is None or label is None:
                switches.append(_Switch(word, word, -1))
                continue
            labels.add(label)
            partner = before + choice.word + attached + after
            switches.append(_Switch(*((word, partner) if label == 0 else (partner, word)), label))
        _agree_articles(switches)
        if not labels:
            open_items.append(Undecided(place, None, " ".join(words), NOTHING))
        elif len(labels) == 2:
            open_items.insert(0, Undecided(place, None, " ".join(words), BOTH_FORMS))
        return switches, open_items

    def _parts(self, word: str) -> tuple[str, str, str, str]:
        if word.lower() in ABBREVIATIONS or any(word.lower() in table for table in self.tables):
            return "", word, "", ""  # "Mrs." with its full stop
        match = _PARTS.fullmatch(word)
        before, core, attached, after = match.groups() if match else ("", word, "", "")
        return before or "", core or "", attached or "", after or ""

    def _choose(self, context: WordContext, core: str) -> tuple[Choice, int | None, str | None]:
        """Return what to put, the form of the word as it is, and the reason to report it."""
        word = core.lower()
        for label, table in enumerate(self.tables):
            if word in table:
                rule = self.lexicon.rules.get(word)
                choice = rule(context) if rule is not None else Choice(table[word])
                partner = None if choice.word is None else _like(core, choice.word)
                return Choice(partner, choice.sure), label, None if choice.sure else AMBIGUOUS
        watched = self.lexicon.watched.get(word)
        if watched is not None:
            is_word = watched != NAME or core[:1].isupper()
            return Choice(None), None, watched if is_word else None
        compound = self._compound(core)
        if compound is None:
            return Choice(None), None, None
        partner, label = compound
        # With a capital within a sentence it may be a surname: Coleman, Goldman.
        if "-" not in core and core[:1].isupper() and context.at(-1) and not core.isupper():
            return Choice(None), None, AMBIGUOUS
        return Choice(partner), label, None

    def _compound(self, core: str) -> tuple[str, int] | None:
        """Return the partner and the form of step-mother, stepmother and policewoman."""
        if "-" not in core.strip("-"):
            return self._closed_compound(core)
        parts = core.split("-")
        for label, table in enumerate(self.tables):
            partners = [table.get(part.lower()) for part in parts]
            if any(partners):
                written = (_like(part, partner or part) for part, partner in zip(parts, partners, strict=True))
                return "-".join(written), label
        *first, last = parts
        closed = self._closed_compound(last) if len(last) > 1 else None  # great-grandmother
        return None if closed is None else ("-".join([*first, closed[0]]), closed[1])

    def _closed_compound(self, core: str) -> tuple[str, int] | None:
        word = core.lower()
        for label, table in enumerate(self.tables):
            for prefix in self.lexicon.prefixes:
                rest = word.removeprefix(prefix)
                if rest != word and len(rest) > 2 and rest in table:
                    return _like(core, prefix + table[rest]), label
        # Longer endings first: "woman" ends in "man".
        endings = [(pair[label], pair[1 - label], label) for pair in self.lexicon.suffixes for label in (0, 1)]
        for ending, other, label in sorted(endings, key=lambda item: -len(item[0])):
            stem = word.removesuffix(ending)
            if stem != word and len(stem) > 2 and word not in self.lexicon.not_suffixes:
                return _like(core, stem + other), label
        return None


def _like(model: str, word: str) -> str:
    """Write ``word`` with the capitals of ``model``."""
    if model.isupper() and (len(model.strip(".")) > 1):
        return word.upper()
    return word[:1].upper() + word[1:] if model[:1].isupper() else word


def _agree_articles(switches: list[_Switch]) -> None:
    """Let "a" and "an" follow the sound of a word that was switched, in place."""
    for i in range(len(switches) - 1):
        article, following = switches[i], switches[i + 1]
        if article.first.lower() not in {"a", "an"} or article.first != article.second or following.label < 0:
            continue
        sounds = tuple(_begins_with_vowel(word) for word in following[:2])
        if sounds[0] != sounds[1]:
            first, second = (_like(article.first, "an" if sound else "a") for sound in sounds)
            switches[i] = _Switch(first, second, following.label)


def _begins_with_vowel(word: str) -> bool:
    bare = word.lstrip("(\"'“‘").lower()
    return bare.startswith(_SILENT_H) or (bare.startswith(_VOWELS) and not bare.startswith(_CONSONANT_SOUND))
