"""What is read back is checked against the class of the result: one error that names the file and the field."""

import os
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar

import numpy as np
import pytest

import xembed
from xembed._core.fields import Cosine, Count, Floats, Interval, LengthsOf, Level, MayBeNaN, OneOf, Probability, Sides
from xembed._core.results import Result


@dataclass(frozen=True, repr=False)
class Row(Result):
    schema: ClassVar[str] = "fields.row/1"
    pvalue: Probability


@dataclass(frozen=True, repr=False)
class Table(Result):
    schema: ClassVar[str] = "fields.table/1"
    rows: tuple[Row, ...]
    n: Count
    alpha: Level
    cosine: Cosine | None
    values: Annotated[Floats, Sides("n")]
    maybe: Annotated[Floats, MayBeNaN, Sides("n")]
    matrix: Annotated[Floats, Sides("names", "n")]
    names: tuple[str, ...]
    parts: Annotated[tuple[tuple[float, ...], ...], LengthsOf("words")]
    words: tuple[tuple[str, ...], ...]
    interval: Interval
    low: float | None
    high: float | None
    kind: Annotated[str, OneOf("a", "b")]
    other: dict[str, Any]
    shares: dict[str, Probability]
    flag: bool
    later: tuple[str, ...] = field(default=("filled",))


WHOLE = Table(
    (Row(0.5), Row(1.0)), 2, 0.05, 1 + 1e-8, np.array([1.0, 2.0]), np.array([np.nan, 1.0]), np.ones((1, 2)), ("x",),
    ((1.0,),), (("w",),), (0.0, 1.0), None, 1.0, "a", {"b": [1]}, {"c": 1}, True,
)  # fmt: skip


def test_a_whole_one_is_read_and_defaults_are_filled():
    data = WHOLE.to_dict()
    assert data["maybe"] == [None, 1.0]
    del data["later"]
    again = Table.from_dict({**data, "of_a_later_xembed": 1})
    assert again.to_json() == WHOLE.to_json() and again.later == ("filled",)
    assert np.isnan(again.maybe[0]) and again.matrix.dtype == np.float64


@pytest.mark.parametrize(("changed", "message"), [
    ({"rows": [{"schema": "fields.row/1", "pvalue": 0.1}, {"schema": "fields.row/1", "pvalue": 7}]},
     r"^Table: rows\[1\]\.pvalue must be a number in \[0, 1\]\. Got 7\.$"),
    ({"rows": [{"schema": "fields.row/1"}]}, r"rows\[0\] lacks the fields \['pvalue'\]"),
    ({"rows": [{"pvalue": 0.1}]}, r"rows\[0\] reads the schema 'fields.row/1'. Got None"),
    ({"rows": "text"}, "rows must be a list"),
    ({"n": True}, "n must be an integer of at least 0. Got True"),
    ({"n": -1}, "n must be an integer of at least 0"),
    ({"n": 2.0}, "n must be an integer"),
    ({"n": 3}, r"values must hold 3 items, by 'n'\. Got 2"),
    ({"alpha": 0}, r"alpha must be a number in \(0, 1\)\. Got 0"),
    ({"alpha": "0.1"}, "alpha must be a number"),
    ({"cosine": -1.1}, r"cosine must be a number in \[-1, 1\]"),
    ({"values": [1, float("inf")]}, r"values\[1\] must be a number. Got inf"),
    ({"values": [1, None]}, "values must be a list, each item a number"),
    ({"values": [1, True]}, "values must be a list"),
    ({"values": ["1", "2"]}, "values must be a list"),
    ({"values": [[1], [2, 3]]}, "values must be a list"),
    ({"matrix": [[1, 2], [3]]}, "matrix must be a 2-D list"),
    ({"matrix": [1, 2]}, "matrix must be a 2-D list"),
    ({"names": ["x", "y"]}, "matrix must hold 2 items, by 'names'"),
    ({"names": ["x", 1]}, r"names\[1\] must be a text. Got 1"),
    ({"parts": [[1, 2]]}, r"parts\[0\] must hold 1 items, by 'words'"),
    ({"interval": [1, 0]}, "interval must be a lower and an upper bound"),
    ({"interval": [1]}, "interval must be a list of 2"),
    ({"low": 2}, "low must be at most 1.0, the upper bound"),
    ({"kind": "c"}, "kind must be one of 'a', 'b'"),
    ({"other": [1]}, "other must be an object"),
    ({"other": {"a": float("nan")}}, r"other\.a must be a finite number"),
    ({"shares": {"c": 2}}, r"shares\.c must be a number in \[0, 1\]"),
    ({"flag": 1}, "flag must be true or false"),
])  # fmt: skip
def test_what_does_not_fit(changed, message):
    with pytest.raises(ValueError, match=message):
        Table.from_dict(WHOLE.to_dict() | changed)


