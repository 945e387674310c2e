"""Classifiers of any backbone, what schemes train, the one-layer model, and models in folders."""

import json
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from models import save_small, small_pairs, word_tokenizer
from transformers import BertConfig, BertModel, GPT2Config, GPT2Model

import xembed
from xembed.geco._classifier import evaluate, make_classifier, make_model
from xembed.geco._one_layer import OneLayerAttention, OneLayerConfig, make_one_layer
from xembed.geco._schemes import SCHEMES, trainable_parameters
from xembed.geco._training import load_model, save_model, train

KINDS = ("bert", "distilbert", "roberta")
HEADS = {
    "bert": {"classifier.weight", "classifier.bias"},
    "distilbert": {"pre_classifier.weight", "pre_classifier.bias", "classifier.weight", "classifier.bias"},
    "roberta": {
        "classifier.dense.weight",
        "classifier.dense.bias",
        "classifier.out_proj.weight",
        "classifier.out_proj.bias",
    },
}
TABLES = {
    "bert": ("word_embeddings", "position_embeddings", "token_type_embeddings"),
    "distilbert": ("word_embeddings", "position_embeddings"),
    "roberta": ("word_embeddings", "position_embeddings", "token_type_embeddings"),
}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("small")
    return {kind: save_small(root / kind, kind) for kind in KINDS}


# ---- what schemes train


@pytest.mark.parametrize("kind", KINDS)
def test_the_schemes_train_these_parameters_and_no_others(folders, kind):
    model, _ = make_classifier(folders[kind], 2)
    every = {name for name, _ in model.named_parameters()}
    block = {f"{kind}.embeddings.{table}.weight" for table in TABLES[kind]} | {
        f"{kind}.embeddings.LayerNorm.weight",
        f"{kind}.embeddings.LayerNorm.bias",
    }
    assert trainable_parameters(model, "C") == HEADS[kind]
    assert trainable_parameters(model, "CE") == HEADS[kind] | block
    assert trainable_parameters(model, "CEf") == HEADS[kind] | block
    assert trainable_parameters(model, "CEfAf") == every
    assert trainable_parameters(model, "ZS") == set()
    if kind == "bert":  # the pooler belongs to the pretrained model
        assert {"bert.pooler.dense.weight", "bert.pooler.dense.bias"} <= every - trainable_parameters(model, "CEf")


def test_the_one_layer_model_trains_all(folders):
    model, _ = make_model("OLA", folders["bert"], 2)
    assert trainable_parameters(model, "OLA") == {name for name, _ in model.named_parameters()}
    with pytest.raises(ValueError, match=r"The scheme 'C' is for a pretrained classifier .* Got OneLayerAttention"):
        trainable_parameters(model, "C")


def test_schemes_refuse_what_they_can_not_train(folders):
    model, _ = make_classifier(folders["bert"], 2)
    with pytest.raises(ValueError, match=r"must be one of \{'C', 'CE', 'CEf', 'CEfAf', 'OLA', 'ZS'\}. Got 'XY'"):
        trainable_parameters(model, "XY")
    with pytest.raises(ValueError, match=r"The scheme 'OLA' is for a OneLayerAttention. Got BertForSequence"):
        trainable_parameters(model, "OLA")
    with pytest.raises(ValueError, match=r"must be a classifier.* Got BertModel, which has no head"):
        trainable_parameters(model.bert, "C")
    del model.classifier
    with pytest.raises(ValueError, match=r"must have a head with parameters. Got BertForSequenceClass"):
        trainable_parameters(model, "C")


def test_the_registry_is_complete_and_read_only():
    assert list(SCHEMES) == ["C", "CE", "CEf", "CEfAf", "OLA", "ZS"]
    assert SCHEMES["CEf"].published == (20, 32, 0.01, 0.0)
    assert [name for name, scheme in SCHEMES.items() if scheme.fresh_embeddings] == ["CE"]
    with pytest.raises(TypeError):
        SCHEMES["new"] = SCHEMES["C"]


# ---- classifiers


@pytest.mark.parametrize("kind", KINDS)
def test_a_classifier_has_the_weights_of_the_backbone(folders, kind):
    from transformers import AutoModel

    source = AutoModel.from_pretrained(folders[kind])
    model, tokenizer = make_classifier(folders[kind], 3, seed=5)
    own = model.base_model.state_dict()
    assert all(torch.equal(own[name], tensor) for name, tensor in source.state_dict().items() if name in own)
    assert model.config.num_labels == 3 and not model.training
    assert tokenizer.model_max_length == 40
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_the_head_depends_on_the_seed_only(folders):
    torch.manual_seed(11)
    before = torch.get_rng_state()
    first = make_classifier(folders["bert"], 2, seed=1)[0].classifier.weight
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(12)
    assert torch.equal(make_classifier(folders["bert"], 2, seed=1)[0].classifier.weight, first)
    assert not torch.equal(make_classifier(folders["bert"], 2, seed=2)[0].classifier.weight, first)


