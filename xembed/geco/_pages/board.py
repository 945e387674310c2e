"""The rows of a benchmark, and its tables and figures: leaderboards, quantiles, qualities, accuracy and explanation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Literal

import numpy as np

from xembed.geco._metrics import METRICS
from xembed.reports import kit

ORACLE, CHANCE, MAIN = "oracle", "chance", "mass_accuracy"
SURE = 0.05  # level of what the page calls clear
_REFERENCE = "reference"
# Group, name, heading, direction.
_QUALITIES = (
    ("model_truth", "spearman", "Pair Shapley: rank correlation", "↑"),
    ("model_truth", "top1", "Pair Shapley: same first word", "↑"),
    ("model_truth", "cosine", "Pair Shapley: cosine", "↑"),
    ("model_truth", "overlap", "Pair Shapley: overlap of mass", "↑"),
    ("faithfulness", "comprehensiveness", "Comprehensiveness", "↑"),
    ("faithfulness", "sufficiency", "Sufficiency", "↓"),
    ("stability", "context_l1", "Stability: distance of the forms", "↓"),
    ("stability", "context_kendall", "Stability: Kendall’s tau of the forms", "↑"),
    ("stability", "antisymmetry", "Antisymmetry of changed words", "↑"),
    ("randomisation", "head", "Similarity to a random head", "↓"),
    ("randomisation", "encoder", "Similarity to a random encoder", "↓"),
)
_PLAIN = (
    ("completeness", "Completeness error", "↓"),
    ("special", "On special tokens", "↓"),
    ("seconds", "Seconds a sentence", "↓"),
)
_SYMBOLS = ("circle", "diamond", "square", "cross", "triangle-up", "x", "star")
_MARKS = {"★": "best", "≈": "not clearly below the best", "○": "not clearly above chance"}


class Board:
    """The rows of a result by scheme and method, methods by mean mass accuracy."""

    def __init__(self, data: kit.Data) -> None:
        self.schemes = [row["scheme"] for row in data["schemes"]]
        self.accuracy = {row["scheme"]: row for row in data["schemes"]}
        self.rows = {(row["scheme"], row["method"]): row for row in data["rows"]}
        self.labels = {row["method"]: row["label"] for row in data["rows"]}
        self.families = {row["method"]: row["family"] for row in data["rows"]}
        self.level = kit.percent(data["confidence_level"])
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

    def valid(self, scheme: str, method: str) -> kit.Data | None:
        """Return the row of a method that has numbers."""
        row = self.rows.get((scheme, method))
        return row if row is not None and row["status"] == "valid" else None

    def score(self, scheme: str, method: str, metric: str = MAIN) -> kit.Data | None:
        """Return a score, or None where there is none."""
        row = self.valid(scheme, method)
        return None if row is None else row["metrics"].get(metric)

    def ranked(self, scheme: str) -> list[kit.Data]:
        """Return the valid rows of a scheme that look at the model, best first."""
        rows = [row for (of, method), row in self.rows.items() if of == scheme and self.looks(method)]
        scored = [row for row in rows if self.score(scheme, row["method"]) is not None]
        return sorted(scored, key=lambda row: -float(row["metrics"][MAIN]["mean"]))

    def looks(self, method: str) -> bool:
        """Return whether a method looks at the model."""
        return bool(self.families.get(method, _REFERENCE) != _REFERENCE)

    def chance(self, scheme: str, metric: str = MAIN) -> float | None:
        """Return the score of chance."""
        score = self.score(scheme, CHANCE, metric)
        return None if score is None else float(score["mean"])

    def above_chance(self, scheme: str, method: str) -> bool | None:
        """Return whether the interval lies above chance, paired by sentence where that is known."""
        paired = self.score(scheme, method, "mass_accuracy_above_chance")
        if paired is not None:
            return bool(paired["low"] > 0)
        score, chance = self.score(scheme, method), self.chance(scheme)
        return None if score is None or chance is None else bool(score["low"] > chance)

    def row(self, method: str, cells: Sequence[kit.Cell | kit.Line], note: str = "") -> kit.Row:
        """Return a row of a table for a method."""
        label = kit.name(self.labels[method])
        called = label if self.looks(method) else kit.line(label, " ", kit.Span("reference", "badge quiet"))
        kinds: dict[str, Literal["oracle", "chance"]] = {ORACLE: "oracle", CHANCE: "chance"}
        return kit.Row([kit.Cell(called, note), *cells], kind=kinds.get(method, ""))

    def each(self, method: str, cell_of: Callable[[kit.Data], kit.Cell]) -> list[kit.Cell]:
        """Return a cell for each scheme: of its row, or why there is none, once for neighbors with the same reason."""
        cells: list[tuple[Any, kit.Cell]] = []
        for scheme in self.schemes:
            row = self.rows.get((scheme, method))
            why = None if row is None or row["status"] == "valid" else (row["status"], row["reason"])
            if why is not None and cells and cells[-1][0] == why:
                cells[-1] = (why, kit.Cell(cells[-1][1].text, why[1], span=cells[-1][1].span + 1))
            elif why is not None:
                cells.append((why, kit.Cell(kit.Span(why[0], "badge"), why[1])))
            else:
                cells.append((None, kit.Cell("–") if row is None else cell_of(row)))
        return [cell for _, cell in cells]

    def by_scheme(
        self, cell_of: Callable[[str, kit.Data], kit.Cell], methods: Sequence[str], label: str, note: str = ""
    ) -> kit.Table:
        """Return a table with a row for each method and a column for each scheme; cells are of a method and a row."""
        rows = [self.row(method, self.each(method, partial(cell_of, method))) for method in methods]
        return grid(["Method", *self.schemes], rows, label, note)

    def with_any(self, key: str) -> list[str]:
        """Return the methods that have something under ``key`` on any scheme."""
        return [m for m in self.methods if any((row := self.valid(s, m)) and row[key] for s in self.schemes)]


def grid(columns: Sequence[str], rows: Sequence[kit.Row], label: str, note: str = "") -> kit.Table:
    """Return a table of the benchmark; the names of its columns may be users' words."""
    return kit.Table([kit.Column(kit.name(column)) for column in columns], rows, label=label, note=note, kind="grid")


