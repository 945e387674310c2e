"""The command ``xembed report``: what it writes, what it says, and that errors leave nothing behind."""

import json
import os
import sys
from unittest import mock

import numpy as np
import pytest
from typer.testing import CliRunner

from xembed.cli import app, main
from xembed.isotropy import measure
from xembed.reports import _write, compare_results, render_page
from xembed.shift import rank_sum_test


def call(*arguments, code=0):
    words = ["report", *map(str, arguments)]
    with mock.patch.object(sys, "argv", ["xembed", *words]):  # what the data say was called
        result = CliRunner().invoke(app, words)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == code, result.output
    return result


@pytest.fixture
def files(tmp_path):
    """Return a folder with three results."""
    X = np.random.default_rng(0).normal(size=(60, 4))
    measure(X, n_resamples=20).to_json(tmp_path / "old.json")
    measure(X + 2, n_resamples=20).to_json(tmp_path / "new.json")
    rank_sum_test(X[:30], 2 * X[30:] + 1).to_json(tmp_path / "ranks.json")
    return tmp_path


def names(folder):
    return sorted(path.name for path in folder.iterdir())


INPUTS = ["new.json", "old.json", "ranks.json"]


def test_combined(files):
    out = files / "combined.html"
    said = call(files / "old.json", files / "ranks.json", "--out", out, "--title", "Both <b>").stdout
    assert said == f"Report: {out}  (numbers: {files / 'combined.json'})\n"
    data = json.loads((files / "combined.json").read_text(encoding="utf-8"))
    assert [part["schema"] for part in data["parts"]] == [
        "xembed.isotropy.IsotropyResult/1",
        "xembed.shift.RankSumResult/1",
    ]
    assert data["parts"][0] == json.loads((files / "old.json").read_text(encoding="utf-8"))
    assert data["title"] == "Both <b>" and data["provenance"]["command"].startswith("xembed report ")
    page = out.read_text(encoding="utf-8")
    assert page == render_page(data) and "Both &lt;b&gt;" in page and "xembed report" in page


def test_a_combined_page_is_made_again_from_its_data(files):
    call(files / "old.json", files / "ranks.json", "--out", files / "one.html")
    call(files / "one.json", "--out", files / "again.html")
    for ending in ("html", "json"):
        assert (files / f"one.{ending}").read_bytes() == (files / f"again.{ending}").read_bytes()
    call(files / "one.json", "--out", files / "titled.html", "--title", "Another")
    assert "<title>Combined report: Another</title>" in (files / "titled.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["old", "page"])
def test_one_result_gets_its_own_page(files, name):
    """Beside its data, which are left as they are, or elsewhere with a copy."""
    before = (files / "old.json").read_bytes()
    call(files / "old.json", "--out", files / f"{name}.html")
    data = json.loads((files / f"{name}.json").read_text(encoding="utf-8"))
    assert (files / f"{name}.html").read_text(encoding="utf-8") == render_page(data)
    assert (files / "old.json").read_bytes() == before and json.loads(before) == data


def test_compare(files):
    out = files / "difference.html"
    said = call(files / "old.json", files / "new.json", "--compare", "--out", out).stdout
    found = compare_results(files / "old.json", files / "new.json")
    assert said.splitlines()[:-1] == found["changed"]
    data = json.loads((files / "difference.json").read_text(encoding="utf-8"))
    assert data["provenance"]["command"].endswith(str(out))
    assert {key: data[key] for key in data if key != "provenance"} == {
        key: found[key] for key in found if key != "provenance"
    }
    assert out.read_text(encoding="utf-8") == render_page(data)
    call(files / "difference.json", "--out", files / "again.html")
    assert (files / "again.html").read_bytes() == out.read_bytes()


@pytest.mark.parametrize(("arguments", "message"), [
    (["old.json", "none.json"], "can't be read: there is no such file"),
    (["old.json", "text.txt"], "must be the .json file of a result, such as the one beside a report. It is not JSON"),
    (["old.json", "other.json"], "must hold a result of xembed"),
    (["old.json", "cut.json"], "lacks the fields"),
    (["old.json", "ranks.json", "--compare"], "can be compared if they are of the same schema"),
    (["old.json", "new.json", "--out", "none/page.html"], "does not exist. Create it first"),
    (["old.json", "new.json", "--out", "page.json"], "'--out': must end in .html or .htm, as pages do"),
    (["old.json", "new.json", "--out", "old.html"], "it is an input. Give the output another name"),
    (["old.json", "new.json", "--compare", "--out", "new.html"], "it is an input. Give the output another name"),
    (["old.json", "--title", "x", "--out", "old.html"], "it is an input. Give the output another name"),
    (["old.json", "new.json", "--out", "theirs.html"], "is not a report of xembed. Give the report another name"),
    (["old.json", "new.json", "--title", " "], "'--title': must be a text that is not blank"),
])  # fmt: skip
def test_errors_leave_nothing_behind(files, capsys, monkeypatch, arguments, message):
    (files / "text.txt").write_text("no JSON\n", encoding="utf-8")
    (files / "other.json").write_text('{"a": 1}', encoding="utf-8")
    (files / "cut.json").write_text('{"schema": "xembed.isotropy.IsotropyResult/1", "n": 60}', encoding="utf-8")
    (files / "theirs.json").write_text('{"mine": 1}', encoding="utf-8")
    before = {path.name: path.read_bytes() for path in files.iterdir()}
    monkeypatch.chdir(files)
    monkeypatch.setattr(sys, "argv", ["xembed", "report", *arguments])
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == (2 if "'--" in message else 1)
    shown = capsys.readouterr().err
    assert shown.startswith("xembed: error: ") and message in shown
    assert {path.name: path.read_bytes() for path in files.iterdir()} == before


@pytest.mark.parametrize(("arguments", "message"), [
    (["old.json", "--compare"], "takes two files, the old and the new result. Got 1."),
    (["old.json", "new.json", "old.json", "--compare"], "Got 3."),
    (["old.json", "new.json", "--compare", "--title", "x"], "is for combined pages"),
    ([], "Missing argument"),
])  # fmt: skip
def test_wrong_usage(files, monkeypatch, arguments, message):
    monkeypatch.chdir(files)
    assert message in " ".join(call(*arguments, code=2).stderr.replace("│", " ").split())
    assert names(files) == INPUTS


def test_a_failure_while_writing_leaves_nothing(files, monkeypatch):
    def full(contents, **_options):
        raise OSError("No space left on device")

    monkeypatch.setattr(_write, "write_together", full)
    with pytest.raises(OSError, match="No space left"):
        call(files / "old.json", files / "new.json", "--out", files / "page.html")
    assert names(files) == INPUTS


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_no_permission(files):
    folder = files / "locked"
    folder.mkdir(mode=0o500)
    with pytest.raises(PermissionError, match="no permission in the folder"):
        call(files / "old.json", files / "new.json", "--out", folder / "page.html")
