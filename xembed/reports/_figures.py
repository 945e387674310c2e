"""Plotly figures, without colors: the page's script gives them those of its theme.

A trace names its color in the style sheet by ``meta`` ("f" and "g" are the corpora), a shape by its ``name``; color
is never the only cue (dashes, symbols). No text of a user goes into a figure, since plotly reads markup in labels;
names are escaped for that reason. Hover texts are looked up by the script from ``customdata``, the position of a dot's
text in the table of rows.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np
import numpy.typing as npt

from xembed.reports._script_data import script_json

Array = npt.NDArray[Any]
_COLOURS = ("f", "g")
_SYMBOLS = ("circle", "diamond-open")
_DASHES = ("solid", "dash")
_CELLS = 64  # of a density, along each side


def depth_distributions(tested: tuple[Array, Array], names: Sequence[str], medians: Sequence[float]) -> str:
    """Return histograms of the depths of both corpora on shared bins, as shares of each corpus."""
    import plotly.graph_objects as go

    edges = _edges(np.concatenate(tested), min(map(len, tested)))
    figure = go.Figure()
    for which, (depths, name) in enumerate(zip(tested, names, strict=True)):
        share = np.histogram(depths, edges)[0] / len(depths)
        figure.add_scatter(
            **_steps(edges, share * 100),
            mode="lines",
            line={"shape": "hvh", "dash": _DASHES[which], "width": 2},
            fill="tozeroy",
            name=_label(name),
            meta=_COLOURS[which],
            hovertemplate="depth %{x:.3f}: %{y:.1f}% of texts<extra></extra>",
        )
        figure.add_vline(x=medians[which], line={"width": 1.5, "dash": _DASHES[which]}, name=_COLOURS[which])
    figure.update_layout(xaxis_title="depth (right: typical)", yaxis_title="% of texts", hovermode="x")
    return to_script(figure)


def dd_plot(
    in_F: Array,
    in_G: Array,
    corpus: Array,
    rows: Array,
    names: Sequence[str],
    *,
    everything: tuple[Array, Array] | None = None,
) -> str:
    """Return depth in G against depth in F, a dot a text, with the line of equal depth.

    ``everything``: the coordinates of all texts, where the dots are a sample of them; a shade then says where they lie.
    """
    figure = _dots(in_F, in_G, corpus, rows, names, everything)
    low, high = float(min(in_F.min(), in_G.min())), float(max(in_F.max(), in_G.max()))
    figure.add_shape(type="line", x0=low, y0=low, x1=high, y1=high, line={"dash": "dash", "width": 1}, layer="below")
    figure.update_layout(
        xaxis_title=f"depth in {_label(names[0])}",
        yaxis_title=f"depth in {_label(names[1])}",
        dragmode="lasso",
    )
    return to_script(figure)


def text_map(
    points: Array,
    corpus: Array,
    rows: Array,
    names: Sequence[str],
    projection: str,
    *,
    everything: Array | None = None,
) -> str:
    """Return the texts on a plane. ``everything``: the points of all texts, where the dots are a sample of them."""
    shade = None if everything is None else (everything[:, 0], everything[:, 1])
    figure = _dots(points[:, 0], points[:, 1], corpus, rows, names, shade)
    axis = "UMAP" if projection == "umap" else "principal component"
    figure.update_layout(xaxis_title=f"{axis} 1", yaxis_title=f"{axis} 2", dragmode="lasso")
    figure.update_yaxes(scaleanchor="x", scaleratio=1)
    return to_script(figure)


def histogram(
    values: Array,
    *,
    title: str,
    mark: float | None = None,
    mark_name: str = "observed",
    bounds: tuple[float, float] | None = None,
) -> str:
    """Return how often values occur, with a line at ``mark``."""
    import plotly.graph_objects as go

    edges = _edges(values, len(values)) if bounds is None else np.linspace(*bounds, 21)
    counts = np.histogram(values, edges)[0]
    figure = go.Figure()
    figure.add_scatter(
        **_steps(edges, counts),
        mode="lines",
        line={"shape": "hvh", "width": 1.5},
        fill="tozeroy",
        name=title,
        meta="quiet",
        hovertemplate="%{x:.4g}: %{y}<extra></extra>",
    )
    if mark is not None:
        figure.add_scatter(
            x=[mark, mark],
            y=[0, int(counts.max())],
            mode="lines",
            line={"width": 3, "dash": "dash"},
            name=mark_name,
            meta="found",
            hovertemplate=f"{mark_name}: %{{x:.4g}}<extra></extra>",
        )
    low, high = bounds or (edges[0], edges[-1])
    if mark is not None:
        low, high = min(low, mark), max(high, mark)
    pad = 0.0 if bounds else 0.03 * (high - low)
    figure.update_xaxes(range=[low - pad, high + pad])
    figure.update_layout(xaxis_title=title, yaxis_title="how many", showlegend=mark is not None, hovermode="closest")
    return to_script(figure)


def to_script(figure: Any) -> str:
    """Return the figure as JSON that can stand in a script element."""
    spec = json.loads(figure.to_json())
    spec["layout"].pop("template", None)  # 7 kB of colors that the page sets itself
    return script_json(spec)


def _dots(
    x: Array,
    y: Array,
    corpus: Array,
    rows: Array,
    names: Sequence[str],
    everything: tuple[Array, Array] | None = None,
) -> Any:
    import plotly.graph_objects as go

    figure = go.Figure()
    size = 7 if len(x) < 1000 else 5
    look = {"size": size} if everything is None else {"size": 3, "opacity": 0.7}  # the shade shows through
    for which, name in enumerate(names):
        mine = corpus == which
        figure.add_scatter(
            x=x[mine].astype(np.float32),
            y=y[mine].astype(np.float32),
            customdata=rows[mine].astype(np.int32),
            mode="markers",
            marker={"symbol": _SYMBOLS[which], **look},
            name=_label(name),
            meta=_COLOURS[which],
            hoverinfo="none",
        )
    if everything is not None:
        figure.add_heatmap(**_density(*everything), zsmooth="fast", showscale=False, hoverinfo="skip", meta="quiet")
        figure.update_layout(legend_itemsizing="constant")  # the small dots are too small for a legend
    return figure


def _density(x: Array, y: Array) -> dict[str, Any]:
    """Return how many texts lie in each cell of a grid, as a heatmap's numbers: 0 is none, 255 the most, in logs."""
    counts, across, up = np.histogram2d(x, y, bins=_CELLS)
    shade = np.ceil(255 * (np.log1p(counts.T) / np.log1p(counts.max()))).astype(np.uint8)
    return {
        "z": shade,
        "x0": float(across[0] + across[1]) / 2,
        "dx": float(across[1] - across[0]),
        "y0": float(up[0] + up[1]) / 2,
        "dy": float(up[1] - up[0]),
        "zmin": 0,
        "zmax": 255,
    }


def _steps(edges: Array, heights: Array) -> dict[str, Array]:
    """Return the coordinates of a histogram's outline for lines of the shape 'hvh', which step halfway."""
    width = edges[1] - edges[0]
    centers = np.concatenate([edges[:1] - width, edges]) + width / 2
    return {"x": centers, "y": np.concatenate([[0.0], heights, [0.0]])}


def _edges(values: Array, smallest: int) -> Array:
    low, high = float(values.min()), float(values.max())
    if high - low <= 1e-9 * max(abs(low), abs(high)):  # all values equal: one bin around them
        return np.array([low - 1e-6, high + 1e-6])
    bins = int(np.clip(2 * np.cbrt(smallest), 8, 60))  # Rice's rule for the smaller corpus
    return np.linspace(low, high, bins + 1)


def _label(name: str) -> str:
    shown = name if len(name) <= 40 else name[:39] + "…"
    return escape(shown).replace("&quot;", "&#34;")  # plotly.js reads numbers, and few names
