"""Linear MMD by block sums: the estimator, the random subsets, and that nothing depends on how rows are cut."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from xembed._core import blocks as _blocks
from xembed._core import directions as resultant_module
from xembed.shift import _linear
from xembed.shift._linear import Labels, linear_mmd


def corpora(n=60, m=40, d=5, shift=0.3, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(0.5, 1.0, size=(n, d)), rng.normal(0.5 + shift, 1.0, size=(m, d))


def unit(X):
    X = np.asarray(X, float)
    return X / np.linalg.norm(X, axis=1, keepdims=True)


def by_kernel(F, G):
    """The unbiased estimator, from all pairs."""
    n, m = len(F), len(G)
    K = unit(np.concatenate([F, G])) @ unit(np.concatenate([F, G])).T
    np.fill_diagonal(K, 0.0)
    return K[:n, :n].sum() / (n * (n - 1)) + K[n:, n:].sum() / (m * (m - 1)) - 2 * K[:n, n:].sum() / (n * m)


@given(seed=st.integers(0, 10**6), n=st.integers(2, 20), m=st.integers(2, 20), d=st.integers(1, 6))
@settings(max_examples=60, deadline=None)
def test_observed_value_is_the_unbiased_estimator(seed, n, m, d):
    F, G = corpora(n, m, d, seed=seed)
    found = linear_mmd(F, G, n_resamples=3)
    assert found.values.shape == (4,) and (found.n, found.m) == (n, m)
    assert found.values[0] == pytest.approx(by_kernel(F, G), abs=1e-12)
    np.testing.assert_allclose(found.sum_F, unit(F).sum(axis=0), atol=1e-12)
    np.testing.assert_allclose(found.sum_G, unit(G).sum(axis=0), atol=1e-12)


def test_permuted_values_belong_to_the_labels(monkeypatch):
    monkeypatch.setattr(_linear, "_CELL", 16)
    monkeypatch.setattr(_linear, "_BATCH", 3)
    F, G = corpora()
    pooled = np.concatenate([F, G])
    found = linear_mmd(F, G, n_resamples=7, rng=3)
    labels = Labels.draw(60, 100, 7, np.random.default_rng(3))
    cells = [
        np.concatenate([labels.cell(c, slice(b, min(b + 3, 7)), np.dtype(bool)) for b in (0, 3, 6)]) for c in range(7)
    ]
    for value, chosen in zip(found.values[1:], np.concatenate(cells, axis=1), strict=True):
        assert chosen.sum() == 60
        assert value == pytest.approx(by_kernel(pooled[chosen], pooled[~chosen]), abs=1e-12)


def test_each_subset_is_equally_likely(monkeypatch):
    """All 35 subsets of 3 of 7 rows that lie in three cells, as often as chance has it."""
    monkeypatch.setattr(_linear, "_CELL", 3)
    draws = 7_000
    labels = Labels.draw(3, 7, draws, np.random.default_rng(0))
    whole = slice(0, draws)
    chosen = np.concatenate([labels.cell(c, whole, np.dtype(np.int64)) for c in range(3)], axis=1)
    assert (chosen.sum(axis=1) == 3).all()
    _, counts = np.unique(chosen @ (2 ** np.arange(7)), return_counts=True)
    assert len(counts) == 35
    assert stats.chisquare(counts).pvalue > 1e-3


def test_equal_random_numbers_do_not_spoil_a_subset(monkeypatch):
    """With keys of two bits nearly every draw has ties; subsets must be whole and uniform all the same."""

    class Coarse:
        def __init__(self):
            self.rng = np.random.default_rng(0)

        def integers(self, high, size, dtype):
            return self.rng.integers(6, size=size, dtype=dtype)

    rng = Coarse()
    masks = [tuple(np.flatnonzero(_linear._random_subset(5, 2, rng))) for _ in range(5000)]
    counts = [masks.count(pair) for pair in itertools.combinations(range(5), 2)]
    assert sum(counts) == 5000
    assert stats.chisquare(counts).pvalue > 1e-3


def test_permuted_values_average_to_zero():
    """Over all labelings the unbiased estimator has mean zero, whatever the rows are."""
    F, G = corpora(shift=2.0)
    permuted = linear_mmd(F, G, n_resamples=4000).values[1:]
    assert abs(permuted.mean()) < 4 * permuted.std() / np.sqrt(4000)


def test_values_equal_an_enumeration_of_all_labelings():
    F, G = corpora(3, 2)
    pooled = np.concatenate([F, G])
    expected = []
    for rows in itertools.combinations(range(5), 3):
        mask = np.isin(np.arange(5), rows)
        expected.append(by_kernel(pooled[mask], pooled[~mask]))
    found = np.unique(linear_mmd(F, G, n_resamples=500).values.round(10))
    np.testing.assert_allclose(found, np.unique(np.round(expected, 10)), atol=2e-10)


def cut_everywhere(X, rng):
    return np.split(X, np.sort(rng.integers(0, len(X), size=9)))


def test_nothing_depends_on_how_rows_are_cut(tmp_path, monkeypatch):
    monkeypatch.setattr(_linear, "_CELL", 32)
    F, G = corpora(200, 120)
    expected = linear_mmd(F, G, n_resamples=19, rng=5)
    np.save(tmp_path / "F.npy", F)
    rng = np.random.default_rng(0)
    for elements in (2**24, 5 * 128, 5 * 16, 5):  # blocks of many cells, of four, of half a one, of one row
        monkeypatch.setattr(_blocks, "_ELEMENTS", elements)
        blocks = cut_everywhere(F, rng), cut_everywhere(G, rng)
        for pair in ((F, G), blocks, (lambda: iter(blocks[0]), G), (tmp_path / "F.npy", blocks[1])):  # noqa: B023
            found = linear_mmd(*pair, n_resamples=19, rng=5)
            np.testing.assert_allclose(found.values, expected.values, rtol=0, atol=1e-12)
            assert found.pvalue == expected.pvalue


def test_same_call_same_values():
    F, G = corpora()
    one = linear_mmd(F, G, n_resamples=50).values
    np.testing.assert_array_equal(one, linear_mmd(F, G, n_resamples=50, rng=0).values)
    np.testing.assert_array_equal(one, linear_mmd(F, G, n_resamples=50, rng=np.random.default_rng(0)).values)
    assert (one[1:] != linear_mmd(F, G, n_resamples=50, rng=1).values[1:]).all()
    assert linear_mmd(F, G, n_resamples=0).values == one[0]


def test_pvalue_counts_ties_and_itself():
    F, G = corpora(shift=3.0)
    assert linear_mmd(F, G, n_resamples=99).pvalue == 0.01
    assert linear_mmd(F, F.copy(), n_resamples=99).pvalue > 0.5
    same = np.ones((6, 3))
    assert linear_mmd(same, same[:4], n_resamples=99).pvalue == 1.0
    # Copies of few rows: labelings that give the observed sum give its value but for rounding, and count.
    F, G = np.repeat(np.eye(3), [8, 3, 1], axis=0), np.repeat(np.eye(3), [2, 3, 7], axis=0)
    found = linear_mmd(F, G, n_resamples=2000)
    exact = (found.values.round(12) >= found.values[0].round(12)).mean()
    assert found.pvalue == exact


def test_float32_products_are_close_to_float64(monkeypatch):
    F, G = corpora(3000, 2000, 48, shift=0.0)
    exact = linear_mmd(F.astype(np.float32), G.astype(np.float32), n_resamples=50)
    monkeypatch.setattr(resultant_module, "_EXACT_ELEMENTS", 0)
    found = linear_mmd(F.astype(np.float32), G.astype(np.float32), n_resamples=50)
    error = np.abs(found.values - exact.values).max()
    assert 0 < error < 1e-3 * exact.values.std()


def test_bad_rows_and_arguments():
    F, G = corpora()
    bad = F.copy()
    bad[41] = np.nan
    for source in (bad, [bad], lambda: iter(np.split(bad, [10, 30]))):
        with pytest.raises(ValueError, match=r"G .*holds 1 row that is not finite .*first: row 41"):
            linear_mmd(F, source, n_resamples=9)
    with pytest.raises(ValueError, match=r"F must hold at least 2 rows .* for mmd_test. Got n_samples = 1"):
        linear_mmd(F[:1], G, n_resamples=9, caller="mmd_test")
    with pytest.raises(ValueError, match="F and G must have the same number of dimensions"):
        linear_mmd(F, G[:, :2], n_resamples=9)
    with pytest.raises(TypeError, match="F must be something that can be read more than once for linear_mmd"):
        linear_mmd(iter([F]), G, n_resamples=9)
    with pytest.raises(ValueError, match="The 'n_resamples' parameter of linear_mmd must be an integer of at least 0"):
        linear_mmd(F, G, n_resamples=-1)
    with pytest.raises(TypeError, match="The 'rng' parameter of linear_mmd"):
        linear_mmd(F, G, n_resamples=9, rng="x")
    with pytest.raises(TypeError, match="The 'progress' parameter of linear_mmd"):
        linear_mmd(F, G, n_resamples=9, progress="x")


def test_level_and_power():
    rng = np.random.default_rng(0)
    runs = 800

    def rejects(shift):
        F, G = rng.normal(0.5, 1.0, size=(30, 8)), rng.normal(0.5 + shift, 1.0, size=(20, 8))
        return linear_mmd(F, G, n_resamples=19, rng=rng).pvalue <= 0.05

    rejections = sum(rejects(0.0) for _ in range(runs))
    assert 0.0246 <= rejections / runs <= 0.0754  # 3.3 standard errors about 0.05
    assert sum(rejects(1.2) for _ in range(40)) > 35
