"""The page of the benchmark: its sections, cards, caveats and methods."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from xembed.attribution._methods import METHODS
from xembed.geco._pages import board as tables
from xembed.geco._pages.board import MAIN, SURE, Board, grid, titled
from xembed.geco._pages.findings import best_rows, finding_of, findings_section, invalid_methods, verdict_of
from xembed.geco._pages.sentences import failures_section, inspector_section
from xembed.reports import kit

# Below these, intervals of sentences and of seeds are known to be too narrow.
_FEW_SENTENCES, _FEW_SEEDS = 50, 5
_NAME, _ITEMS, _WORDS = 120, 400, 12  # characters of names and of items of the run card; words of the bias table
_REFERENCES = {
    "oracle": "exactly the changed words: the highest possible score",
    "chance": "the expected score of a constant or a random explanation",
}
_PARTS = ("model_truth", "faithfulness", "stability", "randomisation")
how = kit.methods_of("xembed.geco._pages")


def benchmark(data: kit.Data) -> kit.Page:
    """Return the page of the benchmark."""
    board = Board(data)
    best = best_rows(board)
    sections = [
        findings_section(data, board),
        _leaderboard(data, board),
        _accuracy(data, board),
        kit.Section("distributions", "How rows differ", titled(tables.distributions(board)), nav="Distributions"),
        _qualities(board),
        _forms(data, board),
        inspector_section(data, board),
        failures_section(data, board),
        _bias(data),
        _run(data),
    ]
    return kit.Page(
        title=f"{kit.cut(str(data['backbone']), _NAME)} on {kit.cut(str(data['data']), _NAME)}",
        kind="attribution benchmark",
        finding=finding_of(board, best),
        verdict=verdict_of(board, best),
        cards=_cards(data, board, best),
        caveats=_caveats(data, board),
        blocks=[section for section in sections if section is not None],
        methods=_methods(data, board),
        sizes=f"{kit.count(data['n_train'], 'row')} trained on, {data['n_test']:,} of "
        f"{kit.count(data['n_sentences'], 'sentence')} tested on",
    )


def _leaderboard(data: kit.Data, board: Board) -> kit.Section:
    note = (
        f"In small print: {board.level} intervals for other sentences and seeds; the stronger the color, the further "
        "above chance. ★: the best method of the scheme that looks at the model; ≈: not clearly below it "
        f"(p > {SURE:g} by Holm, paired); ○: not clearly above chance. References do not look at the model: the oracle "
        "marks exactly the changed words, chance is what a constant explanation gets. In place of a number stands why "
        "a method has none on this model."
    )
    title = f"Leaderboard on {data['n_sentences']:,} sentences"
    return kit.Section("leaderboard", title, [kit.Prose(note, "quiet"), *tables.leaderboards(board)], nav="Leaderboard")


def _accuracy(data: kit.Data, board: Board) -> kit.Section:
    blocks = titled(tables.accuracy_table(board, data["classes"]))
    if (spec := tables.accuracy_figure(board)) is not None:
        caption = (
            "A dot for each method that looks at the model: how well its explanations find the changed words, over "
            "how well the models of the scheme classify. Point at a dot for its method."
        )
        blocks.append(kit.Figure("accuracy-plot", "Explanation over accuracy", caption, spec, size="wide"))
    return kit.Section("accuracy", "Accuracy beside explanation", blocks, nav="Accuracy")


def _qualities(board: Board) -> kit.Section | None:
    blocks = tables.qualities(board)
    note = (
        "↑: higher is better, ↓: lower is better. A method can find the annotated words and still not say what the "
        "model does; these numbers ask the model."
    )
    title = "Agreement with the model, faithfulness, stability and cost"
    head = kit.Prose(note, "quiet")
    return kit.Section("qualities", title, [head, *blocks], nav="Model truth and cost") if blocks else None


def _forms(data: kit.Data, board: Board) -> kit.Section | None:
    blocks = tables.form_tables(board, data["classes"])
    first, second = data["classes"][:2]
    note = (
        f"Mean mass accuracy of each form, and the difference paired by sentence with its {board.level} interval; "
        f"above 0: the form {first} is explained better than {second}. p: sign flips of sentences; Holm: corrected for "
        "all methods and schemes that look at a model."
    )
    title = f"Are {first} and {second} explained alike?"
    return kit.Section("forms", title, [kit.Prose(note, "quiet"), *blocks], nav="Forms") if blocks else None


def _bias(data: kit.Data) -> kit.Section | None:
    """Return what the data and the embeddings do with the forms, as far as it was computed."""
    blocks: list[kit.Block] = []
    words = data["bias"].get("cooccurrence")
    if words and words.get("words"):
        n = kit.count(len(words["words"]), "word")
        unbalanced = [
            kit.Row([kit.name(kit.cut(word, 60)), *(f"{rows:,}" for rows in counts), kit.percent(shares[0])])
            for word, counts, shares in zip(words["words"], words["counts"], words["shares"], strict=True)
            if not np.allclose(shares, words["expected"], rtol=0, atol=1e-9)
        ]
        if unbalanced:
            heads = ["Word", *(f"Rows: {form}" for form in words["classes"]), f"Share of {words['classes'][0]}"]
            note = f"Outside the changed words {len(unbalanced):,} of {n} are out of balance; those furthest from it."
            title = "Words that occur in one form more than in the other"
            blocks += titled(grid(heads, unbalanced[:_WORDS], title, note))
        else:
            note = f"Outside the changed words each of {n} occurs as often in every form: none gives the form away."
            blocks.append(kit.Prose(note, "quiet"))
    if shift := data["bias"].get("paired_shift"):
        rows = [
            kit.Row([label, kit.number(shift[key]), kit.bounds(*shift[ends]) or "–" if ends else "–", text])
            for key, ends, label, text in (
                ("cosine", "cosine_interval", "Cosine of the forms", "of the two forms of a sentence, mean"),
                ("mean_share", "mean_share_interval", "Share along one direction",
                 f"of the energy of the differences; {kit.number(shift.get('mean_share_chance'))} by chance"),
                ("heldout_accuracy", "heldout_interval", "Held-out pairs separated", "by it; chance is 0.5"),
                ("pvalue", None, "p", "that the differences have no common direction")
            )
            if shift.get(key) is not None
        ]  # fmt: skip
        blocks += titled(grid(["Measure", "Value", "Interval", "Meaning"], rows, "Embeddings of the two forms"))
    title = "What the data and embeddings do with the forms"
    return kit.Section("bias", title, blocks, nav="Bias of the data") if blocks else None


def _run(data: kit.Data) -> kit.Section:
    items = [
        ("Data", str(data["data"])),
        ("Forms", ", ".join(data["classes"])),
        ("Rows trained on", f"{data['n_train']:,}"),
        ("Rows tested on", f"{data['n_test']:,} of {kit.count(data['n_sentences'], 'sentence')}"),
        ("Backbone", str(data["backbone"])),
        ("Seeds", ", ".join(map(str, data["seeds"]))),
        ("Intervals", f"{kit.percent(data['confidence_level'])}, {data['n_resamples']:,} resamples"),
        *((f"Option: {key}", _item(value)) for key, value in data["options"].items()),
        *((f"Cost: {key.replace('_', ' ')}", _item(value)) for key, value in data["cost"].items()),
    ]
    blocks: list[kit.Block] = [grid(["What", "Value"], [kit.Row([key, value]) for key, value in items], "Run card")]
    if data["excluded"]:
        rows = [kit.Row([kit.name(str(reason)), _item(n)]) for reason, n in data["excluded"].items()]
        blocks += titled(grid(["Why", "Rows"], rows, "Rows that were left out"))
    else:
        blocks.append(kit.Prose("No row was left out.", "quiet"))
    return kit.Section("run", "Run card", blocks)


def _item(value: Any) -> str:
    if isinstance(value, float):
        return kit.number(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    if isinstance(value, Mapping):
        return kit.cut(", ".join(f"{key}: {_item(item)}" for key, item in value.items()), _ITEMS)
    if isinstance(value, list | tuple):
        return kit.cut(", ".join(_item(item) for item in value), _ITEMS)
    return kit.cut(str(value), _ITEMS)


def _cards(data: kit.Data, board: Board, best: Mapping[str, kit.Data]) -> list[kit.Card]:
    cards = []
    if best:
        scheme = max(best, key=lambda scheme: float(best[scheme]["metrics"][MAIN]["mean"]))
        mean = kit.number(best[scheme]["metrics"][MAIN]["mean"])
        cards.append(kit.Card("Highest mass accuracy", mean, f"{best[scheme]['label']} on {scheme}"))
        if chances := [value for s in best if (value := board.chance(s)) is not None]:
            cards.append(kit.Card("Chance", kit.number(float(np.mean(chances))), "of a constant explanation"))
    means = [float(row["accuracy"]["mean"]) for row in board.accuracy.values()]
    if means:
        ends = dict.fromkeys(f"{kit.points(end)}%" for end in (min(means), max(means)))
        cards.append(kit.Card("Accuracy", " to ".join(ends), f"of the models of {kit.count(len(means), 'scheme')}"))
    looking = [method for method in board.methods if board.looks(method)]
    bad = {row["method"] for rows in invalid_methods(board).values() for _, row in rows}
    n_valid = len([key for key in looking if key not in bad])
    seeds = kit.count(len(data["seeds"]), "seed")
    return [
        *cards,
        kit.Card("Methods", f"{n_valid} of {len(looking)}", "valid on every scheme"),
        kit.Card("Test sentences", f"{data['n_sentences']:,}", f"{data['n_test']:,} rows, {seeds} a scheme"),
    ]


def _caveats(data: kit.Data, board: Board) -> Sequence[str]:
    caveats = [str(note) for note in data["notes"]]
    if data["n_sentences"] < _FEW_SENTENCES:
        caveats.append(
            f"Only {kit.count(data['n_sentences'], 'test sentence')}: intervals of so few are too narrow, and methods "
            "that look alike here may differ."
        )
    n_seeds = len(data["seeds"])
    if any(re.match(r"(one|\d+) seeds?:", note, re.IGNORECASE) for note in caveats):
        pass  # the run says it itself
    elif n_seeds == 1:
        caveats.append("One seed: intervals say nothing about how much another training would change the numbers.")
    elif n_seeds < _FEW_SEEDS:
        caveats.append(
            f"{n_seeds} seeds: where seeds differ much, intervals are too narrow (in a simulation, 95% intervals of "
            "three seeds covered 87%)."
        )
    guess = 1.0 / max(len(data["classes"]), 1)
    if at_chance := [scheme for scheme, row in board.accuracy.items() if row["accuracy"]["low"] <= guess]:
        caveats.append(
            f"The models of {kit.listed(at_chance)} are not clearly better than guessing: their explanations explain "
            "nothing that was learned."
        )
    return list(dict.fromkeys(caveats))


def _methods(data: kit.Data, board: Board) -> list[kit.Block]:
    """Say what was done, only of what is on the page."""
    rows = list(board.rows.values())
    seeds = ", and seeds [@owen2007]" if len(data["seeds"]) > 1 else ""
    known = {key: METHODS[key] for key in board.methods if key in METHODS}
    blocks: list[kit.Block] = [how("benchmark"), how("intervals", level=board.level, seeds=seeds)]
    if mode := data["options"].get("reference_mode"):
        blocks.append(how("reference", mode=mode))
    blocks += [how(key) for key in _PARTS if any(row[key] for row in rows)]
    meanings = {key: of.meaning for key, of in known.items()} | _REFERENCES
    defined = [(kit.name(board.labels[key]), meanings[key]) for key in board.methods if meanings.get(key)]
    sources = [work for of in known.values() for work in of.source]
    return [*blocks, how("methods", *sources), kit.Definitions(defined), how("limits")]
