"""Rows that come in blocks: every source gives the same rows, and says what is wrong with them."""

import itertools
import os
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xembed._core import blocks as _blocks
from xembed._core.blocks import Blocks, read_array, read_blocks, read_rows

X = np.random.default_rng(0).normal(0.5, 1.0, size=(300, 6))


def open_blocks(source, **options):
    return read_blocks(source, name="F", caller="a test", **options)


def rows_of(source):
    return np.concatenate(list(open_blocks(source).blocks()))


def lists(values, kind=None):
    return pa.array([None if row is None else list(row) for row in values], kind or pa.list_(pa.float64()))


@pytest.fixture
def files(tmp_path):
    np.save(tmp_path / "rows.npy", X)
    np.save(tmp_path / "integers.npy", (X * 20).astype(np.int8))
    pq.write_table(
        pa.table({"id": np.arange(300), "text": ["a"] * 300, "embedding": lists(X)}),
        tmp_path / "lists.parquet", row_group_size=70,
    )  # fmt: skip
    pq.write_table(pa.table({"embedding": lists(X, pa.list_(pa.float64(), 6))}), tmp_path / "fixed.parquet")
    pq.write_table(pa.table({f"d{i}": X[:, i] for i in range(6)} | {"text": ["a"] * 300}), tmp_path / "wide.parquet")
    return tmp_path


def test_every_source_gives_the_same_rows(files):
    pieces = [X[:100], X[100:101], X[101:101], X[101:]]
    sources = [
        X,
        X.tolist(),
        pieces,
        tuple(pieces),
        lambda: iter(pieces),
        lambda: (piece for piece in pieces),
        iter(pieces),
        files / "rows.npy",
        str(files / "rows.npy"),
        np.load(files / "rows.npy", mmap_mode="r"),
        files / "lists.parquet",
        files / "fixed.parquet",
        str(files / "wide.parquet"),
    ]
    for source in sources:
        np.testing.assert_array_equal(rows_of(source), X)


def test_integers_are_read_as_floats_block_by_block(files):
    integers = np.load(files / "integers.npy", mmap_mode="r")
    rows = read_rows(integers, name="F", caller="a test")
    assert isinstance(rows, Blocks)  # as an array it would be eight times as large in memory
    np.testing.assert_array_equal(rows_of(integers), np.asarray(integers, float))


def test_what_is_an_array_stays_one(files):
    for source in (X, X.tolist(), files / "rows.npy", np.load(files / "rows.npy", mmap_mode="r")):
        assert isinstance(read_rows(source, name="F", caller="a test"), np.ndarray)
    assert read_rows(X, name="F", caller="a test") is X


@given(
    cuts=st.lists(st.integers(0, 300), max_size=12), step=st.sampled_from([1, 2, 16, 64, 512]), reuse=st.booleans(),
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_blocks_do_not_depend_on_how_a_stream_was_cut(cuts, step, reuse):
    bounds = [0, *sorted(cuts), 300]
    buffer = np.empty((300, 6))

    def stream():
        for low, high in itertools.pairwise(bounds):
            if reuse:  # as readers do that fill the same memory again and again
                buffer[: high - low] = X[low:high]
                yield buffer[: high - low]
            else:
                yield X[low:high]

    old, _blocks._ELEMENTS = _blocks._ELEMENTS, step * 8  # six dimensions: the power of two below
    try:
        blocks = [block.copy() for block in open_blocks(stream).blocks()]
    finally:
        _blocks._ELEMENTS = old
    assert [len(block) for block in blocks] == [min(step, 300 - i) for i in range(0, 300, step)]
    np.testing.assert_array_equal(np.concatenate(blocks), X)


def test_sums_and_row_numbers(monkeypatch):
    monkeypatch.setattr(_blocks, "_ELEMENTS", 64 * 6)
    blocks = open_blocks([X[:130], X[130:]])
    np.testing.assert_allclose(blocks.total(lambda block, start: block.sum(axis=0)), X.sum(axis=0), atol=1e-12)
    assert list(blocks.map(lambda block, start: (start, len(block)))) == [
        (i, min(64, 300 - i)) for i in range(0, 300, 64)
    ]
    seen = []
    list(blocks.map(lambda block, start: None, seen.append))
    assert sum(seen) == 300


def test_the_number_of_rows_is_known_where_it_can_be(files):
    for source in (X, [X, X], files / "lists.parquet"):
        assert open_blocks(source).n_rows == (600 if isinstance(source, list) else 300)
    unknown = open_blocks(lambda: iter([X, X]))
    assert (unknown.n_rows, unknown.count(), unknown.n_rows) == (None, 600, 600)


def fresh(*blocks):
    return lambda: iter(blocks)


def exhausted():
    blocks = iter([X, X])
    return lambda: blocks


def with_nan(row):
    bad = X.copy()
    bad[row % 300] = np.nan
    return bad


@pytest.mark.parametrize(
    ("source", "error", "message"),
    [
        (fresh(), ValueError, "F must hold at least 2 rows .* Got n_samples = 0"),
        (iter([]), ValueError, "F must hold at least 2 rows .* Got n_samples = 0"),
        (fresh(X[:1]), ValueError, "F must hold at least 2 rows .* Got n_samples = 1"),
        ([X[:1]], ValueError, "F must hold at least 2 rows .* Got n_samples = 1"),
        (fresh(X, X[:, :3]), ValueError, r"Block 1 of F \(from row 300\) must have 6 dimensions.* Got 3: were they"),
        ([X, X[:, :3]], ValueError, r"Block 1 of F \(from row 300\) must have 6 dimensions"),
        ([X, X[0]], ValueError, r"Block 1 of F \(from row 300\) must be a 2-D array.*Got an array of shape \(6,\)"),
        (fresh(X[0]), ValueError, r"Block 0 of F \(from row 0\) must be a 2-D array"),
        (fresh(X, None), TypeError, r"Block 1 of F \(from row 300\) must be a 2-D array"),
        (fresh(X, np.array([["a"] * 6])), TypeError, r"Block 1 of F \(from row 300\) must hold real numbers"),
        (lambda: 3, TypeError, "The function given as F must return an iterator of 2-D blocks. Got int instead"),
        (lambda: "rows.npy", TypeError, "The function given as F must return an iterator of 2-D blocks. Got str"),
        ("rows.csv", ValueError, r"F must be an array, .* path of a .npy or .parquet file. Got 'rows.csv' instead"),
    ],
)  # fmt: skip
def test_bad_streams(source, error, message):
    with pytest.raises(error, match=message):
        list(open_blocks(source, min_rows=2).blocks())


def test_what_can_be_read_once_is_refused_where_it_is_read_twice():
    with pytest.raises(
        TypeError, match=r"F must be something that can be read more than once for a test: .* a functio"
    ):
        open_blocks(iter([X]), again=True)
    once = open_blocks(iter([X]))
    list(once.blocks())
    with pytest.raises(TypeError, match=r"Got an iterator \(list_iterator\).*pass the function that makes it"):
        list(once.blocks())


def test_a_function_must_give_the_same_rows_again():
    blocks = open_blocks(exhausted())
    assert blocks.count() == 600
    with pytest.raises(ValueError, match="Got 600 rows, then 0: a function has to return a fresh iterator"):
        list(blocks.blocks())


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"text": ["a", "b"], "title": ["c", "d"]}, r"column of lists of numbers.*\{'text', 'title'\}.*embed them"),
        ({"a": lists([[1, 2], [3, 4]]), "b": lists([[1, 2], [3, 4]])}, r"one column of embeddings. Got \{'a', 'b'\}"),
        ({"label": [0, 1], "x": [0.5, 1.0], "y": [1.0, 2.0]}, r"names such as emb_0, emb_1, .* Got the columns \{'l"),
        ({"a": lists([[1, 2], [3]])}, r"lists of the same length in the column 'a'. Got 2 numbers in row 0 and 1 in r"),
        ({"a": lists([[1, 2], None])}, "holds no list of numbers in row 1 of the column 'a'"),
        ({"a": lists([[], []])}, r"0 feature\(s\)"),
        ({"a": lists([])}, "F must hold at least 2 rows .* Got n_samples = 0"),
    ],
)  # fmt: skip
def test_bad_parquet(tmp_path, columns, message):
    pq.write_table(pa.table(columns), tmp_path / "bad.parquet")
    with pytest.raises(ValueError, match=message):
        list(open_blocks(tmp_path / "bad.parquet", min_rows=2).blocks())


