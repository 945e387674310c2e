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
        (["--paired"], "as many rows in F as in G"),
        (["--group-column", "author"], r"cell of 'author'. 2 are blank \((line|row)s \d+, \d+\)"),
        (["--group-column", "writer"], "--group-column.* must be one of"),
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


@pytest.mark.usefixtures("no_encoder")
def test_drift_says_which_time_is_no_number(tmp_path):
    stream = write(tmp_path / "s.csv", 60, hour=["soon" if i == 7 else i for i in range(60)])
    message = refusal("drift", stream, "--time-column", "hour", "--reference", "20", "--window", "20")[1]
    assert "'hour' of s.csv must hold numbers only, or dates only. Got 'soon' in row 7, among 59" in message


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


def of(path):
    return json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))


def pairs_of_texts(n=30, seed=5):
    """Return texts, and versions of them that all end alike: a difference that only pairs show."""
    rng = np.random.default_rng(seed)
    first = [" ".join(rng.choice(WORDS, 5)) for _ in range(n)]
    return first, [f"{text}, please" for text in first]


def test_a_pair_with_a_blank_text_goes_whole(tmp_path):
    first, second = pairs_of_texts()
    write(tmp_path / "whole_a.csv", text=[t for i, t in enumerate(first) if i not in {3, 11}])
    write(tmp_path / "whole_b.csv", text=[t for i, t in enumerate(second) if i not in {3, 11}])
    topics = [f"t{i % 4}" for i in range(30)]
    write(tmp_path / "a.csv", text=[" " if i == 3 else t for i, t in enumerate(first)], topic=topics)
    write(tmp_path / "b.csv", text=["" if i == 11 else t for i, t in enumerate(second)], topic=topics)
    options = ("--paired", "--map", "none", "--resamples", "199", "--out", tmp_path / "r.html")
    run("shift", tmp_path / "whole_a.csv", tmp_path / "whole_b.csv", *options)
    whole = of(tmp_path / "r.html")
    run("shift", tmp_path / "a.csv", tmp_path / "b.csv", "--skip-blank", *options)
    result = of(tmp_path / "r.html")
    assert result["pvalue"] == whole["pvalue"] and result["texts_F"] == whole["texts_F"]
    assert any(note.startswith("2 pairs of which a text is blank were dropped") for note in result["warnings"])
    assert result["metadata_F"]["row"] == result["metadata_G"]["row"] and len(result["metadata_F"]["row"]) == 28
    assert result["metadata_F"]["topic"] == [t for i, t in enumerate(topics) if i not in {3, 11}]
    code, message = refusal("shift", tmp_path / "a.csv", tmp_path / "whole_b.csv", "--skip-blank", *options)
    assert code == 2 and "as many rows in F as in G" in message and "30 and 28" in message


