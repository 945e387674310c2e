"""Folders of models that can't be loaded, or must not be: one sentence each, and no code is run."""

import json
import re
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

import xembed


def edit(folder, name, **values):
    path = folder / name
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def pickled(folder):
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()


def pickled_part(folder):
    (folder / "2_Dense").mkdir()
    torch.save({}, folder / "2_Dense" / "pytorch_model.bin")


def cut(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:2000])


def own_code(folder):
    (folder / "own.py").write_text(f"open({str(folder / 'RAN')!r}, 'w')")
    (folder / "config.json").write_text(
        json.dumps({"model_type": "own", "auto_map": {"AutoConfig": "own.C", "AutoModel": "own.M"}})
    )


def own_module(folder):
    own_code(folder)
    (folder / "modules.json").write_text(json.dumps([{"idx": 0, "name": "0", "path": "", "type": "own.M"}]))


def no_vocabulary(folder):
    for name in ("tokenizer.json", "tokenizer_config.json", "vocab.txt"):
        (folder / name).unlink()


CHANGES = {
    "a pickle": (pickled, ValueError, r"are a pickle \(pytorch_model\.bin\), which can run code.*never loaded"),
    "a pickle of a part": (pickled_part, ValueError, "are a pickle"),
    "weights cut short": (cut, ValueError, "can't be loaded .*It is damaged, incomplete"),
    "no weights": (lambda folder: (folder / "model.safetensors").unlink(), FileNotFoundError, "can't be loaded"),
    "weights of another model": (
        lambda folder: save_file({"x": torch.zeros(2)}, folder / "model.safetensors", metadata={"format": "pt"}),
        ValueError,
        "are those of another one",
    ),
    "weights of another size": (lambda folder: edit(folder, "config.json", hidden_size=32), ValueError, "can't be"),
    "no vocabulary": (no_vocabulary, FileNotFoundError, "has no vocabulary"),
    "a damaged tokenizer": (lambda folder: (folder / "tokenizer.json").write_text("{"), ValueError, "can't be loaded"),
    "a list": (lambda folder: (folder / "config.json").write_text("[1]"), ValueError, "can't be loaded"),
    "wrong types": (lambda folder: edit(folder, "config.json", hidden_size="many"), ValueError, "can't be loaded"),
    "an unknown kind": (lambda folder: edit(folder, "config.json", model_type="none"), ValueError, "can't be loaded"),
    "no modules": (lambda folder: (folder / "modules.json").write_text("[3]"), ValueError, "can't be loaded"),
    "code": (own_code, ValueError, "needs code that comes with it, which is never executed"),
    "code of a module": (own_module, ValueError, "needs code that comes with it, which is never executed"),
    "a hostile template": (
        lambda folder: edit(folder, "tokenizer_config.json", chat_template="{{ ''.__class__.__mro__ }}"),
        ValueError,
        "The chat template of the model 'model' can't be loaded",
    ),
    "a template that is none": (
        lambda folder: edit(folder, "tokenizer_config.json", chat_template="{% if %}"),
        ValueError,
        "The chat template of the model 'model' can't be loaded",
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_folder_is_refused_in_one_sentence(tiny_folder, tmp_path, change):
    damage, error, match = CHANGES[change]
    folder = shutil.copytree(tiny_folder, tmp_path / "model")
    damage(folder)
    with pytest.raises(error, match=match) as caught:
        xembed.load_encoder(folder, device="cpu")
    assert type(caught.value) is error
    assert "\n" not in str(caught.value)
    assert re.search(r"'[^']*model'", str(caught.value))
    assert not (folder / "RAN").exists()
