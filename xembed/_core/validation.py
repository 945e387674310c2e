"""The one place that checks what users pass in: what was expected, what came, what to do. Rows are counted from 0."""

from __future__ import annotations

import math
import sys
from collections.abc import Collection, Iterable
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from xembed._core.inputs import Embeddings as Embeddings
from xembed._core.inputs import as_array, is_missing, list_items, raise_for_texts, value_of_each
from xembed._core.text import count

FloatArray: TypeAlias = npt.NDArray[np.floating[Any]]
RNG: TypeAlias = int | np.random.Generator | None


def quote_options(options: Iterable[Any]) -> str:
    """Write the allowed values as a set with a fixed order."""
    return "{" + ", ".join(repr(option) for option in sorted(options)) + "}"


def check_option(value: Any, options: Collection[str], *, name: str, caller: str) -> str:
    """Return ``value`` if it is one of ``options``."""
    if not isinstance(value, str) or value not in options:
        raise ValueError(
            f"The {name!r} parameter of {caller} must be one of {quote_options(options)}. Got {value!r} instead."
        )
    return value


def check_number(
    value: Any, *, name: str, caller: str, low: float, high: float = math.inf, closed: str = "both"
) -> float:
    """Return ``value`` as a finite float inside the interval; ``closed`` is 'both', 'left', 'right' or 'neither'."""
    is_number = isinstance(value, int | float | np.integer | np.floating)
    is_number = is_number and not isinstance(value, bool | np.timedelta64)
    finite = is_number and abs(value.item() if isinstance(value, np.generic) else value) <= sys.float_info.max
    above = is_number and (value >= low if closed in {"both", "left"} else value > low)
    below = is_number and (value <= high if closed in {"both", "right"} else value < high)
    if not (finite and above and below):
        left = "[" if closed in {"both", "left"} else "("
        right = "]" if closed in {"both", "right"} and high < math.inf else ")"
        raise (ValueError if is_number else TypeError)(
            f"The {name!r} parameter of {caller} must be a number in {left}{low:g}, {high:g}{right}. "
            f"Got {value!r} instead."
        )
    return float(value)


def check_count(value: Any, *, name: str, caller: str, low: int = 1) -> int:
    """Return ``value`` as an int of at least ``low``."""
    is_integer = isinstance(value, int | np.integer) and not isinstance(value, bool | np.timedelta64)
    if not is_integer or value < low:
        raise (ValueError if is_integer else TypeError)(
            f"The {name!r} parameter of {caller} must be an integer of at least {low}. Got {value!r} instead."
        )
    return int(value)


def check_rng(rng: RNG, *, name: str = "rng", caller: str) -> np.random.Generator:
    """Return a generator. ``None`` means seed 0: the same call gives the same result."""
    if isinstance(rng, np.random.Generator):
        return rng
    if rng is None:
        return np.random.default_rng(0)
    if isinstance(rng, int | np.integer) and not isinstance(rng, bool) and rng >= 0:
        return np.random.default_rng(int(rng))
    raise TypeError(
        f"The {name!r} parameter of {caller} must be a non-negative integer, a numpy.random.Generator or None. "
        f"Got {rng!r} instead."
    )


def describe_rng(rng: RNG) -> int | str:
    """Say what ``rng`` was, for a result's provenance."""
    if rng is None:
        return 0
    return type(rng).__name__ if isinstance(rng, np.random.Generator) else int(rng)


def check_embeddings(X: Any, *, name: str, caller: str, min_rows: int = 1) -> FloatArray:
    """Return ``X`` as a 2-D array of floats, without a copy where it is one; rows that are bad are found by callers."""
    array = as_array(X, name=name, caller=caller)
    if array.dtype.kind in "SUT" or (array.dtype.kind == "O" and any(isinstance(item, str) for item in array.flat)):
        raise_for_texts(name, caller)
    if array.ndim != 2:
        remedy = f"Reshape your data: a single text is {name}.reshape(1, -1)." if array.ndim == 1 else ""
        expected = f"{name} must be a 2-D array of shape (n_texts, n_dims)."
        raise ValueError(f"{expected} Got an array of shape {array.shape} instead. {remedy}".rstrip())
    array = _as_floats(array, name=name, caller=caller)
    rows, columns = array.shape
    if columns == 0:
        raise ValueError(f"{name} has 0 feature(s) (shape={array.shape}) while a minimum of 1 is required.")
    if rows < min_rows:
        raise ValueError(
            f"{name} must hold at least {count(min_rows, 'row')} (texts) for {caller}. Got n_samples = {rows}."
        )
    return array


def _as_floats(array: npt.NDArray[Any], *, name: str, caller: str) -> FloatArray:
    if np.iscomplexobj(array):
        raise ValueError(f"Complex data not supported: {name} must hold real numbers. Got dtype {array.dtype}.")
    if array.dtype.kind == "O":  # Python numbers
        try:
            return array.astype(np.float64)
        except (TypeError, ValueError) as error:
            message = f"{name} must hold numbers (argument of {caller}). Got an array of Python objects: {error}."
            raise (TypeError if isinstance(error, TypeError) else ValueError)(message) from None
    if array.dtype.name.startswith(("bfloat16", "float8")):  # types that other libraries add to numpy
        return array.astype(np.float32)
    if array.dtype.kind not in "iuf":
        raise TypeError(
            f"{name} must hold real numbers (argument of {caller}). Got dtype {array.dtype}: pass the embeddings, one "
            "row of floats a text."
        )
    return array if array.dtype in (np.float16, np.float32, np.float64) else array.astype(np.float64)


