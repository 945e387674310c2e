"""The page of `drift_over_time`: the evidence as it ran, and every window."""

from __future__ import annotations

import numpy as np

from xembed.reports import kit
from xembed.shift._kinds import KINDS
from xembed.shift._pages import figures, methods
from xembed.shift._pages.sections import finding_of

# Windows in the table; the last ones, and those of the alarm and of the change.
_MOST_WINDOWS = 400
# Whether a window alone raised the alarm.
_BY = {True: "by this window alone", False: "by bets on several windows"}


def drift(data: kit.Data) -> kit.Page:
    """Return the drift report."""
    names, counts = kit.short_names(data["names"]), data["counts"]
    return kit.Page(
        title=f"{names[0]} and {names[1]}",
        kind="drift report",
        finding=finding_of(data, "drift", data["detected"]),
        verdict=data["verdict"],
        blocks=[_running(data), _effects(data), _levels(data), _windows(data)],
        names=names,
        cards=_cards(data),
        caveats=data["warnings"],
        methods=methods.of_drift(data),
        sizes=f"{data['n_reference']:,} texts of the reference, {sum(counts):,} in {kit.count(len(counts), 'window')}",
    )


def _cards(data: kit.Data) -> list[kit.Card]:
    evidence = np.asarray(data["evidence"])
    if data["detected"]:
        first, start = data["detection_window"], data["change_window"]
        cards = [
            kit.Card("Alarm", f"window {first + 1}", f"{_span(data, first)}; {_BY[data['detected_by'] == 'combined']}"),
            kit.Card("Evidence then", f"{evidence[first]:.3g}", f"the alarm is at {data['threshold']:.3g}"),
            kit.Card("The change seems to begin", f"window {start + 1}", _time(data["change_time"])),
        ]
    else:
        best = int(evidence.argmax())
        note = f"largest, with window {best + 1}; the alarm is at {data['threshold']:.3g}"
        cards = [kit.Card("Evidence", f"{evidence[best]:.3g}", note)]
    waiting = f"; {data['n_waiting']:,} more do not fill a window yet" if data["n_waiting"] else ""
    sizes = f"{min(data['counts']):,} to {max(data['counts']):,} texts each"
    return [
        *cards,
        kit.Card("Windows", f"{len(evidence)}", sizes + waiting),
        kit.Card("Reference", f"{data['n_reference']:,}", "texts; earlier windows are compared with, too"),
        kit.Card("False alarms", f"≤ {kit.level(data['alpha'])}", "probability of any, however many windows there are"),
    ]


def _running(data: kit.Data) -> kit.Block:
    n = len(data["counts"])
    caption = (
        "The evidence that the stream has changed, window by window, on a log scale. Without drift it ever reaches the "
        f"dashed line at {data['threshold']:.3g} with a probability of at most {kit.level(data['alpha'])}. Thin lines: "
        "what it is the largest of, the bets on each test and the window alone."
    )
    if data["detected"]:
        caption += (
            f" The star marks the alarm, the dotted line the window from which on the change shows "
            f"({_time(data['change_time'])}). After the alarm the lines only describe."
        )
    small = sum(p <= 0.05 for p in data["pvalues"])
    of_windows = (
        f"Each window against what came before, by all tests together. {small} of {n} are at most 0.05; without drift "
        f"about {0.05 * n:.1f} would be. So a window alone raises the alarm only at or below the dashed line, which "
        "falls from look to look."
    )
    sizes = f"{sum(data['counts']):,} texts in {kit.count(n, 'window')}."
    plots = [
        kit.Figure("evidence", "Evidence of drift", caption, figures.drift_evidence(data), size="wide"),
        kit.Figure("pvalues", "p-value of each window", of_windows, figures.drift_pvalues(data), size="small"),
        kit.Figure("counts", "Texts in each window", sizes, figures.drift_counts(data), size="small"),
    ]
    return kit.Section("running", "Evidence", [kit.Columns(plots)])


def _effects(data: kit.Data) -> kit.Block:
    effects = np.asarray(data["effects"])
    plots = [
        kit.Figure(
            f"effect-{test}",
            f"Effect: {KINDS[test].title}",
            f"{KINDS[test].meaning} G is the window, F what came before. 0: no difference.",
            figures.drift_effect(data, effects[:, k]),
            size="small",
        )
        for k, test in enumerate(data["tests"])
    ]
    return kit.Section("effects", "Effects", [kit.Columns(plots)])


def _levels(data: kit.Data) -> kit.Block:
    cosines = "Both of the window (solid), and one of it and one of the reference (dashed)."
    depths = (
        "Mean depth of each window's texts in the reference, one standard deviation about it, and the mean of the "
        f"reference itself ({data['reference_depth_mean']:.3f}, dashed)."
    )
    of_cosines, of_depths = figures.drift_similarities(data), figures.drift_depths(data)
    plots = [
        kit.Figure("similarities", "Mean cosine of two texts", cosines, of_cosines, size="small"),
        kit.Figure("depths", "Depth in the reference", depths, of_depths, size="small"),
    ]
    return kit.Section("levels", "Windows against the reference", [kit.Columns(plots)])


def _windows(data: kit.Data) -> kit.Block:
    n = len(data["counts"])
    marked = [data["detection_window"], data["change_window"]] if data["detected"] else []
    shown = sorted({*range(max(0, n - _MOST_WINDOWS), n), *marked})
    note = (
        "✓: the evidence is at the threshold or above. p: of the window alone. Compared with: earlier texts that the "
        "window was tested against."
    )
    if len(shown) < n:
        note = f"{len(shown):,} of {n:,} windows; all are in the .json file beside this page. {note}"
    labels = [
        "Window", "From", "To", "Texts", "Compared with", "p", "Evidence",
        *(f"Effect: {KINDS[test].title}" for test in data["tests"]), "Cosine within", "Cosine to reference",
        "Mean depth"
    ]  # fmt: skip
    table = kit.Table(kit.number_columns(labels), [_window(data, i) for i in shown], "All windows", note=note)
    return kit.Section("windows", "All windows", [table], nav="Windows")


def _span(data: kit.Data, i: int) -> str:
    return f"{_time(data['starts'][i])} to {_time(data['ends'][i])}"


def _time(label: str | float) -> str:
    return label if isinstance(label, str) else f"{label:.12g}"


def _window(data: kit.Data, i: int) -> list[kit.Cell | kit.Line]:
    evidence = data["evidence"][i]
    return [
        f"{i + 1}",
        _time(data["starts"][i]),
        _time(data["ends"][i]),
        f"{data['counts'][i]:,}",
        f"{data['compared'][i]:,}",
        kit.p_value(data["pvalues"][i]),
        kit.Cell(f"{evidence:.3g}", sure=evidence >= data["threshold"]),
        *(kit.effect(x) for x in data["effects"][i]),
        f"{data['similarity_within'][i]:.3f}",
        f"{data['similarity_to_reference'][i]:.3f}",
        f"{data['depth_mean'][i]:.3f}",
    ]
