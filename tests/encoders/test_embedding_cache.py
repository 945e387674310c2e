"""The cache: hits, several processes, kills, damage, and that it never costs a result."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import platformdirs
import pytest
from children import kill, kill_when, pipe, start

import xembed
from xembed.encoders import _cache, cache_info, clear_cache
from xembed.encoders._cache import ChunkWriter, EmbeddingCache, text_key

TEXTS = ["the cat sleeps", "a dog barks", "the sun rises and then", "not a cat"]


def generated(n):
    return [f"the cat {i} and the dog {i * 7}" for i in range(n)]


def encode(connection, folder, n, batch_size):
    warnings.simplefilter("error", UserWarning)
    warnings.filterwarnings("ignore", ".*unknown to the encoder")  # which knows no numbers
    encoder = xembed.load_encoder(folder, device="cpu")
    connection.send(encoder.fingerprint)
    connection.recv()
    connection.send(float(encoder.encode(generated(n), batch_size, progress=False).sum()))


def start_encoding(folder, n, batch_size=32, new=False):
    """Return a process that encodes many texts when it is told to, and how to tell it."""
    here, there = pipe()
    return start(encode, there, folder, n, batch_size, new=new), here


def database(folder, encoder):
    return folder / "embeddings" / f"{encoder.fingerprint[:32]}.sqlite"


@contextlib.contextmanager
def opened(path):
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        yield connection


def refuse(*args, **kwargs):
    raise AssertionError("the model was called")


def test_second_call_does_not_use_the_model(tiny, monkeypatch):
    first = tiny.encode_detailed(TEXTS)
    monkeypatch.setattr(tiny.model, "encode", refuse)
    second = tiny.encode_detailed([TEXTS[2], *TEXTS])
    assert (first.n_cached, second.n_cached) == (0, 4)
    assert np.array_equal(second.embeddings[1:], first.embeddings)
    assert np.array_equal(second.embeddings[0], first.embeddings[2])
    assert np.array_equal(second.n_tokens[1:], first.n_tokens)
    with pytest.raises(AssertionError, match="the model was called"):
        tiny.encode(["another dog"])


def test_part_of_the_texts_is_cached(tiny):
    expected = tiny.encode(TEXTS, cache=False)
    tiny.encode(TEXTS[1:3])
    found = tiny.encode_detailed(TEXTS)
    assert found.n_cached == 2
    np.testing.assert_allclose(found.embeddings, expected, atol=1e-5)


def test_where_the_cache_is(tiny, own_cache, tmp_path, monkeypatch):
    tiny.encode(TEXTS, cache=False)
    assert not own_cache.exists()
    tiny.encode(TEXTS)
    assert database(own_cache, tiny).is_file()
    tiny.encode(TEXTS, cache=tmp_path / "other")
    tiny.encode(TEXTS, cache=str(tmp_path / "third"))
    assert database(tmp_path / "other", tiny).is_file()
    assert database(tmp_path / "third", tiny).is_file()
    for unset in (lambda: monkeypatch.setenv("XEMBED_CACHE", ""), lambda: monkeypatch.delenv("XEMBED_CACHE")):
        unset()
        assert cache_info()["folder"] == platformdirs.user_cache_dir("xembed")


def test_texts_are_not_stored(tiny, own_cache):
    tiny.encode(["the very secret cat"])
    content = database(own_cache, tiny).read_bytes()
    assert b"secret" not in content
    assert text_key("the very secret cat") in content


@pytest.mark.slow
def test_two_processes_at_once(tiny_folder, tiny, own_cache):
    processes, connections = zip(*(start_encoding(tiny_folder, 2000, new=new) for new in (True, False)), strict=True)
    assert [connection.recv() for connection in connections] == [tiny.fingerprint] * 2  # the same in a new process, too
    for connection in connections:
        connection.send("go")
    sums = [connection.recv() for connection in connections]
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0]
    expected = tiny.encode(generated(2000), cache=False)
    np.testing.assert_allclose(sums, expected.sum(), rtol=1e-4)
    found = tiny.encode_detailed(generated(2000))
    assert found.n_cached == 2000
    np.testing.assert_allclose(found.embeddings, expected, atol=1e-5)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL")
def test_killed_process(tiny_folder, tiny, own_cache):
    process, connection = start_encoding(tiny_folder, 6000, batch_size=4)
    connection.recv()
    connection.send("go")
    kill_when(process, lambda: cache_info()["n_texts"] > 0)
    n_stored = cache_info()["n_texts"]
    assert 0 < n_stored < 6000
    found = tiny.encode_detailed(generated(2000), 128)
    assert 0 < found.n_cached <= n_stored
    np.testing.assert_allclose(found.embeddings, tiny.encode(generated(2000), 128, cache=False), atol=1e-5)


def write_for_ever(connection, folder, i):
    cache = EmbeddingCache(folder, "ab" * 32, 64, {"model": "m"})
    connection.send("ready")
    while True:
        numbers = range(i, i + 500)
        cache.put([text_key(str(n)) for n in numbers], [1] * 500, np.stack([np.full(64, n, "f4") for n in numbers]))
        i += 500


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL")
def test_database_survives_kills_at_any_moment(tmp_path):
    rng = np.random.default_rng(0)
    for attempt in range(4):
        here, there = pipe()
        process = start(write_for_ever, there, tmp_path, attempt * 1_000_000)
        here.recv()
        time.sleep(rng.uniform(0.02, 0.3))
        kill(process)
    (entry,) = cache_info(tmp_path)["encoders"]
    assert entry["problem"] is None
    assert entry["n_texts"] > 0
    assert entry["n_texts"] % 500 == 0  # chunks are whole or not there
    path = next((tmp_path / "embeddings").glob("*.sqlite"))
    with opened(path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    found = EmbeddingCache(tmp_path, "ab" * 32, 64, {}).get([text_key(str(n)) for n in range(500)])
    assert len(found) == 500
    assert all(np.all(found[text_key(str(n))][1] == n) for n in range(500))


def expect_warning_and_result(encoder, match, cache=True):
    expected = encoder.encode(TEXTS, cache=False)
    with pytest.warns(UserWarning, match=match) as record:
        found = encoder.encode(TEXTS, batch_size=1, cache=cache)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert len(record) == 1
    assert record[0].filename == __file__
    assert "xembed cache clear" in str(record[0].message)
    assert "XEMBED_CACHE" in str(record[0].message)


def test_damaged_file(tiny, own_cache):
    database(own_cache, tiny).parent.mkdir(parents=True)
    database(own_cache, tiny).write_bytes(b"no database at all" * 1000)
    expect_warning_and_result(tiny, "can't be used .*not a database")


def test_file_cut_short(tiny, own_cache):
    tiny.encode([f"the cat {i}" for i in range(300)])
    path = database(own_cache, tiny)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    expect_warning_and_result(tiny, "can't be used .*malformed")


def test_newer_schema(tiny, own_cache):
    tiny.encode(TEXTS)
    with opened(database(own_cache, tiny)) as connection:
        connection.execute("UPDATE meta SET value = '2' WHERE name = 'schema_version'")
    expect_warning_and_result(tiny, "schema is version 2, this xembed knows version 1")


def test_folder_is_a_file(tiny, tmp_path):
    (tmp_path / "file").touch()
    expect_warning_and_result(tiny, "can't be used", cache=tmp_path / "file")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="permissions do not bind this user")
def test_read_only_folder(tiny, tmp_path):
    folder = tmp_path / "read-only"
    tiny.encode(TEXTS[:2], cache=folder)
    for path in (database(folder, tiny), database(folder, tiny).parent, folder):
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        assert tiny.encode_detailed(TEXTS[:2], cache=folder).n_cached == 2  # reading is possible
        expect_warning_and_result(tiny, "readonly", cache=folder)
    finally:
        folder.chmod(0o755)
        database(folder, tiny).parent.chmod(0o755)


def with_pragma(monkeypatch, pragma):
    connect = _cache._connect

    def connect_with_pragma(path, *, mode):
        connection = connect(path, mode=mode)
        connection.execute(pragma)
        return connection

    monkeypatch.setattr(_cache, "_connect", connect_with_pragma)


def test_writing_is_refused(tiny, own_cache, monkeypatch):
    tiny.encode(TEXTS[:2])
    with_pragma(monkeypatch, "PRAGMA query_only = ON")  # as a read-only folder, for any user
    expect_warning_and_result(tiny, "readonly")
    assert cache_info()["n_texts"] == 2


def test_full_disk(tiny, monkeypatch):
    with_pragma(monkeypatch, "PRAGMA max_page_count = 3")
    expect_warning_and_result(tiny, "is full")


def test_locked_for_too_long(tiny, own_cache, monkeypatch):
    tiny.encode(TEXTS[:1])
    monkeypatch.setattr(_cache, "BUSY_TIMEOUT", 0.05)
    with contextlib.closing(sqlite3.connect(database(own_cache, tiny), isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        expect_warning_and_result(tiny, "database is locked")
        with pytest.raises(TimeoutError, match=r"another process is writing into it\. Try again later"):
            clear_cache()
    assert cache_info()["n_texts"] == 1
    assert tiny.encode_detailed(TEXTS[:1]).n_cached == 1


def test_waits_for_another_writer(tiny, own_cache):
    import threading

    tiny.encode(TEXTS[:1])
    other = sqlite3.connect(database(own_cache, tiny), isolation_level=None, check_same_thread=False)
    other.execute("BEGIN EXCLUSIVE")
    timer = threading.Timer(0.3, other.close)
    timer.start()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = tiny.encode_detailed(TEXTS)
    timer.join()
    assert found.n_cached == 1
    assert cache_info()["n_texts"] == 4


def test_many_writers(tmp_path):
    """Each of them has its own connection, as a process has."""

    def write(worker):
        cache = EmbeddingCache(tmp_path, "ef" * 32, 4, {"model": "m"})
        for i in range(25):  # every text is written by two of them
            keys = [text_key(f"{worker // 2} {i} {j}") for j in range(3)]
            cache.put(keys, [1, 2, 3], np.full((3, 4), i, np.float32))
            assert len(cache.get(keys)) == 3

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(write, range(4)))
    assert cache_info(tmp_path)["n_texts"] == 2 * 25 * 3


def test_damaged_rows_are_replaced(tiny, own_cache):
    expected = tiny.encode(TEXTS)
    with opened(database(own_cache, tiny)) as connection:
        key = text_key(TEXTS[0])
        connection.execute("UPDATE embeddings SET vector = x'00ff' WHERE text_sha256 = ?", (key,))
        key = text_key(TEXTS[1])
        connection.execute("UPDATE embeddings SET n_tokens = 'many' WHERE text_sha256 = ?", (key,))
        nan = np.full(tiny.dimension, np.nan, "<f4").tobytes()
        connection.execute("UPDATE embeddings SET vector = ? WHERE text_sha256 = ?", (nan, text_key(TEXTS[2])))
    found = tiny.encode_detailed(TEXTS)
    assert found.n_cached == 1
    np.testing.assert_allclose(found.embeddings, expected, atol=1e-5)
    assert tiny.encode_detailed(TEXTS).n_cached == 4


def test_chunks_are_written_on_the_way(tmp_path):
    stored = []

    class Recorder:
        def put(self, keys, n_tokens, vectors):
            stored.append((len(keys), len(n_tokens), vectors.shape))

    row = ([b"k"], [3], np.zeros((1, 2), np.float32))
    with pytest.raises(KeyboardInterrupt), ChunkWriter(Recorder(), max_rows=3) as writer:
        for _ in range(4):
            writer.add(*row)
        assert stored == [(3, 3, (3, 2))]
        raise KeyboardInterrupt
    assert stored == [(3, 3, (3, 2)), (1, 1, (1, 2))]  # the rest is stored when the work is interrupted
    stored.clear()
    with ChunkWriter(Recorder(), max_seconds=0.0) as writer:
        writer.add(*row)
        assert len(stored) == 1
    assert len(stored) == 1


def test_lookup_is_fast(tmp_path):
    keys = [text_key(str(i)) for i in range(5000)]
    vectors = np.arange(5000 * 384, dtype=np.float32).reshape(5000, 384)
    cache = EmbeddingCache(tmp_path, "cd" * 32, 384, {"model": "m"})
    cache.put(keys, list(range(5000)), vectors)
    seconds = []
    for _ in range(3):
        begin = time.perf_counter()
        found = cache.get(keys[::-1])
        seconds.append(time.perf_counter() - begin)
    assert min(seconds) < 1.0  # about 0.05 s; the margin is for busy machines
    assert all(found[key][0] == i and np.array_equal(found[key][1], vectors[i]) for i, key in enumerate(keys))


def test_info(tiny, default, own_cache):
    assert cache_info() == {"folder": str(own_cache), "n_texts": 0, "n_bytes": 0, "encoders": []}
    tiny.encode(TEXTS)
    default.encode(TEXTS[:1])
    (own_cache / "embeddings" / ("0" * 32 + ".sqlite")).write_bytes(b"damaged" * 100)
    (own_cache / "embeddings" / "notes.sqlite").write_bytes(b"not ours")
    info = cache_info()
    damaged, large, small = info["encoders"]
    assert (damaged["model"], damaged["n_texts"], damaged["n_bytes"]) == (None, None, 700)
    assert "not a database" in damaged["problem"]
    assert (large["model"], large["n_texts"], large["dimension"]) == (default.name, 1, 384)
    assert small == {
        "model": "tiny",
        "fingerprint": tiny.fingerprint,
        "dimension": 16,
        "n_texts": 4,
        "n_bytes": database(own_cache, tiny).stat().st_size,
        "problem": None,
    }
    assert info["n_texts"] == 5
    assert info["n_bytes"] == sum(entry["n_bytes"] for entry in info["encoders"])


@pytest.mark.parametrize("described", ['{"model": [1]}', "[" * 100_000, '{"model": null}'])
def test_info_of_a_file_that_says_nonsense(tiny, own_cache, described):
    tiny.encode(TEXTS)
    with opened(database(own_cache, tiny)) as connection:
        connection.execute("UPDATE meta SET value = ? WHERE name = 'encoder'", (described,))
    (entry,) = cache_info()["encoders"]
    assert entry["model"] is None
    assert entry["problem"]


def test_clear(tiny, default, own_cache):
    assert clear_cache() == {"n_files": 0, "n_bytes": 0}
    tiny.encode(TEXTS)
    default.encode(TEXTS)
    folder = own_cache / "embeddings"
    others = [folder / "notes.sqlite", folder / "my.txt", own_cache / ("0" * 32 + ".sqlite")]
    for path in others:
        path.write_bytes(b"not ours")
    size = database(own_cache, tiny).stat().st_size
    for wrong in ("0123", "f" * 64, "../embeddings", 3):
        with pytest.raises(ValueError, match="The 'fingerprint' parameter of clear_cache must be that of a cached"):
            clear_cache(fingerprint=wrong)
    assert clear_cache(fingerprint=tiny.fingerprint) == {"n_files": 1, "n_bytes": size}
    assert [entry["model"] for entry in cache_info()["encoders"]] == [default.name]
    (folder / ("1" * 32 + ".sqlite")).write_bytes(b"damaged")
    (folder / ("2" * 32 + ".sqlite-journal")).write_bytes(b"left over")
    removed = clear_cache(own_cache)
    assert removed["n_files"] == 3
    assert removed["n_bytes"] > 16
    assert sorted(folder.iterdir()) == sorted(others[:2])
    assert all(path.is_file() for path in others)
    assert tiny.encode_detailed(TEXTS).n_cached == 0  # and the cache can be used again
    assert tiny.encode_detailed(TEXTS).n_cached == 4


def test_clear_by_first_digits(tiny, own_cache):
    tiny.encode(TEXTS)
    assert clear_cache(fingerprint=tiny.fingerprint[:8])["n_files"] == 1
    assert list(Path(own_cache, "embeddings").iterdir()) == []
