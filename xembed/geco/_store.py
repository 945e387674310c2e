"""The folder of a run: every finished piece of work is a file, written whole or not at all, so that a run can go on."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from xembed._core.files import atomic_write
from xembed._core.provenance import dump_json
from xembed.attribution._method import MethodOutput

_PLAN = "plan.json"


class Store:
    """Reads and writes the pieces of one run.

    Raises
    ------
    ValueError
        If the folder holds the run of another plan.
    FileExistsError
        If it holds a run, and ``resume`` is false, or anything else.
    """

    def __init__(self, folder: str | os.PathLike[str], plan: dict[str, Any], *, resume: bool, caller: str) -> None:
        self.folder = Path(folder)
        if not self.folder.parent.is_dir():
            raise FileNotFoundError(
                f"{str(self.folder)!r} can't be made: the folder {str(self.folder.parent)!r} does not exist."
            )
        self.folder.mkdir(exist_ok=True)
        path = self.folder / _PLAN
        text = dump_json(plan)
        if self._begin(path, text):
            return
        if not resume:
            raise FileExistsError(
                f"{str(self.folder)!r} holds a run already. Go on with it by resume=True, or give a new folder."
            )
        if (found := path.read_text(encoding="utf-8")) != text:
            other = _read_plan(found)
            if other is None:
                raise FileExistsError(
                    f"{str(self.folder)!r} holds a {_PLAN} that is no run of the benchmark. Give a new or an "
                    "empty folder."
                )
            wanted = json.loads(text)
            changed = sorted(key for key in {*other, *wanted} if other.get(key) != wanted.get(key))
            raise ValueError(
                f"{str(self.folder)!r} holds a run of {caller} with other settings ({', '.join(changed)} differ). Give "
                "a new folder, or the settings of that run."
            )

    def _begin(self, path: Path, text: str) -> bool:
        """Write the plan, unless there is one: also one that another run writes at this moment."""
        # A run that was killed at once leaves a half-written plan behind.
        strange = any(
            found.name != _PLAN and not found.name.startswith(f".{_PLAN}.") for found in self.folder.iterdir()
        )
        if path.exists():  # asked after the look into the folder: a run's plan is there before its other files
            return False
        if strange:
            raise FileExistsError(
                f"{str(self.folder)!r} holds files that are no run of the benchmark. Give a new or an empty folder."
            )
        try:
            with atomic_write(path, exclusive=True) as file:
                file.write(text.encode())
        except FileExistsError:
            return False
        return True

    def path(self, *parts: str) -> Path:
        """Return where a piece is or will be; its folder is made."""
        found = self.folder.joinpath(*parts)
        found.parent.mkdir(parents=True, exist_ok=True)
        return found

    def has(self, *parts: str) -> bool:
        """Whether a piece is there. Files take their name when they are complete."""
        return self.folder.joinpath(*parts).exists()

    def write_json(self, data: Any, *parts: str) -> None:
        """Write plain data."""
        with atomic_write(self.path(*parts)) as file:
            file.write(json.dumps(data, ensure_ascii=False).encode())

    def read_json(self, *parts: str) -> Any:
        """Read plain data."""
        return json.loads(self.path(*parts).read_text(encoding="utf-8"))

    def write_arrays(self, arrays: dict[str, np.ndarray], *parts: str) -> None:
        """Write arrays."""
        from safetensors.numpy import save

        with atomic_write(self.path(*parts)) as file:
            file.write(save({name: np.ascontiguousarray(values) for name, values in arrays.items()}))

    def read_arrays(self, *parts: str) -> dict[str, np.ndarray]:
        """Read arrays."""
        from safetensors.numpy import load

        found: dict[str, np.ndarray] = load(self.path(*parts).read_bytes())
        return found


def _read_plan(text: str) -> dict[str, Any] | None:
    try:
        plan = json.loads(text)
    except ValueError:
        return None
    return plan if isinstance(plan, dict) and "benchmark" in plan else None


def pack(output: MethodOutput, seconds: float) -> dict[str, np.ndarray]:
    """Return the output of a method as arrays."""
    return {
        "values": np.concatenate(output.words),
        "lengths": np.array([len(words) for words in output.words], dtype=np.int64),
        "special": output.special,
        "completeness": output.completeness,
        "baseline_scores": output.baseline_scores,
        "seconds": np.array([seconds]),
    }


def unpack(arrays: dict[str, np.ndarray]) -> tuple[MethodOutput, float]:
    """Return the output of a method, and the seconds that it took."""
    cuts = np.cumsum(arrays["lengths"])[:-1]
    words = [np.asarray(row) for row in np.split(arrays["values"], cuts)]
    output = MethodOutput(words, arrays["special"], arrays["completeness"], arrays["baseline_scores"])
    return output, float(arrays["seconds"][0])
