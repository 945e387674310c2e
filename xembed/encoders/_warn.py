"""Warnings that point at the line of the user's program, however deep in the package they arise."""

from __future__ import annotations

import sys
import warnings


def warn_user(message: str) -> None:
    """Warn with the location of the first frame outside of xembed."""
    level = 1
    frame = sys._getframe()
    while frame is not None and (frame.f_globals.get("__name__") or "").partition(".")[0] == "xembed":
        frame = frame.f_back  # type: ignore[assignment]  # None above the outermost frame
        level += 1
    warnings.warn(message, stacklevel=level)
