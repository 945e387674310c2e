"""How two corpora differ, taken apart for a reader: location, dispersion, shape, contamination."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from scipy import stats

from xembed._core.directions import affine_projection, resultant
from xembed._core.results import IntervalIn, Result, RowKey
from xembed._core.text import format_p
from xembed._core.validation import FloatArray
from xembed.shift._statistics import TAIL
from xembed.shift._test_result import TestResult


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
        In the unit that ``effect`` says.
    confidence_interval : tuple of float or None
        For the effect size; approximate.
    effect : str
        What the effect size means.
    sentence : str
        What was found, in words.
    """

    schema: ClassVar[str] = "xembed.shift.Facet/1"

    name: Annotated[str, RowKey]
    found: bool
    pvalue: float | None
    effect_size: Annotated[float | None, IntervalIn("confidence_interval")]
    confidence_interval: tuple[float, float] | None
    effect: str
    sentence: str


@dataclass(frozen=True)
class Dispersion:
    """Log ratio of the mean cosine distances of two different texts of G and of F, with its error."""

    log_ratio: float  # negative: G is collapsed
    standard_error: float


def measure_dispersion(F: FloatArray, G: FloatArray) -> Dispersion:
    """Return how spread out each corpus is; the error is that of the linear part of a U-statistic."""
    distances, errors = [], []
    for name, rows in (("F", F), ("G", G)):
        total, weights = resultant(rows, name=name)
        others = len(rows) - 1
        mean_cosines = affine_projection(rows, total, weights, scale=1 / others, shift=-1 / others)
        distance = max(1.0 - float(mean_cosines.mean()), 0.0)
        distances.append(distance)
        spread = float(mean_cosines.std(ddof=1))
        errors.append(2 * spread / np.sqrt(len(rows)) / distance if distance > 1e-12 else 0.0)
    if min(distances) <= 1e-12:  # a corpus of one text, repeated
        return Dispersion(0.0, 0.0)
    return Dispersion(float(np.log(distances[1] / distances[0])), float(np.hypot(errors[0], errors[1])))


def find_facets(
    tests: Sequence[TestResult],
    dispersion: Dispersion,
    *,
    alpha: float,
    confidence_level: float,
    names: tuple[str, str],
) -> tuple[Facet, ...]:
    """Say for each facet whether it was found, how strongly, and in which direction."""
    by_name = {test.name: test for test in tests}
    return (
        _location(_best(by_name, "mean", "linear", "energy", "classifier"), alpha, names),
        _dispersion(_best(by_name, "depth"), dispersion, alpha, confidence_level, names),
        _shape(_best(by_name, "rbf", "knn"), alpha),
        _contamination(_best(by_name, "tail"), alpha, names),
    )


def _best(tests: Mapping[str, TestResult], *wanted: str) -> TestResult | None:
    found = [tests[name] for name in wanted if name in tests]
    return min(found, key=_adjusted) if found else None


def _adjusted(test: TestResult) -> float:
    return test.pvalue if test.adjusted_pvalue is None else test.adjusted_pvalue


def _untested(name: str) -> Facet:
    return Facet(name, False, None, None, None, "", "Not tested.")


def _of(name: str, test: TestResult, alpha: float, sentence: str) -> Facet:
    pvalue = _adjusted(test)
    return Facet(name, pvalue <= alpha, pvalue, test.effect_size, test.confidence_interval, test.effect, sentence)


def _location(test: TestResult | None, alpha: float, names: tuple[str, str]) -> Facet:
    if test is None:
        return _untested("location")
    p = format_p(_adjusted(test))
    if _adjusted(test) > alpha:
        return _of("location", test, alpha, f"The centers of the corpora are not found to differ ({p}).")
    share = max(test.effect_size, 0.0)
    sentence = f"The centers of the corpora differ ({p}): {share:.1%} of the variance lies between “{names[0]}” and "
    return _of("location", test, alpha, f"{sentence}“{names[1]}”.")


def _dispersion(
    test: TestResult | None, measured: Dispersion, alpha: float, confidence_level: float, names: tuple[str, str]
) -> Facet:
    if test is None:
        return _untested("dispersion")
    width = float(stats.norm.ppf(0.5 + confidence_level / 2)) * measured.standard_error
    low, high = measured.log_ratio - width, measured.log_ratio + width
    pvalue, change = _adjusted(test), abs(float(np.expm1(measured.log_ratio)))
    p = format_p(pvalue)
    directed = low > 0 or high < 0
    if pvalue > alpha:
        sentence = f"Neither corpus is found to be more spread out ({p})."
    elif not directed:
        sentence = (
            f"Texts of one corpus are the deeper ones ({p}), but neither is more spread out: one lies nearer to what "
            "both have in common."
        )
    elif measured.log_ratio < 0:
        sentence = (
            f"“{names[1]}” is collapsed ({p}): two of its texts are {change:.0%} closer to each other than two of "
            f"“{names[0]}”."
        )
    else:
        sentence = (
            f"“{names[1]}” is spread out ({p}): two of its texts are {change:.0%} farther from each other than two of "
            f"“{names[0]}”."
        )
    return Facet(
        "dispersion",
        pvalue <= alpha and directed,
        pvalue,
        measured.log_ratio,
        (low, high),
        "log ratio of the mean distances of two texts, G to F; negative: G is collapsed",
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


def _contamination(test: TestResult | None, alpha: float, names: tuple[str, str]) -> Facet:
    if test is None:
        return _untested("contamination")
    p = format_p(_adjusted(test))
    if _adjusted(test) > alpha:
        sentence = f"“{names[1]}” is not found to hold more outlying texts ({p})."
    else:
        sentence = (
            f"“{names[1]}” holds more outlying texts ({p}): {TAIL + test.effect_size:.0%} of it are shallower than all "
            f"but {TAIL:.0%} of “{names[0]}”."
        )
    return _of("contamination", test, alpha, sentence)
