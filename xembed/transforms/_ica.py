"""Independent components: whitening with a rotation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt
from sklearn.base import ClassNamePrefixFeaturesOutMixin

from xembed._core.validation import FloatArray, check_count, check_number
from xembed.transforms._correction import (
    Correction,
    ProjectionMixin,
    check_n_components,
    indices_of,
    pad_columns,
)
from xembed.transforms._corrections import standardization
from xembed.transforms._fit_statistics import (
    Float64Array,
    as_matrix,
    block_slices,
    count_directions,
    float_blocks,
    principal_axes,
    scatter,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from typing_extensions import Self

# Directions with at most this share of the largest variance count as directions without variance, as in Whitening.
_FLOOR = 1e-10


class ICAProjection(ProjectionMixin, ClassNamePrefixFeaturesOutMixin, Correction):
    r"""Bring rows to independent components of unit variance, times a scale.

    Each dimension is standardized, then FastICA [1]_ (logcosh) finds the rotation of the white rows whose dimensions
    are most unlike a normal distribution. This is the step that DefSent+ [2]_ applies to embeddings of dictionary
    entries before it trains on them.

    Parameters
    ----------
    n_components : int, optional
        Keep so many of the strongest principal directions of the standardized rows, and rotate within them. By default
        all.
    scale : float above 0, default=100.0
        The standard deviation of each component on the fitted rows. 100 is that of DefSent+'s program; cosines do not
        depend on it.
    random_state : int, RandomState instance or None, default=0
        Where FastICA starts. An integer gives the same result each time; None does not.
    max_iter : int, default=1000
        Most iterations of FastICA.
    tol : float above 0, default=1e-4
        FastICA stops where the rotation changes less than this.

    Attributes
    ----------
    mean_ : ndarray of shape (n_dims,), float64
        Mean of the fitted rows.
    projection_ : ndarray of shape (n_dims, n_dims_out), float64
        What centered rows are multiplied by.
    dead_dimensions_ : ndarray of int64
        Dimensions that are constant in the fitted rows, but for rounding; they have no influence.
    n_iter_ : int
        Iterations of FastICA.
    n_samples_fit_ : int
        Rows of `fit`.
    rank_ : int
        Components that are kept.
    n_features_in_ : int
        Dimensions of the embeddings.

    See Also
    --------
    Whitening : of standardized rows, it gives the same cosines at a fraction of the cost.

    Notes
    -----
    The rotation changes neither distances nor cosines: it matters only to what looks at single dimensions, such as a
    reader or a regulariser. Variances are those of the population (divided by n), as in FastICA's
    ``whiten='unit-variance'``.

    Directions of the standardized rows with at most 1e-10 of the largest variance count as directions without variance.
    As in `Whitening` they are mapped to 0: the number of dimensions that come out does not change, and the last ones
    are 0.

    Rows that are distributed normally have no independent components: FastICA then does not converge, and any rotation
    is as good as another. FastICA holds the white rows in float64, and a few arrays of their size.

    References
    ----------
    .. [1] A. Hyvärinen. "Fast and robust fixed-point algorithms for independent component analysis". IEEE
           Transactions on Neural Networks 10 (1999), 626-634.
    .. [2] DefSent+, https://github.com/RyuKT/DefSent-Plus (``ICA-transform.py``).

    Examples
    --------
    >>> import numpy as np
    >>> from xembed.isotropy import ICAProjection
    >>> sources = np.random.default_rng(0).uniform(-1.0, 1.0, size=(2000, 2))
    >>> X = sources @ [[1.0, 0.5], [0.2, 1.0]]
    >>> found = ICAProjection(scale=1.0).fit_transform(X)
    >>> np.abs(np.corrcoef(sources.T, found.T)[:2, 2:]).round(1)
    array([[0., 1.],
           [1., 0.]])
    """

    label: ClassVar[str] = "Independent components"
    meaning: ClassVar[str] = (
        "The projection onto independent components whitens the standardized dimensions and rotates them until they "
        "are as far from a normal distribution as possible."
    )

    dead_dimensions_: npt.NDArray[np.int64]
    n_iter_: int

    _arrays: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "mean_": ("n_features_in_",),
        "projection_": ("n_features_in_", "n_features_out"),
        "dead_dimensions_": ("n_dead",),
    }
    _numbers: ClassVar[tuple[str, ...]] = ("n_samples_fit_", "rank_", "n_iter_")

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

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn the mean and the projection from ``X`` of shape (n_texts, n_dims); ``y`` is not used.

        Raises
        ------
        ValueError
            If a parameter is not as described; if ``X`` is not 2-D, has fewer than 2 rows, rows that are not finite
            (they are named), rows that are all equal, or numbers whose squares overflow.
        TypeError
            If ``X`` does not hold real numbers, or a parameter is of another type.

        Warns
        -----
        ConvergenceWarning
            If FastICA has not converged after ``max_iter`` iterations. The components are white all the same.
        """
        points = self._check_fit_rows(X)
        n_kept = check_n_components(self.n_components, points.shape[1], caller="ICAProjection")
        mean, deviations, dead = standardization(points, caller="ICAProjection")
        correlation = scatter(points, mean, scale=deviations) / len(points)
        correlation[dead] = correlation[:, dead] = 0.0
        values, axes = principal_axes(correlation)
        rank = min(n_kept, count_directions(values, floor=_FLOOR))
        # The signs that FastICA's own whitening has, so that a seed leads to the same components.
        axes = axes[:, :rank] * np.where(axes[0, :rank] < 0, -1.0, 1.0)
        axes[dead] = 0.0
        whitener = axes / np.sqrt(values[:rank]) / deviations[:, None]
        rotation, n_iter = self._find_rotation(points, mean, whitener)
        self.mean_, self.dead_dimensions_, self.n_iter_ = mean, indices_of(dead), n_iter
        self.projection_ = as_matrix(pad_columns(self.scale * (whitener @ rotation.T), n_kept))
        self._record_fit(X, points, rank=rank)
        return self

    def _check_parameters(self) -> None:
        caller = "ICAProjection"
        if self.n_components is not None:
            check_n_components(self.n_components, self.n_components, caller=caller)
        check_number(self.scale, name="scale", caller=caller, low=0.0, closed="neither")
        check_count(self.max_iter, name="max_iter", caller=caller)
        check_number(self.tol, name="tol", caller=caller, low=0.0, closed="neither")
        check_random_state_parameter(self.random_state, caller=caller)

    def _find_rotation(self, X: FloatArray, mean: Float64Array, whitener: Float64Array) -> tuple[Float64Array, int]:
        from sklearn.decomposition import FastICA

        white = np.empty((len(X), whitener.shape[1]))
        for part, block in zip(block_slices(*X.shape), float_blocks(X), strict=True):
            block -= mean
            white[part] = block @ whitener
        ica = FastICA(
            whiten=False,
            fun="logcosh",
            random_state=self.random_state,
            max_iter=int(self.max_iter),
            tol=float(self.tol),
        )
        ica.fit(white)
        return ica.components_, int(ica.n_iter_)


def check_random_state_parameter(value: Any, *, caller: str) -> None:
    """Check a ``random_state`` as scikit-learn knows it."""
    is_integer = isinstance(value, int | np.integer) and not isinstance(value, bool)
    is_seed = is_integer and 0 <= value < 2**32
    if not (value is None or is_seed or isinstance(value, np.random.RandomState)):
        raise (ValueError if is_integer else TypeError)(
            f"The 'random_state' parameter of {caller} must be an integer in [0, 2**32), a numpy.random.RandomState or "
            f"None. Got {value!r} instead."
        )
