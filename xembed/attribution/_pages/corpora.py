"""The pages of explanations of corpora: a shift term by term, validation by planted words, and methods on a model."""

from __future__ import annotations

from collections.abc import Sequence

from xembed.attribution._methods import METHODS
from xembed.attribution._pages.common import attribution_method, how, size_for, target_label
from xembed.attribution._pages.figures import terms_figure, trust_figure
from xembed.attribution._word_vectors import SOURCES
from xembed.reports import kit

_LABEL, _TERM, _CORPUS = 60, 40, 24  # characters of the name of a component, of a term, and of a corpus in a line
_UNTRUSTED = "Words can’t be trusted as reasons here"
_POINT = ". Point at a word for its number."


# ---- shift


def shift(data: kit.Data) -> kit.Page:
    """Return the page of `explain_shift`."""
    names, components, trust = kit.short_names(data["names"]), data["components"], data["trust"]
    n_changed = len(components) - 1
    cards = [
        kit.Card("Centers apart", f"{components[0]['size']:.3f}", "length of the difference of the mean directions"),
        kit.Card("Regions that changed", f"{n_changed:,}", "explained below, each against all other texts"),
        kit.Card(
            "Significant terms",
            " / ".join(f"{component['n_significant']:,}" for component in components[:4]),
            f"of the center{' and of each region' if n_changed else ''}; false discovery rate {kit.level(data['fdr'])}",
        ),
        kit.Card(
            "Texts", f"{data['n_F']:,} / {data['n_G']:,}", kit.line(kit.name(names[0]), " / ", kit.name(names[1]))
        ),
    ]
    if trust is not None:
        low, high = trust["interval"]
        note = f"{low:.2f} to {high:.2f}; chance that a planted word is told from others, 0.5 is guessing"
        cards.append(kit.Card("AUROC of planted words", f"{trust['auroc']:.2f}", note))
    doubt = ["Words can’t be trusted as reasons in these texts: see the verdict."] if data["trusted"] is False else []
    significant = any(component["n_significant"] for component in components)
    finding = "Terms explain the shift" if significant else "No term contributes significantly"
    return kit.Page(
        title=f"{names[0]} and {names[1]}",
        kind="explanation of a shift",
        names=names,
        finding=kit.Finding(finding, significant),
        verdict=data["verdict"],
        cards=cards,
        caveats=[*doubt, *data["notes"]],
        blocks=[
            *(_component(data, names, component, place) for place, component in enumerate(components)),
            _shift_texts(data),
            _by_counts(data, names),
        ],
        methods=[how("shift", *SOURCES.get(data["method"], ())), how("terms"), how("limits")],
        sizes=f"{data['n_F']:,} and {data['n_G']:,} texts",
    )


def _component(data: kit.Data, names: Sequence[str], component: kit.Data, place: int) -> kit.Section:
    id_, center, label = f"component-{place}", component["kind"] == "location", kit.plain(component["label"], _LABEL)
    gained, lost, size = component["came"], component["went"], component["size"]
    terms = [*gained, *lost]
    in_terms = sum(term["contribution"] for term in terms)
    parts = kit.line(
        f"The size of {kit.number(size)} is made of {kit.signed(in_terms)} by the {kit.count(len(terms), 'term')} "
        f"shown, {kit.signed(component['context'])} by the same terms in other contexts and "
        f"{kit.signed(size - in_terms - component['context'])} by what no frequent term holds, and terms not shown."
    )
    inside, outside = (
        (f"texts of “{names[1]}”", f"those of “{names[0]}”") if center else ("texts of the region", "all others")
    )
    caption = (
        f"What each term adds to the distance of {size:.3f} by being in more of the {inside} (+, gained) or in fewer "
        f"(−, lost) than of {outside}, with 95% intervals over texts."
    )
    note = kit.line(
        "In small print: 95% intervals over texts. Texts: those of ", kit.name(names[0]), " → ", kit.name(names[1]),
        f" that hold the term. ✓: q, adjusted for all terms, is at most {kit.level(data['fdr'])}.",
    )  # fmt: skip
    blocks: list[kit.Block] = [kit.Prose(_component_sentence(component, data["fdr"])), kit.Prose(parts, "quiet")]
    if terms:
        sides = [("Terms gained", gained), ("Terms lost", lost)]
        blocks += [
            kit.Figure(f"{id_}-plot", "Terms", caption, terms_figure(gained, lost), size=size_for(len(terms))),
            kit.Columns([kit.Panel(title, [_terms(title, side, data["fdr"])]) for title, side in sides]),
            kit.Prose(note, "quiet"),
        ]
    else:
        blocks.append(kit.Prose("No term is in enough texts.", "quiet"))
    if component["examples"]:
        colors = kit.legend("lies along the change", "against it")
        blocks += [kit.Heading("Texts farthest along it"), kit.Prose([*colors, _POINT], "quiet")]
        most = kit.largest([value for example in component["examples"] for value in example["values"]])
        corpora = dict(zip(data["names"], names, strict=True))
        for example in component["examples"]:
            corpus = kit.name(corpora.get(example["corpus"], kit.plain(example["corpus"])))
            title = kit.line(corpus, f", row {example['row']}")
            blocks.append(kit.Words(example["words"], example["values"], title=title, most=most))
    if center:
        return kit.Section(id_, "The center", blocks, nav="The center")
    nav = f"{component['kind'].capitalize()}: {kit.cut(label, 30)}"
    return kit.Section(id_, f"A region that is {component['kind']}: {label}", blocks, nav=nav)


