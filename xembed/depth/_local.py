"""Local depth: how close a text is to its nearest neighbors in a corpus."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from xembed._core.directions import UnitRows
from xembed._core.neighbors import top_k
from xembed._core.validation import check_count, check_embeddings, check_same_dims

Floats = npt.NDArray[np.float64]


def local_depth(X: npt.ArrayLike, reference: npt.ArrayLike | None = None, *, n_neighbors: int = 10) -> Floats:
    r"""Return how close each text is to its nearest neighbors in a corpus.

    The local depth of :math:`x` is :math:`1 + \frac{1}{k}\sum_{h \in N_k(x)} \cos(x, h)`, where :math:`N_k(x)` are the
    :math:`k` texts of the corpus that are most similar to :math:`x`: `tte_depth` in the neighborhood instead of the
    whole corpus, an estimate of density on the sphere by nearest neighbors [1]_. High: typical of some part of the
    corpus; low: far from everything.

    Parameters
    ----------
    X : array-like of shape (n_texts, n_dims)
        Embeddings of any float or integer dtype. Only their directions matter; rows need not have length 1.
    reference : array-like of shape (n_reference, n_dims), optional
        The corpus. ``None`` takes ``X`` itself, and no text is its own neighbor.
    n_neighbors : int, default=10
        The :math:`k` above, at most the number of texts that can be neighbors. A group of up to :math:`k` strange
        texts that are alike does not look dense; a larger one does.

    Returns
    -------
    ndarray of shape (n_texts,), float64
        The local depths, in [0, 2].

    Raises
    ------
    ValueError
        If an array is not 2-D, is too short, or holds rows that are zero or not finite (they are named); if the
        dimensions differ; if ``n_neighbors`` is below 1 or above the number of possible neighbors.
    TypeError
        If an array does not hold real numbers, or ``n_neighbors`` is not an integer.

    See Also
    --------
    tte_depth : global depth, which is faster and sees the distance to the common center.
    find_outliers : a test on either.

    Notes
    -----
    A text in the gap between two clusters has a high global depth and a low local depth
    (docs/explanation/depth_and_shift.md). Local depth does not help when such texts are much alike, or more similar to
    every cluster than the texts of the clusters are to each other, as boilerplate can be.

    Repeated texts are each other's neighbors: more than ``n_neighbors`` copies of a text have a local depth of 2.

    All pairs are computed by blocks of matrix products: O(n² d) time, O(block + n k) memory. Float32 and float16 rows
    are computed with in float64 up to 2²⁴ pairs, above that in float32.

    References
    ----------
    .. [1] D. O. Loftsgaarden, C. P. Quesenberry. "A Nonparametric Estimate of a Multivariate Density Function".
           Annals of Mathematical Statistics 36 (1965), 1049-1051.

    Examples
    --------
    Two clusters, and a text between them that is the deepest of all:

    >>> from xembed.depth import local_depth, tte_depth
    >>> X = [[1, 0], [5, 1], [0, 1], [1, 5], [1, 1]]
    >>> tte_depth(X).round(2)
    array([1.47, 1.6 , 1.47, 1.6 , 1.77])
    >>> local_depth(X, n_neighbors=1).round(2)
    array([1.98, 1.98, 1.98, 1.98, 1.83])
    """
    caller = "local_depth"
    count = check_count(n_neighbors, name="n_neighbors", caller=caller)
    if reference is None:
        points = check_embeddings(X, name="X", caller="local_depth with reference=None", min_rows=2)
        raise_if_too_few(len(points) - 1, count, where="X besides each text itself", caller=caller)
        unit = UnitRows.of(points, name="X")
        return nearest_similarity(unit, unit, count, skip_self=True)
    points = check_embeddings(X, name="X", caller=caller)
    corpus = check_embeddings(reference, name="reference", caller=caller)
    check_same_dims(("X", points), ("reference", corpus))
    raise_if_too_few(len(corpus), count, where="reference", caller=caller)
    return nearest_similarity(UnitRows.of(points, name="X"), UnitRows.of(corpus, name="reference"), count)


def raise_if_too_few(available: int, n_neighbors: int, *, where: str, caller: str) -> None:
    """Raise an error if there are fewer texts than ``n_neighbors``."""
    if n_neighbors > available:
        raise ValueError(
            f"The 'n_neighbors' parameter of {caller} must be at most {available}, the number of texts in {where}. "
            f"Got {n_neighbors!r} instead."
        )


def nearest_similarity(X: UnitRows, reference: UnitRows, k: int, *, skip_self: bool = False) -> Floats:
    """Return 1 + the mean of the largest cosines of each row of ``X`` with rows of ``reference``, shape (len(X),).

    With ``skip_self`` both hold the same rows, and none is its own neighbor.
    """
    cosines = top_k(X, reference, k, exclude=np.arange(len(X)) if skip_self else None, tolerance=0.0).cosines
    # The same neighbors give the same sum, whatever the order they came in. Rounding can push a cosine above 1.
    depths: Floats = np.clip(1.0 + np.sort(cosines, axis=1).mean(axis=1, dtype=np.float64), 0.0, 2.0)
    return depths
