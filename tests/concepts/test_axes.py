"""Named axes: parts that add up, an orthogonal system without an order, and the axis of gender."""

import itertools
import json

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from models import Bag, unit

import xembed
from xembed.concepts import Axes, AxesExplanation, explain_axes, make_axes
from xembed.datasets import load_gendered_pairs

ENDS = {
    "number": (
        ["dog", "car", "house", "friend", "letter", "tree"],
        ["dogs", "cars", "houses", "friends", "letters", "trees"],
    ),
    "tense": (
        ["walks", "opens", "says", "works", "calls", "plays"],
        ["walked", "opened", "said", "worked", "called", "played"],
    ),
    "sentiment": (
        ["terrible", "bad", "awful", "hated", "ugly", "sad"],
        ["wonderful", "good", "excellent", "loved", "beautiful", "happy"],
    ),
}


class Table:
    """An object with ``.encode`` that looks each text up."""

    def __init__(self, **vectors):
        self.vectors = {name: np.asarray(vector, dtype=float) for name, vector in vectors.items()}

    def encode(self, texts):
        return np.stack([self.vectors[text] for text in texts])


def cosine(a, b):
    return float(np.dot(a, b) / np.linalg.norm(a) / np.linalg.norm(b))


# ---- axes


def test_orthogonal_ones_stay_as_they_are():
    axes = Axes({"east": [2.0, 0.0, 0.0], "north": [0.0, 0.0, -3.0]})
    assert axes.names == ("east", "north")
    np.testing.assert_allclose(axes.vectors, [[1, 0, 0], [0, 0, -1]])
    np.testing.assert_allclose(axes.orthogonal, axes.vectors, atol=1e-12)


def test_two_oblique_axes_are_turned_equally_far():
    angle = np.pi / 3
    axes = Axes({"a": [1.0, 0.0], "b": [np.cos(angle), np.sin(angle)]})
    # 60 degrees apart become 90, 15 more on each side.
    expected = [[np.cos(-np.pi / 12), np.sin(-np.pi / 12)], [np.cos(5 * np.pi / 12), np.sin(5 * np.pi / 12)]]
    np.testing.assert_allclose(axes.orthogonal, expected, atol=1e-12)


DIRECTIONS = arrays(np.float64, (3, 5), elements=st.floats(-1, 1)).filter(
    lambda X: np.linalg.norm(X, axis=1).min() > 1e-3 and np.linalg.svd(unit(X))[1][-1] > 1e-3
)


@settings(max_examples=50, deadline=None)
@given(DIRECTIONS, st.permutations(range(3)))
def test_the_system_is_orthonormal_nearest_and_without_order(X, order):
    names = ("a", "b", "c")
    axes = Axes(dict(zip(names, X, strict=True)))
    np.testing.assert_allclose(axes.orthogonal @ axes.orthogonal.T, np.eye(3), atol=1e-9)
    turned = Axes({names[i]: X[i] for i in order})
    for place, i in enumerate(order):
        np.testing.assert_allclose(turned.orthogonal[place], axes.orthogonal[i], atol=1e-8)
    # In the same space, and no other orthonormal system of it is nearer to the axes.
    np.testing.assert_allclose(axes.vectors @ axes.orthogonal.T @ axes.orthogonal, axes.vectors, atol=1e-9)
    distance = np.linalg.norm(axes.orthogonal - axes.vectors)
    rng = np.random.default_rng(0)
    for _ in range(10):
        turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
        assert np.linalg.norm(turn @ axes.orthogonal - axes.vectors) >= distance - 1e-9


def test_axes_are_differences_of_mean_directions():
    encoder = Table(a=[2, 0], b=[0, 5], c=[1, 1], d=[-3, 3])
    axes = make_axes(encoder, {"up": (["a", "b"], ["c", "d"])})
    low, high = np.array([0.5, 0.5]), (np.array([1, 1]) + np.array([-1, 1])) / np.sqrt(2) / 2
    np.testing.assert_allclose(axes.vectors[0], unit([high - low])[0], atol=1e-12)
    back = make_axes(encoder, {"down": (["c", "d"], ["a", "b"])})
    np.testing.assert_allclose(back.vectors, -axes.vectors, atol=1e-12)


