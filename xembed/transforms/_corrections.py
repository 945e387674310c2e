"""Corrections by means, scales and the strongest directions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt
from sklearn.base import OneToOneFeatureMixin

from xembed._core.validation import FloatArray, check_count
from xembed.transforms._correction import Correction, indices_of
from xembed.transforms._fit_statistics import (
    Float64Array,
    as_matrix,
    column_means,
    column_variances,
    count_directions,
    find_dead,
    principal_axes,
    raise_if_all_dead,
    scatter,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from typing_extensions import Self


class Standardize(OneToOneFeatureMixin, Correction):
    r"""Bring each dimension to mean 0 and standard deviation 1.

    :math:`(x_j - m_j) / s_j`, with the mean and the standard deviation (of the population, as scikit-learn's
    ``StandardScaler`` has it) of each dimension of the fitted rows. It takes the weight from the few dimensions with a
    large mean or spread that rule the cosines of many language models [1]_.

    Attributes
    ----------
    mean_, scale_ : ndarray of shape (n_dims,), float64
        The :math:`m_j` and :math:`s_j`; the scale of a dead dimension is 1.
    dead_dimensions_ : ndarray of int64
        Dimensions that are constant in the fitted rows, but for rounding: the standard deviation is at most twice the
        rounding unit of the rows' type, times the largest absolute value. They are centered and not scaled.
    n_samples_fit_ : int
        Rows of `fit`.
    rank_ : int
        Dimensions that are not dead.
    n_features_in_ : int
        Dimensions of the embeddings.

    References
    ----------
    .. [1] W. Timkey, M. van Schijndel. "All Bark and No Bite: Rogue Dimensions in Transformer Language Models Obscure
           Representational Quality". EMNLP 2021, arXiv:2109.04404.

    Examples
    --------
    >>> from xembed.isotropy import Standardize
    >>> correction = Standardize().fit([[1.0, 100.0, 3.0], [3.0, 300.0, 3.0]])
    >>> correction.transform([[1.0, 300.0, 3.5]])
    array([[-1. ,  1. ,  0.5]])
    >>> correction.dead_dimensions_
    array([2])
    """

    label: ClassVar[str] = "Standardization"
    meaning: ClassVar[str] = (
        "Standardization gives each dimension the mean 0 and the variance 1, which reduces the influence of rogue "
        "dimensions (Timkey & van Schijndel 2021)."
    )
    cites: ClassVar[tuple[str, ...]] = ("timkey2021",)

    scale_: Float64Array
    dead_dimensions_: npt.NDArray[np.int64]

    _arrays: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "mean_": ("n_features_in_",),
        "scale_": ("n_features_in_",),
        "dead_dimensions_": ("n_dead",),
    }

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn means and scales from ``X`` of shape (n_texts, n_dims); ``y`` is not used.

        Raises
        ------
        ValueError
            If ``X`` is not 2-D, has fewer than 2 rows, rows that are not finite (they are named), rows that are all
            equal, or numbers whose squares overflow.
        TypeError
            If ``X`` does not hold real numbers.
        """
        points = self._check_fit_rows(X)
        mean, scale, dead = standardization(points, caller="Standardize")
        self.mean_, self.scale_, self.dead_dimensions_ = mean, scale, indices_of(dead)
        self._record_fit(X, points, rank=int(np.count_nonzero(~dead)))
        return self

    def _check_parameters(self) -> None:
        pass  # there are none

    def _correct(self, block: Float64Array) -> Float64Array:
        block -= self.mean_
        block /= self.scale_
        return block


