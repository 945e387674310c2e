"""Tables and figures of the benchmark: leaderboards with shaded numbers, boxes, and accuracy beside explanation.

A grid is a table whose cells are dictionaries (`cell`): a number with its interval, a shade, a box, or the reason why
there is none. Texts go through the template, which escapes them; only names of schemes and methods go into the figure,
escaped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from xembed.reports._figures import name_label, to_script
from xembed.reports._format import bounds, effect, interval, number, p_value, percent, point_bounds, points

Data = Mapping[str, Any]
Grid = dict[str, Any]

ORACLE, CHANCE, MAIN = "oracle", "chance", "mass_accuracy"
REFERENCE = "reference"
SURE = 0.05  # level of what the page calls clear
# Group, name, heading, direction.
QUALITIES = (
    ("model_truth", "spearman", "Pair Shapley: rank correlation", "↑"),
    ("model_truth", "top1", "Pair Shapley: same first word", "↑"),
    ("model_truth", "cosine", "Pair Shapley: cosine", "↑"),
    ("model_truth", "overlap", "Pair Shapley: overlap of mass", "↑"),
    ("faithfulness", "comprehensiveness", "Comprehensiveness", "↑"),
    ("faithfulness", "sufficiency", "Sufficiency", "↓"),
    ("stability", "context_l1", "Stability: distance of the forms", "↓"),
    ("stability", "context_kendall", "Stability: Kendall’s tau of the forms", "↑"),
    ("stability", "antisymmetry", "Antisymmetry of changed words", "↑"),
    ("randomisation", "head", "Alike with a random head", "↓"),
    ("randomisation", "encoder", "Alike with a random encoder", "↓"),
)
_PLAIN = (
    ("completeness", "Completeness error", "↓"),
    ("special", "On special tokens", "↓"),
    ("seconds", "Seconds a sentence", "↓"),
)
_SYMBOLS = ("circle", "diamond", "square", "cross", "triangle-up", "x", "star")


class Board:
    """The rows of a result by scheme and method, methods by mean mass accuracy."""

    def __init__(self, data: Data) -> None:
        self.schemes = [row["scheme"] for row in data["schemes"]]
        self.accuracy = {row["scheme"]: row for row in data["schemes"]}
        self.rows = {(row["scheme"], row["method"]): row for row in data["rows"]}
        self.labels = {row["method"]: row["label"] for row in data["rows"]}
        self.families = {row["method"]: row["family"] for row in data["rows"]}
        self.level = percent(data["confidence_level"])
        gains = {method: self._gains(method) for method in self.labels}
        # The oracle first, methods without any number last.
        self.methods = sorted(
            self.labels,
            key=lambda method: (method != ORACLE, not gains[method], -float(np.mean(gains[method] or [0.0]))),
        )

    def _gains(self, method: str) -> list[float]:
        """Return mass accuracies less the best of the scheme, so that a method that lacks a scheme is not favored."""
        return [
            float(score["mean"]) - float(ranked[0]["metrics"][MAIN]["mean"] if (ranked := self.ranked(scheme)) else 0.0)
            for scheme in self.schemes
            if (score := self.score(scheme, method)) is not None
        ]

    def score(self, scheme: str, method: str, metric: str = MAIN) -> Data | None:
        """Return a score, or None where there is none."""
        row = self.rows.get((scheme, method))
        return None if row is None or row["status"] != "valid" else row["metrics"].get(metric)

    def ranked(self, scheme: str) -> list[Data]:
        """Return the valid rows of a scheme that look at the model, best first."""
        found = [
            row
            for (of, method), row in self.rows.items()
            if of == scheme and self.looks(method) and self.score(scheme, method) is not None
        ]
        return sorted(found, key=lambda row: -float(row["metrics"][MAIN]["mean"]))

    def looks(self, method: str) -> bool:
        """Return whether a method looks at the model."""
        return bool(self.families.get(method, REFERENCE) != REFERENCE)

    def chance(self, scheme: str, metric: str = MAIN) -> float | None:
        """Return the score of chance."""
        found = self.score(scheme, CHANCE, metric)
        return None if found is None else float(found["mean"])

    def above_chance(self, scheme: str, method: str) -> bool | None:
        """Return whether the interval lies above chance, paired by sentence where that is known."""
        paired = self.score(scheme, method, "mass_accuracy_above_chance")
        if paired is not None:
            return bool(paired["low"] > 0)
        score, chance = self.score(scheme, method), self.chance(scheme)
        return None if score is None or chance is None else bool(score["low"] > chance)


def cell(text: str = "", note: str = "", **more: Any) -> dict[str, Any]:
    """Return a cell of a grid; ``more``: shade, badge, mark, hear, span, box, whisker, sure, said, sentence, look."""
    blank = dict.fromkeys(("shade", "badge", "mark", "hear", "box", "whisker", "said", "sentence", "look"))
    return {"text": text, "note": note, "span": 1, "sure": False} | blank | more


def row_of(board: Board, method: str, cells: Sequence[Data], note: str = "") -> dict[str, Any]:
    """Return a row of a grid for a method."""
    kind = method if method in {ORACLE, CHANCE} else ""
    badge = "" if board.looks(method) else "reference"
    return {"label": board.labels[method], "badge": badge, "note": note, "kind": kind, "cells": list(cells)}


def grid(title: str, head: Sequence[str], rows: Sequence[Data], note: str = "", *, fold: bool = False) -> Grid:
    """Return a table; ``fold``: closed until it is asked for."""
    return {"title": title, "head": list(head), "rows": list(rows), "note": note, "fold": fold}


def leaderboards(board: Board) -> list[Grid]:
    """Return a grid for each metric, mass accuracy open; and mass accuracy of the rows classified correctly."""
    from xembed.geco import METRICS

    grids = []
    for name, metric in METRICS.items():
        label, meaning, higher = metric.label, metric.meaning, metric.higher_is_better
        if any(board.score(scheme, method, name) for scheme in board.schemes for method in board.methods):
            rows = [row_of(board, method, _cells(board, method, name, higher)) for method in board.methods]
            arrow = "" if higher is None else " ↑"
            grids.append(
                grid(f"{label}{arrow}", ["Method", *board.schemes], rows, f"{label}: {meaning}.", fold=name != MAIN)
            )
    correct = [
        row_of(board, method, _each(board, method, lambda row: _plain_score(row["correct_only"])))
        for method in board.methods
        if any(_valid(board, scheme, method, "correct_only") for scheme in board.schemes)
    ]
    if correct:
        note = "Of the rows whose form the model names correctly."
        title = "Mass accuracy ↑, rows classified correctly only"
        grids.append(grid(title, ["Method", *board.schemes], correct, note, fold=True))
    return grids


def _cells(board: Board, method: str, metric: str, higher: bool | None) -> list[dict[str, Any]]:
    def found(row: Data) -> dict[str, Any]:
        score = row["metrics"].get(metric)
        if score is None:
            return cell("–")
        scheme, chance = row["scheme"], board.chance(row["scheme"], metric)
        low = 0.0 if chance is None else min(chance, 0.999)
        shade = float(np.clip((score["mean"] - low) / (1 - low), 0, 1))
        mark, hear = _mark(board, scheme, method) if metric == MAIN else ("", "")
        return cell(
            number(score["mean"]),
            _ends(score),
            shade=f"{shade:.2f}" if higher else None,
            mark=mark,
            hear=hear,
            sure=mark == "★",
        )

    return _each(board, method, found)


def _mark(board: Board, scheme: str, method: str) -> tuple[str, str]:
    if not board.looks(method):
        return "", ""
    if board.ranked(scheme)[0]["method"] == method:
        return "★", "best"
    if not board.above_chance(scheme, method):
        return "○", "not clearly above chance"
    against = board.rows[scheme, method]["against_best"]
    return ("≈", "not clearly below the best") if against is not None and against > SURE else ("", "")


def _valid(board: Board, scheme: str, method: str, key: str) -> Any:
    row = board.rows.get((scheme, method))
    return row is not None and row["status"] == "valid" and row[key]


def _each(board: Board, method: str, found: Any) -> list[dict[str, Any]]:
    """Return a cell for each scheme: what is found, or why there is none, once for neighbors with the same reason."""
    cells: list[dict[str, Any]] = []
    for scheme in board.schemes:
        row = board.rows.get((scheme, method))
        if row is None:
            cells.append(cell("–"))
        elif row["status"] == "valid":
            cells.append(found(row))
        elif cells and (cells[-1]["badge"], cells[-1]["note"]) == (row["status"], row["reason"]):
            cells[-1]["span"] += 1
        else:
            cells.append(cell("", row["reason"], badge=row["status"]))
    return cells


def _plain_score(score: Data | None) -> dict[str, Any]:
    return cell("–") if score is None else cell(number(score["mean"]), _ends(score))


def _ends(score: Data) -> str:
    """Write an interval; of what does not vary there is none."""
    return "" if score["low"] == score["high"] else bounds(score["low"], score["high"]) or ""


def boxes(board: Board) -> Grid:
    """Return the quantiles of the mass accuracy of rows, drawn from 0 to 1."""

    def found(row: Data) -> dict[str, Any]:
        if len(row["quantiles"]) != 5:
            return cell("–")
        chance = board.chance(row["scheme"])
        q = [float(value) for value in row["quantiles"]]
        places = [f"{5 + 140 * min(max(value, 0.0), 1.0):.1f}" for value in (*q, *([] if chance is None else [chance]))]
        return cell(number(q[2]), f"{number(q[1])} to {number(q[3])}", box=places)

    rows = [
        row_of(board, method, _each(board, method, found))
        for method in board.methods
        if any(_valid(board, scheme, method, "quantiles") for scheme in board.schemes)
    ]
    note = (
        "Drawn from 0 to 1: the line goes from the 5 % to the 95 % quantile of the test rows, the box from 25 % to 75 %"
        ", the thick stroke is the median, which is written beside it with the ends of the box. Dashed: chance."
    )
    return grid("Mass accuracy of single rows", ["Method", *board.schemes], rows, note)


def qualities(board: Board) -> list[Grid]:
    """Return a grid for each scheme with all that is not ground truth of the annotation."""
    grids: list[Grid] = []
    for scheme in board.schemes:
        rows = {m: row for m in board.methods if (row := board.rows.get((scheme, m))) and row["status"] == "valid"}
        scored = [q for q in QUALITIES if any(row[q[0]].get(q[1]) for row in rows.values())]
        known = {(group, name) for group, name, _, _ in QUALITIES}
        scored += [  # what this page has no words for
            (group, name, name, "")
            for group in ("model_truth", "faithfulness", "stability", "randomisation")
            for name in dict.fromkeys(name for row in rows.values() for name in row[group])
            if (group, name) not in known
        ]
        plain = [p for p in _PLAIN if any(row[p[0]] is not None for row in rows.values())]
        if not scored and not plain:
            continue
        head = ["Method", *(f"{label} {arrow}".strip() for *_, label, arrow in (*scored, *plain))]
        body = [
            row_of(
                board,
                method,
                [_plain_score(row[group].get(name)) for group, name, _, _ in scored]
                + [cell(number(row[name])) for name, _, _ in plain],
                note=row["reason"],
            )
            for method, row in rows.items()
            if method != CHANCE
        ]
        grids.append(grid(f"Scheme {scheme}", head, body, fold=bool(grids)))
    return grids


def form_grids(board: Board, classes: Sequence[str]) -> list[Grid]:
    """Return the differences between the first two forms: the sure ones, and the others folded."""
    rows = [
        row
        for scheme in board.schemes
        for method in board.methods
        if method not in {ORACLE, CHANCE} and (row := board.rows.get((scheme, method))) and row["form_difference"]
    ]
    if not rows:
        return []
    rows = sorted(rows, key=lambda row: row["form_difference"]["corrected"])
    most = max(abs(row["form_difference"][key]) for row in rows for key in ("low", "high", "difference")) or 1.0
    head = ["Method", "Scheme", *(str(form) for form in classes), f"{classes[0]} less {classes[1]}", "p", "p, Holm"]
    parts = [[row for row in rows if (row["form_difference"]["corrected"] <= SURE) is sure] for sure in (True, False)]
    titles = (f"Differences at p ≤ {SURE:g} (Holm)", f"{len(parts[1])} without a sure difference")
    return [
        grid(title, head, [_form_row(board, row, classes, most) for row in part], fold=place == 1)
        for place, (title, part) in enumerate(zip(titles, parts, strict=True))
        if part
    ]


def _form_row(board: Board, row: Data, classes: Sequence[str], most: float) -> dict[str, Any]:
    found = row["form_difference"]
    ends = (found["low"], found["high"])
    sure = found["corrected"] <= SURE
    cells = [
        cell(row["scheme"]),
        *(cell(number(row["forms"].get(form))) for form in classes),
        cell(
            effect(found["difference"]),
            interval(ends),
            whisker=[found["difference"] / most, ends[0] / most, ends[1] / most],
            sure=sure,
        ),
        cell(p_value(found["pvalue"])),
        # A reference is not among what is corrected for.
        cell(p_value(found["corrected"]) if board.looks(row["method"]) else "–", sure=sure),
    ]
    return row_of(board, row["method"], cells)


def accuracy_grid(board: Board, classes: Sequence[str]) -> Grid:
    """Return how well the models of each scheme classify, beside the best explanation of them."""
    forms = [form for form in classes if any(form in row["accuracy_by_form"] for row in board.accuracy.values())]
    head = [
        "Scheme", "Accuracy, % ↑", "Of each seed, %", *(f"{form}, %" for form in forms),
        "Best explanation ↑", "Prediction gap", "Changed words used",
        "Epochs", "Learning rate", "Seconds of a training",
    ]  # fmt: skip
    rows = []
    for scheme, row in board.accuracy.items():
        best = next(iter(board.ranked(scheme)), None)
        cells = [
            cell(points(row["accuracy"]["mean"]), point_bounds(row["accuracy"]["low"], row["accuracy"]["high"]) or ""),
            cell(", ".join(points(value) for value in row["accuracy_by_seed"])),
            *(cell("–" if (x := row["accuracy_by_form"].get(form)) is None else points(x)) for form in forms),
            cell("–") if best is None else cell(number(best["metrics"][MAIN]["mean"]), best["label"]),
            cell(number(row["prediction_gap"])),
            cell(_percent(row["used_words"])),
            cell("–" if row["epochs"] is None else str(row["epochs"])),
            cell("–" if row["learning_rate"] is None else f"{row['learning_rate']:g}"),
            cell(number(row["seconds"])),
        ]  # fmt: skip
        rows.append({"label": scheme, "badge": "", "note": row["description"], "kind": "", "cells": cells})
    note = (
        f"In small print: {board.level} intervals. Best explanation: the highest mean mass accuracy of a method that "
        "looks at the model. Prediction gap: mean absolute difference of the probability of the true form between the "
        "first two forms of a sentence. Changed words used: the share of them that the model uses, by their exact pair "
        "Shapley values; where it is low, an explanation that finds all changed words would not be true."
    )
    return grid("Accuracy of the models", head, rows, note)


def _percent(share: float | None) -> str:
    return "–" if share is None else percent(share)


def accuracy_figure(board: Board) -> str | None:
    """Return mass accuracy over classification accuracy, a dot for each method and scheme."""
    import plotly.graph_objects as go

    figure = go.Figure()
    for place, scheme in enumerate(board.schemes):
        rows = board.ranked(scheme)
        if rows:
            accuracy = 100 * float(board.accuracy[scheme]["accuracy"]["mean"])
            names = [name_label(row["label"]) for row in rows]
            figure.add_scatter(
                x=[accuracy] * len(rows),
                y=[float(row["metrics"][MAIN]["mean"]) for row in rows],
                mode="markers",
                marker={"symbol": _SYMBOLS[place % len(_SYMBOLS)], "size": 9},
                name=name_label(scheme),
                meta=f"c{place % 6}",
                opacity=0.8,
                text=names,
                hovertemplate=f"%{{text}} on {name_label(scheme)}<br>accuracy %{{x:.1f}}%, mass accuracy %{{y:.3f}}"
                "<extra></extra>",
            )
    if not figure.data:
        return None
    figure.update_layout(
        xaxis_title="accuracy of the models, %", yaxis_title="mass accuracy", showlegend=True, hovermode="closest"
    )
    return to_script(figure)