# ---- what lies along them, by hand


def test_parts_by_hand():
    encoder = Table(a=[3, 0, 4], b=[0, 5, 0], c=[0, 1, 1])
    axes = Axes({"east": [1, 0, 0], "north": [0, 1, 0]})
    found = explain_axes(encoder, ["a", "b", "a"], ["c", "c", "a"], axes)
    h = 1 / np.sqrt(2)
    np.testing.assert_allclose(found.similarity, [0.8 * h, h, 1])
    np.testing.assert_allclose(found.similarity_parts, [[0, 0], [0, h], [0.36, 0]], atol=1e-12)
    np.testing.assert_allclose(found.similarity_rest, [0.8 * h, 0, 0.64], atol=1e-12)
    first = 2 - 2 * 0.8 * h
    np.testing.assert_allclose(found.difference, [np.sqrt(first), np.sqrt(2 - 2 * h), 0], atol=1e-12)
    np.testing.assert_allclose(found.difference_shares[0], [0.36 / first, 0.5 / first])
    np.testing.assert_allclose(found.difference_shares[1], [0, (1 - h) ** 2 / (2 - 2 * h)])
    np.testing.assert_array_equal(found.difference_shares[2], [0, 0])
    assert found.difference_rest[2] == 0 and found.first == ("north", "north", None)
    assert found.names == ("east", "north") and found.encoder == {"model": "Table"}


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(*[st.lists(st.sampled_from(["tea", "milk", "rain", "road"]), min_size=1, max_size=3)] * 2), min_size=1
    ),
    st.integers(1, 4),
    st.integers(0, 5),
)
@example(pairs=[(["tea"], ["tea"]), (["tea", "milk", "milk"], ["milk", "milk", "tea"])], n_axes=3, seed=3)  # rounding
def test_parts_add_up(pairs, n_axes, seed):
    first, second = ([" ".join(words) for words in side] for side in zip(*pairs, strict=True))
    directions = np.random.default_rng(seed).normal(size=(n_axes, 8))
    axes = Axes({f"axis {i}": direction for i, direction in enumerate(directions)})
    found = explain_axes(Bag(), first, second, axes)
    A, B = unit(Bag().encode(first)), unit(Bag().encode(second))
    np.testing.assert_allclose(found.similarity, (A * B).sum(axis=1), atol=1e-12)
    np.testing.assert_allclose(found.similarity_parts.sum(axis=1) + found.similarity_rest, found.similarity, atol=1e-12)
    np.testing.assert_allclose(found.difference, np.linalg.norm(A - B, axis=1), atol=1e-12)
    differ = np.array([one is not None for one in found.first])
    total = found.difference_shares.sum(axis=1) + found.difference_rest
    np.testing.assert_allclose(total, differ.astype(float), atol=1e-12)
    assert (found.difference_shares >= 0).all() and (found.difference_shares <= 1 + 1e-12).all()
    assert (found.difference_rest >= -1e-9).all()
    # The rest is what a projection on the span of the axes leaves, however the axes are made orthogonal.
    basis = np.linalg.qr(directions.T)[0]
    outside = (A - A @ basis @ basis.T) * (B - B @ basis @ basis.T)
    np.testing.assert_allclose(found.similarity_rest, outside.sum(axis=1), atol=1e-9)
    for one, shares in zip(found.first, found.difference_shares, strict=True):
        assert one is None or shares[found.names.index(one)] == shares.max()


def test_of_as_many_axes_as_dimensions_nothing_is_left():
    axes = Axes({str(i): row for i, row in enumerate(np.random.default_rng(0).normal(size=(4, 4)))})
    found = explain_axes(Bag(width=4), ["tea and milk"], ["rain"], axes)
    np.testing.assert_allclose([found.similarity_rest, found.difference_rest], 0, atol=1e-12)


