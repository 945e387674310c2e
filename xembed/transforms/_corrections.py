"""Corrections that subtract: means, scales and the strongest directions, of all rows or of each cluster."""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.base import OneToOneFeatureMixin
from sklearn.utils import check_random_state

from xembed._core import moments
from xembed._core.moments import Array, Indices, as_matrix, column_means, column_variances, find_dead, scatter
from xembed._core.validation import FloatArray, check_count
from xembed.transforms._base import Transform, check_random_state_parameter

# Rows that k-means sees at most: it copies them, and its centers hardly change with more.
_SAMPLE = 50_000


class Standardize(OneToOneFeatureMixin, Transform):
    r"""Bring each dimension to mean 0 and standard deviation 1.

    :math:`(x_j - m_j) / s_j`, with the mean and the standard deviation (of the population) of each dimension of the
    fitted rows. It reduces the weight of the few dimensions that dominate the cosines of many language models [1]_.

    Attributes
    ----------
    mean_, scale_ : ndarray of shape (n_dims,), float64
        The :math:`m_j` and :math:`s_j`; the scale of a dead dimension is 1.
    dead_dimensions_ : ndarray of int64
        Dimensions that are constant in the fitted rows: the standard deviation is at most twice the rounding unit of
        the rows' type, times the largest absolute value. They are centered and not scaled.
    n_samples_fit_, n_features_in_, rank_ : int
        Numbers of rows in `fit`, of dimensions, and of dimensions that are not dead.

    References
    ----------
    .. [1] W. Timkey, M. van Schijndel. "All Bark and No Bite: Rogue Dimensions in Transformer Language Models Obscure
           Representational Quality". EMNLP 2021, arXiv:2109.04404.

    Examples
    --------
    >>> from xembed.transforms import Standardize
    >>> transform = Standardize().fit([[1.0, 100.0, 3.0], [3.0, 300.0, 3.0]])
    >>> transform.transform([[1.0, 300.0, 3.5]])
    array([[-1. ,  1. ,  0.5]])
    >>> transform.dead_dimensions_
    array([2])
    """

    label = "Standardization"
    meaning = (
        "Standardization gives each dimension the mean 0 and the variance 1, which reduces the influence of rogue "
        "dimensions (Timkey & van Schijndel 2021)."
    )
    cites = ("timkey2021",)

    scale_: Array
    dead_dimensions_: npt.NDArray[np.int64]

    _arrays: ClassVar = {"mean_": ("n_features_in_",), "scale_": ("n_features_in_",), "dead_dimensions_": ("n_dead",)}

    def _check_parameters(self) -> None:
        pass  # there are none

    def _learn(self, points: FloatArray) -> int:
        self.mean_, self.scale_, dead = standardization(points, caller="Standardize")
        self.dead_dimensions_ = indices_of(dead)
        return int(np.count_nonzero(~dead))

    def _apply(self, block: Array) -> Array:
        block -= self.mean_
        block /= self.scale_
        return block


