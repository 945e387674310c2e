"""Intervals and tests by clusters: identities, coverage and level by simulation, errors."""

import itertools
import os
import time

import numpy as np
import pytest

from xembed.stats import clustered_interval, paired_difference, simultaneous_intervals
from xembed.stats._intervals import sign_flip_pvalues

FULL = bool(os.environ.get("XEMBED_FULL"))


def scores(rng, n_pairs=60, spread=1.0, noise=0.2, n_columns=None):
    """Return two rows a pair that share most of their value, and their pairs."""
    shape = (n_pairs,) if n_columns is None else (n_pairs, n_columns)
    values = np.repeat(rng.normal(0, spread, shape), 2, axis=0)
    return values + rng.normal(0, noise, values.shape), np.repeat(np.arange(n_pairs), 2)


def test_all_resamples_of_two_clusters():
    # Means of two clusters drawn from two: 0, 1/2 and 1 with 1/4, 1/2, 1/4.
    found = clustered_interval([0, 0, 1, 1], ["a", "a", "b", "b"], confidence_level=0.4, n_resamples=4000)
    assert found == (0.5, 0.5, 0.5)
    assert clustered_interval([0, 0, 1, 1], ["a", "a", "b", "b"], confidence_level=0.9) == (0.5, 0.0, 1.0)


def test_rows_of_a_cluster_are_not_taken_for_independent():
    values, pairs = scores(np.random.default_rng(1), noise=0.0)
    by_pair = clustered_interval(values, pairs)
    by_row = clustered_interval(values, np.arange(len(values)))
    assert (by_pair.high - by_pair.low) / (by_row.high - by_row.low) == pytest.approx(np.sqrt(2), rel=0.1)


def test_width_is_that_of_the_normal_interval():
    values = np.random.default_rng(2).normal(size=400)
    found = clustered_interval(values, np.arange(400), n_resamples=5000)
    assert found.high - found.low == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.06)
    assert found.low < found.mean < found.high


def test_clusters_of_different_sizes_count_by_their_rows():
    found = clustered_interval([1, 1, 1, 0], [0, 0, 0, 1])
    assert found.mean == 0.75
    assert (found.low, found.high) == (0.0, 1.0)


def test_columns_share_resamples_and_order_and_names_of_rows_do_not_matter():
    values, pairs = scores(np.random.default_rng(3), n_columns=3)
    table = clustered_interval(values, pairs, rng=5)
    for column in range(3):
        np.testing.assert_allclose(
            [part[column] for part in table], clustered_interval(values[:, column], pairs, rng=5), atol=1e-12
        )
    order = np.random.default_rng(0).permutation(len(pairs))
    np.testing.assert_allclose(np.array(clustered_interval(values[order], pairs[order], rng=5)), np.array(table))


def test_same_rng_same_numbers():
    values, pairs = scores(np.random.default_rng(4))
    assert clustered_interval(values, pairs) == clustered_interval(values, pairs, rng=0)
    assert clustered_interval(values, pairs) != clustered_interval(values, pairs, rng=1)


def test_seeds_are_resampled_too():
    rng = np.random.default_rng(5)
    of_pairs, of_seeds = rng.normal(0, 0.01, 50), np.array([0.0, 1.0, 2.0])
    values = (of_pairs[:, None] + of_seeds).ravel()
    pairs, seeds = np.repeat(np.arange(50), 3), np.tile([7, 8, 9], 50)
    ignored = clustered_interval(values, pairs)
    both = clustered_interval(values, pairs, seeds=seeds)
    assert both.mean == pytest.approx(ignored.mean)
    assert ignored.high - ignored.low < 0.02
    # Three seeds drawn from three: the mean is the first one three times with 1/27, more than 2.5 %.
    assert both.low == pytest.approx(0, abs=0.02)
    assert both.high == pytest.approx(2, abs=0.02)
    one = clustered_interval(values, pairs, seeds=np.zeros(len(values)))
    assert one == ignored


def test_a_pair_may_lack_a_seed():
    found = clustered_interval([1.0, 2.0, 3.0], [0, 0, 1], seeds=[0, 1, 1])
    assert found.mean == 2.0
    assert np.isfinite(found).all()


def test_paired_difference_of_small_sets_is_the_exact_test():
    d = np.array([0.5, 0.2, 0.1, 0.4, -0.1, 0.3])
    signs = np.array(list(itertools.product([1, -1], repeat=6)))
    exact = np.mean(np.abs(signs @ d) >= abs(d.sum()) - 1e-12)
    found = paired_difference(d, np.zeros(6), np.arange(6), n_resamples=20000)
    assert found.difference == pytest.approx(d.mean())
    assert found.pvalue == pytest.approx(exact, abs=0.01)


def test_paired_difference_is_antisymmetric_and_its_pvalue_never_zero():
    rng = np.random.default_rng(6)
    a, pairs = scores(rng)
    b = a - 1.0 + rng.normal(0, 0.1, len(a))
    one, other = paired_difference(a, b, pairs, rng=3), paired_difference(b, a, pairs, rng=3)
    assert one.difference == pytest.approx(-other.difference)
    assert one.low == pytest.approx(-other.high)
    assert one.pvalue == other.pvalue == 1 / 2001


