"""What the reproduction of GECOBench's own code computes: its explanations, its scores, its benchmark."""

import copy
import doctest
import json
import math
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from xembed.attribution._method import MethodOptions
from xembed.attribution._methods import METHODS, run_method
from xembed.attribution._scored_model import ScoredModel
from xembed.datasets import PairedSentences
from xembed.geco import Benchmark, make_one_layer, mass_accuracy, top_k_precision

sys.path.insert(0, str(Path(__file__).parents[2] / "docs" / "measurements"))
from geco_reference import (
    REFERENCE_METHODS,
    ReferenceBenchmark,
    explanations,
    metrics,
    reference_attributions,
    reference_metrics,
)
from geco_reference.explanations import _match, _to_words
from models import WORDS, BagOfWords, one_thread, save_small, small_pairs, tiny_bert, tiny_tokenizer

TOKENIZER = tiny_tokenizer()
OF_MODEL = sorted(set(REFERENCE_METHODS) - {"pattern", "uniform_random"})


def pairs(*sentences, labels=None):
    rows = [text.split() for text in sentences]
    return PairedSentences(
        name="mine",
        sentences=rows,
        ground_truth=[[1] + [0] * (len(words) - 1) for words in rows],
        labels=labels or [i % 2 for i in range(len(rows))],
        groups=[i // 2 for i in range(len(rows))],
        classes=("female", "male"),
    )


DATA = pairs(
    "she saw the old singer in the park .",
    "he saw the old singer in the park .",
    "the actress left .",
    "the actor left .",
)


@pytest.fixture(autouse=True, scope="module")
def few_threads():
    with one_thread():
        yield


@pytest.fixture(scope="module")
def model():
    return tiny_bert()


def explain(model, method, data=DATA, **options):
    return reference_attributions(model, TOKENIZER, data, method, **options)


def ids_of(data, row):
    return torch.tensor(ScoredModel(tiny_bert(), TOKENIZER, caller="test").words.encode(data.sentences)[row].ids)[None]


def by_hand(tokens, n_words, pieces=()):
    """Aggregate one number a token as published; ``pieces`` are places of tokens that continue a word."""
    sizes = np.abs(np.asarray(tokens, dtype=float))
    sizes = (sizes / sizes.sum())[1:-1]
    words = []
    for place, size in enumerate(sizes, start=1):
        if place in pieces:
            words[-1] += size
        else:
            words.append(size)
    assert len(words) == n_words
    return np.array(words)


def block_twice(model, ids):
    """Return embeddings as published, their gradient for class 0, and the model's logit there."""
    embeds = model.bert.embeddings(ids).detach().requires_grad_()
    logits = model(inputs_embeds=embeds).logits
    (gradient,) = torch.autograd.grad(logits[0, 0], embeds)
    return embeds.detach()[0], gradient[0]


# "singer" is "sing" and "##er": token 6 continues the word of token 5.
N_WORDS, PIECES = 9, (6,)


def test_saliency_is_of_embeddings_that_are_applied_twice(model):
    _, gradient = block_twice(model, ids_of(DATA, 0))
    expected = by_hand(gradient.abs().sum(-1), N_WORDS, PIECES)
    assert np.allclose(explain(model, "saliency_l1")[0], expected, atol=1e-6)
    # ... which is not the point that the model reads.
    word = model.bert.embeddings.word_embeddings(ids_of(DATA, 0)).detach().requires_grad_()
    (right,) = torch.autograd.grad(model(inputs_embeds=word).logits[0, 0], word)
    assert not np.allclose(by_hand(right[0].abs().sum(-1), N_WORDS, PIECES), expected, atol=1e-3)


def test_input_x_gradient_sums_signed_products_and_takes_sizes_before_pieces_are_summed(model):
    embeds, gradient = block_twice(model, ids_of(DATA, 0))
    expected = by_hand((embeds * gradient).sum(-1), N_WORDS, PIECES)
    assert np.allclose(explain(model, "input_x_gradient")[0], expected, atol=1e-6)


def test_guided_backprop_is_the_signed_gradient_and_deep_lift_the_same_where_nothing_is_rescaled():
    model = tiny_bert()
    with torch.no_grad():  # of a LayerNorm without equal weights sums are not rounding only
        model.bert.embeddings.LayerNorm = torch.nn.Linear(32, 32)
        model.bert.pooler.activation = torch.nn.Identity()
    _, gradient = block_twice(model, ids_of(DATA, 0))
    expected = by_hand(gradient.sum(-1), N_WORDS, PIECES)
    assert np.allclose(explain(model, "guided_backprop")[0], expected, atol=1e-5)
    assert np.allclose(explain(model, "deep_lift")[0], expected, atol=1e-5)


def test_the_signed_sum_behind_a_layer_norm_is_rounding(model):
    _, gradient = block_twice(model, ids_of(DATA, 0))
    assert gradient.sum(-1).abs().sum() < 1e-5 * gradient.abs().sum()


def test_deep_lift_starts_from_the_numbers_of_tokens():
    model = tiny_bert()
    model.bert.embeddings.LayerNorm = torch.nn.Linear(32, 32)
    with torch.no_grad():
        model.bert.pooler.dense.weight *= 3  # far into the tanh, where rescaling matters
    ids = ids_of(DATA, 2)
    x = model.bert.embeddings(ids).detach().requires_grad_()
    numbers = torch.tensor([2.0, 0, 0, 0, 0, 3])[None, :, None].expand_as(x)
    before = []
    hook = model.bert.pooler.dense.register_forward_hook(lambda _m, _a, output: before.append(output))
    model(inputs_embeds=x)
    model(inputs_embeds=numbers)
    hook.remove()
    here, there = before
    # The rule of rescaling by hand: the slope of the tanh is that between the two points.
    slope = ((here.tanh() - there.tanh()) / (here - there)).detach()
    (multipliers,) = torch.autograd.grad(here, x, grad_outputs=model.classifier.weight[:1].detach() * slope)
    expected = by_hand(multipliers[0].sum(-1), 4)
    found = explain(model, "deep_lift")[2]
    assert np.allclose(found, expected, atol=1e-4)
    assert not np.allclose(found, explain(model, "guided_backprop")[2], atol=1e-3)


def test_integrated_gradients_are_captums_of_the_embedding_block_and_of_probabilities(model):
    from captum.attr import LayerIntegratedGradients

    def probability(ids):
        return model(input_ids=ids).logits.softmax(-1)

    method = LayerIntegratedGradients(probability, model.bert.embeddings)
    for row in (0, 1):
        ids = ids_of(DATA, row)
        baseline = torch.zeros_like(ids)
        baseline[0, 0], baseline[0, -1] = ids[0, 0], ids[0, -1]
        tokens = method.attribute(ids, baselines=baseline, target=row, n_steps=200).sum(-1)[0]
        found = explain(model, "integrated_gradients")[row]
        assert np.allclose(found, by_hand(tokens.detach().double(), N_WORDS, PIECES), atol=1e-5)


def test_few_steps_are_a_coarse_rule(model):
    coarse = explain(model, "integrated_gradients", n_steps=2)
    fine = explain(model, "integrated_gradients", n_steps=50)
    published = explain(model, "integrated_gradients")
    far, near = (max(np.abs(a - b).max() for a, b in zip(x, published, strict=True)) for x in (coarse, fine))
    assert near < 1e-4 < far


def test_gradient_shap_with_many_samples_is_the_integral_of_the_way(model):
    data = DATA.take([0])
    many = explain(model, "gradient_shap", data, n_samples=3000)[0]
    ids = ids_of(DATA, 0)
    pads = torch.zeros_like(ids)
    pads[0, 0], pads[0, -1] = ids[0, 0], ids[0, -1]
    x, b = model.bert.embeddings(ids).detach(), model.bert.embeddings(pads).detach()
    total = torch.zeros(ids.shape[1])
    for t in (np.arange(100) + 0.5) / 100:
        at = (b + t * (x - b)).requires_grad_()
        (gradient,) = torch.autograd.grad(model(inputs_embeds=at).logits[0, 0], at)
        total += ((x - b) * gradient).sum(-1)[0]
    assert np.abs(many - by_hand(total, N_WORDS, PIECES)).max() < 0.02
    few = explain(model, "gradient_shap", data)[0]
    assert np.abs(few - many).max() > 1e-3


def additive():
    """Return a model whose probability of class 1 is known: logits are twice the sum of the values."""
    return BagOfWords({"she": -0.5, "he": 0.5, "the": 0.25, "sing": 0.1, "##er": -0.1}, TOKENIZER)


def test_kernel_shap_explains_the_probability():
    data = pairs("he left", "she left")
    values = explain(additive(), "kernel_shap", data, n_samples=400)
    for of_row in values:
        assert of_row[0] == pytest.approx(1, abs=1e-6)
        assert of_row[1] == pytest.approx(0, abs=1e-6)


def test_kernel_shap_takes_25_rows(model):
    scored = ScoredModel(model, TOKENIZER, caller="test")
    rows = scored.words.encode(DATA.sentences[:1])
    REFERENCE_METHODS["kernel_shap"].run(scored, rows, np.array([0]), MethodOptions(n_samples=300))
    # captum reads the text itself once more to see what the model gives; equal rows are read once.
    assert 10 < scored.n_forward <= 26
    assert REFERENCE_METHODS["kernel_shap"].rows(9, MethodOptions()) == (25.0, 0.0)


def test_lime_gives_a_token_the_weight_of_a_larger_word_that_holds_it():
    tokens = ["", "he", "saw", "the", "sing", "##er", ".", ""]
    weights = {"he": 0.1, "saw": -0.3, "the": 0.5, "sing": 0.0, "er": 0.2}
    assert _match(tokens, weights).tolist() == [0, 0.5, -0.3, 0.5, 0, 0, 0, 0]
    assert _match(tokens, weights | {"he": 0.6}).tolist() == [0, 0.6, -0.3, 0.5, 0, 0, 0, 0]


def test_lime_explains_class_1_whatever_the_target_and_deletes_equal_tokens_together():
    model, data = additive(), pairs("he saw the singer and the cat .", "she saw the singer and the cat .")
    values = explain(model, "lime", data, n_samples=600)
    other = explain(model, "lime", pairs(*data.texts, labels=[1, 0]), n_samples=600)
    assert all(np.array_equal(a, b) for a, b in zip(values, other, strict=True))
    he, _saw, the, singer, _and, the_again, _cat, stop = values[0]
    # "the" twice is worth 0.5 as "he" is: both hold "he", so all three have one and the same weight.
    assert the == the_again
    assert stop == 0
    assert he == pytest.approx(the) or he > the
    assert 0 < singer < he


def test_a_text_of_punctuation_alone_has_nothing_for_lime(model):
    assert explain(model, "lime", pairs(". , .", ". .", labels=[0, 1]))[0].tolist() == [0, 0, 0]


def test_pattern_is_fitted_on_the_rows_that_it_explains(model):
    values = explain(model, "pattern")
    # "she" and "he" are one row each, of opposite classes; the words that both have cancel but for their tf-idf.
    assert values[0].argmax() == 0 and values[1].argmax() == 0
    assert values[0][-1] == 0  # punctuation is no word of the vectorizer
    assert values[2].argmax() == 1 and values[3].argmax() == 1
    # By hand: idf is 1 for the word of both texts, 1 + ln(3/2) for the others; rows have unit length.
    first, _ = explain(model, "pattern", pairs("she left left", "left early"))
    idf = 1 + np.log(3 / 2)
    she, left = idf / np.hypot(idf, 2) / 2, abs(1 / np.hypot(idf, 1) - 2 / np.hypot(idf, 2)) / 2
    assert first == pytest.approx(np.array([she, left, left]) / (she + 2 * left))


def test_unknown_words_have_no_pattern(model):
    assert [values.tolist() for values in explain(model, "pattern", pairs("zebra", "zebra zebra"))] == [[0], [0, 0]]


def test_a_model_without_an_embedding_block_has_nothing_to_apply_twice():
    model = make_one_layer(TOKENIZER, 2)
    embeds = model.embeddings(ids_of(DATA, 0)).detach().requires_grad_()
    (gradient,) = torch.autograd.grad(model(inputs_embeds=embeds).logits[0, 0], embeds)
    expected = by_hand((embeds * gradient).detach().sum(-1)[0], N_WORDS, PIECES)
    assert np.allclose(explain(model, "input_x_gradient")[0], expected, atol=1e-6)


@pytest.mark.parametrize("method", sorted(REFERENCE_METHODS))
def test_words_are_shares_and_the_rest_is_that_of_special_tokens(model, method):
    scored = ScoredModel(model, TOKENIZER, caller="test")
    rows = scored.words.encode(DATA.sentences)
    output = run_method(REFERENCE_METHODS[method], scored, rows, np.array(DATA.labels), MethodOptions())
    for words, special, sentence in zip(output.words, output.special, DATA.sentences, strict=True):
        assert words.shape == (len(sentence),)
        assert (words >= 0).all()
        assert words.sum() + special == pytest.approx(1)
    public = explain(model, method, rng=0)
    if method not in ("gradient_shap", "kernel_shap", "lime", "uniform_random"):
        assert all(np.array_equal(a, b) for a, b in zip(public, output.words, strict=True))


@pytest.mark.parametrize("method", sorted(set(REFERENCE_METHODS) - {"pattern"}))
def test_a_row_is_explained_the_same_alone_and_among_others_and_again(model, method):
    together = explain(model, method, rng=3)
    alone = [explain(model, method, DATA.take([row]), rng=3)[0] for row in range(len(DATA))]
    assert all(np.allclose(a, b, atol=1e-6) for a, b in zip(together, alone, strict=True))
    assert all(np.array_equal(a, b) for a, b in zip(together, explain(model, method, rng=3), strict=True))


@pytest.mark.parametrize("method", ["gradient_shap", "kernel_shap", "lime", "uniform_random"])
def test_another_seed_draws_anew(model, method):
    assert not np.allclose(explain(model, method, rng=1)[0], explain(model, method, rng=2)[0])


@pytest.mark.parametrize("method", sorted(REFERENCE_METHODS))
def test_nothing_is_left_behind(model, method):
    model = copy.deepcopy(model).train()
    weights = {name: value.clone() for name, value in model.state_dict().items()}
    torch.manual_seed(5)
    np.random.seed(5)  # noqa: NPY002
    before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        explain(model, method)
    assert torch.equal(before[0], torch.get_rng_state())
    assert np.array_equal(before[1], np.random.get_state()[1])  # noqa: NPY002
    assert model.training and all(parameter.requires_grad for parameter in model.parameters())
    assert all(parameter.grad is None for parameter in model.parameters())
    assert all(torch.equal(value, weights[name]) for name, value in model.state_dict().items())
    assert not any(module._forward_hooks or module._backward_hooks for module in model.modules())


def test_names_and_labels_are_those_of_the_methods_that_they_stand_in_for():
    assert set(REFERENCE_METHODS) <= set(METHODS)
    for name, method in REFERENCE_METHODS.items():
        assert (method.name, method.label, method.family) == (name, METHODS[name].label, METHODS[name].family)
        assert not method.signed and method.fit is None
        assert method.rows(9, MethodOptions()) == REFERENCE_METHODS[name].rows(30, MethodOptions(n_samples=7))


@pytest.mark.parametrize("method", OF_MODEL)
def test_rows_and_progress_are_counted(model, method):
    scored, seen = ScoredModel(model, TOKENIZER, caller="test"), []
    rows = scored.words.encode(DATA.sentences)
    REFERENCE_METHODS[method].run(scored, rows, np.array(DATA.labels), MethodOptions(progress=seen.append))
    assert sum(seen) == scored.n_forward + scored.n_backward > 0
    forward, backward = REFERENCE_METHODS[method].rows(9, MethodOptions())
    assert scored.n_backward == backward * len(rows)
    assert scored.n_forward <= (forward + 1) * len(rows)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=12), st.data())
