"""Sections about two corpora: how they differ, what shifted, terms, surface features, coverage, self-check."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from xembed.reports.kit import (
    Block,
    Bullets,
    Button,
    Card,
    Cards,
    Cell,
    Column,
    Columns,
    Data,
    Dumbbell,
    Figure,
    Fold,
    Heading,
    Line,
    Panel,
    Prose,
    Row,
    Section,
    Span,
    Table,
    Whisker,
    count,
    cut,
    effect,
    histogram,
    interval,
    level,
    line,
    name,
    p_value,
    percent,
    quiet,
    status,
    strong,
)
from xembed.shift._kinds import FACETS, KINDS

Texts = tuple[Sequence[str], Sequence[str]]
Names = tuple[str, ...]

# Characters of a text in the tables of these sections, of a term, and texts in a table.
_LENGTH, _LABEL = 300, 60
_TOP = 10
# From here on surface features may be what an embedding sees: the AUC of all of them, and a large effect of one.
_SURFACE_AUC, _SURFACE_EFFECT = 0.75, 0.474

_STATUS = {
    "new": Span("+ new", "badge g"),
    "more": Span("▲ more", "badge g"),
    "less": Span("▼ less", "badge f"),
    "vanished": Span("× vanished", "badge f"),
    "unchanged": Span("= unchanged", "badge quiet"),
}


# ---- facets and tests


def facets_section(facets: Sequence[Data], tests: Sequence[Data], alpha: float, names: Names) -> Section:
    """Return the difference taken apart, and the tests behind it."""
    confidence = f"{tests[0]['confidence_level']:.0%}"
    return Section(
        "how-they-differ",
        "How the corpora differ",
        [
            Cards([_facet(facet, confidence, names) for facet in facets]),
            Heading("The tests behind this"),
            Table(
                [
                    "Test",
                    Column("Detects best"),
                    Column("p", "number"),
                    Column("Adjusted p", "number"),
                    Column(f"Effect, {confidence} interval", name="effect"),
                    Column("Detectable", "number"),
                ],
                [_test(test, alpha) for test in tests],
                label="Tests",
                layout="stack",
                note=line(
                    f"●: the adjusted p-value, which takes all tests into account, is at most {alpha:.3g}. Detectable: "
                    "the smallest effect that corpora of these sizes would show with a power of 80%. ",
                    *(() if names == ("F", "G") else ("F is ", name(names[0]), ", G is ", name(names[1]), ". ")),
                    "Effects of different tests are on different scales.",
                ),
            ),
        ],
        nav="How they differ",
    )


def _facet(facet: Data, confidence: str, names: Names) -> Card:
    title, question = FACETS[facet["name"]]
    more: list[str | Span] = []
    if facet["effect_size"] is not None:
        ends = facet["confidence_interval"]
        within = f" ({confidence} interval {interval(ends)})" if ends else ""
        more = [strong(effect(facet["effect_size"])), f"{within}: {facet['effect']}."]
    return Card(
        [strong(title), " ", question.format(*(f"“{one}”" for one in names))],
        status(False, "Not tested", "–")
        if facet["pvalue"] is None
        else status(facet["found"], "Found" if facet["found"] else "Not found"),
        facet["sentence"],
        more,
        found=facet["found"],
    )


def _test(test: Data, alpha: float) -> list[Cell | Line]:
    adjusted = test["pvalue"] if test["adjusted_pvalue"] is None else test["adjusted_pvalue"]
    rejects = adjusted <= alpha
    spoken = Span("rejects: " if rejects else "does not reject: ", "spoken")
    return [
        line(status(rejects), spoken, " ", test["title"]),
        KINDS[test["name"]].sees,
        p_value(test["pvalue"]),
        Cell(Span(p_value(adjusted), "strong") if rejects else p_value(adjusted)),
        Cell([strong(effect(test["effect_size"])), f" ({interval(test['confidence_interval'])})"], test["effect"]),
        f"{test['detectable']:.2g}",
    ]


# ---- regions


def regions_section(regions: Data, names: Names, texts: Texts | None, *, linked: bool, verdict: str = "") -> Section:
    """Return what shifted: each region with its shares and, where there are texts, its most typical ones."""
    every = regions["regions"]
    most = max(1e-9, *(max(region["share_F"], region["share_G"]) for region in every))
    rows = [(region, _region(region, names, texts, most, linked)) for region in every]
    changed = [row for region, row in rows if region["status"] != "unchanged"]
    unchanged = [row for region, row in rows if region["status"] == "unchanged"]
    blocks: list[Block] = [Prose(verdict)] if verdict else []
    if verdict:
        blocks += [Prose(note, "note") for note in regions["warnings"]]
    if changed:
        blocks.append(_region_table("Regions that changed", names, changed))
    if unchanged:
        regions_word = "region" if len(unchanged) == 1 else "regions"
        summary = f"{len(unchanged)} {regions_word} that changed by no more than chance explains"
        blocks.append(Fold(summary, [_region_table("Regions that did not change", names, unchanged)]))
    held = ", of the half that had no part in making the regions" if regions["split"] else ""
    called = "A region is called by the terms that set its texts apart. " if texts else ""
    note = line(
        f"Shares of each corpus that lie in a region{held}; strongest evidence first. {called}q: adjusted for all "
        f"regions; at most {level(regions['fdr'])} counts as a change. Log odds above 0: more of ",
        name(names[1]),
        ".",
    )
    return Section("what-shifted", "What shifted", [*blocks, Prose(note, "quiet")])


def _region_table(label: str, names: Names, rows: Sequence[Row]) -> Table:
    shares: Line = [Span(f"● {names[0]}", "f"), " to ", Span(f"◇ {names[1]}", "g")]
    columns = [
        Column("Region"),
        Column(shares, name="shares"),
        Column("Log odds, 95% interval", name="log odds"),
        Column("p", "number"),
        Column("q", "number"),
    ]
    return Table(columns, rows, label, layout="stack")


def _region(region: Data, names: Names, texts: Texts | None, most: float, linked: bool) -> Row:
    low, high = region["interval"]
    share = f"{percent(region['share_F'])} → {percent(region['share_G'])}"
    counts = f"({region['count_F']:,} → {region['count_G']:,} texts)"
    details: list[Block] = []
    if region["terms"]:
        details.append(Prose([strong("Terms:"), " ", cut(", ".join(region["terms"]), _LENGTH)]))
    details.append(Columns([_typical(region, names, texts, which) for which in (0, 1)]))
    if linked:
        details.append(Button("Show all its texts in the table below", {"region": str(region["id"])}))
    return Row(
        [
            [_STATUS[region["status"]], " ", cut(region["label"], _LABEL)],
            Cell(
                [Span(share, "nobreak"), " ", Span(counts, "quiet")],
                graphic=Dumbbell(region["share_F"], region["share_G"], most),
            ),
            [Span(f"{region['log_odds']:+.2f}", "nobreak"), " ", quiet(f"({low:+.2f} to {high:+.2f})")],
            p_value(region["pvalue"]),
            p_value(region["qvalue"]),
        ],
        details,
        "Typical texts and terms" if texts else "Typical rows",
    )


def _typical(region: Data, names: Names, texts: Texts | None, which: int) -> Panel:
    rows = region["typical_G" if which else "typical_F"]
    lines: list[Line] = [[f"{cut(texts[which][row], _LENGTH)} " if texts else "", quiet(f"row {row}")] for row in rows]
    title = line("Most typical of ", name(names[which]))
    return Panel(title, [Bullets(lines, numbered=True) if lines else Prose("No text of it lies here.", "quiet")])


# ---- terms


def terms_section(terms: Data, names: Names, *, verdict: str = "") -> Section:
    """Return the terms of each corpus, strongest first."""
    sides: list[Block] = []
    for which, key in enumerate(("more_in_F", "more_in_G")):
        rows = [_term(term, terms["fdr"]) for term in terms[key]]
        columns = [Column("Term"), Column("Texts with it", "number"), Column("z", "number"), Column("q", "number")]
        title = line("More frequent in ", Span(names[which], "g" if which else "f"))
        sides.append(Panel(title, [Table(columns, rows, f"More frequent in {names[which]}", kind="terms")]))
    note = line(
        "Shares of the texts of ", name(names[0]), " → ", name(names[1]), " that hold the word or pair of words. z: "
        "weighted log odds in standard errors, what the order goes by; above 0: more in ", name(names[1]), ". ✓: q, "
        f"adjusted for all terms, is at most {level(terms['fdr'])}.",
    )  # fmt: skip
    blocks: list[Block] = [Prose(verdict)] if verdict else []
    return Section("words", "Distinguishing terms", [*blocks, Columns(sides), Prose(note, "quiet")], nav="Terms")


def _term(term: Data, fdr: float) -> list[Cell | Line]:
    return [
        cut(term["term"], _LABEL),
        f"{percent(term['share_F'])} → {percent(term['share_G'])}",
        f"{term['z']:+.1f}",
        Cell(p_value(term["qvalue"]), sure=term["qvalue"] <= fdr),
    ]


# ---- surface features


def surface_section(surface: Data, names: Names, separability: float | None, *, verdict: str = "") -> Section:
    """Return surface features; ``separability`` is the AUC of the embeddings, to compare with theirs."""
    sure = [feature["qvalue"] <= surface["fdr"] for feature in surface["features"]]
    rows = [_feature(feature, surface["fdr"]) for feature in surface["features"]]
    different = [row for row, is_sure in zip(rows, sure, strict=True) if is_sure]
    alike = [row for row, is_sure in zip(rows, sure, strict=True) if not is_sure]
    blocks: list[Block] = []
    if verdict and surface_is_suspicious(surface):
        before = strong("Check this before you call it a change of content.")
        blocks.append(Prose([before, f" {verdict}"], "note alert"))
    elif verdict:
        blocks.append(Prose(verdict))
    compared = _against_embeddings(surface["auc"], separability)
    if compared:
        blocks.append(Prose(compared))
    if verdict:
        blocks += [Prose(note, "note") for note in surface["warnings"]]
    if different:
        blocks.append(_feature_table("Features that differ", names, different))
    if alike:
        summary = f"{count(len(alike), 'feature')} without a significant difference"
        blocks.append(Fold(summary, [_feature_table("Features that do not differ", names, alike)]))
    note = line(
        "Effect: in how many more pairs of texts the one of ", name(names[1]), " has more, from -1 to +1; 0 is no "
        f"difference. ✓: q, adjusted for all features, is at most {level(surface['fdr'])}. Embeddings see the surface, "
        "too: corpora that were collected or cleaned in different ways can differ by nothing else.",
    )  # fmt: skip
    return Section("form", "Surface features", [*blocks, Prose(note, "quiet")])


def _feature_table(label: str, names: Names, rows: Sequence[Sequence[Cell | Line]]) -> Table:
    columns = [
        Column("Per text"),
        Column(["Mean ", name(names[0]), " → ", name(names[1])], "number", "mean"),
        Column("Effect, 95% interval", name="effect"),
        Column("q", "number"),
    ]
    return Table(columns, rows, label, layout="stack")


def _feature(feature: Data, fdr: float) -> list[Cell | Line]:
    low, high = feature["interval"]
    return [
        feature["label"],
        f"{feature['mean_F']:.3g} → {feature['mean_G']:.3g}",
        Cell(
            [strong(f"{feature['effect']:+.2f}"), " ", quiet(f"({low:+.2f} to {high:+.2f})")],
            graphic=Whisker(feature["effect"], low, high),
        ),
        Cell(p_value(feature["qvalue"]), sure=feature["qvalue"] <= fdr),
    ]


def surface_is_suspicious(surface: Data) -> bool:
    """Return whether surface features alone could make embeddings differ."""
    large = any(
        feature["qvalue"] <= surface["fdr"] and abs(feature["effect"]) >= _SURFACE_EFFECT
        for feature in surface["features"]
    )
    return large or (surface["auc"] is not None and surface["auc"] >= _SURFACE_AUC)


def _against_embeddings(surface: float | None, embeddings: float | None) -> str:
    if surface is None:
        return ""
    sentence = (
        "From length, spacing, case and punctuation alone, a text of each corpus is told apart in "
        f"{percent(surface)} of pairs"
    )
    if embeddings is None:
        return f"{sentence} (50% is chance)."
    return f"{sentence}; from the embeddings, in {percent(embeddings)} (50% is chance)."


# ---- coverage


def coverage_section(coverage: Data, names: Names, texts: Texts | None, *, verdict: str = "") -> Section:
    """Return how much of each corpus the other covers, and the texts that it does not."""
    blocks: list[Block] = [Prose(verdict)] if verdict else []
    if verdict:
        blocks += [Prose(note, "note") for note in coverage["warnings"]]
    sides = ((1, "G", 0), (0, "F", 1))
    cards = [
        Card(
            [name(names[which]), " covered by ", name(names[other])],
            percent(coverage[f"covered_{letter}"]),
            f"of its texts; {percent(coverage[f'expected_{letter}'])} if nothing shifted",
        )
        for which, letter, other in sides
    ]
    panels = [_uncovered(coverage, names, texts, which, letter, other) for which, letter, other in sides]
    score = f"mean cosine with the {coverage['n_neighbors']} nearest texts of the other corpus"
    if coverage["score"] == "contrast":
        score += ", less that with those of its own"
    note = f"Score: {score}; low is remote. q: conformal p-value, adjusted for all texts of the corpus."
    return Section(
        "coverage", "Texts that the other corpus does not cover",
        [*blocks, Cards(cards), Columns(panels), Prose(note, "quiet")], nav="Coverage",
    )  # fmt: skip


def _uncovered(coverage: Data, names: Names, texts: Texts | None, which: int, letter: str, other: int) -> Panel:
    uncovered, scores = coverage[f"uncovered_{letter}"], coverage[f"scores_{letter}"]
    rows = uncovered[:_TOP] or np.argsort(np.round(scores, 9), kind="stable")[: _TOP // 2].tolist()
    title: list[str | Span] = ["Least covered texts of ", name(names[which])]
    if uncovered:
        title = ["Texts of ", name(names[which]), " that ", name(names[other]), " does not cover"]
    numbers = [Column("Row", "number"), Column("Score", "number"), Column("q", "number")]
    lines: list[list[Cell | Line]] = [
        [str(row), f"{scores[row]:.3f}", p_value(coverage[f"qvalues_{letter}"][row])] for row in rows
    ]
    note = _uncovered_note(len(uncovered), len(rows), coverage[f"n_{letter}"], coverage["fdr"])
    return Panel(title, [Prose(note, "quiet"), text_table(numbers, lines, rows, texts and texts[which], _LENGTH)])


def text_table(
    columns: Sequence[Column],
    lines: Sequence[list[Cell | Line]],
    rows: Sequence[int],
    texts: Sequence[str] | None,
    length: int,
) -> Table:
    """Return a table of rows, with their texts where there are any."""
    if texts:
        columns = [*columns, Column("Text", "text")]
        lines = [[*line, cut(texts[row], length)] for line, row in zip(lines, rows, strict=True)]
    return Table(columns, lines, layout="stack", headed=False, kind="texts")


def _uncovered_note(found: int, listed: int, n: int, fdr: float) -> str:
    rate = f"false discovery rate {level(fdr)}"
    if not found:
        return f"None of {n:,} is beyond what chance explains ({rate})."
    return f"{found:,} of {n:,} ({rate})" + (f"; the {listed} least covered:" if listed < found else ":")


# ---- self-check


def self_check_section(check: Data, *, verdict: str = "") -> Section:
    """Return F against itself: the rejection rate, and the p-values of all splits."""
    low, high = check["interval"]
    cards = [
        Card(
            "Rejection rate without a shift",
            percent(check["rejection_rate"]),
            f"of {count(check['n_splits'], 'random split')}; 95% interval {percent(low)} to {percent(high)}; "
            f"the level is {level(check['alpha'])}",
        ),
        Card(
            "First half against second",
            f"p = {p_value(check['ordered_pvalue'])}",
            "in the order given; small if neighboring texts belong together",
        ),
    ]
    figure = Figure(
        "self-check-plot",
        "p-values of F against itself",
        f"Where the level holds, p-values are spread evenly: about {check['n_splits'] / 20:.0f} of "
        f"{check['n_splits']} in each twentieth.",
        histogram(np.asarray(check["pvalues"]), title="p-value", bounds=(0.0, 1.0)),
        size="small",
    )
    blocks: list[Block] = [Prose(verdict)] if verdict else []
    title = "Self-check: does the level hold on these data?"
    return Section("self-check", title, [*blocks, Columns([Cards(cards), figure])], nav="Self-check")
