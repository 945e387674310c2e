"""Wrong calls of the shell: the exit code, one sentence, soon, no traceback, nothing written."""

import json
import os
import re
import resource
import subprocess
import sys

import numpy as np
import pytest

USAGE, FAILED = 2, 1
MOST_SECONDS = 2  # of CPU: loading an encoder takes longer

CALLS = [  # the encoder is never loaded for one of these
    ("", USAGE, "Usage"),
    ("shfit a.csv b.csv", USAGE, "No such command 'shfit'"),
    ("shift a.csv", USAGE, "'--split-by': must be given where there is no G"),
    ("shift a.csv b.csv --no-such-option", USAGE, "No such option"),
    ("shift a.csv b.csv --alpha 3", USAGE, "'--alpha': must be a number in"),
    ("shift a.csv b.csv --alpha nan", USAGE, "'--alpha': must be a number in"),
    ("shift a.csv b.csv --alpha five", USAGE, "'--alpha'"),
    ("shift a.csv b.csv --resamples 3", USAGE, "'--resamples'"),
    ("shift a.csv b.csv --distance far", USAGE, "'--distance'"),
    ("shift a.csv b.csv --mode slow", USAGE, "'--mode'"),
    ("shift a.csv b.csv --map tsne", USAGE, "'--map'"),
    ("shift a.csv b.csv --pooling best", USAGE, "'--pooling'"),
    ("shift a.csv b.csv --batch-size 0", USAGE, "'--batch-size'"),
    ("shift a.csv b.csv --max-length 0", USAGE, "'--max-length'"),
    ("shift a.csv b.csv --layer last", USAGE, "'--layer'"),
    ("shift a.csv b.csv --seed -1", USAGE, "'--seed'"),
    ("shift a.csv b.csv --text-column nope", USAGE, "'--text-column': must be one of"),
    ("shift a.csv b.csv --group-column nope", USAGE, "-column': must be one of"),
    ("shift a.csv three.csv --paired", USAGE, "'--paired'"),
    ("shift F.npy G.npy --words", USAGE, "'--words'"),
    ("shift F.npy a.csv", FAILED, "must both be texts"),
    ("shift F.npy wide.npy", FAILED, "same number of dimensions"),
    ("shift a.csv missing.csv", FAILED, "'missing.csv' can't be read"),
    ("shift a.csv folder", FAILED, "'folder' can't be read: it is a folder"),
    ("shift a.csv b.xlsx", FAILED, "must end in one of"),
    ("shift a.csv b.csv --model ./no/model", FAILED, "no/model"),
    ("shift a.csv b.csv --out shift.json", USAGE, "'--out'"),
    ("shift a.csv b.csv --out shift.pdf", USAGE, "'--out'"),
    ("shift a.csv b.csv --out no/folder.html", FAILED, "no"),
    ("shift a.csv b.csv --out a.csv", USAGE, "'--out'"),
    ("drift a.csv --window 5", USAGE, "'--reference'"),
    ("drift a.csv --reference 20 --window 7Q", USAGE, "'--window'"),
    ("drift a.csv --reference nonsense --window 5", USAGE, "'--reference'"),
    ("drift a.csv --reference 20 --window inf", USAGE, "'--window'"),
    ("drift a.csv --reference 20 --window 5 --alpha 0", USAGE, "'--alpha'"),
    ("drift a.csv --reference 20 --window 5 --time-column when", USAGE, "'--time-column': must be one of"),
    ("depth a.csv --out depths.html", USAGE, "'--out'"),
    ("depth a.csv --top -1", USAGE, "'--top'"),
    ("depth F.npy --reference wide.npy", FAILED, "same number of dimensions"),
    ("embed a.csv --out X.csv", USAGE, "'--out'"),
    ("embed F.npy --out X.npy", FAILED, "holds embeddings already"),
    ("isotropy a.csv --label-column nope", USAGE, "-column': must be one of"),
    ("isotropy a.csv --tune missing.csv", FAILED, "missing.csv"),
    ("isotropy a.csv --save correction.txt", USAGE, "'--save'"),
    ("explain", USAGE, "exactly one of"),
    ("explain --depth a.csv --shift a.csv b.csv", USAGE, "exactly one of"),
    ("explain --shift a.csv b.csv --target depth", USAGE, "--target"),
    ("explain --similarity cat", USAGE, "--similarity"),
    ("explain --shift a.csv b.csv --method magic", USAGE, "'--method': must be one of"),
    ("geco --profile slow", USAGE, "'--profile'.*'quick', 'full'"),
    ("geco --seeds a,b", USAGE, "'--seeds'"),
    ("geco --schemes X", USAGE, "'--schemes'"),
    ("geco --methods magic", USAGE, "'--methods'"),
    ("geco --sentences 1", USAGE, "'--sentences'"),
    ("geco --variant third", USAGE, "'--variant'"),
    ("report", USAGE, "Missing argument"),
    ("report missing.json", FAILED, "'missing.json'"),
    ("report a.csv", FAILED, "'a.csv'"),
    ("report other.json", FAILED, "'other.json'"),
    ("report other.json --compare", USAGE, "'?--compare"),
    ("cache clear --fingerprint xyz", USAGE, "'--fingerprint'"),
    ("demo news", USAGE, "news"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("calls")
    for name, n in (("a", 30), ("b", 30), ("three", 3)):
        rows = "".join(f"note number {name} {i} about the weather,{i % 3}\n" for i in range(n))
        (path / f"{name}.csv").write_text("text,label\n" + rows, encoding="utf-8")
    (path / "folder").mkdir()
    (path / "b.xlsx").write_bytes(b"PK\x03\x04")
    (path / "other.json").write_text(json.dumps({"schema": "another.tool/1"}))
    rng = np.random.default_rng(0)
    for name, width in (("F", 4), ("G", 4), ("wide", 5)):
        np.save(path / f"{name}.npy", rng.normal(size=(30, width)))
    return path


@pytest.mark.parametrize(("call", "code", "message"), CALLS, ids=[call or "nothing" for call, _, _ in CALLS])
def test_a_wrong_call_is_one_sentence_soon_and_leaves_nothing(folder, call, code, message):
    before = sorted((path.name, path.stat().st_mtime_ns) for path in folder.rglob("*"))
    environment = os.environ | {"XEMBED_CACHE": str(folder / "folder"), "OMP_NUM_THREADS": "1"}
    start = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-m", "xembed", *call.split()],
        cwd=folder, env=environment, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    end = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == code, done.stderr
    assert re.search(message, done.stderr), done.stderr
    assert "Traceback" not in done.stderr
    assert not done.stdout
    if call:
        assert done.stderr.startswith("xembed: error: ")
        assert done.stderr.count("\n") == 1
    assert end.ru_utime - start.ru_utime + end.ru_stime - start.ru_stime < MOST_SECONDS
    assert sorted((path.name, path.stat().st_mtime_ns) for path in folder.rglob("*")) == before
