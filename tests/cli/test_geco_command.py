"""The command ``xembed geco``: a run, a plan, and what it refuses."""

import json

import pytest
from typer.testing import CliRunner

from xembed.cli import app, main

SMALL = ["--schemes", "OLA", "--methods", "saliency_l2,uniform_random", "--sentences", "4", "--samples", "4"]


def call(*arguments):
    return CliRunner().invoke(app, ["geco", *map(str, arguments)], catch_exceptions=False)


@pytest.mark.slow
def test_a_run_and_its_page(tmp_path):
    out = tmp_path / "page.html"
    result = call(*SMALL, "--seeds", "0,1", "--out", out)
    assert result.exit_code == 0, result.output
    assert "2 models (OLA; seeds 0, 1)" in result.output and "OLA: accuracy" in result.output
    assert "Saliency, L2 first with mass accuracy" in result.output
    data = json.loads(out.with_suffix(".json").read_text(encoding="utf-8"))
    assert data["seeds"] == [0, 1] and data["n_sentences"] == 4 and "command" in data["provenance"]
    assert (tmp_path / "page-run" / "result.json").is_file()
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "page-run" / "models").rglob("*")}
    assert call(*SMALL, "--seeds", "0,1", "--out", out).exit_code == 0
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "page-run" / "models").rglob("*")} == before


def test_the_plan_writes_nothing(tmp_path):
    result = call("--profile", "full", "--plan", "--out", tmp_path / "page.html")
    assert result.exit_code == 0
    assert "15 models (C, CE, CEf, CEfAf, OLA; seeds 0, 1, 2)" in result.output and "on this machine" in result.output
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_official_files(real_data, tmp_path):
    options = ["--schemes", "OLA", "--methods", "uniform_random", "--sentences", "4", "--seeds", "0"]
    out = tmp_path / "page.html"
    assert call(*options, "--geco", real_data / "geco", "--variant", "subject", "--out", out).exit_code == 0
    assert json.loads(out.with_suffix(".json").read_text(encoding="utf-8"))["data"] == "GECO binary_gender_subj test"


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--schemes", "D"], 2, "must be one of {'C', 'CE', 'CEf', 'CEfAf', 'OLA', 'ZS'}. Got 'D'"),
        (["--methods", "gradcam"], 2, "'integrated_gradients'"),
        (["--seeds", "a"], 2, "'--seeds': must be integers with commas between them, such as 0,1,2. Got 'a'"),
        (["--variant", "both"], 2, "'both' is not one of 'all', 'subject'"),
        (["--profile", "huge"], 2, "'huge' is not one of 'quick', 'full'"),
        (["--geco", "nowhere"], 1, "nowhere"),
        (["--target", "best"], 2, "'best' is not one of 'label', 'predicted'"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(options, code, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["xembed", "geco", *SMALL[2:], *options])
    with pytest.raises(SystemExit) as stopped:
        main()
    error = capsys.readouterr().err
    assert stopped.value.code == code
    assert error.startswith("xembed: error: ") and message in error
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["notes.txt", "plan.json"])
def test_a_folder_that_is_no_run_is_refused_before_any_work(name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / name).write_text("[1]", encoding="utf-8")
    monkeypatch.setattr("xembed.geco.Benchmark", None)  # nothing is loaded
    monkeypatch.setattr("sys.argv", ["xembed", "geco", "--run-dir", "mine"])
    with pytest.raises(SystemExit):
        main()
    assert "Give a new or an empty folder" in capsys.readouterr().err
    assert [file.name for file in (tmp_path / "mine").iterdir()] == [name] and not list(tmp_path.glob("*.html"))


@pytest.mark.slow
def test_another_plan_in_the_folder_is_refused(tmp_path, monkeypatch, capsys):
    arguments = ["geco", *SMALL, "--run-dir", str(tmp_path / "run"), "--out", str(tmp_path / "page.html")]
    assert CliRunner().invoke(app, [*arguments, "--seeds", "0"], catch_exceptions=False).exit_code == 0
    monkeypatch.setattr("sys.argv", ["xembed", *arguments, "--seeds", "1"])
    with pytest.raises(SystemExit):
        main()
    assert "with other settings (seeds differ)" in capsys.readouterr().err
