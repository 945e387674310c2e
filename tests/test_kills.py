"""Whoever writes is killed at random moments: what is left is whole, and the next write leaves nothing else behind.

`XEMBED_FULL=1` kills 300 times (25 of each kind), otherwise 36 times.
"""

import contextlib
import functools
import itertools
import json
import os
import sqlite3
import time

import children
import numpy as np
import pandas as pd
import pytest
import torch

from xembed._core.files import atomic_write, is_leftover, new_folder
from xembed.datasets import write_table
from xembed.defsent._training import Checkpoints
from xembed.encoders._cache import EmbeddingCache, text_key
from xembed.geco._run import Store
from xembed.isotropy import Whitening, load_correction, measure
from xembed.reports import _write, write_combined, write_comparison

KILLS = 25 if os.environ.get("XEMBED_FULL") else 3
LONGEST = 0.08  # seconds from the first write to the kill
X = np.random.default_rng(0).normal(size=(4000, 8))
RESULTS = tuple(measure(X[:60] + shift, n_resamples=20) for shift in (0, 1))
render = functools.cache(lambda text, beside: _write_render(json.loads(text), data_beside=beside))
_write_render = _write.render_page


def page(folder, state):
    RESULTS[state].report(folder / "page.html")


def combined(folder, state):
    write_combined(RESULTS[:: 1 - 2 * state], folder / "page.html")


def comparison(folder, state):
    write_comparison(*RESULTS[:: 1 - 2 * state], folder / "page.html")


def read_page(folder):
    data = (folder / "page.json").read_text("utf-8")
    assert (folder / "page.html").read_text("utf-8") == render(data, True)  # page and data are of one write
    means = json.dumps(json.loads(data)).index
    first, second = (json.dumps(result.to_dict()["measures"][0]["value"]) for result in RESULTS)
    both = [first in data, second in data]
    return both.index(True) if sum(both) == 1 else int(means(first) > means(second))


def table(folder, state, ending):
    write_table(folder / f"t{ending}", {"state": [state] * 4000, "text": ["rain"] * 4000})


def read_table(folder, ending):
    reader = {".csv": pd.read_csv, ".jsonl": functools.partial(pd.read_json, lines=True), ".parquet": pd.read_parquet}
    frame = reader[ending](folder / f"t{ending}")
    assert len(frame) == 4000 and frame["state"].nunique() == 1
    return int(frame["state"][0])


def npy(folder, state):
    with atomic_write(folder / "X.npy") as file:
        np.save(file, np.full((4000, 80), state), allow_pickle=False)


def read_npy(folder):
    values = np.unique(np.load(folder / "X.npy"))
    return int(values[0]) if len(values) == 1 else None


def correction(folder, state):
    Whitening().fit(X[: 50 + state]).save(folder / "c.safetensors")


def read_correction(folder):
    return load_correction(folder / "c.safetensors").n_samples_fit_ - 50


def checkpoint(folder, state):
    tensors = {"w": torch.full((200_000,), float(state))}
    of_training = {"round": state, "log": None, "records": []}
    Checkpoints(folder, {}, caller="this test").save(str(state), of_training, tensors, None)


def read_checkpoint(folder):
    state, tensors, _ = Checkpoints(folder, {}, caller="this test").load()
    assert set(tensors["w"].tolist()) == {float(state.round)}
    return state.round


def run(folder, state):
    store = Store(folder / "run", {"benchmark": 1}, resume=True, caller="this test")
    store.write_arrays({"x": np.full(50_000, state)}, "x.safetensors")


def read_run(folder):
    (value,) = set(Store(folder / "run", {"benchmark": 1}, resume=True, caller="x").read_arrays("x.safetensors")["x"])
    return int(value)


def model(folder, state):
    for n in itertools.count():
        with contextlib.suppress(FileExistsError), new_folder(folder / f"m{n}") as temporary:
            for name in "ab":
                (temporary / name).write_text(str(state) * 50_000)
            return


def read_model(folder):
    for path in folder.glob("m*"):
        (text,) = {(path / name).read_text() for name in "ab"}
        assert len(text) == 50_000
    return int(text[0])


def cache(folder, state):
    keys = [text_key(f"{n}") for n in range(300)]
    EmbeddingCache(folder, "f" * 64, 64, {}).put(keys, [1] * 300, np.full((300, 64), 0.5))


def read_cache(folder):
    file = folder / "embeddings" / f"{'f' * 32}.sqlite"
    rows = EmbeddingCache(folder, "f" * 64, 64, {}).get([text_key(f"{n}") for n in range(300)])
    assert len(rows) in (0, 300) and all(set(vector) == {0.5} for _, vector in rows.values())
    if file.exists():
        with contextlib.closing(sqlite3.connect(file)) as database:
            assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    return 0


def _table_kind(ending):
    return functools.partial(table, ending=ending), functools.partial(read_table, ending=ending), {f"t{ending}"}


KINDS = {
    "page": (page, read_page, {"page.html", "page.json"}),
    "combined": (combined, read_page, {"page.html", "page.json"}),
    "comparison": (comparison, read_page, {"page.html", "page.json"}),
    "csv": _table_kind(".csv"),
    "jsonl": _table_kind(".jsonl"),
    "parquet": _table_kind(".parquet"),
    "npy": (npy, read_npy, {"X.npy"}),
    "correction": (correction, read_correction, {"c.safetensors"}),
    "checkpoint": (checkpoint, read_checkpoint, {"defsent-state.json", "defsent-weights-1.safetensors"}),
    "run": (run, read_run, {"run"}),
    "model": (model, read_model, None),
    "cache": (cache, read_cache, {"embeddings"}),
}


def _write_on(write, folder, pipe):
    pipe.send("begun")
    for state in itertools.cycle((1, 0)):
        write(folder, state)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_killed_at_random_moments(kind, tmp_path, monkeypatch):
    monkeypatch.setattr(_write, "render_page", lambda data, data_beside: render(_write.dump_json(data), data_beside))
    write, read, files = KINDS[kind]
    rng = np.random.default_rng(list(KINDS).index(kind))
    write(tmp_path, 0)
    write(tmp_path, 1)
    for _ in range(KILLS):
        ours, theirs = children.pipe()
        process = children.start(_write_on, write, tmp_path, theirs)
        assert ours.recv() == "begun"
        time.sleep(LONGEST * rng.random())
        children.kill(process)
        assert read(tmp_path) in (0, 1)  # whole, of one write or of the other
        write(tmp_path, 1)
        assert read(tmp_path) == (0 if kind == "cache" else 1) or kind == "model"
        left = [path.name for path in tmp_path.rglob("*") if is_leftover(path.name) or path.name.endswith("-journal")]
        assert left == [] and (files is None or {path.name for path in tmp_path.iterdir()} == files)
