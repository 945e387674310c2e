"""A shift explained by words: sums that add up, planted topics, samples, and what is refused."""

import json
import re
from unittest import mock

import numpy as np
import pytest
from models import Bag, unit

import xembed
from xembed.attribution import ShiftExplanation, _shift, explain_shift
from xembed.attribution._method import MethodOptions
from xembed.attribution._word_vectors import word_vectors
from xembed.datasets import load_corpora, load_planted_vocabulary
from xembed.shift import compare_corpora, distinguishing_terms

BEFORE = [
    "slow router today",
    "the router is slow",
    "slow wifi upstairs",
    "the bill is wrong",
    "router again",
    "a slow line",
]
AFTER = ["a scam call", "another scam today", "the bill is wrong", "scam message again", "is it a scam", "wifi is fine"]


@pytest.fixture(scope="module")
def weeks():
    tickets = load_corpora("support_tickets")
    return tuple(list(tickets.where(week=week).texts) for week in (1, 2))


@pytest.fixture(scope="module")
def compared(encoder, weeks):
    return compare_corpora(
        *(encoder.encode(texts) for texts in weeks),
        texts=weeks, names=("week 1", "week 2"), n_resamples=99, projection="none",
    )  # fmt: skip


@pytest.fixture(scope="module")
def taken(encoder, weeks, compared):
    """Return the explanation of all tickets with all its terms, and the vectors of words that it was made of."""
    vectors = []

    def keep(*arguments, **options):
        for found in word_vectors(*arguments, **options):
            vectors.append(found)
            yield found

    with mock.patch.object(_shift, "word_vectors", keep):
        return explain_shift(encoder, *weeks, result=compared, top=10_000, progress=False), vectors


@pytest.fixture(scope="module")
def explained(taken):
    return taken[0]


def by_bag(first=BEFORE, second=AFTER, **options):
    return explain_shift(
        Bag(), first, second, **({"method": "leave_one_out", "progress": False, "min_count": 2} | options)
    )


# ---- sums, against loops


def take_apart(vectors, inside, embeddings, min_count):
    """Return size, contributions of terms, context and rest of texts against others, by loops over texts."""
    X = unit(embeddings)
    direction = X[inside].mean(axis=0) - X[~inside].mean(axis=0)
    direction /= np.linalg.norm(direction)
    size = (X[inside] @ direction).mean() - (X[~inside] @ direction).mean()
    held = {}  # for each term the values in the texts that hold it: of the others, and of those inside
    for found, is_in in zip(vectors, inside, strict=True):
        values = {}
        for word, value in zip(found.words, found.vectors @ direction, strict=True):
            if match := re.search(r"\w\w+", word.lower()):
                values[match.group()] = values.get(match.group(), 0.0) + float(value)
        for term, value in values.items():
            held.setdefault(term, ([], []))[int(is_in)].append(value)
    sizes = [(~inside).sum(), inside.sum()]
    contributions, context, difference = {}, 0.0, 0.0
    for term, sides in held.items():
        if len(sides[0]) + len(sides[1]) < min_count:
            continue
        p = [len(values) / size_of for values, size_of in zip(sides, sizes, strict=True)]
        e = [np.mean(values or sides[1 - i]) for i, values in enumerate(sides)]
        contributions[term] = ((p[1] - p[0]) * (e[0] + e[1]) / 2, p[1] > p[0])
        context += (p[0] + p[1]) / 2 * (e[1] - e[0])
        difference += p[1] * e[1] - p[0] * e[0]
    return size, contributions, context, size - difference


def check_component(component, expected):
    size, contributions, context, rest = expected
    assert component.size == pytest.approx(size, abs=1e-8)
    assert component.context == pytest.approx(context, abs=1e-8)
    assert component.rest == pytest.approx(rest, abs=1e-8)
    assert component.n_terms == len(contributions)
    came = {term: value for term, (value, more) in contributions.items() if value > 1e-12 and more}
    went = {term: value for term, (value, more) in contributions.items() if value > 1e-12 and not more}
    for terms, mine in ((component.came, came), (component.went, went)):
        shown = {term.term: term.contribution for term in terms if term.contribution > 1e-12}
        assert shown.keys() == mine.keys()
        for term, value in mine.items():
            assert shown[term] == pytest.approx(value, abs=1e-8)
        assert [term.contribution for term in terms] == sorted((term.contribution for term in terms), reverse=True)
    # All there is: terms that help and terms that hinder, the context and the rest are the size.
    total = sum(value for value, _ in contributions.values()) + component.context + component.rest
    assert total == pytest.approx(component.size, abs=1e-8)


