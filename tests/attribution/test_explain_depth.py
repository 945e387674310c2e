"""Depth explained by words: where texts lie, what pulls them there, and whether it was checked."""

import dataclasses
import json
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from models import Bag, unit

import xembed
from xembed.attribution import Attributions, DepthExplanation, TrustResult, explain_depth, trust_check
from xembed.attribution._depth import NOT_VALIDATED
from xembed.attribution._trust import trust_note
from xembed.datasets import load_corpora
from xembed.depth import tte_depth

ODD = {
    "falcon": "The router falcon loses the wifi every single evening.",
    "volcano": "I was charged twice on my volcano bill this month.",
    "flamingo": "The engineer never came to my flamingo appointment on Monday.",
    "tuba": "My broadband speed is far too slow tuba since last week.",
    "walrus": "Please cancel my walrus contract before the end of the month.",
    "pastry": "No dial tone on my landline pastry phone for three days.",
}
CORPUS = ["tea and milk", "tea and sugar", "milk and sugar and tea", "black tea", "sugar", "green tea with milk"]


@pytest.fixture(scope="module")
def tickets():
    """Return sixty short tickets of all topics."""
    texts = sorted(load_corpora("support_tickets").texts, key=lambda text: (len(text.split()), text))
    return texts[40:160:2]


def by_bag(texts=CORPUS, reference=None, **options):
    return explain_depth(Bag(), texts, reference, **({"method": "occlusion", "progress": False} | options))


# ---- planted words


def lowest_words(found):
    return [words[int(values.argmin())] for words, values in zip(found.words, found.values, strict=True)]


@pytest.mark.parametrize("method", ["shapley_sampling", "lime"])
def test_a_planted_word_is_the_lowest(encoder, tickets, method):
    options = {"method": method, "n_samples": 60, "progress": False}
    hits = 0
    for seed in range(3):  # with so few rows the draws matter
        found = explain_depth(encoder, list(ODD.values()), tickets, rng=seed, **options)
        hits += sum(low == odd for low, odd in zip(lowest_words(found), ODD, strict=True))
    assert hits >= 16  # of 18
    # Without it each text is nearer to the corpus: what is said of the word is what the embedding does.
    without = [text.replace(f" {word}", "") for word, text in ODD.items()]
    vectors, corpus = unit(encoder.encode(without)), unit(encoder.encode(tickets))
    better = np.sort(vectors @ corpus.T, axis=1)[:, -10:].mean(axis=1)
    assert (better > found.nearest_similarity).all()


def test_depth_in_the_whole_corpus_finds_most_planted_words(encoder, tickets):
    options = {"target": "depth", "method": "shapley_sampling", "n_samples": 60, "progress": False}
    found = explain_depth(encoder, list(ODD.values()), tickets, **options)
    assert np.mean([low == odd for low, odd in zip(lowest_words(found), ODD, strict=True)]) >= 0.5


def test_values_are_by_hand_for_words_left_out():
    east, north, odd = np.eye(3)
    encoder = Bag({"tea": east, "milk": east + north, "brick": 3 * odd}, bias=0.0)
    found = explain_depth(
        encoder, ["tea brick milk"], ["tea", "milk"], target="depth", method="occlusion", progress=False
    )
    corpus = unit([east, east + north])

    def depth(vector):
        return 1 + float((corpus @ vector / np.linalg.norm(vector)).mean())

    whole = depth(2 * east + north + 3 * odd)
    left = [depth(east + north + 3 * odd), depth(2 * east + north), depth(east + 3 * odd)]
    np.testing.assert_allclose(found.values[0], whole - np.array(left), atol=1e-12)
    assert found.scores[0] == pytest.approx(whole) and found.depths[0] == pytest.approx(whole)
    assert found.values[0].argmin() == 1 and found.values[0][1] < 0
    assert found.typical_texts == ("milk",)  # both are as deep: the nearer one


# ---- where the texts lie, against numpy


def places(X, R=None, n_neighbors=10):
    """Return what explain_depth says of embeddings, by loops."""
    X = unit(X)
    corpus = X if R is None else unit(R)
    inside = tte_depth(corpus)
    depths = inside if R is None else tte_depth(X, corpus)
    typical = [i for i in range(len(corpus)) if inside[i] >= np.median(inside) - 1e-9]
    nearest, best, similarity = [], [], []
    for row, x in enumerate(X):
        cosines = {i: float(x @ corpus[i]) for i in range(len(corpus)) if R is not None or i != row}
        nearest.append(np.mean(sorted(cosines.values())[-n_neighbors:]))
        best.append(max((i for i in typical if i in cosines), key=lambda i: cosines[i], default=None))
        similarity.append(np.nan if best[-1] is None else cosines[best[-1]])
    return depths, [(inside < depth - 1e-9).mean() for depth in depths], nearest, best, similarity


