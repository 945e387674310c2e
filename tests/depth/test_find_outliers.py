"""Outliers: p-values by hand, false discovery rates and power by simulation, invariances, every documented error."""

import json
import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special, stats

from xembed import read_result
from xembed.depth import OutlierResult, find_outliers, local_depth, tte_depth
from xembed.depth._empirical_null import empirical_null
from xembed.depth._outliers import conformal_pvalues


def unit(X):
    return X / np.linalg.norm(X, axis=1, keepdims=True)


def isotropic(rng, n, d):
    return unit(rng.standard_normal((n, d)))


def cone(rng, n, d, along=0.5):
    X = rng.standard_normal((n, d)) / np.sqrt(d)
    X[:, 0] += along
    return unit(X)


def strong_cone(rng, n, d):
    return cone(rng, n, d, 1.5)


def power_law(rng, n, d):
    spread = np.arange(1, d + 1) ** -0.5
    X = rng.standard_normal((n, d)) * spread / np.linalg.norm(spread)
    X[:, 0] += 0.5
    return unit(X)


def clusters(rng, n, d):
    X = rng.standard_normal((n, d)) / np.sqrt(d)
    X[:, 0] += 0.5
    X[np.arange(n), 1 + rng.integers(0, 4, n)] += 0.6
    return unit(X)


def planted(rng, n, d, n_out, population=cone):
    """Good texts after ``n_out`` texts of no topic."""
    return np.concatenate([isotropic(rng, n_out, d), population(rng, n - n_out, d)])


def test_conformal_p_values_by_hand():
    calibration = np.array([3.0, 1.0, 2.0, 2.0])
    found = conformal_pvalues(calibration, np.array([0.5, 1.0, 2.0, 2.5, 9.0]))
    np.testing.assert_allclose(found, [1 / 5, 2 / 5, 4 / 5, 4 / 5, 1.0])


@given(seed=st.integers(0, 10**6), n=st.integers(1, 40), levels=st.integers(1, 50))
@settings(max_examples=60, deadline=None)
def test_conformal_p_values_are_ranks_that_ties_make_larger(seed, n, levels):
    scores = np.random.default_rng(seed).integers(0, levels, n + 1).astype(float)
    # Each of n + 1 exchangeable scores in turn is the tested one.
    found = [conformal_pvalues(np.delete(scores, i), scores[i : i + 1])[0] for i in range(n + 1)]
    np.testing.assert_allclose(found, stats.rankdata(scores, method="max") / (n + 1))
    for level in np.arange(1, n + 2) / (n + 1):
        assert np.mean(np.array(found) < level + 1e-12) <= level + 1e-12


@pytest.mark.parametrize("score", ["depth", "local"])
def test_the_reference_is_split_and_the_other_half_calibrates(score):
    rng = np.random.default_rng(0)
    reference, X = cone(rng, 81, 6), cone(rng, 30, 6)
    result = find_outliers(X, reference=reference, score=score, rng=5, n_neighbors=7)
    order = np.random.default_rng(5).permutation(81)
    half, rest = reference[np.sort(order[:40])], reference[np.sort(order[40:])]
    depth = tte_depth if score == "depth" else lambda A, B: local_depth(A, B, n_neighbors=7)
    expected = [(1 + np.sum(depth(rest, half) <= s)) / 42 for s in depth(X, half)]
    np.testing.assert_allclose(result.pvalues, expected)
    np.testing.assert_array_equal(result.scores, depth(X, half))
    assert (result.method, result.n_calibration, result.n_tested) == ("conformal", 41, 30)


@pytest.mark.parametrize("score", ["depth", "local"])
@pytest.mark.parametrize("with_reference", [True, False])
def test_planted_texts_are_found(score, with_reference):
    rng = np.random.default_rng(1)
    X = planted(rng, 400, 128, 12)
    reference = cone(rng, 2400, 128) if with_reference else None
    result = find_outliers(X, reference=reference, score=score)
    found = np.isin(np.arange(12), result.rows).sum()
    assert found >= 9 and len(result.rows) - found <= 3
    assert result.threshold == result.scores[result.rows].max()
    np.testing.assert_array_equal(result.rows, np.flatnonzero(result.scores <= result.threshold))
    np.testing.assert_array_equal(result.rows, np.flatnonzero(result.qvalues <= 0.05))
    frame = result.to_frame()
    assert list(frame) == ["row", "score", "pvalue", "qvalue", "outlier"] and len(frame) == 400
    assert list(frame["row"][frame["outlier"]]) == list(result.rows)
    assert str(len(result.rows)) in result.verdict and "400" in result.verdict


