"""Statistical depth: which texts are typical of a corpus, and which are outliers."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from xembed.depth._depth import tte_depth
from xembed.depth._local import local_depth
from xembed.depth._moments import moment_error
from xembed.depth._outliers import OutlierResult, find_outliers
from xembed.depth._selection import select, select_examples

__all__ = [
    "OutlierResult",
    "TTEDepth",
    "find_outliers",
    "local_depth",
    "moment_error",
    "select",
    "select_examples",
    "tte_depth",
]

if TYPE_CHECKING:
    from xembed.depth._estimator import TTEDepth


def __getattr__(name: str) -> Any:
    if name == "TTEDepth":  # scikit-learn is loaded only for the estimator
        return importlib.import_module("xembed.depth._estimator").TTEDepth
    raise AttributeError(f"module 'xembed.depth' has no attribute {name!r}")
