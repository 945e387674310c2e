"""Cases by name, what they give as plain data, and files of it."""

import dataclasses
import functools
import gzip
import json
import os
import random
import sys
import time
import traceback
import warnings
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

import numpy as np

CASES = {}

# What differs between two runs of the same code.
_DROPPED = {"seconds", "versions", "command", "created"}
_PACKAGES = ("numpy", "scipy", "scikit-learn", "pandas", "torch", "transformers", "sentence-transformers")


def family(name):
    """Return a decorator that registers a function without arguments as the case ``name.function``."""

    def case(function):
        CASES[f"{name}.{function.__name__}"] = function
        return function

    return case


def variants(name, **options):
    """Return a decorator that registers ``function(option)`` for each of some named options."""

    def case(function):
        for label, option in options.items():
            CASES[f"{name}.{function.__name__}.{label}"] = functools.partial(function, option)
        return function

    return case


class _Here:
    """The folders of this run: one for all cases, and one for the case that runs."""

    root = case = None


def shared_folder(name):
    """Return a folder that lasts for all cases."""
    folder = _Here.root / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def own_folder():
    """Return the empty folder of the case that runs."""
    return _Here.case


def run_all(names, root):
    """Run cases and return what they give; a failing one gives its error."""
    import xembed

    print(f"of {Path(xembed.__file__).parent}", file=sys.stderr)
    _Here.root = root
    found, times = {}, {}
    for place, name in enumerate(names):
        if sys.stderr.isatty():
            print(f"\r{place + 1}/{len(names)} {name:<60}", end="", file=sys.stderr, flush=True)
        start = time.process_time()
        found[name] = _run(name, root)
        times[name] = time.process_time() - start
    if sys.stderr.isatty():
        print("\r" + " " * 70, end="\r", file=sys.stderr)
    slowest = sorted(times, key=times.get, reverse=True)[:5]
    print(
        f"{len(names)} cases, {sum(times.values()):.0f} s of processor time; the slowest: "
        + ", ".join(f"{name} {times[name]:.0f} s" for name in slowest),
        file=sys.stderr,
    )
    failed = [name for name in names if "error" in found[name]]
    for name in failed:
        print(f"failed: {name}: {found[name]['error']['type']}: {found[name]['error']['message']}", file=sys.stderr)
    about = {"python": sys.version.split()[0]} | {name: metadata.version(name) for name in _PACKAGES}
    return {"about": about, "cases": found}


def _run(name, root):
    import torch

    _Here.case = root / name
    _Here.case.mkdir()
    # A cache of its own: embeddings differ in their last bits by the other texts of their batch.
    os.environ["XEMBED_CACHE"] = str(root / "caches" / name)
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002
    torch.manual_seed(0)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            data = plain(CASES[name](), root)
        except Exception as error:
            if os.environ.get("XEMBED_DEBUG"):
                traceback.print_exc()
            return {"error": plain({"type": type(error).__name__, "message": str(error)}, root)}
    said = [str(one.message) for one in caught if one.category in (UserWarning, RuntimeWarning)]
    return {"data": data, "warnings": plain(said, root)}


def plain(value, root):
    """Return what JSON holds of a value, without what differs between two runs of the same code."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str | Path):
        return str(value).replace(str(root), "<folder>")
    if isinstance(value, Mapping):
        return {_key(key): plain(item, root) for key, item in value.items() if key not in _DROPPED}
    if hasattr(value, "_asdict"):
        return plain(value._asdict(), root)
    if isinstance(value, list | tuple):
        return [plain(item, root) for item in value]
    if isinstance(value, set | frozenset):
        return sorted(plain(item, root) for item in value)
    if isinstance(value, np.datetime64):
        return str(value)
    if isinstance(value, np.ndarray) and value.dtype.kind == "M":
        return value.astype(str).tolist()
    return _plain_object(value, root)


def _plain_object(value, root):
    if hasattr(value, "columns") and hasattr(value, "iloc"):  # a table of pandas
        return {str(name): plain(value[name].tolist(), root) for name in value.columns if name not in _DROPPED}
    if hasattr(value, "to_dict"):
        return plain(value.to_dict(), root)
    if hasattr(value, "tolist"):  # arrays, numbers of numpy, tensors
        return plain(value.tolist(), root)
    if dataclasses.is_dataclass(value):
        return {field.name: plain(getattr(value, field.name), root) for field in dataclasses.fields(value)}
    if callable(value):
        return getattr(value, "__name__", type(value).__name__)
    return plain(str(value), root)


def _key(key):
    return " ".join(map(str, key)) if isinstance(key, tuple) else str(key)


def write(found, path):
    """Write a recording: the same bytes for the same data."""
    text = json.dumps(found, ensure_ascii=True, separators=(",", ":"))
    path.write_bytes(gzip.compress(text.encode(), mtime=0))


def read(path):
    """Read a recording."""
    return json.loads(gzip.decompress(path.read_bytes()))
