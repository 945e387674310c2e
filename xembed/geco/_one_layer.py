"""A classifier of one layer of attention, small enough to be looked through."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from xembed._core.torch import own_randomness
from xembed._core.validation import check_count


@dataclass(frozen=True)
class OneLayerConfig:
    """The shape of a `OneLayerAttention`."""

    vocab_size: int
    num_labels: int
    hidden_size: int = 64
    pad_token_id: int = 0
    num_hidden_layers: int = 1
    num_attention_heads: int = 1


@dataclass(frozen=True)
class OneLayerOutput:
    """What a `OneLayerAttention` gives.

    Attributes
    ----------
    logits : Tensor of shape (batch, n_classes)
        Score of each class.
    attentions : tuple of one Tensor of shape (batch, 1, n_tokens, n_tokens), or None
        Rows are the tokens that look, columns those that are looked at.
    """

    logits: torch.Tensor
    attentions: tuple[torch.Tensor, ...] | None = None


class OneLayerAttention(nn.Module):
    """Word embeddings, one head of attention, a pooler on the first token and a linear classifier [1]_.

    It has no positions: since the first token is the same in all texts, its logits depend on which words there are and
    not on their order. Called as the classifiers of transformers are.

    Parameters
    ----------
    config : OneLayerConfig
        The shape; ``num_hidden_layers`` and ``num_attention_heads`` are 1.

    Notes
    -----
    Padding is hidden as what is looked at. The code of the paper hides it as what looks, so that there a text's result
    depends on how much padding its batch has.

    References
    ----------
    .. [1] R. Wilming et al. (2024). "GECOBench". https://arxiv.org/abs/2406.11547

    Examples
    --------
    >>> import torch
    >>> from xembed.geco import OneLayerAttention, OneLayerConfig
    >>> model = OneLayerAttention(OneLayerConfig(vocab_size=10, num_labels=2, hidden_size=4))
    >>> model(input_ids=torch.tensor([[2, 5, 6, 3]])).logits.shape
    torch.Size([1, 2])
    """

    def __init__(self, config: OneLayerConfig) -> None:
        super().__init__()
        self.config = config
        size = config.hidden_size
        self.embeddings = nn.Embedding(config.vocab_size, size, padding_idx=config.pad_token_id)
        self.query, self.key, self.value = nn.Linear(size, size), nn.Linear(size, size), nn.Linear(size, size)
        self.pooler = nn.Linear(size, size)
        self.classifier = nn.Linear(size, config.num_labels)

    def get_input_embeddings(self) -> nn.Module:
        """Return the word embeddings."""
        return self.embeddings

    def forward(
        self,
        input_ids: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        inputs_embeds: torch.Tensor | None = None,
        output_attentions: bool = False,
    ) -> OneLayerOutput:
        """Classify rows of token ids (batch, n_tokens), or of their embeddings (batch, n_tokens, size).

        Raises
        ------
        ValueError
            If neither or both of ids and embeddings are given.
        """
        if (input_ids is None) == (inputs_embeds is None):
            raise ValueError("OneLayerAttention takes either input_ids or inputs_embeds. Got both or none of them.")
        vectors: torch.Tensor = self.embeddings(input_ids) if inputs_embeds is None else inputs_embeds
        # Only the first token's outcome is used, so only that is computed unless all are asked for.
        queries = self.query(vectors if output_attentions else vectors[:, :1])
        scores = queries @ self.key(vectors).transpose(1, 2) / math.sqrt(self.config.hidden_size)
        if attention_mask is not None:
            scores = scores.masked_fill(attention_mask[:, None, :] == 0, -math.inf)
        # With the axis of heads before it is used: what is given is then what gradients flow through.
        attention = scores.softmax(dim=-1)[:, None]
        seen = attention[:, 0, 0, :, None] * self.value(vectors)
        logits = self.classifier(torch.tanh(self.pooler(seen.sum(dim=1))))
        return OneLayerOutput(logits, (attention,) if output_attentions else None)


def make_one_layer(tokenizer: Any, n_classes: int, *, seed: int = 0, hidden_size: int = 64) -> OneLayerAttention:
    """Return a random `OneLayerAttention` for the vocabulary of a tokenizer.

    Parameters
    ----------
    tokenizer : transformers.PreTrainedTokenizerFast
        Tokenizer whose tokens it reads.
    n_classes : int
        Number of classes, at least 2.
    seed : int, default=0
        Seed of the weights. The global generators of torch stay as they are.
    hidden_size : int, default=64
        Size of its embeddings.

    Returns
    -------
    OneLayerAttention
        Model on the CPU, in evaluation mode.

    Raises
    ------
    TypeError, ValueError
        If a number is none or out of its range.

    Examples
    --------
    >>> import xembed
    >>> from xembed.geco import make_one_layer
    >>> make_one_layer(xembed.load_encoder(device="cpu").model.tokenizer, 2).config.vocab_size
    30522
    """
    caller = "make_one_layer"
    config = OneLayerConfig(
        vocab_size=len(tokenizer),
        num_labels=check_count(n_classes, name="n_classes", caller=caller, low=2),
        hidden_size=check_count(hidden_size, name="hidden_size", caller=caller),
        pad_token_id=int(tokenizer.pad_token_id or 0),
    )
    with own_randomness("cpu", check_count(seed, name="seed", caller=caller, low=0)):
        return OneLayerAttention(config).eval()
