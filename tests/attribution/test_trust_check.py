"""The check of trust: what is planted, how it is scored, and what is concluded."""

import copy
import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from models import Bag
from sklearn.metrics import roc_auc_score

import xembed
from xembed.attribution import METHODS, MethodTrust, TrustResult, trust_check
from xembed.attribution._trust import plant, planted_auroc, untrained_copy
from xembed.datasets import load_corpora
from xembed.datasets._word_lists import read_word_lists
from xembed.isotropy import Whitening, wrap

OFF_TOPIC = read_word_lists("off_topic")["words"]
WORDS = ["router", "bill", "line", "speed", "engineer", "call", "wifi", "month"]
# Sixteen texts of five words about the same.
TEXTS = [" ".join(np.random.default_rng(i).choice(WORDS, size=5)) for i in range(16)]
FAST = {"methods": ["occlusion"], "targets": ["nearest_similarity"], "n_samples": 10}


@pytest.fixture(scope="module")
def tickets():
    texts = sorted(load_corpora("support_tickets").texts, key=lambda text: (len(text.split()), text))
    return texts[40:130:3]


def make_bag(odd=None, width=6):
    """Return an encoder for which all words of the corpus point east, and words to plant where ``odd`` says."""
    east, north = np.eye(width)[:2]
    vectors = {word: east for word in WORDS} | {word: north if odd is None else odd for word in OFF_TOPIC}
    return Bag(vectors)


def planted_in(texts=TEXTS, reference=None, *, n_texts=6, n_words=(2, 4), off_topic=None, seed=0):
    found = plant(
        texts, reference, n_texts=n_texts, n_words=n_words, off_topic=off_topic,
        rng=np.random.default_rng(seed), caller="trust_check",
    )  # fmt: skip
    return found, list(found.words)


def without_time(result):
    data = result.to_dict()
    for method in data["methods"]:
        del method["seconds"]
    return data


# ---- planting


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.lists(st.sampled_from([*WORDS, "Falcon,", "(guitar)", "COMET"]), min_size=1, max_size=7), min_size=6),
    st.integers(0, 99),
    st.integers(1, 3),
    st.integers(0, 2),
)
def test_what_is_planted(rows, seed, low, more):
    texts = [" ".join(words) for words in rows] + TEXTS
    found, words = planted_in(texts, n_words=(low, low + more), seed=seed)
    known = {word.strip(".,()").lower() for text in texts for word in text.split()}
    assert not {word.lower() for word in words} & known
    assert set(words) == {word for word in OFF_TOPIC if word.lower() not in known}
    originals = []
    for of_text, marks in zip(found.rows, found.planted, strict=True):
        assert len(of_text) == len(marks) and low <= marks.sum() <= low + more
        planted = [word for word, mark in zip(of_text, marks, strict=True) if mark]
        assert set(planted) <= set(words) and len(set(planted)) == len(planted)
        originals.append(" ".join(word for word, mark in zip(of_text, marks, strict=True) if not mark))
        assert len(originals[-1].split()) >= 4
    # Each text is either planted in or part of the corpus, in its order.
    assert sorted([*originals, *found.reference]) == sorted(texts)
    left = iter(texts)
    assert all(text in left for text in found.reference)
    assert 2 <= len(found.rows) <= min(6, len(texts) // 2)


def test_words_stand_anywhere():
    found, _ = planted_in(TEXTS * 10, n_texts=80)
    places = np.concatenate([np.flatnonzero(marks) / (len(marks) - 1) for marks in found.planted])
    assert places.min() == 0 and places.max() == 1 and abs(places.mean() - 0.5) < 0.1


def test_a_reference_is_kept_and_all_texts_may_be_planted_in():
    found, words = planted_in(TEXTS, ["the falcon flies", "two goblins"], n_texts=100)
    assert len(found.rows) == 16 and found.reference == ["the falcon flies", "two goblins"]
    assert "falcon" not in words and "goblin" in words


def test_own_words():
    found, words = planted_in(off_topic=["quark", "Router", "gluon", "quark"], n_words=(2, 2))
    assert words == ["quark", "gluon"]
    for of_text, marks in zip(found.rows, found.planted, strict=True):
        assert {word for word, mark in zip(of_text, marks, strict=True) if mark} == {"quark", "gluon"}


def test_the_words_that_come_with_it():
    assert len(OFF_TOPIC) == len(set(OFF_TOPIC)) >= 150
    assert all(word.isalpha() and word.islower() for word in OFF_TOPIC)


# ---- scores


def test_auroc_by_hand():
    away = [np.array([3.0, 1.0, 2.0]), np.array([0.0, 0.0, 5.0]), np.array([1.0, 4.0]), np.array([-1.0, 2.0, 2.0, 0.0])]
    marks = [[True, False, False], [True, False, False], [True, False], [False, True, False, True]]
    found = planted_auroc(away, [np.array(of_text) for of_text in marks])
    # 3 beats 1 and 2; 0 ties with 0 and loses to 5; 1 loses to 4; 2 beats -1 and ties, 0 beats -1 and loses to 2.
    np.testing.assert_allclose(found, [1.0, 0.25, 0.0, (1 + 0.5 + 1 + 0) / 4])


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(-3, 3), st.booleans()), min_size=2).filter(lambda x: len({m for _, m in x}) == 2))
def test_auroc_is_that_of_scikit_learn(rows):
    values, marks = (np.array(column) for column in zip(*rows, strict=True))
    (found,) = planted_auroc([values.astype(float)], [marks])
    assert found == pytest.approx(roc_auc_score(marks, values))


