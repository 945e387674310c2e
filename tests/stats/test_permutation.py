"""Permutations, p-values from them, and their combination."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xembed.stats._permutation import (
    column_pvalues,
    permute_groups,
    permute_pairs,
    permute_rows,
    westfall_young,
)


@given(n=st.integers(1, 30), m=st.integers(1, 30), seed=st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_every_labeling_has_the_observed_sizes(n, m, seed):
    order, labels = permute_rows(n, m, 19, np.random.default_rng(seed))
    assert sorted(order) == list(range(n + m))
    assert labels.shape == (n + m, 20) and set(np.unique(labels)) <= {0.0, 1.0}
    assert (labels.sum(axis=0) == n).all()
    np.testing.assert_array_equal(labels[:, 0], order < n)


def test_labelings_are_uniform():
    """Every one of the 20 subsets of three of six rows comes equally often."""
    labels = permute_rows(3, 3, 20_000, np.random.default_rng(0)).labels[:, 1:]
    codes = (2 ** np.arange(6)) @ labels.astype(int)
    _, counts = np.unique(codes, return_counts=True)
    assert len(counts) == 20
    assert ((counts - 1000) ** 2 / 1000).sum() < 43.8  # chi square of 19 degrees, 99.9 %


def test_groups_stay_together():
    groups_F, groups_G = np.array([0, 0, 1, 1, 1, 2]), np.array([3, 4, 4, 4, 5])
    order, labels = permute_groups(groups_F, groups_G, 500, np.random.default_rng(0))
    group = np.concatenate([groups_F, groups_G])[order]
    for g in range(6):
        mine = labels[group == g]
        assert (mine == mine[0]).all()
    n_groups = np.array([labels[group == g][0] for g in range(6)]).sum(axis=0)
    assert (n_groups == 3).all()
    np.testing.assert_array_equal(labels[:, 0], order < 6)
    assert len(np.unique(labels.sum(axis=0))) > 1  # so the numbers of rows vary


def test_pairs_keep_one_row_each():
    order, labels = permute_pairs(8, 400, np.random.default_rng(0))
    back = np.empty_like(labels)
    back[order] = labels
    assert (back[:8] + back[8:] == 1).all()
    assert (back[:8, 0] == 1).all()
    assert abs(back[:8, 1:].mean() - 0.5) < 0.03


def test_pvalues_are_shares_that_count_the_observed_one():
    table = np.array([[3.0, 1.0, 2.0, 3.0], [0.0, 5.0, 6.0, 7.0]])
    np.testing.assert_allclose(column_pvalues(table), [[0.5, 1.0, 0.75, 0.5], [1.0, 0.75, 0.5, 0.25]])


def test_rounding_does_not_break_ties():
    table = np.array([[1.0, 1.0 + 1e-15, 1.0 - 1e-15, 0.5]])
    np.testing.assert_allclose(column_pvalues(table), [[0.75, 0.75, 0.75, 1.0]])
    np.testing.assert_allclose(column_pvalues(np.zeros((1, 5))), np.ones((1, 5)))


def test_combined_p_value_is_uniform_whatever_the_columns():
    """Every column takes its turn as the observed one: the combined p-values then are 1/B, 2/B, ... without gaps."""
    rng = np.random.default_rng(0)
    shared = rng.normal(size=200)
    table = np.stack([shared + 0.5 * rng.normal(size=200), rng.exponential(size=200), shared**2])
    weights = np.array([2.0, 1.0, 0.5])
    found = [westfall_young(column_pvalues(np.roll(table, -turn, axis=1)), weights).pvalue for turn in range(200)]
    np.testing.assert_allclose(np.sort(found), np.arange(1, 201) / 200)


@given(seed=st.integers(0, 1000))
@settings(max_examples=50, deadline=None)
def test_adjusted_p_values_lie_between_their_own_and_bonferroni_and_follow_their_order(seed):
    rng = np.random.default_rng(seed)
    pvalues = column_pvalues(rng.normal(size=(4, 100)) + 2 * (np.arange(100) == 0))
    found = westfall_young(pvalues)
    assert found.pvalue == found.adjusted.min()
    assert (np.diff(found.adjusted[np.argsort(pvalues[:, 0], kind="stable")]) >= 0).all()
    # Ties of the smallest p-value are broken, so an adjusted one can fall below its own by those ties only.
    assert (found.adjusted <= np.minimum(1, 4 * pvalues[:, 0]) + 1e-12).all()
    assert found.adjusted.max() >= pvalues[:, 0].max() - 1e-12


@pytest.mark.parametrize("draw", [lambda r: permute_rows(4, 5, 9, r), lambda r: permute_pairs(5, 9, r)])
def test_same_seed_same_labels(draw):
    for one, other in zip(draw(np.random.default_rng(1)), draw(np.random.default_rng(1)), strict=True):
        np.testing.assert_array_equal(one, other)