def check_same_dims(*named: tuple[str, FloatArray]) -> None:
    """Check that all arrays have the same number of columns."""
    (first_name, first), *others = named
    for name, array in others:
        if array.shape[1] != first.shape[1]:
            raise ValueError(
                f"{first_name} and {name} must have the same number of dimensions. Got {first.shape[1]} and "
                f"{array.shape[1]}: were they embedded by the same model?"
            )


def is_name(value: Any) -> bool:
    """Return whether a value is a text that is not blank, of valid Unicode."""
    return isinstance(value, str) and bool(value.strip()) and _is_unicode(value)


def check_names(names: tuple[str, str], *, caller: str) -> tuple[str, str]:
    """Return the names of two corpora: different, not blank."""
    pair = tuple(names) if isinstance(names, list | tuple) else ()
    if len(pair) != 2 or not all(map(is_name, pair)):
        raise ValueError(
            f"The 'names' parameter of {caller} must be a pair of names, valid Unicode. Got {names!r} instead."
        )
    if pair[0] == pair[1]:
        raise ValueError(f"The two corpora must have different names. Got {pair[0]!r} twice.")
    return str(pair[0]), str(pair[1])


def check_flag(value: Any, *, name: str, caller: str) -> bool:
    """Return ``value`` if it is True or False."""
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"The {name!r} parameter of {caller} must be True or False. Got {value!r} instead.")
    return bool(value)


def check_warnings(warnings: Any, *, caller: str) -> list[str]:
    """Return the warnings of earlier steps as a list of strings."""
    items = list_items(warnings, name=f"The 'warnings' parameter of {caller}")
    if wrong := [item for item in items if not isinstance(item, str)]:
        raise TypeError(f"The 'warnings' parameter of {caller} must be a list of strings. Got {wrong[0]!r:.60} in it.")
    return items


def _is_unicode(text: str) -> bool:
    # A lone surrogate can't be encoded as UTF-8, so neither hashed, tokenized nor written.
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def shows_progress(progress: Any, *, caller: str) -> bool:
    """Return whether to show a progress bar: as asked, or, for None, if stderr is a terminal."""
    if progress is not None and not isinstance(progress, bool | np.bool_):
        raise TypeError(f"The 'progress' parameter of {caller} must be True, False or None. Got {progress!r} instead.")
    # A program without a console has no stderr.
    terminal = sys.stderr is not None and sys.stderr.isatty()
    return terminal if progress is None else bool(progress)


def raise_for_bad_rows(bad: npt.NDArray[np.bool_], *, name: str, problem: str, remedy: str) -> None:
    """Raise an error that counts and names the rows where ``bad`` is true, if there are any."""
    rows = np.flatnonzero(bad)
    if len(rows):
        verb = "row that is" if len(rows) == 1 else "rows that are"
        raise ValueError(f"{name} holds {len(rows)} {verb} {problem} (first: row {rows[0]}). {remedy}")


def check_texts(texts: Any, *, name: str = "texts", min_texts: int = 1, blank: bool = False) -> list[str]:
    """Return ``texts`` as a list of strings, none of them blank unless ``blank`` is true."""
    result = list_items(texts, name=name)
    wrong = [i for i, text in enumerate(result) if not isinstance(text, str)]
    if wrong:
        item = result[wrong[0]]
        remedy = "Convert or drop such rows first."
        if all(is_missing(result[i]) for i in wrong):
            remedy = "A text is missing there: drop such rows first, with all that belongs to them."
        elif isinstance(item, bytes):
            remedy = "Decode them first: [text.decode() for text in texts]."
        elif isinstance(item, dict):
            remedy = f"Pass {value_of_each(item, 'texts')}."
        raise TypeError(
            f"{name} holds {count(len(wrong), 'item')} that {'are' if len(wrong) > 1 else 'is'} not a string (first: "
            f"item {wrong[0]}, {type(item).__name__} {item!r:.60}). {remedy}"
        )
    if len(result) < min_texts:
        raise ValueError(f"{name} must hold at least {count(min_texts, 'text')}. Got {len(result)}.")
    blanks = [] if blank else [i for i, text in enumerate(result) if not text.strip()]
    if blanks:
        raise ValueError(
            f"{name} holds {count(len(blanks), 'blank text')} (first: item {blanks[0]}). "
            "Drop them first: a blank text has no meaningful embedding."
        )
    invalid = next((i for i, text in enumerate(result) if not (text.isascii() or _is_unicode(text))), None)
    if invalid is not None:
        raise ValueError(
            f"{name} holds text that is not valid Unicode (first: item {invalid}, a lone surrogate). "
            "Clean it first, for example text.encode('utf-8', 'replace').decode()."
        )
    return [str(text) for text in result]  # numpy.str_ and other subclasses become plain str