class AllButTheTop(OneToOneFeatureMixin, Transform):
    """Subtract the mean, then the projections onto the first principal components (Mu and Viswanath [1]_).

    Parameters
    ----------
    n_components : int or 'auto', default='auto'
        Number of directions to remove, fewer than the dimensions and than the directions in which the fitted rows
        vary; 0 only subtracts the mean. 'auto' is the rule of the paper: one for every 100 dimensions,
        ``max(1, round(n_dims / 100))``, halves rounded to the even number.

    Attributes
    ----------
    mean_ : ndarray of shape (n_dims,), float64
        Mean of the fitted rows.
    components_ : ndarray of shape (n_removed, n_dims), float64
        The directions that are removed, as rows of unit length, the strongest first.
    explained_variance_ratio_ : ndarray of shape (n_removed,), float64
        Share of the variance of the fitted rows along each of them.
    n_samples_fit_, n_features_in_, rank_ : int
        Numbers of rows in `fit`, of dimensions, and of directions that are kept (``n_dims - n_removed``).

    References
    ----------
    .. [1] J. Mu, P. Viswanath. "All-but-the-Top: Simple and Effective Postprocessing for Word Representations".
           ICLR 2018, arXiv:1702.01417.

    Examples
    --------
    >>> import numpy as np
    >>> from xembed.transforms import AllButTheTop
    >>> X = np.random.default_rng(0).normal(5.0, [9.0, 1.0, 1.0], size=(1000, 3))
    >>> AllButTheTop().fit_transform(X).std(axis=0).round(1)
    array([0., 1., 1.])
    """

    label = "All-but-the-top"
    meaning = (
        "All-but-the-top subtracts the mean and the projections onto the strongest directions (Mu & Viswanath 2018)."
    )
    cites = ("mu2018",)

    components_: Array
    explained_variance_ratio_: Array

    _arrays: ClassVar = {
        "mean_": ("n_features_in_",),
        "components_": ("n_removed", "n_features_in_"),
        "explained_variance_ratio_": ("n_removed",),
    }

    def __init__(self, n_components: int | str = "auto") -> None:
        self.n_components = n_components

    def _check_parameters(self) -> None:
        _check_removed(self.n_components, caller="AllButTheTop")

    def _learn(self, points: FloatArray) -> int:
        caller = "AllButTheTop"
        n_rows, n_dims = points.shape
        n_removed = _count_removed(self.n_components, n_dims, caller=caller)
        mean = column_means(points)
        covariance = scatter(points, mean)
        moments.raise_if_all_dead(find_dead(points, covariance.diagonal() / n_rows), caller=caller, n_rows=n_rows)
        values, axes = moments.principal_axes(covariance)
        _raise_if_nothing_stays(moments.count_directions(values), n_removed, caller=caller)
        self.mean_, self.components_ = mean, as_matrix(axes[:, :n_removed].T)
        self.explained_variance_ratio_ = values[:n_removed] / values.sum()
        return int(n_dims - n_removed)

    def _apply(self, block: Array) -> Array:
        block -= self.mean_
        return _remove_components(block, self.components_)


