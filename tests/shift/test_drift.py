"""Drift over time: the bets, windows and times, what is found and kept, errors, level and power."""

import datetime
import json
import os

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xembed.depth import tte_depth
from xembed.shift._drift import DriftResult, drift_over_time
from xembed.shift._kinds import DEFAULT
from xembed.shift._monitor import LIMIT, bet, calibrator, change_point, e_values, no_bets

FULL = bool(os.environ.get("XEMBED_FULL"))
DAY = np.datetime64("2024-01-01")


def cone(rng, n, d=8, spread=0.3):
    return rng.normal(1.0, spread, size=(n, d))


def stream(seed=0, n=360, change=None, d=8):
    """Return a stream whose last rows, from ``change`` on, are shifted along one axis."""
    X = cone(np.random.default_rng(seed), n, d)
    if change is not None:
        X[change:, 0] += 1.0
    return X


def monitor(X, times=None, **options):
    times = np.arange(len(X)) if times is None else times
    return drift_over_time(X, times, **{"reference": 100, "window": 20, "n_resamples": 99} | options)


# The bets


@pytest.mark.parametrize("n_resamples", [19, 99, 199, 999])
def test_calibrator_pays_one_on_average_and_more_for_smaller_p_values(n_resamples):
    payoffs = calibrator(n_resamples)
    assert payoffs.mean() == pytest.approx(1, abs=1e-12)
    assert (np.diff(payoffs) < 0).all() and payoffs[-1] > 0
    pvalues = np.array([1, 3, n_resamples + 1]) / (n_resamples + 1)
    np.testing.assert_array_equal(e_values(pvalues, n_resamples), payoffs[[0, 2, -1]])


def test_calibrator_by_hand():
    # p = 1/2 and 1: the mixture gives (1/2 - ln(2)/2) / (ln(2)^2 / 2) and 1/2, the inverse 2 and 1.
    mixture = np.array([(1 - np.log(2)) / np.log(2) ** 2, 0.5])
    expected = (mixture / mixture.mean() + np.array([4, 2]) / 3) / 2
    np.testing.assert_allclose(calibrator(1), expected, rtol=1e-12)


@given(st.lists(st.floats(0.01, 50), min_size=1, max_size=12))
@settings(max_examples=50, deadline=None)
def test_capital_is_the_mixture_over_all_starts(values):
    bets = no_bets(1)
    for evalue in values:
        bets = bet(bets, np.array([evalue]))
    k = np.arange(1, len(values) + 1)
    weights = 3 / ((k + 2) * (k + 3))
    expected = sum(w * np.prod(values[i:]) for i, w in enumerate(weights)) + 1 - weights.sum()
    assert bets.capital[0] == pytest.approx(expected, rel=1e-9)


def test_capital_is_a_martingale():
    payoffs = calibrator(99)
    bets = no_bets(len(payoffs))
    for history in (payoffs[[4]], payoffs[[60]], payoffs[[0]]):
        after = bet(bets, payoffs)  # all p-values are equally likely
        assert after.capital.mean() == pytest.approx(bets.capital[0], rel=1e-12)
        bets = bet(bets, np.repeat(history, len(payoffs)))


def test_capital_neither_overflows_nor_runs_out():
    rich, poor = no_bets(1), no_bets(1)
    for _ in range(400):
        rich, poor = bet(rich, np.array([80.0])), bet(poor, np.array([0.3]))
    assert rich.capital[0] == LIMIT
    assert 0 < poor.capital[0] < 0.01


def test_capital_seldom_grows_to_a_hundredfold_without_drift():
    rng = np.random.default_rng(0)
    payoffs, runs = calibrator(199), 20000
    bets, highest = no_bets(runs), np.zeros(runs)
    for _ in range(100):
        bets = bet(bets, payoffs[rng.integers(0, 200, runs)])
        highest = np.maximum(highest, bets.capital)
    for alpha in (0.2, 0.05, 0.01):
        rate = (highest >= 1 / alpha).mean()
        assert 0.3 * alpha < rate <= alpha + 3 * np.sqrt(alpha / runs)


