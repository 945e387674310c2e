"""Corrections as .safetensors files: numbers and JSON, nothing that could be executed."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from sklearn.utils.validation import check_is_fitted

from xembed._core.files import atomic_write
from xembed.transforms._cluster_isotropy import ClusterIsotropy
from xembed.transforms._correction import Correction
from xembed.transforms._corrections import AllButTheTop, Standardize
from xembed.transforms._ica import ICAProjection
from xembed.transforms._whitening import Whitening

if TYPE_CHECKING:
    from collections.abc import Mapping

FORMAT = "xembed.correction/1"
# A file names a class, and only these are made: nothing else is looked up by a name that a file holds.
_CLASSES: dict[str, type[Correction]] = {
    "AllButTheTop": AllButTheTop,
    "ClusterIsotropy": ClusterIsotropy,
    "ICAProjection": ICAProjection,
    "Standardize": Standardize,
    "Whitening": Whitening,
}
# One entry of metadata, because the library writes several in no fixed order.
_KEY = "xembed"
_DTYPES = {"F64": np.float64, "I64": np.int64}
_INTEGERS = ("dead_dimensions_", "cluster_sizes_")


def correction_bytes(correction: Correction) -> bytes:
    """Return the content of the file: the same bytes for the same fitted correction.

    Raises
    ------
    NotFittedError
        If it is not fitted.
    TypeError
        If its class is not one of the five that can be read back.
    """
    from safetensors.numpy import save

    kind = type(correction)
    if _CLASSES.get(kind.__name__) is not kind:
        raise TypeError(
            f"Only corrections of the classes {sorted(_CLASSES)} can be saved. Got {kind.__module__}."
            f"{kind.__qualname__} instead."
        )
    check_is_fitted(correction, "n_samples_fit_")
    correction._check_parameters()
    about: dict[str, Any] = {
        "format": FORMAT,
        "class": kind.__name__,
        "parameters": _saved_parameters(correction),
        "n_features_in": int(correction.n_features_in_),
        "fitted": {name: getattr(correction, name) for name in kind._numbers},
    }
    if hasattr(correction, "feature_names_in_"):
        about["feature_names_in"] = [str(name) for name in correction.feature_names_in_]
    arrays = {name: np.ascontiguousarray(getattr(correction, name)) for name in kind._arrays}
    content: bytes = save(arrays, {_KEY: json.dumps(about, sort_keys=True, allow_nan=False)})
    return content


def write_correction(correction: Correction, path: str | os.PathLike[str]) -> None:
    """Write the file, whole or not at all."""
    content = correction_bytes(correction)
    with atomic_write(path) as file:
        file.write(content)


def load_correction(path: str | os.PathLike[str]) -> Correction:
    """Read a correction that its ``save`` wrote.

    Nothing in a file is executed: it holds numbers, and the name of one of five classes.

    Parameters
    ----------
    path : path-like
        The file.

    Returns
    -------
    AllButTheTop, ClusterIsotropy, ICAProjection, Standardize or Whitening
        Fitted: it transforms to the same bits as the one that was saved. A ``random_state`` that was a generator is
        None.

    Raises
    ------
    OSError
        If the file can't be read.
    ValueError
        If it is not such a file, or not complete, or of a later version of the format.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from xembed.isotropy import Standardize, load_correction
    >>> correction = Standardize().fit([[1.0, 2.0], [3.0, 6.0]])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "correction.safetensors")
    ...     correction.save(path)
    ...     load_correction(path).transform([[3.0, 2.0]])
    array([[ 1., -1.]])
    """
    path = os.fspath(path)
    with open(path, "rb"):  # noqa: PTH123 - errors of the file system in their own words
        pass
    about, arrays = _read(path)
    try:
        return _rebuild(about, arrays)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        reason = f"it lacks {error}" if isinstance(error, KeyError) else str(error)
        raise _foreign(path, reason) from None


def _saved_parameters(correction: Correction) -> dict[str, Any]:
    parameters = correction._plain_parameters()
    # A generator moves on while it is used, and transforming needs none.
    if isinstance(getattr(correction, "random_state", None), np.random.RandomState):
        parameters["random_state"] = None
    return parameters


def _read(path: str) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np") as file:
            metadata = file.metadata() or {}
            if _KEY not in metadata:
                raise _foreign(path, "it holds something else")
            names = list(file.keys())
            found = {name: file.get_slice(name).get_dtype() for name in names}
            if wrong := sorted(set(found.values()) - set(_DTYPES)):
                raise _foreign(path, f"it holds numbers of the type {wrong[0]}")
            # A copy lies where numpy wants it, so that products round as they did before saving.
            arrays = {name: np.array(file.get_tensor(name), order="C") for name in names}
    except SafetensorError as error:
        raise _foreign(path, f"it is damaged, cut off or of another kind ({error})") from None
    try:
        about = json.loads(metadata[_KEY])
    except (ValueError, RecursionError):
        about = None
    if not isinstance(about, dict):
        raise _foreign(path, "its description is not JSON")
    if about.get("format") != FORMAT:
        raise _foreign(path, f"its format is {about.get('format')!r:.60}, and this version of xembed reads {FORMAT!r}")
    return about, arrays


def _rebuild(about: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> Correction:
    if not isinstance(about["class"], str) or about["class"] not in _CLASSES:
        raise ValueError(f"its class is {about['class']!r:.60}, which is none of {sorted(_CLASSES)}")
    kind = _CLASSES[about["class"]]
    parameters, fitted, n_dims = about["parameters"], about["fitted"], about["n_features_in"]
    if not isinstance(parameters, dict) or set(parameters) != set(kind().get_params()):
        raise ValueError(f"its parameters are not those of {kind.__name__}")
    if not isinstance(fitted, dict) or set(fitted) != set(kind._numbers) or set(arrays) != set(kind._arrays):
        raise ValueError(f"what it holds is not what {kind.__name__} learns")
    correction = kind(**parameters)
    correction._check_parameters()
    correction.n_features_in_ = _check_fitted_number("n_features_in", n_dims)
    for name, value in fitted.items():
        check = _check_share if name == "shrinkage_" else _check_fitted_number
        setattr(correction, name, check(name, value))
    sides = {"n_features_in_": n_dims} | {name: fitted[name] for name in ("n_clusters_",) if name in fitted}
    for name, shape in kind._arrays.items():
        _check_array(name, arrays[name], shape, sides, n_dims)
        setattr(correction, name, arrays[name])
    if "feature_names_in" in about:
        correction.feature_names_in_ = _check_feature_names(about["feature_names_in"], n_dims)
    return correction


def _check_fitted_number(name: str, value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError(f"its {name} is {value!r:.60}")
    return value


def _check_share(name: str, value: Any) -> float:
    if not isinstance(value, float) or not 0 <= value <= 1:
        raise ValueError(f"its {name} is {value!r:.60}")
    return value


def _check_array(
    name: str, array: npt.NDArray[Any], shape: tuple[str, ...], sides: dict[str, int], n_dims: int
) -> None:
    fits = array.ndim == len(shape) and all(
        sides.setdefault(side, length) == length for side, length in zip(shape, array.shape, strict=True)
    )
    if not fits:
        raise ValueError(f"its {name} has the shape {array.shape}, which does not fit to the rest")
    if array.dtype != (np.int64 if name in _INTEGERS else np.float64):
        raise ValueError(f"its {name} is of the type {array.dtype}")
    if not np.isfinite(array).all():
        raise ValueError(f"its {name} is not finite")
    if name == "dead_dimensions_" and not ((array >= 0) & (array < n_dims)).all():
        raise ValueError("its dead_dimensions_ are none of its dimensions")


def _check_feature_names(names: Any, n_dims: int) -> npt.NDArray[np.object_]:
    if not isinstance(names, list) or len(names) != n_dims or not all(isinstance(name, str) for name in names):
        raise ValueError("its feature_names_in are not one string a dimension")
    return np.array(names, dtype=object)


def _foreign(path: str, reason: str) -> ValueError:
    return ValueError(
        f"{path!r} must be a file that the save method of a correction wrote. It can't be read: {reason}."
    )
