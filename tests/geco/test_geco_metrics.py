"""Scores against ground truth: by hand, against scikit-learn and all orders of ties, identities, errors."""

import itertools
import math
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from xembed.geco._metrics import (
    METRICS,
    above_chance,
    auprc,
    auroc,
    chance,
    gini,
    mass_accuracy,
    pointing_game,
    positive_mass_accuracy,
    rank_accuracy,
    score_rows,
    top_k_precision,
)

JUDGING = [name for name, metric in METRICS.items() if metric.higher_is_better]


@st.composite
def rows(draw, *, few_values=False):
    """Draw attributions and marks, some true and some not."""
    n = draw(st.integers(2, 8))
    values = st.integers(-2, 2) if few_values else st.floats(-1e6, 1e6, allow_nan=False, allow_subnormal=False)
    a = np.array(draw(st.lists(values, min_size=n, max_size=n)), float)
    k = draw(st.integers(1, n - 1))
    g = np.zeros(n, bool)
    g[draw(st.permutations(range(n)))[:k]] = True
    return a, g


# 8 words, 3 of them true: |a| = 5 4 3 2 2 1 0 0, places 1 and 4 among the largest.
BY_HAND = ([4, -5, 0, 3, 2, -2, 1, 0], [0, 1, 0, 0, 1, 0, 0, 1])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("mass_accuracy", 7 / 17),
        ("mass_accuracy_above_chance", (7 / 17 - 3 / 8) / (5 / 8)),
        ("positive_mass_accuracy", 2 / 10),
        ("rank_accuracy", 1 / 3),
        ("top_k_precision", 1 / 3),
        # Pairs won: 5 by the first true word; 2.5 by the second (1 and 0 below it, 2 beside it); 0.5 by the third.
        ("auroc", 8 / 15),
        # The true word of size 2 is the 4th or the 5th, the last one the 7th or the 8th.
        ("auprc", (1 + (2 / 4 + 2 / 5) / 2 + (3 / 7 + 3 / 8) / 2) / 3),
        ("pointing_game", 1.0),
        # Ascending 0 0 1 2 2 3 4 5: sum of (2i - n - 1) x_i is -3 * 1 - 1 * 2 + 1 * 2 + 3 * 3 + 5 * 4 + 7 * 5.
        ("gini", 61 / (8 * 17)),
    ],
)
def test_every_metric_by_hand(name, expected):
    assert METRICS[name].function(*BY_HAND) == pytest.approx(expected, abs=1e-12)
    assert score_rows([BY_HAND[0]], [BY_HAND[1]])[name][0] == pytest.approx(expected, abs=1e-12)


def test_by_hand_covers_all_metrics():
    cases = test_every_metric_by_hand.pytestmark[0].args[1]
    assert [name for name, _ in cases] == list(METRICS)


@pytest.mark.parametrize(("k", "expected"), [(1, 1.0), (2, 0.5), (3, 1 / 3), (4, 1.5 / 4), (5, 2 / 5), (8, 3 / 8)])
def test_top_k_precision_by_hand(k, expected):
    assert top_k_precision(*BY_HAND, k=k) == pytest.approx(expected)


def test_more_words_than_there_are_means_all():
    assert top_k_precision(*BY_HAND, k=100) == pytest.approx(3 / 8)


@pytest.mark.parametrize("name", JUDGING)
@given(row=rows(), data=st.data())
@settings(max_examples=30, deadline=None)
def test_a_perfect_explanation_scores_exactly_1(name, row, data):
    _, g = row
    sizes = data.draw(st.lists(st.floats(1e-3, 1e6), min_size=len(g), max_size=len(g)))
    assert METRICS[name].function(np.where(g, sizes, 0.0), g) == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize("name", list(METRICS))
@given(row=rows(), size=st.sampled_from([0.0, 1.0, 0.1, 1e-300, 1e300]))
@settings(max_examples=30, deadline=None)
def test_the_constant_explanation_scores_chance(name, row, size):
    _, g = row
    assert METRICS[name].function(np.full(len(g), size), g) == pytest.approx(chance(name, g), abs=1e-12)


