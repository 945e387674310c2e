"""What everything stands on: validation, results, files, blocks."""

import json
import os
import threading
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xembed._core.files import atomic_write, write_together
from xembed._core.parallel import ordered_map, row_blocks
from xembed._core.provenance import dump_json
from xembed._core.results import Result, read_result
from xembed._core.validation import (
    check_count,
    check_embeddings,
    check_number,
    check_option,
    check_rng,
    check_texts,
    describe_rng,
)


@dataclass(frozen=True, repr=False)
class Inner(Result):
    schema: ClassVar[str] = "foundation.inner/1"
    values: npt.NDArray[np.float64]


@dataclass(frozen=True, repr=False)
class Outer(Result):
    schema: ClassVar[str] = "foundation.outer/1"
    inner: Inner
    maybe: Inner | None
    array: npt.NDArray[np.float64] | None
    pair: tuple[float, float]
    names: tuple[str, ...]
    extra: dict[str, Any]
    text: str


@given(
    values=st.lists(st.floats(allow_nan=False, allow_infinity=False)),
    text=st.text(st.characters(exclude_categories=["Cs"])),
    pair=st.tuples(st.floats(-1, 1), st.floats(-1, 1)),
)
def test_results_round_trip_through_json(values, text, pair):
    result = Outer(Inner(np.array(values)), None, None, pair, (text, "b"), {"a": [1, {"b": None}]}, text)
    again = Outer.from_json(result.to_json())
    assert again.to_json() == result.to_json()
    assert again.pair == pair and again.names == (text, "b") and again.text == text
    np.testing.assert_array_equal(again.inner.values, np.array(values))


def test_json_refuses_nan():
    with pytest.raises(ValueError, match="Out of range float"):
        Inner(np.array([np.nan])).to_json()


def test_json_has_a_line_a_field():
    text = dump_json({"schema": "x", "values": [1, 2, 3]})
    assert text == '{\n"schema": "x",\n"values": [1, 2, 3]\n}\n'


def test_read_result_goes_by_the_schema(tmp_path):
    from xembed.shift import RankSumResult, rank_sum_test

    X = np.random.default_rng(0).normal(size=(10, 3))
    rank_sum_test(X[:5], X[5:]).to_json(tmp_path / "r.json")
    assert isinstance(read_result(tmp_path / "r.json"), RankSumResult)
    (tmp_path / "other.json").write_text('{"schema": "unknown/1"}')
    with pytest.raises(
        ValueError, match=r"must hold a result of xembed.*'xembed.shift.ShiftResult/1'.* Got 'unknown/1'"
    ):
        read_result(tmp_path / "other.json")


@pytest.mark.parametrize("links", [True, False])
def test_an_exclusive_write_takes_no_name_from_another_file(tmp_path, monkeypatch, links):
    def none(*_args):
        raise PermissionError(1, "Operation not permitted")

    if not links:
        monkeypatch.setattr("os.link", none)
    with atomic_write(tmp_path / "file", exclusive=True) as file:
        file.write(b"first")
    with pytest.raises(FileExistsError), atomic_write(tmp_path / "file", exclusive=True) as file:
        file.write(b"second")
    assert (tmp_path / "file").read_bytes() == b"first"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_atomic_write_keeps_the_old_file_when_the_new_one_fails(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(RuntimeError), atomic_write(path) as file:
        file.write(b"half")
        raise RuntimeError
    assert path.read_text() == "old" and [p.name for p in tmp_path.iterdir()] == ["file"]
    with atomic_write(path) as file:
        file.write(b"new")
    assert path.read_text() == "new"


def test_new_files_follow_the_umask(tmp_path):
    old = os.umask(0o027)
    try:
        with atomic_write(tmp_path / "file") as file:
            file.write(b"x")
        assert (tmp_path / "file").stat().st_mode & 0o777 == 0o640
    finally:
        os.umask(old)


def test_files_written_together_come_together(tmp_path, monkeypatch):
    with pytest.raises(TypeError):
        write_together({tmp_path / "a": b"fine", tmp_path / "b": "not bytes"})
    assert list(tmp_path.iterdir()) == []
    write_together({tmp_path / "a": b"1", tmp_path / "b": b"2"})
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "b"]


