"""The pages of shift results that answer one question: a test, regions, terms, surface, coverage, self-check."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from xembed.reports import kit
from xembed.shift._pages import methods, sections


def test(data: kit.Data) -> kit.Page:
    """Return the page of a single permutation test."""
    adjusted = data["adjusted_pvalue"]
    found = (data["pvalue"] if adjusted is None else adjusted) <= 1 - data["confidence_level"]
    cards = [kit.Card("p-value", kit.p_value(data["pvalue"]), f"statistic {data['statistic']:.4g}")]
    if adjusted is not None:
        cards.append(kit.Card("Adjusted p-value", kit.p_value(adjusted), "with all tests of its battery"))
    cards += [
        kit.Card(
            "Effect",
            kit.effect(data["effect_size"]),
            f"{data['confidence_level']:.0%} interval {kit.interval(data['confidence_interval'])}; {data['effect']}",
        ),
        kit.Card("Detectable", f"{data['detectable']:.2g}", "smallest effect that would show with a power of 80%"),
        kit.Card("Texts", f"{data['n_F']:,} / {data['n_G']:,}", "F / G"),
    ]
    null = np.asarray(data["null"])
    blocks: list[kit.Block] = []
    if len(null):
        extreme = int((null >= data["statistic"]).sum())
        caption = (
            f"The statistic under {len(null):,} random permutations, and as observed. {extreme:,} of them are at least "
            "as large."
        )
        spec = kit.histogram(null, title="statistic", mark=data["statistic"])
        figure = kit.Figure("null-plot", "The statistic under permutations", caption, spec, size="wide")
        blocks = [kit.Section("null", "Null distribution", [figure])]
    return kit.Page(
        title="F and G",
        kind=f"test by {data['title']}",
        finding=kit.Finding("Difference found" if found else "No difference found", found),
        verdict=data["verdict"],
        blocks=blocks,
        names=("F", "G"),
        cards=cards,
        methods=methods.of_test(data["name"]),
        sizes=f"{data['n_F']:,} and {data['n_G']:,} texts",
    )


def regions(data: kit.Data) -> kit.Page:
    """Return the page of `what_shifted`."""
    names, total, changed = kit.short_names(data["names"]), len(data["regions"]), data["n_changed"]
    counted = " / ".join(f"{sum(region[key] for region in data['regions']):,}" for key in ("count_F", "count_G"))
    cards = [
        kit.Card("Regions changed", f"{changed} of {total}", f"false discovery rate {kit.level(data['fdr'])}"),
        kit.Card(
            "Texts counted", counted, "the half that did not make the regions" if data["split"] else "all of them"
        ),
    ]
    finding = kit.Finding(f"{changed} of {kit.count(total, 'region')} changed", changed > 0)
    return _page(data, "what shifted", "regions", finding, cards, sections.regions_section(data, names, None))


def terms(data: kit.Data) -> kit.Page:
    """Return the page of `distinguishing_terms`."""
    names, found = kit.short_names(data["names"]), data["n_significant"]
    rate = f"false discovery rate {kit.level(data['fdr'])}"
    cards = [kit.Card("Terms that differ", f"{found:,} of {data['n_terms']:,}", rate)]
    finding = kit.Finding(f"{kit.count(found, 'term')} found" if found else "No term found", found > 0)
    return _page(data, "distinguishing terms", "terms", finding, cards, sections.terms_section(data, names))


def surface(data: kit.Data) -> kit.Page:
    """Return the page of `compare_surface`."""
    names, found, total = kit.short_names(data["names"]), data["n_different"], len(data["features"])
    cards = [kit.Card("Features that differ", f"{found} of {total}", f"false discovery rate {kit.level(data['fdr'])}")]
    if data["auc"] is not None:
        note = f"all features together order {kit.percent(data['auc'])} of pairs of texts; 50% is chance"
        cards.append(kit.Card("Separability (AUC)", f"{data['auc']:.3f}", note))
    words = "Surface features differ" if found else "No notable difference in surface features"
    section = sections.surface_section(data, names, None)
    return _page(data, "surface features", "surface", kit.Finding(words, found > 0), cards, section)


def coverage(data: kit.Data) -> kit.Page:
    """Return the page of `coverage`."""
    names, found = kit.short_names(data["names"]), len(data["uncovered_F"]) + len(data["uncovered_G"])
    finding = kit.Finding(f"{kit.count(found, 'text')} not covered" if found else "All texts are covered", found > 0)
    return _page(data, "coverage", "coverage", finding, [], sections.coverage_section(data, names, None))


def self_check(data: kit.Data) -> kit.Page:
    """Return the page of a self-check."""
    low, high = data["interval"]
    finding = kit.Finding("Level holds", sign="✓")
    if low > data["alpha"] or data["ordered_pvalue"] <= data["alpha"]:
        finding = kit.Finding("Level in doubt", True, "!")
    elif high < data["alpha"]:
        finding = kit.Finding("Conservative (rejection rate below the level)")
    return kit.Page(
        title="F against itself",
        kind="self-check",
        finding=finding,
        verdict=data["verdict"],
        blocks=[sections.self_check_section(data)],
        methods=[methods.how("self_check"), methods.how("limits")],
    )


def _page(
    data: kit.Data, kind: str, part: str, finding: kit.Finding, cards: Sequence[kit.Card], section: kit.Section
) -> kit.Page:
    """Return the page of a section of the shift report that stands alone: verdict and notes are at its top."""
    names = kit.short_names(data["names"])
    return kit.Page(
        title=f"{names[0]} and {names[1]}",
        kind=kind,
        finding=finding,
        verdict=data["verdict"],
        blocks=[section],
        names=names,
        cards=[*cards, sections.sizes_card(data, names)],
        caveats=data.get("warnings", ()),
        methods=[methods.how(part), methods.how("limits")],
        sizes=f"{data['n_F']:,} and {data['n_G']:,} texts",
    )
