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
from xembed.reports import kit
from xembed.reports.kit import Block, Data

_TOP = 20  # texts in the table of hubs
_CLASSES = 200  # characters of all labels


def diagnosis(data: Data) -> kit.Page:
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
    return kit.Page(
        title=kit.plain(data["name"]),
        kind="embedding diagnosis",
        finding=recommended(data["recommendation"]),
        verdict=data["reason"],
        blocks=blocks,
        cards=cards,
        caveats=[*dict.fromkeys(caveats)],
        methods=methods.of_space(before["measures"], compared, layers),
        sizes=size(before),
    )


def isotropy(data: Data) -> kit.Page:
    """Return the page of `measure`."""
    values = [
        f"{measure['label']} is {kit.number(measure['value'])} (isotropic value {kit.number(measure['perfect'])})"
        for measure in data["measures"]
        if measure["name"] in ("debiased_isoscore", "average_cosine") and measure["value"] is not None
    ]
    start = f"{kit.listed(values)}. " if values else ""
    return kit.Page(
        title=size(data),
        kind="isotropy",
        finding=kit.Finding("Measures, no verdict", sign="≡"),
        verdict=f"{start}Isotropy alone does not say whether a space is good for a task.",
        blocks=[measures_section(data, None, None), space_section(data, None, None)],
        cards=[*space_cards(data, None), kit.Card("Texts", f"{data['n']:,}", kit.count(data["n_dims"], "dimension"))],
        methods=[*methods.of_measures(data["measures"]), methods.how("limits")],
        sizes=size(data),
    )


def hubness(data: Data) -> kit.Page:
    """Return the page of `hubness`."""
    occurrences, k = np.asarray(data["k_occurrences"], dtype=np.float64), data["n_neighbors"]
    neighbors, largest = kit.count(k, "nearest neighbor"), f"{data['largest']:.4g}"
    order = np.argsort(-occurrences, kind="stable")[:_TOP]
    hubs = [{"row": int(row), "occurrences": float(occurrences[row]), "text": None} for row in order]
    caption = (
        f"In how many lists of the {neighbors} each of {data['n']:,} texts is. The mean is {k} (dashed). A long tail "
        "to the right: hubs."
    )
    spec = kit.histogram(occurrences, title="k-occurrence", mark=float(k), mark_name="mean")
    figure = kit.Figure("occurrences", "Distribution of k-occurrences", caption, spec, size="wide")
    return kit.Page(
        title=f"{kit.count(data['n'], 'text')}, {kit.count(k, 'neighbor')}",
        kind="hubness",
        finding=kit.Finding(f"Skewness {kit.number(data['skewness'])}", sign="≡"),
        verdict=f"The largest hub is among the {neighbors} of {largest} other texts; "
        f"{kit.percent(data['antihub_rate'])} of the texts are antihubs, which no other text has as a neighbor.",
        blocks=[kit.Section("counts", "k-occurrences", [figure]), hubs_section(hubs, k, data["n"])],
        cards=[
            kit.Card(
                "Skewness",
                kit.number(data["skewness"]),
                "of k-occurrences; near 0: no hubs, above about 1: strong ones",
            ),
            kit.Card(
                "Robin Hood index",
                kit.percent(data["robin_hood"]),
                "of neighbor places are in excess of an equal share",
            ),
            kit.Card("Antihubs", kit.percent(data["antihub_rate"]), "of texts are among the nearest neighbors of none"),
            kit.Card("Largest", largest, f"the mean is {k}"),
        ],
        methods=[*methods.describe(("hubness", "robin_hood", "antihub_rate")), methods.how("limits")],
        sizes=kit.count(data["n"], "text"),
    )


