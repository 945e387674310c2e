"""The rank-sum test of two corpora by the depths of their texts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np
import numpy.typing as npt

from xembed._core.blocks import check_same_width, known_rows, read_array, read_rows
from xembed._core.directions import Directions, UnitRows, directions
from xembed._core.fields import Count, Counts, Interval, Level, OneOf, Probability, Provenance, Sides
from xembed._core.progress import Advance, no_progress, showing, step
from xembed._core.provenance import provenance
from xembed._core.results import IntervalIn, Result
from xembed._core.text import format_p
from xembed._core.validation import RNG, check_number, check_option, check_rng, describe_rng
from xembed.depth._depth import DECIMALS, leave_one_out, unit_depths
from xembed.depth._pairwise import DISTANCES
from xembed.stats._rank_sums import rank_sum

Floats = npt.NDArray[np.float64]

_ALTERNATIVES = ("two-sided", "greater", "less")
_METHODS = ("auto", "exact", "asymptotic")
_REFERENCES = ("pooled", "split", "first")
_BLOCKS_FOR = "reference='pooled' with distance='cosine'"


@dataclass(frozen=True, repr=False)
class RankSumResult(Result):
    """Result of `rank_sum_test`.

    Attributes
    ----------
    verdict : str
        The finding in words, with its numbers, at the level 1 - ``confidence_level``.
    statistic : float
        The rank sum of F, standardized with the variance corrected for ties: positive if F is deeper.
    pvalue : float
        p-value for ``alternative``.
    quality_index : float
        Liu and Singh's Q = P(D(X) < D(Y)) + P(D(X) = D(Y))/2 for a text X of F and Y of G, in [0, 1]. 0.5: neither is
        deeper; below: G is more outlying; above: G is more central.
    effect_size : float
        2Q - 1, in [-1, 1] (Cliff's delta).
    confidence_interval : tuple of float
        Confidence interval of the effect size.
    confidence_level : float
        Level of the interval.
    alternative, reference, distance : str
        The options of the test.
    method : str
        How the p-value was computed: 'exact' or 'asymptotic'.
    n_F, n_G : int
        Texts compared.
    depths_F, depths_G : ndarray of shape (n_F,) and (n_G,)
        The depths compared.
    rows_F : ndarray of shape (n_F,), int
        Rows of F that ``depths_F`` belongs to: all, but for ``reference="split"``.
    provenance : dict
        Function, parameters and versions.
    """

    schema: ClassVar[str] = "xembed.shift.RankSumResult/1"
    page: ClassVar[str | None] = "xembed.shift._pages.compare:rank_sum"

    verdict: str
    statistic: float
    pvalue: Probability
    quality_index: Probability
    effect_size: Annotated[float, IntervalIn("confidence_interval")]
    confidence_interval: Interval
    confidence_level: Level
    alternative: Annotated[str, OneOf("two-sided", "greater", "less")]
    method: Annotated[str, OneOf("exact", "asymptotic")]
    reference: Annotated[str, OneOf("pooled", "split", "first")]
    distance: Annotated[str, OneOf("cosine", "chord", "angular")]
    n_F: Count
    n_G: Count
    depths_F: Annotated[Floats, Sides("depths_F")]
    depths_G: Annotated[Floats, Sides("n_G")]
    rows_F: Annotated[Counts, Sides("depths_F")]
    provenance: Provenance


def rank_sum_test(
    F: Any,
    G: Any,
    *,
    reference: str = "pooled",
    distance: str = "cosine",
    alternative: str = "two-sided",
    method: str = "auto",
    confidence_level: float = 0.95,
    rng: RNG = None,
    progress: bool | None = None,
) -> RankSumResult:
    r"""Test whether the texts of one corpus are deeper than those of another.

    Each text gets a depth (`xembed.depth.tte_depth`), and the depths of F and G are compared by the Wilcoxon rank-sum
    test with mid-ranks.

    Parameters
    ----------
    F, G : array-like of shape (n_F, n_dims) and (n_G, n_dims), or blocks of them
        Embeddings of the two corpora, two texts each at least (four in F for ``reference="split"``). F is the
        reference corpus. For the default reference and distance they may come in blocks, of which one is in memory
        at a time, as in `xembed.depth.tte_depth`. They are read twice; of all rows, only the depths are kept.
    reference : {'pooled', 'split', 'first'}, default='pooled'
        The corpus that depth is measured in.

        'pooled': F and G together, each text left out of its own depth. The depths are then a symmetric
        function of all texts, so without a shift every permutation of the labels is equally likely and the level is
        exact, on any data and for any sizes. **Use this.**

        'split': a random half of F; the other half is compared with G. The level is exact given the
        reference half; half of F is lost to the test, and 5 to 10 points of power.

        'first': F, as in the TTE paper, each text of F left out of its own depth. The depths of F and G then are
        not exchangeable. The test is right for large corpora with a clear mean direction, and liberal otherwise.
    distance : {'cosine', 'chord', 'angular'}, default='cosine'
        Distance between directions (`xembed.depth.tte_depth`).
    alternative : {'two-sided', 'greater', 'less'}, default='two-sided'
        'greater': F is deeper, that is, G is more outlying or more spread; 'less': G is deeper. A one-sided test is
        blind to the other side: 'greater', the paper's, has no power against a collapsed corpus.
    method : {'auto', 'exact', 'asymptotic'}, default='auto'
        'exact': the distribution of the rank sum given the ties; 'asymptotic': its normal approximation;
        'auto': exact for small corpora, where it takes about 0.1 s at most.
    confidence_level : float in (0, 1), default=0.95
        Confidence level of the interval of the effect size; 1 minus it is the level of the verdict.
    rng : int, numpy.random.Generator or None, default=None
        Source of the random half of ``reference="split"``; nothing else is random. None is seed 0.
    progress : bool, optional
        Show a progress bar on stderr, for the default reference and distance. By default only if that is a terminal.

    Returns
    -------
    RankSumResult
        With ``statistic``, ``pvalue``, ``quality_index``, ``effect_size``, ``confidence_interval``, the depths, and how
        it was made.

    Raises
    ------
    ValueError
        If a corpus is too small, holds rows that are zero or not finite (they are named), the dimensions differ, or an
        option is unknown; if blocks come where an array is needed.
    TypeError
        If an array does not hold real numbers, or an iterator comes, which can't be read twice.

    Notes
    -----
    Depth sees changes of spread and of the distance to the common center. It is nearly blind to shifts orthogonal to
    the mean, to changes of covariance, and to topics replaced by others of equal depth. The level of the three
    references is measured in docs/measurements/shift.md.

    Q is Liu and Singh's [1]_; its interval is DeLong's on the logit scale with Welch's degrees of freedom. Where the
    authors' published code differs is in docs/comparison.md.

    References
    ----------
    .. [1] R. Y. Liu, K. Singh. "A Quality Index Based on Data Depth and Multivariate Rank Tests". Journal of the
           American Statistical Association 88 (1993), 252-260.
    .. [2] Y. Zuo, X. He. "On the limiting distributions of multivariate depth-based rank sum statistics and related
           tests". Annals of Statistics 34 (2006), 2879-2896.

    Examples
    --------
    >>> import numpy as np
    >>> from xembed.shift import rank_sum_test
    >>> rng = np.random.default_rng(0)
    >>> F = rng.normal(1.0, 1.0, size=(100, 32))
    >>> collapsed = rng.normal(1.0, 0.7, size=(80, 32))
    >>> result = rank_sum_test(F, collapsed)
    >>> result.pvalue < 0.001, result.effect_size > 0.5
    (True, True)
    """
    caller = "rank_sum_test"
    check_option(reference, _REFERENCES, name="reference", caller=caller)
    check_option(distance, DISTANCES, name="distance", caller=caller)
    check_option(alternative, _ALTERNATIVES, name="alternative", caller=caller)
    check_option(method, _METHODS, name="method", caller=caller)
    check_number(confidence_level, name="confidence_level", caller=caller, low=0, high=1, closed="neither")
    bars = showing(progress, caller=caller)
    generator = check_rng(rng, caller=caller)

    if (reference, distance) == ("pooled", "cosine"):
        left = read_rows(F, name="F", caller=caller, min_rows=2, again=True)
        right = read_rows(G, name="G", caller=caller, min_rows=2, again=True)
        check_same_width(("F", left), ("G", right))
        n_reads = known_rows(left, right, left, right)
        with bars, step("Depths", n_reads, "row") as advance:
            units = directions(left, name="F", advance=advance), directions(right, name="G", advance=advance)
            depths_F, depths_G = pooled_depths(*units, advance=advance)
        rows = np.arange(len(depths_F))
    else:
        fewest = 4 if reference == "split" else 2
        first = read_array(F, name="F", caller=caller, min_rows=fewest, blocks_for=_BLOCKS_FOR)
        second = read_array(G, name="G", caller=caller, min_rows=2, blocks_for=_BLOCKS_FOR)
        check_same_width(("F", first), ("G", second))
        depths_F, depths_G, rows = _depths_of_arrays(
            UnitRows.of(first, name="F"), UnitRows.of(second, name="G"), reference, distance, generator
        )
    asked = {"reference": reference, "distance": distance, "alternative": alternative, "method": method}
    level = float(confidence_level)
    return compare_depths(depths_F, depths_G, rows, **asked, confidence_level=level, rng=describe_rng(rng))


def compare_depths(
    depths_F: Floats,
    depths_G: Floats,
    rows_F: npt.NDArray[np.int64],
    *,
    reference: str = "pooled",
    distance: str = "cosine",
    alternative: str = "two-sided",
    method: str = "auto",
    confidence_level: float = 0.95,
    rng: int | str = 0,
) -> RankSumResult:
    """Return the rank-sum test of depths that `rank_sum_test` measured with these options."""
    measured: dict[str, Any] = {"reference": reference, "distance": distance}
    tested: dict[str, Any] = {"alternative": alternative, "method": method, "confidence_level": confidence_level}
    test = rank_sum(depths_F.round(DECIMALS), depths_G.round(DECIMALS), **tested)
    effect = 2 * test.first_below_second - 1
    return RankSumResult(
        verdict=_verdict(test.pvalue, test.first_below_second, test.interval, confidence_level),
        statistic=test.z,
        pvalue=test.pvalue,
        quality_index=test.first_below_second,
        effect_size=effect,
        confidence_interval=(2 * test.interval[0] - 1, 2 * test.interval[1] - 1),
        n_F=len(depths_F),
        n_G=len(depths_G),
        depths_F=depths_F,
        depths_G=depths_G,
        rows_F=rows_F,
        provenance=provenance("rank_sum_test", **measured, **tested, rng=rng),
        **measured | tested | {"method": test.method},
    )


def pooled_depths(
    F: Directions, G: Directions, distance: str = "cosine", *, advance: Advance = no_progress
) -> tuple[Floats, Floats]:
    """Return the depth of each text in F and G together, itself left out. Blocks will do for the cosine distance."""
    if distance == "cosine" or not (isinstance(F, UnitRows) and isinstance(G, UnitRows)):
        # The resultants add up, so the corpora need not be copied into one array.
        total, n_texts = F.total + G.total, len(F) + len(G)
        return leave_one_out(F, total, n_texts, advance=advance), leave_one_out(G, total, n_texts, advance=advance)
    pool = UnitRows(np.concatenate([F.rows, G.rows]), np.concatenate([F.weights, G.weights]))
    depths = unit_depths(pool, distance=distance)
    return depths[: len(F)], depths[len(F) :]


def _depths_of_arrays(
    F: UnitRows, G: UnitRows, reference: str, distance: str, rng: np.random.Generator
) -> tuple[Floats, Floats, npt.NDArray[np.int64]]:
    """Return the depths to compare, and the rows of F that the first of them belong to."""
    rows = np.arange(len(F))
    if reference == "split":
        half, rows = np.split(rng.permutation(len(F)), [len(F) // 2])
        half, rows = np.sort(half), np.sort(rows)
        corpus = F.take(half)
        return unit_depths(F.take(rows), corpus, distance), unit_depths(G, corpus, distance), rows
    if reference == "first":
        return unit_depths(F, distance=distance), unit_depths(G, F, distance), rows
    return *pooled_depths(F, G, distance), rows


def _verdict(pvalue: float, index: float, interval: tuple[float, float], confidence_level: float) -> str:
    """Say whether the depths differ, how strongly, and in which direction."""
    deeper, other = ("G", "F") if index >= 0.5 else ("F", "G")
    low, high = interval if index >= 0.5 else (1 - interval[1], 1 - interval[0])
    probability = (
        f"P(depth of a text of {deeper} > depth of a text of {other}) = {max(index, 1 - index):.2f} "
        f"({confidence_level:.0%} interval {low:.2f} to {high:.2f}; 0.5: no difference)"
    )
    if pvalue > 1 - confidence_level:
        return (
            f"No difference found ({format_p(pvalue)}, level {1 - confidence_level:.0%}): {probability}. This test "
            "sees changes of spread and of the distance to the common center. Topics replaced by others of equal depth "
            "can go unseen."
        )
    return f"The corpora differ ({format_p(pvalue)}): the texts of {deeper} are deeper. {probability}."
