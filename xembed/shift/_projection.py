"""Two-dimensional maps of embeddings, for looking at only: no test rests on them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from xembed._validation import FloatArray
from xembed.depth._resultant import direction_weights

_UMAP_NEIGHBORS = 15


def pca_map(X: FloatArray) -> tuple[npt.NDArray[np.float64], tuple[float, float]]:
    """Return the first two principal components of the unit rows, (n, 2), and the variance shares of both.

    Deterministic: the sign of each axis is such that its largest loading is positive.
    """
    unit = _unit(X, np.float64 if X.size <= 2**25 else np.float32)
    unit -= unit.mean(axis=0)
    covariance = (unit.T @ unit).astype(np.float64)
    values, vectors = np.linalg.eigh(covariance)
    axes = vectors[:, ::-1][:, :2]  # (d, 2); a single dimension gives one axis
    axes = axes * np.where(axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])] < 0, -1.0, 1.0)
    points = np.zeros((len(unit), 2))
    points[:, : axes.shape[1]] = unit @ axes
    shares = np.zeros(2)
    total = float(values.clip(0).sum())
    if total > 0:
        shares[: axes.shape[1]] = values[::-1][:2].clip(0) / total
    return points, (float(shares[0]), float(shares[1]))


def umap_map(X: FloatArray, rng: np.random.Generator) -> npt.NDArray[np.float64] | None:
    """Return a UMAP layout by cosine distance, (n, 2), or None where there are too few rows for one."""
    if len(X) <= _UMAP_NEIGHBORS + 1:
        return None
    import warnings

    from umap import UMAP

    reducer = UMAP(
        n_neighbors=_UMAP_NEIGHBORS,
        metric="cosine",
        random_state=int(rng.integers(2**31)),
        n_jobs=1,
        low_memory=True,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        layout: Any = reducer.fit_transform(_unit(X, np.float32))
    points: npt.NDArray[np.float64] = np.asarray(layout, dtype=np.float64)
    return points


def _unit(X: FloatArray, dtype: npt.DTypeLike) -> FloatArray:
    unit: FloatArray = np.asarray(X, dtype) * direction_weights(X, name="X")[:, None].astype(dtype)
    return unit