def test_pairs_do_not_matter_to_each_other_nor_does_their_direction():
    axes = Axes({"a": np.eye(8)[0] + np.eye(8)[1], "b": np.eye(8)[1]})
    both = explain_axes(Bag(), ["tea", "milk"], ["rain", "road"], axes)
    alone = explain_axes(Bag(), ["milk"], ["road"], axes)
    turned = explain_axes(Bag(), ["rain", "road"], ["tea", "milk"], axes)
    for name in ("similarity", "similarity_parts", "difference", "difference_shares"):
        np.testing.assert_allclose(getattr(alone, name)[0], getattr(both, name)[1], atol=1e-12)
        np.testing.assert_allclose(getattr(turned, name), getattr(both, name), atol=1e-12)


# ---- gender


def forms(split):
    pairs = load_gendered_pairs("all", split)
    texts = dict(zip(zip(pairs.groups, pairs.labels, strict=True), pairs.texts, strict=True))
    numbers = sorted(set(pairs.groups))
    return [texts[number, 1] for number in numbers], [texts[number, 0] for number in numbers]


@pytest.mark.slow
def test_gender_explains_the_difference_of_gendered_pairs(encoder):
    axes = make_axes(encoder, {"number": ENDS["number"], "gender": forms("train"), **ENDS})
    male, female = forms("test")
    found = explain_axes(encoder, male, female, axes)
    assert len(male) == 100 and axes.names == ("number", "gender", "tense", "sentiment")
    first = np.mean([axis == "gender" for axis in found.first])
    assert first >= 0.95, first
    shares = dict(zip(found.names, found.difference_shares.mean(axis=0), strict=True))
    assert all(shares["gender"] > 5 * shares[name] for name in ENDS)
    # Of sentences in which nothing but the number changes it is not the first.
    others = explain_axes(encoder, ["The dog barks at the car."], ["The dogs bark at the cars."], axes)
    assert others.first == ("number",)
    # Women are on the high side, whatever the order of the axes.
    for names in itertools.islice(itertools.permutations(axes.names), 3):
        turned = Axes({name: axes.directions[name] for name in names})
        np.testing.assert_allclose(
            turned.orthogonal[names.index("gender")], axes.orthogonal[axes.names.index("gender")], atol=1e-9
        )
    along = (encoder.encode(female) - encoder.encode(male)) @ axes.orthogonal[1]
    assert (along > 0).mean() > 0.95


# ---- the result, and what is refused


def test_json_and_back(tmp_path):
    axes = Axes({"a": np.eye(8)[0], "b": np.eye(8)[1] + np.eye(8)[0]})
    found = explain_axes(Bag(), ["tea", "milk", "rain"], ["tea", "rain", "road"], axes)
    assert found.first[0] is None and np.isfinite(found.difference_shares).all()
    text = found.to_json(tmp_path / "a.json")
    json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} in JSON"))
    back = xembed.read_result(tmp_path / "a.json")
    assert type(back) is AxesExplanation and back.first == found.first and back.names == found.names
    for name in (
        "similarity",
        "similarity_parts",
        "similarity_rest",
        "difference",
        "difference_shares",
        "difference_rest",
    ):
        np.testing.assert_array_equal(getattr(back, name), getattr(found, name))
    assert back.to_json() == text
    frame = found.to_frame()
    assert frame.columns.tolist() == [
        "similarity", "similarity: a", "similarity: b", "similarity: rest",
        "difference", "difference: a", "difference: b", "difference: rest", "first",
    ]  # fmt: skip
    np.testing.assert_array_equal(frame["difference: b"], found.difference_shares[:, 1])
    assert found.provenance["parameters"] == {"axes": ["a", "b"], "n_pairs": 3}


