"""The page of the benchmark of attribution methods: what was found in words, then all numbers, then sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from xembed.reports import _geco_figures as figures
from xembed.reports._common import card, notes, page_context, plot
from xembed.reports._format import bounds, count, cut, gain_points, number, p_value, percent, points
from xembed.reports._geco_figures import CHANCE, MAIN, ORACLE, SURE, Board, cell, grid
from xembed.reports._geco_inspector import failures_section, inspector_section

Data = Mapping[str, Any]
Section = dict[str, Any]

# Below these, intervals of sentences and of seeds are known to be too narrow.
_FEW_SENTENCES, _FEW_SEEDS = 50, 5
_SAME_ORDER = 0.9  # rank correlation with the attributions of a random model: the method hardly looks at what was learned
_SMALL, _LARGE = 0.02, 0.1  # differences of accuracy and of mass accuracy between schemes
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
        _findings_section(data, board),
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
    best = _best_rows(board)
    return page_context(
        data,
        template="geco.html.j2",
        kind="attribution benchmark",
        title=f"{cut(str(data['backbone']), _NAME)} on {cut(str(data['data']), _NAME)}",
        chip=_chip(board, best),
        verdict=_verdict(data, board, best),
        cards=_cards(data, board, best),
        warnings=notes(_warnings(data, board)),
        sections=[section for section in sections if section is not None],
        sizes=f"{count(data['n_train'], 'row')} trained on, {data['n_test']:,} of {count(data['n_sentences'], 'sentence')} "
        "tested on",
        package="xembed.geco",
        **_methods(data, board),
    )  # fmt: skip


def _grids(id_: str, nav: str, title: str, note: str, grids: Sequence[Data]) -> Section:
    return {"kind": "grids", "id": id_, "nav": nav, "title": title, "note": note, "grids": list(grids)}


def _best_rows(board: Board) -> dict[str, Data]:
    return {scheme: rows[0] for scheme in board.schemes if (rows := board.ranked(scheme))}


def _chip(board: Board, best: Mapping[str, Data]) -> tuple[bool, str, str]:
    if not best:
        return False, "No method could be scored", "–"
    above = [scheme for scheme, row in best.items() if board.above_chance(scheme, row["method"])]
    if not above:
        return False, "No method is clearly above chance", "○"
    labels = [best[scheme]["label"] for scheme in above]
    leading = max(dict.fromkeys(labels), key=labels.count)
    return True, f"Best on {labels.count(leading)} of {count(len(board.schemes), 'scheme')}: {leading}", "★"


def _verdict(data: Data, board: Board, best: Mapping[str, Data]) -> str:
    if not best:
        return "No method gave numbers on any scheme: see why in the leaderboard."
    by_method: dict[str, list[str]] = {}
    for scheme, row in best.items():
        by_method.setdefault(row["label"], []).append(f"{scheme} ({number(row['metrics'][MAIN]['mean'])})")
    named = [f"{label} on {_and(schemes)}" for label, schemes in by_method.items()]
    joined = _and(named) if len(named) < 2 else "; ".join(named)
    chances = sorted({number(value) for scheme in best if (value := board.chance(scheme)) is not None})
    chance = f"; chance is {' to '.join(chances[:: max(len(chances) - 1, 1)])}" if chances else ""
    parts = [f"Mass accuracy, the share of an explanation that lies on the changed words, is highest for {joined}{chance}."]
    clear = [scheme for scheme in best if (p := _runner_up(board, scheme)[1]) is not None and p <= SURE]
    parts.append(
        f"The best method is clearly better than the runner-up on {len(clear)} of {count(len(best), 'scheme')}."
    )
    silent = _silent(board)
    if silent:
        parts.append(f"{_and(list(silent))} say{'s' if len(silent) == 1 else ''} nothing of {'its' if len(silent) == 1 else 'their'} own on at least one scheme.")
    return " ".join(parts)  # fmt: skip


def _and(items: Sequence[str]) -> str:
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"


def _runner_up(board: Board, scheme: str) -> tuple[Data | None, float | None]:
    """Return the second row of a scheme, and the corrected p-value of its difference to the first."""
    rows = board.ranked(scheme)
    return (rows[1], rows[1]["against_best"]) if len(rows) > 1 else (None, None)


def _silent(board: Board) -> dict[str, list[tuple[str, Data]]]:
    """Return the rows of methods that are degenerate or unsupported, by label."""
    found: dict[str, list[tuple[str, Data]]] = {}
    for (scheme, _), row in board.rows.items():
        if row["status"] != "valid":
            found.setdefault(row["label"], []).append((scheme, row))
    return found


def _findings_section(data: Data, board: Board) -> Section:
    together = _together(board)
    return {
        "kind": "findings",
        "id": "findings",
        "nav": "What was found",
        "title": "What was found",
        "blocks": [
            block
            for block in (
                ("Which method finds the changed words", [_best_sentence(board, scheme) for scheme in board.schemes]),
                ("Do explanation and accuracy go together?", together),
                ("Methods that say nothing on this model", _silent_sentences(board)),
                ("Is the explainer wrong, or does the model not use the word?", _use_sentences(board)),
                ("Do the two forms differ?", _form_sentences(data, board)),
            )
            if block[1]
        ],
    }


def _best_sentence(board: Board, scheme: str) -> str:
    rows = board.ranked(scheme)
    if not rows:
        return f"{scheme}: no method could be scored."
    best, score = rows[0], rows[0]["metrics"][MAIN]
    chance = board.chance(scheme)
    parts = [
        f"{scheme}: {best['label']}, mass accuracy {number(score['mean'])} "
        f"({board.level} interval {bounds(score['low'], score['high'])})"
    ]
    if chance is not None:
        sure = board.above_chance(scheme, best["method"])
        parts.append(f"{'above' if sure else 'not clearly above'} chance ({number(chance)})")
    second, p = _runner_up(board, scheme)
    if second is not None:
        clear = "not compared" if p is None else f"{'clear' if p <= SURE else 'not clear'}, p = {p_value(p)} by Holm"
        parts.append(
            f"the runner-up is {second['label']} with {number(second['metrics'][MAIN]['mean'])} (difference {clear})"
        )
    references = [
        board.labels[method]
        for method in board.methods
        if not board.looks(method)
        and method not in {ORACLE, CHANCE}
        and (found := board.score(scheme, method)) is not None
        and found["mean"] > score["mean"]
    ]
    sentence = "; ".join(parts) + "."
    if references:
        sentence += f" {_and(references)}, which {'does' if len(references) == 1 else 'do'} not look at the model, "
        sentence += f"score{'s' if len(references) == 1 else ''} higher."
    return sentence


def _together(board: Board) -> list[str]:
    """Return whether schemes that classify better are explained better, and what misclassified rows do."""
    schemes = [scheme for scheme in board.schemes if board.ranked(scheme)]
    sentences = []
    if len(schemes) > 1:
        accuracy = [float(board.accuracy[scheme]["accuracy"]["mean"]) for scheme in schemes]
        tops = [float(board.ranked(scheme)[0]["metrics"][MAIN]["mean"]) for scheme in schemes]
        means = [float(np.mean([row["metrics"][MAIN]["mean"] for row in board.ranked(scheme)])) for scheme in schemes]
        gap, top_gap = max(accuracy) - min(accuracy), max(tops) - min(tops)
        sentence = (
            f"Accuracy goes from {points(min(accuracy))}% to {points(max(accuracy))}%, the mass accuracy of the best "
            f"method from {number(min(tops))} to {number(max(tops))}."
        )
        if gap <= _SMALL and top_gap >= _LARGE:
            sentence += " So models that classify alike are explained very differently: accuracy does not tell how well."
        elif gap <= _SMALL:
            sentence += " The models classify too much alike to say."
        sentences.append(sentence)
        if len(schemes) > 2 and (rho := _rank_correlation(accuracy, means)) is not None:
            sentences.append(
                f"Over the {len(schemes)} schemes the rank correlation of accuracy and mean mass accuracy of all methods "
                f"is {rho:+.2f}; so few schemes can't show more than a tendency."
            )  # fmt: skip
    changes = [
        row["correct_only"]["mean"] - row["metrics"][MAIN]["mean"]
        for scheme in schemes
        for row in board.ranked(scheme)
        if row["correct_only"] is not None
    ]
    if changes:
        most = max(changes, key=abs)
        sentences.append(
            f"Leaving out the rows that the model gets wrong changes a mass accuracy by at most {gain_points(most)} "
            "points (× 100)."
        )
    return sentences


def _rank_correlation(first: Sequence[float], second: Sequence[float]) -> float | None:
    from scipy.stats import rankdata

    if len(set(first)) < 2 or len(set(second)) < 2:
        return None
    return float(np.corrcoef(rankdata(first), rankdata(second))[0, 1])


def _silent_sentences(board: Board) -> list[str]:
    sentences = []
    for label, rows in _silent(board).items():
        reasons: dict[tuple[str, str], list[str]] = {}
        for scheme, row in rows:
            reasons.setdefault((row["status"], row["reason"]), []).append(scheme)
        for (status, reason), schemes in reasons.items():
            where = "all schemes" if len(schemes) == len(board.schemes) else _and(schemes)
            sentences.append(f"{label} is {status} on {where}: {reason}")
    below = {
        scheme: [row["label"] for row in board.ranked(scheme) if not board.above_chance(scheme, row["method"])]
        for scheme in board.schemes
        if board.chance(scheme) is not None
    }
    sentences += [f"Not clearly above chance on {scheme}: {_and(labels)}." for scheme, labels in below.items() if labels]
    same = {
        row["label"]: score["mean"]
        for scheme in board.schemes
        for row in board.ranked(scheme)
        for score in row["randomisation"].values()
        if score["mean"] >= _SAME_ORDER
    }
    if same:
        sentences.append(
            f"{_and(list(same))} order{'s' if len(same) == 1 else ''} the words almost as for a model with a random head "
            f"or encoder (rank correlation of {_SAME_ORDER:g} or more): hardly a look at what was learned."
        )  # fmt: skip
    return sentences


def _use_sentences(board: Board) -> list[str]:
    used = {s: row["used_words"] for s, row in board.accuracy.items() if row["used_words"] is not None}
    if not used:
        return []
    sentences = [
        "By exact pair Shapley values, which mix the two forms of a sentence and need no artificial baseline, the models "
        "use " + _and([f"{percent(share)} of the changed words on {scheme}" for scheme, share in used.items()]) + "."
    ]  # fmt: skip
    for scheme in used:
        known = [row for row in board.ranked(scheme) if row["model_truth"].get("spearman")]
        if known:
            top = max(known, key=lambda row: float(row["model_truth"]["spearman"]["mean"]))
            score = top["model_truth"]["spearman"]
            sentences.append(
                f"{scheme}: {top['label']} agrees best with them, rank correlation {number(score['mean'])} "
                f"({bounds(score['low'], score['high'])})."
            )
    return sentences


def _form_sentences(data: Data, board: Board) -> list[str]:
    rows = [row for row in data["rows"] if row["form_difference"] and board.looks(row["method"])]
    if not rows:
        return []
    sure = [row for row in rows if row["form_difference"]["corrected"] <= SURE]
    start = f"{len(sure)} of {len(rows)} differences between {data['classes'][0]} and {data['classes'][1]} hold after "
    start += "Holm’s correction"
    if not sure:
        return [f"{start}."]
    top = max(sure, key=lambda row: abs(row["form_difference"]["difference"]))
    return [
        f"{start}; the largest is that of {top['label']} on {top['scheme']}: {top['form_difference']['difference']:+.3f}."
    ]


def _leaderboard_section(data: Data, board: Board) -> Section:
    note = (
        f"In small print: {board.level} intervals for other sentences and seeds; the darker a cell, the further above "
        "chance. ★: the best method of the scheme that looks at the model; ≈: not clearly below it "
        f"(p > {SURE:g} by Holm, paired); ○: not clearly above chance. References do not look at the model: the oracle "
        "marks exactly the changed words, chance is what a constant explanation gets. In place of a number stands why a "
        "method has none on this model."
    )
    return _grids(
        "leaderboard", "Leaderboard", f"Leaderboard on {data['n_sentences']:,} sentences", note, figures.leaderboards(board)
    )  # fmt: skip


def _accuracy_section(data: Data, board: Board) -> Section:
    figure = figures.accuracy_figure(board)
    section = _grids("accuracy", "Accuracy", "Accuracy beside explanation", "", [figures.accuracy_grid(board, data["classes"])])
    if figure is not None:
        caption = "A dot for each method that looks at the model: how well its explanations find the changed words, over "
        caption += "how well the models of the scheme classify. Point at a dot for its method."
        section["plot"] = plot("accuracy-plot", "Explanation over accuracy", caption, figure, size="wide")
    return section  # fmt: skip


def _qualities_section(board: Board) -> Section | None:
    grids = figures.qualities(board)
    if not grids:
        return None
    note = (
        "↑: higher is better, ↓: lower is better. A method can find the annotated words and still not say what the model "
        "does; these numbers ask the model."
    )
    return _grids("qualities", "Model truth and cost", "Agreement with the model, faithfulness, stability and cost", note, grids)


def _forms_section(data: Data, board: Board) -> Section | None:
    grids = figures.form_grids(board, data["classes"])
    if not grids:
        return None
    first, second = data["classes"][:2]
    note = (
        f"Mean mass accuracy of each form, and the difference paired by sentence with its {board.level} interval; above "
        f"0: the form {first} is explained better than {second}. p: sign flips of sentences; Holm: corrected for all "
        "methods and schemes that look at a model."
    )
    return _grids("forms", "Forms", f"Are {first} and {second} explained alike?", note, grids)


def _bias_section(data: Data) -> Section | None:
    """Return what the data and the embeddings do with the forms, as far as it was computed."""
    grids = []
    words = data["bias"].get("cooccurrence")
    if words and words.get("words"):
        head = ["Word", *(f"Rows: {form}" for form in words["classes"]), f"Share of {words['classes'][0]}"]
        rows = [
            _line(cut(word, 60), [*(f"{n:,}" for n in counts), percent(shares[0])])
            for word, counts, shares in list(zip(words["words"], words["counts"], words["shares"], strict=True))[:_WORDS]
        ]
        note = f"Words outside the changed ones, furthest from balance first; {len(words['words']):,} words in all."
        grids.append(grid("Words that occur in one form more than in the other", head, rows, note))
    shift = data["bias"].get("paired_shift")
    if shift:
        rows = [
            _line(label, [number(shift[key]), bounds(*shift[ends]) if ends else "", text])
            for key, ends, label, text in (
                ("cosine", "cosine_interval", "Cosine of the forms", "of the two forms of a sentence, mean"),
                ("mean_share", "mean_share_interval", "Share along one direction",
                 f"of the energy of the differences; {number(shift.get('mean_share_chance'))} if they pointed anywhere"),
                ("heldout_accuracy", "heldout_interval", "Held-out pairs told apart", "by that direction; chance is 0.5"),
                ("pvalue", None, "p", "that the differences have no common direction"),
            )
            if shift.get(key) is not None
        ]  # fmt: skip
        grids.append(grid("Embeddings of the two forms", ["Measure", "Value", "Interval", "Meaning"], rows))
    return _grids("bias", "Bias of the data", "What the data and embeddings do with the forms", "", grids) if grids else None


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
    bad = {row["method"] for rows in _silent(board).values() for _, row in rows}
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
    if n_seeds == 1:
        found.append("One seed: intervals say nothing about how much another training would change the numbers.")
    elif n_seeds < _FEW_SEEDS:
        found.append(
            f"{n_seeds} seeds: where seeds differ much, intervals are too narrow (in a simulation, 95% intervals of three "
            "seeds covered 87%)."
        )  # fmt: skip
    at_chance = [
        scheme
        for scheme, row in board.accuracy.items()
        if row["accuracy"]["low"] <= 1.0 / max(len(data["classes"]), 1)
    ]
    if at_chance:
        found.append(
            f"The models of {_and(at_chance)} are not clearly better than guessing: their explanations explain nothing "
            "that was learned."
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
