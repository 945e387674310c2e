"""The pages of explanations of texts: word by word, of depth, and of the similarity of two."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from xembed.attribution._pages.common import agree, attribution_method, frequent_words, how, target_label, word_item
from xembed.attribution._pages.corpora import trust_section
from xembed.attribution._pages.figures import heat_map
from xembed.attribution._word_vectors import SOURCES
from xembed.reports import kit

# ---- word by word


def attributions(data: kit.Data) -> kit.Page:
    """Return the page of `explain`."""
    what, n = target_label(data["output"]), len(data["words"])
    has_output = len(set(data["targets"])) > 1 or data["output"] in ("logit", "probability")
    items = []
    for row, (score, baseline) in enumerate(zip(data["scores"], data["baseline_scores"], strict=True)):
        facts = [(what.capitalize(), kit.number(score))]
        facts += [] if baseline is None else [("baseline", kit.number(baseline))]
        facts += [("output", str(data["targets"][row]))] if has_output else []
        items.append(word_item(data, row, facts, {"score": score, "row": row}))
    orders = [("row", "as given", False), ("score", "lowest score first", False), ("score", "highest first", True)]
    words = kit.WordList(items, orders, f"raises the {what}", "lowers it", data["signed"])
    up = "Words that raise it" if data["signed"] else "Words that count"
    return kit.Page(
        title=f"The {what} of {kit.count(n, 'text')}",
        kind="explanation by words",
        finding=kit.Finding(data["label"], sign="▤"),
        verdict=_verdict(data, what),
        cards=_cards(data),
        caveats=[_not_validated(data), *data["notes"]],
        blocks=[
            kit.Section("texts", "Texts, word by word", [words], nav="Texts"),
            *frequent_words(data, up, "Words that lower it"),
        ],
        methods=[how("attributions"), *attribution_method(data), how("limits")],
        sizes=kit.count(n, "text"),
    )


def _not_validated(data: kit.Data) -> str:
    """Return that the explanation was not validated, and what does it."""
    how = (
        "xembed.attribution.method_health tests the method on the model"
        if data["output"] in ("logit", "probability")
        else "xembed.attribution.trust_check plants words in texts and measures whether they are found"
    )
    return f"The explanation was not validated: {how}."


def _verdict(data: kit.Data, what: str) -> str:
    n, words, values = len(data["words"]), data["words"], data["values"]
    verdict = f"{data['label']} says what each word adds to the {what}"
    if not data["signed"]:
        verdict = f"{data['label']} says how much each word counts for the {what}, in either direction"
    if n != 1:
        return f"{verdict}, for {kit.count(n, 'text')}."
    up = kit.named(words[0], values[0])
    down = kit.named(words[0], values[0], lowest=True) if data["signed"] else []
    most = [f"{kit.listed(up)} {agree('raise it' if data['signed'] else 'count', up)} most"] if up else []
    most += [f"{kit.listed(down)} {agree('lower it', down)} most"] if down else []
    verdict += f"; it is {kit.number(data['scores'][0])} for this text."
    return f"{verdict} {'; '.join(most)}." if most else verdict


def _cards(data: kit.Data) -> list[kit.Card]:
    cards = [kit.Card("Texts", f"{len(data['words']):,}", kit.count(sum(map(len, data["words"])), "word"))]
    if errors := [value for value in data["completeness"] if value is not None]:
        note = f"of the sum, median; largest {kit.number(max(errors))}"
        cards.append(kit.Card("Completeness error", kit.number(float(np.median(errors))), note))
    if shares := [value for value in data["special"] if value is not None]:
        share = kit.percent(float(np.mean(shares)))
        cards.append(kit.Card("On special tokens", share, "of the attribution, in no word"))
    return cards


# ---- depth


def depth(data: kit.Data) -> kit.Page:
    """Return the page of `explain_depth`."""
    order = np.argsort(data["depths"], kind="stable").tolist()
    outside = [f"less deep than {kit.percent(1 - share)} of the corpus" for share in data["deeper_than"]]
    items = []
    for row in order:
        value, nearest = data["depths"][row], data["nearest_similarity"][row]
        facts = [("depth", f"{value:.3f}"), ("", outside[row]), ("nearest", f"{nearest:.3f}")]
        near = (data["typical_texts"][row], f"cosine {kit.number(data['typical_similarity'][row])}")
        keys = {"depth": value, "near": nearest, "row": row}
        items.append(word_item(data, row, facts, keys, data["texts"][row], near))
    orders = [
        ("depth", "most outlying first", False),
        ("depth", "most typical first", True),
        ("near", "farthest from its nearest first", False),
        ("row", "as given", False),
    ]
    plus, minus = "pulls the text toward the corpus", "away from it"
    words = kit.WordList(items, orders, plus, minus, data["signed"], "A typical text near it")
    up = "Words that pull toward the corpus" if data["signed"] else "Words that count"
    finding, sentence, warned = _validation(data)
    trust = data["trust"]
    title = "Why 1 text lies where it does" if len(order) == 1 else f"Why {len(order):,} texts lie where they do"
    return kit.Page(
        title=f"{title} in a corpus",
        kind="explanation of depth",
        finding=finding,
        verdict=" ".join(filter(None, [_depth_verdict(data, order[0]), sentence])),
        cards=[
            kit.Card("Most outlying", f"{data['depths'][order[0]]:.3f}", outside[order[0]]),
            kit.Card("Corpus", f"{data['n_reference']:,}", "texts that depth is measured in"),
            *_cards(data),
        ],
        caveats=[*warned, *(note for note in data["notes"] if trust is None or note != trust["verdict"])],
        blocks=[
            kit.Section("texts", "Texts, the most outlying first", [words], nav="Texts"),
            *frequent_words(data, up, "Words that pull away from it"),
            *([] if trust is None else [trust_section(trust)]),
        ],
        methods=[how("depth"), how("validation"), *attribution_method(data), how("limits")],
        sizes=f"{kit.count(len(order), 'text')} in a corpus of {data['n_reference']:,}",
    )


def _depth_verdict(data: kit.Data, row: int) -> str:
    of = "The text" if len(data["texts"]) == 1 else f"The most outlying of {len(data['texts']):,} texts"
    outside = kit.percent(1 - data["deeper_than"][row])
    verdict = f"{of} is less deep than {outside} of the {data['n_reference']:,} texts of the corpus."
    words = kit.named(data["words"][row], data["values"][row], lowest=data["signed"])
    if not words:
        return f"{verdict} By {data['label']} no word of it pulls it away."
    verb = "pull it away" if data["signed"] else "count"
    return f"{verdict} By {data['label']} {kit.listed(words)} {agree(verb, words)} most."


def _validation(data: kit.Data) -> tuple[kit.Finding, str, list[str]]:
    """Return whether the method of this page, not the best one, finds planted words: in short, a sentence, caveats."""
    trust = data["trust"]
    if trust is None:
        return kit.Finding("Not validated on this corpus", sign="?"), "", []
    if not trust["trusted"]:
        sentence = "Such words can’t be trusted as reasons in this corpus."
        return kit.Finding("Words can’t be trusted as reasons here", True, "!"), sentence, [trust["verdict"]]
    target = (data.get("provenance") or {}).get("parameters", {}).get("target", data["output"])
    by_name = {(trial["method"], trial["target"]): trial for trial in trust["methods"]}
    own = by_name.get((data["method"], target))
    this = f"{data['label']} on the {target_label(target)}, which this page shows,"
    best = f"{trust['methods'][0]['label']} on the {target_label(trust['recommended_target'])}"
    if own is None:
        caveat = f"{this} was not among the methods of the check. It recommends {best}."
        return kit.Finding("The method of this page was not validated", sign="?"), "", [caveat]
    auroc = f"AUROC {own['auroc']:.2f} ({own['interval'][0]:.2f} to {own['interval'][1]:.2f})"
    if own["interval"][0] < trust["threshold"]:
        caveat = (
            f"{this} finds planted words in this corpus with {auroc}, where {trust['threshold']:.2f} is asked of the "
            f"lower end. Its words can’t be trusted as reasons: use {best}."
        )
        finding = kit.Finding("Another method should be used here", True, "!")
        return finding, "That can’t be trusted in this corpus.", [caveat]
    sentence = f"In a check on this corpus it finds planted words with {auroc}; guessing gives 0.50."
    return kit.Finding("Planted words are found in this corpus", sign="✓"), sentence, []


# ---- two texts

# Rank correlation with what leaving words out does, from which an explanation is confirmed.
_CONFIRMED = 0.5
_MATRIX, _PAIRS = 40, 15  # words a side in the matrix; pairs in the table
_SHORT, _TALL = 40, 10  # characters of a word; words from which the matrix is drawn tall
# Of what is not in pairs of words: what it is, and how a sentence calls it.
_REST = {
    "special tokens": ("what tokens that are no words add", "special tokens"),
    "reference": ("what embeddings without words add, alone and with words", "the reference without words"),
}


def similarity(data: kit.Data) -> kit.Page:
    """Return the page of `explain_similarity`."""
    matrix = np.asarray(data["matrix"], dtype=float).reshape(len(data["words_a"]), len(data["words_b"]))
    trust = data["trust"]
    order = np.argsort(-np.abs(matrix), axis=None, kind="stable")[:_PAIRS]
    top = [
        (kit.plain(data["words_a"][i], _SHORT), kit.plain(data["words_b"][j], _SHORT), float(matrix[i, j]))
        for i, j in zip(*np.unravel_index(order, matrix.shape), strict=True)
    ]
    similar = data["similarity"] >= 0.3
    verdict = _similarity_verdict(data, float(matrix.sum()), top)
    return kit.Page(
        title="Why two texts are similar" if similar else "Why two texts are as similar as they are",
        kind="explanation of a similarity",
        finding=_similarity_finding(data),
        verdict=verdict if trust is None else f"{verdict} {trust['verdict']}",
        cards=_similarity_cards(data, float(matrix.sum())),
        caveats=data["notes"],
        blocks=[_two_texts(data), _pairs(data, matrix, top)],
        methods=[
            how("similarity", *SOURCES.get(data["method"], ())),
            *([] if data["rest"] is None else [how("sum")]),
            how("limits"),
        ],
        sizes=f"{len(data['words_a']):,} and {len(data['words_b']):,} words",
    )


def _similarity_finding(data: kit.Data) -> kit.Finding:
    if data.get("unread"):
        return kit.Finding("Texts are not read", sign="!")
    if data["trust"] is None:
        return kit.Finding(data["label"], sign="▤")
    agreement = data["trust"]["agreement"]
    if agreement is not None and agreement >= _CONFIRMED:
        return kit.Finding("Confirmed by leaving words out", sign="✓")
    partly = agreement is not None and agreement > 0
    return kit.Finding(f"{'Confirmed only in part' if partly else 'Not confirmed'} by leaving words out", True, "!")


def _similarity_cards(data: kit.Data, in_pairs: float) -> list[kit.Card]:
    cards = [
        kit.Card("Cosine", kit.number(data["similarity"]), "of the two texts, from −1 to 1"),
        kit.Card("In pairs of words", kit.signed(in_pairs), "the sum of the matrix"),
    ]
    for key, value in (data["rest"] or {}).items():
        rounded = 0.0 if abs(value) < 1e-12 else value
        cards.append(kit.Card(key.capitalize(), kit.signed(rounded), _REST.get(key, ("", ""))[0]))
    if data["completeness"] is not None:
        note = "words and rest miss the cosine by this much"
        cards.append(kit.Card("Completeness error", kit.number(data["completeness"]), note))
    if data["trust"] is not None:
        note = "rank correlation of what is said of a word with what the cosine does without it"
        agreement = data["trust"]["agreement"]
        cards.append(kit.Card("Check by leaving out", "–" if agreement is None else f"{agreement:.2f}", note))
    return cards


def _similarity_verdict(data: kit.Data, in_pairs: float, top: Sequence[tuple[str, str, float]]) -> str:
    verdict = f"{data.get('unread', '')} The cosine of the two texts is {kit.number(data['similarity'])}.".lstrip()
    if up := [f"“{a}” with “{b}” ({kit.signed(value)})" for a, b, value in top if value > 0][:3]:
        verdict += f" The pairs of words that add most: {kit.listed(up)}."
    if data["rest"] is None:
        return f"{verdict} The numbers do not add up to the cosine: each says what changes without a word."
    parts = [f"{kit.signed(in_pairs)} in pairs of words"]
    parts += [
        f"{kit.signed(value)} in {_REST.get(key, ('', key))[1]}"
        for key, value in data["rest"].items()
        if abs(value) > 5e-4
    ]
    return f"{verdict} It is made of {kit.listed(parts)}."


def _two_texts(data: kit.Data) -> kit.Section:
    most = kit.largest([*data["values_a"], *data["values_b"]])
    note = f"{data['what']} Each word here with what it adds to the cosine with the whole other text. "
    texts = [
        kit.Words(
            data[f"words_{side}"],
            data[f"values_{side}"],
            title=f"Text {side.upper()}",
            note="Longer than the encoder reads: words that were cut off are not shown." if truncated else "",
            most=most,
        )
        for side, truncated in zip("ab", data["truncated"], strict=True)
    ]
    colors = kit.legend("makes them more alike", "less alike")
    head = kit.Prose([note, *colors, ". Point at a word for its number."], "quiet")
    return kit.Section("texts", "The two texts", [head, *texts], nav="Texts")


def _pairs(data: kit.Data, matrix: Any, top: Sequence[tuple[str, str, float]]) -> kit.Section:
    rows, columns = (np.sort(np.argsort(-np.abs(matrix).max(axis=axis), kind="stable")[:_MATRIX]) for axis in (1, 0))
    words_a, words_b = [data["words_a"][i] for i in rows], [data["words_b"][i] for i in columns]
    values = matrix[np.ix_(rows, columns)]
    most = float(np.abs(values).max(initial=0.0))
    caption = (
        "Rows: words of text A. Columns: words of text B. Orange and +: the pair makes the texts more alike; blue and "
        "−: less. The deeper the color, the larger the number."
    )
    if values.shape != matrix.shape:
        caption += (
            f" Of longer texts the {_MATRIX} words with the largest numbers are shown; all are in the .json file."
        )

    def cell(value: float) -> kit.Cell:
        tone: Literal["", "pos", "neg"] = "pos" if value > 0 else "neg" if value < 0 else ""
        return kit.Cell(kit.signed(float(f"{value:.3g}")), shade=abs(value) / most if most else 0.0, tone=tone)

    table = kit.Table(
        ["", *(kit.Column(kit.name(kit.cut(word, _SHORT)), "number") for word in words_b)],
        [[kit.cut(word, _SHORT), *map(cell, line)] for word, line in zip(words_a, values.tolist(), strict=True)],
        label="Word by word",
        kind="matrix",
    )
    size: Literal["square", "tall"] = "tall" if len(words_a) > _TALL else "square"
    pairs = [[f"{a} – {b}", kit.signed(value)] for a, b, value in top]
    blocks = [
        kit.Figure("pairs-plot", "Word by word", caption, heat_map(values, words_a, words_b), size=size),
        kit.Fold("The numbers, word by word", [table]),
        kit.Heading("Largest pairs"),
        kit.Table(kit.number_columns(["Pair", "Adds"]), pairs, label="Largest pairs"),
    ]
    return kit.Section("pairs", "Pairs of words", blocks)
