"""The rejection rate of the battery on the reference corpus against itself: whether the level holds on these data."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
import numpy.typing as npt

from xembed._core.directions import UnitRows
from xembed._core.fields import Count, Interval, Level, Probabilities, Probability, Sides
from xembed._core.parallel import one_blas_thread, ordered_map
from xembed._core.progress import step
from xembed._core.results import IntervalIn, Result
from xembed._core.text import format_p
from xembed.shift._battery import make_pool, run_battery, sample_rows

N_SPLITS = 200
_N_RESAMPLES = 199
# Rows of a half: enough to see whether the level holds, few enough for 200 batteries.
_MOST_ROWS = 250

Units = list[npt.NDArray[np.intp]]


@dataclass(frozen=True, repr=False)
class SelfCheck(Result):
    """Result of testing the reference corpus against itself.

    Attributes
    ----------
    verdict : str
        The finding in words.
    n_splits : int
        Random splits of F into halves.
    n_rows : tuple of int
        Rows (groups, where given) of the two halves.
    alpha : float
        Level of each test.
    rejection_rate : float
        Share of the splits in which the battery rejected; about ``alpha`` where the level holds.
    interval : tuple of float
        95 % Clopper-Pearson interval of the rate.
    ordered_pvalue : float
        p-value of the first half of F against the second, in the order given. Small: the order of the texts carries
        information, so they are not exchangeable, and p-values against another corpus can be too small.
    pvalues : ndarray of shape (n_splits,)
        p-values of the random splits.
    """

    schema: ClassVar[str] = "xembed.shift.SelfCheck/1"
    page: ClassVar[str | None] = "xembed.shift._pages.single:self_check"

    verdict: str
    n_splits: Count
    n_rows: tuple[Count, Count]
    alpha: Level
    rejection_rate: Annotated[Probability, IntervalIn("interval")]
    interval: Interval
    ordered_pvalue: Probability
    pvalues: Annotated[Probabilities, Sides("pvalues")]


def check_against_itself(
    F: UnitRows,
    tests: tuple[str, ...],
    *,
    alpha: float,
    distance: str,
    groups: Sequence[Hashable] | None,
    rng: np.random.Generator,
    n_splits: int = N_SPLITS,
) -> SelfCheck:
    """Split F at random into halves, whole groups into one of them, test them, and count rejections."""
    from scipy.stats import binomtest

    caller = "compare_corpora(self_check=True)"
    members = _units(len(F), groups)
    if len(members) < 4:
        what = "groups" if groups is not None else "rows"
        raise ValueError(f"{caller} splits F into halves, so F needs at least 4 {what}. Got {len(members)}.")

    def pvalue(first: Units, second: Units, seed: np.random.Generator) -> float:
        of_first = [("first", number) for number, unit in enumerate(first) for _ in unit]
        of_second = [("second", number) for number, unit in enumerate(second) for _ in unit]
        labels = None if groups is None else (of_first, of_second)
        halves = F.take(np.concatenate(first)), F.take(np.concatenate(second))
        pool = make_pool(*halves, n_resamples=_N_RESAMPLES, rng=seed, groups=labels, caller=caller)
        return run_battery(pool, tests, distance).combined.pvalue

    half = len(members) // 2
    size = min(half, _MOST_ROWS)

    def split(seed: np.random.Generator) -> float:
        shuffled = [members[j] for j in seed.permutation(len(members))[: 2 * size]]
        return pvalue(shuffled[:size], shuffled[size:], seed)

    pvalues = np.empty(n_splits)
    with step("Self check", n_splits + 1, "test") as advance:
        with one_blas_thread():
            for i, of_split in enumerate(ordered_map(split, rng.spawn(n_splits))):
                pvalues[i] = of_split
                advance(1)
        (seed,) = rng.spawn(1)
        ordered = pvalue(_thin(members[:half], seed), _thin(members[half:], seed), seed)
        advance(1)
    rejections = int((pvalues <= alpha).sum())
    low, high = binomtest(rejections, n_splits).proportion_ci(0.95, method="exact")
    rate = rejections / n_splits
    return SelfCheck(
        verdict=_verdict(rate, (low, high), alpha, ordered, n_splits, groups is not None),
        n_splits=n_splits,
        n_rows=(size, size),
        alpha=alpha,
        rejection_rate=rate,
        interval=(float(low), float(high)),
        ordered_pvalue=ordered,
        pvalues=pvalues,
    )


def _units(n_rows: int, groups: Sequence[Hashable] | None) -> Units:
    """Return the rows of each unit that is permuted as a whole, in order of first appearance."""
    if groups is None:
        return [np.array([i]) for i in range(n_rows)]
    rows: dict[Hashable, list[int]] = {}
    for i, group in enumerate(groups):
        rows.setdefault(group, []).append(i)
    return [np.array(members) for members in rows.values()]


def _thin(units: Units, rng: np.random.Generator) -> Units:
    """Return at most so many random units, in order."""
    return [units[i] for i in sample_rows(np.arange(len(units)), _MOST_ROWS, rng)]


def _verdict(
    rate: float, interval: tuple[float, float], alpha: float, ordered: float, n_splits: int, grouped: bool
) -> str:
    low, high = interval
    finding = "the level holds" if low <= alpha else "the level does not hold"
    if high < alpha:
        finding = "conservative (below the level)"
    sentence = (
        f"In {n_splits} random splits of F into halves the battery rejected in {rate:.1%} (95% interval {low:.1%} to "
        f"{high:.1%}) at the level {alpha:.0%}: {finding}."
    )
    if ordered > alpha:
        return f"{sentence} The first half of F does not differ from the second ({format_p(ordered)})."
    remedy = (
        "the texts are not exchangeable across groups."
        if grouped
        else "neighboring texts are not independent (documents cut into chunks, authors, time). Give their groups."
    )
    return (
        f"{sentence} But the first half of F differs from the second in the order given ({format_p(ordered)}): {remedy}"
    )
