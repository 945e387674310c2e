"""What a word with more than one partner becomes, from the words around it: her (him or his), count, old, ..."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

ABBREVIATIONS = frozenset({"mr.", "mrs.", "ms.", "mx.", "dr.", "st.", "ste."})
_CLOSING, _OPENING = tuple(',.;:!?)"”'), tuple('("“')


class WordContext:
    """A word and its neighbors, as a rule sees them.

    Attributes
    ----------
    cores : sequence of str
        The words in lower case without the punctuation at their ends; '' for one that is punctuation only.
    words : sequence of str
        The words as they are.
    position : int
        Which of them it is about.
    """

    __slots__ = ("cores", "position", "words")

    def __init__(self, cores: Sequence[str], words: Sequence[str], position: int) -> None:
        self.cores, self.words, self.position = cores, words, position

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
    """What a rule says: the partner, or None to leave the word as it is, and whether that is certain."""

    word: str | None
    sure: bool = True


Rule: TypeAlias = Callable[[WordContext], Choice]


def words_of(text: str) -> frozenset[str]:
    """Return the words of a text as a set."""
    return frozenset(text.split())


# ---- her: "him" (object) or "his" (possessive) ----
_PREPOSITIONS = words_of("""
about above across after against along alongside amid among amongst around as aside at before behind below beneath
beside besides between beyond by despite during except for from in inside into like near of off on onto outside over
per regarding since than through throughout till to toward towards under unlike until unto upon via with within
without
""")
_AUXILIARIES = words_of("""
is are was were be been being am has have had do does did can could will would shall should may might must isn't
aren't wasn't weren't doesn't didn't can't couldn't won't wouldn't shouldn't n't not never ca wo
""")
# After these words "her" is the end of its phrase: no noun phrase of "her" begins with them.
_NOT_POSSESSED = (
    _PREPOSITIONS
    | _AUXILIARIES
    | words_of("""
