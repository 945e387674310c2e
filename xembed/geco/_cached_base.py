"""Running a frozen encoder once: its outputs stand in for it while the head is trained."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import torch

from xembed.encoders._words import collate
from xembed.geco._schemes import base_of

Ids = tuple[int, ...]


class _CachedBase(torch.nn.Module):
    """Gives what the base model gave for the first token and as pooler output, found by the row of ids."""

    def __init__(self, places: dict[Ids, int], first: torch.Tensor, pooled: torch.Tensor | None) -> None:
        super().__init__()
        self.places, self.first, self.pooled = places, first, pooled

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor, **_: Any) -> Any:
        from transformers.modeling_outputs import BaseModelOutput, BaseModelOutputWithPooling

        lengths = attention_mask.sum(dim=1).tolist()
        rows = [tuple(row[:length]) for row, length in zip(input_ids.tolist(), lengths, strict=True)]
        places = torch.tensor([self.places[row] for row in rows], device=self.first.device)
        first = self.first[places][:, None]
        if self.pooled is None:
            return BaseModelOutput(last_hidden_state=first)
        return BaseModelOutputWithPooling(last_hidden_state=first, pooler_output=self.pooled[places])


@contextlib.contextmanager
def cached_base(model: Any, rows: Sequence[Ids], pad_id: int, batch_size: int, *, wanted: bool) -> Iterator[bool]:
    """Put stored outputs into the place of the base model, if the head reads no more than those; say whether it does.

    The model comes in evaluation mode. Whether its head reads other tokens than the first is found by trying: on the
    first batch the logits must come out the same.
    """
    cache = _run_base(model, rows, pad_id, batch_size) if wanted else None
    if cache is None:
        yield False
        return
    base, prefix = base_of(model, caller="train")
    setattr(model, prefix[:-1], cache)
    try:
        yield True
    finally:
        setattr(model, prefix[:-1], base)


def _run_base(model: Any, rows: Sequence[Ids], pad_id: int, batch_size: int) -> _CachedBase | None:
    base, prefix = base_of(model, caller="train")
    device = next(model.parameters()).device
    different = sorted(dict.fromkeys(rows), key=lambda row: (len(row), row))
    first: list[torch.Tensor] = []
    pooled: list[torch.Tensor] = []
    kept: list[Any] = []
    with torch.no_grad():
        for start in range(0, len(different), batch_size):
            batch = different[start : start + batch_size]
            ids, mask = (tensor.to(device) for tensor in collate(batch, pad_id))
            hook = base.register_forward_hook(lambda _module, _args, output: kept.append(output))
            try:
                logits = model(input_ids=ids, attention_mask=mask).logits
            finally:
                hook.remove()
            output = kept.pop()
            pooler = getattr(output, "pooler_output", None)
            states = getattr(output, "last_hidden_state", None)
            if states is None:
                return None
            first.append(states[:, 0].clone())
            if pooler is not None:
                pooled.append(pooler)
            if start == 0:
                trial = _CachedBase({row: i for i, row in enumerate(batch)}, first[0], pooled[0] if pooled else None)
                if not _agrees(model, prefix[:-1], base, trial, ids, mask, logits):
                    return None
    places = {row: place for place, row in enumerate(different)}
    return _CachedBase(places, torch.cat(first), torch.cat(pooled) if pooled else None)


def _agrees(
    model: Any, name: str, base: Any, trial: _CachedBase, ids: torch.Tensor, mask: torch.Tensor, logits: torch.Tensor
) -> bool:
    setattr(model, name, trial)
    try:
        found = model(input_ids=ids, attention_mask=mask).logits
    except (IndexError, RuntimeError, TypeError, ValueError, AttributeError):
        return False  # a head that needs what is not there
    finally:
        setattr(model, name, base)
    return bool(found.shape == logits.shape and torch.allclose(found, logits, rtol=1e-5, atol=1e-5))
