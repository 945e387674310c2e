"""What a test by relabeling found, as a result object."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np
import numpy.typing as npt
from scipy import stats

from xembed._core.results import IntervalIn, Result, RowKey
from xembed._core.text import format_p
from xembed.shift._kinds import KINDS
from xembed.shift._statistics import Statistic

# Chance with which an effect of the size `TestResult.detectable` is found.
POWER = 0.8


@dataclass(frozen=True, repr=False)
class TestResult(Result):
    """Result of a permutation test of two corpora.

    Attributes
    ----------
    name, title : str
        Which test, for programs and for people.
    verdict : str
        What was found, in words.
    statistic : float
        Large: the corpora differ. Its scale is the test's own.
    pvalue : float
        Share of relabelings, the observed one included, with a statistic at least as large; never 0.
    adjusted_pvalue : float or None
        Corrected for the other tests of the battery that it belongs to; None for a test alone.
    effect_size : float
        On the scale that ``effect`` says. 0: no difference. Shares of variance are unbiased, so they can be negative.
    effect : str
        What the effect size means.
    confidence_interval : tuple of float
        For the effect size; approximate.
    confidence_level : float
        Level of the interval.
    detectable : float
        Smallest effect size that these sizes would show in 80 of 100 cases; approximate.
    n_F, n_G : int
        Texts compared.
    null : ndarray of shape (n_resamples,)
        Statistics under the relabelings.
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
    pvalue: float
    adjusted_pvalue: float | None
    effect_size: Annotated[float, IntervalIn("confidence_interval")]
    effect: str
    confidence_interval: tuple[float, float]
    confidence_level: float
    detectable: float
    n_F: int
    n_G: int
    null: npt.NDArray[np.float64]
    provenance: dict[str, Any]


def describe_test(
    name: str,
    measured: Statistic,
    pvalue: float,
    *,
    adjusted: float | None = None,
    alpha: float,
    level: float,
    confidence_level: float,
    n_F: int,
    n_G: int,
    made: dict[str, Any],
) -> TestResult:
    """Put a measured statistic into words and numbers.

    ``alpha`` is the level of the verdict; ``level`` what the test's own p-value must fall below for that, about.
    """
    kind = KINDS[name]
    effect = float(measured.effects[0])
    width = float(stats.norm.ppf(0.5 + confidence_level / 2)) * measured.standard_error
    null = measured.effects[1:]
    spread = np.abs(null) if kind.two_sided else null
    detectable = float(np.quantile(spread, 1 - level) + stats.norm.ppf(POWER) * null.std())
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
        n_F=n_F,
        n_G=n_G,
        null=measured.values[1:],
        provenance=made,
    )


def verdict_of_test(name: str, pvalue: float, effect: float, alpha: float) -> str:
    """Say whether a test found a difference, and how large it is."""
    kind = KINDS[name]
    found = "The corpora differ" if pvalue <= alpha else "No difference found"
    return f"{found} ({format_p(pvalue)}) by {kind.title}: {effect:+.3g} ({kind.effect})."
