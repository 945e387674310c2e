"""Arrays and a description in one .safetensors file: numbers and JSON, nothing that could be executed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from xembed._core.files import check_file

Arrays = Mapping[str, npt.NDArray[Any]]

# One entry of metadata, because the library writes several in no fixed order.
_KEY = "xembed"
_DTYPES = ("F64", "I64")


def file_bytes(about: Mapping[str, Any], arrays: Arrays) -> bytes:
    """Return the content of the file: the same bytes for the same description and arrays."""
    from safetensors.numpy import save

    contiguous = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    content: bytes = save(contiguous, {_KEY: json.dumps(about, sort_keys=True, allow_nan=False)})
    return content


def read_file(path: str, *, format: str) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
    """Return the description and the arrays of a file of this format; the message of a ValueError is a reason."""
    from safetensors import SafetensorError, safe_open

    check_file(path, "load_transform")
    try:
        with safe_open(path, framework="np") as file:
            metadata = file.metadata() or {}
            if _KEY not in metadata:
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
        about = json.loads(metadata[_KEY])
    except (ValueError, RecursionError):
        about = None
    if not isinstance(about, dict):
        raise ValueError("its description is not JSON")
    if about.get("format") != format:
        raise ValueError(f"its format is {about.get('format')!r:.60}, and this version of xembed reads {format!r}")
    return about, arrays


def check_number_in_file(name: str, value: Any, kind: type[int] | type[float] = int) -> int | float:
    """Return a number of the description: a positive integer, or a share."""
    if type(value) is not kind or not (value >= 1 if kind is int else 0 <= value <= 1):
        raise ValueError(f"its {name} is {value!r:.60}")
    return value


def check_array_in_file(
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
