"""Texts that are in the cache need no model."""

import contextlib
import copy
import json
import shutil
import sqlite3
import subprocess
import sys

import numpy as np
import pytest

import xembed
from xembed.encoders import _record, clear_cache

TEXTS = ["the cat", "a dog runs"]
ENCODE = """
import sys, numpy as np, xembed
encoder = xembed.load_encoder(sys.argv[1], device="cpu", pooling="max")
encoding = encoder.encode_detailed(["a dog runs", "the cat"])
np.save(sys.argv[2], encoding.embeddings)
print(encoding.n_cached, encoding.n_tokens.tolist(), encoder, encoder.describe(), "torch" in sys.modules)
"""


@pytest.fixture
def folder(tiny_folder, tmp_path):
    return shutil.copytree(tiny_folder, tmp_path / "model")


def is_loaded(encoder):
    return "model" in vars(encoder)


def load(folder, **options):
    return xembed.load_encoder(folder, device="cpu", **options)


def test_cached_texts_need_no_torch(folder, tmp_path, own_cache):
    first = load(folder, pooling="max")
    X = first.encode(TEXTS)
    run = subprocess.run(
        [sys.executable, "-c", ENCODE, str(folder), str(tmp_path / "X.npy")], capture_output=True, text=True, check=True
    )
    np.testing.assert_array_equal(np.load(tmp_path / "X.npy"), X[::-1])
    counts = first.encode_detailed(TEXTS).n_tokens[::-1].tolist()
    assert run.stdout.strip() == f"2 {counts} {first} {first.describe()} False"


def test_model_is_loaded_for_what_is_not_cached(folder):
    expected = load(folder).encode([*TEXTS, "the dog"], cache=False)
    load(folder).encode(TEXTS)
    encoder = load(folder).with_options(batch_size=7)
    assert not is_loaded(encoder)
    np.testing.assert_allclose(encoder.encode([*TEXTS, "the dog"]), expected, atol=1e-6)
    assert is_loaded(encoder)
    assert load(folder).model is not encoder.model


def test_copies_share_the_model_and_deep_copies_do_not(folder):
    load(folder).encode(TEXTS)
    encoder = load(folder)
    other = encoder.with_options(batch_size=2)
    deep = copy.deepcopy(encoder)
    assert other.model is encoder.model is not deep.model
    assert deep.fingerprint == encoder.fingerprint


def rewrite_configuration(folder):
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"layer_norm_eps": 0.5}))


def rewrite_in_place(folder):
    path = folder / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[-4:] = np.float32(3).tobytes()
    path.write_bytes(content)


def add_a_file(folder):
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text("{}")


@pytest.mark.parametrize("change", [rewrite_configuration, rewrite_in_place, add_a_file])
def test_changed_files_are_noticed(folder, change):
    load(folder).encode(TEXTS)
    assert not is_loaded(load(folder))
    change(folder)
    assert is_loaded(load(folder))


@pytest.mark.parametrize(
    "options", [{"layer": 1}, {"pooling": "max"}, {"normalize": True}, {"max_length": 9}, {"dtype": "bfloat16"}]
)
def test_every_option_has_its_own_record(folder, options):
    load(folder).encode(TEXTS)
    encoder = load(folder, **options)
    assert is_loaded(encoder)
    encoder.encode(TEXTS)
    assert not is_loaded(load(folder, **options))
    assert load(folder, **options).describe() == encoder.describe()


def test_another_version_of_a_library_loads(folder, monkeypatch):
    load(folder).encode(TEXTS)
    version = _record.metadata.version
    monkeypatch.setattr(_record.metadata, "version", lambda name: version(name) + ".1" * (name == "transformers"))
    assert is_loaded(load(folder))


