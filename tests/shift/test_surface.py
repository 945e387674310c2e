"""Surface features: the features, the effects, all together, real corpora."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xembed.shift._surface import _FEATURES, SurfaceResult, compare_surface, surface_features

WORDS = ["the", "parcel", "router", "came", "late", "again", "and", "nobody", "rang", "about", "it", "until", "Monday"]


def sentences(n, seed=0):
    rng = np.random.default_rng(seed)
    return [" ".join(rng.choice(WORDS, rng.integers(5, 12))) + "." for _ in range(n)]


def measure(text):
    return dict(zip([name for name, _, _ in _FEATURES], surface_features([text])[0], strict=True))


def test_features_by_hand():
    found = measure(" Dr “Ab” isn't 5 ,  ok?\n\tYes…")
    assert found["characters"] == 29 and found["words"] == 6
    assert found["word_length"] == pytest.approx(15 / 6)
    assert found["sentences"] == 2
    assert found["upper_case"] == pytest.approx(3 / 13)
    assert found["digits"] == pytest.approx(1 / 29)
    assert found["punctuation"] == pytest.approx(6 / 29)
    assert found["non_ascii"] == pytest.approx(3 / 29)
    assert (found["newlines"], found["tabs"], found["double_spaces"], found["spaced_punctuation"]) == (1, 1, 1, 1)
    assert (found["leading_space"], found["trailing_space"]) == (1, 0)
    assert (found["curly_quotes"], found["straight_quotes"]) == (2, 1)
    assert (found["terminal_punctuation"], found["upper_start"], found["word_variety"]) == (1, 1, 1.0)


@pytest.mark.parametrize(
    ("text", "count"),
    [("One. Two.", 2), ("One. Two", 2), ("", 0), ("...", 1), ("v1.2 is out", 1), ('He said "no." Then left.', 2)],
)
def test_sentences_are_counted(text, count):
    assert measure(text)["sentences"] == count


def test_line_breaks_of_all_systems_count_once():
    assert [measure(text)["newlines"] for text in ("a\nb", "a\r\nb", "a\rb", "a\r\n\r\nb")] == [1, 1, 1, 2]


def test_blank_texts_have_zeros():
    for text in ("", " \n"):
        found = measure(text)
        assert all(np.isfinite(list(found.values())))
        assert (found["words"], found["word_length"], found["upper_case"], found["word_variety"]) == (0, 0, 0, 0)


def test_repeats_are_marked():
    assert surface_features(["a", "b", "a"])[:, -1].tolist() == [1, 0, 1]


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("words", lambda t: f"{t[:-1]} {t[:-1]} {t}"),
        ("upper_case", str.upper),
        ("digits", lambda t: t.replace("e", "3")),
        ("newlines", lambda t: t.replace(" ", "\n", 2)),
        ("tabs", lambda t: t.replace(" ", "\t", 1)),
        ("double_spaces", lambda t: t.replace(" ", "  ")),
        ("spaced_punctuation", lambda t: t.replace(".", " .")),
        ("leading_space", lambda t: " " + t),
        ("trailing_space", lambda t: t + " "),
        ("curly_quotes", lambda t: f"“{t}”"),
        ("straight_quotes", lambda t: f'"{t}"'),
        ("non_ascii", lambda t: t.replace("a", "á").replace("e", "é")),
        ("upper_start", lambda t: t.capitalize()),
        ("repeated", lambda t: "the same text."),
    ],
)  # fmt: skip
def test_a_planted_artefact_comes_first(name, change):
    F = [text.lower() for text in sentences(60)]
    result = compare_surface(F, [change(text.lower()) for text in sentences(60, seed=1)])
    planted = next(feature for feature in result.features if feature.name == name)
    assert abs(planted.effect) > 0.8
    assert abs(planted.effect) >= abs(result.features[0].effect) - 1e-12
    assert planted.qvalue < 1e-6 and planted.label in result.verdict
    assert result.verdict.startswith("Surface features that differ and may explain the shift: ")


def test_effect_is_that_of_all_pairs():
    F, G = sentences(25), [text + " Thanks." for text in sentences(31, seed=1)]
    x, y = surface_features(F), surface_features(G)
    for feature in compare_surface(F, G).features:
        i = [name for name, _, _ in _FEATURES].index(feature.name)
        pairs = np.sign(y[:, i] - x[:, i][:, None])
        assert feature.effect == pytest.approx(pairs.mean(), abs=1e-12)
        assert feature.interval[0] - 1e-9 <= feature.effect <= feature.interval[1] + 1e-9
        assert feature.mean_F == pytest.approx(x[:, i].mean()) and feature.median_G == np.median(y[:, i])


def test_all_features_together():
    same = compare_surface(sentences(100), sentences(100, seed=1))
    assert 0.35 <= same.auc <= 0.65 and same.n_different == 0
    assert same.verdict.startswith("No notable difference in surface features")
    apart = compare_surface(sentences(60), [text.replace(" ", "  ") for text in sentences(60, seed=1)])
    assert apart.auc > 0.99
    few = compare_surface(sentences(19), sentences(60, seed=1))
    assert few.auc is None and "Too few different texts" in few.warnings[0]
    assert "AUC" not in few.verdict


def test_repeated_texts_do_not_teach_the_classifier():
    F, G = sentences(25), sentences(25, seed=1)
    assert compare_surface(F * 20, G * 20).auc == compare_surface(F * 2, G * 2).auc
    assert compare_surface(["same text."] * 500, sentences(60)).auc is None


def test_large_corpora_are_thinned(monkeypatch):
    monkeypatch.setattr("xembed.shift._surface._MOST", 50)
    result = compare_surface(sentences(200), [text.upper() for text in sentences(60, seed=1)])
    assert result.auc > 0.95 and "50 texts of a corpus at most" in result.warnings[0]


def test_long_rows_of_dots_take_no_long_time():
    assert measure("." * 300_000 + "x")["characters"] == 300_001  # a backtracking expression would take hours


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=40), min_size=2, max_size=8))
@settings(max_examples=25, deadline=None)
def test_any_text_is_taken(texts):
    result = compare_surface(texts[:1], texts[1:])
    assert SurfaceResult.from_json(result.to_json()).to_json() == result.to_json()
    assert all(-1 <= feature.effect <= 1 and 0 < feature.pvalue <= 1 for feature in result.features)


def test_same_call_same_result_and_round_trip():
    F, G = sentences(40), [text + " Ok!" for text in sentences(40, seed=1)]
    result = compare_surface(F, G, names=("old", "new"))
    assert result.to_json() == compare_surface(F, G, names=("old", "new")).to_json()
    data = json.loads(result.to_json())
    assert (
        data["schema"] == "xembed.shift.SurfaceResult/1"
        and data["features"][0]["schema"] == "xembed.shift.SurfaceFeature/1"
    )
    assert SurfaceResult.from_json(result.to_json()).to_json() == result.to_json()
    frame = result.to_frame()
    assert len(frame) == len(_FEATURES) == 20
    assert (frame.effect.abs().diff().dropna() <= 1e-12).all()


def test_swapping_turns_the_signs():
    F, G = sentences(40), [text + " Ok!" for text in sentences(30, seed=1)]
    one = {feature.name: feature for feature in compare_surface(F, G).features}
    for feature in compare_surface(G, F).features:
        assert feature.effect == pytest.approx(-one[feature.name].effect, abs=1e-12)
        assert feature.pvalue == pytest.approx(one[feature.name].pvalue, abs=1e-12)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: compare_surface([], ["a"]), ValueError, "texts_F must hold at least 1 text"),
        (lambda: compare_surface(["a"], [None]), TypeError, "texts_G holds 1 item that is not a string"),
        (lambda: compare_surface(["a"], ["\udc80"]), ValueError, "texts_G holds text that is not valid Unicode"),
        (lambda: compare_surface(["a"], ["b"], fdr=0), ValueError, "The 'fdr' parameter of compare_surface"),
        (lambda: compare_surface(["a"], ["b"], names=("", "x")), ValueError, "The 'names' parameter of compare_su"),
    ],
)  # fmt: skip
def test_documented_errors(call, error, message):
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize(
    ("file", "model", "lowest", "first"),
    [
        ("human_vs_gpt35turbo", "gpt-3.5-turbo", 0.8, "upper_case"),
        ("human_vs_gpt2xl", "gpt2-xl", 0.6, "word_variety"),
    ],
)
def test_people_and_models_differ_in_form(real_data, file, model, lowest, first):
    lines = (real_data / "corpora" / f"{file}.jsonl").read_text(encoding="utf-8").split("\n")
    rows = [json.loads(line) for line in lines if line]
    half = set(sorted({row["pair"] for row in rows})[::2])  # pairs depend: one side of each half
    people = [row["text"] for row in rows if row["label"] == "human" and row["pair"] in half][:225]
    models = [row["text"] for row in rows if row["label"] == model and row["pair"] not in half][:225]
    result = compare_surface(people, models)
    assert result.auc > lowest and result.features[0].name == first
    own = compare_surface(people[::2], people[1::2])
    assert own.n_different == 0 and 0.4 < own.auc < 0.6
