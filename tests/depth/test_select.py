"""Selection: each strategy against its definition, what the documentation says of it, every documented error."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xembed.depth import select, select_examples, tte_depth

STRATEGIES = ("depth", "herding", "mmr", "random")


def unit(X):
    return X / np.linalg.norm(X, axis=1, keepdims=True)


def corpus(seed=0, n=60, d=6):
    return np.random.default_rng(seed).standard_normal((n, d)) + 0.5


def topics(seed, sizes, d=32, noise=1.0):
    """A cone with a cluster a topic."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(len(sizes)), sizes)
    X = noise * rng.standard_normal((len(labels), d)) / np.sqrt(d)
    X[:, 0] += 0.5
    X[np.arange(len(labels)), 1 + labels] += 0.8
    return X, labels


def mean_cosine(X):
    similar = unit(X) @ unit(X).T
    return (similar.sum() - len(X)) / (len(X) * (len(X) - 1))


def naive_mmr(X, k, diversity):
    cosines = unit(X) @ unit(X).T
    depth = tte_depth(X)
    depth = (depth - depth.min()) / np.ptp(depth)
    chosen = [int(np.argmax(depth))]
    low = cosines[chosen[0]].min()
    similarity = (cosines - low) / (1 - low)
    while len(chosen) < k:
        values = (1 - diversity) * depth - diversity * similarity[chosen].max(axis=0)
        values[chosen] = -np.inf
        chosen.append(int(np.argmax(values)))
    return chosen


def naive_herding(X, k):
    U, mean = unit(X), unit(X).mean(axis=0)
    chosen = []
    for t in range(k):
        values = [-np.inf if i in chosen else u @ ((t + 1) * mean - U[chosen].sum(axis=0)) for i, u in enumerate(U)]
        chosen.append(int(np.argmax(values)))
    return chosen


def test_depth_takes_the_deepest():
    X = corpus()
    np.testing.assert_array_equal(select(X, 7, strategy="depth"), np.argsort(-tte_depth(X))[:7])


@pytest.mark.parametrize("diversity", [0.0, 0.3, 0.5, 0.8, 1.0])
def test_mmr_equals_its_definition(diversity):
    for seed in range(3):
        X = corpus(seed)
        assert select(X, 12, diversity=diversity).tolist() == naive_mmr(X, 12, diversity)


def test_mmr_without_diversity_takes_the_deepest():
    X = corpus()
    np.testing.assert_array_equal(select(X, 60, diversity=0), select(X, 60, strategy="depth"))


def test_mmr_with_nothing_but_diversity_takes_the_farthest():
    X = corpus(1)
    chosen = select(X, 10, diversity=1)
    cosines = unit(X) @ unit(X).T
    for i in range(1, 10):
        nearest = np.delete(cosines, chosen[:i], axis=0)[:, chosen[:i]].max(axis=1)
        assert cosines[chosen[i], chosen[:i]].max() == pytest.approx(nearest.min(), abs=1e-12)


def test_herding_equals_its_definition():
    for seed in range(3):
        X = corpus(seed)
        assert select(X, 15, strategy="herding").tolist() == naive_herding(X, 15)


def test_herding_keeps_the_mean_and_random_does_not():
    X = corpus(2, n=500, d=16)

    def distance(rows):
        return np.linalg.norm(unit(X)[rows].mean(axis=0) - unit(X).mean(axis=0))

    by_chance = [distance(select(X, 25, strategy="random", rng=seed)) for seed in range(20)]
    assert distance(select(X, 25, strategy="herding")) < 0.25 * min(by_chance)
    assert distance(select(X, 25, strategy="depth")) > max(by_chance)


def test_random_draws_each_row_equally_often():
    counts = np.bincount(
        np.concatenate([select(corpus(n=10), 3, strategy="random", rng=seed) for seed in range(1000)]), minlength=10
    )
    assert counts.sum() == 3000 and abs(counts - 300).max() < 60  # four standard deviations


