"""The pages of `compare_corpora` and `rank_sum_test`: from a result's plain data to what the page shows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from xembed.reports import _figures as figures
from xembed.reports._common import card, notes, page_context, plot
from xembed.reports._format import change, level, p_value, percent
from xembed.reports._rows import Rows
from xembed.reports._sections import (
    Texts,
    coverage_section,
    facets_section,
    form_is_suspicious,
    regions_section,
    self_check_section,
    surface_section,
    terms_section,
)

Array = npt.NDArray[Any]
_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


def shift_context(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the template of the shift report needs."""
    names = tuple(data["names"])
    test, parameters = data["test"], data["provenance"]["parameters"]
    return page_context(
        data,
        template="shift.html.j2",
        kind="shift report",
        title=f"{names[0]} and {names[1]}",
        names=names,
        chip=(data["shifted"], "Shift found" if data["shifted"] else "No shift found"),
        cards=_shift_cards(data, names),
        warnings=[*_form_warning(data), *notes(data["warnings"])],
        sections=_shift_sections(data, names),
        sizes=f"{test['n_F']:,} and {test['n_G']:,} texts",
        fast=data["mode"] == "fast",
        tests=[one["name"] for one in data["tests"]],
        relabeled=f"{parameters['n_resamples']:,}",
        grouped=parameters.get("groups") is not None,
        paired=bool(parameters.get("paired")),
        parts={key: data.get(key) is not None for key in ("regions", "terms", "surface", "coverage", "self_check")},
        distance=test["distance"],
    )


