"""Sections about one embedding space, raw and corrected: measures, spectrum, cosines, dimensions, hubs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from xembed.reports import kit
from xembed.reports.kit import Block, Data, Line

Floats = npt.NDArray[np.float64]

RAW = "raw"
_NAME, _TEXT = 40, 300  # characters of a correction's name, and of a text
_CARDS = ("debiased_isoscore", "average_cosine", "hubness")
_BETTER = {"higher": "higher: more isotropic", "lower": "lower: more isotropic", "none": "neither is better"}
_RANKS = (1, 2, 3, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)
_LEVELS = (5, 25, 50, 75, 95)
_TOP_DIMENSIONS = 10
_LISTED = 30  # dimensions that a sentence names
_COLORS = ("f", "g")
# Eigenvalues below this share of the largest are what rounding leaves of nothing; on a logarithmic scale they would
# press all others together.
_NOTHING = 1e-8


def short(correction: str | None) -> str:
    """Return the name of a correction as pages show it."""
    return kit.plain(correction or "corrected", _NAME)


def size(space: Data) -> str:
    """Write how many texts and dimensions a space has."""
    return f"{kit.count(space['n'], 'text')} with {kit.count(space['n_dims'], 'dimension')}"


def by_name(measures: Sequence[Data]) -> dict[str, Data]:
    """Return measures by their names."""
    return {measure["name"]: measure for measure in measures}


def measured(measure: Data | None) -> kit.Cell:
    """Return a measure with its interval."""
    if measure is None:
        return kit.Cell("–")
    return kit.estimate(kit.number(measure["value"]), kit.bounds(measure["low"], measure["high"]))


def listed_dimensions(dimensions: Sequence[int]) -> str:
    """Write a list of dimensions."""
    more = f" and {len(dimensions) - _LISTED:,} more" if len(dimensions) > _LISTED else ""
    return ", ".join(str(dimension) for dimension in dimensions[:_LISTED]) + more or "none"


def space_cards(before: Data, after: Data | None) -> list[kit.Card]:
    """Return the numbers to see first; an arrow leads from raw to corrected ones."""
    raw, corrected = by_name(before["measures"]), by_name(() if after is None else after["measures"])
    cards = []
    for key in _CARDS:
        if key in raw and raw[key]["value"] is not None:
            values = [
                kit.number(raw[key]["value"]),
                *([kit.number(corrected[key]["value"])] if key in corrected else []),
            ]
            note = f"isotropic value {kit.number(raw[key]['perfect'])}; {_BETTER[raw[key]['better']]}"
            cards.append(kit.Card(raw[key]["label"], " → ".join(values), note))
    if before["contributions"] is not None:
        rogue, dead = len(before["rogue_dimensions"]), len(before["dead_dimensions"])
        note = f"largest contribution to the average cosine {kit.number(float(np.max(before['contributions'])))}"
        cards.append(kit.Card("Rogue dimensions", f"{rogue:,}", note + (f"; {dead:,} dead" if dead else "")))
    return cards


# ---- measures


def measures_section(before: Data, after: Data | None, correction: str | None) -> kit.Section:
    """Return all measures with their intervals, ranges and caveats, raw and after the correction."""
    spaces = {"Value": before} if after is None else {RAW: before, short(correction): after}
    measures = [by_name(space["measures"]) for space in spaces.values()]
    rows = [_measure_row(raw, [space.get(key) for space in measures], [*spaces]) for key, raw in measures[0].items()]
    notes = [
        f"In brackets: {kit.level(before['confidence_level'])} intervals."
        if any(measure["low"] is not None for space in measures for measure in space.values())
        else "",
        "Range: what the measure can be at this size. Isotropic value: that of a space in which all directions are "
        "alike; it is not the best one for every task.",
        *dict.fromkeys(note for space in spaces.values() for note in space["notes"]),
    ]
    heads = [kit.name(label) if after is not None else label for label in spaces]
    columns = ["Measure", *heads, "Range", "Isotropic value"]
    table = kit.Table(columns, rows, "Measures", note=" ".join(filter(None, notes)), layout="stack")
    return kit.Section("measures", "Measures of the space", [table], nav="Measures")


def _measure_row(raw: Data, measures: Sequence[Data | None], names: Sequence[str]) -> list[kit.Cell | Line]:
    """Return a row of the table; where the caveats differ each says which space it is of."""
    caveats = ["" if measure is None else measure["warning"] or "" for measure in measures]
    if len(set(caveats)) > 1:
        caveats = [f"{label}: {caveat}" for label, caveat in zip(names, caveats, strict=True) if caveat]
    low, high = raw["minimum"], raw["maximum"]
    span = kit.bounds(low, high) or (f"{kit.number(low)} or more" if low is not None else f"{kit.number(high)} or less")
    return [
        kit.Cell(
            raw["label"],
            [_BETTER[raw["better"]], *(kit.Span(caveat, "caution") for caveat in dict.fromkeys(caveats) if caveat)],
        ),
        *map(measured, measures),
        "no bounds" if low is None and high is None else span,
        kit.number(raw["perfect"]),
    ]


# ---- figures


def space_section(before: Data, after: Data | None, correction: str | None) -> kit.Section:
    """Return the figures of a space: spectrum, cosines, and dimensions."""
    spaces = {"this space": before} if after is None else {RAW: before, short(correction): after}
    blocks: list[Block] = [_spectrum(spaces)]
    histograms = [(label, space["cosine_histogram"]) for label, space in spaces.items() if space["cosine_histogram"]]
    if histograms:
        blocks.append(_cosines(histograms))
    if before["contributions"] is not None:
        values, later = np.asarray(before["contributions"], np.float64), None
        if after is not None and after["contributions"] is not None and len(after["contributions"]) == len(values):
            later = (short(correction), np.asarray(after["contributions"], np.float64))
        rogue, dead = before["rogue_dimensions"], before["dead_dimensions"]
        blocks.append(contributions_figure(values, later, rogue, dead, float(values.sum())))
    return kit.Section("space", "Spectrum, cosines, dimensions", [kit.Columns(blocks)])


def _spectrum(spaces: dict[str, Data]) -> kit.Figure:
    spectra = {label: np.asarray(space["spectrum"], dtype=np.float64) for label, space in spaces.items()}
    shares = [(label, values / max(float(values.sum()), 1e-300)) for label, values in spectra.items()]
    longest = max(len(share) for _, share in shares)
    ranks = sorted({rank for rank in _RANKS if rank < longest} | {longest})
    halves = "; ".join(
        f"{label}: {int(np.searchsorted(np.cumsum(share), 0.5 - 1e-12)) + 1:,} of {len(share):,}"
        for label, share in shares
    )
    heads = ["Principal component", *(f"{what}, {label}" for label, _ in shares for what in ("Variance", "Cumulative"))]
    body = [[f"{rank:,}", *(cell for _, share in shares for cell in _share_cells(share, rank))] for rank in ranks]
    caption = (
        "Shares of the variance along the principal components, the largest first. In an isotropic space the line is "
        f"flat. Components that hold half of the variance: {halves}. Eigenvalues that are nothing but rounding are "
        "left out."
    )
    table = kit.Table(kit.number_columns(heads), body, "Spectrum")
    return kit.Figure("spectrum", "Spectrum", caption, _draw_spectra(shares), size="wide", table=table)


def _share_cells(share: Floats, rank: int) -> list[str]:
    """Write the share of a component and of all up to it, with as many digits as small ones need."""
    if rank > len(share):
        return ["–", "–"]
    return [
        "0%" if value < 1e-12 else f"{100 * value:.2g}%" if value < 0.01 else f"{100 * value:.1f}%"
        for value in (float(share[rank - 1]), float(share[:rank].sum()))
    ]


def _cosines(histograms: Sequence[tuple[str, Data]]) -> kit.Figure:
    first = histograms[0][1]
    rows = [(label, histogram["edges"], histogram["counts"]) for label, histogram in histograms]
    rows.append(("random directions", first["edges"], first["expected"]))
    caption = (
        f"Cosines of {int(np.sum(first['counts'])):,} pairs of different texts. Dotted: those of directions drawn at "
        "random in as many dimensions. A peak far to the right means that all texts point the same way, so that a "
        "cosine of 0.5, say, means little; it is no measure of the spread around that direction."
    )
    heads = ["Space", *(f"{place}% of pairs are below" for place in _LEVELS)]
    body = [[label, *(f"{value:.2f}" for value in _quantiles(edges, counts))] for label, edges, counts in rows]
    table = kit.Table(kit.number_columns(heads), body, "Cosines of random pairs")
    return kit.Figure("cosines", "Cosines of random pairs", caption, _draw_cosines(histograms), table=table)


def _quantiles(edges: Sequence[float], counts: Sequence[float]) -> Floats:
    """Return quantiles of what a histogram counts, values spread evenly in a bin."""
    below = np.concatenate([[0.0], np.cumsum(np.asarray(counts, dtype=np.float64))])
    grows = np.concatenate([[True], np.diff(below) > 0])
    # The last edge before the first count belongs to the rising part.
    first = max(int(np.argmax(below > 0)) - 1, 0)
    grows[:first], grows[first] = False, True
    places = np.asarray(_LEVELS) / 100 * below[-1]
    quantiles: Floats = np.interp(places, below[grows], np.asarray(edges, dtype=np.float64)[grows])
    return quantiles


def contributions_figure(
    values: Floats,
    after: tuple[str, Floats] | None,
    rogue: Sequence[int],
    dead: Sequence[int],
    average: float,
    *,
    wide: bool = False,
) -> kit.Figure:
    """Return the contribution of each dimension to the average cosine, with a table of the largest."""
    order = np.argsort(-values, kind="stable")[: max(_TOP_DIMENSIONS, min(len(rogue), _LISTED))]
    later = [f"Contribution, {after[0]}"] if after else []
    body = [
        [
            str(dimension),
            kit.number(values[dimension]),
            kit.percent(float(values[dimension]) / average) if average > 0.01 else "–",
            *([kit.number(after[1][dimension])] if after else []),
            "rogue" if dimension in rogue else "",
        ]
        for dimension in order.tolist()
    ]
    caption = (
        f"The contribution of each dimension to the average cosine, {kit.number(average)}. Rogue dimensions (stars), "
        "which contribute at least 0.01 and ten times the mean, unless other limits were asked for: "
        f"{listed_dimensions(rogue)}. Dead dimensions, constant within rounding: {listed_dimensions(dead)}."
    )
    title = "Dimensions in the average cosine"
    table = kit.Table(kit.number_columns(["Dimension", "Contribution", "Share", *later, "Rogue"]), body, title)
    spec = _draw_contributions(values, rogue)
    return kit.Figure("contributions", title, caption, spec, size="wide" if wide else "square", table=table)


# ---- drawings


def _draw_spectra(shares: Sequence[tuple[str, Floats]]) -> str:
    """Return the eigenvalues of each space as percentages of its variance, over their rank, on a logarithmic scale."""
    figure = kit.new_figure()
    low = 1.0
    for which, (label, share) in enumerate(shares):
        seen = share >= max(_NOTHING * float(share.max()), 1e-300)
        low = min(low, float(share[seen].min()))
        figure.add_scatter(
            x=np.arange(1, len(share) + 1),
            y=np.where(seen, 100 * share, np.nan),
            mode="lines" if len(share) > 1 else "markers",
            line={"width": 2, "dash": kit.DASHES[which]},
            name=kit.name_label(label),
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
    return kit.to_script(figure)


def _draw_cosines(histograms: Sequence[tuple[str, Data]]) -> str:
    """Return the cosines of random pairs of each space, as percentages of the pairs, and of random directions."""
    figure = kit.new_figure()
    ends: list[float] = []
    # Random directions are the same for spaces of as many dimensions, and drawn once.
    expected = {tuple(round(pairs, 6) for pairs in histogram["expected"]): histogram for _, histogram in histograms}
    lines = [
        (label, histogram, "counts", _COLORS[which], kit.DASHES[which], 2.0)
        for which, (label, histogram) in enumerate(histograms)
    ]
    lines += [("random directions", histogram, "expected", "quiet", "dot", 1.5) for histogram in expected.values()]
    for label, histogram, key, color, dash, width in lines:
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
            name=kit.name_label(label),
            meta=color,
            hovertemplate="cosine %{x:.2f}: %{y:.2f}% of pairs<extra></extra>",
        )
    figure.update_xaxes(range=[max(-1.0, min(ends) - 0.04), min(1.0, max(ends) + 0.04)])
    figure.update_layout(xaxis_title="cosine of two different texts", yaxis_title="% of pairs", hovermode="closest")
    return kit.to_script(figure)


def _draw_contributions(values: Floats, rogue: Sequence[int]) -> str:
    """Return the contribution of each dimension to the average cosine, rogue ones marked."""
    figure = kit.new_figure()
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
    return kit.to_script(figure)


# ---- hubs


def hubs_section(hubs: Sequence[Data], n_neighbors: int, n: int, when: str = "") -> kit.Section:
    """Return the texts that are among the nearest neighbors of very many others."""
    most = max(float(hub["occurrences"]) for hub in hubs)
    note = (
        f"In how many of the {n:,} lists of the {kit.count(n_neighbors, 'nearest neighbor')} a text is{when}. The mean "
        f"is {n_neighbors}: a text with many times as many comes up whatever one searches for."
    )
    rows: list[list[kit.Cell | Line]] = [
        [
            str(hub["row"]),
            f"{hub['occurrences']:.4g}",
            f"{hub['occurrences'] / n_neighbors:.1f} ×",
            kit.Cell(kit.cut(hub["text"] or "", _TEXT), graphic=kit.Bar(hub["occurrences"] / max(most, 1e-300))),
        ]
        for hub in hubs
    ]
    text = kit.Column("Text" if any(hub["text"] is not None for hub in hubs) else "", "text")
    columns = [*(kit.Column(label, "number") for label in ("Row", "k-occurrence", "Of the mean")), text]
    table = kit.Table(columns, rows, "Hubs", layout="stack", headed=False, kind="texts")
    title = "Hubs: texts that are neighbors of very many others"
    return kit.Section("hubs", title, [kit.Prose(note), table], nav="Hubs")
