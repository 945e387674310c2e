"""Entry embeddings and the entry matrix that is trained against."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from xembed.defsent._body import Body
from xembed.defsent._defaults import PROJECTION_SCALE
from xembed.defsent._definitions import Definitions

ENTRY_POOLINGS = {"ac": "cls", "amp": "mean"}
PROJECTIONS = ("ica", "whitening")


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