def test_ordered_map_keeps_order_bounds_memory_and_passes_errors_on():
    alive, most, lock = 0, 0, threading.Lock()

    def work(i):
        nonlocal alive, most
        with lock:
            alive += 1
            most = max(most, alive)
        return i

    results = []
    for value in ordered_map(work, range(500)):
        with lock:
            alive -= 1
        results.append(value)
    assert results == list(range(500))
    assert most < 100

    def fail(i):
        if i == 7:
            raise KeyError(i)
        return i

    with pytest.raises(KeyError):
        list(ordered_map(fail, range(50)))


@given(st.integers(0, 1000), st.integers(1, 300))
def test_blocks_cover_every_row_once(n, size):
    rows = [i for block in row_blocks(0, n, size) for i in range(block.start, block.stop)]
    assert rows == list(range(n))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: check_option("x", {"b", "a"}, name="p", caller="f"), ValueError,
         r"^The 'p' parameter of f must be one of \{'a', 'b'\}. Got 'x' instead.$"),
        (lambda: check_option(3, {"a"}, name="p", caller="f"), ValueError, "Got 3 instead"),
        (lambda: check_number(0, name="p", caller="f", low=0, high=1, closed="right"), ValueError,
         r"in \(0, 1\]. Got 0"),
        (lambda: check_number(float("nan"), name="p", caller="f", low=0), ValueError, "Got nan"),
        (lambda: check_number(True, name="p", caller="f", low=0), TypeError, "Got True"),
        (lambda: check_count(2.0, name="p", caller="f"), TypeError, "must be an integer of at least 1. Got 2.0"),
        (lambda: check_count(0, name="p", caller="f"), ValueError, "Got 0"),
        (lambda: check_rng(True, caller="f"), TypeError, "Got True"),
        (lambda: check_texts("one"), TypeError, "Got one str: for a single text pass a list"),
        (lambda: check_texts(3), TypeError, "must be a list of strings. Got int"),
        (lambda: check_texts([]), ValueError, "at least 1 text. Got 0"),
        (lambda: check_texts(["a", None]), TypeError, r"1 item that is not a string \(first: item 1, NoneType None\)"),
        (lambda: check_texts(["a", 1.5, b"c"]), TypeError,
         r"2 items that are not a string \(first: item 1, float 1.5\)"),
        (lambda: check_texts(["a", " \n\u2003"]), ValueError, r"1 blank text \(first: item 1\)"),
        (lambda: check_texts(["a", "\ud800"]), ValueError, "not valid Unicode .*item 1"),
    ],
)  # fmt: skip
def test_messages(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_what_is_right_passes():
    assert check_texts(iter(["a", np.str_("b")])) == ["a", "b"]
    assert type(check_texts([np.str_("b")])[0]) is str
    assert check_texts([" "], blank=True) == [" "]
    assert check_number(np.float32(0.5), name="p", caller="f", low=0, high=1) == 0.5
    assert check_count(np.int64(3), name="p", caller="f") == 3
    generator = np.random.default_rng(3)
    assert check_rng(generator, caller="f") is generator and describe_rng(generator) == "Generator"
    assert check_rng(None, caller="f").random() == check_rng(0, caller="f").random()
    X = np.ones((2, 2), np.float16)
    assert check_embeddings(X, name="X", caller="f") is X
    assert check_embeddings([[1, 2]], name="X", caller="f").dtype == np.float64


def test_json_of_a_result_is_plain(tmp_path):
    data = json.loads(Inner(np.arange(3.0)).to_json(tmp_path / "x.json"))
    assert data == {"schema": "foundation.inner/1", "values": [0.0, 1.0, 2.0]}
    assert (tmp_path / "x.json").is_file()