def test_words_that_point_elsewhere_are_found():
    found = trust_check(make_bag(), TEXTS, **FAST, n_texts=6, n_words=(1, 1))
    (row,) = found.methods
    assert row.auroc == 1 and row.interval == (1, 1) and row.first == 1 and found.deletion == 1
    assert found.trusted and found.recommended == "occlusion" and found.recommended_target == "nearest_similarity"
    assert found.untrained is None and row.completeness is None
    assert found.verdict.startswith("Planted words are found: AUROC 1.00 (1.00 to 1.00) with Occlusion")
    assert found.n_texts == 6 and found.n_reference == 10 and found.n_planted == 6


def test_words_that_nothing_tells_apart_are_not_found():
    found = trust_check(make_bag(odd=np.eye(6)[0]), TEXTS, **FAST, n_texts=6)
    # Each word has the same vector, so all values of a text are the same: ties count half.
    assert found.methods[0].auroc == pytest.approx(0.5, abs=0.2) and not found.trusted
    assert found.verdict.startswith("Words can't be trusted as reasons here: AUROC") and "too broad" in found.verdict


def test_words_that_pull_towards_the_corpus_are_the_opposite_of_found():
    vectors = {word: np.array([1.0, 1.0, 0.0]) for word in WORDS}
    vectors |= {word: np.array([1.0, 0.0, 0.0]) for word in OFF_TOPIC}
    corpus = Bag(vectors | {"east": np.array([1.0, 0.0, 0.0])})
    found = trust_check(corpus, TEXTS, reference=["east", "east east", "east"], **FAST)
    assert found.methods[0].auroc == 0 and found.methods[0].first == 0 and not found.trusted


@pytest.mark.parametrize("threshold", [0.6, 0.9])
def test_the_threshold_decides_about_the_lower_end(threshold):
    rng = np.random.default_rng(5)
    vectors = {word: np.append(1.0, rng.normal(size=5)) for word in WORDS}
    vectors |= {word: rng.normal(size=6) for word in OFF_TOPIC}
    found = trust_check(Bag(vectors), TEXTS * 3, **FAST, threshold=threshold)
    low, high = found.methods[0].interval
    assert low < found.methods[0].auroc < high and 0.6 < low < 0.9  # else this test tells nothing
    assert found.threshold == threshold and found.trusted == (low >= threshold)
    assert (f"where {threshold:.2f} is required" in found.verdict) != found.trusted


@pytest.mark.slow
def test_methods_without_signs_are_measured_and_never_recommended(encoder):
    texts = load_corpora("support_tickets").texts[:40]
    found = trust_check(encoder, texts, methods=["saliency_l2", "occlusion"], targets=["nearest_similarity"], n_texts=8)
    assert [row.signed for row in found.methods] == [True, False] and found.recommended == "occlusion"
    # Planted words are nouns: easily told from small words, less easily from words of content.
    assert 0.5 < found.methods[1].content < found.methods[1].auroc
    alone = trust_check(encoder, texts, methods=["saliency_l2"], targets=["nearest_similarity"], n_texts=8)
    assert not alone.trusted and "has no signs" in alone.verdict


def test_methods_come_best_first_with_what_they_are():
    found = trust_check(make_bag(), TEXTS, methods=["occlusion", "shapley_sampling", "lime"], n_samples=30, n_texts=4)
    assert len(found.methods) == 6 and {row.target for row in found.methods} == {"depth", "nearest_similarity"}
    aurocs = [row.auroc for row in found.methods]
    assert aurocs == sorted(aurocs, reverse=True)
    best = found.methods[0]
    assert (best.method, best.target) == (found.recommended, found.recommended_target)
    for row in found.methods:
        assert isinstance(row, MethodTrust) and row.label == METHODS[row.method].label and row.seconds > 0
        assert 0 <= row.interval[0] <= row.auroc <= row.interval[1] <= 1
        assert (row.completeness is None) == (row.method == "occlusion") or row.method == "lime"
    frame = found.to_frame()
    assert frame.auroc.tolist() == aurocs and set(frame.columns) > {"method", "target", "low", "high", "first"}


