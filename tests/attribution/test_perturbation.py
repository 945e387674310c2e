"""Occlusion, LIME, Kernel SHAP and Shapley sampling: known values, captum's own results, and what they cost."""

import warnings

import numpy as np
import pytest
import torch
from captum.attr import FeatureAblation, KernelShap, ShapleyValueSampling
from hypothesis import given, settings
from hypothesis import strategies as st
from models import BagOfWords, one_thread, tiny_bert, tiny_tokenizer

from xembed.attribution import _perturbation
from xembed.attribution._method import MethodOptions, row_seed
from xembed.attribution._perturbation import (
    METHODS,
    kernel_shap,
    kernel_shap_rows,
    lime,
    masked_ids,
    occlusion,
    shapley_sampling,
)
from xembed.attribution._scored_model import DELETIONS, ScoredModel, own_random_state

RUNS = {method.name: method.run for method in METHODS}
VALUES = {"she": 2.0, "sing": 1.0, "##s": 0.5, "bad": -3.0, "[MASK]": 0.25}
LONG = ["The", "young", "actress", "met", "two", "old", "friends", "with", "her", "dog", "in", "the", "park", "."]
SHORT = ["She", "sings", "."]
OTHER = ["A", "bad", "king", "left", "early", "and", "a", "good", "woman", "met", "the", "boy", "late", "."]


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    with one_thread():
        yield


def bag():
    return ScoredModel(BagOfWords(VALUES), tiny_tokenizer(), caller="this test")


def bert(**options):
    return ScoredModel(tiny_bert(), tiny_tokenizer(), caller="this test", **options)


def ones(rows):
    return np.ones(len(rows), dtype=np.int64)


def values(model, name, sentences, **options):
    rows = model.words.encode(sentences)
    return RUNS[name](model, rows, ones(rows), MethodOptions(**options))


@pytest.mark.parametrize("name", ["occlusion", "kernel_shap", "shapley_sampling"])
@pytest.mark.parametrize("n_samples", [40, 1000])  # drawn, and enumerated
def test_values_of_a_linear_model_are_those_of_its_words(name, n_samples):
    sentence = ["She", "sings", "a", "bad", "two", "and", "the", "."]
    found = values(bag(), name, [sentence], n_samples=n_samples, deletion="pad")
    # "sings" is one token that has no value; every word is worth what its tokens are worth.
    np.testing.assert_allclose(found.words[0], [2, 0, 0, -3, 0, 0, 0, 0], atol=1e-5)


@pytest.mark.parametrize("name", RUNS)
def test_the_tokens_of_a_word_are_left_out_together_and_fillers_count(name):
    found = values(bag(), name, [["boy", "She", "singss"]], n_samples=300, deletion="mask")
    # A mask is worth 0.25 a token: "singss" is three tokens or unknown.
    tokens = bag().words.encode([["boy", "She", "singss"]])[0].ids
    assert len(tokens) == 6  # sings ##s
    expected = np.array([-0.25, 2 - 0.25, 0.5 - 2 * 0.25])
    tolerance = 0.2 if name == "lime" else 1e-5
    np.testing.assert_allclose(found.words[0], expected, atol=tolerance)


def test_lime_by_hand_is_a_shrunken_version_of_a_linear_model():
    sentence = ["She", "sings", "a", "bad", "two", "and", "the", "."]
    few = values(bag(), "lime", [sentence], n_samples=50, deletion="pad").words[0]
    many = values(bag(), "lime", [sentence], n_samples=3000, deletion="pad").words[0]
    truth = np.array([2, 0, 0, -3, 0, 0, 0, 0])
    np.testing.assert_allclose(many, truth, atol=0.02)
    assert np.abs(few - truth).max() < 0.6
    assert (np.abs(few) > 1e-9).all()  # no lasso: nothing is exactly zero


def test_ridge_against_scikit_learn():
    from sklearn.linear_model import LinearRegression, Ridge

    rng = np.random.default_rng(0)
    present, scores = rng.integers(0, 2, (60, 7)).astype(float), rng.normal(size=60)
    weights = rng.uniform(0.1, 1, 60)
    ridge = Ridge(alpha=1.0).fit(present, scores, sample_weight=weights).coef_
    np.testing.assert_allclose(_perturbation._ridge(present, scores, weights, 1.0), ridge, atol=1e-10)
    linear = LinearRegression().fit(present, scores, sample_weight=weights).coef_
    np.testing.assert_allclose(_perturbation._shap_regression(present, scores, weights), linear, atol=1e-10)


