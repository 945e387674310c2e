"""The project's gendered pairs: forms that differ in the ground truth and nowhere else, and what the card says."""

import collections
import itertools
import json
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xembed.datasets._bundled import _fill, load_gendered_pairs

DATA = Path(__file__).parents[2] / "datasets"
VARIANTS = ("all", "subject")
SLOT = re.compile(r"[\[{][^\]}]*[\]}]")
PRONOUNS = {"she", "her", "hers", "herself"}

# Written for this test from what English has, not from what the file uses.
FEMALE_WORDS = """
    she her hers herself woman women womanly womanhood girl girls girlish girlhood lady ladies ladylike gal gals lass
    lasses lassie female females feminine mother mothers motherly motherhood mum mums mummy mom moms mommy mama mamma ma
    grandmother grandmothers grandma grandmas granny grannies nan nana gran sister sisters sisterly sisterhood daughter
    daughters aunt aunts auntie aunty niece nieces wife wives housewife housewives midwife midwives bride brides
    bridesmaid bridesmaids bridal widow widows girlfriend girlfriends fiancée fiancee mistress mistresses headmistress
    schoolmistress stationmistress stepmother stepdaughter stepsister godmother goddaughter granddaughter granddaughters
    grandniece spinster spinsters maiden maidens maid maids barmaid milkmaid dame dames madam ma'am madame mademoiselle
    mrs ms miss queen queens princess princesses duchess duchesses countess countesses baroness empress marchioness
    viscountess heiress actress actresses waitress waitresses hostess hostesses stewardess stewardesses seamstress
    seamstresses governess priestess abbess nun nuns goddess goddesses heroine heroines witch witches sorceress
    enchantress huntress murderess poetess authoress sculptress shepherdess giantess lioness tigress mare cow cows hen
    hens ewe ewes doe sow vixen tomboy schoolgirl schoolgirls cowgirl cowgirls landlady landladies businesswoman
    businesswomen policewoman policewomen chairwoman congresswoman saleswoman saleswomen spokeswoman sportswoman
    sportswomen craftswoman craftswomen horsewoman fisherwoman fisherwomen postwoman firewoman camerawoman anchorwoman
    councilwoman countrywoman noblewoman frenchwoman englishwoman ballerina ballerinas diva divas prima matron matronly
    nanny nannies lesbian lesbians pregnant maternal matriarch usherette suffragette convent nunnery mermaid mermaids
    nymph queenly amazon blonde brunette daughter-in-law mother-in-law sister-in-law
"""
FEMALE = frozenset(FEMALE_WORDS.split())
MALE_WORDS = """
    he him his himself man men manly manhood mankind boy boys boyish boyhood gentleman gentlemen gent gents guy guys lad
    lads laddie chap chaps bloke blokes fellow fellows dude male males masculine father fathers fatherly fatherhood dad
    dads daddy papa pa pop grandfather grandfathers grandpa grandpas grandad granddad brother brothers brotherly
    brotherhood son sons uncle uncles nephew nephews husband husbands groom grooms bridegroom bridegrooms groomsman
    groomsmen widower widowers boyfriend boyfriends fiancé fiance bachelor bachelors master masters headmaster
    schoolmaster stationmaster stepfather stepson stepbrother godfather godson grandson grandsons sir sirs mr mister
    monsieur esquire lord lords king kings prince princes duke dukes count earl baron emperor marquis viscount heir
    actor actors waiter waiters host hosts steward stewards butler butlers priest priests abbot monk monks friar friars
    god gods hero heroes wizard wizards warlock sorcerer sorcerers enchanter shepherd shepherds bull bulls ox rooster
    cock ram stag stallion gander drake schoolboy schoolboys cowboy cowboys landlord landlords businessman businessmen
    policeman policemen chairman congressman salesman salesmen spokesman sportsman sportsmen craftsman craftsmen
    horseman horsemen fisherman fishermen postman postmen fireman firemen cameraman anchorman councilman countryman
    nobleman frenchman englishman workman workmen foreman watchman milkman tradesman clergyman seaman boatman ferryman
    huntsman huntsmen woodsman woodcutter lumberjack barman barmen doorman handyman middleman gunman layman statesman
    snowman chivalrous virile paternal patriarch beard bearded moustache mustache monastery kingdom kingly
    kinsman kinsmen son-in-law father-in-law brother-in-law
"""
MALE = frozenset(MALE_WORDS.split())


