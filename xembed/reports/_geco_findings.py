"""What a benchmark found, in words with numbers: the best methods, what goes together, and who says nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from xembed.reports._format import bounds, count, gain_points, number, p_value, percent, points
from xembed.reports._geco_figures import CHANCE, MAIN, ORACLE, SURE, Board

Data = Mapping[str, Any]

# Rank correlation with the attributions of a random model from which on a method hardly looks at what was learned.
_SAME_ORDER = 0.9
_SMALL, _LARGE = 0.02, 0.1  # differences of accuracy and of mass accuracy between schemes


def best_rows(board: Board) -> dict[str, Data]:
    """Return the best row of each scheme that has one."""
    return {scheme: rows[0] for scheme in board.schemes if (rows := board.ranked(scheme))}


def chip_of(board: Board, best: Mapping[str, Data]) -> tuple[bool, str, str]:
    """Return whether something was found, the words for it, and a mark."""
    if not best:
        return False, "No method could be scored", "–"
    above = [scheme for scheme, row in best.items() if board.above_chance(scheme, row["method"])]
    if not above:
        return False, "No method is clearly above chance", "○"
    labels = [best[scheme]["label"] for scheme in above]
    leading = max(dict.fromkeys(labels), key=labels.count)
    return True, f"Best on {labels.count(leading)} of {count(len(board.schemes), 'scheme')}: {leading}", "★"


def verdict_of(data: Data, board: Board, best: Mapping[str, Data]) -> str:
    """Return the sentences below the heading."""
    if not best:
        return "No method gave numbers on any scheme: see why in the leaderboard."
    by_method: dict[str, list[str]] = {}
    for scheme, row in best.items():
        by_method.setdefault(row["label"], []).append(f"{scheme} ({number(row['metrics'][MAIN]['mean'])})")
    named = [f"{label} on {listed(schemes)}" for label, schemes in by_method.items()]
    joined = listed(named) if len(named) < 2 else "; ".join(named)
    chances = sorted({number(value) for scheme in best if (value := board.chance(scheme)) is not None})
    chance = f"; chance is {' to '.join(chances[:: max(len(chances) - 1, 1)])}" if chances else ""
    parts = [
        f"Mass accuracy, the share of an explanation that lies on the changed words, is highest for {joined}{chance}."
    ]
    clear = [scheme for scheme in best if (p := _runner_up(board, scheme)[1]) is not None and p <= SURE]
    parts.append(
        f"The best method is clearly better than the runner-up on {len(clear)} of {count(len(best), 'scheme')}."
    )
    silent = list(silent_methods(board))
    if silent:
        say = "says nothing of its own" if len(silent) == 1 else "say nothing of their own"
        parts.append(f"{listed(silent)} {say} on at least one scheme.")
    return " ".join(parts)


def listed(items: Sequence[str]) -> str:
    """Write a list as a part of a sentence."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"


def _runner_up(board: Board, scheme: str) -> tuple[Data | None, float | None]:
    """Return the second row of a scheme, and the corrected p-value of its difference to the first."""
    rows = board.ranked(scheme)
    return (rows[1], rows[1]["against_best"]) if len(rows) > 1 else (None, None)


def silent_methods(board: Board) -> dict[str, list[tuple[str, Data]]]:
    """Return the rows of methods that are degenerate or unsupported, by label."""
    found: dict[str, list[tuple[str, Data]]] = {}
    for (scheme, _), row in board.rows.items():
        if row["status"] != "valid":
            found.setdefault(row["label"], []).append((scheme, row))
    return found


def findings_section(data: Data, board: Board) -> dict[str, Any]:
    """Return what was found, by question."""
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
        sentence += f" {listed(references)}, which {'does' if len(references) == 1 else 'do'} not look at the model, "
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
            sentence += (
                " So models that classify alike are explained very differently: accuracy does not tell how well."
            )
        elif gap <= _SMALL:
            sentence += " The models classify too much alike to say."
        sentences.append(sentence)
        if len(schemes) > 2 and (rho := _rank_correlation(accuracy, means)) is not None:
            sentences.append(
                f"Over the {len(schemes)} schemes the rank correlation of accuracy and mean mass accuracy of all "
                f"methods is {rho:+.2f}; so few schemes can't show more than a tendency."
            )
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
    for label, rows in silent_methods(board).items():
        reasons: dict[tuple[str, str], list[str]] = {}
        for scheme, row in rows:
            reasons.setdefault((row["status"], row["reason"]), []).append(scheme)
        for (status, reason), schemes in reasons.items():
            where = "all schemes" if len(schemes) == len(board.schemes) else listed(schemes)
            end = "" if reason.endswith((".", "!", "?")) else "."
            sentences.append(f"{label} is {status} on {where}: {reason}{end}")
    below: dict[str, list[str]] = {}
    for scheme in board.schemes:
        for row in board.ranked(scheme) if board.chance(scheme) is not None else []:
            if not board.above_chance(scheme, row["method"]):
                below.setdefault(row["label"], []).append(scheme)
    sentences += [f"{label} is not clearly above chance on {listed(schemes)}." for label, schemes in below.items()]
    same = {
        row["label"]: score["mean"]
        for scheme in board.schemes
        for row in board.ranked(scheme)
        for score in row["randomisation"].values()
        if score["mean"] >= _SAME_ORDER
    }
    if same:
        sentences.append(
            f"{listed(list(same))} order{'s' if len(same) == 1 else ''} the words almost as for a model with a random "
            f"head or encoder (rank correlation of {_SAME_ORDER:g} or more): hardly a look at what was learned."
        )
    return sentences


def _use_sentences(board: Board) -> list[str]:
    used = {s: row["used_words"] for s, row in board.accuracy.items() if row["used_words"] is not None}
    if not used:
        return []
    sentences = [
        "By exact pair Shapley values, which mix the two forms of a sentence and need no artificial baseline, the "
        "models use "
        + listed([f"{percent(share)} of the changed words on {scheme}" for scheme, share in used.items()])
        + "."
    ]
    closest: dict[str, list[str]] = {}
    for scheme in used:
        known = [row for row in board.ranked(scheme) if row["model_truth"].get("spearman")]
        if known:
            top = max(known, key=lambda row: float(row["model_truth"]["spearman"]["mean"]))
            score = top["model_truth"]["spearman"]
            found = f"{scheme} ({number(score['mean'])}, {bounds(score['low'], score['high'])})"
            closest.setdefault(top["label"], []).append(found)
    if closest:
        agree = "; ".join(f"{label} on {listed(found)}" for label, found in closest.items())
        sentences.append(f"The highest rank correlation with them has {agree}.")
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
    size = f"{top['form_difference']['difference']:+.3f}"
    return [f"{start}; the largest is that of {top['label']} on {top['scheme']}: {size}."]
