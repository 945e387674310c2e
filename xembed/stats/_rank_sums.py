"""The rank-sum statistic of two samples: its null distribution with ties, and intervals for P(X < Y).

Duplicated texts make ties, which scipy's ``mannwhitneyu`` ignores in its exact p-values.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

# Up to this many elementary additions (about 0.1 s) the exact distribution is worth its time.
_EXACT_WORK = 5e7

Sample = npt.NDArray[np.float64]


class RankSum(NamedTuple):
    """Result of `rank_sum`; `z` is positive if the first sample tends to be larger."""

    z: float
    pvalue: float
    method: str
    first_below_second: float  # P(x < y) + P(x = y) / 2
    interval: tuple[float, float]  # for first_below_second


def rank_sum(x: Sample, y: Sample, *, alternative: str, method: str, confidence_level: float) -> RankSum:
    """Compare two finite samples by their ranks, with mid-ranks for ties; 'greater': x tends to be larger than y.

    'exact': the distribution of the rank sum given the ties; 'asymptotic': normal with the variance corrected for
    ties, no continuity correction; 'auto': exact where it takes about 0.1 s at most.
    """
    from scipy.special import ndtr

    n, m = len(x), len(y)
    ranks = midranks(np.concatenate([x, y]))
    u = float(ranks[:n].sum() - n * (n + 1) / 2)  # pairs with x > y, ties count half
    below = 1.0 - u / (n * m)
    z = _standardize(u, ranks, n, m)
    if method == "auto":
        k = min(n, m)
        work = k * 2 * np.sort(ranks)[-k:].sum() * (n + m)
        method = "exact" if work <= _EXACT_WORK else "asymptotic"
    lower, upper = _exact_tails(ranks, n, m) if method == "exact" else (ndtr(z), ndtr(-z))
    pvalue = {"less": lower, "greater": upper, "two-sided": min(1.0, 2 * min(lower, upper))}[alternative]
    return RankSum(z, float(pvalue), method, below, probability_interval(x, y, confidence_level))


def midranks(values: Sample) -> Sample:
    """Return ranks from 1, equal values sharing the mean of theirs."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks: Sample = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    return ranks


def normal_quantile(probability: float) -> float:
    """Return the quantile of the standard normal distribution."""
    from scipy.special import ndtri

    return float(ndtri(probability))


def probability_interval(x: Sample, y: Sample, confidence_level: float) -> tuple[float, float]:
    """Return a confidence interval for P(X < Y) + P(X = Y)/2.

    DeLong's variance on the logit scale with Student's t and Welch's degrees of freedom, as in the test of Brunner and
    Munzel (2000). Where the variance is zero, at complete separation, method 5 of Newcombe (2006, part 2).
    """
    from scipy.special import expit, logit, stdtrit

    n, m = len(x), len(y)
    pooled = midranks(np.concatenate([x, y]))
    above_x = 1.0 - (pooled[:n] - midranks(x)) / m  # share of y above each x
    below_y = (pooled[n:] - midranks(y)) / n  # share of x below each y
    estimate = float(below_y.mean())
    if min(n, m) > 1:
        parts = np.array([above_x.var(ddof=1) / n, below_y.var(ddof=1) / m])
        variance = float(parts.sum())
        if variance > 0 and 0 < estimate < 1:
            freedom = variance**2 / float((parts**2 / (np.array([n, m]) - 1)).sum())
            width = stdtrit(freedom, 0.5 + confidence_level / 2) * np.sqrt(variance)
            center, half = logit(estimate), width / (estimate * (1 - estimate))
            return float(expit(center - half)), float(expit(center + half))
    return _newcombe(estimate, n, m, confidence_level)


def _standardize(u: float, ranks: Sample, n: int, m: int) -> float:
    total = n + m
    _, counts = np.unique(ranks, return_counts=True)
    ties = float((counts.astype(np.float64) ** 3 - counts).sum())
    variance = n * m / 12 * (total + 1 - ties / (total * (total - 1)))
    return float((u - n * m / 2) / np.sqrt(variance)) if variance > 1e-12 * n * m else 0.0


def _exact_tails(ranks: Sample, n: int, m: int) -> tuple[float, float]:
    """Return P(R <= r) and P(R >= r) of the rank sum of the first sample under random labels.

    Doubled mid-ranks are integers, so the number of subsets of each size and sum follows by adding one item
    at a time (Streitberg & Röhmel 1986). The smaller sample is followed; the sum of the other is the rest.
    """
    doubled = np.rint(2 * ranks).astype(np.int64)
    k = min(n, m)
    observed = int((doubled[:n] if n <= m else doubled[n:]).sum())
    largest = int(np.sort(doubled)[-k:].sum())
    subsets = np.zeros((k + 1, largest + 1))
    subsets[0, 0] = 1.0
    for item in doubled:
        # The right side is evaluated before it is added, so no item counts twice.
        subsets[1:, item:] += subsets[:-1, : largest + 1 - item]
    counts = subsets[k]
    total = counts.sum()
    low, high = float(counts[: observed + 1].sum() / total), float(counts[observed:].sum() / total)
    return (low, high) if n <= m else (high, low)


def _newcombe(estimate: float, n: int, m: int, confidence_level: float) -> tuple[float, float]:
    from scipy.optimize import brentq

    z = normal_quantile(0.5 + confidence_level / 2)
    extra = (n + m) / 2 - 1

    def excess(p: float) -> float:
        variance = p * (1 - p) * (1 + extra * ((1 - p) / (2 - p) + p / (1 + p))) / (n * m)
        return float((p - estimate) ** 2 - z**2 * variance)

    # At 0 and 1 the variance vanishes: the roots that matter lie strictly inside.
    edge = 1e-9
    low = 0.0 if estimate <= edge else float(brentq(excess, edge, min(estimate, 1 - edge)))
    high = 1.0 if estimate >= 1 - edge else float(brentq(excess, max(estimate, edge), 1 - edge))
    return low, high