def test_sizes_are_taken_before_sums(values, data):
    row = ScoredModel(BagOfWords({}, TOKENIZER), TOKENIZER, caller="test").words.encode([["she"] * len(values)])[0]
    special = data.draw(st.tuples(st.floats(-9, 9), st.floats(-9, 9)))
    words, share = _to_words(np.array([special[0], *values, special[1]]), row)
    total = sum(map(abs, values)) + abs(special[0]) + abs(special[1])
    if total > 0:
        assert words == pytest.approx(np.abs(values) / total)
        assert share == pytest.approx((abs(special[0]) + abs(special[1])) / total)
    else:
        assert not words.any() and share == 0


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(st.sampled_from([*WORDS, "singer", "zebra"]), min_size=1, max_size=9), min_size=2, max_size=4))
def test_any_words_are_explained(sentences):
    data = pairs(*map(" ".join, sentences))
    for method in ("saliency_l1", "lime", "kernel_shap", "pattern"):
        found = explain(additive(), method, data)
        assert [len(values) for values in found] == list(map(len, sentences))
        assert all(np.isfinite(values).all() and (values >= 0).all() for values in found)


def test_errors(model):
    with pytest.raises(ValueError, match=r"'method' parameter of reference_attributions must be one of \{'deep_lift'"):
        explain(model, "saliency")
    with pytest.raises(TypeError, match=r"must be PairedSentences\. Got 'texts' instead"):
        explain(model, "lime", "texts")
    with pytest.raises(ValueError, match="'n_steps' parameter of reference_attributions must be an integer of at l"):
        explain(model, "integrated_gradients", n_steps=0)
    with pytest.raises(ValueError, match="'n_samples' parameter of reference_attributions must be an integer of at"):
        explain(model, "lime", n_samples=1)
    with pytest.raises(TypeError, match="'rng' parameter of reference_attributions"):
        explain(model, "lime", rng="0")
    data = PairedSentences("three", [["she"], ["he"], ["they"]], [[1]] * 3, [0, 1, 2], [0] * 3, ("f", "m", "n"))
    with pytest.raises(ValueError, match=r"must be from 0 to 1: the model has 2 outputs\. Got 2"):
        explain(model, "saliency_l1", data)
    broken = copy.deepcopy(model)
    with torch.no_grad():
        broken.classifier.bias[:] = float("nan")
    with pytest.raises(RuntimeError, match="must give finite scores"):
        explain(broken, "saliency_l1")


