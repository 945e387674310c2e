"""The epochs of a training: order, learning rate, steps, and the best weights."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from xembed.defsent._training import progress_bar
from xembed.geco._cached_base import cached_base
from xembed.geco._evaluation import BATCH, Ids, forward, logits_of
from xembed.geco._schemes import Scheme, parts_of

_BATCHES_IN_POOL = 16


@dataclass(frozen=True)
class Rows:
    """Rows of tokens with their labels."""

    ids: Sequence[Ids]
    labels: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True)
class Options:
    epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    warmup: float
    max_grad_norm: float | None
    validation_fraction: float
    dropout: bool


class Loop:
    """The epochs of one training; the model comes frozen and thawed as the scheme wants it."""

    def __init__(self, model: Any, scheme: Scheme, options: Options, pad_id: int, seed: int) -> None:
        self.model, self.scheme, self.options, self.pad_id = model, scheme, options, pad_id
        self.generator = np.random.default_rng(seed)
        self.parameters = {name: p for name, p in model.named_parameters() if p.requires_grad}
        self.device = next(model.parameters()).device
        self.optimizer = torch.optim.AdamW(
            self.parameters.values(),
            lr=options.learning_rate,
            weight_decay=options.weight_decay,
            fused=self.device.type in {"cpu", "cuda"},  # one pass over the embeddings instead of several
        )
        self.train_losses: list[float] = []
        self.validation_losses: list[float] = []
        self.validation_accuracies: list[float] = []
        self.best_epoch = 0
        self._best: dict[str, torch.Tensor] = {}
        self._step = 0

    def run(self, rows: Rows, held_out: Rows, show: bool) -> bool:
        """Train; return whether the encoder was run only once."""
        options = self.options
        n_steps = options.epochs * math.ceil(len(rows) / options.batch_size)
        all_ids = [*rows.ids, *held_out.ids]
        use = self.scheme.parts == ("head",)
        self.model.eval()
        with (
            progress_bar(show, f"Training {self.scheme.name}", "step", n_steps) as bar,
            cached_base(self.model, all_ids, self.pad_id, BATCH, wanted=use) as cache,
        ):
            for epoch in range(1, options.epochs + 1):
                self._train_epoch(rows, n_steps, bar)
                self._validate(held_out, epoch)
        with torch.no_grad():
            for name, best in self._best.items():
                self.parameters[name].copy_(best)
        self.optimizer.zero_grad(set_to_none=True)
        self.model.eval()
        return cache

    def _train_epoch(self, rows: Rows, n_steps: int, bar: Any) -> None:
        self.model.eval()
        if self.options.dropout:
            for part in parts_of(self.model, self.scheme):
                part.train()
        total = 0.0
        for batch in shuffled_batches([len(ids) for ids in rows.ids], self.options.batch_size, self.generator):
            total += self._train_step(rows, batch, n_steps) * len(batch)
            bar.update(1)
        self.train_losses.append(total / len(rows))

    def _train_step(self, rows: Rows, batch: npt.NDArray[np.int64], n_steps: int) -> float:
        rate = learning_rate_at(self._step, n_steps, self.options.learning_rate, self.options.warmup)
        self._step += 1
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.zero_grad(set_to_none=True)
        loss = torch.nn.functional.cross_entropy(
            forward(self.model, [rows.ids[row] for row in batch.tolist()], self.pad_id),
            torch.from_numpy(rows.labels[batch]).to(self.device),
        )
        value = float(loss.detach())
        if math.isfinite(value):
            loss.backward()  # type: ignore[no-untyped-call]
            limit = math.inf if self.options.max_grad_norm is None else self.options.max_grad_norm
            norm = float(torch.nn.utils.clip_grad_norm_(self.parameters.values(), limit))
        if not (math.isfinite(value) and math.isfinite(norm)):
            raise RuntimeError(
                f"The {'gradient' if math.isfinite(value) else 'loss'} is not finite at step {self._step} of scheme "
                f"{self.scheme.name!r}, with a learning rate of {rate:.3g}. Take a smaller 'learning_rate'."
            )
        self.optimizer.step()
        return value

    def _validate(self, held_out: Rows, epoch: int) -> None:
        if not len(held_out):
            self.best_epoch = epoch
            return
        self.model.eval()
        logits = torch.from_numpy(logits_of(self.model, held_out.ids, self.pad_id, BATCH))
        labels = torch.from_numpy(held_out.labels)
        loss = float(torch.nn.functional.cross_entropy(logits, labels))
        if not math.isfinite(loss):
            raise RuntimeError(
                f"The validation loss is not finite after epoch {epoch} of scheme {self.scheme.name!r}. Take a smaller "
                "'learning_rate'."
            )
        if not self.validation_losses or loss < min(self.validation_losses):
            self.best_epoch = epoch
            self._best = {name: parameter.detach().clone() for name, parameter in self.parameters.items()}
        self.validation_losses.append(loss)
        self.validation_accuracies.append(float((logits.argmax(dim=1) == labels).double().mean()))


def shuffled_batches(
    lengths: Sequence[int], batch_size: int, generator: np.random.Generator
) -> list[npt.NDArray[np.int64]]:
    """Return the rows in random batches of about the same length: shuffled, sorted in pools of batches, shuffled."""
    sizes = np.asarray(lengths)
    order = generator.permutation(len(sizes))
    batches: list[npt.NDArray[np.int64]] = []
    for start in range(0, len(order), batch_size * _BATCHES_IN_POOL):
        pool = order[start : start + batch_size * _BATCHES_IN_POOL]
        pool = pool[np.argsort(sizes[pool], kind="stable")]
        batches += [pool[i : i + batch_size] for i in range(0, len(pool), batch_size)]
    return [batches[i] for i in generator.permutation(len(batches))]


def learning_rate_at(step: int, n_steps: int, highest: float, warmup: float) -> float:
    """Return the learning rate of the step after ``step`` others: a linear rise, then a linear fall to 0."""
    n_warmup = math.ceil(warmup * n_steps)
    if step < n_warmup:
        return highest * (step + 1) / n_warmup
    return highest * (n_steps - step) / (n_steps - n_warmup)
