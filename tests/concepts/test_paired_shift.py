"""Differences between the two forms of the same sentences, and their common direction."""

import numpy as np
import pytest

from xembed.concepts import PairedShift, paired_shift
from xembed.datasets import PairedSentences

FORMS = ("female", "male")
VERBS = ["sings", "reads", "walks", "cooks", "writes"]


def make_data(n=6, classes=FORMS):
    """Return n sentences, each of another length and in every form."""
    subjects = ["She", "He", "They"][: len(classes)]
    sentences, truth, labels, groups = [], [], [], []
    for group in range(n):
        tail = [VERBS[(group + i) % len(VERBS)] for i in range(1 + group % 3)]
        for label, subject in enumerate(subjects):
            sentences.append([subject, *tail])
            truth.append([1] + [0] * len(tail))
            labels.append(label)
            groups.append(group)
    return PairedSentences("made", sentences, truth, labels, groups, classes)


def embed(data, shift, noise=0.0, dims=8, seed=0):
    """Return embeddings in which the second form is the first, moved along the first dimension, with noise."""
    rng = np.random.default_rng(seed)
    of_groups = rng.normal(size=(max(data.groups) + 1, dims))
    X = of_groups[list(data.groups)] + rng.normal(0, noise, (len(data), dims)) if noise else of_groups[[*data.groups]]
    X[:, 0] += shift * np.array(data.labels)
    return X


def test_paired_shift_by_hand():
    data = make_data(4)
    first = np.ones((4, 2))
    differences = np.array([[1, 1], [1, -1], [1, 1], [1, -1]]) * 2.0
    X = np.empty((8, 2))
    X[::2], X[1::2] = first, first + differences
    found = paired_shift(X, data)
    assert found.length == pytest.approx(2)
    np.testing.assert_allclose(found.direction, [1, 0], atol=1e-12)
    assert found.spread == pytest.approx(2)
    assert found.mean_share == found.axis_share == pytest.approx(0.5)
    assert found.pair_cosines[0] == pytest.approx(1)
    assert found.pair_cosines[1] == pytest.approx((3 - 1) / (np.sqrt(2) * np.sqrt(10)))
    # Of the others of the first: (6, -2), at (2, 2) a cosine of 8 / sqrt(8 * 40).
    assert found.alignment == pytest.approx(8 / np.sqrt(320))
    assert found.heldout_accuracy == 1


def test_a_shared_direction_is_found():
    data = make_data(60)
    found = paired_shift(embed(data, 1.0, noise=0.1), data)
    assert found.length == pytest.approx(1.0, abs=0.1)
    assert found.length_interval[0] < found.length < found.length_interval[1]
    assert found.pvalue < 0.001
    assert found.mean_share > 0.8 > 0.3 > found.mean_share_chance
    assert found.axis_cosine > 0.99
    assert found.axis_share >= found.mean_share
    assert found.heldout_accuracy == 1
    assert found.alignment_interval[0] > 0.8
    # Rows without their twin are told apart less well: sentences differ more than forms.
    assert 0.55 < found.heldout_row_accuracy < 0.9
    again = PairedShift.from_json(found.to_json())
    assert again.heldout_interval == found.heldout_interval
    np.testing.assert_array_equal(again.direction, found.direction)


def test_random_differences_have_no_direction():
    data = make_data(100)
    found = [paired_shift(embed(data, 0.0, noise=1.0, seed=seed), data, n_resamples=300) for seed in range(12)]
    assert sum(result.pvalue <= 0.05 for result in found) <= 3
    assert np.mean([result.heldout_accuracy for result in found]) == pytest.approx(0.5, abs=0.08)
    assert np.mean([result.alignment for result in found]) == pytest.approx(0, abs=0.08)
    for share in ("mean_share", "axis_share"):
        chance = np.mean([getattr(result, f"{share}_chance") for result in found])
        assert np.mean([getattr(result, share) for result in found]) == pytest.approx(chance, abs=0.03)


def test_forms_the_other_way_round_and_scale():
    data = make_data(30)
    X = embed(data, 0.5, noise=0.2)
    one, other = paired_shift(X, data), paired_shift(X * 4.0, data, forms=("male", "female"))
    assert other.length == pytest.approx(4 * one.length)
    np.testing.assert_allclose(other.direction, -one.direction)
    for name in ("mean_share", "axis_share", "cosine", "alignment", "heldout_accuracy", "pvalue"):
        assert getattr(other, name) == pytest.approx(getattr(one, name), abs=1e-9), name


def test_rotations_and_float32_do_not_matter():
    data = make_data(30)
    X = embed(data, 0.5, noise=0.2)
    Q = np.linalg.qr(np.random.default_rng(1).normal(size=(8, 8)))[0]
    one, other = paired_shift(X, data), paired_shift((X @ Q).astype(np.float32), data)
    for name in ("length", "spread", "mean_share", "axis_share", "cosine", "heldout_row_accuracy"):
        assert getattr(other, name) == pytest.approx(getattr(one, name), abs=1e-5), name


def test_a_sentence_without_any_difference_counts_as_undecided():
    data = make_data(6)
    X = embed(data, 1.0)
    X[1] = X[0]
    found = paired_shift(X, data)
    assert found.heldout_accuracy == pytest.approx(5.5 / 6)
    assert found.pair_cosines[0] == pytest.approx(1)


def test_errors_of_paired_shift():
    data = make_data(5)
    X = embed(data, 1.0, noise=0.1)
    with pytest.raises(ValueError, match=r"one row for each of the 10 rows of the data. Got 9"):
        paired_shift(X[:9], data)
    with pytest.raises(ValueError, match=r"must differ between the forms \('female', 'male'\)"):
        paired_shift(embed(data, 0.0), data)
    for value, problem in ((np.nan, "not finite"), (0.0, "zero")):
        broken = X.copy()
        broken[3] = value
        with pytest.raises(ValueError, match=rf"holds 1 row that is {problem} \(first: row 3\)"):
            paired_shift(broken, data)
    with pytest.raises(ValueError, match="at least 4 sentences"):
        paired_shift(X[:6], data.take(range(6)))
    with pytest.raises(ValueError, match="'n_folds' parameter of paired_shift"):
        paired_shift(X, data, n_folds=1)
    with pytest.raises(ValueError, match="'forms' parameter of paired_shift"):
        paired_shift(X, data, forms="male")
