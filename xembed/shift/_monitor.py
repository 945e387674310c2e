"""One look after the other at the windows of a stream, and what is kept of each."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from xembed._core.directions import UnitRows
from xembed.depth._depth import closed_form, leave_one_out
from xembed.shift._battery import Battery, make_pool, run_battery
from xembed.shift._kinds import DEFAULT, KINDS
from xembed.shift._martingale import Bets, bet, change_point, e_values, no_bets
from xembed.shift._windows import Stream, Window
from xembed.stats._permutation import Floats

# Share of alpha for alarms by a window alone: bets need two windows at least, and a stream may have no more.
ALONE = 0.25
# The rest goes to the bets on each test, by the weights that they have in `compare_corpora`.
SHARES = np.array([KINDS[name].weight for name in DEFAULT])
SHARES *= (1 - ALONE) / SHARES.sum()
# Earlier texts that a window is tested against: so many rows or, if that is more, so many times the window. More would
# cost time and add little power, which the smaller side limits.
_EARLIER_ROWS, _EARLIER_TIMES = 500, 4
# Decimals of the resultants that are kept: a mean cosine of a window changes by less than 1e-7.
_DECIMALS = 7


class Look(NamedTuple):
    """The tests of one window, and the evidence after it."""

    battery: Battery
    compared: int  # rows of earlier texts
    evalues: Floats  # (K,)
    bets: Bets  # after this window
    limit: float  # for the combined p-value
    evidence: Floats  # (K + 1,) of each test's bets, and of this window alone; alarm at 1 / alpha


class Alarm(NamedTuple):
    """Which look raised the alarm, by which kind of evidence, and where the change seems to begin."""

    window: int
    test: int  # K: by the window alone
    change: int


def watch(
    stream: Stream, windows: list[Window], alpha: float, n_resamples: int, max_rows: int, seed: int, caller: str
) -> tuple[list[Look], Alarm | None]:
    """Look at one window after the other."""
    bets, alarm = no_bets(len(DEFAULT)), None
    looks: list[Look] = []
    for number, window in enumerate(windows):
        # What is random in a look depends on its number only, so that more windows do not change earlier looks.
        generator = np.random.default_rng([seed, number])
        # Once the alarm is out nothing has to be independent any more, and the contrast can be kept.
        before = stream.n_reference + (window.first if alarm is None else windows[alarm.change].first)
        first, last = stream.n_reference + window.first, stream.n_reference + window.last
        n_earlier, n_now = _sizes(stream, before, first, last, max_rows)
        earlier, earlier_units = stream.take(stream.sample(0, before, n_earlier, generator))
        now, units = stream.take(stream.sample(first, last, n_now, generator))
        pool = make_pool(
            UnitRows.of(earlier, name="the earlier texts"),
            UnitRows.of(now, name="the window"),
            n_resamples=n_resamples,
            rng=generator,
            groups=(earlier_units.tolist(), units.tolist()) if stream.unit == "group" else None,
            caller=caller,
        )
        battery = run_battery(pool, DEFAULT)
        evalues = e_values(battery.pvalues, n_resamples)
        bets = bet(bets, evalues)
        limit = window_limit(number, alpha)
        evidence = np.append(bets.capital * SHARES, limit / battery.combined.pvalue / alpha)
        looks.append(Look(battery, len(earlier), evalues, bets, limit, evidence))
        if alarm is None and evidence.max() >= 1 / alpha:
            alarm = Alarm(number, int(evidence.argmax()), _begin(looks, int(evidence.argmax())))
    return looks, alarm


def _sizes(stream: Stream, before: int, first: int, last: int, max_rows: int) -> tuple[int, int]:
    """Return how many units of the earlier texts and of a window to test.

    The numbers must not depend on which groups are in the window, as those of rows would. So they follow from the
    mean size of all groups up to the window's end.
    """
    rows_a_unit = stream.offsets[last] / last
    most = max(2, int(max_rows / rows_a_unit))
    n_now = min(last - first, most)
    return min(before, most, max(2, int(_EARLIER_ROWS / rows_a_unit), _EARLIER_TIMES * n_now)), n_now


def window_limit(number: int, alpha: float) -> float:
    """Return the p-value that raises the alarm alone in window ``number``, from 0. All limits sum to alpha's share."""
    return ALONE * alpha / ((number + 1) * (number + 2))


def _begin(looks: list[Look], test: int) -> int:
    """Return where the change seems to begin."""
    # By the test that saw it and by all together: either alone has more small p-values by chance.
    of_all = np.array([look.battery.combined.pvalue for look in looks])
    of_tests = np.array([look.battery.pvalues for look in looks])
    return change_point(np.column_stack([of_all, of_tests[:, test : test + 1]]))


def columns(looks: list[Look]) -> dict[str, Any]:
    """Return the fields of the result that have an entry a window."""
    measured = [look.battery.measured for look in looks]
    return {
        "compared": np.array([look.compared for look in looks]),
        "evidence": np.array([look.evidence.max() for look in looks]),
        "martingales": np.stack([look.bets.capital for look in looks]),
        "evalues": np.stack([look.evalues for look in looks]),
        "test_pvalues": np.stack([look.battery.pvalues for look in looks]),
        "pvalues": np.array([look.battery.combined.pvalue for look in looks]),
        "limits": np.array([look.limit for look in looks]),
        "effects": np.array([[statistics[name].effects[0] for name in DEFAULT] for statistics in measured]),
    }


def summaries(stream: Stream, windows: list[Window]) -> dict[str, Any]:
    """Return what is kept of the reference and of each window: counts, resultants and moments of the depth."""
    reference = UnitRows.of(stream.between(0, stream.n_reference), name="reference")
    total, n = reference.total, len(reference)
    own = leave_one_out(reference)
    counts, sums, depths = [], [], []
    for window in windows:
        rows = stream.between(stream.n_reference + window.first, stream.n_reference + window.last)
        unit = UnitRows.of(rows, name="X")
        counts.append(len(unit))
        sums.append(unit.total)
        depths.append(closed_form(unit, total, n))
    m, resultants = np.array(counts), np.stack(sums)
    return {
        "counts": m,
        "similarity_within": (np.vecdot(resultants, resultants) - m) / (m * (m - 1)),
        "similarity_to_reference": resultants @ total / (m * n),
        "depth_mean": np.array([values.mean() for values in depths]),
        "depth_sd": np.array([values.std(ddof=1) for values in depths]),
        "reference_depth_mean": float(own.mean()),
        "reference_depth_sd": float(own.std(ddof=1)),
        "resultants": resultants.round(_DECIMALS),
        "reference_resultant": total.round(_DECIMALS),
        "n_reference": n,
    }