# ---- scores, from their description


def test_reference_top_k_asks_for_the_first_two_places():
    assert reference_metrics([0, 0, 0, 0, 1], [0, 0, 0, 0, 1])["top_k_precision"] == 0.0
    assert reference_metrics([2, 1, 0, 0, 0], [0, 0, 0, 0, 1])["top_k_precision"] == 1.0


def test_reference_top_k_of_a_perfect_explanation_on_real_rows(real_data):
    lines = (real_data / "geco" / "binary_gender_all" / "test.jsonl").read_text(encoding="utf-8").splitlines()
    truths = [np.array(json.loads(line)["ground_truth"]) for line in lines]
    rng = np.random.default_rng(0)
    scores = [reference_metrics(g * (1 + rng.random(len(g))), g)["top_k_precision"] for g in truths]
    assert 0.2 < np.mean(scores) < 0.32
    assert np.mean([top_k_precision(g, g) for g in truths]) == 1.0


@given(st.data(), st.integers(2, 8))
@settings(max_examples=100, deadline=None)
def test_reference_curves_are_those_of_scikit_learn(data, n):
    a = np.array(data.draw(st.lists(st.integers(-2, 2), min_size=n, max_size=n)), float)
    g = np.zeros(n, bool)
    g[data.draw(st.permutations(range(n)))[: data.draw(st.integers(1, n - 1))]] = True
    found = reference_metrics(a, g)
    assert found["roc_auc"] == pytest.approx(roc_auc_score(g, np.abs(a)), abs=1e-12)
    assert found["avg_precision"] == pytest.approx(average_precision_score(g, np.abs(a)), abs=1e-12)
    assert math.isnan(found["mass_accuracy"]) or found["mass_accuracy"] == pytest.approx(mass_accuracy(a, g))
    assert math.isnan(found["mass_accuracy"]) == (not a.any())


