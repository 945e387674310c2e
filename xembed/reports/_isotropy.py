"""Pages of embedding spaces: a diagnosis, all measures, and the single ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from xembed.reports._common import card, notes, page_context, plot
from xembed.reports._corrections import (
    correction_references,
    corrections_section,
    protocol_section,
    recommendation_chip,
    test_card,
)
from xembed.reports._figures import histogram
from xembed.reports._format import bounds, count, cut, number, percent, point_bounds, points
from xembed.reports._layers import layers_section
from xembed.reports._space import contributions_plot, measures_section, methods_of, space_section, spread

Data = Mapping[str, Any]
Section = dict[str, Any]

_PACKAGE = "xembed.isotropy"
_TEMPLATE = "isotropy.html.j2"
_LENGTH = 300  # characters of a text
_TOP = 20  # texts in the table of hubs
_CLASSES = 200  # characters of all labels


def diagnosis_context(data: Data) -> dict[str, Any]:
    """Return what the page of `diagnose` needs."""
    before, after, compared, layers = (data[key] for key in ("before", "after", "corrections", "layers"))
    sections = [
        protocol_section(compared, data["name"], f"{before['n']:,} texts with {count(before['n_dims'], 'dimension')}"),
        measures_section(before, after, data["correction"]),
        space_section(before, after, data["correction"]),
    ]
    if data["hubs"]:
        sections.append(_hubs_section(data["hubs"], data["n_neighbors"], before["n"], ", before correction"))
    if compared is not None:
        sections.append(corrections_section(compared))
    if layers is not None:
        sections.append(layers_section(layers, data["correction"]))
    return page_context(
        data,
        template=_TEMPLATE,
        kind="embedding diagnosis",
        title=data["name"],
        chip=recommendation_chip(data["recommendation"]),
        verdict=data["reason"],
        cards=[*_test_cards(data), *space_cards(before, after)],
        warnings=notes(_all_warnings(data)),
        sections=sections,
        sizes=f"{count(before['n'], 'text')} with {count(before['n_dims'], 'dimension')}",
        package=_PACKAGE,
        **_methods(before, compared, layers),
    )


def _test_cards(data: Data) -> list[dict[str, str]]:
    compared = data["corrections"]
    return [] if compared is None else test_card(compared, data["correction"])


def _all_warnings(data: Data) -> list[str]:
    """Return the warnings of all parts, each once."""
    compared, layers = data["corrections"], data["layers"]
    found = [*data["warnings"], *([] if compared is None else compared["notes"])]
    found += [f"Layers: {note}" for note in ([] if layers is None else layers["notes"]) if note not in found]
    return list(dict.fromkeys(found))


def isotropy_context(data: Data) -> dict[str, Any]:
    """Return what the page of `measure` needs."""
    return page_context(
        data,
        template=_TEMPLATE,
        kind="isotropy",
        title=f"{count(data['n'], 'text')} with {count(data['n_dims'], 'dimension')}",
        chip=(False, "Measures, no verdict", "≡"),
        verdict=_summary(data),
        cards=[*space_cards(data, None), card("Texts", f"{data['n']:,}", count(data["n_dims"], "dimension"))],
        sections=[measures_section(data, None, None), space_section(data, None, None)],
        sizes=f"{count(data['n'], 'text')} with {count(data['n_dims'], 'dimension')}",
        package=_PACKAGE,
        **methods_of(data["measures"]),
    )


def _summary(data: Data) -> str:
    values = {measure["name"]: measure["value"] for measure in data["measures"]}
    parts = [
        f"{label} {number(values[name])} ({meaning})"
        for name, label, meaning in (
            ("debiased_isoscore", "debiased IsoScore", "1: the same variance in all directions"),
            ("average_cosine", "average cosine", "0: no common direction"),
        )
        if values.get(name) is not None
    ]
    found = " and ".join(parts)
    start = f"This space has a {found}. " if found else ""
    return f"{start}Isotropy alone does not say whether a space is good for a task."


def space_cards(before: Data, after: Data | None) -> list[dict[str, str]]:
    """Return the numbers to see first; an arrow leads from raw to corrected ones."""
    cards = []
    for name, label, note in (
        ("debiased_isoscore", "IsoScore, debiased", "1: the same variance in all directions"),
        ("average_cosine", "Average cosine", "of two different texts; 0: no common direction"),
        ("hubness", "Hubness", "skewness of neighbor counts; near 0: no hubs"),
    ):
        values = [_value(space, name) for space in (before, after) if space is not None]
        if values[0] is not None:
            cards.append(card(label, " → ".join(number(value) for value in values), note))
    rogue, dead = len(before["rogue_dimensions"]), len(before["dead_dimensions"])
    if before["contributions"] is not None:
        top = float(np.max(before["contributions"]))
        note = f"largest adds {number(top)} to the average cosine"
        cards.append(card("Rogue dimensions", f"{rogue:,}", note + (f"; {dead:,} dead" if dead else "")))
    return cards


def _value(space: Data, name: str) -> float | None:
    return next((measure["value"] for measure in space["measures"] if measure["name"] == name), None)


def _methods(before: Data, compared: Data | None, layers: Data | None) -> dict[str, Any]:
    """Return what the section on methods says of a diagnosis."""
    rows = [*([] if compared is None else compared["rows"]), *([] if layers is None else layers["rows"])]
    descriptions = [row["description"] for row in ([] if compared is None else compared["rows"])]
    corrected, sources = correction_references(descriptions)
    return methods_of(
        [*before["measures"], *(measure for row in rows for measure in row["measures"])],
        tasks=any(
            part is not None and bool(part[key])
            for part, key in ((compared, "tune"), (compared, "test"), (layers, "sts"))
        ),
        probe=compared is not None and compared["rows"][0]["probe"] is not None,
        neighbors=any(row.get("neighbor_overlap") is not None for row in rows),
        choice=compared is not None,
        layered=layers is not None,
        corrected=corrected,
        sources=sources,
    )


def _named(*names: str) -> list[Data]:
    """Return measures that a page holds under other names."""
    return [{"name": name, "low": None} for name in names]


def _hubs_section(hubs: Sequence[Data], n_neighbors: int, n: int, when: str = "") -> Section:
    most = max(float(hub["occurrences"]) for hub in hubs)
    return {
        "kind": "hubs",
        "id": "hubs",
        "nav": "Hubs",
        "title": "Hubs: texts that are neighbors of very many others",
        "note": f"In how many of the {n:,} lists of the {count(n_neighbors, 'nearest neighbor')} a text is{when}. "
        f"The mean is {n_neighbors}: a text with many times as many comes up whatever one searches for.",
        "has_texts": any(hub["text"] is not None for hub in hubs),
        "rows": [
            {
                "row": hub["row"],
                "occurrences": f"{hub['occurrences']:.4g}",
                "times": f"{hub['occurrences'] / n_neighbors:.1f} ×",
                "bar": f"{100 * hub['occurrences'] / max(most, 1e-300):.1f}",
                "text": cut(hub["text"] or "", _LENGTH),
            }
            for hub in hubs
        ],
    }


def hubness_context(data: Data) -> dict[str, Any]:
    """Return what the page of `hubness` needs."""
    occurrences = np.asarray(data["k_occurrences"], dtype=np.float64)
    k, order = data["n_neighbors"], np.argsort(-occurrences, kind="stable")[:_TOP]
    hubs = [{"row": int(row), "occurrences": float(occurrences[row]), "text": None} for row in order]
    caption = (
        f"In how many lists of the {count(k, 'nearest neighbor')} each of {data['n']:,} texts is. The mean is {k} "
        "(dashed). A long tail to the right: hubs."
    )
    figure = histogram(occurrences, title="k-occurrence", mark=float(k), mark_name="mean")
    chart = plot("occurrences", "How often texts are neighbors", caption, figure, size="wide")
    return page_context(
        data,
        template=_TEMPLATE,
        kind="hubness",
        title=f"{count(data['n'], 'text')}, {count(k, 'neighbor')}",
        chip=(False, f"Skewness {number(data['skewness'])}", "≡"),
        verdict=f"The most popular text is among the {count(k, 'nearest neighbor')} of {data['largest']:.4g} others; "
        f"{percent(data['antihub_rate'])} of the texts are nobody's neighbor.",
        cards=[
            card("Skewness", number(data["skewness"]), "of k-occurrences; near 0: no hubs, above about 1: strong ones"),
            card("Robin Hood index", percent(data["robin_hood"]), "of neighbor places are in excess of an equal share"),
            card("Antihubs", percent(data["antihub_rate"]), "of texts are nobody's neighbor"),
            card("Largest", f"{data['largest']:.4g}", f"the mean is {k}"),
        ],
        sections=[
            {"kind": "figures", "id": "counts", "nav": "Counts", "plots": [chart]},
            _hubs_section(hubs, k, data["n"]),
        ],
        sizes=count(data["n"], "text"),
        package=_PACKAGE,
        **methods_of(_named("hubness", "robin_hood", "antihub_rate")),
    )


def outlier_dimensions_context(data: Data) -> dict[str, Any]:
    """Return what the page of `outlier_dimensions` needs."""
    rogue, dead = data["rogue"], data["dead"]
    values = np.asarray(data["contributions"], dtype=np.float64)
    top = data["top_share"]
    chart = contributions_plot(values, None, rogue, dead, data["average_cosine"]) | {"size": "wide"}
    return page_context(
        data,
        template=_TEMPLATE,
        kind="outlier dimensions",
        title=f"{count(data['n'], 'text')} with {count(data['n_dims'], 'dimension')}",
        chip=(bool(rogue), f"{count(len(rogue), 'rogue dimension')}" if rogue else "No rogue dimension"),
        verdict=f"The average cosine is {number(data['average_cosine'])}. Rogue dimensions, which add far more to it "
        f"than others: {spread(rogue)}. Dead ones, which are the same for all texts: {spread(dead)}.",
        cards=[
            card("Average cosine", number(data["average_cosine"]), "of two different texts; 0: no common direction"),
            card(
                "Share of the top dimension",
                "–" if top is None else percent(top),
                "of the average cosine" if top is not None else "the average cosine is too near 0 to share out",
            ),
            card(
                "Rogue",
                f"{len(rogue):,}",
                f"add at least {data['min_contribution']:g} and {data['min_ratio']:g} times the mean",
            ),
            card("Dead", f"{len(dead):,}", "constant within rounding"),
        ],
        sections=[{"kind": "figures", "id": "dimensions", "nav": "Dimensions", "plots": [chart]}],
        sizes=f"{count(data['n'], 'text')} with {count(data['n_dims'], 'dimension')}",
        package=_PACKAGE,
        **methods_of(_named("average_cosine", "top_dimension_share")),
    )


def neighbor_overlap_context(data: Data) -> dict[str, Any]:
    """Return what the page of `neighbor_overlap` needs."""
    ends = bounds(data["low"], data["high"])
    k = count(data["n_neighbors"], "nearest neighbor")
    return page_context(
        data,
        template=_TEMPLATE,
        kind="neighbor overlap",
        title="Two spaces of the same texts",
        chip=(False, f"{percent(data['value'])} of neighbors shared", "≡"),
        verdict=f"Of the {k} of a text, {percent(data['value'])} are the same in both spaces; unrelated spaces would "
        f"share {percent(data['chance'])}.",
        cards=[
            card("Shared", number(data["value"]), f"interval {ends}" if ends else "no interval"),
            card("Chance", number(data["chance"]), "what two unrelated spaces would share"),
            card("Texts", f"{data['n_rows_used']:,}", f"{k} each"),
        ],
        sections=[],
        sizes=count(data["n_rows_used"], "text"),
        package=_PACKAGE,
        **methods_of(neighbors=True),
    )


def probe_context(data: Data) -> dict[str, Any]:
    """Return what the page of `linear_probe` needs."""
    accuracy = point_bounds(data["accuracy_low"], data["accuracy_high"])
    balanced = point_bounds(data["balanced_low"], data["balanced_high"])
    classes = data["classes"]
    return page_context(
        data,
        template=_TEMPLATE,
        kind="linear probe",
        title=count(len(classes), "label"),
        chip=(False, f"Accuracy {points(data['accuracy'])}%", "≡"),
        verdict=f"A linear classifier finds the label of {points(data['accuracy'])}% of the texts that it was not "
        f"trained on; always saying the most frequent one would be right for {points(data['majority'])}%.",
        cards=[
            card("Accuracy", f"{points(data['accuracy'])}%", f"interval {accuracy}" if accuracy else "no interval"),
            card(
                "Balanced accuracy",
                f"{points(data['balanced_accuracy'])}%",
                "mean of all labels; " + (f"interval {balanced}" if balanced else "no interval"),
            ),
            card("Most frequent label", f"{points(data['majority'])}%", "of the texts have it"),
            card("Texts", f"{data['n_texts']:,}", f"in {count(data['n_splits'], 'fold')}"),
            card("Labels", f"{len(classes):,}", cut(", ".join(classes), _CLASSES)),
        ],
        sections=[],
        sizes=count(data["n_texts"], "text"),
        package=_PACKAGE,
        **methods_of(probe=True),
    )
