"""Nearest neighbors by cosine: by sorting, in any blocks, with copies, and with what is left out."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xembed._core import neighbors as module
from xembed._core.directions import UnitRows
from xembed._core.neighbors import (
    cosine_dtype,
    cosine_tolerance,
    largest,
    largest_values,
    neighbor_counts,
    neighbor_sums,
    place_shares,
    top_k,
)


def unit(X):
    return UnitRows.of(np.asarray(X, dtype=float), name="X")


@given(st.integers(0, 10_000), st.integers(1, 12), st.booleans(), st.integers(1, 13))
@settings(max_examples=60, deadline=None)
def test_nearest_are_found_in_any_blocks(seed, k, leave_out, block):
    rng = np.random.default_rng(seed)
    rows, corpus = rng.normal(size=(5, 3)), rng.normal(size=(12, 3))
    own = rng.integers(12, size=5) if leave_out else None
    k = min(k, 12 - leave_out)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BLOCK", block)
        found = top_k(unit(rows), unit(corpus), k, exclude=own)
    cosines = unit(rows).unit() @ unit(corpus).unit().T
    for place, row in enumerate(cosines):
        order = [i for i in np.argsort(-row, kind="stable") if own is None or i != own[place]]
        assert list(found.rows[place]) == order[:k]
        np.testing.assert_allclose(found.cosines[place], row[order[:k]], atol=1e-14)


@given(st.integers(0, 10_000), st.integers(1, 9), st.integers(1, 31))
@settings(max_examples=60, deadline=None)
def test_copies_come_in_the_order_of_their_rows_however_they_are_rounded(seed, k, block):
    """Copies of few directions at random lengths: what ties is known, and rounding must not show."""
    rng = np.random.default_rng(seed)
    kinds = rng.integers(0, 4, 30)
    corpus = rng.normal(size=(4, 7))[kinds] * rng.uniform(0.1, 10, size=(30, 1))
    query = rng.normal(size=(3, 7))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BLOCK", block)
        found = top_k(unit(query), unit(corpus), k).rows
    of_kinds = np.array([[(unit(query).unit() @ unit(corpus[kinds == kind]).unit().T).mean(axis=1)
                          if (kinds == kind).any() else np.full(3, -2.0)] for kind in range(4)])[:, 0].T  # fmt: skip
    for row, expected in zip(found, of_kinds, strict=True):
        assert list(row) == sorted(range(30), key=lambda i: (-expected[kinds[i]], i))[:k]


def test_ties_go_to_the_first():
    corpus = unit(np.ones((4, 2)))
    np.testing.assert_array_equal(top_k(corpus.take([0]), corpus, 2, exclude=np.array([0])).rows, [[1, 2]])


def test_a_row_that_excludes_none_says_minus_one():
    corpus = unit(np.eye(3))
    found = top_k(corpus, corpus, 1, exclude=np.array([0, -1, 2])).rows
    assert found[:, 0].tolist() == [1, 1, 0]


def test_without_a_tolerance_the_largest_cosines_come_back():
    rng = np.random.default_rng(0)
    corpus = unit(np.repeat(rng.normal(size=(5, 6)), 8, axis=0) * rng.uniform(0.5, 2, size=(40, 1)))
    found = top_k(corpus, corpus, 8, exclude=np.arange(40), tolerance=0.0).cosines
    cosines = corpus.unit() @ corpus.unit().T
    np.fill_diagonal(cosines, -np.inf)
    np.testing.assert_allclose(found, np.sort(cosines, axis=1)[:, ::-1][:, :8], atol=1e-15)


@pytest.mark.parametrize("tolerance, expected", [(0.0, [1, 3]), (1e-3, [0, 1])])
def test_what_ties_is_said_by_the_tolerance(tolerance, expected):
    similarities = np.array([[0.5, 0.50002, 0.1, 0.50001]])
    assert largest(similarities, 2, tolerance=tolerance).tolist() == [expected]


def test_the_largest_values_fall():
    similarities = np.random.default_rng(1).normal(size=(20, 9))
    np.testing.assert_array_equal(largest_values(similarities, 4), np.sort(similarities, axis=1)[:, ::-1][:, :4])
    np.testing.assert_array_equal(largest_values(similarities, 9), np.sort(similarities, axis=1)[:, ::-1])


def test_equal_ones_share_the_last_places():
    similarities = np.array([[3.0, 2.0, 2.0, 2.0 - 1e-12, 1.0], [5.0, 4.0, 3.0, 2.0, 1.0]])
    expected = [[1, 2 / 3, 2 / 3, 2 / 3, 0], [1, 1, 1, 0, 0]]
    np.testing.assert_allclose(place_shares(similarities, 3, tolerance=1e-9), expected)


@given(st.integers(0, 10_000), st.integers(1, 8))
@settings(max_examples=40, deadline=None)
def test_shares_do_not_depend_on_the_order_and_sum_to_k(seed, k):
    rng = np.random.default_rng(seed)
    similarities = rng.integers(0, 4, size=(6, 8)) / 3
    shares = place_shares(similarities, k, tolerance=1e-9)
    order = rng.permutation(8)
    np.testing.assert_allclose(place_shares(similarities[:, order], k, tolerance=1e-9), shares[:, order])
    np.testing.assert_allclose(shares.sum(axis=1), k)


@given(st.integers(0, 10_000), st.integers(1, 7), st.booleans())
@settings(max_examples=60, deadline=None)
def test_sums_and_counts_are_those_of_the_shares(seed, k, ties):
    rng = np.random.default_rng(seed)
    similarities = rng.integers(0, 4, size=(70, 8)) / 3 if ties else rng.normal(size=(70, 8))
    values = rng.normal(size=(8, 3))
    shares = place_shares(similarities, k, tolerance=1e-9)
    np.testing.assert_allclose(neighbor_sums(similarities, k, values, tolerance=1e-9), shares @ values, atol=1e-12)
    np.testing.assert_allclose(neighbor_counts(similarities, k, tolerance=1e-9), shares.sum(axis=0), atol=1e-12)


def test_few_pairs_are_computed_in_double_precision():
    assert cosine_dtype(4096, 4096) == np.float64
    assert cosine_dtype(4096, 4097) == np.float32
    assert cosine_tolerance(np.dtype(np.float32)) > cosine_tolerance(np.dtype(np.float64))


def test_float64_rows_are_never_compared_in_float32(monkeypatch):
    monkeypatch.setattr(module, "_EXACT_PAIRS", 0)
    X = np.random.default_rng(2).normal(size=(6, 3))
    assert top_k(unit(X), unit(X), 2).cosines.dtype == np.float64
    narrow = UnitRows.of(X.astype(np.float32), name="X")
    assert top_k(narrow, narrow, 2).cosines.dtype == np.float32