@pytest.fixture(scope="module")
def rows():
    raw = (DATA / "gendered_pairs.jsonl").read_bytes()
    assert len(raw) < 250_000
    assert raw.endswith(b"\n") and b"\r" not in raw and not raw.startswith(b"\xef\xbb\xbf")
    return [json.loads(line) for line in raw.decode("utf-8").removesuffix("\n").split("\n")]


@pytest.fixture(scope="module", params=VARIANTS)
def pairs(request):
    return load_gendered_pairs(request.param, "both")


@pytest.fixture(scope="module")
def card():
    return (DATA / "gendered_pairs.md").read_text(encoding="utf-8")


def masked(template):
    return SLOT.sub("#", template)


def outside(words, marks):
    return [word for word, mark in zip(words, marks, strict=True) if not mark]


def shingles(words, n):
    lower = [word.lower() for word in words]
    return {tuple(lower[i : i + n]) for i in range(len(lower) - n + 1)}


# The file


def test_every_row_has_the_columns_and_a_template_that_reads(rows):
    assert [row["id"] for row in rows] == list(range(1, 501))
    for row in rows:
        assert list(row) == ["id", "split", "other_form", "template"]
        template = row["template"]
        # Nothing but slots of two different single words of letters, and plain words.
        for word in template.split(" "):
            slot = re.fullmatch(r"\[([A-Za-z-]+)\|([A-Za-z-]+)\]|\{([A-Za-z-]+)\|([A-Za-z-]+)\}", word)
            if slot is None:
                assert re.fullmatch(r"[A-Za-z]+|'s|[.,;?'\"]", word), template
            else:
                female, male = (part for part in slot.groups() if part)
                assert female.lower() in FEMALE and male.lower() in MALE, template
                assert female[0].isupper() == male[0].isupper(), template
        assert "[" in template, "no subject"
        assert (row["other_form"] in {"f", "m"}) == ("{" in template)
        assert row["other_form"] in {None, "f", "m"}


def test_pairs_of_words_are_one_to_one_but_for_her_and_his(rows):
    found = {tuple(slot[1:-1].lower().split("|")) for row in rows for slot in SLOT.findall(row["template"])}
    partners = collections.defaultdict(set)
    for female, male in found:
        partners[female].add(male)
        partners[male].add(female)
    assert {word for word, others in partners.items() if len(others) > 1} == {"her", "his"}
    assert partners["her"] == {"him", "his"} and partners["his"] == {"her", "hers"}
    assert len(found) == 74  # as the card says


AFTER_OBJECT = """
    . , ? a across again an and as at back borrow climb cry down every famous for from give had have in invisible
    near not on over pay ride right runs sneeze swear talk tea that the there to twice two until up walk when where
    while win with without
"""


def test_her_stands_for_his_before_a_noun_and_for_him_elsewhere(rows):
    """A word that is new after "her" or "him" is to be looked at before it goes into the list."""
    after_object = frozenset(AFTER_OBJECT.split())
    for row in rows:
        words = row["template"].split(" ")
        for word, following in itertools.pairwise(words):
            if word.lower()[1:-1] == "her|him":
                assert following in after_object or SLOT.fullmatch(following), row["template"]
            if word.lower()[1:-1] == "her|his":
                assert following not in after_object - {"back", "every", "two"}, row["template"]
                assert SLOT.fullmatch(following) is None or following[1:4] not in {"she", "her"}, row["template"]


