"""A hash of all that an embedding depends on, not of device and place of files: the cache never mixes two encoders."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from sentence_transformers import SentenceTransformer

FINGERPRINT_VERSION = 1  # raise it when embeddings change although nothing below does
# What a transformers configuration holds beside the model's own settings: where it came from, which
# version wrote it, and the weights' type and the output of hidden states, which are in the pipeline's part.
_VOLATILE = frozenset({"transformers_version", "dtype", "torch_dtype", "output_hidden_states"})


def state_key(model: SentenceTransformer) -> tuple[Any, ...]:
    """Return a value that changes when a tensor is replaced or written to; it saves hashing all weights again."""
    tensors = model.state_dict(keep_vars=True).items()
    return tuple((name, tensor.data_ptr(), _write_count(tensor)) for name, tensor in tensors)


def digest_state(model: SentenceTransformer) -> str:
    """Return the SHA-256 of all tensors (name, type, shape, bytes) and of the tokenizer."""
    from xembed._core.torch import update_digest

    digest = hashlib.sha256()
    if backend_of(model) != "torch":
        # They hand out no tensors. Without the files' hash, which `load_encoder` notes, no two are taken as equal.
        digest.update(getattr(model[0], "weights_sha256", secrets.token_hex()).encode())
    update_digest(digest, model.state_dict())
    digest.update(_dump(describe_tokenizer(getattr(model[0], "tokenizer", None))))
    return digest.hexdigest()


def describe_pipeline(model: SentenceTransformer) -> dict[str, Any]:
    """Return what embeddings depend on beside weights and tokenizer, as plain data."""
    return {
        "modules": describe_modules(model),
        "prompts": {name: text for name, text in model.prompts.items() if text},
        "default_prompt": model.default_prompt_name,
        "truncate_dim": model.truncate_dim,
    }


def snapshot(model: SentenceTransformer) -> tuple[Any, ...]:
    """Return a value that changes when the model is changed."""
    return state_key(model), _dump([describe_pipeline(model), getattr(model[0], "max_seq_length", None)])


def backend_of(model: SentenceTransformer) -> str:
    """Return what computes the token embeddings."""
    return str(getattr(model[0], "backend", "torch"))


def combine(state_digest: str, settings: Mapping[str, Any]) -> str:
    """Return the fingerprint: 64 hexadecimal digits."""
    content = {"version": FINGERPRINT_VERSION, "state": state_digest, "settings": settings}
    return hashlib.sha256(_dump(content)).hexdigest()


def describe_tokenizer(tokenizer: Any) -> Any:
    """Return the tokenizer as plain data, without what encoding a batch changes in it."""
    backend = getattr(tokenizer, "backend_tokenizer", tokenizer)
    if hasattr(backend, "to_str"):
        content = json.loads(backend.to_str())
        content["truncation"] = content["padding"] = None  # set anew by every call
    elif hasattr(tokenizer, "get_vocab"):
        vocabulary = tokenizer.get_vocab()
        content = sorted(vocabulary.items()) if isinstance(vocabulary, dict) else list(vocabulary)
    else:
        content = type(tokenizer).__name__
    names = ("padding_side", "truncation_side", "chat_template", "do_lower_case", "stop_words")
    return [content, {name: getattr(tokenizer, name, None) for name in names}]


def describe_modules(model: SentenceTransformer) -> list[Any]:
    """Return class and settings of each module of the pipeline."""
    described = []
    module: Any
    for module in model:
        settings: Any = module.get_config_dict() if hasattr(module, "get_config_dict") else {}
        config = getattr(getattr(module, "auto_model", None), "config", None)
        described.append(
            [type(module).__name__, settings, _without_volatile(config.to_diff_dict()) if config else None]
        )
    return described


def _write_count(tensor: torch.Tensor) -> int:
    # PyTorch counts in-place writes for autograd, except in tensors made in inference mode.
    return -1 if tensor.is_inference() else tensor._version


def _without_volatile(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            str(key): _without_volatile(item)
            for key, item in value.items()
            if key not in _VOLATILE and not str(key).startswith("_")
        }
    return value


def _dump(content: Any) -> bytes:
    return json.dumps(content, sort_keys=True, default=_to_json).encode()


def _to_json(item: Any) -> Any:
    # Sets have no order, and the repr of an object may hold a memory address: its type stands for it.
    return sorted(item, key=str) if isinstance(item, set | frozenset) else type(item).__name__
