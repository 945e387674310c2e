"""The command line as a user calls it: in a process of its own where that matters, else in this one."""

import dataclasses
import json
import os
import re
import shlex
import subprocess
import sys
from unittest import mock

import numpy as np
import pandas as pd
import pytest
import typer
from typer.testing import CliRunner

from xembed import __version__, read_result
from xembed.cli import app, main
from xembed.datasets import load_corpora
from xembed.isotropy import load_correction


def run(*arguments, code=0, monkeypatch=None):
    """Run the command in this process; errors come back as the user sees them."""
    words = [str(a) for a in arguments]
    with mock.patch.object(sys, "argv", ["xembed", *words]):  # what a result's provenance says was called
        result = CliRunner().invoke(app, words)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == code, result.output
    return result.output


@pytest.fixture(scope="module")
def corpora(tmp_path_factory):
    """Return a folder with a small pair of corpora in every format."""
    folder = tmp_path_factory.mktemp("corpora")
    table = load_corpora("product_reviews")
    people, model = table.where(source="human_style")[:40], table.where(source="imitation")[:40]
    (folder / "people.txt").write_text("\n".join(people.texts) + "\n", encoding="utf-8")
    model.to_frame().to_csv(folder / "model.csv", index=False)
    model.to_frame().to_parquet(folder / "model.parquet")
    (folder / "model.jsonl").write_text(
        "\n".join(json.dumps({"review": text}) for text in model.texts), encoding="utf-8"
    )
    rng = np.random.default_rng(0)
    np.save(folder / "F.npy", rng.normal(1, 1, (50, 8)).astype(np.float32))
    np.save(folder / "G.npy", rng.normal(1, 0.5, (40, 8)).astype(np.float32))
    return folder


