"""DefSent on a tiny masked language model."""

import json
import shutil

import numpy as np
import pytest
import torch

import xembed
from xembed.defsent import DefSent, DefSentResult
from xembed.encoders._masked_lm import load_masked_lm, single_tokens

FAST = {"learning_rate": 5e-3, "epochs": 6, "validation_fraction": 0.1, "device": "cpu"}


class Stop(Exception):
    pass


def state(encoder):
    return {name: tensor.clone() for name, tensor in encoder.model.state_dict().items()}


@pytest.mark.parametrize("pooling", ["cls", "mean", "max"])
def test_training_falls_and_freezes_what_it_should(masked_lm_folder, dictionary, pooling, capfd):
    random = torch.get_rng_state()
    model = DefSent(masked_lm_folder, pooling=pooling, **FAST).fit(dictionary | {"polar bear": "a large animal"})
    assert torch.equal(random, torch.get_rng_state())
    result = model.result_
    assert (result.n_entries, result.n_dropped, result.n_validation, result.method) == (36, 1, 4, "defsent")
    assert any("1 of 37 entries are not one token" in note for note in result.notes)
    losses = result.rounds[0].losses
    assert losses[-1] < losses[0] - 0.2 or len(losses) == 1
    record = model.history_[0]
    assert record.validation_losses[-1] < record.validation_losses[0]
    before = state(load_masked_lm(masked_lm_folder, pooling=pooling, device="cpu", seed=0, caller="test")[0])
    after = state(model.encoder_)
    changed = {name for name in before if not torch.equal(before[name], after[name]) and ".pooler." not in name}
    assert changed and not any("word_embeddings" in name for name in changed)
    assert any("layer.1." in name for name in changed) and any("position_embeddings" in name for name in changed)
    assert model.encoder_.describe()["pooling"] == pooling
    assert DefSentResult.from_json(result.to_json()).to_json() == result.to_json()
    assert capfd.readouterr() == ("", "")


def test_the_head_is_the_models_own(masked_lm_folder):
    from transformers import AutoModelForMaskedLM

    encoder, head = load_masked_lm(masked_lm_folder, pooling="cls", device="cpu", seed=0, caller="test")
    whole = AutoModelForMaskedLM.from_pretrained(masked_lm_folder).eval()
    features = encoder.model.preprocess(["the small animal"])
    with torch.no_grad():
        expected = whole(input_ids=features["input_ids"], attention_mask=features["attention_mask"]).logits[:, 0]
        found = head(torch.from_numpy(encoder.encode(["the small animal"], cache=False)))
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    embeddings = encoder.model[0].auto_model.get_input_embeddings().weight
    assert torch.equal(head.predictions.decoder.weight, embeddings)  # tied, and both are frozen
    assert not any(p.requires_grad for p in head.parameters()) and not head.training


@pytest.mark.parametrize("kind", ["roberta", "distilbert", "albert", "mpnet", "electra"])
def test_other_architectures(kind, masked_lm_folder, tmp_path):
    import transformers
    from transformers import AutoConfig, AutoModelForMaskedLM

    size = len((masked_lm_folder / "vocab.txt").read_text().splitlines())
    shape = {"vocab_size": size, "max_position_embeddings": 40, "pad_token_id": 0}
    wide = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    narrow = {"dim": 16, "n_layers": 1, "n_heads": 2, "hidden_dim": 32}
    if kind in ("albert", "electra"):
        wide["embedding_size"] = 16
    config = AutoConfig.for_model(kind, **shape, **(narrow if kind == "distilbert" else wide))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        whole = AutoModelForMaskedLM.from_config(config).eval()
    whole.save_pretrained(tmp_path)
    transformers.BertTokenizer(str(masked_lm_folder / "vocab.txt"), model_max_length=30).save_pretrained(tmp_path)
    if kind == "electra":
        with pytest.raises(ValueError, match="ElectraForMaskedLM names its masked-language-model head otherwise"):
            load_masked_lm(tmp_path, pooling="cls", device="cpu", seed=0, caller="DefSent")
        return
    encoder, head = load_masked_lm(tmp_path, pooling="cls", device="cpu", seed=0, caller="DefSent")
    features = encoder.model.preprocess(["the small animal"])
    with torch.no_grad():
        expected = whole(input_ids=features["input_ids"], attention_mask=features["attention_mask"]).logits[:, 0]
        found = head(torch.from_numpy(encoder.encode(["the small animal"], cache=False)))
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


def test_single_tokens(masked_lm_folder):
    tokenizer = xembed.load_encoder(masked_lm_folder, pooling="mean", device="cpu").model[0].tokenizer
    cat = tokenizer.convert_tokens_to_ids("cat")
    found = single_tokens(tokenizer, ["cat", " Cat ", "polar bear", "unknownword", "[MASK]", "[UNK]", "", "kind of"])
    assert found.tolist() == [cat, cat, -1, -1, -1, -1, -1, -1]


