"""What commands refuse, they refuse before the encoder is loaded; and what belongs together stays together."""

import csv
import json
import re
from unittest import mock

import numpy as np
import pytest
from typer.testing import CliRunner

from tests.cli.test_commands import run
from xembed.cli import app
from xembed.cli.options import EncoderOptions

WORDS = ["kettle", "ladder", "meadow", "napkin", "orchid", "pebble", "quilt", "rudder", "saddle", "teapot"]


def write(path, n=24, *, seed=0, **columns):
    """Write a table of ``n`` short texts with further columns, and return its path."""
    rng = np.random.default_rng(seed)
    texts = columns.pop("text", [" ".join(rng.choice(WORDS, 4)) for _ in range(n)])
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", *columns])
        writer.writerows(zip(texts, *columns.values(), strict=True))
    return path


@pytest.fixture
def no_encoder():
    """Fail where an encoder is loaded."""
    with mock.patch.object(EncoderOptions, "load", side_effect=RuntimeError("the encoder was loaded")):
        yield


def refusal(*arguments):
    """Return the exit code and what the command says of why it does nothing, on one line."""
    result = CliRunner().invoke(app, [str(a) for a in arguments])
    assert result.exit_code in {1, 2}
    message = result.output if result.exit_code == 2 else str(result.exception)
    return result.exit_code, " ".join(message.split())


def authors(n=24, blank=()):
    return ["  " if i in blank else f"author {i // 3}" for i in range(n)]


@pytest.mark.usefixtures("no_encoder")
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--alpha", "3"], "--alpha"),
        (["--alpha", "nan"], "--alpha"),
        (["--alpha", "inf"], "--alpha"),
        (["--paired"], "as many rows in both"),
        (["--group-column", "author"], r"cell of 'author'. 2 are blank \((line|row)s \d+, \d+\)"),
        (["--group-column", "writer"], "must have the column"),
    ],
)
def test_shift_refuses_before_it_encodes(tmp_path, options, message):
    f = write(tmp_path / "f.csv", author=authors(blank=(4, 7)))
    g = write(tmp_path / "g.csv", 21, seed=1, author=[f"writer {i // 3}" for i in range(21)])
    assert re.search(message, refusal("shift", f, g, "--out", tmp_path / "r.html", *options)[1])
    assert not list(tmp_path.glob("r.*"))


@pytest.mark.usefixtures("no_encoder")
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--window", "7Q"], "--window"),
        (["--window", "inf"], "--window"),
        (["--window", "-2."], "positive length"),
        (["--window", "4"], "at least min_rows"),
        (["--window", "20", "--reference", "nonsense"], "--reference"),
        (["--window", "20", "--reference", "nan"], "--reference"),
        (["--window", "20", "--reference", "59"], "does not fill a window"),
        (["--window", "20", "--reference", "5"], "must have at least 10 rows"),
        (["--window", "20", "--alpha", "3"], "--alpha"),
        (["--window", "20", "--group-column", "author"], r"cell of 'author'. 1 is blank \((line|row) \d+\)"),
        (["--window", "20", "--time-column", "text"], "can't be read"),
    ],
)
def test_drift_refuses_before_it_encodes(tmp_path, options, message):
    stream = write(tmp_path / "s.csv", 60, day=range(60), author=authors(60, blank=(9,)))
    arguments = ("--time-column", "day", "--reference", "20", "--out", tmp_path / "d.html", *options)
    assert re.search(message, refusal("drift", stream, *arguments)[1])
    assert not list(tmp_path.glob("d.*"))


@pytest.mark.usefixtures("no_encoder")
def test_isotropy_refuses_blank_labels_before_it_encodes(tmp_path):
    texts = write(tmp_path / "t.csv", topic=authors(blank=(5,)))
    arguments = ("--label-column", "topic", "--fit", texts, "--out", tmp_path / "i.html")
    assert "each cell of 'topic'" in refusal("isotropy", texts, *arguments)[1]


@pytest.mark.parametrize(("times", "window"), [(range(60), "10."), ([f"{i / 2}" for i in range(60)], "5.")])
def test_drift_reads_numbers_of_a_csv_as_times(tmp_path, times, window):
    stream = write(tmp_path / "s.csv", 60, hour=times)
    arguments = ("--reference", window, "--window", window, "--resamples", "99", "--out", tmp_path / "d.html")
    # the first window of a length is the reference
    run("drift", stream, "--time-column", "hour", *arguments, "--reference", str(2 * float(window)))
    data = json.loads((tmp_path / "d.json").read_text(encoding="utf-8"))
    assert data["starts"][0] == 2 * float(window) and len(data["starts"]) >= 2


def test_drift_reads_years_and_days_without_hyphens_as_dates(tmp_path):
    days = [f"202401{day:02d}" for day in range(1, 31) for _ in range(2)]
    stream = write(tmp_path / "s.csv", 60, day=days)
    run("drift", stream, "--time-column", "day", "--reference", "2024-01-11", "--window", "5D", "--resamples", "99",
        "--out", tmp_path / "d.html")  # fmt: skip
    assert json.loads((tmp_path / "d.json").read_text(encoding="utf-8"))["starts"][0] == "2024-01-11"


def test_drift_sorts_with_a_note_and_the_same_result(tmp_path):
    rng = np.random.default_rng(3)
    texts = [" ".join(rng.choice(WORDS, 4)) for _ in range(60)]
    order = rng.permutation(60)
    write(tmp_path / "sorted.csv", text=texts, hour=range(60), author=[f"a{i}" for i in range(60)])
    write(tmp_path / "mixed.csv", text=[texts[i] for i in order], hour=order, author=[f"a{i}" for i in order])
    results = []
    for name in ("sorted", "mixed"):
        run("drift", tmp_path / f"{name}.csv", "--time-column", "hour", "--reference", "20.", "--window", "10.",
            "--group-column", "author", "--resamples", "99", "--out", tmp_path / "d.html")  # fmt: skip
        results.append(json.loads((tmp_path / "d.json").read_text(encoding="utf-8")))
    assert results[0]["pvalues"] == results[1]["pvalues"]
    assert not any("sorted" in note for note in results[0]["warnings"])
    assert any("sorted by it" in note for note in results[1]["warnings"])