@pytest.mark.parametrize("n_neighbors", [1, 3, 10, 1000])
def test_places_in_another_corpus(encoder, tickets, n_neighbors):
    texts = tickets[:3]
    found = explain_depth(encoder, texts, tickets[10:], method="saliency_l2", n_neighbors=n_neighbors, progress=False)
    X, R = encoder.encode(texts), encoder.encode(tickets[10:])
    depths, deeper, nearest, best, similarity = places(X, R, n_neighbors)
    np.testing.assert_allclose(found.depths, tte_depth(X, R), atol=1e-6)
    np.testing.assert_allclose(found.depths, depths, atol=1e-6)
    np.testing.assert_allclose(found.deeper_than, deeper, atol=1e-12)
    np.testing.assert_allclose(found.nearest_similarity, nearest, atol=1e-6)
    np.testing.assert_allclose(found.scores, nearest, atol=1e-5)
    np.testing.assert_allclose(found.typical_similarity, similarity, atol=1e-6)
    assert found.typical_texts == tuple(tickets[10:][i] for i in best) and found.n_reference == 50


@pytest.mark.parametrize("target", ["nearest_similarity", "depth"])
def test_each_text_is_left_out_of_its_own_corpus(encoder, tickets, target):
    texts = tickets[:20]
    found = explain_depth(encoder, texts, target=target, n_neighbors=4, method="saliency_l2", progress=False)
    X = encoder.encode(texts)
    depths, deeper, nearest, best, similarity = places(X, n_neighbors=4)
    np.testing.assert_allclose(found.depths, tte_depth(X), atol=1e-6)
    np.testing.assert_allclose(found.scores, depths if target == "depth" else nearest, atol=1e-5)
    np.testing.assert_allclose(found.deeper_than, deeper, atol=1e-12)
    np.testing.assert_allclose(found.nearest_similarity, nearest, atol=1e-6)
    np.testing.assert_allclose(found.typical_similarity, similarity, atol=1e-6)
    assert found.typical_texts == tuple(texts[i] for i in best)
    assert found.deeper_than.min() == 0 and found.deeper_than.max() == pytest.approx(19 / 20)
    assert found.texts == tuple(texts) and found.n_reference == 20


@pytest.mark.parametrize("target", ["nearest_similarity", "depth"])
def test_some_texts_within_their_corpus_are_as_all_of_them(target):
    every = by_bag(target=target, n_neighbors=2)
    some = by_bag([CORPUS[4], CORPUS[1]], CORPUS, exclude=[4, 1], target=target, n_neighbors=2)
    for place, row in enumerate((4, 1)):
        np.testing.assert_allclose(some.values[place], every.values[row], atol=1e-12)
        for name in ("depths", "deeper_than", "nearest_similarity", "typical_similarity", "scores"):
            assert getattr(some, name)[place] == pytest.approx(getattr(every, name)[row]), name
        assert some.typical_texts[place] == every.typical_texts[row]
    itself = by_bag([CORPUS[4]], CORPUS, n_neighbors=1)
    assert itself.nearest_similarity[0] == pytest.approx(1)  # not left out: its nearest text is itself


WORDS = st.sampled_from(["tea", "milk", "sugar", "cup", "rain", "road", "song"])
TEXTS = st.lists(st.lists(WORDS, min_size=1, max_size=4).map(" ".join), min_size=2, max_size=7)


@settings(max_examples=40, deadline=None)
@given(TEXTS, st.integers(1, 5))
def test_any_texts_lie_where_numpy_says(texts, n_neighbors):
    X = Bag().encode(texts)
    found = by_bag(texts, n_neighbors=n_neighbors)
    depths, deeper, nearest, _, similarity = places(X, n_neighbors=n_neighbors)
    np.testing.assert_allclose(found.deeper_than, deeper, atol=1e-12)
    np.testing.assert_allclose(found.depths, depths, atol=1e-9)
    np.testing.assert_allclose(found.nearest_similarity, nearest, atol=1e-9)
    np.testing.assert_allclose(found.scores, nearest, atol=1e-9)
    np.testing.assert_allclose(found.typical_similarity, similarity, atol=1e-9)
    for text, near, cosine in zip(X, found.typical_texts, found.typical_similarity, strict=True):
        assert unit([text])[0] @ unit(Bag().encode([near]))[0] == pytest.approx(cosine)


