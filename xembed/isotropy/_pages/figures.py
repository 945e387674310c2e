"""Plotly figures of embedding spaces: spectra, cosines, and dimensions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from xembed.reports.kit import DASHES, Data, name_label, new_figure, to_script

Floats = npt.NDArray[np.float64]

_COLORS = ("f", "g")
# Eigenvalues below this share of the largest are what rounding leaves of nothing; on a logarithmic scale they would
# press all others together.
_NOTHING = 1e-8


def spectra(shares: Sequence[tuple[str, Floats]]) -> str:
    """Return the eigenvalues of each space as percentages of its variance, over their rank, on a logarithmic scale."""
    figure = new_figure()
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
            meta=_COLORS[which],
            hovertemplate="direction %{x}: %{y:.3g}% of the variance<extra></extra>",
        )
    rank = max(len(share) for _, share in shares)
    figure.add_scatter(
        x=[1, rank],
        y=[100 / rank, 100 / rank],
        mode="lines",
        line={"width": 1.5, "dash": "dot"},
        name="isotropic",
        meta="quiet",
        hovertemplate="isotropic: %{y:.3g}%<extra></extra>",
    )
    high = max(float(share.max()) for _, share in shares)
    figure.update_layout(
        xaxis_title="principal component", yaxis_title="% of the variance (log scale)", hovermode="closest"
    )
    bottom, top = np.log10([100 * min(low, 1 / rank), 100 * high])
    figure.update_yaxes(type="log", range=[bottom - 0.1, top + 0.15], dtick=1, exponentformat="power")
    return to_script(figure)


def cosines(histograms: Sequence[tuple[str, Data]]) -> str:
    """Return the cosines of random pairs of each space, as percentages of the pairs, and of random directions."""
    figure = new_figure()
    ends: list[float] = []
    # Random directions are the same for spaces of as many dimensions, and drawn once.
    expected = {tuple(round(pairs, 6) for pairs in histogram["expected"]): histogram for _, histogram in histograms}
    lines = [
        (name, histogram, "counts", _COLORS[which], DASHES[which], 2.0)
        for which, (name, histogram) in enumerate(histograms)
    ]
    lines += [("random directions", histogram, "expected", "quiet", "dot", 1.5) for histogram in expected.values()]
    for name, histogram, key, color, dash, width in lines:
        edges = np.asarray(histogram["edges"], dtype=np.float64)
        values = np.asarray(histogram[key], dtype=np.float64)
        share = 100 * values / max(float(values.sum()), 1e-300)
        filled = np.flatnonzero(share > 0.02)
        ends += [edges[filled[0]], edges[filled[-1] + 1]]
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
    figure.update_xaxes(range=[max(-1.0, min(ends) - 0.04), min(1.0, max(ends) + 0.04)])
    figure.update_layout(xaxis_title="cosine of two different texts", yaxis_title="% of pairs", hovermode="closest")
    return to_script(figure)


def contributions(values: Floats, rogue: Sequence[int]) -> str:
    """Return the contribution of each dimension to the average cosine, rogue ones marked."""
    figure = new_figure()
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
        yaxis_title="contribution to the average cosine",
        showlegend=bool(rogue),
        hovermode="closest",
    )
    return to_script(figure)