@pytest.mark.parametrize("name", ["rank_accuracy", "auroc", "auprc", "pointing_game"])
def test_chance_is_the_mean_over_all_orders(name):
    for k in (1, 2, 3, 4):
        g = np.arange(5) < k
        scores = [METRICS[name].function(np.array(order) + 1.0, g) for order in itertools.permutations(range(5))]
        assert np.mean(scores) == pytest.approx(chance(name, g), abs=1e-12)


def test_random_explanations_score_chance():
    rng = np.random.default_rng(0)
    g = np.array([1, 0, 0, 1, 0, 0, 0, 0, 1, 0])
    scores = score_rows(rng.normal(size=(4000, 10)), [g] * 4000)
    for name in JUDGING:
        error = scores[name].std() / np.sqrt(4000)
        assert abs(scores[name].mean() - chance(name, g)) < 4 * error, name


@pytest.mark.parametrize("name", ["rank_accuracy", "auroc", "auprc", "pointing_game"])
@given(row=rows(few_values=True))
@settings(max_examples=25, deadline=None)
def test_ties_give_the_mean_over_their_orders(name, row):
    a, g = np.abs(row[0])[:6], row[1][:6]
    if not g.any() or g.all():
        return
    orders = []
    for order in itertools.permutations(range(len(a))):
        # Sizes are whole numbers: less than 1 on top of them breaks ties and nothing else.
        orders.append(METRICS[name].function(a + 1 + np.array(order) / 10, g))
    assert METRICS[name].function(a, g) == pytest.approx(np.mean(orders), abs=1e-10)


@given(row=rows(few_values=True))
@settings(max_examples=100, deadline=None)
def test_auroc_is_that_of_scikit_learn(row):
    a, g = row
    assert auroc(a, g) == pytest.approx(roc_auc_score(g, np.abs(a)), abs=1e-12)


@given(row=rows())
@settings(max_examples=100, deadline=None)
def test_auprc_is_that_of_scikit_learn_without_ties(row):
    a, g = row
    if len(np.unique(np.abs(a))) == len(a):
        assert auprc(a, g) == pytest.approx(average_precision_score(g, np.abs(a)), abs=1e-12)


@given(row=rows(), scale=st.sampled_from([2.0**-40, 0.5, 2.0**30]))
@settings(max_examples=50, deadline=None)
def test_scale_does_not_matter_and_ranges_hold(row, scale):
    a, g = row
    for name, metric in METRICS.items():
        score = metric.function(a, g)
        assert metric.low <= score <= metric.high + 1e-12, name
        assert metric.function(a * scale, g) == pytest.approx(score, abs=1e-12), name
        if name != "positive_mass_accuracy":
            assert metric.function(-a, g) == pytest.approx(score, abs=1e-12), name


@given(row=rows(few_values=True), seed=st.integers(0, 1000))
@settings(max_examples=50, deadline=None)
def test_the_order_of_words_does_not_matter(row, seed):
    a, g = row
    order = np.random.default_rng(seed).permutation(len(a))
    for name, metric in METRICS.items():
        assert metric.function(a[order], g[order]) == pytest.approx(metric.function(a, g), abs=1e-12), name


@given(st.lists(rows(few_values=True), min_size=1, max_size=12))
@settings(max_examples=50, deadline=None)
def test_many_rows_are_scored_as_each_by_itself(found):
    scores = score_rows([a for a, _ in found], [g for _, g in found])
    assert list(scores) == list(METRICS)
    for name, metric in METRICS.items():
        expected = [metric.function(a, g) for a, g in found]
        np.testing.assert_allclose(scores[name], expected, atol=1e-12, err_msg=name)


