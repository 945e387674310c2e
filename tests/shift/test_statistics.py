"""Statistics under many permutations equal the same computed one at a time, from their definitions."""

import numpy as np
import pytest
from scipy import stats
from scipy.spatial.distance import cdist

from xembed.shift import _battery as battery
from xembed.shift import _statistics as statistics
from xembed.shift._battery import check_pair, make_pool
from xembed.shift._statistics import ENERGY, pass_over_pairs, rbf
from xembed.stats._permutation import column_pvalues


def units(F, G):
    return check_pair(F, G, caller="test")


def make(n=23, m=31, d=7, seed=0, n_resamples=19, dtype=float):
    rng = np.random.default_rng(seed)
    pair = units(rng.normal(0.5, 1, (n, d)), rng.normal(0.3, 1.2, (m, d)))
    pool = make_pool(*pair, n_resamples=n_resamples, rng=rng, caller="test")
    return pool.unit.astype(dtype), pool.labels.astype(dtype)


def unbiased_mmd(K, mine):
    """Gretton et al. 2012, equation 3."""
    n, m = mine.sum(), (~mine).sum()
    K = K - np.diag(np.diag(K))
    return (
        K[np.ix_(mine, mine)].sum() / (n * (n - 1))
        + K[np.ix_(~mine, ~mine)].sum() / (m * (m - 1))
        - 2 * K[np.ix_(mine, ~mine)].mean()
    )


def each(labels, function):
    return np.array([function(column > 0) for column in labels.T])


def test_rank_sums_equal_scipy():
    _, labels = make()
    depths = np.random.default_rng(1).normal(size=len(labels)).round(1)  # with ties
    found = statistics.rank_sum_statistic(depths, labels)

    def effect(mine):
        return 1 - 2 * stats.mannwhitneyu(depths[mine], depths[~mine]).statistic / (mine.sum() * (~mine).sum())

    np.testing.assert_allclose(found.effects, each(labels, effect), atol=1e-12)
    p = [stats.mannwhitneyu(depths[c > 0], depths[c <= 0], use_continuity=False, method="asymptotic").pvalue
         for c in labels.T]  # fmt: skip
    np.testing.assert_allclose(2 * stats.norm.sf(found.values), p, rtol=1e-9)


def test_linear_mmd_equals_its_kernel():
    unit, labels = make()
    found = statistics.linear_statistic(unit, labels)
    np.testing.assert_allclose(found.values, each(labels, lambda mine: unbiased_mmd(unit @ unit.T, mine)), atol=1e-12)
    mine = labels[:, 0] > 0
    share = mine.mean() * (1 - mine.mean()) / unit.var(axis=0).sum()
    np.testing.assert_allclose(found.effects[0], found.values[0] * share)


def test_mean_statistic_is_the_largest_of_three_standardized_kernels():
    unit, labels = make()
    centered = unit - unit.mean(axis=0)
    S = centered.T @ centered / len(unit)
    ridge = np.linalg.inv(S + np.eye(7) * np.trace(S) / 7)
    kernels = [centered @ M @ centered.T for M in (np.eye(7), ridge, S)]
    tests = np.array([each(labels, lambda mine, K=K: unbiased_mmd(K, mine)) for K in kernels])
    expected = ((tests - tests.mean(axis=1, keepdims=True)) / tests.std(axis=1, keepdims=True)).max(axis=0)
    np.testing.assert_allclose(statistics.mean_statistic(unit, labels).values, expected, atol=1e-9)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_kernel_sums_equal_their_kernels(dtype, monkeypatch):
    unit, labels = make(dtype=dtype)
    monkeypatch.setattr("xembed.shift._statistics._PAIRS", 1)  # several blocks
    monkeypatch.setattr("xembed.shift._statistics._SLICE", 10)
    squared = cdist(unit, unit, "sqeuclidean")
    gammas = [0.3, 0.6, 2.4]
    sums, neighbors = pass_over_pairs(unit, labels, rbf(gammas), n_neighbors=4)
    n, m = statistics.sizes(labels)
    tolerance = 1e-12 if dtype is np.float64 else 2e-6
    for gamma, found in zip(gammas, sums, strict=True):
        expected = each(labels, lambda mine, g=gamma: unbiased_mmd(np.exp(-g * squared), mine))
        np.testing.assert_allclose(found.mmd(n, m), expected, atol=tolerance)
    (energy,), _ = pass_over_pairs(unit, labels, ENERGY)
    expected = each(labels, lambda mine: unbiased_mmd(-np.sqrt(squared), mine))
    np.testing.assert_allclose(energy.mmd(n, m), expected, atol=max(tolerance, 1e-8))
    np.fill_diagonal(squared, np.inf)
    near = np.argsort(squared, axis=1)[:, :4]
    np.testing.assert_array_equal(neighbors.to_F, labels[:, 0][near].sum(axis=1))
    np.testing.assert_array_equal(neighbors.of_F, labels[near].sum(axis=(0, 1)))
    np.testing.assert_array_equal(neighbors.within, (labels[near].sum(axis=1) * labels).sum(axis=0))


