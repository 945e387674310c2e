"""How fast all measures are, as ratios within one run. Run with ``make bench``."""

import time

import numpy as np
import pytest

from xembed.isotropy import isoscore, measure


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    return rng.standard_normal((200_000, 384), dtype=np.float32) * np.linspace(1, 0.2, 384, dtype=np.float32)


def seconds(function):
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def test_all_measures_against_the_product_of_the_rows(benchmark, rows):
    """All measures of 200,000 x 384 float32 without intervals, over X.T @ X alone."""
    measure(rows[:3000])
    pairs = [(seconds(lambda: rows.T @ rows), seconds(lambda: measure(rows))) for _ in range(3)]
    floor, whole = map(min, zip(*pairs, strict=True))
    benchmark.extra_info["ratio"] = whole / floor
    print(f"\nall measures of 200,000 rows: {whole:.2f} s, {whole / floor:.2g} times X.T @ X ({floor:.2f} s)")
    benchmark.pedantic(measure, [rows], rounds=1)


def test_error_of_float32_products(benchmark, rows):
    """Relative difference of the score from float64."""
    exact = isoscore(rows.astype(np.float64))
    print(f"\nfloat32 error of IsoScore, 200,000 rows: {abs(isoscore(rows) / exact - 1):.2g}")
    benchmark.pedantic(isoscore, [rows], rounds=1)


def test_intervals_against_values(benchmark, rows):
    """Time with 200 half-samples over time without."""
    few = rows[:20_000]
    plain, intervals = seconds(lambda: measure(few)), seconds(lambda: measure(few, n_resamples=200))
    benchmark.extra_info["ratio"] = intervals / plain
    print(f"\nmeasures with intervals: {intervals:.1f} s, {intervals / plain:.2g} times those without ({plain:.2f} s)")
    benchmark.pedantic(measure, [few], {"n_resamples": 20}, rounds=1)