def test_reference_precision_by_hand():
    # Down to size 4: 1 of 1; 3: 1 of 2; 2: 2 of 3; 1: 2 of 4, specificity 0 then.
    found = reference_metrics([4, 3, 2, 1], [1, 0, 1, 0])
    assert found["precision_recall_auc"] == pytest.approx(0.5 * 1 + 0 + 0.5 * (1 / 2 + 2 / 3) / 2)
    assert found["precision_specificity"] == pytest.approx(1.0)  # at 0.5 exactly it does not count
    assert reference_metrics([4, 3, 1, 1], [0, 0, 1, 0])["precision_specificity"] == 0.0
    assert reference_metrics([1, 1], [1, 0])["precision_specificity"] == 0.0


@pytest.mark.parametrize(
    ("mass", "other", "expected"),
    [(0.6, 0.3, 0.0), (0.3, 0.6, math.nan), (0.5, 0.5, 0.0), (0.5, 0.0, math.log(1e6 - 1)), (0.9, 0.3, math.log(2))],
)
def test_reference_relative_mass_accuracy(mass, other, expected):
    found = reference_metrics([mass, 1 - mass], [1, 0], mass_accuracy_zero_shot=other)["mass_accuracy_relative"]
    assert found == pytest.approx(expected, abs=1e-9, nan_ok=True)


