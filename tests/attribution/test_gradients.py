"""Methods of one gradient: torch's own gradients by hand, and what captum must not leave behind."""

import warnings

import numpy as np
import pytest
import torch
from captum.attr import DeepLift, GradientShap, InputXGradient, Saliency
from models import BagOfWords, one_thread, tiny_bert, tiny_tokenizer

from xembed.attribution import METHODS, MethodOptions, ScoredModel
from xembed.attribution._gradients import METHODS as GRADIENTS
from xembed.attribution._gradients import captum_module, n_gradients, relative_error
from xembed.attribution._method import row_seed, sum_words
from xembed.attribution._methods import run_method
from xembed.attribution._scored_model import own_random_state

SENTENCES = [["She", "singss", "."], ["The", "young", "actress", "met", "her", "bad", "dog", "."]]
TARGETS = np.array([0, 1])
NAMES = [method.name for method in GRADIENTS]
VALUES = {"she": 2.0, "sings": 1.0, "##s": 0.5, "bad": -3.0, "[MASK]": 0.25, "[PAD]": -0.5, "[CLS]": 4.0}


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    with one_thread():
        yield


def bert(*, exact=False, **options):
    module = tiny_bert().double() if exact else tiny_bert()
    return ScoredModel(module, tiny_tokenizer(), caller="this test", **options)


def bag(values=VALUES):
    return ScoredModel(BagOfWords(values), tiny_tokenizer(), caller="this test")


def attribute(model, name, sentences=SENTENCES, targets=TARGETS, **options):
    rows = model.words.encode(sentences)
    return run_method(METHODS[name], model, rows, np.asarray(targets), MethodOptions(**options))


def gradient_by_hand(module, row, target):
    """Return the embeddings of a row and the gradient of a logit at them, (n_tokens, d), without our code."""
    at = module.get_input_embeddings()(torch.tensor([row.ids])).detach().requires_grad_()
    module(inputs_embeds=at).logits[0, target].backward()
    module.zero_grad()
    return at.detach()[0], at.grad[0]


# ---- by hand


def test_methods_of_one_gradient_by_torch_alone():
    model = bert(exact=True)
    rows = model.words.encode(SENTENCES)
    found = {name: attribute(model, name) for name in ("saliency_l1", "saliency_l2", "input_x_gradient")}
    for place, row in enumerate(rows):
        at, gradient = gradient_by_hand(model.module, row, int(TARGETS[place]))
        expected = {
            "saliency_l1": gradient.abs().sum(1),
            "saliency_l2": (gradient**2).sum(1).sqrt(),
            "input_x_gradient": (at * gradient).sum(1),
        }
        for name, tokens in expected.items():
            of_words = [
                sum(float(tokens[i]) for i, word in enumerate(row.word_ids) if word == n) for n in range(len(row.words))
            ]
            np.testing.assert_allclose(found[name].words[place], of_words, rtol=1e-9)
            special = float((tokens[0].abs() + tokens[-1].abs()) / tokens.abs().sum())
            np.testing.assert_allclose(found[name].special[place], special, rtol=1e-9)
    assert all(np.isnan(output.completeness).all() for output in found.values())
    assert all(np.isnan(output.baseline_scores).all() for output in found.values())


def test_values_of_a_bag_of_words_by_hand():
    model, sentence = bag(), [["she", "sings", "bad", "boy"]]
    # The gradient of the first logit is (1, 0) at each token, the embedding of a token worth v is (-v, v).
    for name in ("saliency_l1", "saliency_l2", "guided_backprop", "deconvolution"):
        assert attribute(model, name, sentence, [0]).words[0].tolist() == [1, 1, 1, 1]
    output = attribute(model, "input_x_gradient", sentence, [1])
    assert output.words[0].tolist() == [2, 1, -3, 0]
    assert output.special[0] == 4 / 10  # [CLS] is worth 4
    assert attribute(model, "input_x_gradient", sentence, [0]).words[0].tolist() == [-2, -1, 3, 0]


