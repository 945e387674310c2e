"""What an encoder said of itself when it was loaded: with it, texts that are all in the cache need no model.

A record is a JSON file in the cache folder. Its name is a hash of all that decides what an encoder is: the model's
files (name, size, inode, times), the options, and the versions of the libraries. Not noticed is only a file with other
content and all of these the same, which takes setting the clock back. In doubt the model is loaded.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
from collections.abc import Callable, Mapping
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xembed._core.files import atomic_write
from xembed.encoders._cache import cache_folder

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

VERSION = 1  # raise it when an encoder's description or fingerprint changes although no file and no library does
_MAX_FILES = 2000
_LIBRARIES = ("sentence-transformers", "transformers", "tokenizers", "torch", "safetensors", "huggingface-hub")
_TYPES: Mapping[str, tuple[type, ...]] = {
    **dict.fromkeys(("model", "dtype", "fingerprint", "device"), (str,)),
    **dict.fromkeys(("revision", "pooling"), (str, type(None))),
    **dict.fromkeys(("layer", "dimension"), (int,)),
    "normalize": (bool,),
    "max_length": (int, type(None)),
}


class Record:
    """A model that is loaded on first need, and what is ``known`` of its encoder before; no ``folder``: in doubt."""

    def __init__(
        self, folder: Path | None, options: Mapping[str, Any], load: Callable[[], SentenceTransformer]
    ) -> None:
        self._folder, self._options, self._load = folder, dict(options), load
        self._key = self._find_key()
        self.known = self._read()
        self._model: SentenceTransformer | None = None
        self._as_loaded: Any = None

    def load(self) -> SentenceTransformer:
        """Return the model, the same one each time."""
        if self._model is None:
            self._model = self._load()
            if self._key is not None:
                from xembed.encoders import _fingerprint

                self._as_loaded = _fingerprint.snapshot(self._model)
        return self._model

    def keep(self, known: dict[str, Any]) -> None:
        """Write what the encoder says of itself, unless the model or its files were changed since it was loaded."""
        if self._key is None or known == self.known:
            return
        from xembed.encoders import _fingerprint

        if self._as_loaded != _fingerprint.snapshot(self.load()) or self._key != self._find_key():
            return
        self.known = known
        with contextlib.suppress(OSError):  # a folder that can't be written to
            path = self._path()
            path.parent.mkdir(parents=True, exist_ok=True)
            with atomic_write(path) as file:
                file.write(json.dumps(known).encode("utf-8"))

    def _path(self) -> Path:
        return cache_folder() / "encoders" / f"{self._key}.json"

    def _find_key(self) -> str | None:
        files = None if self._folder is None else _list_files(self._folder)
        if files is None:
            return None
        try:
            versions = {name: metadata.version(name) for name in _LIBRARIES}
        except metadata.PackageNotFoundError:
            return None
        content = {"version": VERSION, "files": files, "options": self._options, "libraries": versions}
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:32]

    def _read(self) -> dict[str, Any] | None:
        if self._key is None:
            return None
        try:
            known = json.loads(self._path().read_text("utf-8"))
        except (OSError, ValueError, RecursionError):
            return None
        valid = (
            isinstance(known, dict)
            and known.keys() == _TYPES.keys()
            and all(type(known[name]) in types for name, types in _TYPES.items())
            and re.fullmatch("[0-9a-f]{64}", known["fingerprint"]) is not None
            and known["dimension"] > 0
        )
        return known if valid else None


def _list_files(folder: Path) -> list[list[Any]] | None:
    """Return name, size, inode and times of all files in a folder; None if they need not be all of the model's."""
    files: list[list[Any]] = []
    try:
        for root, _, names in os.walk(folder, followlinks=True):
            for name in names:
                path = Path(root, name)
                about = path.stat()
                times = (about.st_mtime_ns, about.st_ctime_ns)
                files.append([path.relative_to(folder).as_posix(), about.st_size, about.st_ino, *times])
                # Adapters name a model elsewhere, and old configurations may name a tokenizer.
                elsewhere = name == "adapter_config.json" or (
                    name == "sentence_bert_config.json" and "tokenizer_name_or_path" in path.read_text("utf-8")
                )
                if elsewhere or len(files) > _MAX_FILES:
                    return None
    except (OSError, ValueError):
        return None
    return sorted(files)
