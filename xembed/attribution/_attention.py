"""Attention as an explanation: rollout, and attention weighted by its gradient."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch

from xembed.attribution._method import Method, MethodOptions, MethodOutput, Targets, sum_words
from xembed.attribution._scored_model import ScoredModel
from xembed.attribution._words import EncodedWords

# From the attention of all layers, (n_rows, n_heads, n_tokens, n_tokens) each, the score of each row's target and the
# mask to relevances of the tokens for each token, (n_rows, n_tokens, n_tokens).
Relevance = Callable[[Sequence[torch.Tensor], torch.Tensor, torch.Tensor], torch.Tensor]


def attention_rollout(
    model: ScoredModel, rows: Sequence[EncodedWords], targets: Targets, options: MethodOptions
) -> MethodOutput:
    """Multiply the attention of all layers, averaged over heads, each mixed half and half with the residual way [1]_.

    The same for every class. Read at the first token, which a classifier on [CLS] reads.

    References
    ----------
    .. [1] S. Abnar, W. Zuidema. "Quantifying Attention Flow in Transformers". ACL 2020.
    """

    def roll(attentions: Sequence[torch.Tensor], _scores: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        found = _identity(mask)
        for attention in attentions:
            found = (0.5 * attention.detach().mean(dim=1) + 0.5 * _identity(mask)) @ found
        return found

    return _run(model, rows, targets, options, roll, backward=False)


def attention_gradient(
    model: ScoredModel, rows: Sequence[EncodedWords], targets: Targets, options: MethodOptions
) -> MethodOutput:
    """Add up, over layers, the positive part of attention times its gradient, averaged over heads [1]_.

    References
    ----------
    .. [1] H. Chefer, S. Gur, L. Wolf. "Generic Attention-model Explainability for Interpreting Bi-Modal and
           Encoder-Decoder Transformers". ICCV 2021, equations 5 and 6.
    """

    def weigh(attentions: Sequence[torch.Tensor], scores: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        gradients = torch.autograd.grad(scores.sum(), attentions)
        found = _identity(mask)
        for attention, gradient in zip(attentions, gradients, strict=True):
            weighted = (attention.detach() * gradient).clamp(min=0).mean(dim=1)
            found = found + weighted @ found
        return found - _identity(mask)

    return _run(model, rows, targets, options, weigh, backward=True)


def _identity(mask: torch.Tensor) -> torch.Tensor:
    return torch.eye(mask.shape[1], device=mask.device).expand(len(mask), -1, -1)


def _run(
    model: ScoredModel,
    rows: Sequence[EncodedWords],
    targets: Targets,
    options: MethodOptions,
    relevance: Relevance,
    *,
    backward: bool,
) -> MethodOutput:
    words: list[Any] = [None] * len(rows)
    special = np.zeros(len(rows))
    with model.frozen(), eager_attention(model.module):
        for batch in model.batches([len(row.ids) for row in rows]):
            chosen = [rows[place] for place in batch]
            ids, mask = model.tensors([row.ids for row in chosen])
            with torch.set_grad_enabled(backward):
                embeds = model.embedding(ids).detach().requires_grad_(backward)
                output = model.module(inputs_embeds=embeds, attention_mask=mask, output_attentions=True)
                attentions = tuple(output.attentions or ())
                if not attentions:
                    raise ValueError(
                        f"{type(model.module).__name__} gives no attention weights (output_attentions), which "
                        "attention methods are made of. Choose another method."
                    )
                of_batch = torch.from_numpy(targets[batch]).to(model.device)[:, None]
                scores = output.logits.gather(1, of_batch)
                found = relevance(attentions, scores, mask)[:, 0]  # what the first token reads
            if backward:
                model.n_backward += len(batch)
            else:
                model.n_forward += len(batch)
            tokens = (found * mask).detach().double().cpu().numpy()
            for place, values in zip(batch, tokens, strict=True):
                words[place], special[place] = sum_words(values, rows[place])
            if options.progress is not None:
                options.progress(len(batch))
    return MethodOutput.of(words, special=special)


@contextlib.contextmanager
def eager_attention(module: Any) -> Iterator[None]:
    """Let the model compute attention weights: the fast implementations give none, and say nothing."""
    config = getattr(module, "config", None)
    before = getattr(config, "_attn_implementation", None)
    if before in (None, "eager") or not hasattr(module, "set_attn_implementation"):
        yield
        return
    try:
        module.set_attn_implementation("eager")
        yield
    finally:
        module.set_attn_implementation(before)


METHODS = (
    Method(
        "attention_rollout", "Attention rollout", "attention", False, attention_rollout, lambda _n, _o: (1.0, 0.0),
        "Abnar & Zuidema 2020",
    ),
    Method(
        "attention_gradient", "Gradient-weighted attention", "attention", False, attention_gradient,
        lambda _n, _o: (0.0, 1.0), "Chefer et al. 2021",
    ),
)  # fmt: skip