@pytest.mark.parametrize("name", ["deep_lift", "gradient_shap"])
@pytest.mark.parametrize(("baseline", "filler"), [("mask", 0.25), ("pad", -0.5), ("unk", 0.0), ("zero", 0.0)])
def test_the_way_from_the_baseline_by_hand(name, baseline, filler):
    output = attribute(bag(), name, [["she", "sings", "bad", "boy"]], [1], baseline=baseline)
    np.testing.assert_allclose(output.words[0], np.array([2, 1, -3, 0]) - filler, atol=1e-6)
    np.testing.assert_allclose(output.baseline_scores, [4 + 4 * filler], atol=1e-6)  # with [CLS]
    np.testing.assert_allclose(output.completeness, [0], atol=1e-6)
    assert output.special[0] == 0


def test_pieces_of_a_word_are_summed():
    output = attribute(bag(), "input_x_gradient", [["singss", "she"]], [1])
    assert output.words[0].tolist() == [1.5, 2]


# ---- signed gradients


@pytest.mark.parametrize("site", ["word", "block"])
def test_signed_gradients_sum_to_nothing_behind_a_layer_norm(site):
    model = bert(exact=True, site=site)
    (row,) = model.words.encode(SENTENCES[:1])
    ids, mask = model.tensors([row.ids])
    at = model.embed(ids, mask).requires_grad_()
    (gradient,) = torch.autograd.grad(model.score(at, mask)[0, 0], at)
    share = (gradient.sum(-1).abs() / gradient.abs().sum(-1)).max()
    # Word embeddings go through a LayerNorm, which subtracts the mean; what comes out of it does not again.
    assert share < 1e-10 if site == "word" else share > 1e-3


@pytest.mark.parametrize("name", NAMES)
def test_no_method_reports_rounding(name):
    signed = METHODS[name].signed
    assert signed == (name in ("input_x_gradient", "deep_lift", "gradient_shap"))
    exact, rounded = attribute(bert(exact=True), name), attribute(bert(), name)
    for a, b in zip(exact.words, rounded.words, strict=True):
        assert signed or (a > 0).all()
        np.testing.assert_allclose(b, a, atol=1e-3 * np.abs(a).max())


# ---- captum


