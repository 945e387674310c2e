"""P-values adjusted for their number: Holm's method and that of Benjamini and Hochberg."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from xembed._core.inputs import mark_masked

Floats = npt.NDArray[np.float64]


def holm(pvalues: npt.ArrayLike) -> Floats:
    """Return p-values adjusted for their number by Holm's method.

    Parameters
    ----------
    pvalues : array-like of shape (n_tests,)
        P-values, from 0 to 1.

    Returns
    -------
    ndarray of shape (n_tests,)
        Adjusted p-values. The chance that any true hypothesis among those with an adjusted p-value of at most alpha is
        rejected (the family-wise error rate) is at most alpha, however the tests depend on each other.

    Raises
    ------
    ValueError
        If the values are not in [0, 1] or not one-dimensional.

    See Also
    --------
    benjamini_hochberg : controls the false discovery rate, with more power.

    References
    ----------
    S. Holm. "A Simple Sequentially Rejective Multiple Test Procedure". Scandinavian Journal of Statistics 6, 1979.

    Examples
    --------
    >>> from xembed.stats import holm
    >>> holm([0.01, 0.04, 0.03])
    array([0.03, 0.06, 0.06])
    """
    values = _check_pvalues(pvalues, caller="holm")
    order = np.argsort(values, kind="stable")
    adjusted = np.empty(len(values))
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(values[order] * np.arange(len(values), 0, -1)))
    return adjusted


def benjamini_hochberg(pvalues: npt.ArrayLike) -> Floats:
    """Return p-values adjusted for the false discovery rate by the method of Benjamini and Hochberg (q-values).

    Parameters
    ----------
    pvalues
        As in `holm`, with the same errors.

    Returns
    -------
    ndarray of shape (n_tests,)
        Adjusted p-values. Among the hypotheses with an adjusted p-value of at most alpha the expected share of true
        ones is at most alpha, if the tests are independent or depend on each other positively.

    See Also
    --------
    holm : controls the chance of any false finding.

    References
    ----------
    Y. Benjamini, Y. Hochberg. "Controlling the False Discovery Rate". Journal of the Royal Statistical Society B 57,
    1995.

    Examples
    --------
    >>> from xembed.stats import benjamini_hochberg
    >>> benjamini_hochberg([0.01, 0.04, 0.03])
    array([0.03, 0.04, 0.04])
    """
    values = _check_pvalues(pvalues, caller="benjamini_hochberg")
    n = len(values)
    order = np.argsort(values, kind="stable")
    scaled = values[order] * (n / np.arange(1, n + 1))
    adjusted = np.empty(n)
    adjusted[order] = np.minimum(1.0, np.minimum.accumulate(scaled[::-1])[::-1])
    return adjusted


def _check_pvalues(pvalues: Any, *, caller: str) -> Floats:
    values = np.asarray(mark_masked(pvalues), dtype=np.float64)
    if values.ndim != 1 or not ((values >= 0) & (values <= 1)).all():
        raise ValueError(
            f"The 'pvalues' parameter of {caller} must be a 1-D array of numbers in [0, 1]. "
            f"Got {pvalues!r:.80} instead."
        )
    return values