def test_a_text_between_clusters_is_found_by_local_depth_only():
    rng = np.random.default_rng(2)
    reference, X = clusters(rng, 3000, 256), clusters(rng, 100, 256)
    blends = rng.standard_normal((10, 256)) / 16
    blends[:, 0] += 0.5
    blends[:, 1:5] += 0.15
    X[:10] = unit(blends)
    by_depth = find_outliers(X, reference=reference)
    by_density = find_outliers(X, reference=reference, score="local")
    assert np.isin(np.arange(10), by_density.rows).sum() >= 8
    assert not np.isin(np.arange(10), by_depth.rows).any()


def test_a_false_discovery_rate_that_is_hit_exactly_is_kept():
    # Scores below all 19 calibrating ones have p = 1/20 = fdr.
    reference = np.concatenate([np.tile([1.0, 0.2], (19, 1)), np.tile([1.0, 0.1], (19, 1))])
    result = find_outliers([[-1.0, 0.0]] * 3, reference=reference, fdr=0.05)
    np.testing.assert_array_equal(result.pvalues, [0.05] * 3)
    assert list(result.rows) == [0, 1, 2]
    assert list(find_outliers([[-1.0, 0.0]] * 3, reference=reference, fdr=0.0499).rows) == []


def test_too_small_a_reference_is_said_with_the_size_that_would_do():
    rng = np.random.default_rng(3)
    reference, X = cone(rng, 200, 16), planted(rng, 400, 16, 5)
    result = find_outliers(X, reference=reference)
    assert len(result.rows) == 0 and result.threshold is None
    (note,) = result.warnings
    # m / (fdr (n + 1)) = 400 / (0.05 * 101) = 79.2
    assert "no p-value is below 1/101" in note and "at least 80 are as extreme" in note
    assert "a reference of 15997 texts or more" in note
    for size, warns in ((15996, True), (15997, False)):
        enough = find_outliers(X, reference=np.ones((size, 16)) + 0.1 * X[np.arange(size) % 400])
        assert bool(enough.warnings) is warns and enough.n_calibration == (size + 1) // 2
    (note,) = find_outliers(X[:3], reference=reference[:20]).warnings
    assert "none can be reported, whatever they are" in note
    assert "No outliers found among 400 texts at a false discovery rate of 0.05" in result.verdict


def test_a_single_text_can_be_tested():
    rng = np.random.default_rng(4)
    reference = cone(rng, 200, 64)
    far = find_outliers(-reference[:1], reference=reference)
    assert list(far.rows) == [0] and far.pvalues[0] == 1 / 101
    assert far.verdict.startswith("The text is an outlier: depth of at most ")
    near = find_outliers(reference.mean(axis=0)[None], reference=reference)
    assert list(near.rows) == [] and near.pvalues[0] == 1.0 and not near.warnings


@pytest.mark.parametrize("score", ["depth", "local"])
def test_all_the_same_texts_hold_no_outlier(score):
    same = np.full((50, 5), 0.3)
    alone = find_outliers(same, score=score)
    assert (alone.pvalues == 1).all() and len(alone.rows) == 0
    assert "More than half of the texts have the same score" in alone.warnings[0]
    against = find_outliers(same, reference=same, score=score)
    assert (against.pvalues == 1).all() and len(against.rows) == 0


def test_many_copies_of_one_text_leave_the_others_unjudged():
    rng = np.random.default_rng(5)
    X = np.concatenate([np.tile(rng.standard_normal(8), (40, 1)), rng.standard_normal((20, 8))])
    result = find_outliers(X, score="local")
    assert (result.pvalues == 1).all() and "Drop the repetitions" in result.warnings[0]


def test_without_a_reference_the_model_is_named():
    rng = np.random.default_rng(6)
    result = find_outliers(cone(rng, 200, 32))
    assert result.method == "empirical_null" and "not exact" in result.warnings[0]
    two = np.concatenate([cone(rng, 250, 64), isotropic(rng, 250, 64)])
    assert any("fits the bulk of the scores badly" in note for note in find_outliers(two).warnings)
    many = find_outliers(planted(rng, 600, 128, 90, strong_cone))
    assert any("a group of their own" in note for note in many.warnings)


