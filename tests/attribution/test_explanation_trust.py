"""Whether explanations of a similarity and of a shift are borne out: by leaving words out, and by planted words."""

import numpy as np
import pytest
from models import Bag, unit

from xembed.attribution import DeletionTrust, explain_shift, explain_similarity
from xembed.attribution._method import MethodOptions
from xembed.attribution._similarity import trust_by_deletion
from xembed.datasets import load_corpora

A, B = "the king met two friends", "a king saw friends in the park"
TOPIC = ["slow router today", "the router is slow", "slow wifi upstairs", "router and wifi again", "the wifi line"]


def by_hand(a, b, values):
    """Return word, text, change and share of the word with the largest number, of an encoder of bags of words."""
    sides = [(a.split(), b), (b.split(), a)]
    whole = unit(Bag().encode([a]))[0] @ unit(Bag().encode([b]))[0]
    changes, names = [], []
    for text, (words, other) in enumerate(sides):
        for place, word in enumerate(words):
            left = " ".join(words[:place] + words[place + 1 :])
            changes.append(whole - unit(Bag().encode([left]))[0] @ unit(Bag().encode([other]))[0])
            names.append((word, "ab"[text]))
    changes = np.array(changes)
    first = int(np.abs(np.concatenate(values)).argmax())
    others = np.delete(np.abs(changes), first)
    size = abs(changes[first])
    return *names[first], changes[first], float(((size > others) + 0.5 * (size == others)).mean())


def test_deletion_is_what_the_cosine_does_without_each_word():
    found = explain_similarity(Bag(), A, B, method="shapley", n_samples=5000)
    word, text, change, share = by_hand(A, B, (found.values_a, found.values_b))
    trust = found.trust
    assert (trust.word, trust.text, trust.n_words) == (word, text, 12)
    assert trust.change == pytest.approx(change, abs=1e-9) and trust.share == pytest.approx(share)
    assert f"without “{word}”" in trust.verdict and f"{share:.0%} of the other words" in trust.verdict


def test_a_good_explanation_is_borne_out_and_a_turned_one_is_not(encoder):
    texts = ("The king greeted his guests in the hall.", "The queen welcomed all visitors.")
    found = explain_similarity(encoder, *texts)
    assert found.trust.share > 0.7 and found.trust.agreement > 0.8
    values = [-found.values_a, -found.values_b]
    turned = trust_by_deletion(
        encoder, texts, (found.words_a, found.words_b), values, options=MethodOptions(deletion="delete"), caller="test"
    )
    assert turned.agreement == pytest.approx(-found.trust.agreement)


def test_what_is_not_checked(encoder):
    assert explain_similarity(encoder, A, B, method="leave_one_out").trust is None
    assert explain_similarity(encoder, "king", "queen").trust is None  # no word can be left out
    long = explain_similarity(encoder, "the king and " * 20, "his queen sang " * 20)
    assert long.trust is None and "Not validated by leaving words out" in long.notes[-1]
    off = explain_similarity(encoder, A, B, trust=False)
    assert off.trust is None and "trust=True" in off.notes[-1]
    assert explain_similarity(encoder, "the king and " * 20, "queen " * 50, trust=True).trust.n_words == 110


def test_words_that_do_nothing_are_no_correlation():
    values = [np.zeros(2), np.zeros(2)]
    words = [("one", "two"), ("one", "two")]
    found = trust_by_deletion(
        Bag(), ("one two", "one two"), words, values, options=MethodOptions(deletion="delete"), caller="test"
    )
    assert found.agreement is None and found.verdict.endswith("of the other words.")


def test_json_and_back(encoder):
    found = explain_similarity(encoder, A, B)
    again = type(found).from_json(found.to_json())
    assert isinstance(again.trust, DeletionTrust) and again.trust == found.trust


@pytest.mark.parametrize("wrong", [1, "yes", 0.5])
def test_trust_is_true_or_false(wrong):
    with pytest.raises(TypeError, match="'trust' parameter of explain_similarity must be True, False or None"):
        explain_similarity(Bag(), A, B, method="shapley", trust=wrong)
    with pytest.raises(TypeError, match="'trust' parameter of explain_shift must be True or False"):
        explain_shift(Bag(), TOPIC, TOPIC, method="shapley", trust=wrong)


@pytest.mark.slow
def test_planted_words_are_found_in_tickets(encoder):
    tickets = load_corpora("support_tickets")
    weeks = [list(tickets.where(week=week).texts)[:60] for week in (1, 2)]
    found = explain_shift(encoder, *weeks, progress=False)
    assert found.trusted and found.trust.interval[0] > 0.8 and found.trust.method == "last_layer"
    assert found.verdict.endswith("chance is 0.50.") and f"AUROC {found.trust.auroc:.2f}" in found.verdict
    assert explain_shift(encoder, *weeks, progress=False).trust.auroc == found.trust.auroc


def test_an_encoder_that_sees_no_words_is_not_trusted():
    class Length:
        """What it says of a text is in its first letter, wherever the other words are."""

        def encode(self, texts):
            return np.array([[1.0, 0.1 * (ord(text[0]) % 7)] for text in texts])

    texts = [f"{word} {text}" for word in ("new", "old", "good", "bad") for text in TOPIC]
    found = explain_shift(Length(), texts, texts[::-1], method="leave_one_out", progress=False)
    assert found.trusted is False and "Words can't be trusted as reasons here" in found.verdict


def test_too_few_texts_are_said_not_to_be_checked():
    found = explain_shift(Bag(), ["one two", "three"], ["one", "two three"], method="leave_one_out", progress=False)
    assert found.trust is None and found.trusted is None
    assert found.notes[-1].startswith("The explanation was not validated: ")
    off = explain_shift(Bag(), TOPIC, TOPIC, method="leave_one_out", progress=False, trust=False)
    assert off.trust is None and "trust=True does" in off.notes[-1]


@pytest.mark.slow
def test_every_text_lies_along_its_component(encoder):
    """The texts of a region lie farther along it than the others by its size, on average."""
    tickets = load_corpora("support_tickets")
    weeks = [list(tickets.where(week=week).texts) for week in (1, 2)]
    found = explain_shift(encoder, *weeks, progress=False, trust=False)
    assert [text.row for text in found.texts] == [*range(len(weeks[0])), *range(len(weeks[1]))]
    assert len(found.components) > 1
    for number, component in enumerate(found.components[1:], start=1):
        along = [text.along for text in found.texts if text.component == number]
        assert np.mean(along) == pytest.approx(component.size, abs=1e-6)
    for text in found.texts[:: len(found.texts) // 20]:
        assert len(text.words) == len(text.values)
        assert " ".join(text.words).split()[0] in weeks[text.corpus == "G"][text.row]
