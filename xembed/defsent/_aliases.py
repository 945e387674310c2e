"""A name that moved to `xembed.encoders`, importable from here for one release."""

from __future__ import annotations

from xembed.encoders import PromptEncoder as PromptEncoder
