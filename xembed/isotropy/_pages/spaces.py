"""The pages of `measure`, `diagnose`, and of functions that measure one thing."""

from __future__ import annotations

import numpy as np

from xembed.isotropy._pages import methods
from xembed.isotropy._pages.corrections import corrections_section, protocol_section, recommended, test_card
from xembed.isotropy._pages.layers import layers_section
from xembed.isotropy._pages.sections import (
    contributions_figure,
    hubs_section,
    listed_dimensions,
    measures_section,
    size,
    space_cards,
    space_section,
)
from xembed.reports.kit import (
    Block,
    Card,
    Data,
    Figure,
    Finding,
    Page,
    Section,
    bounds,
    count,
    cut,
    histogram,
    interval_card,
    listed,
    number,
    percent,
    plain,
    point_bounds,
    points,
    short_names,
)

_TOP = 20  # texts in the table of hubs
_CLASSES = 200  # characters of all labels


def diagnosis(data: Data) -> Page:
    """Return the page of `diagnose`."""
    before, after, correction = data["before"], data["after"], data["correction"]
    compared, layers = data["corrections"], data["layers"]
    blocks: list[Block] = [
        protocol_section(compared, data["name"], size(before)),
        measures_section(before, after, correction),
        space_section(before, after, correction),
    ]
    cards, caveats = space_cards(before, after), [*data["warnings"]]
    if data["hubs"]:
        blocks.append(hubs_section(data["hubs"], data["n_neighbors"], before["n"], ", before correction"))
    if compared is not None:
        cards = [*test_card(compared, correction), *cards]
        blocks.append(corrections_section(compared))
        caveats += compared["notes"]
    if layers is not None:
        blocks.append(layers_section(layers, correction))
        caveats += [f"Layers: {note}" for note in layers["notes"] if note not in caveats]
    return Page(
        title=plain(data["name"]),
        kind="embedding diagnosis",
        finding=recommended(data["recommendation"]),
        verdict=data["reason"],
        blocks=blocks,
        cards=cards,
        caveats=[*dict.fromkeys(caveats)],
        methods=methods.of_space(before["measures"], compared, layers),
        sizes=size(before),
    )


def isotropy(data: Data) -> Page:
    """Return the page of `measure`."""
    values = [
        f"{measure['label']} is {number(measure['value'])} (isotropic value {number(measure['perfect'])})"
        for measure in data["measures"]
        if measure["name"] in ("debiased_isoscore", "average_cosine") and measure["value"] is not None
    ]
    start = f"{listed(values)}. " if values else ""
    return Page(
        title=size(data),
        kind="isotropy",
        finding=Finding("Measures, no verdict", sign="≡"),
        verdict=f"{start}Isotropy alone does not say whether a space is good for a task.",
        blocks=[measures_section(data, None, None), space_section(data, None, None)],
        cards=[*space_cards(data, None), Card("Texts", f"{data['n']:,}", count(data["n_dims"], "dimension"))],
        methods=[*methods.of_measures(data["measures"]), methods.LIMITS],
        sizes=size(data),
    )


def hubness(data: Data) -> Page:
    """Return the page of `hubness`."""
    occurrences, k = np.asarray(data["k_occurrences"], dtype=np.float64), data["n_neighbors"]
    neighbors, largest = count(k, "nearest neighbor"), f"{data['largest']:.4g}"
    order = np.argsort(-occurrences, kind="stable")[:_TOP]
    hubs = [{"row": int(row), "occurrences": float(occurrences[row]), "text": None} for row in order]
    caption = (
        f"In how many lists of the {neighbors} each of {data['n']:,} texts is. The mean is {k} (dashed). A long tail "
        "to the right: hubs."
    )
    spec = histogram(occurrences, title="k-occurrence", mark=float(k), mark_name="mean")
    figure = Figure("occurrences", "Distribution of k-occurrences", caption, spec, size="wide")
    return Page(
        title=f"{count(data['n'], 'text')}, {count(k, 'neighbor')}",
        kind="hubness",
        finding=Finding(f"Skewness {number(data['skewness'])}", sign="≡"),
        verdict=f"The largest hub is among the {neighbors} of {largest} other texts; {percent(data['antihub_rate'])} "
        "of the texts are antihubs, which are among the nearest neighbors of none.",
        blocks=[Section("counts", "k-occurrences", [figure]), hubs_section(hubs, k, data["n"])],
        cards=[
            Card("Skewness", number(data["skewness"]), "of k-occurrences; near 0: no hubs, above about 1: strong ones"),
            Card("Robin Hood index", percent(data["robin_hood"]), "of neighbor places are in excess of an equal share"),
            Card("Antihubs", percent(data["antihub_rate"]), "of texts are among the nearest neighbors of none"),
            Card("Largest", largest, f"the mean is {k}"),
        ],
        methods=[*methods.describe(("hubness", "robin_hood", "antihub_rate")), methods.LIMITS],
        sizes=count(data["n"], "text"),
    )


