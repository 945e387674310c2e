"""Tables from Python: columns by their names, what stands beside the texts, and tables of other libraries."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from xembed._core.results import read_result
from xembed.datasets import TextTable
from xembed.shift import compare_corpora, compare_many, drift_over_time

WORDS = ["rain", "snow", "tea", "coffee", "train", "star", "moon", "stone", "river", "note"]
N = 20


class Letters:
    def encode(self, texts):
        assert all(type(text) is str for text in texts)
        return np.array([[1.0 + text.count(letter) for letter in "aeionrst0123"] for text in texts])


class Never:
    def encode(self, texts):
        raise AssertionError("encoded before everything was checked")


def frame(start=0, **columns):
    numbers = range(start, start + N)
    data = {
        "note": [f"{WORDS[i % 10]} and {WORDS[(7 * i + start) % 10]} {i % 4}" for i in numbers],
        "author": [f"author {i // 2}" for i in numbers],
        "day": pd.date_range("2024-03-01", periods=2 * N)[start : start + N],
        "stars": [float(i % 5) for i in numbers],
    }
    return pd.DataFrame(data | columns)


F, G = frame(), frame(N)
ALL = pd.concat([F, G])
OPTIONS = {"encoder": Letters(), "text_column": "note", "n_resamples": 19}


def compare(first, second, **options):
    return compare_corpora(first, second, **(OPTIONS | options))


def test_columns_beside_the_texts_are_metadata(tmp_path):
    vectors = {"vector": [[1.0, 2.0]] * N, "constant": "x", "long": [f"{'word ' * 9}{i}" for i in range(N)]}
    result = compare(F.assign(**vectors), G.assign(**vectors))
    assert list(result.metadata_F) == ["row", "author", "day", "stars"]
    assert result.metadata_F["day"][:2] == ("2024-03-01", "2024-03-02")
    assert result.metadata_G["stars"] == tuple(G.stars)
    table = result.to_frame()
    assert table.author.tolist() == ALL.author.tolist() and table.stars.tolist() == ALL.stars.tolist()
    result.to_json(tmp_path / "result.json")
    assert read_result(tmp_path / "result.json").metadata_G == result.metadata_G
    assert "author" in result.html()
    assert compare(F, G, metadata=({}, {})).metadata_F == {}
    chosen = compare(F, G, metadata=(F[["stars", "note"]], G[["note", "stars"]]))
    assert list(chosen.metadata_G) == ["stars", "note"] and chosen.metadata_G["note"] == tuple(G.note)


def test_missing_values_of_metadata_are_none():
    odd = {
        "when": pd.Series(F.day).where(F.index != 3),
        "count": pd.array([None, *range(N - 1)], dtype="Int64"),
        "share": [np.nan, np.inf, *np.linspace(0, 1, N - 2)],
        "flag": [True, False] * (N // 2),
    }
    result = compare(F.assign(**odd)[["note", *odd]], G[["note"]])
    columns = result.metadata_F
    assert columns["when"][3] is None and columns["when"][4] == "2024-03-05"
    assert columns["count"][:2] == (None, 0) and columns["share"][:3] == (None, None, 0.0)
    assert columns["flag"][:2] == ("True", "False")
    assert set(result.metadata_G["when"]) == {None}


def test_a_table_that_was_read_keeps_the_numbers_of_its_rows():
    rows = range(5, 5 + N)
    first = TextTable("old", list(F.note), rows=rows, metadata={"author": list(F.author)})
    result = compare_corpora(first, TextTable("new", list(G.note)), encoder=Letters(), n_resamples=19)
    assert result.metadata_F["row"] == tuple(rows) and result.metadata_F["author"] == tuple(F.author)
    assert result.to_frame().row.tolist() == [*rows, *range(N)]


def test_groups_and_times_are_columns_by_name():
    by_name, by_values = compare(F, G, groups="author"), compare(F, G, groups=(F.author, G.author))
    assert by_name.pvalue == by_values.pvalue and by_name.to_dict()["tests"] == by_values.to_dict()["tests"]
    for groups in (None, "author"):
        options = OPTIONS | {"reference": "2024-03-11", "window": "10D", "min_rows": 4}
        values = None if groups is None else ALL.author
        named = drift_over_time(ALL, "day", groups=groups, **options)
        given = drift_over_time(ALL, ALL.day, groups=values, **options)
        assert named.evidence.tolist() == given.evidence.tolist() and named.starts == given.starts
    options = OPTIONS | {"reference": F, "window": 5, "min_rows": 2}
    named = drift_over_time(G, "day", groups="author", **options)
    given = drift_over_time(G, G.day, groups=(F.author, G.author), **options)
    assert named.pvalues.tolist() == given.pvalues.tolist()
    read = TextTable("notes", list(ALL.note), dates=[str(day.date()) for day in ALL.day])
    options = {"encoder": Letters(), "reference": 10, "window": 10, "n_resamples": 19}
    assert drift_over_time(read, "date", **options).starts[0] == "2024-03-11"


def test_the_groups_of_a_table_are_corpora():
    table = ALL.assign(channel=["mail", "chat", "mail", "phone"] * (N // 2))
    result = compare_many(dict(list(table.groupby("channel"))), **OPTIONS)
    assert result.names == ("chat", "mail", "phone") and result.counts.tolist() == [N // 2, N, N // 2]
    assert result.provenance["parameters"]["encoder"] == {"model": "Letters"}
    by_hand = {name: Letters().encode(list(part.note)) for name, part in table.groupby("channel")}
    assert result.pvalues.tolist() == compare_many(by_hand, n_resamples=19).pvalues.tolist()
    with pytest.raises(TypeError, match="'chat' must be embeddings or texts"):
        compare_many({"chat": None, "mail": list(F.note)}, encoder=Never())


WRONG = {
    "a column that is not there": (
        lambda: compare(F, G, groups="team"),
        "groups' .* must be a column of F. Got 'team'; ",
    ),
    "of one of the two": (
        lambda: compare(F.assign(team="a"), G, groups="team"),
        "a column of G. Got 'team'; the columns",
    ),
    "without a table": (
        lambda: compare_corpora(list(F.note), list(G.note), groups="author", encoder=Never()),
        "'groups' .* can be the name of a column only where F is a table. Got 'author': pass its values",
    ),
    "times of no column": (
        lambda: drift_over_time(ALL, "date", reference=10, window=10, text_column="note", encoder=Never()),
        "'times' .* must be a column of X. Got 'date'; the columns are 'note', 'author'",
    ),
    "times of vectors": (
        lambda: drift_over_time(np.ones((9, 2)), "date", reference=3, window=3),
        "'times' .* only where X is a table",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_name_of_no_column_is_refused_with_the_columns(case):
    call, message = WRONG[case]
    with pytest.raises(ValueError, match=message):
        call()


def test_masked_times_are_missing():
    times = np.ma.masked_array(np.arange(2 * N), mask=[True] + [False] * (2 * N - 1))
    with pytest.raises(ValueError, match=r"times holds 1 value that is missing .*row 0"):
        drift_over_time(np.ones((2 * N, 3)), times, reference=10, window=10)
    dates = np.ma.masked_array(ALL.day.to_numpy(), mask=np.arange(2 * N) == 4)
    with pytest.raises(ValueError, match=r"times holds 1 value that is missing .*row 4"):
        drift_over_time(np.ones((2 * N, 3)), dates, reference=10, window=10)


def test_what_can_be_gone_through_once_is_taken():
    once = compare_corpora((text for text in F.note), map(str, G.note), encoder=Letters(), n_resamples=19)
    assert once.texts_F == tuple(F.note) and once.pvalue == compare(F, G).pvalue


class Lazy:
    """What polars and dask have in place of values."""

    __module__ = "polars.lazyframe"
    columns = ("note",)

    def collect(self):
        return F


NOT_TAKEN = {
    "missing texts": (pd.Series([*F.note[:3], None]), TypeError, "1 item .*item 3.* A text is missing there: drop"),
    "masked texts": (np.ma.masked_array(list(F.note[:2]), mask=[0, 1]), TypeError, "item 1.* A text is missing there"),
    "bytes": ([b"rain", b"tea"], TypeError, r"bytes b'rain'\). Decode them first"),
    "records": (F.to_dict("records"), TypeError, r"\[record\['note'\] for record in texts\]"),
    "dict of tables": ({"train": F, "test": G}, TypeError, r"Got a dict: .* or one of them, F\['train'\]"),
    "lazy table": (Lazy(), TypeError, r"a Lazy \(of polars\), whose values are not computed yet: pass F.collect\(\)"),
    "path": ("notes.csv", TypeError, "a file is read by read_embeddings or read_texts"),
}


@pytest.mark.parametrize("case", NOT_TAKEN)
def test_what_is_not_taken_is_refused_with_advice(case):
    value, error, message = NOT_TAKEN[case]
    with pytest.raises(error, match=message):
        compare_corpora(value, list(G.note), encoder=Never())


def test_the_column_of_texts_is_advised_not_that_of_vectors():
    with pytest.raises(TypeError, match="text_column='note'"):
        compare_corpora(pd.DataFrame({"vector": [[1.0]] * N, "note": F.note}), G, encoder=Never())


def others():
    polars, datasets = pytest.importorskip("polars"), pytest.importorskip("datasets")
    return {"polars": polars.from_pandas, "datasets": datasets.Dataset.from_pandas}


@pytest.mark.parametrize("library", ["polars", "datasets"])
def test_tables_of_other_libraries(library):
    pytest.importorskip(library)
    make = others()[library]
    first, second, both = make(F), make(G), make(ALL.reset_index(drop=True))
    expected = compare(F, G, groups="author")
    result = compare(first, second, groups="author")
    assert result.pvalue == expected.pvalue and result.metadata_F == expected.metadata_F
    assert compare(first["note"], second["note"], text_column=None).pvalue == compare(F, G).pvalue
    options = OPTIONS | {"reference": "2024-03-11", "window": "10D"}
    assert drift_over_time(both, "day", **options).starts == drift_over_time(ALL, "day", **options).starts


def test_columns_of_vectors_of_other_libraries():
    polars, datasets = pytest.importorskip("polars"), pytest.importorskip("datasets")
    X = np.random.default_rng(0).normal(1.0, 1.0, (2 * N, 4))
    expected = compare_corpora(X[:N], X[N:], n_resamples=19).pvalue
    for column in (polars.Series(X), polars.Series(X.tolist()), datasets.Dataset.from_dict({"v": X.tolist()})["v"]):
        assert compare_corpora(column[:N], column[N:], n_resamples=19).pvalue == expected
    with pytest.raises(TypeError, match=r"F is a LazyFrame \(of polars\).*F.collect\(\)"):
        compare(polars.from_pandas(F).lazy(), G, encoder=Never())
    with pytest.raises(TypeError, match=r"Got a DatasetDict: .*F\['train'\]"):
        compare(datasets.DatasetDict(train=datasets.Dataset.from_pandas(F)), G, encoder=Never())
    with pytest.raises(ValueError, match=r"1 row without one .*row 0"):
        compare_corpora(polars.Series([None, *X.tolist()]), X)


def test_a_record_batch_is_a_table():
    batches = [pa.RecordBatch.from_pandas(part) for part in (F, G)]
    assert compare(*batches).metadata_F == compare(F, G).metadata_F
