"""Single tests by permutation: what they find, what they return, what they refuse."""

import numpy as np
import pytest

import xembed
from xembed.shift import (
    TestResult,
    classifier_test,
    energy_test,
    knn_test,
    mean_test,
    mmd_test,
    tail_test,
)


def linear_test(F, G, **options):
    return mmd_test(F, G, kernel="linear", **options)


ALL = [mmd_test, linear_test, energy_test, mean_test, knn_test, classifier_test, tail_test]
RNG = np.random.default_rng(0)
GOOD = RNG.normal(0.6, 1.0, size=(60, 6))
SHIFTED = RNG.normal(0.6, 1.0, size=(50, 6)) + np.array([2, 0, 0, 0, 0, -2])


@pytest.mark.parametrize("test", ALL)
def test_a_large_shift_is_found_and_no_shift_is_not(test):
    contaminated = GOOD[:50] + RNG.normal(0, 0.01, (50, 6))
    contaminated[:15] *= -1
    found = test(GOOD, contaminated if test is tail_test else SHIFTED, n_resamples=199)
    assert found.pvalue == 0.005 and found.effect_size > found.confidence_interval[0]
    assert found.verdict.startswith("The corpora differ (p = 0.005)")
    none = test(GOOD[:30], GOOD[30:], n_resamples=199)
    assert none.pvalue > 0.05 and none.verdict.startswith("No difference found")
    assert none.adjusted_pvalue is None and len(none.null) == 199


@pytest.mark.parametrize("test", ALL)
def test_same_call_same_result_and_round_trip(test, tmp_path):
    one, other = test(GOOD, SHIFTED, n_resamples=49, rng=5), test(GOOD, SHIFTED, n_resamples=49, rng=5)
    assert one.to_json(tmp_path / "x.json") == other.to_json()
    again = xembed.read_result(tmp_path / "x.json")
    assert isinstance(again, TestResult) and again.to_json() == one.to_json()
    assert test(GOOD, SHIFTED, n_resamples=49, rng=6).to_json() != one.to_json()


@pytest.mark.parametrize("test", ALL)
def test_only_directions_matter(test):
    scale = np.exp(RNG.normal(size=(60, 1)))
    one, other = test(GOOD, SHIFTED, n_resamples=49), test(GOOD * scale, SHIFTED * 7, n_resamples=49)
    assert one.pvalue == other.pvalue and one.statistic == pytest.approx(other.statistic, abs=1e-9)


@pytest.mark.parametrize("test", ALL)
def test_pairs_and_groups(test):
    versions = GOOD + 0.02 * RNG.normal(size=GOOD.shape) + [0, 0, 0, 0, 0.05, -0.05]
    assert test(GOOD, versions, n_resamples=99, paired=True).n_G == 60
    groups = ([f"f{i // 3}" for i in range(60)], [f"g{i // 5}" for i in range(50)])
    assert test(GOOD, SHIFTED, n_resamples=99, groups=groups).provenance["parameters"]["groups"] == "given"


def test_pairs_see_what_independent_samples_can_not():
    versions = GOOD + 0.02 * RNG.normal(size=GOOD.shape) + [0, 0, 0, 0, 0.05, -0.05]
    assert mean_test(GOOD, versions).pvalue > 0.5
    assert mean_test(GOOD, versions, paired=True).pvalue == 0.001


@pytest.mark.slow
def test_groups_hold_the_level_where_rows_do_not():
    """Chunks of one document are alike: tests that take them for independent reject without a shift."""
    rows_rejected, groups_rejected = 0, 0
    for seed in range(800):
        rng = np.random.default_rng(seed)
        documents = np.repeat(rng.normal(size=(24, 6)), 5, axis=0)
        rows = 1 + documents + 0.5 * rng.normal(size=documents.shape)
        groups = (np.repeat(np.arange(12), 5).tolist(), np.repeat(np.arange(12, 24), 5).tolist())
        groups_rejected += mmd_test(rows[:60], rows[60:], n_resamples=39, groups=groups).pvalue <= 0.05
        if seed < 60:
            rows_rejected += mmd_test(rows[:60], rows[60:], n_resamples=39).pvalue <= 0.05
    assert rows_rejected / 60 > 0.5
    # Of 800 runs: a level of .05 passes with a probability of .9994, one of .10 with .017, one of .02 with .13.
    assert 21 <= groups_rejected <= 62


def test_large_corpora_are_refused_with_advice(monkeypatch):
    monkeypatch.setattr("xembed.shift._battery.available_memory", lambda: 2**28)
    rows = np.broadcast_to(np.ones(4), (1_500_000, 4))
    with pytest.raises(MemoryError, match=r"needs about .* GB for 3,000,000 rows .* are free\. Take a random sample"):
        mmd_test(rows, rows)


@pytest.mark.parametrize("test", ALL)
@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda test: test(GOOD[:1], GOOD), ValueError, "F must hold at least 2 rows"),
        (lambda test: test(GOOD, GOOD[:0]), ValueError, "G must hold at least 2 rows"),
        (lambda test: test(GOOD, GOOD[:, :3]), ValueError, "same number of dimensions"),
        (lambda test: test(GOOD, np.where(np.arange(60)[:, None] == 4, np.nan, GOOD)), ValueError,
         r"G holds 1 row that is not finite .* row 4"),
        (lambda test: test(GOOD, GOOD * (np.arange(60) > 0)[:, None]), ValueError, "G holds 1 row that is zero"),
        (lambda test: test(GOOD, GOOD, n_resamples=3), ValueError, "'n_resamples' .* at least 19. Got 3"),
        (lambda test: test(GOOD, GOOD, confidence_level=1), ValueError, "'confidence_level'"),
        (lambda test: test(GOOD, GOOD, rng="x"), TypeError, "The 'rng' parameter"),
        (lambda test: test(GOOD, GOOD[:40], paired=True), ValueError, "as many rows in both. Got 60 and 40"),
        (lambda test: test(GOOD, GOOD, paired=True, groups=([1], [2])), ValueError, "'groups' or paired=True, not"),
        (lambda test: test(GOOD, GOOD, groups=[1, 2]), ValueError, "'groups' parameter .* must be a pair: .* Got list"),
        (lambda test: test(GOOD, GOOD, groups=(range(60), range(59))), ValueError,
         "G must have as many groups as rows in .*_test. Got 59 and 60 rows"),
        (lambda test: test(GOOD, GOOD, groups=(range(60), range(59, 119))), ValueError,
         r"Got 1 in both F and G \(first: 59\)"),
        (lambda test: test(GOOD, GOOD, groups=(["a"] * 60, range(60))), ValueError,
         "at least 2 groups in each corpus. Got 1 in F and 60 in G"),
        (lambda test: test(GOOD, GOOD, groups=([None, *range(59)], range(60, 120))), ValueError,
         r"F holds 1 row without a group \(first: row 0\)"),
    ],
)  # fmt: skip
def test_documented_errors(test, call, error, message):
    with pytest.raises(error, match=message):
        call(test)


def test_unknown_kernel():
    with pytest.raises(ValueError, match=r"The 'kernel' parameter of mmd_test must be one of \{'linear', 'rbf'\}"):
        mmd_test(GOOD, GOOD, kernel="poly")