def outlier_dimensions(data: Data) -> kit.Page:
    """Return the page of `outlier_dimensions`."""
    rogue, dead, average, top = data["rogue"], data["dead"], data["average_cosine"], data["top_share"]
    values = np.asarray(data["contributions"], dtype=np.float64)
    figure = contributions_figure(values, None, rogue, dead, average, wide=True)
    share = "of the average cosine" if top is not None else "the average cosine is too near 0 to share out"
    limits = f"contribute at least {data['min_contribution']:g} and {data['min_ratio']:g} times the mean"
    return kit.Page(
        title=size(data),
        kind="outlier dimensions",
        finding=kit.Finding(
            f"{kit.count(len(rogue), 'rogue dimension')}" if rogue else "No rogue dimension", bool(rogue)
        ),
        verdict=f"The average cosine is {kit.number(average)}. Rogue dimensions, which contribute far more to it than "
        f"others: {listed_dimensions(rogue)}. Dead ones, which are the same for all texts: {listed_dimensions(dead)}.",
        blocks=[kit.Section("dimensions", "Dimensions", [figure])],
        cards=[
            kit.Card("Average cosine", kit.number(average), "of two different texts; 0: no common direction"),
            kit.Card("Share of the top dimension", "–" if top is None else kit.percent(top), share),
            kit.Card("Rogue", f"{len(rogue):,}", limits),
            kit.Card("Dead", f"{len(dead):,}", "constant within rounding"),
        ],
        methods=[
            *methods.of_measures([{"name": n, "low": None} for n in ("average_cosine", "top_dimension_share")]),
            methods.how("limits"),
        ],
        sizes=size(data),
    )


def neighbor_overlap(data: Data) -> kit.Page:
    """Return the page of `neighbor_overlap`."""
    ends, k = kit.bounds(data["low"], data["high"]), kit.count(data["n_neighbors"], "nearest neighbor")
    return kit.Page(
        title="Two spaces of the same texts",
        kind="neighbor overlap",
        finding=kit.Finding(f"{kit.percent(data['value'])} of neighbors shared", sign="≡"),
        verdict=f"Of the {k} of a text, {kit.percent(data['value'])} are the same in both spaces; unrelated spaces "
        f"would share {kit.percent(data['chance'])}.",
        blocks=[],
        cards=[
            kit.interval_card("Shared", kit.number(data["value"]), ends),
            kit.Card("Chance", kit.number(data["chance"]), "expected share in unrelated spaces"),
            kit.Card("Texts", f"{data['n_rows_used']:,}", f"{k} each"),
        ],
        methods=[methods.how("neighbors"), methods.how("limits")],
        sizes=kit.count(data["n_rows_used"], "text"),
    )


def probe(data: Data) -> kit.Page:
    """Return the page of `linear_probe`."""
    accuracy = kit.point_bounds(data["accuracy_low"], data["accuracy_high"])
    balanced = kit.point_bounds(data["balanced_low"], data["balanced_high"])
    classes = kit.short_names(data["classes"])
    return kit.Page(
        title=kit.count(len(classes), "label"),
        kind="linear probe",
        finding=kit.Finding(f"Accuracy {kit.points(data['accuracy'])}%", sign="≡"),
        verdict=f"A linear classifier predicts the label of {kit.points(data['accuracy'])}% of held-out texts; always "
        f"predicting the most frequent one would be right for {kit.points(data['majority'])}%.",
        blocks=[],
        cards=[
            kit.interval_card("Accuracy", f"{kit.points(data['accuracy'])}%", accuracy),
            kit.interval_card(
                "Balanced accuracy", f"{kit.points(data['balanced_accuracy'])}%", balanced, "mean of all labels"
            ),
            kit.Card("Most frequent label", f"{kit.points(data['majority'])}%", "of the texts have it"),
            kit.Card("Texts", f"{data['n_texts']:,}", f"in {kit.count(data['n_splits'], 'fold')}"),
            kit.Card("Labels", f"{len(classes):,}", kit.cut(", ".join(classes), _CLASSES)),
        ],
        methods=[methods.how("probe"), methods.how("limits")],
        sizes=kit.count(data["n_texts"], "text"),
    )
