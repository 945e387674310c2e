"""The facets of a difference between two corpora: location, dispersion, shape, contamination."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
    return (
        _location(_best(by_name, "mean", "linear", "energy", "classifier"), alpha, names),
        _dispersion(_best(by_name, "depth"), dispersion, alpha, confidence_level, names),
        _shape(_best(by_name, "rbf", "knn"), alpha),
        _contamination(_best(by_name, "tail"), alpha, names),
    )


def _best(tests: Mapping[str, TestResult], *wanted: str) -> TestResult | None:
    candidates = [tests[name] for name in wanted if name in tests]
    return min(candidates, key=_adjusted) if candidates else None


def _adjusted(test: TestResult) -> float:
    return test.pvalue if test.adjusted_pvalue is None else test.adjusted_pvalue


def _untested(name: str) -> Facet:
    return Facet(name, False, None, None, None, "", "Not tested.")


def _of(name: str, test: TestResult, alpha: float, sentence: str) -> Facet:
    pvalue = _adjusted(test)
    return Facet(name, pvalue <= alpha, pvalue, test.effect_size, test.confidence_interval, test.effect, sentence)


def _location(test: TestResult | None, alpha: float, names: Sequence[str]) -> Facet:
    if test is None:
        return _untested("location")
    p = format_p(_adjusted(test))
    if _adjusted(test) > alpha:
        return _of("location", test, alpha, f"The centers of the corpora are not found to differ ({p}).")
    share = max(test.effect_size, 0.0)
    sentence = f"The centers of the corpora differ ({p}): {share:.1%} of the variance lies between “{names[0]}” and "
    return _of("location", test, alpha, f"{sentence}“{names[1]}”.")


def _dispersion(
    test: TestResult | None, measured: Dispersion, alpha: float, confidence_level: float, names: Sequence[str]
) -> Facet:
    if test is None:
        return _untested("dispersion")
    width = normal_quantile(0.5 + confidence_level / 2) * measured.standard_error
    low, high = measured.log_ratio - width, measured.log_ratio + width
    pvalue, change = _adjusted(test), abs(float(np.expm1(measured.log_ratio)))
    p = format_p(pvalue)
    directed = low > 0 or high < 0
    if pvalue > alpha:
        sentence = f"Neither corpus is found to be more spread out ({p})."
    elif not directed:
        sentence = (
            f"The texts of one corpus are deeper ({p}), but neither corpus is more spread out: one lies nearer to the "
            "common center."
        )
    else:
        state, comparison = ("collapsed", "smaller") if measured.log_ratio < 0 else ("spread out", "larger")
        sentence = (
            f"“{names[1]}” is {state} ({p}): the mean pairwise distance within it is {change:.0%} {comparison} than "
            f"within “{names[0]}”."
        )
    return Facet(
        "dispersion",
        pvalue <= alpha and directed,
        pvalue,
        measured.log_ratio,
        (low, high),
        "log ratio of the mean pairwise distances, G to F; negative: G is collapsed",
        sentence,
    )


def _shape(test: TestResult | None, alpha: float) -> Facet:
    if test is None:
        return _untested("shape")
    p = format_p(_adjusted(test))
    if _adjusted(test) > alpha:
        return _of("shape", test, alpha, f"Shape and local structure are not found to differ ({p}).")
    what = "neighborhoods" if test.name == "knn" else "densities"
    sentence = f"The corpora differ in their {what} ({p}; strong shifts of location or dispersion show here, too)."
    return _of("shape", test, alpha, sentence)


def _contamination(test: TestResult | None, alpha: float, names: Sequence[str]) -> Facet:
    if test is None:
        return _untested("contamination")
    p = format_p(_adjusted(test))
    if _adjusted(test) > alpha:
        sentence = f"“{names[1]}” is not found to hold more outlying texts ({p})."
    else:
        sentence = (
            f"“{names[1]}” holds more outlying texts ({p}): {TAIL + test.effect_size:.0%} of its texts have a depth "
            f"below the {TAIL:.0%} quantile of “{names[0]}”."
        )
    return _of("contamination", test, alpha, sentence)
