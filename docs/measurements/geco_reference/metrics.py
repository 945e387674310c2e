"""The scores of GECOBench's own evaluation, with its faults, so that published figures can be checked.

Written from a description of what its code computes. Use `xembed.geco.score_rows` for everything else.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from xembed._core.validation import check_number
from xembed.geco._metrics import check_attributions, check_truth

# What the reference divides by where the zero-shot model's mass accuracy is zero.
_EPSILON = 1e-6
_SPECIFICITY = 0.5


def reference_metrics(
    attributions: npt.ArrayLike, ground_truth: npt.ArrayLike, *, mass_accuracy_zero_shot: float | None = None
) -> dict[str, float]:
    """Return the scores of one text as GECOBench computes them.

    Parameters
    ----------
    attributions : array-like of shape (n_words,)
        Of the words of one text; the size counts.
    ground_truth : array-like of shape (n_words,), bool or 0 and 1
        Whether each word is one of those that decide.
    mass_accuracy_zero_shot : float in [0, 1], optional
        Mass accuracy of the zero-shot model on this text, for ``mass_accuracy_relative``.

    Returns
    -------
    dict of str to float
        ``roc_auc``, ``avg_precision`` (tied words are taken at once), ``precision_recall_auc`` (trapezoids between the
        points of the curve, which flatters), ``precision_specificity`` (precision at the lowest threshold with a
        specificity above 0.5, 0 without one), ``mass_accuracy`` (NaN where everything is zero), ``top_k_precision``
        (the marks 0 and 1 are taken as places: the share of the places 0 and 1 that are among the two words of largest
        size, whatever the ground truth is; a perfect explanation scores far below 1) and, if asked for,
        ``mass_accuracy_relative`` (``log(m / m0 - 1)``: NaN wherever the model is worse than zero-shot).

    Raises
    ------
    ValueError
        If lengths differ, a value is not finite, no word is true, all words are, or there is one word only.
    TypeError
        If the values are no numbers.

    References
    ----------
    R. Wilming et al. "GECOBench: A Gender-Controlled Text Dataset and Benchmark for Quantifying Biases in
    Explanations". Frontiers in Artificial Intelligence, 2025.

    Examples
    --------
    >>> from geco_reference import reference_metrics
    >>> perfect = reference_metrics([0, 0, 0, 0, 1], [0, 0, 0, 0, 1])
    >>> perfect["mass_accuracy"], perfect["top_k_precision"]
    (1.0, 0.0)
    """
    caller = "reference_metrics"
    a = np.abs(check_attributions(attributions, where=f"The 'attributions' parameter of {caller}"))
    where = f"The 'ground_truth' parameter of {caller}"
    truth = check_truth(ground_truth, where=where, n_words=len(a), names=("auroc",))
    hits, alarms = _counts(a, truth)
    precision = hits / (hits + alarms)
    recall, false_rate = hits / hits[-1], alarms / alarms[-1]
    total = a.sum()
    mass = float(a[truth].sum() / total) if total > 0 else math.nan
    two = np.argsort(a)[::-1][:2]
    result = {
        "roc_auc": float(np.trapezoid(np.append(0.0, recall), np.append(0.0, false_rate))),
        "avg_precision": float((np.diff(np.append(0.0, recall)) * precision).sum()),
        "precision_recall_auc": float(np.trapezoid(np.append(1.0, precision), np.append(0.0, recall))),
        "precision_specificity": _at_specificity(precision, 1 - false_rate),
        "mass_accuracy": mass,
        "top_k_precision": float(np.isin([0, 1], two).mean()),
    }
    if mass_accuracy_zero_shot is not None:
        other = check_number(mass_accuracy_zero_shot, name="mass_accuracy_zero_shot", caller=caller, low=0, high=1)
        result["mass_accuracy_relative"] = _relative(mass, other)
    return result


def _counts(a: npt.NDArray[np.float64], truth: npt.NDArray[np.bool_]) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Return true and false words down to each different size, the largest first."""
    order = np.argsort(-a, kind="stable")
    last = np.append(np.flatnonzero(np.diff(a[order])), len(a) - 1)
    hits = np.cumsum(truth[order])[last]
    return hits, last + 1 - hits


def _at_specificity(precision: npt.NDArray[np.float64], specificity: npt.NDArray[np.float64]) -> float:
    found = np.flatnonzero(specificity > _SPECIFICITY)
    return float(precision[found[-1]]) if len(found) else 0.0


def _relative(mass: float, other: float) -> float:
    if math.isnan(mass):
        return math.nan
    if mass == other:
        return 0.0
    ratio = (mass / other if other > 0 else 1 / _EPSILON) - 1
    if ratio < 0:
        return math.nan
    return math.log(ratio) if ratio > 0 else -math.inf
