"""The fingerprint changes with all that an embedding depends on, and with nothing else."""

from __future__ import annotations

import json
import shutil

import pytest

import xembed
from xembed.encoders import Encoder


@pytest.fixture
def load(tiny_folder):
    return lambda **options: xembed.load_encoder(**{"model": tiny_folder, "device": "cpu"} | options)


def test_same_options_same_fingerprint(load, tiny_folder, tmp_path):
    first = load().fingerprint
    assert len(first) == 64
    assert set(first) <= set("0123456789abcdef")
    assert load().fingerprint == first
    assert load(layer=-1, normalize=False, max_length=40).fingerprint == first  # what the model does anyway
    shutil.copytree(tiny_folder, tmp_path / "elsewhere")
    assert load(model=tmp_path / "elsewhere").fingerprint == first
    assert load(layer=-2).fingerprint == load(layer=2).fingerprint


def test_every_option_changes_it(load):
    options = [
        {},
        *({"pooling": pooling} for pooling in ("cls", "max", "last_token", "weighted_mean")),
        *({"layer": layer} for layer in (0, 1, 2, 3)),
        {"normalize": True},
        {"dtype": "float16"},
        {"dtype": "bfloat16"},
        {"max_length": 20},
        {"max_length": 21},
    ]
    assert len({load(**option).fingerprint for option in options}) == len(options)


def test_encoding_does_not_change_it(load):
    encoder = load()
    before = encoder.fingerprint
    encoder.encode_detailed(["the cat", "dog " * 60], cache=False, batch_size=1)
    assert encoder.fingerprint == before
    encoder._state = None  # computed anew, after the tokenizer was used with padding and truncation
    assert encoder.fingerprint == before


def test_changed_weights_are_noticed(load):
    import torch

    encoder = load()
    seen = [encoder.fingerprint]
    weight = encoder.model[0].auto_model.encoder.layer[0].output.dense.weight
    with torch.no_grad():
        weight[3, 5] += 1e-6
    seen.append(encoder.fingerprint)
    weight.data = weight.data * 2
    seen.append(encoder.fingerprint)
    assert len(set(seen)) == 3


def test_changed_model_does_not_meet_old_vectors(load):
    import torch

    encoder = load()
    before = encoder.encode(["the cat"])
    with torch.no_grad():
        encoder.model[0].auto_model.embeddings.LayerNorm.bias += 1
    found = encoder.encode_detailed(["the cat"])
    assert found.n_cached == 0
    assert abs(found.embeddings - before).max() > 1e-3


def test_settings_changed_through_the_model_are_noticed(load):
    encoder = load()
    seen = [encoder.fingerprint]
    encoder.model.max_seq_length = 7
    seen.append(encoder.fingerprint)
    encoder.model.prompts["query"] = "find: "
    seen.append(encoder.fingerprint)
    encoder.model.default_prompt_name = "query"
    seen.append(encoder.fingerprint)
    encoder.model.truncate_dim = 8
    seen.append(encoder.fingerprint)
    seen.append(Encoder(encoder.model, revision="v2").fingerprint)
    assert len(set(seen)) == 6


def test_tokenizer_changes_it(make_tiny, tiny):
    assert make_tiny_fingerprint(make_tiny) == tiny.fingerprint
    assert make_tiny_fingerprint(make_tiny, do_lower_case=False) != tiny.fingerprint
    assert make_tiny_fingerprint(make_tiny, padding_side="left") != tiny.fingerprint


def make_tiny_fingerprint(make_tiny, **options):
    return xembed.load_encoder(make_tiny(**options), device="cpu").fingerprint


def test_configuration_changes_it(tiny_folder, tiny, tmp_path):
    shutil.copytree(tiny_folder, tmp_path / "tiny")
    path = tmp_path / "tiny" / "config.json"
    config = json.loads(path.read_text())
    path.write_text(json.dumps(config | {"transformers_version": "1.0", "layer_norm_eps": config["layer_norm_eps"]}))
    assert xembed.load_encoder(tmp_path / "tiny", device="cpu").fingerprint == tiny.fingerprint
    path.write_text(json.dumps(config | {"layer_norm_eps": 1e-3}))
    assert xembed.load_encoder(tmp_path / "tiny", device="cpu").fingerprint != tiny.fingerprint


def test_default_and_head(default, tiny, sentence_folder):
    head = xembed.load_encoder(sentence_folder, device="cpu").fingerprint
    assert len({default.fingerprint, tiny.fingerprint, head}) == 3
