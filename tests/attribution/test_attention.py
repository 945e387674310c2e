"""Attention methods against their definitions, and on models that give no attention or none to speak of."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from models import BagOfWords, one_thread, tiny_bert, tiny_tokenizer
from transformers import BertConfig, BertForSequenceClassification

from xembed.attribution import METHODS, MethodOptions, ScoredModel
from xembed.attribution._attention import attention_gradient, attention_rollout, eager_attention
from xembed.geco import make_one_layer

TEXTS = ["she sings .", "the old king saw him at home , and the queen left .", "he met two singers", "a dog"]
BOTH = (attention_rollout, attention_gradient)
TARGETS = np.array([0, 1, 1, 0])


@pytest.fixture(autouse=True)
def single_thread():
    with one_thread():
        yield


def scored(module=None, **options):
    return ScoredModel(module or tiny_bert(), tiny_tokenizer(), caller="the test", **options)


def run(method, model, texts=TEXTS, targets=None, *, reader="first", **options):
    rows = model.words.encode(texts)
    targets = TARGETS[: len(rows)] if targets is None else np.array(targets)
    return method(model, rows, targets, MethodOptions(**options), reader=reader)


class Attends(torch.nn.Module):
    """A classifier with given attention weights of each layer, whose logits are a given sum of them."""

    def __init__(self, *layers, weights=None, copies=False):
        super().__init__()
        self.embedding = torch.nn.Embedding(len(tiny_tokenizer()), 2)
        self.layers = [torch.tensor(layer, dtype=torch.float32) for layer in layers]
        self.weights = [torch.tensor(weight, dtype=torch.float32) for weight in weights or []]
        self.copies = copies

    def get_input_embeddings(self):
        return self.embedding

    def forward(self, input_ids=None, attention_mask=None, inputs_embeds=None, output_attentions=False):
        vectors = self.embedding(input_ids) if inputs_embeds is None else inputs_embeds
        # Plus nothing of the embeddings, so that there is a graph.
        layers = tuple(layer.expand(len(vectors), *layer.shape) + 0 * vectors.sum() for layer in self.layers)
        score = sum((layer * weight).sum((1, 2, 3)) for layer, weight in zip(layers, self.weights, strict=False))
        score = score + 0 * vectors.sum((1, 2))
        given = tuple(layer.clone() for layer in layers) if self.copies else layers
        return SimpleNamespace(logits=torch.stack([-score, score], dim=1), attentions=given)


# "[CLS] a dog [SEP]"; one layer of two heads and one of one.
FIRST = [
    [[0.1, 0.2, 0.3, 0.4], [0.4, 0.3, 0.2, 0.1], [0.25, 0.25, 0.25, 0.25], [0.7, 0.1, 0.1, 0.1]],
    [[0.3, 0.4, 0.1, 0.2], [0.0, 0.5, 0.2, 0.3], [0.75, 0.25, 0.0, 0.0], [0.1, 0.1, 0.1, 0.7]],
]
SECOND = [[[0.0, 0.6, 0.4, 0.0], [1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0], [0.5, 0.0, 0.0, 0.5]]]


# ---- by definition


def test_rollout_by_hand():
    # The mean of the heads of layer 1: [CLS] (.2, .3, .2, .3), "a" (.2, .4, .2, .2), "dog" (.5, .25, .125, .125).
    # Half of it and half identity: (.6, .15, .1, .15), (.1, .7, .1, .1), (.25, .125, .5625, .0625).
    # [CLS] of layer 2, half and half: (.5, .3, .2, 0) of these.
    expected = 0.5 * np.array([0.6, 0.15, 0.1, 0.15])
    expected += 0.3 * np.array([0.1, 0.7, 0.1, 0.1]) + 0.2 * np.array([0.25, 0.125, 0.5625, 0.0625])
    output = run(attention_rollout, scored(Attends(FIRST, SECOND)), ["a dog"])
    assert output.words[0] == pytest.approx(expected[1:3], abs=1e-6)
    assert output.special[0] == pytest.approx(expected[[0, 3]].sum(), abs=1e-6)
    assert np.isnan(output.completeness).all() and np.isnan(output.baseline_scores).all()


def test_gradient_weighted_by_hand():
    # The gradient of the logit of class 1 is the weights; the positive part of their product with attention stays.
    weights = [
        [[1.0, -1.0, 2.0, 0.0]] + [[0.0] * 4] * 3,
        [[2.0, 1.0, -3.0, 0.0]] + [[0.0, 4.0, 0.0, 0.0]] + [[0.0] * 4] * 2,
    ]
    second = [[[5.0, 1.0, -1.0, 0.0]] + [[0.0] * 4] * 3]
    model = scored(Attends(FIRST, SECOND, weights=[weights, second]))
    # Heads' mean, layer 1: [CLS] (.1 + .6, 0 + .4, .6 + 0, 0) / 2, "a" (0, 2, 0, 0) / 2. Layer 2: [CLS] (0, .6, 0, 0).
    # R1 = I + A1; [CLS] of R2 is that of R1 plus .6 of "a" of R1, which is (0, 1 + 1, 0, 0).
    output = run(attention_gradient, model, ["a dog"], [1])
    assert output.words[0] == pytest.approx([0.2 + 0.6 * 2, 0.3], abs=1e-6)
    assert output.special[0] == pytest.approx(0.35 / (0.35 + 1.4 + 0.3), abs=1e-6)
    # For class 0 only the negative weights count: .2 of "a" in head 1, .1 of "dog" in head 2, times 1 and 3; .4 then.
    other = run(attention_gradient, model, ["a dog"], [0])
    assert other.words[0] == pytest.approx([0.1, 0.15 + 0.4], abs=1e-6)


def test_the_mean_and_the_last_reader_by_hand():
    last = run(attention_rollout, scored(Attends(FIRST)), ["a dog"], reader="last")
    assert last.words[0] == pytest.approx([0.05, 0.05], abs=1e-6)
    heads = np.array(FIRST).mean(axis=0)
    mean = run(attention_rollout, scored(Attends(FIRST)), ["a dog"], reader="mean")
    assert mean.words[0] == pytest.approx((0.5 * heads + 0.5 * np.eye(4)).mean(axis=0)[1:3], abs=1e-6)


def by_definition(module, row, target):
    """Return rollout and gradient-weighted attention of one text without padding, in plain torch."""
    module.set_attn_implementation("eager")
    output = module(input_ids=torch.tensor([row.ids]), output_attentions=True)
    for attention in output.attentions:
        attention.retain_grad()
    output.logits[0, target].backward()
    identity = torch.eye(len(row.ids))
    rolled, relevance = identity, identity
    for attention in output.attentions:
        rolled = (0.5 * attention[0].mean(0) + 0.5 * identity) @ rolled
        relevance = relevance + torch.relu(attention.grad * attention)[0].mean(0) @ relevance
    return rolled[0].detach().numpy(), (relevance - identity)[0].detach().numpy()


@pytest.mark.parametrize("number", range(len(TEXTS)))
def test_on_bert_by_definition(number):
    model = scored()
    rows = model.words.encode(TEXTS)
    expected = by_definition(tiny_bert(), rows[number], int(TARGETS[number]))
    for method, tokens in zip(BOTH, expected, strict=True):
        output = run(method, model)
        of_words = np.zeros(len(rows[number].words))
        for value, word in zip(tokens, rows[number].word_ids, strict=True):
            if word is not None:
                of_words[word] += value
        assert output.words[number] == pytest.approx(of_words, abs=1e-6)
        assert output.special[number] == pytest.approx(1 - of_words.sum() / tokens.sum(), abs=1e-5)


# ---- what holds for all texts


@pytest.mark.parametrize("reader", ["first", "last", "mean"])
@pytest.mark.parametrize("method", BOTH)
def test_batch_mates_make_no_difference(method, reader):
    together = run(method, scored(), reader=reader)
    assert len({len(words) for words in together.words}) > 1
    for number, text in enumerate(TEXTS):
        alone = run(method, scored(), [text], TARGETS[[number]], reader=reader)
        assert alone.words[0] == pytest.approx(together.words[number], abs=1e-5)
        assert alone.special[0] == pytest.approx(together.special[number], abs=1e-5)


def test_rollout_sums_to_one_and_no_padding_has_a_part():
    model = scored()
    for reader in ("first", "last", "mean"):
        output = run(attention_rollout, model, reader=reader)
        for words, special in zip(output.words, output.special, strict=True):
            assert (words > 0).all()
            assert words.sum() == pytest.approx(1 - special, abs=1e-5)


def test_rollout_is_the_same_for_every_class_and_the_gradient_is_not():
    for method, same in zip(BOTH, (True, False), strict=True):
        first, second = (run(method, scored(), targets=[target] * 4) for target in (0, 1))
        assert all(np.allclose(a, b) for a, b in zip(first.words, second.words, strict=True)) == same


def test_probability_has_another_gradient_than_the_logit():
    logit, probability = (run(attention_gradient, scored(output=output)) for output in ("logit", "probability"))
    assert not np.allclose(logit.words[1], probability.words[1])
    assert not np.allclose(
        logit.words[1] / logit.words[1].sum(), probability.words[1] / probability.words[1].sum(), rtol=1e-3
    )


def test_the_site_makes_no_difference():
    for method in BOTH:
        word, block = (run(method, scored(site=site)) for site in ("word", "block"))
        assert all(np.allclose(a, b) for a, b in zip(word.words, block.words, strict=True))


def test_words_that_are_cut_off_have_nothing():
    model = scored(max_length=5)
    for method in BOTH:
        words = run(method, model, ["the old king saw him"]).words[0]
        assert (words[:3] > 0).all() and (words[3:] == 0).all()


def test_rows_and_progress_are_counted():
    for method, counted in ((attention_rollout, (4, 0)), (attention_gradient, (0, 4))):
        model, seen = scored(), []
        run(method, model, progress=seen.append)
        assert (model.n_forward, model.n_backward) == counted
        assert sum(seen) == 4
        assert METHODS[method.__name__].rows(7, MethodOptions()) == tuple(n / 4 for n in counted)


def test_no_rows():
    for method in BOTH:
        assert method(scored(), [], np.zeros(0, dtype=np.int64), MethodOptions()).words == []


def test_half_precision():
    exact, rough = (run(attention_rollout, scored(tiny_bert().to(dtype))) for dtype in (None, torch.bfloat16))
    assert rough.words[1] == pytest.approx(exact.words[1], abs=0.02)
    assert (run(attention_gradient, scored(tiny_bert().bfloat16())).words[1] >= 0).all()


# ---- the model stays as it was


@pytest.mark.parametrize("method", BOTH)
@pytest.mark.parametrize("before", ["sdpa", "eager"])
def test_the_model_is_left_as_it_was(method, before):
    module = tiny_bert().train()
    module.set_attn_implementation(before)
    module.classifier.bias.requires_grad_(False)
    wanted = [parameter.requires_grad for parameter in module.parameters()]
    state = torch.random.get_rng_state()
    run(method, scored(module))
    assert module.config._attn_implementation == before
    assert module.training
    assert [parameter.requires_grad for parameter in module.parameters()] == wanted
    assert all(parameter.grad is None for parameter in module.parameters())
    assert torch.equal(torch.random.get_rng_state(), state)


def test_the_model_is_left_as_it_was_after_an_error():
    module = tiny_bert()
    module.set_attn_implementation("sdpa")
    with pytest.raises(RuntimeError, match="in between"), eager_attention(module):
        assert module.config._attn_implementation == "eager"
        raise RuntimeError("in between")
    assert module.config._attn_implementation == "sdpa"


def test_fast_attention_would_have_given_nothing():
    module = tiny_bert()
    module.set_attn_implementation("sdpa")
    ids = torch.tensor([[2, 5, 3]])
    assert len(module(input_ids=ids, output_attentions=True).attentions or ()) == 0
    with eager_attention(module):
        assert len(module(input_ids=ids, output_attentions=True).attentions) == 2


# ---- other models


def test_rollout_on_one_layer():
    model = scored(make_one_layer(tiny_tokenizer(), 2))
    words = run(attention_rollout, model).words
    ids, mask = model.tensors([row.ids for row in model.words.encode(TEXTS[3:])])
    attention = model.module(input_ids=ids, attention_mask=mask, output_attentions=True).attentions[0]
    assert words[3] == pytest.approx(0.5 * attention[0, 0, 0, 1:3].detach().numpy(), abs=1e-6)


def test_gradient_weighted_on_one_layer():
    model = scored(make_one_layer(tiny_tokenizer(), 2))
    together = run(attention_gradient, model)
    assert any(words.any() for words in together.words)
    assert run(attention_gradient, model, TEXTS[:1]).words[0] == pytest.approx(together.words[0], abs=1e-5)


def test_an_encoder_of_another_kind():
    from transformers import DistilBertConfig, DistilBertForSequenceClassification

    config = DistilBertConfig(vocab_size=len(tiny_tokenizer()), dim=32, hidden_dim=64, n_layers=2, n_heads=2)
    module = DistilBertForSequenceClassification(config).eval()
    for method in BOTH:
        assert all((words >= 0).all() and words.any() for words in run(method, scored(module)).words)
    assert module.config._attn_implementation == "sdpa"


# ---- errors


class GivesNone(BagOfWords):
    def forward(self, input_ids=None, attention_mask=None, inputs_embeds=None, output_attentions=False):
        output = super().forward(input_ids, attention_mask, inputs_embeds)
        output.attentions = self.given
        return output


@pytest.mark.parametrize("given", [None, (), (None, None)])
@pytest.mark.parametrize("method", BOTH)
def test_a_model_without_attention(method, given):
    module = GivesNone({"she": 1.0})
    module.given = given
    with pytest.raises(ValueError, match="GivesNone gives no attention weights"):
        run(method, scored(module))


@pytest.mark.parametrize("method", BOTH)
def test_attention_of_another_shape(method):
    module = GivesNone({"she": 1.0})
    module.given = (torch.zeros(1, 2, 4, 3),)
    with pytest.raises(ValueError, match=r"must have the shape \(1, n_heads, 4, 4\).*Got \(1, 2, 4, 3\)"):
        run(method, scored(module), ["a dog"])


def test_attention_that_the_scores_do_not_depend_on():
    module = Attends(FIRST, weights=[FIRST], copies=True)
    with pytest.raises(ValueError, match=r"must depend on the attention weights that it gives\. Those of layer 0"):
        run(attention_gradient, scored(module), ["a dog"])
    assert run(attention_rollout, scored(module), ["a dog"]).words[0] == pytest.approx([0.15, 0.1])


def test_an_unknown_reader():
    for method in BOTH:
        with pytest.raises(
            ValueError, match=r"'reader' parameter of the test must be one of \{'first', 'last', 'mean'\}"
        ):
            run(method, scored(), reader="cls")


def test_more_layers_and_heads():
    config = BertConfig(
        vocab_size=len(tiny_tokenizer()), hidden_size=32, num_hidden_layers=5, num_attention_heads=8,
        intermediate_size=32, max_position_embeddings=64,
    )  # fmt: skip
    output = run(attention_rollout, scored(BertForSequenceClassification(config)))
    assert [len(words) for words in output.words] == [len(row.words) for row in scored().words.encode(TEXTS)]
