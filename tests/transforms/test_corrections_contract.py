"""What all corrections have in common: scikit-learn's contract, types, errors, bad input."""

import json

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

from xembed._core import moments
from xembed.isotropy import AllButTheTop, ClusterIsotropy, ICAProjection, Standardize, Whitening

CORRECTIONS = [
    Standardize(),
    AllButTheTop(),
    AllButTheTop(n_components=2),
    Whitening(),
    Whitening("zca", power=0.5, shrinkage="ledoit_wolf"),
    Whitening(n_components=2, shrinkage=0.1),
    ClusterIsotropy(n_clusters=2),
    ICAProjection(),
    ICAProjection(n_components=2),
]
every_correction = pytest.mark.parametrize("correction", CORRECTIONS, ids=lambda correction: repr(correction)[:45])


def sample(n=200, d=6, seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_t(5, size=(n, d)) @ rng.normal(size=(d, d)) + rng.normal(size=d)


# Some of scikit-learn's checks fit to two dimensions, of which two can't be taken out.
CHECKED = [c for c in CORRECTIONS if not (isinstance(c, AllButTheTop) and c.n_components == 2)]


@parametrize_with_checks([*CHECKED, ClusterIsotropy()])
@pytest.mark.filterwarnings("ignore:FastICA did not converge")
def test_keeps_the_contract_of_scikit_learn(estimator, check):
    check(estimator)


@every_correction
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int64])
def test_types(correction, dtype):
    X = (10 * sample()).astype(dtype)
    found = clone(correction).fit(X).transform(X)
    assert found.dtype == (np.float64 if dtype in (np.float64, np.int64) else np.float32)
    exact = clone(correction).fit(X.astype(np.float64)).transform(X.astype(np.float64))
    np.testing.assert_allclose(found, exact, rtol=1e-5, atol=1e-5 * np.abs(exact).max())


@every_correction
def test_blocks_do_not_matter(correction, monkeypatch):
    X = sample()
    whole = clone(correction).fit(X)
    monkeypatch.setattr(moments, "_FLOAT_ELEMENTS", 60)
    parts = clone(correction).fit(X)
    # Iterations that stop by a tolerance pass rounding on.
    tolerance = 1e-6 if isinstance(correction, ICAProjection) else 1e-10
    expected = whole.transform(X)
    np.testing.assert_allclose(parts.transform(X), expected, rtol=0, atol=tolerance * np.abs(expected).max())


@every_correction
def test_does_not_touch_or_keep_what_it_is_given(correction):
    X = sample()
    before = X.copy()
    fitted = clone(correction).fit(X)
    expected = fitted.transform(X)
    np.testing.assert_array_equal(X, before)
    X *= -3.0
    np.testing.assert_array_equal(fitted.transform(before), expected)


@every_correction
def test_same_call_same_bytes(correction):
    X = sample()
    assert clone(correction).fit(X).transform(X).tobytes() == clone(correction).fit(X).transform(X).tobytes()


@every_correction
@pytest.mark.parametrize("shift", [1e3, 1e6, -1e8])
def test_large_means_do_not_cancel(correction, shift):
    X = np.round(sample(), 3)
    shifted = X + shift  # whose own rounding is the only difference
    X = shifted - shift
    expected, found = clone(correction).fit(X).transform(X), clone(correction).fit(shifted).transform(shifted)
    # Shifts of all dimensions alone do not matter to any of the corrections, once the mean is gone.
    tolerance = 1e-5 if isinstance(correction, ICAProjection) else 1e-7
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance * np.abs(expected).max())


@every_correction
def test_pipelines_tables_and_names(correction):
    X = pd.DataFrame(sample(), columns=list("abcdef"))
    pipeline = make_pipeline(Standardize(), clone(correction)).set_output(transform="pandas")
    table = pipeline.fit_transform(X)
    assert list(table.columns) == list(pipeline.get_feature_names_out())
    assert table.shape == (200, pipeline[-1].transform(X.rename(columns=str)).shape[1])
    if isinstance(correction, Standardize | AllButTheTop | ClusterIsotropy):
        assert list(table.columns) == list("abcdef")
    with pytest.raises(ValueError, match="feature names"):
        pipeline[0].transform(X.rename(columns=str.upper))


@every_correction
def test_describe_is_plain(correction):
    fresh = clone(correction)
    assert fresh.describe()["n_fit"] is None
    described = fresh.fit(sample()).describe()
    assert json.loads(json.dumps(described, allow_nan=False)) == described
    assert described["class"] == type(correction).__name__
    assert described["parameters"] == correction.get_params()
    assert (described["n_fit"], described["n_dims"]) == (200, 6)
    assert 0 < described["rank"] <= 6


