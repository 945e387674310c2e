"""The command ``xembed explain``: what it says, what it writes, and what it refuses."""

import json
import re
import sys
from unittest import mock

import numpy as np
import pytest
from typer.testing import CliRunner

import xembed
from xembed.attribution import explain_depth, explain_shift, explain_similarity
from xembed.cli import app, main
from xembed.datasets import load_corpora
from xembed.depth import tte_depth

pytestmark = pytest.mark.slow  # as a whole: it takes many seconds

A, B = "The king greeted his guests.", "The queen welcomed visitors."


def call(*arguments, code=0, env=None):
    words = ["explain", *map(str, arguments)]
    with mock.patch.object(sys, "argv", ["xembed", *words]):  # what a result's provenance says was called
        result = CliRunner().invoke(app, words, catch_exceptions=False, env=env)
    assert result.exit_code == code, result.output
    return result


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Return a folder with a dozen short tickets, and 16 of each of two weeks."""
    folder = tmp_path_factory.mktemp("tickets")
    tickets = load_corpora("support_tickets")
    short = sorted(tickets.texts, key=lambda text: (len(text.split()), text))
    (folder / "few.txt").write_text("\n".join(short[:12]) + "\n", encoding="utf-8")
    (folder / "corpus.txt").write_text("\n".join(short[12:28]) + "\n", encoding="utf-8")
    for week in (1, 2):
        tickets.where(week=week)[:16].to_frame().to_csv(folder / f"week{week}.csv", index=False)
    return folder


# ---- similarity


@pytest.mark.parametrize(("options", "arguments"), [
    ([], {}), (["--method", "last_layer"], {"method": "last_layer"}), (["--samples", "4"], {"n_samples": 4}),
])  # fmt: skip
def test_similarity(encoder, options, arguments):
    found = explain_similarity(encoder, A, B, **arguments)
    said = call("--similarity", A, B, "--top", 2, *options).stdout
    assert f"Cosine {found.similarity:.3f}, by {found.label}" in said and found.what in said
    pairs = re.findall(r"^(\S+) – (\S+) +([+-]\d\.\d{3})$", said, re.MULTILINE)
    assert pairs == [(a, b, f"{value:+.3f}") for a, b, value in found.top(2)]
    marked = re.search(r"^A  (.*)$", said, re.MULTILINE)[1].split(" ")
    assert [word.rstrip("+−") for word in marked] == list(found.words_a)
    for word, value in zip(marked, found.values_a, strict=True):
        assert not word.endswith("−" if value > 0 else "+")
    assert any(word.endswith("+") for word in marked)  # the sign is there without colors, too


def test_notes_of_the_result_are_warnings():
    assert "xembed: warning: The two texts are the same." in call("--similarity", A, A, "--method", "last_layer").stderr
    cut = call("--similarity", "word " * 30, B, "--method", "leave_one_out", "--max-length", 8)
    assert "text_a is longer than the encoder reads" in cut.stderr and "rest" not in cut.stdout


def test_texts_are_shown_and_not_obeyed(tmp_path):
    evil = "first \x1b[2Jtext \x07\x07 [red]markup[/red] \u202eturned"
    said = call("--similarity", evil, B, "--method", "leave_one_out").stdout
    assert "\x1b" not in said and "\x07" not in said and "\u202e" not in said
    assert "markup" in said and "red" in said
    colored = call("--similarity", evil, B, "--method", "leave_one_out", env={"FORCE_COLOR": "1", "NO_COLOR": ""})
    assert "\x1b[" in colored.stdout and "\x1b[2J" not in colored.stdout
    (tmp_path / "t.txt").write_text(f"{evil}\nthe second text\nthe third text\nand a fourth\n", encoding="utf-8")
    said = call("--depth", tmp_path / "t.txt", "--no-trust", "--method", "occlusion")
    assert not set("\x1b\x07\u202e") & set(said.stdout + said.stderr)
    said = call("--shift", tmp_path / "t.txt", tmp_path / "t.txt")
    assert not set("\x1b\x07\u202e") & set(said.stdout + said.stderr)


# ---- depth


def test_depth_explains_the_least_deep_within_their_own_corpus(files, encoder):
    texts = (files / "few.txt").read_text(encoding="utf-8").splitlines()
    depths = tte_depth(encoder.encode(texts))
    order = np.argsort(depths, kind="stable")[:3]
    options = ("--no-trust", "--method", "occlusion", "--top", 2)
    result = call("--depth", files / "few.txt", "--limit", 3, *options)
    said = result.stdout
    assert "The 3 least deep of the 12 texts of few.txt are explained." in said
    assert "The explanation was not validated" in said and "warning" not in result.stderr
    lines = re.findall(r"^line (\d+)  depth (\d\.\d{3}),", said, re.MULTILINE)
    assert lines == [(str(row + 1), f"{depths[row]:.3f}") for row in order]
    # The words are those of an explanation of all texts, where each is left out of its own corpus.
    every = explain_depth(encoder, texts, method="occlusion", progress=False)
    for row, line in zip(order, re.findall(r"^  words: (.*)$", said, re.MULTILINE), strict=True):
        assert line == ", ".join(f"{word} {value:+.3f}" for word, value in every.top(int(row), 2))
    shown = re.findall(r"a typical text near it: (.{20})", said)
    assert shown == [every.typical_texts[row][:20] for row in order]
    itself = call("--depth", files / "few.txt", "--reference", files / "few.txt", "--limit", 3, *options).stdout
    assert itself == said


def test_depth_in_another_corpus_with_the_check(files, encoder, tmp_path):
    out = tmp_path / "d.html"
    arguments = ("--depth", files / "few.txt", "--reference", files / "corpus.txt", "--limit", 2, "--out", out)
    result = call(*arguments, "--method", "occlusion", "--target", "depth", "--seed", 3)
    found = xembed.read_result(out.with_suffix(".json"))
    assert found.trust.verdict in result.stdout and found.trust.methods[0].target == "depth"
    assert [row.method for row in found.trust.methods] == ["occlusion"]
    assert found.n_reference == 16 and len(found.texts) == 2 and found.method == "occlusion"
    assert found.notes[0] == "The 2 least deep of the 12 texts of few.txt are explained."
    assert found.provenance["parameters"]["rng"] == 3 and found.provenance["command"].startswith("xembed explain ")
    texts, corpus = ((files / name).read_text(encoding="utf-8").splitlines() for name in ("few.txt", "corpus.txt"))
    depths = tte_depth(encoder.encode(texts), encoder.encode(corpus))
    np.testing.assert_allclose(found.depths, np.sort(depths)[:2], atol=1e-6)
    assert f"Report: {out}  (numbers: {tmp_path / 'd.json'})" in result.stdout and out.is_file()


def test_a_corpus_that_no_words_can_be_planted_in(tmp_path, monkeypatch, capsys):
    (tmp_path / "a.txt").write_text("tea\nmilk and tea\nsugar\n", encoding="utf-8")
    arguments = ("--depth", str(tmp_path / "a.txt"), "--method", "occlusion")
    said = call(*arguments).stdout
    assert "The explanation was not validated" in said and "Got 3 texts, 0 of them long enough" in said
    monkeypatch.setattr("sys.argv", ["xembed", "explain", *arguments, "--trust"])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 1 and "Got 3 texts, 0 of them long enough" in capsys.readouterr().err


def test_a_method_without_signs_shows_none(files):
    said = call("--depth", files / "few.txt", "--no-trust", "--method", "saliency_l2", "--limit", 1).stdout
    assert not re.search(r"[+−]\d|\w[+−]", said) and "  words: " in said


def test_cut_and_blank_texts_are_said(tmp_path):
    (tmp_path / "a.txt").write_text("word " * 40 + "\n\na short one\nanother\n", encoding="utf-8")
    options = ("--max-length", 16, "--skip-blank", "--no-trust", "--method", "occlusion")
    said = call("--depth", tmp_path / "a.txt", *options).stderr
    assert (
        "1 of 3 texts of a.txt is longer than 16 tokens and was cut" in said
        and "1 blank text was dropped from a.txt" in said
    )


# ---- shift


def test_shift(files, encoder):
    tickets = load_corpora("support_tickets")
    first, second = (tickets.where(week=week)[:16].texts for week in (1, 2))
    found = explain_shift(encoder, first, second, names=("week1", "week2"), progress=False)
    said = call("--shift", files / "week1.csv", files / "week2.csv", "--text-column", "text", "--top", 3).stdout
    assert found.verdict in said
    blocks = said.split("\n\n")[1:-1]
    assert len(blocks) == len(found.components)
    for block, component in zip(blocks, found.components, strict=True):
        assert block.startswith(f"{component.kind}: {component.label}\n  size {component.size:.3f}")
        for what, terms in (("gained", component.came), ("lost", component.went)):
            if not terms:
                assert f"  {what}: " not in block
                continue
            listed = re.search(rf"^  {what}: (.*)$", block, re.MULTILINE)[1].split(", ")
            assert [entry.split(" ")[0] for entry in listed] == [term.term for term in terms[:3]]
            assert [entry.endswith("*") for entry in listed] == [term.qvalue <= found.fdr for term in terms[:3]]
    same = call("--shift", files / "week1.csv", files / "week1.csv").stdout
    assert "“week1 (G)” lies 0.000 from that of “week1 (F)”" in same


# ---- a report, options of the encoder


@pytest.mark.parametrize("question", ["similarity", "shift"])
def test_the_report_holds_the_result(question, files, tmp_path):
    out = tmp_path / "r.html"
    given = (A, B) if question == "similarity" else (files / "week1.csv", files / "week2.csv")
    call(f"--{question}", *given, "--method", "last_layer", "--out", out)
    assert out.read_text(encoding="utf-8").rstrip().endswith("</html>")
    found = xembed.read_result(tmp_path / "r.json")
    assert type(found).__name__ == f"{question.capitalize()}Explanation"
    assert found.provenance["command"].startswith(f"xembed explain --{question} ")


def test_no_page_without_out(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    call("--similarity", A, B, "--method", "last_layer")
    assert list(tmp_path.iterdir()) == []


def test_the_cache_is_kept_or_not(tmp_path, monkeypatch):
    monkeypatch.setenv("XEMBED_CACHE", str(tmp_path / "cache"))
    (tmp_path / "a.txt").write_text("one text\nanother text\nthe third one\n", encoding="utf-8")
    arguments = ("--depth", tmp_path / "a.txt", "--method", "occlusion", "--no-trust", "--batch-size", 2)
    without = call(*arguments, "--no-cache").stdout
    assert not (tmp_path / "cache").exists()
    assert call(*arguments).stdout == without
    assert list((tmp_path / "cache").rglob("*.sqlite"))


def test_options_of_the_encoder_reach_it(encoder):
    other = xembed.load_encoder(layer=3, pooling="max", device="cpu")
    said = call("--similarity", A, B, "--method", "leave_one_out", "--layer", 3, "--pooling", "max").stdout
    similar = [explain_similarity(one, A, B, method="leave_one_out").similarity for one in (other, encoder)]
    assert f"Cosine {similar[0]:.3f}" in said and f"{similar[0]:.3f}" != f"{similar[1]:.3f}"


def test_progress_is_asked_for(files):
    arguments = ("--shift", files / "week1.csv", files / "week2.csv")
    assert "Last-layer decomposition: 100%" in call(*arguments, "--progress").stderr
    assert call(*arguments, "--no-progress").stderr == call(*arguments).stderr == ""


# ---- what is refused


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "exactly one of --similarity A B, --depth FILE and --shift F G must be given. Got none."),
        (["--similarity", "a", "b", "--depth", "few.txt"], "Got two."),
        (["--similarity", "a", "b", "--depth", "few.txt", "--shift", "few.txt", "few.txt"], "Got all three."),
        (["--similarity", "a", "b", "--reference", "few.txt"], "--reference: goes with --depth only"),
        (["--shift", "few.txt", "few.txt", "--limit", "3"], "--limit: goes with --depth only"),
        (["--similarity", "a", "b", "--no-trust"], "--trust: goes with --depth only"),
        (["--similarity", "a", "b", "--target", "depth"], "--target: goes with --depth only"),
        (["--depth", "few.txt", "--target", "breadth"], "breadth"),
        (["--depth", "few.txt", "--limit", "0"], "--limit"),
        (["--similarity", "a"], "--similarity"),
    ],
)
def test_wrong_usage(options, message):
    error = " ".join(call(*options, code=2).stderr.split())
    assert message in error


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--similarity", "a text", " "], 2, "'--similarity': holds 1 blank text"),
        (["--similarity", "a", "b", "--method", "lime"], 2, "must be one of {'integrated_jacobian', 'last_layer', "),
        (["--depth", "few.txt", "--method", "shapley"], 2, "'shapley_sampling'"),
        (["--shift", "few.txt", "few.txt", "--method", "lime"], 2, "Got 'lime'"),
        (["--depth", "missing.txt"], 1, "missing.txt"),
        (["--depth", "few.npy"], 1, "'few.npy' holds embeddings, which have no words to explain"),
        (["--depth", "few.txt", "--reference", "few.npy"], 1, "'few.npy' holds embeddings"),
        (["--shift", "few.txt", "few.npy"], 1, "'few.npy' holds embeddings"),
        (["--depth", "one.txt"], 1, "'one.txt' must hold at least 2 texts"),
        (["--depth", "few.txt", "--reference", "one.txt"], 1, "'one.txt' must hold at least 2 texts"),
        (["--shift", "one.txt", "few.txt"], 1, "'one.txt' must hold at least 2 texts"),
        (["--depth", "few.txt", "--text-column", "a", "--reference", "table.csv"], 2, "must be one of {'b', 'c'}"),
        (["--depth", "few.txt", "--no-trust", "--method", "pattern"], 1, "has to be fitted on training data"),
        (["--depth", "few.txt", "--model", "./no/folder"], 1, "no/folder"),
        (["--similarity", "a", "b", "--method", "last_layer", "--pooling", "cls"], 1, "pools the mean of all tokens"),
        (["--similarity", "a", "b", "--out", "r.json"], 2, "'--out': must end in .html or .htm"),
        (["--similarity", "a", "b", "--out", "no/r.html"], 1, "the folder 'no' does not exist"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(options, code, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "few.txt").write_text("one text\nanother text\n", encoding="utf-8")
    (tmp_path / "one.txt").write_text("one text\n", encoding="utf-8")
    (tmp_path / "table.csv").write_text("b,c\nx,y\n", encoding="utf-8")
    np.save(tmp_path / "few.npy", np.eye(3))
    before = sorted(path.name for path in tmp_path.iterdir())
    out = [] if "--out" in options else ["--out", "report.html"]
    monkeypatch.setattr("sys.argv", ["xembed", "explain", *options, *out])
    with pytest.raises(SystemExit) as stopped:
        main()
    error = capsys.readouterr().err
    assert stopped.value.code == code
    assert error.startswith("xembed: error: ") and message in error
    assert len(error.splitlines()) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_a_file_of_data_that_is_not_ours_is_not_overwritten(tmp_path, monkeypatch, capsys):
    (tmp_path / "r.json").write_text(json.dumps({"mine": 1}), encoding="utf-8")
    monkeypatch.setattr("sys.argv", ["xembed", "explain", "--similarity", A, B, "--out", str(tmp_path / "r.html")])
    with pytest.raises(SystemExit):
        main()
    assert "is not a report of xembed" in capsys.readouterr().err and not (tmp_path / "r.html").exists()


def test_a_shift_with_its_words_is_one_page(tmp_path):
    tickets = load_corpora("support_tickets")
    for week in (1, 2):
        tickets.where(week=week).to_frame()[["text"]].to_csv(tmp_path / f"week{week}.csv", index=False)
    files = [str(tmp_path / f"week{week}.csv") for week in (1, 2)]
    out = tmp_path / "both.html"
    result = CliRunner().invoke(app, ["shift", *files, "--words", "--resamples", "39", "--out", str(out)])
    assert result.exit_code == 0, result.output
    assert "A region that is new: " in result.output
    data = json.loads(out.with_suffix(".json").read_text("utf-8"))
    assert [part["schema"] for part in data["parts"]] == [
        "xembed.shift.ShiftResult/1",
        "xembed.attribution.ShiftExplanation/1",
    ]
    regions = [component["kind"] for component in data["parts"][1]["components"][1:]]
    statuses = [region["status"] for region in data["parts"][0]["regions"]["regions"]]
    assert regions == [status for status in statuses if status != "unchanged"]


def test_words_of_a_shift_need_texts(tmp_path):
    np.save(tmp_path / "a.npy", np.random.default_rng(0).normal(size=(20, 4)))
    file = str(tmp_path / "a.npy")
    result = CliRunner().invoke(app, ["shift", file, file, "--words", "--out", str(tmp_path / "out.html")])
    assert result.exit_code == 2 and "--words" in result.output and "needs texts" in result.output
    assert not (tmp_path / "out.html").exists()