def test_rows_are_those_of_the_file_with_identifiers(tmp_path):
    rng = np.random.default_rng(0)
    texts = [" ".join(rng.choice(WORDS, 4)) for _ in range(12)]
    texts[4] = "  "
    table = write(tmp_path / "t.csv", text=texts, code=[f"K{i}" for i in range(12)])
    output = run("depth", table, "--skip-blank", "--id-column", "code", "--out", tmp_path / "o.jsonl", "--top", "12")
    written = [json.loads(line) for line in (tmp_path / "o.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [line["id"] for line in written] == [f"K{i}" for i in range(12) if i != 4]
    for line in written:  # rows of the file, whether they are counted from its first line or its first row
        offset = line["row"] - int(line["id"][1:])
        assert offset == written[0]["row"] and texts[int(line["id"][1:])] == line["text"]
        assert re.search(rf"^ +{line['row']} +{line['id']}  \d", output, re.MULTILINE)


def test_embeddings_with_their_texts_beside(tmp_path):
    rng = np.random.default_rng(1)
    for name in "fg":
        np.save(tmp_path / f"{name}.npy", rng.normal(1, 1, (24, 6)))
        texts = [" ".join(rng.choice(WORDS, 4)) for _ in range(24)]
        texts[5 if name == "f" else 7] = " "
        write(tmp_path / f"{name}.csv", text=texts, author=[f"{name}{i // 3}" for i in range(24)])
    f, g = tmp_path / "f.npy", tmp_path / "g.npy"
    beside = ("--texts-f", tmp_path / "f.csv", "--texts-g", tmp_path / "g.csv")
    options = ("--map", "none", "--resamples", "99", "--out", tmp_path / "r.html", "--skip-blank")
    run("shift", f, g, *beside, "--paired", *options)
    result = of(tmp_path / "r.html")
    kept = [i for i in range(24) if i not in {5, 7}]
    assert len(result["texts_F"]) == len(kept) == result["test"]["n_G"]
    assert sum("they and their embeddings were dropped" in note for note in result["warnings"]) == 2
    np.save(f, np.load(f)[kept])
    np.save(g, np.load(g)[kept])
    run("shift", f, g, "--paired", *options)
    assert of(tmp_path / "r.html")["pvalue"] == result["pvalue"]
    code, message = refusal("shift", f, g, *beside, *options)
    assert code == 2 and "--texts-f" in message and "24 texts for 22 embeddings" in message
    assert "holds texts" in refusal("shift", tmp_path / "f.csv", g, *beside, *options)[1]
    assert "(--texts, --texts-f, --texts-g)" in refusal("shift", f, g, "--group-column", "author", *options)[1]


def test_one_file_is_split_by_a_column_or_a_day(tmp_path):
    weeks = [f"2024-W{9 + i // 20:02d}" for i in range(60)]
    days = [f"2024-03-{1 + i // 3:02d}" for i in range(60)]
    table = write(tmp_path / "all.csv", 60, week=weeks, sent=days, at=[f"{day}T17:05:00+02:00" for day in days])
    options = ("--map", "none", "--resamples", "99", "--out", tmp_path / "r.html")
    for extra, names, sizes in (
        (("--split-by", "week", "--reference", "2024-W10"), ["2024-W10", "not 2024-W10"], (20, 40)),
        (
            ("--split-by", "week", "--reference", "2024-W10", "--compare", "2024-W11"),
            ["2024-W10", "2024-W11"],
            (20, 20),
        ),
        (("--split-by", "sent", "--reference", "2024-03-06"), ["before 2024-03-06", "from 2024-03-06"], (15, 45)),
        (("--split-by", "at", "--reference", "2024-03-06"), ["before 2024-03-06", "from 2024-03-06"], (15, 45)),
    ):
        run("shift", table, *extra, *options)
        result = of(tmp_path / "r.html")
        assert result["names"] == names and (result["test"]["n_F"], result["test"]["n_G"]) == sizes
    code, message = refusal("shift", table, "--split-by", "week", "--reference", "2024-W12", *options)
    assert code == 2 and "'2024-W09', '2024-W10', '2024-W11'. Got '2024-W12'" in message
    for wrong in (
        ("shift", table, *options),
        ("shift", table, table, "--split-by", "week", "--reference", "2024-W10", *options),
        ("shift", table, "--split-by", "week", *options),
        ("shift", table, table, "--reference", "2024-W10", *options),
        ("shift", table, "--split-by", "month", "--reference", "2024-W10", *options),
        ("shift", table, "--split-by", "sent", "--reference", "2024-01-01", *options),
        ("shift", table, "--split-by", "week", "--reference", "2024-W10", "--compare", "2024-W10", *options),
    ):
        assert refusal(*wrong)[0] in {1, 2}


def test_samples_are_seeded_whole_and_said(tmp_path):
    n = 60
    for name in "fg":
        write(tmp_path / f"{name}.csv", n, seed=ord(name), author=[f"{name}{i // 4}" for i in range(n)])
    options = ("--sample", "22", "--map", "none", "--resamples", "99", "--out", tmp_path / "r.html")
    results = []
    for extra in ((), (), ("--seed", "1"), ("--paired",), ("--group-column", "author")):
        run("shift", tmp_path / "f.csv", tmp_path / "g.csv", *options, *extra)
        results.append(of(tmp_path / "r.html"))
    rows = [(result["metadata_F"]["row"], result["metadata_G"]["row"]) for result in results]
    assert rows[0] == rows[1] != rows[2] and rows[0][0] != rows[0][1]
    assert rows[3][0] == rows[3][1] and len(rows[3][0]) == 22
    assert any("22 of the 60 texts of f was compared (--sample 22)" in note for note in results[0]["warnings"])
    for which in "FG":
        authors_of = results[4][f"metadata_{which}"]["author"]
        assert len(authors_of) == 24 and all(authors_of.count(author) == 4 for author in set(authors_of))


def test_drift_reads_european_dates_of_any_column(tmp_path):
    days = [f"{day}.3.2024" for day in range(1, 31) for _ in range(2)]
    stream = write(tmp_path / "s.csv", 60, sent=days)
    arguments = ("--time-column", "sent", "--reference", "11.03.2024", "--window", "5D", "--resamples", "99",
                 "--out", tmp_path / "d.html")  # fmt: skip
    run("drift", stream, "--dayfirst", *arguments)
    assert of(tmp_path / "d.html")["starts"][0] == "2024-03-11"
    assert "--dayfirst" in refusal("drift", stream, *arguments)[1]


def test_a_column_of_embeddings_with_the_texts_of_the_same_file(tmp_path):
    rng = np.random.default_rng(1)
    for name in "fg":
        lines = [
            json.dumps({"say": " ".join(rng.choice(WORDS, 4)), "vector": rng.normal(1, 1, 6).round(3).tolist()})
            for _ in range(24)
        ]
        (tmp_path / f"{name}.jsonl").write_text("\n".join(lines), encoding="utf-8")
    options = ("--embedding-column", "vector", "--map", "none", "--resamples", "99", "--out", tmp_path / "r.html")
    run("shift", tmp_path / "f.jsonl", tmp_path / "g.jsonl", *options)
    alone = of(tmp_path / "r.html")
    run("shift", tmp_path / "f.jsonl", tmp_path / "g.jsonl", "--text-column", "say", *options)
    both = of(tmp_path / "r.html")
    assert alone["texts_F"] is None and len(both["texts_F"]) == 24 and alone["pvalue"] == both["pvalue"]
