"""Texts of which an encoder reads nothing: verdict, finding and pages say so before any number."""

import json
from dataclasses import replace

import numpy as np
import pytest
from models import definitions, save_lexicographer, save_small, small_pairs
from typer.testing import CliRunner

import xembed
from xembed import read_result
from xembed.attribution import explain_similarity
from xembed.cli import app
from xembed.datasets import STSPairs
from xembed.defsent import DefSentPlus
from xembed.depth import find_outliers
from xembed.encoders import encode_texts
from xembed.geco import make_classifier, train
from xembed.isotropy import compare_corrections, evaluate_sts
from xembed.shift import compare_corpora, drift_over_time

UNREAD = [f"{a} {b}" + " 🎈" * i for i, a in enumerate("🚀🐙🌵🍕🎻") for b in "🛸🧩🪁🦉🐢🦑"]
READ = [f"The {a} is {b}." for a in ("cat", "house", "train", "soup", "letter") for b in ("old", "late", "red", "hot")]
SAME = ["Good day", "good day", "GOOD DAY", "Good Day"] * 6
NOTHING = "nothing can be said of what they say."


def test_the_share_of_texts_of_which_nothing_is_read(encoder):
    assert encode_texts(encoder, [*UNREAD[:3], READ[0]]).unread == 0.75
    assert encode_texts(encoder, ["a 🚀"]).unread == 0
    assert encode_texts(encoder, ["\u200b\u200b", "a"]).unread == 0.5  # no token but special ones


@pytest.mark.parametrize("share", [1.0, 0.6, 0.4])
def test_a_shift_of_texts_that_are_not_read(encoder, share):
    n = round(20 * share)
    G = [*UNREAD[:n], *READ[: 20 - n]]
    found = compare_corpora(READ, G, encoder=encoder, names=("before", "after"), n_resamples=99)
    assert found.unread == (0.0, share)
    options = {"n_resamples": 99, "names": ("before", "after"), "texts": (READ, G)}
    alone = compare_corpora(*(encoder.encode(texts) for texts in (READ, G)), **options)
    assert found.shifted == alone.shifted and found.pvalue == alone.pvalue
    if share < 0.5:
        assert found.verdict == alone.verdict and "not read" not in found.html()
        return
    lead = f"The encoder reads nothing of {'' if share == 1 else '60 % of '}the texts of “after”: {NOTHING}"
    assert found.verdict == f"{lead} Of the embeddings alone: {alone.verdict}"
    assert ("Shift found, but texts are not read" if found.shifted else "Texts are not read") in found.to_markdown()
    assert type(found).from_json(found.to_json()).unread == found.unread


def test_two_corpora_of_which_nothing_is_read(encoder):
    found = compare_corpora(UNREAD[::2], UNREAD[1::2], encoder=encoder, n_resamples=99)
    lead = "The encoder reads nothing of the texts of “F” and nothing of the texts of “G”"
    assert found.verdict.startswith(f"{lead}: {NOTHING}") and not found.shifted
    assert "○ Texts are not read" in found.to_markdown() and "No shift found" not in found.html()


def test_texts_that_the_encoder_gives_the_same_embedding(encoder):
    lead = "The encoder gives all these texts the same embedding: nothing can be said of how they differ."
    found = compare_corpora(SAME[:12], SAME[12:], encoder=encoder, n_resamples=99)
    assert found.verdict.startswith(lead) and found.unread == (1.0, 1.0)
    outliers = find_outliers(SAME, encoder=encoder)
    assert outliers.verdict.startswith(lead) and outliers.unread == 1
    assert explain_similarity(encoder, *SAME[:2], trust=False).unread == lead
    # One text many times is no fault of the encoder.
    assert compare_corpora(SAME[:1] * 9, SAME[:1] * 9, encoder=encoder, n_resamples=99).unread == (0.0, 0.0)
    assert not explain_similarity(encoder, *SAME[:1] * 2, trust=False).unread


def test_drift_of_texts_that_are_not_read(encoder):
    X = [*READ, *UNREAD]
    options = {"reference": 20, "window": 10, "encoder": encoder, "n_resamples": 99}
    found = drift_over_time(X, np.arange(len(X)), **options)
    assert found.unread == (0.6, 0.6) and found.verdict.startswith("The encoder reads nothing of 60 % of the texts of")
    before = drift_over_time(UNREAD, np.arange(len(UNREAD)), **(options | {"reference": READ}))
    assert before.unread == (0.0, 1.0)
    lead = f"The encoder reads nothing of the texts of “stream”: {NOTHING} Of the embeddings alone: "
    assert before.verdict.startswith(lead)
    assert "not read" in before.to_markdown()


def test_outliers_among_texts_that_are_not_read(encoder):
    found = find_outliers(UNREAD, encoder=encoder)
    assert found.verdict.startswith(f"The encoder reads nothing of these texts: {NOTHING}") and found.unread == 1
    assert "! Texts are not read" in found.to_markdown()
    beside = find_outliers(READ, reference=UNREAD, encoder=encoder)
    assert beside.verdict.startswith(f"The encoder reads nothing of the reference: {NOTHING}")


