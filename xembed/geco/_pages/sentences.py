"""The sentences of a benchmark to look at: forms aligned word by word, with attributions; and where methods fail."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from xembed.geco._pages.board import CHANCE, ORACLE, Board, grid, titled
from xembed.reports import kit

_WORD = 60  # characters of a word
_STATIC = 3  # sentences that are there without scripts
_TEXT = 300  # characters of a sentence in the table of failures
_FAILURES = 12  # rows of that table before the fold
_LIST = 400  # rows of it at all
_ABOUT = (
    "The forms of a sentence stand one under the other, word by word. Boxed: the words that were changed, which an "
    "explanation should name. "
)
_PAIRS = (
    "Pair Shapley: how much each changed word, from one form to the other, adds to the score of the class of the first "
    "form; exact, from all mixtures of the two forms. A word near 0 there is one that the model does not use: an "
    "explanation that leaves it out is then right. ▣: a changed word."
)


def inspector_section(data: kit.Data, board: Board) -> kit.Section | None:
    """Return the sentences to look at: packed for the script, and the first ones as they are."""
    sentences = data["sentences"]
    if not sentences:
        return None
    schemes = [s for s in board.schemes if any(s in form["schemes"] for one in sentences for form in one["forms"])]
    packed = {
        "schemes": schemes,
        "methods": [method for method in board.methods if method not in {ORACLE, CHANCE}],
        "labels": board.labels,
        "best": {scheme: rows[0]["method"] for scheme in schemes if (rows := board.ranked(scheme))},
        "sentences": [_packed(sentence) for sentence in sentences],
    }
    views = [_view(sentence, schemes[0], board) for sentence in sentences[:_STATIC] if schemes]
    seed = f" Attributions are those of seed {data['seeds'][0]}." if data["seeds"] else ""
    about = kit.line(
        _ABOUT, kit.Span("orange", "plus"), " speaks for the true form of the sentence, ", kit.Span("blue", "minus"),
        f" against it; methods without signs have orange only. The deeper the color, the larger the number.{seed}"
    )  # fmt: skip
    inspector = kit.Inspector(kit.pack(packed), [view for view in views if view is not None], len(sentences))
    blocks = [kit.Prose(about, "quiet"), inspector, kit.Prose(_PAIRS, "quiet")]
    return kit.Section("inspector", "Look at sentences", blocks, nav="Sentences")


def _packed(sentence: kit.Data) -> dict[str, Any]:
    return {
        "group": sentence["group"],
        "why": str(sentence["why"]),
        "forms": [
            {
                "form": form["form"],
                "words": [kit.cut(word, _WORD) for word in form["words"]],
                "truth": [int(bool(mark)) for mark in form["ground_truth"]],
                "schemes": {
                    scheme: {
                        "p": _digits(model["probability"]),
                        "correct": bool(model["correct"]),
                        "pair": _spread(model["pair_shapley"], len(form["words"])),
                        "methods": {key: [_digits(v) for v in values] for key, values in model["methods"].items()},
                    }
                    for scheme, model in form["schemes"].items()
                },
            }
            for form in sentence["forms"]
        ],
    }


def _digits(value: float | None) -> float | None:
    """Return a number with four digits: more can't be seen and would make the page large."""
    return None if value is None or not np.isfinite(value) else float(f"{value:.4g}")


def _spread(pair: Mapping[str, float] | None, n: int) -> list[float | None] | None:
    """Return a value or None for each word, or None if there is no pair Shapley at all."""
    if not pair:
        return None
    places = {int(place): value for place, value in pair.items()}
    return [_digits(places.get(place)) for place in range(n)]


def _view(sentence: kit.Data, scheme: str, board: Board) -> kit.Panel | None:
    """Return a sentence on one scheme by the best method that it has, for a page without scripts."""
    forms = [form for form in sentence["forms"] if scheme in form["schemes"]]
    models = [form["schemes"][scheme] for form in forms]
    methods = [row["method"] for row in board.ranked(scheme)] + board.methods
    method = next((m for m in methods if forms and all(m in model["methods"] for model in models)), None)
    if method is None:
        return None
    values = [[float(value) for value in model["methods"][method]] for model in models]
    pairs = _pairs(forms, scheme)
    blocks: list[kit.Block] = []
    for form, model, row in zip(forms, models, values, strict=True):
        truth = np.array([bool(mark) for mark in form["ground_truth"]])
        blocks.append(
            kit.Prose((
                kit.strong(form["form"]),
                f": probability {kit.number(model['probability'])}, {'right' if model['correct'] else 'wrong'}; mass "
                f"accuracy {kit.number(_mass(row, truth))}, chance {kit.number(float(truth.mean()))}"
            ))
        )  # fmt: skip
    most = max(map(kit.largest, values), default=0.0)
    blocks.append(
        kit.Aligned([
            [
                kit.chip(form["words"][at], row[at], most, boxed=bool(form["ground_truth"][at]))
                for form, row in zip(forms, values, strict=True)
                if at < len(form["words"])
            ]
            for at in range(max(len(form["words"]) for form in forms))
        ])
    )  # fmt: skip
    for called, texts, pair in pairs:
        known = {at: value for at, value in enumerate(pair) if value is not None}
        words = {at: " / ".join(text[at] for text in texts if at < len(text)) for at in known}
        most = kit.largest([*known.values()])
        strip = [[kit.chip(words[at], value, most, boxed=True)] for at, value in known.items()]
        title = kit.line("Exact pair Shapley, ", kit.name(called), ":") if called else "Exact pair Shapley:"
        blocks += [kit.Prose(title), kit.Aligned(strip, written=True)]
    blocks.append(kit.Fold("The numbers", [_table(forms, values, pairs, f"Sentence {sentence['group']}")]))
    why = kit.quiet(f"{sentence['why']}; scheme {scheme}, {board.labels[method]}")
    return kit.Panel(kit.line(f"Sentence {sentence['group']} ", why), blocks)


