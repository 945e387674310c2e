"""What people pass where embeddings or texts are asked for, from every library, and what is refused with advice."""

import collections

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import scipy.sparse
import torch

from xembed._core.validation import check_embeddings, check_texts
from xembed.depth import local_depth, tte_depth
from xembed.isotropy import measure
from xembed.shift import compare_many, rank_sum_test
from xembed.transforms import Standardize

M = np.random.default_rng(0).normal(1.0, 1.0, (6, 3)).round(2)
FRAME = pd.DataFrame(M, index=list("abcabc"), columns=["x", "y", "z"])


class PolarsStandIn:
    """What of polars is used, under its name: the library itself need not be installed."""

    __module__ = "polars.series"

    def __init__(self, values):
        self.values = values

    def to_numpy(self):
        return self.values

    def __iter__(self):
        return iter(self.values)

    def __len__(self):
        return len(self.values)


class PolarsType:
    def __init__(self, numeric):
        self.numeric = numeric

    def is_numeric(self):
        return self.numeric


class PolarsFrame(PolarsStandIn):
    columns = ("x", "y", "z")

    @property
    def dtypes(self):
        return [PolarsType(self.values.dtype.kind == "f")] * 3

    def __getitem__(self, column):
        return PolarsStandIn(self.values[:, self.columns.index(column)])


class Dlpack:
    def __dlpack__(self, **options):
        return M.__dlpack__(**options)

    def __dlpack_device__(self):
        return M.__dlpack_device__()


class Column(collections.UserList):
    """A column of `datasets` is a sequence of lists."""


class Cupy(np.lib.mixins.NDArrayOperatorsMixin):
    __module__ = "cupy"

    def get(self):
        return M


TAKEN = {
    "array": M,
    "float16": M.astype(np.float16),
    "integers": (100 * M).astype(np.int16),
    "longdouble": M.astype(np.longdouble),
    "objects that are numbers": M.astype(object),
    "memoryview": memoryview(M),
    "masked array without a mask": np.ma.masked_array(M),
    "list": M.tolist(),
    "tuple of arrays": tuple(M),
    "values of a dict": dict(enumerate(M)).values(),
    "DataFrame": FRAME,
    "DataFrame of nullable numbers": FRAME.astype("Float64"),
    "Series of arrays": pd.Series(list(M), index=[5, 4, 3, 2, 1, 0]),
    "Series of lists": pd.Series(M.tolist()),
    "Series of arrow lists": pd.Series(M.tolist(), dtype=pd.ArrowDtype(pa.list_(pa.float64()))),
    "tensor": torch.tensor(M),
    "tensor with gradients": torch.nn.Parameter(torch.tensor(M)),
    "bfloat16": torch.tensor(M).bfloat16(),
    "list of tensors": list(torch.nn.Parameter(torch.tensor(M))),
    "arrow lists": pa.array(M.tolist()),
    "slice of arrow lists": pa.array([[0.0] * 3, *M.tolist()])[1:],
    "arrow lists of one size": pa.FixedSizeListArray.from_arrays(pa.array(M.ravel()), 3),
    "slice of arrow lists of one size": pa.FixedSizeListArray.from_arrays(pa.array(np.r_[1.0, 1, 1, M.ravel()]), 3)[1:],
    "arrow tensors": pa.FixedShapeTensorArray.from_numpy_ndarray(M),
    "arrow chunks": pa.chunked_array([M[:2].tolist(), M[2:].tolist()]),
    "column": Column(M.tolist()),
    "polars column of arrays": PolarsStandIn(M),
    "polars column of lists": PolarsStandIn(pd.Series(list(M)).to_numpy()),
    "polars DataFrame": PolarsFrame(M),
    "dlpack": Dlpack(),
    "cupy": Cupy(),
}


@pytest.mark.parametrize("kind", TAKEN)
def test_the_rows_are_those_of_any_library(kind):
    rows = check_embeddings(TAKEN[kind], name="X", caller="f")
    assert rows.dtype in (np.float16, np.float32, np.float64)
    expected, places = (100 * M, 1) if kind == "integers" else (M, 2e-2 if kind in {"bfloat16", "float16"} else 1e-12)
    np.testing.assert_allclose(rows.astype(np.float64), expected, rtol=0, atol=places)


