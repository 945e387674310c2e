"""write_table: what it writes reads back, is safe to open in a spreadsheet, and is there whole or not at all."""

import csv
import datetime
import json
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xembed.datasets import _write, load_corpora, read_texts, write_table

SUFFIXES = (".csv", ".jsonl", ".parquet")
ODD = [
    "U+2028 \u2028 here",
    "two\nlines",
    "windows\r\nlines",
    "lone\rreturn",
    "👩‍🚀",
    'say "hi", ok',
    " ends ",
    "\ufeffmark",
    "a\0b",
]
FORMULA_START = ("=", "+", "-", "@", "\t", "\r")

texts_of_any_kind = st.lists(
    st.text(st.characters(codec="utf-8"), min_size=1).filter(str.strip), min_size=1, max_size=8
)


def round_trip(suffix, texts):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"t{suffix}"
        write_table(path, {"text": texts, "n": range(len(texts))})
        return read_texts(path)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_odd_texts_come_back(suffix):
    odd = [text for text in ODD if suffix != ".csv" or "\0" not in text]
    table = round_trip(suffix, odd)
    assert table.texts == tuple(odd)
    assert [int(n) for n in table.column("n")] == list(range(len(odd)))


def test_nul_in_csv_is_refused_and_not_cut(tmp_path):
    with pytest.raises(ValueError, match=r"The column 'text' holds a NUL character.*Write .jsonl or .parquet"):
        write_table(tmp_path / "t.csv", {"text": ["a", "b\0c"]})
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "t.csv").write_bytes(b"text\nfine\ncu\0t\n")
    with pytest.raises(ValueError, match=r"holds a NUL character \(line 3\)"):
        read_texts(tmp_path / "t.csv")


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
@given(texts=texts_of_any_kind)
@settings(deadline=None, max_examples=60)
def test_round_trip(suffix, texts):
    assert round_trip(suffix, texts).texts == tuple(texts)


@given(texts=texts_of_any_kind)
@settings(deadline=None, max_examples=60)
def test_round_trip_csv(texts):
    texts = [text.replace("\0", "0") for text in texts]
    texts = ["x" + text if text.startswith(FORMULA_START) else text for text in texts]
    assert round_trip(".csv", texts).texts == tuple(texts)


@given(texts=texts_of_any_kind, start=st.sampled_from(FORMULA_START))
@settings(deadline=None, max_examples=40)
def test_a_formula_comes_back_with_an_apostrophe(texts, start):
    texts = [start + text.replace("\0", "0") + "x" for text in texts]  # the x: not a number
    assert round_trip(".csv", texts).texts == tuple("'" + text for text in texts)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_corpus_comes_back(tmp_path, suffix):
    tickets = load_corpora("support_tickets")
    write_table(tmp_path / f"t{suffix}", {name: tickets.column(name) for name in tickets.columns})
    back = read_texts(tmp_path / f"t{suffix}")
    assert (back.texts, back.labels) == (tickets.texts, tickets.labels)
    assert (back.dates == tickets.dates).all()
    if suffix != ".csv":  # where everything is text
        assert back.metadata == tickets.metadata


