"""Measures of the spectrum: the spread of the variance over the directions of the space."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from xembed._core.blocks import read_rows
from xembed._core.moments import Array, Moments, read_moments
from xembed._core.validation import check_flag

# Added to every share by Garrido et al., so that a share of zero has a logarithm.
_RANKME_SHARE = 1e-7


def participation_ratio(X: Any) -> float:
    r"""Return the participation ratio of the covariance: the number of directions that the variance is spread over.

    :math:`PR = (\sum_i \lambda_i)^2 / \sum_i \lambda_i^2` for the eigenvalues :math:`\lambda_i` of the covariance.

    Parameters
    ----------
    X : array-like of shape (n_texts, n_dims), or blocks of it
        Embeddings, one row a text, two at least. They may come in blocks (a list of 2-D arrays, a function that returns
        an iterator of them, a ``dask.array``, the path of a .npy or .parquet file); they are read once.

    Returns
    -------
    float
        The ratio, in [1, n_dims]. 1: all variance is in one direction; n_dims: all directions have the same variance.

    Raises
    ------
    ValueError
        If rows are not finite (they are named), all rows are the same, or there are fewer than two.
    TypeError
        If ``X`` does not hold real numbers.

    Notes
    -----
    Rows are texts: an array of shape (n_dims, n_texts) gives a wrong number. Biased downwards for few rows, as the
    debiased `isoscore` is not: at most n - 1 directions can have variance. O(n d²) time, or O(n² d) for n < d.

    Examples
    --------
    >>> import numpy as np
    >>> from xembed.isotropy import participation_ratio
    >>> round(participation_ratio([[1, 0], [-1, 0], [0, 1], [0, -1]]), 9)
    2.0
    """
    return _from_moments(X, participation, caller="participation_ratio")


def isoscore(X: Any, *, debiased: bool = False) -> float:
    r"""Return the IsoScore: the evenness of the variance over all directions.

    IsoScore [1]_ is a function of the participation ratio: :math:`(PR - 1) / (d - 1)`.

    Parameters
    ----------
    X : array-like of shape (n_texts, n_dims), or blocks of it
        Embeddings, as in `participation_ratio`. At least two rows (three for ``debiased``), and two dimensions.
    debiased : bool, default=False
        Whether the score of the population is estimated that the rows are a sample of. **Use this to compare samples
        of different sizes or to compare with 1.**

    Returns
    -------
    float
        The score, in [0, 1]; 1: all directions have the same variance. The debiased estimate may lie a little outside;
        it is not clipped, so that averages of it are unbiased.

    Raises
    ------
    ValueError
        If rows are not finite (they are named), all rows are the same, or there are too few rows or dimensions.
    TypeError
        If ``X`` does not hold real numbers, or ``debiased`` is not a bool.

    Notes
    -----
    The plain score of few rows is far too low (docs/explanation/isotropy.md). The debiased one puts unbiased estimates
    of :math:`(\mathrm{tr}\,\Sigma)^2` and :math:`\mathrm{tr}\,\Sigma^2` into the same formula [2]_: with
    :math:`N = n - 1`, :math:`t = \mathrm{tr}\,S` and :math:`t_2 = \mathrm{tr}\,S^2`,

    .. math::
        B = \frac{N^2}{(N-1)(N+2)}\left(t_2 - \frac{t^2}{N}\right), \quad T_2 = t^2 - \frac{2B}{N}, \quad
        \frac{T_2/B - 1}{d - 1}.

    Both estimates are unbiased for normal data; their ratio is nearly so. The score measures the spread around the mean
    only; `average_cosine` measures a common direction of all texts.

    References
    ----------
    .. [1] W. Rudman, N. Gillman, T. Rayne, C. Eickhoff. "IsoScore: Measuring the Uniformity of Embedding Space
           Utilization". Findings of ACL 2022.
    .. [2] Z. Bai, H. Saranadasa. "Effect of High Dimension: by an Example of a Two Sample Problem". Statistica
           Sinica 6 (1996), 311-329.

    Examples
    --------
    >>> import numpy as np
    >>> from xembed.isotropy import isoscore
    >>> X = np.random.default_rng(0).normal(size=(100, 384))
    >>> round(isoscore(X), 2), round(isoscore(X, debiased=True), 1)
    (0.2, 1.0)
    """
    check_flag(debiased, name="debiased", caller="isoscore")
    return _from_moments(X, debiased_score if debiased else plain_score, caller="isoscore")


def effective_rank(X: Any) -> float:
    r"""Return the effective rank of the covariance: the exponential of the entropy of its eigenvalues' shares.

    :math:`\exp(-\sum_i p_i \log p_i)` with :math:`p_i = \lambda_i / \sum_j \lambda_j` [1]_.

    Parameters
    ----------
    X : array-like of shape (n_texts, n_dims), or blocks of it
        Embeddings, as in `participation_ratio`.

    Returns
    -------
    float
        The rank, in [1, min(n_texts - 1, n_dims)].

    Raises
    ------
    ValueError, TypeError
        As `participation_ratio`.

    Notes
    -----
    The eigenvalues are those of centered rows; variants with singular values or without centering (`rankme`) differ a
    lot. Biased downwards for few rows.

    References
    ----------
    .. [1] O. Roy, M. Vetterli. "The Effective Rank: a Measure of Effective Dimensionality". EUSIPCO 2007.

    Examples
    --------
    >>> from xembed.isotropy import effective_rank
    >>> round(effective_rank([[1, 0], [-1, 0], [0, 1], [0, -1]]), 9)
    2.0
    """
    return _from_moments(X, entropy_rank, caller="effective_rank")


def rankme(X: Any, *, centered: bool = False) -> float:
    r"""Return RankMe: the exponential of the entropy of the singular values' shares.

    :math:`\exp(-\sum_k p_k \log p_k)` with :math:`p_k = \sigma_k / \sum_j \sigma_j + 10^{-7}` for the singular values
    :math:`\sigma_k` of ``X`` [1]_.

    Parameters
    ----------
    X : array-like of shape (n_texts, n_dims), or blocks of it
        Embeddings, as in `participation_ratio`.
    centered : bool, default=False
        Whether the mean is subtracted first. The paper does not.

    Returns
    -------
    float
        The rank, in [1, min(n_texts, n_dims)], up to the effect of 1e-7.

    Raises
    ------
    ValueError, TypeError
        As `participation_ratio`; uncentered, rows may be all the same but not all zero.

    References
    ----------
    .. [1] Q. Garrido, R. Balestriero, L. Najman, Y. LeCun. "RankMe: Assessing the Downstream Performance of
           Pretrained Self-Supervised Representations by Their Rank". ICML 2023.

    Examples
    --------
    >>> from xembed.isotropy import rankme
    >>> round(rankme([[1, 0], [-1, 0], [0, 1], [0, -1]]), 4)
    2.0
    """
    check_flag(centered, name="centered", caller="rankme")
    return _from_moments(X, centered_singular_rank if centered else singular_rank, caller="rankme")


def _from_moments(X: Any, function: Callable[[Moments], float], *, caller: str) -> float:
    rows = read_rows(X, name="X", caller=caller, min_rows=2)
    return function(read_moments(rows, name="X"))


def concentration(moments: Moments) -> float:
    """Return tr S² / (tr S)², the inverse of the participation ratio; an error if the rows do not vary."""
    if moments.is_constant():
        raise ValueError(
            "X must hold rows that differ: all are the same, within rounding, so there is no variance whose spread "
            "could be measured."
        )
    scatter = moments.scatter()
    scatter /= np.trace(scatter)  # so that squares of very large or small variances stay numbers
    return float(np.vdot(scatter, scatter))


def participation(moments: Moments) -> float:
    return float(np.clip(1.0 / concentration(moments), 1.0, moments.n_dims))


def plain_score(moments: Moments) -> float:
    _check_dims(moments)
    return (participation(moments) - 1.0) / (moments.n_dims - 1)


def debiased_score(moments: Moments) -> float:
    _check_dims(moments)
    if moments.n_rows < 3:
        raise ValueError(f"X must hold at least 3 rows (texts) for the debiased score. Got {moments.n_rows}.")
    N = moments.n_rows - 1
    # In units of tr S, on which the score does not depend.
    squares = N * N / ((N - 1) * (N + 2)) * (concentration(moments) - 1 / N)
    if squares <= 1e-12:
        raise ValueError(
            f"X must hold more rows for the debiased score: the {moments.n_rows} given are orthogonal to each other "
            "around their mean, and so show no direction at all. Use more texts."
        )
    return ((1 - 2 * squares / N) / squares - 1.0) / (moments.n_dims - 1)


def eigenvalues(scatter: Array) -> Array:
    """Return the eigenvalues of a sum of outer products, largest first, none below zero."""
    values: Array = np.maximum(np.linalg.eigvalsh(scatter)[::-1], 0.0)
    return values


def spectrum(moments: Moments) -> Array:
    """Return the eigenvalues of the covariance that can differ from zero, largest first, (min(n - 1, d),)."""
    count = min(moments.n_rows - 1, moments.n_dims)
    return eigenvalues(moments.scatter())[:count] / (moments.n_rows - 1)


def entropy_rank(moments: Moments) -> float:
    concentration(moments)  # refuses rows that do not vary
    return rank_of_spectrum(spectrum(moments))


def rank_of_spectrum(values: Array) -> float:
    """Return the exponential of the entropy of the values' shares."""
    shares = values / values.sum()
    shares = shares[shares > 0]
    return float(np.exp(-(shares @ np.log(shares))))


def singular_rank(moments: Moments) -> float:
    if not np.trace(moments.second) > 0:
        raise ValueError("X must hold rows that are not all zero. Drop zero rows first.")
    return rank_of_singular_values(eigenvalues(moments.second), moments)


def centered_singular_rank(moments: Moments) -> float:
    concentration(moments)
    return rank_of_singular_values(eigenvalues(moments.scatter()), moments)


def rank_of_singular_values(squares: Array, moments: Moments) -> float:
    """Return RankMe from squared singular values, largest first."""
    values = np.sqrt(squares[: min(moments.n_rows, moments.n_dims)])
    shares = values / values.sum() + _RANKME_SHARE
    return float(np.exp(-(shares @ np.log(shares))))


def isotropic_score(n_rows: int, n_dims: int) -> float:
    """Return the plain IsoScore that normal data with the same variance in all directions have at this size."""
    N = n_rows - 1
    ratio = (n_dims + 2 / N) / (1 + (n_dims + 1) / N)
    return (ratio - 1) / (n_dims - 1)


def _check_dims(moments: Moments) -> None:
    if moments.n_dims < 2:
        raise ValueError("X must have at least 2 dimensions for IsoScore. Got 1.")
