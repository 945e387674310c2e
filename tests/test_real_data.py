"""On real texts, which are not ours to publish: read where they lie, skipped where they are not."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from xembed.cli import app
from xembed.datasets import read_texts

pytestmark = pytest.mark.slow  # as a whole: it takes many seconds


def shift(folder, F, G, *options):
    """Run the command on two lists of texts and return the data of its report."""
    for name, texts in (("F", F), ("G", G)):
        lines = (json.dumps({"text": text}, ensure_ascii=False) + "\n" for text in texts)
        (folder / f"{name}.jsonl").write_text("".join(lines), encoding="utf-8")
    arguments = ["shift", str(folder / "F.jsonl"), str(folder / "G.jsonl"), "--out", str(folder / "r.html"), *options]
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return json.loads((folder / "r.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", ["human_vs_gpt35turbo", "human_vs_gpt2xl", "sms_spam", "subj_5k", "trec_questions",
                                  "us_inaugural_paragraphs"])  # fmt: skip
def test_reads_every_corpus_line_by_line(real_data, name):
    path = real_data / "corpora" / f"{name}.jsonl"
    with path.open(encoding="utf-8", newline="\n") as file:
        expected = [json.loads(line)["text"] for line in file]
    assert list(read_texts(path).texts) == expected


def test_gendered_forms_of_the_same_sentences_differ(real_data, tmp_path):
    rows = [json.loads(line) for line in (real_data / "geco/binary_gender_all/train.jsonl").open(encoding="utf-8")]
    forms = [[" ".join(row["sentence"]) for row in rows if row["gender"] == g][:300] for g in ("female", "male")]
    data = shift(tmp_path, *forms)
    assert data["shifted"] and data["similarity_within_F"] > data["similarity_within_G"]


def test_random_halves_of_one_corpus_do_not(real_data, tmp_path):
    texts = read_texts(real_data / "corpora" / "trec_questions.jsonl").texts
    some = np.random.default_rng(0).permutation(len(texts))[:400]
    data = shift(tmp_path, [texts[i] for i in some[:200]], [texts[i] for i in some[200:]])
    assert not data["shifted"]


def test_spam_is_nearer_to_its_center_than_ham(real_data, tmp_path):
    table = read_texts(real_data / "corpora" / "sms_spam.jsonl")
    ham, spam = (table.where(label=label).texts[:200] for label in ("ham", "spam"))
    data = shift(tmp_path, ham, spam)
    assert data["shifted"] and data["similarity_within_G"] > data["similarity_within_F"]
