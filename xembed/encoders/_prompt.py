"""Embeddings that are read at one position of a prompt around the text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from xembed._core.validation import FloatArray
from xembed.encoders._encoder import Encoder
from xembed.encoders._layers import require_transformer

if TYPE_CHECKING:
    import torch

TEMPLATE = 'This sentence : "{}" means [MASK] .'
_MASK = "[MASK]"


class PromptTokens:
    """Token ids of a template around sentences, tokenized apart: a long sentence is cut, never the prompt."""

    def __init__(self, transformer: Any, template: str, *, caller: str) -> None:
        if not isinstance(template, str):
            raise TypeError(f"The 'template' parameter of {caller} must be a string. Got {template!r} instead.")
        if template.count("{}") != 1 or template.count(_MASK) != 1:
            raise ValueError(
                f"The 'template' parameter of {caller} must hold {{}} once, for the sentence, and {_MASK} once, for "
                f"the tokenizer's own mask. Got {template!r} instead."
            )
        self.template = template
        self._transformer = transformer
        tokenizer = transformer.tokenizer
        if tokenizer.mask_token_id is None:
            raise ValueError(
                f"{caller} needs a tokenizer with a mask token. Got {type(tokenizer).__name__}, which has none: take a "
                "model trained by masking, or pooling='mean'."
            )
        opening, closing = _special_ids(tokenizer)
        prefix, suffix = template.split("{}")
        self._before = opening + self._piece(prefix)
        self._after = self._piece(suffix) + closing
        self._position = self._find(tokenizer.mask_token_id, len(opening), in_prefix=_MASK in prefix)
        self._n_prompt = len(self._before) + len(self._after)
        limit = transformer.max_seq_length
        if limit is not None and limit <= self._n_prompt:
            raise ValueError(
                f"The 'template' parameter of {caller} must leave room for a sentence. Got one of {self._n_prompt} "
                f"tokens, and the model reads {limit}."
            )

    def count(self, texts: Sequence[str]) -> npt.NDArray[np.int64]:
        """Return numbers of tokens of whole texts, shape (n_texts, 3): all with the prompt, unknown, content."""
        from xembed.encoders._pipeline import TokenKinds

        counts = TokenKinds(self._transformer.tokenizer).count(self._sentences(texts))
        counts[:, 0] += self._n_prompt
        return counts

    def features(self, texts: Sequence[str], device: Any) -> tuple[dict[str, Any], torch.Tensor]:
        """Return what the transformer reads, and the position that is read in each row."""
        import torch

        from xembed.encoders._words import collate

        limit = self._transformer.max_seq_length
        room = None if limit is None else int(limit) - self._n_prompt
        rows = [self._before + ids[:room] + self._after for ids in self._sentences(texts)]
        ids, mask = collate(rows, self._transformer.tokenizer.pad_token_id or 0)
        positions = [self._position if self._position >= 0 else len(row) + self._position for row in rows]
        features = {"input_ids": ids.to(device), "attention_mask": mask.to(device)}
        return features, torch.tensor(positions, device=device)

    def states(self, modules: Sequence[torch.nn.Module], texts: Sequence[str], device: Any) -> torch.Tensor:
        """Return the last hidden state at the position that is read, shape (len(texts), d)."""
        import torch

        features, positions = self.features(texts, device)
        for module in modules:
            features = module(features)
        states: torch.Tensor = features["token_embeddings"]
        return states[torch.arange(len(states), device=states.device), positions]

    def _find(self, token: int, n_opening: int, *, in_prefix: bool) -> int:
        """Return a token's position: from the start of a row before the sentence, from its end (negative) behind it."""
        if in_prefix:
            return n_opening + self._before[n_opening:].index(token)
        return self._after.index(token) - len(self._after)

    def _sentences(self, texts: Sequence[str]) -> list[list[int]]:
        if getattr(self._transformer, "do_lower_case", False):
            texts = [text.lower() for text in texts]
        return _plain_ids(self._transformer.tokenizer, list(texts))

    def _piece(self, text: str) -> list[int]:
        tokenizer = self._transformer.tokenizer
        parts = text.split(_MASK)
        mask = tokenizer.added_tokens_decoder.get(tokenizer.mask_token_id)
        if len(parts) == 2 and getattr(mask, "lstrip", False):  # it takes the space before it, as RoBERTa's does
            parts[0] = parts[0].rstrip()
        ids = _plain_ids(tokenizer, parts)
        return ids[0] if len(parts) == 1 else [*ids[0], tokenizer.mask_token_id, *ids[1]]