def test_articles_fit_both_forms_and_sentences_start_with_a_capital_and_end_with_a_mark(rows):
    for row in rows:
        words = row["template"].split(" ")
        for article, word in itertools.pairwise(words):
            if article.lower() in {"a", "an"}:
                first_letters = {
                    part.removeprefix("h" if part == "hour" else "")[0] for part in word.strip("[]{}").split("|")
                }
                vowels = first_letters <= set("aeiou"), first_letters.isdisjoint("aeiou")
                assert vowels == ((True, False) if article.lower() == "an" else (False, True)), row["template"]
        assert re.match(r"(\" )?[\[{]?[A-Z]", row["template"]), row["template"]
        assert words[-1] in {".", "?"} or (words[-1] == '"' and words[-2] == "."), row["template"]
        assert words.count('"') % 2 == 0


def test_sentences_are_many_and_different(rows):
    templates = [row["template"] for row in rows]
    assert len({masked(template).lower() for template in templates}) == len(templates) >= 400
    lengths = [len(template.split(" ")) for template in templates]
    assert min(lengths) >= 6 and max(lengths) <= 26 and 14 <= np.mean(lengths) <= 16
    slots = [len(SLOT.findall(template)) for template in templates]
    assert min(slots) == 1 and max(slots) == 6


def test_no_two_sentences_are_nearly_the_same(rows):
    sets = [frozenset(re.findall(r"\w+", masked(row["template"]).lower())) for row in rows]
    closest = max(itertools.combinations(range(len(sets)), 2), key=lambda ij: _jaccard(sets[ij[0]], sets[ij[1]]))
    assert _jaccard(sets[closest[0]], sets[closest[1]]) <= 0.6, [rows[i]["template"] for i in closest]


def _jaccard(a, b):
    return len(a & b) / len(a | b)


def test_gendered_words_stand_everywhere_in_the_sentence(rows):
    places = []
    for row in rows:
        words = row["template"].split(" ")
        places += [i / (len(words) - 1) for i, word in enumerate(words) if SLOT.fullmatch(word)]
    assert min(np.histogram(places, bins=5, range=(0, 1))[0]) / len(places) > 0.1


def test_the_kind_of_the_other_person_is_balanced(rows):
    for split in ("train", "test"):
        forms = collections.Counter(row["other_form"] for row in rows if row["split"] == split)
        assert abs(forms["f"] - forms["m"]) <= 1
    share = np.mean([row["other_form"] is not None for row in rows])
    assert 0.3 <= share <= 0.4


def test_no_sentence_is_like_one_of_geco(real_data):
    mine = set().union(*(shingles(words, 6) for words in load_gendered_pairs("all", "both").sentences))
    lines = (line for file in (real_data / "geco").glob("binary_*/*.jsonl") for line in file.open(encoding="utf-8"))
    theirs = set().union(*(shingles(json.loads(line)["sentence"], 6) for line in lines))
    assert len(theirs) > 10_000 and not mine & theirs


# The two forms


def test_ground_truth_is_where_the_forms_differ(pairs):
    groups = pairs.complete_groups()
    assert len(groups) == 500 == len(pairs) / 2
    for female, male in groups.values():
        assert male == female + 1
        truth = tuple(a != b for a, b in zip(pairs.sentences[female], pairs.sentences[male], strict=True))
        assert pairs.ground_truth[female] == pairs.ground_truth[male] == truth
        # What is outside says nothing about the form: a classifier that sees only that is at chance.
        assert outside(pairs.sentences[female], truth) == outside(pairs.sentences[male], truth)
        # Nor do upper and lower case make the difference.
        assert all(
            a.lower() != b.lower() and a[0].isupper() == b[0].isupper()
            for a, b, mark in zip(pairs.sentences[female], pairs.sentences[male], truth, strict=True)
            if mark
        )


def test_every_form_is_different_and_marked(pairs):
    assert len({text.lower() for text in pairs.texts}) == 1000
    assert all(1 <= sum(marks) <= 6 for marks in pairs.ground_truth)
    assert max(sum(marks) / len(marks) for marks in pairs.ground_truth) < 0.5


def test_switched_words_are_of_the_form(pairs):
    for words, marks, label in zip(pairs.sentences, pairs.ground_truth, pairs.labels, strict=True):
        lexicon = (FEMALE, MALE)[label]
        assert {word.lower() for word, mark in zip(words, marks, strict=True) if mark} <= lexicon


