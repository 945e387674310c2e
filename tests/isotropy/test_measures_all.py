"""The call that measures everything: values, intervals, warnings, streams, results, errors."""

import importlib
import os
import tracemalloc

import numpy as np
import pytest

from xembed import read_result
from xembed.isotropy import (
    IsotropyResult,
    average_cosine,
    hubness,
    intrinsic_dimension,
    isoscore,
    measure,
    outlier_dimensions,
    partition_isotropy,
    rankme,
    uniformity,
)
from xembed.isotropy._metrics import METRICS
from xembed.reports._bibliography import work

X = np.random.default_rng(0).standard_normal((300, 12)) * np.linspace(2, 0.3, 12) + 0.2


@pytest.fixture(scope="module")
def everything():
    return measure(X, n_resamples=40)


def test_values_are_those_of_the_functions(everything):
    dims = outlier_dimensions(X)
    expected = {
        "debiased_isoscore": isoscore(X, debiased=True),
        "isoscore": isoscore(X),
        "rankme": rankme(X),
        "average_cosine": average_cosine(X),
        "top_dimension_share": dims.top_share,
        "partition_isotropy": partition_isotropy(X),
        "uniformity": uniformity(X),
        "hubness": hubness(X).skewness,
        "robin_hood": hubness(X).robin_hood,
        "twonn": intrinsic_dimension(X),
        "mle": intrinsic_dimension(X, method="mle"),
    }
    for name, value in expected.items():
        assert everything.measure(name).value == pytest.approx(value, rel=1e-9), name
    assert [m.name for m in everything.measures] == list(METRICS)
    np.testing.assert_allclose(everything.spectrum, np.linalg.eigvalsh(np.cov(X.T))[::-1], rtol=1e-9)
    np.testing.assert_allclose(everything.contributions, dims.contributions)
    assert (everything.n, everything.n_dims) == (300, 12)


def test_intervals_hold_the_value_and_stay_in_range(everything):
    for m in everything.measures:
        if m.name == "top_dimension_share":
            assert m.low is None and m.high is None
            continue
        assert m.low <= m.value <= m.high and m.low < m.high, m.name
        assert m.minimum is None or m.minimum <= m.low
        assert m.maximum is None or m.high <= m.maximum
    assert "40 random halves of 64 groups" in everything.notes[0]
    assert all(m.low is None for m in measure(X, metrics=["isoscore", "mle"]).measures)


def test_a_wider_level_gives_a_wider_interval():
    narrow, wide = (
        measure(X, metrics="isoscore", n_resamples=100, confidence_level=level).measures[0] for level in (0.5, 0.99)
    )
    assert wide.low < narrow.low < narrow.high < wide.high


def test_the_same_call_gives_the_same_bytes():
    first, again = (measure(X, n_resamples=5, rng=3).to_json() for _ in range(2))
    assert first == again != measure(X, n_resamples=5, rng=4).to_json()


def test_result_round_trip_and_table(everything, tmp_path):
    everything.to_json(tmp_path / "r.json")
    again = read_result(tmp_path / "r.json")
    assert isinstance(again, IsotropyResult) and again.to_json() == everything.to_json()
    frame = everything.to_frame()
    assert len(frame) == len(METRICS)
    assert frame.set_index("name").loc["isoscore", "value"] == everything.measure("isoscore").value
    with pytest.raises(KeyError, match="'nope' is not among the measures computed"):
        everything.measure("nope")


def test_the_histogram_is_what_random_directions_would_give():
    Y = np.random.default_rng(1).standard_normal((600, 30))
    histogram = measure(Y, metrics="uniformity").cosine_histogram
    assert histogram.edges[[0, -1]].tolist() == [-1, 1] and histogram.counts.sum() == 100_000
    assert histogram.expected.sum() == pytest.approx(100_000)
    few = histogram.expected > 500
    np.testing.assert_allclose(histogram.counts[few], histogram.expected[few], rtol=0.2)
    line = measure(np.arange(1.0, 40)[:, None] - 20.5, metrics="average_cosine").cosine_histogram
    assert line.counts[[0, -1]].sum() == line.counts.sum() and line.expected[50] == 0
    assert measure(Y, metrics="uniformity").measures[0].value == pytest.approx(
        measure(Y, metrics="uniformity").measures[0].perfect, abs=0.01
    )


def test_warnings_say_what_to_know():
    few = measure(np.random.default_rng(0).standard_normal((50, 384)))
    assert "isotropic data would have 0.111 at this size" in few.measure("isoscore").warning
    assert few.measure("debiased_isoscore").warning is None
    assert "not above 0.01" in few.measure("top_dimension_share").warning
    assert few.measure("top_dimension_share").value is None
    assert "fewer rows (50) than dimensions (384)" in few.notes[0]
    assert "root mean square length" in few.measure("partition_isotropy").warning
    assert "Above 20 too low" in few.measure("mle").warning
    tiny = measure(X[:5])
    assert tiny.measure("hubness").value is None and "more than 10 rows" in tiny.measure("hubness").warning
    assert "at least 21 rows" in tiny.measure("mle").warning
    repeated = measure(np.concatenate([X, X[:9]]), metrics="twonn").measures[0]
    assert "Repeated rows, 9 of 309" in repeated.warning and repeated.n_rows_used == 300
    assert repeated.value == pytest.approx(intrinsic_dimension(X))
    unit = X / np.linalg.norm(X, axis=1, keepdims=True)
    assert measure(unit, metrics="partition_isotropy").measures[0].warning is None


