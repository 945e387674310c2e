"""How long a new interpreter takes to read a result, beside importing numpy. Run with ``make bench``."""

import subprocess
import sys

import numpy as np

import xembed

CODE = """
import resource, sys
before = resource.getrusage(resource.RUSAGE_SELF).ru_utime
import numpy
middle = resource.getrusage(resource.RUSAGE_SELF).ru_utime
import xembed
xembed.read_result(sys.argv[1])
print(middle - before, resource.getrusage(resource.RUSAGE_SELF).ru_utime - middle)
"""


def test_reading_a_result_against_importing_numpy(benchmark, tmp_path):
    """The median of five interpreters, in CPU seconds."""
    X = np.random.default_rng(0).normal(size=(40, 4))
    path = tmp_path / "result.json"
    xembed.shift.compare_corpora(X[:20], X[20:]).to_json(path)

    def read():
        run = subprocess.run([sys.executable, "-c", CODE, str(path)], capture_output=True, text=True, check=True)
        return [float(value) for value in run.stdout.split()]

    for_numpy, for_reading = np.median([read() for _ in range(5)], axis=0)
    benchmark.extra_info["ratio"] = for_reading / for_numpy
    print(f"\nreading a result: {for_reading:.2f} CPU s beside {for_numpy:.2f} for importing numpy")
    benchmark.pedantic(read, rounds=1)
