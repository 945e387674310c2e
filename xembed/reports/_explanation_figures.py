"""Figures of explanations: word by word, terms that came and went, methods with intervals, shares along axes.

Words and terms of users stand on the axes: escaped, cut, and without characters that turn the line around. Places on
an axis are numbers, so that two words that are written alike stay two.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from xembed.reports._figures import name_label, to_script
from xembed.reports._format import cut

Data = Mapping[str, Any]
Array = npt.NDArray[Any]

_TICK = 18  # characters of a word on an axis
_PATTERNS = ("", "/", ".", "x", "\\", "-", "|", "+")
_NUMBERS = 14  # words a side up to which the cells of a heat map hold numbers


def tick(word: str, length: int = _TICK) -> str:
    """Return a word as the label of an axis: plotly reads markup, and a line may be turned around by what is in it."""
    return name_label(cut("".join(c if c.isprintable() else " " for c in word), length))


def heat_map(matrix: Array, words_a: Sequence[str], words_b: Sequence[str]) -> str:
    """Return the word × word matrix; colors are those of signs, and the signs stand in the cells."""
    import plotly.graph_objects as go

    most = float(np.abs(matrix).max(initial=0.0)) or 1.0
    as_numbers = max(len(words_a), len(words_b)) <= _NUMBERS
    shown = [[_mark(value, most, as_numbers) for value in row] for row in matrix.tolist()]
    figure = go.Figure(
        go.Heatmap(
            z=[[float(f"{value:.4g}") for value in row] for row in matrix.tolist()],
            x=list(range(len(words_b))),
            y=list(range(len(words_a))),
            text=shown,
            texttemplate="%{text}",
            zmin=-most,
            zmax=most,
            xgap=1,
            ygap=1,
            showscale=False,
            meta="signed",
            hovertemplate="%{y} – %{x}: %{z:+.3g}<extra></extra>",
        )
    )
    figure.update_xaxes(_ticks(words_b) | {"side": "top", "tickangle": -45, "showgrid": False, "zeroline": False})
    figure.update_yaxes(_ticks(words_a) | {"autorange": "reversed", "showgrid": False, "zeroline": False})
    return to_script(figure)


def _mark(value: float, most: float, as_number: bool) -> str:
    if abs(value) < 0.05 * most:
        return ""
    if as_number:
        return f"{value:+.{2 if most >= 0.2 else 3}f}".replace("-", "−")
    return "+" if value > 0 else "−"


def _ticks(words: Sequence[str], length: int = _TICK) -> dict[str, Any]:
    return {
        "tickmode": "array",
        "tickvals": list(range(len(words))),
        "ticktext": [tick(word, length) for word in words],
        "range": [-0.5, len(words) - 0.5],
    }


def terms_figure(came: Sequence[Data], went: Sequence[Data], unit: str) -> str:
    """Return what each term adds to a component of a shift, with intervals: those that came, then those that went."""
    import plotly.graph_objects as go

    figure = go.Figure()
    labels: list[str] = []
    sides = (("came", "+", "g", "", came), ("went", "−", "f", "/", went))
    for name, sign, meta, pattern, terms in sides:
        if terms:
            values = [term["contribution"] for term in terms]
            figure.add_bar(
                x=values,
                y=list(range(len(labels), len(labels) + len(terms))),
                orientation="h",
                error_x=_errors(values, [term["interval"] for term in terms]),
                marker={"opacity": 0.55, "pattern": {"shape": pattern}},
                name=f"{sign} {name}",
                meta=meta,
                hovertemplate="%{y}: %{x:.3g}<extra></extra>",
            )
            labels += [f"{term['term']} {sign}" for term in terms]
    # The mark of the sign must not be what is cut off.
    ticks = _ticks(labels) | {"ticktext": [f"{tick(label[:-2])} {label[-1]}" for label in labels]}
    figure.update_yaxes(ticks | {"range": None, "autorange": "reversed", "showgrid": False, "zeroline": False})
    figure.update_layout(xaxis_title=unit, showlegend=True, bargap=0.25, hovermode="closest")
    return to_script(figure)


def _errors(values: Sequence[float], intervals: Sequence[Sequence[float]]) -> dict[str, Any]:
    return {
        "type": "data",
        "symmetric": False,
        "array": [max(high - value, 0.0) for value, (_, high) in zip(values, intervals, strict=True)],
        "arrayminus": [max(value - low, 0.0) for value, (low, _) in zip(values, intervals, strict=True)],
        "thickness": 1.5,
        "width": 4,
    }


def trust_figure(methods: Sequence[Data], threshold: float, targets: Mapping[str, str]) -> str:
    """Return the AUROC of each method and target with its interval, chance and what is asked for."""
    import plotly.graph_objects as go

    names = list(dict.fromkeys(found["label"] for found in methods))
    kinds = list(dict.fromkeys(found["target"] for found in methods))
    figure = go.Figure()
    for which, kind in enumerate(kinds):
        mine = [found for found in methods if found["target"] == kind]
        values = [found["auroc"] for found in mine]
        shift = 0.18 * (2 * which - len(kinds) + 1)
        figure.add_scatter(
            x=values,
            y=[names.index(found["label"]) + shift for found in mine],
            mode="markers",
            error_x=_errors(values, [found["interval"] for found in mine]),
            marker={"symbol": ("circle", "diamond-open")[which % 2], "size": 10},
            name=name_label(targets.get(kind, kind)),
            meta=("f", "g")[which % 2],
            text=[name_label(found["label"]) for found in mine],
            hovertemplate="%{text}: AUROC %{x:.3f}<extra></extra>",
        )
    for at, dash, name in ((0.5, "dot", "guessing"), (threshold, "dash", "asked of the lower end")):
        figure.add_scatter(
            x=[at, at],
            y=[-0.5, len(names) - 0.5],
            mode="lines",
            line={"dash": dash, "width": 2},
            name=f"{name}: {at:.2f}",
            meta="quiet" if at == 0.5 else "found",
            hovertemplate=f"{name}: {at:.2f}<extra></extra>",
        )
    figure.update_yaxes(_ticks(names, 30) | {"range": [len(names) - 0.5, -0.5], "zeroline": False})
    low = min([0.4, *(found["interval"][0] - 0.03 for found in methods)])
    figure.update_xaxes({"range": [max(low, -0.02), 1.02], "zeroline": False})
    figure.update_layout(xaxis_title="AUROC", showlegend=True, hovermode="closest")
    return to_script(figure)


def shares_figure(shares: Array, rest: Array, names: Sequence[str], pairs: Sequence[int]) -> str:
    """Return for each pair what of its difference lies along each axis, stacked to 100 %."""
    import plotly.graph_objects as go

    figure = go.Figure()
    parts = [*zip(names, shares.T, strict=True), ("along none", rest)]
    for place, (name, values) in enumerate(parts):
        last = place == len(parts) - 1
        figure.add_bar(
            x=list(range(len(pairs))),
            y=(100 * values).tolist(),
            name=name_label(name),
            meta="grid" if last else f"c{place % 5}",
            marker={"pattern": {"shape": "" if last else _PATTERNS[place % len(_PATTERNS)], "solidity": 0.25}},
            customdata=list(pairs),
            hovertemplate=f"pair %{{customdata}}, {name_label(name)}: %{{y:.1f}}%<extra></extra>",
        )
    step = max(1, len(pairs) // 20)
    ticks = list(range(0, len(pairs), step))
    figure.update_xaxes(tickmode="array", tickvals=ticks, ticktext=[str(pairs[i]) for i in ticks], showgrid=False)
    figure.update_layout(
        barmode="stack", bargap=0.15, xaxis_title="pair", yaxis_title="% of the difference", showlegend=True
    )
    return to_script(figure)


def means_figure(shares: Array, names: Sequence[str]) -> str:
    """Return the mean share along each axis, with the range of nine in ten pairs."""
    import plotly.graph_objects as go

    means = (100 * shares.mean(axis=0)).tolist()
    ends = (100 * np.quantile(shares, [0.05, 0.95], axis=0)).T.tolist()
    figure = go.Figure()
    figure.add_bar(
        x=means,
        y=list(range(len(names))),
        orientation="h",
        error_x=_errors(means, ends),
        marker={"opacity": 0.55},
        name="mean",
        meta="f",
        hovertemplate="%{y}: %{x:.1f}%<extra></extra>",
    )
    figure.update_yaxes(_ticks(names, 30) | {"range": None, "autorange": "reversed", "showgrid": False})
    figure.update_layout(xaxis_title="% of the difference", showlegend=False, bargap=0.35, hovermode="closest")
    return to_script(figure)