def test_byte_level_words_are_looked_up_with_their_space():
    from tokenizers import ByteLevelBPETokenizer
    from transformers import PreTrainedTokenizerFast

    trained = ByteLevelBPETokenizer()
    trained.train_from_iterator(["a cat and a cat and a cat"] * 5, vocab_size=300, min_frequency=1, show_progress=False)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=trained._tokenizer, unk_token="<unk>")
    found = single_tokens(tokenizer, ["cat"])
    assert tokenizer.convert_ids_to_tokens(found.tolist()) == ["Ġcat"]


def test_published_learning_rates(masked_lm_folder, dictionary, tmp_path):
    options = {"epochs": 1, "device": "cpu", "pooling": "mean"}
    for name, rate, words in [("bert-base-uncased", 1.131e-5, "published"), ("mine", 1e-5, "none is published")]:
        shutil.copytree(masked_lm_folder, tmp_path / name)
        result = DefSent(tmp_path / name, **options).fit(dictionary).result_
        assert result.learning_rate == rate and any(words in note for note in result.notes)


def test_interrupted_training_goes_on_to_the_same_bits(masked_lm_folder, dictionary, tmp_path):
    def stop(seen):
        if seen.step == 9:
            raise Stop

    whole = DefSent(masked_lm_folder, **FAST).fit(dictionary)
    model = DefSent(masked_lm_folder, **FAST, checkpoint_dir=tmp_path / "run", checkpoint_every=4)
    with pytest.raises(Stop):
        model.fit(dictionary, callback=stop)
    assert json.loads((tmp_path / "run" / "defsent-state.json").read_text())["state"]["log"]["step"] == 8
    model.fit(dictionary)
    first, second = state(whole.encoder_), state(model.encoder_)
    assert all(torch.equal(first[name], second[name]) for name in first)
    with pytest.raises(ValueError, match=r"differs in parameters.learning_rate"):
        model.set_params(learning_rate=1e-4).fit(dictionary)


def test_saved_encoders_come_back(masked_lm_folder, dictionary, tmp_path):
    model = DefSent(masked_lm_folder, **FAST).fit(dictionary)
    model.save(tmp_path / "saved")
    loaded = xembed.load_encoder(tmp_path / "saved", device="cpu")
    np.testing.assert_array_equal(loaded.encode(["cat"], cache=False), model.encoder_.encode(["cat"], cache=False))


def test_models_without_a_head_are_refused(model_folder, dictionary, tmp_path):
    with pytest.raises(ValueError, match=r"'tiny' has no masked-language-model head in its checkpoint: cls\."):
        DefSent(model_folder, **FAST).fit(dictionary)
    with pytest.raises(FileNotFoundError, match="does not exist"):
        DefSent(tmp_path / "nothing", **FAST).fit(dictionary)
    with pytest.raises(TypeError, match="'model' parameter of load_encoder"):
        DefSent(3, **FAST).fit(dictionary)


def test_models_of_another_kind_are_refused(tmp_path, masked_lm_folder, dictionary):
    from transformers import BertTokenizer, GPT2Config, GPT2Model

    GPT2Model(GPT2Config(vocab_size=100, n_embd=16, n_layer=1, n_head=2, n_positions=40)).save_pretrained(tmp_path)
    BertTokenizer(str(masked_lm_folder / "vocab.txt"), model_max_length=40).save_pretrained(tmp_path)
    with pytest.raises(ValueError, match=r"has no masked-language-model head .* DefSentPlus needs no head"):
        DefSent(tmp_path, **FAST).fit(dictionary)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"polar bear": "an animal", "unknownword": "one"}, "at least 2 entries .* one token of the .* Got 0 of 2"),
        ({"polar bear": "an animal", "cat": "one"}, "Got 1 of 2 entries: DefSentPlus can use all"),
    ],
)
def test_dictionaries_without_single_tokens(masked_lm_folder, words, message):
    with pytest.raises(ValueError, match=message):
        DefSent(masked_lm_folder, **FAST).fit(words)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"pooling": "prompt"}, ValueError, r"'pooling' parameter of DefSent must be one of \{'cls', 'max', 'mean'\}"),
        ({"learning_rate": -1.0}, ValueError, "'learning_rate' parameter of DefSent"),
        ({"max_length": 1}, ValueError, "'max_length' parameter of DefSent"),
        ({"warmup": -0.1}, ValueError, "'warmup' parameter of DefSent"),
    ],
)
def test_options_that_can_not_be(masked_lm_folder, dictionary, options, error, message):
    with pytest.raises(error, match=message):
        DefSent(masked_lm_folder, **FAST | options).fit(dictionary)
