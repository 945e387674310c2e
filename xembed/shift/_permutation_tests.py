"""Single two-sample tests by permutation (MMD, energy, means, neighbors, classifier, tail) and their result."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, ClassVar

import numpy as np
import numpy.typing as npt

from xembed._core import validation
from xembed._core.blocks import read_blocks
from xembed._core.directions import UnitRows, direction_weights
from xembed._core.fields import Count, Interval, Level, Probability, Provenance, Sides
from xembed._core.provenance import provenance
from xembed._core.results import IntervalIn, Result, RowKey
from xembed._core.text import format_p
from xembed._core.validation import RNG, FloatArray, check_count, check_number, check_option, check_rng, describe_rng
from xembed.shift._battery import Groups, check_pair, make_pool, measure
from xembed.shift._kinds import KINDS
from xembed.shift._linear import LinearMMD, linear_mmd, linear_mmd_of_units
from xembed.shift._statistics import Statistic
from xembed.stats._permutation import Floats, column_pvalues
from xembed.stats._rank_sums import normal_quantile

# Power of the test at the effect size `TestResult.detectable`.
POWER = 0.8


@dataclass(frozen=True, repr=False)
class TestResult(Result):
    """Result of a permutation test of two corpora.

    Attributes
    ----------
    name, title : str
        Which test, for programs and for people.
    verdict : str
        The finding in words.
    statistic : float
        Large: the corpora differ. Its scale is the test's own.
    pvalue : float
        Share of permutations, the observed one included, with a statistic at least as large; never 0.
    adjusted_pvalue : float or None
        Corrected for the other tests of the battery that it belongs to; None for a test alone.
    effect_size : float
        On the scale that ``effect`` says. 0: no difference. Shares of variance are unbiased, so they can be negative.
    effect : str
        What the effect size means.
    confidence_interval : tuple of float
        Confidence interval of the effect size; approximate.
    confidence_level : float
        Level of the interval.
    detectable : float
        Smallest effect size that is detected with a power of 0.8 at these sizes; approximate.
    n_F, n_G : int
        Texts compared.
    null : ndarray of shape (n_resamples,)
        Statistics under the permutations.
    provenance : dict
        Function, parameters and versions.
    """

    __test__ = False  # not a test of pytest
    schema: ClassVar[str] = "xembed.shift.TestResult/1"
    page: ClassVar[str | None] = "xembed.shift._pages.single:test"

    name: Annotated[str, RowKey]
    title: str
    verdict: str
    statistic: float
    pvalue: Probability
    adjusted_pvalue: Probability | None
    effect_size: Annotated[float, IntervalIn("confidence_interval")]
    effect: str
    confidence_interval: Interval
    confidence_level: Level
    detectable: float
    n_F: Count
    n_G: Count
    null: Annotated[Floats, Sides("null")]
    provenance: Provenance


def describe_test(
    name: str,
    measured: Statistic,
    pvalue: float,
    *,
    adjusted: float | None = None,
    alpha: float,
    level: float,
    confidence_level: float,
    sizes: tuple[int, int],
    made: dict[str, Any],
) -> TestResult:
    """Put a measured statistic into words and numbers.

    ``alpha`` is the level of the verdict; ``level`` what the test's own p-value must fall below for that, about.
    """
    kind = KINDS[name]
    effect = float(measured.effects[0])
    width = normal_quantile(0.5 + confidence_level / 2) * measured.standard_error
    null = measured.effects[1:]
    spread = np.abs(null) if kind.two_sided else null
    detectable = float(np.quantile(spread, 1 - level) + normal_quantile(POWER) * null.std())
    return TestResult(
        name=name,
        title=kind.title,
        verdict=verdict_of_test(name, pvalue if adjusted is None else adjusted, effect, alpha),
        statistic=float(measured.values[0]),
        pvalue=pvalue,
        adjusted_pvalue=adjusted,
        effect_size=effect,
        effect=kind.effect,
        confidence_interval=(effect - width, effect + width),
        confidence_level=confidence_level,
        detectable=detectable,
        n_F=sizes[0],
        n_G=sizes[1],
        null=measured.values[1:],
        provenance=made,
    )


def verdict_of_test(name: str, pvalue: float, effect: float, alpha: float) -> str:
    """Say whether a test found a difference, and how large it is."""
    kind = KINDS[name]
    finding = "The corpora differ" if pvalue <= alpha else "No difference found"
    return f"{finding} ({format_p(pvalue)}) by {kind.title}: {effect:+.3g} ({kind.effect})."


def _test(
    name: str,
    caller: str,
    F: npt.ArrayLike,
    G: npt.ArrayLike,
    n_resamples: int,
    groups: Groups | None,
    paired: bool,
    confidence_level: float,
    rng: RNG,
    progress: bool | None = None,
    **parameters: Any,
) -> TestResult:
    check_count(n_resamples, name="n_resamples", caller=caller, low=19)
    check_number(confidence_level, name="confidence_level", caller=caller, low=0, high=1, closed="neither")
    generator, level = check_rng(rng, caller=caller), float(confidence_level)
    paired = validation.check_flag(paired, name="paired", caller=caller)
    validation.shows_progress(progress, caller=caller)
    design = {"n_resamples": n_resamples, "groups": None if groups is None else "given", "paired": paired}
    made = provenance(caller, **parameters, **design, confidence_level=level, rng=describe_rng(rng))
    if name == "linear" and groups is None and not paired:
        return _streamed_linear_mmd(F, G, n_resamples, generator, level, made, progress)
    first, second = check_pair(F, G, caller=caller)
    pool = make_pool(first, second, n_resamples=n_resamples, rng=generator, groups=groups, paired=paired, caller=caller)
    measured = measure(pool, (name,))[name]
    pvalue = float(column_pvalues(measured.values[None])[0, 0])
    sizes = len(first), len(second)
    return describe_test(
        name, measured, pvalue, alpha=1 - level, level=1 - level, confidence_level=level, sizes=sizes, made=made
    )


def mmd_test(
    F: npt.ArrayLike,
    G: npt.ArrayLike,
    *,
    kernel: str = "rbf",
    n_resamples: int = 999,
    groups: Groups | None = None,
    paired: bool = False,
    confidence_level: float = 0.95,
    rng: RNG = None,
    progress: bool | None = None,
) -> TestResult:
    r"""Test whether two corpora differ by their maximum mean discrepancy.

    Parameters
    ----------
    F, G : array-like of shape (n_F, n_dims) and (n_G, n_dims)
        Embeddings; only their directions matter. With ``kernel="linear"`` also all that `rank_sum_test` streams:
        .npy and .parquet files, iterators of blocks, dask arrays.
    kernel : {'rbf', 'linear'}, default='rbf'
        'rbf': Gaussian kernels of three bandwidths, the median distance and a half and a quarter of it, fused [2]_;
        :math:`O(N^2 (d + B))` time, by blocks. 'linear': the cosine, whose MMD is the squared distance of the means;
        O(N d B) time, no pairs.
    n_resamples : int, default=999
        Random permutations of the labels, B.
    groups, paired
        As in `compare_corpora`.
    confidence_level : float in (0, 1), default=0.95
        Level of the interval of the effect size; 1 minus it is that of the verdict.
    rng : int, numpy.random.Generator or None, default=None
        Source of the permutations; None is seed 0.
    progress : bool, optional
        Show a progress bar for ``kernel="linear"``. Default: on a terminal only.

    Returns
    -------
    TestResult
        With ``statistic`` (for one kernel the unbiased squared MMD [1]_), ``pvalue``, ``effect_size`` and its interval.

    Raises
    ------
    ValueError, TypeError
        If the corpora, groups or pairs are not as described; rows that are zero or not finite are named.
    MemoryError
        If rows and labels can't fit into the free memory, with advice.

    Notes
    -----
    The p-value is exact for any corpora whose rows (groups, pairs) are exchangeable without a shift: the share of
    permutations, the observed one included, whose statistic is at least as large.

    References
    ----------
    .. [1] A. Gretton, K. M. Borgwardt, M. J. Rasch, B. Schölkopf, A. Smola. "A Kernel Two-Sample Test". Journal of
           Machine Learning Research 13 (2012), 723-773, eq. 3.
    .. [2] F. Biggs, A. Schrab, A. Gretton. "MMD-Fuse: Learning and Combining Kernels for Two-Sample Testing Without
           Data Splitting". NeurIPS 2023. Here each kernel is standardized by its spread over all permutations.

    Examples
    --------
    >>> import numpy as np
    >>> from xembed.shift import mmd_test
    >>> rng = np.random.default_rng(0)
    >>> F, G = rng.normal(1.0, 1.0, size=(80, 16)), rng.normal(1.3, 1.0, size=(80, 16))
    >>> mmd_test(F, G + np.arange(16) / 8).pvalue
    0.001
    """
    caller = "mmd_test"
    check_option(kernel, ("linear", "rbf"), name="kernel", caller=caller)
    return _test(kernel, caller, F, G, n_resamples, groups, paired, confidence_level, rng, progress, kernel=kernel)


def _streamed_linear_mmd(
    F: Any, G: Any, n_resamples: int, rng: RNG, level: float, made: dict[str, Any], progress: bool | None
) -> TestResult:
    """Test by linear MMD in two passes over blocks."""
    caller = "mmd_test"
    measured = linear_mmd(F, G, n_resamples=n_resamples, rng=rng, progress=progress, caller=caller)
    difference = measured.sum_F / measured.n - measured.sum_G / measured.m
    first, second = (
        read_blocks(rows, name=name, caller=caller).total(partial(_moments_along, direction=difference, name=name))
        for name, rows in (("F", F), ("G", G))
    )
    return _describe_linear(measured, first, second, 1 - level, level, made)


def linear_test_of_units(
    F: UnitRows,
    G: UnitRows,
    n_resamples: int,
    rng: np.random.Generator,
    *,
    level: float,
    confidence_level: float,
    made: dict[str, Any],
) -> TestResult:
    """Test unit rows by linear MMD, without pairs; ``level`` is what its p-value must fall below."""
    measured = linear_mmd_of_units(F, G, n_resamples, rng)
    difference = measured.sum_F / measured.n - measured.sum_G / measured.m
    along = [rows.project(difference) for rows in (F, G)]
    first, second = (np.array([values.sum(), values @ values]) for values in along)
    return _describe_linear(measured, first, second, level, confidence_level, made)


def _describe_linear(
    measured: LinearMMD, along_F: Floats, along_G: Floats, level: float, confidence_level: float, made: dict[str, Any]
) -> TestResult:
    """Put a linear MMD into words and numbers, with sum and square sum of the rows along the difference of means."""
    n, m = measured.n, measured.m
    total = (measured.sum_F + measured.sum_G) / (n + m)
    variance = 1.0 - float(total @ total)
    share = n * m / (n + m) ** 2 / variance if variance > 1e-12 else 0.0
    error = 2 * np.sqrt(
        sum(max(q / k - (s / k) ** 2, 0.0) / k for (s, q), k in zip((along_F, along_G), (n, m), strict=True))
    )
    return describe_test(
        "linear",
        Statistic(measured.values, measured.values * share, float(error * share)),
        measured.pvalue,
        alpha=1 - confidence_level,
        level=level,
        confidence_level=confidence_level,
        sizes=(n, m),
        made=made,
    )


def _moments_along(block: FloatArray, start: int, *, direction: Floats, name: str) -> Floats:
    """Return the sum and the sum of squares of the projections of the unit rows of a block."""
    along = UnitRows(block, direction_weights(block, name=name)).project(direction)
    return np.array([along.sum(), along @ along])


def energy_test(
    F: npt.ArrayLike,
    G: npt.ArrayLike,
    *,
    n_resamples: int = 999,
    groups: Groups | None = None,
    paired: bool = False,
    confidence_level: float = 0.95,
    rng: RNG = None,
) -> TestResult:
    """Test whether two corpora differ by the energy distance of their unit rows.

    The statistic is twice the mean distance between the corpora less the mean distances within them [1]_, pairs of a
    text with itself left out.

    Parameters
    ----------
    F, G, n_resamples, groups, paired, confidence_level, rng
        As in `mmd_test`, with the same errors.

    Returns
    -------
    TestResult
        Effect size: the share of the mean distance that is due to the corpora (DISCO).

    References
    ----------
    .. [1] G. J. Székely, M. L. Rizzo. "Testing for Equal Distributions in High Dimension". InterStat 5 (2004).

    Examples
    --------
    >>> import numpy as np
    >>> from xembed.shift import energy_test
    >>> rng = np.random.default_rng(0)
    >>> energy_test(rng.normal(size=(60, 8)), rng.normal(size=(60, 8)) + [2, 0, 0, 0, 0, 0, 0, 0]).pvalue
    0.001
    """
    return _test("energy", "energy_test", F, G, n_resamples, groups, paired, confidence_level, rng)


def mean_test(
    F: npt.ArrayLike,
    G: npt.ArrayLike,
    *,
    n_resamples: int = 999,
    groups: Groups | None = None,
    paired: bool = False,
    confidence_level: float = 0.95,
    rng: RNG = None,
) -> TestResult:
    """Test whether the means of two corpora differ, in three metrics at once.

    The plain distance (linear MMD), the distance after whitening with a shrunk covariance (as in Hotelling's test), and
    the distance weighted by the covariance; each is standardized over all permutations, the largest counts. It finds
    small shifts along directions in which texts hardly vary, where linear MMD and energy are weak.

    Parameters
    ----------
    F, G, n_resamples, groups, paired, confidence_level, rng
        As in `mmd_test`, with the same errors.

    Returns
    -------
    TestResult
        Effect size: the share of the variance that lies between the corpora.

    Examples
    --------
    >>> import numpy as np
    >>> from xembed.shift import mean_test
    >>> rng = np.random.default_rng(0)
    >>> spread = np.array([3.0, 3.0, 3.0, 0.5])
    >>> mean_test(rng.normal(size=(90, 4)) * spread, rng.normal(size=(90, 4)) * spread + [0, 0, 0, 2]).pvalue
    0.001
    """
    return _test("mean", "mean_test", F, G, n_resamples, groups, paired, confidence_level, rng)


def knn_test(
    F: npt.ArrayLike,
    G: npt.ArrayLike,
    *,
    n_resamples: int = 999,
    groups: Groups | None = None,
    paired: bool = False,
    confidence_level: float = 0.95,
    rng: RNG = None,
) -> TestResult:
    """Test whether the nearest neighbors of texts are of their own corpus more often than by chance.

    Of the 10 nearest neighbors by cosine of each text those of the same corpus are counted [1]_ [2]_. It sees changes
    of local structure and of covariance that MMD and depth miss.

    Parameters
    ----------
    F, G, n_resamples, groups, paired, confidence_level, rng
        As in `mmd_test`, with the same errors.

    Returns
    -------
    TestResult
        Effect size: the excess over chance, 1 where all neighbors are of the same corpus.

    References
    ----------
    .. [1] M. F. Schilling. "Multivariate Two-Sample Tests Based on Nearest Neighbors". Journal of the American
           Statistical Association 81 (1986), 799-806.
    .. [2] N. Henze. "A Multivariate Two-Sample Test Based on the Number of Nearest Neighbor Type Coincidences". Annals
           of Statistics 16 (1988), 772-783.

    Examples
    --------
    >>> import numpy as np
    >>> from xembed.shift import knn_test
    >>> rng = np.random.default_rng(0)
    >>> stretched = rng.normal(size=(80, 8)) * [3, 3, 3, 3, 1, 1, 1, 1]
    >>> knn_test(rng.normal(size=(80, 8)), stretched).pvalue
    0.001
    """
    return _test("knn", "knn_test", F, G, n_resamples, groups, paired, confidence_level, rng)


def classifier_test(
    F: npt.ArrayLike,
    G: npt.ArrayLike,
    *,
    n_resamples: int = 999,
    groups: Groups | None = None,
    paired: bool = False,
    confidence_level: float = 0.95,
    rng: RNG = None,
) -> TestResult:
    """Test whether a linear classifier can tell two corpora apart on texts that it was not trained on.

    A ridge discriminant is trained on a random half and scored on the other, both ways; the AUC is the statistic [1]_.
    Both steps are repeated for every permutation, so that the p-value is exact.

    Parameters
    ----------
    F, G, n_resamples, groups, paired, confidence_level, rng
        As in `mmd_test`, with the same errors. The halves are of rows also where ``groups`` are given: then the AUC can
        be too high, the p-value stays exact.

    Returns
    -------
    TestResult
        Effect size: 2 AUC - 1.

    References
    ----------
    .. [1] D. Lopez-Paz, M. Oquab. "Revisiting Classifier Two-Sample Tests". ICLR 2017.

    Examples
    --------
    >>> import numpy as np
    >>> from xembed.shift import classifier_test
    >>> rng = np.random.default_rng(0)
    >>> classifier_test(rng.normal(size=(80, 8)), rng.normal(size=(80, 8)) + 1.0).pvalue
    0.001
    """
    return _test("classifier", "classifier_test", F, G, n_resamples, groups, paired, confidence_level, rng)


def tail_test(
    F: npt.ArrayLike,
    G: npt.ArrayLike,
    *,
    n_resamples: int = 999,
    groups: Groups | None = None,
    paired: bool = False,
    confidence_level: float = 0.95,
    rng: RNG = None,
) -> TestResult:
    """Test whether more of G than of F lies in the tail of low depth, as where out-of-distribution texts contaminate G.

    The statistic is the share of G with a depth below that which 5 % of F are below, less 5 %; depth is measured in
    both corpora together. One-sided. A few outliers in G hardly move the rank sum of depths, which is about the bulk.

    Parameters
    ----------
    F, G, n_resamples, groups, paired, confidence_level, rng
        As in `mmd_test`, with the same errors.

    Returns
    -------
    TestResult
        Effect size: the statistic.

    Examples
    --------
    >>> import numpy as np
    >>> from xembed.shift import tail_test
    >>> rng = np.random.default_rng(0)
    >>> F, G = rng.normal(1.0, 1.0, size=(200, 16)), rng.normal(1.0, 1.0, size=(200, 16))
    >>> G[:20] -= 2.0
    >>> tail_test(F, G).pvalue < 0.05
    True
    """
    return _test("tail", "tail_test", F, G, n_resamples, groups, paired, confidence_level, rng)