def titled(table: kit.Table, *, fold: bool = False) -> list[kit.Block]:
    """Return a table below its label, or to be opened by it."""
    return [kit.Fold(table.label, [table])] if fold else [kit.Heading(table.label), table]


def score_cell(score: kit.Data | None, **more: Any) -> kit.Cell:
    """Return a mean with its interval; what does not vary has none."""
    if score is None:
        return kit.Cell("–")
    ends = "" if score["low"] == score["high"] else kit.bounds(score["low"], score["high"]) or ""
    return kit.Cell(kit.number(score["mean"]), ends, **more)


def leaderboards(board: Board) -> list[kit.Block]:
    """Return a table for each metric, mass accuracy open; and mass accuracy of the rows classified correctly."""
    blocks: list[kit.Block] = []
    for key, metric in METRICS.items():
        if any(board.score(scheme, method, key) for scheme in board.schemes for method in board.methods):
            label = metric.label if metric.higher_is_better is None else f"{metric.label} ↑"
            cell_of = partial(_ranked_cell, board, key, bool(metric.higher_is_better))
            table = board.by_scheme(cell_of, board.methods, label, f"{metric.label}: {metric.meaning}.")
            blocks += titled(table, fold=key != MAIN)
    if correct := board.with_any("correct_only"):
        title = "Mass accuracy ↑, rows classified correctly only"
        note = "Of the rows whose form the model names correctly."
        table = board.by_scheme(lambda _, row: score_cell(row["correct_only"]), correct, title, note)
        blocks += titled(table, fold=True)
    return blocks


def _ranked_cell(board: Board, metric: str, higher: bool, method: str, row: kit.Data) -> kit.Cell:
    score = row["metrics"].get(metric)
    if score is None:
        return kit.Cell("–")
    chance = board.chance(row["scheme"], metric)
    low = 0.0 if chance is None else min(chance, 0.999)
    shade = float(np.clip((score["mean"] - low) / (1 - low), 0, 1)) if higher else None
    sign = _mark(board, row["scheme"], method) if metric == MAIN else ""
    return score_cell(score, shade=shade, mark=(sign, _MARKS[sign]) if sign else None, sure=sign == "★")


