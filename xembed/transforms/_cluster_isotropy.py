"""Corrections of each cluster by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.base import OneToOneFeatureMixin
from sklearn.utils import check_random_state

from xembed._core.validation import FloatArray, check_count
from xembed.transforms._correction import Correction
from xembed.transforms._corrections import check_removed, count_removed, raise_if_nothing_stays, remove_components
from xembed.transforms._fit_statistics import (
    Float64Array,
    Indices,
    as_matrix,
    block_slices,
    column_means,
    column_variances,
    count_directions,
    find_dead,
    float_blocks,
    principal_axes,
    raise_if_all_dead,
    scatter,
)
from xembed.transforms._ica import check_random_state_parameter

if TYPE_CHECKING:
    from collections.abc import Mapping

    from typing_extensions import Self

# Most rows that k-means sees: it copies them, and its centers hardly change with more.
_SAMPLE = 50_000


class ClusterIsotropy(OneToOneFeatureMixin, Correction):
    """Center each cluster of the rows and take out the directions in which it varies most.

    The method of Rajaee and Pilehvar [1]_: k-means on the fitted rows, then all-but-the-top within each cluster. New
    rows are corrected as the cluster whose center is nearest (Euclidean).

    Parameters
    ----------
    n_clusters : int, default=8
        Clusters of k-means, at most the number of fitted rows. With 1 it is `AllButTheTop`.
    n_components : int or 'auto', default='auto'
        How many directions go in each cluster, fewer than the dimensions; 0 is centring alone. 'auto' is the rule of
        `AllButTheTop`: ``max(1, round(n_dims / 100))``.
    random_state : int, RandomState instance or None, default=0
        For k-means. An integer gives the same result each time; None does not.

    Attributes
    ----------
    n_clusters_ : int
        Clusters that are left.
    mean_ : ndarray of shape (n_dims,), float64
        Mean of all fitted rows.
    cluster_centers_ : ndarray of shape (n_clusters_, n_dims), float64
        What rows are assigned by.
    cluster_means_ : ndarray of shape (n_clusters_, n_dims), float64
        Means of the fitted rows that are assigned to each center.
    cluster_sizes_ : ndarray of shape (n_clusters_,), int64
        How many these are.
    components_ : ndarray of shape (n_clusters_, n_removed, n_dims), float64
        The directions that are taken out, as rows of unit length, the strongest first.
    n_samples_fit_ : int
        Rows of `fit`.
    rank_ : int
        Directions that stay in each cluster: ``n_dims - n_removed``.
    n_features_in_ : int
        Dimensions of the embeddings.

    See Also
    --------
    AllButTheTop : the same for all rows together.

    Notes
    -----
    The means of the clusters are gone afterwards, and with them what tells clusters apart: texts of different topics
    may come out more similar than before. Mickus et al. [2]_ show that isotropy is at odds with clusters, and with the
    classifiers that live on them. Evaluate on a task, not by isotropy alone.

    A cluster that varies in no more directions than are taken out would become zero as a whole. Such clusters (too few
    rows, or the same text over and over) are dissolved, the smallest first: their rows go to the nearest of the other
    centers.

    k-means runs once, from a k-means++ start, on at most 50,000 rows, drawn by ``random_state``; means and directions
    come from all rows.

    References
    ----------
    .. [1] S. Rajaee, M. T. Pilehvar. "A Cluster-based Approach for Improving Isotropy in Contextual Embedding Space".
           ACL 2021.
    .. [2] T. Mickus et al. arXiv:2402.03191, 2024.

    Examples
    --------
    >>> import numpy as np
    >>> from xembed.isotropy import ClusterIsotropy
    >>> rng = np.random.default_rng(0)
    >>> X = np.concatenate([rng.normal(+5, [3, 1, 1], (200, 3)), rng.normal(-5, [1, 1, 3], (200, 3))])
    >>> correction = ClusterIsotropy(n_clusters=2).fit(X)
    >>> np.abs(correction.components_).round(1).max(axis=0)
    array([[1., 0., 1.]])
    """

    label: ClassVar[str] = "Cluster-based correction"
    meaning: ClassVar[str] = (
        "The cluster-based correction subtracts the mean of each cluster and the projections onto its strongest "
        "directions (Rajaee & Pilehvar 2021)."
    )
    cites: ClassVar[tuple[str, ...]] = ("rajaee2021",)

    n_clusters_: int
    cluster_centers_: Float64Array
    cluster_means_: Float64Array
    cluster_sizes_: npt.NDArray[np.int64]
    components_: Float64Array

    _arrays: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "mean_": ("n_features_in_",),
        "cluster_centers_": ("n_clusters_", "n_features_in_"),
        "cluster_means_": ("n_clusters_", "n_features_in_"),
        "cluster_sizes_": ("n_clusters_",),
        "components_": ("n_clusters_", "n_removed", "n_features_in_"),
    }
    _numbers: ClassVar[tuple[str, ...]] = ("n_samples_fit_", "rank_", "n_clusters_")

    def __init__(self, n_clusters: int = 8, n_components: int | str = "auto", random_state: Any = 0) -> None:
        self.n_clusters = n_clusters
        self.n_components = n_components
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn clusters, means and directions from ``X`` of shape (n_texts, n_dims); ``y`` is not used.

        Raises
        ------
        ValueError
            If a parameter is not as described, ``n_clusters`` is above the number of rows, or the rows vary in no more
            directions than are taken out; if ``X`` is not 2-D, has fewer than 2 rows or 2 dimensions, rows that are
            not finite (they are named), rows that are all equal, or numbers whose squares overflow.
        TypeError
            If ``X`` does not hold real numbers, or a parameter is of another type.
        """
        caller = "ClusterIsotropy"
        points = self._check_fit_rows(X)
        n_rows, n_dims = points.shape
        n_removed = count_removed(self.n_components, n_dims, caller=caller)
        if self.n_clusters > n_rows:
            raise ValueError(
                f"The 'n_clusters' parameter of {caller} must be at most {n_rows}, the rows of X (n_samples={n_rows}). "
                f"Got {self.n_clusters!r} instead."
            )
        mean = column_means(points)
        variances = column_variances(points, mean)
        raise_if_all_dead(find_dead(points, variances), caller=caller, n_rows=n_rows)
        centers = mean[None]
        if self.n_clusters > 1:
            scale = float(np.sqrt(variances.max()))
            centers = _find_centers(points, mean, scale, self.n_clusters, self.random_state)
        centers, clusters = _settle(points, mean, centers, n_removed, caller=caller)
        self.mean_, self.cluster_centers_, self.n_clusters_ = mean, as_matrix(centers), len(clusters)
        self.cluster_means_ = as_matrix([cluster.mean for cluster in clusters])
        self.cluster_sizes_ = np.array([cluster.n_rows for cluster in clusters], dtype=np.int64)
        self.components_ = as_matrix([cluster.components for cluster in clusters])
        self._record_fit(X, points, rank=n_dims - n_removed)
        return self

    def _check_parameters(self) -> None:
        check_count(self.n_clusters, name="n_clusters", caller="ClusterIsotropy")
        check_removed(self.n_components, caller="ClusterIsotropy")
        check_random_state_parameter(self.random_state, caller="ClusterIsotropy")

    def _correct(self, block: Float64Array) -> Float64Array:
        labels = _nearest(block - self.mean_, self.cluster_centers_ - self.mean_)
        for label in np.unique(labels):
            rows = labels == label
            block[rows] = remove_components(block[rows] - self.cluster_means_[label], self.components_[label])
        return block