def _pairs(forms: Sequence[kit.Data], scheme: str) -> list[tuple[str, list[list[str]], list[float | None]]]:
    """Return the pair Shapley values, once where they are the same for all forms: name of the form, words, values."""
    words = [[kit.cut(word, _WORD) for word in form["words"]] for form in forms]
    known = [
        (form["form"], texts, pair)
        for form, texts in zip(forms, words, strict=True)
        if (pair := _spread(form["schemes"][scheme]["pair_shapley"], len(texts))) is not None
    ]
    if len(known) > 1 and all(pair == known[0][2] for _, _, pair in known):
        return [("", words, known[0][2])]
    return [(form, [texts], pair) for form, texts, pair in known]


def _mass(values: Sequence[float], truth: np.ndarray) -> float:
    sizes = np.abs(values)
    return float(sizes[truth].sum() / sizes.sum()) if sizes.sum() > 0 else float(truth.mean())


def _table(
    forms: Sequence[kit.Data],
    values: Sequence[Sequence[float]],
    pairs: Sequence[tuple[str, Any, Sequence[float | None]]],
    label: str,
) -> kit.Table:
    heads = ["Place", *(head for form in forms for head in (form["form"], "Attribution"))]
    heads += [f"Pair Shapley {form}".strip() for form, _, _ in pairs]
    rows = []
    for at in range(max(len(form["words"]) for form in forms)):
        cells = [str(at)]
        for form, row in zip(forms, values, strict=True):
            there = at < len(form["words"])
            mark = " ▣" if there and form["ground_truth"][at] else ""
            cells += [kit.cut(form["words"][at], _WORD) + mark, kit.signed(row[at])] if there else ["", ""]
        rows.append([*cells, *(kit.signed(pair[at]) if at < len(pair) else "" for _, _, pair in pairs)])
    return kit.Table(kit.number_columns(heads), rows, label=label)


def failures_section(data: kit.Data, board: Board) -> kit.Section | None:
    """Return the worst explained rows: those that many methods share, and those of each method."""
    failures = [row for row in data["failures"] if board.looks(row["method"])]
    if not failures:
        return None
    known = {(sentence["group"], form["form"]): form for sentence in data["sentences"] for form in sentence["forms"]}
    shared: dict[tuple[Any, ...], list[kit.Data]] = {}
    for row in sorted(failures, key=lambda row: float(row["mass_accuracy"])):
        shared.setdefault((row["scheme"], row["group"], row["form"]), []).append(row)
    by_sentence = []
    for rows in sorted(shared.values(), key=lambda rows: -len(rows))[:_FAILURES]:
        scores = "; ".join(f"{board.labels[row['method']]} {kit.number(row['mass_accuracy'])}" for row in rows)
        label = f"{len(rows)} of {len(board.ranked(rows[0]['scheme']))}"
        by_sentence.append(_failure(label, rows[0], known, scores))
    order = {method: place for place, method in enumerate(board.methods)}
    ordered = sorted(failures, key=lambda row: (order[row["method"]], board.schemes.index(row["scheme"])))[:_LIST]
    by_method = [_failure(board.labels[row["method"]], row, known, kit.number(row["mass_accuracy"])) for row in ordered]
    heads = ["Sentence", "Scheme", "Form", "Mass accuracy"]
    note = (
        "The rows with the lowest mass accuracy of each method and scheme. A low mass accuracy is the explanation's "
        "fault only if the model uses the changed words: compare with the pair Shapley values of the sentence. Boxed: "
        "the changed words."
    )
    blocks: list[kit.Block] = [
        kit.Prose(note, "quiet"),
        *titled(grid(["Methods", *heads], by_sentence, "Sentences that are among the worst of most methods")),
        *titled(grid(["Method", *heads], by_method, f"By method: {len(by_method)} rows"), fold=True),
    ]
    return kit.Section("failures", "Where methods fail", blocks, nav="Failures")


def _failure(label: str, row: kit.Data, known: Mapping[Any, kit.Data], last: kit.Line) -> kit.Row:
    form = known.get((row["group"], row["form"]))
    sentence: kit.Cell | kit.Line = str(row["group"])
    if form is not None:
        look = {key: str(row[key]) for key in ("group", "scheme", "method")}
        words = _shorten(form["words"], form["ground_truth"])
        sentence = kit.Cell(words, f"sentence {row['group']}", button=kit.Button("Look", look, kind="look"))
    return kit.Row([kit.name(label), sentence, kit.name(row["scheme"]), str(row["form"]), last])


def _shorten(words: Sequence[str], truth: Sequence[bool]) -> kit.Line:
    """Return a sentence with its changed words boxed, cut."""
    pieces: list[str | kit.Span] = []
    length = 0
    for word, mark in zip(words, truth, strict=True):
        length += len(word) + 1
        if length > _TEXT:
            return [*pieces, " …"]
        pieces += [" " if pieces else "", kit.Span(word, "boxed") if mark else word]
    return pieces