def _mark(board: Board, scheme: str, method: str) -> str:
    if not board.looks(method):
        return ""
    if board.ranked(scheme)[0]["method"] == method:
        return "★"
    if not board.above_chance(scheme, method):
        return "○"
    against = board.rows[scheme, method]["against_best"]
    return "≈" if against is not None and against > SURE else ""


def distributions(board: Board) -> kit.Table:
    """Return the quantiles of the mass accuracy of rows, drawn from 0 to 1."""

    def quantiles(_: str, row: kit.Data) -> kit.Cell:
        values = [float(value) for value in row["quantiles"]]
        if len(values) != 5:
            return kit.Cell("–")
        graphic = kit.Quantiles([min(max(value, 0.0), 1.0) for value in values], board.chance(row["scheme"]))
        return kit.Cell(kit.number(values[2]), f"{kit.number(values[1])} to {kit.number(values[3])}", graphic)

    note = (
        "Drawn from 0 to 1: the line goes from the 5 % to the 95 % quantile of the test rows, the box from 25 % to 75 %"
        ", the thick stroke is the median, which is written beside it with the ends of the box. Dashed: chance."
    )
    return board.by_scheme(quantiles, board.with_any("quantiles"), "Mass accuracy of single rows", note)


def qualities(board: Board) -> list[kit.Block]:
    """Return a table for each scheme with all that is not ground truth of the annotation."""
    blocks: list[kit.Block] = []
    known = {(group, key) for group, key, _, _ in _QUALITIES}
    for scheme in board.schemes:
        rows = {method: row for method in board.methods if (row := board.valid(scheme, method))}
        scored = [q for q in _QUALITIES if any(row[q[0]].get(q[1]) for row in rows.values())]
        scored += [  # what this page has no words for
            (group, key, key, "")
            for group in ("model_truth", "faithfulness", "stability", "randomisation")
            for key in dict.fromkeys(key for row in rows.values() for key in row[group])
            if (group, key) not in known
        ]
        plain = [p for p in _PLAIN if any(row[p[0]] is not None for row in rows.values())]
        if scored or plain:
            heads = ["Method", *(f"{label} {arrow}".strip() for *_, label, arrow in (*scored, *plain))]
            lines = []
            for method, row in rows.items():
                cells: list[Any] = [score_cell(row[group].get(key)) for group, key, _, _ in scored]
                cells += [kit.number(row[key]) for key, _, _ in plain]
                if method != CHANCE:
                    lines.append(board.row(method, cells, row["reason"]))
            blocks += titled(grid(heads, lines, f"Scheme {scheme}"), fold=bool(blocks))
    return blocks


def form_tables(board: Board, classes: Sequence[str]) -> list[kit.Block]:
    """Return the differences between the first two forms: the clear ones, and the others folded."""
    compared = [
        row
        for scheme in board.schemes
        for method in board.methods
        if method not in {ORACLE, CHANCE} and (row := board.rows.get((scheme, method))) and row["form_difference"]
    ]
    compared.sort(key=lambda row: float(row["form_difference"]["corrected"]))
    most = max((abs(r["form_difference"][k]) for r in compared for k in ("low", "high", "difference")), default=0.0)
    heads = ["Method", "Scheme", *map(str, classes), f"{classes[0]} less {classes[1]}", "p", "p, Holm"]
    clear = [row for row in compared if row["form_difference"]["corrected"] <= SURE]
    others = compared[len(clear) :]
    blocks: list[kit.Block] = []
    titles = f"Differences at p ≤ {SURE:g} (Holm)", f"{len(others)} without a clear difference"
    for rows, title in zip((clear, others), titles, strict=True):
        if rows:
            lines = [_form_row(board, row, classes, most or 1.0) for row in rows]
            blocks += titled(grid(heads, lines, title), fold=rows is others)
    return blocks


