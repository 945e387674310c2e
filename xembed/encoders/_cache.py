"""Embeddings that were computed once, on disk: one SQLite database an encoder, rows by the SHA-256 of the text.

SQLite's journal makes a write whole or not at all whenever a process is killed, and its locks let processes share a
database. It is the rollback journal: WAL needs memory shared between processes, which network file systems lack. Every
read and write opens the database anew (a third of a millisecond), so nothing is shared with forks or threads.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from xembed._core.validation import FloatArray
from xembed.encoders._warn import warn_user

CacheOption: TypeAlias = bool | str | os.PathLike[str]
SCHEMA_VERSION = 1
BUSY_TIMEOUT = 60.0  # seconds to wait for another process that is writing
_VARIABLES = 900  # in one query: SQLite before 3.32 allows 999
_OWN_FILE = re.compile(r"[0-9a-f]{32}\.sqlite(-journal|-wal|-shm)?")
_TABLES = (
    "CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL)",
    # A rowid table: the rows are too large for the clustered index of WITHOUT ROWID, and hashes arrive in
    # random order, which would split its pages all the time.
    "CREATE TABLE IF NOT EXISTS embeddings "
    "(text_sha256 BLOB PRIMARY KEY, n_tokens INTEGER NOT NULL, vector BLOB NOT NULL)",
    # Not columns of the first table: files written before it are read, and read by older versions of xembed.
    "CREATE TABLE IF NOT EXISTS token_counts (text_sha256 BLOB PRIMARY KEY, n_tokens INTEGER NOT NULL, "
    "n_unknown INTEGER NOT NULL, n_content INTEGER NOT NULL)",
)


class CacheUnusable(Exception):
    """The database can be read, but not by this version of xembed."""


_FAILURES = (sqlite3.Error, OSError, CacheUnusable)


def text_key(text: str) -> bytes:
    """Return the key of a text: the SHA-256 of its UTF-8 bytes."""
    return hashlib.sha256(text.encode("utf-8")).digest()


def cache_folder(folder: str | os.PathLike[str] | None = None) -> Path:
    """Return the cache folder: ``folder``, or the one of the user (see `cache_info`). It need not exist."""
    given = folder if folder is not None else os.environ.get("XEMBED_CACHE")
    if given:
        return Path(given).expanduser()
    import platformdirs

    return Path(platformdirs.user_cache_dir("xembed"))


class EmbeddingCache:
    """The stored embeddings of one encoder; after a failure, which is a warning and costs nothing, it does nothing."""

    def __init__(self, folder: Path, fingerprint: str, dimension: int, about: Mapping[str, Any]) -> None:
        self.folder = folder
        self.path = folder / "embeddings" / f"{fingerprint[:32]}.sqlite"
        self._dimension = dimension
        self._meta = {
            "schema_version": str(SCHEMA_VERSION),
            "fingerprint": fingerprint,
            "dimension": str(dimension),
            "encoder": json.dumps(dict(about), ensure_ascii=False),
        }
        self._usable = True
        self._damaged: set[bytes] = set()  # rows to be replaced

    def get(self, keys: Sequence[bytes]) -> dict[bytes, tuple[int, FloatArray]]:
        """Return the token count and the float32 vector of every key that is stored."""
        rows: dict[bytes, tuple[int, FloatArray]] = {}
        for key, count, blob in self._select("embeddings", "n_tokens, vector", keys):
            vector = self._read_vector(blob)
            if vector is None or not isinstance(count, int):
                self._damaged.add(key)
            else:
                rows[key] = (count, vector)
        return rows

    def put(self, keys: Sequence[bytes], n_tokens: Sequence[int], vectors: FloatArray) -> None:
        """Store rows, all of them or none."""
        blobs = np.ascontiguousarray(vectors, dtype="<f4")
        rows = [(key, count, blob.tobytes()) for key, count, blob in zip(keys, n_tokens, blobs, strict=True)]
        damaged = [(key,) for key in keys if key in self._damaged]
        self._write(
            ("DELETE FROM embeddings WHERE text_sha256 = ?", damaged),
            # Another process may have stored the same text since we looked: its row is as good as ours.
            ("INSERT OR IGNORE INTO embeddings VALUES (?, ?, ?)", rows),
        )

    def get_counts(self, keys: Sequence[bytes]) -> dict[bytes, tuple[int, int, int]]:
        """Return the numbers of tokens, unknown tokens and content tokens of every key that is stored."""
        return {
            key: (counts[0], counts[1], counts[2])
            for key, *counts in self._select("token_counts", "n_tokens, n_unknown, n_content", keys)
            if all(isinstance(count, int) and count >= 0 for count in counts)
        }

    def put_counts(self, keys: Sequence[bytes], counts: npt.NDArray[np.int64]) -> None:
        """Store counts, shape (n_keys, 3), all of them or none."""
        rows = [(key, *of_text) for key, of_text in zip(keys, counts.tolist(), strict=True)]
        self._write(("INSERT OR REPLACE INTO token_counts VALUES (?, ?, ?, ?)", rows))

    def _select(self, table: str, columns: str, keys: Sequence[bytes]) -> list[tuple[Any, ...]]:
        """Return the stored rows of some keys; none if they can't be read."""
        rows: list[tuple[Any, ...]] = []
        try:
            if not (self._usable and keys and self.path.parent.is_dir() and self.path.exists()):
                return []
            with contextlib.closing(_connect(self.path, mode="rw")) as database:
                # Another process may have just made the file, or an older version the tables.
                if _schema_version(database) is None or not _has_table(database, table):
                    return []
                for start in range(0, len(keys), _VARIABLES):
                    part = keys[start : start + _VARIABLES]
                    marks = ",".join("?" * len(part))
                    query = f"SELECT text_sha256, {columns} FROM {table} WHERE text_sha256 IN ({marks})"
                    rows += database.execute(query, part)
        except _FAILURES as error:
            self._give_up(error)
            return []
        return rows

    def _read_vector(self, blob: Any) -> FloatArray | None:
        if not isinstance(blob, bytes) or len(blob) != 4 * self._dimension:
            return None
        vector = np.frombuffer(blob, dtype="<f4")
        return vector if np.isfinite(vector).all() else None

    def _write(self, *changes: tuple[str, Sequence[tuple[Any, ...]]]) -> None:
        """Execute statements, each for many rows: all of them or none."""
        if not (self._usable and any(rows for _, rows in changes)):
            return
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            # The second `database` commits at the end of the block, or rolls back.
            with contextlib.closing(_connect(self.path, mode="rwc")) as database, database:
                # IMMEDIATE takes the write lock at once. A transaction that began by reading could not get it
                # later while another process waits for the same, and SQLite would give up without waiting.
                database.execute("BEGIN IMMEDIATE")
                _schema_version(database)
                for statement in _TABLES:
                    database.execute(statement)
                database.executemany("INSERT OR IGNORE INTO meta VALUES (?, ?)", self._meta.items())
                for statement, rows in changes:
                    database.executemany(statement, rows)
        except _FAILURES as error:
            self._give_up(error)

    def _give_up(self, error: Exception) -> None:
        self._usable = False
        warn_user(
            f"The embedding cache {str(self.path)!r} can't be used ({error}). Encoding goes on without it. "
            "Empty it with `xembed cache clear`, name another folder in the environment variable "
            "XEMBED_CACHE, or pass cache=False."
        )


