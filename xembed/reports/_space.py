"""Sections on one embedding space, before and after a correction: its measures, spectrum, cosines and dimensions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from xembed.reports import _isotropy_figures as figures
from xembed.reports._common import plot
from xembed.reports._format import bounds, cut, number, percent

Data = Mapping[str, Any]
Floats = npt.NDArray[np.float64]

RAW = "raw"
NAME = 40  # characters of a correction's name
_BETTER = {"higher": "higher: more isotropic", "lower": "lower: more isotropic", "none": "neither is better"}
_RANKS = (1, 2, 3, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)
_LEVELS = (5, 25, 50, 75, 95)
_TOP_DIMENSIONS = 10
_LISTED = 30  # dimensions that a sentence names


def measure_references(names: Sequence[str]) -> list[str]:
    """Return the works that measures come from."""
    from xembed.isotropy._metrics import METRICS

    return list(dict.fromkeys(key for name in names if name in METRICS for key in METRICS[name].cites))


def measure_meanings(names: Sequence[str]) -> list[tuple[str, str]]:
    """Return what measures are called and what they mean."""
    from xembed.isotropy._metrics import METRICS

    return [(METRICS[name].label, METRICS[name].meaning) for name in names if name in METRICS]


def methods_of(
    measures: Iterable[Data] = (),
    *,
    tasks: bool = False,
    probe: bool = False,
    neighbors: bool = False,
    choice: bool = False,
    layered: bool = False,
    corrected: Sequence[str] = (),
    sources: Sequence[str] = (),
) -> dict[str, Any]:
    """Return what the methods of a page explain: its measures, and what else is on it."""
    rows = list(measures)
    names = list(dict.fromkeys(row["name"] for row in rows))
    return {
        "measures": measure_meanings(names),
        "mean_direction": "average_cosine" in names,
        "intervals": any(row["low"] is not None for row in rows),
        "tasks": tasks,
        "probe": probe,
        "neighbors": neighbors,
        "choice": choice,
        "layered": layered,
        "corrected": list(corrected),
        "references": list(dict.fromkeys([*measure_references(names), *sources])),
    }


def spread(dimensions: Sequence[int]) -> str:
    """Write a list of dimensions."""
    if not dimensions:
        return "none"
    more = f" and {len(dimensions) - _LISTED:,} more" if len(dimensions) > _LISTED else ""
    return ", ".join(str(dimension) for dimension in dimensions[:_LISTED]) + more


def measures_section(before: Data, after: Data | None, correction: str | None) -> dict[str, Any]:
    """Return all measures with their intervals, ranges and warnings, raw and after the correction."""
    later = {} if after is None else {measure["name"]: measure for measure in after["measures"]}
    rows = []
    for measure in before["measures"]:
        both = [measure, *([later.get(measure["name"])] if after is not None else [])]
        rows.append(
            {
                "label": measure["label"],
                "better": _BETTER[measure["better"]],
                "cells": [None if one is None else _cell(one) for one in both],
                "range": _range(measure),
                "perfect": number(measure["perfect"]),
                "warnings": _cautions(both, correction),
            }
        )
    return {
        "kind": "measures",
        "id": "measures",
        "nav": "Measures",
        "columns": ["Value"] if after is None else ["Raw", cut(correction or "corrected", NAME)],
        "rows": rows,
        "percent": f"{100 * before['confidence_level']:g}%",
        "intervals": any(cell and cell["bounds"] for row in rows for cell in row["cells"]),
        "notes": list(dict.fromkeys([*before["notes"], *(after["notes"] if after is not None else ())])),
    }


def _cell(measure: Data) -> dict[str, str | None]:
    return {"value": number(measure["value"]), "bounds": bounds(measure["low"], measure["high"])}


def _range(measure: Data) -> str:
    low, high = measure["minimum"], measure["maximum"]
    if low is None and high is None:
        return "no bounds"
    if high is None:
        return f"{number(low)} or more"
    return f"{number(high)} or less" if low is None else f"{number(low)} to {number(high)}"


def _cautions(both: Sequence[Data | None], correction: str | None) -> list[str]:
    """Return the warnings of a measure; where they differ each says which space it is of."""
    found = [None if one is None else one["warning"] for one in both]
    if len(set(found)) == 1:
        return [found[0]] if found[0] else []
    names = (RAW, cut(correction or "corrected", NAME))
    return [f"{name}: {text}" for name, text in zip(names, found, strict=True) if text]


def space_section(before: Data, after: Data | None, correction: str | None) -> dict[str, Any]:
    """Return the figures of a space: spectrum, cosines, and dimensions."""
    named = [(RAW if after is not None else "this space", before)]
    if after is not None:
        named.append((cut(correction or "corrected", NAME), after))
    plots = [_spectrum_plot(named)]
    histograms = [(name, space["cosine_histogram"]) for name, space in named if space["cosine_histogram"] is not None]
    if histograms:
        plots.append(_cosine_plot(histograms))
    if before["contributions"] is not None:
        values = np.asarray(before["contributions"], dtype=np.float64)
        other = None if after is None or after["contributions"] is None else after["contributions"]
        later = None if other is None or len(other) != len(values) else (named[1][0], np.asarray(other, np.float64))
        plots.append(
            contributions_plot(
                values, later, before["rogue_dimensions"], before["dead_dimensions"], float(values.sum())
            )
        )
    return {"kind": "figures", "id": "space", "nav": "Spectrum, cosines, dimensions", "plots": plots}


def _spectrum_plot(named: Sequence[tuple[str, Data]]) -> dict[str, Any]:
    shares = []
    for name, space in named:
        values = np.asarray(space["spectrum"], dtype=np.float64)
        shares.append((name, values / max(float(values.sum()), 1e-300)))
    longest = max(len(share) for _, share in shares)
    ranks = sorted({rank for rank in _RANKS if rank < longest} | {longest})
    halves = "; ".join(
        f"{name}: {int(np.searchsorted(np.cumsum(share), 0.5 - 1e-12)) + 1:,} of {len(share):,}"
        for name, share in shares
    )
    table = (
        ["Direction", *(f"{what}, {name}" for name, _ in shares for what in ("Variance", "Together"))],
        [[f"{rank:,}", *(cell for _, share in shares for cell in _share_cells(share, rank))] for rank in ranks],
    )
    caption = (
        "How the variance is spread over directions (principal components), the largest first. In a perfectly "
        f"isotropic space the line is flat. Directions that hold half of the variance: {halves}. Eigenvalues that are "
        "nothing but rounding are left out."
    )
    return plot("spectrum", "Spectrum", caption, figures.spectra(shares), size="wide", table=table)


def _share_cells(share: Floats, rank: int) -> list[str]:
    if rank > len(share):
        return ["–", "–"]
    return [_percent(float(share[rank - 1])), _percent(float(share[:rank].sum()))]


def _percent(share: float) -> str:
    """Write a share with as many digits as small ones need."""
    return "0%" if share < 1e-12 else f"{100 * share:.2g}%" if share < 0.01 else f"{100 * share:.1f}%"


def _cosine_plot(histograms: Sequence[tuple[str, Data]]) -> dict[str, Any]:
    first = histograms[0][1]
    rows = [(name, histogram["edges"], histogram["counts"]) for name, histogram in histograms]
    rows.append(("random directions", first["edges"], first["expected"]))
    caption = (
        f"Cosines of {int(np.sum(first['counts'])):,} pairs of different texts. Dotted: what directions drawn at "
        "random in as many dimensions would have. A hill far to the right means that all texts point the same way, "
        "so that a cosine of 0.5, say, means little; it is no measure of the spread around that direction."
    )
    table = (
        ["Space", *(f"{level}% of pairs are below" for level in _LEVELS)],
        [[name, *(f"{quantile:.2f}" for quantile in _quantiles(edges, counts))] for name, edges, counts in rows],
    )
    return plot("cosines", "Cosines of random pairs", caption, figures.cosines(histograms), table=table)


def _quantiles(edges: Sequence[float], counts: Sequence[float]) -> Floats:
    """Return quantiles of what a histogram counts, values spread evenly in a bin."""
    below = np.concatenate([[0.0], np.cumsum(np.asarray(counts, dtype=np.float64))])
    grows = np.concatenate([[True], np.diff(below) > 0])
    # The last edge before the first count belongs to the rising part.
    first = max(int(np.argmax(below > 0)) - 1, 0)
    grows[:first], grows[first] = False, True
    wanted = np.asarray(_LEVELS) / 100 * below[-1]
    found: Floats = np.interp(wanted, below[grows], np.asarray(edges, dtype=np.float64)[grows])
    return found


def contributions_plot(
    values: Floats,
    after: tuple[str, Floats] | None,
    rogue: Sequence[int],
    dead: Sequence[int],
    average: float,
) -> dict[str, Any]:
    """Return what each dimension adds to the average cosine, as a figure with a table of the largest."""
    total = average if average > 0.01 else None
    order = np.argsort(-values, kind="stable")[: max(_TOP_DIMENSIONS, min(len(rogue), _LISTED))]
    marks = {int(dimension) for dimension in rogue}
    table = (
        ["Dimension", "Adds", "Share", *([f"Adds, {after[0]}"] if after else []), "Rogue"],
        [
            [
                str(int(dimension)),
                number(values[dimension]),
                "–" if total is None else percent(float(values[dimension]) / total),
                *([number(after[1][dimension])] if after else []),
                "rogue" if int(dimension) in marks else "",
            ]
            for dimension in order
        ],
    )
    caption = (
        f"What each dimension adds to the average cosine, {number(average)}. Rogue dimensions (stars), which add at "
        f"least 0.01 and ten times the mean, unless other limits were asked for: {spread(rogue)}. Dead dimensions, "
        f"constant within rounding: {spread(dead)}."
    )
    figure = figures.contributions(values, rogue)
    return plot("contributions", "Dimensions in the average cosine", caption, figure, table=table)