def test_no_difference_at_all():
    a, pairs = scores(np.random.default_rng(7))
    assert paired_difference(a, a, pairs) == (0.0, 0.0, 0.0, 1.0)


def test_equal_differences_are_tied_in_spite_of_rounding():
    # All 0.1, six of them: only the signs all alike reach the observed sum, 2 of 64.
    found = paired_difference(np.full(6, 0.3), np.full(6, 0.2), np.arange(6), n_resamples=20000)
    assert found.pvalue == pytest.approx(2 / 64, abs=0.006)


def test_rows_of_a_cluster_flip_together():
    # Ten rows of one sentence and one of another: two clusters can't say anything, p is at least 1/2.
    found = paired_difference(np.ones(11), np.zeros(11), [0] * 10 + [1])
    assert found.pvalue > 0.4


def test_paired_difference_of_a_table():
    rng = np.random.default_rng(8)
    a, pairs = scores(rng, n_columns=2)
    b = a + np.array([0.0, 0.3]) + rng.normal(0, 0.5, a.shape)
    found = paired_difference(a, b, pairs)
    assert found.pvalue.shape == found.low.shape == (2,)
    assert found.pvalue[0] > 0.05 > found.pvalue[1]
    assert found.high[1] < 0


@pytest.mark.slow
def test_intervals_cover_the_mean_and_the_test_keeps_its_level():
    n = 2000 if FULL else 300
    rng = np.random.default_rng(9)
    # One column a simulated study: they share resamples, not data. Skewed, two forms a sentence.
    of_pairs = rng.exponential(1.0, (80, n))
    values = np.repeat(of_pairs, 2, axis=0) + rng.normal(0, 0.3, (160, n))
    found = clustered_interval(values, np.repeat(np.arange(80), 2), n_resamples=1000)
    covered = np.mean((found.low <= 1.0) & (found.high >= 1.0))
    assert abs(covered - 0.94) < 0.015 + 3 * np.sqrt(0.94 * 0.06 / n)  # skewness costs about a point
    d = np.repeat(rng.standard_t(3, (30, n)), 2, axis=0) + rng.normal(0, 0.3, (60, n))
    labels = np.repeat(np.arange(30), 2)
    pvalues = np.concatenate(
        [sign_flip_pvalues(d[:, i : i + 1], labels, 499, np.random.default_rng(i)) for i in range(n)]
    )
    rejected = np.mean(pvalues <= 0.05)
    assert abs(rejected - 0.05) < 3.5 * np.sqrt(0.05 * 0.95 / n)


@pytest.mark.slow
def test_intervals_over_sentences_and_seeds_cover():
    n = 600 if FULL else 150
    rng = np.random.default_rng(10)
    pairs, seeds = np.repeat(np.arange(60), 5), np.tile(np.arange(5), 60)
    values = rng.normal(0, 1, (60, n))[pairs] + rng.normal(0, 0.05, (5, n))[seeds] + rng.normal(0, 0.3, (300, n))
    found = clustered_interval(values, pairs, seeds=seeds, n_resamples=1000)
    assert np.mean((found.low <= 0) & (found.high >= 0)) > 0.95 - 0.02 - 3 * np.sqrt(0.05 * 0.95 / n)


def test_a_leaderboard_takes_seconds():
    rng = np.random.default_rng(11)
    pairs, seeds = np.tile(np.repeat(np.arange(322), 2), 3), np.repeat(np.arange(3), 644)
    values = rng.random((1932, 200))  # 20 methods x 10 metrics
    start = time.perf_counter()
    clustered_interval(values, pairs, seeds=seeds)
    paired_difference(values, values[::-1], pairs, seeds=seeds)
    assert time.perf_counter() - start < 5.0  # about 0.3 on a quiet core


def grid(rng, n=60, shape=(3, 4), noise=1.0):
    """Return skewed scores of clusters of two rows on a grid whose columns vary together, and their means."""
    common = rng.exponential(1.0, (n, 1))
    of_clusters = common + rng.normal(0, noise, (n, np.prod(shape)))
    values = np.repeat(of_clusters, 2, axis=0) + rng.normal(0, 0.2, (2 * n, np.prod(shape)))
    return values.reshape(-1, *shape), np.repeat(np.arange(n), 2)


def test_simultaneous_intervals_are_wider_by_one_number():
    values, clusters = grid(np.random.default_rng(0))
    found = simultaneous_intervals(values, clusters)
    assert found.mean.shape == found.low.shape == found.high.shape == (3, 4)
    np.testing.assert_allclose(found.mean, values.mean(axis=0))
    sums = values.reshape(60, 2, 12).sum(axis=1)
    error = np.sqrt(((sums - 2 * found.mean.ravel()) ** 2).sum(axis=0)) / 120
    np.testing.assert_allclose((found.high - found.mean).ravel(), found.critical * error, rtol=1e-9)
    np.testing.assert_allclose((found.mean - found.low).ravel(), found.critical * error, rtol=1e-9)
    assert 2.0 < found.critical < 4.0


