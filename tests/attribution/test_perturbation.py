"""Occlusion, LIME, Kernel SHAP and Shapley sampling: known values, captum's own results, and what they cost."""

import math
import warnings
from math import comb

import numpy as np
import pytest
import torch
from captum.attr import FeatureAblation, KernelShap, LimeBase, ShapleyValueSampling
from hypothesis import given, settings
from hypothesis import strategies as st
from models import BagOfWords, one_thread, tiny_bert, tiny_tokenizer

from xembed.attribution import _perturbation
from xembed.attribution._method import MethodOptions, row_seed
from xembed.attribution._pair_shapley import shapley_values
from xembed.attribution._perturbation import (
    METHODS,
    kernel_shap_plan,
    lime_plan,
    lime_weights,
    masked_ids,
    shapley_sampling_plan,
)
from xembed.attribution._scored_model import DELETIONS, ScoredModel

RUNS = {method.name: method.run for method in METHODS}
COSTS = {method.name: method.rows for method in METHODS}
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
    from sklearn.linear_model import Ridge

    rng = np.random.default_rng(0)
    masks, scores, weights = rng.integers(0, 2, (60, 7)) > 0, rng.normal(size=60), rng.uniform(0.1, 1, 60)
    ridge = Ridge(alpha=1.0).fit(masks, scores, sample_weight=weights).coef_
    np.testing.assert_allclose(_perturbation._ridge(masks, scores, weights, 1.0), ridge, atol=1e-10)


@pytest.mark.parametrize("n_drawn", [60, 3])  # 3: more words than rows, of all solutions the one of equal parts
def test_shap_regression_is_least_squares_under_the_constraint_of_the_sum(n_drawn):
    rng = np.random.default_rng(0)
    masks = np.concatenate([[[True] * 7, [False] * 7], rng.integers(0, 2, (n_drawn, 7)) > 0])
    scores = rng.normal(size=len(masks))
    found = _perturbation._shap_regression(masks, scores)
    difference = scores[0] - scores[1]
    assert found.sum() == pytest.approx(difference, abs=1e-12)
    # The equations of Lagrange, by hand.
    X, y = masks.astype(float), scores - scores[1]
    system = np.block([[X.T @ X, np.ones((7, 1))], [np.ones((1, 7)), np.zeros((1, 1))]])
    residual = system @ np.append(found, 0) - np.append(X.T @ y, difference)
    np.testing.assert_allclose(residual[:7], residual[:7].mean(), atol=1e-10)
    if n_drawn > 7:
        np.testing.assert_allclose(found, np.linalg.solve(system, np.append(X.T @ y, difference))[:7], atol=1e-10)


# ---- draws, against their definitions


def chi_square(counts, probabilities):
    from scipy.stats import chisquare

    counts = np.asarray(counts)
    return chisquare(counts, np.asarray(probabilities) * counts.sum()).pvalue


def test_draws_of_lime_are_those_of_its_text_explainer():
    n = 9
    masks = np.concatenate([lime_plan(n, seed, MethodOptions(n_samples=201))[0][1:] for seed in range(50)])
    # The number of words left out is uniform from 1 to all, as in LIME, not about a half of them; words are uniform.
    left_out = (~masks).sum(axis=1)
    assert chi_square(np.bincount(left_out, minlength=n + 1)[1:], np.full(n, 1 / n)) > 0.001
    assert chi_square((~masks).sum(axis=0), np.full(n, 1 / n)) > 0.001
    first = lime_plan(n, 5, MethodOptions(n_samples=200))[0][0]
    assert first.all() and not masks.all(axis=1).any()


def test_weights_of_lime_are_those_of_its_text_explainer():
    masks, _ = lime_plan(9, 5, MethodOptions(n_samples=200))
    cosine = masks.sum(axis=1) / np.sqrt(9 * np.maximum(masks.sum(axis=1), 1))
    expected = np.sqrt(np.exp(-((100 * (1 - cosine)) ** 2) / 25**2))
    np.testing.assert_allclose(lime_weights(masks), expected, rtol=1e-12)