class PromptEncoder(Encoder):
    """An encoder that reads a text inside a prompt, and takes the last hidden state at the prompt's mask.

    The pooling of PromptBERT [1]_, which DefSent+ [2]_ uses, too. Encoders trained for it come from
    ``DefSentPlus(pooling="prompt")``; an untrained masked language model can be wrapped as it is.

    Parameters
    ----------
    encoder : Encoder
        A transformer whose tokenizer has a mask token. It is not changed; weights are shared. Of what follows its
        pooling only bringing to unit length stays.
    template : str
        Holds ``{}`` once, for the text, and ``[MASK]`` once; that is replaced by the tokenizer's own mask token.

    Raises
    ------
    TypeError, ValueError
        If ``encoder`` is no `Encoder` of a transformer, the tokenizer has no mask token, or the template lacks a part
        or is longer than the model reads.

    Notes
    -----
    Prefix, text and suffix are tokenized apart: ``[MASK]`` in a text means nothing, and a long text is cut, never the
    prompt. All else (`encode`, `encode_detailed`, `describe`, the cache) is as for `Encoder`.

    References
    ----------
    .. [1] T. Jiang et al. "PromptBERT: Improving BERT Sentence Embeddings with Prompts". EMNLP 2022.
    .. [2] X. Liu. "DefSent+". arXiv:2405.16153 (2024).

    Examples
    --------
    >>> import xembed
    >>> from xembed.encoders import PromptEncoder
    >>> encoder = PromptEncoder(xembed.load_encoder(device="cpu"))
    >>> encoder.encode(["A cat sleeps.", 'He said "[MASK]".'], cache=False).shape
    (2, 384)
    """

    def __init__(self, encoder: Encoder, template: str = TEMPLATE) -> None:
        transformer = require_transformer(encoder, caller="PromptEncoder")
        super().__init__(
            encoder.model, name=encoder.name, revision=encoder.revision, normalize=encoder._gives_unit_length()
        )
        self.prompt_tokens = PromptTokens(transformer, template, caller="PromptEncoder")

    @property
    def template(self) -> str:
        """The prompt."""
        return self.prompt_tokens.template

    @property
    def dimension(self) -> int:
        """The number of dimensions of the embeddings."""
        transformer: Any = self.model[0]
        return int(transformer.get_embedding_dimension())

    @property
    def fingerprint(self) -> str:
        """A hash of all that the embeddings depend on."""
        from xembed.encoders import _fingerprint

        return _fingerprint.combine(super().fingerprint, {"template": self.template})

    def __repr__(self) -> str:
        return f"Prompt{super().__repr__()}"

    def _settings(self) -> dict[str, Any]:
        return super()._settings() | {"pooling": "prompt", "template": self.template}

    def _gives_unit_length(self) -> bool:
        return self._normalize

    def _run_model(self, texts: list[str]) -> FloatArray:
        import torch

        from xembed.encoders._pipeline import lower_modules

        self.model.eval()
        with torch.inference_mode():
            vectors = self.prompt_tokens.states(lower_modules(self.model), texts, self.model.device).float()
            if self._normalize:
                vectors = torch.nn.functional.normalize(vectors, dim=1)
        embeddings: FloatArray = vectors.cpu().numpy()
        return embeddings

    def _count(self, texts: list[str]) -> npt.NDArray[np.int64]:
        return self.prompt_tokens.count(texts)


def _plain_ids(tokenizer: Any, texts: list[str]) -> list[list[int]]:
    encoded = tokenizer(
        texts, add_special_tokens=False, split_special_tokens=True, padding=False, truncation=False, verbose=False
    )
    return [list(ids) for ids in encoded["input_ids"]]


def _special_ids(tokenizer: Any) -> tuple[list[int], list[int]]:
    """Return the ids that the tokenizer puts before and behind a text."""
    plain = tokenizer("a", add_special_tokens=False)["input_ids"]
    whole = tokenizer("a")["input_ids"]
    start = next(i for i in range(len(whole)) if whole[i : i + len(plain)] == plain)
    return list(whole[:start]), list(whole[start + len(plain) :])
