"""Words that tell two forms of a sentence apart."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from xembed._core.validation import check_option, is_name
from xembed.datasets import _lexicon_rules as rules
from xembed.datasets._lexicon_rules import Rule
from xembed.datasets._word_lists import read_word_lists


@dataclass(frozen=True)
class Lexicon:
    """Pairs of words that tell two forms of a sentence apart, for `make_pairs`; `load_lexicon` gives examples.

    Attributes
    ----------
    name : str
        Subject of the lexicon.
    classes : tuple of str
        Names of the two forms.
    pairs : tuple of (str, str)
        Pairs of words in lower case, the one of the first form first. A word of several pairs is switched by the first
        of them.
    generic : frozenset of str
        Words of ``pairs`` that are never replaced, since they are used for both forms: "hunter" for "huntress".
    rules : mapping of str to callable
        For words of ``pairs`` whose partner depends on their neighbors: functions of a `WordContext` to a `Choice`.
    suffixes : tuple of (str, str)
        Endings of words that are not in ``pairs``, such as ("woman", "man").
    not_suffixes : frozenset of str
        Words with such endings that are something else, such as "human".
    prefixes : tuple of str
        Prefixes of words of ``pairs`` without a hyphen, such as "grand".
    watched : mapping of str to str
        Words that are never switched but reported, with the reason.

    Raises
    ------
    ValueError
        If the classes are not two different names, there is no pair, a word is not a single one in lower case or
        stands on both sides, or there is a rule for a word of no pair.

    Examples
    --------
    >>> from xembed.datasets import Lexicon, make_pairs
    >>> sides = Lexicon(name="sides", classes=("left", "right"), pairs=[("left", "right"), ("leftmost", "rightmost")])
    >>> make_pairs(["Turn left here."], sides).pairs.texts
    ('Turn left here .', 'Turn right here .')
    """

    name: str
    classes: tuple[str, str]
    pairs: tuple[tuple[str, str], ...]
    generic: frozenset[str] = frozenset()
    rules: Mapping[str, Rule] = field(default_factory=dict)
    suffixes: tuple[tuple[str, str], ...] = ()
    not_suffixes: frozenset[str] = frozenset()
    prefixes: tuple[str, ...] = ()
    watched: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not is_name(self.name):
            raise ValueError(f"The 'name' of Lexicon must be a name. Got {self.name!r} instead.")
        if isinstance(self.classes, str) or len(self.classes) != 2 or len(set(self.classes)) != 2:
            raise ValueError(f"The 'classes' of Lexicon must be two different names. Got {self.classes!r} instead.")
        for name in ("classes", "pairs", "suffixes", "prefixes"):
            object.__setattr__(self, name, tuple(getattr(self, name)))  # the way a frozen dataclass sets its own fields
        object.__setattr__(self, "generic", frozenset(self.generic))
        wrong = [pair for pair in self.pairs if isinstance(pair, str) or len(pair) != 2]
        if wrong or not self.pairs:
            raise ValueError(
                f"The 'pairs' of Lexicon must be pairs of words, at least one. Got {wrong[:1] or self.pairs!r} instead."
            )
        for word in (word for pair in self.pairs for word in pair):
            if not isinstance(word, str) or word.split() != [word] or word != word.lower():
                raise ValueError(
                    f"The 'pairs' of Lexicon must hold single words in lower case. Got {word!r} among them."
                )
        first, second = self.tables()
        if both := sorted({*first} & {*second}):
            raise ValueError(f"A word of Lexicon must stand on one side of its pairs. Got {both[0]!r} on both.")
        if unknown := sorted({*self.rules} - {*first} - {*second}):
            raise ValueError(f"The 'rules' of Lexicon must be for words of its pairs. Got one for {unknown[0]!r}.")

    def tables(self) -> tuple[dict[str, str], dict[str, str]]:
        """Return, for each form, its words and what each becomes in the other form."""
        first: dict[str, str] = {}
        second: dict[str, str] = {}
        for a, b in self.pairs:
            if a not in self.generic:
                first.setdefault(a, b)
            if b not in self.generic:
                second.setdefault(b, a)
        return first, second

    def __repr__(self) -> str:
        return f"Lexicon({self.name!r}: {len(self.pairs)} pairs, {' / '.join(self.classes)})"


def load_lexicon(name: str) -> Lexicon:
    """Return one of the lexicons that come with xembed, to look at or to build on.

    Parameters
    ----------
    name : {'age', 'gender'}
        'gender': female and male pronouns, relatives, titles, trades and nobility, with rules for "her", "his" and
        some more. 'age': young and old people. Others are a ValueError.

    Returns
    -------
    Lexicon
        For English.

    Examples
    --------
    >>> import dataclasses
    >>> from xembed.datasets import load_lexicon, make_pairs
    >>> gender = load_lexicon("gender")
    >>> mine = dataclasses.replace(gender, pairs=(*gender.pairs, ("doe", "buck")))
    >>> make_pairs(["The doe ran."], mine).pairs.texts[1]
    'The buck ran .'
    """
    check_option(name, ("age", "gender"), name="name", caller="load_lexicon")
    return _gender() if name == "gender" else _age()


def _pairs(words: Iterable[str]) -> tuple[tuple[str, str], ...]:
    return tuple((first, second) for first, _, second in (entry.partition("/") for entry in words))


_GENDER_RULES: dict[str, Rule] = {
    "her": rules.her, "his": rules.his,
    "lady": rules.title_or_noun("lord", "gentleman"), "dame": rules.title_or_noun("sir", "knight"),
    "miss": rules.only_title("mister"), "don": rules.before_name("dona"), "god": rules.small_only("goddess"),
    "mother": rules.not_before("father", "tongue", "nature", "country", "ship", "superior"),
    "king": rules.not_before("queen", "size", "crab", "cobra", "penguin"),
    "queen": rules.not_before("king", "size", "bee"),
    "bachelor": rules.not_before("bachelorette", "'s", "degree", "degrees"),
    "count": rules.noun("countess"), "counts": rules.noun("countesses"),
    "host": rules.noun("hostess"), "hosts": rules.noun("hostesses"),
    "groom": rules.noun("bride"), "grooms": rules.noun("brides"),
    "master": rules.noun("mistress", "degree", "degrees", "thesis", "key", "plan", "bedroom", "copy", "class"),
    "masters": rules.noun("mistresses"), "lord": rules.noun("lady"), "mistress": rules.noun("master"),
}  # fmt: skip


@lru_cache(maxsize=1)
def _gender() -> Lexicon:
    lists = read_word_lists("gender")
    return Lexicon(
        name="gender",
        classes=("female", "male"),
        pairs=_pairs(lists["pairs"]),
        generic=frozenset(lists["generic"]),
        rules=_GENDER_RULES,
        suffixes=_pairs(lists["suffixes"]),
        not_suffixes=frozenset(lists["not suffixes"]),
        prefixes=lists["prefixes"],
        watched={word: reason for reason in ("no partner", "name") for word in sorted(lists[reason])},
    )


@lru_cache(maxsize=1)
def _age() -> Lexicon:
    lists = read_word_lists("age")
    people = frozenset(lists["people"]).union(*_gender().pairs)
    return Lexicon(
        name="age",
        classes=("young", "old"),
        pairs=_pairs(lists["pairs"]),
        rules={f"old{ending}": rules.of_people(f"young{ending}", people) for ending in ("", "er", "est")},
        watched=dict.fromkeys(sorted(lists["no partner"]), "no partner"),
    )
