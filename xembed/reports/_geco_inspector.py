"""The sentences of a benchmark to look at: forms aligned word by word, with attributions; and where methods fail."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from xembed.reports._format import cut, number
from xembed.reports._geco_figures import Board, Grid, cell, grid
from xembed.reports._script_data import pack

Data = Mapping[str, Any]

_WORD = 60  # characters of a word
_STATIC = 3  # sentences that are there without scripts
_TEXT = 300  # characters of a sentence in the table of failures
_FAILURES = 12  # rows of that table before the fold
_LIST = 400  # rows of it at all
_FAINT = 0.05  # share of the largest below which a word gets no sign


def inspector_section(data: Data, board: Board) -> dict[str, Any] | None:
    """Return the sentences to look at: packed for the script, and the first ones as they are."""
    if not data["sentences"]:
        return None
    schemes = [
        scheme
        for scheme in board.schemes
        if any(scheme in form["schemes"] for sentence in data["sentences"] for form in sentence["forms"])
    ]
    return {
        "kind": "inspector",
        "id": "inspector",
        "nav": "Sentences",
        "data": pack(
            {
                "schemes": schemes,
                "methods": [method for method in board.methods if method not in {"oracle", "chance"}],
                "labels": board.labels,
                "best": {s: rows[0]["method"] for s in schemes if (rows := board.ranked(s))},
                "sentences": [_packed(sentence) for sentence in data["sentences"]],
            }
        ),
        "views": [
            view
            for sentence in data["sentences"][:_STATIC]
            if schemes and (view := _view(sentence, schemes[0], board)) is not None
        ],
        "n": len(data["sentences"]),
        "seed": data["seeds"][0] if data["seeds"] else None,
    }


def _packed(sentence: Data) -> dict[str, Any]:
    return {
        "group": sentence["group"],
        "why": str(sentence["why"]),
        "forms": [
            {
                "form": form["form"],
                "words": [cut(word, _WORD) for word in form["words"]],
                "truth": [int(bool(mark)) for mark in form["ground_truth"]],
                "schemes": {
                    scheme: {
                        "p": _digits(found["probability"]),
                        "correct": bool(found["correct"]),
                        "pair": _spread(found["pair_shapley"], len(form["words"])),
                        "methods": {name: [_digits(v) for v in values] for name, values in found["methods"].items()},
                    }
                    for scheme, found in form["schemes"].items()
                },
            }
            for form in sentence["forms"]
        ],
    }  # fmt: skip


def _digits(value: float | None) -> float | None:
    """Return a number with four digits: more can't be seen and would make the page large."""
    return None if value is None or not np.isfinite(value) else float(f"{value:.4g}")


def _spread(pair: Mapping[str, float] | None, n: int) -> list[float | None] | None:
    """Return a value or None for each word, or None if there is no pair Shapley at all."""
    if not pair:
        return None
    places = {int(place): value for place, value in pair.items()}
    return [_digits(places.get(place)) for place in range(n)]


def _view(sentence: Data, scheme: str, board: Board) -> dict[str, Any] | None:
    """Return a sentence on one scheme by the best method that it has, for a page without scripts."""
    forms = [form for form in sentence["forms"] if scheme in form["schemes"]]
    found = [form["schemes"][scheme] for form in forms]
    methods = [row["method"] for row in board.ranked(scheme)] + board.methods
    method = next((m for m in methods if forms and all(m in one["methods"] for one in found)), None)
    if method is None:
        return None
    values = [[float(value) for value in one["methods"][method]] for one in found]
    pairs = _pairs(forms, scheme)
    return {
        "group": sentence["group"],
        "why": sentence["why"],
        "scheme": scheme,
        "method": board.labels[method],
        "forms": [
            {
                "form": form["form"],
                "probability": number(one["probability"]),
                "correct": one["correct"],
                "mass": number(_mass(row, form["ground_truth"])),
                "chance": number(float(np.mean([bool(mark) for mark in form["ground_truth"]]))),
            }
            for form, one, row in zip(forms, found, values, strict=True)
        ],
        "columns": _columns(forms, values),
        "strips": [
            {
                "form": form,
                "chips": [
                    _chip(" / ".join(words[place] for words in texts if place < len(words)), True, value, most)
                    | {"value": signed(value)}
                    for place, value in enumerate(pair)
                    if value is not None
                ],
            }
            for form, texts, pair in pairs
            for most in [max((abs(value) for value in pair if value is not None), default=0.0)]
        ],
        "table": _table(forms, values, pairs),
    }


def _pairs(forms: Sequence[Data], scheme: str) -> list[tuple[str, list[list[str]], list[float | None]]]:
    """Return the pair Shapley values, once where they are the same for all forms: name of the form, words, values."""
    words = [[cut(word, _WORD) for word in form["words"]] for form in forms]
    known = [
        (form["form"], texts, pair)
        for form, texts in zip(forms, words, strict=True)
        if (pair := _spread(form["schemes"][scheme]["pair_shapley"], len(texts))) is not None
    ]
    if len(known) > 1 and all(pair == known[0][2] for _, _, pair in known):
        return [("", words, known[0][2])]
    return [(form, [texts], pair) for form, texts, pair in known]


