"""Prompts: one row a text, whatever the text holds."""

import copy

import numpy as np
import pytest

import xembed
from xembed.encoders import PromptEncoder, describe_encoder, encode_texts
from xembed.encoders._prompt import TEMPLATE, PromptTokens


@pytest.fixture(scope="module")
def prompted(encoder):
    return PromptEncoder(encoder)


def test_tokens_are_those_of_the_whole_prompt(prompted):
    tokenizer = prompted.model[0].tokenizer
    features, positions = prompted.prompt_tokens.features(["a small cat", "dog"], "cpu")
    for row, mask, position, text in zip(
        features["input_ids"].tolist(), features["attention_mask"].tolist(), positions.tolist(),
        ["a small cat", "dog"], strict=True,
    ):  # fmt: skip
        whole = tokenizer(TEMPLATE.replace("{}", text))["input_ids"]
        assert row[: sum(mask)] == whole
        assert position == whole.index(tokenizer.mask_token_id)


@pytest.mark.parametrize("lstrip", [True, False])
def test_byte_level_tokens_are_those_of_the_whole_prompt(lstrip):
    from types import SimpleNamespace

    from tokenizers import AddedToken, ByteLevelBPETokenizer
    from tokenizers.processors import RobertaProcessing
    from transformers import PreTrainedTokenizerFast

    special = ["<s>", "<pad>", "</s>", "<unk>"]
    trained = ByteLevelBPETokenizer()
    corpus = ['This sentence : "a cat" means cats .'] * 5
    trained.train_from_iterator(corpus, vocab_size=330, min_frequency=1, show_progress=False, special_tokens=special)
    trained._tokenizer.post_processor = RobertaProcessing(("</s>", 2), ("<s>", 0))
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=trained._tokenizer,
        mask_token=AddedToken("<mask>", lstrip=lstrip),
        pad_token="<pad>",
        unk_token="<unk>",
    )
    tokens = PromptTokens(SimpleNamespace(tokenizer=tokenizer, max_seq_length=None), TEMPLATE, caller="test")
    features, positions = tokens.features(["a cat", "a <mask> </s>"], "cpu")
    whole = tokenizer(TEMPLATE.replace("{}", "a cat").replace("[MASK]", "<mask>"))["input_ids"]
    assert features["input_ids"][0, : len(whole)].tolist() == whole
    assert whole[positions[0]] == tokenizer.mask_token_id and whole[0] == 0 and whole[-1] == 2
    assert features["input_ids"][1].tolist().count(tokenizer.mask_token_id) == 1
    assert features["attention_mask"][0].sum() == len(whole)


def test_rows_are_hidden_states_at_the_mask(prompted, encoder):
    import torch

    found = prompted.encode(["the dog is soft", "cat"], cache=False)
    for row, text in zip(found, ["the dog is soft", "cat"], strict=True):
        features = encoder.model.preprocess([TEMPLATE.replace("{}", text)])
        position = features["input_ids"][0].tolist().index(encoder.model[0].tokenizer.mask_token_id)
        with torch.inference_mode():
            states = encoder.model[0](features)["token_embeddings"][0]
        np.testing.assert_allclose(row, states[position].numpy(), atol=1e-5)


@pytest.mark.parametrize(
    "text",
    [
        "[MASK]",
        "[MASK] [MASK] [SEP] [CLS]",
        'this " means [MASK] .',
        "{} {0} %s {",
        "the " * 200,
        "xyz \x00 \u202e",
        ".",
    ],
)
def test_texts_are_plain_text(prompted, text):
    features, positions = prompted.prompt_tokens.features([text], "cpu")
    ids = features["input_ids"][0].tolist()
    mask = prompted.model[0].tokenizer.mask_token_id
    assert ids.count(mask) == 1 and ids.index(mask) == positions[0] and len(ids) <= prompted.max_length
    assert np.isfinite(prompted.encode_detailed([text, "cat"], cache=False).embeddings).all()


def test_truncation_shortens_the_text_never_the_prompt(prompted):
    long, cut = "cat " * 100, "cat " * 30  # 40 positions, 10 of the prompt
    features, _ = prompted.prompt_tokens.features([long], "cpu")
    assert features["input_ids"].shape == (1, 40)
    encoding = prompted.encode_detailed([long, cut, cut + "cat"], cache=False)
    assert encoding.n_truncated == 2 and encoding.n_tokens.tolist() == [110, 40, 41]
    np.testing.assert_allclose(encoding.embeddings[0], encoding.embeddings[1], atol=1e-6)
    with pytest.warns(UserWarning, match="2 of 3 texts are longer than 40 tokens"):
        prompted.encode([long, cut, cut + "cat"], cache=False)


def test_batches_and_repeats_change_nothing(prompted):
    texts = ["cat", "the large dog is a kind of animal", "cat", "rain"]
    one = prompted.encode(texts, batch_size=1, cache=False)
    np.testing.assert_allclose(prompted.encode(texts, batch_size=8, cache=False), one, atol=1e-5)
    np.testing.assert_array_equal(one[0], one[2])


def test_the_cache_keeps_templates_apart(prompted, encoder, tmp_path):
    other = PromptEncoder(encoder, template="[MASK] : {}")
    assert len({encoder.fingerprint, prompted.fingerprint, other.fingerprint}) == 3
    first = prompted.encode(["cat"], cache=tmp_path)
    assert not np.allclose(other.encode(["cat"], cache=tmp_path), first)
    assert not np.allclose(encoder.encode(["cat"], cache=tmp_path), first)
    again = prompted.encode_detailed(["cat"], cache=tmp_path)
    assert again.n_cached == 1 and again.n_tokens.tolist() == [11]
    np.testing.assert_array_equal(again.embeddings, first)


def test_it_is_an_encoder(prompted):
    described = describe_encoder(prompted)
    assert described["pooling"] == "prompt" and described["template"] == TEMPLATE and described["dimension"] == 32
    assert encode_texts(prompted, ["cat", "dog"], cache=False).n_unique == 2
    assert repr(prompted).startswith("PromptEncoder('tiny', dimension=32") and prompted.max_length == 40


def test_unit_length_stays():
    encoder = xembed.load_encoder(device="cpu")
    rows = PromptEncoder(encoder).encode(["A cat sleeps.", "It rains."], cache=False)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)


@pytest.mark.parametrize(
    ("template", "error", "message"),
    [
        ("no place [MASK]", ValueError, r"must hold \{\} once, for the sentence, and \[MASK\] once"),
        ("{} and {} [MASK]", ValueError, "Got '{} and {} "),
        ("{}", ValueError, "for the tokenizer's own mask"),
        (3, TypeError, "'template' parameter of PromptEncoder must be a string. Got 3"),
        ("the " * 60 + "{} [MASK]", ValueError, "must leave room for a sentence. Got one of 63 tokens.* reads 40"),
    ],
)
def test_templates_that_can_not_be(encoder, template, error, message):
    with pytest.raises(error, match=message):
        PromptEncoder(encoder, template)


def test_models_that_can_not_be_prompted(encoder):
    with pytest.raises(
        TypeError, match="'encoder' parameter of PromptEncoder must be an Encoder made of a transformer"
    ):
        PromptEncoder("bert-base-uncased")
    other = copy.deepcopy(encoder)
    other.model[0].tokenizer.mask_token = None
    with pytest.raises(ValueError, match=r"needs a tokenizer with a mask token. Got \w+, which has none"):
        PromptEncoder(other)
