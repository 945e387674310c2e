"""Several corpora at once: each pair as by itself, correction, directions, errors."""

import json

import numpy as np
import pytest

from xembed.shift._battery import check_pair, make_pool, run_battery
from xembed.shift._many import ManyResult, compare_many


def corpora(seed=0, names="abcd"):
    """Return corpora of which c is collapsed and d shifted."""
    rng = np.random.default_rng(seed)
    found = {name: rng.normal(1.0, 1.0, size=(50 + 5 * i, 8)) for i, name in enumerate(names)}
    if "c" in found:
        found["c"] = rng.normal(1.0, 0.5, size=found["c"].shape)
    if "d" in found:
        found["d"][:, 0] += 2.0
    return found


def test_pairs_that_differ_are_found_and_named():
    result = compare_many(corpora())
    different = result.adjusted_pvalues <= 0.05
    expected = ~np.eye(4, dtype=bool)
    expected[0, 1] = expected[1, 0] = False
    np.testing.assert_array_equal(different, expected)
    assert result.n_different == 5
    assert result.verdict.startswith(
        "5 of 6 pairs differ (level 0.05 for all pairs together), the largest effect first: "
    )
    assert "The closest are “a” and “b” (adjusted p = " in result.verdict


def test_each_pair_is_the_battery_by_itself():
    data = corpora()
    result = compare_many(data, n_resamples=199)
    pool = make_pool(
        *check_pair(data["b"], data["d"], caller="test"), n_resamples=19, rng=np.random.default_rng(5), caller="test"
    )
    battery = run_battery(pool, result.tests)
    for name, values in zip(result.tests, result.effects, strict=True):
        assert values[1, 3] == pytest.approx(battery.measured[name].effects[0], abs=1e-9)


def test_matrices_are_symmetric_but_for_the_direction_of_depth():
    result = compare_many(corpora(), n_resamples=199)
    assert result.tests == ("depth", "mean", "rbf", "knn")
    np.testing.assert_array_equal(result.effects[0], -result.effects[0].T)
    for values in (*result.effects[1:], result.pvalues, result.adjusted_pvalues, result.similarities):
        np.testing.assert_array_equal(values, values.T)
    assert (np.diag(result.pvalues) == 1).all() and (np.diagonal(result.effects, axis1=1, axis2=2) == 0).all()
    assert result.effects[0][0, 2] > 0.4  # the collapsed corpus is the deeper one
    swapped = compare_many({"c": corpora()["c"], "a": corpora()["a"]}, n_resamples=199)
    assert swapped.effects[0][0, 1] == pytest.approx(result.effects[0][2, 0], abs=1e-9)


def test_similarities_are_mean_cosines():
    data = corpora()
    result = compare_many(data, n_resamples=19, tests="mean")
    unit = {name: rows / np.linalg.norm(rows, axis=1, keepdims=True) for name, rows in data.items()}
    assert result.similarities[0, 3] == pytest.approx((unit["a"] @ unit["d"].T).mean(), abs=1e-12)
    within = (unit["b"] @ unit["b"].T)[np.triu_indices(len(unit["b"]), 1)].mean()
    assert result.similarities[1, 1] == pytest.approx(within, abs=1e-12)


def test_correction_is_holms():
    result = compare_many(corpora())
    upper = np.triu_indices(4, 1)
    raw = result.pvalues[upper]
    # By hand: the k-th smallest times the number of those not smaller, never less than the one before.
    order = np.argsort(raw, kind="stable")
    running, expected = 0.0, np.empty(6)
    for step, pair in enumerate(order):
        running = max(running, min(1.0, raw[pair] * (6 - step)))
        expected[pair] = running
    np.testing.assert_allclose(result.adjusted_pvalues[upper], expected, rtol=1e-12)


def test_one_more_corpus_does_not_change_the_others():
    three = {name: rows for name, rows in corpora().items() if name != "d"}
    few, more = compare_many(three, n_resamples=99), compare_many(corpora(), n_resamples=99)
    np.testing.assert_array_equal(few.pvalues, more.pvalues[:3, :3])
    np.testing.assert_array_equal(few.effects, more.effects[:, :3, :3])


