"""Coverage: p-values by brute force, their level, planted texts, large and tiny corpora, errors."""

import json
import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from xembed.datasets import load_corpora
from xembed.depth import tte_depth
from xembed.shift._coverage import CoverageResult, coverage


def unit(X):
    return X / np.linalg.norm(X, axis=1, keepdims=True)


def corpora(seed=0, n=40, m=30, d=6):
    rng = np.random.default_rng(seed)
    return rng.normal(0.4, 1, size=(n, d)), rng.normal(0.4, 1, size=(m, d))


def brute_force(reference, tested, k, contrast):
    """Put each tested row among the reference rows, score all members anew, and rank."""
    reference, tested = unit(reference), unit(tested)
    scores, pvalues = [], []
    for j in range(len(tested)):
        members = np.concatenate([reference, tested[j : j + 1]])
        rest = np.delete(tested, j, axis=0)
        values = []
        for i, member in enumerate(members):
            value = np.sort(np.delete(members, i, axis=0) @ member)[-k:].mean()
            values.append(value - np.sort(rest @ member)[-k:].mean() * contrast)
        scores.append(values[-1])
        pvalues.append(np.mean(np.array(values) <= values[-1] + 1e-9))
    return np.array(scores), np.array(pvalues)


@pytest.mark.parametrize("score", ["similarity", "contrast"])
@given(seed=st.integers(0, 10**6), n=st.integers(6, 20), m=st.integers(6, 20), k=st.integers(1, 4), ties=st.booleans())
@settings(max_examples=25, deadline=None)
def test_p_values_are_those_of_the_definition(score, seed, n, m, k, ties):
    F, G = corpora(seed, n, m, 3)
    if ties:  # texts in both corpora and texts repeated in one
        G[:3] = F[:3]
        G[4], F[4] = G[3], F[3]
    result = coverage(F, G, n_neighbors=k, score=score)
    for scores, pvalues, tested, reference in (
        (result.scores_G, result.pvalues_G, G, F),
        (result.scores_F, result.pvalues_F, F, G),
    ):
        expected = brute_force(reference, tested, k, score == "contrast")
        np.testing.assert_allclose(scores, expected[0], atol=1e-12)
        np.testing.assert_allclose(pvalues, expected[1], atol=1e-12)


def test_what_the_numbers_are():
    F, G = corpora(n=80, m=50)
    G[:12] = -4 + 0.1 * corpora(1, 12)[0][:12]
    result = coverage(F, G, fdr=0.1, names=("old", "new"))
    assert result.covered_G == (result.pvalues_G > 0.05).mean() and result.covered_F == (result.pvalues_F > 0.05).mean()
    assert result.expected_G == pytest.approx(1 - 4 / 81) and result.expected_F == pytest.approx(1 - 2 / 51)
    assert set(result.uncovered_G) == set(np.flatnonzero(result.qvalues_G <= 0.1)) >= set(range(12))
    assert (np.diff(result.scores_G[result.uncovered_G]) >= -1e-6).all()
    assert f"{len(result.uncovered_G)} of 50 texts of “new” are not covered by “old”" in result.verdict
    frame = result.to_frame()
    assert len(frame) == 130 and frame.uncovered.sum() == len(result.uncovered_G) + len(result.uncovered_F)
    assert list(frame.corpus.unique()) == ["old", "new"]


def test_swapping_the_corpora_swaps_the_sides():
    F, G = corpora()
    one, other = coverage(F, G, score="contrast"), coverage(G, F, score="contrast")
    np.testing.assert_array_equal(one.pvalues_G, other.pvalues_F)
    np.testing.assert_allclose(one.scores_F, other.scores_G, atol=1e-12)


def test_contrast_sees_a_new_topic_inside_the_old_domain():
    rng = np.random.default_rng(0)
    F, G = rng.normal(size=(200, 8)), rng.normal(size=(200, 8))
    F[:, 0] += 1
    G[:, 0] += 1
    G[:30] = np.array([1, 0.7, 0, 0, 0, 0, 0, 0]) + 0.02 * rng.normal(size=(30, 8))
    assert len(coverage(F, G).uncovered_G) == 0
    found = coverage(F, G, score="contrast").uncovered_G
    assert np.isin(np.arange(30), found).mean() > 0.9 and (found >= 30).sum() <= 6


def test_small_corpora_are_told_what_they_can_not_show():
    F, G = corpora(n=20, m=20)
    notes = coverage(F, G).warnings
    assert notes[0] == (
        "With 20 texts of “F” to compare with, of 20 texts of “G” that it does not cover fewer than 20 can't be told "
        "at a false discovery rate of 5%."
    )
    assert "none can be told" in coverage(F[:8], G).warnings[0]
    assert (
        "of 400 texts of “F” that it does not cover fewer than 381 can't be told"
        in (coverage(*corpora(n=400, m=20)).warnings[0])
    )


