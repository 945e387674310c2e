"""Damaged files of results and tables: a documented error that names the file, or what is read is whole.

`XEMBED_FULL=1` reads 24,000 damaged inputs, otherwise 900.
"""

import gzip
import json
import os
import re
import warnings
from pathlib import Path

import numpy as np
import pytest
from damage import damaged_bytes, damaged_json

from xembed._core.schemas import class_of
from xembed.datasets import load_dictionary, load_sts, read_embeddings, read_texts
from xembed.reports import render_page
from xembed.reports._write import read_plain
from xembed.transforms import Standardize, Whitening, load_transform

FULL = bool(os.environ.get("XEMBED_FULL"))
RESULTS = sorted((Path(__file__).parents[1] / "results_of_first_edition").glob("*.json"))
N_RESULT, N_TABLE = (400, 500) if FULL else (10, 30)
PAGES = 20 if FULL else 2  # of a file: pages that are made


@pytest.mark.parametrize("source", RESULTS, ids=lambda path: path.stem)
def test_damaged_results(tmp_path, source):
    data, rng = json.loads(source.read_text(encoding="utf-8")), np.random.default_rng(len(source.stem))
    path, n_pages = tmp_path / "damaged.json", 0
    for _ in range(N_RESULT):
        content, what = damaged_json(data, rng)
        path.write_bytes(content)
        try:
            again = read_plain(path)
        except ValueError as error:
            assert "damaged.json" in str(error) and "\x1b" not in str(error), what
            continue
        kind = class_of(again, "data") if again["schema"] != "xembed.comparison/1" else None
        if kind is not None:
            result = kind.from_dict(again)
            text = result.to_json()
            assert kind.from_json(text).to_json() == text, what
        if n_pages < PAGES and (kind is None or kind.page is not None):
            n_pages += 1
            try:
                with np.errstate(all="ignore"):  # numbers may be as large as they come
                    page = render_page(again)
                assert page.startswith("<!doctype html>"), what
            except ValueError as error:
                assert "do not belong together" in str(error), what


ROWS = [f"The {color} {animal} sleeps" for color in ("red", "gray") for animal in ("fox", "owl", "hen", "cat", "elk")]


LINES = {"t.txt": 0, "t.csv": 1, "t.tsv": 1, "t.jsonl": 0, "sts.tsv": 1}  # of the header


def _pairs(path):
    return [score for pairs in load_sts(path) for score in (*pairs.scores, *[None] * pairs.n_unscored)]


def _tables(folder):
    """Return files that are whole, with what reads them and how many rows they have."""
    import pandas as pd

    def named(name, content):
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        return folder / name

    frame = pd.DataFrame({"text": ROWS, "author": [f"a{place % 3}" for place in range(len(ROWS))]})
    frame.to_parquet(folder / "t.parquet")
    scored = "".join(f"{text} .\t{text} !\t{place % 6}\n" for place, text in enumerate(ROWS))
    lines = "".join(json.dumps(row) + "\n" for row in frame.to_dict("records"))
    np.save(folder / "x.npy", np.random.default_rng(0).normal(size=(10, 4)))
    return {
        "t.txt": (read_texts, named("t.txt", "\n".join(ROWS) + "\n")),
        "t.csv": (read_texts, named("t.csv", frame.to_csv(index=False))),
        "t.tsv": (read_texts, named("t.tsv", frame.to_csv(index=False, sep="\t"))),
        "t.jsonl": (read_texts, named("t.jsonl", lines)),
        "t.parquet": (read_texts, folder / "t.parquet"),
        "t.csv.gz": (read_texts, named("t.csv.gz", gzip.compress(frame.to_csv(index=False).encode(), mtime=0))),
        "x.npy": (read_embeddings, folder / "x.npy"),
        "sts.tsv": (_pairs, named("sts.tsv", "sentence1\tsentence2\tscore\n" + scored)),
        "words.tsv": (load_dictionary, named("words.tsv", "".join(f"{row}\twhat is {row}\n" for row in ROWS))),
    }


@pytest.mark.parametrize("name", [*LINES, "t.parquet", "t.csv.gz", "x.npy", "words.tsv"])
def test_damaged_tables(tmp_path, name):
    reader, source = _tables(tmp_path)[name]
    content, rng = source.read_bytes(), np.random.default_rng(len(name))
    whole = len(reader(source))
    path = tmp_path / f"damaged{''.join(source.suffixes)}"
    for _ in range(N_TABLE):
        damaged, what = damaged_bytes(content, rng)
        path.write_bytes(damaged)
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            try:
                rows = len(reader(path))
            except (ValueError, TypeError, OSError) as error:
                assert "damaged" in str(error), (what, damaged, error)
                continue
        # A text format does not say how many rows it has: no line that is there is lost.
        if name in LINES and not warned:
            lines = re.split(r"\r?\n", damaged.decode("utf-8-sig"))
            assert rows >= sum(bool(line.strip()) for line in lines) - LINES[name], (what, rows, damaged)
        else:
            assert rows >= whole or warned or name == "words.tsv", (what, rows, damaged)


@pytest.mark.parametrize("transform", [Standardize(), Whitening()], ids=lambda one: type(one).__name__)
def test_damaged_transforms(tmp_path, transform):
    X = np.random.default_rng(0).normal(size=(40, 4))
    transform.fit(X).save(tmp_path / "whole.safetensors")
    content, rng = (tmp_path / "whole.safetensors").read_bytes(), np.random.default_rng(0)
    path = tmp_path / "damaged.safetensors"
    for _ in range(N_TABLE):
        damaged, what = damaged_bytes(content, rng)
        path.write_bytes(damaged)
        try:
            again = load_transform(path)
        except (ValueError, OSError) as error:
            assert "damaged.safetensors" in str(error), what
            continue
        try:  # one bit of a number may be another: what comes out is finite, or refused
            assert np.isfinite(again.transform(X)).all(), what
        except ValueError as error:
            assert "X holds" in str(error), what
