"""The README's examples run as they stand, and say what they are said to say."""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from xembed.cli import app
from xembed.datasets import load_corpora
from xembed.geco import _benchmark

ROOT = Path(__file__).resolve().parents[1]

README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.DOTALL | re.MULTILINE)


def test_python_example(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    first, tables = blocks("python")
    names = {}
    exec(compile(first, "README.md", "exec"), names)
    printed = capsys.readouterr().out.strip()
    quoted = re.search(r"((?:^> .*\n)+)", README, re.MULTILINE)[1]
    assert printed == " ".join(line.removeprefix("> ") for line in quoted.splitlines())
    pvalue = names["result"].pvalue
    exec(compile(tables, "README.md", "exec"), names)
    assert names["result"].pvalue == pvalue
    assert list(names["result"].metadata_F)[:3] == ["row", "label", "rating"]
    assert (tmp_path / "report.html").is_file() and (tmp_path / "report.json").is_file()


@pytest.mark.slow
def test_shell_example(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tickets = load_corpora("support_tickets")
    for week, name, corpus in ((1, "last_week.csv", "F"), (2, "this_week.csv", "G")):
        frame = tickets.where(week=week).to_frame()
        frame.rename(columns={"text": "message"}).to_csv(name, index=False)
        frame.to_csv(f"{corpus}.csv", index=False)
        np.save(f"{corpus}.npy", np.random.default_rng(week).normal(size=(len(frame), 8)))
    for number, name in enumerate(("sts-train.csv", "sts-dev.csv")):
        texts = tickets.texts[20 * number : 20 * number + 20]
        pairs = [f"{text[:40]},{text[20:60]},{i % 5}" for i, text in enumerate(t.replace(",", "") for t in texts)]
        (tmp_path / name).write_text("\n".join(["sentence1,sentence2,score", *pairs]) + "\n", encoding="utf-8")
    frame = tickets.to_frame()[::3]
    earlier = np.asarray(frame["date"], "datetime64[D]") - 10  # some of them before the reference day
    frame.assign(week=[f"2024-W{9 + week}" for week in frame["week"]], date=earlier.astype(str)).to_csv(
        "tickets.csv", index=False
    )
    commands = [line for block in blocks("shell") for line in block.splitlines() if line.startswith("xembed ")]
    assert len(commands) == 11
    (tmp_path / "new.txt").write_text("The router is slow again.\nMy octopus plays the violin on a glacier.\n", "utf-8")
    # The benchmark as it is takes minutes: here with few sentences and the schemes that train in seconds.
    quick = _benchmark.PROFILES["quick"] | {"n_sentences": 4, "n_samples": 8, "n_faithful": 2, "n_randomised": 0}
    monkeypatch.setitem(_benchmark.PROFILES, "quick", quick)
    monkeypatch.setattr(_benchmark, "SCHEMES_TRAINED", ("C", "OLA"))
    for command in commands:
        arguments = shlex.split(command)[1:]
        if "--depth" in arguments:  # the check on planted words takes a minute
            arguments += ["--no-trust", "--samples", "20"]
        if "--compare" in arguments:
            for name in ("old.json", "new.json"):
                (tmp_path / name).write_bytes((tmp_path / "words.json").read_bytes())
        result = CliRunner().invoke(app, arguments, catch_exceptions=False)
        assert result.exit_code in (0, 3), result.output
    pages = ("shift", "weeks", "vectors", "drift", "isotropy", "geco", "outliers", "words", "all", "difference")
    assert all((tmp_path / f"{page}.html").is_file() for page in pages)


@pytest.mark.parametrize("target", ["demo", "test"])
def test_the_two_commands_are_targets_of_make(target):
    assert f"make {target}" in README
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)


def test_links_lead_somewhere():
    for link in re.findall(r"\]\(([^)#]+)\)", README):
        assert link.startswith("http") or (ROOT / link).exists(), link