def captum_words(model, method, row, target, **options):
    ids, mask = model.tensors([row.ids])
    with model.frozen(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = method(captum_module(model)).attribute(
            model.embed(ids, mask), target=target, additional_forward_args=(mask,), **options
        )
    return found[0].detach().double().numpy()


@pytest.mark.parametrize("site", ["word", "block", "block_twice"])
def test_captum_gives_the_same(site):
    model = bert(exact=True, site=site)
    rows = model.words.encode(SENTENCES)
    for name, method in [("saliency_l1", Saliency), ("input_x_gradient", InputXGradient), ("deep_lift", DeepLift)]:
        output = attribute(model, name)
        for place, row in enumerate(rows):
            options = {"baselines": model.baseline_embeds([row], "pad")} if name == "deep_lift" else {}
            tokens = captum_words(model, method, row, int(TARGETS[place]), **options).sum(-1)
            np.testing.assert_allclose(output.words[place], sum_words(tokens, row)[0], rtol=1e-6)


def test_gradient_shap_is_captums_with_a_seed_of_the_row():
    model = bert(exact=True)
    rows = model.words.encode(SENTENCES)
    output = attribute(model, "gradient_shap", n_samples=50, baseline="mask", seed=3)
    assert model.n_backward == 2 * 10
    for place, row in enumerate(rows):
        with own_random_state(row_seed(row, 3), torch.device("cpu")):
            options = {"baselines": model.baseline_embeds([row], "mask"), "n_samples": 10, "stdevs": 0.0}
            tokens = captum_words(model, GradientShap, row, int(TARGETS[place]), **options).sum(-1)
        np.testing.assert_allclose(output.words[place], sum_words(tokens, row)[0], rtol=1e-9)
    other = attribute(model, "gradient_shap", n_samples=50, baseline="mask", seed=4)
    assert not np.allclose(other.words[0], output.words[0], rtol=1e-3)


@pytest.mark.parametrize(("n_samples", "n"), [(2, 2), (10, 2), (30, 6), (100, 20)])
def test_gradient_shap_takes_a_fifth_as_many_gradients(n_samples, n):
    assert n_gradients(MethodOptions(n_samples=n_samples)) == n


def test_gradient_shap_nears_the_integral():
    truth = attribute(bert(), "integrated_gradients", tolerance=0.001).words[1]
    few, many = (attribute(bert(), "gradient_shap", n_samples=n).words[1] for n in (10, 4000))
    assert np.linalg.norm(many - truth) < 0.1 * np.linalg.norm(truth)
    assert np.linalg.norm(many - truth) < np.linalg.norm(few - truth)


def test_completeness_of_the_way_is_measured_and_not_assumed():
    model = bert(exact=True)
    rows = model.words.encode(SENTENCES)
    output = attribute(model, "deep_lift", baseline="zero")
    for place, row in enumerate(rows):
        at, _ = gradient_by_hand(model.module, row, 0)
        special = torch.tensor(row.special)[:, None]
        with torch.no_grad():
            score = model.module(inputs_embeds=at[None]).logits[0, TARGETS[place]]
            base = model.module(inputs_embeds=(at * special)[None]).logits[0, TARGETS[place]]
        np.testing.assert_allclose(output.baseline_scores[place], base, rtol=1e-9)
        error = abs(output.words[place].sum() - float(score - base)) / abs(float(score - base))
        np.testing.assert_allclose(output.completeness[place], error, rtol=1e-6)
    assert output.completeness.max() > 0.05  # no rule for GELU and softmax


@pytest.mark.parametrize("site", ["word", "block", "block_twice"])
@pytest.mark.parametrize("baseline", ["pad", "zero"])
def test_all_methods_mean_the_same_baseline(site, baseline):
    model = bert(exact=True, site=site)
    names = ("integrated_gradients", "deep_lift", "gradient_shap")
    outputs = {name: attribute(model, name, baseline=baseline, n_samples=5000) for name in names}
    for output in outputs.values():
        np.testing.assert_allclose(output.baseline_scores, outputs[names[0]].baseline_scores, rtol=1e-9)
    assert outputs["gradient_shap"].completeness.max() < 0.2


def test_relative_error_where_nothing_is_to_be_explained():
    found = relative_error(np.array([0.0, 1.0, 3.0, -1.0]), np.array([0.0, 0.0, 2.0, 1.0]))
    assert found.tolist() == [0, np.inf, 0.5, 2]


@pytest.mark.parametrize("name", NAMES)
def test_warnings_of_captum_are_not_shown_and_others_are(name):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        attribute(bert(), name, n_samples=10)
        warnings.warn("something else", stacklevel=1)
    assert [str(found.message) for found in caught] == ["something else"]


# ---- what a run costs, and determinism


@pytest.mark.parametrize("name", NAMES)
def test_rows_are_counted_and_announced(name):
    model = bert()
    progress = []
    options = {"n_samples": 20, "progress": progress.append}
    attribute(model, name, **options)
    _, backward = METHODS[name].rows(8, MethodOptions(n_samples=20))
    assert sum(progress) == model.n_backward
    # DeepLIFT sends the row and its baseline through at once.
    assert model.n_backward == (backward if name != "deep_lift" else backward / 2) * len(SENTENCES)


@pytest.mark.parametrize("name", NAMES)
def test_the_same_call_gives_the_same_to_the_bit(name):
    first, second = attribute(bert(), name), attribute(bert(), name)
    assert all(np.array_equal(a, b) for a, b in zip(first.words, second.words, strict=True))


def test_attributions_that_are_not_finite_are_refused():
    class Broken(BagOfWords):
        def forward(self, input_ids=None, attention_mask=None, inputs_embeds=None):
            output = super().forward(input_ids, attention_mask, inputs_embeds)
            if inputs_embeds is not None:
                output.logits = output.logits * torch.where(attention_mask.sum(1) > 5, torch.nan, 1.0)[:, None]
            return output

    model = ScoredModel(Broken(VALUES), tiny_tokenizer(), caller="this test")
    message = r"Saliency, L1 gave attributions that are not finite for 1 of 2 texts \(first: text 1\). See method_"
    with pytest.raises(RuntimeError, match=message):
        attribute(model, "saliency_l1", [["she"], ["she"] * 5])
