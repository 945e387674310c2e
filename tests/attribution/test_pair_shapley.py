"""Exact Shapley values of changed words, and how explanations agree with them."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from models import BagOfWords, one_thread, tiny_bert, tiny_tokenizer
from scipy.stats import spearmanr

from xembed.attribution._pair_shapley import (
    PairShapley,
    agreement,
    pair_shapley,
    shapley_values,
    spearman,
    used_words,
)
from xembed.attribution._scored_model import ScoredModel

FIRST = [["She", "met", "her", "queen", "."], ["The", "actress", "left", "."], ["A", "dog", "."]]
SECOND = [["He", "met", "his", "king", "."], ["The", "actor", "left", "."], ["A", "dog", "."]]
BAG = {"she": 2.0, "he": -1.0, "her": 0.5, "king": 4.0, "queen": 1.0, "met": 9.0}


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    with one_thread():
        yield


def bag(values=BAG):
    return ScoredModel(BagOfWords(values), tiny_tokenizer(), caller="this test")


def bert(**options):
    return ScoredModel(tiny_bert(), tiny_tokenizer(), caller="this test", **options)


def by_orders(scores):
    """Shapley values as they are defined: the mean of what a player adds over all orders."""
    n = len(scores).bit_length() - 1
    found = np.zeros(n)
    for order in itertools.permutations(range(n)):
        inside = 0
        for player in order:
            found[player] += scores[inside | 1 << player] - scores[inside]
            inside |= 1 << player
    return found / math.factorial(n)


def a_pair(values, positions=None):
    values = None if values is None else np.asarray(values, dtype=float)
    n = len(positions) if values is None else len(values)
    total = np.array([0.0 if values is None else values.sum()])
    return PairShapley(
        positions=(tuple(positions or range(n)),), values=(values,), differences=total, first_scores=total,
        second_scores=np.zeros(1), targets=(1,), reasons=("" if values is not None else "too many",), output="logit",
        n_mixed=2**n,
    )  # fmt: skip


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 5).flatmap(lambda n: hnp.arrays(float, 2**n, elements=st.floats(-100, 100))))
def test_shapley_values_are_means_over_orders_and_sum_to_the_difference(scores):
    found = shapley_values(scores)
    np.testing.assert_allclose(found, by_orders(scores), atol=1e-9)
    assert found.sum() == pytest.approx(scores[-1] - scores[0], abs=1e-9)


def test_shapley_values_of_the_glove_game():
    # Player 0 has a left glove, 1 and 2 have a right one each: only a pair is worth something.
    scores = [float(bool(s & 1) and bool(s & 6)) for s in range(8)]
    np.testing.assert_allclose(shapley_values(scores), [2 / 3, 1 / 6, 1 / 6])


def test_shapley_values_of_many_games_at_once():
    games = np.random.default_rng(0).normal(size=(5, 2**4))
    np.testing.assert_allclose(shapley_values(games), [by_orders(game) for game in games], atol=1e-12)


def test_a_bag_of_words_by_hand():
    found = pair_shapley(bag(), FIRST, SECOND, 1)
    assert found.positions == ((0, 2, 3), (1,), ())
    np.testing.assert_allclose(found.values[0], [3.0, 0.5, -3.0])
    np.testing.assert_allclose(found.values[1], [0.0])
    assert found.values[2].shape == (0,)
    np.testing.assert_allclose(found.differences, [0.5, 0.0, 0.0])
    np.testing.assert_allclose(found.first_scores, [12.5, 0.0, 0.0])
    np.testing.assert_allclose(found.second_scores, [12.0, 0.0, 0.0])
    assert found.reasons == ("", "", "") and found.n_skipped == 0


@pytest.mark.parametrize("output", ["logit", "probability"])
def test_values_of_a_transformer_sum_to_the_difference(output):
    model = bert(output=output)
    found = pair_shapley(model, FIRST, SECOND, [0, 1, 1])
    for values, difference in zip(found.values, found.differences, strict=True):
        assert values.sum() == pytest.approx(difference, abs=1e-5)
    scores = model.score_ids([row.ids for row in model.words.encode(FIRST)])
    np.testing.assert_allclose(found.first_scores, scores[np.arange(3), [0, 1, 1]], atol=1e-5)
    assert found.output == output and found.targets == (0, 1, 1)


def test_a_transformer_against_the_definition():
    model = bert()
    found = pair_shapley(model, FIRST[:1], SECOND[:1], 1)
    scores = []
    for number in range(8):
        words = list(SECOND[0])
        for bit, place in enumerate((0, 2, 3)):
            if number >> bit & 1:
                words[place] = FIRST[0][place]
        scores.append(model.score_ids([model.words.encode([words])[0].ids])[0, 1])
    np.testing.assert_allclose(found.values[0], by_orders(scores), atol=1e-5)


def test_swapped_forms_have_opposite_values():
    model = bert()
    one, other = pair_shapley(model, FIRST, SECOND, 1), pair_shapley(model, SECOND, FIRST, 1)
    for values, opposite in zip(one.values, other.values, strict=True):
        np.testing.assert_allclose(values, -opposite, atol=1e-6)


def test_each_mixed_sentence_is_scored_once():
    model, counted = bert(), []
    found = pair_shapley(model, FIRST * 2, SECOND * 2, 1, progress=counted.append)
    assert model.n_forward == sum(counted) == found.n_mixed == 8 + 2 + 1
    # Words that differ in case only are the same to this tokenizer.
    model = bert()
    found = pair_shapley(model, [["She", "sings"]], [["she", "sings"]], 1)
    assert found.n_mixed == 2 and model.n_forward == 1
    np.testing.assert_array_equal(found.values[0], [0.0])


def test_pairs_of_too_many_words_are_counted():
    model = bert()
    found = pair_shapley(model, FIRST, SECOND, 1, max_words=2)
    assert found.values[0] is None and found.n_skipped == 1
    assert found.reasons == ("3 words differ, more than max_words=2", "", "")
    # What two rows tell is told.
    assert found.differences[0] == pytest.approx(pair_shapley(model, FIRST, SECOND, 1).differences[0], abs=1e-5)
    assert model.words.encode(FIRST) and np.isfinite(found.first_scores).all()


def test_json_and_back(tmp_path):
    found = pair_shapley(bag(), FIRST, SECOND, 1, max_words=2)
    again = PairShapley.from_json(found.to_json())
    assert again.positions == found.positions and again.reasons == found.reasons
    assert again.values[0] is None
    np.testing.assert_array_equal(again.values[1], found.values[1])
    np.testing.assert_array_equal(again.differences, found.differences)
    assert "n_skipped=1" in repr(found)


@pytest.mark.parametrize(
    ("first", "second", "targets", "error", "match"),
    [
        ([["a", "b"]], [["a"]], 1, ValueError, r"forms of pair 0 .* same number of words.* Got 2 and 1"),
        ([["a"], ["a", "b"]], [["b"], ["a"]], 1, ValueError, "forms of pair 1 "),
        ([["a"]], [], 1, ValueError, "second form for each first one, and a pair. Got 1 and 0"),
        ([], [], 1, ValueError, "and a pair. Got 0 and 0"),
        (["a cat"], ["a dog"], 1, TypeError, "pair 0 of pair_shapley must be lists of words"),
        ([["a", 3]], [["a", "cat"]], 1, TypeError, "must be lists of words"),
        ([["a"]], [["cat"]], 2, ValueError, "from 0 to 1, the outputs of the model. Got 2"),
        ([["a"]], [["cat"]], -1, ValueError, "must be a number of an output"),
        ([["a"]], [["cat"]], [0, 1], ValueError, "one for each of the 1 pairs"),
        ([["a"]], [["cat"]], 0.5, ValueError, "'targets' parameter"),
    ],
)
def test_bad_pairs(first, second, targets, error, match):
    with pytest.raises(error, match=match):
        pair_shapley(bag(), first, second, targets)


def test_bad_max_words_and_bad_scores():
    with pytest.raises(ValueError, match="'max_words'"):
        pair_shapley(bag(), FIRST, SECOND, 1, max_words=0)
    with pytest.raises(RuntimeError, match="finite scores"):
        pair_shapley(bag({"she": math.inf}), FIRST, SECOND, 1)


# ---- agreement


def test_the_values_themselves_agree_with_themselves():
    pair = pair_shapley(bert(), FIRST, SECOND, 1)
    attributions = [np.zeros(len(words)) for words in FIRST]
    for values, places, found in zip(pair.values, pair.positions, attributions, strict=True):
        found[list(places)] = values
    result = agreement(attributions, pair)
    for name, values in result.items():
        assert values[0] == pytest.approx(1), name
        assert np.isnan(values[1:]).all()  # fewer than two words differ
    turned = agreement([-values for values in attributions], pair)
    assert turned["cosine"][0] == pytest.approx(-1) and turned["spearman"][0] == pytest.approx(1)


def test_agreement_by_hand():
    pair = a_pair([4.0, -1.0, 0.0], positions=(0, 2, 3))
    result = agreement([[1.0, 99.0, -3.0, 0.0]], pair)
    assert {name: float(values[0]) for name, values in result.items()} == pytest.approx(
        {"spearman": 0.5, "top1": 0.0, "overlap": 0.25 + 0.2, "cosine": 7 / math.sqrt(17 * 10)}
    )


def test_ties_for_the_first_place_count_as_a_share():
    assert agreement([[1.0, 1.0, 0.0]], a_pair([3.0, 1.0, 1.0]))["top1"][0] == 0.5
    assert agreement([[1.0, 1.0, 1.0]], a_pair([3.0, 1.0, 1.0]))["top1"][0] == pytest.approx(1 / 3)


def test_what_can_not_be_compared_is_nan():
    assert all(np.isnan(v).all() for v in agreement([[1.0, 2.0]], a_pair(None, positions=(0, 1))).values())
    zero = agreement([[0.0, 0.0]], a_pair([1.0, 2.0]))
    assert all(np.isnan(v).all() for v in zero.values())
    constant = agreement([[1.0, 1.0]], a_pair([1.0, 2.0]))
    assert np.isnan(constant["spearman"][0]) and constant["overlap"][0] == pytest.approx(5 / 6)
    assert np.isnan(agreement([[1.0, 2.0]], a_pair([0.0, 0.0]))["top1"][0])


@settings(max_examples=80, deadline=None)
@given(
    st.integers(2, 6).flatmap(
        lambda n: st.tuples(*[hnp.arrays(float, n, elements=st.floats(-50, 50, allow_subnormal=False))] * 2)
    ),
)
def test_agreement_stays_in_its_range_and_does_not_see_the_scale(both):
    values, truth = both
    result = agreement([values], a_pair(truth))
    scaled = agreement([values * 4], a_pair(truth))  # a power of two: exact
    for name, (low, high) in {"spearman": (-1, 1), "top1": (0, 1), "overlap": (0, 1), "cosine": (-1, 1)}.items():
        if not np.isnan(result[name][0]):
            assert low - 1e-9 <= result[name][0] <= high + 1e-9
        np.testing.assert_allclose(scaled[name], result[name], atol=1e-9)


@pytest.mark.filterwarnings("ignore:An input array is constant")
@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(-3, 3), st.integers(-3, 3)), min_size=2, max_size=10))
def test_spearman_is_that_of_scipy(both):
    one, other = (np.array(values, dtype=float) for values in zip(*both, strict=True))
    np.testing.assert_allclose(spearman(one, other), spearmanr(one, other).statistic, atol=1e-12)


@pytest.mark.parametrize(
    ("attributions", "match"),
    [
        ([], "an attribution for each of the 1 pairs. Got 0"),
        ([[1.0]], r"one for each word of the pair. Got an array of shape \(1,\)"),
        ([[1.0, math.nan]], "with NaN or infinity"),
        ([[[1.0, 2.0]]], "Attribution 0"),
    ],
)
def test_bad_attributions(attributions, match):
    with pytest.raises(ValueError, match=match):
        agreement(attributions, a_pair([1.0, 2.0]))


# ---- words that the model uses


def test_used_words_are_those_with_a_share():
    assert used_words(a_pair([-9.0, 0.9, 0.1]))[0].tolist() == [True, True, False]
    assert used_words(a_pair([-9.0, 0.9, 0.1]), share=0.5)[0].tolist() == [True, False, False]
    assert used_words(a_pair([1.0]))[0].tolist() == [True]
    assert used_words(a_pair(None, positions=(0, 1))) == (None,)


def test_a_model_that_ignores_all_changed_words_uses_none():
    # Rounding alone gives shares; the least sum keeps it from counting.
    assert used_words(a_pair([1e-7, -1e-8]))[0].tolist() == [False, False]
    assert used_words(a_pair([1e-7, -1e-8]), smallest=0)[0].tolist() == [True, True]
    found = used_words(pair_shapley(bag({"met": 3.0, "king": 1.0}), FIRST, SECOND, 1))
    assert [values.tolist() for values in found] == [[False, False, True], [False], []]


@pytest.mark.parametrize("options", [{"share": 1.5}, {"share": -0.1}, {"smallest": -1.0}])
def test_bad_thresholds(options):
    with pytest.raises(ValueError, match="of used_words must be a number in"):
        used_words(a_pair([1.0]), **options)
