"""The facets of a difference between two corpora: location, dispersion, shape, contamination."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar

import numpy as np

from xembed._core.directions import UnitRows
from xembed._core.fields import Interval, Probability
from xembed._core.results import IntervalIn, Result, RowKey
from xembed._core.text import format_p
from xembed.shift._permutation_tests import TestResult
from xembed.shift._statistics import TAIL
from xembed.stats._rank_sums import normal_quantile


@dataclass(frozen=True, repr=False)
class Facet(Result):
    """One way in which corpora can differ.

    Attributes
    ----------
    name : str
        'location', 'dispersion', 'shape' or 'contamination'.
    found : bool
        Whether the tests that see it reject, corrected for the whole battery.
    pvalue : float or None
        The smallest adjusted p-value of those tests; None if none was run.
    effect_size : float or None
        Effect size, in the unit that ``effect`` names.
    confidence_interval : tuple of float or None
        Confidence interval of the effect size; approximate.
    effect : str
        What the effect size means.
    sentence : str
        The finding in words.
    """

    schema: ClassVar[str] = "xembed.shift.Facet/1"

    name: Annotated[str, RowKey]
    found: bool
    pvalue: Probability | None
    effect_size: Annotated[float | None, IntervalIn("confidence_interval")]
    confidence_interval: Interval | None
    effect: str
    sentence: str


@dataclass(frozen=True)
class Dispersion:
    """Log ratio of the mean cosine distances of two different texts of G and of F, with its error."""

    log_ratio: float  # negative: G is collapsed
    standard_error: float


def measure_dispersion(F: UnitRows, G: UnitRows) -> Dispersion:
    """Return how spread out each corpus is; the error is that of the linear part of a U-statistic."""
    distances, errors = [], []
    for rows in (F, G):
        others = len(rows) - 1
        mean_cosines = rows.project(rows.total, scale=1 / others, shift=-1 / others)
        distance = max(1.0 - float(mean_cosines.mean()), 0.0)
        distances.append(distance)
        spread = float(mean_cosines.std(ddof=1))
        errors.append(2 * spread / np.sqrt(len(rows)) / distance if distance > 1e-12 else 0.0)
    if min(distances) <= 1e-12:  # a corpus of one text, repeated
        return Dispersion(0.0, 0.0)
    return Dispersion(float(np.log(distances[1] / distances[0])), float(np.hypot(errors[0], errors[1])))


def find_facets(
    tests: Sequence[TestResult], dispersion: Dispersion, *, alpha: float, confidence_level: float, names: Sequence[str]
) -> tuple[Facet, ...]:
    """Say for each facet whether it was found, how strongly, and in which direction; ``names`` fit into a sentence."""
    by_name = {test.name: test for test in tests}
    first, second = (f"“{name}”" for name in names)

    def facet(name: str, seen_by: Sequence[str], not_found: str, found: Callable[[TestResult, str], str]) -> Facet:
        candidates = [by_name[test] for test in seen_by if test in by_name]
        if not candidates:
            return Facet(name, False, None, None, None, "", "Not tested.")
        best = min(candidates, key=_adjusted)
        pvalue, p = _adjusted(best), format_p(_adjusted(best))
        sentence = found(best, p) if pvalue <= alpha else f"{not_found} ({p})."
        return Facet(name, pvalue <= alpha, pvalue, best.effect_size, best.confidence_interval, best.effect, sentence)

    def location(test: TestResult, p: str) -> str:
        share = max(test.effect_size, 0.0)
        return (
            f"The centers of the corpora differ ({p}): {share:.1%} of the variance lies between {first} and {second}."
        )

    def shape(test: TestResult, p: str) -> str:
        what = "neighborhoods" if test.name == "knn" else "densities"
        return f"The corpora differ in their {what} ({p}; strong shifts of location or dispersion show here, too)."

    def contamination(test: TestResult, p: str) -> str:
        return (
            f"{second} holds more outlying texts ({p}): {TAIL + test.effect_size:.0%} of its texts have a depth below "
            f"the {TAIL:.0%} quantile of {first}."
        )

    width = normal_quantile(0.5 + confidence_level / 2) * dispersion.standard_error
    interval = dispersion.log_ratio - width, dispersion.log_ratio + width
    directed = interval[0] > 0 or interval[1] < 0

    def spread(test: TestResult, p: str) -> str:
        if not directed:
            return (
                f"The texts of one corpus are deeper ({p}), but neither corpus is more spread out: one lies nearer to "
                "the common center."
            )
        state, comparison = ("collapsed", "smaller") if dispersion.log_ratio < 0 else ("spread out", "larger")
        change = abs(float(np.expm1(dispersion.log_ratio)))
        return (
            f"{second} is {state} ({p}): the mean pairwise distance within it is {change:.0%} {comparison} than within "
            f"{first}."
        )

    centers = "The centers of the corpora are not found to differ"
    spreads = facet("dispersion", ["depth"], "Neither corpus is found to be more spread out", spread)
    if spreads.pvalue is not None:
        spreads = replace(
            spreads,
            found=spreads.found and directed,
            effect_size=dispersion.log_ratio,
            confidence_interval=interval,
            effect="log ratio of the mean pairwise distances, G to F; negative: G is collapsed",
        )
    return (
        facet("location", ["mean", "linear", "energy", "classifier"], centers, location),
        spreads,
        facet("shape", ["rbf", "knn"], "Shape and local structure are not found to differ", shape),
        facet("contamination", ["tail"], f"{second} is not found to hold more outlying texts", contamination),
    )


def _adjusted(test: TestResult) -> float:
    return test.pvalue if test.adjusted_pvalue is None else test.adjusted_pvalue
