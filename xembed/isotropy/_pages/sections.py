"""Sections about one embedding space, raw and corrected: measures, spectrum, cosines, dimensions, hubs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from xembed.isotropy._pages import figures
from xembed.isotropy._pages.figures import Floats
from xembed.reports.kit import (
    Bar,
    Block,
    Card,
    Cell,
    Column,
    Columns,
    Data,
    Figure,
    Line,
    Prose,
    Section,
    Span,
    Table,
    bounds,
    count,
    cut,
    estimate,
    level,
    name,
    number,
    number_columns,
    percent,
    plain,
)

RAW = "raw"
_NAME, _TEXT = 40, 300  # characters of a correction's name, and of a text
_CARDS = ("debiased_isoscore", "average_cosine", "hubness")
_BETTER = {"higher": "higher: more isotropic", "lower": "lower: more isotropic", "none": "neither is better"}
_RANKS = (1, 2, 3, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)
_LEVELS = (5, 25, 50, 75, 95)
_TOP_DIMENSIONS = 10
_LISTED = 30  # dimensions that a sentence names


def short(correction: str | None) -> str:
    """Return the name of a correction as pages show it."""
    return plain(correction or "corrected", _NAME)


def size(space: Data) -> str:
    """Write how many texts and dimensions a space has."""
    return f"{count(space['n'], 'text')} with {count(space['n_dims'], 'dimension')}"


def by_name(measures: Sequence[Data]) -> dict[str, Data]:
    """Return measures by their names."""
    return {measure["name"]: measure for measure in measures}


def measured(measure: Data | None) -> Cell:
    """Return a measure with its interval."""
    if measure is None:
        return Cell("–")
    return estimate(number(measure["value"]), bounds(measure["low"], measure["high"]))


def listed_dimensions(dimensions: Sequence[int]) -> str:
    """Write a list of dimensions."""
    more = f" and {len(dimensions) - _LISTED:,} more" if len(dimensions) > _LISTED else ""
    return ", ".join(str(dimension) for dimension in dimensions[:_LISTED]) + more or "none"


def space_cards(before: Data, after: Data | None) -> list[Card]:
    """Return the numbers to see first; an arrow leads from raw to corrected ones."""
    raw, corrected = by_name(before["measures"]), by_name(() if after is None else after["measures"])
    cards = []
    for key in _CARDS:
        if key in raw and raw[key]["value"] is not None:
            values = [number(raw[key]["value"]), *([number(corrected[key]["value"])] if key in corrected else [])]
            note = f"isotropic value {number(raw[key]['perfect'])}; {_BETTER[raw[key]['better']]}"
            cards.append(Card(raw[key]["label"], " → ".join(values), note))
    if before["contributions"] is not None:
        rogue, dead = len(before["rogue_dimensions"]), len(before["dead_dimensions"])
        note = f"largest contribution to the average cosine {number(float(np.max(before['contributions'])))}"
        cards.append(Card("Rogue dimensions", f"{rogue:,}", note + (f"; {dead:,} dead" if dead else "")))
    return cards


# ---- measures


def measures_section(before: Data, after: Data | None, correction: str | None) -> Section:
    """Return all measures with their intervals, ranges and caveats, raw and after the correction."""
    spaces = {"Value": before} if after is None else {RAW: before, short(correction): after}
    measures = [by_name(space["measures"]) for space in spaces.values()]
    rows = [_measure_row(raw, [space.get(key) for space in measures], [*spaces]) for key, raw in measures[0].items()]
    notes = [
        f"In brackets: {level(before['confidence_level'])} intervals."
        if any(measure["low"] is not None for space in measures for measure in space.values())
        else "",
        "Range: what the measure can be at this size. Isotropic value: that of a space in which all directions are "
        "alike; it is not the best one for every task.",
        *dict.fromkeys(note for space in spaces.values() for note in space["notes"]),
    ]
    heads = [name(label) if after is not None else label for label in spaces]
    columns = ["Measure", *heads, "Range", "Isotropic value"]
    table = Table(columns, rows, "Measures", note=" ".join(filter(None, notes)), layout="stack")
    return Section("measures", "Measures of the space", [table], nav="Measures")


def _measure_row(raw: Data, measures: Sequence[Data | None], names: Sequence[str]) -> list[Cell | Line]:
    """Return a row of the table; where the caveats differ each says which space it is of."""
    caveats = ["" if measure is None else measure["warning"] or "" for measure in measures]
    if len(set(caveats)) > 1:
        caveats = [f"{label}: {caveat}" for label, caveat in zip(names, caveats, strict=True) if caveat]
    low, high = raw["minimum"], raw["maximum"]
    span = bounds(low, high) or (f"{number(low)} or more" if low is not None else f"{number(high)} or less")
    return [
        Cell(
            raw["label"],
            [_BETTER[raw["better"]], *(Span(caveat, "caution") for caveat in dict.fromkeys(caveats) if caveat)],
        ),
        *map(measured, measures),
        "no bounds" if low is None and high is None else span,
        number(raw["perfect"]),
    ]


# ---- figures


def space_section(before: Data, after: Data | None, correction: str | None) -> Section:
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
    return Section("space", "Spectrum, cosines, dimensions", [Columns(blocks)])


def _spectrum(spaces: dict[str, Data]) -> Figure:
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
    table = Table(number_columns(heads), body, "Spectrum")
    return Figure("spectrum", "Spectrum", caption, figures.spectra(shares), size="wide", table=table)


def _share_cells(share: Floats, rank: int) -> list[str]:
    """Write the share of a component and of all up to it, with as many digits as small ones need."""
    if rank > len(share):
        return ["–", "–"]
    return [
        "0%" if value < 1e-12 else f"{100 * value:.2g}%" if value < 0.01 else f"{100 * value:.1f}%"
        for value in (float(share[rank - 1]), float(share[:rank].sum()))
    ]


def _cosines(histograms: Sequence[tuple[str, Data]]) -> Figure:
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
    table = Table(number_columns(heads), body, "Cosines of random pairs")
    return Figure("cosines", "Cosines of random pairs", caption, figures.cosines(histograms), table=table)


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
) -> Figure:
    """Return the contribution of each dimension to the average cosine, with a table of the largest."""
    order = np.argsort(-values, kind="stable")[: max(_TOP_DIMENSIONS, min(len(rogue), _LISTED))]
    later = [f"Contribution, {after[0]}"] if after else []
    body = [
        [
            str(dimension),
            number(values[dimension]),
            percent(float(values[dimension]) / average) if average > 0.01 else "–",
            *([number(after[1][dimension])] if after else []),
            "rogue" if dimension in rogue else "",
        ]
        for dimension in order.tolist()
    ]
    caption = (
        f"The contribution of each dimension to the average cosine, {number(average)}. Rogue dimensions (stars), which "
        "contribute at least 0.01 and ten times the mean, unless other limits were asked for: "
        f"{listed_dimensions(rogue)}. Dead dimensions, constant within rounding: {listed_dimensions(dead)}."
    )
    title = "Dimensions in the average cosine"
    table = Table(number_columns(["Dimension", "Contribution", "Share", *later, "Rogue"]), body, title)
    spec = figures.contributions(values, rogue)
    return Figure("contributions", title, caption, spec, size="wide" if wide else "square", table=table)


# ---- hubs


def hubs_section(hubs: Sequence[Data], n_neighbors: int, n: int, when: str = "") -> Section:
    """Return the texts that are among the nearest neighbors of very many others."""
    most = max(float(hub["occurrences"]) for hub in hubs)
    note = (
        f"In how many of the {n:,} lists of the {count(n_neighbors, 'nearest neighbor')} a text is{when}. The mean is "
        f"{n_neighbors}: a text with many times as many comes up whatever one searches for."
    )
    rows: list[list[Cell | Line]] = [
        [
            str(hub["row"]),
            f"{hub['occurrences']:.4g}",
            f"{hub['occurrences'] / n_neighbors:.1f} ×",
            Cell(cut(hub["text"] or "", _TEXT), graphic=Bar(hub["occurrences"] / max(most, 1e-300))),
        ]
        for hub in hubs
    ]
    text = Column("Text" if any(hub["text"] is not None for hub in hubs) else "", "text")
    columns = [*(Column(label, "number") for label in ("Row", "k-occurrence", "Of the mean")), text]
    table = Table(columns, rows, "Hubs", layout="stack", headed=False, kind="texts")
    title = "Hubs: texts that are neighbors of very many others"
    return Section("hubs", title, [Prose(note), table], nav="Hubs")
