"""TextTable: columns of one length, selections, and errors that say what there is."""

import copy
import dataclasses
import datetime
import re

import numpy as np
import pandas as pd
import pytest

from xembed.datasets import TextTable


@pytest.fixture
def table():
    return TextTable(
        "notes",
        ["Milk", "Rain", "Bread", "Wind"],
        labels=["shop", "sky", "shop", "sky"],
        dates=["2024-03-04", "2024-03-04", "2024-03-05", "2024-03-06"],
        metadata={"stars": [4, None, 1, 2], "tags": [["a"], [], ["a"], ["b"]], "open": [True, False, True, True]},
        card="About notes.",
    )


def test_columns_are_kept_as_they_should_be(table):
    assert table.texts == ("Milk", "Rain", "Bread", "Wind")
    assert table.columns == ("text", "label", "date", "stars", "tags", "open")
    assert table.dates.dtype == "datetime64[D]"
    assert table.column("text") is table.texts
    assert table.column("label") == ("shop", "sky", "shop", "sky")
    assert table.column("stars") == (4, None, 1, 2)
    assert len(table) == 4
    assert list(table) == list(table.texts)


def test_it_can_not_be_changed(table):
    with pytest.raises(dataclasses.FrozenInstanceError):
        table.name = "other"
    with pytest.raises(ValueError, match="read-only"):
        table.dates[0] = np.datetime64("2020-01-01")


def test_it_does_not_share_the_users_data():
    texts, dates = ["a", "b"], np.array(["2024-03-04", "2024-03-05"], dtype="datetime64[D]")
    table = TextTable("x", texts, dates=dates)
    texts[0], dates[0] = "changed", "1999-01-01"
    assert table.texts[0] == "a"
    assert table.dates[0] == np.datetime64("2024-03-04")


def test_it_can_be_copied(table):
    assert copy.deepcopy(table).texts == table.texts


def test_without_labels_dates_or_metadata():
    table = TextTable("x", ["a"])
    assert (table.labels, table.dates, table.metadata, table.card, table.n_skipped) == (None, None, {}, "", 0)
    assert table.columns == ("text",)


@pytest.mark.parametrize(
    "day",
    [
        "2024-03-04",
        datetime.date(2024, 3, 4),
        datetime.datetime(2024, 3, 4),
        np.datetime64("2024-03-04"),
        np.datetime64("2024-03-04", "ns"),
        pd.Timestamp("2024-03-04"),
    ],
)
def test_dates_of_many_kinds(day, table):
    assert TextTable("x", ["a"], dates=[day]).dates[0] == np.datetime64("2024-03-04")
    assert table.where(date=day).texts == ("Milk", "Rain")


@pytest.mark.parametrize(
    "bad",
    [
        "2024-3-4",
        "2024-02-30",
        "2024",
        "today",
        "",
        None,
        5,
        np.datetime64("NaT"),
        pd.NaT,
        pd.Timestamp("2024-03-04 12:00"),
    ],
)
def test_what_is_no_day(bad):
    with pytest.raises(ValueError, match="dates must hold days, such as '2024-03-04', and no missing ones"):
        TextTable("x", ["a"], dates=[bad])


def test_arrays_of_dates_may_not_hold_missing_ones():
    with pytest.raises(ValueError, match="dates must hold days"):
        TextTable("x", ["a", "b"], dates=np.array(["2024-03-04", "NaT"], dtype="datetime64[D]"))


@pytest.mark.parametrize(
    ("columns", "entries"),
    [
        ({"labels": ["a"]}, "1 entries in 'labels'"),
        ({"dates": ["2024-03-04"] * 3}, "3 entries in 'dates'"),
        ({"metadata": {"week": []}}, "0 entries in 'week'"),
    ],
)
def test_lengths_must_agree(columns, entries):
    with pytest.raises(
        ValueError, match=f"All columns of a TextTable must have the same length. Got 2 texts and {entries}"
    ):
        TextTable("x", ["a", "b"], **columns)


def test_names_must_not_clash():
    with pytest.raises(ValueError, match=r"metadata must not hold the columns \['label', 'text'\]"):
        TextTable("x", ["a"], labels=["l"], metadata={"text": [1], "label": [2], "date": [3]})


def test_texts_and_labels_must_be_strings():
    with pytest.raises(TypeError, match="texts holds 1 item that is not a string"):
        TextTable("x", ["a", 5])
    with pytest.raises(TypeError, match="labels holds 1 item that is not a string"):
        TextTable("x", ["a"], labels=[1])
    with pytest.raises(TypeError, match=r"texts must be a list of strings. Got one str"):
        TextTable("x", "abc")
    with pytest.raises(ValueError, match="not valid Unicode"):
        TextTable("x", ["\ud800"])


