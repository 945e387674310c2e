"""Models of random weights: what is drawn anew, what stays, and what explanations have in common."""

import copy
import math

import numpy as np
import pytest
import torch
from models import BagOfWords, one_thread, tiny_bert, tiny_tokenizer
from scipy.stats import spearmanr
from transformers import BertForSequenceClassification

from xembed.attribution import METHODS
from xembed.attribution._method import MethodOptions
from xembed.attribution._randomisation import PARTS, randomisation_similarity, randomise
from xembed.attribution._scored_model import ScoredModel
from xembed.geco import OneLayerAttention, make_one_layer


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    with one_thread():
        yield


def moved(model):
    """Move every parameter, so that each initialization shows, also one to zeros or ones."""
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.rand(parameter.shape, generator=generator) + 0.5)
    return model


def changed(one, other):
    others = dict(other.named_parameters())
    return {name for name, parameter in one.named_parameters() if not torch.equal(parameter, others[name])}


def one_layer():
    return make_one_layer(tiny_tokenizer(), 2, hidden_size=8)


HEADS = {
    "bert": (tiny_bert, {"classifier.weight", "classifier.bias"}),
    "one layer": (one_layer, {"classifier.weight", "classifier.bias"}),
}


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("kind", HEADS)
def test_the_part_is_drawn_anew_and_the_rest_stays(kind, part):
    make, head = HEADS[kind]
    model = moved(make())
    before = copy.deepcopy(model.state_dict())
    found = randomise(model, part, seed=1)
    names = {name for name, _ in model.named_parameters()}
    assert changed(model, found) == {"all": names, "head": head, "encoder": names - head}[part]
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    assert type(found) is type(model) and found.training == model.training


@pytest.mark.parametrize("kind", HEADS)
def test_same_seed_same_weights_and_global_generators_stay(kind):
    model = HEADS[kind][0]()
    torch.manual_seed(3)
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    one, same, other = (randomise(model, "all", seed=seed) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert (np.random.get_state()[1] == numpy_state).all()  # noqa: NPY002
    assert not changed(one, same)
    assert changed(one, other)


def test_weights_are_drawn_as_the_model_draws_them():
    found = randomise(moved(tiny_bert(initializer_range=0.3)), "all", seed=0)
    assert found.bert.encoder.layer[0].intermediate.dense.weight.std().item() == pytest.approx(0.3, rel=0.1)
    norm = found.bert.embeddings.LayerNorm
    assert (norm.weight == 1).all() and (norm.bias == 0).all() and (found.classifier.bias == 0).all()


def test_what_was_loaded_from_a_file_is_drawn_anew_too(tmp_path):
    moved(tiny_bert()).save_pretrained(tmp_path)
    model = BertForSequenceClassification.from_pretrained(tmp_path)
    names = {name for name, _ in model.named_parameters()}
    assert changed(model, randomise(model, "all", seed=1)) == names


def test_parameters_without_an_initialization_are_drawn_too():
    class Bare(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = torch.nn.Parameter(torch.full((50,), 7.0))
            self.classifier = torch.nn.Linear(50, 2)

    model = Bare()
    found = randomise(model, "encoder", seed=1)
    assert changed(model, found) == {"scale"} and 0 < found.scale.std() < 0.05


def test_frozen_parameters_stay_frozen():
    model = tiny_bert().requires_grad_(False)
    assert not any(parameter.requires_grad for parameter in randomise(model, "all", seed=0).parameters())


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        ((tiny_bert, "body", 0), ValueError, "'part' parameter of randomise must be one of"),
        ((tiny_bert, "head", -1), ValueError, "'seed' parameter of randomise"),
        ((tiny_bert, "head", None), TypeError, "'seed' parameter of randomise"),
        ((lambda: "model", "head", 0), TypeError, "must be a torch.nn.Module. Got str"),
        ((lambda: BagOfWords({}), "head", 0), ValueError, "no head was found: use part='all'"),
        ((lambda: BagOfWords({}), "encoder", 0), ValueError, "Got BagOfWords, in which no head was found"),
    ],
)
def test_bad_arguments(arguments, error, match):
    make, part, seed = arguments
    with pytest.raises(error, match=match):
        randomise(make(), part, seed=seed)


def test_explanations_of_random_models_differ_from_those_of_the_trained_one():
    tokenizer = tiny_tokenizer()
    sentences = [["The", "young", "actress", "met", "two", "old", "friends", "with", "her", "dog", "."]]
    attributions = []
    module = tiny_bert()
    for candidate in (module, copy.deepcopy(module), randomise(module, "encoder", seed=1)):
        model = ScoredModel(candidate, tokenizer, caller="this test")
        rows = model.words.encode(sentences)
        attributions.append(METHODS["occlusion"].run(model, rows, np.array([1]), MethodOptions()).words)
    assert randomisation_similarity(attributions[0], attributions[1])[0] == pytest.approx(1)
    assert randomisation_similarity(attributions[0], attributions[2])[0] < 0.9


def test_a_randomised_one_layer_model_runs():
    found = randomise(one_layer(), "all", seed=4)
    assert isinstance(found, OneLayerAttention)
    assert found(input_ids=torch.tensor([[2, 5, 3]])).logits.shape == (1, 2)


def test_similarity_is_the_rank_correlation_of_sizes():
    rng = np.random.default_rng(0)
    one, other = rng.normal(size=(4, 9)).round(1), rng.normal(size=(4, 9)).round(1)
    expected = [spearmanr(np.abs(a), np.abs(b)).statistic for a, b in zip(one, other, strict=True)]
    np.testing.assert_allclose(randomisation_similarity(list(one), list(other)), expected)
    np.testing.assert_allclose(randomisation_similarity(list(one), list(-2 * one)), 1)


def test_similarity_without_ranks_is_nan():
    found = randomisation_similarity([[1.0, -1.0], [3.0], []], [[1.0, 2.0], [4.0], []])
    assert np.isnan(found).all()


@pytest.mark.parametrize(
    ("one", "other", "match"),
    [
        ([[1.0]], [], "both models for each row. Got 1 and 0"),
        ([[1.0]], [[1.0, 2.0]], r"row 0 .* as many words for both models. Got the shapes \(1,\) and \(2,\)"),
        ([[math.nan]], [[1.0]], "row 0 of randomisation_similarity must be finite"),
    ],
)
def test_bad_attributions(one, other, match):
    with pytest.raises(ValueError, match=match):
        randomisation_similarity(one, other)
