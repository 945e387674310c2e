"""What all corrections share: checks, the loop over blocks, a description, saving."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from xembed._core.validation import FloatArray, check_count, check_embeddings, raise_for_bad_rows
from xembed.transforms._fit_statistics import Float64Array, block_slices, raise_for_infinite_rows


class Correction(TransformerMixin, BaseEstimator, ABC):
    """Base of the corrections: subclasses learn in ``fit`` and say in ``_correct`` what happens to rows."""

    # What pages and documentation say: the name, one sentence, and keys of the bibliography.
    label: ClassVar[str]
    meaning: ClassVar[str]
    cites: ClassVar[tuple[str, ...]] = ()

    mean_: Float64Array
    n_samples_fit_: int
    n_features_in_: int
    rank_: int

    # What `fit` learns and a file keeps: the names of arrays with the names of their sides, and of plain numbers.
    # "n_features_in_" is a side of a known length; other names have to agree with each other.
    _arrays: ClassVar[Mapping[str, tuple[str, ...]]]
    _numbers: ClassVar[tuple[str, ...]] = ("n_samples_fit_", "rank_")

    def transform(self, X: Any) -> FloatArray:
        """Return the corrected rows of ``X``.

        Parameters
        ----------
        X : array-like of shape (n_texts, n_dims)
            Embeddings of the same model as those of `fit`.

        Returns
        -------
        ndarray of shape (n_texts, n_dims_out)
            In float32 if ``X`` is of float32 or float16, otherwise in float64; computed in float64. Rows are not
            brought to unit length.

        Raises
        ------
        NotFittedError
            If `fit` was not called.
        ValueError
            If ``X`` is not as described, has another number of dimensions than in `fit`, or rows that are not finite
            (they are named), also if only the corrected ones are not.
        TypeError
            If ``X`` does not hold real numbers.
        """
        check_is_fitted(self, "n_samples_fit_")
        points = self._check_rows(X)
        self._check_features(X, points.shape[1], reset=False)
        dtype = np.float64 if points.dtype == np.float64 else np.float32
        result = np.empty((len(points), self._width()), dtype)
        for part in block_slices(*points.shape):
            with np.errstate(over="ignore", invalid="ignore"):  # rows that overflow are named below
                result[part] = self._correct(points[part].astype(np.float64))
        bad = ~np.all(np.isfinite(result), axis=1)
        raise_for_bad_rows(
            bad,
            name="X",
            problem=f"too large for {result.dtype} after {type(self).__name__}.transform",
            remedy="Are they of the model that it was fitted to?",
        )
        return result

    def describe(self) -> dict[str, Any]:
        """Return what a report says about the correction, as plain data.

        Returns
        -------
        dict
            ``class``, ``parameters``, ``n_fit`` (rows it was fitted to), ``n_dims`` (of what goes in) and ``rank``
            (directions that it keeps). The last three are None before `fit`.
        """
        return {
            "class": type(self).__name__,
            "parameters": self._plain_parameters(),
            "n_fit": getattr(self, "n_samples_fit_", None),
            "n_dims": getattr(self, "n_features_in_", None),
            "rank": getattr(self, "rank_", None),
        }

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the fitted correction to one .safetensors file, whole or not at all.

        Parameters
        ----------
        path : path-like
            The file; one that is there is replaced. `load_correction` reads it.

        Raises
        ------
        NotFittedError
            If `fit` was not called.
        OSError
            If the file can't be written.
        """
        from xembed.transforms._correction_files import write_correction

        write_correction(self, path)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    @abstractmethod
    def _check_parameters(self) -> None:
        """Raise an error if a parameter has a wrong type or a value that is never right."""

    @abstractmethod
    def _correct(self, block: Float64Array) -> Float64Array:
        """Return the corrected rows; ``block`` may be written to."""

    def _width(self) -> int:
        return self.n_features_in_

    def _check_rows(self, X: Any) -> FloatArray:
        points = check_embeddings(X, name="X", caller=type(self).__name__)
        raise_for_infinite_rows(points, name="X")
        return points

    def _check_fit_rows(self, X: Any) -> FloatArray:
        self._check_parameters()
        points = self._check_rows(X)
        if len(points) < 2:
            raise ValueError(
                f"X must hold at least 2 rows (texts) for {type(self).__name__}.fit. Got n_samples = {len(points)}: "
                "fit on a corpus, a single text can be corrected by transform afterwards."
            )
        return points

    def _check_features(self, X: Any, n_dims: int, *, reset: bool) -> None:
        features = X if hasattr(X, "columns") else np.empty((0, n_dims))
        validate_data(self, features, reset=reset, skip_check_array=True)

    def _record_fit(self, X: Any, points: FloatArray, *, rank: int) -> None:
        self._check_features(X, points.shape[1], reset=True)
        self.n_samples_fit_ = len(points)
        self.rank_ = rank

    def _plain_parameters(self) -> dict[str, Any]:
        return {name: _plain(value) for name, value in sorted(self.get_params(deep=False).items())}


class ProjectionMixin:
    """Corrections by one matrix of shape (n_dims, n_dims_out)."""

    mean_: Float64Array
    projection_: Float64Array

    @property
    def _n_features_out(self) -> int:  # the name that ClassNamePrefixFeaturesOutMixin asks for
        return self._width()

    def _width(self) -> int:
        width: int = self.projection_.shape[1]
        return width

    def _correct(self, block: Float64Array) -> Float64Array:
        block -= self.mean_
        return block @ self.projection_


def check_n_components(value: Any, n_dims: int, *, caller: str) -> int:
    """Return how many dimensions come out: ``value``, or all for None."""
    count = n_dims if value is None else check_count(value, name="n_components", caller=caller)
    if count > n_dims:
        raise ValueError(
            f"The 'n_components' parameter of {caller} must be at most {n_dims}, the dimensions of X. "
            f"Got {value!r} instead."
        )
    return count


def pad_columns(matrix: Float64Array, n_columns: int) -> Float64Array:
    """Return ``matrix`` with columns of zeros on the right."""
    padded: Float64Array = np.pad(matrix, [(0, 0), (0, n_columns - matrix.shape[1])])
    return padded


def indices_of(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """Return where ``mask`` is true, in the type that files hold."""
    return np.flatnonzero(mask).astype(np.int64)


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    return value if value is None or isinstance(value, str | int | float) else type(value).__name__
