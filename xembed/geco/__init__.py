"""The GECO benchmark: attribution methods scored against words that are known to decide."""

from __future__ import annotations
