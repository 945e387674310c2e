"""Numbers of an embedding: what each target is, by numpy and by hand, and what is refused."""

import itertools

import numpy as np
import pytest
import torch
from models import CountedWords, RandomTexts
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.svm import LinearSVC

from xembed.attribution import Depth, EmbeddingTarget, Logit, NearestSimilarity, Projection, Similarity, explain
from xembed.attribution._embedding_targets import linear_head
from xembed.depth import tte_depth

TEXTS = ["a cat sleeps", "dogs bark at night", "the rates rose", "cat"]
CORPUS = [f"{animal} {verb}" for animal, verb in itertools.product(["cats", "dogs", "owls"], ["run", "sit", "eat"])]
DISTANCES = ("cosine", "chord", "angular")


@pytest.fixture
def encoder():
    return RandomTexts()


def say(encoder, target, texts=TEXTS, **options):
    return explain(encoder, texts, target=target, method="occlusion", progress=False, **options)


def unit(rows):
    rows = np.asarray(rows, dtype=float)
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def cosines(first, second):
    return unit(first) @ unit(second).T


# ---- similarity


def test_similarity_by_hand():
    # "a b" is (1, 1, 1), "a" is (1, 1, 0), "b b" is (1, 0, 2)
    found = say(CountedWords("ab"), Similarity("a"), ["a b", "a", "b b"])
    np.testing.assert_allclose(found.scores, [2 / np.sqrt(6), 1.0, 1 / np.sqrt(10)])
    assert found.output == "similarity"
    # without "b" it is "a" itself, without "a" (1, 0, 1)
    np.testing.assert_allclose(found.values[0], [2 / np.sqrt(6) - 0.5, 2 / np.sqrt(6) - 1.0])


@pytest.mark.parametrize("kind", ["text", "vector", "row", "texts", "vectors", "list of vectors"])
def test_similarity_to_one_or_to_one_each(encoder, kind):
    one, each = "cats run", ["cats run", "owls sit", "cats run", "dogs"]
    to = {
        "text": one,
        "vector": encoder.encode([one])[0],
        "row": encoder.encode([one]) * 7,  # only the direction counts
        "texts": each,
        "vectors": encoder.encode(each),
        "list of vectors": [list(row) for row in encoder.encode(each)],
    }[kind]
    wanted = [one] * 4 if kind in ("text", "vector", "row") else each
    expected = np.diag(cosines(encoder.encode(TEXTS), encoder.encode(wanted)))
    np.testing.assert_allclose(say(encoder, Similarity(to)).scores, expected)


def test_similarity_with_itself_is_one(encoder):
    np.testing.assert_allclose(say(encoder, Similarity(TEXTS)).scores, 1.0)


# ---- depth


def test_depth_by_hand():
    reference = [[1.0, 0.0], [0.0, 1.0]]

    class Axes:
        def encode(self, texts):
            return np.array([[3.0, 0.0] if "x" in text else [1.0, 1.0] for text in texts])

    for distance, on_axis, between in [
        ("cosine", 2 - 0.5, 2 - (1 - np.sqrt(0.5))),
        ("chord", 2 - np.sqrt(2) / 2, 2 - np.sqrt(2 - np.sqrt(2))),
        ("angular", np.pi - np.pi / 4, np.pi - np.pi / 4),
    ]:
        found = say(Axes(), Depth(reference, distance), ["x", "y"])
        # Where a text is one of the reference, chord and arc are off by the step that keeps their slope finite.
        np.testing.assert_allclose(found.scores, [on_axis, between], atol=1e-3)
        np.testing.assert_allclose(found.scores[1], between, atol=1e-9)


@pytest.mark.parametrize("distance", DISTANCES)
@pytest.mark.parametrize("given", ["texts", "vectors"])
def test_depth_is_that_of_tte_depth(encoder, distance, given):
    rows = encoder.encode(CORPUS)
    found = say(encoder, Depth(CORPUS if given == "texts" else 3 * rows, distance))
    np.testing.assert_allclose(found.scores, tte_depth(encoder.encode(TEXTS), rows, distance=distance), atol=1e-9)
    assert found.output == "depth"


@pytest.mark.parametrize("distance", DISTANCES)
def test_depth_in_one_s_own_corpus_leaves_each_text_out(encoder, distance):
    found = say(encoder, Depth(CORPUS, distance, exclude=range(len(CORPUS))), CORPUS)
    np.testing.assert_allclose(found.scores, tte_depth(encoder.encode(CORPUS), distance=distance), atol=1e-6)


