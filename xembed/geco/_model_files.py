"""Trained models in folders: weights in safetensors, the rest in JSON, no pickle."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import torch

from xembed._core.files import check_writable
from xembed._core.torch import digest_tensors, own_randomness
from xembed.defsent._options import quiet
from xembed.encoders._pipeline import find_device
from xembed.geco._one_layer import OneLayerAttention, OneLayerConfig
from xembed.geco._trained import TrainedModel, TrainingRecord

_RECORD, _WEIGHTS, _CONFIG = "geco-training.json", "model.safetensors", "config.json"
_ONE_LAYER = "xembed-one-layer-attention"


def save_model(trained: TrainedModel, folder: str | os.PathLike[str]) -> None:
    """Write a trained model to a new folder, whole or not at all.

    The folder holds the weights (safetensors), the configuration, the tokenizer and the record of the training
    (``geco-training.json``). Unless the scheme is 'OLA', transformers can read it too.

    Parameters
    ----------
    trained : TrainedModel
        From `train`.
    folder : str or path
        It must not exist, or be empty; its parent must exist.

    Raises
    ------
    FileExistsError
        If the folder exists and is not empty.
    OSError
        If it can't be written.

    Examples
    --------
    >>> from xembed.geco import load_model, save_model
    >>> save_model(trained, "models/CEf-0")  # doctest: +SKIP
    >>> load_model("models/CEf-0").record.scheme  # doctest: +SKIP
    'CEf'
    """
    target = Path(folder)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise FileExistsError(f"{str(target)!r} can't be written: it exists and is not empty. Give a new folder.")
    check_writable(target.parent / f"{target.name}.part")
    temporary = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}."))
    try:
        with quiet():
            if isinstance(trained.model, OneLayerAttention):
                _save_one_layer(trained.model, temporary)
            else:
                trained.model.save_pretrained(temporary)
            trained.tokenizer.save_pretrained(temporary)
        trained.record.to_json(temporary / _RECORD)
        temporary.chmod(0o755)
        temporary.replace(target)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def load_model(folder: str | os.PathLike[str], *, device: str = "cpu") -> TrainedModel:
    """Read what `save_model` wrote.

    Parameters
    ----------
    folder : str or path
        The folder.
    device : str, default='cpu'
        Where to put the model; 'auto' takes a GPU if there is one.

    Returns
    -------
    TrainedModel
        The same weights to the bit, in evaluation mode.

    Raises
    ------
    FileNotFoundError
        If the folder holds no such model.
    ValueError
        If the weights are not those that the record names.

    Examples
    --------
    >>> from xembed.geco import load_model
    >>> load_model("models/CEf-0")  # doctest: +SKIP
    TrainedModel(BertForSequenceClassification by scheme 'CEf' on 'geco binary_gender_all')
    """
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    caller = "load_model"
    target = find_device(device, caller=caller)
    source = Path(folder)
    lacking = [name for name in (_RECORD, _WEIGHTS, _CONFIG) if not (source / name).is_file()]
    if lacking:
        raise FileNotFoundError(
            f"The folder {str(source)!r} holds no trained model: {', '.join(lacking)} is not in it. Write one with "
            "save_model."
        )
    record = TrainingRecord.from_json(source / _RECORD)
    config = json.loads((source / _CONFIG).read_text(encoding="utf-8"))
    options: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    with own_randomness("cpu", 0), quiet():
        model: Any = (
            _load_one_layer(config, source)
            if config.get("model_type") == _ONE_LAYER
            else AutoModelForSequenceClassification.from_pretrained(source, dtype=torch.float32, **options)
        )
        tokenizer: Any = AutoTokenizer.from_pretrained(source, **options)
    found = digest_tensors(model.state_dict())
    if found != record.digest:
        raise ValueError(
            f"The weights in {str(source)!r} are not those of the training that {_RECORD} tells of: their SHA-256 is "
            f"{found}, not {record.digest}. The folder was changed or is damaged."
        )
    return TrainedModel(model.to(target).eval(), tokenizer, record)


def _save_one_layer(model: OneLayerAttention, folder: Path) -> None:
    from safetensors.torch import save_file

    save_file(
        {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}, folder / _WEIGHTS
    )
    config = {"model_type": _ONE_LAYER} | dataclasses.asdict(model.config)
    (folder / _CONFIG).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def _load_one_layer(config: dict[str, Any], folder: Path) -> OneLayerAttention:
    from safetensors.torch import load_file

    fields = {field.name for field in dataclasses.fields(OneLayerConfig)}
    model = OneLayerAttention(OneLayerConfig(**{name: value for name, value in config.items() if name in fields}))
    model.load_state_dict(load_file(folder / _WEIGHTS))
    return model
