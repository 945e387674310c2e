"""Data that a page's script reads, written so that no text in them can end a script element."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any


def pack(data: Any) -> str:
    """Return base64 of gzipped JSON: for many texts."""
    return pack_text(json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False))


def pack_text(text: str) -> str:
    """Return base64 of a gzipped text, the same for the same text. UTF-8 holds no halves of characters."""
    return base64.b64encode(gzip.compress(text.encode("utf-8", "replace"), 9, mtime=0)).decode("ascii")


def script_json(data: Any) -> str:
    """Return JSON without the characters that HTML or a script could take for something else."""
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