@pytest.mark.parametrize("kind", ["DataFrame", "Series of arrays", "tensor with gradients", "arrow chunks", "column"])
def test_functions_of_embeddings_take_them(kind):
    X = TAKEN[kind]
    np.testing.assert_allclose(tte_depth(X), tte_depth(M), rtol=1e-12)
    assert rank_sum_test(X, X[:4] if kind != "DataFrame" else X.iloc[:4]).pvalue == rank_sum_test(M, M[:4]).pvalue
    assert measure(X, metrics="isoscore").measures[0].value == measure(M, metrics="isoscore").measures[0].value
    np.testing.assert_allclose(Standardize().fit_transform(X), Standardize().fit_transform(M), rtol=1e-12)
    assert compare_many({"a": X, "b": M, "c": M + 1}).names == ("a", "b", "c")


EMBED = r"X must hold real numbers .*[Ee]mbed them first"
REFUSED = {
    "list of texts": (["a b", "c"], TypeError, EMBED),
    "texts after a missing one": ([None, "c"], TypeError, EMBED),
    "array of texts": (np.array(["a b", "c"]), TypeError, EMBED),
    "array of numbers as texts": (np.array([["1", "2"]], dtype=object), TypeError, EMBED),
    "Series of texts": (pd.Series(["a b", "c"]), TypeError, EMBED),
    "categories": (pd.Series(["a b", "c"], dtype="category"), TypeError, EMBED),
    "arrow texts": (pa.array(["a b", "c"]), TypeError, EMBED),
    "polars texts": (PolarsStandIn(np.array(["a b", "c"])), TypeError, EMBED),
    "DataFrame with texts": (FRAME.assign(note="a b"), TypeError, r"column 'note'.* encoder.encode\(X\['note'\]\)"),
    "DataFrame with flags": (FRAME.assign(spam=True), TypeError, "column 'spam'"),
    "polars DataFrame of texts": (PolarsFrame(np.array([["a", "b", "c"]])), TypeError, r"encoder.encode\(X\['x'\]\)"),
    "arrow table": (pa.table({"vector": [[1.0, 2.0]]}), TypeError, "Got a Table with the column 'vector'.* pass this"),
    "path": ("X.npy", TypeError, "Got a str: a file is read by read_embeddings or read_texts"),
    "bytes": (b"abc", TypeError, "Got a bytes: pass an array"),
    "dict": ({"a": [1.0, 2.0]}, TypeError, r"Got a dict: pass list\(X.values\(\)\)"),
    "set": ({1.0, 2.0}, TypeError, "Got a set: pass an array, or a list of vectors in the order"),
    "nested tensors": (
        torch.nested.nested_tensor([torch.ones(2), torch.ones(3)]),
        TypeError,
        "Got a nested tensor: pass",
    ),
    "tensor without values": (torch.ones(2, 2, device="meta"), TypeError, "Got a meta tensor: it has no values"),
    "Series with a missing vector": (pd.Series([*M, np.nan]), ValueError, "Got 1 row without one .first: row 6"),
    "number": (3.0, TypeError, "Got float instead: pass an array"),
    "None": (None, TypeError, "Got NoneType instead"),
    "generator": ((row for row in M), TypeError, "Got generator instead"),
    "sparse matrix": (scipy.sparse.csr_matrix(M), TypeError, r"Got the sparse csr_matrix: pass X.toarray\(\)"),
    "sparse tensor": (torch.tensor(M).to_sparse(), TypeError, r"Got a sparse tensor: pass .to_dense\(\)"),
    "complex": (M * 1j, ValueError, "Complex data not supported"),
    "flags": (M > 0, TypeError, "must hold real numbers .*Got dtype bool"),
    "dates": (M.astype("datetime64[s]"), TypeError, "must hold real numbers .*Got dtype datetime64"),
    "lengths of time": (M.astype("timedelta64[s]"), TypeError, "must hold real numbers .*Got dtype timedelta64"),
    "objects": ([{}, {}], TypeError, "X must hold numbers .*Got dict in row 0"),
    "ragged list": (
        [[1.0, 2.0], [1.0, 2.0], [3.0]],
        ValueError,
        "can't be put into one array: row 0 has 2 numbers, row 2 has 1",
    ),
    "ragged Series": (pd.Series([np.ones(2), np.ones(3)]), ValueError, "row 0 has 2 numbers, row 1 has 3"),
    "ragged arrow": (pa.array([[1.0, 2.0], [3.0]]), ValueError, "row 0 has 2 numbers, row 1 has 1"),
    "missing vector": (
        pd.Series([np.ones(2), None, np.ones(2), float("nan")]),
        ValueError,
        r"Got 2 rows without one \(first: row 1\)",
    ),
    "missing arrow vector": (pa.array([[1.0], [1.0], None]), ValueError, r"Got 1 row without one \(first: row 2\)"),
    "masked": (np.ma.masked_array(M, mask=M[4] == M), ValueError, r"X holds 1 row with masked values \(first: row 4\)"),
    "list of masked": (list(np.ma.masked_array(M, mask=M[4] == M)), ValueError, r"masked values \(first: row 4\)"),
    "Series of numbers": (pd.Series([1.0, 2.0]), ValueError, r"Got an array of shape \(2,\) instead. Reshape"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_refused_says_what_to_do(kind):
    X, error, message = REFUSED[kind]
    with pytest.raises(error, match=message):
        check_embeddings(X, name="X", caller="f")


@pytest.mark.parametrize(
    "kind", ["list of texts", "Series of texts", "DataFrame with texts", "masked", "sparse matrix"]
)
@pytest.mark.parametrize(
    "call",
    [tte_depth, lambda X: local_depth(X, n_neighbors=1), lambda X: Standardize().fit(X)],
    ids=["tte_depth", "local_depth", "Standardize"],
)
def test_functions_of_embeddings_refuse_them(kind, call):
    X, error, message = REFUSED[kind]
    with pytest.raises(error, match=message):
        call(X)


@pytest.mark.parametrize(
    "texts",
    [
        ("a b", "c"),
        (text for text in ["a b", "c"]),
        np.array(["a b", "c"]),
        pd.Series(["a b", "c"], index=[7, 3]),
        pd.Series(["a b", "c"], dtype="category"),
        pa.array(["a b", "c"]),
        pa.chunked_array([["a b"], ["c"]]),
        PolarsStandIn(["a b", "c"]),
        Column(["a b", "c"]),
    ],
)
def test_texts_of_any_library(texts):
    checked = check_texts(texts)
    assert checked == ["a b", "c"] and {type(text) for text in checked} == {str}


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ("notes.txt", "Got one str: for a single text pass a list .*; the texts of a file are read by .*texts"),
        (b"a", "Got one bytes"),
        (pd.DataFrame({"id": [1], "text": ["a"]}), r"Got a DataFrame with 2 columns: pass .* table\['text'\]"),
        (pa.table({"note": ["a"]}), r"Got a Table with 1 columns: pass .* table\['note'\]"),
        ({"a": 1}, "Got a dict, which is no sequence of texts"),
        ({"a"}, "Got a set, which is no sequence of texts"),
        ((number for number in range(2)), r"holds 2 items that are not a string \(first: item 0, int 0\)"),
        ([["a"]], r"first: item 0, list \['a'\]"),
        ([b"a"], "first: item 0, bytes"),
        (pd.Series(["a", None, pd.NA, float("nan")]), r"3 items that are not a string \(first: item 1"),
        (pa.array(["a", None]), r"first: item 1, NoneType None"),
        (np.ma.masked_array(["a", "b"], mask=[False, True]), "first: item 1, MaskedConstant"),
    ],
)  # fmt: skip
def test_no_texts(texts, message):
    with pytest.raises(TypeError, match=message):
        check_texts(texts)
