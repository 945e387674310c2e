"""Distinguishing terms: the formula, exact p-values, what counts, planted words, errors."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from xembed.datasets import load_corpora, load_planted_vocabulary
from xembed.shift._terms import (
    Term,
    TermsResult,
    distinguishing_terms,
    share_pvalues,
    term_presence,
    weighted_log_odds,
)


def test_log_odds_by_the_formula_of_the_paper():
    F, G = np.array([5, 0, 10, 2]), np.array([1, 8, 10, 2])
    found, z = weighted_log_odds(F, G)
    prior = [0.2 * (f + g) for f, g in zip(F, G, strict=True)]
    a0, n_F, n_G = sum(prior), F.sum(), G.sum()
    for w in range(4):
        omega_F = (F[w] + prior[w]) / (n_F + a0 - F[w] - prior[w])
        omega_G = (G[w] + prior[w]) / (n_G + a0 - G[w] - prior[w])
        assert found[w] == pytest.approx(np.log(omega_G) - np.log(omega_F), abs=1e-12)
        variance = 1 / (F[w] + prior[w]) + 1 / (G[w] + prior[w])
        assert z[w] == pytest.approx((np.log(omega_G) - np.log(omega_F)) / np.sqrt(variance), abs=1e-12)
    back, _ = weighted_log_odds(G, F)
    np.testing.assert_allclose(back, -found, atol=1e-12)
    assert weighted_log_odds(np.array([4]), np.array([2]))[0].tolist() == [0.0]


@given(st.integers(1, 30), st.data())
@settings(max_examples=60, deadline=None)
def test_p_values_are_fishers_for_equal_sizes(n, data):
    f, g = data.draw(st.integers(0, n)), data.draw(st.integers(0, n))
    expected = stats.fisher_exact([[f, n - f], [g, n - g]]).pvalue
    assert share_pvalues(f, g, n, n) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(("n", "m", "total"), [(12, 5, 6), (30, 7, 11), (4, 40, 9)])
def test_p_values_hold_their_level_for_unequal_sizes(n, m, total):
    g = np.arange(max(0, total - n), min(m, total) + 1)
    chance = stats.hypergeom(n + m, total, m).pmf(g)
    p = share_pvalues(total - g, g, n, m)
    for alpha in (0.01, 0.05, 0.2, 0.5):
        assert chance[p <= alpha].sum() <= alpha + 1e-12
    assert ((p > 0) & (p <= 1)).all()


def test_a_term_counts_once_a_text():
    F = ["plain text here"] * 8
    once, often = [*F, "spam here"], [*F, "spam " * 50 + "here"]
    terms, presence = term_presence(["spam " * 50, "spam"], 1)
    assert terms[0] == "spam" and presence[:, 0].toarray().ravel().tolist() == [1, 1]
    found = {t.term: t for t in distinguishing_terms(F, often, min_count=1).more_in_G}
    assert found["spam"].count_G == 1
    same = {t.term: t for t in distinguishing_terms(F, once, min_count=1).more_in_G}
    assert found["spam"].pvalue == same["spam"].pvalue


def test_terms_are_lower_case_with_contractions_whole():
    terms, _ = term_presence(["I'm sure it ISN'T a B", "we’ve 24h"], 1)
    assert {"i'm", "isn't", "we’ve", "24h", "i'm sure"} <= set(terms)
    assert not {"a", "b", "isn", "m"} & set(terms)


def test_shares_counts_and_order():
    F = ["red apple"] * 6 + ["green pear"] * 4
    G = ["red apple"] * 1 + ["green pear"] * 4 + ["blue plum"] * 5
    result = distinguishing_terms(F, G, top=3, names=("old", "new"))
    assert [t.term for t in result.more_in_G] == ["blue", "blue plum", "plum"]  # equal ones by the alphabet
    assert [t.term for t in result.more_in_F] == ["apple", "red", "red apple"]
    blue = result.more_in_G[0]
    assert (blue.count_F, blue.count_G, blue.share_F, blue.share_G) == (0, 5, 0.0, 0.5)
    assert blue.z > 0 > result.more_in_F[0].z
    assert result.n_terms == 9 and result.n_significant == int(sum(t.qvalue <= 0.05 for t in result.more_in_G))
    assert result.verdict.startswith("None of 9 terms differs") and "In “new”: “blue” (0% → 50%)" in result.verdict


def test_planted_vocabulary_comes_first():
    tickets = load_corpora("support_tickets")
    for planted, words in load_planted_vocabulary().items():
        inside = list(tickets.where(planted=planted).texts)
        outside = [t for t, p in zip(tickets.texts, tickets.column("planted"), strict=True) if p != planted]
        result = distinguishing_terms(outside, inside, top=15)
        single = [t.term for t in result.more_in_G if " " not in t.term]
        assert np.mean([term in words for term in single]) >= 0.8
        assert result.more_in_G[0].qvalue < 0.001


def test_chance_alone_is_seldom_significant():
    tickets = load_corpora("support_tickets")
    texts = [t for t, p in zip(tickets.texts, tickets.column("planted"), strict=True) if p is None]
    false = 0
    for seed in range(20):
        order = np.random.default_rng(seed).permutation(len(texts))
        F, G = [texts[i] for i in order[:150]], [texts[i] for i in order[150:]]
        false += distinguishing_terms(F, G).n_significant > 0
    assert false <= 3  # of 20 at 5 %: more has a chance of 2 %


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=30), min_size=2, max_size=12))
@settings(max_examples=60, deadline=None)
def test_any_text_is_taken(texts):
    result = distinguishing_terms(texts[:1], texts[1:], min_count=1)
    assert TermsResult.from_json(result.to_json()).to_json() == result.to_json()
    for term in (*result.more_in_F, *result.more_in_G):
        assert 0 < term.pvalue <= term.qvalue + 1e-12 and np.isfinite(term.z)


def test_texts_without_terms():
    for texts in ([" "], ["?!"], ["\x00"]):
        result = distinguishing_terms(texts, [""])
        assert (result.n_terms, result.more_in_F, result.more_in_G) == (0, (), ())
        assert result.verdict == "No term occurs in enough texts to be compared."
    assert distinguishing_terms(["abc"] * 3, ["abc"] * 4).more_in_G == ()


def test_result_round_trips_and_makes_a_table():
    result = distinguishing_terms(["red apple"] * 9, ["blue plum"] * 9, top=2)
    data = json.loads(result.to_json())
    assert data["schema"] == "xembed.shift.TermsResult/1" and data["more_in_G"][0]["schema"] == "xembed.shift.Term/1"
    again = TermsResult.from_json(result.to_json())
    assert again.to_json() == result.to_json() and isinstance(again.more_in_G[0], Term)
    frame = result.to_frame()
    assert list(frame.term) == ["blue", "blue plum", "apple", "red"]
    assert "6 of 6 terms differ" in result.verdict


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: distinguishing_terms([], ["a"]), ValueError, "texts_F must hold at least 1 text"),
        (lambda: distinguishing_terms(["a"], "a"), TypeError, "texts_G must be a list of strings. Got one str"),
        (lambda: distinguishing_terms(["a"], [3]), TypeError, "texts_G holds 1 item that is not a string"),
        (lambda: distinguishing_terms(["\ud800"], ["a"]), ValueError, "not valid Unicode"),
        (lambda: distinguishing_terms(["a"], ["b"], top=0), ValueError, "The 'top' parameter of distinguishing_terms"),
        (lambda: distinguishing_terms(["a"], ["b"], min_count=1.5), TypeError, "The 'min_count' parameter of"),
        (lambda: distinguishing_terms(["a"], ["b"], fdr=1), ValueError, r"a number in \(0, 1\). Got 1 instead"),
        (lambda: distinguishing_terms(["a"], ["b"], names="FG"), ValueError, "must be a pair of names"),
        (lambda: distinguishing_terms(["a"], ["b"], names=("x", "x")), ValueError, "Got 'x' twice"),
    ],
)  # fmt: skip
def test_documented_errors(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_terms_of_other_scripts_are_whole_words_and_pairs_of_characters():
    hindi = distinguishing_terms(["नदी में पानी है"] * 9, ["गली में शोर है"] * 9, top=20)
    assert [term.term for term in hindi.more_in_G] == ["गली", "गली में", "में शोर", "शोर", "शोर है"]
    assert hindi.warnings == ()
    chinese = distinguishing_terms(["我爱猫"] * 9, ["我爱大狗"] * 9, top=20)
    assert [term.term for term in chinese.more_in_G] == ["大狗", "爱大"]
    assert chinese.more_in_F[0].term == "爱猫"
    assert chinese.warnings[0].startswith("18 of 18 texts hold a script without blanks between words")
    assert "without blanks" in chinese.html()
    old = {name: value for name, value in chinese.to_dict().items() if name != "warnings"}
    assert TermsResult.from_dict(old).warnings == ()
