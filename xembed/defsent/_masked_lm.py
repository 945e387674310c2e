"""Masked language models: the encoder, and the frozen layers that predict words from its vectors."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from xembed._core.torch import own_randomness
from xembed.defsent._options import quiet
from xembed.encoders import Encoder, load_encoder
from xembed.encoders._load import _find_source

# What the layers after the last block are called: BERT and DeBERTa, RoBERTa and MPNet, ALBERT.
_HEADS = ("cls", "lm_head", "predictions")


class _DistilHead(torch.nn.Module):
    def __init__(self, model: Any) -> None:
        super().__init__()
        self.transform, self.activation = model.vocab_transform, model.activation
        self.norm, self.projector = model.vocab_layer_norm, model.vocab_projector

    def forward(self, vectors: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.projector(self.norm(self.activation(self.transform(vectors))))
        return logits


def load_masked_lm(
    model: str | os.PathLike[str], *, pooling: str, device: str, seed: int, caller: str
) -> tuple[Encoder, torch.nn.Module]:
    """Return the encoder with the given pooling, and the frozen prediction head, on the device.

    Models are found as `load_encoder` finds them; code that comes with a model is never executed.
    """
    # Weights that the checkpoint lacks (a pooler, which has no part here) are drawn at random.
    with own_randomness(device, seed), quiet():
        encoder = load_encoder(model, pooling=pooling, normalize=False, device=device)
        head = _load_head(model, caller=caller)
    return encoder, head.to(device).eval().requires_grad_(False)


def _load_head(model: str | os.PathLike[str], *, caller: str) -> torch.nn.Module:
    from transformers import AutoModelForMaskedLM

    source = _find_source(model, None, None, caller=caller)
    nothing = (
        f"The 'model' parameter of {caller} must be a masked language model. {source.name!r} has no "
        "masked-language-model head"
    )
    try:
        loaded, info = AutoModelForMaskedLM.from_pretrained(
            source.location,
            cache_dir=source.cache_dir,
            local_files_only=True,  # load_encoder has just fetched what was not there
            trust_remote_code=False,
            dtype=torch.float32,
            output_loading_info=True,
        )
    except ValueError as error:  # a kind of model that transformers has no such head for
        raise ValueError(f"{nothing} ({str(error).splitlines()[0]:.120}). Take DefSentPlus.") from error
    own = f"{loaded.base_model_prefix}."
    missing = sorted(key for key in info["missing_keys"] if not key.startswith(own))
    if missing:
        raise ValueError(
            f"{nothing} in its checkpoint: {', '.join(missing[:3])}{', ...' if len(missing) > 3 else ''} would be "
            "random. Take the checkpoint that was pretrained by masking, or DefSentPlus, which needs no head."
        )
    if hasattr(loaded, "vocab_projector"):
        return _DistilHead(loaded)
    found = next((getattr(loaded, name) for name in _HEADS if hasattr(loaded, name)), None)
    if not isinstance(found, torch.nn.Module):
        raise ValueError(
            f"The 'model' parameter of {caller} must be BERT, RoBERTa, DistilBERT, ALBERT, MPNet, DeBERTa or of their "
            f"build. {type(loaded).__name__} names its masked-language-model head otherwise: take DefSentPlus."
        )
    return found


def single_tokens(tokenizer: Any, words: Sequence[str]) -> npt.NDArray[np.int64]:
    """Return the token of each word that is one token of the vocabulary in the middle of a text, -1 for the others."""
    # The space before it matters where tokens hold it; others drop it.
    found = tokenizer([f" {word.strip()}" for word in words], add_special_tokens=False, split_special_tokens=True)
    special = {*tokenizer.all_special_ids, tokenizer.unk_token_id}
    return np.array(
        [ids[0] if len(ids) == 1 and ids[0] not in special else -1 for ids in found["input_ids"]], dtype=np.int64
    )