class AllButTheTop(OneToOneFeatureMixin, Correction):
    """Center the rows and take out the directions in which they vary most.

    All-but-the-top of Mu and Viswanath [1]_: subtract the mean of the fitted rows, then the projections onto their
    first principal components.

    Parameters
    ----------
    n_components : int or 'auto', default='auto'
        How many directions go, fewer than the dimensions; 0 is centring alone. 'auto' is the rule of the paper: one for
        every 100 dimensions, ``max(1, round(n_dims / 100))``, halves rounded to the even number.

    Attributes
    ----------
    mean_ : ndarray of shape (n_dims,), float64
        Mean of the fitted rows.
    components_ : ndarray of shape (n_removed, n_dims), float64
        The directions that are taken out, as rows of unit length, the strongest first.
    explained_variance_ratio_ : ndarray of shape (n_removed,), float64
        Share of the variance of the fitted rows that goes with each.
    n_samples_fit_ : int
        Rows of `fit`.
    rank_ : int
        Directions that stay: ``n_dims - n_removed``.
    n_features_in_ : int
        Dimensions of the embeddings.

    References
    ----------
    .. [1] J. Mu, P. Viswanath. "All-but-the-Top: Simple and Effective Postprocessing for Word Representations".
           ICLR 2018, arXiv:1702.01417.

    Examples
    --------
    >>> import numpy as np
    >>> from xembed.isotropy import AllButTheTop
    >>> X = np.random.default_rng(0).normal(5.0, [9.0, 1.0, 1.0], size=(1000, 3))
    >>> AllButTheTop().fit_transform(X).std(axis=0).round(1)
    array([0., 1., 1.])
    """

    label: ClassVar[str] = "All-but-the-top"
    meaning: ClassVar[str] = (
        "All-but-the-top subtracts the mean and the projections onto the strongest directions (Mu & Viswanath 2018)."
    )
    cites: ClassVar[tuple[str, ...]] = ("mu2018",)

    components_: Float64Array
    explained_variance_ratio_: Float64Array

    _arrays: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "mean_": ("n_features_in_",),
        "components_": ("n_removed", "n_features_in_"),
        "explained_variance_ratio_": ("n_removed",),
    }

    def __init__(self, n_components: int | str = "auto") -> None:
        self.n_components = n_components

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn the mean and the directions from ``X`` of shape (n_texts, n_dims); ``y`` is not used.

        Raises
        ------
        ValueError
            If ``n_components`` is not as described or leaves no direction in which the rows differ; if ``X`` is not
            2-D, has fewer than 2 rows or 2 dimensions, rows that are not finite (they are named), rows that are all
            equal, or numbers whose squares overflow.
        TypeError
            If ``X`` does not hold real numbers, or ``n_components`` is of another type.
        """
        caller = "AllButTheTop"
        points = self._check_fit_rows(X)
        n_removed = count_removed(self.n_components, points.shape[1], caller=caller)
        mean = column_means(points)
        covariance = scatter(points, mean)
        raise_if_all_dead(find_dead(points, covariance.diagonal() / len(points)), caller=caller, n_rows=len(points))
        values, axes = principal_axes(covariance)
        raise_if_nothing_stays(count_directions(values), n_removed, caller=caller)
        self.mean_ = mean
        self.components_ = as_matrix(axes[:, :n_removed].T)
        self.explained_variance_ratio_ = values[:n_removed] / values.sum()
        self._record_fit(X, points, rank=points.shape[1] - n_removed)
        return self

    def _check_parameters(self) -> None:
        check_removed(self.n_components, caller="AllButTheTop")

    def _correct(self, block: Float64Array) -> Float64Array:
        block -= self.mean_
        return remove_components(block, self.components_)


def standardization(X: FloatArray, *, caller: str) -> tuple[Float64Array, Float64Array, npt.NDArray[np.bool_]]:
    """Return the means, the standard deviations with 1 for dead dimensions, and which these are."""
    mean = column_means(X)
    variances = column_variances(X, mean)
    dead = find_dead(X, variances)
    raise_if_all_dead(dead, caller=caller, n_rows=len(X))
    return mean, np.where(dead, 1.0, np.sqrt(variances)), dead


def check_removed(value: Any, *, caller: str) -> None:
    """Check the parameter that says how many directions go."""
    if isinstance(value, str):
        if value != "auto":
            raise ValueError(
                f"The 'n_components' parameter of {caller} must be 'auto' or an integer of at least 0. "
                f"Got {value!r} instead."
            )
    else:
        check_count(value, name="n_components", caller=caller, low=0)


def count_removed(value: int | str, n_dims: int, *, caller: str) -> int:
    """Return how many directions go; at least one of the dimensions has to stay."""
    if n_dims < 2:
        raise ValueError(f"X must have at least 2 dimensions for {caller}. Got n_features = {n_dims}.")
    if isinstance(value, str):
        return max(1, round(n_dims / 100))
    if value >= n_dims:
        raise ValueError(
            f"The 'n_components' parameter of {caller} must be at most {n_dims - 1}, one less than the dimensions of "
            f"X. Got {value!r} instead."
        )
    return int(value)


def raise_if_nothing_stays(n_directions: int, n_removed: int, *, caller: str) -> None:
    """Refuse to remove all in which rows differ: all fitted rows would become zero."""
    if n_directions <= n_removed:
        raise ValueError(
            f"X must vary in more directions than {caller} takes out. Got rows that vary in {n_directions} and "
            f"{n_removed} to take out: fit on more (different) texts or choose a smaller 'n_components'."
        )


def remove_components(block: Float64Array, components: Float64Array) -> Float64Array:
    """Subtract from the rows their projections onto orthonormal ``components``, in place."""
    block -= (block @ components.T) @ components
    return block