def test_every_component_adds_up(encoder, weeks, compared, taken):
    explained, vectors = taken
    X = encoder.encode([*weeks[0], *weeks[1]])
    is_G = np.repeat([False, True], [len(of_week) for of_week in weeks])
    check_component(explained.components[0], take_apart(vectors, is_G, X, 3))
    changed = [region for region in compared.regions.regions if region.status != "unchanged"]
    assert len(changed) >= 2
    assert [(c.kind, c.label) for c in explained.components[1:]] == [(r.status, r.label) for r in changed]
    for component, region in zip(explained.components[1:], changed, strict=True):
        check_component(component, take_apart(vectors, compared.regions.membership == region.id, X, 3))


@pytest.mark.parametrize(("method", "n_samples"), [("last_layer", 10), ("shapley", 70)])
def test_the_location_of_few_texts_adds_up(encoder, method, n_samples):
    # At most six words: 64 sets, so that Shapley values are exact and need no draws.
    found = explain_shift(
        encoder, BEFORE, AFTER, method=method, n_samples=n_samples, min_count=2, top=99, progress=False
    )
    options = MethodOptions(n_samples=n_samples, deletion="delete")
    vectors = list(word_vectors(encoder, BEFORE + AFTER, method=method, options=options, caller="test"))
    expected = take_apart(vectors, np.repeat([False, True], 6), encoder.encode(BEFORE + AFTER), 2)
    check_component(found.components[0], expected)
    assert found.components[0].came[0].term == "scam" and found.label == {
        "last_layer": "Last-layer decomposition", "shapley": "Shapley values",
    }[method]  # fmt: skip


# ---- planted topics


def test_the_terms_of_the_planted_topics_come_first(explained):
    vocabulary = load_planted_vocabulary()
    for kind, topic in (("new", "new_topic"), ("vanished", "vanished_topic")):
        region = next(component for component in explained.components if component.kind == kind)
        first = [term.term for term in region.came[:10]]
        assert sum(term in vocabulary[topic] for term in first) >= 8, first
        assert any(term.qvalue <= explained.fdr for term in region.came[:5])
        corpus = {"new": "week 2", "vanished": "week 1"}[kind]
        assert {example.corpus for example in region.examples} == {corpus}
    location = explained.components[0]
    assert location.came[0].term in vocabulary["new_topic"] and location.went[0].term in vocabulary["vanished_topic"]
    assert "A region that is new: “" in explained.verdict and "A region that is vanished: “" in explained.verdict


def test_counts_intervals_and_examples(explained, weeks):
    lowered = [[set(re.findall(r"\w+", text.lower())) for text in texts] for texts in weeks]
    for component in explained.components:
        for term in component.came[:10] + component.went[:10]:
            assert term.interval[0] <= term.contribution <= term.interval[1]
            assert 0 <= term.pvalue <= term.qvalue <= 1
        significant = sum(term.qvalue <= 0.05 for term in (*component.came, *component.went))
        assert significant <= component.n_significant <= component.n_terms
        for example in component.examples:
            of_text = weeks[explained.names.index(example.corpus)][example.row]
            assert "".join(example.words) == "".join(of_text.split())
            assert len(example.values) == len(example.words)
    for term in ("scam", "landline"):
        found = next(t for t in (*explained.components[0].came, *explained.components[0].went) if t.term == term)
        counts = [sum(term in words for words in of_week) for of_week in lowered]
        assert [found.count_F, found.count_G] == counts


def test_agreement_with_the_counts(explained, weeks):
    counted = distinguishing_terms(*weeks, top=200, names=("week 1", "week 2"))
    single = [term for term in counted.more_in_G if " " not in term.term]
    assert explained.by_counts_G == tuple(term.term for term in single[:10])
    significant = [term.term for term in single if term.qvalue <= counted.fdr]
    against = set(significant if len(significant) >= 10 else explained.by_counts_G)
    mine = [term.term for term in explained.components[0].came[:10]]
    assert explained.agreement == pytest.approx(np.mean([term in against for term in mine]))
    assert f"{explained.agreement:.0%} of the first gained terms also differ in term frequency." in explained.verdict


