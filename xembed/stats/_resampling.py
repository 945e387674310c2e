"""Draws that bootstraps and randomization tests share, in blocks of bounded memory."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

# Relative size of differences between statistics that are rounding, not evidence.
TIE = 1e-9
# Numbers held at once while resampling, about 64 MiB.
_BUDGET = 8_000_000


def block_sizes(n_resamples: int, width: int, budget: int = _BUDGET) -> Iterator[int]:
    """Yield numbers of resamples to hold at once, where each takes ``width`` numbers."""
    step = max(1, budget // max(width, 1))
    for start in range(0, n_resamples, step):
        yield min(step, n_resamples - start)


def bootstrap_counts(n: int, n_resamples: int, rng: np.random.Generator) -> Floats:
    """Return how often each of ``n`` items is drawn, (n_resamples, n), drawn ``n`` times with replacement."""
    return rng.multinomial(n, np.full(n, 1 / n), n_resamples).astype(np.float64)


def sign_flips(n: int, n_resamples: int, rng: np.random.Generator) -> Floats:
    """Return random signs, 1 or -1, (n_resamples, n)."""
    return 2.0 * rng.integers(0, 2, (n_resamples, n), np.int8) - 1


def bootstrap_rows(n: int, n_resamples: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """Return rows drawn with replacement, (n_resamples, n): what `bootstrap_counts` counts, item by item."""
    return rng.integers(n, size=(n_resamples, n))


def count_rows(rows: npt.NDArray[np.int64]) -> Floats:
    """Return how often each item is drawn by `bootstrap_rows`, (n_resamples, n)."""
    n_resamples, n = rows.shape
    places = rows + n * np.arange(n_resamples)[:, None]
    return np.bincount(places.ravel(), minlength=n_resamples * n).reshape(n_resamples, n).astype(np.float64)


def percentiles(draws: Floats, level: float) -> tuple[Floats, Floats]:
    """Return the bounds of the percentile interval over the first axis."""
    tail = (1 - level) / 2
    low, high = np.quantile(draws, [tail, 1 - tail], axis=0)
    return low, high