def test_an_encoder_is_copied(folders):
    encoder = xembed.load_encoder(folders["bert"], pooling="mean", device="cpu", max_length=12)
    model, tokenizer = make_classifier(encoder, 2)
    before = encoder.encode(["she sings ."], cache=False)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    np.testing.assert_array_equal(encoder.encode(["she sings ."], cache=False), before)
    assert tokenizer is not encoder.model.tokenizer
    assert tokenizer.model_max_length == 12


def test_a_pooler_that_the_checkpoint_lacks_comes_from_the_seed(tmp_path):
    save_small(tmp_path, "bert")
    model = BertModel.from_pretrained(tmp_path, add_pooling_layer=False)
    model.save_pretrained(tmp_path)
    poolers = [make_classifier(tmp_path, 2, seed=seed)[0].bert.pooler.dense.weight for seed in (1, 1, 2)]
    assert torch.equal(poolers[0], poolers[1])
    assert not torch.equal(poolers[0], poolers[2])


def test_what_can_not_be_a_backbone(folders, tmp_path):
    with pytest.raises(TypeError, match=r"'backbone' parameter of make_classifier must be an Encoder, a folder"):
        make_classifier(7, 2)
    with pytest.raises(FileNotFoundError, match=r"does not exist"):
        make_classifier(tmp_path / "nothing", 2)
    with pytest.raises(ValueError, match=r"'n_classes' parameter of make_classifier must be an integer of at least 2"):
        make_classifier(folders["bert"], 1)
    with pytest.raises(ValueError, match=r"The scheme 'ZS' trains nothing: use zero_shot"):
        make_model("ZS", folders["bert"], 2)


def test_a_kind_without_classifier_is_named(tmp_path):
    from transformers import CLIPTextConfig, CLIPTextModel

    config = CLIPTextConfig(
        vocab_size=60, hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2
    )
    CLIPTextModel(config).save_pretrained(tmp_path)
    word_tokenizer().save_pretrained(tmp_path)
    with pytest.raises(ValueError, match=r"a kind that transformers has a sequence classifier for. Got CLIPText"):
        make_classifier(tmp_path, 2)


def test_a_decoder_without_padding_is_refused(tmp_path):
    tokenizer = word_tokenizer()
    tokenizer.pad_token = None
    tokenizer.save_pretrained(tmp_path)
    GPT2Model(GPT2Config(vocab_size=60, n_embd=16, n_layer=1, n_head=2)).save_pretrained(tmp_path)
    with pytest.raises(ValueError, match=r"must have a padding token. .* not a decoder such as GPT-2"):
        make_classifier(tmp_path, 2)


def test_a_slow_tokenizer_is_refused(folders, monkeypatch):
    encoder = xembed.load_encoder(folders["bert"], pooling="mean", device="cpu")

    class Slow:
        is_fast = False

    monkeypatch.setattr(type(encoder.model[0]), "tokenizer", Slow(), raising=False)
    with pytest.raises(TypeError, match=r"must be a fast one, which knows the word of each token .* slow Slow"):
        make_classifier(encoder, 2)


def test_the_offline_encoder_becomes_a_classifier():
    encoder = xembed.load_encoder(device="cpu")
    model, tokenizer = make_classifier(encoder, 2)
    pooler = encoder.model[0].auto_model.pooler.dense.weight
    assert torch.equal(model.bert.pooler.dense.weight, pooler)  # it comes with the checkpoint
    assert len(trainable_parameters(model, "C")) == 2
    assert tokenizer.model_max_length == 256


# ---- one layer of attention


def tiny_layer(**options):
    torch.manual_seed(0)
    return OneLayerAttention(OneLayerConfig(vocab_size=20, num_labels=2, hidden_size=8, **options)).eval()


def test_one_layer_by_hand():
    """Identity keys and values, a query of the first token: all can be written down."""
    model = OneLayerAttention(OneLayerConfig(vocab_size=4, num_labels=2, hidden_size=2))
    with torch.no_grad():
        for layer in (model.query, model.key, model.value, model.pooler, model.classifier):
            layer.weight.copy_(torch.eye(2))
            layer.bias.zero_()
        model.embeddings.weight.copy_(torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 2.0], [3.0, 1.0]]))
        found = model(input_ids=torch.tensor([[1, 2, 3]]), output_attentions=True)
    weights = np.exp(np.array([1.0, 0.0, 3.0]) / math.sqrt(2))
    weights /= weights.sum()
    expected = np.tanh(weights @ np.array([[1, 0], [0, 2], [3, 1]]))
    np.testing.assert_allclose(found.attentions[0][0, 0, 0], weights, rtol=1e-6)
    np.testing.assert_allclose(found.logits[0], expected, rtol=1e-6)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 19), min_size=1, max_size=9), st.integers(0, 6), st.randoms(use_true_random=False))