def test_weights_of_lime_are_those_of_its_text_explainer():
    masks, _ = _perturbation._lime_plan(9, 5, MethodOptions(n_samples=200))
    kept = {}
    original = _perturbation._ridge
    try:
        _perturbation._ridge = lambda present, scores, weights, penalty: kept.update(weights=weights) or scores
        masks, solve = _perturbation._lime_plan(9, 5, MethodOptions(n_samples=200))
        solve(np.zeros(200))
    finally:
        _perturbation._ridge = original
    assert masks[0].all() and not masks[1:].all(axis=1).any()
    cosine = masks.sum(axis=1) / np.sqrt(9 * np.maximum(masks.sum(axis=1), 1))
    expected = np.sqrt(np.exp(-((100 * (1 - cosine)) ** 2) / 25**2))
    np.testing.assert_allclose(kept["weights"], expected, rtol=1e-4)
    # The number of words left out is uniform, as in LIME, not about a half of them.
    assert len({*masks.sum(axis=1)}) == 10


def forward(model, row):
    """Return what captum calls where nothing is shared between rows: presence vectors to scores of output 1."""

    def scores(present):
        ids = [model.without(row, vector > 0, "mask") for vector in present.numpy()]
        return torch.from_numpy(model.score_ids(ids)[:, 1])

    return scores


def test_occlusion_is_the_feature_ablation_of_captum():
    model = bert()
    rows = model.words.encode([LONG, SHORT])
    for row, found in zip(rows, occlusion(model, rows, ones(rows), MethodOptions()).words, strict=True):
        n = len(row.words)
        expected = FeatureAblation(forward(model, row)).attribute(torch.ones(1, n), perturbations_per_eval=n)
        np.testing.assert_allclose(found, expected[0].numpy(), atol=1e-5)


@pytest.mark.parametrize("name", ["kernel_shap", "shapley_sampling"])
def test_drawn_shapley_values_are_those_of_captum(name):
    model = bert()
    rows = model.words.encode([LONG])
    found = RUNS[name](model, rows, ones(rows), MethodOptions(n_samples=65, seed=3)).words[0]
    with own_random_state(row_seed(rows[0], 3), torch.device("cpu")):
        if name == "kernel_shap":
            expected = KernelShap(forward(model, rows[0])).attribute(
                torch.ones(1, len(LONG)), n_samples=65, perturbations_per_eval=65
            )
        else:
            n_orders = round(65 / len(LONG))
            expected = ShapleyValueSampling(forward(model, rows[0])).attribute(
                torch.ones(1, len(LONG)), n_samples=n_orders
            )
    # Captum solves in single precision, with weights of a million for Kernel SHAP.
    np.testing.assert_allclose(found, expected[0].numpy(), atol=2e-3)


def test_more_rows_come_nearer_to_the_exact_values():
    model = bert()
    sentence = LONG[:8]
    exact = values(model, "kernel_shap", [sentence], n_samples=256).words[0]
    same = values(model, "shapley_sampling", [sentence], n_samples=256).words[0]
    np.testing.assert_array_equal(exact, same)
    for name in ("kernel_shap", "shapley_sampling"):
        errors = [
            np.mean(
                [
                    np.abs(values(model, name, [sentence], n_samples=n, seed=seed).words[0] - exact).mean()
                    for seed in range(4)
                ]
            )
            for n in (24, 240)
        ]
        assert errors[1] < 0.6 * errors[0], (name, errors)


@pytest.mark.parametrize("name", RUNS)
def test_results_do_not_depend_on_what_else_is_explained(name):
    model = bert()
    together = values(model, name, [LONG, SHORT, OTHER])
    alone = [values(model, name, [sentence]) for sentence in (LONG, SHORT, OTHER)]
    turned = values(model, name, [OTHER, LONG, SHORT])
    for place, other in enumerate((1, 2, 0)):
        np.testing.assert_allclose(together.words[place], alone[place].words[0], atol=1e-5)
        np.testing.assert_allclose(together.words[place], turned.words[other], atol=1e-5)


@pytest.mark.parametrize("name", RUNS)
def test_same_seed_same_bits_and_global_generators_stay(name):
    model = bert()
    torch.manual_seed(11)
    np.random.seed(11)  # noqa: NPY002
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    first, second = values(model, name, [LONG], seed=4), values(model, name, [LONG], seed=4)
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert (np.random.get_state()[1] == numpy_state).all()  # noqa: NPY002
    np.testing.assert_array_equal(first.words[0], second.words[0])
    if name != "occlusion":
        assert not np.allclose(first.words[0], values(model, name, [LONG], seed=5).words[0])


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_equal_rows_are_computed_once_and_the_cost_is_an_upper_bound(method):
    for sentence in (LONG, SHORT, ["She"]):
        model, counted = bert(), []
        rows = model.words.encode([sentence, sentence])
        options = MethodOptions(progress=counted.append)
        method.run(model, rows, ones(rows), options)
        forward_rows, backward_rows = method.rows(len(sentence), options)
        # Twice the same text costs as much as once.
        assert model.n_forward == sum(counted) <= forward_rows
        assert model.n_backward == backward_rows == 0
    assert model.n_forward == 2  # one word: it is there or not


