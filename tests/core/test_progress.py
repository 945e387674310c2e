"""Bars of long steps: on stderr if asked, or on a terminal after a while; they change no number."""

import inspect
import re
import time

import numpy as np
import pytest

from xembed._core.parallel import ordered_map
from xembed._core.progress import estimated_step, no_progress, showing, step, track
from xembed.depth import find_outliers, tte_depth
from xembed.isotropy import linear_probe, measure
from xembed.shift import compare_corpora, compare_many, drift_over_time
from xembed.transforms import ICAProjection

RNG = np.random.default_rng(0)
F, G = RNG.normal(1.0, 1.0, (90, 8)), RNG.normal(1.2, 1.0, (80, 8))
TEXTS = tuple([f"text {i} of many {i % 7}" for i in range(len(rows))] for rows in (F, G))


def bars(shown):
    """Return the last state of each bar: its name, how far it came and its total."""
    assert not shown.out
    states = re.findall(r"([A-Z][A-Za-z: ]+):\s+\d+%\|[^|]*\| (\d+)/(\d+) ", shown.err)
    return {name: (int(done), int(total)) for name, done, total in states}


def test_a_step_and_a_loop_reach_their_totals(capsys):
    with showing(True, caller="a test"):
        with step("Parts", 10, "part", done=2) as advance:
            advance(3)
            advance(5)
        rows = list(track([slice(0, 7), slice(7, 12)], "Rows"))
        assert list(track(range(3), "Numbers", "number")) == [0, 1, 2]
    assert rows == [slice(0, 7), slice(7, 12)]
    assert bars(capsys.readouterr()) == {"Parts": (10, 10), "Rows": (12, 12), "Numbers": (3, 3)}


def test_an_estimate_is_reached_whatever_the_work_was(capsys):
    with showing(True, caller="a test"):
        for name, parts in (("More", (4, 9, 2)), ("Less", (1, 1)), ("None", ())):
            with estimated_step(name, 10, "row") as advance:
                for n in parts:
                    advance(n)
    assert bars(capsys.readouterr()) == {"More": (10, 10), "Less": (10, 10), "None": (10, 10)}


def test_nothing_is_shown_unless_asked_or_on_a_terminal(capsys):
    for progress in (False, None):  # standard error is no terminal here
        with showing(progress, caller="a test"), step("Parts", 1, "part") as advance:
            assert advance is no_progress
    with step("Parts", 1, "part") as advance:
        assert advance is no_progress
    assert capsys.readouterr() == ("", "")


def test_on_a_terminal_a_bar_appears_after_a_while_even_before_the_first_part_is_done(capsys, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    with step("Quick", 1, "part") as advance:
        advance(1)
    assert capsys.readouterr() == ("", "")
    monkeypatch.setattr("xembed._core.progress._PATIENCE", 0.05)
    with step("Slow", 2, "part") as advance:
        time.sleep(0.5)
        assert "Slow:   0%" in capsys.readouterr().err
        advance(2)
    assert bars(capsys.readouterr()) == {"Slow": (2, 2)}
    with showing(False, caller="a test"), step("Slow", 1, "part") as advance:
        time.sleep(0.2)
    assert capsys.readouterr() == ("", "")


def test_what_is_decided_further_out_holds_also_in_threads(capsys, monkeypatch):
    def work(item):
        with showing(None, caller="a test"):
            (number,) = track([item], "Inner")
            return number

    monkeypatch.setattr("xembed._core.parallel.n_threads", lambda: 2)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    monkeypatch.setattr("xembed._core.progress._PATIENCE", 0.0)
    with showing(False, caller="a test"):
        assert list(ordered_map(work, range(5))) == [*range(5)]
    assert capsys.readouterr() == ("", "")
    with step("Outer", 5, "item") as advance:  # inside a step there is no other bar
        for _ in ordered_map(work, range(5)):
            advance(1)
    assert bars(capsys.readouterr()) == {"Outer": (5, 5)}
    with pytest.raises(ZeroDivisionError), step("Outer", 5, "item"):
        raise ZeroDivisionError
    list(track([1], "After"))  # what failed has not turned later bars off
    assert bars(capsys.readouterr())["After"] == (1, 1)


def test_what_progress_can_be_is_checked_before_any_work():
    with pytest.raises(TypeError, match=r"The 'progress' parameter of a test must be True, False or None. Got 'yes'"):
        showing("yes", caller="a test")
    for function in (compare_corpora, drift_over_time, find_outliers, measure):
        with pytest.raises(TypeError, match=f"The 'progress' parameter of {function.__name__} must be True, False"):
            function(None, None, progress=1) if function is drift_over_time else function(None, progress=1)
        assert inspect.signature(function).parameters["progress"].default is None


CALLS = {
    "compare_corpora": (
        lambda **o: compare_corpora(F, G, texts=TEXTS, self_check=True, n_resamples=99, **o),
        {
            "Tests: pairs of texts": 170, "Tests: means": 3, "Regions: clusters": 2, "Regions: neighbors": 170,
            "Terms": 170, "Self check": 201,
        },
    ),
    "drift_over_time": (
        lambda **o: drift_over_time(G, np.arange(80), reference=F, window=20, n_resamples=99, **o),
        {"Windows": 4},
    ),
    "find_outliers": (lambda **o: find_outliers(G, reference=F, score="local", **o), {"Neighbors": 45}),
    "measure": (
        lambda **o: measure(F, n_resamples=30, **o),
        {"Intervals": 30, "Intervals of neighborhoods": 30, "Partition function": None},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CALLS)
def test_functions_show_their_steps_and_give_the_same_numbers(name, capsys):
    call, expected = CALLS[name]
    silent = call(progress=False)
    assert capsys.readouterr() == ("", "")
    shown = call(progress=True)
    found = bars(capsys.readouterr())
    for step_name, total in expected.items():
        done, all_of_it = found[step_name]
        assert done == all_of_it == (total or all_of_it)
    assert all(done == total for done, total in found.values())
    assert shown.to_dict() == silent.to_dict()
    call()
    assert capsys.readouterr() == ("", "")


def test_functions_without_the_parameter_follow_the_terminal(capsys, monkeypatch):
    quiet = tte_depth(F, distance="angular"), compare_many({"a": F, "b": G}, n_resamples=99).pvalues
    assert capsys.readouterr() == ("", "")
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    monkeypatch.setattr("xembed._core.progress._PATIENCE", 0.0)
    np.testing.assert_array_equal(tte_depth(F, distance="angular"), quiet[0])
    assert bars(capsys.readouterr()) == {"Depths": (90, 90)}
    ICAProjection(max_iter=50, tol=1.0, random_state=0).fit(F)
    linear_probe(F, np.arange(90) % 2)
    assert bars(capsys.readouterr()) == {"ICA": (50, 50), "Linear probe": (5, 5)}
    np.testing.assert_array_equal(compare_many({"a": F, "b": G}, n_resamples=99).pvalues, quiet[1])
    assert bars(capsys.readouterr()) == {"Pairs of corpora": (1, 1)}
