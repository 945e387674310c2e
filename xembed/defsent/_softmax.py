"""Cross-entropy over very many entries, in the memory of a few of them."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch.autograd.function import once_differentiable


class _ChunkedCrossEntropy(torch.autograd.Function):
    """Mean cross-entropy of ``h @ W.T``, whose logits exist only chunk by chunk. ``W`` gets no gradient."""

    @staticmethod
    def forward(ctx: Any, h: torch.Tensor, W: torch.Tensor, targets: torch.Tensor, chunk: int) -> torch.Tensor:
        lse = _logsumexp(h, W, chunk)
        ctx.save_for_backward(h, W, targets, lse)
        ctx.chunk = chunk
        return (lse - (h * W[targets]).sum(dim=1)).mean()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None, None, None]:
        h, W, targets, lse = ctx.saved_tensors
        total = -W[targets]
        for rows in torch.split(W, ctx.chunk):
            total.addmm_((h @ rows.T).sub_(lse[:, None]).exp_(), rows)
        return total.mul_(gradient / len(h)), None, None, None


def cross_entropy(h: torch.Tensor, W: torch.Tensor, targets: torch.Tensor, *, chunk: int) -> torch.Tensor:
    """Return the mean cross-entropy of the logits ``h @ W.T`` exactly, holding ``len(h) * chunk`` of them at a time.

    ``h`` are sentence vectors, (batch, d), ``W`` is the frozen entry matrix, (n_entries, d), and ``targets`` are the
    right entries, (batch,), int64.
    """
    loss: torch.Tensor = _ChunkedCrossEntropy.apply(h, W, targets, chunk)  # type: ignore[no-untyped-call]
    return loss


def sampled_cross_entropy(
    h: torch.Tensor, W: torch.Tensor, targets: torch.Tensor, *, n_sampled: int, generator: torch.Generator
) -> torch.Tensor:
    """Return the cross-entropy with a sum over all wrong entries estimated from some of them.

    ``n_sampled`` entries are drawn uniformly without replacement, the same for the whole batch. To the logits of the
    wrong ones among them log((n_entries - 1) / number of them) is added, which makes the estimate of the sum unbiased.
    """
    n_entries = len(W)
    drawn = torch.randperm(n_entries, generator=generator)[: min(n_sampled, n_entries)].to(W.device)
    right = (h * W[targets]).sum(dim=1, keepdim=True)
    hit = drawn[None, :] == targets[:, None]
    n_wrong = (~hit).sum(dim=1, keepdim=True)
    # A row whose only drawn entry is the right one has no wrong one left: its loss is 0.
    correction = math.log(n_entries - 1) - torch.log(n_wrong.to(h.dtype))
    wrong = (h @ W[drawn].T + correction).masked_fill(hit, -torch.inf)
    logits = torch.cat([right, wrong], dim=1)
    return torch.nn.functional.cross_entropy(logits, torch.zeros_like(targets))


def losses_and_ranks(
    h: torch.Tensor, W: torch.Tensor, targets: torch.Tensor, *, chunk: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the cross-entropy of each row, and the rank of its right entry from 1; ties count against it."""
    right = (h * W[targets]).sum(dim=1)
    ranks = torch.ones_like(targets)
    row = torch.arange(len(h), device=h.device)
    for start in range(0, len(W), chunk):
        logits = h @ W[start : start + chunk].T
        inside = (targets >= start) & (targets < start + chunk)
        logits[row[inside], targets[inside] - start] = -torch.inf  # rounding must not let it beat itself
        ranks += (logits >= right[:, None]).sum(dim=1)
    return _logsumexp(h, W, chunk) - right, ranks


def _logsumexp(h: torch.Tensor, W: torch.Tensor, chunk: int) -> torch.Tensor:
    total = torch.full((len(h),), -torch.inf, dtype=h.dtype, device=h.device)
    for rows in W.split(chunk):  # type: ignore[no-untyped-call]
        total = torch.logaddexp(total, torch.logsumexp(h @ rows.T, dim=1))
    return total
