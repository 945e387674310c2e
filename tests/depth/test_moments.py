"""Chord and angular depth by two moments: identities, error on the populations of the claim, and where it fails."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xembed._core import blocks as _blocks
from xembed._core import directions as resultant_module
from xembed.depth import tte_depth
from xembed.depth._moments import mean_distance, moment_error

DISTANCES = ("chord", "angular")


def cone(n=1500, d=128, seed=0):
    X = np.random.default_rng(seed).standard_normal((n, d)) / np.sqrt(d)
    X[:, 0] += 0.5
    return X


def clusters(n=1500, d=128, seed=0):
    X = cone(n, d, seed)
    X[np.arange(n), 1 + np.arange(n) % 4] += 0.6
    return X


def moment_depth(*corpora, distance):
    return tte_depth(*corpora, distance=distance, method="moments")


@pytest.mark.parametrize("distance", DISTANCES)
def test_equals_the_formula_on_explicit_cosines(distance):
    X, reference = cone(20, 8), cone(50, 8, seed=1)
    units = [A / np.linalg.norm(A, axis=1, keepdims=True) for A in (X, reference)]
    cosines = units[0] @ units[1].T
    m, v = cosines.mean(axis=1), cosines.var(axis=1)
    if distance == "chord":
        expected = 2 - np.sqrt(2 * (1 - m)) * (1 - v / (8 * (1 - m) ** 2))
    else:
        expected = np.pi - (np.arccos(m) - v * m / (2 * (1 - m**2) ** 1.5))
    np.testing.assert_allclose(moment_depth(X, reference, distance=distance), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("distance", DISTANCES)
def test_a_text_is_left_out_of_its_own_moments(distance):
    X = cone(30, 8)
    expected = [moment_depth(X[[i]], np.delete(X, i, axis=0), distance=distance)[0] for i in range(30)]
    np.testing.assert_allclose(moment_depth(X, distance=distance), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("distance", DISTANCES)
def test_exact_where_all_cosines_are_equal(distance):
    simplex = np.eye(6) + 0.3  # any two rows have the same cosine
    np.testing.assert_allclose(
        moment_depth(simplex, distance=distance), tte_depth(simplex, distance=distance), rtol=0, atol=1e-7
    )
    same = np.ones((5, 4))
    supremum = 2.0 if distance == "chord" else np.pi
    np.testing.assert_allclose(moment_depth(same, distance=distance), supremum, rtol=0, atol=1e-6)
    np.testing.assert_allclose(moment_depth(-same, same, distance=distance), 0.0, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("population", "distance", "largest", "correlation"),
    [
        (cone, "chord", 5e-5, 0.999999),
        (cone, "angular", 5e-5, 0.999999),
        (clusters, "chord", 3e-3, 0.999),
        (clusters, "angular", 3e-3, 0.999),
    ],
)
def test_error_is_as_small_as_documented(population, distance, largest, correlation):
    X, reference = population(seed=1), population(seed=2)
    for corpora in ((X,), (X, reference)):
        exact, found = tte_depth(*corpora, distance=distance), moment_depth(*corpora, distance=distance)
        assert np.abs(exact - found).max() < largest < exact.std() / 5
        assert np.corrcoef(exact.argsort().argsort(), found.argsort().argsort())[0, 1] > correlation


@pytest.mark.parametrize("distance", DISTANCES)
@pytest.mark.parametrize("alone", [True, False])
def test_reported_error_is_the_error(distance, alone):
    X, reference = clusters(300, 16), None if alone else clusters(400, 16, seed=1)
    corpora = (X,) if alone else (X, reference)
    exact, found = tte_depth(*corpora, distance=distance), moment_depth(*corpora, distance=distance)
    error = moment_error(X, reference, distance=distance, n_sample=1000)
    assert error.n_sample == 300
    assert error.max_error == pytest.approx(np.abs(exact - found).max(), abs=1e-9)
    assert error.mean_error == pytest.approx(np.abs(exact - found).mean(), abs=1e-9)
    assert error.spread == pytest.approx(exact.std(), abs=1e-9)
    assert 0.99 < error.rank_correlation <= 1.0
    sample = moment_error(X, reference, distance=distance, n_sample=50, rng=1)
    assert (sample.n_sample, sample.max_error <= error.max_error + 1e-12) == (50, True)
    assert sample == moment_error(X, reference, distance=distance, n_sample=50, rng=1)
    assert sample != moment_error(X, reference, distance=distance, n_sample=50, rng=2)


@pytest.mark.parametrize("distance", DISTANCES)
def test_near_duplicates_show_in_the_error(distance):
    """The documented bad case: a few texts very close, the rest far away."""
    X = np.concatenate([cone(400, 32), np.repeat(cone(1, 32, seed=1), 200, axis=0)])
    assert moment_error(X, distance=distance, n_sample=600).max_error > 10 * moment_error(cone(400, 32)).max_error
    depths = moment_depth(X, distance=distance)
    assert depths.min() >= 0 and depths.max() <= (2.0 if distance == "chord" else np.pi)


def test_no_rank_correlation_where_depth_does_not_vary():
    error = moment_error(np.ones((10, 3)), distance="chord")
    assert error.rank_correlation is None and error.max_error < 1e-6


@given(seed=st.integers(0, 10**6), n=st.integers(2, 12), spread=st.floats(0.0, 2.0), copies=st.integers(0, 5))
@settings(max_examples=100, deadline=None)
def test_stays_within_what_the_moments_allow(seed, n, spread, copies):
    rng = np.random.default_rng(seed)
    X = np.ones((n, 4)) + spread * rng.standard_normal((n, 4))
    X = np.concatenate([X, -X[:1], *[X[:1]] * copies])
    for distance, supremum in (("chord", 2.0), ("angular", np.pi)):
        depths = moment_depth(X, distance=distance)
        assert np.isfinite(depths).all()
        assert depths.min() >= -1e-9 and depths.max() <= supremum + 1e-9


@given(data=st.data())
@settings(max_examples=200, deadline=None)
def test_bounds_hold_for_any_cosines(data):
    cosines = np.array(data.draw(st.lists(st.floats(-1, 1), min_size=1, max_size=8)))
    mean, variance = cosines.mean(keepdims=True), cosines.var(keepdims=True)
    for distance, exact in (("chord", np.sqrt(2 * (1 - cosines)).mean()), ("angular", np.arccos(cosines).mean())):
        # With an enormous variance the series runs to one of its bounds, and the exact value lies inside them.
        low = mean_distance(mean, variance, distance)[0]
        gap = max(1 - mean[0], 0.0)
        least = np.sqrt(2 * gap) * gap / np.sqrt(max(variance[0] + gap**2, 1e-300))
        most = np.sqrt(2 * gap) * (1.0 if distance == "chord" else np.pi / 2)
        assert least - 1e-7 <= exact <= most + 1e-7
        assert least - 1e-12 <= low <= most + 1e-12


@pytest.mark.parametrize("distance", DISTANCES)
def test_blocks_and_precision(distance, monkeypatch):
    X, reference = clusters(700, 24), clusters(500, 24, seed=1)
    expected = moment_depth(X, distance=distance), moment_depth(X, reference, distance=distance)
    monkeypatch.setattr(_blocks, "_ELEMENTS", 64 * 24)
    monkeypatch.setattr("xembed._core.moments._BLOCK", 50)
    blocks = np.split(X, [10, 400])
    np.testing.assert_allclose(moment_depth(blocks, distance=distance), expected[0], rtol=0, atol=1e-12)
    np.testing.assert_allclose(
        moment_depth(iter(blocks), lambda: iter([reference]), distance=distance), expected[1], rtol=0, atol=1e-12
    )
    found, again = moment_error(blocks, distance=distance), moment_error(X, distance=distance)
    assert found.max_error == pytest.approx(again.max_error, abs=1e-9)
    monkeypatch.setattr(resultant_module, "_EXACT_ELEMENTS", 0)
    np.testing.assert_allclose(moment_depth(X.astype(np.float32), distance=distance), expected[0], rtol=0, atol=1e-5)


GOOD = cone(20, 4)


def with_row(row, value):
    X = GOOD.copy()
    X[row] = value
    return X


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: tte_depth(GOOD, method="moments"), ValueError, "'moments' for distance='chord' and 'angular' only"),
        (lambda: moment_depth(GOOD[:1], distance="chord"), ValueError, "X must hold at least 2 rows"),
        (lambda: moment_depth(GOOD, GOOD[:, :2], distance="chord"), ValueError, "same number of dimensions"),
        (lambda: moment_depth(with_row(7, np.nan), distance="chord"), ValueError, "X holds 1 row .*first: row 7"),
        (lambda: moment_depth(GOOD, with_row(7, 0), distance="chord"), ValueError, "reference holds 1 row that is ze"),
        (lambda: moment_depth(iter([GOOD]), distance="chord"), TypeError, "X must be something that can be read more"),
        (lambda: moment_error(GOOD, distance="cosine"), ValueError, r"must be one of \{'angular', 'chord'\}"),
        (lambda: moment_error(GOOD, n_sample=0), ValueError, "The 'n_sample' parameter of moment_error"),
        (lambda: moment_error(GOOD, rng="x"), TypeError, "The 'rng' parameter of moment_error"),
        (lambda: moment_error(GOOD, iter([GOOD])), TypeError, "reference must be something that can be read more"),
        (lambda: moment_error(GOOD, GOOD[:, :2]), ValueError, "same number of dimensions"),
        (lambda: moment_error(with_row(7, 0)), ValueError, r"X holds 1 row that is zero \(first: row 7\)"),
    ],
)  # fmt: skip
def test_documented_errors(call, error, message):
    with pytest.raises(error, match=message):
        call()