@pytest.mark.parametrize(
    ("directions", "error", "message"),
    [
        ({}, TypeError, "must be a mapping of names to vectors, with at least one. Got {}"),
        ([[1, 0]], TypeError, "must be a mapping of names to vectors"),
        ({"a": [1, 0], "b": [1, 0, 0]}, ValueError, r"vectors of one size. Got \[\(2,\), \(3,\)\]"),
        ({"a": [[1, 0]]}, ValueError, "vectors of one size"),
        ({"a": 1.0}, ValueError, "vectors of one size"),
        ({"a": [1, np.nan]}, ValueError, "must be finite. Got NaN or infinity"),
        ({"a": [1, np.inf]}, ValueError, "must be finite"),
        ({"a": [0, 0]}, ValueError, "1 row that is zero"),
        ({"a": [1, 0], "b": [-2, 0]}, ValueError, "must be linearly independent. Got 2 of 2 dimensions"),
        ({"a": [1, 0], "b": [0, 1], "c": [1, 1]}, ValueError, "Got 3 of 2 dimensions, .* leave one out"),
    ],
)
def test_directions_that_are_refused(directions, error, message):
    with pytest.raises(error, match=message):
        Axes(directions)


@pytest.mark.parametrize(
    ("ends", "error", "message"),
    [
        ({}, TypeError, "must be a mapping of names to pairs of lists"),
        ([("a", "b")], TypeError, "must be a mapping of names to pairs of lists"),
        ({"x": ["tea"]}, TypeError, "The axis 'x' of make_axes must be a pair of lists of texts"),
        ({"x": "ab"}, TypeError, "must be a pair of lists of texts, low end and high end. Got str"),
        ({"x": ("tea", "milk")}, TypeError, "an end of the axis 'x' must be a list of strings"),
        ({"x": (["tea"], [])}, ValueError, "an end of the axis 'x' must hold at least 1 text"),
        ({"x": (["tea"], [" "])}, ValueError, "1 blank text"),
        ({"x": (["tea"], [3])}, TypeError, "not a string"),
        (
            {"x": (["tea", "milk"], ["milk", "tea"])},
            ValueError,
            "The axis 'x' of make_axes must have two different ends",
        ),
        ({"x": (["tea"], ["milk"]), "y": (["milk"], ["tea"])}, ValueError, "must be linearly independent"),
    ],
)
def test_ends_that_are_refused(ends, error, message):
    with pytest.raises(error, match=message):
        make_axes(Bag(), ends)


def test_pairs_that_are_refused():
    axes = Axes({"a": np.eye(8)[0]})
    with pytest.raises(TypeError, match=r"must be Axes\. Got ndarray: use make_axes"):
        explain_axes(Bag(), ["tea"], ["milk"], np.eye(8))
    with pytest.raises(ValueError, match=r"must be pairs, row by row. Got 2 and 1 texts"):
        explain_axes(Bag(), ["tea", "milk"], ["milk"], axes)
    with pytest.raises(TypeError, match="texts_b must be a list of strings"):
        explain_axes(Bag(), ["tea"], "milk", axes)
    with pytest.raises(ValueError, match="texts_a must hold at least 1 text"):
        explain_axes(Bag(), [], [], axes)
    with pytest.raises(
        ValueError, match=r"as many dimensions as the embeddings, 5\. Got 8: were they made with another"
    ):
        explain_axes(Bag(width=5), ["tea"], ["milk"], axes)
    with pytest.raises(TypeError, match="must be an encoder"):
        explain_axes(None, ["tea"], ["milk"], axes)
    with pytest.raises(TypeError, match="must be an encoder"):
        make_axes(None, {"x": (["tea"], ["milk"])})


def test_pairs_that_the_encoder_cannot_read_are_named(encoder):
    axes = make_axes(encoder, {"size": (["A small cat."], ["A large cat."])})
    found = explain_axes(encoder, ["😀", "A cat."], ["🚀", "A dog."], axes)
    assert [warning.partition(":")[0].partition(" are")[0] for warning in found.warnings] == [
        "1 of 2 texts of texts_a holds only tokens that the encoder does not know ('😀')",
        "25 % of the 4 tokens of texts_a",
        "1 of 2 texts of texts_b holds only tokens that the encoder does not know ('🚀')",
        "25 % of the 4 tokens of texts_b",
    ]
    assert "1 of 2 texts of texts_b holds only tokens" in found.html()
