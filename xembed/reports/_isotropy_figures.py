"""Plotly figures of an embedding space: its spectrum, cosines and dimensions, and what layers and training make of it.

Lines of one figure come as `Line`: a name, which is escaped, and values; None or NaN leave a gap.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from xembed.reports._figures import name_label, to_script

Data = Mapping[str, Any]
Floats = npt.NDArray[np.float64]

DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
_COLOURS = ("f", "g")
# Eigenvalues below this share of the largest are what rounding leaves of nothing; on a logarithmic scale they would
# press all others together.
_NOTHING = 1e-8


class Line(NamedTuple):
    """One line: ``color`` is that of the style sheet; ``faint`` lines are thin and not in the legend."""

    name: str
    x: Sequence[Any]
    y: Sequence[float | None]
    color: str
    width: float = 2.0
    dash: str = "solid"
    faint: bool = False
    symbol: str = "circle"


def spectra(shares: Sequence[tuple[str, Floats]]) -> str:
    """Return the eigenvalues of each space as percentages of its variance, over their rank, on a logarithmic scale."""
    import plotly.graph_objects as go

    figure = go.Figure()
    low = 1.0
    for which, (name, share) in enumerate(shares):
        seen = share >= max(_NOTHING * float(share.max()), 1e-300)
        low = min(low, float(share[seen].min()))
        figure.add_scatter(
            x=np.arange(1, len(share) + 1),
            y=np.where(seen, 100 * share, np.nan),
            mode="lines" if len(share) > 1 else "markers",
            line={"width": 2, "dash": DASHES[which]},
            name=name_label(name),
            meta=_COLOURS[which],
            hovertemplate="direction %{x}: %{y:.3g}% of the variance<extra></extra>",
        )
    rank = max(len(share) for _, share in shares)
    figure.add_scatter(
        x=[1, rank],
        y=[100 / rank, 100 / rank],
        mode="lines",
        line={"width": 1.5, "dash": "dot"},
        name="all directions alike",
        meta="quiet",
        hovertemplate="all directions alike: %{y:.3g}%<extra></extra>",
    )
    high = max(float(share.max()) for _, share in shares)
    figure.update_layout(
        xaxis_title="direction, by variance", yaxis_title="% of the variance (log scale)", hovermode="closest"
    )
    bottom, top = np.log10([100 * min(low, 1 / rank), 100 * high])
    figure.update_yaxes(type="log", range=[bottom - 0.1, top + 0.15], dtick=1, exponentformat="power")
    return to_script(figure)


def cosines(histograms: Sequence[tuple[str, Data]]) -> str:
    """Return the cosines of random pairs of each space, as percentages of the pairs, and what chance would give."""
    import plotly.graph_objects as go

    figure = go.Figure()
    seen: list[float] = []
    # Chance is the same for spaces of as many dimensions, and drawn once.
    expected = {tuple(round(pairs, 6) for pairs in histogram["expected"]): histogram for _, histogram in histograms}
    lines = [
        (name, histogram, "counts", _COLOURS[which], DASHES[which], 2.0)
        for which, (name, histogram) in enumerate(histograms)
    ]
    lines += [("random directions", histogram, "expected", "quiet", "dot", 1.5) for histogram in expected.values()]
    for name, histogram, key, color, dash, width in lines:
        edges = np.asarray(histogram["edges"], dtype=np.float64)
        values = np.asarray(histogram[key], dtype=np.float64)
        share = 100 * values / max(float(values.sum()), 1e-300)
        there = np.flatnonzero(share > 0.02)
        seen += [edges[there[0]], edges[there[-1] + 1]]
        figure.add_scatter(
            x=(edges[:-1] + edges[1:]) / 2,
            y=share,
            mode="lines",
            line={"shape": "hvh", "width": width, "dash": dash},
            fill="tozeroy" if key == "counts" else None,
            name=name_label(name),
            meta=color,
            hovertemplate="cosine %{x:.2f}: %{y:.2f}% of pairs<extra></extra>",
        )
    low, high = min(seen), max(seen)
    figure.update_xaxes(range=[max(-1.0, low - 0.04), min(1.0, high + 0.04)])
    figure.update_layout(xaxis_title="cosine of two different texts", yaxis_title="% of pairs", hovermode="closest")
    return to_script(figure)


def contributions(values: Floats, rogue: Sequence[int]) -> str:
    """Return what each dimension adds to the average cosine, rogue ones marked."""
    import plotly.graph_objects as go

    figure = go.Figure()
    # One path for all stems: a bar for each of thousands of dimensions would be slow.
    gaps = np.full(len(values), np.nan)
    index = np.arange(len(values), dtype=np.float64)
    figure.add_scatter(
        x=np.column_stack([index, index, gaps]).ravel(),
        y=np.column_stack([np.zeros(len(values)), values, gaps]).ravel(),
        mode="lines",
        line={"width": 1.5},
        name="dimensions",
        meta="f",
        hovertemplate="dimension %{x}: %{y:.3g}<extra></extra>",
    )
    if rogue:
        figure.add_scatter(
            x=list(rogue),
            y=values[list(rogue)],
            mode="markers",
            marker={"symbol": "star", "size": 12},
            name="rogue dimensions",
            meta="found",
            hovertemplate="rogue dimension %{x}: %{y:.3g}<extra></extra>",
        )
    figure.add_hline(y=0, line={"width": 1}, name="quiet")
    pad = 0.02 * len(values) + 0.5
    figure.update_xaxes(range=[-pad, len(values) - 1 + pad])
    figure.update_layout(
        xaxis_title="dimension",
        yaxis_title="added to the average cosine",
        showlegend=bool(rogue),
        hovermode="closest",
    )
    return to_script(figure)


def lines(
    drawn: Sequence[Line],
    *,
    x_title: str,
    y_title: str,
    value: str = ".3f",
    y_range: Sequence[float] | None = None,
    whole: bool = False,
    log: bool = False,
) -> str:
    """Return lines with dots. ``whole``: x counts something, so that ticks stand at whole numbers; ``log``: of y."""
    import plotly.graph_objects as go

    figure = go.Figure()
    for line in drawn:
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
    positions = sorted({x for line in drawn for x in line.x})
    if whole and len(positions) <= 13:
        figure.update_xaxes(tickmode="array", tickvals=positions)
    if log:
        figure.update_yaxes(type="log", dtick=1, exponentformat="power")
    if y_range is not None:
        figure.update_yaxes(range=list(y_range))
    figure.update_layout(
        xaxis_title=x_title,
        yaxis_title=y_title,
        showlegend=sum(not line.faint for line in drawn) > 1,
        hovermode="closest",
    )
    return to_script(figure)