def test_examples_are_texts_with_what_was_said():
    found = trust_check(make_bag(), TEXTS, **FAST, n_texts=6)
    assert len(found.examples) == 3
    for example in found.examples:
        assert len(example.words) == len(example.planted) == len(example.values)
        of_planted = [value for value, mark in zip(example.values, example.planted, strict=True) if mark]
        others = [value for value, mark in zip(example.values, example.planted, strict=True) if not mark]
        assert min(of_planted) > max(others)  # by how much each pulls away
        assert {word for word, mark in zip(example.words, example.planted, strict=True) if mark} <= set(found.off_topic)


# ---- randomness


def test_the_same_seed_gives_the_same_and_another_one_not():
    before = np.random.get_state()[1].copy(), torch.random.get_rng_state()  # noqa: NPY002
    found = [trust_check(make_bag(), TEXTS, **FAST, n_texts=5, rng=rng) for rng in (None, 0, 1)]
    assert without_time(found[0]) | {"provenance": 0} == without_time(found[1]) | {"provenance": 0}
    assert found[0].provenance["parameters"]["rng"] == 0 and found[2].provenance["parameters"]["rng"] == 1
    assert found[0].examples != found[2].examples
    generators = [trust_check(make_bag(), TEXTS, **FAST, n_texts=5, rng=np.random.default_rng(0)) for _ in range(2)]
    assert generators[0].examples == generators[1].examples == found[0].examples
    np.testing.assert_array_equal(np.random.get_state()[1], before[0])  # noqa: NPY002
    assert torch.equal(torch.random.get_rng_state(), before[1])


# ---- encoders


@pytest.mark.slow
def test_tickets_are_trusted_and_an_untrained_encoder_is_not(encoder, tickets):
    weights = {name: tensor.clone() for name, tensor in encoder.model.state_dict().items()}
    options = {"methods": ["occlusion"], "targets": ["nearest_similarity"], "n_texts": 10}
    found = trust_check(encoder, tickets, **options)
    assert found.methods[0].auroc > 0.7 and found.deletion > 0.5
    assert found.untrained is not None and found.untrained < found.methods[0].auroc
    assert all(torch.equal(weights[name], tensor) for name, tensor in encoder.model.state_dict().items())
    assert found.encoder["model"] == encoder.name and found.warnings == ()
    random = untrained_copy(encoder, seed=3)
    assert not np.allclose(random.encode(["tea"], cache=False), encoder.encode(["tea"]), atol=0.1)
    distrusted = trust_check(random, tickets, **options)
    assert not distrusted.trusted and distrusted.verdict.startswith("Words can't be trusted as reasons here")
    assert distrusted.methods[0].auroc < found.methods[0].auroc


def test_gradient_methods_are_tried_on_a_transformer(encoder, tickets):
    methods = ["input_x_gradient", "saliency_l2"]
    found = trust_check(encoder, tickets[:8], methods=methods, targets=["depth"], n_texts=3)
    assert {row.method for row in found.methods} == set(methods)
    signless = next(row for row in found.methods if row.method == "saliency_l2")
    assert signless.completeness is None and 0 <= signless.auroc <= 1


def test_an_object_with_encode_gets_methods_that_leave_words_out():
    found = trust_check(make_bag(), TEXTS, n_samples=12, n_texts=3, targets=["depth"])
    families = {METHODS[row.method].family for row in found.methods}
    assert families == {"perturbation"} and found.untrained is None
    assert len(found.warnings) == 1
    assert found.warnings[0].startswith("Only methods that leave words out were tried: trust_check needs the gradients")
    with pytest.raises(TypeError, match="Bag gives embeddings only"):  # asked for by name it is an error
        trust_check(make_bag(), TEXTS, methods=["saliency_l2"], n_texts=3)


def test_an_untrained_copy_is_only_of_a_transformer_alone(encoder):
    assert untrained_copy(make_bag(), seed=0) is None
    wrapped = wrap(encoder, Whitening(n_components=2).fit(np.random.default_rng(0).normal(size=(20, 384))))
    assert untrained_copy(wrapped, seed=0) is None
    state = copy.copy(encoder.__dict__)
    first, second, other = (untrained_copy(encoder, seed=seed) for seed in (0, 0, 1))
    rows = [one.encode(["a cup of tea"], cache=False) for one in (first, second, other)]
    np.testing.assert_array_equal(rows[0], rows[1])
    assert not np.allclose(rows[0], rows[2])
    assert encoder.__dict__ == state and first.fingerprint != encoder.fingerprint