def test_describe_of_a_generator_names_its_kind():
    correction = ICAProjection(random_state=np.random.RandomState(0), tol=np.float64(1e-3))
    assert correction.describe()["parameters"]["random_state"] == "RandomState"
    assert type(correction.describe()["parameters"]["tol"]) is float


@every_correction
def test_bad_input(correction):
    X = sample()
    fitted = clone(correction).fit(X)
    bad = X.copy()
    bad[[3, 5], 1] = np.nan, np.inf
    for call in (clone(correction).fit, fitted.transform):
        with pytest.raises(ValueError, match=r"X holds 2 rows that are not finite \(NaN or inf\) \(first: row 3\)"):
            call(bad)
        with pytest.raises(ValueError, match=r"single text is X.reshape\(1, -1\)"):
            call(X[0])
        with pytest.raises(TypeError, match=r"X must be a dense 2-D array .* pass X.toarray\(\)"):
            call(scipy.sparse.csr_matrix(X))
        with pytest.raises(TypeError, match="embed them first"):
            call([["a", "b"]])
        with pytest.raises(ValueError, match="at least 1 row"):
            call(X[:0])
    with pytest.raises(ValueError, match=r"at least 2 rows .* n_samples = 1: fit on a corpus"):
        clone(correction).fit(X[:1])
    for constant in (np.full((5, 6), 0.1), np.zeros((5, 6)), np.full((7, 6), np.float16(0.1))):
        with pytest.raises(ValueError, match=r"rows that differ for .*\.fit. Got \d rows that are equal"):
            clone(correction).fit(constant)
    with pytest.raises(ValueError, match=r"X has 5 features, but .* is expecting 6"):
        fitted.transform(X[:, :5])
    with pytest.raises(NotFittedError):
        clone(correction).transform(X)
    with pytest.raises(ValueError, match=r"squares can be summed in float64. Got numbers up to 1e\+200: divide X"):
        clone(correction).fit(np.where(np.eye(200, 6) > 0, 1e200, X))
    with pytest.raises(ValueError, match=r"squares can be summed in float64. Got numbers up to 1\.\d*e\+308"):
        clone(correction).fit(np.where(X > 0, 1.7e308, -1.7e308))
    assert fitted.transform(X[:1]).shape[0] == 1


@every_correction
def test_a_failed_fit_leaves_the_last_one(correction):
    X = sample()
    fitted = clone(correction).fit(X)
    expected = fitted.transform(X)
    with pytest.raises(ValueError, match="equal"):
        fitted.fit(np.ones((5, 4)))
    np.testing.assert_array_equal(fitted.transform(X), expected)


def test_results_that_overflow_are_named():
    X = sample().astype(np.float32) * 1e-20
    fitted = Whitening().fit(X)
    with pytest.raises(ValueError, match=r"X holds 1 row that is too large for float32 after Whitening.transform"):
        fitted.transform(np.where(np.arange(200)[:, None] == 7, np.float32(1e38), X))


@every_correction
def test_float16_whose_squares_overflow(correction):
    X = (2000 * sample()).clip(-60000, 60000).astype(np.float16)
    found = clone(correction).fit(X).transform(X)
    np.testing.assert_allclose(found, clone(correction).fit(X.astype(np.float64)).transform(X), rtol=1e-4, atol=0.05)


@every_correction
@given(n=st.integers(2, 12), d=st.integers(2, 9), seed=st.integers(0, 99), repeat=st.booleans())
@settings(max_examples=25, deadline=None)
@pytest.mark.filterwarnings("ignore:FastICA did not converge", "ignore:Number of distinct clusters")
def test_any_small_corpus_is_corrected_or_refused_with_a_reason(correction, n, d, seed, repeat):
    X = np.random.default_rng(seed).integers(-2, 3, size=(n, d)).astype(float)
    X = np.concatenate([X, X]) if repeat else X
    try:
        found = clone(correction).fit(X).transform(X)
    except ValueError as error:
        reasons = ("are equal up to rounding", "vary in more directions", "The 'n_components' parameter")
        assert any(reason in str(error) for reason in reasons), error
        return
    assert np.isfinite(found).all()
    assert found.any()


@every_correction
def test_memory_of_fit_stays_below_a_copy(correction):
    import tracemalloc

    if isinstance(correction, ICAProjection | ClusterIsotropy):
        pytest.skip("FastICA and k-means hold the rows that they see")
    X = np.random.default_rng(0).normal(size=(400_000, 16)).astype(np.float32)  # 26 MB, 51 MB in float64
    tracemalloc.start()
    try:
        clone(correction).fit(X)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 40e6  # two blocks of 16.8 MB