def test_neighbors_are_counted():
    unit, labels = make()
    _, sums = pass_over_pairs(unit, labels, None, n_neighbors=3)
    found = statistics.neighbor_statistic(sums, labels)
    cosines = unit @ unit.T - 9 * np.eye(len(unit))
    neighbors = np.argsort(-cosines, axis=1)[:, :3]
    share = each(labels, lambda mine: (mine[neighbors] == mine[:, None]).mean())
    expected = (23 * 22 + 31 * 30) / (54 * 53)
    np.testing.assert_allclose(found.effects, (share - expected) / (1 - expected), atol=1e-12)


def test_copies_share_the_places_of_neighbors():
    """Where every text is the same no labeling has more neighbors of its own corpus than another."""
    _, labels = make()
    _, sums = pass_over_pairs(np.full((54, 4), 0.5), labels, None, n_neighbors=3)
    np.testing.assert_allclose(statistics.neighbor_statistic(sums, labels).effects, 0.0, atol=1e-12)


def test_tail_counts_texts_below_the_quantile():
    _, labels = make(n=100, m=80)
    depths = np.random.default_rng(0).normal(size=180)
    found = statistics.tail_statistic(depths, labels)
    expected = each(labels, lambda mine: (depths[~mine] < np.sort(depths[mine])[4]).mean() - 0.045)
    np.testing.assert_allclose(found.effects, expected, atol=1e-6)


def test_classifier_is_held_out():
    """Its AUC is that of ridge discriminants trained on the other half."""
    from sklearn.metrics import roc_auc_score

    unit, labels = make(n=60, m=60)
    found = statistics.classifier_statistic(unit, labels)
    half = len(unit) // 2
    areas = []
    for train, test in ((slice(0, half), slice(half, None)), (slice(half, None), slice(0, half))):
        X, y = unit[train] - unit[train].mean(axis=0), labels[train, 0]
        S = X.T @ X / len(X)
        w = np.linalg.solve(S + np.eye(7) * np.trace(S) / 7, X.T @ (y - y.mean()))
        areas.append(roc_auc_score(labels[test, 0], unit[test] @ w))
    assert found.effects[0] == pytest.approx(2 * np.mean(areas) - 1)


@pytest.mark.parametrize("name", sorted(battery.KINDS))
def test_identical_texts_give_no_evidence(name):
    rows = np.ones((12, 5))
    pool = make_pool(*units(rows[:6], rows[6:]), n_resamples=99, rng=np.random.default_rng(0), caller="test")
    found = battery.measure(pool, (name,))[name]
    assert np.isfinite(found.values).all() and np.isfinite(found.effects).all()
    if name != "knn":  # all are equally near, so neighbors are arbitrary: chance, but not certainty
        assert column_pvalues(found.values[None])[0, 0] == 1.0


@pytest.mark.parametrize("name", ["mean", "linear", "rbf", "energy"])
def test_intervals_cover(name):
    """Of 200 draws from two fixed populations about 95 % of the intervals hold the mean effect."""
    rng = np.random.default_rng(0)
    found = []
    for _ in range(200):
        F, G = rng.normal(0.4, 1, (60, 8)), rng.normal(0.4, 1, (80, 8)) + np.linspace(0, 1.2, 8)
        pool = make_pool(*units(F, G), n_resamples=49, rng=rng, caller="test")
        statistic = battery.measure(pool, (name,))[name]
        found.append((statistic.effects[0], statistic.standard_error))
    effects, errors = np.array(found).T
    covered = np.abs(effects - effects.mean()) <= 1.96 * errors
    assert 0.9 <= covered.mean() <= 0.99
