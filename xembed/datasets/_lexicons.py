"""Words that tell two forms of a sentence apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from xembed._core.validation import check_option
from xembed.datasets import _lexicon_rules as rules
from xembed.datasets._lexicon_rules import Rule, words_of


@dataclass(frozen=True)
class Lexicon:
    """Pairs of words that tell two forms of a sentence apart.

    Attributes
    ----------
    name : str
        What the lexicon is about.
    classes : tuple of str
        The names of the two forms.
    pairs : tuple of (str, str)
        Words in lower case, the one of the first form first. A word that stands in several pairs is switched as the
        first of them says.
    generic : frozenset of str
        Words of ``pairs`` that are put but never switched, since they are used for both forms: "hunter" for
        "huntress".
    rules : mapping of str to callable
        For words whose partner depends on their neighbors: takes a `WordContext`, returns a `Choice`. The word
        must stand in a pair, which says its form.
    suffixes : tuple of (str, str)
        Endings of words that are not in ``pairs``, such as ("woman", "man").
    not_suffixes : frozenset of str
        Words with such endings that are something else, such as "human".
    prefixes : tuple of str
        What may stand before a word of ``pairs`` without a hyphen, such as "grand".
    watched : mapping of str to str
        Words that are never switched but reported, with the reason.

    Raises
    ------
    ValueError
        If the classes are not two different names, there is no pair, a word is not a single one in lower case or
        stands on both sides, or there is a rule for a word of no pair.

    See Also
    --------
    make_pairs : switches sentences by a lexicon.
    load_lexicon : those that come with xembed.

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
        if not isinstance(self.name, str) or not self.name.strip():
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
        for one, other in self.pairs:
            if one not in self.generic:
                first.setdefault(one, other)
            if other not in self.generic:
                second.setdefault(other, one)
        return first, second

    def __repr__(self) -> str:
        return f"Lexicon({self.name!r}: {len(self.pairs)} pairs, {' / '.join(self.classes)})"


