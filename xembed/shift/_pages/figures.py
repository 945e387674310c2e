"""Plotly figures of two corpora: depths, maps of their texts; and of a stream, a value a window over time."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from xembed.reports.kit import DASHES, Data, bin_edges, histogram_steps, name_label, new_figure, to_script
from xembed.shift._kinds import KINDS

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]
Plane = tuple[Array, Array]  # coordinates
_COLORS = ("f", "g")
_SYMBOLS = ("circle", "diamond-open")
_CELLS = 64  # of a density, along each side


def depth_distributions(tested: tuple[Array, Array], names: Sequence[str], medians: Sequence[float]) -> str:
    """Return histograms of the depths of both corpora on shared bins, as shares of each corpus."""
    edges = bin_edges(np.concatenate(tested), min(map(len, tested)))
    figure = new_figure()
    for which, (depths, name) in enumerate(zip(tested, names, strict=True)):
        share = np.histogram(depths, edges)[0] / len(depths)
        figure.add_scatter(
            **histogram_steps(edges, share * 100),
            mode="lines",
            line={"shape": "hvh", "dash": DASHES[which], "width": 2},
            fill="tozeroy",
            name=name_label(name),
            meta=_COLORS[which],
            hovertemplate="depth %{x:.3f}: %{y:.1f}% of texts<extra></extra>",
        )
        figure.add_vline(x=medians[which], line={"width": 1.5, "dash": DASHES[which]}, name=_COLORS[which])
    figure.update_layout(xaxis_title="depth (right: typical)", yaxis_title="% of texts", hovermode="x")
    return to_script(figure)


def dd_plot(
    in_F: Array, in_G: Array, corpus: Array, rows: Array, names: Sequence[str], *, everything: Plane | None = None
) -> str:
    """Return depth in G against depth in F, a dot a text, with the line of equal depth.

    ``everything``: the coordinates of all texts, where the dots are a sample of them; a shade then says where they lie.
    """
    figure = _dots(in_F, in_G, corpus, rows, names, everything)
    low, high = float(min(in_F.min(), in_G.min())), float(max(in_F.max(), in_G.max()))
    figure.add_shape(type="line", x0=low, y0=low, x1=high, y1=high, line={"dash": "dash", "width": 1}, layer="below")
    figure.update_layout(
        xaxis_title=f"depth in {name_label(names[0])}", yaxis_title=f"depth in {name_label(names[1])}", dragmode="lasso"
    )
    return to_script(figure)


def text_map(
    points: Array, corpus: Array, rows: Array, names: Sequence[str], projection: str, *, everything: Array | None = None
) -> str:
    """Return the texts on a plane. ``everything``: the points of all texts, where the dots are a sample of them."""
    shade = None if everything is None else (everything[:, 0], everything[:, 1])
    figure = _dots(points[:, 0], points[:, 1], corpus, rows, names, shade)
    axis = "UMAP" if projection == "umap" else "principal component"
    figure.update_layout(xaxis_title=f"{axis} 1", yaxis_title=f"{axis} 2", dragmode="lasso")
    figure.update_yaxes(scaleanchor="x", scaleratio=1)
    return to_script(figure)


def _dots(x: Array, y: Array, corpus: Array, rows: Array, names: Sequence[str], everything: Plane | None = None) -> Any:
    figure = new_figure()
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
            name=name_label(name),
            meta=_COLORS[which],
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
    x_cells = {"x0": float(across[0] + across[1]) / 2, "dx": float(across[1] - across[0])}
    y_cells = {"y0": float(up[0] + up[1]) / 2, "dy": float(up[1] - up[0])}
    return {"z": shade, **x_cells, **y_cells, "zmin": 0, "zmax": 255}


def drift_evidence(data: Data) -> str:
    """Return the evidence as it ran, that of each test, the threshold and the alarm."""
    figure = _figure(data, "evidence (log scale)")
    x = _positions(data)
    for k, (name, share) in enumerate(zip(data["tests"], data["shares"], strict=True)):
        capital = np.maximum(np.asarray(data["martingales"])[:, k] * share, 1e-300)
        style = {"width": 1.2, "dash": DASHES[k % len(DASHES)]}
        _line(figure, x, capital, KINDS[name].title, f"c{k % 6}", style, "%{y:.3g}")
    alone = data["threshold"] * np.asarray(data["limits"]) / np.asarray(data["pvalues"])
    _line(figure, x, alone, "window alone", "quiet", {"width": 1.2, "dash": "longdashdot"}, "%{y:.3g}", dots=True)
    running = np.asarray(data["evidence"])
    _line(figure, x, np.maximum(running, 1e-300), "evidence", "ink", {"width": 3}, "%{y:.4g}")
    figure.add_hline(y=data["threshold"], line={"width": 2, "dash": "dash"}, name="found")
    if data["detected"]:
        first, star = data["detection_window"], {"symbol": "star", "size": 15}
        hover = f"alarm with window {first + 1}<extra></extra>"
        look = {"mode": "markers", "marker": star, "meta": "found", "hovertemplate": hover}
        figure.add_scatter(x=[x[first]], y=[running[first]], name="alarm raised", **look)
        figure.add_vline(x=_left(data, data["change_window"]), line={"width": 1.5, "dash": "dot"}, name="found")
    # Shapes do not stretch an axis: the threshold and the first window's start must be on it.
    figure.update_xaxes(range=[_left(data, 0), x[-1] if _timed(data) else len(x) + 0.5])
    shown = np.append(np.asarray(data["martingales"]) * data["shares"], [*running, *alone, data["threshold"]])
    low, high = np.log10(np.clip([shown.min(), shown.max()], 1e-300, 1e300))
    figure.update_yaxes(type="log", range=[low - 0.15, high + 0.3], dtick=1 if high - low < 8 else None)
    return to_script(figure)


def drift_pvalues(data: Data) -> str:
    """Return the combined p-value of each window."""
    figure = _figure(data, "p-value (log scale)", legend=False)
    x = _positions(data)
    _line(figure, x, data["pvalues"], "p-value", "ink", {"width": 1}, "p = %{y:.3g}", dots=True)
    _line(figure, x, data["limits"], "alarm", "found", {"width": 2, "dash": "dash"}, "p ≤ %{y:.3g}")
    lowest = np.log10(min(*data["pvalues"], *data["limits"]))
    figure.update_yaxes(type="log", dtick=1, range=[np.floor(lowest) - 0.1, 0.1])
    return to_script(figure)


def drift_counts(data: Data) -> str:
    """Return the number of texts in each window."""
    figure = _figure(data, "texts", legend=False)
    figure.update_yaxes(exponentformat="none", separatethousands=True)
    look = {"meta": "quiet", "opacity": 0.5, "hovertemplate": "%{y}<extra></extra>"}
    figure.add_bar(x=_positions(data), y=data["counts"], name="texts", **look)
    return to_script(figure)


def drift_effect(data: Data, values: Floats) -> str:
    """Return one test's effect in each window."""
    figure = _figure(data, "effect", legend=False)
    _line(figure, _positions(data), values, "effect", "g", {"width": 1.5}, "%{y:+.3g}", dots=True)
    figure.add_hline(y=0, line={"width": 1, "dash": "dash"})
    return to_script(figure)


