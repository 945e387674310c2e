"""Explanations of numbers of embeddings, with the offline encoder: sums, independence of the batch, state, files."""

import json
import warnings

import numpy as np
import pytest
import torch
from models import CountedWords, save_tiny, tiny_bert, tiny_tokenizer

import xembed
from xembed.attribution import (
    METHODS,
    Attributions,
    Depth,
    NearestSimilarity,
    Projection,
    Similarity,
    explain,
    explain_depth,
)
from xembed.datasets import load_corpora

# Of different lengths, so that a batch of all has padding.
TEXTS = (
    "My router is broken.",
    "Internet",
    "Since the storm of last night the connection drops every few minutes.",
    "Why was I charged twice in May?",
)
EACH = ("occlusion", "integrated_gradients", "saliency_l2", "input_x_gradient", "shapley_sampling", "lime")


@pytest.fixture(scope="module")
def tickets():
    return list(load_corpora("support_tickets").texts)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return xembed.load_encoder(save_tiny(tmp_path_factory.mktemp("tiny")), device="cpu")


def check_same(first, second, atol):
    assert first.words == second.words
    for one, other in zip(first.values, second.values, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=atol)


# ---- sums


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["similarity", "depth"])
def test_integrated_gradients_are_complete(encoder, tickets, kind):
    texts = sorted(tickets, key=len)[:40:2]  # shorter ones: gradients cost
    reference = np.asarray(encoder.encode(tickets))
    target = Similarity("The technician did not come.") if kind == "similarity" else Depth(reference)
    found = explain(encoder, texts, target=target, method="integrated_gradients")
    assert len(found.words) == 20 and found.notes == ()
    assert (found.completeness <= 0.01).all()
    sums = np.array([values.sum() for values in found.values])
    total = found.scores - found.baseline_scores
    assert (np.abs(total - sums) <= 0.01 * np.abs(total)).all()
    assert (found.special < 1e-6).all()  # special tokens stay as they are
    rows = encoder.encode(texts).astype(float)
    if kind == "depth":
        np.testing.assert_allclose(found.scores, xembed.depth.tte_depth(rows, reference), atol=1e-5)
    else:
        np.testing.assert_allclose(found.scores, rows @ encoder.encode([target.to])[0], atol=1e-5)


@pytest.mark.parametrize("target", [Depth, NearestSimilarity])
@pytest.mark.parametrize("method", ["shapley_sampling", "kernel_shap"])
def test_shapley_values_sum_to_score_less_baseline(encoder, tickets, target, method):
    reference = np.asarray(encoder.encode(tickets[:50]))
    found = explain(encoder, TEXTS, target=target(reference), method=method, n_samples=24)
    sums = np.array([values.sum() for values in found.values])
    np.testing.assert_allclose(sums, found.scores - found.baseline_scores, atol=1e-6)
    assert (found.completeness < 1e-4).all()
    # The baseline is the text of no word, the same for all.
    assert np.ptp(found.baseline_scores) < 1e-6
    nothing = encoder.model.encode([""], show_progress_bar=False)
    cosines = (nothing @ reference.T)[0]
    expected = cosines.mean() + 1 if target is Depth else np.sort(cosines)[-10:].mean()
    np.testing.assert_allclose(found.baseline_scores[0], expected, atol=1e-5)


# ---- what does not count


@pytest.mark.parametrize("method", EACH)
def test_batch_mates_and_padding_don_t_count(encoder, method):
    target = Similarity("The technician did not come.")
    together = explain(encoder, TEXTS, target=target, method=method, n_samples=24)
    again = explain(encoder, TEXTS, target=target, method=method, n_samples=24)
    for place, text in enumerate(TEXTS):
        alone = explain(encoder, [text], target=target, method=method, n_samples=24)
        assert alone.words[0] == together.words[place]
        # Rounding in the fifth decimal of the largest, whatever the unit.
        scale = max(1.0, np.abs(alone.values[0]).max())
        np.testing.assert_allclose(alone.values[0], together.values[place], rtol=0, atol=1e-5 * scale)
        np.testing.assert_allclose(alone.scores[0], together.scores[place], atol=1e-5)
    check_same(together, again, atol=0)  # bit for bit
    np.testing.assert_array_equal(together.scores, again.scores)
    assert again.provenance == together.provenance


@pytest.mark.parametrize("method", ["shapley_sampling", "lime", "gradient_shap"])
def test_seeds(tiny, method):
    text = ["she saw the old king and his cat in the park with two young friends"]
    target = Similarity("a dog")
    first, none, other = (
        explain(tiny, text, target=target, method=method, n_samples=30, rng=rng) for rng in (0, None, 1)
    )
    check_same(first, none, atol=0)
    assert not np.allclose(first.values[0], other.values[0], atol=1e-6)


def test_the_order_of_texts_does_not_count(encoder, tickets):
    reference = np.asarray(encoder.encode(tickets[:15]))
    there, back = (
        explain(
            encoder, texts, target=NearestSimilarity(reference, exclude=own), method="shapley_sampling", n_samples=10
        )
        for texts, own in ((tickets[:4], [0, 1, 2, 3]), (tickets[3::-1], [3, 2, 1, 0]))
    )
    for place in range(4):
        np.testing.assert_allclose(there.values[place], back.values[3 - place], atol=1e-6)


