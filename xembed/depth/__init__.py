"""Statistical depth: which texts are typical of a corpus, and which are outliers."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from xembed.depth._depth import tte_depth

__all__ = ["TTEDepth", "tte_depth"]

if TYPE_CHECKING:
    from xembed.depth._estimator import TTEDepth


def __getattr__(name: str) -> Any:
    if name == "TTEDepth":  # scikit-learn is loaded only for the estimator
        return importlib.import_module("xembed.depth._estimator").TTEDepth
    raise AttributeError(f"module 'xembed.depth' has no attribute {name!r}")