def test_halves_of_one_corpus_differ_by_chance_only(encoder, weeks):
    order = np.random.default_rng(0).permutation(len(weeks[0]))[:100]
    halves = [[weeks[0][place] for place in order[half::2]] for half in (0, 1)]
    found = explain_shift(encoder, *halves, progress=False)
    assert found.components[0].n_significant == 0 and "Gained terms" not in found.verdict


# ---- what was compared before


@pytest.mark.slow
def test_the_result_of_a_comparison_is_taken_or_refused(encoder, weeks, compared, explained):
    assert explained.names == ("week 1", "week 2") and explained.provenance["parameters"]["result"] is True
    small = [texts[:30] for texts in weeks]
    X = [encoder.encode(texts) for texts in small]
    options = {"n_resamples": 19, "projection": "none"}
    with_texts = compare_corpora(*X, texts=small, **options)
    without = compare_corpora(*X, **options)  # of embeddings only: the sizes have to do
    for result in (with_texts, without):
        assert explain_shift(encoder, *small, result=result, progress=False).n_F == 30
    with pytest.raises(ValueError, match=r"must be of the same texts in the same order\. Got one of 30 and 30 texts"):
        explain_shift(encoder, small[0][::-1], small[1], result=with_texts)
    with pytest.raises(ValueError, match="Got one of 30 and 30 texts, and 30 and 30 texts to explain"):
        explain_shift(encoder, small[1], small[0], result=with_texts)
    for result in (with_texts, without):
        with pytest.raises(ValueError, match="Got one of 30 and 30 texts, and 29 and 30 texts to explain"):
            explain_shift(encoder, small[0][:-1], small[1], result=result)


def test_top_and_min_count_only_cut():
    whole, few = by_bag(min_count=1, top=99), by_bag(min_count=3, top=2)
    for cut, all_terms in zip(few.components, whole.components, strict=True):
        assert cut.n_terms < all_terms.n_terms and cut.size == pytest.approx(all_terms.size)
        for mine, theirs in ((cut.came, all_terms.came), (cut.went, all_terms.went)):
            kept = [term for term in theirs if term.count_F + term.count_G >= 3][:2]
            assert [(term.term, term.contribution) for term in mine] == [
                (term.term, term.contribution) for term in kept
            ]


def test_a_sample_is_drawn_and_said():
    first, second = BEFORE * 4, AFTER * 2
    found = by_bag(first, second, max_texts=12, names=("old", "new"), rng=1)
    assert found.notes == ("A random sample of 12 texts of “old” was explained.",)
    assert (found.n_F, found.n_G) == (12, 12)
    again = [
        by_bag(first, second, max_texts=12, names=("old", "new"), rng=rng) for rng in (1, np.random.default_rng(1), 2)
    ]
    assert again[0].components == found.components == again[1].components != again[2].components
    both = by_bag(first, second, max_texts=3)
    assert len(both.notes) == 2 and (both.n_F, both.n_G) == (3, 3)
    for component in both.components:
        for example in component.examples:
            text = (first if example.corpus == "F" else second)[example.row]
            assert " ".join(example.words) == text
    assert by_bag(first, second).notes == ()


# ---- edges


def test_the_same_texts_twice_differ_in_nothing():
    found = by_bag(BEFORE, BEFORE)
    location = found.components[0]
    assert location.size == location.context == location.rest == 0 and location.came == location.went == ()
    assert location.n_significant == 0 and found.verdict.startswith("The center of “G” lies 0.000 from that of “F”")
    assert ShiftExplanation.from_json(found.to_json()) == found


def test_few_texts_have_no_regions_but_a_center():
    found = by_bag(BEFORE[:2], AFTER[:2], min_count=1)
    assert [component.kind for component in found.components] == ["location"]
    assert found.components[0].came[0].count_G >= 1 and (found.n_F, found.n_G) == (2, 2)


def test_words_that_are_no_terms_are_in_the_rest():
    found = by_bag(["a 1 ?", "a ! x"] * 3, ["b 2", "b , y"] * 3)
    location = found.components[0]
    assert location.n_terms == 0 and location.came == () and location.rest == pytest.approx(location.size)
    assert location.context == 0 and location.size > 0 and found.agreement is None


