"""Two-dimensional maps of embeddings, for looking at only: no test rests on them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from xembed._core.directions import UnitRows
from xembed._core.progress import step
from xembed._core.validation import FloatArray

_UMAP_NEIGHBORS = 15
# Rows that the principal axes are found from, and rows in total above which UMAP would take minutes.
_PCA_ROWS = 50_000
_UMAP_ROWS = 20_000

Points = npt.NDArray[np.float64]


def make_map(
    F: UnitRows, G: UnitRows, projection: str, rng: np.random.Generator, notes: list[str]
) -> tuple[Points | None, tuple[float, float] | None, str]:
    """Return a place for each row of F and G, the variance shares of a PCA's axes, and how the map was made.

    Why another map was made than asked for is added to ``notes``.
    """
    if projection == "none":
        return None, None, "none"
    if projection == "umap":
        n_rows = len(F) + len(G)
        if n_rows > _UMAP_ROWS:
            notes.append(f"UMAP of {n_rows:,} texts would take minutes: the map is a PCA instead.")
        elif n_rows <= _UMAP_NEIGHBORS + 1:
            notes.append("Too few texts for UMAP: the map is a PCA instead.")
        else:
            return umap_map(np.concatenate([rows.unit(dtype=np.float32) for rows in (F, G)]), rng), None, "umap"
    points, shares = pca_map(F, G)
    return points, shares, "pca"


def pca_map(F: UnitRows, G: UnitRows) -> tuple[Points, tuple[float, float]]:
    """Return the first two principal components of the unit rows, (n, 2), and the variance shares of both.

    The axes are those of at most 50,000 evenly spaced rows. Deterministic: the sign of each axis is such that its
    largest loading is positive.
    """
    step = -(-(len(F) + len(G)) // _PCA_ROWS)
    sample = np.concatenate([rows.unit(slice(None, None, step)) for rows in (F, G)])
    mean = sample.mean(axis=0)
    sample -= mean
    values, vectors = np.linalg.eigh(sample.T @ sample)
    axes = vectors[:, ::-1][:, :2]  # (d, 2); a single dimension gives one axis
    axes = axes * np.where(axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])] < 0, -1.0, 1.0)
    points = np.zeros((len(F) + len(G), 2))
    for column, axis in enumerate(axes.T):
        points[:, column] = np.concatenate([rows.project(axis, shift=-float(mean @ axis)) for rows in (F, G)])
    shares = np.zeros(2)
    total = float(values.clip(0).sum())
    if total > 0:
        shares[: axes.shape[1]] = values[::-1][:2].clip(0) / total
    return points, (float(shares[0]), float(shares[1]))


def umap_map(unit: FloatArray, rng: np.random.Generator) -> Points:
    """Return a UMAP layout of unit rows by cosine distance, (n, 2)."""
    import warnings

    from umap import UMAP

    reducer = UMAP(
        n_neighbors=_UMAP_NEIGHBORS, metric="cosine", random_state=int(rng.integers(2**31)), n_jobs=1, low_memory=True
    )
    with warnings.catch_warnings(), step("Map", 1, "map") as advance:
        warnings.simplefilter("ignore")
        layout: Any = reducer.fit_transform(unit)
        advance(1)
    points: Points = np.asarray(layout, dtype=np.float64)
    return points
