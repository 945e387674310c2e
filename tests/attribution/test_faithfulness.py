"""Comprehensiveness, sufficiency and stability: by hand, by definition, and what they cost."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from models import BagOfWords, one_thread, tiny_bert, tiny_tokenizer
from scipy.special import softmax
from scipy.stats import kendalltau

from xembed.attribution._faithfulness import SHARES, aopc, faithfulness, n_taken, stability
from xembed.attribution._scored_model import DELETIONS, ScoredModel

VALUES = {"she": 2.0, "sings": 1.0, "bad": -3.0}
SENTENCE = ["She", "sings", "a", "bad", "."]
TRUTH = [2.0, 1.0, 0.0, -3.0, 0.0]


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    with one_thread():
        yield


def bag(**options):
    return ScoredModel(BagOfWords(VALUES), tiny_tokenizer(), caller="this test", **options)


def bert(**options):
    return ScoredModel(tiny_bert(3), tiny_tokenizer(), caller="this test", **options)


def probability(logit):
    """Of class 1 of the bag of words, whose logits are minus and plus its value."""
    return 1 / (1 + math.exp(-2 * logit))


def run(model, attributions, sentences=(SENTENCE,), targets=None, **options):
    rows = model.words.encode(list(sentences))
    return faithfulness(model, rows, [1] * len(rows) if targets is None else targets, attributions, **options)


@pytest.mark.parametrize("output", ["logit", "probability"])
@pytest.mark.parametrize("deletion", DELETIONS)
def test_a_bag_of_words_by_hand(output, deletion):
    found = run(bag(output=output), {"truth": [TRUTH]}, deletion=deletion, shares=(0.2, 0.4))["truth"]
    # All is worth 0. Without "She" -2, without "She sings" -3; alone they are worth 2 and 3.
    lost = [0.5 - probability(-2), 0.5 - probability(-3)]
    lacking = [0.5 - probability(2), 0.5 - probability(3)]
    assert found["comprehensiveness_0.2"][0] == pytest.approx(lost[0])
    assert found["comprehensiveness_0.4"][0] == pytest.approx(lost[1])
    assert found["comprehensiveness"][0] == pytest.approx(np.mean(lost))
    assert found["sufficiency_0.2"][0] == pytest.approx(lacking[0])
    assert found["sufficiency_0.4"][0] == pytest.approx(lacking[1])
    assert found["sufficiency"][0] == pytest.approx(np.mean(lacking))


def test_unsigned_methods_go_by_size():
    options = {"shares": (0.2,)}
    by_value = run(bag(), {"a": [TRUTH]}, **options)["a"]["comprehensiveness"][0]
    by_size = run(bag(), {"a": [TRUTH]}, signed=False, **options)["a"]["comprehensiveness"][0]
    assert by_value == pytest.approx(0.5 - probability(-2))
    assert by_size == pytest.approx(0.5 - probability(3))  # without "bad"
    both = run(bag(), {"a": [TRUTH], "b": [TRUTH]}, signed={"a": True, "b": False}, **options)
    assert (both["a"]["comprehensiveness"][0], both["b"]["comprehensiveness"][0]) == (by_value, by_size)


def test_equal_values_come_in_the_order_of_the_text():
    constant = run(bag(), {"constant": [[0.3] * 5]}, shares=(0.2,))["constant"]
    assert constant["comprehensiveness"][0] == pytest.approx(0.5 - probability(-2))


def test_the_truth_is_more_faithful_than_its_opposite():
    found = run(bag(), {"truth": [TRUTH], "opposite": [[-value for value in TRUTH]]})
    assert found["truth"]["comprehensiveness"] > found["opposite"]["comprehensiveness"]
    assert found["truth"]["sufficiency"] < found["opposite"]["sufficiency"]


def test_the_definition_on_a_transformer():
    model = bert()
    sentences = [SENTENCE, ["The", "young", "actress", "met", "two", "old", "friends", "with", "her", "dog", "."]]
    rng = np.random.default_rng(0)
    attributions = [rng.normal(size=len(words)) for words in sentences]
    targets = [2, 0]
    found = run(model, {"drawn": attributions}, sentences, targets)["drawn"]
    rows = model.words.encode(sentences)
    for place, (row, values, target) in enumerate(zip(rows, attributions, targets, strict=True)):

        def score(present, row=row, target=target):
            ids = model.without(row, present, "mask")
            return softmax(model.score_ids([ids])[0])[target]

        whole = softmax(model.score_ids([row.ids])[0])[target]
        lost, lacking = [], []
        for share in SHARES:
            k = max(1, math.ceil(round(share * len(values), 6)))
            first = np.isin(np.arange(len(values)), np.argsort(-values)[:k])
            lost.append(whole - score(~first))
            lacking.append(whole - score(first))
        assert found["comprehensiveness"][place] == pytest.approx(np.mean(lost), abs=1e-6)
        assert found["sufficiency"][place] == pytest.approx(np.mean(lacking), abs=1e-6)


def test_all_the_words_are_sufficient_and_none_are_left():
    model = bert()
    found = run(model, {"any": [TRUTH]}, shares=(1.0,), deletion="delete")["any"]
    assert found["sufficiency"][0] == 0
    row = model.words.encode([SENTENCE])[0]
    scores = softmax(model.score_ids([row.ids, (row.ids[0], row.ids[-1])]), axis=1)[:, 1]
    assert found["comprehensiveness"][0] == pytest.approx(scores[0] - scores[1], abs=1e-6)


def test_one_word_works():
    found = run(bag(), {"any": [[0.7]]}, [["She"]])["any"]
    assert found["sufficiency"][0] == 0
    assert found["comprehensiveness"][0] == pytest.approx(probability(2) - 0.5)


def test_rows_that_methods_share_are_computed_once():
    model, counted = bert(), []
    # Of 5 words the shares take 1, 1, 1, 1 and 3: two rows without and two with only these, and the text.
    run(model, {"a": [TRUTH], "b": [TRUTH], "c": [[2.0 * v for v in TRUTH]]}, progress=counted.append)
    assert model.n_forward == sum(counted) == 5


def test_words_that_were_cut_off_take_no_part():
    model = ScoredModel(tiny_bert(), tiny_tokenizer(), max_length=5, caller="this test")
    # Three words are read; the other two can't be taken out, however high they are.
    low = run(model, {"a": [[1.0, 2.0, 3.0, -9.0, -9.0]]})["a"]
    high = run(model, {"a": [[1.0, 2.0, 3.0, 9.0, 9.0]]})["a"]
    for name in low:
        np.testing.assert_array_equal(low[name], high[name])
    assert low["comprehensiveness"][0] != 0


def test_results_do_not_depend_on_the_other_methods_or_rows():
    model = bert()
    rng = np.random.default_rng(1)
    sentences = [SENTENCE, ["He", "left"], ["A", "dog", "saw", "the", "man", "in", "the", "park", "."]]
    values = {name: [rng.normal(size=len(words)) for words in sentences] for name in "ab"}
    together = run(model, values, sentences)
    for name in "ab":
        for place, words in enumerate(sentences):
            alone = run(model, {name: [values[name][place]]}, [words])[name]
            for metric, found in alone.items():
                assert together[name][metric][place] == pytest.approx(found[0], abs=1e-5)


@pytest.mark.parametrize(
    ("n_words", "share", "expected"), [(30, 0.1, 3), (10, 0.3, 3), (20, 0.01, 1), (21, 0.1, 3), (1, 0.5, 1), (7, 1, 7)]
)
def test_shares_are_rounded_up_to_words(n_words, share, expected):
    assert n_taken(n_words, share) == expected


def test_aopc_is_the_mean_over_shares():
    np.testing.assert_allclose(aopc([[0.0, 1.0], [0.5, -0.5]]), [0.5, 0.0])


@pytest.mark.parametrize(
    ("attributions", "options", "match"),
    [
        ({"a": [TRUTH]}, {"deletion": "zero"}, "'deletion' parameter of faithfulness must be one of"),
        ({"a": [TRUTH]}, {"shares": ()}, "'shares' parameter of faithfulness must be one or more different"),
        ({"a": [TRUTH]}, {"shares": (0.1, 0.1)}, "different numbers"),
        ({"a": [TRUTH]}, {"shares": (0.0,)}, r"'shares' parameter of faithfulness must be a number in \(0, 1\]"),
        ({"a": [TRUTH]}, {"shares": (1.5,)}, r"must be a number in \(0, 1\]"),
        ({"a": [TRUTH]}, {"targets": [2]}, "from 0 to 1, the outputs of the model. Got 2"),
        ({"a": [TRUTH]}, {"targets": [0, 1]}, "'targets' parameter of faithfulness .* for each of the 1 rows"),
        ({"a": [TRUTH]}, {"targets": [-1]}, "'targets' parameter"),
        ({"a": [TRUTH]}, {"signed": {"b": True}}, "must name each method. It lacks 'a'"),
        ({}, {}, "must map names of methods to attributions. Got dict without a method"),
        ([TRUTH], {}, "Got list"),
        ({"a": []}, {}, "an attribution for each of the 1 rows. Got 0 of 'a'"),
        ({"a": [TRUTH[:3]]}, {}, r"of 'a' for row 0 must have a value for each of its 5 words. .* \(3,\)"),
        ({"a": [[math.nan] * 5]}, {}, "of 'a' for row 0 must be finite"),
    ],
)
def test_bad_input(attributions, options, match):
    with pytest.raises(ValueError, match=match):
        run(bag(), attributions, **options)


# ---- stability


def test_stability_by_hand():
    first, second = [4.0, 1.0, 0.0, -3.0], [-2.0, 0.5, 0.5, 1.0]
    found = stability([first], [second], [[1, 0, 0, 1]])
    # Shared: 1/8 and 0 against 1/8 and 1/8 (of 4).
    assert found["context_l1"][0] == pytest.approx(1 / 8)
    assert math.isnan(found["context_kendall"][0])  # the second is constant there
    assert found["antisymmetry"][0] == pytest.approx(11 / math.sqrt(25 * 5))


def test_the_same_and_the_opposite():
    values, marks = [3.0, -1.0, 0.5, 0.25], [True, True, False, False]
    same = stability([values], [values], [marks])
    assert [float(same[name][0]) for name in ("context_l1", "context_kendall", "antisymmetry")] == [0, 1, -1]
    turned = [-3.0, 1.0, 0.5, 0.25]
    assert stability([values], [turned], [marks])["antisymmetry"][0] == pytest.approx(1)


def test_what_can_not_be_compared_is_nan():
    found = stability([[0.0, 0.0], [1.0, 2.0]], [[1.0, 2.0], [1.0, 2.0]], [[True, False], [True, True]])
    assert np.isnan(found["context_l1"]).tolist() == [True, True]  # all zero; no shared word
    assert np.isnan(found["context_kendall"]).all()
    assert np.isnan(found["antisymmetry"]).tolist() == [True, False]
    assert np.isnan(stability([[1.0, 2.0]], [[1.0, 2.0]], [[False, False]])["antisymmetry"][0])


def test_no_pair_is_no_number():
    assert {name: values.shape for name, values in stability([], [], []).items()} == {
        "context_l1": (0,), "context_kendall": (0,), "antisymmetry": (0,)
    }  # fmt: skip


@settings(max_examples=80, deadline=None)
@given(
    st.integers(1, 7).flatmap(
        lambda n: st.tuples(
            hnp.arrays(float, n, elements=st.integers(-5, 5).map(float)),
            hnp.arrays(float, n, elements=st.integers(-5, 5).map(float)),
            hnp.arrays(bool, n),
        )
    )
)
def test_stability_is_symmetric_in_its_range_and_does_not_see_the_scale(three):
    one, other, marks = three
    found, turned = stability([one], [other], [marks]), stability([other], [one], [marks])
    scaled = stability([one * 4], [other / 2], [marks])
    for name, (low, high) in {"context_l1": (0, 2), "context_kendall": (-1, 1), "antisymmetry": (-1, 1)}.items():
        if not np.isnan(found[name][0]):
            assert low - 1e-9 <= found[name][0] <= high + 1e-9
        np.testing.assert_allclose(turned[name], found[name], atol=1e-12)
        np.testing.assert_allclose(scaled[name], found[name], atol=1e-12)
    if not np.isnan(found["context_kendall"][0]):
        expected = kendalltau(np.abs(one)[~marks], np.abs(other)[~marks]).statistic
        assert found["context_kendall"][0] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("first", "second", "marks", "match"),
    [
        ([[1.0]], [], [[1]], "for each pair. Got 1, 0 and 1"),
        ([[1.0]], [[1.0, 2.0]], [[1]], r"of pair 0 of stability must have as many words. .* \(1,\), \(2,\) and \(1,\)"),
        ([[1.0]], [[1.0]], [[1, 0]], "must have as many words"),
        ([[1.0]], [[math.inf]], [[1]], "attributions of pair 0 of stability must be finite"),
    ],
)
def test_bad_pairs(first, second, marks, match):
    with pytest.raises(ValueError, match=match):
        stability(first, second, marks)