@pytest.mark.parametrize(
    ("cell", "written"),
    [
        ("=1+1", "'=1+1"),
        ("+cmd|' /C calc'!A0", "'+cmd|' /C calc'!A0"),
        ("-2+3", "'-2+3"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t=1"),
        ("\r=1", "'\r=1"),
        ("-", "'-"),
        ("-٣", "'-٣"),  # a digit, but not one that a spreadsheet takes for sure
        ("-12.5", "-12.5"),
        ("+44", "+44"),
        ("-1e-3", "-1e-3"),
        (" =1", " =1"),
        ("a=1", "a=1"),
        ("", ""),
        (-2, "-2"),
        (-0.25, "-0.25"),
    ],
)
def test_formulas_in_csv(tmp_path, cell, written):
    write_table(tmp_path / "t.csv", {"text": [cell], "other": ["x"]})
    with (tmp_path / "t.csv").open(encoding="utf-8", newline="") as file:
        assert list(csv.reader(file)) == [["text", "other"], [written, "x"]]


def test_formulas_as_names_of_columns(tmp_path):
    write_table(tmp_path / "t.csv", {"=1+1": ["a"]})
    assert (tmp_path / "t.csv").read_text(encoding="utf-8") == '"\'=1+1"\n"a"\n'


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_other_formats_keep_formulas(suffix):
    assert round_trip(suffix, ["=1+1", "\r-x"]).texts == ("=1+1", "\r-x")


COLUMNS = {
    "text": np.array(["a", "b"]),
    "day": np.array(["2024-03-04", "NaT"], dtype="datetime64[D]"),
    "stamp": [datetime.datetime(2024, 3, 4, 10, 30), pd.NaT],
    "depth": np.array([0.1, np.nan], dtype=np.float64),
    "rank": [np.int64(3), None],
    "kept": np.array([True, False]),
    "note": pd.Series(["x", pd.NA]),
}


def test_kinds_of_values_csv(tmp_path):
    write_table(tmp_path / "t.csv", COLUMNS)
    with (tmp_path / "t.csv").open(encoding="utf-8", newline="") as file:
        assert list(csv.reader(file)) == [
            list(COLUMNS),
            ["a", "2024-03-04", "2024-03-04T10:30:00", "0.1", "3", "True", "x"],
            ["b", "", "", "", "", "False", ""],
        ]


def test_kinds_of_values_jsonl(tmp_path):
    write_table(tmp_path / "t.jsonl", COLUMNS)
    records = [json.loads(line) for line in (tmp_path / "t.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [list(record) for record in records] == [list(COLUMNS)] * 2
    assert [list(record.values()) for record in records] == [
        ["a", "2024-03-04", "2024-03-04T10:30:00", 0.1, 3, True, "x"],
        ["b", None, None, None, None, False, None],
    ]


def test_kinds_of_values_parquet(tmp_path):
    write_table(tmp_path / "t.parquet", COLUMNS)
    table = pq.read_table(tmp_path / "t.parquet")
    assert table.column_names == list(COLUMNS)
    assert [list(record.values()) for record in table.to_pylist()] == [
        ["a", datetime.date(2024, 3, 4), datetime.datetime(2024, 3, 4, 10, 30), 0.1, 3, True, "x"],
        ["b", None, None, None, None, False, None],
    ]


def test_numbers_keep_their_bits(tmp_path):
    values = [0.1, 1 / 3, 1e-300, -2.5]
    for suffix in (".jsonl", ".parquet"):
        write_table(tmp_path / f"t{suffix}", {"text": list("abcd"), "x": values})
        assert read_texts(tmp_path / f"t{suffix}").column("x") == tuple(values)
    write_table(tmp_path / "t.csv", {"text": list("abcd"), "x": values})
    assert [float(x) for x in read_texts(tmp_path / "t.csv").column("x")] == values


def test_lists_and_dicts(tmp_path):
    write_table(tmp_path / "t.jsonl", {"text": ["a"], "x": [{"k": [1, None]}]})
    assert read_texts(tmp_path / "t.jsonl").column("x") == ({"k": [1, None]},)
    write_table(tmp_path / "t.parquet", {"text": ["a"], "x": [[1, 2]]})
    assert read_texts(tmp_path / "t.parquet").column("x") == ([1, 2],)


def test_suffix_in_any_case_and_replacing_a_file(tmp_path):
    path = tmp_path / "T.JSONL"
    path.write_text("old", encoding="utf-8")
    write_table(str(path), {"text": ["new"]})
    assert path.read_text(encoding="utf-8") == '{"text": "new"}\n'
    assert [p.name for p in tmp_path.iterdir()] == ["T.JSONL"]


def test_a_table_without_rows(tmp_path):
    write_table(tmp_path / "t.csv", {"text": []})
    assert (tmp_path / "t.csv").read_text(encoding="utf-8") == '"text"\n'


@pytest.mark.parametrize("name", ["t.txt", "t.xlsx", "t", "t.npy"])
def test_unknown_suffix(tmp_path, name):
    message = rf"{name}' must end in one of \{{'.csv', '.jsonl', '.parquet'\}} to be written by write_table. Got '"
    with pytest.raises(ValueError, match=message):
        write_table(tmp_path / name, {"text": ["a"]})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("columns", "error", "message"),
    [
        ({}, ValueError, "columns must hold at least one column. Got none"),
        ({"a": [1, 2], "b": [1]}, ValueError, r"All columns must have the same length. Got \{'a': 2, 'b': 1\}"),
        ({5: [1]}, TypeError, "The names of columns must be strings. Got 5 instead"),
        ({"a": "abc"}, TypeError, "The column 'a' must be a list of values. Got a single text"),
        ({"a": ["x", "\ud800"]}, ValueError, r"The column 'a' holds text that is not valid Unicode \(first: item 1"),
        ({"\udfff": ["x"]}, ValueError, "columns holds text that is not valid Unicode"),
    ],
)
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_columns_that_can_not_be_written(tmp_path, suffix, columns, error, message):
    with pytest.raises(error, match=message):
        write_table(tmp_path / f"t{suffix}", columns)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("suffix", "value", "error", "message"),
    [
        (".csv", [1], TypeError, r"A .csv file can't hold the list in the column 'x' \(row 1\). Turn it into text"),
        (".csv", {"k": 1}, TypeError, "A .csv file can't hold the dict"),
        (".csv", object(), TypeError, "A .csv file can't hold the object"),
        (".jsonl", object(), TypeError, r"A .jsonl file can't hold the object in the column 'x' \(row 1\)"),
        (".jsonl", float("inf"), ValueError, r"The column 'x' must be finite: JSON has no number for inf \(row 1\)"),
        (".jsonl", [float("nan")], ValueError, r"A .jsonl file can't hold the list in the column 'x' \(row 1\)"),
        (".jsonl", ["\ud800"], ValueError, r"A .jsonl file can't hold the list in the column 'x' \(row 1\)"),
        (".parquet", "text", TypeError, "The column 'x' must hold values of one type to be written as .parquet"),
        (".parquet", object(), TypeError, "The column 'x' must hold values of one type"),
        (".parquet", 10**30, TypeError, "The column 'x' must hold values of one type"),
    ],
)
def test_values_that_can_not_be_written(tmp_path, suffix, value, error, message):
    path = tmp_path / f"t{suffix}"
    path.write_bytes(b"old")
    with pytest.raises(error, match=message):
        write_table(path, {"text": ["a", "b"], "x": [1, value]})
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("before", [None, b"old"])
def test_nothing_half_written(tmp_path, monkeypatch, suffix, before):
    path = tmp_path / f"t{suffix}"
    if before is not None:
        path.write_bytes(before)
    real = _write._WRITERS[suffix]

    def fail_midway(file, columns):
        real(file, columns)
        file.flush()
        part = [p for p in tmp_path.iterdir() if p != path]
        assert len(part) == 1
        assert part[0].stat().st_size > 0  # there is something half-written to get rid of
        raise OSError(28, "No space left on device")

    monkeypatch.setitem(_write._WRITERS, suffix, fail_midway)
    with pytest.raises(OSError, match="No space left"):
        write_table(path, {"text": ["a", "b"]})
    assert [p.read_bytes() for p in tmp_path.iterdir()] == ([] if before is None else [before])


def test_no_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"the folder '.*none' does not exist. Create it first"):
        write_table(tmp_path / "none" / "t.csv", {"text": ["a"]})
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(IsADirectoryError, match="it is a folder"):
        write_table(tmp_path / "folder.csv", {"text": ["a"]})
