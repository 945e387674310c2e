"""What commands write and where: never over an input, never silently, and one thing on standard output."""

import json
import os
import sys
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from typer.testing import CliRunner

from xembed import read_result
from xembed.cli import app, outputs
from xembed.isotropy import measure
from xembed.reports import render_markdown, render_page, write_combined, write_comparison
from xembed.shift import rank_sum_test

ROWS = "text,label\n" + "".join(
    f"The {noun} is {how}.,1\n" for noun in ("lamp", "rain", "road") for how in ("late", "new")
)


def call(*arguments, code=0):
    words = [str(argument) for argument in arguments]
    with mock.patch.object(sys, "argv", ["xembed", *words]):
        result = CliRunner().invoke(app, words)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == code, result.output
    return result


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Return the working directory, with an input of each kind."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    for name in ("F", "G"):
        np.save(tmp_path / f"{name}.npy", rng.normal(1, 1, (30, 4)).astype(np.float32))
    for name in ("keep.csv", "other.csv"):
        (tmp_path / name).write_text(ROWS, encoding="utf-8")
    measure(rng.normal(size=(40, 4)), n_resamples=20).to_json(tmp_path / "old.json")
    return tmp_path


def state(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


SHIFT = ("shift", "F.npy", "G.npy", "--map", "none", "--resamples", 19)
PAGES = [SHIFT, ("drift", "F.npy", "--reference", 12, "--window", 10, "--resamples", 19), ("report", "old.json"),
         ("isotropy", "F.npy", "--resamples", 20)]  # fmt: skip


# ---- inputs

OVER_AN_INPUT = [
    (("shift", "keep.csv", "other.csv"), "keep.csv"),
    (("shift", "keep.csv", "other.csv"), "other.csv"),
    (("drift", "keep.csv", "--reference", "other.csv", "--window", 2), "other.csv"),
    (("depth", "keep.csv"), "keep.csv"),
    (("depth", "keep.csv", "--reference", "other.csv"), "other.csv"),
    (("embed", "keep.csv"), "keep.csv"),
    (("isotropy", "keep.csv"), "keep.csv"),
    (("isotropy", "keep.csv", "--tune", "other.csv"), "other.csv"),
    (("explain", "--depth", "keep.csv"), "keep.csv"),
    (("explain", "--shift", "keep.csv", "other.csv"), "other.csv"),
    (("report", "old.json"), "old.json"),
    (("depth", "F.npy"), "F.npy"),
    (("shift", "F.npy", "G.npy"), "F.npy"),
]


@pytest.mark.parametrize("overwrite", [[], ["--overwrite"]])
@pytest.mark.parametrize(("arguments", "out"), OVER_AN_INPUT)
def test_no_input_is_overwritten(folder, arguments, out, overwrite):
    before = state(folder)
    if arguments[0] == "depth" and out.endswith(".csv"):  # which a table may be called
        with pytest.raises(ValueError, match="is an input"):
            call(*arguments, "--out", out, *overwrite)
    else:
        assert "'--out': must end in" in call(*arguments, "--out", out, *overwrite, code=2).output
    assert state(folder) == before


@pytest.mark.parametrize("path", ["page.html", "hard.html", "soft.html", "./page.html", "here/page.html"])
@pytest.mark.parametrize("arguments", [
    ("shift", "page.html", "G.npy"), ("isotropy", "page.html"), ("depth", "page.html"),
    ("drift", "page.html", "--reference", 2, "--window", 2),
])  # fmt: skip
def test_an_input_is_recognized_behind_every_path(folder, monkeypatch, path, arguments):
    """An input with the ending of an output, reached by links and other ways to write its path."""
    ending = ".csv" if arguments[0] == "depth" else ".html"
    path, arguments = path.replace(".html", ending), [str(a).replace(".html", ending) for a in arguments]
    (folder / f"page{ending}").write_text(ROWS)
    os.link(f"page{ending}", f"hard{ending}")
    (folder / f"soft{ending}").symlink_to(f"page{ending}")
    (folder / "here").symlink_to(folder, target_is_directory=True)
    before = state(folder)
    for more in ([], ["--overwrite"]):
        with pytest.raises(
            ValueError, match=r"would be overwritten by the output .*: it is an input. Give the output an"
        ):
            call(*arguments, "--out", path, *more)
    assert state(folder) == before


def test_data_beside_a_page_are_no_way_to_an_input(folder):
    before = state(folder)
    for arguments in (("report", "old.json", "--title", "x"), ("isotropy", "F.npy", "--tune", "old.json")):
        with pytest.raises(
            ValueError, match=r"'old.json' would be overwritten by the output 'old.json': it is an input"
        ):
            call(*arguments, "--out", "old.html", "--overwrite")
    assert state(folder) == before


# ---- what is there already


@pytest.mark.parametrize("ending", ["pdf", "csv", "txt", "json", "npy", "htmlx"])
@pytest.mark.parametrize("arguments", PAGES)
def test_a_page_ends_as_pages_do(folder, arguments, ending):
    before = state(folder)
    said = call(*arguments, "--out", f"page.{ending}", code=2)
    assert "'--out': must end in .html or .htm, as pages do" in said.output
    assert state(folder) == before


@pytest.mark.parametrize("name", ["page.html", "page.json"])
def test_a_file_that_is_not_ours_needs_overwrite(folder, name):
    (folder / name).write_text("<p>mine</p>")
    before = state(folder)
    with pytest.raises(FileExistsError, match=rf"'{name}' would be overwritten, and it is not a report of xembed"):
        call(*SHIFT, "--out", "page.html")
    assert state(folder) == before
    said = call(*SHIFT, "--out", "page.html", "--overwrite")
    assert said.stderr.endswith(f"xembed: replaced {name}\n")
    assert (folder / "page.html").read_text("utf-8") == render_page(json.loads((folder / "page.json").read_bytes()))


def test_a_named_page_of_ours_is_replaced_and_that_is_said(folder, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    first = call(*SHIFT, "--out", "page.html")
    assert "replaced" not in first.stderr
    second = call("report", "old.json", "--out", "page.html")
    lines = second.stderr.splitlines()
    assert lines[-2].startswith("xembed: replaced page.html (xembed ") and lines[-1] == "xembed: replaced page.json"
    assert "; 2023-11-14 22:13 UTC; xembed shift F.npy G.npy --map none --resamples 19 --out page.html)" in lines[-2]
    assert read_result(folder / "page.json").schema == "xembed.isotropy.IsotropyResult/1"


@pytest.mark.parametrize("arguments", PAGES)
@pytest.mark.parametrize("taken", ["html", "json"])
def test_the_default_page_replaces_nothing(folder, arguments, taken):
    name = arguments[0]
    (folder / f"{name}.{taken}").write_text("mine")
    before = state(folder)
    said = call(*arguments)
    assert f"xembed: {name}.html or the data beside it is there already, and is kept." in said.stderr
    assert said.stdout.endswith(f"Report: {name}-2.html  (numbers: {name}-2.json)\n")
    assert call(*arguments).stdout.endswith(f"Report: {name}-3.html  (numbers: {name}-3.json)\n")
    after = state(folder)
    assert {key: after[key] for key in before} == before
    assert set(after) - set(before) == {f"{name}-{n}.{ending}" for n in (2, 3) for ending in ("html", "json")}


def test_a_page_that_came_while_a_command_computed_is_kept(folder, monkeypatch):
    check = outputs.check_outputs

    def late(*arguments, **options):
        destination = check(*arguments, **options)
        Path("shift.html").write_text("made by another")
        return destination

    monkeypatch.setattr("xembed.cli.shift.check_outputs", late)
    for options in ([], ["--out", "shift.html"]):
        said = call(*SHIFT, *options)
        assert "Report: shift-" in said.stdout and "shift.html or the data beside it is there already" in said.stderr
        assert (folder / "shift.html").read_text() == "made by another"
        (folder / "shift.html").unlink()
    assert (folder / "shift-3.html").exists()


@pytest.mark.parametrize(("arguments", "out"), [(("depth", "F.npy"), "d.csv"), (("depth", "F.npy"), "d.parquet"),
                                                (("embed", "keep.csv"), "X.npy")])  # fmt: skip
def test_tables_and_embeddings_need_overwrite(folder, arguments, out):
    call(*arguments, "--out", out)
    written = (folder / out).read_bytes()
    (folder / out).write_text("mine")
    with pytest.raises(FileExistsError, match=rf"^'{out}' exists already. Give another name, or --overwrite.$"):
        call(*arguments, "--out", out)
    assert (folder / out).read_text() == "mine"
    call(*arguments, "--out", out, "--overwrite")
    assert (folder / out).read_bytes() == written


def test_a_correction_needs_its_ending_and_overwrite(folder):
    arguments = ("isotropy", "F.npy", "--resamples", 20, "--out", "page.html", "--save")
    assert "must end in one of {'.safetensors'}" in str(call(*arguments, "F.npy", code=2).output)
    (folder / "c.safetensors").write_text("mine")
    with pytest.raises(FileExistsError, match=r"'c.safetensors' exists already"):
        call(*arguments, "c.safetensors")
    assert not (folder / "page.html").exists()


# ---- the library


def test_the_same_rules_in_python(folder):
    result = rank_sum_test(np.load("F.npy"), np.load("G.npy"))
    writes = (
        lambda page, **options: result.report(page, **options),
        lambda page, **options: write_combined([result], page, **options),
        lambda page, **options: write_comparison(result, result, page, **options),
    )
    for write in writes:
        for ending in ("pdf", "json", "csv"):
            with pytest.raises(ValueError, match=r"A report is a page: its path must end in .html or .htm. Got"):
                write(f"page.{ending}")
        for name in ("mine.html", "mine.json"):
            (folder / name).write_text("mine")
            with pytest.raises(FileExistsError, match=rf"'{name}' would be overwritten, and it is not a report"):
                write("mine.html")
            assert (folder / name).read_text() == "mine"
            write("mine.html", overwrite=True)
            (folder / "mine.html").unlink()
            (folder / "mine.json").unlink()
        write("page.HTM")
        write("page.HTM")  # ours
        (folder / "empty.html").touch()  # as tempfile makes them
        write("empty.html")
        assert (folder / "empty.html").stat().st_size > 1000


def test_a_page_before_generators_were_named_is_ours(folder):
    result = rank_sum_test(np.load("F.npy"), np.load("G.npy"))
    page = result.html()
    (folder / "page.html").write_text("\n".join(line for line in page.split("\n") if "generator" not in line), "utf-8")
    result.report("page.html")
    assert (folder / "page.html").read_text("utf-8") == page


# ---- standard output


@pytest.mark.parametrize("arguments", [*PAGES, (*SHIFT, "--fail-on-shift")])
def test_standard_output_holds_one_thing(folder, arguments):
    before = state(folder)
    text = call(*arguments, "--out", "page.html").stdout
    data = json.loads((folder / "page.json").read_bytes())
    for name in ("page.html", "page.json"):
        (folder / name).unlink()
    said = call(*arguments, "--format", "json")
    found = json.loads(said.stdout)
    assert found["schema"] == data["schema"] and set(found) == set(data)
    assert text.rpartition("Report:")[0] in said.stderr  # the same text, elsewhere
    assert state(folder) == before  # no page that nobody asked for
    assert call(*arguments, "--format", "markdown").stdout.startswith(render_markdown(data).partition("\n")[0])
    assert call(*arguments, "--out", "-").stdout.startswith("<!doctype html>")
    assert state(folder) == before
    said = call(*arguments, "--format", "json", "--out", "both.html")
    assert json.loads(said.stdout) == json.loads((folder / "both.json").read_bytes())
    assert "Report: both.html" in said.stderr


def test_one_of_format_and_out(folder):
    said = call(*SHIFT, "--format", "json", "--out", "-", code=2)
    assert "so does --out -. Give one of the two" in " ".join(said.output.replace("│", " ").split())


def test_explanations_go_to_standard_output_too(folder):
    texts = ("explain", "--similarity", "The king came.", "The queen came.")
    said = call(*texts, "--format", "json")
    assert json.loads(said.stdout)["schema"].startswith("xembed.attribution.") and "Cosine" in said.stderr
    assert call(*texts, "--out", "-").stdout.startswith("<!doctype html>")
    assert "Cosine" in call(*texts).stdout


def test_depths_go_to_standard_output(folder):
    said = call("depth", "keep.csv", "--out", "-")
    call("depth", "keep.csv", "--out", "d.csv")
    assert said.stdout == (folder / "d.csv").read_text("utf-8") and "deepest" in said.stderr


def test_without_data(folder):
    said = call(*SHIFT, "--no-data", "--out", "page.html").stdout
    assert said.endswith("Report: page.html\n") and not (folder / "page.json").exists()
    page = (folder / "page.html").read_text("utf-8")
    assert ".json file beside it" not in page and "Download the data" in page
    assert ".json file beside it" not in call(*SHIFT, "--out", "-").stdout
    call(*SHIFT, "--out", "page.html")
    with pytest.raises(FileExistsError, match=r"'page.json' holds the data of another page"):
        call(*SHIFT, "--no-data", "--out", "page.html")
    (folder / "page.json").write_text("mine")
    call(*SHIFT, "--no-data", "--out", "page.html")
    assert (folder / "page.json").read_text() == "mine"


def test_two_commands_at_once_take_different_names(folder):
    import subprocess

    words = [sys.executable, "-m", "xembed", *map(str, SHIFT)]
    both = [subprocess.Popen(words, cwd=folder, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    pages = sorted(process.communicate()[0].rpartition("Report: ")[2].split()[0] for process in both)
    assert pages == ["shift-2.html", "shift.html"]
    for page in pages:
        data = json.loads(Path(page).with_suffix(".json").read_bytes())
        assert Path(page).read_text("utf-8") == render_page(data)


def test_a_full_standard_output_and_a_deleted_folder_are_named(tmp_path, monkeypatch):
    np.save(tmp_path / "F.npy", np.random.default_rng(0).normal(size=(20, 3)))
    with Path("/dev/full").open("w") as full, pytest.raises(OSError, match=r"^standard output can't be written: No sp"):
        outputs.print_data("x" * 100_000, full)
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    result = CliRunner().invoke(app, ["isotropy", str(tmp_path / "F.npy")])
    assert "The working directory was deleted. Change to another one." in str(result.exception)
