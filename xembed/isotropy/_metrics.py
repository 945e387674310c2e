"""The table of what `measure` computes, and the data that its functions read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from xembed._core.directions import unit_rows
from xembed._core.moments import Array, Moments
from xembed._core.neighbors import neighbor_counts
from xembed._core.parallel import row_blocks
from xembed._core.validation import FloatArray, quote_options
from xembed.isotropy import _neighborhood, _spectrum
from xembed.isotropy._cosine import mean_cosine, uniform_uniformity, uniformity_of

N_NEIGHBORS = 10
_DISTANCES = 20
_TIE = 1e-10
_BLOCK = 256


@dataclass(eq=False)
class Space:
    """What follows from sums over rows, each computed once."""

    moments: Moments

    @cached_property
    def spectrum(self) -> Array:
        return _spectrum.spectrum(self.moments)

    @cached_property
    def axes(self) -> tuple[Array, Array]:
        """Return the eigenvalues of the rows' products, largest first, and the eigenvectors in columns."""
        values, vectors = np.linalg.eigh(self.moments.second)
        return np.maximum(values[::-1], 0.0), vectors[:, ::-1]

    @property
    def squares(self) -> Array:
        """Return the squared singular values of the rows, from the axes if these are known."""
        return self.axes[0] if "axes" in self.__dict__ else _spectrum.eigenvalues(self.moments.second)


