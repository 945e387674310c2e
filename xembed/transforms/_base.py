"""What all transforms share: checks, the loop over blocks, a description, files."""

from __future__ import annotations

import json
import os
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from xembed._core.files import atomic_write, check_file
from xembed._core.moments import Array, block_slices, raise_for_infinite_rows
from xembed._core.validation import FloatArray, check_embeddings, raise_for_bad_rows

if TYPE_CHECKING:
    from typing_extensions import Self

FORMAT = "xembed.correction/1"
# One entry of metadata, because the library writes several in no fixed order.
_METADATA = "xembed"
_DTYPES = ("F64", "I64")
_INTEGER_ARRAYS = ("dead_dimensions_", "cluster_sizes_")
_SHARES = ("shrinkage_",)


class Transform(TransformerMixin, BaseEstimator, ABC):
    """Base of the transforms: a subclass learns in ``_learn`` and says in ``_apply`` what happens to rows.

    One of this package that says what it learns (``_arrays``, ``_numbers``) can be saved and loaded.
    """

    # What pages and documentation say: the name, one sentence, and keys of the bibliography.
    label: ClassVar[str]
    meaning: ClassVar[str]
    cites: ClassVar[tuple[str, ...]] = ()

    mean_: Array
    n_samples_fit_: int
    n_features_in_: int
    rank_: int

    # What `fit` learns and a file keeps: the names of arrays with the names of their sides, and of plain numbers.
    # A side with the name of a number has that length; other names have to agree with each other.
    _arrays: ClassVar[Mapping[str, tuple[str, ...]]]
    _numbers: ClassVar[tuple[str, ...]] = ("n_samples_fit_", "rank_")
    _registered: ClassVar[dict[str, type[Transform]]] = {}

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "_arrays" in vars(cls) and cls.__module__.startswith("xembed."):
            Transform._registered[cls.__name__] = cls

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn from the rows of ``X``, and return the transform.

        Parameters
        ----------
        X : array-like of shape (n_texts, n_dims)
            Embeddings, two rows at least.
        y : None
            Not used.

        Raises
        ------
        ValueError
            If a parameter is not as described; if ``X`` is not 2-D, has fewer than 2 rows, rows that are not finite
            (they are named), rows that are all equal or vary in too few directions, or numbers whose squares overflow.
        TypeError
            If ``X`` does not hold real numbers, or a parameter is of another type.
        """
        self._check_parameters()
        points = self._check_rows(X)
        if len(points) < 2:
            raise ValueError(
                f"X must hold at least 2 rows (texts) for {type(self).__name__}.fit. Got n_samples = {len(points)}: "
                "fit on a corpus, a single text can be transformed afterwards."
            )
        self.rank_ = self._learn(points)
        self._check_features(X, points.shape[1], reset=True)
        self.n_samples_fit_ = len(points)
        return self

    def transform(self, X: Any) -> FloatArray:
        """Return the transformed rows of ``X``.

        Parameters
        ----------
        X : array-like of shape (n_texts, n_dims)
            Embeddings of the same model as those of `fit`.

        Returns
        -------
        ndarray of shape (n_texts, n_dims_out)
            In float32 if ``X`` is of float32 or float16, otherwise in float64. Rows are not scaled to unit length.

        Raises
        ------
        NotFittedError
            If `fit` was not called.
        ValueError
            If ``X`` has another number of dimensions than in `fit`, or rows that are not finite, before or after.
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
                result[part] = self._apply(points[part].astype(np.float64))
        raise_for_bad_rows(
            ~np.all(np.isfinite(result), axis=1),
            name="X",
            problem=f"too large for {result.dtype} after {type(self).__name__}.transform",
            remedy="Are they of the model that it was fitted to?",
        )
        return result

    def describe(self) -> dict[str, Any]:
        """Return what a report says about the transform, as plain data.

        A dict with ``class``, ``parameters``, ``n_fit`` (rows it was fitted to), ``n_dims`` (of what goes in) and
        ``rank`` (directions that it keeps). The last three are None before `fit`.
        """
        return {
            "class": type(self).__name__,
            "parameters": self._plain_parameters(),
            "n_fit": getattr(self, "n_samples_fit_", None),
            "n_dims": getattr(self, "n_features_in_", None),
            "rank": getattr(self, "rank_", None),
        }

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the fitted transform to one .safetensors file, whole or not at all; `load_transform` reads it.

        Raises
        ------
        NotFittedError, OSError
            If `fit` was not called, or the file can't be written.
        """
        content = transform_bytes(self)
        with atomic_write(path) as file:
            file.write(content)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    @abstractmethod
    def _check_parameters(self) -> None:
        """Raise an error if a parameter has a wrong type or a value that is never right."""

    @abstractmethod
    def _learn(self, points: FloatArray) -> int:
        """Set what is learned from at least two finite rows, and return the number of directions that are kept."""

    @abstractmethod
    def _apply(self, block: Array) -> Array:
        """Return the transformed rows; ``block`` may be written to."""

    def _width(self) -> int:
        return self.n_features_in_

    def _check_rows(self, X: Any) -> FloatArray:
        points = check_embeddings(X, name="X", caller=type(self).__name__)
        raise_for_infinite_rows(points, name="X")
        return points

    def _check_features(self, X: Any, n_dims: int, *, reset: bool) -> None:
        features = X if hasattr(X, "columns") else np.empty((0, n_dims))
        validate_data(self, features, reset=reset, skip_check_array=True)

    def _plain_parameters(self) -> dict[str, Any]:
        return {name: _plain(value) for name, value in sorted(self.get_params(deep=False).items())}


def load_transform(path: str | os.PathLike[str]) -> Transform:
    """Read a transform that its ``save`` wrote; nothing in the file is executed.

    Parameters
    ----------
    path : path-like
        The file.

    Returns
    -------
    AllButTheTop, ClusterIsotropy, ICAProjection, Standardize or Whitening
        The fitted transform: it gives the same bits as the one saved. A ``random_state`` that was a generator is None.

    Raises
    ------
    OSError
        If the file can't be read.
    ValueError
        If it is another file, not complete, or of a later version of the format.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from xembed.transforms import Standardize, load_transform
    >>> transform = Standardize().fit([[1.0, 2.0], [3.0, 6.0]])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "transform.safetensors")
    ...     transform.save(path)
    ...     load_transform(path).transform([[3.0, 2.0]])
    array([[ 1., -1.]])
    """
    path = os.fspath(path)
    try:
        return _rebuild(*_read_file(path))
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        reason = f"it lacks {error}" if isinstance(error, KeyError) else str(error)
        raise ValueError(
            f"{path!r} must be a file that the save method of a transform wrote. It can't be read: {reason}."
        ) from None


load_correction = load_transform  # its first name


def transform_bytes(transform: Transform) -> bytes:
    """Return the content of the file: the same bytes for the same fitted transform."""
    from safetensors.numpy import save

    kind = type(transform)
    if Transform._registered.get(kind.__name__) is not kind:
        name = f"{kind.__module__}.{kind.__qualname__}"
        raise TypeError(f"Only transforms of xembed can be saved, not subclasses of them. Got {name} instead.")
    check_is_fitted(transform, "n_samples_fit_")
    transform._check_parameters()
    parameters = transform._plain_parameters()
    # A generator changes while it is used, and transforming needs none.
    if isinstance(getattr(transform, "random_state", None), np.random.RandomState):
        parameters["random_state"] = None
    about: dict[str, Any] = {
        "format": FORMAT,
        "class": kind.__name__,
        "parameters": parameters,
        "n_features_in": int(transform.n_features_in_),
        "fitted": {name: getattr(transform, name) for name in kind._numbers},
    }
    if hasattr(transform, "feature_names_in_"):
        about["feature_names_in"] = [str(name) for name in transform.feature_names_in_]
    arrays = {name: np.ascontiguousarray(getattr(transform, name)) for name in kind._arrays}
    content: bytes = save(arrays, {_METADATA: json.dumps(about, sort_keys=True, allow_nan=False)})
    return content


def _rebuild(about: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> Transform:
    """Return the transform of a file; nothing but registered classes is looked up by the name that it holds."""
    kind = _find_class(about["class"])
    parameters, fitted, n_dims = about["parameters"], about["fitted"], about["n_features_in"]
    if not isinstance(parameters, dict) or set(parameters) != set(kind().get_params()):
        raise ValueError(f"its parameters are not those of {kind.__name__}")
    if not isinstance(fitted, dict) or set(fitted) != set(kind._numbers) or set(arrays) != set(kind._arrays):
        raise ValueError(f"what it holds is not what {kind.__name__} learns")
    transform = kind(**parameters)
    transform._check_parameters()
    transform.n_features_in_ = int(_checked_number("n_features_in", n_dims))
    for name, value in fitted.items():
        setattr(transform, name, _checked_number(name, value, float if name in _SHARES else int))
    lengths = {**fitted, "n_features_in_": n_dims}
    for name, sides in kind._arrays.items():
        dtype = np.int64 if name in _INTEGER_ARRAYS else np.float64
        setattr(transform, name, _checked_array(name, arrays[name], sides, lengths, dtype))
    if not (arrays.get("scale_", np.ones(1)) > 0).all():
        raise ValueError("its scale_ is not above 0")
    dead = arrays.get("dead_dimensions_", np.empty(0))
    if not ((dead >= 0) & (dead < n_dims)).all():
        raise ValueError("its dead_dimensions_ are none of its dimensions")
    if "feature_names_in" in about:
        names = about["feature_names_in"]
        if not isinstance(names, list) or len(names) != n_dims or not all(isinstance(name, str) for name in names):
            raise ValueError("its feature_names_in are not one string a dimension")
        transform.feature_names_in_ = np.array(names, dtype=object)
    return transform


def _find_class(name: Any) -> type[Transform]:
    from xembed import transforms

    if isinstance(name, str) and name in dir(transforms):
        getattr(transforms, name)  # importing its module registers it
    known = Transform._registered
    if not isinstance(name, str) or name not in known:
        raise ValueError(f"its class is {name!r:.60}, which is none of those that this version of xembed knows")
    return known[name]


def _read_file(path: str) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
    """Return the description and the arrays of a file; the message of a ValueError is a reason."""
    from safetensors import SafetensorError, safe_open

    check_file(path, "load_transform")
    try:
        with safe_open(path, framework="np") as file:
            metadata = file.metadata() or {}
            if _METADATA not in metadata:
                raise ValueError("it holds something else")
            names = list(file.keys())
            dtypes = {file.get_slice(name).get_dtype() for name in names}
            if others := sorted(dtypes - set(_DTYPES)):
                raise ValueError(f"it holds numbers of the type {others[0]}")
            # A copy lies where numpy wants it, so that products round as they did before saving.
            arrays = {name: np.array(file.get_tensor(name), order="C") for name in names}
    except SafetensorError as error:
        raise ValueError(f"it is damaged, cut off or of another kind ({error})") from None
    try:
        about = json.loads(metadata[_METADATA])
    except (ValueError, RecursionError):
        about = None
    if not isinstance(about, dict):
        raise ValueError("its description is not JSON")
    if about.get("format") != FORMAT:
        raise ValueError(f"its format is {about.get('format')!r:.60}, and this version of xembed reads {FORMAT!r}")
    return about, arrays


def _checked_number(name: str, value: Any, kind: type[int] | type[float] = int) -> int | float:
    """Return a number of the description: a positive integer, or a share."""
    if type(value) is not kind or not (value >= 1 if kind is int else 0 <= value <= 1):
        raise ValueError(f"its {name} is {value!r:.60}")
    return value


def _checked_array(
    name: str, array: npt.NDArray[Any], sides: tuple[str, ...], known: dict[str, int], dtype: npt.DTypeLike
) -> npt.NDArray[Any]:
    """Return a finite array whose sides have the lengths that ``known`` has of them; new ones are added to it."""
    fits = array.ndim == len(sides) and all(
        known.setdefault(side, length) == length for side, length in zip(sides, array.shape, strict=True)
    )
    if not fits:
        raise ValueError(f"its {name} has the shape {array.shape}, which does not fit to the rest")
    if array.dtype != dtype:
        raise ValueError(f"its {name} is of the type {array.dtype}")
    if not np.isfinite(array).all():
        raise ValueError(f"its {name} is not finite")
    return array


def check_random_state_parameter(value: Any, *, caller: str) -> None:
    """Check a ``random_state`` of the kinds that scikit-learn takes."""
    is_integer = isinstance(value, int | np.integer) and not isinstance(value, bool)
    is_seed = is_integer and 0 <= value < 2**32
    if not (value is None or is_seed or isinstance(value, np.random.RandomState)):
        raise (ValueError if is_integer else TypeError)(
            f"The 'random_state' parameter of {caller} must be an integer in [0, 2**32), a numpy.random.RandomState or "
            f"None. Got {value!r} instead."
        )


def _plain(value: Any) -> Any:
    value = value.item() if isinstance(value, np.generic) else value
    return value if value is None or isinstance(value, str | int | float) else type(value).__name__
