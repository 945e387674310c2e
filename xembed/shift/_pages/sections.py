"""Sections about two corpora: how they differ, what shifted, terms, surface features, coverage, self-check."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from xembed.encoders._corpora import MUCH_UNREAD
from xembed.reports import kit
from xembed.shift._kinds import FACETS, KINDS

Texts = tuple[Sequence[str], Sequence[str]]
Numbers = tuple[Sequence[int], Sequence[int]]  # of the rows of F and of G in their files
Names = tuple[str, ...]
Cells = list[kit.Cell | kit.Line]

# Characters of a text in the tables of these sections, of a term, and texts in a table.
_LENGTH, _LABEL = 300, 60
_TOP = 10
# From here on surface features may be what an embedding sees: the AUC of all of them, and a large effect of one.
_SURFACE_AUC, _SURFACE_EFFECT = 0.75, 0.474

_STATUS = {
    "new": kit.Span("+ new", "badge g"),
    "more": kit.Span("▲ more", "badge g"),
    "less": kit.Span("▼ less", "badge f"),
    "vanished": kit.Span("× vanished", "badge f"),
    "unchanged": kit.Span("= unchanged", "badge quiet"),
}


def finding_of(data: kit.Data, what: str, found: bool) -> kit.Finding:
    """Return the finding of a comparison of texts, which is none of theirs where the encoder does not read them."""
    words = f"{what.capitalize()} found" if found else f"No {what} found"
    if max(data.get("unread", (0.0,))) >= MUCH_UNREAD:
        words = f"{words}, but texts are not read" if found else "Texts are not read"
    return kit.Finding(words, found)


def sizes_card(sizes: kit.Data, names: Sequence[str]) -> kit.Card:
    """Return how many texts each corpus has."""
    return kit.Card("Texts", f"{sizes['n_F']:,} / {sizes['n_G']:,}", [kit.name(names[0]), " / ", kit.name(names[1])])


def _opening(part: kit.Data, within: bool) -> list[kit.Block]:
    """Return the verdict and the notes of a part within the page of another result; alone its page says them."""
    notes = [kit.Prose(note, "note") for note in part.get("warnings", ())]
    return [kit.Prose(part["verdict"]), *notes] if within else []


# ---- facets and tests


def facets_section(facets: Sequence[kit.Data], tests: Sequence[kit.Data], alpha: float, names: Names) -> kit.Section:
    """Return the difference taken apart, and the tests behind it."""
    confidence = f"{tests[0]['confidence_level']:.0%}"
    called = () if names == ("F", "G") else ("F is ", kit.name(names[0]), ", G is ", kit.name(names[1]), ". ")
    note = kit.line(
        f"●: the adjusted p-value, which takes all tests into account, is at most {alpha:.3g}. Detectable: "
        "the smallest effect that corpora of these sizes would show with a power of 80%. ",
        *called,
        "Effects of different tests are on different scales.",
    )
    first, *numbers, last = kit.number_columns(["Detects best", "p", "Adjusted p", "Detectable"])
    columns: list[kit.Column | kit.Line] = [
        "Test",
        first,
        *numbers,
        kit.Column(f"Effect, {confidence} interval", name="effect"),
        last,
    ]
    rows = [_test(test, alpha) for test in tests]
    blocks = [
        kit.Cards([_facet(facet, confidence, names) for facet in facets]),
        kit.Heading("The tests behind this"),
        kit.Table(columns, rows, "Tests", layout="stack", note=note),
    ]
    return kit.Section("how-they-differ", "How the corpora differ", blocks, nav="How they differ")


def _facet(facet: kit.Data, confidence: str, names: Names) -> kit.Card:
    title, question = FACETS[facet["name"]]
    more: list[str | kit.Span] = []
    if facet["effect_size"] is not None:
        ends = facet["confidence_interval"]
        within = f" ({confidence} interval {kit.interval(ends)})" if ends else ""
        more = [kit.strong(kit.effect(facet["effect_size"])), f"{within}: {facet['effect']}."]
    return kit.Card(
        [kit.strong(title), " ", question.format(*(f"“{one}”" for one in names))],
        kit.status(False, "Not tested", "–")
        if facet["pvalue"] is None
        else kit.status(facet["found"], "Found" if facet["found"] else "Not found"),
        facet["sentence"],
        more,
        found=facet["found"],
    )


def _test(test: kit.Data, alpha: float) -> Cells:
    adjusted = test["pvalue"] if test["adjusted_pvalue"] is None else test["adjusted_pvalue"]
    rejects = adjusted <= alpha
    spoken = kit.Span("rejects: " if rejects else "does not reject: ", "spoken")
    return [
        kit.line(kit.status(rejects), spoken, " ", test["title"]),
        KINDS[test["name"]].sees,
        kit.p_value(test["pvalue"]),
        kit.Cell(kit.Span(kit.p_value(adjusted), "strong") if rejects else kit.p_value(adjusted)),
        kit.Cell(
            [kit.strong(kit.effect(test["effect_size"])), f" ({kit.interval(test['confidence_interval'])})"],
            test["effect"],
        ),
        f"{test['detectable']:.2g}",
    ]


# ---- regions


def regions_section(
    regions: kit.Data, names: Names, texts: Texts | None, *, within: bool = False, numbers: Numbers | None = None
) -> kit.Section:
    """Return what shifted: each region with its shares and, where there are texts, its most typical ones."""
    every = regions["regions"]
    most = max(1e-9, *(max(region["share_F"], region["share_G"]) for region in every))
    rows = [(region, _region(region, names, texts, most, within, numbers)) for region in every]
    changed = [row for region, row in rows if region["status"] != "unchanged"]
    unchanged = [row for region, row in rows if region["status"] == "unchanged"]
    blocks = _opening(regions, within)
    if changed:
        blocks.append(_region_table("Regions that changed", names, changed))
    if unchanged:
        summary = f"{kit.count(len(unchanged), 'region')} that changed by no more than chance explains"
        blocks.append(kit.Fold(summary, [_region_table("Regions that did not change", names, unchanged)]))
    held = ", of the half that had no part in making the regions" if regions["split"] else ""
    called = "A region is called by the terms that set its texts apart. " if texts else ""
    note = kit.line(
        f"Shares of each corpus that lie in a region{held}; strongest evidence first. {called}q: adjusted for all "
        f"regions; at most {kit.level(regions['fdr'])} counts as a change. Log odds above 0: more of ",
        kit.name(names[1]),
        ".",
    )
    return kit.Section("what-shifted", "What shifted", [*blocks, kit.Prose(note, "quiet")])


def _region_table(label: str, names: Names, rows: Sequence[kit.Row]) -> kit.Table:
    shares: kit.Line = [kit.Span(f"● {names[0]}", "f"), " to ", kit.Span(f"◇ {names[1]}", "g")]
    log_odds = kit.Column("Log odds, 95% interval", name="log odds")
    first, *numbers = kit.number_columns(["Region", "p", "q"])
    return kit.Table([first, kit.Column(shares, name="shares"), log_odds, *numbers], rows, label, layout="stack")


def _region(
    region: kit.Data, names: Names, texts: Texts | None, most: float, within: bool, numbers: Numbers | None
) -> kit.Row:
    low, high = region["interval"]
    share = f"{kit.percent(region['share_F'])} → {kit.percent(region['share_G'])}"
    counts = f"({region['count_F']:,} → {region['count_G']:,} texts)"
    details: list[kit.Block] = []
    if region["terms"]:
        details.append(kit.Prose([kit.strong("Terms:"), " ", kit.cut(", ".join(region["terms"]), _LENGTH)]))
    details.append(kit.Columns([_typical(region, names, texts, which, numbers) for which in (0, 1)]))
    if within:
        details.append(kit.Button("Show all its texts in the table below", {"region": str(region["id"])}))
    return kit.Row(
        [
            [_STATUS[region["status"]], " ", kit.cut(region["label"], _LABEL)],
            kit.Cell(
                [kit.Span(share, "nobreak"), " ", kit.Span(counts, "quiet")],
                graphic=kit.Dumbbell(region["share_F"], region["share_G"], most),
            ),
            [kit.Span(f"{region['log_odds']:+.2f}", "nobreak"), " ", kit.quiet(f"({low:+.2f} to {high:+.2f})")],
            kit.p_value(region["pvalue"]),
            kit.p_value(region["qvalue"]),
        ],
        details,
        "Typical texts and terms" if texts else "Typical rows",
    )


def _typical(region: kit.Data, names: Names, texts: Texts | None, which: int, numbers: Numbers | None) -> kit.Panel:
    rows = region["typical_G" if which else "typical_F"]
    lines: list[kit.Line] = [
        [f"{kit.cut(texts[which][row], _LENGTH)} " if texts else "", kit.quiet(f"row {_number(numbers, which, row)}")]
        for row in rows
    ]
    title = kit.line("Most typical of ", kit.name(names[which]))
    return kit.Panel(
        title, [kit.Bullets(lines, numbered=True) if lines else kit.Prose("No text of it lies here.", "quiet")]
    )


# ---- terms


def terms_section(terms: kit.Data, names: Names, *, within: bool = False) -> kit.Section:
    """Return the terms of each corpus, strongest first."""
    sides: list[kit.Block] = []
    for which, key in enumerate(("more_in_F", "more_in_G")):
        rows = [_term(term, terms["fdr"]) for term in terms[key]]
        columns = kit.number_columns(["Term", "Texts with it", "z", "q"])
        title = kit.line("More frequent in ", kit.Span(names[which], "g" if which else "f"))
        sides.append(kit.Panel(title, [kit.Table(columns, rows, f"More frequent in {names[which]}", kind="terms")]))
    note = kit.line(
        "Shares of the texts of ", kit.name(names[0]), " → ", kit.name(names[1]), " that hold the word or pair of "
        "words. z: weighted log odds in standard errors, what the order goes by; above 0: more in ", kit.name(names[1]),
        f". ✓: q, adjusted for all terms, is at most {kit.level(terms['fdr'])}."
    )  # fmt: skip
    blocks = [*_opening(terms, within), kit.Columns(sides), kit.Prose(note, "quiet")]
    return kit.Section("words", "Distinguishing terms", blocks, nav="Terms")


def _term(term: kit.Data, fdr: float) -> Cells:
    return [
        kit.cut(term["term"], _LABEL),
        f"{kit.percent(term['share_F'])} → {kit.percent(term['share_G'])}",
        f"{term['z']:+.1f}",
        kit.Cell(kit.p_value(term["qvalue"]), sure=term["qvalue"] <= fdr),
    ]


# ---- surface features


def surface_section(
    surface: kit.Data, names: Names, separability: float | None, *, within: bool = False
) -> kit.Section:
    """Return surface features; ``separability`` is the AUC of the embeddings, to compare with theirs."""
    rows = [(feature["qvalue"] <= surface["fdr"], _feature(feature, surface["fdr"])) for feature in surface["features"]]
    different, alike = ([row for is_sure, row in rows if is_sure == side] for side in (True, False))
    blocks = _opening(surface, within)
    if within and surface_is_suspicious(surface):
        before = kit.strong("Check this before you call it a change of content.")
        blocks[0] = kit.Prose([before, f" {surface['verdict']}"], "note alert")
    if compared := _against_embeddings(surface["auc"], separability):
        blocks.insert(1, kit.Prose(compared))
    if different:
        blocks.append(_feature_table("Features that differ", names, different))
    if alike:
        summary = f"{kit.count(len(alike), 'feature')} without a significant difference"
        blocks.append(kit.Fold(summary, [_feature_table("Features that do not differ", names, alike)]))
    note = kit.line(
        "Effect: in how many more pairs of texts the one of ", kit.name(names[1]), " has more, from -1 to +1; 0 is no "
        f"difference. ✓: q, adjusted for all features, is at most {kit.level(surface['fdr'])}. Embeddings see the "
        "surface, too: corpora that were collected or cleaned in different ways can differ by nothing else."
    )  # fmt: skip
    return kit.Section("form", "Surface features", [*blocks, kit.Prose(note, "quiet")])


def _feature_table(label: str, names: Names, rows: Sequence[Sequence[kit.Cell | kit.Line]]) -> kit.Table:
    mean = kit.Column(["Mean ", kit.name(names[0]), " → ", kit.name(names[1])], "number", "mean")
    effect = kit.Column("Effect, 95% interval", name="effect")
    columns = [kit.Column("Per text"), mean, effect, kit.Column("q", "number")]
    return kit.Table(columns, rows, label, layout="stack")


def _feature(feature: kit.Data, fdr: float) -> Cells:
    low, high = feature["interval"]
    return [
        feature["label"],
        f"{feature['mean_F']:.3g} → {feature['mean_G']:.3g}",
        kit.Cell(
            [kit.strong(f"{feature['effect']:+.2f}"), " ", kit.quiet(f"({low:+.2f} to {high:+.2f})")],
            graphic=kit.Whisker(feature["effect"], low, high),
        ),
        kit.Cell(kit.p_value(feature["qvalue"]), sure=feature["qvalue"] <= fdr),
    ]


def surface_is_suspicious(surface: kit.Data) -> bool:
    """Return whether surface features alone could make embeddings differ."""
    large = any(
        feature["qvalue"] <= surface["fdr"] and abs(feature["effect"]) >= _SURFACE_EFFECT
        for feature in surface["features"]
    )
    return large or (surface["auc"] is not None and surface["auc"] >= _SURFACE_AUC)


def _against_embeddings(surface: float | None, embeddings: float | None) -> str:
    if surface is None:
        return ""
    compared = "" if embeddings is None else f"; from the embeddings, in {kit.percent(embeddings)}"
    return (
        "From length, spacing, case and punctuation alone, a text of each corpus is told apart in "
        f"{kit.percent(surface)} of pairs{compared} (50% is chance)."
    )


# ---- coverage


def coverage_section(
    coverage: kit.Data, names: Names, texts: Texts | None, *, within: bool = False, numbers: Numbers | None = None
) -> kit.Section:
    """Return how much of each corpus the other covers, and the texts that it does not."""
    sides = ((1, "G", 0), (0, "F", 1))
    cards = [
        kit.Card(
            [kit.name(names[which]), " covered by ", kit.name(names[other])],
            kit.percent(coverage[f"covered_{letter}"]),
            f"of its texts; {kit.percent(coverage[f'expected_{letter}'])} if nothing shifted",
        )
        for which, letter, other in sides
    ]
    panels = [_uncovered(coverage, names, texts, which, numbers) for which, *_ in sides]
    score = f"mean cosine with the {coverage['n_neighbors']} nearest texts of the other corpus"
    if coverage["score"] == "contrast":
        score += ", less that with those of its own"
    note = f"Score: {score}; low is remote. q: conformal p-value, adjusted for all texts of the corpus."
    blocks = [*_opening(coverage, within), kit.Cards(cards), kit.Columns(panels), kit.Prose(note, "quiet")]
    return kit.Section("coverage", "Texts that the other corpus does not cover", blocks, nav="Coverage")


def _number(numbers: Numbers | None, which: int, row: int) -> int:
    return row if numbers is None else numbers[which][row]


def _uncovered(
    coverage: kit.Data, names: Names, texts: Texts | None, which: int, row_numbers: Numbers | None
) -> kit.Panel:
    letter, other = "FG"[which], 1 - which
    uncovered, scores = coverage[f"uncovered_{letter}"], coverage[f"scores_{letter}"]
    rows = uncovered[:_TOP] or np.argsort(np.round(scores, 9), kind="stable")[: _TOP // 2].tolist()
    title: list[str | kit.Span] = ["Least covered texts of ", kit.name(names[which])]
    if uncovered:
        title = ["Texts of ", kit.name(names[which]), " that ", kit.name(names[other]), " does not cover"]
    numbers = [kit.Column("Row", "number"), kit.Column("Score", "number"), kit.Column("q", "number")]
    lines: list[Cells] = [
        [str(_number(row_numbers, which, row)), f"{scores[row]:.3f}", kit.p_value(coverage[f"qvalues_{letter}"][row])]
        for row in rows
    ]
    note = _uncovered_note(len(uncovered), len(rows), coverage[f"n_{letter}"], coverage["fdr"])
    return kit.Panel(
        title, [kit.Prose(note, "quiet"), text_table(numbers, lines, rows, texts and texts[which], _LENGTH)]
    )


def text_table(
    columns: Sequence[kit.Column],
    lines: Sequence[Cells],
    rows: Sequence[int],
    texts: Sequence[str] | None,
    length: int,
    notes: Sequence[kit.Line] | None = None,
) -> kit.Table:
    """Return a table of rows, with their texts where there are any, and a note on each below it."""
    if texts:
        columns = [*columns, kit.Column("Text", "text")]
        cells = [kit.Cell(kit.cut(texts[row], length), notes[i] if notes else "") for i, row in enumerate(rows)]
        lines = [[*line, cell] for line, cell in zip(lines, cells, strict=True)]
    return kit.Table(columns, lines, layout="stack", headed=False, kind="texts")


def _uncovered_note(found: int, listed: int, n: int, fdr: float) -> str:
    rate = f"false discovery rate {kit.level(fdr)}"
    if not found:
        return f"None of {n:,} is beyond what chance explains ({rate})."
    return f"{found:,} of {n:,} ({rate})" + (f"; the {listed} least covered:" if listed < found else ":")


# ---- self-check


def self_check_section(check: kit.Data, *, within: bool = False) -> kit.Section:
    """Return F against itself: the rejection rate, and the p-values of all splits."""
    low, high = check["interval"]
    rate = (
        f"of {kit.count(check['n_splits'], 'random split')}; 95% interval {kit.percent(low)} to {kit.percent(high)}"
        f"; the level is {kit.level(check['alpha'])}"
    )
    order = "in the order given; small if neighboring texts belong together"
    cards = [
        kit.Card("Rejection rate without a shift", kit.percent(check["rejection_rate"]), rate),
        kit.Card("First half against second", f"p = {kit.p_value(check['ordered_pvalue'])}", order),
    ]
    caption = (
        f"Where the level holds, p-values are spread evenly: about {check['n_splits'] / 20:.0f} of "
        f"{check['n_splits']} in each twentieth."
    )
    spec = kit.histogram(np.asarray(check["pvalues"]), title="p-value", bounds=(0.0, 1.0))
    figure = kit.Figure("self-check-plot", "p-values of F against itself", caption, spec, size="small")
    blocks = [*_opening(check, within), kit.Columns([kit.Cards(cards), figure])]
    return kit.Section("self-check", "Self-check: does the level hold on these data?", blocks, nav="Self-check")
