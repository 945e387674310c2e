"""Files: opened with errors that say what is wrong, written so that nothing half-written is ever left behind."""

from __future__ import annotations

import contextlib
import gzip
import io
import os
import shutil
import sys
import tempfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

# Bytes that a file may hold or unpack to, unless the environment variable XEMBED_MAX_BYTES says another number.
_MAX_BYTES = 2 * 2**30
# What is packed may also unpack to at most so many times its size, where that is more than so many bytes.
_MAX_RATIO, _MIN_UNPACKED = 100, 256 * 2**20
_GZIP = b"\x1f\x8b"
# Pipes that deliver: those of a process substitution in the shell. Any other may wait forever.
_OPEN_PIPES = ("/dev/fd/", "/dev/stdin", "/proc/self/fd/")


def check_file(path: str | os.PathLike[str], caller: str) -> tuple[Path, str]:
    """Return the path of a file that can be read, and how messages write it."""
    if not isinstance(path, str | os.PathLike):
        raise TypeError(
            f"The 'path' parameter of {caller} must be a str or path-like. Got {type(path).__name__} instead."
        )
    file = Path(path)
    shown = repr(str(file))
    if file.is_dir():
        raise IsADirectoryError(f"{shown} can't be read: it is a folder. Give the path of a file.")
    try:
        if file.exists() and not file.is_file() and not is_stream(file):
            raise OSError(f"{shown} can't be read: it is a device, a socket or a named pipe. Give an ordinary file.")
        file.open("rb").close()
    except FileNotFoundError:
        raise FileNotFoundError(f"{shown} can't be read: there is no such file.") from None
    except PermissionError:
        raise PermissionError(f"{shown} can't be read: no permission.") from None
    return file, shown


def is_stream(path: str | os.PathLike[str]) -> bool:
    """Return whether a path is standard input, '-', or a pipe that the shell opened: it has no ending, and one pass."""
    return isinstance(path, str | os.PathLike) and (os.fspath(path) == "-" or str(path).startswith(_OPEN_PIPES))


def most_bytes(packed: int | None = None) -> int:
    """Return how many bytes may be read; ``packed`` is the size of what is unpacked."""
    own = os.environ.get("XEMBED_MAX_BYTES")
    if own is not None:
        if not own.isascii() or not own.isdigit():
            raise ValueError(f"The environment variable XEMBED_MAX_BYTES must be a number of bytes. Got {own!r}.")
        return int(own)
    return _MAX_BYTES if packed is None else min(_MAX_BYTES, max(_MIN_UNPACKED, _MAX_RATIO * packed))


def too_large(source: str, limit: int, *, unpacked: bool = False) -> ValueError:
    """Return the error of a file beyond a limit of `most_bytes`."""
    holds = "unpacks to more than" if unpacked else "holds more than"
    return ValueError(
        f"{source} {holds} {limit:,} bytes, the most that is read. Split it, or set the environment variable "
        "XEMBED_MAX_BYTES to a larger number."
    )


def read_bytes(path: str | os.PathLike[str], caller: str) -> tuple[bytes, Path, str]:
    """Return what a file holds, its path, and how messages write it; '-' is standard input.

    What is packed with gzip is unpacked, and its path then has no '.gz'.

    Raises
    ------
    OSError, TypeError
        As `check_file`.
    ValueError
        If it holds or unpacks to more than `most_bytes`, or is not what '.gz' says.
    """
    if is_stream(path) and os.fspath(path) == "-":
        file, source = Path("-"), "standard input"
        data = _read_all(sys.stdin.buffer, source, most_bytes())
    else:
        file, source = check_file(path, caller)
        if file.is_file() and file.stat().st_size > (limit := most_bytes()):
            raise too_large(source, limit)
        with file.open("rb") as stream:
            data = _read_all(stream, source, most_bytes())
    is_named = file.suffix.lower() == ".gz"
    if is_named and not data.startswith(_GZIP):
        raise ValueError(f"{source} must be packed with gzip, as '.gz' says. Its first bytes are {data[:8]!r} instead.")
    if is_named or (data.startswith(_GZIP) and not file.suffix):
        try:
            with gzip.GzipFile(fileobj=io.BytesIO(data)) as unpacked:
                data = _read_all(unpacked, source, most_bytes(len(data)), unpacked=True)
        except (OSError, EOFError, zlib.error) as error:
            raise ValueError(f"{source} is damaged or incomplete: {error}. Pack it again.") from None
        file = file.with_suffix("") if is_named else file
    return data, file, source


def _read_all(stream: IO[bytes] | gzip.GzipFile, source: str, limit: int, *, unpacked: bool = False) -> bytes:
    parts, size = [], 0
    while part := stream.read(2**24):
        size += len(part)
        if size > limit:
            raise too_large(source, limit, unpacked=unpacked)
        parts.append(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def open_npy(path: str | os.PathLike[str], *, caller: str, name: str | None = None) -> npt.NDArray[Any]:
    """Map the 2-D array of real numbers of a .npy file; ``name`` is what messages call it.

    Raises
    ------
    OSError
        If the file can't be opened.
    ValueError
        If it is not a complete .npy file of such an array.
    """
    file, shown = check_file(path, caller)
    shown = shown if name is None else f"{name} ({shown})"
    with file.open("rb") as stream:
        start = stream.read(6)
    if start.startswith(b"PK"):
        raise ValueError(
            f"{shown} must be a .npy file with one array. Got an archive (.npz): save its array with np.save."
        )
    if start != b"\x93NUMPY":
        raise ValueError(f"{shown} must be a .npy file, as np.save writes it. Its first bytes are {start!r} instead.")
    try:
        array: npt.NDArray[Any] = np.load(file, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # a damaged header can end in almost any error of NumPy's parser
        if "Python objects" in str(error):
            raise ValueError(
                f"{shown} holds Python objects, which can't be read safely: save it as numbers: "
                "np.save(path, array.astype('float32'))."
            ) from None
        # Some versions of NumPy can't map an array without elements, so it may end here, too.
        raise ValueError(f"{shown} is empty, incomplete or damaged: {error}. Save it again.") from None
    if array.dtype.kind not in "biuf":
        raise ValueError(f"{shown} must hold real numbers. Got dtype {array.dtype}.")
    if array.ndim != 2:
        raise ValueError(
            f"{shown} must hold a 2-D array of shape (n_texts, n_dims). Got an array of shape {array.shape} instead."
        )
    if array.size == 0:
        raise ValueError(f"{shown} is empty: it holds an array of shape {array.shape}.")
    return array


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


@contextlib.contextmanager
def new_folder(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary folder beside ``path``; it takes the name ``path`` only if the block ends well.

    Raises
    ------
    FileExistsError
        If ``path`` exists and is not an empty folder.
    OSError
        If its parent does not exist or can't be written, with a message that names it.
    """
    target = Path(path)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise FileExistsError(f"{str(target)!r} can't be written: it exists and is not empty. Give a new folder.")
    check_writable(target.parent / f"{target.name}.part")
    temporary = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}."))
    try:
        yield temporary
        temporary.chmod(0o755)
        temporary.replace(target)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


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