@dataclass(eq=False)
class Sample:
    """Some rows with their cosines: what measures of pairs and neighborhoods are computed from."""

    rows: Array
    cosines: Array
    n_repeated: int

    @classmethod
    def of(cls, X: FloatArray, *, name: str) -> Sample:
        """Compute the cosines of all pairs of rows."""
        unit = unit_rows(X, name=name)
        rows = np.asarray(X, dtype=np.float64)
        kept = _neighborhood.first_of_equals(X)
        return cls((rows - rows.mean(axis=0))[kept], unit @ unit.T, len(rows) - len(kept))

    def __len__(self) -> int:
        return len(self.cosines)

    def half(self, rng: np.random.Generator) -> Sample:
        """Return a random half of the rows."""
        of_cosines = of_rows = np.sort(rng.choice(len(self), len(self) // 2, replace=False))
        if self.n_repeated:
            of_rows = np.sort(rng.choice(len(self.rows), len(self.rows) // 2, replace=False))
        return Sample(self.rows[of_rows], self.cosines[np.ix_(of_cosines, of_cosines)], self.n_repeated)

    @cached_property
    def hubs(self) -> _neighborhood.HubStatistics:
        if len(self) <= N_NEIGHBORS:
            raise ValueError(f"X must hold more than {N_NEIGHBORS} rows (texts) to count neighbors. Got {len(self)}.")
        counts = np.zeros(len(self))
        for rows in row_blocks(0, len(self), _BLOCK):
            similarities = self.cosines[rows].copy()
            similarities[np.arange(len(similarities)), np.arange(rows.start, rows.stop)] = -np.inf
            counts += neighbor_counts(similarities, N_NEIGHBORS, tolerance=_TIE)
        return _neighborhood.hub_statistics(counts)

    @cached_property
    def distances(self) -> Array:
        """Return the distances to the nearest different rows."""
        return _neighborhood.neighbor_distances(self.rows, min(_DISTANCES, len(self.rows) - 1))

    def dimension(self, method: str) -> float:
        _neighborhood.check_enough(len(self.rows), method)
        return _neighborhood.dimension_of_distances(self.distances, method)


Bound = float | None | Callable[[int, int], float]


def _rank(n: int, d: int) -> float:
    return float(min(n - 1, d))


@dataclass(frozen=True)
class Metric:
    """One measure: its name, meaning and sources, its direction and range, and how it is computed.

    ``meaning`` completes the sentence "The measure is ..."; ``cites`` are keys of the bibliography; ``better`` is
    'higher', 'lower' or 'none'; ``isotropic`` is the value of a space in which all directions are alike. Bounds are
    numbers, functions of the numbers of rows and dimensions, or None.
    ``source`` says from what it is computed: 'moments', 'unit' (sums of unit rows too), 'partition' or 'sample'.
    """

    name: str
    label: str
    meaning: str
    better: str
    source: str
    cites: tuple[str, ...] = ()
    minimum: Bound = None
    maximum: Bound = None
    isotropic: Bound = None
    of: Callable[[Any], float] | None = None

    def bounds(self, n: int, d: int) -> tuple[float | None, ...]:
        """Return the minimum, the maximum and the isotropic value for ``n`` rows in ``d`` dimensions."""
        bounds = self.minimum, self.maximum, self.isotropic
        return tuple(bound(n, d) if callable(bound) else bound for bound in bounds)

    def compute(self, data: Space | Sample) -> float:
        """Return the value from a sample, or from a space where that is the source."""
        if self.of is None:
            raise NotImplementedError(f"{self.name} is computed from other data")
        return float(self.of(data))


METRICS: dict[str, Metric] = {metric.name: metric for metric in (
    Metric(
        "debiased_isoscore", "IsoScore, debiased",
        "(PR − 1) / (d − 1) for the participation ratio PR and d dimensions, as IsoScore (Rudman et al. 2022), with "
        "unbiased estimates of the sums in it (Bai & Saranadasa 1996). 1: the same variance in all directions.",
        "higher", "moments", ("rudman2022", "bai1996"), isotropic=1.0,
        of=lambda space: _spectrum.debiased_score(space.moments)),
    Metric(
        "isoscore", "IsoScore",
        "(PR − 1) / (d − 1) for the participation ratio PR and d dimensions (Rudman et al. 2022); too low for few "
        "texts.",
        "higher", "moments", ("rudman2022",), 0.0, 1.0, 1.0,
        of=lambda space: _spectrum.plain_score(space.moments)),
    Metric(
        "participation_ratio", "Participation ratio",
        "the squared sum of the eigenvalues of the covariance over the sum of their squares: the number of directions "
        "that the variance is spread over.",
        "higher", "moments", (), 1.0, _rank, _rank,
        of=lambda space: _spectrum.participation(space.moments)),
    Metric(
        "effective_rank", "Effective rank",
        "the exponential of the entropy of the eigenvalues' shares (Roy & Vetterli 2007): the number of directions "
        "that the variance is spread over, with more weight on small ones.",
        "higher", "moments", ("roy2007",), 1.0, _rank, _rank,
        of=lambda space: _spectrum.rank_of_spectrum(space.spectrum)),
    Metric(
        "rankme", "RankMe",
        "the exponential of the entropy of the singular values' shares, without subtracting the mean (Garrido et al. "
        "2023).",
        "higher", "moments", ("garrido2023",), 1.0, lambda n, d: float(min(n, d)), lambda n, d: float(min(n, d)),
        of=lambda space: _spectrum.rank_of_singular_values(space.squares, space.moments)),
    Metric(
        "average_cosine", "Average cosine",
        "the mean cosine of two different texts, over all pairs (Ethayarajh 2019).",
        "lower", "unit", ("ethayarajh2019",), lambda n, d: -1 / (n - 1), 1.0, 0.0,
        of=lambda space: mean_cosine(space.moments.unit_total, space.moments.n_rows)),
    Metric(
        "top_dimension_share", "Share of the top dimension in the average cosine",
        "the largest share of one dimension in the average cosine (Timkey & van Schijndel 2021).",
        "lower", "unit", ("timkey2021",), 0.0, isotropic=lambda n, d: 1 / d),
    Metric(
        "partition_isotropy", "Partition isotropy I(W)",
        "min Z(c) / max Z(c), where Z(c) is the sum of exp(c · x) over texts and c runs over the principal directions "
        "and their opposites (Mu & Viswanath 2018); depends on the scale of the embeddings.",
        "higher", "partition", ("mu2018",), 0.0, 1.0, 1.0),
    Metric(
        "uniformity", "Uniformity (t = 2)",
        "the logarithm of the mean of exp(−2 |u − v|²) over pairs of directions (Wang & Isola 2020).",
        "lower", "sample", ("wang2020",), -8.0, 0.0, lambda n, d: uniform_uniformity(d),
        of=lambda sample: uniformity_of(lambda rows: sample.cosines[rows, : rows.stop].copy(), len(sample))),
    Metric(
        "hubness", f"Hubness: skewness of {N_NEIGHBORS}-occurrences",
        "the skewness of k-occurrences, the number of texts that have a text among their k nearest neighbors "
        "(Radovanović et al. 2010).",
        "lower", "sample", ("radovanovic2010",), isotropic=0.0,
        of=lambda sample: sample.hubs.skewness),
    Metric(
        "robin_hood", "Hubness: Robin Hood index",
        "the share of all places among nearest neighbors that would have to be redistributed for all texts to have "
        "the same number (Feldbauer et al. 2018).",
        "lower", "sample", ("feldbauer2018",), 0.0, 1.0, 0.0,
        of=lambda sample: sample.hubs.robin_hood),
    Metric(
        "antihub_rate", "Hubness: share of antihubs",
        "the share of texts that are among the nearest neighbors of no other text.",
        "lower", "sample", (), 0.0, 1.0, 0.0,
        of=lambda sample: sample.hubs.antihub_rate),
    Metric(
        "twonn", "Intrinsic dimension (TwoNN)",
        "the local dimension of the texts, from the ratio of the distances to the second and to the first neighbor "
        "(Facco et al. 2017).",
        "none", "sample", ("facco2017",), 0.0,
        of=lambda sample: sample.dimension("twonn")),
    Metric(
        "mle", "Intrinsic dimension (MLE, 20 neighbors)",
        "the local dimension of the texts, by maximum likelihood from the distances to 20 neighbors (Levina & Bickel "
        "2004).",
        "none", "sample", ("levina2004",), 0.0,
        of=lambda sample: sample.dimension("mle")),
)}  # fmt: skip


def check_metrics(metrics: Any, *, caller: str) -> list[Metric]:
    """Return the metrics asked for, in the order of the table."""
    if isinstance(metrics, str):
        metrics = list(METRICS) if metrics == "all" else [metrics]
    try:
        names = list(metrics)
    except TypeError:
        raise TypeError(
            f"The 'metrics' parameter of {caller} must be 'all', a name or a list of names. Got {metrics!r} instead."
        ) from None
    unknown = [name for name in names if not isinstance(name, str) or name not in METRICS]
    if unknown or not names:
        raise ValueError(
            f"The 'metrics' parameter of {caller} must be 'all' or hold names from {quote_options(METRICS)}. "
            f"Got {unknown[0] if unknown else metrics!r} instead."
        )
    return [metric for name, metric in METRICS.items() if name in names]


def cosine_histogram(
    cosines: Array, n_dims: int, rng: np.random.Generator, *, n_pairs: int = 100_000, n_bins: int = 100
) -> tuple[Array, npt.NDArray[np.int64], Array]:
    """Return bin edges, counts of cosines of (random) pairs, and counts expected of uniformly random directions."""
    from scipy.stats import beta

    n = len(cosines)
    if n * (n - 1) // 2 <= n_pairs:
        first, second = np.triu_indices(n, 1)
    else:
        first = rng.integers(n, size=n_pairs)
        second = (first + rng.integers(1, n, size=n_pairs)) % n
    edges = np.linspace(-1.0, 1.0, n_bins + 1)
    counts = np.histogram(np.clip(cosines[first, second], -1.0, 1.0), edges)[0].astype(np.int64)
    if n_dims == 1:  # cosines are 1 and -1
        shares = np.zeros(n_bins)
        shares[[0, -1]] = 0.5
    else:
        shape = (n_dims - 1) / 2
        shares = np.diff(beta.cdf((1 + edges) / 2, shape, shape))
    return edges, counts, shares * len(first)