def test_an_object_with_encode_can_leave_words_out():
    found = by_bag(names=("old", "new"))
    assert found.label == "Leave one word out" and found.encoder == {"model": "Bag"}
    assert "scam" in [term.term for term in found.components[0].came]
    by_shapley = by_bag(method="shapley", n_samples=70)
    assert by_shapley.components[0].size == pytest.approx(found.components[0].size)


def test_json_and_back(explained, tmp_path):
    text = explained.to_json(tmp_path / "s.json")
    json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} in JSON"))
    back = xembed.read_result(tmp_path / "s.json")
    assert type(back) is ShiftExplanation and back == explained and back.to_json() == text
    assert isinstance(back.components[0].came[0].interval, tuple)
    frame = explained.to_frame()
    assert len(frame) == sum(len(c.came) + len(c.went) for c in explained.components)
    assert frame.contribution.iloc[0] == explained.components[0].came[0].contribution


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        ((BEFORE[:1], AFTER), {}, ValueError, "texts_F must hold at least 2 texts. Got 1"),
        ((BEFORE, []), {}, ValueError, "texts_G must hold at least 2 texts. Got 0"),
        ((BEFORE, "a text"), {}, TypeError, "texts_G must be a list of strings"),
        ((BEFORE, [*AFTER, ""]), {}, ValueError, "texts_G holds 1 blank text"),
        (([*BEFORE, None], AFTER), {}, TypeError, "texts_F holds 1 item that is not a string"),
        ((BEFORE, AFTER), {"method": "lime"}, ValueError, "must be one of {'integrated_jacobian', 'last_layer', "),
        ((BEFORE, AFTER), {"method": "last_layer"}, TypeError, "Bag gives embeddings only"),
        ((BEFORE, AFTER), {"method": "integrated_jacobian"}, TypeError, "Bag gives embeddings only"),
        ((BEFORE, AFTER), {"top": 0}, ValueError, "'top' parameter of explain_shift"),
        ((BEFORE, AFTER), {"min_count": 0}, ValueError, "'min_count' parameter"),
        ((BEFORE, AFTER), {"fdr": 1}, ValueError, "'fdr' parameter"),
        ((BEFORE, AFTER), {"max_texts": 1}, ValueError, "'max_texts' parameter .* at least 2"),
        ((BEFORE, AFTER), {"n_samples": 1}, ValueError, "'n_samples' parameter"),
        ((BEFORE, AFTER), {"names": ("a", "a")}, ValueError, "must have different names"),
        ((BEFORE, AFTER), {"names": "ab"}, ValueError, "must be a pair of names"),
        ((BEFORE, AFTER), {"progress": 1}, TypeError, "'progress' parameter"),
        ((BEFORE, AFTER), {"rng": 1.5}, TypeError, "'rng' parameter"),
    ],
)
def test_what_is_refused(arguments, options, error, message):
    with pytest.raises(error, match=message):
        by_bag(*arguments, **options)


def test_no_encoder():
    with pytest.raises(TypeError, match="must be an encoder"):
        explain_shift(None, BEFORE, AFTER)


def test_terms_of_other_scripts_are_words(encoder):
    hindi = (["नदी में पानी बहुत है", "यह पानी ठंडा है"] * 4, ["गली में शोर बहुत है", "यह शोर रात को है"] * 4)
    found = explain_shift(encoder, *hindi, trust=False, method="leave_one_out", progress=False)
    terms = {term.term for side in (found.components[0].came, found.components[0].went) for term in side}
    assert terms and terms <= {word for texts in hindi for text in texts for word in text.split()}
    chinese = (["我爱猫", "猫很小"] * 4, ["我爱狗", "狗很大"] * 4)
    found = explain_shift(encoder, *chinese, trust=False, method="leave_one_out", progress=False)
    assert any("16 of 16 texts hold a script without blanks" in note for note in found.notes)
    assert found.agreement is None and {term.term for term in found.components[0].came} <= set("我爱猫狗很小大")


def test_corpora_that_the_encoder_cannot_read_are_named(encoder):
    found = explain_shift(encoder, ["😀😀", "🚀"] * 4, ["💥", "the line is slow"] * 4, trust=False, progress=False)
    first, second = [note for note in found.notes if "only tokens that the encoder does not know" in note]
    assert first.startswith("8 of 8 texts of F hold") and second.startswith("4 of 8 texts of G hold")
    assert "4 of 8 texts of G hold only tokens" in found.html()
