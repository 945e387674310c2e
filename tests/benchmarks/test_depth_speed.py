"""How fast depth is, as ratios to limits measured in the same run. Run with ``make bench``; nothing is asserted."""

import time

import numpy as np
import pytest

from xembed.depth import tte_depth


def interleaved(candidates, rounds):
    """Return the times of each function, (len(candidates), rounds), called in turn after one warm-up."""
    times = np.empty((len(candidates), rounds))
    for function in candidates:
        function()
    for i in range(rounds):
        for j, function in enumerate(candidates):
            start = time.perf_counter()
            function()
            times[j, i] = time.perf_counter() - start
    return times


def show(benchmark, title, ratio, times):
    benchmark.extra_info[title] = ratio
    medians = ", ".join(f"{t:.3g} s" for t in np.median(times, axis=1))
    print(f"\n{title}: {ratio:.3g}  (medians {medians})")


def test_closed_form_against_reading_the_array_twice(benchmark):
    """Cosine depth of 1,000,000 x 384 float32 over ``torch.sum`` twice with all cores: two passes are the least."""
    torch = pytest.importorskip("torch")
    X = np.random.default_rng(0).standard_normal((1_000_000, 384), dtype=np.float32) + np.float32(0.3)
    tensor = torch.from_numpy(X)
    times = interleaved([lambda: (tensor.sum(), tensor.sum()), lambda: tte_depth(X)], rounds=15)
    show(benchmark, "closed form / two reads", np.median(times[1]) / np.median(times[0]), times)
    benchmark.pedantic(tte_depth, (X,), rounds=3)


@pytest.mark.parametrize("distance", ["chord", "angular"])
def test_pairs_against_their_matrix_products(benchmark, distance):
    """Share of the rate of the pure matrix products, at blocks of 4,096 rows."""
    rng = np.random.default_rng(0)
    F = rng.standard_normal((16_384, 384), dtype=np.float32) + np.float32(0.3)
    G = rng.standard_normal((8_192, 384), dtype=np.float32) + np.float32(0.3)

    def products():
        for i in range(0, len(F), 4096):
            for j in range(0, len(G), 4096):
                F[i : i + 4096] @ G[j : j + 4096].T

    times = interleaved([products, lambda: tte_depth(F, G, distance=distance)], rounds=5)
    show(benchmark, f"matrix products / {distance}", np.median(times[0]) / np.median(times[1]), times)
    benchmark.pedantic(tte_depth, (F, G), {"distance": distance}, rounds=1)


def test_closed_form_against_the_double_loop(benchmark):
    """The definition pair by pair in Python and scipy, as the authors' package has it, at n = 1,000."""
    from scipy.spatial.distance import cosine

    X = np.random.default_rng(0).standard_normal((1000, 384)) + 0.3

    def naive():
        return [2 - sum(cosine(x, y) for y in X) / (len(X) - 1) for x in X]

    start = time.perf_counter()
    expected = naive()
    slow = time.perf_counter() - start
    np.testing.assert_allclose(tte_depth(X), expected, atol=1e-12)
    times = interleaved([lambda: tte_depth(X)], rounds=50)
    show(benchmark, "double loop / closed form", slow / np.median(times), np.array([[slow], [np.median(times)]]))
    benchmark(tte_depth, X)


def test_float32_error(benchmark):
    """Largest difference of the float32 path for large arrays from float64."""
    X = np.random.default_rng(0).standard_normal((200_000, 384), dtype=np.float32) + np.float32(0.3)
    error = np.abs(tte_depth(X) - tte_depth(X.astype(np.float64))).max()
    print(f"\nlargest error of depths of 200,000 float32 rows: {error:.2g}")
    benchmark.pedantic(tte_depth, (X,), rounds=3)
