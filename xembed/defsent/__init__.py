"""DefSent and DefSent+: training encoders with dictionary definitions."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from xembed.defsent._result import DefSentResult, TrainingRound

__all__ = ["DefSent", "DefSentPlus", "DefSentResult", "PromptEncoder", "TrainingRound", "TrainingStep"]

if TYPE_CHECKING:
    from xembed.defsent._defsent import DefSent
    from xembed.defsent._defsent_plus import DefSentPlus
    from xembed.defsent._prompt import PromptEncoder
    from xembed.defsent._training import TrainingStep

# PyTorch is loaded only for what trains or encodes.
_LAZY = {
    "DefSent": "_defsent",
    "DefSentPlus": "_defsent_plus",
    "PromptEncoder": "_prompt",
    "TrainingStep": "_training",
}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(f"xembed.defsent.{_LAZY[name]}"), name)
    raise AttributeError(f"module 'xembed.defsent' has no attribute {name!r}")
