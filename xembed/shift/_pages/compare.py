"""The pages of `compare_corpora` and `rank_sum_test`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from xembed.reports import kit
from xembed.shift._pages import figures, methods, sections
from xembed.shift._pages.sections import Names
from xembed.shift._pages.texts import Rows

_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


def compare(data: kit.Data) -> kit.Page:
    """Return the page of `compare_corpora`."""
    names, test = kit.short_names(data["names"]), data["test"]
    return kit.Page(
        title=f"{names[0]} and {names[1]}",
        kind="shift report",
        finding=sections.finding_of(data, "shift", data["shifted"]),
        verdict=data["verdict"],
        blocks=_sections(data, names),
        names=names,
        cards=_cards(data, names),
        caveats=[*_surface_caveat(data), *data["warnings"]],
        methods=methods.of_comparison(data),
        sizes=f"{test['n_F']:,} and {test['n_G']:,} texts",
    )


def rank_sum(data: kit.Data) -> kit.Page:
    """Return the page of `rank_sum_test`."""
    names = ("F", "G")
    differ = data["pvalue"] <= 1 - data["confidence_level"]
    low, high = data["confidence_interval"]
    interval = f"{data['confidence_level']:.0%} interval {low:+.2f} to {high:+.2f}; 0 is no difference"
    how = f"{data['alternative']}, {data['method']}, z = {data['statistic']:.2f}"
    index = "P(depth of G > depth of F); 0.5 is no difference"
    return kit.Page(
        title="F and G",
        kind="rank-sum test of depths",
        finding=kit.Finding("Shift found" if differ else "No shift found", differ),
        verdict=data["verdict"],
        blocks=[kit.Section("figures", "Depths", [_distribution(data, names)])],
        names=names,
        cards=[
            kit.Card("p-value", kit.p_value(data["pvalue"]), how),
            kit.Card("Effect size 2Q − 1", f"{data['effect_size']:+.2f}", interval),
            kit.Card("Quality index Q", f"{data['quality_index']:.3f}", index),
            sections.sizes_card(data, names),
        ],
        methods=methods.of_rank_sum(data["reference"]),
        sizes=f"{data['n_F']:,} and {data['n_G']:,} texts",
    )


def _sections(data: kit.Data, names: Names) -> list[kit.Block]:
    texts = None if data["texts_F"] is None else (data["texts_F"], data["texts_G"])
    rows = Rows.of(data)
    blocks: list[kit.Block] = [sections.facets_section(data["facets"], data["tests"], data["alpha"], names)]
    if data.get("regions") is not None:
        blocks.append(sections.regions_section(data["regions"], names, texts, within=True, numbers=rows.numbers))
    if data.get("terms") is not None:
        blocks.append(sections.terms_section(data["terms"], names, within=True))
    if data.get("surface") is not None:
        blocks.append(sections.surface_section(data["surface"], names, data["separability"], within=True))
    if data.get("coverage") is not None:
        blocks.append(sections.coverage_section(data["coverage"], names, texts, within=True, numbers=rows.numbers))
    if data.get("self_check") is not None:
        blocks.append(sections.self_check_section(data["self_check"], within=True))
    plots: list[kit.Block] = [_distribution(data["test"], names), _dd_plot(rows)]
    if data["coordinates"] is not None:
        plots.append(_map(data, rows))
    title = "Depths" if data["coordinates"] is None else "Depths and map"
    blocks.append(kit.Section("figures", title, [kit.Columns(plots)]))
    return [*blocks, rows.extremes(), rows.section(data.get("regions"), _explanation_beside(data))]


def _explanation_beside(data: kit.Data) -> kit.Data | None:
    """Return the explanation of the same texts that stands on the same page, for what it says of their words."""
    for other in data.get("beside", ()):
        if other["schema"].startswith("xembed.attribution.ShiftExplanation/") and _of_same_texts(data, other):
            return dict(other)
    return None


def _of_same_texts(shift: kit.Data, explanation: kit.Data) -> bool:
    if shift["texts_F"] is None or list(shift["names"]) != list(explanation["names"]):
        return False
    for place, text in enumerate(explanation["texts"]):
        corpus = shift["texts_F" if place < explanation["n_F"] else "texts_G"]
        if text["row"] >= len(corpus) or not all(word in corpus[text["row"]] for word in text["words"][:5]):
            return False
    return True


def _cards(data: kit.Data, names: Names) -> list[kit.Card]:
    n_tests, at = len(data["tests"]), f"level {kit.level(data['alpha'])}"
    cards = [kit.Card("p-value", kit.p_value(data["pvalue"]), f"{n_tests} tests together; {at}" if n_tests > 1 else at)]
    if (auc := data["separability"]) is not None:
        note = f"a linear classifier orders {kit.percent(auc)} of held-out pairs; 50% is chance"
        cards.append(kit.Card("Separability (AUC)", f"{auc:.3f}", note))
    cards += [*_dispersion_card(data["facets"], names), sections.sizes_card(data["test"], names)]
    cosines = f"{data['similarity_within_F']:.2f} / {data['similarity_within_G']:.2f}"
    between = f"; {data['similarity_between']:.2f} between them"
    of_each: kit.Line = ["within ", kit.name(names[0]), " / within ", kit.name(names[1]), between]
    return [*cards, kit.Card("Mean cosine of two texts", cosines, of_each)]


def _dispersion_card(facets: Sequence[kit.Data], names: Names) -> list[kit.Card]:
    facet = next(facet for facet in facets if facet["name"] == "dispersion")
    if facet["effect_size"] is None:
        return []
    low, high = (float(np.expm1(bound)) for bound in facet["confidence_interval"])
    measured = float(np.expm1(facet["effect_size"]))
    word = ("less dispersed" if measured < 0 else "more dispersed") if facet["found"] else "no change found"
    note: kit.Line = [
        "change of the mean pairwise distance from ", kit.name(names[0]), " to ", kit.name(names[1]), f": {word}; "
        f"interval {kit.change(low)} to {kit.change(high)}"
    ]  # fmt: skip
    return [kit.Card("Dispersion", kit.change(measured), note)]


def _surface_caveat(data: kit.Data) -> list[kit.Line]:
    """Point to the surface features of the texts where they could explain a shift that was found."""
    surface = data.get("surface")
    if not data["shifted"] or surface is None or not sections.surface_is_suspicious(surface):
        return []
    alone = "" if surface["auc"] is None else f" (AUC {surface['auc']:.2f} by these alone)"
    text = f"The texts differ in surface features{alone}, which may explain the shift or a part of it: "
    return [[text, kit.Span("see Surface features.", to="form")]]


def _distribution(test: kit.Data, names: Sequence[str]) -> kit.Figure:
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
    columns = kit.number_columns(["Corpus", "Texts", *(f"{q:.0%} quantile" for q in _QUANTILES)])
    body = [
        [one, f"{len(depths):,}", *(f"{value:.4f}" for value in values)]
        for one, depths, values in zip(names, tested, quantiles, strict=True)
    ]
    spec = figures.depth_distributions(tested, names, medians)
    title = "Distribution of depths"
    return kit.Figure("distribution", title, caption, spec, size="wide", table=kit.Table(columns, body, title))


def _dd_plot(rows: Rows) -> kit.Figure:
    shown = rows.kept[rows.dots]
    own_F = float(np.mean(rows.in_F[rows.corpus == 0] > rows.in_G[rows.corpus == 0]))
    own_G = float(np.mean(rows.in_G[rows.corpus == 1] > rows.in_F[rows.corpus == 1]))
    caption = (
        f"Each dot is a text, by its depth in {rows.names[0]} and in {rows.names[1]}. {own_F:.0%} of the texts of "
        f"{rows.names[0]} and {own_G:.0%} of those of {rows.names[1]} are deeper in their own corpus than in the "
        "other. Corpora that do not differ lie along the dashed line together."
    )
    everything = None if rows.all_drawn else (rows.in_F, rows.in_G)
    in_F, in_G, corpus = rows.in_F[shown], rows.in_G[shown], rows.corpus[shown]
    spec = figures.dd_plot(in_F, in_G, corpus, rows.dots, rows.names, everything=everything)
    title = "Depth in one corpus against depth in the other"
    return kit.Figure("dd", title, caption, spec, sampled=rows.sampled_dots(), linked=True)


def _map(data: kit.Data, rows: Rows) -> kit.Figure:
    shown = rows.kept[rows.dots]
    points, projection, shares = np.asarray(data["coordinates"]), data["projection"], data["explained_variance"]
    everything = None if rows.all_drawn else points
    spec = figures.text_map(points[shown], rows.corpus[shown], rows.dots, rows.names, projection, everything=everything)
    if projection == "umap" or shares is None:
        caption = (
            "UMAP layout, an illustration only: distances between groups, their sizes and gaps are made by the method "
            "and are no evidence of anything. No test uses it."
        )
    else:
        caption = (
            f"The first two principal components hold {shares[0]:.0%} and {shares[1]:.0%} of the variance; what the "
            f"other {1 - sum(shares):.0%} holds can't be seen here. No test uses this map."
        )
    return kit.Figure("map", "Map of the texts", caption, spec, sampled=rows.sampled_dots(), linked=True)