def test_permutations_suffice_for_many_pairs():
    rng = np.random.default_rng(0)
    many = {str(i): rng.normal(size=(5, 2)) for i in range(12)}
    result = compare_many(many, tests="mean")
    assert result.provenance["parameters"]["n_resamples"] == 2 * 66 / 0.05 - 1
    assert result.warnings == ()
    few = compare_many(many, tests="mean", n_resamples=99)
    assert "no adjusted p-value can be below 0.66" in few.warnings[0]
    assert "n_resamples of at least 1319" in few.warnings[0]


def test_no_difference():
    rng = np.random.default_rng(3)
    result = compare_many({"x": rng.normal(1, 1, (40, 6)), "y": rng.normal(1, 1, (40, 6))}, n_resamples=199)
    assert result.n_different == 0
    assert result.verdict.startswith("No two corpora were found to differ (level 0.05 for all pairs together). ")


def test_duplicates_do_not_differ():
    same = compare_many({"x": np.ones((10, 3)), "y": np.ones((8, 3)), "z": 2 * np.ones((5, 3))}, n_resamples=99)
    assert same.n_different == 0
    assert not same.effects[:3].any()  # nearest neighbors are random where all are equally near


def test_result_round_trips_and_says_how_it_was_made():
    result = compare_many(corpora(), n_resamples=99, rng=4)
    text = result.to_json()
    again = ManyResult.from_json(text)
    assert again.to_json() == text
    np.testing.assert_array_equal(again.effects, result.effects)
    assert json.loads(text)["schema"] == "xembed.shift.ManyResult/1"
    assert result.provenance["parameters"]["rng"] == 4
    frame = result.to_frame()
    assert list(zip(frame["F"], frame["G"], strict=True))[:2] == [("a", "b"), ("a", "c")]
    assert frame.loc[2, "pvalue"] == result.pvalues[0, 3] and frame.loc[2, "n_G"] == 65
    assert frame.loc[3, "effect_knn"] == result.effects[3][1, 2]
    assert compare_many(corpora(), n_resamples=99, rng=4).to_json() == text
    assert (compare_many(corpora(), n_resamples=99, rng=5).pvalues != result.pvalues).any()


GOOD = corpora()


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: compare_many([GOOD["a"], GOOD["b"]]), TypeError, "names to embeddings or texts.*Got list"),
        (lambda: compare_many({2023: GOOD["a"], 2024: GOOD["b"]}), TypeError,
         "must be strings that are not blank. Got 2023"),
        (lambda: compare_many({"a": GOOD["a"], " ": GOOD["b"]}), TypeError,
         "must be strings that are not blank. Got ' '"),
        (lambda: compare_many({"a": GOOD["a"]}), ValueError, "compare_many needs at least 2 corpora. Got 1"),
        (lambda: compare_many({}), ValueError, "compare_many needs at least 2 corpora. Got 0"),
        (lambda: compare_many(GOOD | {"e": GOOD["a"][:1]}), ValueError, "'e' must hold at least 2 rows"),
        (lambda: compare_many(GOOD | {"e": GOOD["a"][:, :3]}), ValueError,
         "'a' and 'e' must have the same number of dimensions"),
        (lambda: compare_many(GOOD | {"e": 0 * GOOD["a"]}), ValueError, "'e' holds 50 rows that are zero"),
        (lambda: compare_many(GOOD, tests=("depth", "tail")), ValueError, "can't hold 'tail'"),
        (lambda: compare_many(GOOD, tests="chi2"), ValueError, "The 'tests' parameter of compare_many"),
        (lambda: compare_many(GOOD, alpha=1), ValueError, "The 'alpha' parameter of compare_many"),
        (lambda: compare_many(GOOD, n_resamples=3), ValueError, "The 'n_resamples' parameter of compare_many"),
        (lambda: compare_many(GOOD, rng="x"), TypeError, "The 'rng' parameter of compare_many"),
    ],
)  # fmt: skip
def test_documented_errors(call, error, message):
    with pytest.raises(error, match=message):
        call()
