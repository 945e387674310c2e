"""Sums of kernels over all pairs of texts under many labelings, and nearest neighbors, in one pass by blocks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from xembed._core.neighbors import neighbor_sums
from xembed._core.parallel import row_blocks
from xembed._core.validation import FloatArray
from xembed.stats._permutation import Floats, Labels

# Pairs in a block: it should stay near the processor.
_PAIRS = 2**21
_SLICE = 64
# Cosines of copies differ by rounding, less than this, for rows of 4 and of 8 bytes a number.
_TIED = {4: 1e-6, 8: 1e-9}


@dataclass(frozen=True)
class Kernel:
    """A family of kernels that are functions of the cosine: ``of`` overwrites a block of cosines with each in turn."""

    of: Callable[[FloatArray], Iterator[FloatArray]]
    diagonals: tuple[float, ...]  # k(x, x), one a kernel


def rbf(gammas: Sequence[float]) -> Kernel:
    """Return Gaussian kernels exp(-gamma |x - y|^2); each gamma is the one before times a power of 2.

    So that squaring gives it, an exponential costing seven to ten times as much (measured).
    """

    def of(cosines: FloatArray) -> Iterator[FloatArray]:
        cosines -= 1.0
        cosines *= 2 * gammas[0]  # -gamma (2 - 2 cos)
        kernel = np.exp(cosines, out=cosines)
        yield kernel
        for previous, gamma in pairwise(gammas):
            for _ in range(round(np.log2(gamma / previous))):
                np.multiply(kernel, kernel, out=kernel)
            yield kernel

    return Kernel(of, (1.0,) * len(gammas))


def _minus_distance(cosines: FloatArray) -> Iterator[FloatArray]:
    np.subtract(1.0, cosines, out=cosines)
    np.maximum(cosines, 0.0, out=cosines)
    cosines *= 2.0
    np.sqrt(cosines, out=cosines)
    np.negative(cosines, out=cosines)
    yield cosines


# The kernel of the energy distance: minus the Euclidean distance of unit rows.
ENERGY = Kernel(_minus_distance, (0.0,))


@dataclass
class PairSums:
    """Sums of a kernel over ordered pairs of different texts, under each labeling."""

    diagonal: float
    within: Floats  # (B,) both texts of F
    touching: Floats  # (B,) the first text of F
    to_F: Floats  # (N,) of each text with those of F as observed
    to_all: Floats  # (N,)
    total: float = field(default=0.0)

    def mmd(self, n: Floats, m: Floats) -> Floats:
        """Return the unbiased squared MMD under each labeling."""
        result: Floats = (
            self.within / (n * (n - 1))
            + (self.total - 2 * self.touching + self.within) / (m * (m - 1))
            - 2 * (self.touching - self.within) / (n * m)
        )
        return result

    def standard_error(self, of_F: Labels) -> float:
        """Return the standard error of the observed MMD, by the linear part of a U-statistic."""
        mine = of_F > 0
        n, m = int(mine.sum()), int((~mine).sum())
        to_G = self.to_all - self.to_F
        in_F = self.to_F[mine] / (n - 1) - to_G[mine] / m
        in_G = to_G[~mine] / (m - 1) - self.to_F[~mine] / n
        return float(2 * np.sqrt(in_F.var(ddof=1) / n + in_G.var(ddof=1) / m))


@dataclass
class NeighborSums:
    """How many of the nearest neighbors of texts are of F, under each labeling; equally near ones share a place."""

    n_neighbors: int
    of_F: Floats  # (B,) over all texts
    within: Floats  # (B,) over the texts of F
    to_F: Floats  # (N,) of each text, as observed


def pass_over_pairs(
    unit: FloatArray, labels: Labels, kernel: Kernel | None, *, n_neighbors: int = 0
) -> tuple[list[PairSums], NeighborSums]:
    """Return the sums of each kernel over all pairs, and those over each text's nearest neighbors.

    Parameters
    ----------
    unit : ndarray of shape (N, d)
        Unit rows.
    labels : ndarray of shape (N, B)
        1 for F, 0 for G; in the dtype of ``unit``.
    kernel : Kernel or None
        None: neighbors only.
    """
    size, n_columns = labels.shape
    sums = [
        PairSums(diagonal, np.zeros(n_columns), np.zeros(n_columns), np.empty(size), np.empty(size))
        for diagonal in (kernel.diagonals if kernel else ())
    ]
    neighbors = NeighborSums(n_neighbors, np.zeros(n_columns), np.zeros(n_columns), np.zeros(size))
    columns = np.concatenate([labels, np.ones((size, 1), labels.dtype)], axis=1)  # the last one sums over all
    for rows in row_blocks(0, size, max(_SLICE, _PAIRS // size)):
        cosines = unit[rows] @ unit.T
        itself = np.arange(rows.stop - rows.start), np.arange(rows.start, rows.stop)
        if n_neighbors:
            cosines[itself] = -np.inf
            near = neighbor_sums(cosines, n_neighbors, labels, tolerance=_TIED[cosines.dtype.itemsize])
            neighbors.of_F += near.sum(axis=0, dtype=np.float64)
            neighbors.within += np.einsum("ij,ij->j", labels[rows], near)
            neighbors.to_F[rows] = near[:, 0]
        cosines[itself] = 1.0
        for block, found in zip(kernel.of(cosines) if kernel else (), sums, strict=True):
            block[itself] = 0.0
            products = block @ columns  # (rows, B + 1)
            to_all = products[:, -1].astype(np.float64)
            found.within += np.einsum("ij,ij->j", products[:, :-1], labels[rows])
            found.touching += to_all @ labels[rows]
            found.total += float(to_all.sum())
            found.to_F[rows], found.to_all[rows] = products[:, 0], to_all
    return sums, neighbors
