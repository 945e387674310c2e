"""What a round of DefSent+ trains: a head on definitions' vectors against a frozen entry matrix."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from xembed.defsent._body import Body
from xembed.defsent._defaults import PROJECTION_SCALE
from xembed.defsent._definitions import Definitions
from xembed.defsent._softmax import cross_entropy, losses_and_ranks, sampled_cross_entropy
from xembed.defsent._training import Task
from xembed.encoders._training import Tensors

ENTRY_POOLINGS = {"ac": "cls", "amp": "mean"}
PROJECTIONS = ("ica", "whitening")
HEADS = ("identity", "linear", "orthogonal", "pooler")


def embed_entries(
    body: Body, definitions: Definitions, pooling: str, batch_size: int, advance: Callable[[int], object]
) -> npt.NDArray[np.float32]:
    """Return the mean of the vectors of each entry's definitions, shape (n_entries, d)."""
    counts = body.count(definitions.texts)
    rows = np.argsort(-counts, kind="stable")  # longest first: a batch too large for the memory fails at once
    total = np.zeros((len(definitions.entries), body.dimension), dtype=np.float32)
    body.model.eval()
    with torch.no_grad():
        for start in range(0, len(rows), batch_size):
            batch = rows[start : start + batch_size]
            vectors = body.pool_as([definitions.texts[i] for i in batch], ENTRY_POOLINGS[pooling])
            np.add.at(total, definitions.owners[batch], vectors.cpu().numpy())
            advance(len(batch))
    total /= np.bincount(definitions.owners, minlength=len(total))[:, None]
    if not np.isfinite(total).all():
        raise RuntimeError("The entry embeddings are not finite: are the encoder's weights damaged?")
    return total


def make_targets(
    entries: npt.NDArray[np.float32],
    fitted_on: npt.NDArray[np.bool_],
    *,
    projection: str | None,
    normalize: bool,
    scale: float,
    seed: int,
) -> npt.NDArray[np.float32]:
    """Return the entry matrix of shape (n_entries, d): projected, brought to unit length, scaled, as asked for.

    A projection is fitted on the entries ``fitted_on``. Directions without variance among them become 0.
    """
    targets = entries if projection is None else _project(entries, fitted_on, projection, seed)
    if normalize:
        lengths = np.linalg.norm(targets, axis=1, keepdims=True)
        targets = targets / np.maximum(lengths, np.finfo(np.float32).tiny)
    return np.ascontiguousarray(targets * np.float32(scale), dtype=np.float32)


def measure_isotropy(rows: npt.NDArray[np.float32]) -> tuple[float | None, float | None]:
    """Return debiased IsoScore and average cosine, None for what so few or such rows don't have."""
    from xembed.isotropy import average_cosine, isoscore

    used = rows[:, rows.any(axis=0)]  # dimensions that a projection left empty
    score = cosine = None
    with contextlib.suppress(ValueError):  # too few rows, or all rows alike
        score = float(isoscore(used, debiased=True))
    with contextlib.suppress(ValueError):  # rows of zeros
        cosine = float(average_cosine(used))
    return score, cosine


def _project(
    entries: npt.NDArray[np.float32], fitted_on: npt.NDArray[np.bool_], projection: str, seed: int
) -> npt.NDArray[Any]:
    from xembed.isotropy import ICAProjection, Whitening

    # Both map directions without variance to 0, and give as many dimensions as the encoder's vectors have. Of all
    # rotations of whitened vectors, ZCA's is closest to the vectors themselves.
    if projection == "ica":
        fitted, scale = ICAProjection(scale=PROJECTION_SCALE, random_state=seed % 2**32), 1.0
    else:
        fitted, scale = Whitening(method="zca"), PROJECTION_SCALE
    try:
        fitted.fit(entries[fitted_on])
    except ValueError as error:
        raise ValueError(f"The entry embeddings can't be projected with projection={projection!r}: {error}") from error
    projected: npt.NDArray[Any] = fitted.transform(entries) * np.float32(scale)
    return projected


def make_head(kind: str | torch.nn.Module, transformer: Any, dimension: int) -> torch.nn.Module:
    """Return a head of vectors of length ``dimension``; new weights come from torch's global generator.

    'pooler' copies the dense layer of the model's own pooler, with tanh. A model that has none gets a new one.
    """
    if isinstance(kind, torch.nn.Module):
        return copy.deepcopy(kind).requires_grad_(True)
    if kind == "identity":
        return torch.nn.Identity()
    if kind == "pooler":
        own: Any = getattr(getattr(transformer, "pooler", None), "dense", None)
        fits = isinstance(own, torch.nn.Linear) and own.weight.shape == (dimension, dimension)
        dense = copy.deepcopy(own).requires_grad_(True) if fits else torch.nn.Linear(dimension, dimension)
        return torch.nn.Sequential(dense, torch.nn.Tanh())
    dense = torch.nn.Linear(dimension, dimension, bias=kind == "linear")
    with torch.no_grad():
        torch.nn.init.eye_(dense.weight)
        if dense.bias is not None:
            dense.bias.zero_()
    if kind == "orthogonal":
        return torch.nn.utils.parametrizations.orthogonal(dense, orthogonal_map="matrix_exp")
    return dense


class EntryTask(Task):
    """A round: definitions against a frozen entry matrix."""

    def __init__(
        self,
        body: Body,
        head: torch.nn.Module,
        definitions: Definitions,
        arrays: Tensors,
        *,
        projected: bool,
        n_sampled: int | None,
        softmax_chunk: int,
    ) -> None:
        super().__init__(body, head, definitions)
        self.arrays, self.n_sampled, self.softmax_chunk = arrays, n_sampled, softmax_chunk
        self._all = arrays["targets"].to(body.device)
        train_entries = np.flatnonzero(~definitions.held_out)
        self._position = np.cumsum(~definitions.held_out) - 1  # of an entry in the matrix of those trained on
        self._targets = (
            self._all if len(train_entries) == len(self._all) else self._all[torch.from_numpy(train_entries)]
        )
        entries, targets = (measure_isotropy(arrays[name].numpy()) for name in ("entries", "targets"))
        self.facts = {
            **dict(zip(("entry_isoscore", "entry_average_cosine"), entries, strict=True)),
            **dict(zip(("target_isoscore", "target_average_cosine"), targets, strict=True)),
            "projected": projected,
        }

    def loss(self, rows: npt.NDArray[np.int64], generator: torch.Generator) -> torch.Tensor:
        """Return the mean cross-entropy over the entries that are trained on."""
        h = self.vectors(rows)
        targets = torch.from_numpy(self._position[self.definitions.owners[rows]]).to(h.device)
        if self.n_sampled is not None:
            return sampled_cross_entropy(h, self._targets, targets, n_sampled=self.n_sampled, generator=generator)
        return cross_entropy(h, self._targets, targets, chunk=self.softmax_chunk)

    def losses_and_ranks(self, rows: npt.NDArray[np.int64]) -> tuple[torch.Tensor, torch.Tensor]:
        """Look for the entries of definitions among all entries."""
        h = self.vectors(rows)
        targets = torch.from_numpy(self.definitions.owners[rows]).to(h.device)
        return losses_and_ranks(h, self._all, targets, chunk=self.softmax_chunk)