def test_the_null_is_the_distribution_of_the_bulk():
    z = special.ndtri((np.arange(20000) + 0.5) / 20000)
    found = empirical_null(1 + 0.1 * z)
    inner = np.abs(z) < 2.5
    np.testing.assert_allclose(found.pvalues[inner], special.ndtr(z[inner]), atol=0.003)
    # In the tail larger, as the shape is never certain, but by no more than a factor of 3 at p = 2.5e-5.
    excess = np.log(found.pvalues[:3]) - special.log_ndtr(z[:3])
    assert excess.min() > 0 and excess.max() < np.log(3)
    assert found.misfit < found.expected_misfit
    lognormal = empirical_null(2 - 0.1 * np.exp(0.4 * z[::-1]))  # a heavy lower tail
    np.testing.assert_allclose(lognormal.pvalues[inner], special.ndtr(z[inner]), atol=0.02)


def test_uncertainty_of_the_fit_makes_small_corpora_careful():
    def smallest(n):
        z = special.ndtri((np.arange(n) + 0.5) / n)
        return empirical_null(np.append(1 + 0.1 * z, 0.4)).pvalues[-1]  # six standard deviations below

    values = [smallest(n) for n in (20, 50, 200, 1000, 10000)]
    assert (np.diff(values) < 0).all()
    assert values[0] > 1e-3 and values[-1] < 1e-6


@given(seed=st.integers(0, 10**6), n=st.integers(20, 60), shift=st.floats(-1, 1), scale=st.floats(0.01, 10))
@settings(max_examples=10, deadline=None)
def test_the_null_follows_the_scores(seed, n, shift, scale):
    scores = np.random.default_rng(seed).normal(size=n)
    found = empirical_null(scores)
    assert found.pvalues.min() > 0 and found.pvalues.max() <= 1
    assert (np.diff(found.pvalues[np.argsort(scores)]) >= 0).all()
    np.testing.assert_allclose(empirical_null(shift + scale * scores).pvalues, found.pvalues, rtol=0.02)


def test_result_round_trips_and_says_how_it_was_made(tmp_path):
    rng = np.random.default_rng(7)
    X, reference = planted(rng, 40, 32, 3), cone(rng, 900, 32)
    for result in (
        find_outliers(X, reference=reference, rng=3, score="local", n_neighbors=5),
        find_outliers(X[3:]),
    ):
        text = result.to_json(tmp_path / "outliers.json")
        again = OutlierResult.from_json(text)
        assert again.to_json() == text and again.warnings == result.warnings
        assert again.rows.dtype == np.int64 and len(X[again.rows]) == len(result.rows)
        assert json.loads(text)["schema"] == "xembed.depth.OutlierResult/1"
        assert isinstance(read_result(tmp_path / "outliers.json"), OutlierResult)
        assert len(repr(result)) < 400
    parameters = find_outliers(X, reference=reference, rng=3, score="local", n_neighbors=5).provenance["parameters"]
    assert parameters == {"fdr": 0.05, "score": "local", "n_neighbors": 5, "n_reference": 900, "rng": 3}
    with pytest.raises(AttributeError):
        result.fdr = 0.1


def test_same_call_same_result():
    rng = np.random.default_rng(8)
    X, reference = planted(rng, 60, 16, 5), cone(rng, 200, 16)
    one = find_outliers(X, reference=reference)
    assert one.to_json() == find_outliers(X, reference=reference, rng=0).to_json()
    assert not np.array_equal(one.pvalues, find_outliers(X, reference=reference, rng=1).pvalues)
    assert find_outliers(X).to_json() == find_outliers(X).to_json()
    order = rng.permutation(60)
    np.testing.assert_array_equal(find_outliers(X[order], reference=reference).pvalues, one.pvalues[order])
    np.testing.assert_allclose(find_outliers(X[order]).pvalues, find_outliers(X).pvalues[order], rtol=1e-6)