# ---- what comes out


def test_what_is_said(encoder):
    found = explain(encoder, TEXTS, target=Similarity("rain"), method="occlusion")
    assert (found.method, found.output, found.baseline, found.signed) == ("occlusion", "similarity", "delete", True)
    assert found.words[0] == ("My", "router", "is", "broken", ".")
    assert np.isnan(found.completeness).all() and np.isnan(found.baseline_scores).all()
    parameters = found.provenance["parameters"]
    assert parameters["model"]["fingerprint"] == encoder.fingerprint
    assert (parameters["target"], parameters["deletion"]) == ("similarity", "delete")
    frame = found.to_frame()
    assert list(frame.columns) == ["text", "position", "word", "attribution"]
    assert len(frame) == sum(map(len, found.words))


def test_the_word_that_is_alike_is_first(encoder):
    found = explain(
        encoder,
        ["We saw a lion at the weekend."],
        target=Similarity("tigers"),
        method="shapley_sampling",
        n_samples=256,
    )
    assert found.top(0, 1)[0][0] == "lion" and found.top(0, 1)[0][1] > 0


def test_by_token(encoder):
    text = ["blorptastic storms"]
    target = Similarity("rain")
    words = explain(encoder, text, target=target)
    tokens = explain(encoder, text, target=target, level="token")
    assert len(tokens.words[0]) > len(words.words[0]) == 2
    np.testing.assert_allclose(tokens.values[0].sum(), words.values[0].sum(), atol=1e-6)


def test_lists_of_words_are_explained_by_them(tiny):
    target = Similarity("the king met a queen")
    by_words = explain(tiny, [["she", "sings", "."], ["dog"]], target=target, method="shapley_sampling")
    by_text = explain(tiny, ["she sings .", "dog"], target=target, method="shapley_sampling")
    check_same(by_words, by_text, atol=0)
    with pytest.raises(TypeError, match=r"must be all strings or all lists of words\. Got both"):
        explain(tiny, [["she", "sings"], "dog"], target=target, method="occlusion")


def test_words_may_stay_as_other_tokens(tiny):
    target = Similarity("the king met a queen")
    gone, masked = (
        explain(tiny, ["she saw a dog"], target=target, method="occlusion", deletion=kind)
        for kind in ("delete", "mask")
    )
    assert (gone.baseline, masked.baseline) == ("delete", "mask")
    rows = tiny.encode(["she saw a dog", "[MASK] saw a dog", target.to], cache=False).astype(float)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    np.testing.assert_allclose(masked.values[0][0], (rows[0] - rows[1]) @ rows[2], atol=1e-6)
    assert not np.allclose(gone.values[0], masked.values[0], atol=1e-3)


def test_cut_texts_are_noted(tmp_path_factory):
    encoder = xembed.load_encoder(save_tiny(tmp_path_factory.mktemp("short")), device="cpu", max_length=5)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # it is in the result: no warning besides
        found = explain(
            encoder, [["she", "sings", "in", "the", "park"], ["a", "dog"]], target=Similarity("cat"), method="occlusion"
        )
    assert found.truncated.tolist() == [True, False]
    assert found.notes == (
        "1 of 2 texts are longer than the 5 tokens that the model reads: words that were cut off have 0.",
    )
    assert found.values[0][3:].tolist() == [0.0, 0.0] and (found.values[0][:3] != 0).all()
    found = explain(encoder, ["she sings in the park"], target=Similarity("cat"), method="occlusion")
    assert found.words == (("she", "sings", "in"),) and found.notes[0].endswith(
        "words that were cut off are not shown."
    )


def test_a_limit_of_one_s_own(tiny):
    found = explain(tiny, ["she sings in the park"], target=Similarity("cat"), method="occlusion", max_length=4)
    assert found.truncated.all() and found.words[0] == ("she", "sings")
    rows = tiny.encode(["she sings", "cat"], cache=False).astype(float)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    np.testing.assert_allclose(found.scores[0], rows[0] @ rows[1], atol=1e-6)


def test_what_is_not_complete_is_noted(tiny):
    found = explain(tiny, ["she saw the king"], target=Similarity("cat"), tolerance=1e-12, max_steps=12)
    assert found.notes == ("For 1 texts the completeness error is above 1e-12 with 12 steps.",)