def _component_sentence(component: kit.Data, fdr: float) -> str:
    n_terms = kit.count(component["n_terms"], "term")
    sentence = f"{component['n_significant']:,} of {n_terms} contribute significantly."
    for what, side in (("Gained", "came"), ("Lost", "went")):
        if terms := [f"“{kit.plain(term['term'], _TERM)}”" for term in component[side] if term["qvalue"] <= fdr][:6]:
            sentence += f" {what}: {kit.listed(terms)}."
    return sentence


def _terms(title: str, terms: Sequence[kit.Data], fdr: float) -> kit.Table:
    rows: list[list[kit.Cell | kit.Line]] = [
        [
            kit.cut(term["term"], _TERM),
            kit.Cell(kit.effect(term["contribution"]), kit.interval(term["interval"])),
            f"{term['count_F']:,} → {term['count_G']:,}",
            kit.Cell(kit.p_value(term["qvalue"]), sure=term["qvalue"] <= fdr),
        ]
        for term in terms
    ]
    return kit.Table(kit.number_columns(["Term", "Contribution", "Texts", "q"]), rows, title, kind="terms")


def _shift_texts(data: kit.Data) -> kit.Section:
    """Return every text that was explained, to be opened: its words along the component that it lies in."""
    regions = [f"{region['kind']}: {kit.plain(region['label'], _LABEL)}" for region in data["components"][1:]]
    called = ["the center", *regions]
    items = [
        kit.WordItem(
            row=text["row"],
            words=text["words"],
            values=text["values"],
            facts=[
                ("", kit.plain(text["corpus"], _CORPUS)),
                ("row", f"{text['row']}"),
                ("along", kit.signed(float(f"{text['along']:.3g}"))),
            ],
            keys={"along": text["along"], "component": text["component"], "place": place},
            notes=[f"Along: {called[text['component']]}."],
        )
        for place, text in enumerate(data["texts"])
    ]
    orders = [
        ("along", "farthest along first", True),
        ("along", "least far first", False),
        ("component", "by component", False),
        ("place", "as given", False),
    ]
    items.sort(key=lambda item: -item.keys["along"])
    words = kit.WordList(items, orders, "takes the text along", "holds it back")
    return kit.Section("texts", "Texts: which words take each along", [words], nav="Texts")


def _by_counts(data: kit.Data, names: Sequence[str]) -> kit.Section:
    note = "Words by their counts alone, without the encoder. "
    if data["agreement"] is not None:
        note += f"{kit.percent(data['agreement'])} of the first terms gained are among the significant ones here. "
    note += "A word can become more frequent and move nothing, if it means what others meant."
    sides = (data["by_counts_F"], data["by_counts_G"])
    rows = [
        [f"{place + 1}", *(kit.cut(side[place], _TERM) if place < len(side) else "" for side in sides)]
        for place in range(max(map(len, sides)))
    ]
    title = "Baseline: term frequencies"
    columns = ["Place", *(kit.line("More in ", kit.name(corpus)) for corpus in names)]
    return kit.Section("counts", title, [kit.Table(columns, rows, title, note=note)], nav="Term frequencies")


# ---- validation by planted words


def trust(data: kit.Data) -> kit.Page:
    """Return the page of `trust_check`."""
    best = data["methods"][0]
    cards = [
        kit.Card(
            "AUROC of the best",
            f"{best['auroc']:.2f}",
            f"{kit.bounds(*best['interval'])}; {best['label']}; 0.5 is guessing",
        ),
        kit.Card("Planted word first", kit.percent(best["first"]), "of texts have a planted word in the first place"),
        kit.Card(
            "Random weights",
            "–" if data["untrained"] is None else f"{data['untrained']:.2f}",
            "AUROC of the same method on the untrained encoder; should be lower",
        ),
        kit.Card(
            "Deletion", kit.percent(data["deletion"]), "of texts gain more without the first word than without another"
        ),
        kit.Card("Planted", f"{data['n_planted']:,}", f"words in {kit.count(data['n_texts'], 'text')}"),
    ]
    trusted = data["trusted"]
    return kit.Page(
        title=f"Can words say why a text is an outlier in these {data['n_texts'] + data['n_reference']:,} texts?",
        kind="trust check",
        finding=kit.Finding("Planted words are found", sign="✓") if trusted else kit.Finding(_UNTRUSTED, True, "!"),
        verdict=data["verdict"],
        cards=cards,
        caveats=data["warnings"],
        blocks=[trust_section(data), *_examples(data), _planted(data)],
        methods=[
            how("planted"),
            how("controls"),
            *attribution_method({"method": data["recommended"], "label": best["label"]}),
            how("limits_of_planting"),
        ],
        sizes=f"{data['n_texts']:,} texts with planted words in a corpus of {data['n_reference']:,}",
    )