@settings(max_examples=15, deadline=None)
@given(TEXTS, st.sampled_from(["nearest_similarity", "depth"]))
def test_shapley_values_add_up(texts, target):
    found = by_bag(texts, method="shapley_sampling", target=target, n_samples=30)
    sums = np.array([values.sum() for values in found.values])
    np.testing.assert_allclose(sums, found.scores - found.baseline_scores, atol=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_of_two_texts_each_is_typical_of_the_other(seed):
    first, second = np.random.default_rng(seed).normal(size=(2, 5))
    encoder = Bag({"tea": first, "milk": second})
    found = explain_depth(encoder, ["tea", "milk"], method="occlusion", progress=False)
    assert found.typical_texts == ("milk", "tea") and np.isfinite(found.typical_similarity).all()


# ---- the check of trust


def test_trust_is_said_in_the_notes(encoder, tickets):
    options = {"method": "occlusion", "target": "depth", "progress": False}
    unchecked = explain_depth(encoder, tickets[:1], tickets[:12], **options)
    assert unchecked.trust is None and unchecked.notes[-1] == NOT_VALIDATED and "trust_check" in NOT_VALIDATED
    checked = explain_depth(encoder, tickets[:1], tickets[:12], trust=True, **options)
    assert isinstance(checked.trust, TrustResult) and checked.notes[-1] == checked.trust.verdict
    assert [(row.method, row.target) for row in checked.trust.methods] == [("occlusion", "depth")]
    assert checked.trust.n_texts + checked.trust.n_reference == 12
    assert checked.provenance["parameters"]["trust"] is True
    again = explain_depth(encoder, tickets[1:2], tickets[:12], trust=checked.trust, **options)
    assert again.trust is checked.trust and NOT_VALIDATED not in again.notes
    np.testing.assert_array_equal(checked.values[0], unchecked.values[0])
    back = DepthExplanation.from_json(checked.to_json())
    assert back.trust.to_dict() == checked.trust.to_dict()


def test_a_bag_of_words_can_be_checked_too():
    report = trust_check(Bag(), [*CORPUS * 3, "a b c d", "tea for two people"] * 2, n_texts=2, n_samples=10)
    (note,) = by_bag(trust=report).notes
    assert note == trust_note(report, "occlusion", "nearest_similarity")
    assert note.startswith("On planted words Occlusion has an AUROC of") and "Shapley sampling on nearest" in note
    assert trust_note(report, report.recommended, report.recommended_target) == report.verdict
    assert "was not validated" in trust_note(report, "deep_lift", "depth")


def test_the_check_is_of_the_same_neighbors():
    with mock.patch("xembed.attribution._depth.trust_check", wraps=trust_check) as check:
        by_bag(trust=True, n_neighbors=2)
    assert check.call_args.kwargs["n_neighbors"] == 2


# ---- the result


def test_json_and_back(encoder, tickets, tmp_path):
    found = explain_depth(encoder, tickets[:2], tickets[:12], method="occlusion", progress=False)
    assert np.isnan(found.completeness).all()  # occlusion promises no sum: NaN, which JSON does not have
    text = found.to_json(tmp_path / "d.json")
    json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} in JSON"))
    for back in (DepthExplanation.from_json(text), xembed.read_result(tmp_path / "d.json")):
        assert type(back) is DepthExplanation and isinstance(back, Attributions)
        for field in dataclasses.fields(found):
            mine, theirs = getattr(found, field.name), getattr(back, field.name)
            if isinstance(mine, np.ndarray):
                np.testing.assert_array_equal(mine, theirs, err_msg=field.name)
                assert mine.dtype == theirs.dtype, field.name
            elif field.name == "values":
                for one, other in zip(mine, theirs, strict=True):
                    np.testing.assert_array_equal(one, other)
            else:
                assert mine == theirs, field.name
        assert back.to_json() == text


def test_what_the_result_can_do(encoder, tickets):
    found = explain_depth(encoder, tickets[:2], tickets[:12], method="occlusion", progress=False, rng=4)
    assert found.output == "nearest_similarity" and found.signed and found.encoder["model"] == encoder.name
    assert list(found.to_frame().columns) == ["text", "position", "word", "attribution"]
    assert len(found.to_frame()) == sum(map(len, found.words))
    parameters = found.provenance["parameters"]
    assert parameters["method"] == "occlusion" and parameters["rng"] == 4 and parameters["n_neighbors"] == 10
    assert found.provenance["function"] == "explain_depth"