def test_columns_that_are_copies_cost_nothing():
    values, clusters = grid(np.random.default_rng(1), shape=(1,))
    alone = simultaneous_intervals(values, clusters)
    copies = simultaneous_intervals(np.repeat(values, 30, axis=1), clusters)
    assert copies.critical == pytest.approx(alone.critical)
    independent = simultaneous_intervals(np.random.default_rng(2).normal(size=(120, 30)), clusters)
    assert independent.critical > 1.2 * alone.critical


@pytest.mark.parametrize("bound", ["lower", "upper"])
def test_one_sided_bounds_are_nearer(bound):
    values, clusters = grid(np.random.default_rng(3))
    both, one = simultaneous_intervals(values, clusters), simultaneous_intervals(values, clusters, bound=bound)
    near, far = (one.low, one.high) if bound == "lower" else (-one.high, -one.low)
    assert np.isinf(far).all()
    # Skewed data: the upper bound may need more standard errors than both together, the lower fewer.
    assert (near > (both.low if bound == "lower" else -both.high) - 0.5 * (both.high - both.low)).all()
    mirrored = simultaneous_intervals(-values, clusters, bound="upper" if bound == "lower" else "lower")
    np.testing.assert_allclose(near, -mirrored.high if bound == "lower" else mirrored.low, rtol=1e-9)


def test_columns_without_variance_have_intervals_of_no_width():
    values, clusters = grid(np.random.default_rng(4))
    values[:, 1, 2] = 0.3
    found = simultaneous_intervals(values, clusters)
    assert found.low[1, 2] == pytest.approx(0.3) and found.high[1, 2] == pytest.approx(0.3)
    assert 2.0 < found.critical < 4.0


def coverage(n, bound):
    """Return in how many of n studies all means lie within their simultaneous bounds, and within separate ones."""
    together = alone = 0
    for study in range(n):
        rng = np.random.default_rng([5, study])
        values, clusters = grid(rng, n=50, shape=(20,), noise=2.0)
        found = simultaneous_intervals(values, clusters, bound=bound, n_resamples=400, rng=study)
        together += bool(((found.low <= 1) & (found.high >= 1)).all())
        single = clustered_interval(values, clusters, n_resamples=400, rng=study)
        alone += bool(((single.low <= 1) & (single.high >= 1)).all())
    return together / n, alone / n


@pytest.mark.slow
@pytest.mark.parametrize("bound", ["both", "lower", "upper"])
def test_simultaneous_intervals_cover_all_means_at_once(bound):
    n = 1000 if FULL else 300
    together, alone = coverage(n, bound)
    assert abs(together - 0.95) < 0.01 + 3 * np.sqrt(0.95 * 0.05 / n)
    assert alone < 0.7  # twenty intervals that hold each by itself do not hold together


def test_errors():
    with pytest.raises(ValueError, match=r"must be finite. Got 1 rows that are not \(first: row 1\)"):
        clustered_interval([1, np.nan], [0, 1])
    with pytest.raises(ValueError, match=r"one value for each of the 2 rows. Got an array of shape \(3,\)"):
        clustered_interval([1, 2], [0, 1, 2])
    with pytest.raises(ValueError, match="'seeds' parameter of clustered_interval must have one value"):
        clustered_interval([1, 2], [0, 1], seeds=[0])
    with pytest.raises(ValueError, match="must name two clusters or more"):
        clustered_interval([1, 2], [0, 0])
    with pytest.raises(ValueError, match=r"array of shape \(n_rows,\) or \(n_rows, n_columns\)"):
        clustered_interval([[[1.0]]], [0])
    with pytest.raises(TypeError, match="'values' parameter of clustered_interval must be an array of numbers"):
        clustered_interval(["a", "b"], [0, 1])
    with pytest.raises(ValueError, match="'n_resamples' parameter of clustered_interval"):
        clustered_interval([1, 2], [0, 1], n_resamples=0)
    with pytest.raises(ValueError, match=r"'confidence_level' .* in \(0, 1\)"):
        clustered_interval([1, 2], [0, 1], confidence_level=1)
    with pytest.raises(TypeError, match="'rng' parameter of clustered_interval"):
        clustered_interval([1, 2], [0, 1], rng="x")
    with pytest.raises(ValueError, match="must have the same shape"):
        paired_difference([[1.0], [2.0]], [1.0, 2.0], [0, 1])
    with pytest.raises(ValueError, match="'values_b' parameter of paired_difference must be finite"):
        paired_difference([1.0, 2.0], [1.0, np.inf], [0, 1])
    with pytest.raises(ValueError, match="'bound' parameter of simultaneous_intervals must be one of"):
        simultaneous_intervals([[1.0], [2.0]], [0, 1], bound="all")
    with pytest.raises(ValueError, match="'clusters' parameter of simultaneous_intervals must have one value"):
        simultaneous_intervals(np.ones((3, 2, 2)), [0, 1])
    with pytest.raises(TypeError, match="'values' parameter of simultaneous_intervals must be an array of numbers"):
        simultaneous_intervals(["a", "b"], [0, 1])