a an the this these those that some any no each another both either neither enough he she it they him her his
them i me we us you himself herself itself themselves who whom whose which what something anything nothing everything
someone anyone everyone nobody somebody everybody one's and or but nor yet because when while whilst if although
though so unless where how why whether whenever wherever up down out away together apart alone forth forward ahead
aloud along again too also there here instead anyway anymore anywhere somewhere everywhere nowhere else ever always
often sometimes soon thereafter afterwards afterward meanwhile however therefore otherwise nevertheless nonetheless
rather quite forever today tonight tomorrow yesterday upstairs downstairs indoors outdoors overnight overseas abroad
aboard ashore asleep awake alive afraid aware ashamed farewell goodbye
""")
)
# Words that are adverbs or qualify a noun: what follows them decides.
_EITHER = words_of("""
only then now once still just even almost nearly later earlier early late first last next most more less least best
better worse worst all much little well back home right left half past inside outside further longer long far already
perhaps maybe very straight close fast hard high low clean open bound dead unconscious pregnant responsible guilty
unable able ready free safe happy unhappy angry sad ill sick mad crazy wet jealous comfortable uncomfortable welcome
innocent captive prisoner hostage naked weak strong rich poor famous proud cold warm distraught gone heartbroken
speechless penniless helpless homeless lonely miserable furious nervous suspicious desperate
""")
_LY_WORDS = words_of("""
family reply ally bully belly jelly assembly anomaly monopoly folly melancholy homily italy holly fly supply butterfly
friendly lovely lonely elderly ugly deadly holy silly lively heavenly motherly fatherly worldly costly sickly daily
weekly monthly yearly nightly hourly earthly scholarly cowardly saintly ghostly orderly wily oily only early likely
queenly kingly ladylike sisterly brotherly unfriendly burly curly surly jolly kindly unruly timely
""")
# After these verbs "her" may be followed by a verb or an adjective that says what she does or is.
_SEE_OR_MAKE = words_of("""
make makes made making let lets letting help helps helped helping see sees saw seen seeing watch watches watched
watching hear hears heard hearing feel feels felt feeling have has had having bid bids find finds found finding notice
notices noticed catch catches caught catching spot spots spotted observe observes observed leave leaves left leaving
keep keeps kept keeping get gets got getting send sends sent sending set sets setting want wants wanted wanting
discover discovers discovered discovering render renders rendered consider considers considered declare declares
declared believe believes believed stop stops stopped prevent prevents drive drives drove think thinks thought witness
witnesses witnessed overhear overhears overheard imagine imagines imagined remember remembers remembered
""")
_BARE_VERBS = words_of("""
be become go come do have get take give feel leave see understand realize realise believe know think forget remember
say tell speak sing eat drink sleep live die marry wait sit stand stay run write read learn teach bring buy choose
find follow forgive gain hear hold keep lose make meet move pay prepare put recognize recognise recover reach save
sell send settle solve survive travel try want deal flee fall grow overcome join enter accept obtain perform carry
continue appear seem begin start stop admit agree laugh cry listen pass raise regain seek seduce sneak suffer swim
wear pursue kill yield melt trample drown vanish disappear climb undress swear steal commit confess decide discover
destroy defeat
""")
# These are as often nouns: "makes her escape", but "helps her escape".
_NOUN_VERBS = words_of("""
escape help look work walk win act dance play lie return kiss visit show open sign dress faint
""")
_HELP_OR_WATCH = words_of("help helps helped helping watch watches watched watching hear hears heard see sees saw")
_ING_NOUNS = words_of("""
wedding feeling feelings meaning being painting paintings writing writings upbringing building clothing suffering
engagement belonging belongings understanding reasoning hearing training teaching teachings blessing bearing savings
lodging lodgings dwelling wing ring king spring string evening morning ceiling thing things everything finding
findings sibling siblings calling offspring darling longing drawing drawings earnings dealings surroundings wanderings
doings undoing musings sewing cooking singing acting dancing
""")
_ING_ADJECTIVES = words_of("""
dying missing loving caring charming remaining growing existing ailing aging ageing ensuing surviving willing lasting
deserving adoring doting domineering
""")
# After these verbs there may be a second object without any word before it: gives her money.
_GIVE = words_of("""
give gives gave given giving offer offers offered offering tell tells told telling show shows showed showing teach
teaches taught teaching lend lends lent lending send sends sent sending promise promises promised promising grant
grants granted granting bring brings brought buy buys bought cost costs owe owes pay pays paid deny denies denied wish
wishes wished cause causes caused bid bids
""")
_GIFTS = words_of("""
money food advice shelter permission information help flowers instructions lessons hope work news proof access
evidence marriage protection refuge comfort assistance support power poison medicine water wine tea coffee bread
clothes clothing gifts presents letters books stories secrets pain trouble grief joy pleasure happiness sorrow
strength courage credit directions orders forgiveness employment lodging lodgings questions time peace insight names
words concern farewell goodbye
""")
_PARTICIPLE_NOUNS = words_of("beloved betrothed intended deceased")
_NAMING = words_of("""
call calls called calling name names named naming nickname nicknames nicknamed dub dubs dubbed label labels labelled
labeled brand brands branded
""")
_MODIFIER_ENDS = ("ed", "en", "ing", "ful", "ous", "ive", "al", "ic")
_NOUNS_TOO = words_of("back home past left right inside outside best all last first better worst half little")
_ADJECTIVE_ENDS = ("ful", "less", "ous", "ive", "able", "ible", "ish", "ic", "ent", "ant")
_UNITS = words_of("""
day days night nights evening evenings morning mornings afternoon time times week weeks month months year years hour
hours moment summer winter sunday monday tuesday wednesday thursday friday saturday
""")
_CARDINALS = words_of("one two three four five six seven eight nine ten twenty several many few couple")
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
    if following and (following not in _PREPOSITIONS | _AUXILIARIES | words_of("and or but too also alone when")):
        return Choice("her")
    if following in {"near", "like", "inside", "past", "being", "will", "may", "might", "can", "above"}:
        return Choice("her", sure=False)  # his inside pocket, his will
    if not following and _opens_quotation(context):
        return Choice("her")
    return Choice("hers", sure=not following or context.at(-1) == "of")


# ---- titles, verbs, fixed phrases ----
_BEFORE_NOUNS = words_of("""
the a an this that these those his her my your our their its whose some any no every each another new old young great
good own former late little 's of with by from two three many
""")
_BEFORE_VERBS = words_of("""
i you we they he she it who to can could will would shall should may might must do does did not don't didn't
""")
_AFTER_VERBS = words_of("the a an this that these those him them me us it my your our their")


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
