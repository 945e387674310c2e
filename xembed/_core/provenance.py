"""How a result was made, and the strict JSON that says so."""

from __future__ import annotations

import json
import platform
from functools import lru_cache
from importlib import metadata
from typing import Any


@lru_cache(maxsize=1)
def versions() -> dict[str, str]:
    """Return the versions of what a number depends on, without importing any of it."""
    from xembed import __version__

    installed = {"xembed": __version__, "python": platform.python_version()}
    for package in ("numpy", "scipy", "torch", "transformers", "sentence-transformers"):
        try:
            installed[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return installed


def provenance(function: str, **parameters: Any) -> dict[str, Any]:
    """Return how a result was made: the function, its parameters and the versions."""
    return {"function": function, "parameters": parameters, "versions": dict(versions())}


def dump_json(data: Any) -> str:
    """Write strict JSON: no NaN, numbers that read back to the same bits, text as it is."""
    if not isinstance(data, dict):
        return _encodable(json.dumps(data, ensure_ascii=False, allow_nan=False))
    # One line a field: readable and diffable, without a line for every number of an array.
    lines = (
        f"{json.dumps(key)}: {json.dumps(item, ensure_ascii=False, allow_nan=False)}" for key, item in data.items()
    )
    return _encodable("{\n" + ",\n".join(lines) + "\n}\n")


def _encodable(text: str) -> str:
    """Write halves of characters, which UTF-8 can't hold, as JSON escapes them."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-8", "backslashreplace").decode("utf-8")
    return text
