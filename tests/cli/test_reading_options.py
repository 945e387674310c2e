"""Options of reading in the shell: the advice of an error works when it is followed."""

import gzip
import json
import re
import shlex

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from xembed.cli.app import app
from xembed.datasets import read_texts

V = np.random.default_rng(0).normal(size=(12, 3))


def depth(*arguments, **options):
    result = CliRunner().invoke(app, ["depth", *map(str, arguments), "--top", "1"], **options)
    return result.exit_code, result.output + str(result.exception or "")


@pytest.fixture
def tables(tmp_path):
    columns = {f"emb_{i}": V[:, i] for i in range(3)} | {"score": V[:, 0]}
    pq.write_table(pa.table(columns | {"other": V.tolist()}), tmp_path / "both.parquet")
    pq.write_table(pa.table(columns), tmp_path / "wide.parquet")
    rows = "\n".join(f'{{"v": {row}, "score": 1.5}}' for row in V.tolist())
    (tmp_path / "v.jsonl.gz").write_bytes(gzip.compress(rows.encode()))
    np.save(tmp_path / "v.npy", V)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "column"),
    [("both.parquet", "emb"), ("both.parquet", "other"), ("wide.parquet", "emb_"), ("v.jsonl.gz", "v")],
)
def test_embeddings_of_tables_are_those_of_npy(tables, name, column):
    code, output = depth(tables / name, "--embedding-column", column)
    assert code == 0, output
    assert output == depth(tables / "v.npy")[1]
    code, output = depth(tables / name, "--embedding-column", "score")
    assert code != 0 and "column of embeddings that is asked for. Got 'score'" in output


def test_embeddings_from_standard_input(tables):
    content = gzip.decompress((tables / "v.jsonl.gz").read_bytes())
    code, output = depth("-", "--embedding-column", "v", input=content)
    assert code == 0 and output == depth(tables / "v.npy")[1]


@pytest.mark.parametrize(
    ("name", "content", "advice"),
    [
        ("a.csv", b"text|n\nThe lid is loose|1\nThe lid is off|2\nIt leaks|3\n", r"\((--delimiter '.')\)"),
        ("a.csv", "text,n\nzu spät,1\nüber Nacht,2\ndas läuft aus,3\n".encode("cp1252"), r"\((--encoding \S+)\)"),
        (
            "a.csv",
            b"text,n\nThe lid is loose,1\n,2\nIt leaks,3\nNot again,4\n",
            r"\((--skip-blank) on the command line\)",
        ),
        (
            "a.csv",
            b"title,note\nLid loose,The lid\nLid off,A lid\nIt leaks,Leaks\n",
            r"\((--text-column) on the command l",
        ),
    ],
)
def test_the_advice_works(tmp_path, name, content, advice, monkeypatch):
    path = tmp_path / name
    path.write_bytes(content)
    code, output = depth(path)
    assert code != 0
    options = shlex.split(re.search(advice, output)[1])
    options += ["note"] if options == ["--text-column"] else []
    code, output = depth(path, *options)
    assert code == 0, output
    assert "3 texts" in output


def test_what_is_odd_about_texts_is_said(tmp_path):
    (tmp_path / "a.csv").write_text("key,note\n" + "".join(f"A-{i:03},A lid is loose {i}\n" for i in range(9)))
    code, output = depth(tmp_path / "a.csv", "--text-column", "key")
    assert code == 0 and "The texts of a in the column 'key' are single words or identifiers" in output


@pytest.mark.parametrize(
    ("content", "columns"),
    [
        ("id,text\n" + "".join(f'{i},"A lid, loose {i}"\n' for i in range(6)), "'id', 'text'"),
        ("text\nThe lid is loose\nThe lid is off\n", "'text'"),
    ],
)
def test_a_table_that_is_read_as_lines_is_warned_of(content, columns, tmp_path):
    (tmp_path / "a.txt").write_text(content)
    for arguments, options in (([tmp_path / "a.txt"], {}), (["-"], {"input": content})):
        code, output = depth(*arguments, **options)
        assert code == 0 and f"seems to name the columns of a table ({columns}), and was read as a text" in output
    code, output = depth("-", "--text-column", "text", input=content)
    assert code == 0 and "seems to name" not in output
    code, output = depth("-", input="Well, yes\nNo, thanks\nThe text\n")
    assert code == 0 and "seems to name" not in output


