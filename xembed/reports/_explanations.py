"""The pages of explanations of texts: word by word, of depth, and of the similarity of two."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from xembed.reports import _explanation_figures as figures
from xembed.reports._common import card, notes, page_context, plot
from xembed.reports._explanation_words import (
    counted_section,
    methods,
    named,
    target_name,
    told_section,
    told_text,
)
from xembed.reports._explanations_of_corpora import trust_section
from xembed.reports._format import count, cut, number, percent
from xembed.reports._text import listed, plain
from xembed.reports._words import signed

Data = Mapping[str, Any]
Section = dict[str, Any]

_SPACED = re.compile(r" (?=[.,;:!?)])")  # what joining words puts before signs
_PACKAGE, _TEMPLATE = "xembed.attribution", "explanation.html.j2"


def attributions_context(data: Data) -> dict[str, Any]:
    """Return what the page of `explain` needs."""
    what = target_name(data["output"])
    n = len(data["words"])
    items = []
    for row in range(n):
        facts = [(what.capitalize(), number(data["scores"][row]))]
        if data["baseline_scores"][row] is not None:
            facts.append(("baseline", number(data["baseline_scores"][row])))
        if len(set(data["targets"])) > 1 or data["output"] in ("logit", "probability"):
            facts.append(("output", str(data["targets"][row])))
        items.append(_item(data, row, facts, {"score": data["scores"][row], "row": row}))
    text = told_section(
        items,
        orders=[("row", "as given", False), ("score", "lowest score first", False), ("score", "highest first", True)],
        has_signs=data["signed"],
        plus=f"raises the {what}",
        minus="lowers it",
        title="Texts, word by word",
    )
    counted = counted_section(data, up="Words that raise it" if data["signed"] else "Words that count", down="Lower it")
    return page_context(
        data,
        template=_TEMPLATE,
        kind="explanation by words",
        title=f"The {what} of {count(n, 'text')}",
        chip=(False, data["label"], "▤"),
        verdict=_verdict_of_words(data, what),
        cards=_cards_of_words(data),
        warnings=notes([_unchecked(data), *data["notes"]]),
        sections=[section for section in (text, counted) if section is not None],
        sizes=count(n, "text"),
        package=_PACKAGE,
        **methods("attributions", data["method"], data["label"]),
    )


def _unchecked(data: Data) -> str:
    """Return what nobody tested here, and what tests it."""
    how = (
        "xembed.attribution.method_health tests the method on references whose reasons are known"
        if data["output"] in ("logit", "probability")
        else "xembed.attribution.trust_check plants words in texts and measures whether they are found"
    )
    return f"Nobody checked whether these words can be trusted as reasons: {how}."


def _item(
    data: Data,
    row: int,
    facts: Sequence[tuple[str, str]],
    keys: Data,
    text: str | None = None,
    near: Data | None = None,
) -> dict[str, Any]:
    cut_off = "Longer than the model reads: words that were cut off have 0 or are not shown."
    return {
        "row": row,
        "text": _SPACED.sub("", " ".join(data["words"][row])) if text is None else text,
        "words": data["words"][row],
        "values": data["values"][row],
        "facts": facts,
        "keys": keys,
        "notes": [cut_off] if data["truncated"][row] else [],
        "near": near,
    }


def _verdict_of_words(data: Data, what: str) -> str:
    n = len(data["words"])
    said = f"{data['label']} says what each word adds to the {what}"
    if not data["signed"]:
        said = f"{data['label']} says how much each word counts for the {what}, in either direction"
    if n != 1:
        return f"{said}, for {count(n, 'text')}."
    up = named(data["words"][0], data["values"][0])
    down = named(data["words"][0], data["values"][0], lowest=True) if data["signed"] else []
    most = [f"{listed(up)} {_agree('raise it' if data['signed'] else 'count', up)} most"] if up else []
    most += [f"{listed(down)} {_agree('lower it', down)} most"] if down else []
    return f"{said}; it is {number(data['scores'][0])} for this text. {'; '.join(most)}{'.' if most else ''}".strip()


def _cards_of_words(data: Data) -> list[dict[str, str]]:
    cards = [card("Texts", f"{len(data['words']):,}", count(sum(map(len, data["words"])), "word"))]
    errors = [value for value in data["completeness"] if value is not None]
    if errors:
        note = f"of the sum, median; largest {number(max(errors))}"
        cards.append(card("Completeness error", number(float(np.median(errors))), note))
    shares = [value for value in data["special"] if value is not None]
    if shares:
        cards.append(card("On special tokens", percent(float(np.mean(shares))), "of the attribution, in no word"))
    return cards


def depth_explanation_context(data: Data) -> dict[str, Any]:
    """Return what the page of `explain_depth` needs."""
    order = np.argsort(data["depths"], kind="stable").tolist()
    items = []
    for row in order:
        outside = f"less deep than {percent(1 - data['deeper_than'][row])} of the corpus"
        near = {
            "text": data["typical_texts"][row],
            "note": f"cosine {number(data['typical_similarity'][row])}",
        }
        facts = [
            ("depth", f"{data['depths'][row]:.3f}"),
            ("", outside),
            ("nearest", f"{data['nearest_similarity'][row]:.3f}"),
        ]
        keys = {"depth": data["depths"][row], "near": data["nearest_similarity"][row], "row": row}
        items.append(_item(data, row, facts, keys, data["texts"][row], near))
    texts = told_section(
        items,
        orders=[
            ("depth", "most outlying first", False),
            ("depth", "most typical first", True),
            ("near", "farthest from its nearest first", False),
            ("row", "as given", False),
        ],
        has_signs=data["signed"],
        plus="pulls the text toward the corpus",
        minus="away from it",
        title="Texts, the most outlying first",
        beside="A typical text near it",
    )
    counted = counted_section(
        data,
        up="Words that pull toward the corpus" if data["signed"] else "Words that count",
        down="Words that pull away from it",
    )
    chip, said, warned = _trust_line(data)
    trust = data["trust"]
    sections = [texts, counted, None if trust is None else trust_section(trust)]
    keep = [note for note in data["notes"] if trust is None or note != trust["verdict"]]
    return page_context(
        data,
        template=_TEMPLATE,
        kind="explanation of depth",
        title=f"Why {count(len(order), 'text')} {'lies' if len(order) == 1 else 'lie'} where "
        f"{'it does' if len(order) == 1 else 'they do'} in a corpus",
        chip=chip,
        verdict=" ".join(filter(None, [_depth_verdict(data, order[0]), said])),
        cards=[
            card("Most outlying", f"{data['depths'][order[0]]:.3f}", items[0]["facts"][1][1]),
            card("Corpus", f"{data['n_reference']:,}", "texts that depth is measured in"),
            *_cards_of_words(data),
        ],
        warnings=notes([*warned, *keep]),
        sections=[section for section in sections if section is not None],
        sizes=f"{count(len(order), 'text')} in a corpus of {data['n_reference']:,}",
        package=_PACKAGE,
        **methods("depth", data["method"], data["label"], "seegmiller"),
    )


def _depth_verdict(data: Data, row: int) -> str:
    of = "The text" if len(data["texts"]) == 1 else f"The most outlying of {len(data['texts']):,} texts"
    outside = percent(1 - data["deeper_than"][row])
    said = f"{of} is less deep than {outside} of the {data['n_reference']:,} texts of the corpus."
    words = named(data["words"][row], data["values"][row], lowest=data["signed"])
    if not words:
        return f"{said} By {data['label']} no word of it pulls it away."
    verb = "pull it away" if data["signed"] else "count"
    return f"{said} By {data['label']} {listed(words)} {_agree(verb, words)} most."


def _agree(verb: str, words: Sequence[str]) -> str:
    first, *more = verb.split(" ")
    return " ".join([first if len(words) > 1 else f"{first}s", *more])


def _trust_line(data: Data) -> tuple[tuple[bool, str, str], str, list[str]]:
    """Return chip, sentence and warnings: whether the method of this page, not the best one, finds planted words."""
    trust = data["trust"]
    if trust is None:
        return (False, "Not checked whether words can be trusted", "?"), "", []
    if not trust["trusted"]:
        said = "Such words can’t be trusted as reasons in this corpus."
        return (True, "Words can’t be trusted as reasons here", "!"), said, [trust["verdict"]]
    target = (data.get("provenance") or {}).get("parameters", {}).get("target", data["output"])
    mine = (data["method"], target)
    own = next((found for found in trust["methods"] if (found["method"], found["target"]) == mine), None)
    name = f"{data['label']} on the {target_name(target)}, which this page shows,"
    best = f"{trust['methods'][0]['label']} on the {target_name(trust['recommended_target'])}"
    if own is None:
        warned = f"{name} was not among the methods of the check. It recommends {best}."
        return (False, "The method of this page was not checked", "?"), "", [warned]
    found = f"AUROC {own['auroc']:.2f} ({own['interval'][0]:.2f} to {own['interval'][1]:.2f})"
    if own["interval"][0] < trust["threshold"]:
        warned = (
            f"{name} finds planted words in this corpus with {found}, where {trust['threshold']:.2f} is asked of the "
            f"lower end. Its words can’t be trusted as reasons: use {best}."
        )
        return (True, "Another method should be used here", "!"), "That can’t be trusted in this corpus.", [warned]
    said = f"In a check on this corpus it finds planted words with {found}; guessing gives 0.50."
    return (False, "Planted words are found in this corpus", "✓"), said, []


def similarity_explanation_context(data: Data) -> dict[str, Any]:
    """Return what the page of `explain_similarity` needs."""
    matrix = np.asarray(data["matrix"], dtype=float).reshape(len(data["words_a"]), len(data["words_b"]))
    rest = data["rest"]
    top = _top_pairs(data, matrix)
    cards = [
        card("Cosine", number(data["similarity"]), "of the two texts, from −1 to 1"),
        card("In pairs of words", signed(float(matrix.sum())), "the sum of the matrix"),
    ]
    cards += [card(key.capitalize(), signed(_clean(value)), _REST.get(key, "")) for key, value in (rest or {}).items()]
    if data["completeness"] is not None:
        cards.append(card("Left over", number(data["completeness"]), "words and rest miss the cosine by this much"))
    if data["trust"] is not None:
        note = "rank correlation of what is said of a word with what the cosine does without it"
        agreement = data["trust"]["agreement"]
        cards.append(card("Check by leaving out", "–" if agreement is None else f"{agreement:.2f}", note))
    most = max(np.abs(data["values_a"]).max(initial=0), np.abs(data["values_b"]).max(initial=0))
    read = {
        "kind": "read",
        "id": "texts",
        "nav": "Texts",
        "title": "The two texts",
        "plus": "makes them more alike",
        "minus": "less alike",
        "note": f"{data['what']} Each word here with what it adds to the cosine with the whole other text.",
        "boxed": None,
        "texts": [
            {"title": f"Text {name.upper()}", "note": _cut_off(data["truncated"][place])}
            | told_text(data[f"words_{name}"], data[f"values_{name}"], most=float(most))
            for place, name in enumerate("ab")
        ],
    }
    return page_context(
        data,
        template=_TEMPLATE,
        kind="explanation of a similarity",
        title="Why two texts are similar" if data["similarity"] >= 0.3 else "Why two texts are as similar as they are",
        chip=_deletion_chip(data),
        verdict=" ".join(filter(None, [_similarity_verdict(data, matrix, top), (data["trust"] or {}).get("verdict")])),
        cards=cards,
        warnings=notes(data["notes"]),
        sections=[read, _pairs_section(data, matrix, top)],
        sizes=f"{len(data['words_a']):,} and {len(data['words_b']):,} words",
        package=_PACKAGE,
        **methods("similarity", data["method"], data["label"], *_OF_SIMILARITY.get(data["method"], [])),
        adds_up=rest is not None,
    )


# Rank correlation with what leaving words out does, from which an explanation is borne out.
_BORNE_OUT = 0.5


def _deletion_chip(data: Data) -> tuple[bool, str, str]:
    if data["trust"] is None:
        return (False, data["label"], "▤")
    agreement = data["trust"]["agreement"]
    if agreement is not None and agreement >= _BORNE_OUT:
        return (False, "Borne out by leaving words out", "✓")
    if agreement is not None and agreement > 0:
        return (True, "Borne out only in part by leaving words out", "!")
    return (True, "Not borne out by leaving words out", "!")


_REST = {
    "special tokens": "what tokens that are no words add",
    "reference": "what embeddings without words add, alone and with words",
}
_OF_SIMILARITY = {"integrated_jacobian": ["moeller"], "shapley": ["strumbelj"], "leave_one_out": ["zeiler"]}
_SHOWN, _PAIRS = 40, 15  # words a side in the matrix; pairs in the table


def _cut_off(truncated: bool) -> str:
    return "Longer than the encoder reads: words that were cut off are not shown." if truncated else ""


def _clean(value: float) -> float:
    return 0.0 if abs(value) < 1e-12 else value


def _top_pairs(data: Data, matrix: Any) -> list[tuple[str, str, float]]:
    order = np.argsort(-np.abs(matrix), axis=None, kind="stable")[:_PAIRS]
    places = zip(*np.unravel_index(order, matrix.shape), strict=True)
    return [(data["words_a"][i], data["words_b"][j], float(matrix[i, j])) for i, j in places]


def _similarity_verdict(data: Data, matrix: Any, top: Sequence[tuple[str, str, float]]) -> str:
    said = f"The cosine of the two texts is {number(data['similarity'])}."
    up = [f"“{plain(a, 40)}” with “{plain(b, 40)}” ({signed(value)})" for a, b, value in top if value > 0][:3]
    if up:
        said += f" The pairs of words that add most: {listed(up)}."
    if data["rest"] is None:
        return f"{said} The numbers do not add up to the cosine: each says what changes without a word."
    parts = [f"{signed(float(matrix.sum()))} in pairs of words"]
    parts += [f"{signed(value)} in {_IN.get(key, key)}" for key, value in data["rest"].items() if abs(value) > 5e-4]
    return f"{said} It is made of {listed(parts)}."


_IN = {"special tokens": "special tokens", "reference": "the reference without words"}


def _pairs_section(data: Data, matrix: Any, top: Sequence[tuple[str, str, float]]) -> Section:
    rows, columns = (np.sort(np.argsort(-np.abs(matrix).max(axis=axis), kind="stable")[:_SHOWN]) for axis in (1, 0))
    words_a, words_b = ([data[f"words_{name}"][i] for i in found] for name, found in (("a", rows), ("b", columns)))
    shown = matrix[np.ix_(rows, columns)]
    most = float(np.abs(shown).max(initial=0.0))
    caption = (
        "Rows: words of text A. Columns: words of text B. Orange and +: the pair makes the texts more alike; blue and "
        "−: less. The deeper the color, the larger the number."
    )
    if shown.shape != matrix.shape:
        caption += f" Of longer texts the {_SHOWN} words with the largest numbers are shown; all are in the .json file."
    return {
        "kind": "pairs",
        "id": "pairs",
        "nav": "Pairs of words",
        "plot": plot(
            "pairs-plot", "Word by word", caption, figures.heat_map(shown, words_a, words_b),
            size="tall" if len(words_a) > 10 else "square",
        ),
        "columns": [cut(word, 40) for word in words_b],
        "rows": [
            (
                cut(word, 40),
                [
                    {
                        "text": signed(float(f"{value:.3g}")) if most else "0",
                        "tone": "pos" if value > 0 else "neg" if value < 0 else "",
                        "share": f"{abs(value) / most if most else 0:.2f}",
                    }
                    for value in line
                ],
            )
            for word, line in zip(words_a, shown.tolist(), strict=True)
        ],
        "top": [[f"{plain(a, 40)} – {plain(b, 40)}", signed(value)] for a, b, value in top],
    }  # fmt: skip