def test_deep_data_are_refused():
    deep = 1
    for _ in range(60):
        deep = [deep]
    with pytest.raises(ValueError, match=r"other\.a must be nested at most 40 deep"):
        Table.from_dict(WHOLE.to_dict() | {"other": {"a": deep}})


@pytest.fixture
def written(tmp_path):
    X = np.random.default_rng(0).normal(size=(10, 3))
    xembed.shift.rank_sum_test(X[:5], X[5:]).to_json(tmp_path / "r.json")
    return tmp_path / "r.json"


@pytest.mark.parametrize(("old", "new", "message"), [
    ('"pvalue": ', '"pvalue": 7', r"r\.json': pvalue must be a number in \[0, 1\]"),
    ('"pvalue": ', '"pvalue": NaN, "x": ', "NaN is not a number of JSON"),
    ('"pvalue": ', '"pvalue": 1, "pvalue": ', "an object has the key 'pvalue' more than once"),
    ('"pvalue": ', '"x": ' + "[" * 100_000, "nested too deeply"),
    ('"pvalue": ', '"x": ' + "1" * 5_000 + ', "pvalue": ', "not JSON"),
    ("RankSumResult/1", "RankSumResult/2", "is of a later xembed.*Upgrade xembed"),
    ("xembed.shift.RankSumResult/1", "xembed.combined/1", "`xembed report` makes the page again"),
    ("xembed.shift.RankSumResult/1", "xembed.os.path/1", "must hold a result of xembed"),
])  # fmt: skip
def test_files(written, old, new, message):
    text = written.read_text()
    assert old in text
    written.write_text(text.replace(old, new, 1))
    with pytest.raises(ValueError, match=message) as caught:
        xembed.read_result(written)
    assert repr(str(written)) in str(caught.value) and len(str(caught.value)) < 600


@pytest.mark.parametrize(("content", "message"), [
    (b"", "It is empty"), (b"\xff\xfe", "must be JSON in UTF-8. Its byte 0"), (b'{"schema": 1', "It is not JSON"),
    (b"3", "Got 3"), (b"{}", "must hold a result of xembed"),
])  # fmt: skip
def test_other_contents(tmp_path, content, message):
    (tmp_path / "r.json").write_bytes(content)
    with pytest.raises(ValueError, match=f"r.json.*{message}"):
        xembed.read_result(tmp_path / "r.json")


def test_a_byte_order_mark_is_passed_over(written):
    whole = xembed.read_result(written)
    written.write_bytes(b"\xef\xbb\xbf" + written.read_bytes())
    assert xembed.read_result(written).to_json() == whole.to_json()
    assert type(whole).from_json(written.read_text(encoding="utf-8")).to_json() == whole.to_json()


def test_what_is_no_file(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in ("/dev/zero", tmp_path / "pipe", tmp_path, tmp_path / "none.json"):
        with pytest.raises(OSError, match=r"can't be read: .*\."):
            xembed.read_result(path)


def test_the_version_is_listed():
    assert "__version__" in dir(xembed)