def test_tiny_constant_and_repeated_rows():
    for score in ("similarity", "contrast"):
        same = coverage(np.ones((5, 3)), np.ones((4, 3)), score=score)
        assert same.n_neighbors == 3 and (same.pvalues_G == 1).all() and (same.pvalues_F == 1).all()
        assert same.verdict.startswith("No single text of “G” is found to be uncovered")
        pair = coverage(np.eye(2), np.eye(2), score=score)
        assert pair.n_neighbors == 1 and (pair.pvalues_G > 0).all()
    repeated = coverage(np.ones((1000, 3)), np.r_[np.ones((40, 3)), [[-1, 0, 0]]])
    assert repeated.uncovered_G.tolist() == [40] and repeated.pvalues_G[40] == 1 / 1001


def test_large_corpora_are_sampled(monkeypatch):
    F, G = corpora(n=300, m=260)
    G[:30] *= -1
    whole = coverage(F, G, score="contrast")
    monkeypatch.setattr("xembed.shift._coverage.MAX_CANDIDATES", 200)
    sampled = coverage(F, G, score="contrast", rng=1)
    assert len(sampled.pvalues_G) == 260 and len(sampled.warnings) >= 2
    assert "A random sample of 200 texts stands for “F”" in sampled.warnings[0]
    assert sampled.expected_G == pytest.approx(1 - 10 / 201)
    assert np.corrcoef(sampled.scores_G, whole.scores_G)[0, 1] > 0.8
    assert sampled.to_json() == coverage(F, G, score="contrast", rng=1).to_json()
    assert sampled.to_json() != coverage(F, G, score="contrast", rng=2).to_json()


@pytest.mark.parametrize("score", ["similarity", "contrast"])
def test_blocks_and_float32_change_nothing_that_matters(monkeypatch, score):
    F, G = corpora(n=150, m=90)
    G[:5] = F[:5]
    whole = coverage(F, G, score=score)
    monkeypatch.setattr("xembed.shift._coverage.BLOCK_ELEMENTS", 1000)
    monkeypatch.setattr("xembed._core.neighbors.BLOCK_ELEMENTS", 1000)
    np.testing.assert_array_equal(coverage(F, G, score=score).pvalues_G, whole.pvalues_G)
    monkeypatch.setattr("xembed._core.neighbors._EXACT_PAIRS", 0)
    np.testing.assert_allclose(coverage(F, G, score=score).pvalues_G, whole.pvalues_G, atol=2 / 151)


def test_only_directions_matter_and_integers_do():
    F, G = corpora()
    scale = np.random.default_rng(0).uniform(0.5, 2, size=(40, 1))
    np.testing.assert_array_equal(coverage(F * scale, G * 3).pvalues_G, coverage(F, G).pvalues_G)
    assert coverage(np.arange(1, 31).reshape(10, 3), np.ones((5, 3), np.float16)).n_neighbors == 4


def test_result_round_trips():
    result = coverage(*corpora(), rng=3)
    data = json.loads(result.to_json())
    assert data["schema"] == "xembed.shift.CoverageResult/1" and data["provenance"]["parameters"]["rng"] == 3
    again = CoverageResult.from_json(result.to_json())
    assert again.to_json() == result.to_json() and isinstance(again.pvalues_F, np.ndarray)
    assert len(repr(result)) < 400


F, G = corpora()


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: coverage(F[:1], G), ValueError, "F must hold at least 2 rows .* Got n_samples = 1"),
        (lambda: coverage(F, G[:0]), ValueError, "G must hold at least 2 rows .* Got n_samples = 0"),
        (lambda: coverage(F, G[:, :2]), ValueError, "same number of dimensions. Got 6 and 2"),
        (lambda: coverage(F, G, n_neighbors=30), ValueError, "smaller than both corpora. Got 30 for 40 and 30 texts"),
        (lambda: coverage(F, G, n_neighbors=0), ValueError, "The 'n_neighbors' parameter of coverage"),
        (lambda: coverage(F, G, score="depth"), ValueError, r"one of {'contrast', 'similarity'}. Got 'depth'"),
        (lambda: coverage(F, G, fdr=2), ValueError, "The 'fdr' parameter of coverage"),
        (lambda: coverage(F, G, names=("a", "a")), ValueError, "different names"),
        (lambda: coverage(F, G, rng="x"), TypeError, "The 'rng' parameter of coverage"),
        (lambda: coverage(["text"], G), TypeError, "F must hold real numbers .* Got texts"),
        (lambda: coverage(F * 0, G), ValueError, "F holds 40 rows that are zero"),
        (lambda: coverage(F, np.where(G > 1, np.nan, G)), ValueError, "G holds .* not finite"),
    ],
)  # fmt: skip
def test_documented_errors(call, error, message):
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize("score", ["similarity", "contrast"])
def test_p_values_hold_their_level(score):
    rng = np.random.default_rng(0)
    below = []
    for _ in range(60):
        X = rng.normal(size=(100, 5)) + 0.3
        result = coverage(X[:60], X[60:], score=score, n_neighbors=5)
        below += [(result.pvalues_G <= 0.1).mean(), (result.pvalues_F <= 0.1).mean()]
    # Expected 6/61 and 4/41; texts of one corpus share their reference, so runs count, not texts.
    assert np.mean(below) == pytest.approx(0.098, abs=4 * np.std(below) / np.sqrt(60))