# What the documentation says of each strategy.
def test_the_deepest_texts_are_alike_and_mmr_is_less_so():
    X, _ = topics(3, [100, 100, 100])
    assert mean_cosine(X[select(X, 10, strategy="depth")]) > mean_cosine(X) + 0.1
    assert mean_cosine(X[select(X, 10)]) < mean_cosine(X[select(X, 10, strategy="depth")]) - 0.05


def test_mmr_takes_outliers_when_diversity_is_high():
    X, _ = topics(4, [100, 100, 100])
    X[:15] = np.random.default_rng(0).standard_normal((15, 32)) / np.sqrt(32)
    outliers = [int((select(X, 15, diversity=diversity) < 15).sum()) for diversity in (0.0, 0.3, 1.0)]
    assert outliers[:2] == [0, 0] and outliers[2] >= 7


def test_herding_leaves_rare_topics_out_when_k_is_small():
    X, labels = topics(5, [300, 300, 6])
    assert 2 not in labels[select(X, 12, strategy="herding")]
    assert (labels[select(X, 12, strategy="herding", labels=labels)] == 2).sum() == 4


@pytest.mark.parametrize(
    ("sizes", "k", "expected"),
    [
        ([10, 10, 10], 9, [3, 3, 3]),
        ([10, 12, 11], 10, [3, 4, 3]),
        ([10, 12, 11], 11, [3, 4, 4]),
        ([10, 10, 10], 10, [4, 3, 3]),
        ([2, 30, 30], 20, [2, 9, 9]),
        ([1, 2, 30], 12, [1, 2, 9]),
        ([5, 9], 1, [0, 1]),
        ([4, 3], 7, [4, 3]),
    ],
)
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_classes_get_equal_shares(sizes, k, expected, strategy):
    X, labels = topics(6, sizes)
    rows = select(X, k, strategy=strategy, labels=labels)
    assert np.bincount(labels[rows], minlength=len(sizes)).tolist() == expected
    assert len(set(rows.tolist())) == k


def test_depth_is_measured_within_the_class_and_classes_take_turns():
    X, labels = topics(7, [20, 30, 25])
    rows = select(X, 9, strategy="depth", labels=labels)
    assert labels[rows].tolist() == [1, 2, 0] * 3  # larger classes first
    for label in range(3):
        members = np.flatnonzero(labels == label)
        expected = members[np.argsort(-tte_depth(X[members]))[:3]]
        np.testing.assert_array_equal(rows[labels[rows] == label], expected)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_labels_may_be_anything_that_can_be_compared(strategy):
    import pandas as pd

    X, labels = topics(8, [10, 8])
    expected = select(X, 6, strategy=strategy, labels=labels)
    words = np.array(["a", "b"])[labels]
    pairs = [("b", 1) if label else ("a", 0) for label in labels]
    for same in (words, words.tolist(), pd.Series(words), pd.Series(words, dtype="category"), labels / 2, pairs):
        np.testing.assert_array_equal(select(X, 6, strategy=strategy, labels=same), expected)