@pytest.mark.parametrize("distance", DISTANCES)
def test_depth_keeps_the_same_row_out_while_words_are_left_out(encoder, distance):
    found = say(encoder, Depth(CORPUS, distance, exclude=[4, 0]), [CORPUS[4], CORPUS[0]])
    for place, (text, own) in enumerate([(CORPUS[4], 4), (CORPUS[0], 0)]):
        others = encoder.encode(CORPUS[:own] + CORPUS[own + 1 :])
        first, second = text.split()
        whole, *without = tte_depth(encoder.encode([text, second, first]), others, distance=distance)
        np.testing.assert_allclose(found.values[place], [whole - depth for depth in without], atol=1e-6)


# ---- nearest similarity


def nearest_mean(row, rows, count):
    return np.sort(cosines([row], rows)[0])[::-1][:count].mean()


@pytest.mark.parametrize("fixed", [False, True])
@pytest.mark.parametrize("count", [1, 4, 9, 50])
def test_nearest_similarity_by_numpy(encoder, fixed, count):
    found = say(encoder, NearestSimilarity(CORPUS, count, fixed=fixed))
    rows = encoder.encode(CORPUS)
    expected = [nearest_mean(row, rows, count) for row in encoder.encode(TEXTS)]
    np.testing.assert_allclose(found.scores, expected)
    assert found.output == "nearest_similarity"


@pytest.mark.parametrize("fixed", [False, True])
@pytest.mark.parametrize("count", [1, 3, 8, 50])
def test_nearest_similarity_of_others(encoder, fixed, count):
    target = NearestSimilarity(CORPUS, count, fixed=fixed, exclude=np.arange(9))
    rows = encoder.encode(CORPUS)
    expected = [nearest_mean(row, np.delete(rows, i, axis=0), count) for i, row in enumerate(rows)]
    np.testing.assert_allclose(say(encoder, target, CORPUS).scores, expected)


def test_nearest_texts_stay_or_move_while_words_are_left_out(encoder):
    text, shorter = "the rates rose", ["rates rose", "the rose", "the rates"]
    rows = unit(encoder.encode(CORPUS))
    whole, *without = unit(encoder.encode([text, *shorter]))
    moving = say(encoder, NearestSimilarity(CORPUS, 2), [text])
    fixed = say(encoder, NearestSimilarity(CORPUS, 2, fixed=True), [text])
    score = nearest_mean(whole, rows, 2)
    np.testing.assert_allclose(moving.values[0], [score - nearest_mean(row, rows, 2) for row in without])
    mean = rows[np.argsort(-(rows @ whole))[:2]].mean(axis=0)
    # The mean of the nearest is a vector shorter than 1; the cosines with it are means of cosines.
    np.testing.assert_allclose(fixed.values[0], [score - row @ mean for row in without])
    assert not np.allclose(moving.values[0], fixed.values[0])


def test_nearest_similarity_excludes_the_row_even_where_it_is_far():
    # Without "x" the text is not near its own row any more: the last of the nearest goes instead.
    encoder = CountedWords("xyz")
    reference = ["x x x", "y", "y y", "z"]
    found = say(encoder, NearestSimilarity(reference, 2, exclude=[0]), ["x x x y"])
    for place, without in enumerate(["x x y"] * 3 + ["x x x"]):
        rows = encoder.encode(["x x x y", without])
        others = encoder.encode(reference[1:])
        expected = nearest_mean(rows[0], others, 2) - nearest_mean(rows[1], others, 2)
        np.testing.assert_allclose(found.values[0][place], expected, atol=1e-12)


# ---- projection


@pytest.mark.parametrize("length", [1.0, 0.01, 40.0])
def test_projection_by_hand(length):
    found = say(CountedWords("ab"), Projection(length * np.array([0.0, 3.0, 4.0])), ["a b", "b b b", "c"])
    np.testing.assert_allclose(found.scores, [7 / 5, 12 / 5, 0.0], atol=1e-12)
    np.testing.assert_allclose(found.values[0], [3 / 5, 4 / 5])
    assert found.output == "projection"


@pytest.mark.parametrize("kind", ["vector", "text"])
def test_projection_from_an_origin(kind):
    encoder = CountedWords("ab")
    origin = np.array([1.0, 1.0, 0.0]) if kind == "vector" else "a"
    found = say(encoder, Projection([0.0, 0.6, 0.8], origin=origin), ["a b", "a", "b"])
    np.testing.assert_allclose(found.scores, [0.8, 0.0, 0.2], atol=1e-12)


def test_projection_on_a_text(encoder):
    expected = encoder.encode(TEXTS) @ unit(encoder.encode(["owls"]))[0]
    np.testing.assert_allclose(say(encoder, Projection("owls")).scores, expected)


# ---- logit


