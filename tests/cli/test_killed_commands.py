"""Commands are killed at random moments: what they write is whole or not there, the next run leaves nothing over."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from xembed import read_result
from xembed.datasets import load_corpora

pytestmark = pytest.mark.slow

FULL = bool(os.environ.get("XEMBED_FULL"))
KILLS = 38 if FULL else 2  # of each of eight commands: 304; of one: 2

COMMANDS = {
    "shift": "shift F.npy G.npy --out r.html",
    "drift": "drift F.npy --reference 200 --window 50 --resamples 199 --out r.html",
    "depth": "depth F.npy --overwrite --out d.csv",
    "isotropy": "isotropy F.npy --out r.html",
    "explain": "explain --similarity cats dogs --out r.html",
    "report": "report old.json other.json --title Both --out r.html",
    "embed": "embed texts.txt --overwrite --out X.npy",
    "demo": "demo support_tickets --out r.html",
}


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("inputs")
    rng = np.random.default_rng(0)
    for name in "FG":
        np.save(folder / f"{name}.npy", rng.normal(size=(400, 16)).astype(np.float32))
    texts = load_corpora("support_tickets").texts[:60]
    (folder / "texts.txt").write_text("\n".join(texts) + "\n", encoding="utf-8")
    for name in ("old", "other"):
        subprocess.run(command(f"shift F.npy G.npy --out {name}.html"), cwd=folder, check=True, capture_output=True)
    return folder


def command(line):
    return [sys.executable, "-m", "xembed", *line.split()]


def check(folder):
    """Read all that is there: it is whole, and a page and its data are there together."""
    for page in folder.glob("r.html"):
        assert page.read_text(encoding="utf-8").rstrip().endswith("</html>")
        assert json.loads(page.with_suffix(".json").read_text(encoding="utf-8"))["schema"].startswith("xembed.")
    for path in folder.glob("X.npy"):
        assert np.load(path).shape == (60, 384)
    for path in folder.glob("d.csv"):
        assert len(path.read_text(encoding="utf-8").splitlines()) == 401


@pytest.mark.parametrize("name", COMMANDS if FULL else ("shift",))
def test_a_killed_command_leaves_nothing_broken_and_the_next_nothing_over(name, inputs, tmp_path):
    folder = tmp_path / "work"
    shutil.copytree(inputs, folder)
    line = COMMANDS[name]
    environment = os.environ | {"XEMBED_CACHE": str(tmp_path / "cache"), "OMP_NUM_THREADS": "1"}
    quiet = {"cwd": folder, "env": environment, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    before = set(folder.iterdir())
    for _ in range(2):  # the first may fill the cache
        began = time.monotonic()
        subprocess.run(command(line), check=True, **quiet)
        seconds = time.monotonic() - began
    made = set(folder.iterdir()) - before
    assert made
    check(folder)
    rng = np.random.default_rng(0)
    for number in range(KILLS):
        if number % 2:  # with and without files of an earlier run
            for path in made:
                path.unlink(missing_ok=True)
        process = subprocess.Popen(command(line), **quiet)
        # Most of the writing is at the end, and half of the kills are there.
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(seconds * (rng.uniform(0.8, 1.1) if number % 4 < 2 else rng.uniform(0.1, 1)))
        process.send_signal(signal.SIGKILL)
        process.wait()
        check(folder)
    subprocess.run(command(line), check=True, **quiet)
    check(folder)
    assert set(folder.iterdir()) == before | made
    if (folder / "r.json").exists() and name not in ("report", "demo"):
        read_result(folder / "r.json")