def test_nothing_gendered_is_outside_the_ground_truth():
    pairs = load_gendered_pairs("all", "both")
    for words, marks in zip(pairs.sentences, pairs.ground_truth, strict=True):
        assert not {word.lower() for word in outside(words, marks)} & (FEMALE | MALE), words
        # Words the lexicon may lack: compounds, and what else ends like them.
        for word in outside(words, marks):
            assert not re.search(
                r"(woman|women|[a-z]man|[a-z]men|girl|boy|lady|maid|ess|ette|trix)$", word.lower()
            ) or (word.lower() in {"business", "careless", "chess", "guess", "witness"}), words


def test_in_the_subject_variant_what_stays_is_about_others(rows):
    pairs = load_gendered_pairs("subject", "both")
    for row, (female, male) in zip(rows, pairs.complete_groups().values(), strict=True):
        parts = row["template"].split(" ")
        others = [i for i, part in enumerate(parts) if part.startswith("{")]
        for at in (female, male):
            words, marks = pairs.sentences[at], pairs.ground_truth[at]
            gendered = [i for i, word in enumerate(words) if not marks[i] and word.lower() in FEMALE | MALE]
            assert gendered == others
            lexicon = {"f": FEMALE, "m": MALE, None: set()}[row["other_form"]]
            assert {words[i].lower() for i in others} <= lexicon


def test_the_variants_have_the_same_sentences_and_nested_ground_truth():
    both = [load_gendered_pairs(variant, "both") for variant in VARIANTS]
    assert both[0].groups == both[1].groups and both[0].labels == both[1].labels
    n_different = 0
    for all_marks, subject_marks in zip(both[0].ground_truth, both[1].ground_truth, strict=True):
        assert all(a >= b for a, b in zip(all_marks, subject_marks, strict=True))
        n_different += all_marks != subject_marks
    assert n_different == 2 * 163
    # One of the two forms of such a sentence is the same in both variants, the other one is not.
    assert sum(a != b for a, b in zip(both[0].texts, both[1].texts, strict=True)) == 163


# The split


@pytest.mark.parametrize("variant", VARIANTS)
def test_no_twin_crosses_the_split(variant):
    train, test = (load_gendered_pairs(variant, split) for split in ("train", "test"))
    both = load_gendered_pairs(variant, "both")
    assert (len(train), len(test)) == (800, 200)
    assert not set(train.groups) & set(test.groups)
    assert sorted(train.groups + test.groups) == sorted(both.groups)
    for pairs in (train, test):
        assert pairs.labels == (0, 1) * (len(pairs) // 2)
        assert pairs.groups[::2] == pairs.groups[1::2] == tuple(sorted(set(pairs.groups)))
        assert pairs.classes == ("female", "male") and not pairs.defects


def test_no_sentence_of_test_is_in_train_in_any_form():
    texts = {
        split: {text.lower() for variant in VARIANTS for text in load_gendered_pairs(variant, split).texts}
        for split in ("train", "test")
    }
    assert not texts["train"] & texts["test"]


# The loader


def test_forms_of_one_sentence_by_hand(rows):
    number = next(row["id"] for row in rows if row["template"].startswith("[She|He] phones"))
    assert (
        rows[number - 1]["template"]
        == "[She|He] phones [her|his] {mother|father} every Sunday and lets {her|him} talk ."
    )
    found = {}
    for variant in VARIANTS:
        pairs = load_gendered_pairs(variant, "both")
        found[variant] = [(pairs.texts[i], pairs.ground_truth[i]) for i in pairs.complete_groups()[number]]
    marks = (True, False, True, True, False, False, False, False, True, False, False)
    assert found["all"] == [
        ("She phones her mother every Sunday and lets her talk .", marks),
        ("He phones his father every Sunday and lets him talk .", marks),
    ]
    mother, her = {"f": ("mother", "her"), "m": ("father", "him")}[rows[number - 1]["other_form"]]
    marks = (True, False, True) + (False,) * 8
    assert found["subject"] == [
        (f"She phones her {mother} every Sunday and lets {her} talk .", marks),
        (f"He phones his {mother} every Sunday and lets {her} talk .", marks),
    ]


WORD = st.text(alphabet="abcXYZ'.,-", min_size=1, max_size=6)
PART = st.tuples(st.sampled_from(["plain", "subject", "other"]), WORD, WORD)


@given(st.lists(PART, min_size=1, max_size=12), st.sampled_from("fm"))
def test_fill_takes_the_form_of_each_slot(parts, other_form):
    written = {"plain": "{0}", "subject": "[{0}|{1}]", "other": "{{{0}|{1}}}"}
    row = {"template": " ".join(written[kind].format(a, b) for kind, a, b in parts), "other_form": other_form}
    for label in (0, 1):
        words, marks = _fill(row, label, "all")
        assert words == tuple(a if kind == "plain" else (a, b)[label] for kind, a, b in parts)
        assert marks == tuple(kind != "plain" for kind, _, _ in parts)
        words, marks = _fill(row, label, "subject")
        places = {"plain": 0, "subject": label, "other": "fm".index(other_form)}
        assert words == tuple((a, b)[places[kind]] for kind, a, b in parts)
        assert marks == tuple(kind == "subject" for kind, _, _ in parts)


def test_names_and_defaults():
    assert load_gendered_pairs() == load_gendered_pairs("all", "train")
    assert load_gendered_pairs(variant="subject", split="both").name == "gendered pairs, subject, both"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"variant": "subj"}, r"'variant' parameter of load_gendered_pairs must be one of \{'all', 'subject'\}"),
        ({"split": "dev"}, r"'split' parameter of load_gendered_pairs must be one of \{'both', 'test', 'train'\}"),
        ({"split": None}, r"'split' parameter of load_gendered_pairs .* Got None"),
    ],
)
def test_unknown_options_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        load_gendered_pairs(**arguments)