def test_many_texts_are_taken_in_chunks_with_the_same_result(monkeypatch):
    model = bert()
    whole = values(model, "kernel_shap", [LONG, SHORT, OTHER])
    monkeypatch.setattr(_perturbation, "_ROWS_AT_ONCE", 60)
    held = []
    score_ids = model.score_ids
    monkeypatch.setattr(model, "score_ids", lambda rows, **o: held.append(len(rows)) or score_ids(rows, **o))
    cut = values(model, "kernel_shap", [LONG, SHORT, OTHER])
    assert held == [100, 8, 100]
    for one, other in zip(whole.words, cut.words, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


@pytest.mark.parametrize("name", ["kernel_shap", "shapley_sampling"])
@pytest.mark.parametrize("sentence", [LONG, SHORT, ["She"], ["She", "left"]])
@pytest.mark.parametrize("deletion", DELETIONS)
def test_shapley_values_sum_to_the_difference(name, sentence, deletion):
    model = bert()
    rows = model.words.encode([sentence])
    found = values(model, name, [sentence], deletion=deletion)
    nothing = model.without(rows[0], np.zeros(len(sentence), dtype=bool), deletion)
    full, empty = model.score_ids([rows[0].ids, nothing])[:, 1]
    assert found.baseline_scores[0] == pytest.approx(empty, abs=1e-5)
    assert found.words[0].sum() == pytest.approx(full - empty, abs=1e-4)
    assert found.completeness[0] < 1e-3


@pytest.mark.parametrize("name", ["occlusion", "lime"])
def test_methods_that_promise_no_sum_report_none(name):
    found = values(bert(), name, [SHORT])
    assert np.isnan(found.completeness).all() and np.isnan(found.baseline_scores).all()
    assert np.isnan(found.special).all()


@pytest.mark.parametrize("n_samples", [1, 2, 3])
@pytest.mark.parametrize("name", RUNS)
@pytest.mark.filterwarnings("ignore:Kernel SHAP has more words")
def test_few_words_and_few_samples_work(name, n_samples):
    found = values(bert(), name, [["She"], ["She", "left"], LONG], n_samples=n_samples)
    assert [len(words) for words in found.words] == [1, 2, len(LONG)]
    assert all(np.isfinite(words).all() for words in found.words)


def test_one_word_has_the_whole_difference():
    for name in ("occlusion", "kernel_shap", "shapley_sampling"):
        assert values(bag(), name, [["She"]], deletion="delete").words[0] == pytest.approx([2.0])


@pytest.mark.parametrize("name", RUNS)
def test_words_without_tokens_have_zero(name):
    model = bert(max_length=8)
    rows = model.words.encode([LONG])
    assert rows[0].truncated
    found = RUNS[name](model, rows, ones(rows), MethodOptions()).words[0]
    assert len(found) == len(LONG)
    assert (found[:6] != 0).all() and (found[6:] == 0).all()


def test_targets_are_those_of_each_row():
    model = bag()
    rows = model.words.encode([SHORT, SHORT])
    found = occlusion(model, rows, np.array([0, 1]), MethodOptions(deletion="pad"))
    np.testing.assert_allclose(found.words[0], [-2, 0, 0])
    np.testing.assert_allclose(found.words[1], [2, 0, 0])


def test_kernel_shap_warns_where_rows_are_too_few():
    model = bert()
    rows = model.words.encode([LONG, SHORT])
    with pytest.warns(UserWarning, match=r"more words than rows to fit them to in 1 of 2 texts \(n_samples=10"):
        kernel_shap(model, rows, ones(rows), MethodOptions(n_samples=10))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        kernel_shap(model, rows, ones(rows), MethodOptions(n_samples=50))


def test_a_tokenizer_without_the_filler_is_named():
    model = bert()
    model.tokenizer.mask_token = None
    rows = model.words.encode([SHORT])
    with pytest.raises(ValueError, match="needs a tokenizer with that special token"):
        lime(model, rows, ones(rows), MethodOptions(deletion="mask"))


def test_scores_that_are_no_numbers_are_an_error():
    model = ScoredModel(BagOfWords({"she": float("nan")}), tiny_tokenizer(), caller="this test")
    rows = model.words.encode([SHORT])
    with pytest.raises(RuntimeError, match="must give finite scores"):
        shapley_sampling(model, rows, ones(rows), MethodOptions())


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from(["She", "sings", "actors", "zzz", "bad-looking", "."]), min_size=1, max_size=8),
    st.sampled_from(DELETIONS),
    st.integers(0, 2**8 - 1),
)
def test_masked_ids_are_those_of_the_model_row_by_row(sentence, deletion, number):
    model = bag()
    row = model.words.encode([sentence])[0]
    mask = np.array([bool(number >> bit & 1) for bit in range(len(sentence))])
    masks = np.stack([mask, ~mask])
    assert masked_ids(model, row, masks, deletion) == [model.without(row, present, deletion) for present in masks]


def test_costs_say_what_is_enumerated():
    options = MethodOptions(n_samples=100)
    assert kernel_shap_rows(6, options) == (64.0, 0.0)
    assert kernel_shap_rows(7, options) == (100.0, 0.0)
