"""Nothing that a terminal obeys is printed, whoever wrote it: texts, names, paths, options, result files."""

import ast
import json
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

import xembed
from xembed.cli import main
from xembed.shift import rank_sum_test

HOSTILE = ["\x1b[31mred", "\x1b]0;title\x07", "back\x08\x08\x08", "\x9b5A up", "over\rwrite", "\x7fdel"]
HOSTILE += ["\u202eright", "\u2066isolated"]
TURNING = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u200e\u200f"
OBEYED = {*map(chr, range(32)), *map(chr, range(127, 160)), *TURNING} - {"\n"}


def call(monkeypatch, capfd, *arguments):
    """Run the command in this process and return all that it printed, checked."""
    monkeypatch.setattr(sys, "argv", ["xembed", *map(str, arguments)])
    with pytest.raises(SystemExit) as stop:
        main()
    printed = capfd.readouterr()
    for stream in printed:
        assert not OBEYED & set(stream), sorted(map(repr, OBEYED & set(stream)))
    return stop.value.code, printed.out + printed.err


@pytest.fixture(params=range(len(HOSTILE)), ids=[repr(text) for text in HOSTILE])
def hostile(request):
    return HOSTILE[request.param]


@pytest.fixture
def table(tmp_path, monkeypatch, hostile):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    for name, n in (("F", 70), ("G", 60)):
        np.save(f"{hostile}{name}.npy", rng.normal(size=(n, 3)))
    rows = [{"text": f"{hostile} number {i}", f"{hostile}column": hostile, "label": hostile} for i in range(12)]
    Path(f"{hostile}texts.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return tmp_path


def test_names_paths_and_values_of_options(table, monkeypatch, capfd, hostile):
    F, G, texts = f"{hostile}F.npy", f"{hostile}G.npy", f"{hostile}texts.jsonl"
    code, printed = call(monkeypatch, capfd, "shift", F, G, "--name-f", f"{hostile} old", "--out", f"{hostile}.html")
    assert code == 0 and "Report: " in printed
    assert call(monkeypatch, capfd, "drift", F, "--reference", 40, "--window", 10, "--out", "d.html")[0] == 0
    assert call(monkeypatch, capfd, "depth", F, "--out", f"{hostile}.csv")[0] == 0
    assert call(monkeypatch, capfd, "isotropy", F, "--name", hostile, "--out", "i.html")[0] == 0
    assert call(monkeypatch, capfd, "report", f"{hostile}.json", "--title", hostile, "--out", "r.html")[0] == 0
    wrong = [
        ("shift", f"{hostile}no.npy", G),
        ("shift", F, G, f"--{hostile}"),
        ("shift", F, G, "--alpha", hostile),
        ("shift", F, G, "--distance", hostile),
        ("shift", F, G, "--out", f"{hostile}/r.html"),
        ("drift", F, "--reference", hostile, "--window", hostile),
        ("depth", texts, "--text-column", f"{hostile} no"),
        ("shift", texts, texts, "--model", f"./{hostile}"),
        ("explain", "--depth", texts, "--method", hostile),
        ("geco", "--seeds", hostile),
        ("geco", "--methods", hostile),
        ("report", texts),
        ("cache", "clear", "--fingerprint", hostile),
        (hostile,),
    ]
    for arguments in wrong:
        code, printed = call(monkeypatch, capfd, *arguments)
        assert code in (1, 2) and "error: " in printed, arguments


def test_texts_labels_and_columns(table, monkeypatch, capfd, hostile):
    texts = f"{hostile}texts.jsonl"
    assert call(monkeypatch, capfd, "depth", texts, "--top", 3)[0] == 0
    assert call(monkeypatch, capfd, "explain", "--similarity", f"{hostile} a cat", f"a dog {hostile}")[0] == 0
    code, printed = call(monkeypatch, capfd, "depth", texts, "--text-column", "no")
    assert code == 2 and "column" in printed


def test_result_files_and_warnings(table, monkeypatch, capfd, hostile):
    rng = np.random.default_rng(0)
    result = rank_sum_test(rng.normal(size=(9, 3)), rng.normal(size=(8, 3)))
    data = result.to_dict()
    for field, value in data.items():
        if isinstance(value, str) and field != "schema":
            data[field] = hostile
    data["names"] = [f"{hostile} a", f"{hostile} b"]
    Path("old.json").write_text(json.dumps(data))
    Path("new.json").write_text(json.dumps(result.to_dict()))
    call(monkeypatch, capfd, "report", "old.json", "--out", "one.html")
    call(monkeypatch, capfd, "report", "old.json", "new.json", "--compare", "--out", "two.html")
    Path("schema.json").write_text(json.dumps({"schema": f"xembed.{hostile}/1"}))
    assert call(monkeypatch, capfd, "report", "schema.json")[0] == 1

    def warns(*_, **__):
        warnings.warn(hostile, stacklevel=1)
        raise ValueError(hostile)

    monkeypatch.setattr(xembed.shift, "compare_corpora", warns)
    code, printed = call(monkeypatch, capfd, "shift", f"{hostile}F.npy", f"{hostile}G.npy")
    assert code == 1 and "warning: " in printed


def test_commands_print_by_the_filter_alone():
    """Whatever prints by itself goes past the filter."""
    folder = Path(xembed.__file__).parent / "cli"
    direct = []
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            printing = {"typer.echo", "print", "typer.secho", "click.echo"}
            if isinstance(node, ast.Call) and ast.unparse(node.func) in printing:
                direct.append((path.name, node.lineno))
    assert {name for name, _ in direct} == {"outputs.py"}, direct
    assert len(direct) == 2  # for people, and for programs