@given(
    seed=st.integers(0, 10**6),
    n=st.integers(1, 15),
    strategy=st.sampled_from(STRATEGIES),
    diversity=st.floats(0, 1),
    n_classes=st.integers(0, 4),
    copies=st.booleans(),
    data=st.data(),
)
@settings(max_examples=150, deadline=None)
def test_rows_are_distinct_and_choices_are_nested(seed, n, strategy, diversity, n_classes, copies, data):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, 3)) + 0.3
    if copies:
        X[rng.integers(0, n, n // 2)] = X[0]
    labels = rng.integers(0, n_classes, n) if n_classes else None
    k = data.draw(st.integers(1, n))
    rows = select(X, k, strategy=strategy, diversity=diversity, labels=labels)
    assert rows.shape == (k,) and rows.dtype == np.int64
    assert len(set(rows.tolist())) == k and rows.min() >= 0 and rows.max() < n
    if strategy != "random":
        every = select(X, n, strategy=strategy, diversity=diversity, labels=labels)
        np.testing.assert_array_equal(every[:k], rows)  # a smaller choice is the beginning of a larger one
    np.testing.assert_array_equal(rows, select(X, k, strategy=strategy, diversity=diversity, labels=labels))


@pytest.mark.parametrize("strategy", ["depth", "herding", "mmr"])
def test_equal_texts_are_taken_from_the_lowest_row(strategy):
    assert select(np.ones((5, 4)), 3, strategy=strategy).tolist() == [0, 1, 2]
    assert select(np.ones((5, 4), np.float32), 5, strategy=strategy, labels=list("abaab")).tolist() == [0, 1, 2, 4, 3]
    X = corpus(9, n=30)
    twice = np.concatenate([X, X])
    assert select(twice, 1, strategy=strategy).tolist() == select(X, 1, strategy=strategy).tolist()


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_single_text_is_chosen(strategy):
    assert select([[1, 2]], 1, strategy=strategy).tolist() == [0]
    assert select([[1, 2], [3, 4]], 2, strategy=strategy, labels=["a", "b"]).tolist() == [0, 1]
    assert select_examples([[1, 2], [3, 4]], ["a", "b"], 2, strategy=strategy).tolist() == [0, 1]


@pytest.mark.parametrize("strategy", ["depth", "herding", "mmr"])
def test_only_directions_matter_and_input_stays(strategy):
    X, labels = topics(10, [20, 15])
    copy = X.copy()
    expected = select(X, 10, strategy=strategy, labels=labels)
    scaled = X * np.random.default_rng(0).uniform(0.1, 10, (35, 1))
    np.testing.assert_array_equal(select(scaled, 10, strategy=strategy, labels=labels), expected)
    np.testing.assert_array_equal(X, copy)


def test_random_follows_its_seed():
    X = corpus()
    one = select(X, 10, strategy="random")
    np.testing.assert_array_equal(one, select(X, 10, strategy="random", rng=0))
    assert one.tolist() != select(X, 10, strategy="random", rng=1).tolist()


# Examples for a prompt.
def test_examples_are_the_selection_by_class():
    X, labels = topics(11, [20, 30, 25])
    for strategy in STRATEGIES:
        np.testing.assert_array_equal(
            select_examples(X, labels, 8, strategy=strategy, rng=4),
            select(X, 8, strategy=strategy, labels=labels, rng=4),
        )


def test_the_last_examples_are_of_different_classes():
    X, labels = topics(12, [30, 30, 30])
    order = labels[select_examples(X, labels, 12)]
    assert all(len(set(order[i : i + 3].tolist())) == 3 for i in range(0, 12, 3))


def test_a_query_draws_examples_towards_it():
    X, labels = topics(13, [80, 80])
    query = X[5]
    for strategy in ("depth", "mmr"):
        without = select_examples(X, labels, 6, strategy=strategy)
        toward = select_examples(X, labels, 6, strategy=strategy, query=query)
        assert labels[toward].tolist() == labels[without].tolist()
        cosines = unit(X) @ unit(query[None])[0]
        assert cosines[toward].mean() > cosines[without].mean() + 0.05
        np.testing.assert_array_equal(
            toward, select_examples(X, labels, 6, strategy=strategy, query=(1000 * query).tolist())
        )
    members = np.flatnonzero(labels == 0)
    depth, similarity = tte_depth(X[members]), (unit(X) @ unit(query[None])[0])[members]
    relevance = (depth - depth.min()) / np.ptp(depth) + (similarity - similarity.min()) / np.ptp(similarity)
    rows = select_examples(X, labels, 6, strategy="depth", query=query)
    np.testing.assert_array_equal(rows[labels[rows] == 0], members[np.argsort(-relevance)[:3]])


GOOD = corpus(n=6, d=3)
BAD = np.where(np.arange(6)[:, None] == 4, np.nan, GOOD)
ZERO = np.where(np.arange(6)[:, None] == 4, 0.0, GOOD)
LABELS = list("aabbcc")


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: select(GOOD, 7), ValueError,
         "The 'k' parameter of select must be at most 6, the number of texts. Got 7 instead"),
        (lambda: select(GOOD, 0), ValueError, "The 'k' parameter of select must be an integer of at least 1. Got 0"),
        (lambda: select(GOOD, 2.0), TypeError, "The 'k' parameter of select must be an integer"),
        (lambda: select(GOOD, 2, strategy="dpp"), ValueError,
         r"The 'strategy' parameter of select must be one of \{'depth', 'herding', 'mmr', 'random'\}. Got 'dpp'"),
        (lambda: select(GOOD, 2, diversity=1.5), ValueError, r"The 'diversity' parameter of select .* in \[0, 1\]"),
        (lambda: select(GOOD, 2, diversity="x"), TypeError, "The 'diversity' parameter of select"),
        (lambda: select(GOOD, 2, rng=-1), TypeError, "The 'rng' parameter of select"),
        (lambda: select(GOOD[:0], 1), ValueError, "X must hold at least 1 row"),
        (lambda: select(GOOD[0], 1), ValueError, "X must be a 2-D array"),
        (lambda: select(GOOD, 2, labels=LABELS[:5]), ValueError,
         "X must have as many labels as rows. Got 5 labels and 6 rows"),
        (lambda: select(GOOD, 2, labels="aabbcc"), TypeError, "must be a sequence of labels, one a row. Got 'aabbcc'"),
        (lambda: select(GOOD, 2, labels=3), TypeError, "must be a sequence of labels, one a row. Got 3"),
        (lambda: select(GOOD, 2, labels=[*LABELS[:4], None, "c"]), ValueError,
         r"labels holds 1 missing value \(first: row 4\)"),
        (lambda: select(GOOD, 2, labels=[0, np.nan, 1, np.nan, 1, 1]), ValueError,
         r"labels holds 2 missing values \(first: row 1\)"),
        (lambda: select(GOOD, 2, labels=np.zeros((6, 2))), TypeError, "must hold one label a row, .* Got list objects"),
        (lambda: select_examples(GOOD, LABELS, 2), ValueError,
         "The 'k' parameter of select_examples must be at least 3, the number of classes. Got 2 instead"),
        (lambda: select_examples(GOOD, LABELS, 7), ValueError, "must be at most 6, the number of texts. Got 7"),
        (lambda: select_examples(GOOD, LABELS[:2], 3), ValueError, "as many labels as rows. Got 2 labels and 6 rows"),
        (lambda: select_examples(GOOD, LABELS, 3, strategy="knn"), ValueError, "parameter of select_examples must be"),
        (lambda: select_examples(GOOD, LABELS, 3, query=GOOD[:1]), ValueError,
         r"must be one embedding of shape \(n_dims,\). Got an array of shape \(1, 3\) instead"),
        (lambda: select_examples(GOOD, LABELS, 3, query=[1.0, 2.0]), ValueError,
         "X and query must have the same number of dimensions. Got 3 and 2"),
        (lambda: select_examples(GOOD, LABELS, 3, query=[np.nan, 0, 0]), ValueError, "query holds 1 row that is not"),
        (lambda: select_examples(GOOD, LABELS, 3, query=[0, 0, 0]), ValueError, "query holds 1 row that is zero"),
        (lambda: select_examples(GOOD, LABELS, 3, query="text"), ValueError, "must be one embedding"),
        (lambda: select_examples(GOOD, LABELS, 3, query=[1, 0, 0], strategy="herding"), ValueError,
         "goes with strategy 'mmr' or 'depth'. Got 'herding'"),
    ],
)  # fmt: skip
def test_documented_errors(call, error, message):
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_rows_without_direction_are_named(strategy):
    for labels in (None, LABELS):
        with pytest.raises(ValueError, match=r"X holds 1 row that is not finite \(NaN or inf\) \(first: row 4\)"):
            select(BAD, 3, strategy=strategy, labels=labels)
        with pytest.raises(ValueError, match=r"X holds 1 row that is zero \(first: row 4\)"):
            select(ZERO, 3, strategy=strategy, labels=labels)
    with pytest.raises(ValueError, match=r"X holds 1 row that is not finite .*first: row 4"):
        select_examples(BAD, LABELS, 3, strategy=strategy)