def test_lists_of_another_length_are_found_in_later_batches(tmp_path, monkeypatch):
    monkeypatch.setattr("xembed._core.parquet._BATCH", 32)
    rows = [list(row) for row in X]
    rows[200] = [1.0, 2.0]
    pq.write_table(pa.table({"a": lists(rows)}), tmp_path / "bad.parquet")
    with pytest.raises(ValueError, match="Got 6 numbers in row 0 and 2 in row 200"):
        rows_of(tmp_path / "bad.parquet")


def test_missing_and_damaged_files(tmp_path):
    (tmp_path / "rows.parquet").write_bytes(b"not parquet at all")
    with pytest.raises(ValueError, match=r"F \('.*rows.parquet'\) can't be read as Parquet"):
        open_blocks(tmp_path / "rows.parquet")
    with pytest.raises(FileNotFoundError, match="no such file"):
        open_blocks(tmp_path / "other.parquet")
    with pytest.raises(FileNotFoundError, match="no such file"):
        open_blocks(tmp_path / "other.npy")
    np.save(tmp_path / "objects.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match="holds Python objects, which can't be read safely"):
        open_blocks(tmp_path / "objects.npy")


def test_missing_numbers_are_found_as_rows_that_are_not_finite(tmp_path):
    from xembed.depth import tte_depth

    columns = {f"d{i}": pa.array([None if r == 17 and i == 2 else v for r, v in enumerate(X[:, i])]) for i in range(6)}
    pq.write_table(pa.table(columns), tmp_path / "rows.parquet")
    with pytest.raises(ValueError, match=r"X holds 1 row that is not finite \(NaN or inf\) \(first: row 17\)"):
        tte_depth(tmp_path / "rows.parquet")


def test_arrays_are_asked_for_where_blocks_do_not_do():
    options = {"name": "F", "caller": "a test", "blocks_for": "distance='cosine'"}
    np.testing.assert_array_equal(read_array(X, **options), X)
    for source, kind in (([X, X], "list"), (fresh(X), "function"), (iter([X]), "list_iterator")):
        with pytest.raises(ValueError, match=rf"only for distance='cosine'. Got {kind} instead: .*np.concatenate"):
            read_array(source, **options)


def test_dask_is_loaded_only_by_whoever_uses_it():
    code = (
        "import sys, numpy as np\n"
        "from xembed.shift import rank_sum_test\n"
        "X = np.random.default_rng(0).normal(size=(20, 3))\n"
        "rank_sum_test([X[:10], X[10:]], lambda: iter([X]))\n"
        "print(sorted({m.split('.')[0] for m in sys.modules} & {'dask', 'distributed', 'pyarrow', 'torch', 'tqdm'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ)
    assert done.stdout.strip() == "[]"