def trust_section(data: kit.Data) -> kit.Section:
    """Return how well each method finds planted words, as a figure with its numbers."""
    rows = [
        [
            trial["label"] + ("" if trial["signed"] else " (no signs)"),
            target_label(trial["target"]),
            f"{trial['auroc']:.3f}",
            f"{trial['interval'][0]:.3f} to {trial['interval'][1]:.3f}",
            kit.number(trial["content"]),
            kit.percent(trial["first"]),
            kit.number(trial["completeness"]),
            kit.number(trial["seconds"]),
        ]
        for trial in data["methods"]
    ]
    columns = kit.number_columns([
        "Method", "Explained", "AUROC", "95% interval", "Against longer words", "Planted word first",
        "Completeness error", "Seconds a text",
    ])  # fmt: skip
    caption = (
        "Chance that a planted word pulls a text away more than one of its own, mean of "
        f"{kit.count(data['n_texts'], 'text')} with 95% intervals. Right of the dotted line: better than guessing. An "
        f"interval right of the dashed line, {data['threshold']:.2f}, is asked for."
    )
    size = size_for(2 * len({trial["label"] for trial in data["methods"]}))
    spec = trust_figure(data["methods"], data["threshold"])
    figure = kit.Figure("trust-plot", "Which method finds planted words", caption, spec, size=size)
    blocks = [figure, kit.Heading("The numbers"), kit.Table(columns, rows, "Methods")]
    return kit.Section("trust", "Are planted words found?", blocks, nav="Trust check")


def _examples(data: kit.Data) -> list[kit.Section]:
    if not data["examples"]:
        return []
    # Values say how far a word pulls away. Where they have signs, they are turned to those of other pages.
    has_signs = any(value < 0 for example in data["examples"] for value in example["values"])
    turn = -1.0 if has_signs else 1.0
    colors = kit.legend("pulls the text toward the corpus", "away from it", has_signs=has_signs)
    note = f"What {data['methods'][0]['label']} says of the words. Boxed (▣ in tables): planted. "
    texts = [
        kit.Words(
            example["words"],
            [turn * value for value in example["values"]],
            title=f"Text {place}",
            has_signs=has_signs,
            boxed=example["planted"],
        )
        for place, example in enumerate(data["examples"], 1)
    ]
    head = kit.Prose([note, *colors, _POINT], "quiet")
    return [kit.Section("examples", "Texts with planted words", [head, *texts], nav="Examples")]


def _planted(data: kit.Data) -> kit.Section:
    words = ", ".join(kit.cut(word, _TERM) for word in data["off_topic"][:400])
    title = f"{kit.count(len(data['off_topic']), 'word')} to draw from"
    return kit.Section("planted", title, [kit.Fold("Show them", [kit.Prose(words, "quiet")])], nav="Words to plant")


# ---- methods on a model


_STATUS = {
    "valid": ("✓", "say something of their own on the model"),
    "degenerate": ("≈", "equal another method, or do not do what they promise"),
    "unsupported": ("–", "fail, or give the same for all words"),
}


def health(data: kit.Data) -> kit.Page:
    """Return the page of `method_health`."""
    model, n = kit.plain(data["model"]), len(data["methods"])
    labels = {status: [trial["label"] for trial in data["methods"] if trial["status"] == status] for status in _STATUS}
    valid = labels["valid"]
    verdict = f"{len(valid):,} of {kit.count(n, 'method')} {'is' if len(valid) == 1 else 'are'} valid on {model}."
    for status in ("degenerate", "unsupported"):
        if names := labels[status]:
            verdict += f" {kit.listed(names)} {'is' if len(names) == 1 else 'are'} {status}."
    methods = {trial["method"]: METHODS[trial["method"]] for trial in data["methods"] if trial["method"] in METHODS}
    rows = [
        [
            trial["label"],
            methods[trial["method"]].family if trial["method"] in methods else "–",
            f"{_STATUS[trial['status']][0]} {trial['status']}",
            trial["reason"] or "–",
        ]
        for trial in data["methods"]
    ]
    columns = [kit.Column("Method"), kit.Column("Family"), kit.Column("Status"), kit.Column("Reason", "text")]
    table = kit.Table(columns, rows, "Methods")
    finding = "All methods are valid" if len(valid) == n else "Some methods are not valid"
    return kit.Page(
        title=f"Attribution methods on {model}",
        kind="method health",
        finding=kit.Finding(finding, len(valid) < n),
        verdict=verdict,
        cards=[kit.Card(key.capitalize(), f"{len(labels[key]):,}", meaning) for key, (_, meaning) in _STATUS.items()],
        caveats=data["notes"],
        blocks=[kit.Section("methods", "Methods and their status", [table], nav="Status")],
        methods=[how("health", *(key for known in methods.values() for key in known.source))],
    )