def _mass(values: Sequence[float], truth: Sequence[bool]) -> float:
    sizes, marks = np.abs(values), np.array([bool(mark) for mark in truth])
    return float(sizes[marks].sum() / sizes.sum()) if sizes.sum() > 0 else float(marks.mean())


def _chip(word: str, truth: bool, value: float, most: float) -> dict[str, Any]:
    share = abs(value) / most if most > 0 else 0.0
    return {
        "word": word,
        "truth": truth,
        "tone": "pos" if value > 0 else "neg" if value < 0 else "",
        "sign": "" if share < _FAINT else "+" if value > 0 else "−",
        "share": f"{share:.2f}",
    }


def _columns(forms: Sequence[Data], values: Sequence[Sequence[float]]) -> list[list[dict[str, Any]]]:
    """Return, position by position, the word of each form."""
    most = max((abs(value) for row in values for value in row), default=0.0)
    return [
        [
            _chip(cut(form["words"][place], _WORD), bool(form["ground_truth"][place]), row[place], most)
            for form, row in zip(forms, values, strict=True)
            if place < len(form["words"])
        ]
        for place in range(max(len(form["words"]) for form in forms))
    ]


def _table(
    forms: Sequence[Data], values: Sequence[Sequence[float]], pairs: Sequence[tuple[str, Any, Sequence[float | None]]]
) -> tuple[list[str], list[list[str]]]:
    head = ["Place"]
    for form in forms:
        head += [form["form"], "Attribution"]
    head += [f"Pair Shapley {form}".strip() for form, _, _ in pairs]
    body = []
    for place in range(max(len(form["words"]) for form in forms)):
        line = [str(place)]
        for form, row in zip(forms, values, strict=True):
            there = place < len(form["words"])
            mark = " ▣" if there and form["ground_truth"][place] else ""
            line += [cut(form["words"][place], _WORD) + mark, signed(row[place])] if there else ["", ""]
        body.append([*line, *(signed(pair[place]) if place < len(pair) else "" for _, _, pair in pairs)])
    return head, body


def signed(value: float | None) -> str:
    """Write an attribution with its sign."""
    return "–" if value is None else "0" if value == 0 else f"{value:+.3g}".replace("-", "−")


def failures_section(data: Data, board: Board) -> dict[str, Any] | None:
    """Return the worst explained rows: those that many methods share, and those of each method."""
    found = [row for row in data["failures"] if board.looks(row["method"])]
    if not found:
        return None
    known = {(sentence["group"], form["form"]): form for sentence in data["sentences"] for form in sentence["forms"]}
    shared: dict[tuple[Any, ...], list[Data]] = {}
    for row in sorted(found, key=lambda row: float(row["mass_accuracy"])):
        shared.setdefault((row["scheme"], row["group"], row["form"]), []).append(row)
    worst = sorted(shared.values(), key=lambda rows: -len(rows))[:_FAILURES]
    by_sentence = [
        _failure(
            f"{len(rows)} of {len(board.ranked(rows[0]['scheme']))}",
            rows[0],
            known,
            cell("; ".join(f"{board.labels[row['method']]} {number(row['mass_accuracy'])}" for row in rows), said=True),
        )
        for rows in worst
    ]
    order = {method: place for place, method in enumerate(board.methods)}
    ordered = sorted(found, key=lambda row: (order[row["method"]], board.schemes.index(row["scheme"])))[:_LIST]
    by_method = [
        _failure(board.labels[row["method"]], row, known, cell(number(row["mass_accuracy"]))) for row in ordered
    ]  # fmt: skip
    head = ["Sentence", "Scheme", "Form"]
    grids: list[Grid] = [
        grid("Sentences that are among the worst of most methods", ["Methods", *head, "Mass accuracy"], by_sentence),
        grid(f"By method: {len(by_method)} rows", ["Method", *head, "Mass accuracy"], by_method, fold=True),
    ]
    return {
        "kind": "grids",
        "id": "failures",
        "nav": "Failures",
        "title": "Where methods fail",
        "note": "The rows with the lowest mass accuracy of each method and scheme. A low mass accuracy is the "
        "explanation's fault only if the model uses the changed words: compare with the pair Shapley values of the "
        "sentence. Boxed: the changed words.",
        "grids": grids,
    }


def _failure(label: str, row: Data, known: Mapping[Any, Data], last: Data) -> dict[str, Any]:
    form = known.get((row["group"], row["form"]))
    words = [] if form is None else list(zip(form["words"], form["ground_truth"], strict=True))
    look = None if form is None else {key: row[key] for key in ("group", "scheme", "method")}
    sentence = cell(str(row["group"]), sentence=_shorten(words), look=look)
    cells = [sentence, cell(row["scheme"]), cell(str(row["form"])), last]
    return {"label": label, "badge": "", "note": "", "kind": "", "cells": cells}


def _shorten(words: Sequence[tuple[str, bool]]) -> list[tuple[str, bool]]:
    found: list[tuple[str, bool]] = []
    length = 0
    for word, mark in words:
        length += len(word) + 1
        if length > _TEXT:
            return [*found, ("…", False)]
        found.append((word, bool(mark)))
    return found
