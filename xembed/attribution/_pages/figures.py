"""Figures of explanations: pairs of words, terms gained and lost, and methods with intervals.

Words of users stand on the axes as `word_ticks` writes them. Places on an axis are numbers, so that two words that are
written alike stay two.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from xembed.attribution._pages.common import target_label
from xembed.reports.kit import Data, error_bars, name_label, new_figure, to_script, word_ticks

_NUMBERS = 14  # words a side up to which the cells of a heat map hold numbers


def heat_map(matrix: npt.NDArray[Any], words_a: Sequence[str], words_b: Sequence[str]) -> str:
    """Return the word × word matrix; colors are those of signs, and the signs stand in the cells."""
    most = float(np.abs(matrix).max(initial=0.0)) or 1.0
    as_numbers = max(len(words_a), len(words_b)) <= _NUMBERS
    figure = new_figure()
    figure.add_heatmap(
        z=[[float(f"{value:.4g}") for value in row] for row in matrix.tolist()],
        x=list(range(len(words_b))),
        y=list(range(len(words_a))),
        text=[[_mark(value, most, as_numbers) for value in row] for row in matrix.tolist()],
        texttemplate="%{text}",
        zmin=-most,
        zmax=most,
        xgap=1,
        ygap=1,
        showscale=False,
        meta="signed",
        hovertemplate="%{y} – %{x}: %{z:+.3g}<extra></extra>",
    )
    bare = {"showgrid": False, "zeroline": False}
    figure.update_xaxes(word_ticks(words_b) | bare | {"side": "top", "tickangle": -45})
    figure.update_yaxes(word_ticks(words_a) | bare | {"autorange": "reversed"})
    return to_script(figure)


def _mark(value: float, most: float, as_number: bool) -> str:
    if abs(value) < 0.05 * most:
        return ""
    if as_number:
        return f"{value:+.{2 if most >= 0.2 else 3}f}".replace("-", "−")
    return "+" if value > 0 else "−"


def terms_figure(gained: Sequence[Data], lost: Sequence[Data]) -> str:
    """Return what each term adds to a component of a shift, with intervals: those gained, then those lost."""
    figure = new_figure()
    ticks: list[str] = []
    for name, sign, meta, pattern, terms in (("gained", "+", "g", "", gained), ("lost", "−", "f", "/", lost)):
        if terms:
            values = [term["contribution"] for term in terms]
            figure.add_bar(
                x=values,
                y=list(range(len(ticks), len(ticks) + len(terms))),
                orientation="h",
                error_x=error_bars(values, [term["interval"] for term in terms]),
                marker={"opacity": 0.55, "pattern": {"shape": pattern}},
                name=f"{sign} {name}",
                meta=meta,
                hovertemplate="%{y}: %{x:.3g}<extra></extra>",
            )
            ticks += [f"{word} {sign}" for word in word_ticks([term["term"] for term in terms])["ticktext"]]
    axis = word_ticks(ticks) | {"ticktext": ticks, "range": None, "autorange": "reversed"}
    figure.update_yaxes(axis | {"showgrid": False, "zeroline": False})
    figure.update_layout(xaxis_title="contribution", showlegend=True, bargap=0.25, hovermode="closest")
    return to_script(figure)


def trust_figure(methods: Sequence[Data], threshold: float) -> str:
    """Return the AUROC of each method and target with its interval, chance and what is asked for."""
    names = list(dict.fromkeys(trial["label"] for trial in methods))
    targets = list(dict.fromkeys(trial["target"] for trial in methods))
    figure = new_figure()
    for which, target in enumerate(targets):
        trials = [trial for trial in methods if trial["target"] == target]
        values = [trial["auroc"] for trial in trials]
        shift = 0.18 * (2 * which - len(targets) + 1)
        figure.add_scatter(
            x=values,
            y=[names.index(trial["label"]) + shift for trial in trials],
            mode="markers",
            error_x=error_bars(values, [trial["interval"] for trial in trials]),
            marker={"symbol": ("circle", "diamond-open")[which % 2], "size": 10},
            name=name_label(target_label(target)),
            meta=("f", "g")[which % 2],
            text=[name_label(trial["label"]) for trial in trials],
            hovertemplate="%{text}: AUROC %{x:.3f}<extra></extra>",
        )
    lines = ((0.5, "dot", "guessing", "quiet"), (threshold, "dash", "asked of the lower end", "found"))
    for at, dash, name, meta in lines:
        figure.add_scatter(
            x=[at, at],
            y=[-0.5, len(names) - 0.5],
            mode="lines",
            line={"dash": dash, "width": 2},
            name=f"{name}: {at:.2f}",
            meta=meta,
            hovertemplate=f"{name}: {at:.2f}<extra></extra>",
        )
    figure.update_yaxes(word_ticks(names, 30) | {"range": [len(names) - 0.5, -0.5], "zeroline": False})
    low = min([0.4, *(trial["interval"][0] - 0.03 for trial in methods)])
    figure.update_xaxes({"range": [max(low, -0.02), 1.02], "zeroline": False})
    figure.update_layout(xaxis_title="AUROC", showlegend=True, hovermode="closest")
    return to_script(figure)
