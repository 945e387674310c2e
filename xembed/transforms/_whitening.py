"""Corrections by one matrix: whitening, and independent components."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from sklearn.base import ClassNamePrefixFeaturesOutMixin

from xembed._core import moments
from xembed._core.moments import Array, as_matrix, column_means, find_dead, scatter
from xembed._core.progress import estimated_step
from xembed._core.validation import FloatArray, check_count, check_number, check_option
from xembed.transforms._base import Transform, check_random_state_parameter
from xembed.transforms._corrections import indices_of, standardization

_METHODS = ("pca", "zca")
# Directions with at most this share of the largest variance count as directions without variance, by default.
_FLOOR = 1e-10


class _Projection(ClassNamePrefixFeaturesOutMixin, Transform):
    """A transform that multiplies centered rows by one matrix of shape (n_dims, n_dims_out)."""

    n_components: int | None
    projection_: Array
    dead_dimensions_: npt.NDArray[np.int64]

    @property
    def _n_features_out(self) -> int:  # the name that ClassNamePrefixFeaturesOutMixin asks for
        return self._width()

    def _width(self) -> int:
        width: int = self.projection_.shape[1]
        return width

    def _apply(self, block: Array) -> Array:
        block -= self.mean_
        return block @ self.projection_

    def _check_n_components(self, n_dims: int | None = None) -> int:
        """Return how many dimensions come out, at most ``n_dims`` if that is given."""
        caller, value = type(self).__name__, self.n_components
        count = n_dims or 1 if value is None else check_count(value, name="n_components", caller=caller)
        if n_dims is not None and count > n_dims:
            raise ValueError(
                f"The 'n_components' parameter of {caller} must be at most {n_dims}, the dimensions of X. "
                f"Got {value!r} instead."
            )
        return count


class Whitening(_Projection):
    r"""Bring all directions to the same variance, wholly or in part.

    With the covariance of the fitted rows :math:`S = V L V^\top` and their mean :math:`m`, rows become
    :math:`(x - m) V L^{-p/2}` ('pca') or :math:`(x - m) V L^{-p/2} V^\top` ('zca', the white rows that are closest to
    the centered ones [1]_). Cosines and distances are the same for both. For sentence embeddings see [2]_.

    Parameters
    ----------
    method : {'pca', 'zca'}, default='pca'
        'pca' gives principal components, the strongest first; 'zca' stays in the axes of the embeddings.
    power : float in [0, 1], default=1.0
        Exponent :math:`p`. With 1 the covariance (with n - 1) of the fitted rows becomes the identity; 0 only subtracts
        the mean; values between keep a part of the differences in variance and amplify noise less.
    shrinkage : None, 'ledoit_wolf' or float in [0, 1], default=None
        Shrinkage intensity :math:`a`: :math:`S` is replaced by :math:`(1 - a) S + a \operatorname{tr}(S) / d \; I`.
        'ledoit_wolf' estimates it from the rows [3]_, as in scikit-learn. With few rows it gives a scale to the
        directions in which they do not vary.
    n_components : int, optional
        Number of the strongest directions to keep, by default all. With 'pca' so many dimensions come out; with 'zca'
        all come out, and the rows lie in a subspace.
    floor : float in [0, 1), default=1e-10
        Share of the largest variance (after shrinkage) up to which a direction counts as one without variance; never
        below rounding, ``n_dims`` times 2.2e-16.

    Attributes
    ----------
    mean_, eigenvalues_ : ndarray of shape (n_dims,), float64
        Mean of the fitted rows, and their variances along the principal axes, largest first, before shrinkage.
    projection_ : ndarray of shape (n_dims, n_dims_out), float64
        Matrix that centered rows are multiplied by.
    shrinkage_ : float
        The shrinkage intensity :math:`a`.
    dead_dimensions_ : ndarray of int64
        Dimensions that are constant in the fitted rows up to rounding. Their variance counts as zero.
    n_samples_fit_, n_features_in_, rank_ : int
        Numbers of rows in `fit`, of dimensions, and of directions that are kept.

    Notes
    -----
    Directions without variance are mapped to 0 (the pseudo-inverse); with 'pca' the last dimensions that come out are
    0. Without shrinkage, fit on more rows than dimensions: n rows vary in at most n - 1 directions, and if these are
    fewer than the dimensions, all fitted rows come out equally far from each other. O(n d² + d³) time.

    References
    ----------
    .. [1] A. Kessy, A. Lewin, K. Strimmer. "Optimal Whitening and Decorrelation". The American Statistician 72
           (2018), 309-314.
    .. [2] J. Su, J. Cao, W. Liu, Y. Ou. "Whitening Sentence Representations for Better Semantics and Faster
           Retrieval". arXiv:2103.15316, 2021.
    .. [3] O. Ledoit, M. Wolf. "A well-conditioned estimator for large-dimensional covariance matrices". Journal of
           Multivariate Analysis 88 (2004), 365-411.

    Examples
    --------
    >>> import numpy as np
    >>> from xembed.transforms import Whitening
    >>> X = np.random.default_rng(0).normal(5.0, [9.0, 1.0, 0.1], size=(1000, 3))
    >>> white = Whitening().fit_transform(X)
    >>> bool(np.allclose(np.cov(white.T), np.eye(3)))
    True
    >>> Whitening(power=0.5).fit_transform(X).var(axis=0, ddof=1).round(1)
    array([8.9, 1. , 0.1])
    """

    label = "Whitening"
    meaning = (
        "Whitening gives all directions the same variance (Su et al. 2021): in part with a power below 1, and with "
        "less weight on small variances with shrinkage."
    )
    cites = ("su2021",)

    eigenvalues_: Array
    shrinkage_: float

    _arrays: ClassVar = {
        "mean_": ("n_features_in_",),
        "eigenvalues_": ("n_features_in_",),
        "projection_": ("n_features_in_", "n_features_out"),
        "dead_dimensions_": ("n_dead",),
    }
    _numbers = ("n_samples_fit_", "rank_", "shrinkage_")

    def __init__(
        self,
        method: str = "pca",
        power: float = 1.0,
        shrinkage: str | float | None = None,
        n_components: int | None = None,
        floor: float = 1e-10,
    ) -> None:
        self.method = method
        self.power = power
        self.shrinkage = shrinkage
        self.n_components = n_components
        self.floor = floor

    def _check_parameters(self) -> None:
        caller = "Whitening"
        check_option(self.method, _METHODS, name="method", caller=caller)
        check_number(self.power, name="power", caller=caller, low=0.0, high=1.0)
        if isinstance(self.shrinkage, str):
            check_option(self.shrinkage, ("ledoit_wolf",), name="shrinkage", caller=caller)
        elif self.shrinkage is not None:
            check_number(self.shrinkage, name="shrinkage", caller=caller, low=0.0, high=1.0)
        self._check_n_components()
        check_number(self.floor, name="floor", caller=caller, low=0.0, high=1.0, closed="left")

    def _learn(self, points: FloatArray) -> int:
        n_rows, n_dims = points.shape
        n_kept = self._check_n_components(n_dims)
        mean = column_means(points)
        covariance = scatter(points, mean) / (n_rows - 1)
        dead = find_dead(points, covariance.diagonal())
        moments.raise_if_all_dead(dead, caller="Whitening", n_rows=n_rows)
        values, axes = _axes_without(covariance, dead)
        is_estimated = isinstance(self.shrinkage, str)
        shrinkage = _ledoit_wolf(points, mean, values) if is_estimated else float(self.shrinkage or 0.0)
        shrunk = (1.0 - shrinkage) * values + shrinkage * values.mean()
        rank = min(n_kept, moments.count_directions(shrunk, floor=self.floor))
        axes = axes[:, :rank]
        if not shrinkage:
            axes[dead] = 0.0  # as they are, up to rounding
        projection = axes * shrunk[:rank] ** (-self.power / 2)
        projection = projection @ axes.T if self.method == "zca" else _pad_columns(projection, n_kept)
        self.mean_, self.eigenvalues_, self.projection_ = mean, values, as_matrix(projection)
        self.shrinkage_, self.dead_dimensions_ = shrinkage, indices_of(dead)
        return rank


class ICAProjection(_Projection):
    r"""Bring rows to independent components of unit variance, times a scale.

    Each dimension is standardized, then FastICA [1]_ (logcosh) finds the rotation of the white rows whose dimensions
    are farthest from a normal distribution, as DefSent+ [2]_ does before training on dictionary entries.

    Parameters
    ----------
    n_components : int, optional
        Number of the strongest principal directions of the standardized rows to keep and to rotate in, by default all.
    scale : float above 0, default=100.0
        Standard deviation of each component on the fitted rows; 100 is DefSent+'s. Cosines do not depend on it.
    random_state : int, RandomState instance or None, default=0
        Random state of FastICA's start. An integer gives the same result each time; None does not.
    max_iter : int, default=1000
        Maximum number of iterations of FastICA.
    tol : float above 0, default=1e-4
        Change of the rotation below which FastICA stops.

    Attributes
    ----------
    mean_ : ndarray of shape (n_dims,), float64
        Mean of the fitted rows.
    projection_ : ndarray of shape (n_dims, n_dims_out), float64
        Matrix that centered rows are multiplied by.
    dead_dimensions_ : ndarray of int64
        Dimensions that are constant in the fitted rows up to rounding; they have no influence.
    n_iter_, n_samples_fit_, n_features_in_, rank_ : int
        Numbers of iterations of FastICA, of rows in `fit`, of dimensions, and of components that are kept.

    Warns
    -----
    ConvergenceWarning
        If FastICA has not converged after ``max_iter`` iterations, as with normally distributed rows. The components
        are white nevertheless.

    Notes
    -----
    The rotation changes neither distances nor cosines: `Whitening` of standardized rows gives the same cosines at a
    fraction of the cost. Variances are those of the population. Directions of the standardized rows with at most 1e-10
    of the largest variance are mapped to 0, as in `Whitening`.

    References
    ----------
    .. [1] A. Hyvärinen. "Fast and robust fixed-point algorithms for independent component analysis". IEEE
           Transactions on Neural Networks 10 (1999), 626-634.
    .. [2] DefSent+, https://github.com/RyuKT/DefSent-Plus (``ICA-transform.py``).

    Examples
    --------
    >>> import numpy as np
    >>> from xembed.transforms import ICAProjection
    >>> sources = np.random.default_rng(0).uniform(-1.0, 1.0, size=(2000, 2))
    >>> X = sources @ [[1.0, 0.5], [0.2, 1.0]]
    >>> components = ICAProjection(scale=1.0).fit_transform(X)
    >>> np.abs(np.corrcoef(sources.T, components.T)[:2, 2:]).round(1)
    array([[0., 1.],
           [1., 0.]])
    """

    label = "Independent components"
    meaning = (
        "The projection onto independent components whitens the standardized dimensions and rotates them until they "
        "are as far from a normal distribution as possible (Hyvärinen 1999)."
    )
    cites = ("hyvarinen1999",)

    n_iter_: int

    _arrays: ClassVar = {
        "mean_": ("n_features_in_",),
        "projection_": ("n_features_in_", "n_features_out"),
        "dead_dimensions_": ("n_dead",),
    }
    _numbers = ("n_samples_fit_", "rank_", "n_iter_")

    def __init__(
        self,
        n_components: int | None = None,
        scale: float = 100.0,
        random_state: Any = 0,
        max_iter: int = 1000,
        tol: float = 1e-4,
    ) -> None:
        self.n_components = n_components
        self.scale = scale
        self.random_state = random_state
        self.max_iter = max_iter
        self.tol = tol

    def _check_parameters(self) -> None:
        caller = "ICAProjection"
        self._check_n_components()
        check_number(self.scale, name="scale", caller=caller, low=0.0, closed="neither")
        check_count(self.max_iter, name="max_iter", caller=caller)
        check_number(self.tol, name="tol", caller=caller, low=0.0, closed="neither")
        check_random_state_parameter(self.random_state, caller=caller)

    def _learn(self, points: FloatArray) -> int:
        n_kept = self._check_n_components(points.shape[1])
        mean, deviations, dead = standardization(points, caller="ICAProjection")
        values, axes = _axes_without(scatter(points, mean, scale=deviations) / len(points), dead)
        rank = min(n_kept, moments.count_directions(values, floor=_FLOOR))
        # The signs that FastICA's own whitening has, so that a seed leads to the same components.
        axes = axes[:, :rank] * np.where(axes[0, :rank] < 0, -1.0, 1.0)
        axes[dead] = 0.0
        whitener = axes / np.sqrt(values[:rank]) / deviations[:, None]
        rotation, n_iter = self._find_rotation(points, mean, whitener)
        self.mean_, self.dead_dimensions_, self.n_iter_ = mean, indices_of(dead), n_iter
        self.projection_ = as_matrix(_pad_columns(self.scale * (whitener @ rotation.T), n_kept))
        return rank

    def _find_rotation(self, X: FloatArray, mean: Array, whitener: Array) -> tuple[Array, int]:
        from sklearn.decomposition import FastICA

        white = np.empty((len(X), whitener.shape[1]))
        for part, block in zip(moments.block_slices(*X.shape), moments.float_blocks(X), strict=True):
            block -= mean
            white[part] = block @ whitener
        options = {"max_iter": int(self.max_iter), "tol": float(self.tol), "random_state": self.random_state}
        with estimated_step("ICA", int(self.max_iter), "iteration") as advance:

            def logcosh(z: Array) -> tuple[Array, Array]:  # scikit-learn's, which is called once an iteration
                advance(1)
                np.tanh(z, out=z)
                return z, np.array([(1 - row**2).mean() for row in z])

            ica = FastICA(whiten=False, fun=logcosh, **options).fit(white)
        return ica.components_, int(ica.n_iter_)


def _axes_without(covariance: Array, dead: npt.NDArray[np.bool_]) -> tuple[Array, Array]:
    """Return the principal axes where dead dimensions have no variance; ``covariance`` is written to."""
    covariance[dead] = covariance[:, dead] = 0.0
    return moments.principal_axes(covariance)


def _pad_columns(matrix: Array, n_columns: int) -> Array:
    padded: Array = np.pad(matrix, [(0, 0), (0, n_columns - matrix.shape[1])])
    return padded


def _ledoit_wolf(X: FloatArray, mean: Array, values: Array) -> float:
    """Return the shrinkage of Ledoit and Wolf, from the eigenvalues of the covariance with n - 1.

    The same number as ``sklearn.covariance.ledoit_wolf_shrinkage``, which needs several copies of the rows: the sums
    over pairs of dimensions are sums of fourth powers of the rows' lengths and of squared eigenvalues.
    """
    n_rows, n_dims = X.shape
    values = values * ((n_rows - 1) / n_rows)
    squares = float(np.sum(values**2))
    difference = squares / n_dims - float(values.mean()) ** 2  # squared distance from the multiple of the identity
    error = (moments.fourth_powers(X, mean) / n_rows - squares) / (n_dims * n_rows)
    return max(0.0, min(error, difference) / difference) if difference > 0 else 0.0
