"""Types reach whoever calls: a type checker knows the public names, and refuses a wrong call."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
CALLS = """\
import numpy as np
import xembed

X = np.zeros((4, 2))
xembed.shift.compare_corpora(X, X, n_resamples=99).verdict
xembed.depth.tte_depth(X, X)
xembed.shift.compare_corpora(X)  # error: call-arg
xembed.shift.compare_corpora(X, X, n_resample=99)  # error: call-arg
xembed.shift.compare_corpora(X, X).verdikt  # error: attr-defined
xembed.isotropy.measure(X, unknown=1)  # error: call-arg
xembed.attribution.explain()  # error: call-arg
xembed.geco.holm(pvalues=[0.1], alpha="no")  # error: call-arg
xembed.load_encoder(max_length="long")  # error: arg-type
xembed.shift.no_such_name  # error: attr-defined
"""


@pytest.mark.slow
def test_a_type_checker_refuses_wrong_calls(tmp_path):
    """With the cache of `make lint`, which has just checked the package, it takes a second or two."""
    pytest.importorskip("mypy")
    path = tmp_path / "calls.py"
    path.write_text(CALLS, encoding="utf-8")
    command = [sys.executable, "-m", "mypy", "--config-file", "setup.cfg", "--show-error-codes", str(path)]
    output = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout
    expected = {
        (number, match[1])
        for number, line in enumerate(CALLS.splitlines(), start=1)
        if (match := re.search(r"# error: ([\w-]+)$", line))
    }
    found = {(int(line), code) for line, code in re.findall(r"calls\.py:(\d+): error: .*\[([\w-]+)\]", output)}
    assert found == expected, output