class ChunkWriter:
    """Collects rows and stores them in chunks, the last one also when the block ends with an error."""

    def __init__(self, cache: EmbeddingCache | None, *, max_rows: int = 512, max_seconds: float = 10.0) -> None:
        self._cache = cache
        self._max_rows, self._max_seconds = max_rows, max_seconds
        self._keys: list[bytes] = []
        self._counts: list[int] = []
        self._vectors: list[FloatArray] = []
        self._last = time.monotonic()

    def add(self, keys: Sequence[bytes], n_tokens: Sequence[int], vectors: FloatArray) -> None:
        """Take rows over, and store them if enough rows or seconds have come together."""
        if self._cache is None:
            return
        self._keys += keys
        self._counts += n_tokens
        self._vectors.append(vectors)
        if len(self._keys) >= self._max_rows or time.monotonic() - self._last >= self._max_seconds:
            self.flush()

    def flush(self) -> None:
        """Store what is there."""
        if self._cache is not None and self._keys:
            self._cache.put(self._keys, self._counts, np.concatenate(self._vectors))
        self._keys, self._counts, self._vectors = [], [], []
        self._last = time.monotonic()

    def __enter__(self) -> ChunkWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.flush()


def cache_info(folder: str | os.PathLike[str] | None = None) -> dict[str, Any]:
    """Return what the embedding cache holds.

    Parameters
    ----------
    folder : path, optional
        Cache folder, which need not exist. By default that of ``XEMBED_CACHE`` in the environment, else the user's.

    Returns
    -------
    dict
        ``folder``, ``n_texts`` and ``n_bytes`` (totals), and ``encoders``: for each its ``model``, ``fingerprint``,
        ``dimension``, ``n_texts``, ``n_bytes`` and ``problem``, which says why a file can't be read (others are then
        ``None``).

    Examples
    --------
    >>> import tempfile
    >>> from xembed.encoders import cache_info
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     info = cache_info(folder)
    >>> info["n_texts"], info["n_bytes"], info["encoders"]
    (0, 0, [])
    """
    base = cache_folder(folder)
    entries = [_describe_file(path) for path in _databases(base)]
    entries.sort(key=lambda entry: (entry["model"] or "", entry["fingerprint"]))
    return {
        "folder": str(base),
        "n_texts": sum(entry["n_texts"] or 0 for entry in entries),
        "n_bytes": sum(entry["n_bytes"] for entry in entries),
        "encoders": entries,
    }


