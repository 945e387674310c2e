"""The page of the benchmark of attribution methods: what was found in words, then all numbers, then sentences."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from xembed.reports import _geco_figures as figures
from xembed.reports._common import card, notes, page_context, plot
from xembed.reports._format import bounds, count, cut, number, percent, points
from xembed.reports._geco_figures import MAIN, SURE, Board, cell, grid
from xembed.reports._geco_findings import best_rows, chip_of, findings_section, listed, silent_methods, verdict_of
from xembed.reports._geco_inspector import failures_section, inspector_section

Data = Mapping[str, Any]
Section = dict[str, Any]

# Below these, intervals of sentences and of seeds are known to be too narrow.
_FEW_SENTENCES, _FEW_SEEDS = 50, 5
_NAME, _ITEMS, _WORDS = 120, 400, 12  # characters of names and of items of the run card; words of the bias table
# Works that each method, or part of the page, is taken from.
_SOURCES = {
    "saliency_l1": ["simonyan"], "saliency_l2": ["li_saliency"], "input_x_gradient": ["shrikumar2016"],
    "integrated_gradients": ["sundararajan"], "gradient_shap": ["lundberg", "erion"], "deep_lift": ["shrikumar2017"],
    "guided_backprop": ["springenberg"], "deconvolution": ["zeiler"], "occlusion": ["zeiler"], "lime": ["ribeiro"],
    "kernel_shap": ["lundberg"], "shapley_sampling": ["strumbelj"], "attention_rollout": ["abnar"],
    "attention_gradient": ["chefer"], "pattern": ["haufe"], "pattern_variant": ["haufe"],
    "faithfulness": ["deyoung"], "randomisation": ["adebayo"],
}  # fmt: skip


def geco_context(data: Data) -> dict[str, Any]:
    """Return what the page of the benchmark needs."""
    board = Board(data)
    sections = [
        findings_section(data, board),
        _leaderboard_section(data, board),
        _accuracy_section(data, board),
        _grids("distributions", "Distributions", "How rows differ", "", [figures.boxes(board)]),
        _qualities_section(board),
        _forms_section(data, board),
        inspector_section(data, board),
        failures_section(data, board),
        _bias_section(data),
        _run_section(data),
    ]
    best = best_rows(board)
    return page_context(
        data,
        template="geco.html.j2",
        kind="attribution benchmark",
        title=f"{cut(str(data['backbone']), _NAME)} on {cut(str(data['data']), _NAME)}",
        chip=chip_of(board, best),
        verdict=verdict_of(data, board, best),
        cards=_cards(data, board, best),
        warnings=notes(_warnings(data, board)),
        sections=[section for section in sections if section is not None],
        sizes=f"{count(data['n_train'], 'row')} trained on, {data['n_test']:,} of "
        f"{count(data['n_sentences'], 'sentence')} tested on",
        package="xembed.geco",
        **_methods(data, board),
    )


def _grids(id_: str, nav: str, title: str, note: str, grids: Sequence[Data]) -> Section:
    return {"kind": "grids", "id": id_, "nav": nav, "title": title, "note": note, "grids": list(grids)}


def _leaderboard_section(data: Data, board: Board) -> Section:
    note = (
        f"In small print: {board.level} intervals for other sentences and seeds; the stronger the color, the further "
        "above chance. ★: the best method of the scheme that looks at the model; ≈: not clearly below it "
        f"(p > {SURE:g} by Holm, paired); ○: not clearly above chance. References do not look at the model: the oracle "
        "marks exactly the changed words, chance is what a constant explanation gets. In place of a number stands why "
        "a method has none on this model."
    )
    title = f"Leaderboard on {data['n_sentences']:,} sentences"
    return _grids("leaderboard", "Leaderboard", title, note, figures.leaderboards(board))


def _accuracy_section(data: Data, board: Board) -> Section:
    figure = figures.accuracy_figure(board)
    table = figures.accuracy_grid(board, data["classes"])
    section = _grids("accuracy", "Accuracy", "Accuracy beside explanation", "", [table])
    if figure is not None:
        caption = (
            "A dot for each method that looks at the model: how well its explanations find the changed words, over "
        )
        caption += "how well the models of the scheme classify. Point at a dot for its method."
        section["plot"] = plot("accuracy-plot", "Explanation over accuracy", caption, figure, size="wide")
    return section


def _qualities_section(board: Board) -> Section | None:
    grids = figures.qualities(board)
    if not grids:
        return None
    note = (
        "↑: higher is better, ↓: lower is better. A method can find the annotated words and still not say what the "
        "model does; these numbers ask the model."
    )
    return _grids(
        "qualities", "Model truth and cost", "Agreement with the model, faithfulness, stability and cost", note, grids
    )


def _forms_section(data: Data, board: Board) -> Section | None:
    grids = figures.form_grids(board, data["classes"])
    if not grids:
        return None
    first, second = data["classes"][:2]
    note = (
        f"Mean mass accuracy of each form, and the difference paired by sentence with its {board.level} interval; "
        f"above 0: the form {first} is explained better than {second}. p: sign flips of sentences; Holm: corrected for "
        "all methods and schemes that look at a model."
    )
    return _grids("forms", "Forms", f"Are {first} and {second} explained alike?", note, grids)


def _bias_section(data: Data) -> Section | None:
    """Return what the data and the embeddings do with the forms, as far as it was computed."""
    grids = []
    note = ""
    words = data["bias"].get("cooccurrence")
    if words and words.get("words"):
        n = count(len(words["words"]), "word")
        head = ["Word", *(f"Rows: {form}" for form in words["classes"]), f"Share of {words['classes'][0]}"]
        lines = zip(words["words"], words["counts"], words["shares"], strict=True)
        rows = [
            _line(cut(word, 60), [*(f"{rows_of:,}" for rows_of in counts), percent(shares[0])])
            for word, counts, shares in lines
            if not np.allclose(shares, words["expected"], rtol=0, atol=1e-9)
        ]
        if rows:
            more = f"Outside the changed words {len(rows):,} of {n} are out of balance; those furthest from it."
            title = "Words that occur in one form more than in the other"
            grids.append(grid(title, head, rows[:_WORDS], more))
        else:
            note = f"Outside the changed words each of {n} occurs as often in every form: none gives the form away."
    shift = data["bias"].get("paired_shift")
    if shift:
        rows = [
            _line(label, [number(shift[key]), bounds(*shift[ends]) if ends else "", text])
            for key, ends, label, text in (
                ("cosine", "cosine_interval", "Cosine of the forms", "of the two forms of a sentence, mean"),
                ("mean_share", "mean_share_interval", "Share along one direction",
                 f"of the energy of the differences; {number(shift.get('mean_share_chance'))} by chance"),
                ("heldout_accuracy", "heldout_interval", "Held-out pairs told apart", "by it; chance is 0.5"),
                ("pvalue", None, "p", "that the differences have no common direction"),
            )
            if shift.get(key) is not None
        ]  # fmt: skip
        grids.append(grid("Embeddings of the two forms", ["Measure", "Value", "Interval", "Meaning"], rows))
    title = "What the data and embeddings do with the forms"
    return _grids("bias", "Bias of the data", title, note, grids) if grids or note else None


def _line(label: str, values: Sequence[str | None]) -> dict[str, Any]:
    return {"label": label, "badge": "", "note": "", "kind": "", "cells": [cell(value or "–") for value in values]}


def _run_section(data: Data) -> Section:
    card_rows = [
        ("Data", str(data["data"])),
        ("Forms", ", ".join(data["classes"])),
        ("Rows trained on", f"{data['n_train']:,}"),
        ("Rows tested on", f"{data['n_test']:,} of {count(data['n_sentences'], 'sentence')}"),
        ("Backbone", str(data["backbone"])),
        ("Seeds", ", ".join(map(str, data["seeds"]))),
        ("Intervals", f"{percent(data['confidence_level'])}, {data['n_resamples']:,} resamples"),
        *((f"Option: {key}", _item(value)) for key, value in data["options"].items()),
        *((f"Cost: {key.replace('_', ' ')}", _item(value)) for key, value in data["cost"].items()),
    ]
    excluded = [
        _line(str(reason), [f"{n:,}" if isinstance(n, int) else _item(n)]) for reason, n in data["excluded"].items()
    ]
    grids = [grid("", ["What", "Value"], [_line(key, [value]) for key, value in card_rows])]
    if excluded:
        grids.append(grid("Rows that were left out", ["Why", "Rows"], excluded))
    note = "" if excluded else "No row was left out."
    return _grids("run", "Run card", "Run card", note, grids)


def _item(value: Any) -> str:
    if isinstance(value, float):
        return number(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    if isinstance(value, Mapping):
        return cut(", ".join(f"{key}: {_item(item)}" for key, item in value.items()), _ITEMS)
    if isinstance(value, list | tuple):
        return cut(", ".join(_item(item) for item in value), _ITEMS)
    return cut(str(value), _ITEMS)


def _cards(data: Data, board: Board, best: Mapping[str, Data]) -> list[dict[str, str]]:
    cards = []
    if best:
        scheme = max(best, key=lambda scheme: float(best[scheme]["metrics"][MAIN]["mean"]))
        score = best[scheme]["metrics"][MAIN]
        cards.append(card("Highest mass accuracy", number(score["mean"]), f"{best[scheme]['label']} on {scheme}"))
        chances = [value for s in best if (value := board.chance(s)) is not None]
        if chances:
            cards.append(card("Chance", number(float(np.mean(chances))), "of a constant explanation"))
    means = [float(row["accuracy"]["mean"]) for row in board.accuracy.values()]
    if means:
        ends = dict.fromkeys(f"{points(end)}%" for end in (min(means), max(means)))
        cards.append(card("Accuracy", " to ".join(ends), f"of the models of {count(len(means), 'scheme')}"))
    looking = [method for method in board.methods if board.looks(method)]
    bad = {row["method"] for rows in silent_methods(board).values() for _, row in rows}
    cards.append(
        card("Methods", f"{len([m for m in looking if m not in bad])} of {len(looking)}", "valid on every scheme")
    )
    seeds = count(len(data["seeds"]), "seed")
    cards.append(card("Test sentences", f"{data['n_sentences']:,}", f"{data['n_test']:,} rows, {seeds} a scheme"))
    return cards


def _warnings(data: Data, board: Board) -> list[str]:
    found = [str(note) for note in data["notes"]]
    if data["n_sentences"] < _FEW_SENTENCES:
        found.append(
            f"Only {count(data['n_sentences'], 'test sentence')}: intervals of so few are too narrow, and methods that "
            "look alike here may differ."
        )
    n_seeds = len(data["seeds"])
    if any(re.match(r"(one|\d+) seeds?:", note, re.IGNORECASE) for note in found):
        pass  # the run says it itself
    elif n_seeds == 1:
        found.append("One seed: intervals say nothing about how much another training would change the numbers.")
    elif n_seeds < _FEW_SEEDS:
        found.append(
            f"{n_seeds} seeds: where seeds differ much, intervals are too narrow (in a simulation, 95% intervals of "
            "three seeds covered 87%)."
        )
    at_chance = [
        scheme for scheme, row in board.accuracy.items() if row["accuracy"]["low"] <= 1.0 / max(len(data["classes"]), 1)
    ]
    if at_chance:
        found.append(
            f"The models of {listed(at_chance)} are not clearly better than guessing: their explanations explain "
            "nothing that was learned."
        )
    return list(dict.fromkeys(found))


def _methods(data: Data, board: Board) -> dict[str, Any]:
    """Return what the section on methods says, only of what is on the page."""
    rows = list(board.rows.values())
    parts = [key for key in ("model_truth", "faithfulness", "stability", "randomisation") if any(r[key] for r in rows)]
    keys = ["wilming", "arras"]
    for name in (*board.methods, *parts):
        keys += [key for key in _SOURCES.get(name, []) if key not in keys]
    if len(data["seeds"]) > 1:
        keys.append("owen")
    keys.append("holm")
    return {
        "explained": [(board.labels[method], method) for method in board.methods],
        "parts": parts,
        "seeds": len(data["seeds"]),
        "level": board.level,
        "references": keys,
        "reference_mode": str(data["options"].get("reference_mode") or ""),
    }
