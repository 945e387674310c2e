"""The page of `drift_over_time`: the evidence as it ran, and every window."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from xembed.reports import _drift_figures as figures
from xembed.reports._common import card, notes, page_context, plot
from xembed.reports._format import count, effect, level, p_value
from xembed.reports._wording import MEANINGS, TITLES

Data = Mapping[str, Any]

# Windows in the table; the last ones, and those of the alarm and of the change.
_MOST_WINDOWS = 400
# Whether a window alone raised the alarm.
_BY = {True: "by this window alone", False: "by bets on several windows"}


def drift_context(data: Data) -> dict[str, Any]:
    """Return what the template of the drift report needs."""
    names = tuple(data["names"])
    parameters = data["provenance"]["parameters"]
    return page_context(
        data,
        template="drift.html.j2",
        kind="drift report",
        title=f"{names[0]} and {names[1]}",
        names=names,
        chip=(data["detected"], "Drift found" if data["detected"] else "No drift found"),
        cards=_cards(data),
        warnings=notes(data["warnings"]),
        sections=[_running(data), _effects(data), _levels(data), _windows(data)],
        sizes=f"{data['n_reference']:,} texts of the reference, {sum(data['counts']):,} in "
        f"{count(len(data['counts']), 'window')}",
        alpha=f"{data['alpha']:.3g}",
        threshold=f"{data['threshold']:.3g}",
        tests=data["tests"],
        grouped=parameters.get("groups") is not None,
        relabeled=f"{parameters['n_resamples']:,}",
    )


def _cards(data: Data) -> list[dict[str, str]]:
    evidence = np.asarray(data["evidence"])
    if data["detected"]:
        first, change = data["detection_window"], data["change_window"]
        cards = [
            card("Alarm", f"window {first + 1}", f"{_span(data, first)}; {_BY[data['detected_by'] == 'combined']}"),
            card("Evidence then", f"{evidence[first]:.3g}", f"the alarm is at {data['threshold']:.3g}"),
            card("The change seems to begin", f"window {change + 1}", _time(data["change_time"])),
        ]
    else:
        best = int(evidence.argmax())
        note = f"largest, with window {best + 1}; the alarm is at {data['threshold']:.3g}"
        cards = [card("Evidence", f"{evidence[best]:.3g}", note)]
    waiting = f"; {data['n_waiting']:,} more do not fill a window yet" if data["n_waiting"] else ""
    sizes = f"{min(data['counts']):,} to {max(data['counts']):,} texts each"
    return [
        *cards,
        card("Windows", f"{len(evidence)}", sizes + waiting),
        card("Reference", f"{data['n_reference']:,}", "texts; earlier windows are compared with, too"),
        card("False alarms", f"≤ {level(data['alpha'])}", "chance of any, however many windows there are"),
    ]


def _running(data: Data) -> dict[str, Any]:
    n = len(data["counts"])
    caption = (
        "The evidence that the stream has changed, window by window, on a log scale. Without drift it ever reaches the "
        f"dashed line at {data['threshold']:.3g} with a chance of at most {level(data['alpha'])}. Thin lines: "
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
    return {
        "kind": "figures",
        "id": "running",
        "nav": "Evidence",
        "plots": [
            plot("evidence", "Evidence of drift", caption, figures.evidence(data), size="wide"),
            plot("pvalues", "p-value of each window", of_windows, figures.pvalues(data), size="small"),
            plot(
                "counts",
                "Texts in each window",
                f"{sum(data['counts']):,} texts in {count(n, 'window')}.",
                figures.counts(data),
                size="small",
            ),
        ],
    }


def _effects(data: Data) -> dict[str, Any]:
    effects = np.asarray(data["effects"])
    return {
        "kind": "figures",
        "id": "effects",
        "nav": "Effects",
        "plots": [
            plot(
                f"effect-{name}",
                f"Effect: {TITLES[name]}",
                f"{MEANINGS[name]} G is the window, F what came before. 0: no difference.",
                figures.effect(data, effects[:, k]),
                size="small",
            )
            for k, name in enumerate(data["tests"])
        ],
    }


def _levels(data: Data) -> dict[str, Any]:
    return {
        "kind": "figures",
        "id": "levels",
        "nav": "Windows against the reference",
        "plots": [
            plot(
                "similarities",
                "Mean cosine of two texts",
                "Both of the window (solid), and one of it and one of the reference (dashed).",
                figures.similarities(data),
                size="small",
            ),
            plot(
                "depths",
                "Depth in the reference",
                "Mean depth of each window's texts in the reference, one standard deviation about it, and the mean of "
                f"the reference itself ({data['reference_depth_mean']:.3f}, dashed).",
                figures.depths(data),
                size="small",
            ),
        ],
    }


def _windows(data: Data) -> dict[str, Any]:
    n = len(data["counts"])
    shown = sorted({*range(max(0, n - _MOST_WINDOWS), n), *_marked(data)})
    return {
        "kind": "table",
        "id": "windows",
        "nav": "Windows",
        "title": "All windows",
        "note": (
            f"{len(shown):,} of {n:,} windows; all are in the .json file beside this page. " if len(shown) < n else ""
        )
        + "✓: the evidence is at the threshold or above. p: of the window alone. Compared with: earlier texts that the "
        "window was tested against.",
        "head": [
            "Window",
            "From",
            "To",
            "Texts",
            "Compared with",
            "p",
            "Evidence",
            *(f"Effect: {TITLES[name]}" for name in data["tests"]),
            "Cosine within",
            "Cosine to reference",
            "Mean depth",
        ],
        "body": [_window(data, i) for i in shown],
    }


def _span(data: Data, i: int) -> str:
    return f"{_time(data['starts'][i])} to {_time(data['ends'][i])}"


def _time(label: str | float) -> str:
    return label if isinstance(label, str) else f"{label:.12g}"


def _marked(data: Data) -> list[int]:
    return [data["detection_window"], data["change_window"]] if data["detected"] else []


def _window(data: Data, i: int) -> list[str]:
    evidence = data["evidence"][i]
    return [
        f"{i + 1}",
        _time(data["starts"][i]),
        _time(data["ends"][i]),
        f"{data['counts'][i]:,}",
        f"{data['compared'][i]:,}",
        p_value(data["pvalues"][i]),
        f"{evidence:.3g}" + (" ✓" if evidence >= data["threshold"] else ""),
        *(effect(x) for x in data["effects"][i]),
        f"{data['similarity_within'][i]:.3f}",
        f"{data['similarity_to_reference'][i]:.3f}",
        f"{data['depth_mean'][i]:.3f}",
    ]
