"""The part of an encoder that is trained: from texts to pooled vectors, with gradients."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Pooling

from xembed._core.torch import digest_tensors
from xembed.encoders import Encoder
from xembed.encoders._encoding import warn_of_counts
from xembed.encoders._fingerprint import describe_modules, describe_tokenizer
from xembed.encoders._layers import require_transformer
from xembed.encoders._pipeline import (
    count_tokens,
    customize,
    features_of,
    find_max_length,
    find_pooling,
    is_normalized,
    lower_modules,
    pooling_module,
    with_modules,
)
from xembed.encoders._prompt import PromptEncoder, PromptTokens


class Body:
    """A copy of an encoder's pipeline that can be trained, on ``device``.

    ``pooling`` is 'mean', 'cls', 'max', 'prompt' (with ``template``) or None, the encoder's own; ``max_length`` is the
    number of tokens that are read of a definition in training, never more than the encoder reads.
    """

    def __init__(
        self, encoder: Encoder, *, pooling: str | None, template: str, max_length: int | None, device: str, caller: str
    ) -> None:
        require_transformer(encoder, caller=caller)
        if pooling is None and isinstance(encoder, PromptEncoder):
            pooling, template = "prompt", encoder.template
        self.source, self.device = encoder, device
        self.model = _copy_pipeline(encoder, None if pooling == "prompt" else pooling, caller=caller).to(device)
        self._own_length = self.model.max_seq_length
        self.pooling_name = "prompt" if pooling == "prompt" else str(find_pooling(self.model))
        self.template = template if pooling == "prompt" else None
        first: Any = self.model[0]
        self.transformer = first
        limit = find_max_length(self.model)
        if max_length is not None and (limit is None or max_length < limit):
            self.model.max_seq_length = max_length
        self._lower = lower_modules(self.model)
        self.dimension = int(first.get_embedding_dimension())
        self.prompt = None if self.template is None else PromptTokens(first, self.template, caller=caller)
        pooled = self._pooling_module().get_embedding_dimension()
        if self.prompt is None and pooled != self.dimension:
            raise ValueError(
                f"The 'pooling' parameter of {caller} must be given for this encoder, whose own pooling "
                f"({self.pooling_name}) joins several to {pooled} dimensions: entries have {self.dimension}."
            )
        wrong = sorted({str(p.dtype) for p in first.parameters() if p.is_floating_point() and p.dtype != torch.float32})
        if wrong:
            raise ValueError(
                f"The 'encoder' parameter of {caller} must have float32 weights to be trained. Got {', '.join(wrong)}: "
                "load it with dtype='float32'."
            )

    def pool(self, texts: Sequence[str]) -> torch.Tensor:
        """Return the vectors of texts as the encoder will pool them, shape (len(texts), d)."""
        if self.prompt is not None:
            return self.prompt.states(self._lower, texts, self.device)
        return self._run(texts, self._pooling_module())

    def pool_as(self, texts: Sequence[str], mode: str) -> torch.Tensor:
        """Return the vectors of texts by 'cls' or 'mean', without a prompt."""
        return self._run(texts, Pooling(self.dimension, mode))

    def count(self, texts: Sequence[str]) -> npt.NDArray[np.int64]:
        """Return the tokens of each whole text, without a prompt."""
        return count_tokens(self.model, texts)[:, 0]

    def count_read(self, texts: Sequence[str]) -> tuple[int, list[str]]:
        """Return how many texts are longer than is read of them in training, and what else is not read of them."""
        limit = find_max_length(self.model)
        counts = count_tokens(self.model, texts) if self.prompt is None else self.prompt.count(texts)
        n_truncated = 0 if limit is None else int(np.count_nonzero(counts[:, 0] > limit))
        return n_truncated, warn_of_counts(counts, texts, "the dictionary")

    def digest(self) -> str:
        """Return a hash of what is trained: weights and pipeline.

        A pooler is left out. Where a checkpoint has none, each loading makes another one at random, and it has no part
        in an embedding.
        """
        used = {name: tensor for name, tensor in self.model.state_dict().items() if ".pooler." not in name}
        settings = [describe_modules(self.model), describe_tokenizer(self.transformer.tokenizer)]
        content = json.dumps(settings, sort_keys=True, default=lambda item: type(item).__name__)
        return hashlib.sha256(f"{digest_tensors(used)}{content}".encode()).hexdigest()

    def to_encoder(self, name: str) -> Encoder:
        """Return the trained pipeline as an encoder, where and as long-sighted as the one that it was made of."""
        self.model.max_seq_length = self._own_length
        self.model.zero_grad(set_to_none=True)
        model = self.model.to(self.source.device).eval()
        encoder = Encoder(model, name=f"{self.source.name} ({name})", normalize=self.source._normalize)
        return encoder if self.template is None else PromptEncoder(encoder, self.template)

    def _pooling_module(self) -> Any:
        return self.model[len(self._lower)]

    def _run(self, texts: Sequence[str], pooling: torch.nn.Module) -> torch.Tensor:
        features = features_of(self.model, texts)
        for module in [*self._lower, pooling]:
            features = module(features)
        vectors: torch.Tensor = features["sentence_embedding"]
        return vectors


def _copy_pipeline(encoder: Encoder, pooling: str | None, *, caller: str) -> SentenceTransformer:
    """Return a copy up to the pooling; what follows it was trained for another output, but for unit length."""
    model = copy.deepcopy(encoder.model)
    if pooling is None and pooling_module(model) is None:
        pooling = "mean"
    if pooling is not None:
        model = customize(model, layer=-1, pooling=pooling, normalize=None, max_length=None, caller=caller)
    modules = list(model)
    kept = [*modules[: len(lower_modules(model)) + 1], *([modules[-1]] if is_normalized(model) else [])]
    return model if len(kept) == len(modules) else with_modules(model, kept)