def test_large_arrays_use_subsets_and_say_so(monkeypatch):
    module = importlib.import_module("xembed.isotropy._measure")
    monkeypatch.setattr(module, "_SAMPLE_ROWS", 100)
    found = measure(X, metrics=["uniformity", "isoscore"])
    assert found.measure("uniformity").n_rows_used == 100 and found.measure("isoscore").n_rows_used == 300
    assert "Computed on 100 random rows" in found.measure("uniformity").warning
    wide = np.random.default_rng(0).standard_normal((3000, 64)) * np.linspace(2, 0.5, 64) + 0.3
    wide = (wide / np.linalg.norm(wide, axis=1, keepdims=True)).astype(np.float32)
    exact = partition_isotropy(wide)
    monkeypatch.setattr("xembed._core.directions._EXACT_ELEMENTS", 0)
    screened = measure(wide, metrics="partition_isotropy").measures[0]
    assert "most extreme in" in screened.warning and screened.value == pytest.approx(exact, rel=1e-4)


def test_streams_give_what_follows_from_sums():
    import dask.array

    pieces = [X[:1], X[1:140], X[140:]]
    whole = measure(X)
    for source in (pieces, lambda: iter(pieces), iter(pieces), dask.array.from_array(X, chunks=(90, 12))):
        once = hasattr(source, "__next__")
        found = measure(source, n_resamples=20)
        for name, metric in METRICS.items():
            m = found.measure(name)
            if metric.source == "sample" or (once and name == "partition_isotropy"):
                assert m.value is None and m.warning.startswith("Needs")
            else:
                assert m.value == pytest.approx(whole.measure(name).value, rel=1e-9)
                assert name == "top_dimension_share" or m.low < m.high
        assert found.cosine_histogram is None
        np.testing.assert_allclose(found.contributions, whole.contributions, atol=1e-12)


def test_zero_rows_are_an_error_only_where_lengths_matter():
    Y = X.copy()
    Y[7] = 0
    assert measure(Y, metrics=["isoscore", "rankme", "partition_isotropy"]).contributions is None
    with pytest.raises(ValueError, match=r"1 row that is zero \(first: row 7\)"):
        measure(Y)
    with pytest.raises(ValueError, match=r"zero \(first: row 7\)"):
        measure(np.repeat(Y, 40, axis=1))  # fewer rows than dimensions
    assert measure(np.repeat(Y, 40, axis=1), metrics="isoscore").dead_dimensions == ()


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: measure(X[:1]), ValueError, "at least 2 rows"),
        (lambda: measure(np.ones((9, 3))), ValueError, "must hold rows that differ"),
        (lambda: measure(np.where(X > 3, np.nan, X)), ValueError, r"not finite \(NaN or inf\) \(first: row"),
        (lambda: measure(X, metrics="cka"), ValueError, r"from \{'antihub_rate', .*\}. Got 'cka'"),
        (lambda: measure(X, metrics=["isoscore", 3]), ValueError, "Got 3 instead"),
        (lambda: measure(X, metrics=[]), ValueError, r"Got \[\] instead"),
        (lambda: measure(X, metrics=None), TypeError, "'metrics' parameter of measure must be 'all', a name or a list"),
        (lambda: measure(X, n_resamples=-1), ValueError, "'n_resamples' parameter of measure"),
        (lambda: measure(X, n_resamples=1.5), TypeError, "'n_resamples' parameter of measure"),
        (lambda: measure(X, confidence_level=1), ValueError, "'confidence_level' parameter of measure"),
        (lambda: measure(X, rng="a"), TypeError, "'rng' parameter of measure"),
        (lambda: measure("x.csv"), TypeError, "a file is read by read_embeddings or read_texts"),
    ],
)
def test_errors(call, error, message):
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize("n", [2, 3, 4, 5, 12, 13])
@pytest.mark.parametrize("d", [1, 2, 12])
def test_small_sizes(n, d):
    result = measure(X[:n, :d], n_resamples=10)
    assert IsotropyResult.from_json(result.to_json()).to_json() == result.to_json()
    assert result.measure("average_cosine").value is not None
    assert len(result.spectrum) == min(n - 1, d)
    assert all(m.value is not None or m.warning for m in result.measures)


@pytest.mark.slow
def test_memory_is_a_fraction_of_the_input():
    n = 200_000 if os.environ.get("XEMBED_FULL") else 100_000
    big = np.random.default_rng(0).standard_normal((n, 384), dtype=np.float32)
    measure(big[:3000])  # what is imported is not counted
    tracemalloc.start()
    measure(big)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    print(f"\nmeasure of {n} x 384 float32: {peak / big.nbytes:.2f} of the input on top of it")
    assert peak <= 0.3 * 200_000 * 384 * 4


@pytest.mark.parametrize("metric", METRICS.values(), ids=list(METRICS))
def test_every_measure_says_what_it_is_and_names_its_sources(metric):
    assert metric.label and metric.meaning.endswith(".") and metric.better in {"higher", "lower", "none"}
    assert all(work(key).short in metric.meaning for key in metric.cites)
    assert (metric.better == "none") == (metric.isotropic is None)
