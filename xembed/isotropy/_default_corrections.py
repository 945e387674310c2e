"""The corrections that are compared if none are named, and fitting them."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from xembed._core.validation import FloatArray
from xembed.isotropy._sts import check_vectors

RAW = "raw"


def check_corrections(corrections: Any, *, caller: str) -> dict[str, Any]:
    """Return the unfitted corrections by name; 'default' are those of this package."""
    if isinstance(corrections, str) and corrections == "default":
        return default_corrections()
    if not isinstance(corrections, Mapping) or not corrections:
        raise TypeError(
            f"The 'corrections' parameter of {caller} must be 'default' or a mapping of names to corrections, such as "
            f"{{'whitening': xembed.isotropy.Whitening()}}. Got {corrections!r:.60} instead."
        )
    for name, correction in corrections.items():
        if not isinstance(name, str) or not name.strip() or name in {RAW, "none"}:
            raise ValueError(
                f"The names of the 'corrections' of {caller} must be strings other than {RAW!r} and 'none', which have "
                f"a meaning of their own. Got {name!r:.60}."
            )
        is_class = isinstance(correction, type)
        if (
            is_class
            or not callable(getattr(correction, "fit", None))
            or not callable(getattr(correction, "transform", None))
        ):
            remedy = " Make one of the class first." if is_class else ""
            raise TypeError(
                f"The 'corrections' of {caller} must have .fit and .transform. Got {correction!r:.60} as {name!r}."
                + remedy
            )
    return dict(corrections)


def default_corrections() -> dict[str, Any]:
    """Return the corrections that are compared by default, unfitted.

    Returns
    -------
    dict of str to transformer
        ``center``, ``standardize``, ``all_but_the_top``, ``soft_whitening`` (power 0.5), ``whitening``,
        ``shrunk_whitening`` (Ledoit-Wolf) and ``cluster_isotropy``. They can be fitted, saved and put around an
        encoder (`wrap`).

    Examples
    --------
    >>> from xembed.isotropy import default_corrections
    >>> default_corrections()["soft_whitening"]
    Whitening(method='zca', power=0.5)
    """
    from xembed.transforms import AllButTheTop, ClusterIsotropy, Standardize, Whitening

    return {
        "center": AllButTheTop(0),
        "standardize": Standardize(),
        "all_but_the_top": AllButTheTop(),
        "soft_whitening": Whitening("zca", power=0.5),
        "whitening": Whitening("zca"),
        "shrunk_whitening": Whitening("zca", shrinkage="ledoit_wolf"),
        "cluster_isotropy": ClusterIsotropy(),
    }


def describe_corrections(corrections: Mapping[str, Any]) -> dict[str, str]:
    """Return how each correction is written in Python."""
    return {name: " ".join(repr(correction).split()) for name, correction in corrections.items()}


def correct(name: str, correction: Any, fit_rows: FloatArray, rows: FloatArray) -> FloatArray:
    """Return ``rows``, in float64, after a copy of the correction was fitted to ``fit_rows``."""
    if correction is None:
        return check_vectors(rows, name="The matrix of embeddings", unit=True)
    from sklearn.base import clone

    fitted = clone(correction) if hasattr(correction, "get_params") else copy.deepcopy(correction)
    try:
        found = fitted.fit(fit_rows).transform(rows)
    except ValueError as error:
        raise ValueError(f"The correction {name!r} can't be fitted to {len(fit_rows)} rows: {error}") from error
    found = check_vectors(found, name=f"The matrix of embeddings after {name!r}")
    if len(found) != len(rows):
        raise ValueError(f"The correction {name!r} must give one row a text. Got {len(found)} for {len(rows)}.")
    return found
