"""What explanations of embeddings are said to do, on real texts; whole tables: docs/measurements/attribution.md."""

import json
import os

import numpy as np
import pytest

from xembed.attribution import Similarity, explain, explain_similarity, trust_check
from xembed.concepts import explain_axes, make_axes
from xembed.datasets import load_corpora, load_geco, load_gendered_pairs, load_sts

FULL = bool(os.environ.get("XEMBED_FULL"))
WORDS = {
    "number": ("dog car house friend letter tree", "dogs cars houses friends letters trees"),
    "tense": ("walks opens says works calls plays", "walked opened said worked called played"),
    "sentiment": ("terrible bad awful hated ugly sad", "wonderful good excellent loved beautiful happy"),
}

pytestmark = pytest.mark.slow


def test_planted_words_are_found_in_a_narrow_corpus(encoder):
    found = trust_check(
        encoder,
        load_corpora("support_tickets").texts,
        methods=["lime", "occlusion"],
        targets=["nearest_similarity"],
        n_texts=180 if FULL else 12,
    )
    print(found.verdict)
    assert found.recommended == "lime" and found.trusted
    assert found.methods[0].auroc > (0.93 if FULL else 0.88)
    assert found.untrained < 0.8 * found.methods[0].auroc
    assert found.deletion > 0.6


def test_words_are_no_reasons_in_open_questions(encoder, real_data):
    lines = (real_data / "corpora" / "trec_questions.jsonl").read_text(encoding="utf-8").split("\n")
    texts = [json.loads(line)["text"] for line in lines[: 2000 if FULL else 200] if line]
    found = trust_check(encoder, texts, methods=["lime"], targets=["nearest_similarity"], n_texts=60 if FULL else 14)
    print(found.verdict)
    assert not found.trusted and "can't be trusted" in found.verdict


def test_deleting_the_first_word_changes_the_similarity(encoder, real_data):
    (pairs,) = load_sts(real_data / "sts" / "STSBenchmark" / "sts-dev.csv")
    rows = [(a, b) for a, b in zip(pairs.first, pairs.second, strict=True) if min(len(a.split()), len(b.split())) >= 5]
    chosen = np.random.default_rng(1).choice(len(rows), size=300 if FULL else 30, replace=False)
    rows = [rows[place] for place in chosen]
    changes = explain(
        encoder, [a for a, _ in rows], method="occlusion", target=Similarity([b for _, b in rows]), progress=False
    )
    wins = []
    for (a, b), change in zip(rows, changes.values, strict=True):
        sizes, first = np.abs(change), int(np.abs(explain_similarity(encoder, a, b).values_a).argmax())
        wins.append((sizes[first] > np.delete(sizes, first)).mean())
    print(f"last layer: {np.mean(wins):.3f} of {len(rows)} pairs")
    assert np.mean(wins) >= 0.8


def test_gender_is_the_first_axis_of_a_gendered_pair(encoder, real_data):
    ends = {"gender": forms(load_gendered_pairs())} | {
        name: (low.split(), high.split()) for name, (low, high) in WORDS.items()
    }
    axes = make_axes(encoder, ends)
    for variant in ("binary_gender_all", "binary_gender_subj"):
        data = load_geco(real_data / "geco", variant, "test")
        found = explain_axes(encoder, *forms(data if FULL else data.sample(60)), axes)
        share = np.mean([name == "gender" for name in found.first])
        print(f"{variant}: gender first in {share:.3f} of {len(found.first)} pairs")
        assert share >= 0.95


def forms(data):
    """Return the male and the female texts of pairs, row by row."""
    texts, rows = data.texts, list(data.complete_groups().values())
    places = [data.classes.index(name) for name in ("male", "female")]
    return tuple([texts[of_pair[place]] for of_pair in rows] for place in places)
