"""How fast streamed tests are, and in how much memory, as ratios within one run. Run with ``make bench``."""

import time

import numpy as np
import pytest

from xembed.depth import tte_depth
from xembed.shift import rank_sum_test
from xembed.shift._linear import linear_mmd

N, D, RESAMPLES = 250_000, 384, 199


@pytest.fixture(scope="module")
def corpora():
    rng = np.random.default_rng(0)
    return [rng.standard_normal((N, D), dtype=np.float32) + np.float32(0.2) for _ in range(2)]


def seconds(function):
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def test_linear_mmd_and_depth_against_their_matrix_products(benchmark, corpora):
    """Both tests of 500,000 x 384 float32 with 199 permutations, over the products of labels and rows alone."""
    F, G = corpora
    labels = np.ones((RESAMPLES, 4096), np.float32)

    def products():
        for X in corpora:
            for i in range(0, N - 4096, 4096):
                labels @ X[i : i + 4096]

    def tests():
        rank_sum_test(F, G)
        linear_mmd(F, G, n_resamples=RESAMPLES)

    floor, whole = min(seconds(products) for _ in range(2)), min(seconds(tests) for _ in range(2))
    benchmark.extra_info["ratio"] = whole / floor
    print(
        f"\nlinear MMD and depth, 500,000 rows: {whole:.1f} s, {whole / floor:.2g} times their products ({floor:.1f} s)"
    )
    benchmark.pedantic(tests, rounds=1)


def test_linear_mmd_error_of_float32(benchmark, corpora):
    """Largest difference of the values from float64, over their spread."""
    few = [X[:100_000] for X in corpora]  # above the size from which on products are float32
    found = linear_mmd(*few, n_resamples=20).values
    exact = linear_mmd(*(X.astype(np.float64) for X in few), n_resamples=20).values
    print(f"\nfloat32 error of linear MMD over its spread: {np.abs(found - exact).max() / exact.std():.2g}")
    benchmark.pedantic(linear_mmd, few, {"n_resamples": 20}, rounds=1)


def test_memory_map_against_memory(benchmark, corpora, tmp_path):
    """Pooled rank-sum of float16 rows from files, over the same rows in memory, and from blocks."""
    half = [X.astype(np.float16) for X in corpora]
    for name, X in zip("FG", half, strict=True):
        np.save(tmp_path / f"{name}.npy", X)
    paths = [tmp_path / f"{name}.npy" for name in "FG"]
    blocks = [np.array_split(X, 61) for X in half]
    memory, files, lists = (
        min(seconds(lambda pair=pair: rank_sum_test(*pair)) for _ in range(3)) for pair in (half, paths, blocks)
    )
    benchmark.extra_info["ratio"] = files / memory
    ratios = f"files {files / memory:.2g}, blocks {lists / memory:.2g} times memory ({memory:.1f} s)"
    print(f"\nrank-sum of 500,000 rows: {ratios}")
    benchmark.pedantic(rank_sum_test, paths, rounds=1)


@pytest.mark.parametrize("distance", ["chord", "angular"])
def test_moments_against_pairs(benchmark, corpora, distance):
    """Time of exact depth over that of two moments, at 20,000 texts: grows with their number."""
    X = corpora[0][:20_000]
    exact = seconds(lambda: tte_depth(X, distance=distance))
    fast = min(seconds(lambda: tte_depth(X, distance=distance, method="moments")) for _ in range(3))
    benchmark.extra_info["ratio"] = exact / fast
    print(f"\n{distance}: pairs / moments {exact / fast:.3g}  ({exact:.2g} s, {fast:.2g} s)")
    benchmark.pedantic(tte_depth, (X,), {"distance": distance, "method": "moments"}, rounds=1)