def test_reference_errors():
    with pytest.raises(ValueError, match="must leave a word that is not true"):
        reference_metrics([1, 2], [1, 1])
    with pytest.raises(ValueError, match=r"'mass_accuracy_zero_shot' .* number in \[0, 1\]"):
        reference_metrics([1, 2], [1, 0], mass_accuracy_zero_shot=2)
    with pytest.raises(ValueError, match="'attributions' parameter of reference_metrics must be finite"):
        reference_metrics([1, math.nan], [1, 0])


def test_examples():
    results = [doctest.testmod(module) for module in (explanations, metrics)]
    assert all(result.attempted > 2 and not result.failed for result in results)


# ---- the benchmark


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    """Return how to make a benchmark of one small model from scratch."""
    options = {
        "backbone": save_small(tmp_path_factory.mktemp("backbone") / "bert"), "schemes": ["OLA"], "seeds": (0,),
        "training": {"OLA": {"epochs": 1}}, "n_sentences": 3, "n_samples": 20, "n_faithful": 3, "n_randomised": 2,
        "n_resamples": 60, "device": "cpu",
    }  # fmt: skip
    data = small_pairs(40).split(10)
    return lambda kind, **more: kind(data, **(options | more))


def test_the_published_recipe_is_another_one(quick, tmp_path):
    names = ["integrated_gradients", "saliency_l1"]
    ours, theirs = (
        quick(kind, methods=names).run(tmp_path / kind.__name__, progress=False)
        for kind in (Benchmark, ReferenceBenchmark)
    )
    assert (ours.options["reference_mode"], theirs.options["reference_mode"]) == (None, "gecobench")
    assert json.loads((tmp_path / "ReferenceBenchmark" / "result.json").read_text()) == theirs.to_dict()
    for name in names:
        forms = [form["schemes"]["OLA"]["methods"][name] for item in theirs.sentences for form in item["forms"]]
        assert all(value >= 0 for values in forms for value in values)
        assert ours.row("OLA", name).metrics != theirs.row("OLA", name).metrics
    assert "occlusion" not in quick(ReferenceBenchmark).settings.methods
    with pytest.raises(ValueError, match=r"'methods' of ReferenceBenchmark must be of .*Got \['occlusion'\] too"):
        quick(ReferenceBenchmark, methods=["occlusion"])