def test_change_point_is_the_most_likely_one():
    rng = np.random.default_rng(0)
    pvalues = np.concatenate([rng.random((30, 2)), rng.random((6, 2)) ** 12])

    def likelihood(start):
        total = 0.0
        for sequence in pvalues[start:].T:
            grid = np.linspace(0.005, 1, 2000)[:, None]
            total += (np.log(grid) + (grid - 1) * np.log(sequence)).sum(axis=1).max()
        return total

    assert change_point(pvalues) == np.argmax([likelihood(start) for start in range(36)]) == 30
    assert change_point(np.ones((5, 2))) == 0


# Windows and times


def test_windows_of_rows():
    result = monitor(stream(n=167), window=20)
    assert result.starts == (100.0, 120.0, 140.0)
    assert result.ends == (119.0, 139.0, 159.0)
    assert result.counts.tolist() == [20, 20, 20]
    assert (result.n_reference, result.n_waiting) == (100, 7)
    assert "The last 7 rows do not fill a window yet and were not tested." in result.warnings


def test_windows_of_time_start_at_the_time_of_the_reference():
    times = np.linspace(0.0, 36.0, 360, endpoint=False)
    result = monitor(stream(), times, reference=10.5, window=5.0)
    assert result.n_reference == 105
    assert result.starts == (10.5, 15.5, 20.5, 25.5, 30.5)
    assert result.ends == (15.5, 20.5, 25.5, 30.5, 35.5)
    assert result.counts.tolist() == [50] * 5
    assert result.n_waiting == 5


def test_windows_of_days_start_at_midnight():
    times = DAY + np.timedelta64(9, "h") + np.arange(360) * np.timedelta64(1, "h")
    result = monitor(stream(), times, window="2D")
    assert result.starts[:2] == ("2024-01-05", "2024-01-07")
    assert result.counts[:2].tolist() == [35, 48]  # the stream begins on the 5th at 13:00
    by_hour = monitor(stream(), times, window=datetime.timedelta(hours=30))
    assert by_hour.starts[:2] == ("2024-01-05T13:00", "2024-01-06T19:00")


@pytest.mark.parametrize("window", ["MS", "1MS"])
def test_windows_by_the_calendar(window):
    times = DAY + np.arange(360) // 2
    result = monitor(stream(), times, reference="2024-02-01", window=window)
    assert result.starts == ("2024-02-01", "2024-03-01", "2024-04-01", "2024-05-01", "2024-06-01")
    assert result.counts.tolist() == [58, 62, 60, 62, 56]


@pytest.mark.parametrize("window", ["7D", "1W", "W", "7 days", datetime.timedelta(7), np.timedelta64(1, "W")])
def test_ways_to_say_a_week(window):
    times = DAY + np.arange(360) // 4
    result = monitor(stream(), times, reference="2024-01-29", window=window)
    assert result.starts[:2] == ("2024-01-29", "2024-02-05") and result.counts[0] == 28


