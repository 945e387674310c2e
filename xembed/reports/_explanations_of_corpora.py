"""The pages of explanations of corpora: a shift term by term, whether words can be trusted, and shares along axes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from xembed.reports import _explanation_figures as figures
from xembed.reports._common import card, notes, page_context, plot
from xembed.reports._explanation_words import TARGETS, methods, target_name, told_section, told_text
from xembed.reports._format import bounds, count, cut, effect, interval, level, number, p_value, percent
from xembed.reports._text import listed, plain
from xembed.reports._words import signed

Data = Mapping[str, Any]
Section = dict[str, Any]

_PACKAGE, _TEMPLATE = "xembed.attribution", "explanation.html.j2"
_LABEL, _TERM, _CORPUS = 60, 40, 24  # characters of the name of a component, of a term, and of a corpus in a line
_MANY = 14  # rows from which a figure is drawn tall
_STACKS, _ROWS = 60, 100  # pairs in the figure and in the table of axes
_OF_SHIFT = {"integrated_jacobian": ["moeller"], "shapley": ["strumbelj"], "leave_one_out": ["zeiler"]}


# ---- shift


def shift_explanation_context(data: Data) -> dict[str, Any]:
    """Return what the page of `explain_shift` needs."""
    names = tuple(data["names"])
    components = data["components"]
    changed = len(components) - 1
    cards = [
        card("Centers apart", f"{components[0]['size']:.3f}", "length of the difference of the mean directions"),
        card("Regions that changed", f"{changed:,}", "explained below, each against all other texts"),
        card(
            "Terms that are sure",
            " / ".join(f"{component['n_significant']:,}" for component in components[:4]),
            f"of the center{' and of each region' if changed else ''}; false discovery rate {level(data['fdr'])}",
        ),
        card("Texts", f"{data['n_F']:,} / {data['n_G']:,}", f"{names[0]} / {names[1]}"),
    ]
    trust = data["trust"]
    if trust is not None:
        low, high = trust["interval"]
        note = f"{low:.2f} to {high:.2f}; chance that a planted word is told from others, 0.5 is guessing"
        cards.append(card("AUROC of planted words", f"{trust['auroc']:.2f}", note))
    sections = [_component(data, component, place) for place, component in enumerate(components)]
    doubt = ["Words can’t be trusted as reasons in these texts: see the verdict."] if data["trusted"] is False else []
    sure = any(component["n_significant"] for component in components)
    return page_context(
        data,
        template=_TEMPLATE,
        kind="explanation of a shift",
        title=f"{names[0]} and {names[1]}",
        names=names,
        chip=(sure, "Words found that make the shift" if sure else "No word is sure to make the shift"),
        cards=cards,
        warnings=notes([*doubt, *data["notes"]]),
        sections=[*sections, _texts_section(data), _counts_section(data)],
        sizes=f"{data['n_F']:,} and {data['n_G']:,} texts",
        package=_PACKAGE,
        **methods("shift", data["method"], data["label"], "kitagawa", "benjamini", *_OF_SHIFT.get(data["method"], [])),
    )


def _component(data: Data, component: Data, place: int) -> Section:
    names = tuple(data["names"])
    center = component["kind"] == "location"
    title = "The center" if center else f"A region that is {component['kind']}: {cut(component['label'], _LABEL)}"
    terms = [*component["came"], *component["went"]]
    inside = f"texts of “{names[1]}”" if center else "texts of the region"
    outside = f"those of “{names[0]}”" if center else "all others"
    caption = (
        f"What each term adds to the distance of {component['size']:.3f} by being in more of the {inside} (+, came) or "
        f"in fewer (−, went) than of {outside}, with 95% intervals over texts."
    )
    explained = sum(term["contribution"] for term in terms)
    parts = [
        (f"the {count(len(terms), 'term')} shown", explained),
        ("the same terms in other company", component["context"]),
        ("what no frequent term holds, and terms not shown", component["size"] - explained - component["context"]),
    ]
    most = max((abs(value) for example in component["examples"] for value in example["values"]), default=0.0)
    return {
        "kind": "component",
        "id": f"component-{place}",
        "nav": "The center" if center else f"{component['kind'].capitalize()}: {cut(component['label'], 30)}",
        "title": title,
        "sentence": _component_sentence(component, data["fdr"]),
        "parts": [(label, signed(value)) for label, value in parts],
        "size": number(component["size"]),
        "plot": plot(
            f"component-{place}-plot", "Terms", caption,
            figures.terms_figure(component["came"], component["went"], "contribution"),
            size="tall" if len(terms) > _MANY else "square",
        ) if terms else None,
        "sides": [
            {"title": title, "rows": [_term(term, data["fdr"]) for term in component[key]]}
            for title, key in (("Terms that came", "came"), ("Terms that went", "went"))
        ],
        "names": names,
        "fdr": level(data["fdr"]),
        "examples": [
            {"title": "", "note": "", "corpus": example["corpus"], "row": example["row"]}
            | told_text(example["words"], example["values"], most=most)
            for example in component["examples"]
        ],
    }  # fmt: skip


def component_names(data: Data) -> list[str]:
    """Return what the components of a shift are called beside a text."""
    return [
        "the center" if component["kind"] == "location" else f"{component['kind']}: {cut(component['label'], _LABEL)}"
        for component in data["components"]
    ]


def _texts_section(data: Data) -> Section:
    """Return every text that was explained, to be opened: its words along the component that it lies in."""
    called = component_names(data)
    items = [
        {
            "row": text["row"],
            "text": " ".join(text["words"]),
            "words": text["words"],
            "values": text["values"],
            "facts": [
                ("", plain(text["corpus"], _CORPUS)),
                ("row", f"{text['row']}"),
                ("along", signed(float(f"{text['along']:.3g}"))),
            ],
            "keys": {"along": text["along"], "component": text["component"], "place": place},
            "notes": [f"Along: {called[text['component']]}."],
            "near": None,
        }
        for place, text in enumerate(data["texts"])
    ]
    items.sort(key=lambda item: -item["keys"]["along"])
    return told_section(
        items,
        orders=[
            ("along", "farthest along first", True),
            ("along", "least far first", False),
            ("component", "by component", False),
            ("place", "as given", False),
        ],
        has_signs=True,
        plus="takes the text along",
        minus="holds it back",
        title="Texts: which words take each along",
    )


def _component_sentence(component: Data, fdr: float) -> str:
    came, went = (
        [f"“{plain(term['term'], _TERM)}”" for term in component[side] if term["qvalue"] <= fdr][:6]
        for side in ("came", "went")
    )
    said = f"{component['n_significant']:,} of {count(component['n_terms'], 'term')} are sure to add to it."
    if came:
        said += f" Came: {listed(came)}."
    if went:
        said += f" Went: {listed(went)}."
    return said


def _term(term: Data, fdr: float) -> dict[str, Any]:
    return {
        "term": cut(term["term"], _TERM),
        "contribution": effect(term["contribution"]),
        "interval": interval(term["interval"]),
        "qvalue": p_value(term["qvalue"]),
        "sure": term["qvalue"] <= fdr,
        "counts": f"{term['count_F']:,} → {term['count_G']:,}",
    }


def _counts_section(data: Data) -> Section:
    names = tuple(data["names"])
    note = "Words by their counts alone, without the encoder. "
    if data["agreement"] is not None:
        note += f"{percent(data['agreement'])} of the first terms that came are among the sure ones here. "
    note += "A word can become more frequent and move nothing, if it means what others meant."
    rows = [
        [f"{place + 1}", *(cut(side[place], _TERM) if place < len(side) else "" for side in _by_counts(data))]
        for place in range(max(map(len, _by_counts(data)), default=0))
    ]
    head = ["Place", f"More in {names[0]}", f"More in {names[1]}"]
    title = "Beside it: terms by their counts"
    section = {"kind": "table", "id": "counts", "nav": "By counts", "title": title, "note": note}
    return section | {"head": head, "body": rows}


def _by_counts(data: Data) -> tuple[Sequence[str], Sequence[str]]:
    return data["by_counts_F"], data["by_counts_G"]


# ---- trust


def trust_context(data: Data) -> dict[str, Any]:
    """Return what the page of `trust_check` needs."""
    best = data["methods"][0]
    note = f"{bounds(*best['interval'])}; {best['label']}; 0.5 is guessing"
    cards = [
        card("AUROC of the best", f"{best['auroc']:.2f}", note),
        card("Planted word first", percent(best["first"]), "of texts have a planted word in the first place"),
        card(
            "Random weights",
            "–" if data["untrained"] is None else f"{data['untrained']:.2f}",
            "AUROC of the same method on the untrained encoder; should be lower",
        ),
        card("Deletion", percent(data["deletion"]), "of texts gain more without the first word than without another"),
        card("Planted", f"{data['n_planted']:,}", f"words in {count(data['n_texts'], 'text')}"),
    ]
    chip = (
        (False, "Planted words are found", "✓")
        if data["trusted"]
        else (True, "Words can’t be trusted as reasons here", "!")
    )
    sections = [trust_section(data), _examples_section(data), _planted_section(data)]
    return page_context(
        data,
        template=_TEMPLATE,
        kind="trust check",
        title=f"Can words say why a text is an outlier in these {data['n_texts'] + data['n_reference']:,} texts?",
        chip=chip,
        cards=cards,
        warnings=notes(data["warnings"]),
        sections=[section for section in sections if section is not None],
        sizes=f"{data['n_texts']:,} texts with planted words in a corpus of {data['n_reference']:,}",
        package=_PACKAGE,
        **methods("trust", data["recommended"], best["label"]),
    )


def trust_section(data: Data) -> Section:
    """Return how well each method finds planted words, as a figure with its numbers."""
    rows = [
        [
            found["label"] + ("" if found["signed"] else " (no signs)"),
            target_name(found["target"]),
            f"{found['auroc']:.3f}",
            f"{found['interval'][0]:.3f} to {found['interval'][1]:.3f}",
            number(found["content"]),
            percent(found["first"]),
            number(found["completeness"]),
            number(found["seconds"]),
        ]
        for found in data["methods"]
    ]
    names = {found["label"] for found in data["methods"]}
    caption = (
        "Chance that a planted word pulls a text away more than one of its own, mean of "
        f"{count(data['n_texts'], 'text')} with 95% intervals. Right of the dotted line: better than guessing. An "
        f"interval right of the dashed line, {data['threshold']:.2f}, is asked for."
    )
    return {
        "kind": "trust",
        "id": "trust",
        "nav": "Trust check",
        "plot": plot(
            "trust-plot", "Which method finds words that don’t belong", caption,
            figures.trust_figure(data["methods"], data["threshold"], TARGETS),
            size="tall" if len(names) > _MANY // 2 else "square",
        ),
        "head": [
            "Method", "Explained", "AUROC", "95% interval", "Against longer words", "Planted word first",
            "Completeness error", "Seconds a text",
        ],
        "body": rows,
    }  # fmt: skip


def _examples_section(data: Data) -> Section | None:
    if not data["examples"]:
        return None
    # Values say how far a word pulls away. Where they have signs, they are turned to those of other pages.
    has_signs = any(value < 0 for example in data["examples"] for value in example["values"])
    turn = -1.0 if has_signs else 1.0
    return {
        "kind": "read",
        "id": "examples",
        "nav": "Examples",
        "title": "Texts with planted words",
        "note": f"What {data['methods'][0]['label']} says of the words. Boxed (▣ in tables): planted.",
        "plus": "pulls the text toward the corpus" if has_signs else "",
        "minus": "away from it",
        "boxed": True,
        "texts": [
            {"title": f"Text {place + 1}", "note": ""}
            | told_text(
                example["words"],
                [turn * value for value in example["values"]],
                has_signs=has_signs,
                boxed=example["planted"],
            )
            for place, example in enumerate(data["examples"])
        ],
    }


def _planted_section(data: Data) -> Section:
    text = ", ".join(cut(word, _TERM) for word in data["off_topic"][:400])
    return {
        "kind": "lines",
        "id": "planted",
        "nav": "Words to plant",
        "title": f"{count(len(data['off_topic']), 'word')} to draw from",
        "text": text,
    }


# ---- axes


def axes_context(data: Data) -> dict[str, Any]:
    """Return what the page of `explain_axes` needs."""
    names = [cut(str(name), _TERM) for name in data["names"]]
    shares = np.asarray(data["difference_shares"], dtype=float).reshape(-1, len(names))
    rest = np.asarray(data["difference_rest"], dtype=float)
    differ = np.flatnonzero(np.asarray(data["difference"], dtype=float) > 0)
    n = len(shares)
    first = [name for name in data["first"] if name is not None]
    cards = [
        card("Pairs", f"{n:,}", f"{n - len(differ):,} of them without a difference" if len(differ) < n else "of texts"),
        card("Mean cosine", number(float(np.mean(data["similarity"]))), "of the pairs"),
        card("Mean distance", number(float(np.mean(data["difference"]))), "of embeddings of length 1"),
    ]
    if len(differ):
        cards.append(card("Along none", percent(float(rest[differ].mean())), "of the difference, on average"))
    sections = [_axes_table(data, names, shares, differ)]
    if len(differ):
        sections.insert(0, _axes_figures(names, shares, rest, differ))
    return page_context(
        data,
        template=_TEMPLATE,
        kind="explanation by axes",
        title=f"What lies along {listed([f'“{name}”' for name in names])}",
        chip=(False, "1 axis" if len(names) == 1 else f"{len(names)} axes", "▤"),
        verdict=_axes_verdict(names, data, shares, rest, differ, first),
        cards=cards,
        sections=[*sections, _pairs_table(data, names)],
        sizes=count(n, "pair"),
        package=_PACKAGE,
        **methods("axes", "", "", "loewdin"),
    )


def _axes_verdict(names: Sequence[str], data: Data, shares: Any, rest: Any, differ: Any, first: Sequence[str]) -> str:
    if not len(differ):
        return "No pair differs: there is nothing to lie along an axis."
    means = shares[differ].mean(axis=0)
    place = int(means.argmax())
    times = first.count(data["names"][place])
    share, none = percent(float(means[place])), percent(float(rest[differ].mean()))
    return (
        f"Of the difference of {count(len(differ), 'pair')}, {share} lies along “{names[place]}” on average; it is the "
        f"first axis for {times:,} of them. {none} lies along none."
    )


def _axes_figures(names: Sequence[str], shares: Any, rest: Any, differ: Any) -> Section:
    shown = differ[np.argsort(rest[differ], kind="stable")]
    sampled = None
    if len(shown) > _STACKS:
        shown = shown[np.linspace(0, len(shown) - 1, _STACKS).round().astype(int)]
        sampled = f"{_STACKS} of {len(differ):,} pairs, evenly spaced."
    return {
        "kind": "figures",
        "id": "shares",
        "nav": "Shares",
        "plots": [
            plot(
                "means-plot",
                "Share of the difference along each axis",
                "Bars: mean of the pairs. Lines: from the 5% to the 95% quantile of the pairs.",
                figures.means_figure(shares[differ], names),
                size="square",
            ),
            plot(
                "shares-plot",
                "Pair by pair",
                "Shares of the squared distance of each pair along each axis, and along none. Pairs in the order of "
                "what lies along none.",
                figures.shares_figure(shares[shown], rest[shown], names, shown.tolist()),
                size="square",
                sampled=sampled,
            ),
        ],
    }


def _axes_table(data: Data, names: Sequence[str], shares: Any, differ: Any) -> Section:
    parts = np.asarray(data["similarity_parts"], dtype=float).reshape(-1, len(names))
    body = []
    for place, name in enumerate(names):
        mine = shares[differ, place]
        spread = np.quantile(mine, [0.05, 0.5, 0.95]) if len(mine) else [0.0] * 3
        body.append(
            [
                name,
                percent(float(mine.mean())) if len(mine) else "–",
                percent(float(spread[1])),
                f"{percent(float(spread[0]))} to {percent(float(spread[2]))}",
                f"{sum(first == data['names'][place] for first in data['first']):,}",
                effect(float(parts[:, place].mean())),
            ]
        )
    rest = np.asarray(data["difference_rest"], dtype=float)[differ]
    if len(rest):
        low, middle, high = np.quantile(rest, [0.05, 0.5, 0.95])
        body.append(
            [
                "along none",
                percent(float(rest.mean())),
                percent(float(middle)),
                f"{percent(float(low))} to {percent(float(high))}",
                "–",
                effect(float(np.mean(data["similarity_rest"]))),
            ]
        )
    head = ["Axis", "Mean share of the difference", "Median", "5% to 95%", "First of pairs", "Mean part of the cosine"]
    note = (
        "Shares of the squared distance add up to 100% for each pair, parts of the cosine to the cosine. Axes that are "
        "not at right angles are replaced by the nearest ones that are."
    )
    return {"kind": "table", "id": "axes", "nav": "Axes", "title": "The axes", "head": head, "body": body, "note": note}


def _pairs_table(data: Data, names: Sequence[str]) -> Section:
    n = len(data["similarity"])
    body = [
        [
            str(row),
            number(data["similarity"][row]),
            number(data["difference"][row]),
            *(percent(share) for share in data["difference_shares"][row]),
            percent(max(data["difference_rest"][row], 0.0)),
            "–" if data["first"][row] is None else cut(data["first"][row], _TERM),
        ]
        for row in range(min(n, _ROWS))
    ]
    head = ["Pair", "Cosine", "Distance", *(f"Along {name}" for name in names), "Along none", "First"]
    note = f"The first {_ROWS} of {n:,} pairs; all are in the .json file beside this page." if n > _ROWS else ""
    title = "The pairs"
    return {"kind": "table", "id": "pairs", "nav": "Pairs", "title": title, "head": head, "body": body, "note": note}