def command(*arguments, **options):
    """Run the command in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "xembed", *map(str, arguments)], capture_output=True, text=True, check=False, **options
    )


def test_help_is_quick_and_version_is_right():
    import resource

    seconds = []
    for _ in range(3):  # the first may find cold files
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = command("--help")
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds.append(after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)
    assert done.returncode == 0
    for name in ("demo", "shift", "drift", "depth", "embed", "cache"):
        assert name in done.stdout
    assert min(seconds) < 0.5
    assert command("--version").stdout.strip() == f"xembed {__version__}"


def commands(group=None, words=()):
    """Return every command with the words that call it, in the order of the help."""
    group = group or typer.main.get_command(app)
    for name, item in group.commands.items():
        yield from commands(item, (*words, name)) if hasattr(item, "commands") else [((*words, name), item)]


def test_commands_stand_in_the_order_of_questions():
    order = ["demo", "shift", "drift", "depth", "isotropy", "explain", "geco", "report", "embed", "cache"]
    listed = re.findall(r"^  (\w+)  +\S", run("--help").partition("Commands:")[2], re.MULTILINE)
    assert listed == order


@pytest.mark.parametrize(("words", "item"), [pytest.param(*pair, id=" ".join(pair[0])) for pair in commands()])
def test_help_has_examples_that_can_be_called(words, item):
    examples = re.findall(r"^    (?:\w+=\S+ )?xembed (.+)$", run(*words, "--help"), re.MULTILINE)
    assert len(examples) >= 2
    for example in examples:
        called, arguments = (shlex.split(example)[: len(words)], shlex.split(example)[len(words) :])
        assert called == list(words)
        item.make_context(words[-1], arguments)  # raises where an option or an argument is wrong


def test_options_of_a_group_are_those_of_its_dataclass():
    from xembed.cli.options import EncoderOptions, NormalizingEncoderOptions, ReadingOptions

    expected = {
        "shift": (ReadingOptions, EncoderOptions),
        "drift": (ReadingOptions, EncoderOptions),
        "depth": (ReadingOptions, EncoderOptions),
        "explain": (ReadingOptions, EncoderOptions),
        "isotropy": (ReadingOptions, NormalizingEncoderOptions),
        "embed": (ReadingOptions, NormalizingEncoderOptions),
    }
    for (name, *_), item in commands():
        parameters = {parameter.name: parameter for parameter in item.params}
        for group in expected.get(name, ()):
            for field in dataclasses.fields(group):
                assert parameters[field.name].default == field.default


def test_methods_named_in_the_help_are_those_there_are():
    from xembed.attribution import METHODS, _word_vectors

    assert all(name in run("explain", "--help") for name in _word_vectors.METHODS)
    listed = re.search(r"or all:(.*?)\.", " ".join(run("geco", "--help").split()))[1]
    assert [name.strip() for name in listed.split(",")] == list(METHODS)


@pytest.mark.parametrize(("statement", "too_heavy"), [("import xembed", set()), ("import xembed.cli", {"numpy"})])
def test_importing_brings_nothing_heavier_than_numpy_and_the_shell_not_even_that(statement, too_heavy):
    code = f"{statement}; import sys; print(*sorted({{m.split('.')[0] for m in sys.modules}}))"
    loaded = set(subprocess.check_output([sys.executable, "-c", code], text=True).split())
    heavy = {"torch", "transformers", "sentence_transformers", "sklearn", "scipy", "pandas", "plotly", "umap",
             "matplotlib", "captum", "jinja2", "pyarrow"}  # fmt: skip
    assert not loaded & (heavy | too_heavy)


@pytest.mark.slow
def test_depth_and_shift_never_import_torch():
    code = (
        "import numpy as np, sys, xembed.depth, xembed.shift, xembed.reports\n"
        "X = np.random.default_rng(0).normal(size=(30, 4))\n"
        "xembed.depth.TTEDepth().fit(X)\n"
        "r = xembed.shift.compare_corpora(X[:15], X[15:])\n"
        "xembed.reports.render_page(r.to_dict())\n"
        "print('torch' in sys.modules)"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "False"


@pytest.mark.slow
def test_texts_in_the_cache_need_no_torch(tmp_path):
    rng = np.random.default_rng(0)
    words = ["parcel", "late", "broken", "invoice", "account", "login", "refund", "order", "damaged", "address"]
    texts = [f"{' '.join(rng.choice(words, 6))} {i}." for i in range(80)]
    (tmp_path / "F.txt").write_text("\n".join(texts[:40]), encoding="utf-8")
    (tmp_path / "G.txt").write_text("\n".join(texts[40:]), encoding="utf-8")
    rows = [f"{text},2024-01-{1 + i // 10:02d}" for i, text in enumerate(texts)]
    (tmp_path / "all.csv").write_text("\n".join(["text,day", *rows]), encoding="utf-8")
    options = {"cwd": tmp_path, "env": os.environ | {"XEMBED_CACHE": str(tmp_path / "cache")}}
    assert command("embed", "all.csv", "--text-column", "text", "-o", "all.npy", **options).returncode == 0
    for line in (
        "embed F.txt -o F.npy",
        "depth F.txt --reference G.txt",
        "shift F.txt G.txt",
        "drift all.csv --text-column text --time-column day --reference 2024-01-03 --window 2D",
        "isotropy F.txt --resamples 20",
    ):
        code = (
            f"import sys\nfrom xembed.cli import main\nsys.argv = {['xembed', *line.split()]}\n"
            "try:\n    main()\nexcept SystemExit as ended:\n    assert not ended.code, ended.code\n"
            "assert 'torch' not in sys.modules"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, **options)
        assert done.returncode == 0, (line, done.stderr)


def test_shift_writes_a_report(corpora, tmp_path):
    out = tmp_path / "report.html"
    output = run("shift", corpora / "people.txt", corpora / "model.csv", "--out", out, "--name-g", "imitation")
    assert "“imitation” is collapsed" in output and str(out) in output
    data = json.loads(out.with_suffix(".json").read_text(encoding="utf-8"))
    assert data["names"] == ["people", "imitation"]
    assert data["encoder"]["model"].startswith("sentence-transformers/all-MiniLM-L6-v2")
    assert re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC", data["provenance"]["created"])
    assert out.stat().st_size < 2_500_000


@pytest.mark.parametrize(("name", "column"), [("model.jsonl", "review"), ("model.parquet", None)])
def test_shift_reads_other_formats_with_the_same_result(corpora, tmp_path, name, column):
    options = [] if column is None else ["--text-column", column]
    if column is not None:  # people.txt has no columns, so the option must not disturb it
        run("shift", corpora / "people.txt", corpora / name, "--out", tmp_path / "a.html", *options)
    else:
        run("shift", corpora / "people.txt", corpora / name, "--out", tmp_path / "a.html")
    run("shift", corpora / "people.txt", corpora / "model.csv", "--out", tmp_path / "b.html")
    one, other = (json.loads((tmp_path / f"{x}.json").read_text(encoding="utf-8")) for x in "ab")
    assert one["texts_G"] == other["texts_G"]
    np.testing.assert_allclose(one["depths"], other["depths"], atol=1e-6)


def test_shift_on_embeddings_and_exit_codes(corpora, tmp_path):
    arguments = ("shift", corpora / "F.npy", corpora / "G.npy", "--out", tmp_path / "r.html")
    assert "The corpora differ" in run(*arguments)
    run(*arguments, "--fail-on-shift", code=3)
    same = ("shift", corpora / "F.npy", corpora / "F.npy", "--out", tmp_path / "s.html", "--fail-on-shift")
    assert "No difference found" in run(*same)
    data = json.loads((tmp_path / "s.json").read_text())
    assert data["names"] == ["F (F)", "F (G)"]
    run("shift", corpora / "F.npy", code=2)
    run("shift", corpora / "F.npy", corpora / "G.npy", "--distance", "euclid", code=2)
    run("shift", corpora / "F.npy", corpora / "G.npy", "--no-such-option", code=2)


@pytest.mark.slow
def test_shift_by_groups_pairs_and_with_a_self_check(tmp_path):
    rng = np.random.default_rng(0)
    for name, first in (("f.csv", 0), ("g.csv", 9)):
        words = [" ".join(rng.choice(["tea", "rain", "road", "song", "late", "blue"], 5)) for _ in range(24)]
        pd.DataFrame({"text": words, "author": first + np.arange(24) // 3}).to_csv(tmp_path / name, index=False)
    out = tmp_path / "r.html"
    arguments = ("shift", tmp_path / "f.csv", tmp_path / "g.csv", "--out", out, "--map", "none", "--resamples", "99")
    run(*arguments, "--group-column", "author", "--self-check")
    data = json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))
    assert data["provenance"]["parameters"]["groups"] == "given" and data["self_check"]["n_rows"] == [4, 4]
    run(*arguments, "--paired")
    assert json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))["provenance"]["parameters"]["paired"]
    run(*arguments, "--mode", "fast")
    assert "Fast mode: with 48 texts" in out.read_text(encoding="utf-8")
    run(*arguments, "--group-column", "writer", code=2)


def test_drift_over_a_table_and_over_embeddings(tmp_path):
    rng = np.random.default_rng(0)
    X = rng.normal(1, 1, (300, 8)).astype(np.float32)
    X[200:] *= [1, 1, 1, 1, 1, 1, -1, -1]
    np.save(tmp_path / "X.npy", X)
    out = tmp_path / "d.html"
    arguments = (
        "drift",
        tmp_path / "X.npy",
        "--reference",
        "100",
        "--window",
        "25",
        "--out",
        out,
        "--resamples",
        "199",
    )
    assert "drifts: the alarm came with window" in run(*arguments) and out.is_file()
    run(*arguments, "--fail-on-shift", code=3)
    data = json.loads((tmp_path / "d.json").read_text(encoding="utf-8"))
    assert data["detected"] and data["change_time"] == 200.0
    assert data["provenance"]["command"].startswith("xembed drift ")
    np.save(tmp_path / "R.npy", X[:100])
    np.save(tmp_path / "S.npy", X[100:180])
    quiet = ("drift", tmp_path / "S.npy", "--reference", tmp_path / "R.npy", "--window", "20", "--out", out)
    run(*quiet, "--fail-on-shift")
    texts = [" ".join(rng.choice(["tea", "rain", "road", "song", "late", "blue"], 5)) for _ in range(60)]
    days = pd.date_range("2024-01-01", periods=60)
    pd.DataFrame({"text": texts, "date": days.strftime("%Y-%m-%d")}).to_csv(tmp_path / "s.csv", index=False)
    table = (
        "drift",
        tmp_path / "s.csv",
        "--reference",
        "2024-01-31",
        "--window",
        "10D",
        "--out",
        out,
        "--resamples",
        "99",
    )
    run(*table)
    assert json.loads((tmp_path / "d.json").read_text(encoding="utf-8"))["starts"][0].startswith("2024-01-31")
    run("drift", tmp_path / "s.csv", "--out", out, code=2)
    run(*table[:-2], "--group-column", "author", code=2)
    with pytest.raises(ValueError, match="The reference of drift_over_time must have at least 10 rows"):
        run("drift", tmp_path / "X.npy", "--reference", "2", "--window", "25", "--out", out)


def test_shift_is_reproducible_to_the_byte(corpora, tmp_path, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    contents = []
    for _ in range(2):
        run("shift", corpora / "F.npy", corpora / "G.npy", "--out", tmp_path / "r.html", "--seed", "4")
        contents.append((tmp_path / "r.html").read_bytes() + (tmp_path / "r.json").read_bytes())
    assert contents[0] == contents[1]


@pytest.mark.slow
def test_isotropy_recommends_saves_and_reports(corpora, tmp_path):
    rng = np.random.default_rng(0)
    reviews = load_corpora("product_reviews").texts

    def pairs(name, first):
        """Return texts against their own first half, which is alike, or against that of another, which is not."""
        rows = []
        for i, text in enumerate(reviews[first : first + 60]):
            other = text if i % 2 else reviews[first + int(rng.integers(60))]
            rows.append({"sentence1": text, "sentence2": other[: len(other) // 2], "score": float(i % 2)})
        pd.DataFrame(rows).to_csv(tmp_path / name, index=False)
        return tmp_path / name

    tune, test = pairs("tune.csv", 0), pairs("test.csv", 60)
    said = run(
        "isotropy", corpora / "people.txt", "--tune", tune, "--test", test, "--layer", 1, "--pooling", "mean",
        "--no-normalize", "--resamples", 20, "--out", tmp_path / "i.html", "--save", tmp_path / "c.safetensors",
    )  # fmt: skip
    found = read_result(tmp_path / "i.json")
    assert found.reason in said and found.name == "people" and found.corrections.fit_on == "tune"
    assert found.provenance["command"].startswith("xembed isotropy ") and (tmp_path / "i.html").is_file()
    applied = found.recommendation != "none"
    assert (tmp_path / "c.safetensors").exists() == applied
    if applied:
        assert f"Correction: {tmp_path / 'c.safetensors'}" in said
        assert load_correction(tmp_path / "c.safetensors").n_samples_fit_ == found.corrections.n_fit
    else:
        assert "no correction is recommended" in said


def test_isotropy_of_embeddings(corpora, tmp_path):
    said = run("isotropy", corpora / "F.npy", "--resamples", 20, "--out", tmp_path / "i.html", "--name", "F")
    assert "IsoScore, debiased" in said and "No recommendation" in said
    run("isotropy", corpora / "F.npy", "--fit", corpora / "F.npy", "--resamples", 20, "--out", tmp_path / "j.html")
    assert read_result(tmp_path / "j.json").correction == "center"
    with pytest.raises(ValueError, match="The texts and --fit must both be texts, or both embeddings"):
        run("isotropy", corpora / "F.npy", "--fit", corpora / "people.txt", "--out", tmp_path / "k.html")
    assert not (tmp_path / "k.html").exists()


def test_depth_prints_and_writes(corpora, tmp_path):
    output = run("depth", corpora / "model.csv", "--reference", corpora / "people.txt", "--out", tmp_path / "d.csv",
                 "--top", "2")  # fmt: skip
    assert "deepest (typical)" in output and "shallowest (outliers)" in output
    frame = pd.read_csv(tmp_path / "d.csv")
    assert list(frame.columns) == ["row", "depth", "text"] and len(frame) == 40
    assert "40 texts, depth" in run("depth", corpora / "G.npy", "--top", "0")


def test_depth_prints_nothing_that_a_terminal_obeys(tmp_path):
    (tmp_path / "t.txt").write_text("first \x1b[2Jtext\nsecond \x07text\nthird " + "long " * 60, encoding="utf-8")
    output = run("depth", tmp_path / "t.txt")
    assert "first [2Jtext" in output and "\x1b" not in output and "\x07" not in output
    assert max(map(len, output.splitlines())) < 120


def test_embed_writes_what_the_encoder_gives(corpora, tmp_path):
    from xembed import load_encoder

    run(
        "embed",
        corpora / "people.txt",
        "--out",
        tmp_path / "X.npy",
        "--layer",
        "3",
        "--pooling",
        "max",
        "--no-normalize",
    )
    X = np.load(tmp_path / "X.npy", allow_pickle=False)
    texts = (corpora / "people.txt").read_text(encoding="utf-8").splitlines()
    expected = load_encoder(layer=3, pooling="max", normalize=False).encode(texts, cache=False)
    np.testing.assert_allclose(X, expected, atol=1e-5)
    assert X.dtype == np.float32


def test_cut_and_dropped_texts_are_warned_of(tmp_path):
    (tmp_path / "a.txt").write_text("word " * 40 + "\n\nshort one\nanother\n", encoding="utf-8")
    (tmp_path / "b.txt").write_text("one\ntwo\nthree\n", encoding="utf-8")
    run(
        "shift",
        tmp_path / "a.txt",
        tmp_path / "b.txt",
        "--max-length",
        "16",
        "--skip-blank",
        "--out",
        tmp_path / "r.html",
    )
    notes = " ".join(json.loads((tmp_path / "r.json").read_text())["warnings"])
    assert "1 of 3 texts of a is longer than 16 tokens and was cut" in notes
    assert "1 blank text was dropped from a" in notes


@pytest.mark.slow
def test_demo(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    output = run("demo")
    assert "“imitation” is collapsed" in output
    assert (tmp_path / "xembed-demo" / "product_reviews.html").is_file()
    assert (tmp_path / "xembed-demo" / "product_reviews.json").is_file()
    assert "A region that is new: " in run("demo", "support_tickets", "--words", "--out", tmp_path / "t.html")
    parts = json.loads((tmp_path / "t.json").read_text("utf-8"))["parts"]
    assert [part["schema"] for part in parts] == ["xembed.shift.ShiftResult/1", "xembed.attribution.ShiftExplanation/1"]


def test_cache_commands(corpora, tmp_path, monkeypatch):
    monkeypatch.setenv("XEMBED_CACHE", str(tmp_path / "cache"))
    assert "0 texts" in run("cache", "info")
    run("embed", corpora / "people.txt", "--out", tmp_path / "X.npy")
    assert re.search(r"40 texts", run("cache", "info")) and "all-MiniLM-L6-v2" in run("cache", "info")
    assert "MB" in run("cache", "clear")
    assert "0 texts" in run("cache", "info")


def bad_inputs(folder):
    (folder / "one.txt").write_text("only one\n")
    (folder / "empty.txt").write_text("")
    (folder / "blank.txt").write_text("a\n \nb\n")
    (folder / "latin.txt").write_bytes("Grüße\nnoch einer\n".encode("latin-1"))
    (folder / "good.txt").write_text("a good text\nanother good text\n")
    (folder / "table.csv").write_text("title,summary\na,b\nc,d\n")
    (folder / "broken.jsonl").write_text('{"text": "a"}\n{"text": \n')
    (folder / "broken.npy").write_bytes(b"\x93NUMPY nonsense")
    np.save(folder / "objects.npy", np.array([{}, None], dtype=object), allow_pickle=True)
    for name, value in (("nan", np.nan), ("inf", np.inf), ("zero", 0.0)):
        X = np.ones((6, 3)) + np.arange(18).reshape(6, 3)
        X[4] = value
        np.save(folder / f"{name}.npy", X)
    np.save(folder / "good.npy", np.ones((6, 3)) + np.arange(18).reshape(6, 3))
    np.save(folder / "wide.npy", np.ones((6, 4)))


@pytest.mark.parametrize(
    ("f", "g", "options", "message"),
    [
        ("one.txt", "good.txt", [], "F must hold at least 2 rows"),
        ("empty.txt", "good.txt", [], "holds no texts"),
        ("blank.txt", "good.txt", [], r"blank.*line 2.*--skip-blank"),
        ("latin.txt", "good.txt", [], "UTF-8"),
        ("missing.txt", "good.txt", [], "missing.txt"),
        ("table.csv", "good.txt", [], "summary.*title|title.*summary"),
        (
            "table.csv",
            "good.txt",
            ["--text-column", "txt"],
            r"'--text-column': must be one of \{'summary', 'title'\}. Got 'txt' instead",
        ),
        ("broken.jsonl", "good.txt", [], "line 2"),
        ("broken.npy", "good.npy", [], "broken.npy"),
        ("objects.npy", "good.npy", [], "objects"),
        ("nan.npy", "good.npy", [], r"F holds 1 row that is not finite \(NaN or inf\) \(first: row 4\)"),
        ("good.npy", "inf.npy", [], r"G holds 1 row that is not finite"),
        ("zero.npy", "good.npy", [], r"F holds 1 row that is zero \(first: row 4\)"),
        ("good.npy", "wide.npy", [], "same number of dimensions. Got 3 and 4"),
        ("good.npy", "good.txt", [], "must both be texts, or both embeddings"),
        ("good.npy", "good.npy", ["--alpha", "2"], "'--alpha': must be a number"),
        ("good.txt", "good.txt", ["--layer", "99"], "'--layer': must be"),
        ("good.txt", "good.txt", ["--device", "nonsense"], "'--device': must be"),
        ("good.txt", "good.txt", ["--model", "./no/such/folder"], "no/such/folder"),
        ("good.npy", "good.npy", ["--out", "no/such/r.html"], "the folder 'no/such' does not exist"),
        ("good.npy", "good.npy", ["--out", "r.json"], "'--out': must end in .html or .htm"),
    ],
)
def test_bad_input_is_one_clear_error_and_leaves_nothing(tmp_path, monkeypatch, capsys, f, g, options, message):
    bad_inputs(tmp_path)
    monkeypatch.chdir(tmp_path)
    before = sorted(p.name for p in tmp_path.iterdir())
    monkeypatch.setattr(sys, "argv", ["xembed", "shift", f, g, *options])
    with pytest.raises(SystemExit) as stop:
        main()
    captured = capsys.readouterr()
    assert stop.value.code == (2 if message.startswith("'--") else 1)  # usage, or files
    assert captured.err.startswith("xembed: error: ") and "Traceback" not in captured.err
    assert re.search(message, captured.err, re.DOTALL), captured.err
    assert sorted(p.name for p in tmp_path.iterdir()) == before


def test_embed_and_depth_refuse_before_they_work(tmp_path, monkeypatch, capsys):
    bad_inputs(tmp_path)
    monkeypatch.chdir(tmp_path)
    run("embed", "good.txt", "--out", "X.csv", code=2)
    for arguments, message in [
        (["embed", "good.npy", "--out", "X.npy"], "holds embeddings already"),
        (["embed", "good.txt", "--out", "no/X.npy"], "does not exist"),
        (["depth", "good.txt", "--out", "d.xls"], "must end in one of"),
    ]:
        monkeypatch.setattr(sys, "argv", ["xembed", *arguments])
        with pytest.raises(SystemExit):
            main()
        assert re.search(message, capsys.readouterr().err)
