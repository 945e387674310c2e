"""Plotly figures of a stream: a value a window, over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from xembed.reports._figures import to_script
from xembed.reports._wording import TITLES

Data = Mapping[str, Any]
Floats = npt.NDArray[np.float64]
_DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")


def evidence(data: Data) -> str:
    """Return the evidence as it ran, that of each test, the threshold and the alarm."""
    figure = _figure(data, "evidence (log scale)")
    x = _positions(data)
    for k, (name, share) in enumerate(zip(data["tests"], data["shares"], strict=True)):
        capital = np.maximum(np.asarray(data["martingales"])[:, k] * share, 1e-300)
        style = {"width": 1.2, "dash": _DASHES[k % len(_DASHES)]}
        _line(figure, x, capital, TITLES[name], f"c{k % 6}", style, "%{y:.3g}")
    alone = data["threshold"] * np.asarray(data["limits"]) / np.asarray(data["pvalues"])
    _line(figure, x, alone, "window alone", "quiet", {"width": 1.2, "dash": "longdashdot"}, "%{y:.3g}", dots=True)
    running = np.asarray(data["evidence"])
    _line(figure, x, np.maximum(running, 1e-300), "evidence", "ink", {"width": 3}, "%{y:.4g}")
    figure.add_hline(y=data["threshold"], line={"width": 2, "dash": "dash"}, name="found")
    if data["detected"]:
        first = data["detection_window"]
        figure.add_scatter(
            x=[x[first]],
            y=[running[first]],
            mode="markers",
            marker={"symbol": "star", "size": 15},
            name="alarm raised",
            meta="found",
            hovertemplate=f"alarm with window {first + 1}<extra></extra>",
        )
        figure.add_vline(x=_left(data, data["change_window"]), line={"width": 1.5, "dash": "dot"}, name="found")
    # Shapes do not stretch an axis: the threshold and the first window's start must be on it.
    figure.update_xaxes(range=[_left(data, 0), x[-1] if _timed(data) else len(x) + 0.5])
    shown = np.append(np.asarray(data["martingales"]) * data["shares"], [*running, *alone, data["threshold"]])
    low, high = np.log10(np.clip([shown.min(), shown.max()], 1e-300, 1e300))
    figure.update_yaxes(type="log", range=[low - 0.15, high + 0.3], dtick=1 if high - low < 8 else None)
    return to_script(figure)


def pvalues(data: Data) -> str:
    """Return the combined p-value of each window."""
    figure = _figure(data, "p-value (log scale)")
    x = _positions(data)
    _line(figure, x, data["pvalues"], "p-value", "ink", {"width": 1}, "p = %{y:.3g}", dots=True)
    _line(figure, x, data["limits"], "alarm", "found", {"width": 2, "dash": "dash"}, "p ≤ %{y:.3g}")
    lowest = np.log10(min(*data["pvalues"], *data["limits"]))
    figure.update_yaxes(type="log", dtick=1, range=[np.floor(lowest) - 0.1, 0.1])
    figure.update_layout(showlegend=False)
    return to_script(figure)


def counts(data: Data) -> str:
    """Return the number of texts in each window."""
    figure = _figure(data, "texts")
    figure.update_yaxes(exponentformat="none", separatethousands=True)
    figure.add_bar(
        x=_positions(data),
        y=data["counts"],
        name="texts",
        meta="quiet",
        opacity=0.5,
        hovertemplate="%{y}<extra></extra>",
    )
    figure.update_layout(showlegend=False)
    return to_script(figure)


def effect(data: Data, values: Floats) -> str:
    """Return one test's effect in each window."""
    figure = _figure(data, "effect")
    _line(figure, _positions(data), values, "effect", "g", {"width": 1.5}, "%{y:+.3g}", dots=True)
    figure.add_hline(y=0, line={"width": 1, "dash": "dash"})
    figure.update_layout(showlegend=False)
    return to_script(figure)


def similarities(data: Data) -> str:
    """Return the mean cosines of the windows, within and to the reference."""
    figure = _figure(data, "mean cosine")
    x = _positions(data)
    _line(figure, x, data["similarity_within"], "within the window", "g", {"width": 2}, "%{y:.3f}")
    _line(figure, x, data["similarity_to_reference"], "to the reference", "f", {"width": 2, "dash": "dash"}, "%{y:.3f}")
    return to_script(figure)


def depths(data: Data) -> str:
    """Return the mean depth of each window in the reference, with its spread."""
    figure = _figure(data, "depth")
    x = _positions(data)
    mean, sd = np.asarray(data["depth_mean"]), np.asarray(data["depth_sd"])
    _line(figure, x, mean - sd, "", "g", {"width": 0}, "%{y:.3f}")
    _line(figure, x, mean + sd, "", "g", {"width": 0}, "%{y:.3f}")
    figure.data[-1].fill = "tonexty"
    _line(figure, x, mean, "window", "g", {"width": 2}, "%{y:.3f}")
    figure.add_hline(y=data["reference_depth_mean"], line={"width": 1.5, "dash": "dash"}, name="f")
    figure.update_layout(showlegend=False)
    return to_script(figure)


def _figure(data: Data, title: str) -> Any:
    import plotly.graph_objects as go

    figure = go.Figure()
    timed = _timed(data)
    figure.update_layout(xaxis_title="end of the window" if timed else "window", yaxis_title=title, hovermode="closest")
    if timed and isinstance(data["ends"][0], str):
        figure.update_xaxes(type="date")
    figure.update_yaxes(exponentformat="power")
    return figure


def _line(
    figure: Any,
    x: Sequence[Any],
    y: Any,
    name: str,
    color: str,
    line: dict[str, Any],
    value: str,
    *,
    dots: bool = False,
) -> None:
    figure.add_scatter(
        x=list(x),
        y=np.asarray(y, dtype=np.float64),
        customdata=np.arange(1, len(x) + 1),
        mode="lines+markers" if dots or len(x) == 1 else "lines",
        line=line,
        marker={"size": 5},
        name=name,
        meta=color,
        hovertemplate=f"window %{{customdata}}, {name}: {value}<extra></extra>",
    )


def _timed(data: Data) -> bool:
    """Return whether the windows' ends can be an axis: each after the one before."""
    ends = data["ends"]
    return all(one < other for one, other in pairwise(ends))


def _positions(data: Data) -> list[Any]:
    """Return where each window stands on the axis."""
    return list(data["ends"]) if _timed(data) else list(range(1, len(data["ends"]) + 1))


def _left(data: Data, window: int) -> Any:
    """Return where a window begins on the axis."""
    return data["starts"][window] if _timed(data) else window + 0.5