def test_draws_of_kernel_shap_follow_the_shapley_kernel():
    n = 4
    drawn = []
    for seed in range(1000):
        masks, _ = kernel_shap_plan(n, seed, MethodOptions(n_samples=15))
        assert len(masks) == 15 and masks[0].all() and not masks[1].any()
        drawn.append(masks[2:])
    numbers = np.concatenate(drawn) @ (1 << np.arange(n))
    # Equation 9 of Lundberg and Lee, for each of the 14 sets of words that are neither none nor all.
    sizes = np.array([number.bit_count() for number in range(1, 2**n - 1)])
    kernel = np.array([(n - 1) / (comb(n, int(size)) * size * (n - size)) for size in sizes])
    assert chi_square(np.bincount(numbers, minlength=2**n)[1:-1], kernel / kernel.sum()) > 0.001


def test_orders_of_shapley_sampling_are_uniform_and_grow_word_by_word():
    n, counts = 4, {}
    for seed in range(1000):
        masks, _ = shapley_sampling_plan(n, seed, MethodOptions(n_samples=15))
        orders = masks[1:].reshape(-1, n, n)
        assert len(orders) == 4 and not masks[0].any() and orders[:, -1].all()
        grown = np.diff(orders.astype(int), axis=1, prepend=0)
        assert (grown.sum(axis=2) == 1).all() and (grown >= 0).all()
        for order in grown.argmax(axis=2):
            counts[tuple(order)] = counts.get(tuple(order), 0) + 1
    assert len(counts) == 24
    assert chi_square(list(counts.values()), np.full(24, 1 / 24)) > 0.001


def test_shapley_sampling_is_what_each_word_adds_in_the_orders():
    masks, solve = shapley_sampling_plan(6, 1, MethodOptions(n_samples=30))
    scores = np.random.default_rng(0).normal(size=len(masks))
    added = np.zeros(6)
    for start in range(1, len(masks), 6):
        before, present = scores[0], np.zeros(6, dtype=bool)
        for mask, score in zip(masks[start : start + 6], scores[start : start + 6], strict=True):
            added[np.flatnonzero(mask & ~present)] += score - before
            before, present = score, mask
    np.testing.assert_allclose(solve(scores), added / 5, atol=1e-12)


@pytest.mark.parametrize("plan", [kernel_shap_plan, shapley_sampling_plan])
def test_values_from_draws_have_the_exact_ones_as_their_mean(plan):
    # A game in which pairs and triples of words matter, so that single draws miss its values.
    rng = np.random.default_rng(2)
    alone, pairs, all_three = rng.normal(size=6), np.triu(rng.normal(size=(6, 6)), 1), 2.0

    def play(masks):
        x = masks.astype(float)
        return x @ alone + ((x @ pairs) * x).sum(axis=1) + all_three * x[:, 0] * x[:, 1] * x[:, 2]

    exact = shapley_values(play(_perturbation._all_masks(6)))
    draws = []
    for seed in range(400):
        masks, solve = plan(6, seed, MethodOptions(n_samples=60))
        draws.append(solve(play(masks)))
    error = np.std(draws, axis=0) / np.sqrt(len(draws))
    assert (error > 0.001).all()  # they do vary
    # The regression of Kernel SHAP has a bias that vanishes with its rows; 60 rows keep it below the noise here.
    assert (np.abs(np.mean(draws, axis=0) - exact) < 4 * error).all()


# ---- captum's own, by its public classes


def forward(model, row):
    """Return what captum calls where nothing is shared between rows: presence vectors to scores of output 1."""

    def scores(present):
        ids = [model.without(row, vector > 0, "mask") for vector in present.numpy()]
        return torch.from_numpy(model.score_ids(ids)[:, 1])

    return scores


def test_occlusion_is_the_feature_ablation_of_captum():
    model = bert()
    rows = model.words.encode([LONG, SHORT])
    for row, found in zip(rows, RUNS["occlusion"](model, rows, ones(rows), MethodOptions()).words, strict=True):
        n = len(row.words)
        expected = FeatureAblation(forward(model, row)).attribute(torch.ones(1, n), perturbations_per_eval=n)
        np.testing.assert_allclose(found, expected[0].numpy(), atol=1e-5)