def test_an_incomplete_installation_is_an_error(monkeypatch, tmp_path):
    monkeypatch.setattr("xembed.datasets._bundled._FOLDERS", (tmp_path,))
    with pytest.raises(FileNotFoundError, match=r"'gendered_pairs\.jsonl', a part of xembed, is missing"):
        load_gendered_pairs()


# The card


def test_card_holds_for_the_file(card, rows):
    assert f"{len(rows)} sentences" in card and "BSD-3-Clause" in card
    variants = {variant: load_gendered_pairs(variant, "both") for variant in VARIANTS}
    for split in ("train", "test"):
        chosen = [row for row in rows if row["split"] == split]
        lengths = [len(row["template"].split(" ")) for row in chosen]
        cells = [f"`{split}`", str(len(chosen)), f"{min(lengths)} to {max(lengths)} ({np.mean(lengths):.1f})"]
        for variant in VARIANTS:
            n = [sum(marks) for marks in load_gendered_pairs(variant, split).ground_truth]
            cells.append(f"{min(n)} to {max(n)} ({np.mean(n) - 1e-9:.2f})")
        forms = [row["other_form"] for row in chosen if row["other_form"]]
        cells += [str(len(forms)), str(forms.count("f")), str(forms.count("m"))]
        assert f"| {' | '.join(cells)} |" in card
    chances = [np.mean([sum(m) / len(m) for m in variants[variant].ground_truth]) for variant in VARIANTS]
    assert f"{chances[0]:.3f} in `all` and {chances[1]:.3f} in `subject`" in " ".join(card.split())
    slots = [slot[1:-1].lower().split("|")[0] for row in rows for slot in SLOT.findall(row["template"])]
    assert f"{np.mean([slot in PRONOUNS for slot in slots]):.0%}".replace("%", " %") + " of the slots" in card
    n_one = sum(len(SLOT.findall(row["template"])) == 1 for row in rows)
    assert f"{n_one} sentences have only one" in card
    assert f"({np.mean([sum(m) for m in variants['all'].ground_truth]):.1f} against" in card


def test_card_is_in_the_index():
    index = (DATA / "README.md").read_text(encoding="utf-8")
    assert "| [gendered_pairs](gendered_pairs.md) | `gendered_pairs.jsonl` | 500 |" in index