def outlier_dimensions(data: Data) -> Page:
    """Return the page of `outlier_dimensions`."""
    rogue, dead, average, top = data["rogue"], data["dead"], data["average_cosine"], data["top_share"]
    values = np.asarray(data["contributions"], dtype=np.float64)
    figure = contributions_figure(values, None, rogue, dead, average, wide=True)
    share = "of the average cosine" if top is not None else "the average cosine is too near 0 to share out"
    limits = f"contribute at least {data['min_contribution']:g} and {data['min_ratio']:g} times the mean"
    return Page(
        title=size(data),
        kind="outlier dimensions",
        finding=Finding(f"{count(len(rogue), 'rogue dimension')}" if rogue else "No rogue dimension", bool(rogue)),
        verdict=f"The average cosine is {number(average)}. Rogue dimensions, which contribute far more to it than "
        f"others: {listed_dimensions(rogue)}. Dead ones, which are the same for all texts: {listed_dimensions(dead)}.",
        blocks=[Section("dimensions", "Dimensions", [figure])],
        cards=[
            Card("Average cosine", number(average), "of two different texts; 0: no common direction"),
            Card("Share of the top dimension", "–" if top is None else percent(top), share),
            Card("Rogue", f"{len(rogue):,}", limits),
            Card("Dead", f"{len(dead):,}", "constant within rounding"),
        ],
        methods=[
            *methods.of_measures([{"name": n, "low": None} for n in ("average_cosine", "top_dimension_share")]),
            methods.LIMITS,
        ],
        sizes=size(data),
    )


def neighbor_overlap(data: Data) -> Page:
    """Return the page of `neighbor_overlap`."""
    ends, k = bounds(data["low"], data["high"]), count(data["n_neighbors"], "nearest neighbor")
    return Page(
        title="Two spaces of the same texts",
        kind="neighbor overlap",
        finding=Finding(f"{percent(data['value'])} of neighbors shared", sign="≡"),
        verdict=f"Of the {k} of a text, {percent(data['value'])} are the same in both spaces; unrelated spaces would "
        f"share {percent(data['chance'])}.",
        blocks=[],
        cards=[
            interval_card("Shared", number(data["value"]), ends),
            Card("Chance", number(data["chance"]), "expected share in unrelated spaces"),
            Card("Texts", f"{data['n_rows_used']:,}", f"{k} each"),
        ],
        methods=[methods.NEIGHBORS, methods.LIMITS],
        sizes=count(data["n_rows_used"], "text"),
    )


def probe(data: Data) -> Page:
    """Return the page of `linear_probe`."""
    accuracy = point_bounds(data["accuracy_low"], data["accuracy_high"])
    balanced = point_bounds(data["balanced_low"], data["balanced_high"])
    classes = short_names(data["classes"])
    return Page(
        title=count(len(classes), "label"),
        kind="linear probe",
        finding=Finding(f"Accuracy {points(data['accuracy'])}%", sign="≡"),
        verdict=f"A linear classifier predicts the label of {points(data['accuracy'])}% of held-out texts; always "
        f"predicting the most frequent one would be right for {points(data['majority'])}%.",
        blocks=[],
        cards=[
            interval_card("Accuracy", f"{points(data['accuracy'])}%", accuracy),
            interval_card("Balanced accuracy", f"{points(data['balanced_accuracy'])}%", balanced, "mean of all labels"),
            Card("Most frequent label", f"{points(data['majority'])}%", "of the texts have it"),
            Card("Texts", f"{data['n_texts']:,}", f"in {count(data['n_splits'], 'fold')}"),
            Card("Labels", f"{len(classes):,}", cut(", ".join(classes), _CLASSES)),
        ],
        methods=[methods.PROBE, methods.LIMITS],
        sizes=count(data["n_texts"], "text"),
    )