def test_standard_input_and_packed_files_have_names(tmp_path):
    content = "text\nThe lid is loose\n\nThe lid is off\nNo lid\n"
    code, output = depth("-", "--text-column", "text", "--skip-blank", input=content)
    assert code == 0 and "dropped from standard input." in output
    for name in ("old", "new"):
        (tmp_path / f"{name}.csv.gz").write_bytes(gzip.compress(content.replace("\n\n", "\n").encode()))
    files = [tmp_path / "old.csv.gz", tmp_path / "new.csv.gz"]
    result = CliRunner().invoke(app, ["shift", *map(str, files), "--resamples", "19", "--format", "json"])
    assert json.loads(result.stdout)["names"] == ["old", "new"]


def test_closed_standard_input(monkeypatch):
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(OSError, match="standard input is closed"):
        read_texts("-")


def test_european_dates_as_times(tmp_path):
    rows = [f"{1 + i // 3}.{1 + i % 3}.2024,note {i} on the lid" for i in range(36)]
    np.save(tmp_path / "stream.npy", np.random.default_rng(0).normal(1, 1, (36, 3)))
    (tmp_path / "notes.csv").write_text("when,text\n" + "\n".join(rows))
    arguments = ["drift", tmp_path / "stream.npy", "--texts", tmp_path / "notes.csv", "--time-column", "when"]
    arguments += ["--reference", "12", "--window", "12", "--resamples", "19", "--out", tmp_path / "drift.html"]
    result = CliRunner().invoke(app, list(map(str, arguments)))
    assert result.exit_code != 0
    assert "if the day comes before the month, pass dayfirst=True (--dayfirst)" in str(result.exception)
    result = CliRunner().invoke(app, [*map(str, arguments), "--dayfirst"])
    assert result.exit_code == 0, (result.output, result.exception)
    assert "they were sorted by it" in result.output + result.stderr


def test_texts_beside_embeddings_of_a_table(tables, tmp_path):
    (tmp_path / "notes.txt").write_text("".join(f"Note {i} on the lid\n" for i in range(12)))
    code, output = depth(tables / "wide.parquet", "--embedding-column", "emb", "--texts", tmp_path / "notes.txt")
    assert code == 0 and "on the lid" in output, output


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("05/06/2024", "if the day comes before the month, pass dayfirst=True"),
        ("05.06.24", "must hold dates with years of four digits, such as '2024-03-04'"),
        ("5/6/24 17:05", "write the century, too"),
        ("soon", "missing or can't be read"),
    ],
)
def test_bad_times_are_named_by_the_rows_of_the_file(cell, message, tmp_path):
    rows = [f"text number {i},2024-03-{i + 1:02d}" for i in range(28)]
    rows[2], rows[7] = ",2024-03-03", f"a late text,{cell}"
    (tmp_path / "s.csv").write_text("\n".join(["text,when", *rows]), encoding="utf-8")
    arguments = ["drift", str(tmp_path / "s.csv"), "--skip-blank", "--time-column", "when"]
    result = CliRunner().invoke(app, [*arguments, "--text-column", "text", "--reference", "9", "--window", "9"])
    assert result.exit_code != 0 and message in str(result.exception) and "row 7" in str(result.exception)


def test_groups_and_times_beside_embeddings_of_a_table(tmp_path):
    rng = np.random.default_rng(0)
    for name in "ab":
        X = rng.normal(1, 1, size=(30, 4)).astype(np.float32)
        columns = {"emb": list(X), "author": [f"{name}{i // 3}" for i in range(30)], "day": list(range(30))}
        pq.write_table(pa.table(columns), tmp_path / f"{name}.parquet")
    files, out = [str(tmp_path / f"{name}.parquet") for name in "ab"], ["--out", str(tmp_path / "page.html")]
    options = ["--embedding-column", "emb", "--resamples", "19", "--overwrite", *out]
    result = CliRunner().invoke(app, ["shift", *files, *options, "--group-column", "author"])
    assert result.exit_code == 0 and "permute whole groups" in result.stderr, (result.output, result.exception)
    result = CliRunner().invoke(app, ["shift", *files, *options, "--group-column", "writer"])
    assert result.exit_code == 2 and "must be one of {'author', 'day'}" in result.output
    arguments = ["drift", files[0], "--reference", "10.0", "--window", "10.0", "--time-column", "day", *options]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, (result.output, result.exception)