def test_where(table):
    assert table.where(label="shop").texts == ("Milk", "Bread")
    assert table.where(label="shop", stars=1).texts == ("Bread",)
    assert table.where(stars=None).texts == ("Rain",)
    assert table.where(date="2024-03-04", label="sky").texts == ("Rain",)
    assert table.where(tags=[["b"]]).texts == ("Wind",)
    assert table.where(text="Wind").labels == ("sky",)
    assert table.where().texts == table.texts


@pytest.mark.parametrize("collection", [list, tuple, set, frozenset, np.array])
def test_where_any_of(table, collection):
    assert table.where(stars=collection([4, 1])).texts == ("Milk", "Bread")


def test_where_keeps_all_columns_aligned(table):
    kept = table.where(label="sky")
    assert kept.column("stars") == (None, 2)
    assert kept.dates.tolist() == [datetime.date(2024, 3, 4), datetime.date(2024, 3, 6)]
    assert (kept.name, kept.card) == (table.name, table.card)


def test_where_tells_booleans_from_numbers(table):
    assert table.where(open=True).texts == ("Milk", "Bread", "Wind")
    with pytest.raises(ValueError, match=r"The 'open' asked for must occur in 'notes': \{False, True\}. Got 1 instead"):
        table.where(open=1)


def test_where_unknown_column(table):
    columns = re.escape("{'date', 'label', 'open', 'stars', 'tags', 'text'}")
    with pytest.raises(ValueError, match=f"must have the column asked for. Got 'lable'; the columns are {columns}"):
        table.where(lable="shop")
    with pytest.raises(ValueError, match=r"the column asked for. Got 'week'"):
        table.column("week")


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ({"label": "shopp"}, r"The 'label' asked for must occur in 'notes': \{'shop', 'sky'\}. Got 'shopp' instead"),
        ({"label": ["shop", "skie"]}, r"\{'shop', 'sky'\}. Got 'skie' instead"),
        ({"label": ["a", "b"]}, r"Got \['a', 'b'\] instead"),
        ({"label": []}, r"Got \[\] instead"),
        ({"stars": 9}, r"\{1, 2, 4, None\}. Got 9"),
        ({"tags": [["z"]]}, r"\{\['a'\], \['b'\], \[\]\}. Got \['z'\]"),
        ({"date": "2024-03-09"}, r"\{2024-03-04, 2024-03-05, 2024-03-06\}. Got datetime.date\(2024, 3, 9\)"),
        ({"date": "March"}, "dates must hold days"),
        ({"label": "sky", "stars": 4}, "must hold texts that meet all conditions. None has label='sky' and stars=4"),
    ],
)
def test_where_nothing_matches(table, condition, message):
    with pytest.raises(ValueError, match=message):
        table.where(**condition)


def test_where_lists_not_all_of_very_many_values():
    table = TextTable("x", [f"text {i:03d}" for i in range(100)])
    with pytest.raises(ValueError, match=r"'text 011', ... \(100 in all\)"):
        table.where(text="none")


def test_where_is_fast_with_many_options():
    table = TextTable("x", ["t"] * 50_000, metadata={"id": range(50_000)})
    assert len(table.where(id=range(0, 50_000, 2))) == 25_000


@pytest.mark.parametrize(
    "rows",
    [
        slice(1, 3),
        [1, 2],
        (1, 2),
        np.array([1, 2]),
        np.array([-3, -2]),
        [False, True, True, False],
        np.array([0, 1, 1, 0]) > 0,
    ],
)
def test_rows(table, rows):
    part = table[rows]
    assert part.texts == ("Rain", "Bread")
    assert part.labels == ("sky", "shop")
    assert part.column("stars") == (None, 1)
    assert part.dates.tolist() == [datetime.date(2024, 3, 4), datetime.date(2024, 3, 5)]


def test_rows_in_any_order_and_none(table):
    assert table[[3, 0, 0]].texts == ("Wind", "Milk", "Milk")
    assert table[[]].texts == table[4:].texts == ()
    assert table[[]].dates.dtype == "datetime64[D]"


@pytest.mark.parametrize("rows", [1, "text", 1.5, [0.5, 1.0], np.zeros((2, 2), dtype=int), None])
def test_rows_of_the_wrong_type(table, rows):
    with pytest.raises(
        TypeError, match=r"(?s)must be a slice, a 1-D array of integers or a 1-D mask.*take .texts\[i\]"
    ):
        table[rows]


