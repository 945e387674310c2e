"""Files: opened with errors that say what is wrong, written so that nothing half-written is ever left behind."""

from __future__ import annotations

import contextlib
import errno
import gzip
import io
import json
import operator
import os
import re
import shutil
import stat
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
import numpy.typing as npt

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

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
    """Return what a file or standard input ('-') holds, unpacked, its path without '.gz', and how messages write it."""
    if isinstance(path, str | os.PathLike) and os.fspath(path) == "-":
        file, source = Path("-"), "standard input"
        if sys.stdin is None:
            raise OSError("standard input is closed, and nothing can be read from it. Give a file, or a pipe.")
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


def unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object of JSON (`json.loads` calls this), or say which key it has more than once."""
    content = dict(pairs)
    if len(content) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"an object has the key {next(k for k in keys if keys.count(k) > 1)!r:.60} more than once")
    return content


def open_npy(path: str | os.PathLike[str], *, caller: str, name: str | None = None) -> npt.NDArray[Any]:
    """Map the 2-D array of real numbers of a .npy file; ``name`` is what messages call it."""
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
    """Open a temporary file that gets the name ``path``, with ``exclusive`` only a free one, if the block ends well."""
    with _temporary(path) as piece:
        with piece.open() as file:
            yield file
        with _locked(piece.target.parent):
            _take_name(piece, exclusive=exclusive)


def write_together(contents: Mapping[Path, bytes], *, check: Callable[[Path], object] | None = None) -> None:
    """Write files, all or none; ``check`` is called with each name that is taken when they get theirs, to refuse it."""
    with contextlib.ExitStack() as stack:
        pieces = []
        for path, content in contents.items():
            pieces.append(stack.enter_context(_temporary(path)))
            with pieces[-1].open() as file:
                file.write(content)
        for folder in sorted({piece.target.parent for piece in pieces}):
            stack.enter_context(_locked(folder))
        is_taken = [piece.target.exists() for piece in pieces]
        for piece, taken in zip(pieces, is_taken, strict=True):
            if taken and check is not None:
                check(piece.path)
        if len({piece.target.parent for piece in pieces}) == 1 < len(pieces):
            stack.enter_context(_noted(pieces))
        old = [
            stack.enter_context(_kept(piece.target)) if taken else None
            for piece, taken in zip(pieces, is_taken, strict=True)
        ]
        named = []
        try:
            for piece, taken in zip(pieces, is_taken, strict=True):
                _take_name(piece, exclusive=not taken)
                named.append(piece.target)
        except BaseException:
            for target, kept in zip(named, old, strict=False):
                target.unlink() if kept is None else kept.replace(target)
            raise


@contextlib.contextmanager
def new_folder(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary folder that gets the name ``path``, free or that of an empty folder, if the block ends well."""
    target = Path(path)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise FileExistsError(f"{str(target)!r} can't be written: it exists and is not empty. Give a new folder.")
    check_writable(target, folder=True)
    with temporary_folder(target.parent) as temporary, _named_errors(target):
        yield temporary
        for file in temporary.rglob("*"):
            if file.is_file():
                file.chmod(0o666 & ~_umask())  # safetensors writes files that only their owner can read
        temporary.chmod(0o777 & ~_umask())
        temporary.replace(target)


@contextlib.contextmanager
def temporary_folder(parent: Path) -> Iterator[Path]:
    """Yield a folder in ``parent`` that is removed at the end, and by the next write there if the process is killed."""
    with _named_errors(parent), _locked(parent):
        temporary = Path(tempfile.mkdtemp(dir=parent, prefix=_PREFIX, suffix=".part"))
        lock = _Lock(temporary)
    try:
        yield temporary
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        lock.close()


