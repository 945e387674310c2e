"""Plotly figures without colors, which the page's script gives them: a trace names its color by ``meta`` ("f", "g").

Color is never the only cue. No text of a user goes into a figure, since plotly reads markup in labels: names are
escaped, and hover texts are looked up from ``customdata``, the place of a text in the table of rows.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
import numpy.typing as npt

from xembed.reports._format import cut
from xembed.reports._text import script_json

Array = npt.NDArray[Any]
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")


def new_figure() -> Any:
    """Return an empty plotly figure."""
    import plotly.graph_objects as go

    return go.Figure()


def histogram(
    values: Array,
    *,
    title: str,
    mark: float | None = None,
    mark_name: str = "observed",
    bounds: tuple[float, float] | None = None,
) -> str:
    """Return how often values occur, with a line at ``mark``."""
    edges = bin_edges(values, len(values)) if bounds is None else np.linspace(*bounds, 21)
    counts = np.histogram(values, edges)[0]
    figure = new_figure()
    figure.add_scatter(
        **histogram_steps(edges, counts), mode="lines", line={"shape": "hvh", "width": 1.5}, fill="tozeroy", name=title,
        meta="quiet", hovertemplate="%{x:.4g}: %{y}<extra></extra>",
    )  # fmt: skip
    if mark is not None:
        figure.add_scatter(
            x=[mark, mark], y=[0, int(counts.max())], mode="lines", line={"width": 3, "dash": "dash"}, name=mark_name,
            meta="found", hovertemplate=f"{mark_name}: %{{x:.4g}}<extra></extra>",
        )  # fmt: skip
    low, high = bounds or (edges[0], edges[-1])
    if mark is not None:
        low, high = min(low, mark), max(high, mark)
    pad = 0.0 if bounds else 0.03 * (high - low)
    figure.update_xaxes(range=[low - pad, high + pad])
    figure.update_layout(xaxis_title=title, yaxis_title="how many", showlegend=mark is not None, hovermode="closest")
    return to_script(figure)


@dataclass(frozen=True)
class Curve:
    """A line of `curves` in a color of the style sheet; None and NaN are gaps, ``faint`` ones not in the legend."""

    name: str
    x: Sequence[Any]
    y: Sequence[float | None]
    color: str
    width: float = 2.0
    dash: str = "solid"
    faint: bool = False
    symbol: str = "circle"


def curves(
    lines: Sequence[Curve],
    *,
    x_title: str,
    y_title: str,
    value: str = ".3f",
    y_range: Sequence[float] | None = None,
    whole: bool = False,
    log: bool = False,
) -> str:
    """Return lines with dots. ``whole``: x counts something, so that ticks stand at whole numbers; ``log``: of y."""
    figure = new_figure()
    for line in lines:
        name = name_label(line.name)
        figure.add_scatter(
            x=list(line.x),
            y=[None if y is None or not np.isfinite(y) else float(y) for y in line.y],
            mode="lines+markers" if len(line.x) <= 60 else "lines",
            line={"width": line.width, "dash": line.dash},
            marker={"size": 4 if line.faint else 6, "symbol": line.symbol},
            opacity=0.5 if line.faint else 1.0,
            name=name,
            meta=line.color,
            showlegend=not line.faint,
            hovertemplate=f"{name}<br>{x_title.split(' (')[0]} %{{x}}: %{{y:{value}}}<extra></extra>",
        )
    positions = sorted({x for line in lines for x in line.x})
    if whole and len(positions) <= 13:
        figure.update_xaxes(tickmode="array", tickvals=positions)
    if log:
        figure.update_yaxes(type="log", dtick=1, exponentformat="power")
    if y_range is not None:
        figure.update_yaxes(range=list(y_range))
    several = sum(not line.faint for line in lines) > 1
    figure.update_layout(xaxis_title=x_title, yaxis_title=y_title, showlegend=several, hovermode="closest")
    return to_script(figure)


def to_script(figure: Any) -> str:
    """Return the figure as JSON that can stand in a script element."""
    spec = json.loads(figure.to_json())
    spec["layout"].pop("template", None)  # 7 kB of colors that the page sets itself
    return script_json(spec)


def histogram_steps(edges: Array, heights: Array) -> dict[str, Array]:
    """Return the coordinates of a histogram's outline for lines of the shape 'hvh', which step halfway."""
    width = edges[1] - edges[0]
    centers = np.concatenate([edges[:1] - width, edges]) + width / 2
    return {"x": centers, "y": np.concatenate([[0.0], heights, [0.0]])}


def bin_edges(values: Array, smallest: int) -> Array:
    """Return the edges of a histogram; ``smallest`` is the size of the smaller group."""
    low, high = float(values.min()), float(values.max())
    if high - low <= 1e-9 * max(abs(low), abs(high)):  # all values equal: one bin around them
        return np.array([low - 1e-6, high + 1e-6])
    bins = int(np.clip(2 * np.cbrt(smallest), 8, 60))  # Rice's rule for the smaller corpus
    return np.linspace(low, high, bins + 1)


def name_label(name: str) -> str:
    """Return a name for a legend or an axis: plotly.js reads markup there."""
    return escape(cut(name, 40)).replace("&quot;", "&#34;")  # plotly.js reads numbers, and few names


def word_ticks(words: Sequence[str], length: int = 18) -> dict[str, Any]:
    """Return the labels of an axis of words, cut to ``length``, without what plotly would read as markup."""
    return {
        "tickmode": "array",
        "tickvals": list(range(len(words))),
        "ticktext": [name_label(cut("".join(c if c.isprintable() else " " for c in word), length)) for word in words],
        "range": [-0.5, len(words) - 0.5],
    }


def error_bars(values: Sequence[float], intervals: Sequence[Sequence[float]]) -> dict[str, Any]:
    """Return intervals around the values of a trace."""
    return {
        "type": "data",
        "symmetric": False,
        "array": [max(high - value, 0.0) for value, (_, high) in zip(values, intervals, strict=True)],
        "arrayminus": [max(value - low, 0.0) for value, (low, _) in zip(values, intervals, strict=True)],
        "thickness": 1.5,
        "width": 4,
    }
