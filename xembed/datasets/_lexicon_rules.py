"""Rules for words with more than one partner, from the words around them: her (him or his), count, old, ..."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from xembed.datasets._word_lists import read_word_lists

ABBREVIATIONS = frozenset({"mr.", "mrs.", "ms.", "mx.", "dr.", "st.", "ste."})
_CLOSING, _OPENING = tuple(',.;:!?)"”'), tuple('("“')


@dataclass(frozen=True)
class WordContext:
    """A word and its neighbors, as a rule sees them.

    Attributes
    ----------
    cores, words : sequence of str
        Words in lower case without the punctuation at their ends ('' for punctuation only), and words as they are.
    position : int
        Place of the word that a rule decides.
    """

    cores: Sequence[str]
    words: Sequence[str]
    position: int

    def at(self, offset: int) -> str:
        """Return the core of the word at this distance; '' beyond punctuation or an end."""
        target = self.position + offset
        if not 0 <= target < len(self.words):
            return ""
        low, high = sorted((self.position, target))
        between = range(low, high)
        if not all(self.cores[i] for i in range(low, high + 1)):
            return ""
        # Punctuation may be attached to a word.
        if any(self.words[i].endswith(_CLOSING) and self.words[i].lower() not in ABBREVIATIONS for i in between):
            return ""
        return "" if any(self.words[i + 1].startswith(_OPENING) for i in between) else self.cores[target]

    def capital(self, offset: int) -> bool:
        """Return whether the word at this distance is there and begins with a capital."""
        return bool(self.at(offset)) and self.words[self.position + offset].lstrip("(\"'“‘")[:1].isupper()


class Choice(NamedTuple):
    """Decision of a rule: the partner, or None to leave the word as it is, and whether that is certain."""

    word: str | None
    sure: bool = True


Rule: TypeAlias = Callable[[WordContext], Choice]


# Which words these are: lexicons/context.txt.
_WORDS = {heading: frozenset(words) for heading, words in read_word_lists("context").items()}
_PREPOSITIONS, _AUXILIARIES, _EITHER = (_WORDS[key] for key in ("prepositions", "auxiliaries", "either"))
_LY_WORDS, _NOUNS_TOO, _NAMING = (_WORDS[key] for key in ("ly, no adverb", "nouns too", "naming"))
_SEE_OR_MAKE, _HELP_OR_WATCH, _GIVE = (_WORDS[key] for key in ("see or make", "help or watch", "give"))
_BARE_VERBS, _NOUN_VERBS, _GIFTS = (_WORDS[key] for key in ("bare verbs", "nouns or verbs", "gifts"))
_ING_NOUNS, _ING_ADJECTIVES = _WORDS["ing, noun"], _WORDS["ing, adjective"]
_PARTICIPLE_NOUNS, _UNITS, _CARDINALS = (_WORDS[key] for key in ("participle, noun", "units of time", "cardinals"))
_BEFORE_NOUNS, _BEFORE_VERBS, _AFTER_VERBS = (_WORDS[key] for key in ("before nouns", "before verbs", "after verbs"))
_NOT_POSSESSED = _PREPOSITIONS | _AUXILIARIES | _WORDS["ends phrase"]
_NO_NOUNS = frozenset(("and", "or", "but", "too", "also", "alone", "when"))
_MODIFIER_ENDS = ("ed", "en", "ing", "ful", "ous", "ive", "al", "ic")
_ADJECTIVE_ENDS = ("ful", "less", "ous", "ive", "able", "ible", "ish", "ic", "ent", "ant")
_QUOTES = ('"', "“", "``", "'", "‘")


def her(context: WordContext) -> Choice:
    """Take "him" where "her" is an object, "his" where something follows that is hers."""
    following, before = context.at(1), context.at(-1)
    if not following:
        # Quotation marks may stand around what she has (her "gift"), or begin what she is told or called.
        quoted = _opens_quotation(context)
        return Choice("his" if quoted and (not before or before in _PREPOSITIONS) else "him", sure=not quoted)
    if following == "own" or (not before and following not in {"and", "or"}):
        return Choice("his")  # an object does not begin a clause
    return _her_by_next_word(context, following, before) or _her_by_verb(context, following, before)


def _her_by_next_word(context: WordContext, following: str, before: str) -> Choice | None:
    after = context.at(2)
    ends = _ends(after)
    if following == "will":
        return Choice("his" if ends else "him", sure=False)
    if following == "every":
        return Choice("him") if ends or after in _UNITS else Choice("his", sure=False)
    if following in _NOT_POSSESSED:
        return Choice("him")
    if following in _UNITS | _CARDINALS or following[0].isdigit():
        is_object = before in _GIVE or (following in _CARDINALS and after in _UNITS)
        return Choice("him" if is_object else "his", sure=not is_object)
    if following in _EITHER:
        return _either(before, following, ends)
    if following.endswith("ly") and following not in _LY_WORDS:
        return Choice("him") if ends else Choice("his", sure=after.endswith(_MODIFIER_ENDS))
    return None


def _her_by_verb(context: WordContext, following: str, before: str) -> Choice:
    after = context.at(2)
    ends = _ends(after)
    if before in {"let", "lets", "letting"}:
        return Choice("him", sure=following in _BARE_VERBS)
    if before in _SEE_OR_MAKE and (says := _does_or_is(before, following, after)):
        return Choice("him", sure=says > 1)
    if following.endswith("ing") and following not in _ING_NOUNS | _ING_ADJECTIVES:
        # Before a gerund both are right ("of him marrying the ..."); alone it is a noun ("at his prompting").
        return Choice("him" if before in _PREPOSITIONS and after and ends else "his", sure=False)
    if before in _NAMING:
        return Choice("him" if context.capital(1) else "his", sure=False)
    if before in _GIVE and (following in _GIFTS or after in _GIFTS):
        return Choice("him", sure=False)
    return Choice("his", sure=before not in _GIVE or not ends)


def _does_or_is(before: str, following: str, after: str) -> int:
    """Return whether a word after "sees her" or "makes her" says what she does or is: 0 no, 1 maybe, 2 yes."""
    ends = _ends(after)
    if following.endswith("ing") and following not in _ING_NOUNS:
        return int(bool(after) and ends) if following in _ING_ADJECTIVES else 1 + ends
    if following in _BARE_VERBS:
        return 1 + ends
    if following in _NOUN_VERBS:
        return int(before in _HELP_OR_WATCH)
    is_participle = following.endswith("ed") and following not in _PARTICIPLE_NOUNS
    return int(ends and (is_participle or following.endswith(_ADJECTIVE_ENDS)))


def _opens_quotation(context: WordContext) -> bool:
    words, position = context.words, context.position + 1
    if position >= len(words) or not words[position].startswith(_QUOTES) or words[position - 1].endswith(_CLOSING):
        return False
    return bool(context.cores[position]) or position + 1 < len(words)


def _ends(word: str) -> bool:
    """Return whether the noun phrase is over before this word."""
    return not word or word in _NOT_POSSESSED or word in {"'s", "every"}


def _either(before: str, following: str, ends: bool) -> Choice:
    if following == "best" and before in {"do", "does", "did", "done", "doing", "try", "tries", "tried", "trying"}:
        return Choice("his")
    if not ends:
        return Choice("his", sure=False)
    if following in _NOUNS_TOO and before in _PREPOSITIONS | {"of"}:
        return Choice("his")  # on her back, at her best
    return Choice("him", sure=following not in _NOUNS_TOO)


def his(context: WordContext) -> Choice:
    """Take "hers" where nothing follows that it belongs to, else "her"."""
    following = context.at(1)
    if following and following not in _PREPOSITIONS | _AUXILIARIES | _NO_NOUNS:
        return Choice("her")
    if following in {"near", "like", "inside", "past", "being", "will", "may", "might", "can", "above"}:
        return Choice("her", sure=False)  # his inside pocket, his will
    if not following and _opens_quotation(context):
        return Choice("her")
    return Choice("hers", sure=not following or context.at(-1) == "of")


def is_title(context: WordContext) -> bool:
    """Return whether the word stands before a name."""
    return context.capital(0) and context.capital(1)


def title_or_noun(title: str, noun: str) -> Rule:
    """Make the rule of a word with one partner before a name, another elsewhere."""
    return lambda context: Choice(title if is_title(context) else noun)


def before_name(partner: str) -> Rule:
    """Make the rule of a word that is a title only before a name, and not surely there."""
    return lambda context: Choice(partner, sure=False) if is_title(context) else Choice(None)


def only_title(partner: str) -> Rule:
    """Make the rule of a word that is meant only with a capital, within a sentence or before a name."""
    return lambda context: Choice(partner if is_title(context) or (context.capital(0) and context.at(-1)) else None)


def noun(partner: str, *not_before: str) -> Rule:
    """Make the rule of a noun that may also be a verb or stand in a fixed phrase."""

    def rule(context: WordContext) -> Choice:
        if {context.at(1), context.at(2)} & {*not_before}:
            return Choice(None)
        before = context.at(-1)
        if is_title(context) or (context.capital(0) and before) or before in _BEFORE_NOUNS:
            return Choice(partner)
        is_verb = before in _BEFORE_VERBS or (not context.capital(0) and context.at(1) in _AFTER_VERBS)
        return Choice(None) if is_verb else Choice(partner, sure=False)

    return rule


def not_before(partner: str, *following: str) -> Rule:
    """Make the rule of a word that is something else in a fixed phrase: mother tongue."""
    return lambda context: Choice(None if context.at(1) in following else partner)


def small_only(partner: str) -> Rule:
    """Make the rule of a word that is a name with a capital."""
    return lambda context: Choice(None, sure=False) if context.capital(0) else Choice(partner)


def of_people(partner: str, people: frozenset[str]) -> Rule:
    """Make the rule of "old" and the like: nobody is five years young, and a young house is another thing."""

    def rule(context: WordContext) -> Choice:
        before, after = context.at(-1), context.at(1)
        if re.fullmatch(r"(year|month|week|day)s?|how", before):
            return Choice(None)
        is_said = not after and before in {"is", "was", "are", "were", "am", "be", "too", "very"}  # she is old
        subject = context.at(-2) in {"i", "you", "he", "she", "we", "they"} or context.at(-2) in people
        return Choice(partner) if {after, context.at(2)} & people or (is_said and subject) else Choice(None, sure=False)

    return rule
