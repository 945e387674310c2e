"""Depth as a scikit-learn estimator: fitted once, streamed, merged, asked about new texts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, OutlierMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from xembed._core.blocks import Rows, check_rereadable, count_rows, read_array, read_rows, width
from xembed._core.directions import direction_weights, directions, unsummed_directions
from xembed._core.validation import FloatArray, check_number, check_option, check_same_dims
from xembed.depth._depth import closed_form, tte_depth
from xembed.depth._pairwise import DISTANCES

if TYPE_CHECKING:
    from typing_extensions import Self


class TTEDepth(OutlierMixin, BaseEstimator):
    r"""Depth of texts with respect to a corpus that is given once, or in parts.

    Parameters
    ----------
    distance : {'cosine', 'chord', 'angular'}, default='cosine'
        As in `tte_depth`. With 'cosine' the corpus is kept as one vector, so that streams of any length fit;
        the other distances keep the corpus, and take arrays only.
    contamination : float in (0, 0.5], default=0.05
        Share of the fitted corpus that `predict` calls outliers.

    Attributes
    ----------
    n_reference_ : int
        Texts in the corpus.
    resultant_ : ndarray of shape (n_dims,), float64
        Sum of the unit vectors of the corpus; only for 'cosine'.
    reference_ : ndarray of shape (n_reference_, n_dims)
        The corpus; only for 'chord' and 'angular'.
    offset_ : float
        Depth below which a text is an outlier. Set by `fit` and `calibrate`, absent after `partial_fit` and `merge`,
        because the texts that it depends on are not kept.
    n_features_in_ : int
        Dimensions of the embeddings.

    See Also
    --------
    tte_depth : the function, which also leaves each text out of its own depth.

    Notes
    -----
    `score_samples` measures new texts against the whole corpus. A text of the corpus itself gets a little more
    depth than by `tte_depth(X)`, which leaves it out: :math:`D = ((n - 1) D_{loo} + \sup\delta) / n`. The order of the
    corpus' texts, and so `offset_` and `predict`, are not touched by that.

    Examples
    --------
    >>> import numpy as np
    >>> from xembed.depth import TTEDepth
    >>> X = np.random.default_rng(0).normal(1.0, 0.5, size=(200, 8))
    >>> stream = TTEDepth().partial_fit(X[:80]).partial_fit(X[80:])
    >>> bool(np.allclose(stream.score_samples(X), TTEDepth().fit(X).score_samples(X), atol=1e-12))
    True
    >>> TTEDepth().fit(X).predict([[-1.0] * 8, [1.0] * 8])
    array([-1,  1])
    """

    n_reference_: int
    resultant_: npt.NDArray[np.float64]
    reference_: FloatArray
    offset_: float

    def __init__(self, distance: str = "cosine", contamination: float = 0.05) -> None:
        self.distance = distance
        self.contamination = contamination

    def fit(self, X: Any, y: Any = None) -> Self:
        """Take ``X`` of shape (n_texts, n_dims) as the corpus and set the threshold of `predict`.

        For 'cosine', ``X`` may come in blocks, here and wherever a method takes ``X``: as a list of 2-D arrays, a
        function that returns an iterator of them, a ``dask.array``, or the path of a .npy or .parquet file.

        Raises
        ------
        ValueError
            If a parameter or ``X`` is not as described; rows that are zero or not finite are named.
        TypeError
            If ``X`` does not hold real numbers, or is an iterator: `fit` reads twice. `partial_fit` reads once.
        """
        self._forget("n_reference_", "resultant_", "reference_", "offset_")
        check_rereadable(X, name="X", caller="TTEDepth.fit")
        return self.partial_fit(X).calibrate(X)

    def partial_fit(self, X: Any, y: Any = None) -> Self:
        """Add texts to the corpus. For 'cosine' the result does not depend on how a corpus was cut.

        ``X`` is read once, so it may be an iterator of blocks, too.
        """
        check_option(self.distance, DISTANCES, name="distance", caller="TTEDepth")
        check_number(self.contamination, name="contamination", caller="TTEDepth", low=0.0, high=0.5, closed="right")
        first = not hasattr(self, "n_reference_")
        if self.distance == "cosine":
            points = self._check_rows(X, reset=first)
            total = directions(points, name="X").total
            self.resultant_ = total if first else self.resultant_ + total
            n_texts = count_rows(points)
        else:
            array = self._check_array(X, reset=first)
            direction_weights(array, name="X")  # bad rows must not get in
            self.reference_ = array.copy() if first else np.concatenate([self.reference_, array])
            n_texts = len(array)
        self.n_reference_ = n_texts + (0 if first else self.n_reference_)
        self._forget("offset_")
        return self

    def merge(self, other: TTEDepth) -> Self:
        """Add the corpus of another fitted estimator to this one, for example that of another shard.

        Raises
        ------
        TypeError
            If ``other`` is not a `TTEDepth`.
        ValueError
            If the two have different distances or dimensions.
        """
        if not isinstance(other, TTEDepth):
            raise TypeError(f"TTEDepth.merge takes another TTEDepth. Got {type(other).__name__} instead.")
        check_is_fitted(self, "n_reference_")
        check_is_fitted(other, "n_reference_")
        if other.distance != self.distance:
            raise ValueError(
                f"Only depths of the same distance can be merged. Got {self.distance!r} and {other.distance!r}."
            )
        if self.distance == "cosine":
            check_same_dims(("this corpus", self.resultant_[None]), ("the other", other.resultant_[None]))
            self.resultant_ = self.resultant_ + other.resultant_
        else:
            check_same_dims(("this corpus", self.reference_), ("the other", other.reference_))
            self.reference_ = np.concatenate([self.reference_, other.reference_])
        self.n_reference_ += other.n_reference_
        self._forget("offset_")
        return self

    def calibrate(self, X: Any) -> Self:
        """Set the threshold so that the share ``contamination`` of ``X`` lies below it."""
        self.offset_ = float(np.quantile(self.score_samples(X), self.contamination))
        return self

    def score_samples(self, X: Any) -> npt.NDArray[np.float64]:
        """Return the depth of each row of ``X`` in the corpus, shape (n_texts,)."""
        check_is_fitted(self, "n_reference_")
        if self.distance == "cosine":
            points = self._check_rows(X, reset=False)
            return closed_form(unsummed_directions(points, name="X"), self.resultant_, self.n_reference_)
        return tte_depth(self._check_array(X, reset=False), self.reference_, distance=self.distance)

    def decision_function(self, X: Any) -> npt.NDArray[np.float64]:
        """Return the depth minus the threshold: negative for outliers, shape (n_texts,)."""
        depths = self.score_samples(X)
        if not hasattr(self, "offset_"):
            raise AttributeError(
                "This TTEDepth has no threshold, since it was built by partial_fit or merge. Call calibrate(X) with "
                "texts that are typical of the corpus, or fit(X)."
            )
        return depths - self.offset_

    def predict(self, X: Any) -> npt.NDArray[np.int64]:
        """Return -1 for outliers and 1 for the rest, shape (n_texts,)."""
        return np.where(self.decision_function(X) < 0, -1, 1)

    def _check_rows(self, X: Any, *, reset: bool) -> Rows:
        points = read_rows(X, name="X", caller="TTEDepth")
        self._check_features(X, width(points), reset=reset)
        return points

    def _check_array(self, X: Any, *, reset: bool) -> FloatArray:
        array = read_array(X, name="X", caller="TTEDepth", blocks_for="distance='cosine'")
        self._check_features(X, width(array), reset=reset)
        return array

    def _check_features(self, X: Any, n_dims: int, *, reset: bool) -> None:
        features = X if hasattr(X, "columns") else np.empty((0, n_dims))
        validate_data(self, features, reset=reset, skip_check_array=True)

    def _forget(self, *names: str) -> None:
        for name in names:
            if hasattr(self, name):
                delattr(self, name)