def draw(rng, n, topics, d=32):
    centers = unit(np.random.default_rng(1).normal(size=(8, d)))
    return centers[rng.choice(topics, n)] + 0.7 * rng.normal(size=(n, d)) / np.sqrt(d)


RUNS, HIGHEST = (1000, 0.06) if os.environ.get("XEMBED_FULL") else (100, 0.08)


@pytest.mark.slow
@pytest.mark.parametrize("score", ["similarity", "contrast"])
@pytest.mark.parametrize(("n", "m", "n_new", "power"), [(180, 180, 27, 0.9), (400, 60, 9, 0.8), (180, 180, 0, 0)])
def test_false_discovery_rate(score, n, m, n_new, power):
    rng = np.random.default_rng(0)
    false, found = [], []
    for _ in range(RUNS):
        old = draw(rng, n, range(6))
        uncovered = coverage(old, np.r_[draw(rng, n_new, [7]), draw(rng, m - n_new, range(6))], score=score).uncovered_G
        false.append((uncovered >= n_new).sum() / max(1, len(uncovered)))
        found.append((uncovered < n_new).sum() / max(1, n_new))
    print(f"\n{score} {n}:{m} new {n_new}: false {np.mean(false):.3f}, found {np.mean(found):.2f} of {RUNS} runs")
    assert np.mean(false) <= HIGHEST and np.mean(found) >= power


@pytest.fixture(scope="module")
def embedded(encoder):
    """Return texts of the bundled corpora, embedded."""
    steps = {"support_tickets": 1, "product_reviews": 1, "news_briefs": 4}
    return {name: encoder.encode(load_corpora(name).texts[::step]) for name, step in steps.items()}


@pytest.mark.slow
@pytest.mark.parametrize("corpus", ["product_reviews", "support_tickets"])
def test_texts_of_another_corpus_rank_above_the_rest(embedded, corpus):
    by_depth, by_neighbors = [], []
    for seed in range(10):
        rng = np.random.default_rng(seed)
        rows = rng.permutation(embedded[corpus])
        old, new = np.array_split(rows, 2)
        planted = np.arange(len(new)) < round(0.05 * len(new))
        new = new.copy()
        new[planted] = rng.permutation(embedded["news_briefs"])[: planted.sum()]
        by_depth.append(roc_auc_score(planted, -tte_depth(new, old)))
        by_neighbors.append(roc_auc_score(planted, -coverage(old, new).scores_G))
    print(f"\n{corpus}: depth {np.mean(by_depth):.3f}, neighbors {np.mean(by_neighbors):.3f}")
    assert max(np.mean(by_depth), np.mean(by_neighbors)) >= 0.95


def test_planted_topics_of_the_tickets(embedded):
    tickets = load_corpora("support_tickets")
    week, planted = np.array(tickets.column("week")), np.array(tickets.column("planted"), dtype=object)
    X = embedded["support_tickets"]
    result = coverage(X[week == 1], X[week == 2], score="contrast")
    new, gone = planted[week == 2][result.uncovered_G], planted[week == 1][result.uncovered_F]
    assert (new == "new_topic").sum() >= 20 and (new == "new_topic").mean() >= 0.85
    assert (gone == "vanished_topic").sum() >= 18 and (gone == "vanished_topic").mean() >= 0.85


def test_a_collapsed_imitation_is_covered_and_does_not_cover(embedded):
    reviews = load_corpora("product_reviews")
    own = np.array(reviews.column("source")) == "human_style"
    result = coverage(embedded["product_reviews"][own], embedded["product_reviews"][~own])
    assert result.covered_G > 0.9 and result.covered_F < 0.2
    assert len(result.uncovered_G) == 0 and len(result.uncovered_F) > 100