@pytest.mark.parametrize(("plan", "name"), [(lime_plan, "lime"), (kernel_shap_plan, "kernel_shap")])
def test_values_are_those_of_captums_regression_on_the_same_rows(plan, name):
    from captum._utils.models.linear_model import SkLearnLinearRegression, SkLearnRidge

    model = bert()
    rows = model.words.encode([LONG])
    options = MethodOptions(n_samples=65, seed=3)
    found = RUNS[name](model, rows, ones(rows), options).words[0]
    n = len(LONG)
    masks, _ = plan(n, row_seed(rows[0], 3), options)

    def draw(*_, **__):
        for mask in masks:
            yield torch.from_numpy(mask[None].astype(np.float32))

    def weigh(_original, _perturbed, present, **_):
        if name == "lime":
            return torch.tensor([math.exp(-((1 - math.sqrt(present.sum().item() / n)) ** 2) / (2 * 0.25**2))])
        return torch.tensor([1e6 if present.sum() in (0, n) else 1.0])  # what captum puts for infinity

    method = LimeBase(
        forward(model, rows[0]),
        SkLearnRidge(alpha=1.0) if name == "lime" else SkLearnLinearRegression(),
        weigh,
        draw,
        perturb_interpretable_space=True,
        from_interp_rep_transform=lambda present, *_, **__: present,
        to_interp_rep_transform=None,
    )
    expected = method.attribute(torch.ones(1, n), n_samples=65, perturbations_per_eval=65)
    # Captum solves in single precision, with weights of a million for Kernel SHAP.
    np.testing.assert_allclose(found, expected[0].numpy(), atol=2e-3)


@pytest.mark.parametrize("name", ["kernel_shap", "shapley_sampling"])
def test_draws_miss_the_exact_values_by_as_much_as_captums(name):
    model = bert()
    sentence = LONG[:8]
    rows = model.words.encode([sentence])
    exact = values(model, name, [sentence], n_samples=256).words[0]
    ours = [values(model, name, [sentence], n_samples=80, seed=seed).words[0] for seed in range(40)]
    method = KernelShap if name == "kernel_shap" else ShapleyValueSampling
    theirs = []
    for seed in range(40):
        torch.manual_seed(seed)
        np.random.seed(seed)  # noqa: NPY002
        found = method(forward(model, rows[0])).attribute(
            torch.ones(1, 8), n_samples=80 if name == "kernel_shap" else 10, perturbations_per_eval=80
        )
        theirs.append(found[0].numpy())
    errors = [np.sqrt(((np.array(drawn) - exact) ** 2).mean()) for drawn in (ours, theirs)]
    assert errors[0] == pytest.approx(errors[1], rel=0.2)


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
    found = RUNS["occlusion"](model, rows, np.array([0, 1]), MethodOptions(deletion="pad"))
    np.testing.assert_allclose(found.words[0], [-2, 0, 0])
    np.testing.assert_allclose(found.words[1], [2, 0, 0])


def test_kernel_shap_warns_where_rows_are_too_few():
    model = bert()
    rows = model.words.encode([LONG, SHORT])
    with pytest.warns(UserWarning, match=r"more words than rows to fit them to in 1 of 2 texts \(n_samples=10"):
        RUNS["kernel_shap"](model, rows, ones(rows), MethodOptions(n_samples=10))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        RUNS["kernel_shap"](model, rows, ones(rows), MethodOptions(n_samples=50))


def test_a_tokenizer_without_the_filler_is_named():
    model = bert()
    model.tokenizer.mask_token = None
    rows = model.words.encode([SHORT])
    with pytest.raises(ValueError, match="needs a tokenizer with that special token"):
        RUNS["lime"](model, rows, ones(rows), MethodOptions(deletion="mask"))


def test_scores_that_are_no_numbers_are_an_error():
    model = ScoredModel(BagOfWords({"she": float("nan")}), tiny_tokenizer(), caller="this test")
    rows = model.words.encode([SHORT])
    with pytest.raises(RuntimeError, match="must give finite scores"):
        RUNS["shapley_sampling"](model, rows, ones(rows), MethodOptions())


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
    assert COSTS["kernel_shap"](6, options) == (64.0, 0.0)
    assert COSTS["kernel_shap"](7, options) == (100.0, 0.0)