def check_writable(path: str | os.PathLike[str], *, folder: bool = False) -> Path:
    """Return ``path`` if a file (or a new ``folder``) can be written there, or say why not."""
    target = Path(path)
    cannot = f"{str(target)!r} can't be written:"
    if len(os.fsencode(target.name)) > _MOST_BYTES:
        raise OSError(f"{cannot} its name has more than {_MOST_BYTES} bytes. Give a shorter one.")
    try:
        real = Path(os.path.realpath(target))
    except FileNotFoundError:
        raise FileNotFoundError(f"{cannot} the working directory was deleted. Change to another one.") from None
    slash = isinstance(path, str) and path.endswith(("/", os.sep))
    if (real.is_dir() or slash) and not folder:
        raise IsADirectoryError(f"{cannot} it is a folder. Give the path of a file.")
    if not real.parent.is_dir():
        raise FileNotFoundError(f"{cannot} the folder {str(target.parent)!r} does not exist. Create it first.")
    if not os.access(real.parent, os.W_OK | os.X_OK):
        raise PermissionError(f"{cannot} no permission in the folder {str(target.parent)!r}.")
    if real.exists() and not (real.is_file() or folder):
        raise OSError(f"{cannot} it is a device or a pipe. Give the path of a file.")
    if real.exists() and not os.access(real, os.W_OK):
        raise PermissionError(f"{cannot} no permission to change it. Give another name.")
    return target


def check_not_read(outputs: Iterable[Path], inputs: Iterable[Any]) -> None:
    """Refuse to write over what is read, by whatever path; inputs that are no paths, or None, are passed over."""
    sources = [Path(source) for source in inputs if isinstance(source, str | os.PathLike)]
    try:
        Path.cwd()
    except FileNotFoundError:
        raise FileNotFoundError("The working directory was deleted. Change to another one.") from None
    for output in outputs:
        for source in sources:
            within = source.is_dir() and output.exists() and Path(os.path.realpath(source)) in output.resolve().parents
            if within or os.path.realpath(output) == os.path.realpath(source) or _is_same(output, source):
                raise ValueError(
                    f"{str(source)!r} would be overwritten by the output {str(output)!r}: it is an input. "
                    "Give the output another name."
                )


def is_leftover(name: str) -> bool:
    """Whether a file or folder of this name is temporary."""
    return _LEFTOVER.fullmatch(name) is not None


def sweep(folder: Path) -> None:
    """Finish or remove what killed processes left in a folder, as `atomic_write` does before each write."""
    with contextlib.suppress(OSError), _locked(folder):
        pass


# ---- how it is done
#
# Whoever writes a temporary file holds a lock on it, and makes it under a lock of its folder, so that what can be
# locked was left by a process that ended. Where a file system has no locks, nothing is swept.

_MOST_BYTES = 255
_PREFIX = ".xembed-"
_LEFTOVER = re.compile(r"\.xembed-[a-z0-9_]{8}\.(part|names)")
_WAIT = 10.0  # seconds that the lock of a folder, held for milliseconds, is waited for
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS}
_next_sweep: dict[Path, float] = {}


class _Piece(NamedTuple):
    """A temporary file, the path that the user gave, and what that is without links."""

    temporary: Path
    path: Path
    target: Path

    @contextlib.contextmanager
    def open(self) -> Iterator[IO[bytes]]:
        with _named_errors(self.path), self.temporary.open("wb") as file:
            yield file


def _new_file(folder: Path) -> Path:
    descriptor, name = tempfile.mkstemp(dir=folder, prefix=_PREFIX, suffix=".part")
    os.close(descriptor)
    return Path(name)


@contextlib.contextmanager
def _temporary(path: str | os.PathLike[str]) -> Iterator[_Piece]:
    """Make a temporary file in the folder of ``path``; it is removed at the end if it still has its name."""
    given = check_writable(path)
    target = Path(os.path.realpath(given))
    with _named_errors(given), _locked(target.parent):
        temporary = _new_file(target.parent)
        lock = _Lock(temporary)
    try:
        yield _Piece(temporary, given, target)
    finally:
        temporary.unlink(missing_ok=True)
        lock.close()


def _take_name(piece: _Piece, *, exclusive: bool) -> None:
    """Give a complete file its name."""
    with _named_errors(piece.path):
        if exclusive:
            piece.temporary.chmod(0o666 & ~_umask())  # mkstemp gives 0600, an ordinary file follows the umask
            _name_first(piece.temporary, piece.target)
            return
        try:
            old = piece.target.stat()
        except FileNotFoundError:
            piece.temporary.chmod(0o666 & ~_umask())
        else:
            with contextlib.suppress(OSError):  # a file hands on its owner and group: only root gives files away
                os.chown(piece.temporary, old.st_uid, old.st_gid)
            piece.temporary.chmod(stat.S_IMODE(old.st_mode))
        piece.temporary.replace(piece.target)


