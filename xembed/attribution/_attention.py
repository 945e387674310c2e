"""Attention as an explanation: rollout, and attention weighted by its gradient."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from xembed._core.validation import check_option
from xembed.attribution._method import Method, MethodOptions, MethodOutput, Targets, sum_rows
from xembed.attribution._scored_model import Rows, ScoredModel

if TYPE_CHECKING:
    import torch

    # From the attention of all layers, (n_rows, n_heads, n_tokens, n_tokens) each, and the score of each row's target
    # to relevances of the tokens for each token, (n_rows, n_tokens, n_tokens).
    Relevance = Callable[[Sequence[torch.Tensor], torch.Tensor], torch.Tensor]

READERS = ("first", "last", "mean")


def attention_rollout(
    model: ScoredModel, rows: Rows, targets: Targets, options: MethodOptions, *, reader: str | None = None
) -> MethodOutput:
    """Multiply the attention of all layers, averaged over heads, each mixed half and half with the residual path [1]_.

    The same for every class. With those of the special tokens, the relevances of a row sum to 1. ``reader`` is the
    token that the classifier reads, for which relevances are taken: 'first' ([CLS]), 'last' (GPT-2) or the 'mean' of
    all; by default the model's ``attention_reader``, else 'first'. ValueError if there are no attention weights.

    References
    ----------
    .. [1] S. Abnar, W. Zuidema. "Quantifying Attention Flow in Transformers". ACL 2020.
    """

    def roll(attentions: Sequence[torch.Tensor], _scores: torch.Tensor) -> torch.Tensor:
        relevances = _identity(attentions[0])
        for attention in attentions:
            relevances = (0.5 * attention.float().mean(dim=1) + 0.5 * _identity(attention)) @ relevances
        return relevances

    return _run(model, rows, targets, options, roll, reader=reader, backward=False)


def attention_gradient(
    model: ScoredModel, rows: Rows, targets: Targets, options: MethodOptions, *, reader: str | None = None
) -> MethodOutput:
    """Add up, over layers, the positive part of attention times its gradient, averaged over heads [1]_.

    The residual path of a token itself is left out. ``reader`` as in `attention_rollout`. ValueError also if the scores
    don't depend on the attention weights that the model gives.

    References
    ----------
    .. [1] H. Chefer, S. Gur, L. Wolf. "Generic Attention-model Explainability for Interpreting Bi-Modal and
           Encoder-Decoder Transformers". ICCV 2021, equations 5 and 6.
    """

    def weigh(attentions: Sequence[torch.Tensor], scores: torch.Tensor) -> torch.Tensor:
        import torch

        # The sum over rows: a row's attention has a gradient of that row's score only.
        gradients = torch.autograd.grad(scores.sum(), attentions, allow_unused=True)
        identity = relevances = _identity(attentions[0])
        for layer, (attention, gradient) in enumerate(zip(attentions, gradients, strict=True)):
            if gradient is None:
                raise ValueError(
                    f"The scores of {type(model.module).__name__} must depend on the attention weights that it gives. "
                    f"Those of layer {layer} are copies, without a gradient. Choose another method."
                )
            weighted = (attention.detach() * gradient).float().clamp(min=0).mean(dim=1)
            relevances = relevances + weighted @ relevances
        return relevances - identity

    return _run(model, rows, targets, options, weigh, reader=reader, backward=True)


def _identity(attention: torch.Tensor) -> torch.Tensor:
    import torch

    return torch.eye(attention.shape[-1], device=attention.device).expand(len(attention), -1, -1)


def _run(
    model: ScoredModel,
    rows: Rows,
    targets: Targets,
    options: MethodOptions,
    relevance: Relevance,
    *,
    reader: str | None,
    backward: bool,
) -> MethodOutput:
    import torch

    reader = getattr(model.module, "attention_reader", "first") if reader is None else reader
    check_option(reader, READERS, name="reader", caller=model.caller)

    def token_values(places: list[int], _batch: Rows, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        with torch.set_grad_enabled(backward):
            # Parameters are frozen: the graph begins at the embeddings.
            embeds = model.embedding(ids).detach().requires_grad_(backward)
            output = model.module(inputs_embeds=embeds, attention_mask=mask, output_attentions=True)
            attentions = _attentions(output, ids, type(model.module).__name__)
            outputs = torch.from_numpy(targets[places]).to(model.device)
            scores = model._finish(output.logits).gather(1, outputs[:, None])
            return _read(relevance(attentions, scores).detach(), mask, reader)

    with eager_attention(model.module):
        return sum_rows(model, rows, options, token_values, backward=backward)


def _attentions(output: Any, ids: torch.Tensor, name: str) -> tuple[torch.Tensor, ...]:
    attentions = tuple(getattr(output, "attentions", None) or ())
    if not attentions or any(attention is None for attention in attentions):
        raise ValueError(
            f"{name} gives no attention weights (output_attentions), which attention methods are made of. Choose "
            "another method."
        )
    n_rows, n_tokens = ids.shape
    for attention in attentions:
        if attention.ndim != 4 or (len(attention), *attention.shape[2:]) != (n_rows, n_tokens, n_tokens):
            raise ValueError(
                f"The attention weights of {name} must have the shape ({n_rows}, n_heads, {n_tokens}, {n_tokens}), a "
                f"weight for each pair of tokens. Got {tuple(attention.shape)}. Choose another method."
            )
    return attentions


def _read(relevances: torch.Tensor, mask: torch.Tensor, reader: str) -> torch.Tensor:
    """Return the relevance of each token for the classifier's token, or for the mean of all: (n_rows, n_tokens)."""
    import torch

    weights = mask.float()  # padding is neither read nor does it read
    if reader == "mean":
        of_readers = weights / weights.sum(dim=1, keepdim=True)
    else:
        place = torch.zeros(len(mask), dtype=torch.long) if reader == "first" else mask.sum(dim=1) - 1
        of_readers = torch.nn.functional.one_hot(place.to(mask.device), mask.shape[1]).float()
    return (of_readers[:, None] @ relevances)[:, 0] * weights


@contextlib.contextmanager
def eager_attention(module: Any) -> Iterator[None]:
    """Let the model compute attention weights: the fast implementations give none, without a warning."""
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
        ("abnar2020",), meaning="attention weights of all layers multiplied; does not look at the class",
    ),
    Method(
        "attention_gradient", "Gradient-weighted attention", "attention", False, attention_gradient,
        lambda _n, _o: (0.0, 1.0), ("chefer2021",), meaning="attention weights times their gradients, over the layers",
    ),
)  # fmt: skip