@pytest.mark.parametrize(
    "times",
    [
        [str(DAY + i // 10) for i in range(360)],
        [datetime.date(2024, 1, 1) + datetime.timedelta(i // 10) for i in range(360)],
        pd.Series(pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(360) // 10, "D")),
        [f"{DAY + i // 10}T00:00:00Z" for i in range(360)],
        np.array([f"{DAY + i // 10}T02:00:00+02:00" for i in range(360)]),
    ],
)
@pytest.mark.parametrize("reference", ["2024-01-11", datetime.date(2024, 1, 11), np.datetime64("2024-01-11"), 100])
def test_dates_in_many_forms(times, reference):
    result = monitor(stream(n=360)[: len(times)], times, reference=reference, window="13D", n_resamples=19)
    assert result.starts == ("2024-01-11", "2024-01-24")
    assert result.n_reference == 100


def test_small_windows_are_joined_with_the_next():
    days = np.r_[np.zeros(100), np.repeat([1, 2, 3, 4, 20, 21], [30, 4, 5, 25, 12, 3])]
    X = stream(n=len(days))
    result = monitor(X, DAY + days.astype(int), reference="2024-01-02", window="1D")
    assert result.starts == ("2024-01-02", "2024-01-03", "2024-01-21")
    assert result.ends == ("2024-01-03", "2024-01-06", "2024-01-22")
    assert result.counts.tolist() == [30, 34, 12]
    assert "2 windows with too few rows were joined with the next." in result.warnings
    assert "The last 3 rows do not fill a window yet and were not tested." in result.warnings
    assert monitor(X, DAY + days.astype(int), reference="2024-01-02", window="1D", min_rows=4).counts[1] == 4


def test_reference_of_other_texts():
    X = stream()
    apart = drift_over_time(X[100:], np.arange(260), reference=X[:100], window=20, n_resamples=99)
    within = monitor(X)
    for name in ("pvalues", "evidence", "effects", "resultants", "depth_sd"):
        np.testing.assert_array_equal(getattr(apart, name), getattr(within, name))
    assert apart.starts[0] == 0.0
    assert apart.provenance["parameters"]["reference"] == "array of shape (100, 8)"


# What is found


def test_a_change_is_found_and_dated():
    X = stream(seed=2, change=220)
    times = DAY + np.arange(360) // 10
    result = monitor(X, times, reference="2024-01-11", window="2D", n_resamples=199, names=("before", "tickets"))
    assert result.detected and result.detection_window in (7, 8)
    assert result.change_window == 6 and result.change_time == "2024-01-23"
    assert result.detection_time == result.ends[result.detection_window]
    assert result.detected_by in DEFAULT
    assert (result.evidence[:6] < 1).all() and (result.evidence[8:] >= result.threshold).all()
    assert result.threshold == 20
    assert result.verdict.startswith(
        f"“tickets” drifts: the alarm came with window {result.detection_window + 1} of 13"
    )
    assert "begin with window 7 (2024-01-23)" in result.verdict


def test_after_the_alarm_windows_are_compared_with_what_came_before_the_change():
    result = monitor(stream(change=220), n_resamples=199)
    change, alarm = result.change_window, result.detection_window
    assert result.compared[: alarm + 1].tolist() == [100 + 20 * t for t in range(alarm + 1)]
    assert set(result.compared[alarm + 1 :].tolist()) == {100 + 20 * change}


def test_a_collapse_is_named_with_its_direction():
    X = stream()
    X[200:] = cone(np.random.default_rng(5), 160, spread=0.15)
    result = monitor(X, window=40, n_resamples=199)
    assert result.detected_by == "depth"
    assert "its texts are deeper (2Q − 1 = +" in result.verdict
    assert (result.effects[3:, 0] > 0.3).all()
    assert (result.similarity_within[3:] > result.similarity_within[:2].max()).all()


def test_one_window_can_be_enough():
    X = stream(n=140, change=100)
    result = monitor(X, window=40, n_resamples=199)
    assert (result.detected_by, result.detection_window, result.change_window) == ("combined", 0, 0)
    assert result.pvalues[0] <= result.limits[0] == 0.05 / 4 / 2
    assert result.evidence[0] >= result.threshold and result.martingales[0].max() < result.threshold
    assert result.verdict.startswith("“stream” drifts: the alarm came with window 1 of 1 (100 to 139)")


def test_limits_of_windows_alone_sum_to_their_share():
    limits = monitor(stream()).limits
    t = np.arange(1, 14)
    np.testing.assert_allclose(limits, 0.05 / 4 / (t * (t + 1)), rtol=1e-12)
    assert limits.sum() == pytest.approx(0.05 / 4 * 13 / 14, rel=1e-12)  # of infinitely many: alpha / 4


def test_no_drift():
    result = monitor(stream())
    assert not result.detected
    assert result.detection_window is result.detection_time is result.detected_by is result.change_window is None
    assert result.verdict.startswith("No drift found in 13 windows: the evidence reached at most ")


def test_all_duplicates_are_no_drift():
    result = monitor(np.ones((200, 4)))
    assert not result.detected
    assert not result.effects[:, :3].any()
    np.testing.assert_allclose(result.similarity_within, 1)


@pytest.mark.parametrize("n_more", [20, 47])
def test_more_rows_do_not_change_earlier_windows(n_more):
    X = stream(change=240)
    days = DAY + np.arange(360) // 10
    for options in ({"window": 20}, {"window": "2D"}, {"window": 20, "max_rows": 50}):
        first = monitor(X[: 360 - n_more], days[: 360 - n_more], **options)
        later = monitor(X, days, **options)
        same = len(first.pvalues) - (options["window"] == "2D" and n_more == 47)  # its last window goes on
        assert same >= 10
        for name in ("pvalues", "evidence", "effects", "evalues", "resultants", "compared"):
            np.testing.assert_array_equal(getattr(first, name)[:same], getattr(later, name)[:same])
        assert first.starts[:same] == later.starts[:same]


def test_large_windows_are_thinned():
    X = stream(n=700)
    result = monitor(X, reference=300, window=200, max_rows=80)
    assert result.compared.tolist() == [80, 80]
    assert result.counts.tolist() == [200, 200]  # the summaries are of all rows
    many = monitor(stream(n=1300), reference=900, window=20)
    assert set(many.compared.tolist()) == {500}
    assert monitor(stream(n=1300), reference=900, window=200).compared.tolist() == [800, 800]


# Groups


def chunks(seed, n_groups, size, d=8, topic=0.3):
    """Return rows of documents: those of a document are close to each other."""
    rng = np.random.default_rng(seed)
    centers = np.repeat(cone(rng, n_groups, d, topic), size, axis=0)
    return centers + rng.normal(0, 0.05, centers.shape), np.repeat(np.arange(n_groups), size)


def test_groups_are_windows_of_whole_documents():
    X, documents = chunks(0, 50, 8)
    result = monitor(X, groups=documents, reference=20, window=5)
    assert result.n_reference == 160
    assert result.counts.tolist() == [40] * 6
    without = monitor(X, reference=160, window=40)
    assert without.detected and not result.detected  # chunks of a document are not independent


def test_a_group_belongs_to_the_window_of_its_first_row():
    X, documents = chunks(0, 50, 8)
    times = np.repeat(np.arange(50.0), 8)
    late = np.arange(400) % 8 == 7  # the last row of each document comes 3 days later
    times[late] += 3
    order = np.argsort(times, kind="stable")
    result = monitor(X[order], times[order], groups=documents[order], reference=20.0, window=10.0)
    assert result.n_reference == 160
    assert result.counts.tolist() == [80, 80, 80]
    total = X[160:240] / np.linalg.norm(X[160:240], axis=1, keepdims=True)
    np.testing.assert_allclose(result.resultants[0], total.sum(axis=0), atol=1e-6)


def test_groups_of_an_outside_reference():
    X, documents = chunks(0, 40, 5)
    names = [f"document {i}" for i in documents]
    apart = drift_over_time(
        X[100:], np.arange(100), reference=X[:100], groups=(names[:100], names[100:]), window=5, n_resamples=99
    )
    within = monitor(X, groups=names, reference=20, window=5)
    np.testing.assert_array_equal(apart.pvalues, within.pvalues)
    with pytest.raises(ValueError, match="groups that are in both the reference and X"):
        drift_over_time(X[100:], np.arange(100), reference=X[:100], groups=(names[:100], names[:100]), window=5)
    with pytest.raises(ValueError, match="must be a pair where the reference is an array"):
        drift_over_time(X[100:], np.arange(100), reference=X[:100], groups=names[100:], window=5)


# What is kept


def test_summaries_are_what_they_say():
    X = stream(change=220)
    result = monitor(X)
    reference, third = X[:100], X[140:160]
    depths = tte_depth(third, reference)
    assert result.depth_mean[2] == pytest.approx(depths.mean(), abs=1e-12)
    assert result.depth_sd[2] == pytest.approx(depths.std(ddof=1), abs=1e-12)
    own = tte_depth(reference)
    assert result.reference_depth_mean == pytest.approx(own.mean(), abs=1e-12)
    assert result.reference_depth_sd == pytest.approx(own.std(ddof=1), abs=1e-12)
    unit = third / np.linalg.norm(third, axis=1, keepdims=True)
    cosines = unit @ unit.T
    assert result.similarity_within[2] == pytest.approx(cosines[np.triu_indices(20, 1)].mean(), abs=1e-12)
    base = reference / np.linalg.norm(reference, axis=1, keepdims=True)
    assert result.similarity_to_reference[2] == pytest.approx((unit @ base.T).mean(), abs=1e-12)


def test_summaries_are_enough_for_later_comparisons():
    X = stream(change=220)
    result = monitor(X)
    s, n = result.resultants[6:9].sum(axis=0), result.counts[6:9].sum()
    t, m = result.reference_resultant, result.n_reference
    late, early = X[220:280], X[:100]
    assert 1 + s @ t / (n * m) == pytest.approx(tte_depth(late, early).mean(), abs=1e-6)
    assert 1 + (s @ s - n) / (n * (n - 1)) == pytest.approx(tte_depth(late).mean(), abs=1e-6)


def test_evidence_follows_from_the_p_values():
    result = monitor(stream(change=220))
    np.testing.assert_array_equal(result.evalues, e_values(result.test_pvalues, 99))
    assert result.shares.sum() == pytest.approx(0.75, abs=1e-12)
    bets = no_bets(len(result.tests))
    for window, evalues in enumerate(result.evalues):
        bets = bet(bets, evalues)
        np.testing.assert_array_equal(result.martingales[window], bets.capital)
        alone = result.limits[window] / result.pvalues[window] * result.threshold
        assert result.evidence[window] == pytest.approx(max((bets.capital * result.shares).max(), alone), rel=1e-12)


def test_result_round_trips_and_says_how_it_was_made():
    result = monitor(stream(change=220), encoder={"name": "model"}, warnings=["cut"], rng=3)
    text = result.to_json()
    again = DriftResult.from_json(text)
    assert again.to_json() == text
    np.testing.assert_array_equal(again.resultants, result.resultants)
    assert again.starts == result.starts
    assert json.loads(text)["schema"] == "xembed.shift.DriftResult/1"
    assert result.provenance["parameters"]["rng"] == 3
    assert result.provenance["parameters"]["reference"] == 100
    assert result.encoder == {"name": "model"} and result.warnings[0] == "cut"
    assert len(repr(result)) < 500 and "\n" not in repr(result)
    frame = result.to_frame()
    assert len(frame) == 13 and frame["alarm"].any()
    assert list(frame["evidence"]) == list(result.evidence)
    assert list(frame["effect_depth"]) == list(result.effects[:, 0])


def test_same_call_same_result():
    X = stream()
    assert (
        monitor(X).to_json()
        == monitor(X).to_json()
        == monitor(X, rng=np.random.default_rng(0)).to_json().replace('"Generator"', "0")
    )
    assert (monitor(X, rng=1).pvalues != monitor(X).pvalues).any()


def test_too_few_windows_for_an_alarm_are_said():
    short = monitor(stream(n=140, change=100), n_resamples=19)
    assert not short.detected
    assert any("Too few windows (2) for an alarm at alpha = 0.05 with 19 permutations" in w for w in short.warnings)
    assert not any("Too few windows" in w for w in monitor(stream()).warnings)


def test_a_small_reference_is_said():
    assert any("The reference (30 rows) is smaller" in w for w in monitor(stream(), reference=30, window=60).warnings)


# Errors

X, T = stream(n=160), np.arange(160)
DATES = DAY + np.arange(160) // 4


def with_item(values, row, item):
    changed = list(values)
    changed[row] = item
    return changed


def with_row(row, value):
    changed = X.copy()
    changed[row] = value
    return changed


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: monitor(X, T[:-1]), ValueError, "must hold one time a row of X.*shape \\(159,\\) for 160 rows"),
        (lambda: monitor(X, 5), ValueError, "must hold one time a row of X"),
        (lambda: monitor(X, with_item(T, 30, 3)), ValueError,
         r"times must not go back. Row 30 \(3.0\) is before row 29 \(29.0\). Sort first"),
        (lambda: monitor(X, with_item(DATES, 30, DAY)), ValueError,
         r"Row 30 \(2024-01-01\) is before row 29 \(2024-01-08\)"),
        (lambda: monitor(X, with_item(T, 7, None)), ValueError,
         r"times holds 1 value that is missing or can't be read \(first: row 7, None\)"),
        (lambda: monitor(X, np.where(T > 157, np.nan, T)), ValueError,
         r"holds 2 values that are missing .*first: row 158"),
        (lambda: monitor(X, with_item(DATES, 9, np.datetime64("NaT"))), ValueError, "first: row 9"),
        (lambda: monitor(X, with_item([str(t) for t in DATES], 9, "monday")), ValueError, r"first: row 9, .*monday"),
        (lambda: monitor(X, with_item([str(t) for t in DATES], 9, 5)), ValueError, r"first: row 9"),
        (lambda: monitor(X, T > 5), TypeError, "must hold numbers or dates. Got dtype bool"),
        (lambda: monitor(X, window=5), ValueError, "must be at least min_rows = 10 rows .* Got 5"),
        (lambda: monitor(X, window=0), ValueError, "must be at least min_rows"),
        (lambda: monitor(X, window=-3.0), ValueError, "must be a positive length. Got -3.0"),
        (lambda: monitor(X, window=float("inf")), ValueError, "must be a positive length. Got inf"),
        (lambda: monitor(X, DATES, window="-3D"), ValueError, "must be a positive length"),
        (lambda: monitor(X, DATES, window="-1MS"), ValueError, "must be a positive length"),
        (lambda: monitor(X, window="7D"), TypeError, "a length of time: a float, as times are numbers. Got '7D'"),
        (lambda: monitor(X, DATES, window=7.0), TypeError, "as times are dates. Got 7.0"),
        (lambda: monitor(X, DATES, window="week"), ValueError, "that pandas reads, such as '7D'.*Got 'week'"),
        (lambda: monitor(X, DATES, window="1M"), ValueError, "that pandas reads"),
        (lambda: monitor(X, window=None), TypeError, "The 'window' parameter of drift_over_time must be an integer"),
        (lambda: monitor(X, window=True), TypeError, "The 'window' parameter of drift_over_time must be an integer"),
        (lambda: monitor(X, window=61), ValueError, "does not fill a window: it has 60 rows"),
        (lambda: monitor(X, reference=9), ValueError, "must have at least 10 rows .min_rows.. Got 9"),
        (lambda: monitor(X, reference=160), ValueError,
         "Got 160, which takes 160 of 160 rows. For the time pass 160.0"),
        (lambda: monitor(X, reference=-1), ValueError, "must leave rows of X for the stream"),
        (lambda: monitor(X, reference=500.0, window=20.0), ValueError, "Got 500.0, which takes 160 of 160 rows"),
        (lambda: monitor(X, reference=None), TypeError, "must be embeddings, a number of rows of X, or a time"),
        (lambda: monitor(X, reference="2024-01-05"), TypeError, "a time of the same kind as 'times', a float"),
        (lambda: monitor(X, DATES, reference=5.0), TypeError, "a time of the same kind as 'times', a date"),
        (lambda: monitor(X, DATES, reference="monday"), ValueError, "'monday' can't be read as one"),
        (lambda: monitor(X, reference=X[:50, :3]), ValueError,
         "reference and X must have the same number of dimensions"),
        (lambda: monitor(X, reference=X[:5]), ValueError, "must have at least 10 rows"),
        (lambda: monitor(X, reference=0 * X[:50]), ValueError, "reference holds 50 rows that are zero"),
        (lambda: monitor(with_row(120, 0.0)), ValueError, r"X holds 1 row that is zero \(first: row 120\)"),
        (lambda: monitor(with_row(3, np.nan)), ValueError,
         r"X holds 1 row that is not finite \(NaN or inf\) \(first: row 3\)"),
        (lambda: monitor(X[0]), ValueError, "X must be a 2-D array"),
        (lambda: monitor(X[:0], T[:0]), ValueError, "X must hold at least 1 row"),
        (lambda: monitor(X, alpha=0), ValueError, "The 'alpha' parameter of drift_over_time"),
        (lambda: monitor(X, n_resamples=5), ValueError, "The 'n_resamples' parameter of drift_over_time"),
        (lambda: monitor(X, max_rows=10), ValueError, "The 'max_rows' parameter of drift_over_time"),
        (lambda: monitor(X, min_rows=1), ValueError, "The 'min_rows' parameter of drift_over_time"),
        (lambda: monitor(X, names="ab"), ValueError, "must be a pair of names"),
        (lambda: monitor(X, rng="x"), TypeError, "The 'rng' parameter of drift_over_time"),
        (lambda: monitor(X, groups=T[:50] // 2), ValueError, "X must have as many groups as rows .* Got 50 and 160"),
        (lambda: monitor(X, groups=with_item(map(str, T), 4, " ")), ValueError, "1 row without a group"),
        (lambda: monitor(X, groups=with_item(T, 4, None)), ValueError, "X holds 1 row without a group .first: row 4"),
        (lambda: monitor(X, groups=T // 4, reference=20, window=1), ValueError, "must be at least min_rows = 2"),
        (lambda: monitor(X, groups=0 * T, reference=1), ValueError, "which takes 1 of 1 groups"),
    ],
)  # fmt: skip
def test_documented_errors(call, error, message):
    with pytest.raises(error, match=message):
        call()


# Level and power


def test_p_values_of_a_stream_are_independent_and_not_too_small():
    """What the theorem says: without drift every product of e-values is at most 1 on average."""
    runs, rng = 150, np.random.default_rng(0)
    found = np.array(
        [
            drift_over_time(
                cone(rng, 60, 3), np.arange(60), reference=20, window=20, n_resamples=19, rng=run
            ).test_pvalues
            for run in range(runs)
        ]
    )  # (runs, 2, K)
    for level in (0.1, 0.25, 0.5):
        share = (found <= level).mean(axis=0)
        assert (share <= level + 4 * np.sqrt(level * (1 - level) / runs)).all()
    values = e_values(found, 19)
    products = values[:, 0] * values[:, 1]
    assert (products.mean(axis=0) <= 1 + 4 * products.std(axis=0) / np.sqrt(runs)).all()
    for k in range(found.shape[2]):
        assert abs(np.corrcoef(found[:, 0, k], found[:, 1, k])[0, 1]) < 4 / np.sqrt(runs)


@pytest.mark.slow
@pytest.mark.parametrize("alpha", [0.05, 0.2])
def test_false_alarms_in_a_hundred_looks(alpha):
    runs, rng = (400 if FULL else 25), np.random.default_rng(1)
    alarms = sum(
        drift_over_time(
            cone(rng, 1040, 4), np.arange(1040), reference=40, window=10, n_resamples=39, max_rows=50, alpha=alpha,
            rng=run,
        ).detected
        for run in range(runs)
    )  # fmt: skip
    print(f"\nfalse alarms over 100 looks at alpha {alpha}: {alarms} of {runs}")
    assert alarms / runs <= alpha + 3 * np.sqrt(alpha * (1 - alpha) / runs)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "most"),
    [("shift", 4.0), ("collapse", 5.0), ("topics", 5.0)],
)
def test_delay_until_a_change_is_found(change, most):
    """Windows of 40 texts in 64 dimensions, a change at the tenth."""
    delays = [delay(change, run) for run in range(20 if FULL else 4)]
    print(f"\n{change}: found after {np.mean(delays):.1f} windows ({delays})")
    assert np.mean(delays) <= most


def delay(change, run):
    """Return the number of windows after a change until it is found."""
    rng = np.random.default_rng([run, 7])
    directions = np.linalg.qr(rng.normal(size=(64, 6)))[0].T

    def draw(n, topics=4, noise=1.0, shift=0.0):
        centers = 0.5 * directions[4] + 0.6 * directions[rng.integers(0, topics, n)] + shift * directions[5]
        return centers + noise * rng.normal(size=(n, 64)) / 8

    options = {"shift": {"shift": 0.25}, "collapse": {"noise": 0.75}, "topics": {"topics": 3}}
    X = np.concatenate([draw(200 + 9 * 40), draw(400, **options[change])])
    result = drift_over_time(X, np.arange(len(X)), reference=200, window=40, n_resamples=199)
    assert not result.detected or result.detection_window >= 9
    return result.detection_window - 8 if result.detected else 11
