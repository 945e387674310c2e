"""Masked language models: with their prediction head, or as an encoder and the layers that predict words."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from xembed._core.text import first_of
from xembed.encoders._encoder import Encoder
from xembed.encoders._load import Source, find_source, load_encoder, quiet

if TYPE_CHECKING:
    import torch

# What the layers after the last block are called: BERT and DeBERTa, RoBERTa and MPNet, ALBERT.
_HEADS = ("cls", "lm_head", "predictions")


def load_with_head(source: Source, *, parameter: str, caller: str, remedy: str = "", **options: Any) -> Any:
    """Return a masked language model in float32, whose checkpoint holds its head."""
    import torch
    from transformers import AutoModelForMaskedLM

    nothing = (
        f"The {parameter!r} parameter of {caller} must be a masked language model. {source.name!r} has no "
        "masked-language-model head"
    )
    try:
        model, info = AutoModelForMaskedLM.from_pretrained(
            source.location, cache_dir=source.cache_dir, trust_remote_code=False, dtype=torch.float32,
            output_loading_info=True, **options,
        )  # fmt: skip
    except ValueError as error:  # a kind of model that transformers has no such head for
        raise ValueError(f"{nothing} ({str(error).splitlines()[0]:.120}).{remedy}") from error
    missing = sorted(key for key in info["missing_keys"] if not key.startswith(f"{model.base_model_prefix}."))
    if missing:
        raise ValueError(
            f"{nothing} in its checkpoint: {first_of(missing, 3)} would be random. Take the checkpoint that was "
            f"pretrained by masking.{remedy}"
        )
    return model


def check_masked_lm(model: Any, *, caller: str) -> None:
    """Raise TypeError if a model has no masked-language-model head."""
    from transformers.models.auto.modeling_auto import MODEL_FOR_MASKED_LM_MAPPING_NAMES

    kinds: set[str] = set()
    for names in MODEL_FOR_MASKED_LM_MAPPING_NAMES.values():
        kinds.update([names] if isinstance(names, str) else names)
    if not any(parent.__name__ in kinds for parent in type(model).__mro__):
        raise TypeError(
            f"The model of {caller} must have a masked-language-model head, as BertForMaskedLM has. Got "
            f"{type(model).__name__}: load it with xembed.geco.load_masked_lm or AutoModelForMaskedLM."
        )


def load_masked_lm(
    model: str | os.PathLike[str], *, pooling: str, device: str, seed: int, caller: str
) -> tuple[Encoder, torch.nn.Module]:
    """Return the encoder with the given pooling, and the frozen prediction head, on the device."""
    from xembed._core.torch import own_randomness

    # Weights that the checkpoint lacks (a pooler, which has no part here) are drawn at random.
    with own_randomness(device, seed), quiet():
        encoder = load_encoder(model, pooling=pooling, normalize=False, device=device)
        whole = load_with_head(
            find_source(model, None, None, caller=caller),
            parameter="model",
            caller=caller,
            remedy=" DefSentPlus needs no head.",
            local_files_only=True,  # load_encoder has just fetched what was not there
        )
        head = _head_of(whole, caller=caller)
    return encoder, head.to(device).eval().requires_grad_(False)


def _head_of(model: Any, *, caller: str) -> torch.nn.Module:
    import torch

    class DistilHead(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.transform, self.activation = model.vocab_transform, model.activation
            self.norm, self.projector = model.vocab_layer_norm, model.vocab_projector

        def forward(self, vectors: torch.Tensor) -> torch.Tensor:
            logits: torch.Tensor = self.projector(self.norm(self.activation(self.transform(vectors))))
            return logits

    if hasattr(model, "vocab_projector"):
        return DistilHead()
    head = next((getattr(model, name) for name in _HEADS if hasattr(model, name)), None)
    if not isinstance(head, torch.nn.Module):
        raise ValueError(
            f"The 'model' parameter of {caller} must be BERT, RoBERTa, DistilBERT, ALBERT, MPNet, DeBERTa or of their "
            f"build. {type(model).__name__} names its masked-language-model head otherwise: take DefSentPlus."
        )
    return head


def single_tokens(tokenizer: Any, words: Sequence[str]) -> npt.NDArray[np.int64]:
    """Return the token of each word that is one token of the vocabulary in the middle of a text, -1 for the others."""
    # The space before it matters where tokens hold it; others drop it.
    encoded = tokenizer([f" {word.strip()}" for word in words], add_special_tokens=False, split_special_tokens=True)
    special = {*tokenizer.all_special_ids, tokenizer.unk_token_id}
    return np.array(
        [ids[0] if len(ids) == 1 and ids[0] not in special else -1 for ids in encoded["input_ids"]], dtype=np.int64
    )