def _form_row(board: Board, row: kit.Data, classes: Sequence[str], most: float) -> kit.Row:
    test = row["form_difference"]
    ends = (test["low"], test["high"])
    sure = test["corrected"] <= SURE
    whisker = kit.Whisker(test["difference"] / most, ends[0] / most, ends[1] / most)
    # A reference is not among what is corrected for.
    corrected = kit.p_value(test["corrected"]) if board.looks(row["method"]) else "–"
    cells: list[kit.Cell | kit.Line] = [
        kit.name(row["scheme"]),
        *(kit.number(row["forms"].get(form)) for form in classes),
        kit.Cell(kit.effect(test["difference"]), kit.interval(ends), whisker, sure=sure),
        kit.p_value(test["pvalue"]),
        kit.Cell(corrected, sure=sure),
    ]
    return board.row(row["method"], cells)


def accuracy_table(board: Board, classes: Sequence[str]) -> kit.Table:
    """Return how well the models of each scheme classify, beside the best explanation of them."""
    forms = [form for form in classes if any(form in row["accuracy_by_form"] for row in board.accuracy.values())]
    heads = [
        "Scheme", "Accuracy, % ↑", "Of each seed, %", *(f"{form}, %" for form in forms),
        "Best explanation ↑", "Prediction gap", "Changed words used",
        "Epochs", "Learning rate", "Seconds of a training"
    ]  # fmt: skip
    lines = []
    for scheme, row in board.accuracy.items():
        best = next(iter(board.ranked(scheme)), None)
        score = row["accuracy"]
        cells: list[kit.Cell | kit.Line] = [
            kit.Cell(kit.name(scheme), row["description"]),
            kit.Cell(kit.points(score["mean"]), kit.point_bounds(score["low"], score["high"]) or ""),
            ", ".join(kit.points(value) for value in row["accuracy_by_seed"]),
            *("–" if (x := row["accuracy_by_form"].get(form)) is None else kit.points(x) for form in forms),
            "–" if best is None else kit.Cell(kit.number(best["metrics"][MAIN]["mean"]), best["label"]),
            kit.number(row["prediction_gap"]),
            "–" if row["used_words"] is None else kit.percent(row["used_words"]),
            "–" if row["epochs"] is None else str(row["epochs"]),
            "–" if row["learning_rate"] is None else f"{row['learning_rate']:g}",
            kit.number(row["seconds"]),
        ]
        lines.append(kit.Row(cells))
    note = (
        f"In small print: {board.level} intervals. Best explanation: the highest mean mass accuracy of a method that "
        "looks at the model. Prediction gap: mean absolute difference of the probability of the true form between the "
        "first two forms of a sentence. Changed words used: the share of them that the model uses, by their exact pair "
        "Shapley values; where it is low, an explanation that finds all changed words would not be true."
    )
    return grid(heads, lines, "Accuracy of the models", note)


def accuracy_figure(board: Board) -> str | None:
    """Return mass accuracy over classification accuracy, a dot for each method and scheme."""
    figure = kit.new_figure()
    for place, scheme in enumerate(board.schemes):
        if rows := board.ranked(scheme):
            accuracy = 100 * float(board.accuracy[scheme]["accuracy"]["mean"])
            label = kit.name_label(scheme)
            figure.add_scatter(
                x=[accuracy] * len(rows),
                y=[float(row["metrics"][MAIN]["mean"]) for row in rows],
                mode="markers",
                marker={"symbol": _SYMBOLS[place % len(_SYMBOLS)], "size": 9},
                name=label,
                meta=f"c{place % 6}",
                opacity=0.8,
                text=[kit.name_label(row["label"]) for row in rows],
                hovertemplate=f"%{{text}} on {label}<br>accuracy %{{x:.1f}}%, mass accuracy %{{y:.3f}}<extra></extra>",
            )
    if not figure.data:
        return None
    figure.update_layout(
        xaxis_title="accuracy of the models, %", yaxis_title="mass accuracy", showlegend=True, hovermode="closest"
    )
    return kit.to_script(figure)