@pytest.mark.parametrize("method", ["occlusion", "integrated_gradients", "attention_rollout", "shapley_sampling"])
@pytest.mark.parametrize("training", [True, False])
def test_the_encoder_stays_as_it_was(tmp_path_factory, method, training):
    encoder = xembed.load_encoder(save_tiny(tmp_path_factory.mktemp("state")), device="cpu")
    texts, target = ["she saw a dog", "cat"], Similarity("the king")
    encoder.encode([*texts, target.to])  # encode itself sets the mode of the model; from here on they are cached
    encoder.model.train(training)
    first, *_ = encoder.model.parameters()
    first.requires_grad_(False)
    weights = {name: value.clone() for name, value in encoder.model.state_dict().items()}
    config = encoder.model[0].auto_model.config
    before = (
        config._attn_implementation,
        config.output_hidden_states,
        config.output_attentions,
        [parameter.requires_grad for parameter in encoder.model.parameters()],
        [module.training for module in encoder.model.modules()],
        torch.random.get_rng_state().tolist(),
        np.random.get_state()[1].tolist(),  # noqa: NPY002
    )
    explain(encoder, texts, target=target, method=method)
    after = (
        config._attn_implementation,
        config.output_hidden_states,
        config.output_attentions,
        [parameter.requires_grad for parameter in encoder.model.parameters()],
        [module.training for module in encoder.model.modules()],
        torch.random.get_rng_state().tolist(),
        np.random.get_state()[1].tolist(),  # noqa: NPY002
    )
    assert before == after
    assert all(parameter.grad is None for parameter in encoder.model.parameters())
    assert all(torch.equal(value, weights[name]) for name, value in encoder.model.state_dict().items())


@pytest.mark.parametrize("method", ["occlusion", "integrated_gradients", "saliency_l2", "shapley_sampling"])
def test_there_and_back(tiny, tmp_path, method):
    found = explain(tiny, ["she saw a dog", "cat"], target=Similarity("the king"), method=method)
    path = tmp_path / "found.json"
    text = found.to_json(path)
    json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    for again in (Attributions.from_json(path), xembed.read_result(path), Attributions.from_json(text)):
        assert type(again) is Attributions and again.to_dict() == found.to_dict()
        check_same(again, found, atol=0)
        for name in ("scores", "baseline_scores", "completeness", "special", "truncated", "targets"):
            np.testing.assert_array_equal(getattr(again, name), getattr(found, name))
            assert getattr(again, name).dtype == getattr(found, name).dtype


@pytest.mark.parametrize("name", [name for name, method in METHODS.items() if method.family != "reference"])
def test_all_methods_give_a_number_for_each_word(tiny, name):
    texts = ["she saw the old king and his cat", "dog", "two friends"]
    found = explain(tiny, texts, target=Depth(["the king met a queen", "cat", "bad dog"]), method=name)
    assert [len(values) for values in found.values] == [8, 1, 2]
    assert all(np.isfinite(values).all() and (values != 0).any() for values in found.values)
    assert found.signed or all((values >= 0).all() for values in found.values)


# ---- what is refused


def test_targets_of_embeddings_are_for_encoders():
    with pytest.raises(TypeError, match=r"is a Similarity, .* Got a BertForSequenceClassification as model"):
        explain(tiny_bert(), ["she"], target=Similarity("he"), tokenizer=tiny_tokenizer())


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"tokenizer": tiny_tokenizer()}, ValueError, "'tokenizer' and 'output' of explain are for classifiers"),
        ({"output": "probability"}, ValueError, "'tokenizer' and 'output' of explain are for classifiers"),
        ({"target": None}, TypeError, "'target' parameter of explain must be a number of the embedding"),
        ({"target": 0}, TypeError, "'target' parameter of explain must be a number of the embedding"),
        ({"method": "nothing"}, ValueError, "'method' parameter of explain must be one of"),
        ({"deletion": "zero"}, ValueError, "'deletion' parameter of explain must be one of"),
        ({"site": "nowhere"}, ValueError, "'site' parameter of explain must be one of"),
        ({"max_length": 2}, ValueError, "'max_length' parameter of explain"),
        ({"n_samples": 1}, ValueError, "'n_samples' parameter of explain"),
        ({"texts": []}, ValueError, "at least 1 text"),
        ({"texts": "she sings"}, TypeError, "Got one str"),
        ({"texts": ["she", " "]}, ValueError, "1 blank text"),
        ({"texts": [1, 2]}, TypeError, "2 items that are not a string"),
        ({"texts": 3}, TypeError, "must be a list of strings. Got int"),
        ({"texts": [["she", 3]]}, TypeError, "words of text 0 holds 1 item that is not a string"),
    ],
)
def test_bad_options(tiny, options, error, match):
    texts = options.get("texts", ["she sings"])
    given = {"target": Similarity("he"), "method": "occlusion"} | {k: v for k, v in options.items() if k != "texts"}
    with pytest.raises(error, match=match):
        explain(tiny, texts, **given)


def test_empty_references_are_refused(tiny):
    with pytest.raises(ValueError, match="reference"):
        explain_depth(tiny, ["she sings", "a dog"], [])
    with pytest.raises(TypeError, match="'reference' parameter of Depth must be texts, or vectors"):
        explain(tiny, ["she"], target=Depth([]), method="occlusion")


def test_embeddings_of_another_encoder_are_refused(tiny):
    vectors = CountedWords("ab").encode(["a", "b"])
    with pytest.raises(ValueError, match=r"as many dimensions as the embeddings, 32. Got 3: is it made with another"):
        explain(tiny, ["she"], target=Depth(vectors), method="occlusion")
    with pytest.raises(ValueError, match=r"as many dimensions as the embeddings, 32. Got 3"):
        explain(tiny, ["she"], target=Projection(vectors[0]), method="integrated_gradients")