def load_lexicon(name: str) -> Lexicon:
    """Return one of the lexicons that come with xembed, to look at or to build on.

    Parameters
    ----------
    name : {'age', 'gender'}
        'gender': female and male pronouns, relatives, titles, trades and nobility, with rules for "her", "his" and
        some more. 'age': young and old people.

    Returns
    -------
    Lexicon
        For English.

    Raises
    ------
    ValueError
        If there is no such lexicon.

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


def _pairs(text: str) -> tuple[tuple[str, str], ...]:
    return tuple((one, other) for one, _, other in (entry.partition("/") for entry in text.split()))


_GENDER = _pairs("""
she/he her/him her/his hers/his herself/himself
woman/man women/men girl/boy girls/boys lady/gentleman ladies/gentlemen lady/lord ladies/lords gal/guy lass/lad
lasses/lads female/male females/males feminine/masculine femininity/masculinity womanly/manly womanhood/manhood
girlish/boyish girlhood/boyhood maternal/paternal motherly/fatherly motherhood/fatherhood sisterly/brotherly
sisterhood/brotherhood maternity/paternity
mother/father mothers/fathers mum/dad mums/dads mom/dad moms/dads mummy/daddy mommy/daddy mama/papa mamma/papa
sister/brother sisters/brothers daughter/son daughters/sons wife/husband wives/husbands aunt/uncle aunts/uncles
auntie/uncle niece/nephew nieces/nephews grandma/grandpa granny/grandad bride/groom bride/bridegroom brides/grooms
bridesmaid/groomsman bridesmaids/groomsmen fiancée/fiancé fiancee/fiance girlfriend/boyfriend girlfriends/boyfriends
widow/widower widows/widowers bachelorette/bachelor spinster/bachelor spinsters/bachelors housewife/househusband
housewives/househusbands
englishwoman/englishman frenchwoman/frenchman irishwoman/irishman scotswoman/scotsman welshwoman/welshman
dutchwoman/dutchman shepherdess/shepherd barmaid/barman chairwoman/chairman congresswoman/congressman
alderwoman/alderman
goddess/god goddesses/gods queen/king queens/kings princess/prince princesses/princes duchess/duke duchesses/dukes
countess/count countesses/counts baroness/baron baronesses/barons marchioness/marquis viscountess/viscount
empress/emperor empresses/emperors tsarina/tsar heiress/heir heiresses/heirs dame/knight dames/knights
mrs./mr. mrs/mr ms./mr. ms/mr miss/mister madam/sir ma'am/sir madame/monsieur mademoiselle/monsieur
señora/señor dona/don doña/don ste./st.
actress/actor actresses/actors waitress/waiter waitresses/waiters hostess/host hostesses/hosts stewardess/steward
stewardesses/stewards seamstress/tailor seamstresses/tailors enchantress/enchanter enchantresses/enchanters
sorceress/sorcerer sorceresses/sorcerers witch/warlock witch/wizard witches/warlocks witches/wizards priestess/priest
priestesses/priests nun/monk
nuns/monks abbess/abbot abbesses/abbots heroine/hero heroines/heroes governess/tutor governesses/tutors
mistress/master mistresses/masters headmistress/headmaster headmistresses/headmasters postmistress/postmaster
schoolmistress/schoolmaster landlady/landlord landladies/landlords huntress/hunter huntresses/hunters
maid/servant maids/servants murderess/murderer poetess/poet authoress/author ambassadress/ambassador
suitress/suitor suitresses/suitors proprietress/proprietor chieftainess/chieftain adventuress/adventurer lioness/lion
lionesses/lions tigress/tiger
""")
# Their partners say a form, they don't.
_GENDER_GENERIC = words_of("""
knight knights st. tailor tailors tutor tutors hunter hunters servant servants murderer poet author ambassador
proprietor adventurer lion lions tiger chieftain
""")
_GENDER_RULES: dict[str, Rule] = {
    "her": rules.her,
    "his": rules.his,
    "lady": rules.title_or_noun("lord", "gentleman"),
    "miss": rules.only_title("mister"),
    "don": rules.before_name("dona"),
    "god": rules.small_only("goddess"),
    "dame": rules.title_or_noun("sir", "knight"),
    "mother": rules.not_before("father", "tongue", "nature", "country", "ship", "superior"),
    "king": rules.not_before("queen", "size", "crab", "cobra", "penguin"),
    "queen": rules.not_before("king", "size", "bee"),
    "bachelor": rules.not_before("bachelorette", "'s", "degree", "degrees"),
    "count": rules.noun("countess"),
    "counts": rules.noun("countesses"),
    "master": rules.noun("mistress", "degree", "degrees", "thesis", "key", "plan", "bedroom", "copy", "class"),
    "masters": rules.noun("mistresses"),
    "host": rules.noun("hostess"),
    "hosts": rules.noun("hostesses"),
    "groom": rules.noun("bride"),
    "grooms": rules.noun("brides"),
    "lord": rules.noun("lady"),
    "mistress": rules.noun("master"),
}
_TRADES = (("woman", "man"), ("women", "men"), ("girl", "boy"), ("girls", "boys"))
_NOT_TRADES = words_of("""
human inhuman superhuman german roman norman ottoman talisman shaman caiman cayman brahman desman pullman oman walkman
ramen specimen abdomen acumen regimen semen stamen amen yemen hymen lumen bitumen dolmen cyclamen omen
tomboy tomboys playboy playboys lowboy highboy
""")
_PREFIXES = ("step", "grand", "god", "foster", "half", "great", "school")
_NAMES = words_of("""
alice amy angela ann anna anne annie barbara betty caroline catherine charlotte chloe christine claire deborah diana
dorothy edith eleanor elena eliza elizabeth ella ellen emily emma eva evelyn fiona florence frances hannah harriet
heather helen irene isabel isabella jane janet jenny jennifer jessica joan joanna judith julia juliet karen kate
katherine katie laura lily linda lisa louise lucy lydia maria marie margaret martha mary matilda megan michelle molly
nancy natalie nina olivia pamela patricia paula rachel rebecca rosa rosemary ruth sally sandra sara sarah sharon sofia
sophia sophie stella susan sylvia teresa theresa ursula valerie vanessa vera victoria virginia wendy zoe
adam albert alexander alfred andrew anthony arthur benjamin bernard brian bruce charles christopher colin daniel david
dennis derek donald douglas edgar edmund edward eric ernest felix francis frederick geoffrey george gerald gilbert
gordon graham gregory harold harry henry herbert howard hugh ian isaac ivan jack jacob james jason jeffrey jeremy john
jonathan joseph joshua julian keith kenneth kevin laurence lawrence leonard louis luke malcolm marcus martin matthew
michael nathan neil nicholas nigel oliver oscar patrick paul peter philip ralph raymond richard robert roger roland
ronald samuel sebastian simon stanley stephen steven stuart thomas timothy tom victor vincent walter william
""")
_NO_PARTNER = words_of("""
pregnant pregnancy menopause midwife nanny ballerina diva tomboy housekeeper beard bearded moustache lesbian gay guys
fellow fellows chap chaps dude bloke butler mankind patriarch patriarchy matriarch matriarchy damsel maiden debutante
concubine squire friar bishop pope marquise governor widowed manservant chambermaid
""")

_AGE = _pairs("""
young/old younger/older youngest/oldest youngest/eldest youthful/elderly teenage/elderly teenager/pensioner
teenagers/pensioners teen/pensioner teens/pensioners adolescent/senior adolescents/seniors junior/senior
juniors/seniors child/adult children/adults kid/grown-up kids/grown-ups youngster/oldster youngsters/oldsters
grandson/grandfather grandsons/grandfathers granddaughter/grandmother granddaughters/grandmothers
grandchild/grandparent grandchildren/grandparents twenties/seventies millennial/boomer millennials/boomers
""")
_AGE_NO_PARTNER = words_of("""
baby babies infant infants toddler toddlers boy boys girl girls youth youths aged ageing aging middle-aged retired
retirement retiree retirees mature ancient centenarian geriatric juvenile minor minors student students pupil pupils
""")
_PEOPLE = words_of("""
people person persons couple folk worker workers employee employees teacher teachers doctor doctors nurse nurses
patient patients driver drivers neighbour neighbours neighbor neighbors colleague colleagues customer customers
resident residents voter voters citizen citizens applicant applicants candidate candidates friend friends player
players soldier soldiers farmer farmers writer writers painter painters professor lawyer judge sailor
""") | {word for pair in _GENDER for word in pair}


@lru_cache(maxsize=1)
def _gender() -> Lexicon:
    return Lexicon(
        name="gender",
        classes=("female", "male"),
        pairs=_GENDER,
        generic=_GENDER_GENERIC,
        rules=_GENDER_RULES,
        suffixes=_TRADES,
        not_suffixes=_NOT_TRADES,
        prefixes=_PREFIXES,
        watched=dict.fromkeys(sorted(_NO_PARTNER), "no partner") | dict.fromkeys(sorted(_NAMES), "name"),
    )


@lru_cache(maxsize=1)
def _age() -> Lexicon:
    return Lexicon(
        name="age",
        classes=("young", "old"),
        pairs=_AGE,
        rules={
            "old": rules.of_people("young", _PEOPLE),
            "older": rules.of_people("younger", _PEOPLE),
            "oldest": rules.of_people("youngest", _PEOPLE),
        },
        watched=dict.fromkeys(sorted(_AGE_NO_PARTNER), "no partner"),
    )