class ClusterIsotropy(OneToOneFeatureMixin, Transform):
    """Subtract the mean of each cluster of the rows and the projections onto its strongest directions.

    The method of Rajaee and Pilehvar [1]_: k-means on the fitted rows, then all-but-the-top within each cluster. New
    rows are corrected as the cluster whose center is nearest (Euclidean).

    Parameters
    ----------
    n_clusters : int, default=8
        Number of clusters of k-means, at most the number of fitted rows. With 1 it is `AllButTheTop`.
    n_components : int or 'auto', default='auto'
        Number of directions to remove in each cluster, as in `AllButTheTop`.
    random_state : int, RandomState instance or None, default=0
        Random state of k-means. An integer gives the same result each time; None does not.

    Attributes
    ----------
    n_clusters_ : int
        Number of clusters that are kept.
    mean_ : ndarray of shape (n_dims,), float64
        Mean of all fitted rows.
    cluster_centers_ : ndarray of shape (n_clusters_, n_dims), float64
        Centers that rows are assigned by.
    cluster_means_, cluster_sizes_ : ndarray of shape (n_clusters_, n_dims), float64, and (n_clusters_,), int64
        Means and numbers of the fitted rows that are assigned to each center.
    components_ : ndarray of shape (n_clusters_, n_removed, n_dims), float64
        The directions that are removed, as rows of unit length, the strongest first.
    n_samples_fit_, n_features_in_, rank_ : int
        Numbers of rows in `fit`, of dimensions, and of directions kept in each cluster (``n_dims - n_removed``).

    Notes
    -----
    The differences between the means of clusters are removed: texts of different topics may become more similar, and
    classifiers that use clusters may lose accuracy [2]_. Evaluate it on a task.

    Clusters that vary in no more directions than are removed are merged into the others, the smallest first: each of
    their rows is assigned to the nearest remaining center. k-means runs once, from a k-means++ start, on at most 50,000
    random rows; means and directions are those of all rows.

    References
    ----------
    .. [1] S. Rajaee, M. T. Pilehvar. "A Cluster-based Approach for Improving Isotropy in Contextual Embedding Space".
           ACL 2021.
    .. [2] T. Mickus et al. arXiv:2402.03191, 2024.

    Examples
    --------
    >>> import numpy as np
    >>> from xembed.transforms import ClusterIsotropy
    >>> rng = np.random.default_rng(0)
    >>> X = np.concatenate([rng.normal(+5, [3, 1, 1], (200, 3)), rng.normal(-5, [1, 1, 3], (200, 3))])
    >>> transform = ClusterIsotropy(n_clusters=2).fit(X)
    >>> np.abs(transform.components_).round(1).max(axis=0)
    array([[1., 0., 1.]])
    """

    label = "Cluster-based correction"
    meaning = (
        "The cluster-based correction subtracts the mean of each cluster and the projections onto its strongest "
        "directions (Rajaee & Pilehvar 2021)."
    )
    cites = ("rajaee2021",)

    n_clusters_: int
    cluster_centers_: Array
    cluster_means_: Array
    cluster_sizes_: npt.NDArray[np.int64]
    components_: Array

    _arrays: ClassVar = {
        "mean_": ("n_features_in_",),
        "cluster_centers_": ("n_clusters_", "n_features_in_"),
        "cluster_means_": ("n_clusters_", "n_features_in_"),
        "cluster_sizes_": ("n_clusters_",),
        "components_": ("n_clusters_", "n_removed", "n_features_in_"),
    }
    _numbers = ("n_samples_fit_", "rank_", "n_clusters_")

    def __init__(self, n_clusters: int = 8, n_components: int | str = "auto", random_state: Any = 0) -> None:
        self.n_clusters = n_clusters
        self.n_components = n_components
        self.random_state = random_state

    def _check_parameters(self) -> None:
        check_count(self.n_clusters, name="n_clusters", caller="ClusterIsotropy")
        _check_removed(self.n_components, caller="ClusterIsotropy")
        check_random_state_parameter(self.random_state, caller="ClusterIsotropy")

    def _learn(self, points: FloatArray) -> int:
        caller = "ClusterIsotropy"
        n_rows, n_dims = points.shape
        n_removed = _count_removed(self.n_components, n_dims, caller=caller)
        if self.n_clusters > n_rows:
            raise ValueError(
                f"The 'n_clusters' parameter of {caller} must be at most {n_rows}, the rows of X (n_samples={n_rows}). "
                f"Got {self.n_clusters!r} instead."
            )
        mean = column_means(points)
        variances = column_variances(points, mean)
        moments.raise_if_all_dead(find_dead(points, variances), caller=caller, n_rows=n_rows)
        centers = mean[None]
        if self.n_clusters > 1:
            scale = float(np.sqrt(variances.max()))
            centers = _find_centers(points, mean, scale, self.n_clusters, self.random_state)
        centers, clusters = _merge_poor_clusters(points, mean, centers, n_removed, caller=caller)
        self.mean_, self.cluster_centers_, self.n_clusters_ = mean, as_matrix(centers), len(clusters)
        self.cluster_means_ = as_matrix([cluster.mean for cluster in clusters])
        self.cluster_sizes_ = np.array([cluster.n_rows for cluster in clusters], dtype=np.int64)
        self.components_ = as_matrix([cluster.components for cluster in clusters])
        return int(n_dims - n_removed)

    def _apply(self, block: Array) -> Array:
        labels = _nearest(block - self.mean_, self.cluster_centers_ - self.mean_)
        for label in np.unique(labels):
            rows = labels == label
            block[rows] = _remove_components(block[rows] - self.cluster_means_[label], self.components_[label])
        return block


