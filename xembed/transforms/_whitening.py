"""Whitening: directions of equal variance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt
from sklearn.base import ClassNamePrefixFeaturesOutMixin

from xembed._core.validation import FloatArray, check_number, check_option
from xembed.transforms._correction import (
    Correction,
    ProjectionMixin,
    check_n_components,
    indices_of,
    pad_columns,
)
from xembed.transforms._fit_statistics import (
    Float64Array,
    as_matrix,
    column_means,
    count_directions,
    find_dead,
    fourth_powers,
    principal_axes,
    raise_if_all_dead,
    scatter,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from typing_extensions import Self

_METHODS = ("pca", "zca")


class Whitening(ProjectionMixin, ClassNamePrefixFeaturesOutMixin, Correction):
    r"""Bring all directions to the same variance, wholly or in part.

    With the covariance of the fitted rows :math:`S = V L V^\top` and their mean :math:`m`, rows become
    :math:`(x - m) V L^{-p/2}` ('pca') or :math:`(x - m) V L^{-p/2} V^\top` ('zca', the white rows that are closest to
    the centered ones [1]_). Cosines and distances are the same for both. For sentence embeddings see [2]_.

    Parameters
    ----------
    method : {'pca', 'zca'}, default='pca'
        'pca' gives principal components, the strongest first; 'zca' stays in the axes of the embeddings.
    power : float in [0, 1], default=1.0
        The :math:`p` above. 1 whitens: the covariance (with n - 1) of the fitted rows becomes the identity. 0 only
        centers; what is between them keeps a part of the differences in variance, and less noise.
    shrinkage : None, 'ledoit_wolf' or float in [0, 1], default=None
        Whiten with :math:`(1 - a) S + a \operatorname{tr}(S) / d \; I` in place of :math:`S`. 'ledoit_wolf' computes
        the :math:`a` from the rows [3]_, as scikit-learn does. It is what makes sense of few rows: directions in
        which the fitted rows do not vary then have a scale.
    n_components : int, optional
        Keep so many of the strongest directions. With 'pca' so many dimensions come out; with 'zca' all come out, and
        the rows lie in a subspace. By default all.
    floor : float in [0, 1), default=1e-10
        Directions with a variance (after shrinkage) of at most this share of the largest count as directions without
        variance; the share is never below rounding, ``n_dims`` times 2.2e-16.

    Attributes
    ----------
    mean_ : ndarray of shape (n_dims,), float64
        Mean of the fitted rows.
    eigenvalues_ : ndarray of shape (n_dims,), float64
        The variances of the fitted rows along their principal axes, falling, before shrinkage.
    projection_ : ndarray of shape (n_dims, n_dims_out), float64
        What centered rows are multiplied by.
    shrinkage_ : float
        The :math:`a` above.
    dead_dimensions_ : ndarray of int64
        Dimensions that are constant in the fitted rows, but for rounding. Their variance counts as zero.
    n_samples_fit_ : int
        Rows of `fit`.
    rank_ : int
        Directions that are kept.
    n_features_in_ : int
        Dimensions of the embeddings.

    See Also
    --------
    AllButTheTop : takes the strongest directions out in place of scaling them.

    Notes
    -----
    Directions without variance have no scale, and a division by what rounding left of one would blow up noise. Rule:
    they are mapped to 0 (the pseudo-inverse), ``rank_`` says how many are kept, and the number of dimensions that come
    out does not change: with 'pca' the last ones are 0. Without shrinkage, n rows have at most n - 1 directions, and
    if these are fewer than the dimensions, all fitted rows come out equally far from each other: whiten with more
    rows than dimensions, or with shrinkage.

    Time O(n d² + d³), memory O(d²) besides the rows.

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
    >>> from xembed.isotropy import Whitening
    >>> X = np.random.default_rng(0).normal(5.0, [9.0, 1.0, 0.1], size=(1000, 3))
    >>> white = Whitening().fit_transform(X)
    >>> bool(np.allclose(np.cov(white.T), np.eye(3)))
    True
    >>> Whitening(power=0.5).fit_transform(X).var(axis=0, ddof=1).round(1)
    array([8.9, 1. , 0.1])
    """

    label: ClassVar[str] = "Whitening"
    meaning: ClassVar[str] = (
        "Whitening gives all directions the same variance: in part with a power below 1, and with less weight on small "
        "variances with shrinkage."
    )

    eigenvalues_: Float64Array
    shrinkage_: float
    dead_dimensions_: npt.NDArray[np.int64]

    _arrays: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "mean_": ("n_features_in_",),
        "eigenvalues_": ("n_features_in_",),
        "projection_": ("n_features_in_", "n_features_out"),
        "dead_dimensions_": ("n_dead",),
    }
    _numbers: ClassVar[tuple[str, ...]] = ("n_samples_fit_", "rank_", "shrinkage_")

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

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn the mean and the projection from ``X`` of shape (n_texts, n_dims); ``y`` is not used.

        Raises
        ------
        ValueError
            If a parameter is not as described; if ``X`` is not 2-D, has fewer than 2 rows, rows that are not finite
            (they are named), rows that are all equal, or numbers whose squares overflow.
        TypeError
            If ``X`` does not hold real numbers, or a parameter is of another type.
        """
        caller = "Whitening"
        points = self._check_fit_rows(X)
        n_rows, n_dims = points.shape
        n_kept = check_n_components(self.n_components, n_dims, caller=caller)
        mean = column_means(points)
        covariance = scatter(points, mean) / (n_rows - 1)
        dead = find_dead(points, covariance.diagonal())
        raise_if_all_dead(dead, caller=caller, n_rows=n_rows)
        covariance[dead] = covariance[:, dead] = 0.0
        values, axes = principal_axes(covariance)
        shrinkage = self._find_shrinkage(points, mean, values)
        shrunk = (1.0 - shrinkage) * values + shrinkage * values.mean()
        rank = min(n_kept, count_directions(shrunk, floor=self.floor))
        axes = axes[:, :rank]
        if not shrinkage:
            axes[dead] = 0.0  # as they are, but for rounding
        projection = axes * shrunk[:rank] ** (-self.power / 2)
        projection = projection @ axes.T if self.method == "zca" else pad_columns(projection, n_kept)
        self.mean_, self.eigenvalues_, self.projection_ = mean, values, as_matrix(projection)
        self.shrinkage_, self.dead_dimensions_ = shrinkage, indices_of(dead)
        self._record_fit(X, points, rank=rank)
        return self

    def _check_parameters(self) -> None:
        caller = "Whitening"
        check_option(self.method, _METHODS, name="method", caller=caller)
        check_number(self.power, name="power", caller=caller, low=0.0, high=1.0)
        if isinstance(self.shrinkage, str):
            check_option(self.shrinkage, ("ledoit_wolf",), name="shrinkage", caller=caller)
        elif self.shrinkage is not None:
            check_number(self.shrinkage, name="shrinkage", caller=caller, low=0.0, high=1.0)
        if self.n_components is not None:
            check_n_components(self.n_components, self.n_components, caller=caller)
        check_number(self.floor, name="floor", caller=caller, low=0.0, high=1.0, closed="left")

    def _find_shrinkage(self, X: FloatArray, mean: Float64Array, values: Float64Array) -> float:
        if self.shrinkage is None:
            return 0.0
        return ledoit_wolf(X, mean, values) if isinstance(self.shrinkage, str) else float(self.shrinkage)


def ledoit_wolf(X: FloatArray, mean: Float64Array, values: Float64Array) -> float:
    """Return the shrinkage of Ledoit and Wolf, from the eigenvalues of the covariance with n - 1.

    The same number as ``sklearn.covariance.ledoit_wolf_shrinkage``, which needs several copies of the rows: the sums
    over pairs of dimensions are sums of fourth powers of the rows' lengths and of squared eigenvalues.
    """
    n_rows, n_dims = X.shape
    values = values * ((n_rows - 1) / n_rows)
    squares = float(np.sum(values**2))
    difference = squares / n_dims - float(values.mean()) ** 2  # squared distance from the multiple of the identity
    error = (fourth_powers(X, mean) / n_rows - squares) / (n_dims * n_rows)
    return max(0.0, min(error, difference) / difference) if difference > 0 else 0.0
