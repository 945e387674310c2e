"""The estimator: scikit-learn's contract, streams, merging, thresholds."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.exceptions import NotFittedError
from sklearn.utils.estimator_checks import parametrize_with_checks

from xembed.depth import TTEDepth, tte_depth


def sample(n=200, d=6, seed=0):
    return np.random.default_rng(seed).normal(0.8, 1.0, size=(n, d))


@parametrize_with_checks(
    [TTEDepth(), TTEDepth(distance="chord")],
    expected_failed_checks=lambda _: {
        "check_estimators_dtypes": "its data hold a zero row, which has no direction and is refused by name"
    },
)
def test_keeps_the_contract_of_scikit_learn(estimator, check):
    check(estimator)


@pytest.mark.parametrize("distance", ["cosine", "chord", "angular"])
def test_streamed_merged_and_one_shot_depths_agree(distance):
    X, new = sample(), sample(50, seed=1)
    expected = tte_depth(new, X, distance=distance)
    one_shot = TTEDepth(distance).fit(X)
    stream = TTEDepth(distance)
    for block in np.array_split(X, 7):
        stream.partial_fit(block)
    merged = TTEDepth(distance).fit(X[:90]).merge(TTEDepth(distance).fit(X[90:]))
    for estimator in (one_shot, stream, merged):
        assert estimator.n_reference_ == len(X)
        np.testing.assert_allclose(estimator.score_samples(new), expected, rtol=0, atol=1e-10)


@given(cuts=st.lists(st.integers(1, 199), unique=True, max_size=12), dtype=st.sampled_from([np.float32, np.float64]))
@settings(max_examples=40, deadline=None)
def test_how_a_stream_is_cut_does_not_matter(cuts, dtype):
    X = sample(d=24).astype(dtype)
    stream = TTEDepth()
    for block in np.split(X, sorted(cuts)):
        stream.partial_fit(block)
    np.testing.assert_allclose(stream.score_samples(X), TTEDepth().fit(X).score_samples(X), rtol=0, atol=1e-10)


def test_predict_calls_the_given_share_outliers():
    X = sample(400)
    for contamination in (0.05, 0.2):
        outliers = TTEDepth(contamination=contamination).fit(X).predict(X) == -1
        assert outliers.mean() == pytest.approx(contamination, abs=1 / 400)
        # Leaving a text out of its own depth does not change the order, so neither which texts these are.
        lowest = np.argsort(tte_depth(X))[: outliers.sum()]
        np.testing.assert_array_equal(np.sort(lowest), np.flatnonzero(outliers))


def test_a_planted_outlier_is_found():
    X = np.concatenate([sample(), -sample(1)])
    assert TTEDepth().fit(X).predict(X)[-1] == -1


def test_threshold_goes_with_the_corpus():
    X = sample()
    stream = TTEDepth().fit(X[:100]).partial_fit(X[100:])
    with pytest.raises(AttributeError, match=r"Call calibrate\(X\)"):
        stream.predict(X)
    assert stream.calibrate(X).offset_ == pytest.approx(TTEDepth().fit(X).offset_, abs=1e-12)


def test_fit_forgets_and_keeps_no_view_of_the_data():
    X = sample()
    estimator = TTEDepth("chord").fit(X).fit(X[:50])
    assert estimator.n_reference_ == 50
    expected = estimator.score_samples(X)
    X_before = X.copy()
    X *= -1
    np.testing.assert_array_equal(estimator.score_samples(X_before), expected)


def test_documented_errors():
    X = sample()
    with pytest.raises(NotFittedError):
        TTEDepth().score_samples(X)
    with pytest.raises(ValueError, match="The 'distance' parameter of TTEDepth must be one of"):
        TTEDepth("euclid").fit(X)
    with pytest.raises(ValueError, match=r"The 'contamination' parameter of TTEDepth must be a number in \(0, 0.5\]"):
        TTEDepth(contamination=0.0).fit(X)
    with pytest.raises(TypeError, match=r"takes another TTEDepth. Got int instead"):
        TTEDepth().fit(X).merge(3)
    with pytest.raises(NotFittedError):
        TTEDepth().fit(X).merge(TTEDepth())
    with pytest.raises(ValueError, match="Got 'cosine' and 'chord'"):
        TTEDepth().fit(X).merge(TTEDepth("chord").fit(X))
    with pytest.raises(ValueError, match=r"same number of dimensions. Got 6 and 3"):
        TTEDepth().fit(X).merge(TTEDepth().fit(X[:, :3]))
    with pytest.raises(ValueError, match="X holds 1 row that is not finite"):
        TTEDepth().fit(np.where(np.arange(len(X))[:, None] == 5, np.nan, X))


def test_a_bad_block_leaves_the_stream_as_it_was():
    X = sample()
    for distance in ("cosine", "chord"):
        stream = TTEDepth(distance).partial_fit(X)
        before = stream.score_samples(X)
        bad = X.copy()
        bad[7] = 0
        with pytest.raises(ValueError, match="row 7"):
            stream.partial_fit(bad)
        np.testing.assert_array_equal(stream.score_samples(X), before)