def test_a_similarity_of_texts_that_are_not_read(encoder):
    found = explain_similarity(encoder, UNREAD[0], UNREAD[1], trust=False)
    assert found.unread == f"The encoder reads nothing of text_a and nothing of text_b: {NOTHING}"
    assert found.similarity > 0.999
    assert found.to_markdown().index("reads nothing") < found.to_markdown().index("The cosine of the two texts")
    html = found._repr_html_()
    assert html.index("reads nothing") < html.index("Cosine 1.000")
    assert explain_similarity(encoder, READ[0], READ[1], trust=False).unread == ""


@pytest.mark.parametrize("unread", [0.5, (0.5,), "ab", (0.1, 1.5), (0.1, None)])
def test_shares_that_are_none(unread):
    X = np.eye(30)
    with pytest.raises((TypeError, ValueError), match="'unread' parameter of compare_corpora must be a"):
        compare_corpora(X, X, unread=unread)
    with pytest.raises((TypeError, ValueError), match="'unread' parameter of drift_over_time must be a"):
        drift_over_time(X, np.arange(30), reference=10, window=10, unread=unread)


def test_commands_say_it_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, texts in (("a.txt", UNREAD[::2]), ("b.txt", UNREAD[1::2]), ("c.txt", READ)):
        (tmp_path / name).write_text("\n".join(texts), encoding="utf-8")

    def run(*arguments):
        found = CliRunner().invoke(app, [*arguments], catch_exceptions=False)
        assert found.exit_code == 0, found.output
        return found.stdout

    said = run("shift", "a.txt", "b.txt", "--fail-on-shift", "--out", "shift.html")
    assert said.startswith("The encoder reads nothing of the texts of “a” and nothing of the texts of “b”")
    assert json.loads((tmp_path / "shift.json").read_text("utf-8"))["unread"] == [1.0, 1.0]
    assert "Texts are not read" in (tmp_path / "shift.html").read_text("utf-8")
    assert read_result(tmp_path / "shift.json").unread == (1.0, 1.0)
    said = run("drift", "a.txt", "--reference", "c.txt", "--window", "10", "--out", "drift.html")
    assert said.startswith("The encoder reads nothing of the texts of “a”")
    assert run("depth", "a.txt").startswith("The encoder reads nothing of these texts")
    assert run("depth", "c.txt", "--reference", "a.txt").startswith("The encoder reads nothing of the reference")
    assert run("depth", "c.txt").startswith("20 texts, depth")
    said = run("explain", "--similarity", UNREAD[0], UNREAD[1])
    assert said.index("reads nothing of text_a and nothing of text_b") < said.index("Cosine 1.000")


# ---- what is trained or scored


def test_pairs_and_corrections_say_what_is_not_read(encoder):
    pairs = STSPairs("mine", [*READ[:9], UNREAD[0]], [*READ[9:18], UNREAD[1]], list(np.linspace(0, 5, 10)))
    read = STSPairs("read", pairs.first[:9], pairs.second[:9], [0, 1, 2, 3, 4, 4, 3, 2, 1])
    start = "2 of 20 texts of mine hold only tokens that the encoder does not know (first: '🚀 "
    assert any(note.startswith(start) for note in evaluate_sts(encoder, pairs).notes)
    assert not any("does not know" in note for note in evaluate_sts(encoder, read).notes)
    compared = compare_corrections(encoder, fit_texts=[*READ, *UNREAD], test=pairs, transductive=True)
    assert any("hold only tokens that the encoder does not know" in note for note in compared.notes)


def test_a_dictionary_that_is_not_read(tmp_path):
    encoder = xembed.load_encoder(save_lexicographer(tmp_path / "model"), pooling="mean", device="cpu")
    options = {"epochs": 1, "rounds": 1, "batch_size": 16, "device": "cpu", "progress": False}
    unread = {entry: [f"{a} {b}" for a, b in (("zig", "zag"), ("zug", entry * 2))] for entry in ("cat", "dog")}
    found = DefSentPlus(encoder, **options).fit(definitions() | unread).result_
    start = "2 of 70 texts of the dictionary hold only tokens that the encoder does not know (first: 'zig zag')"
    assert any(note.startswith(start) for note in found.notes)
    assert not any("does not know" in n for n in DefSentPlus(encoder, **options).fit(definitions()).result_.notes)


def test_sentences_of_the_benchmark_that_are_not_read(tmp_path):
    model, tokenizer = make_classifier(save_small(tmp_path / "model"), 2)
    pairs = small_pairs(12)
    strange = replace(pairs, sentences=[["zig", *words[1:]] for words in pairs.sentences])
    with pytest.warns(UserWarning, match="of the .* tokens of small are unknown to the encoder"):
        trained = train(model, tokenizer, strange, "C", epochs=1, device="cpu", progress=False)
    assert "tokens of small are unknown" in trained.record.warnings[0]
    assert train(model, tokenizer, pairs, "C", epochs=1, device="cpu", progress=False).record.warnings == ()