@pytest.fixture(scope="module")
def animals():
    encoder = RandomTexts()
    return encoder.encode(CORPUS), np.array([text.split()[0] for text in CORPUS])


@pytest.mark.parametrize("make", [LogisticRegression, LinearSVC])
def test_logit_of_many_classes(encoder, animals, make):
    model = make().fit(*animals)
    scores = model.decision_function(encoder.encode(TEXTS))
    found = say(encoder, Logit(model))
    np.testing.assert_allclose(found.scores, scores.max(axis=1))
    assert list(model.classes_[found.targets]) == list(model.predict(encoder.encode(TEXTS)))
    assert found.output == "logit"
    owls = say(encoder, Logit(model, "owls"))
    np.testing.assert_allclose(owls.scores, scores[:, 2])
    assert (owls.targets == 2).all()


def test_logit_of_two_classes(encoder, animals):
    X, y = animals
    model = LogisticRegression().fit(X, y == "owls")
    scores = model.decision_function(encoder.encode(TEXTS))
    np.testing.assert_allclose(say(encoder, Logit(model, True)).scores, scores)
    np.testing.assert_allclose(say(encoder, Logit(model, False)).scores, -scores)
    found = say(encoder, Logit(model))
    np.testing.assert_allclose(found.scores, np.abs(scores))
    assert list(model.classes_[found.targets]) == list(model.predict(encoder.encode(TEXTS)))


def test_logit_without_an_intercept(encoder, animals):
    model = LogisticRegression(fit_intercept=False).fit(*animals)
    scores = model.decision_function(encoder.encode(TEXTS))
    np.testing.assert_allclose(say(encoder, Logit(model, "cats")).scores, scores[:, 0])


# ---- functions and targets of one's own


@pytest.mark.parametrize("column", [False, True])
def test_a_function_is_a_target(encoder, column):
    def norm(embeddings):
        return embeddings.norm(dim=-1, keepdim=column)

    found = say(encoder, norm)
    np.testing.assert_allclose(found.scores, np.linalg.norm(encoder.encode(TEXTS), axis=1))
    assert (found.output, list(found.targets)) == ("score", [0] * 4)


def test_a_target_of_one_s_own(encoder):
    class First(EmbeddingTarget):
        name = "first"

        def prepare(self, encoder, texts, *, caller):
            return linear_head(np.eye(6), unit=False), np.arange(len(texts))

    found = say(encoder, First())
    np.testing.assert_allclose(found.scores, np.diag(encoder.encode(TEXTS)))
    assert found.output == "first"


# ---- gradients


@pytest.mark.parametrize(
    "make",
    [
        lambda rows: Similarity(rows[0]),
        lambda rows: Depth(rows),
        lambda rows: Depth(rows, "chord"),
        lambda rows: Depth(rows, "angular"),
        lambda rows: Depth(rows, "cosine", exclude=[0, 1]),
        lambda rows: Depth(rows, "chord", exclude=[0, 1]),
        lambda rows: NearestSimilarity(rows, 3),
        lambda rows: NearestSimilarity(rows, 3, exclude=[0, 1]),
        lambda rows: NearestSimilarity(rows, 3, fixed=True),
        lambda rows: Projection(rows[0], origin=rows[1]),
    ],
)
def test_gradients_are_those_of_the_number(encoder, make):
    head, _ = make(encoder.encode(CORPUS)).prepare(encoder, TEXTS[:2], caller="this test")
    at = torch.from_numpy(encoder.encode(TEXTS[:2])).requires_grad_()
    assert torch.autograd.gradcheck(head, (at,), atol=1e-6)


@pytest.mark.parametrize("distance", ["chord", "angular"])
@pytest.mark.parametrize("sign", [1, -1])
def test_gradients_stay_finite_on_a_text_of_the_reference_and_opposite(encoder, distance, sign):
    rows = encoder.encode(CORPUS)
    head, _ = Depth(rows, distance).prepare(encoder, TEXTS, caller="this test")
    at = torch.from_numpy(sign * rows[:2]).requires_grad_()
    (gradient,) = torch.autograd.grad(head(at).sum(), at)
    assert torch.isfinite(gradient).all() and (gradient != 0).any()


def test_an_embedding_of_zeros_has_similarity_zero():
    head, _ = Similarity([1.0, 2.0]).prepare(None, ["x"], caller="this test")
    assert head(torch.zeros(1, 2)).item() == 0.0


# ---- what is refused