def test_a_broad_corpus_gets_a_verdict_that_fits_its_numbers(encoder):
    corpora = [load_corpora(name).texts for name in ("news_briefs", "product_reviews")]
    mixed = [" ".join(text.split()[:9]) for texts in corpora for text in texts[::30]]
    found = trust_check(encoder, mixed, methods=["occlusion"], targets=["depth"], n_texts=8)
    best = found.methods[0]
    assert found.trusted == (best.interval[0] >= found.threshold and found.untrained < best.auroc)
    assert f"AUROC {best.auroc:.2f} ({best.interval[0]:.2f} to {best.interval[1]:.2f})" in found.verdict
    assert found.verdict.startswith("Planted words are found" if found.trusted else "Words can't be trusted")
    assert "depth in the whole corpus" in found.verdict and "chance is 0.50" in found.verdict


# ---- the result, and what is refused


def test_json_and_back(tmp_path):
    found = trust_check(make_bag(), TEXTS, methods=["occlusion", "shapley_sampling"], n_samples=12, n_texts=3)
    text = found.to_json(tmp_path / "t.json")
    json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} in JSON"))
    back = xembed.read_result(tmp_path / "t.json")
    assert isinstance(back, TrustResult) and back == found and back.to_json() == text
    assert isinstance(back.methods[0].interval, tuple) and isinstance(back.examples[0].planted, tuple)


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        ((TEXTS[:1],), {}, ValueError, "texts must hold at least 2 texts"),
        ((TEXTS[:3],), {}, ValueError, "at least 2 texts of 4 words and as many others. Got 3 texts, 3 of them long"),
        ((["two words"] * 9,), {}, ValueError, "Got 9 texts, 0 of them long enough"),
        ((TEXTS[:1] + ["short"] * 9,), {}, ValueError, "Got 10 texts, 1 of them long enough"),
        (("a text",), {}, TypeError, "must be a list of strings"),
        (([*TEXTS, " "],), {}, ValueError, "1 blank text"),
        (([*TEXTS, 3],), {}, TypeError, "not a string"),
        ((TEXTS,), {"reference": []}, ValueError, "reference must hold at least 1 text"),
        ((TEXTS,), {"reference": "text"}, TypeError, "reference must be a list of strings"),
        ((TEXTS,), {"off_topic": ["router", "Bill", "quark"]}, ValueError, "at least 4 that don't occur.*Got 1 of 3"),
        ((TEXTS,), {"off_topic": []}, ValueError, "off_topic must hold at least 1 text"),
        ((TEXTS,), {"n_words": (0, 2)}, ValueError, "'n_words' parameter of trust_check"),
        ((TEXTS,), {"n_words": 3}, TypeError, "'n_words' parameter of trust_check must be a pair of integers.* Got 3"),
        ((TEXTS,), {"n_neighbors": 0}, ValueError, "'n_neighbors' parameter of trust_check must be .* at least 1"),
        ((TEXTS,), {"n_words": (3, 2)}, ValueError, "'n_words' parameter .* at least 3. Got 2"),
        ((TEXTS,), {"n_texts": 1}, ValueError, "'n_texts' parameter of trust_check must be an integer of at least 2"),
        ((TEXTS,), {"threshold": 0.5}, ValueError, r"number in \(0.5, 1\). Got 0.5"),
        ((TEXTS,), {"threshold": "high"}, TypeError, "'threshold' parameter of trust_check"),
        ((TEXTS,), {"targets": ["breadth"]}, ValueError, r"one or both of \{'depth', 'nearest_similarity'\}"),
        ((TEXTS,), {"targets": []}, ValueError, "one or both of"),
        ((TEXTS,), {"methods": ["magic"]}, ValueError, "must be one of .*'occlusion'.* Got 'magic'"),
        ((TEXTS,), {"methods": []}, ValueError, "must be one or more of"),
        ((TEXTS,), {"n_samples": 1}, ValueError, "'n_samples'"),
        ((TEXTS,), {"rng": -1}, TypeError, "'rng' parameter of trust_check"),
    ],
)
def test_what_is_refused(arguments, options, error, message):
    with pytest.raises(error, match=message):
        trust_check(make_bag(), *arguments, **(FAST | options))


def test_no_encoder():
    with pytest.raises(TypeError, match="must be an encoder"):
        trust_check("all-MiniLM", TEXTS)
