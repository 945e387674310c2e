"""Writing files so that nothing half-written is ever left behind."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO


@contextlib.contextmanager
def atomic_write(path: str | os.PathLike[str], *, exclusive: bool = False) -> Iterator[IO[bytes]]:
    """Open a temporary file beside ``path``; it takes the name ``path`` only if the block ends well.

    Parameters
    ----------
    path : path-like
        The file.
    exclusive : bool, default=False
        Leave a file that has the name already as it is, whoever made it and when.

    Raises
    ------
    FileExistsError
        If ``exclusive`` and the name is taken when the block ends.
    OSError
        If the folder does not exist or can't be written, with a message that names it.
    """
    target = Path(path)
    check_writable(target)
    descriptor, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".part")
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
        Path(temporary).chmod(0o666 & ~_umask())  # mkstemp gives 0600, an ordinary file follows the umask
        if exclusive:
            _name_first(Path(temporary), target)
        else:
            Path(temporary).replace(target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def write_together(contents: Mapping[Path, bytes]) -> None:
    """Write several files that belong together: all are complete before the first takes its name."""
    with contextlib.ExitStack() as stack:
        for path, content in contents.items():
            stack.enter_context(atomic_write(path)).write(content)


def check_writable(path: str | os.PathLike[str]) -> Path:
    """Return ``path`` if a file can be written there, or say why not."""
    target = Path(path)
    if target.is_dir():
        raise IsADirectoryError(f"{str(target)!r} can't be written: it is a folder. Give the path of a file.")
    if not target.parent.is_dir():
        raise FileNotFoundError(
            f"{str(target)!r} can't be written: the folder {str(target.parent)!r} does not exist. Create it first."
        )
    if not os.access(target.parent, os.W_OK | os.X_OK):
        raise PermissionError(f"{str(target)!r} can't be written: no permission in the folder {str(target.parent)!r}.")
    return target


def _name_first(temporary: Path, target: Path) -> None:
    """Give a file a name that no other has; a link, unlike renaming, never takes it from another file."""
    try:
        os.link(temporary, target)
    except FileExistsError:
        raise
    except OSError:  # a file system without links
        if target.exists():
            raise FileExistsError(f"{str(target)!r} exists already.") from None
        temporary.replace(target)
    else:
        temporary.unlink()


def _umask() -> int:
    # The umask can only be read by setting it. Reading /proc avoids that where it exists, since the
    # umask is the process's and another thread may be creating files.
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("Umask:"):
                return int(line.split()[1], 8)
    return 0o022