def indices_of(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """Return where ``mask`` is true, in the type that files hold."""
    return np.flatnonzero(mask).astype(np.int64)


def standardization(X: FloatArray, *, caller: str) -> tuple[Array, Array, npt.NDArray[np.bool_]]:
    """Return the means, the standard deviations with 1 for dead dimensions, and which these are."""
    mean = column_means(X)
    variances = column_variances(X, mean)
    dead = find_dead(X, variances)
    moments.raise_if_all_dead(dead, caller=caller, n_rows=len(X))
    return mean, np.where(dead, 1.0, np.sqrt(variances)), dead


def _check_removed(value: Any, *, caller: str) -> None:
    if not isinstance(value, str):
        check_count(value, name="n_components", caller=caller, low=0)
    elif value != "auto":
        expected = "'auto' or an integer of at least 0"
        raise ValueError(f"The 'n_components' parameter of {caller} must be {expected}. Got {value!r} instead.")


def _count_removed(value: Any, n_dims: int, *, caller: str) -> int:
    """Return how many directions are removed; at least one dimension has to stay."""
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


def _raise_if_nothing_stays(n_directions: int, n_removed: int, *, caller: str) -> None:
    if n_directions <= n_removed:
        raise ValueError(
            f"X must vary in more directions than {caller} removes. Got rows that vary in {n_directions} and "
            f"{n_removed} to remove: fit on more (different) texts or choose a smaller 'n_components'."
        )


def _remove_components(block: Array, components: Array) -> Array:
    """Subtract from the rows their projections onto orthonormal ``components``, in place."""
    block -= (block @ components.T) @ components
    return block


class _Cluster(NamedTuple):
    n_rows: int
    n_directions: int
    mean: Array
    components: Array


def _find_centers(X: FloatArray, mean: Array, scale: float, n_clusters: int, random_state: Any) -> Array:
    from sklearn.cluster import KMeans

    random = check_random_state(random_state)
    sample = X if len(X) <= _SAMPLE else X[np.sort(random.choice(len(X), _SAMPLE, replace=False))]
    # Centered and scaled as a whole, so that squares fit into float32.
    points = np.empty(sample.shape, np.float64 if sample.dtype == np.float64 else np.float32)
    for part, block in zip(moments.block_slices(*sample.shape), moments.float_blocks(sample), strict=True):
        points[part] = (block - mean) / scale
    labels = KMeans(int(n_clusters), n_init=1, random_state=random, copy_x=False).fit(points).labels_
    # k-means adds up by threads, in any order. Means of its clusters computed here are the same each time.
    return np.array([column_means(sample, np.flatnonzero(labels == label)) for label in np.unique(labels)])


def _merge_poor_clusters(
    X: FloatArray, mean: Array, centers: Array, n_removed: int, *, caller: str
) -> tuple[Array, list[_Cluster]]:
    """Return the centers of clusters that vary in more directions than are removed, and these clusters."""
    labels = _assign(X, mean, centers)
    clusters: dict[int, _Cluster] = {}
    kept = list(range(len(centers)))
    while True:
        sizes = np.bincount(labels, minlength=len(centers))
        # Clusters of too few rows need no eigenvectors.
        poor = [label for label in kept if sizes[label] < n_removed + 2]
        if not poor:
            for label in kept:
                if label not in clusters or clusters[label].n_rows != sizes[label]:
                    clusters[label] = _describe_cluster(X, np.flatnonzero(labels == label), n_removed)
            poor = [label for label in kept if clusters[label].n_directions <= n_removed]
        if not poor:
            return centers[kept], [clusters[label] for label in kept]
        if len(kept) == 1:
            everything = _describe_cluster(X, np.arange(len(X)), n_removed)
            _raise_if_nothing_stays(everything.n_directions, n_removed, caller=caller)
        merged = min(poor, key=lambda label: sizes[label])
        kept.remove(merged)
        rows = np.flatnonzero(labels == merged)
        labels[rows] = np.array(kept)[_assign(X, mean, centers[kept], rows)]


def _assign(X: FloatArray, mean: Array, centers: Array, rows: Indices | None = None) -> Indices:
    n_rows = len(X) if rows is None else len(rows)
    labels = np.empty(n_rows, dtype=np.intp)
    for part, block in zip(moments.block_slices(n_rows, X.shape[1]), moments.float_blocks(X, rows), strict=True):
        labels[part] = _nearest(block - mean, centers - mean)
    return labels


def _nearest(X: Array, centers: Array) -> Indices:
    """Return the nearest of ``centers`` to each row; both are taken from where the rows are centered."""
    nearest: Indices = np.argmin(0.5 * np.einsum("ij,ij->i", centers, centers) - X @ centers.T, axis=1)
    return nearest


def _describe_cluster(X: FloatArray, rows: Indices, n_removed: int) -> _Cluster:
    mean = column_means(X, rows)
    values, axes = moments.principal_axes(scatter(X, mean, rows=rows))
    return _Cluster(len(rows), moments.count_directions(values), mean, axes[:, :n_removed].T)