def test_rows_outside(table):
    with pytest.raises(IndexError, match=r"Rows must be below 4, the number of texts of 'notes'. Got 7"):
        table[[0, 7]]
    with pytest.raises(IndexError, match="Got -5"):
        table[[-5]]
    with pytest.raises(ValueError, match="Got 3 entries for the 4 texts of 'notes'"):
        table[[True, False, True]]


def test_to_frame(table):
    frame = table.to_frame()
    assert list(frame.columns) == list(table.columns)
    assert frame["text"].tolist() == list(table.texts)
    assert frame["date"].tolist() == [pd.Timestamp(day) for day in table.dates.tolist()]
    assert frame["open"].dtype == bool
    assert frame["stars"].isna().tolist() == [False, True, False, False]


def test_repr_is_one_line(table):
    assert repr(table) == "TextTable('notes': 4 texts, columns 'text', 'label', 'date', 'stars', 'tags', 'open')"
    assert repr(TextTable("a\nb", ["x"])) == "TextTable('a\\nb': 1 text, columns 'text')"
    wide = TextTable("w", ["x"], metadata={f"c{i}": [i] for i in range(99)})
    assert repr(wide) == "TextTable('w': 1 text, columns 'text', 'c0', 'c1', 'c2', 'c3', 'c4', 'c5', 'c6', ...)"


def test_repr_html_is_escaped():
    html = TextTable("<b>n</b>", ["<script>alert(1)</script>"], metadata={"<i>": ['"&']})._repr_html_()
    assert "<script>" not in html
    assert "<b>" not in html
    assert "<i>" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert "&quot;&amp;" in html


def test_repr_html_shows_five_rows(table):
    twice = table[[0, 1, 2, 3, 0, 1, 2]]
    assert twice._repr_html_().count("<tr>") == 1 + 5
    assert "7 texts" in twice._repr_html_()
    assert table[[]]._repr_html_().count("<tr>") == 1


def test_repr_html_stays_small_whatever_the_texts():
    nasty = '"' * 100_000  # each becomes six characters
    metadata = {f"{nasty}{i}": [nasty] * 6 for i in range(30)}
    html = TextTable(nasty, [nasty] * 6, labels=[nasty] * 6, metadata=metadata)._repr_html_()
    assert len(html.encode("utf-8")) < 50_000
    assert "…" in html


# --------------------------------------------------------------------------------- numbers of the file, identifiers


def test_rows_count_from_zero_unless_given():
    table = TextTable("t", ["a", "b", "c"])
    assert (table.rows, table.unit, table.ids, table.skipped, table.warnings) == ((0, 1, 2), "row", None, (), ())
    assert TextTable("t", ["a", "b"], rows=[4, 9], unit="line").rows == (4, 9)


def test_take_keeps_together_what_belongs_together():
    table = TextTable(
        "t", ["a", "b", "c"], labels=["x", "y", "z"], dates=["2024-01-01", "2024-01-02", "2024-01-03"],
        metadata={"n": [5, 6, 7]}, rows=[1, 3, 4], ids=["A", "B", "C"], skipped=[2], n_skipped=1, warnings=["odd"],
    )  # fmt: skip
    for part in (table.take([2, -2]), table[np.array([2, 1])]):
        assert part.texts == ("c", "b")
        assert (part.labels, part.ids, part.rows, part.metadata["n"]) == (("z", "y"), ("C", "B"), (4, 3), (7, 6))
        assert [str(day) for day in part.dates] == ["2024-01-03", "2024-01-02"]
        assert (part.skipped, part.n_skipped, part.warnings) == ((2,), 1, ("odd",))
    assert table.where(label="y").rows == (3,)
    assert table.take([]).texts == ()


@pytest.mark.parametrize(
    ("indices", "error"), [([3], IndexError), ([-4], IndexError), ([0.5], TypeError), ([[0]], TypeError)]
)
def test_take_refuses(indices, error):
    with pytest.raises(error, match=r"[Rr]ows"):
        TextTable("t", ["a", "b", "c"]).take(indices)


def test_rows_identifiers_and_unit_are_checked():
    with pytest.raises(ValueError, match="2 texts and 1 entries in 'rows'"):
        TextTable("t", ["a", "b"], rows=[0])
    with pytest.raises(ValueError, match="2 texts and 3 entries in 'ids'"):
        TextTable("t", ["a", "b"], ids=["x", "y", "z"])
    with pytest.raises(TypeError, match="ids holds 1 item that is not a string"):
        TextTable("t", ["a"], ids=[5])
    with pytest.raises(ValueError, match=r"'unit' parameter of TextTable must be one of \{'line', 'row'\}"):
        TextTable("t", ["a"], unit="page")