def test_all_words_true_is_defined_where_it_can_be():
    assert mass_accuracy([1, 2], [1, 1]) == rank_accuracy([1, 2], [1, 1]) == auprc([0, 0], [1, 1]) == 1
    assert chance("auprc", [1]) == 1
    for function in (auroc, METRICS["mass_accuracy_above_chance"].function):
        with pytest.raises(ValueError, match="must leave a word that is not true"):
            function([1, 2], [1, 1])
    with pytest.raises(ValueError, match="Row 1 of the ground truth of score_rows must leave a word"):
        score_rows([[1, 2], [1, 2]], [[0, 1], [1, 1]])
    assert score_rows([[1, 2]], [[1, 1]], metrics=["mass_accuracy"])["mass_accuracy"][0] == 1


def test_sizes_near_the_limits_of_floats():
    assert mass_accuracy([1.7e308, 1.7e308, 0], [1, 0, 0]) == 0.5
    assert mass_accuracy([5e-324, 5e-324, 0], [1, 0, 0]) == 0.5
    assert gini([1.7e308] * 4) == 0


def test_nothing_positive_is_constant():
    assert positive_mass_accuracy([-1, -2, -3, 0], [1, 0, 0, 0]) == 0.25


def test_ties_at_the_top():
    assert pointing_game([2, 2, 2, 1], [1, 0, 0, 1]) == pytest.approx(1 / 3)


@pytest.mark.parametrize("function", [metric.function for metric in METRICS.values()])
@pytest.mark.parametrize(
    ("a", "g", "error", "message"),
    [
        ([1, math.nan], [1, 0], ValueError, "must be finite. Got nan for word 1"),
        ([math.inf, 1], [1, 0], ValueError, "must be finite. Got inf for word 0"),
        ([1, 2], [0, 0], ValueError, "must mark at least one word as true. Got none of 2"),
        ([1, 2], [1, 0, 0], ValueError, "one mark for each of the 2 words. Got 3"),
        ([1, 2], [1, 2], ValueError, "must be marks, 0 or 1"),
        ([1, 2], [0.5, 0], ValueError, "must be marks, 0 or 1"),
        ([[1, 2]], [1, 0], ValueError, r"shape \(1, 2\)"),
        ([], [], ValueError, "one number a word"),
        (["a", "b"], [1, 0], TypeError, "must be a 1-D array of numbers"),
        ([1, None], [1, 0], (TypeError, ValueError), "numbers|finite"),
    ],
)
def test_bad_rows(function, a, g, error, message):
    with pytest.raises(error, match=message):
        function(a, g)


def test_bad_calls():
    with pytest.raises(ValueError, match="'metric' parameter of chance must be one of"):
        chance("accuracy", [1, 0])
    with pytest.raises(ValueError, match="must mark at least one"):
        chance("auroc", [0, 0])
    with pytest.raises(ValueError, match="'metrics' parameter of score_rows must be one of"):
        score_rows([[1, 2]], [[1, 0]], metrics=["accuracy"])
    with pytest.raises(ValueError, match=r"one item a text, and a text\. Got 1 and 2"):
        score_rows([[1, 2]], [[1, 0], [1, 0]])
    with pytest.raises(ValueError, match="Got 0 and 0"):
        score_rows([], [])
    with pytest.raises(ValueError, match="Row 1 of the attributions of score_rows must be finite"):
        score_rows([[1, 2], [1, math.nan]], [[1, 0], [1, 0]])
    with pytest.raises(ValueError, match="'k' parameter of top_k_precision must be an integer of at least 1"):
        top_k_precision([1, 2], [1, 0], k=0)
    with pytest.raises(TypeError, match="'k' parameter"):
        top_k_precision([1, 2], [1, 0], k=1.5)
    with pytest.raises(ValueError, match=r"must be below 1\. Got 1"):
        above_chance(1.0, [0.5, 1.0])


def test_a_test_set_is_scored_in_less_than_a_second():
    rng = np.random.default_rng(0)
    a = [rng.normal(size=n) for n in rng.integers(4, 30, 644)]
    g = [np.arange(len(row)) < 3 for row in a]
    start = time.perf_counter()
    score_rows(a, g)
    assert time.perf_counter() - start < 1.0  # about 0.02 on a quiet core
