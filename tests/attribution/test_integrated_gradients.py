"""Integrated Gradients: the quadrature, the integral, and no gradient too many."""

import warnings

import numpy as np
import pytest
import torch
from captum.attr import IntegratedGradients
from hypothesis import given, settings
from hypothesis import strategies as st
from models import WORDS, BagOfWords, one_thread, tiny_bert, tiny_tokenizer
from numpy.polynomial import Polynomial

from xembed.attribution import METHODS, MethodOptions, ScoredModel
from xembed.attribution._gradients import captum_module
from xembed.attribution._integrated import FIRST_STEPS, _evaluate, clenshaw_curtis, integrated_gradients
from xembed.attribution._method import sum_words

SENTENCES = [
    ["She", "singss", "."],
    ["The", "young", "actress", "met", "her", "bad", "dog", "."],
    ["A", "bad", "king", "left", "early", "and", "a", "good", "woman", "met", "the", "boy", "."],
]
TARGETS = np.array([0, 1, 1])
VALUES = {"she": 2.0, "sings": 1.0, "##s": 0.5, "bad": -3.0, "[MASK]": 0.25, "[PAD]": -0.5, "[CLS]": 4.0}


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    with one_thread():
        yield


def bert(*, exact=False, **options):
    module = tiny_bert().double() if exact else tiny_bert()
    return ScoredModel(module, tiny_tokenizer(), caller="this test", **options)


def integrate(model, sentences=SENTENCES, targets=TARGETS, **options):
    return integrated_gradients(model, model.words.encode(sentences), np.asarray(targets), MethodOptions(**options))


# ---- the quadrature


@pytest.mark.parametrize("n", [2, 4, 12, 24, 48, 96])
def test_weights_are_positive_symmetric_and_sum_to_1(n):
    points, weights = clenshaw_curtis(n)
    assert len(points) == len(weights) == n + 1
    assert points[0] == 0 and points[-1] == 1 and (np.diff(points) > 0).all()
    assert (weights > 0).all()
    np.testing.assert_allclose(weights.sum(), 1, rtol=1e-14)
    np.testing.assert_allclose(points + points[::-1], 1, rtol=1e-14)
    np.testing.assert_allclose(weights, weights[::-1], rtol=1e-13)


def test_the_smallest_rule_is_simpsons():
    points, weights = clenshaw_curtis(2)
    np.testing.assert_allclose(points, [0, 0.5, 1], atol=1e-16)
    np.testing.assert_allclose(weights, [1 / 6, 4 / 6, 1 / 6], rtol=1e-14)


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=13), st.sampled_from([12, 24, 96]))
@settings(max_examples=60, deadline=None)
def test_polynomials_up_to_the_number_of_steps_are_exact(coefficients, n):
    points, weights = clenshaw_curtis(n)
    polynomial = Polynomial(coefficients)
    np.testing.assert_allclose(weights @ polynomial(points), polynomial.integ()(1), atol=1e-11)


@pytest.mark.parametrize("n", [12, 24, 48])
def test_points_are_nested(n):
    np.testing.assert_allclose(clenshaw_curtis(2 * n)[0][::2], clenshaw_curtis(n)[0], atol=1e-15)


# ---- the integral


@pytest.mark.parametrize(("baseline", "filler"), [("mask", 0.25), ("pad", -0.5), ("unk", 0.0), ("zero", 0.0)])
def test_a_linear_model_is_exact(baseline, filler):
    model = ScoredModel(BagOfWords(VALUES), tiny_tokenizer(), caller="this test")
    output = integrate(model, [["she", "singss", "bad", "boy"]], [1], baseline=baseline)
    expected = np.array([2, 1.5 - filler, -3, 0]) - filler  # "singss" is two tokens
    np.testing.assert_allclose(output.words[0], expected, atol=1e-5)
    np.testing.assert_allclose(output.baseline_scores, [4 + 5 * filler], atol=1e-6)  # [CLS] stays
    assert output.completeness[0] < 1e-5 and output.special[0] == 0
    assert model.n_backward == FIRST_STEPS + 1