def clear_cache(folder: str | os.PathLike[str] | None = None, *, fingerprint: str | None = None) -> dict[str, int]:
    """Remove cached embeddings, and nothing else.

    Parameters
    ----------
    folder : path, optional
        Cache folder, as in `cache_info`.
    fingerprint : str, optional
        Encoder whose embeddings are removed (its first 8 digits will do). By default all are removed.

    Returns
    -------
    dict
        Numbers of removed databases and bytes: ``n_files`` and ``n_bytes``.

    Raises
    ------
    ValueError
        If ``fingerprint`` is not that of a cached encoder.
    TimeoutError
        If another process is writing into a database for longer than a minute.

    Examples
    --------
    >>> import tempfile
    >>> from xembed.encoders import clear_cache
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     clear_cache(folder)
    {'n_files': 0, 'n_bytes': 0}
    """
    paths = list(_databases(cache_folder(folder)))
    if fingerprint is not None:
        valid = isinstance(fingerprint, str) and re.fullmatch(r"[0-9a-f]{8,64}", fingerprint) is not None
        paths = [path for path in paths if valid and path.name.startswith(fingerprint[:32])]
        if not paths:
            raise ValueError(
                "The 'fingerprint' parameter of clear_cache must be that of a cached encoder, or its first 8 "
                f"or more digits (cache_info lists them). Got {fingerprint!r} instead."
            )
    for path in () if fingerprint is not None else (cache_folder(folder) / "encoders").glob("*.json"):
        if re.fullmatch(r"[0-9a-f]{32}\.json", path.name):
            path.unlink(missing_ok=True)
    sizes = [sum(part.stat().st_size for part in _parts(path)) for path in paths]
    for path in paths:
        _remove(path)
    return {"n_files": len(paths), "n_bytes": sum(sizes)}


def _connect(path: Path, *, mode: str) -> sqlite3.Connection:
    # isolation_level=None: transactions begin where this module says so, not where sqlite3 guesses.
    uri = f"{path.absolute().as_uri()}?mode={mode}"
    return sqlite3.connect(uri, uri=True, timeout=BUSY_TIMEOUT, isolation_level=None)


def _schema_version(database: sqlite3.Connection) -> int | None:
    """Return the schema version, None for a database without tables; a newer one is an error."""
    if not _has_table(database, "meta"):
        return None
    row = database.execute("SELECT value FROM meta WHERE name = 'schema_version'").fetchone()
    version = int(row[0]) if row and str(row[0]).isdigit() else None
    if version != SCHEMA_VERSION:
        raise CacheUnusable(f"its schema is version {version}, this xembed knows version {SCHEMA_VERSION}")
    return version


def _has_table(database: sqlite3.Connection, name: str) -> bool:
    return database.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (name,)).fetchone() is not None


def _databases(base: Path) -> Iterator[Path]:
    folder = base / "embeddings"
    if folder.is_dir():
        names = sorted(path.name for path in folder.iterdir() if _OWN_FILE.fullmatch(path.name))
        # A journal may be left of a database that is gone.
        for name in dict.fromkeys(name.partition("-")[0] for name in names):
            yield folder / name


def _parts(path: Path) -> list[Path]:
    parts = [path, *(path.with_name(path.name + suffix) for suffix in ("-journal", "-wal", "-shm"))]
    return [part for part in parts if part.is_file()]


def _describe_file(path: Path) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "model": None,
        "fingerprint": path.stem,
        "dimension": None,
        "n_texts": None,
        "n_bytes": sum(part.stat().st_size for part in _parts(path)),
        "problem": None,
    }
    try:
        with contextlib.closing(_connect(path, mode="rw")) as database:
            if _schema_version(database) is None:
                return entry | {"n_texts": 0}
            meta = dict(database.execute("SELECT name, value FROM meta"))
            (n_texts,) = database.execute("SELECT count(*) FROM embeddings").fetchone()
        model, fingerprint = json.loads(meta["encoder"])["model"], meta["fingerprint"]
        if not (isinstance(model, str) and isinstance(fingerprint, str)):
            raise ValueError("its description of the encoder is damaged")
        about = {"model": model, "fingerprint": fingerprint, "dimension": int(meta["dimension"]), "n_texts": n_texts}
        return entry | about
    except (*_FAILURES, KeyError, ValueError, TypeError, RecursionError) as error:
        return entry | {"problem": f"{error}"}


def _remove(path: Path) -> None:
    # SQLite forbids to remove a database while another process writes into it: a journal of the removed
    # file could then be taken for one of its successor. So wait until nobody does, and keep others out.
    with contextlib.ExitStack() as stack:
        if path.is_file():
            try:
                database = stack.enter_context(contextlib.closing(_connect(path, mode="rw")))
                database.execute("BEGIN EXCLUSIVE")
            except sqlite3.Error as error:  # a damaged file can't be locked, and needs no lock
                if "locked" in str(error):
                    raise TimeoutError(
                        f"{str(path)!r} can't be removed: another process is writing into it. Try again later."
                    ) from error
            if os.name == "nt":
                stack.close()  # an open file can't be removed there
        for part in _parts(path):
            part.unlink(missing_ok=True)
