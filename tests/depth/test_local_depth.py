"""Local depth against its definition, against global depth, and every documented error."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.stats import rankdata

from xembed.depth import local_depth, tte_depth


def unit(X):
    return X / np.linalg.norm(X, axis=1, keepdims=True)


def corpora(seed, n=60, m=40, d=7):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, d)) + 0.5, rng.standard_normal((m, d)) * 1.2 + 0.4


def naive(X, reference, k, *, leave_out=False):
    """The definition, text by text."""
    values = []
    for i, x in enumerate(unit(np.asarray(X, float))):
        cosines = unit(np.asarray(reference, float)) @ x
        if leave_out:
            cosines = np.delete(cosines, i)
        values.append(1 + np.sort(cosines)[-k:].mean())
    return np.array(values)


def auroc(scores, outlier):
    ranks = rankdata(-scores)
    n_out = outlier.sum()
    return (ranks[outlier].sum() - n_out * (n_out + 1) / 2) / (n_out * (~outlier).sum())


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("k", [1, 3, 10])
def test_equals_the_definition(dtype, k):
    F, G = (A.astype(dtype) for A in corpora(0))
    np.testing.assert_allclose(local_depth(F, n_neighbors=k), naive(F, F, k, leave_out=True), rtol=0, atol=1e-12)
    np.testing.assert_allclose(local_depth(G, F, n_neighbors=k), naive(G, F, k), rtol=0, atol=1e-12)
    assert local_depth(F).dtype == np.float64


def test_values_by_hand():
    X = [[1, 0], [0, 2], [3, 4]]
    np.testing.assert_allclose(local_depth(X, n_neighbors=1), [1.6, 1.8, 1.8], atol=1e-12)
    np.testing.assert_allclose(local_depth(X, n_neighbors=2), [1.3, 1.4, 1.7], atol=1e-12)
    np.testing.assert_allclose(local_depth([[-1, 0]], X, n_neighbors=1), [1.0], atol=1e-12)
    np.testing.assert_allclose(local_depth([[1, 0]], [[-1, 0]], n_neighbors=1), [0.0], atol=1e-12)


@pytest.mark.parametrize("sizes", [(32, 7), (16, 5)])
def test_blocks_do_not_change_the_result(sizes, monkeypatch):
    F, G = corpora(1, n=150, m=70)
    whole = local_depth(F), local_depth(G, F), local_depth(F, n_neighbors=100)
    monkeypatch.setattr("xembed._core.neighbors.BLOCK", sizes[0])
    monkeypatch.setattr("xembed._core.neighbors._SLICE", sizes[1])
    for found, expected in zip((local_depth(F), local_depth(G, F), local_depth(F, n_neighbors=100)), whole,
                               strict=True):  # fmt: skip
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


def test_float32_path_for_many_pairs_is_close(monkeypatch):
    F = corpora(2, n=2000, d=48)[0].astype(np.float32)
    exact = local_depth(F)
    monkeypatch.setattr("xembed._core.neighbors._EXACT_PAIRS", 512**2)
    found = local_depth(F)
    assert not np.array_equal(found, exact)  # it was another path
    np.testing.assert_allclose(found, exact, rtol=0, atol=1e-6)


@given(
    X=hnp.arrays(np.float64, hnp.array_shapes(min_dims=2, max_dims=2, min_side=2, max_side=12),
                 elements=st.floats(-1e3, 1e3, allow_subnormal=False)),
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_all_neighbors_are_the_whole_corpus(X):
    X = X[np.abs(X).max(axis=1) > 1e-3]
    if len(X) < 2:
        return
    every = [local_depth(X, n_neighbors=k) for k in range(1, len(X))]
    np.testing.assert_allclose(every[-1], tte_depth(X), rtol=0, atol=2e-8)
    np.testing.assert_allclose(local_depth(X, X, n_neighbors=len(X)), tte_depth(X, X), rtol=0, atol=2e-8)
    # Each further neighbor is farther.
    assert (np.diff(every, axis=0) <= 1e-9).all()
    assert np.min(every) >= 0 and np.max(every) <= 2


def test_only_directions_matter():
    F, G = corpora(3)
    rng = np.random.default_rng(0)
    rotation = np.linalg.qr(rng.standard_normal((7, 7)))[0]
    np.testing.assert_allclose(local_depth(F * rng.uniform(1e-6, 1e6, (60, 1))), local_depth(F), atol=1e-12)
    np.testing.assert_allclose(local_depth(G @ rotation, F @ rotation), local_depth(G, F), atol=1e-12)
    order = rng.permutation(60)
    np.testing.assert_allclose(local_depth(F[order]), local_depth(F)[order], atol=1e-12)


def test_repeated_texts_are_neighbors_of_each_other():
    F, _ = corpora(4)
    F[[5, 17, 30]] = F[2]
    depths = local_depth(F, n_neighbors=3)
    np.testing.assert_allclose(depths[[2, 5, 17, 30]], 2.0, atol=1e-12)
    assert np.delete(depths, [2, 5, 17, 30]).max() < 2 - 1e-6
    assert len(set(local_depth(F, n_neighbors=10)[[2, 5, 17, 30]].round(12))) == 1
    np.testing.assert_allclose(local_depth(np.ones((6, 3)), n_neighbors=5), 2.0, atol=1e-12)


def test_a_text_is_its_own_neighbor_only_in_a_reference():
    F, _ = corpora(5)
    np.testing.assert_allclose(local_depth(F[:4], F, n_neighbors=1), 2.0, atol=1e-12)
    assert local_depth(F, n_neighbors=1).max() < 2


def clusters(rng, n, d, n_blends):
    """Four clusters in a cone, and texts that are blends of all four, planted first."""
    X = rng.standard_normal((n + n_blends, d)) / np.sqrt(d)
    X[:, 0] += 0.5
    X[:n_blends, 1:5] += 0.15
    X[np.arange(n_blends, n + n_blends), 1 + rng.integers(0, 4, n)] += 0.6
    return X, np.arange(n + n_blends) < n_blends


def test_blends_in_the_gap_are_deep_but_not_locally():
    for seed in range(3):
        X, blend = clusters(np.random.default_rng(seed), 1500, 128, 30)
        assert auroc(tte_depth(X), blend) < 0.4
        assert auroc(local_depth(X), blend) > 0.95


def test_off_topic_texts_rank_last():
    X, planted = clusters(np.random.default_rng(9), 1000, 128, 50)
    X[:50] = np.random.default_rng(1).standard_normal((50, 128)) / np.sqrt(128)
    assert auroc(local_depth(X), planted) > 0.99
    assert auroc(tte_depth(X), planted) > 0.99


def test_a_group_up_to_the_number_of_neighbors_does_not_look_dense():
    X, group = clusters(np.random.default_rng(3), 600, 64, 10)
    X[group] = np.random.default_rng(4).standard_normal(64) + 0.05 * np.random.default_rng(5).standard_normal((10, 64))
    assert auroc(local_depth(X, n_neighbors=5), group) < 0.01
    assert auroc(local_depth(X, n_neighbors=60), group) > 0.99


def test_does_not_change_its_input():
    F, G = corpora(6)
    copies = F.copy(), G.copy()
    local_depth(F)
    local_depth(G, F)
    np.testing.assert_array_equal(F, copies[0])
    np.testing.assert_array_equal(G, copies[1])


GOOD = np.ones((5, 3)) + np.arange(15).reshape(5, 3)
BAD = np.where(np.arange(5)[:, None] == 3, np.nan, GOOD)
ZERO = np.where(np.arange(5)[:, None] == 3, 0.0, GOOD)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: local_depth(GOOD, n_neighbors=5), ValueError,
         "The 'n_neighbors' parameter of local_depth must be at most 4, the number of texts in X besides each text "
         "itself. Got 5 instead"),
        (lambda: local_depth(GOOD), ValueError, "must be at most 4, .* Got 10 instead"),
        (lambda: local_depth(GOOD, GOOD, n_neighbors=6), ValueError,
         "must be at most 5, the number of texts in reference. Got 6 instead"),
        (lambda: local_depth(GOOD, n_neighbors=0), ValueError, "must be an integer of at least 1. Got 0"),
        (lambda: local_depth(GOOD, n_neighbors=2.0), TypeError, "must be an integer of at least 1. Got 2.0"),
        (lambda: local_depth(GOOD[:1]), ValueError, "X must hold at least 2 rows .* Got n_samples = 1"),
        (lambda: local_depth(GOOD[:0], GOOD), ValueError, "X must hold at least 1 row .* Got n_samples = 0"),
        (lambda: local_depth(GOOD, GOOD[:0]), ValueError, "reference must hold at least 1 row"),
        (lambda: local_depth(GOOD, GOOD[:, :2], n_neighbors=1), ValueError, "same number of dimensions. Got 3 and 2"),
        (lambda: local_depth(GOOD[0]), ValueError, "Reshape your data"),
        (lambda: local_depth([["a"]]), TypeError, "embed them first"),
        (lambda: local_depth(BAD, n_neighbors=1), ValueError,
         r"X holds 1 row that is not finite \(NaN or inf\) \(first: row 3\)"),
        (lambda: local_depth(GOOD, BAD, n_neighbors=1), ValueError, "reference holds 1 row that is not finite"),
        (lambda: local_depth(ZERO, GOOD, n_neighbors=1), ValueError, r"X holds 1 row that is zero \(first: row 3\)"),
    ],
)  # fmt: skip
def test_documented_errors(call, error, message):
    with pytest.raises(error, match=message):
        call()
