"""Cases of the command line: what it prints, its exit code, and the data beside the pages."""

import contextlib
import io
import json
import os
import sys
from pathlib import Path
from unittest import mock

import net_inputs as inputs
import numpy as np
from net_record import family, own_folder

import xembed

case = family("cli")


def run(*arguments):
    """Run a command in the folder of the case; return what it prints, its exit code, and what it writes as JSON."""
    from xembed.cli import main

    folder, here, output, errors = own_folder(), Path.cwd(), io.StringIO(), io.StringIO()
    words = ["xembed", *map(str, arguments)]
    code, before = 0, _written()
    os.chdir(folder)
    try:
        with (
            mock.patch.object(sys, "argv", words),
            contextlib.redirect_stdout(output),
            contextlib.redirect_stderr(errors),
        ):
            main()
    except SystemExit as end:
        code = end.code
    finally:
        os.chdir(here)
    written = {name: json.loads(text) for name, text in _written().items() if text != before.get(name)}
    return {"code": code, "printed": _lines(output), "errors": _lines(errors), "written": written}


def _written():
    return {path.name: path.read_text(encoding="utf-8") for path in sorted(own_folder().glob("*.json"))}


def _lines(stream):
    return [line.rstrip() for line in stream.getvalue().splitlines()]


def _texts(name, texts):
    (own_folder() / name).write_text("\n".join(texts) + "\n", encoding="utf-8")
    return name


@case
def shift():
    table = xembed.datasets.load_corpora("support_tickets")
    for name, week in (("one.csv", 1), ("two.csv", 2)):
        table.where(week=week).to_frame().head(40).to_csv(own_folder() / name, index=False)
    return [
        run("shift", "one.csv", "two.csv", "--resamples", 99, "--name-f", "then", "--fail-on-shift"),
        run("shift", "one.csv", "missing.csv"),
    ]


@case
def shift_of_embeddings():
    F, G, _ = inputs.topics()
    np.save(own_folder() / "F.npy", F)
    np.save(own_folder() / "G.npy", G)
    return run(
        "shift", "F.npy", "G.npy", "--resamples", 99, "--mode", "fast", "--distance", "chord", "--map", "none",
        "--seed", 3, "--self-check", "--alpha", 0.01, "-o", "other.html",
    )  # fmt: skip


@case
def drift():
    np.save(own_folder() / "X.npy", inputs.stream())
    return run("drift", "X.npy", "--reference", 80, "--window", 20, "--resamples", 199)


@case
def depth():
    found = run("depth", _texts("tickets.txt", inputs.tickets(20)), "--out", "depths.jsonl", "--top", 2)
    return found | {"file": (own_folder() / "depths.jsonl").read_text(encoding="utf-8").splitlines()}


@case
def embed():
    found = run("embed", _texts("texts.txt", inputs.TEXTS), "--out", "X.npy", "--pooling", "cls", "--layer", 3)
    return found | {"embeddings": np.load(own_folder() / "X.npy")}


@case
def isotropy():
    texts, labels = inputs.word_texts(n=40)
    xembed.datasets.write_table(own_folder() / "texts.csv", {"text": texts, "label": labels})
    np.save(own_folder() / "X.npy", inputs.cloud())
    return [
        run("isotropy", "X.npy", "--resamples", 20, "--out", "bare.html"),
        run(
            "isotropy", "texts.csv", "--fit", _texts("fit.txt", inputs.word_texts(seed=8)[0]), "--label-column",
            "label", "--resamples", 20, "--model", inputs.bert_folder(), "--out", "labels.html",
        ),
    ]  # fmt: skip


@case
def geco():
    found = run(
        "geco", "--schemes", "OLA", "--methods", "saliency_l2,uniform_random", "--sentences", 4, "--samples", 10,
        "--faithful", 2, "--randomised", 0, "--model", inputs.bert_folder(), "--device", "cpu",
    )  # fmt: skip
    # How long it takes differs from run to run.
    return found | {"printed": [line.partition("; about ")[0] for line in found["printed"]]}


@case
def explain():
    tickets = inputs.tickets(30)
    return [
        run("explain", "--similarity", inputs.TEXTS[0], inputs.TEXTS[2], "--out", "pair.html"),
        run(
            "explain", "--depth", _texts("some.txt", tickets[:4]), "--reference", _texts("all.txt", tickets[4:]),
            "--method", "occlusion", "--model", inputs.bert_folder(), "--out", "depth.html",
        ),
    ]  # fmt: skip


@case
def report():
    F, G, _ = inputs.topics()
    for name, rows in (("one.json", G), ("two.json", F[:40])):
        xembed.shift.rank_sum_test(F, rows).to_json(own_folder() / name)
    return [
        run("report", "one.json", "two.json", "--out", "both.html", "--title", "Both"),
        run("report", "one.json", "two.json", "--compare", "--out", "compared.html"),
        run("report", "one.json", "--out", "again.html"),
    ]