def rank_sum_context(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the template of the page of a rank-sum test needs."""
    names = ("F", "G")
    differ = data["pvalue"] <= 1 - data["confidence_level"]
    return page_context(
        data,
        template="rank_sum.html.j2",
        kind="rank-sum test of depths",
        title="F and G",
        names=names,
        chip=(differ, "Shift found" if differ else "No shift found"),
        cards=_rank_sum_cards(data, names),
        sections=[_figures_section([_distribution(data, names)])],
        sizes=f"{data['n_F']:,} and {data['n_G']:,} texts",
        reference=data["reference"],
    )


def _shift_sections(data: Mapping[str, Any], names: tuple[str, ...]) -> list[dict[str, Any]]:
    texts: Texts | None = None if data["texts_F"] is None else (data["texts_F"], data["texts_G"])
    rows = Rows.of(data)
    regions = data.get("regions")
    sections = [facets_section(data["facets"], data["tests"], data["alpha"], names)]
    if regions is not None:
        sections.append(regions_section(regions, texts, has_rows=True))
    if data.get("terms") is not None:
        sections.append(terms_section(data["terms"]))
    if data.get("surface") is not None:
        sections.append(surface_section(data["surface"], data["separability"]))
    if data.get("coverage") is not None:
        sections.append(coverage_section(data["coverage"], texts))
    if data.get("self_check") is not None:
        sections.append(self_check_section(data["self_check"]))
    plots = [_distribution(data["test"], names), _dd_plot(rows)]
    if data["coordinates"] is not None:
        plots.append(_map(data, rows))
    return [*sections, _figures_section(plots), rows.extremes(), rows.table(regions, data.get("explained"))]


def _shift_cards(data: Mapping[str, Any], names: tuple[str, ...]) -> list[dict[str, str]]:
    n_tests = len(data["tests"])
    cards = [
        card(
            "p-value",
            p_value(data["pvalue"]),
            f"{n_tests} tests together; level {level(data['alpha'])}"
            if n_tests > 1
            else f"level {level(data['alpha'])}",
        )
    ]
    if data["separability"] is not None:
        cards.append(
            card(
                "Told apart",
                percent(data["separability"]),
                f"of pairs of unseen texts, by a linear classifier (AUC {data['separability']:.3f}); 50% is chance",
            )
        )
    cards += _dispersion_card(data["facets"], names)
    test = data["test"]
    cards.append(card("Texts", f"{test['n_F']:,} / {test['n_G']:,}", f"{names[0]} / {names[1]}"))
    within, other = data["similarity_within_F"], data["similarity_within_G"]
    cards.append(
        card(
            "Mean cosine of two texts",
            f"{within:.2f} / {other:.2f}",
            f"within {names[0]} / within {names[1]}; {data['similarity_between']:.2f} between them",
        )
    )
    return cards


def _dispersion_card(facets: list[Mapping[str, Any]], names: tuple[str, ...]) -> list[dict[str, str]]:
    facet = next(facet for facet in facets if facet["name"] == "dispersion")
    if facet["effect_size"] is None:
        return []
    low, high = (np.expm1(bound) for bound in facet["confidence_interval"])
    measured = np.expm1(facet["effect_size"])
    word = ("collapsed" if measured < 0 else "spread out") if facet["found"] else "no change found"
    return [
        card(
            "Dispersion",
            change(measured),
            f"{names[1]}: {word}. Mean distance of two of its texts, against {names[0]}; interval {change(low)} to "
            f"{change(high)}",
        )
    ]


def _form_warning(data: Mapping[str, Any]) -> list[dict[str, str | None]]:
    """Point to the form of the texts where it could explain a shift that was found."""
    surface = data.get("surface")
    if not data["shifted"] or surface is None or not form_is_suspicious(surface):
        return []
    alone = "" if surface["auc"] is None else f" (told apart by it alone in {percent(surface['auc'])} of pairs)"
    text = f"The texts differ in form{alone}, which may explain the shift or a part of it:"
    return [{"text": text, "link": "see Differences of form.", "to": "form"}]


def _rank_sum_cards(test: Mapping[str, Any], names: tuple[str, ...]) -> list[dict[str, str]]:
    low, high = test["confidence_interval"]
    return [
        card(
            "p-value",
            p_value(test["pvalue"]),
            f"{test['alternative']}, {test['method']}, z = {test['statistic']:.2f}",
        ),
        card(
            "Effect size 2Q − 1",
            f"{test['effect_size']:+.2f}",
            f"{test['confidence_level']:.0%} interval {low:+.2f} to {high:+.2f}; 0 is no difference",
        ),
        card(
            "Quality index Q",
            f"{test['quality_index']:.3f}",
            f"share of pairs in which {names[1]} is deeper; 0.5 is no difference",
        ),
        card("Texts", f"{test['n_F']:,} / {test['n_G']:,}", f"{names[0]} / {names[1]}"),
    ]


def _figures_section(plots: list[dict[str, Any]]) -> dict[str, Any]:
    return {"kind": "figures", "id": "figures", "nav": "Depth and map", "plots": plots}


def _distribution(test: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    tested = (np.asarray(test["depths_F"]), np.asarray(test["depths_G"]))
    quantiles = [np.quantile(depths, _QUANTILES) for depths in tested]
    medians = [q[_QUANTILES.index(0.5)] for q in quantiles]
    widths = [q[-1] - q[0] for q in quantiles]
    order = "above" if medians[1] > medians[0] else "below"
    where = {"pooled": "both corpora together", "first": names[0], "split": f"one half of {names[0]}"}
    caption = (
        f"The median depth of {names[1]} ({medians[1]:.3f}) lies {order} that of {names[0]} ({medians[0]:.3f}); "
        f"the middle 90% of texts span {widths[1]:.3f} and {widths[0]:.3f}. Depth is measured in "
        f"{where[test['reference']]}, by {test['distance']} distance. Right: typical. Left: outliers."
    )
    head = ["Corpus", "Texts", *(f"{q:.0%} quantile" for q in _QUANTILES)]
    body = [
        [name, f"{len(depths):,}", *(f"{value:.4f}" for value in values)]
        for name, depths, values in zip(names, tested, quantiles, strict=True)
    ]
    figure = figures.depth_distributions(tested, names, medians)
    return plot("distribution", "How deep the texts lie", caption, figure, size="wide", table=(head, body))


def _dd_plot(rows: Rows) -> dict[str, Any]:
    shown = rows.kept[rows.dots]
    own_F = float(np.mean(rows.in_F[rows.corpus == 0] > rows.in_G[rows.corpus == 0]))
    own_G = float(np.mean(rows.in_G[rows.corpus == 1] > rows.in_F[rows.corpus == 1]))
    caption = (
        f"Each dot is a text, by its depth in {rows.names[0]} and in {rows.names[1]}. {own_F:.0%} of the texts of "
        f"{rows.names[0]} and {own_G:.0%} of those of {rows.names[1]} are deeper in their own corpus than in the "
        "other. Corpora that do not differ lie along the dashed line together."
    )
    everything = None if rows.all_drawn else (rows.in_F, rows.in_G)
    figure = figures.dd_plot(
        rows.in_F[shown], rows.in_G[shown], rows.corpus[shown], rows.dots, rows.names, everything=everything
    )
    title = "Depth in one corpus against depth in the other"
    return plot("dd", title, caption, figure, sampled=rows.sampled_dots(), texts=True)


def _map(data: Mapping[str, Any], rows: Rows) -> dict[str, Any]:
    shown = rows.kept[rows.dots]
    points = np.asarray(data["coordinates"])
    caption = _map_caption(data["projection"], data["explained_variance"])
    figure = figures.text_map(
        points[shown],
        rows.corpus[shown],
        rows.dots,
        rows.names,
        data["projection"],
        everything=None if rows.all_drawn else points,
    )
    return plot("map", "Map of the texts", caption, figure, sampled=rows.sampled_dots(), texts=True)


def _map_caption(projection: str, shares: list[float] | None) -> str:
    if projection == "umap" or shares is None:
        return (
            "UMAP layout, an illustration only: distances between groups, their sizes and gaps are made by the method "
            "and are no evidence of anything. No test uses it."
        )
    return (
        f"The first two principal components hold {shares[0]:.0%} and {shares[1]:.0%} of the variance; what the other "
        f"{1 - sum(shares):.0%} holds can't be seen here. No test uses this map."
    )