def drift_similarities(data: Data) -> str:
    """Return the mean cosines of the windows, within and to the reference."""
    figure = _figure(data, "mean cosine")
    x = _positions(data)
    _line(figure, x, data["similarity_within"], "within the window", "g", {"width": 2}, "%{y:.3f}")
    _line(figure, x, data["similarity_to_reference"], "to the reference", "f", {"width": 2, "dash": "dash"}, "%{y:.3f}")
    return to_script(figure)


def drift_depths(data: Data) -> str:
    """Return the mean depth of each window in the reference, with its spread."""
    figure = _figure(data, "depth", legend=False)
    x = _positions(data)
    mean, sd = np.asarray(data["depth_mean"]), np.asarray(data["depth_sd"])
    _line(figure, x, mean - sd, "", "g", {"width": 0}, "%{y:.3f}")
    _line(figure, x, mean + sd, "", "g", {"width": 0}, "%{y:.3f}")
    figure.data[-1].fill = "tonexty"
    _line(figure, x, mean, "window", "g", {"width": 2}, "%{y:.3f}")
    figure.add_hline(y=data["reference_depth_mean"], line={"width": 1.5, "dash": "dash"}, name="f")
    return to_script(figure)


def _figure(data: Data, title: str, *, legend: bool = True) -> Any:
    figure = new_figure()
    timed = _timed(data)
    figure.update_layout(xaxis_title="end of the window" if timed else "window", yaxis_title=title, hovermode="closest")
    if not legend:
        figure.update_layout(showlegend=False)
    if timed and isinstance(data["ends"][0], str):
        figure.update_xaxes(type="date")
    figure.update_yaxes(exponentformat="power")
    return figure


def _line(
    figure: Any, x: Any, y: Any, name: str, color: str, line: dict[str, Any], value: str, *, dots: bool = False
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