@pytest.mark.parametrize(
    "forge",
    [
        lambda known: "",
        lambda known: "[]",
        lambda known: json.dumps(known | {"dimension": "16"}),
        lambda known: json.dumps(known | {"dimension": True}),
        lambda known: json.dumps(known | {"fingerprint": "../x"}),
        lambda known: json.dumps({name: known[name] for name in known if name != "layer"}),
        lambda known: json.dumps(known)[:40],
        lambda known: "[" * 100_000,
    ],
)
def test_damaged_record_is_not_believed(folder, own_cache, forge):
    load(folder).encode(TEXTS)
    (path,) = (own_cache / "encoders").iterdir()
    path.write_text(forge(json.loads(path.read_text())))
    encoder = load(folder)
    assert is_loaded(encoder)
    encoder.encode(TEXTS)
    assert not is_loaded(load(folder))


def test_changed_model_is_not_recorded(folder, own_cache):
    encoder = load(folder)
    encoder.model.max_seq_length = 15
    encoder.encode(TEXTS)
    other = load(folder)
    other.model[0].auto_model.embeddings.word_embeddings.weight.requires_grad_(False).mul_(2)
    other.encode(TEXTS)
    assert is_loaded(load(folder))
    assert not (own_cache / "encoders").exists()


def test_record_that_is_not_true_meets_no_vectors(folder, monkeypatch):
    """As if the clock had been set back: other weights, and all times the same."""
    monkeypatch.setattr(_record, "_list_files", lambda folder: [["same"]])
    load(folder).encode(TEXTS)
    rewrite_configuration(folder)
    expected = load(folder).model and load(folder).encode([*TEXTS, "the dog"], cache=False)
    encoder = load(folder)
    assert not is_loaded(encoder)
    np.testing.assert_allclose(encoder.encode([*TEXTS, "the dog"]), expected, atol=1e-6)
    assert load(folder).fingerprint == encoder.fingerprint


def test_models_that_name_other_places_have_no_record(folder, own_cache):
    (folder / "sentence_bert_config.json").write_text(json.dumps({"tokenizer_name_or_path": str(folder)}))
    load(folder).encode(TEXTS)
    assert not (own_cache / "encoders").exists()


def test_no_cache_no_record_and_clearing(folder, own_cache):
    load(folder).encode(TEXTS, cache=False)
    assert not own_cache.exists()
    load(folder).encode(TEXTS)
    clear_cache()
    assert is_loaded(load(folder))
    assert not list((own_cache / "encoders").iterdir())


def test_names_given_later_are_the_encoders_own(folder):
    load(folder).encode(TEXTS)
    encoder = load(folder)
    before = encoder.fingerprint
    encoder.revision = "2"
    assert encoder.fingerprint != before
    assert encoder.describe()["revision"] == "2"


def test_text_that_was_cut_is_said_without_the_model(folder):
    long = " ".join(["cat"] * 30)
    with pytest.warns(UserWarning, match="longer than 9 tokens") as first:
        load(folder, max_length=9).encode([long])
    encoder = load(folder, max_length=9)
    with pytest.warns(UserWarning) as second:
        encoder.encode([long])
    assert str(second[0].message) == str(first[0].message)
    assert not is_loaded(encoder)


def test_counts_are_cached(folder, own_cache):
    first = load(folder).encode_detailed([*TEXTS, "the zebra"])
    encoder = load(folder)
    second = encoder.encode_detailed([*TEXTS, "the zebra"])
    for name in ("n_tokens", "n_unknown", "n_content"):
        np.testing.assert_array_equal(getattr(second, name), getattr(first, name))
    assert not is_loaded(encoder)
    (path,) = (own_cache / "embeddings").iterdir()
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:  # as an older version leaves it
        connection.execute("DROP TABLE token_counts")
    counted = load(folder).encode_detailed(TEXTS)
    assert counted.n_cached == 2
    np.testing.assert_array_equal(counted.n_content, first.n_content[:2])
    encoder = load(folder)
    encoder.encode(TEXTS)
    assert not is_loaded(encoder)
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE token_counts SET n_unknown = -1")
    np.testing.assert_array_equal(encoder.encode_detailed(TEXTS).n_unknown, first.n_unknown[:2])