@pytest.mark.parametrize("options", [{}, {"site": "block"}, {"site": "block_twice"}, {"output": "probability"}])
@pytest.mark.parametrize("baseline", ["pad", "mask", "unk", "zero"])
def test_captum_with_very_many_steps_gives_the_same(options, baseline):
    model = bert(exact=True, **options)
    output = integrate(model, baseline=baseline, tolerance=1e-4)
    for place, row in enumerate(model.words.encode(SENTENCES)):
        ids, mask = model.tensors([row.ids])
        with model.frozen(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = IntegratedGradients(captum_module(model)).attribute(
                model.embed(ids, mask),
                baselines=model.baseline_embeds([row], baseline),
                target=int(TARGETS[place]),
                additional_forward_args=(mask,),
                n_steps=300,
                method="gausslegendre",
            )
        expected = sum_words(found[0].sum(-1).detach().numpy(), row)[0]
        np.testing.assert_allclose(output.words[place], expected, atol=1e-3 * np.abs(expected).max())


@given(st.lists(st.lists(st.sampled_from(WORDS), min_size=1, max_size=12), min_size=1, max_size=4), st.booleans())
@settings(max_examples=12, deadline=None)
def test_attributions_sum_to_the_difference_of_scores(sentences, mask):
    model, baseline = bert(), "mask" if mask else "pad"
    rows = model.words.encode(sentences)
    output = integrate(model, sentences, [1] * len(rows), baseline=baseline, tolerance=0.01)
    scores = model.score_ids([row.ids for row in rows])[:, 1]
    of_baselines = model.score_ids([model.baseline_ids(row, baseline) for row in rows])[:, 1]
    np.testing.assert_allclose(output.baseline_scores, of_baselines, atol=1e-5)
    for words, score, base in zip(output.words, scores, of_baselines, strict=True):
        np.testing.assert_allclose(words.sum(), score - base, atol=0.01 * abs(score - base) + 1e-4)


# ---- gradients are taken as needed, and once


def points_of(model, monkeypatch, **options):
    """Return, for each round of refinement, how many gradients each sentence needed."""
    rounds = []

    def counted(model, rows, targets, inputs, ways, jobs, *rest):
        rounds.append(np.bincount([row for row, _ in jobs], minlength=len(SENTENCES)).tolist())
        return _evaluate(model, rows, targets, inputs, ways, jobs, *rest)

    monkeypatch.setattr("xembed.attribution._integrated._evaluate", counted)
    return rounds, integrate(model, **options)


def test_what_was_computed_is_used_again(monkeypatch):
    model = bert()
    rounds, output = points_of(model, monkeypatch, tolerance=1e-12)
    assert rounds == [[13] * 3, [12] * 3, [24] * 3, [48] * 3]
    assert model.n_backward == 97 * 3 and model.n_forward == 0
    full, _ = clenshaw_curtis(96)
    assert len(full) == 97
    assert (output.completeness < 1e-3).all()


@pytest.mark.parametrize(("max_steps", "n"), [(12, 13), (24, 25), (48, 49), (192, 193)])
def test_most_steps_are_not_passed(max_steps, n):
    model = bert()
    integrate(model, tolerance=1e-15, max_steps=max_steps)
    assert model.n_backward == n * 3


def test_only_sentences_that_need_it_are_refined(monkeypatch):
    first = integrate(bert(), max_steps=12).completeness
    tolerance = float(np.sort(first)[-2]) * 1.0001  # two are good enough
    rounds, output = points_of(bert(), monkeypatch, tolerance=tolerance)
    worst = int(first.argmax())
    assert rounds[0] == [13] * 3
    assert rounds[1] == [12 * (place == worst) for place in range(3)]
    assert (output.completeness <= tolerance).all()
    others = [place for place in range(3) if place != worst]
    np.testing.assert_array_equal(output.completeness[others], first[others])


def test_refining_is_the_same_as_starting_with_more_steps():
    refined = integrate(bert(exact=True), tolerance=1e-15, max_steps=48)
    points, weights = clenshaw_curtis(48)
    model = bert(exact=True)
    (row,) = model.words.encode(SENTENCES[:1])
    ids, mask = model.tensors([row.ids])
    x, b = model.embed(ids, mask), model.baseline_embeds([row], "pad")
    total = torch.zeros_like(x)
    for point, weight in zip(points, weights, strict=True):
        at = (b + point * (x - b)).requires_grad_()
        (gradient,) = torch.autograd.grad(model.score(at, mask)[0, 0], at)
        total += weight * gradient
    np.testing.assert_allclose(refined.words[0], sum_words(((x - b) * total).sum(-1)[0], row)[0], rtol=1e-9)


def test_rows_are_announced():
    model, progress = bert(), []
    integrate(model, progress=progress.append)
    assert sum(progress) == model.n_backward >= 13 * 3
    forward, backward = METHODS["integrated_gradients"].rows(20, MethodOptions())
    assert forward == 0 and 13 <= backward <= 97


def test_many_sentences_are_read_in_pieces(monkeypatch):
    whole = integrate(bert(exact=True))
    monkeypatch.setattr("xembed.attribution._integrated._CHUNK", 2)
    pieces = integrate(bert(exact=True))
    for a, b in zip(whole.words, pieces.words, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9)
    np.testing.assert_allclose(whole.baseline_scores, pieces.baseline_scores, rtol=1e-9)


def test_a_text_that_is_its_own_baseline_has_nothing():
    output = integrate(bert(), [["[PAD]", "[PAD]"]], [0])
    # The tokenizer reads [PAD] as the special token, with a word of its own.
    np.testing.assert_array_equal(output.words[0], [0, 0])
    assert output.completeness[0] == 0
