"""Training that was interrupted goes on where it was: tensors in safetensors, the rest in JSON, no pickle.

``defsent-state.json`` names the files that belong to it. It is replaced only when they are complete, and what it no
longer names is deleted after that. So whenever a process is killed, the folder holds one whole checkpoint, the old or
the new.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xembed._core.files import atomic_write
from xembed._core.provenance import dump_json

if TYPE_CHECKING:
    import torch

_FORMAT = "xembed.defsent_checkpoint/1"
_STATE = "defsent-state.json"


class Checkpoints:
    """The checkpoint in a folder, or none if ``folder`` is None.

    Parameters
    ----------
    folder : path or None
        Created if it does not exist (its parent has to).
    fingerprint : mapping
        What the training depends on. A checkpoint with another one is refused.
    """

    def __init__(self, folder: str | os.PathLike[str] | None, fingerprint: Mapping[str, Any], *, caller: str) -> None:
        self._folder = None if folder is None else Path(folder)
        self._fingerprint = json.loads(json.dumps(fingerprint))
        self._caller = caller
        if self._folder is None:
            return
        if self._folder.exists() and not self._folder.is_dir():
            raise NotADirectoryError(
                f"The 'checkpoint_dir' parameter of {caller} must be a folder. Got the file {str(folder)!r} instead."
            )
        if not self._folder.parent.is_dir():
            raise FileNotFoundError(
                f"The 'checkpoint_dir' {str(folder)!r} of {caller} can't be made: the folder "
                f"{str(self._folder.parent)!r} does not exist. Create it first."
            )
        self._folder.mkdir(exist_ok=True)

    @property
    def enabled(self) -> bool:
        """Whether there is a folder."""
        return self._folder is not None

    def load(self) -> tuple[dict[str, Any], dict[str, torch.Tensor], dict[str, torch.Tensor]] | None:
        """Return state, tensors and the round's own arrays of the last checkpoint, or None if there is none."""
        if self._folder is None or not (self._folder / _STATE).is_file():
            return None
        path = self._folder / _STATE
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            if content["format"] != _FORMAT:
                raise ValueError(f"its format is {content['format']!r}, not {_FORMAT!r}")
            found = content["fingerprint"]
            state: dict[str, Any] = content["state"]
            names = (content["tensors"], content["arrays"])
        except (ValueError, KeyError, TypeError) as error:
            raise self._unreadable(path, error) from error
        self._compare(found)
        return state, self._read(names[0]), self._read(names[1])

    def save_arrays(self, number: int, arrays: Mapping[str, torch.Tensor]) -> str | None:
        """Write what round ``number`` needs all the time, and return the file's name."""
        if self._folder is None or not arrays:
            return None
        name = f"defsent-round-{number}.safetensors"
        self._write(name, arrays)
        return name

    def save(self, tag: str, state: Mapping[str, Any], tensors: Mapping[str, torch.Tensor], arrays: str | None) -> None:
        """Write a checkpoint; ``tag`` tells its file from the one before."""
        if self._folder is None:
            return
        name = f"defsent-weights-{tag}.safetensors"
        self._write(name, tensors)
        content = {
            "format": _FORMAT,
            "fingerprint": self._fingerprint,
            "state": dict(state),
            "tensors": name,
            "arrays": arrays,
        }
        with atomic_write(self._folder / _STATE) as file:
            file.write(dump_json(content).encode("utf-8"))
        for pattern in ("defsent-weights-*.safetensors*", "defsent-round-*.safetensors*"):
            for path in self._folder.glob(pattern):
                if path.name not in (name, arrays):
                    path.unlink(missing_ok=True)

    def _write(self, name: str, tensors: Mapping[str, torch.Tensor]) -> None:
        from safetensors.torch import save_file

        folder = self._folder or Path()
        temporary = folder / f"{name}.part"
        try:
            # A copy of each, because safetensors refuses tensors that share memory.
            save_file({key: tensor.detach().cpu().clone().contiguous() for key, tensor in tensors.items()}, temporary)
            temporary.replace(folder / name)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise

    def _read(self, name: str | None) -> dict[str, torch.Tensor]:
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        if name is None:
            return {}
        path = (self._folder or Path()) / Path(name).name
        try:
            return load_file(path)
        except (OSError, SafetensorError) as error:
            raise self._unreadable(path, error) from error

    def _unreadable(self, path: Path, error: Exception) -> ValueError:
        return ValueError(
            f"The checkpoint {str(path)!r} of {self._caller} can't be read ({type(error).__name__}: {error}). It is "
            "damaged or of another program: give another 'checkpoint_dir', or delete the folder to start anew."
        )

    def _compare(self, found: Any) -> None:
        before, now = _flatten(found), _flatten(self._fingerprint)
        missing = object()
        differs = [key for key in sorted({*before, *now}) if before.get(key, missing) != now.get(key, missing)]
        if differs:
            shown = ", ".join(f"{key} ({_show(before.get(key))} there, {_show(now.get(key))} here)" for key in differs)
            raise ValueError(
                f"The 'checkpoint_dir' of {self._caller} holds another training: it differs in {shown}. Give the "
                f"same, another folder, or delete {str(self._folder)!r} to start anew."
            )


def _flatten(content: Any, prefix: str = "") -> dict[str, Any]:
    if not isinstance(content, dict):
        return {prefix: content}
    flat: dict[str, Any] = {}
    for key, value in content.items():
        flat |= _flatten(value, f"{prefix}.{key}" if prefix else str(key))
    return flat


def _show(value: Any) -> str:
    with contextlib.suppress(ValueError, TypeError):
        if len(value) == 64 and int(value, 16) >= 0:  # a hash
            return f"{value[:8]}..."
    return repr(value)
