"""Two-sample statistics under many permutations of the labels at once, by matrix products.

Each is a function of unit rows (N, d), or of sums over their pairs, and labels (N, B) of zeros and ones (1: F).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from xembed._core.neighbors import neighbor_sums
from xembed._core.parallel import row_blocks
from xembed._core.progress import track
from xembed._core.validation import FloatArray
from xembed.stats._permutation import Floats, Labels
from xembed.stats._rank_sums import midranks

# Share of F that lies below the quantile of the tail test.
TAIL = 0.05
# Pairs in a block: it should stay near the processor.
_PAIRS = 2**21
_SLICE = 64
# Cosines of copies differ by rounding, less than this, for rows of 4 and of 8 bytes a number.
_TIED = {4: 1e-6, 8: 1e-9}


@dataclass(frozen=True)
class Statistic:
    """A statistic and its effect size under each permutation, the observed one first."""

    values: Floats  # (B,) what is tested; large: the corpora differ
    effects: Floats  # (B,) for the reader
    standard_error: float  # of effects[0]


def sizes(labels: Labels) -> tuple[Floats, Floats]:
    """Return the numbers of rows of F and of G under each permutation."""
    n = labels.sum(axis=0, dtype=np.float64)
    return n, len(labels) - n


def rank_sum_statistic(depths: Floats, labels: Labels) -> Statistic:
    """Two-sided rank sum of depths that do not depend on the labels; mid-ranks for ties. Effect: 2Q - 1."""
    ranks = midranks(depths)
    centered = ranks - ranks.mean()
    n, m = sizes(labels)
    of_F = (labels.T @ centered.astype(labels.dtype)).astype(np.float64)
    variance = n * m * float(centered @ centered) / (len(labels) * (len(labels) - 1))
    z = np.divide(of_F, np.sqrt(variance), out=np.zeros_like(of_F), where=variance > 0)
    # The sum of the ranks of F less its mean is n m (1/2 - Q).
    effects = -2 * of_F / (n * m)
    return Statistic(np.abs(z), effects, _spread(effects))


def mean_statistic(unit: FloatArray, labels: Labels) -> Statistic:
    """Distance of the means without its noise in three metrics, each standardized over the permutations: the largest.

    The identity (the linear MMD) finds shifts along which texts vary at all; the inverse of the shrunk covariance
    (as Hotelling's test) finds small shifts where texts hardly vary; the covariance finds shifts between the topics
    that the corpora are made of. Sums of rows only: O(N d (B + d)) time. Effect: share of the variance between them.
    """
    from scipy.linalg import inv

    n, m = sizes(labels)
    mean = unit.mean(axis=0, dtype=np.float64)
    centered = unit - mean.astype(unit.dtype)
    sums = (labels.T @ centered).astype(np.float64)  # (B, d); those of G are minus these
    covariance = (centered.T @ centered).astype(np.float64) / len(unit)
    variance = float(np.trace(covariance))
    if variance <= 1e-14:  # all texts alike: rounding is no difference
        nothing = np.zeros(labels.shape[1])
        return Statistic(nothing, nothing, 0.0)
    ridge = covariance + np.eye(len(covariance)) * variance / len(covariance)
    metrics = track([None, inv(ridge), covariance], "Tests: means", "metric")
    distances = [_mean_distances(sums, metric, centered, labels, n, m) for metric in metrics]
    share = n * m / len(labels) ** 2 / variance
    error = _mean_error(centered, sums[0], labels[:, 0]) * float(share[0])
    return Statistic(standardized(np.stack(distances)).max(axis=0), distances[0] * share, error)


def linear_statistic(unit: FloatArray, labels: Labels) -> Statistic:
    """Linear MMD alone: the squared distance of the means. Effect as that of `mean_statistic`."""
    n, m = sizes(labels)
    centered = unit - unit.mean(axis=0, dtype=np.float64).astype(unit.dtype)
    variance = float(np.vecdot(centered, centered).mean(dtype=np.float64))
    sums = (labels.T @ centered).astype(np.float64)
    plain = _mean_distances(sums, None, centered, labels, n, m)
    if variance <= 1e-14:
        plain, variance = np.zeros_like(plain), 1.0
    share = n * m / len(labels) ** 2 / variance
    return Statistic(plain, plain * share, _mean_error(centered, sums[0], labels[:, 0]) * float(share[0]))


def _mean_distances(
    sums: Floats, metric: Floats | None, centered: FloatArray, labels: Labels, n: Floats, m: Floats
) -> Floats:
    """Return the unbiased squared distances of the means: pairs of a text with itself are left out."""
    image = sums if metric is None else sums @ metric
    images = centered if metric is None else centered @ metric.astype(centered.dtype)
    own = np.vecdot(images, centered)
    squared = np.vecdot(image, sums)  # of the sum over F, and as well over G
    own_F = (labels.T @ own.astype(labels.dtype)).astype(np.float64)
    own_G = float(own.sum(dtype=np.float64)) - own_F
    distances: Floats = (squared - own_F) / (n * (n - 1)) + (squared - own_G) / (m * (m - 1)) + 2 * squared / (n * m)
    return distances


def _mean_error(centered: FloatArray, sum_F: Floats, of_F: Labels) -> float:
    """Return the standard error of the plain distance, by the linear part of a U-statistic."""
    mine = of_F > 0
    n, m = int(mine.sum()), int((~mine).sum())
    along = (centered @ (sum_F / n + sum_F / m).astype(centered.dtype)).astype(np.float64)
    return float(2 * np.sqrt(along[mine].var(ddof=1) / n + along[~mine].var(ddof=1) / m))


def mmd_statistic(kernels: list[PairSums], labels: Labels) -> Statistic:
    """Fused MMD: each kernel's unbiased squared MMD standardized over all permutations, soft maximum.

    Effect: the share of the variance between the corpora, in the space of the first kernel.
    """
    n, m = sizes(labels)
    distances = np.stack([sums.mmd(n, m) for sums in kernels])
    first = kernels[0]
    size = len(first.to_all)
    variance = first.diagonal - first.total / (size * (size - 1))
    if variance <= 1e-14:
        nothing = np.zeros(labels.shape[1])
        return Statistic(nothing, nothing, 0.0)
    share = n * m / size**2 / variance
    fused = distances[0] if len(kernels) == 1 else np.logaddexp.reduce(standardized(distances), axis=0)
    return Statistic(fused, distances[0] * share, first.standard_error(labels[:, 0]) * float(share[0]))


def neighbor_statistic(neighbors: NeighborSums, labels: Labels) -> Statistic:
    """Count nearest neighbors of the same corpus. Effect: the excess over chance, as a share of what is possible."""
    k, size = neighbors.n_neighbors, len(labels)
    n, m = sizes(labels)
    same = 2 * neighbors.within - neighbors.of_F + k * m
    expected = (n * (n - 1) + m * (m - 1)) / (size * (size - 1))
    effects = (same / (k * size) - expected) / (1 - expected)
    observed = np.where(labels[:, 0] > 0, neighbors.to_F, k - neighbors.to_F) / k
    error = np.hypot(observed.std(ddof=1) / np.sqrt(size) / (1 - expected[0]), _spread(effects))
    return Statistic(effects, effects, float(error))


def tail_statistic(depths: Floats, labels: Labels) -> Statistic:
    """Share of G below the depth that 5 % of F lie below. Effect: that share less those 5 %."""
    order = np.argsort(depths, kind="stable")
    n, m = sizes(labels)
    place = np.maximum(1.0, np.rint(TAIL * n))  # the text of F that marks the quantile
    n_first = 4 * int(place.max())
    while True:  # the marking text is among the first, seldom among many more
        first_rows = labels[order[:n_first]]
        of_F = np.zeros((1 + len(first_rows), labels.shape[1]), np.float32)
        np.cumsum(first_rows, axis=0, out=of_F[1:])
        if n_first >= len(labels) or (of_F[-1] >= place).all():
            break
        n_first *= 2
    marking = (of_F[1:] < place).sum(axis=0)
    first = np.searchsorted(depths[order], depths[order][marking])  # of the texts as deep as the marking one
    share = (first - of_F[first, np.arange(labels.shape[1])]) / m  # of G that is less deep
    effects = share - (place - 0.5) / n
    error = np.sqrt(share[0] * (1 - share[0]) / m[0] + TAIL * (1 - TAIL) / n[0])
    return Statistic(effects, effects, float(error))


def classifier_statistic(unit: FloatArray, labels: Labels) -> Statistic:
    """AUC of a ridge discriminant on texts that it was not trained on, over two random halves. Effect: 2 AUC - 1."""
    from scipy import linalg, stats

    half = len(unit) // 2
    areas = np.zeros(labels.shape[1])
    for train, test in ((slice(0, half), slice(half, None)), (slice(half, None), slice(0, half))):
        rows = unit[train].astype(np.float64)
        centered = rows - rows.mean(axis=0)
        covariance = centered.T @ centered / len(rows)
        ridge = covariance + np.eye(len(covariance)) * max(float(np.trace(covariance)) / len(covariance), 1e-12)
        marks = labels[train].astype(np.float64)
        directions = linalg.solve(ridge, centered.T @ (marks - marks.mean(axis=0)), assume_a="pos")  # (d, B)
        scores = (unit[test].astype(np.float64) @ directions).round(12)
        ranks = stats.rankdata(scores, axis=0)
        n, m = sizes(labels[test])
        wins = (ranks * labels[test]).sum(axis=0) - n * (n + 1) / 2
        areas += np.divide(wins, n * m, out=np.full_like(wins, 0.5), where=n * m > 0) / 2
    effects = 2 * areas - 1
    return Statistic(effects, effects, _spread(effects))


def _spread(effects: Floats) -> float:
    """Return the standard deviation over the permutations; 0 if there are none."""
    return float(effects[1:].std()) if len(effects) > 1 else 0.0


def standardized(tests: Floats) -> Floats:
    """Return each row of a table less its mean, over its spread; zeros where nothing varies."""
    centered = tests - tests.mean(axis=1, keepdims=True)
    spread = tests.std(axis=1, keepdims=True)
    standard: Floats = np.divide(centered, spread, out=np.zeros_like(tests), where=spread > 1e-300)
    return standard


def inverse_median(unit: FloatArray, n_rows: int = 500) -> float:
    """Return 1 / (2 median squared distance) of the first rows, which are in random order."""
    sample = unit[:n_rows]
    squared = 2.0 - 2.0 * (sample @ sample.T)[np.triu_indices(len(sample), 1)]
    median = float(np.median(squared))
    return 0.5 / median if median > 1e-12 else 1.0


# ---- sums over pairs


@dataclass(frozen=True)
class Kernel:
    """A family of kernels that are functions of the cosine: ``of`` overwrites a block of cosines with each in turn."""

    of: Callable[[FloatArray], Iterator[FloatArray]]
    diagonals: tuple[float, ...]  # k(x, x), one a kernel


def rbf(gammas: Sequence[float]) -> Kernel:
    """Return Gaussian kernels exp(-gamma |x - y|^2); each gamma is a power of 2 times the last: squaring costs less."""

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
    """Sums of a kernel over ordered pairs of different texts, under each permutation."""

    diagonal: float
    within: Floats  # (B,) both texts of F
    touching: Floats  # (B,) the first text of F
    to_F: Floats  # (N,) of each text with those of F as observed
    to_all: Floats  # (N,)
    total: float = 0.0

    def mmd(self, n: Floats, m: Floats) -> Floats:
        """Return the unbiased squared MMD under each permutation."""
        within_G, between = self.total - 2 * self.touching + self.within, self.touching - self.within
        result: Floats = self.within / (n * (n - 1)) + within_G / (m * (m - 1)) - 2 * between / (n * m)
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
    """How many of the nearest neighbors of texts are of F, under each permutation; equally near ones share a place."""

    n_neighbors: int
    of_F: Floats  # (B,) over all texts
    within: Floats  # (B,) over the texts of F
    to_F: Floats  # (N,) of each text, as observed


def pass_over_pairs(
    unit: FloatArray, labels: Labels, kernel: Kernel | None, *, n_neighbors: int = 0
) -> tuple[list[PairSums], NeighborSums]:
    """Return the sums of each kernel over all pairs, and those over each text's nearest neighbors.

    ``labels`` (N, B) have the dtype of ``unit`` (N, d). Without a kernel: neighbors only.
    """
    size, n_columns = labels.shape
    sums = [
        PairSums(diagonal, np.zeros(n_columns), np.zeros(n_columns), np.empty(size), np.empty(size))
        for diagonal in (kernel.diagonals if kernel else ())
    ]
    neighbors = NeighborSums(n_neighbors, np.zeros(n_columns), np.zeros(n_columns), np.zeros(size))
    columns = np.concatenate([labels, np.ones((size, 1), labels.dtype)], axis=1)  # the last one sums over all
    for rows in track(row_blocks(0, size, max(_SLICE, _PAIRS // size)), "Tests: pairs of texts"):
        cosines = unit[rows] @ unit.T
        itself = np.arange(rows.stop - rows.start), np.arange(rows.start, rows.stop)
        if n_neighbors:
            cosines[itself] = -np.inf
            exact = None if unit.dtype == np.float64 else partial(_exact_cosines, unit, rows.start)
            tolerance = _TIED[cosines.dtype.itemsize]
            near = neighbor_sums(cosines, n_neighbors, labels, tolerance=tolerance, exact=exact)
            neighbors.of_F += near.sum(axis=0, dtype=np.float64)
            neighbors.within += np.einsum("ij,ij->j", labels[rows], near)
            neighbors.to_F[rows] = near[:, 0]
        cosines[itself] = 1.0
        for block, of_kernel in zip(kernel.of(cosines) if kernel else (), sums, strict=True):
            block[itself] = 0.0
            products = block @ columns  # (rows, B + 1)
            to_all = products[:, -1].astype(np.float64)
            of_kernel.within += np.einsum("ij,ij->j", products[:, :-1], labels[rows])
            of_kernel.touching += to_all @ labels[rows]
            of_kernel.total += float(to_all.sum())
            of_kernel.to_F[rows], of_kernel.to_all[rows] = products[:, 0], to_all
    return sums, neighbors


def _exact_cosines(unit: FloatArray, start: int, places: npt.NDArray[np.int64]) -> Floats:
    """Return the cosines of the rows ``start + places`` with all rows in float64, -inf with themselves."""
    rows = start + places
    cosines: Floats = unit[rows].astype(np.float64) @ unit.T.astype(np.float64)
    cosines[np.arange(len(rows)), rows] = -np.inf
    return cosines
