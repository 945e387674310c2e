"""neighbor_overlap and linear_probe."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import PredefinedSplit, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from xembed.isotropy import NeighborOverlap, ProbeResult, _evaluation, linear_probe, neighbor_overlap


def sample(n=120, d=6, seed=0):
    return np.random.default_rng(seed).normal(size=(n, d))


# ------------------------------------------------------------------------------------------------- neighbors


def by_hand(X, Y, k):
    def nearest(Z):
        Z = Z / np.linalg.norm(Z, axis=1, keepdims=True)
        S = Z @ Z.T
        np.fill_diagonal(S, -np.inf)
        return [set(row) for row in np.argsort(-S, axis=1, kind="stable")[:, :k].tolist()]

    return np.mean([len(a & b) / k for a, b in zip(nearest(X), nearest(Y), strict=True)])


@given(st.integers(0, 20), st.sampled_from([1, 3, 10]))
@settings(max_examples=25, deadline=None)
def test_equals_the_definition(seed, k):
    X, Y = sample(40, seed=seed), sample(40, d=4, seed=seed + 1)
    found = neighbor_overlap(X, Y, n_neighbors=k, n_resamples=0)
    assert found.value == pytest.approx(by_hand(X, Y, k))
    assert (found.low, found.high, found.chance) == (None, None, k / 39)


def test_rotation_and_scaling_keep_neighbors():
    X = sample()
    Q, _ = np.linalg.qr(sample(6, 6))
    assert neighbor_overlap(X, 5 * X @ Q).value == 1.0


def test_unrelated_spaces_share_what_chance_gives():
    found = neighbor_overlap(sample(800, 30), sample(800, 30, seed=1), n_neighbors=20)
    assert found.low < found.chance < found.high


def test_symmetric_and_ordered():
    X = sample()
    near, far = X + 0.1 * sample(seed=1), X + sample(seed=1)
    assert neighbor_overlap(X, near).value > neighbor_overlap(X, far).value > 0.2
    assert neighbor_overlap(X, far).value == pytest.approx(neighbor_overlap(far, X).value)


def test_blocks_do_not_matter(monkeypatch):
    X, Y = sample(), sample(seed=1)
    whole = neighbor_overlap(X, Y).to_json()
    monkeypatch.setattr("xembed._core.neighbors.BLOCK", 7)
    assert neighbor_overlap(X, Y).to_json() == whole


def test_repeated_rows():
    X = np.repeat(sample(6), 10, axis=0)  # all neighbors are ties
    assert neighbor_overlap(X, 2 * X, n_neighbors=3).value == 1.0


def test_random_rows_of_many():
    X, Y = sample(300), sample(300, seed=1)
    found = neighbor_overlap(X, Y, max_rows=100)
    assert found.n_rows_used == 100
    assert found.to_json() == neighbor_overlap(X, Y, max_rows=100, rng=0).to_json()
    assert found.value != neighbor_overlap(X, Y, max_rows=100, rng=1).value


def test_round_trips():
    found = neighbor_overlap(sample(), sample(seed=1), n_resamples=20)
    assert NeighborOverlap.from_json(found.to_json()).to_json() == found.to_json()
    probe = linear_probe(sample(), [0, 1] * 60, n_resamples=20)
    assert ProbeResult.from_json(probe.to_json()).to_json() == probe.to_json()


def with_row(row, value, n=120):
    X = sample(n)
    X[row] = value
    return X


@pytest.mark.parametrize(
    ("X", "Y", "options", "error", "match"),
    [
        (sample(), sample(119), {}, ValueError, "same rows .* Got 120 and 119"),
        (sample(10), sample(10), {}, ValueError, "more than 10 rows .* Got 10"),
        (with_row(7, 0.0), sample(), {}, ValueError, "X holds 1 row that is zero .*row 7"),
        (sample(), with_row(7, np.nan), {}, ValueError, "Y holds 1 row that is not finite .*row 7"),
        (sample(), with_row(110, 0.0), {"max_rows": 20}, ValueError, "Y holds 1 row that is zero .*row 110"),
        (with_row(110, np.inf), sample(), {"max_rows": 20}, ValueError, "X holds 1 row that is not finite .*row 110"),
        (sample(), sample(), {"n_neighbors": 0}, ValueError, "'n_neighbors' parameter of neighbor_overlap"),
        (sample(), sample(), {"max_rows": 10}, ValueError, "'max_rows' parameter of neighbor_overlap"),
        (sample(), sample(), {"n_resamples": 1.5}, TypeError, "'n_resamples' parameter of neighbor_overlap"),
        (sample(), sample(), {"confidence_level": 0}, ValueError, "'confidence_level' parameter"),
        (["a"], sample(), {}, TypeError, "Got texts: embed them first"),
    ],
)
def test_bad_neighbors(X, Y, options, error, match):
    with pytest.raises(error, match=match):
        neighbor_overlap(X, Y, **options)


# ------------------------------------------------------------------------------------------------- the probe


def labeled(n=150, shift=1.0, seed=0):
    rng = np.random.default_rng(seed)
    targets = rng.choice(3, size=n, p=[0.6, 0.2, 0.2])
    X = rng.normal(size=(n, 5))
    X[:, 0] += shift * targets
    return X, [f"class {target}" for target in targets]


def test_equals_scikit_learn_on_the_same_folds():
    X, labels = labeled()
    folds = _evaluation.probe_folds(labels, len(X), 4, np.random.default_rng(0), caller="a test")
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    expected = cross_val_predict(model, X, labels, cv=PredefinedSplit(folds.folds)) == np.array(labels)
    found = linear_probe(X, labels, n_splits=4)
    assert found.accuracy == expected.mean()
    recalls = [expected[np.array(labels) == name].mean() for name in found.classes]
    assert found.balanced_accuracy == pytest.approx(np.mean(recalls))
    assert found.classes == ("class 0", "class 1", "class 2")
    assert found.majority == max(labels.count(name) for name in found.classes) / 150


@given(st.integers(0, 100))
@settings(max_examples=25, deadline=None)
def test_folds_are_stratified_and_of_one_size(seed):
    _, labels = labeled(seed=seed)
    _, targets, folds = _evaluation.probe_folds(labels, 150, 5, np.random.default_rng(seed), caller="a test")
    assert np.ptp(np.bincount(folds)) <= 1
    for label in range(3):
        assert np.ptp(np.bincount(folds[targets == label], minlength=5)) <= 1


def test_without_signal_it_is_as_good_as_chance():
    found = linear_probe(sample(400), [0, 1] * 200)
    assert found.balanced_low < 0.5 < found.balanced_high
    assert found.majority == 0.5
    X, labels = labeled(n=400, shift=0.0)  # of rare classes the most frequent label is all that can be learnt
    found = linear_probe(X, labels)
    assert found.accuracy == pytest.approx(found.majority, abs=0.02)
    assert found.balanced_accuracy == pytest.approx(1 / 3, abs=0.02)


def test_signal_is_found():
    X, labels = labeled(shift=6.0)
    found = linear_probe(X, labels)
    assert found.accuracy_low > 0.9
    assert found.accuracy_low <= found.accuracy <= found.accuracy_high


def test_invertible_linear_maps_change_little():
    X, labels = labeled(n=400)
    mapped = X @ np.random.default_rng(1).normal(size=(5, 5))
    assert linear_probe(mapped, labels).accuracy == pytest.approx(linear_probe(X, labels).accuracy, abs=0.02)


@pytest.mark.parametrize("scale", [1e300, 1e-300])
def test_scale_does_not_matter_to_the_probe(scale):
    X, labels = labeled()
    assert linear_probe(X * scale, labels).accuracy == linear_probe(X, labels).accuracy


def test_labels_may_be_numbers_and_dimensions_dead():
    X, labels = labeled()
    X[:, 3] = 2.0
    numbers = np.array([int(label[-1]) for label in labels])
    assert linear_probe(X, numbers).accuracy == linear_probe(X, labels).accuracy


def test_same_call_same_bytes():
    X, labels = labeled()
    assert linear_probe(X, labels).to_json() == linear_probe(X, labels, rng=0).to_json()
    assert linear_probe(X, labels, n_resamples=0).accuracy_low is None


@pytest.mark.parametrize(
    ("labels", "options", "error", "match"),
    [
        (["a", "b"] * 59, {}, ValueError, "one label a text .* Got 118 labels for 120"),
        (["a"] * 120, {}, ValueError, "at least 2 different labels. Got 1"),
        (["a"] * 117 + ["b"] * 3, {}, ValueError, "at least 5 texts .* Got 'b' on 3"),
        ("ab" * 60, {}, TypeError, "'labels' parameter of linear_probe must be a sequence"),
        (None, {}, TypeError, "'labels' parameter of linear_probe must be a sequence"),
        ([None, "b"] * 60, {}, TypeError, "must hold strings or integers. Got None"),
        ([0.5, 1.0] * 60, {}, TypeError, "must hold strings or integers. Got 0.5"),
        ([0, 1] * 60, {"n_splits": 1}, ValueError, "'n_splits' parameter of linear_probe"),
        ([0, 1] * 60, {"confidence_level": "a"}, TypeError, "'confidence_level' parameter of linear_probe"),
        ([0, 1] * 60, {"rng": -1}, TypeError, "'rng' parameter of linear_probe"),
    ],
)
def test_bad_labels(labels, options, error, match):
    with pytest.raises(error, match=match):
        linear_probe(sample(), labels, **options)


def test_bad_rows():
    with pytest.raises(ValueError, match=r"X holds 1 row that is not finite .*row 4"):
        linear_probe(with_row(4, np.inf), [0, 1] * 60)