def test_texts_that_were_cut(tickets):
    short = xembed.load_encoder(device="cpu", max_length=8)
    found = explain_depth(short, ["tea", "word " * 30], tickets[:4], method="occlusion", progress=False)
    assert found.truncated.tolist() == [False, True]
    assert "1 of 2 texts are longer than the 8 tokens" in found.notes[0] and found.notes[-1] == NOT_VALIDATED
    assert (found.values[1][6:] == 0).all()


def test_a_rerun_is_the_same_and_texts_do_not_matter_to_each_other(encoder, tickets):
    options = {"method": "shapley_sampling", "n_samples": 30, "progress": False}
    both = explain_depth(encoder, tickets[:2], tickets[10:30], **options)
    again = explain_depth(encoder, tickets[:2], tickets[10:30], **options)
    alone = explain_depth(encoder, tickets[1:2], tickets[10:30], **options)
    np.testing.assert_array_equal(both.values[1], again.values[1])
    np.testing.assert_allclose(both.values[1], alone.values[0], atol=1e-5)


# ---- what is refused


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        (([],), {}, ValueError, "texts must hold at least 1 text"),
        (("tea",), {}, TypeError, "must be a list of strings"),
        ((["tea", " "],), {}, ValueError, "1 blank text"),
        ((["tea", 3],), {}, TypeError, "not a string"),
        ((["tea"],), {}, ValueError, r"must hold at least 2 texts \(it is the texts themselves.*Got 1"),
        ((["tea"], ["milk"]), {}, ValueError, "The reference of explain_depth must hold at least 2 texts. Got 1"),
        ((["tea"], []), {}, ValueError, "reference must hold at least 1 text"),
        ((["tea"], "tea and milk"), {}, TypeError, "reference must be a list of strings"),
        ((CORPUS,), {"target": "similarity"}, ValueError, r"must be one of \{'depth', 'nearest_similarity'\}"),
        ((CORPUS,), {"method": "magic"}, ValueError, "must be one of .*'occlusion'"),
        ((CORPUS,), {"n_neighbors": 0}, ValueError, "'n_neighbors' parameter of explain_depth"),
        ((CORPUS,), {"n_samples": 1}, ValueError, "'n_samples'"),
        ((CORPUS,), {"trust": "yes"}, TypeError, "must be True, False or a TrustResult. Got str"),
        ((CORPUS,), {"trust": 1}, TypeError, "must be True, False or a TrustResult. Got int"),
        ((CORPUS,), {"rng": "a"}, TypeError, "'rng' parameter"),
        ((CORPUS,), {"exclude": [0] * 6}, ValueError, "'exclude' parameter of explain_depth is for texts of a given"),
        ((["tea"], CORPUS), {"exclude": [6]}, ValueError, "must hold a row of the reference, from 0 to 5"),
        ((["tea"], CORPUS), {"exclude": [1, 2]}, ValueError, "for each of the 1 texts"),
        ((CORPUS,), {"deletion": "mask"}, ValueError, "deletion='delete'"),
        ((CORPUS,), {"method": "integrated_gradients"}, TypeError, "Bag gives embeddings only"),
    ],
)
def test_what_is_refused(arguments, options, error, message):
    with pytest.raises(error, match=message):
        by_bag(*arguments, **options)


def test_no_encoder():
    with pytest.raises(TypeError, match="must be an encoder"):
        explain_depth(3, CORPUS)


def test_a_text_without_direction_is_refused():
    encoder = Bag({"tea": [1.0, 0.0], "nothing": [0.0, 0.0], "milk": [0.0, 1.0]}, bias=0.0)
    with pytest.raises(ValueError, match="1 row that is zero"):
        explain_depth(encoder, ["tea"], ["tea", "nothing", "milk"], method="occlusion")


def test_texts_that_the_encoder_cannot_read_are_counted(encoder):
    reference = ["The line is slow.", "😀", "The bill is wrong.", "🚀🚀"]
    found = explain_depth(encoder, ["The line is 😀."], reference, method="occlusion", trust=False, progress=False)
    assert found.notes[0].startswith("20 % of the 5 tokens of texts are unknown")
    assert found.notes[1].startswith("2 of 4 texts of reference hold only tokens that the encoder does not know")
