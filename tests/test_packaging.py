"""The wheel holds what an installed package needs, and setup.cfg lists what is in the tree."""

import configparser
import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def test_setup_cfg_lists_every_package():
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    listed = set(config["options"]["packages"].split()) - {"xembed.datasets.data"}
    found = {
        ".".join(path.parent.relative_to(ROOT).parts)
        for path in (ROOT / "xembed").rglob("*.py")
        if "__pycache__" not in path.parts
    }
    assert listed == found


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dist")
    # From the sdist, so that what MANIFEST.in leaves out is missed here and not by a user.
    subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT],
        check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    return next(folder.glob("*.whl"))


def test_wheel_holds_data_templates_and_types(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {
        "xembed/py.typed",
        "xembed/datasets/data/support_tickets.jsonl",
        "xembed/datasets/data/support_tickets.md",
        "xembed/datasets/lexicons/gender.txt",
        "xembed/reports/templates/blocks/table.html.j2",
        "xembed/reports/assets/start.js",
    } <= names
    assert not [n for n in names if n.startswith(("tests/", "datasets/", "docs/"))]


@pytest.mark.slow
def test_an_installed_wheel_loads_everything(wheel, tmp_path):
    """In an environment with nothing but the wheel; its dependencies are lent by this one."""
    venv.create(tmp_path / "env", with_pip=True)
    python = tmp_path / "env" / "bin" / "python"
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    install = [python, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", wheel]
    subprocess.run(install, check=True, env=env)
    lent = next(p for p in sys.path if p.endswith("site-packages"))
    code = f"""
import sys
sys.path.append({lent!r})  # after the environment's own packages
sys.meta_path = [f for f in sys.meta_path if "editable" not in str(f).lower()]
import numpy as np, xembed
assert {str(tmp_path)!r} in xembed.__file__, xembed.__file__
from xembed.datasets import load_corpora, load_planted_vocabulary
for name in ("support_tickets", "product_reviews", "news_briefs"):
    table = load_corpora(name)
    assert 200 <= len(table) <= 400 and table.card
load_planted_vocabulary()
X = np.random.default_rng(0).normal(size=(40, 4))
xembed.shift.compare_corpora(X[:20], X[20:]).report("page.html")
print("ok")
"""
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path, env=env)
    assert done.stdout.strip() == "ok", done.stderr
    assert (tmp_path / "page.html").is_file()
