"""One look after the other at the windows of a stream, and what is kept of each."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from xembed._core.directions import UnitRows
from xembed._core.progress import step
from xembed.depth._depth import closed_form, leave_one_out
from xembed.shift._battery import Battery, make_pool, run_battery
from xembed.shift._kinds import DEFAULT, KINDS
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
# Half of the capital is put on changes in the first so many windows.
_HALF = 3
# Capital is not counted further: it would overflow when a long stream has changed.
LIMIT = 1e300


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
    with step("Windows", len(windows), "window") as advance:
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
                test = int(evidence.argmax())
                # By the test that saw it and by all together: either alone has more small p-values by chance.
                of_all, of_tests = columns(looks)["pvalues"], columns(looks)["test_pvalues"]
                alarm = Alarm(number, test, change_point(np.column_stack([of_all, of_tests[:, test : test + 1]])))
            advance(1)
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


# ---- bets: capital that wins when p-values are small too often, and by Ville's inequality seldom otherwise


class Bets(NamedTuple):
    """State of the bets on K sequences of p-values."""

    n_windows: int
    betting: Floats  # (K,) what those own who have begun to bet
    capital: Floats  # (K,) what all own together: the martingale, at most LIMIT


def calibrator(n_resamples: int) -> Floats:
    r"""Return the e-values of the p-values 1/(B + 1), 2/(B + 1), ..., 1 of a permutation test, (B + 1,).

    The mean of Vovk and Wang's mixture (2021, eq. 2), :math:`(1 - p + p \ln p)/(p \ln^2 p)`, which wins by many
    middling p-values, and of :math:`1/p`, which wins by few small ones; each scaled to a mean of 1 over the p-values
    that are possible. That is more than calibrators for all of (0, 1] may pay: 1.2 and 2.9 times as much for 1/200.
    """
    p = np.arange(1, n_resamples + 2) / (n_resamples + 1)
    log = np.log(p[:-1])
    mixture = np.append((1 - p[:-1] + p[:-1] * log) / (p[:-1] * log**2), 0.5)  # the limit at 1 is 1/2
    inverse = 1 / p
    values: Floats = (mixture / mixture.mean() + inverse / inverse.mean()) / 2
    return values


def e_values(pvalues: Floats, n_resamples: int) -> Floats:
    """Return the e-values of p-values that are multiples of 1 / (n_resamples + 1)."""
    return calibrator(n_resamples)[np.rint(pvalues * (n_resamples + 1)).astype(np.intp) - 1]


def no_bets(n_sequences: int) -> Bets:
    """Return the state before the first window: a capital of 1."""
    return Bets(0, np.zeros(n_sequences), np.ones(n_sequences))


def bet(bets: Bets, evalues: Floats) -> Bets:
    r"""Return the state after one more window, of which the K e-values are given.

    The capital is spread over gamblers k = 1, 2, ... who own :math:`w_k = h / ((k + h - 1)(k + h))`, keep it until
    window k and bet all they have from there on: :math:`M_t = \sum_{k \le t} w_k e_k \cdots e_t + \sum_{k > t} w_k`,
    with :math:`\sum_k w_k = 1`. So a late change costs a factor that grows with the square of the windows before.
    """
    place = bets.n_windows + _HALF
    weight = _HALF / (place * (place + 1))
    waiting = _HALF / (place + 1)  # what those own who begin later
    betting = np.minimum((bets.betting + weight) * evalues, LIMIT)
    return Bets(bets.n_windows + 1, betting, np.minimum(betting + waiting, LIMIT))


def change_point(pvalues: Floats) -> int:
    r"""Estimate from which window on p-values are small, (T, K), by maximum likelihood.

    Before the change they are taken for uniform, from it on for :math:`\kappa p^{\kappa - 1}` distributed, with a
    :math:`\kappa \le 1` for each of the K sequences that is estimated, too.
    """
    n_after = np.arange(len(pvalues), 0, -1)[:, None]
    sums = -np.log(pvalues)[::-1].cumsum(axis=0)[::-1]
    kappa = n_after / np.maximum(sums, n_after)
    return int((n_after * np.log(kappa) + (1 - kappa) * sums).sum(axis=1).argmax())