class _Cluster(NamedTuple):
    n_rows: int
    n_directions: int
    mean: Float64Array
    components: Float64Array


def _find_centers(X: FloatArray, mean: Float64Array, scale: float, n_clusters: int, random_state: Any) -> Float64Array:
    from sklearn.cluster import KMeans

    random = check_random_state(random_state)
    sample = X if len(X) <= _SAMPLE else X[np.sort(random.choice(len(X), _SAMPLE, replace=False))]
    # Centered and scaled as a whole, so that squares fit into float32.
    points = np.empty(sample.shape, np.float64 if sample.dtype == np.float64 else np.float32)
    for part, block in zip(block_slices(*sample.shape), float_blocks(sample), strict=True):
        points[part] = (block - mean) / scale
    labels = KMeans(int(n_clusters), n_init=1, random_state=random, copy_x=False).fit(points).labels_
    # k-means adds up by threads, in any order. Means of its clusters computed here are the same each time.
    return np.array([column_means(sample, np.flatnonzero(labels == label)) for label in np.unique(labels)])


def _settle(
    X: FloatArray, mean: Float64Array, centers: Float64Array, n_removed: int, *, caller: str
) -> tuple[Float64Array, list[_Cluster]]:
    """Return the centers, and the clusters around them, of which all vary in more directions than go."""
    labels = _assign(X, mean, centers)
    clusters: dict[int, _Cluster] = {}
    left = list(range(len(centers)))
    while True:
        sizes = np.bincount(labels, minlength=len(centers))
        # Too few rows: that takes no eigenvectors to see.
        poor = [label for label in left if sizes[label] < n_removed + 2]
        if not poor:
            for label in left:
                if label not in clusters or clusters[label].n_rows != sizes[label]:
                    clusters[label] = _describe_cluster(X, np.flatnonzero(labels == label), n_removed)
            poor = [label for label in left if clusters[label].n_directions <= n_removed]
        if not poor:
            return centers[left], [clusters[label] for label in left]
        if len(left) == 1:
            everything = _describe_cluster(X, np.arange(len(X)), n_removed)
            raise_if_nothing_stays(everything.n_directions, n_removed, caller=caller)
        dissolved = min(poor, key=lambda label: sizes[label])
        left.remove(dissolved)
        rows = np.flatnonzero(labels == dissolved)
        labels[rows] = np.array(left)[_assign(X, mean, centers[left], rows)]


def _assign(X: FloatArray, mean: Float64Array, centers: Float64Array, rows: Indices | None = None) -> Indices:
    n_rows = len(X) if rows is None else len(rows)
    labels = np.empty(n_rows, dtype=np.intp)
    for part, block in zip(block_slices(n_rows, X.shape[1]), float_blocks(X, rows), strict=True):
        labels[part] = _nearest(block - mean, centers - mean)
    return labels


def _nearest(X: Float64Array, centers: Float64Array) -> Indices:
    """Return the nearest of ``centers`` to each row; both are taken from where the rows are centered."""
    nearest: Indices = np.argmin(0.5 * np.einsum("ij,ij->i", centers, centers) - X @ centers.T, axis=1)
    return nearest


def _describe_cluster(X: FloatArray, rows: Indices, n_removed: int) -> _Cluster:
    mean = column_means(X, rows)
    values, axes = principal_axes(scatter(X, mean, rows=rows))
    return _Cluster(len(rows), count_directions(values), mean, axes[:, :n_removed].T)
