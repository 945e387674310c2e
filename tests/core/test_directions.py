"""Unit rows without a copy: what they are, that they are checked once, and that blocks give the same."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xembed._core import directions as module
from xembed._core.blocks import read_rows
from xembed._core.directions import (
    PooledRows,
    UnitRows,
    direction_weights,
    directions,
    unit_rows,
    unsummed_directions,
)


def draw(seed, n, dtype=float):
    return np.random.default_rng(seed).normal(1.0, 2.0, size=(n, 5)).astype(dtype)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_rows_are_scaled_to_length_one(dtype):
    X = draw(0, 40, dtype)
    expected = X.astype(float) / np.linalg.norm(X.astype(float), axis=1, keepdims=True)
    unit = UnitRows.of(X, name="X")
    np.testing.assert_allclose(unit.unit(), expected, rtol=1e-14)
    np.testing.assert_allclose(unit.total, expected.sum(axis=0), rtol=1e-13)
    np.testing.assert_allclose(unit.project(np.arange(5.0), scale=2.0, shift=1.0), 2 * expected @ np.arange(5) + 1)
    assert (len(unit), unit.n_dims, unit.unit(slice(3), np.float32).dtype) == (40, 5, np.float32)


@pytest.mark.parametrize(
    "rows", [slice(3, 20), np.array([5, 1, 1]), np.arange(40) % 3 == 0], ids=["slice", "int", "bool"]
)
def test_some_rows_are_unit_rows_of_their_own(rows):
    X = draw(1, 40)
    part = UnitRows.of(X, name="X").take(rows)
    again = UnitRows.of(X[rows], name="X")
    np.testing.assert_array_equal(part.unit(), again.unit())
    np.testing.assert_array_equal(part.total, again.total)


def test_the_sum_is_the_same_found_with_the_lengths_or_later(monkeypatch):
    monkeypatch.setattr(module, "_TASK", 33)
    monkeypatch.setattr(module, "_BLOCK", 5)
    X = draw(2, 200)
    lengths_only = UnitRows(X, direction_weights(X, name="X"))
    np.testing.assert_array_equal(lengths_only.total, UnitRows.of(X, name="X").total)


@pytest.mark.parametrize("of", [directions, unsummed_directions])
def test_blocks_give_the_same_as_an_array(of):
    X = draw(3, 60)
    blocks = read_rows([X[:17], X[17:50], X[50:]], name="X", caller="this test")
    whole, parts = of(X, name="X"), of(blocks, name="X")
    np.testing.assert_allclose(parts.total, whole.total, rtol=1e-13)
    np.testing.assert_allclose(parts.project(np.ones(5), shift=2.0), whole.project(np.ones(5), shift=2.0), rtol=1e-13)
    assert len(parts) == len(whole) == 60


def test_two_corpora_are_read_as_one():
    F, G = draw(4, 10), draw(5, 7)
    pool = PooledRows(UnitRows.of(F, name="F"), UnitRows.of(G, name="G"), np.dtype(float))
    positions = np.array([0, 3, 9, 10, 16])
    np.testing.assert_allclose(pool.unit(positions), unit_rows(np.concatenate([F, G])[positions]), rtol=1e-14)
    assert (len(pool), pool.n) == (17, 10)


@given(st.integers(0, 10_000), st.floats(1e-100, 1e100))
@settings(max_examples=25, deadline=None)
def test_unit_rows_have_length_one(seed, scale):
    rows = unit_rows(scale * np.random.default_rng(seed).normal(size=(3, 4)))
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1.0)


def test_integers_and_lists_are_rows():
    np.testing.assert_allclose(unit_rows([[3, 4], [0, -2]]), [[0.6, 0.8], [0.0, -1.0]])


@pytest.mark.parametrize(
    "value, problem", [(0.0, "zero"), (np.nan, "not finite"), (1e200, "too large for the squares")]
)
@pytest.mark.parametrize("of", [directions, unsummed_directions, lambda X, name: unit_rows(X, name=name)])
def test_rows_without_direction_are_named(of, value, problem):
    X = draw(6, 9)
    X[[4, 7]] = value
    with pytest.raises(ValueError, match=rf"the corpus holds 2 rows that are .*{problem}.*\(first: row 4\)"):
        of(X, name="the corpus")