GOOD = cone(np.random.default_rng(0), 40, 4)
BAD = np.where(np.arange(40)[:, None] == 33, np.nan, GOOD)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: find_outliers(GOOD, fdr=0), ValueError, r"'fdr' parameter of find_outliers .* in \(0, 1\). Got 0"),
        (lambda: find_outliers(GOOD, fdr="low"), TypeError, "'fdr' parameter of find_outliers"),
        (lambda: find_outliers(GOOD, score="lof"), ValueError,
         r"The 'score' parameter of find_outliers must be one of \{'depth', 'local'\}. Got 'lof' instead"),
        (lambda: find_outliers(GOOD, rng="x"), TypeError, "The 'rng' parameter of find_outliers"),
        (lambda: find_outliers(GOOD, n_neighbors=0), ValueError, "'n_neighbors' parameter of find_outliers"),
        (lambda: find_outliers(GOOD, score="local", n_neighbors=40), ValueError,
         "'n_neighbors' parameter of find_outliers must be at most 39, the number of texts in X besides each"),
        (lambda: find_outliers(GOOD, reference=GOOD, score="local", n_neighbors=21), ValueError,
         "must be at most 20, the number of texts in the half of reference that scores are measured in. Got 21"),
        (lambda: find_outliers(GOOD[:19]), ValueError,
         "X must hold at least 20 rows .texts. for find_outliers with reference=None. Got n_samples = 19"),
        (lambda: find_outliers(GOOD[:0], reference=GOOD), ValueError, "X must hold at least 1 row"),
        (lambda: find_outliers(GOOD, reference=GOOD[:3]), ValueError, "reference must hold at least 4 rows"),
        (lambda: find_outliers(GOOD, reference=GOOD[:, :2]), ValueError, "same number of dimensions. Got 4 and 2"),
        (lambda: find_outliers(GOOD[0]), ValueError, "X must be a 2-D array"),
        (lambda: find_outliers(BAD), ValueError, r"X holds 1 row that is not finite .*first: row 33"),
        (lambda: find_outliers(BAD, score="local"), ValueError, r"X holds 1 row that is not finite .*first: row 33"),
        (lambda: find_outliers(BAD, reference=GOOD), ValueError, r"X holds 1 row that is not finite .*first: row 33"),
        (lambda: find_outliers(GOOD, reference=BAD), ValueError, r"reference holds 1 row that is not .*first: row 33"),
        (lambda: find_outliers(GOOD, reference=BAD, score="local"), ValueError, r"reference holds 1 .*first: row 33"),
    ],
)  # fmt: skip
def test_documented_errors(call, error, message):
    with pytest.raises(error, match=message):
        call()


FULL = bool(os.environ.get("XEMBED_FULL"))
POPULATIONS = [isotropic, cone, strong_cone, power_law, clusters]


def rates(draw, runs, **options):
    """Return the mean false discovery proportion, its standard error, and the mean power over runs."""
    false, power = [], []
    for run in range(runs):
        X, n_out, reference = draw(np.random.default_rng([run, 17]))
        rows = find_outliers(X, reference=reference, rng=run, **options).rows
        false.append(np.sum(rows >= n_out) / max(len(rows), 1))
        power.append(np.sum(rows < n_out) / max(n_out, 1))
    return np.mean(false), np.std(false) / np.sqrt(runs), np.mean(power)


# 600 calibrating texts and 60 tested ones: a single p-value can reach 0.1 / 60. Three standard errors are allowed for.
@pytest.mark.slow
@pytest.mark.parametrize("score", ["depth", "local"])
@pytest.mark.parametrize("n_out", [0, 6])
@pytest.mark.parametrize("population", POPULATIONS)
def test_false_discovery_rate_with_a_reference(population, n_out, score):
    runs = 1000 if FULL else 120

    def draw(rng):
        return planted(rng, 60, 64, n_out, population), n_out, population(rng, 1200, 64)

    rate, error, power = rates(draw, runs, score=score, fdr=0.1)
    print(f"\nconformal {population.__name__} {score} planted {n_out}: FDR {rate:.3f} ± {error:.3f}, power {power:.2f}")
    assert rate <= 0.1 * (60 - n_out) / 60 + 3 * max(error, 0.01)
    if not n_out:  # the bound is reached
        assert rate >= 0.1 - 3 * np.sqrt(0.09 / runs)
    elif population in (cone, strong_cone, clusters):
        assert power > 0.8


@pytest.mark.slow
def test_false_discovery_rate_with_a_reference_and_repeated_texts():
    def draw(rng):  # coarse data with many ties in the scores
        texts = rng.integers(-1, 3, size=(500, 3)) + 0.5
        return texts[:100], 0, texts[100:]

    rate, error, _ = rates(draw, 1000 if FULL else 300, fdr=0.1)
    assert rate <= 0.1 + 3 * error


# An empirical null is a model: the claim is that the rate is kept on these populations.
@pytest.mark.slow
@pytest.mark.parametrize("score", ["depth", "local"])
@pytest.mark.parametrize("n_out", [0, 15])
@pytest.mark.parametrize("population", POPULATIONS)
def test_false_discovery_rate_without_a_reference(population, n_out, score):
    runs = 400 if FULL else 30

    def draw(rng):
        return planted(rng, 300, 128, n_out, population), n_out, None

    rate, error, power = rates(draw, runs, score=score)
    print(f"\nnull {population.__name__} {score} planted {n_out}: FDR {rate:.3f} ± {error:.3f}, power {power:.2f}")
    assert rate <= 0.05 + 3 * (error if n_out else np.sqrt(0.05 * 0.95 / runs))
    if n_out and population in (cone, strong_cone, clusters):
        assert power > 0.8
