"""xembed: ask text embeddings, and the models behind them, the questions that matter.

Did my corpus change, and how? Which texts are typical, which are outliers? Names are loaded when they are
first used (PEP 562), so that ``import xembed`` costs no more than numpy.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

# What lies where; nothing of it is imported here.
_SUBPACKAGES = (
    "attribution", "datasets", "defsent", "depth", "encoders", "geco", "isotropy", "reports", "shift",
)  # fmt: skip
_NAMES = {"load_encoder": "xembed.encoders", "read_result": "xembed._results"}

__all__ = ["__version__", *_SUBPACKAGES, *_NAMES]

if TYPE_CHECKING:
    from xembed import attribution as attribution
    from xembed import datasets as datasets
    from xembed import defsent as defsent
    from xembed import depth as depth
    from xembed import encoders as encoders
    from xembed import geco as geco
    from xembed import isotropy as isotropy
    from xembed import reports as reports
    from xembed import shift as shift
    from xembed._results import read_result as read_result
    from xembed.encoders import load_encoder as load_encoder


def __getattr__(name: str) -> Any:
    if name in _SUBPACKAGES:
        return importlib.import_module(f"xembed.{name}")
    if name in _NAMES:
        return getattr(importlib.import_module(_NAMES[name]), name)
    raise AttributeError(f"module 'xembed' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
