"""An empirical null: what the bulk of some scores says about their lower tail; see the Notes of `find_outliers`."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import boxcox1p, ndtr, roots_hermitenorm

Array: TypeAlias = npt.NDArray[np.float64]

# A median absolute deviation below this is rounding: more than half of the scores are the same.
_SAME = 1e-6
# The bulk that is fitted first, as quantiles. Outliers below the lower one do no harm.
_BULK = (0.10, 0.95)
# Then the window grows: below to where the first fit gives this probability, above to this quantile.
_TAIL, _TOP = 0.003, 0.99
_BINS = 60
# Parameters: location and log scale in robust units, and the exponent of the transformation (1: none). The normal
# prior keeps small corpora near a normal distribution; it is worth about one text for the first two.
_START = np.array([0.0, 0.0, 1.0])
_PRECISION = np.array([1.0, 1.0, 4.0])
_BOUNDS = ((-3.0, 3.0), (-3.0, 3.0), (-1.0, 3.0))
# No family is exact: however large the corpus, the exponent keeps this standard deviation.
_DOUBT = 0.1
_NODES = 5
_GRID = 2048
_FARTHEST = 50.0


@dataclass(frozen=True)
class EmpiricalNull:
    """Lower-tail probabilities of scores: ``pvalues`` (n,), the texts in the window, and how far off the fit is in it.

    ``misfit`` is the largest difference of the two distribution functions, ``expected_misfit`` what chance explains.
    """

    pvalues: Array
    n_bulk: int
    misfit: float
    expected_misfit: float


def empirical_null(scores: Array) -> EmpiricalNull | None:
    """Fit the bulk of ``scores`` (n,), or return None if more than half of them are the same."""
    center = np.median(scores)
    spread = 1.4826 * float(np.median(np.abs(scores - center)))
    if spread < _SAME:
        return None
    x = np.clip((scores - center) / spread, -_FARTHEST, _FARTHEST)
    low, high = np.quantile(x, _BULK)
    parameters = _fit(np.linspace(low, high, _BINS + 1), x, _START)
    likely = x[_tail(x, parameters) >= _TAIL]
    edges = np.linspace(min(low, likely.min(initial=low)), np.quantile(x, _TOP), _BINS + 1)
    parameters = _fit(edges, x, parameters)
    counts, _ = np.histogram(x, edges)
    n_bulk = int(counts.sum())
    difference = np.cumsum(counts / n_bulk - _bin_probabilities(edges, parameters))
    return EmpiricalNull(
        pvalues=_predictive_tail(x, parameters, _covariance(edges, n_bulk, parameters)),
        n_bulk=n_bulk,
        misfit=float(np.abs(difference).max()),
        expected_misfit=1.36 / np.sqrt(n_bulk),  # Kolmogorov's 5 % point
    )


def _tail(x: Array, parameters: Array) -> Array:
    """Return the probability of a score of at most ``x``."""
    location, log_scale, shape = parameters
    bent = boxcox1p(np.maximum(x, 0), shape) - boxcox1p(np.maximum(-x, 0), 2 - shape)
    probabilities: Array = ndtr((bent - location) / np.exp(log_scale))
    return probabilities


def _bin_probabilities(edges: Array, parameters: Array) -> Array:
    """Return the probability of each bin given that a score lies in one of them."""
    cumulative = _tail(edges, parameters)
    probabilities: Array = np.maximum(np.diff(cumulative), 1e-12) / max(float(cumulative[-1] - cumulative[0]), 1e-9)
    return probabilities


def _fit(edges: Array, x: Array, start: Array) -> Array:
    """Return the parameters of largest posterior density for the numbers of scores in bins."""
    counts, _ = np.histogram(x, edges)

    def loss(parameters: Array) -> float:
        fit = -(counts * np.log(_bin_probabilities(edges, parameters))).sum()
        return float(fit + 0.5 * (_PRECISION * (parameters - _START) ** 2).sum())

    # Without derivatives: the loss is flat far from its minimum, where steps by derivatives fail.
    optimum = minimize(loss, start, method="Nelder-Mead", bounds=_BOUNDS, options={"xatol": 1e-3, "fatol": 1e-3})
    parameters: Array = optimum.x
    return parameters


def _covariance(edges: Array, n_bulk: int, parameters: Array) -> Array:
    """Return the covariance of the parameters: the inverse of Fisher's information and the prior's, and doubt."""
    step = 1e-4
    above, below = (
        np.log([_bin_probabilities(edges, parameters + side * move) for move in step * np.eye(3)]) for side in (1, -1)
    )
    slopes = (above - below) / (2 * step)
    information: Array = n_bulk * (slopes * _bin_probabilities(edges, parameters)) @ slopes.T
    return np.asarray(np.linalg.inv(information + np.diag(_PRECISION)) + np.diag([0, 0, _DOUBT**2]), dtype=np.float64)


def _predictive_tail(x: Array, parameters: Array, covariance: Array) -> Array:
    """Return tail probabilities averaged over normal parameters, by Gauss-Hermite quadrature on a grid of scores."""
    nodes, weights = roots_hermitenorm(_NODES)
    weights = weights / weights.sum()
    root = np.linalg.cholesky(covariance)
    grid = np.linspace(x.min(), x.max(), _GRID)
    tail = np.zeros(_GRID)
    for nodes_at in itertools.product(range(_NODES), repeat=3):
        moved = parameters + root @ nodes[list(nodes_at)]
        moved[2] = np.clip(moved[2], *_BOUNDS[2])
        tail += np.prod(weights[list(nodes_at)]) * _tail(grid, moved)
    interpolated: Array = np.interp(x, grid, np.log(np.maximum(tail, 1e-300)))
    return np.minimum(np.exp(interpolated), 1.0)