@pytest.mark.parametrize(
    ("target", "error", "match"),
    [
        (Similarity(["a", "b"]), ValueError, r"'to' parameter of Similarity .* one for each of the 4 texts. .*2"),
        (Similarity(3.0), TypeError, r"'to' parameter of Similarity must be texts, or vectors .* Got 3.0"),
        (Similarity([]), TypeError, "'to' parameter of Similarity must be texts, or vectors"),
        (Similarity(["a", 1]), TypeError, "'to' parameter of Similarity must be texts, or vectors"),
        (Similarity(" "), ValueError, "to holds 1 blank text"),
        (Similarity(np.full(6, np.nan)), ValueError, r"to holds 1 row that is not finite \(.*\). Drop them"),
        (Similarity(np.zeros(6)), ValueError, "holds 1 row that is zero .first: row 0.. A zero vector"),
        (Similarity(np.ones(5)), ValueError, "as many dimensions as the embeddings, 6. Got 5"),
        (Depth(CORPUS, "euclidean"), ValueError, "'distance' parameter of Depth must be one of .* Got 'euclidean'"),
        (Depth([]), TypeError, "'reference' parameter of Depth must be texts, or vectors"),
        (Depth(np.empty((0, 6))), ValueError, "reference must hold at least 1 row"),
        (Depth(np.zeros((2, 6))), ValueError, "reference holds 2 rows that are zero"),
        (Depth(np.ones((2, 5)), "chord"), ValueError, "as many dimensions as the embeddings, 6. Got 5"),
        (Depth(CORPUS, exclude=[0]), ValueError, "'exclude' parameter of Depth .* 0 to 8, for each of the 4 texts"),
        (Depth(CORPUS, exclude=[0, 1, 2, 9]), ValueError, "'exclude' parameter of Depth"),
        (Depth(CORPUS, exclude=[0, 1, 2, -1]), ValueError, "'exclude' parameter of Depth"),
        (Depth(CORPUS, exclude=[0.0, 1.0, 2.0, 3.0]), ValueError, "'exclude' parameter of Depth"),
        (Depth(["a"], exclude=[0] * 4), ValueError, "'reference' parameter of Depth must hold a text besides"),
        (NearestSimilarity(CORPUS, 0), ValueError, "'n_neighbors' parameter of NearestSimilarity"),
        (NearestSimilarity(CORPUS, 2.0), TypeError, "'n_neighbors' parameter of NearestSimilarity"),
        (NearestSimilarity([]), TypeError, "'reference' parameter of NearestSimilarity"),
        (NearestSimilarity(CORPUS, exclude=[9] * 4), ValueError, "'exclude' parameter of NearestSimilarity"),
        (NearestSimilarity(["a"], exclude=[0] * 4), ValueError, "'reference' parameter of NearestSimilarity"),
        (NearestSimilarity(np.ones((2, 5))), ValueError, "as many dimensions as the embeddings, 6. Got 5"),
        (Projection(["a", "b"]), ValueError, "'direction' parameter of Projection must be one vector. Got 2"),
        (Projection(None), TypeError, "'direction' parameter of Projection must be texts, or vectors"),
        (Projection(np.zeros(6)), ValueError, "1 row that is zero"),
        (Projection(np.ones(6), origin=np.ones(5)), ValueError, r"'origin' parameter of Projection .* shape \(6,\)"),
        (Projection(np.ones(6), origin=["a", "b"]), ValueError, "'origin' parameter of Projection"),
        (Logit("svm"), TypeError, "'classifier' parameter of Logit must be a fitted linear classifier .* Got str"),
        (Logit(LogisticRegression()), TypeError, "'classifier' parameter of Logit .* Got LogisticRegression"),
        (None, TypeError, r"'target' parameter of explain must be a number of the embedding .* Got None"),
        ("depth", TypeError, "'target' parameter of explain must be a number"),
        (1, TypeError, "'target' parameter of explain must be a number"),
        (lambda x: x, ValueError, r"a function, must return a tensor of shape \(4,\).* Got \(4, 6\)"),
        (lambda x: x.sum(), ValueError, r"a function, must return a tensor of shape"),
        (lambda _x: 1.0, ValueError, r"a function, must return a tensor of shape .* Got float"),
    ],
)
def test_bad_targets(encoder, target, error, match):
    with pytest.raises(error, match=match):
        say(encoder, target)


def test_bad_labels(encoder, animals):
    with pytest.raises(ValueError, match=r"'label' parameter of Logit must be one of .*cats.* Got 'fish'"):
        say(encoder, Logit(LogisticRegression().fit(*animals), "fish"))


def test_a_regression_is_no_classifier(encoder, animals):
    with pytest.raises(TypeError, match=r"'classifier' parameter of Logit .* Got LinearRegression"):
        say(encoder, Logit(LinearRegression().fit(animals[0], np.arange(9))))
