"""The whole battery against the matrix products that it can't do without, in the same run."""

import time

import numpy as np
import pytest

from xembed.shift._battery import DEFAULT, check_pair, make_pool, run_battery

D, N_RESAMPLES = 384, 199


@pytest.mark.parametrize("n", [500, 2000])
def test_battery_against_its_products(benchmark, n):
    rng = np.random.default_rng(0)
    F, G = rng.normal(0.3, 1, (2, n, D)).astype(np.float32)

    def battery():
        pool = make_pool(
            *check_pair(F, G, caller="benchmark"),
            n_resamples=N_RESAMPLES,
            rng=np.random.default_rng(0),
            caller="benchmark",
        )
        return run_battery(pool, DEFAULT)

    benchmark.pedantic(battery, rounds=5, warmup_rounds=1)
    pool = make_pool(*check_pair(F, G, caller="benchmark"), n_resamples=N_RESAMPLES, rng=rng, caller="benchmark")
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        cosines = pool.unit @ pool.unit.T
        for _ in range(3):  # one a kernel
            cosines @ pool.labels
        pool.labels.T @ pool.unit
        pool.unit.T @ pool.unit
        for _ in range(2):  # the metrics of the means
            pool.unit @ np.eye(D, dtype=pool.unit.dtype)
        seconds.append(time.perf_counter() - start)
    ratio = benchmark.stats.stats.min / min(seconds)
    print(f"\nbattery, n = m = {n}: {ratio:.2f} times its matrix products ({benchmark.stats.stats.min:.3f} s)")
