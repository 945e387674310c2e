"""What a round of DefSent+ trains and validates: definitions against a frozen entry matrix."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from xembed.defsent._body import Body
from xembed.defsent._definitions import Definitions
from xembed.defsent._entries import measure_isotropy
from xembed.defsent._softmax import cross_entropy, losses_and_ranks, sampled_cross_entropy
from xembed.defsent._training import Evaluation, Tensors

EMBED_AT_ONCE = 64


@dataclasses.dataclass
class EntryTask:
    """A round: definitions against a frozen entry matrix."""

    body: Body
    head: torch.nn.Module
    definitions: Definitions
    arrays: Tensors
    projected: bool
    n_sampled: int | None
    softmax_chunk: int

    def __post_init__(self) -> None:
        definitions, device = self.definitions, self.body.device
        self._train = definitions.rows(held_out=False)
        self._validation = definitions.rows(held_out=True)
        self.n_pairs = len(self._train)
        self._all = self.arrays["targets"].to(device)
        train_entries = np.flatnonzero(~definitions.held_out)
        self._position = np.cumsum(~definitions.held_out) - 1  # of an entry in the matrix of those trained on
        self._targets = (
            self._all if len(train_entries) == len(self._all) else self._all[torch.from_numpy(train_entries)]
        )
        self.facts: Mapping[str, Any] = {
            **dict(zip(("entry_isoscore", "entry_average_cosine"), self._measure("entries"), strict=True)),
            **dict(zip(("target_isoscore", "target_average_cosine"), self._measure("targets"), strict=True)),
            "projected": self.projected,
        }

    def loss(self, rows: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """Return the mean cross-entropy over the entries that are trained on."""
        chosen = self._train[rows.numpy()]
        h = self._vectors(chosen)
        targets = torch.from_numpy(self._position[self.definitions.owners[chosen]]).to(h.device)
        if self.n_sampled is not None:
            return sampled_cross_entropy(h, self._targets, targets, n_sampled=self.n_sampled, generator=generator)
        return cross_entropy(h, self._targets, targets, chunk=self.softmax_chunk)

    def validate(self) -> Evaluation | None:
        """Look for the entries of held-out definitions among all entries."""
        if not len(self._validation):
            return None
        losses, ranks = [], []
        for start in range(0, len(self._validation), EMBED_AT_ONCE):
            chosen = self._validation[start : start + EMBED_AT_ONCE]
            h = self._vectors(chosen)
            targets = torch.from_numpy(self.definitions.owners[chosen]).to(h.device)
            loss, rank = losses_and_ranks(h, self._all, targets, chunk=self.softmax_chunk)
            losses.append(loss.double().cpu().numpy())
            ranks.append(rank.cpu().numpy())
        return evaluation(np.concatenate(losses), np.concatenate(ranks))

    def _vectors(self, chosen: npt.NDArray[np.int64]) -> torch.Tensor:
        vectors: torch.Tensor = self.head(self.body.pool([self.definitions.texts[i] for i in chosen]))
        return vectors

    def _measure(self, name: str) -> tuple[float | None, float | None]:
        return measure_isotropy(self.arrays[name].numpy())


def evaluation(losses: npt.NDArray[np.float64], ranks: npt.NDArray[np.int64]) -> Evaluation:
    """Return the means over held-out definitions."""
    return Evaluation(float(losses.mean()), float(np.mean(ranks == 1)), float(np.mean(1 / ranks)))