def test_padding_and_order_do_not_matter_to_one_layer(ids, n_padding, random):
    model = tiny_layer()
    first, *rest = ids
    random.shuffle(rest)
    row = torch.tensor([[*ids, *[0] * n_padding]])
    mask = torch.tensor([[1] * len(ids) + [0] * n_padding])
    with torch.no_grad():
        alone = model(input_ids=torch.tensor([ids])).logits
        padded = model(input_ids=row, attention_mask=mask, output_attentions=True)
        shuffled = model(input_ids=torch.tensor([[first, *rest]])).logits
        embedded = model(inputs_embeds=model.get_input_embeddings()(row), attention_mask=mask).logits
    torch.testing.assert_close(padded.logits, alone, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(shuffled, alone, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(embedded, alone, rtol=1e-5, atol=1e-6)
    (attention,) = padded.attentions
    assert attention.shape == (1, 1, row.shape[1], row.shape[1])
    assert float(attention[..., len(ids) :].abs().sum()) == 0
    torch.testing.assert_close(attention.sum(dim=-1), torch.ones(1, 1, row.shape[1]))


def test_one_layer_asks_for_one_input():
    model = tiny_layer()
    with pytest.raises(ValueError, match=r"either input_ids or inputs_embeds"):
        model()
    with pytest.raises(ValueError, match=r"either input_ids or inputs_embeds"):
        model(input_ids=torch.tensor([[1]]), inputs_embeds=torch.zeros(1, 1, 8))
    assert model(input_ids=torch.tensor([[1]])).attentions is None


def test_one_layer_depends_on_the_seed_only():
    tokenizer = word_tokenizer()
    before = torch.get_rng_state()
    models = [make_one_layer(tokenizer, 2, seed=seed) for seed in (3, 3, 4)]
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(models[0].value.weight, models[1].value.weight)
    assert not torch.equal(models[0].value.weight, models[2].value.weight)
    assert models[0].config.vocab_size == len(tokenizer) and models[0].config.hidden_size == 64


# ---- folders


@pytest.mark.parametrize("scheme", ["CEf", "OLA"])
def test_a_saved_model_comes_back_to_the_bit(folders, tmp_path, scheme):
    pairs = small_pairs(10)
    model, tokenizer = make_model(scheme, folders["roberta"], 2)
    trained = train(model, tokenizer, pairs, scheme, epochs=1, device="cpu")
    save_model(trained, tmp_path / "model")
    back = load_model(tmp_path / "model")
    assert back.record.to_dict() == trained.record.to_dict()
    assert type(back.model) is type(trained.model) and not back.model.training
    expected = evaluate(trained.model, tokenizer, pairs)
    np.testing.assert_array_equal(evaluate(back.model, back.tokenizer, pairs), expected)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model"]
    assert not [path for path in (tmp_path / "model").rglob("*") if path.suffix in {".bin", ".pt", ".pkl"}]


def test_a_folder_that_is_not_whole_is_refused(folders, tmp_path, monkeypatch):
    model, tokenizer = make_model("OLA", folders["bert"], 2)
    trained = train(model, tokenizer, small_pairs(10), "OLA", epochs=1, device="cpu")
    with pytest.raises(
        FileNotFoundError, match=r"holds no trained model: geco-training.json, model.safetensors, config"
    ):
        load_model(tmp_path)
    save_model(trained, tmp_path / "model")
    with pytest.raises(FileExistsError, match=r"exists and is not empty"):
        save_model(trained, tmp_path / "model")
    record = tmp_path / "model" / "geco-training.json"
    text = record.read_text(encoding="utf-8")
    record.write_text(text.replace(trained.record.digest, "0" * 64), encoding="utf-8")
    with pytest.raises(ValueError, match=r"are not those of the training that geco-training.json records"):
        load_model(tmp_path / "model")
    assert json.loads(text)["schema"] == "xembed.geco.TrainingRecord/1"

    def fail(*_):
        raise OSError("the disk is full")

    monkeypatch.setattr(type(trained.tokenizer), "save_pretrained", fail)
    with pytest.raises(OSError, match=r"the disk is full"):
        save_model(trained, tmp_path / "other")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model"]


def test_bert_without_a_head_in_the_config_of_another_class(tmp_path):
    """A saved classifier is a backbone too: its head is left behind."""
    from transformers import BertForSequenceClassification

    save_small(tmp_path, "bert")
    BertForSequenceClassification(BertConfig.from_pretrained(tmp_path, num_labels=5)).save_pretrained(tmp_path)
    model, _ = make_classifier(tmp_path, 2)
    assert model.classifier.weight.shape == (2, 32)
