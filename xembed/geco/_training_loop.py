"""Training a classifier by a scheme: the loop, and a frozen encoder that is run once."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from xembed.encoders._training import Settings, Tensors, TrainingLoop
from xembed.encoders._words import collate
from xembed.geco._classifier import BATCH, Ids, forward, logits_of
from xembed.geco._schemes import Scheme, base_of, parts_of

_BATCHES_IN_POOL = 16


@dataclass(frozen=True)
class Rows:
    """Rows of tokens with their labels."""

    ids: Sequence[Ids]
    labels: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.ids)


class SchemeLoop(TrainingLoop):
    """One training by a scheme; the model comes frozen and thawed as the scheme wants it."""

    validates_first = False

    def __init__(
        self,
        model: Any,
        scheme: Scheme,
        settings: Settings,
        rows: Rows,
        held_out: Rows,
        *,
        pad_id: int,
        dropout: bool,
        seed: int,
        show: bool,
    ) -> None:
        self.scheme, self.rows, self.held_out, self.pad_id, self.dropout = scheme, rows, held_out, pad_id, dropout
        self.name, self.where = f"Training {scheme.name}", f" of scheme {scheme.name!r}"
        self.order = np.random.default_rng(seed)
        self.train_losses: list[float] = []
        self._total = 0.0
        device = str(next(model.parameters()).device)
        super().__init__(model, settings, n_rows=len(rows), device=device, seed=seed, show_progress=show)

    def train(self, seed: int) -> bool:
        """Train; return whether the encoder was run only once."""
        self.trained.eval()
        all_ids, wanted = [*self.rows.ids, *self.held_out.ids], self.scheme.parts == ("head",)
        with cached_base(self.trained, all_ids, self.pad_id, BATCH, wanted=wanted) as cached:
            self.run(seed)
        return cached

    @property
    def best_epoch(self) -> int:
        """The epoch, from 1, whose weights were kept."""
        return (self.log.best_step or self.n_steps) // self.per_epoch

    def loss(self, rows: torch.Tensor) -> torch.Tensor:
        logits = forward(self.trained, [self.rows.ids[row] for row in rows.tolist()], self.pad_id)
        return torch.nn.functional.cross_entropy(logits, torch.from_numpy(self.rows.labels)[rows].to(logits.device))

    def validate(self) -> tuple[float, float] | None:
        if not len(self.held_out):
            return None
        logits = torch.from_numpy(logits_of(self.trained, self.held_out.ids, self.pad_id, BATCH))
        labels = torch.from_numpy(self.held_out.labels)
        loss = float(torch.nn.functional.cross_entropy(logits, labels))
        return loss, float((logits.argmax(dim=1) == labels).double().mean())

    def draw_batches(self) -> list[torch.Tensor]:
        lengths = [len(ids) for ids in self.rows.ids]
        return [torch.from_numpy(rows) for rows in shuffled_batches(lengths, self.settings.batch_size, self.order)]

    def train_mode(self) -> None:
        self.trained.eval()
        if self.dropout:
            for part in parts_of(self.trained, self.scheme):
                part.train()

    def kept(self) -> Tensors:
        return {name: parameter.data for name, parameter in self.parameters.items()}

    def after_step(self, rows: torch.Tensor, loss: float, rate: float) -> None:
        self._total += loss * len(rows)
        if self.log.step % self.per_epoch == 0:
            self.train_losses.append(self._total / self.n_rows)
            self._total = 0.0


def shuffled_batches(
    lengths: Sequence[int], batch_size: int, generator: np.random.Generator
) -> list[npt.NDArray[np.int64]]:
    """Return the rows in random batches of about the same length: shuffled, sorted in pools of batches, shuffled."""
    sizes = np.asarray(lengths)
    order, n_pool = generator.permutation(len(sizes)), batch_size * _BATCHES_IN_POOL
    batches: list[npt.NDArray[np.int64]] = []
    for start in range(0, len(order), n_pool):
        pool = order[start : start + n_pool]
        pool = pool[np.argsort(sizes[pool], kind="stable")]
        batches += [pool[i : i + batch_size] for i in range(0, len(pool), batch_size)]
    return [batches[i] for i in generator.permutation(len(batches))]


# ---- a frozen encoder, run once


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
        trial_logits = model(input_ids=ids, attention_mask=mask).logits
    except (IndexError, RuntimeError, TypeError, ValueError, AttributeError):
        return False  # a head that needs what is not there
    finally:
        setattr(model, name, base)
    return bool(trial_logits.shape == logits.shape and torch.allclose(trial_logits, logits, rtol=1e-5, atol=1e-5))