@contextlib.contextmanager
def _kept(target: Path) -> Iterator[Path]:
    """Keep a file under a second name until the end."""
    kept = _new_file(target.parent)
    try:
        kept.unlink()
        try:
            os.link(target, kept)
        except OSError:  # a file system without links
            shutil.copy2(target, kept)
        yield kept
    finally:
        kept.unlink(missing_ok=True)


@contextlib.contextmanager
def _noted(pieces: list[_Piece]) -> Iterator[None]:
    """Note which names files are about to take, so that `_finish` can give them the rest of the names."""
    rows = [
        [piece.temporary.name, piece.target.name, _inode(piece.temporary), _inode(piece.target)] for piece in pieces
    ]
    written = _new_file(pieces[0].target.parent)
    written.write_text(json.dumps(rows), encoding="utf-8")
    note = written.rename(written.with_suffix(".names"))
    try:
        yield
    finally:
        note.unlink(missing_ok=True)


def _finish(note: Path) -> None:
    """Give files the names that a killed process noted, if it gave some of them and nothing else has changed since."""
    with contextlib.suppress(OSError, ValueError, TypeError):
        rows = json.loads(note.read_text(encoding="utf-8"))
        pairs = [(note.parent / Path(old).name, note.parent / Path(new).name) for old, new, _, _ in rows]
        is_done = [_inode(target) == row[2] for (_, target), row in zip(pairs, rows, strict=True)]
        waits = [
            is_leftover(temporary.name) and _inode(temporary) == row[2] and _inode(target) == row[3]
            for (temporary, target), row in zip(pairs, rows, strict=True)
        ]
        if any(is_done) and all(map(operator.or_, is_done, waits)):
            for (temporary, target), done in zip(pairs, is_done, strict=True):
                if not done:
                    _take_name(_Piece(temporary, target, target), exclusive=False)


def _sweep(folder: Path) -> int:
    """Do what `sweep` says, within the lock of the folder, and return how many files there are."""
    names = [path.name for path in folder.iterdir()]
    left = [folder / name for name in names if is_leftover(name)]
    for path in sorted(left, key=lambda path: path.suffix == ".part"):  # notes first: they say where others belong
        lock = _Lock(path)
        if lock.held:
            if path.suffix == ".names":
                _finish(path)
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                with contextlib.suppress(OSError):
                    path.unlink()
        lock.close()
    return len(names)


class _Lock:
    """A lock of a file or folder, which ends with the process at the latest; ``held`` is False where there is none."""

    def __init__(self, path: Path, wait: float = 0.0) -> None:
        self.held = False
        self._descriptor: int | None = None
        if fcntl is None:
            return
        end = time.monotonic() + wait
        with contextlib.suppress(OSError):
            self._descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            while not self.held:
                try:
                    fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    self.held = True
                except BlockingIOError:
                    if time.monotonic() >= end:
                        break
                    time.sleep(0.005)

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder, where there are locks, and sweep it."""
    if is_leftover(folder.name):  # a temporary folder: who made it holds its lock, and nobody else writes there
        yield
        return
    lock = _Lock(Path(os.path.realpath(folder)), _WAIT)
    try:
        if lock.held and time.monotonic() >= _next_sweep.get(folder, 0.0):
            with contextlib.suppress(OSError):  # of 10,000 files, it looks for leftovers once a second
                _next_sweep[folder] = time.monotonic() + 1e-4 * _sweep(folder)
        yield
    finally:
        lock.close()


@contextlib.contextmanager
def _named_errors(path: Path) -> Iterator[None]:
    """Say in errors of a full or broken disk which file could not be written."""
    try:
        yield
    except OSError as error:
        is_full = error.errno in _FULL or (error.errno is None and type(error) is OSError)  # NumPy's have no number
        if not is_full or not (error.filename is None or _PREFIX in os.fsdecode(error.filename)):
            raise
        named = OSError(f"{str(path)!r} can't be written: {error.strerror or error}.")
        named.errno = error.errno
        raise named from None


def _inode(path: Path) -> int | None:
    with contextlib.suppress(OSError):
        return path.stat(follow_symlinks=False).st_ino
    return None


def _is_same(first: Path, second: Path) -> bool:
    with contextlib.suppress(OSError):
        return first.samefile(second)
    return False


def _name_first(temporary: Path, target: Path) -> None:
    """Give a file a name that no other has; a link, unlike renaming, never takes it from another file."""
    try:
        os.link(temporary, target)
    except OSError:  # the name is taken, or it is a file system without links
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
