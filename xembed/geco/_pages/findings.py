"""What a benchmark found, in sentences: the best methods, accuracy and explanation, degenerate methods, forms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from xembed.geco._pages.board import CHANCE, MAIN, ORACLE, SURE, Board
from xembed.reports import kit

# Rank correlation with the attributions of a random model from which on a method hardly looks at what was learned.
_SAME_ORDER = 0.9
_SMALL, _LARGE = 0.02, 0.1  # differences of accuracy and of mass accuracy between schemes


def best_rows(board: Board) -> dict[str, kit.Data]:
    """Return the best row of each scheme that has one."""
    return {scheme: rows[0] for scheme in board.schemes if (rows := board.ranked(scheme))}


def finding_of(board: Board, best: Mapping[str, kit.Data]) -> kit.Finding:
    """Return what was found, in a few words."""
    if not best:
        return kit.Finding("No method could be scored", sign="–")
    labels = [row["label"] for scheme, row in best.items() if board.above_chance(scheme, row["method"])]
    if not labels:
        return kit.Finding("No method is clearly above chance")
    leading = max(dict.fromkeys(labels), key=labels.count)
    words = f"Best on {labels.count(leading)} of {kit.count(len(board.schemes), 'scheme')}: {leading}"
    return kit.Finding(words, found=True, sign="★")


def verdict_of(board: Board, best: Mapping[str, kit.Data]) -> str:
    """Return the sentences below the heading."""
    if not best:
        return "No method gave numbers on any scheme: see why in the leaderboard."
    by_method: dict[str, list[str]] = {}
    for scheme, row in best.items():
        by_method.setdefault(row["label"], []).append(f"{scheme} ({_mass(row)})")
    named = [f"{label} on {kit.listed(schemes)}" for label, schemes in by_method.items()]
    chances = sorted({kit.number(value) for scheme in best if (value := board.chance(scheme)) is not None})
    chance = f"; chance is {' to '.join(chances[:: max(len(chances) - 1, 1)])}" if chances else ""
    clear = [scheme for scheme in best if (p := _runner_up(board, scheme)[1]) is not None and p <= SURE]
    sentences = [
        f"Mass accuracy, the share of an explanation that lies on the changed words, is highest for "
        f"{'; '.join(named)}{chance}.",
        f"The best method is clearly better than the runner-up on {len(clear)} of {kit.count(len(best), 'scheme')}.",
    ]
    if invalid := list(invalid_methods(board)):
        be = "is" if len(invalid) == 1 else "are"
        sentences.append(f"{kit.listed(invalid)} {be} degenerate or unsupported on at least one scheme.")
    return " ".join(sentences)


def invalid_methods(board: Board) -> dict[str, list[tuple[str, kit.Data]]]:
    """Return the rows of methods that are degenerate or unsupported, by label."""
    rows: dict[str, list[tuple[str, kit.Data]]] = {}
    for (scheme, _), row in board.rows.items():
        if row["status"] != "valid":
            rows.setdefault(row["label"], []).append((scheme, row))
    return rows


def findings_section(data: kit.Data, board: Board) -> kit.Section:
    """Return what was found, by question."""
    answers = {
        "Which method finds the changed words": [_best(board, scheme) for scheme in board.schemes],
        "Do explanation and accuracy go together?": _accuracy(board),
        "Methods that are not valid on this model": _invalid(board),
        "Is the explainer wrong, or does the model not use the word?": _use(board),
        "Do the two forms differ?": _forms(data, board),
    }
    blocks: list[kit.Block] = []
    for question, sentences in answers.items():
        if sentences:
            blocks += [kit.Heading(question), kit.Bullets(sentences)]
    return kit.Section("findings", "Findings", blocks)


def _mass(row: kit.Data) -> str:
    return kit.number(row["metrics"][MAIN]["mean"])


def _runner_up(board: Board, scheme: str) -> tuple[kit.Data | None, float | None]:
    """Return the second row of a scheme, and the corrected p-value of its difference to the first."""
    rows = board.ranked(scheme)
    return (rows[1], rows[1]["against_best"]) if len(rows) > 1 else (None, None)


def _best(board: Board, scheme: str) -> str:
    rows = board.ranked(scheme)
    if not rows:
        return f"{scheme}: no method could be scored."
    best, score = rows[0], rows[0]["metrics"][MAIN]
    interval = f"{board.level} interval {kit.bounds(score['low'], score['high'])}"
    parts = [f"{scheme}: {best['label']}, mass accuracy {_mass(best)} ({interval})"]
    if (chance := board.chance(scheme)) is not None:
        above = "above" if board.above_chance(scheme, best["method"]) else "not clearly above"
        parts.append(f"{above} chance ({kit.number(chance)})")
    second, p = _runner_up(board, scheme)
    if second is not None:
        clear = "not compared"
        if p is not None:
            clear = f"{'clear' if p <= SURE else 'not clear'}, p = {kit.p_value(p)} by Holm"
        parts.append(f"the runner-up is {second['label']} with {_mass(second)} (difference {clear})")
    references = [
        board.labels[method]
        for method in board.methods
        if not board.looks(method)
        and method not in {ORACLE, CHANCE}
        and (of_reference := board.score(scheme, method)) is not None
        and of_reference["mean"] > score["mean"]
    ]
    sentence = "; ".join(parts) + "."
    if references:
        do, s = ("does", "s") if len(references) == 1 else ("do", "")
        sentence += f" {kit.listed(references)}, which {do} not look at the model, score{s} higher."
    return sentence


def _accuracy(board: Board) -> list[str]:
    """Say whether schemes that classify better are explained better, and what misclassified rows do."""
    ranked = {scheme: rows for scheme in board.schemes if (rows := board.ranked(scheme))}
    sentences = []
    if len(ranked) > 1:
        accuracy = [float(board.accuracy[scheme]["accuracy"]["mean"]) for scheme in ranked]
        masses = [[float(row["metrics"][MAIN]["mean"]) for row in rows] for rows in ranked.values()]
        tops = [row[0] for row in masses]
        sentence = (
            f"Accuracy goes from {kit.points(min(accuracy))}% to {kit.points(max(accuracy))}%, the mass accuracy of "
            f"the best method from {kit.number(min(tops))} to {kit.number(max(tops))}."
        )
        if max(accuracy) - min(accuracy) <= _SMALL:
            different = max(tops) - min(tops) >= _LARGE
            sentence += (
                " So models that classify alike are explained very differently: accuracy does not tell how well."
                if different
                else " The models classify too much alike to say."
            )
        sentences.append(sentence)
        rho = _rank_correlation(accuracy, [float(np.mean(row)) for row in masses])
        if len(ranked) > 2 and rho is not None:
            sentences.append(
                f"Over the {len(ranked)} schemes the rank correlation of accuracy and mean mass accuracy of all "
                f"methods is {rho:+.2f}; so few schemes can't show more than a tendency."
            )
    changes = [
        row["correct_only"]["mean"] - row["metrics"][MAIN]["mean"]
        for rows in ranked.values()
        for row in rows
        if row["correct_only"] is not None
    ]
    if changes:
        sentences.append(
            "Leaving out the rows that the model gets wrong changes a mass accuracy by at most "
            f"{kit.gain_points(max(changes, key=abs))} points (× 100)."
        )
    return sentences


def _rank_correlation(first: Sequence[float], second: Sequence[float]) -> float | None:
    if len(set(first)) < 2 or len(set(second)) < 2:
        return None
    values = np.array([first, second])
    ranks = np.sign(values[:, :, None] - values[:, None, :]).sum(axis=2)  # mid-ranks, but for a constant and a factor
    return float(np.corrcoef(ranks)[0, 1])


def _invalid(board: Board) -> list[str]:
    sentences = []
    for label, rows in invalid_methods(board).items():
        reasons: dict[tuple[str, str], list[str]] = {}
        for scheme, row in rows:
            reasons.setdefault((row["status"], row["reason"]), []).append(scheme)
        for (status, reason), schemes in reasons.items():
            where = "all schemes" if len(schemes) == len(board.schemes) else kit.listed(schemes)
            sentences.append(
                f"{label} is {status} on {where}: {reason}{'' if reason.endswith(('.', '!', '?')) else '.'}"
            )
    below: dict[str, list[str]] = {}
    same: dict[str, None] = {}
    for scheme in board.schemes:
        for row in board.ranked(scheme):
            if board.chance(scheme) is not None and not board.above_chance(scheme, row["method"]):
                below.setdefault(row["label"], []).append(scheme)
            if any(score["mean"] >= _SAME_ORDER for score in row["randomisation"].values()):
                same[row["label"]] = None
    sentences += [f"{label} is not clearly above chance on {kit.listed(schemes)}." for label, schemes in below.items()]
    if same:
        sentences.append(
            f"{kit.listed(list(same))} order{'s' if len(same) == 1 else ''} the words almost as for a model with a "
            f"random head or encoder (rank correlation of {_SAME_ORDER:g} or more): hardly a look at what was learned."
        )
    return sentences


def _use(board: Board) -> list[str]:
    used = {s: row["used_words"] for s, row in board.accuracy.items() if row["used_words"] is not None}
    if not used:
        return []
    shares = kit.listed([f"{kit.percent(share)} of the changed words on {scheme}" for scheme, share in used.items()])
    sentences = [
        "By exact pair Shapley values, which mix the two forms of a sentence and need no artificial baseline, the "
        f"models use {shares}."
    ]
    closest: dict[str, list[str]] = {}
    for scheme in used:
        known = [row for row in board.ranked(scheme) if row["model_truth"].get("spearman")]
        if known:
            top = max(known, key=lambda row: float(row["model_truth"]["spearman"]["mean"]))
            score = top["model_truth"]["spearman"]
            value = f"{scheme} ({kit.number(score['mean'])}, {kit.bounds(score['low'], score['high'])})"
            closest.setdefault(top["label"], []).append(value)
    if closest:
        agree = "; ".join(f"{label} on {kit.listed(values)}" for label, values in closest.items())
        sentences.append(f"The highest rank correlation with them has {agree}.")
    return sentences


def _forms(data: kit.Data, board: Board) -> list[str]:
    rows = [row for row in data["rows"] if row["form_difference"] and board.looks(row["method"])]
    if not rows:
        return []
    sure = [row for row in rows if row["form_difference"]["corrected"] <= SURE]
    first, second = data["classes"][:2]
    start = f"{len(sure)} of {len(rows)} differences between {first} and {second} hold after Holm’s correction"
    if not sure:
        return [f"{start}."]
    top = max(sure, key=lambda row: abs(row["form_difference"]["difference"]))
    size = f"{top['form_difference']['difference']:+.3f}"
    return [f"{start}; the largest is that of {top['label']} on {top['scheme']}: {size}."]
