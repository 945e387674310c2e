"""The page of DefSent and DefSent+: what was learnt, round by round."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from xembed.reports import _isotropy_figures as figures
from xembed.reports._common import card, notes, page_context, plot
from xembed.reports._format import count, number, percent
from xembed.reports._space import measure_meanings, measure_references

Data = Mapping[str, Any]

_NAMES = {"defsent": "DefSent", "defsent+": "DefSent+"}
_COLOURS = ("c0", "c1", "c2", "c3", "c4", "c5")
_FAR = 20  # times: losses of a projected and scaled target are on another scale than those of plain ones
_MEASURES = (("isoscore", "IsoScore, debiased"), ("average_cosine", "Average cosine"))


def defsent_context(data: Data) -> dict[str, Any]:
    """Return what the page of a training needs."""
    rounds, name = data["rounds"], _NAMES[data["method"]]
    losses = _ends(rounds, "validation_losses")
    fell = losses is not None and losses[1] < losses[0]
    chip = (False, "No held-out definitions", "–")
    if losses is not None:
        chip = (fell, "Held-out loss fell" if fell else "Held-out loss did not fall", "✓" if fell else "!")
    sections = [_training_section(rounds)]
    if losses is not None:
        sections.append(_validation_section(rounds))
    measured = any(
        one[f"{which}_{key}"] is not None for one in rounds for which in ("entry", "target") for key, _ in _MEASURES
    )
    if measured:
        sections.append(_entries_section(rounds))
    sections.append(_rounds_section(rounds))
    measures = ["debiased_isoscore", "average_cosine"] if measured else []
    return page_context(
        data,
        template="training.html.j2",
        kind=f"training by {name}",
        title=str(data["encoder"].get("model") or "An encoder"),
        chip=chip,
        verdict=_verdict(data, name, losses),
        cards=_cards(data, losses),
        warnings=notes(data["notes"]),
        sections=sections,
        sizes=f"{count(data['n_definitions'], 'definition')} of {data['n_entries']:,} entries",
        package="xembed.defsent",
        method=data["method"],
        projected=any(one["projected"] for one in rounds),
        measures=measure_meanings(measures),
        references=[
            "tsukagoshi",
            *(["liu_defsent"] if data["method"] == "defsent+" else []),
            *measure_references(measures),
        ],
    )


def _ends(rounds: Sequence[Data], key: str) -> tuple[float, float] | None:
    """Return the first and the kept value of the last round that was validated."""
    for one in reversed(rounds):
        if len(one[key]):
            return float(one[key][0]), float(one[key][_kept(one)])
    return None


def _kept(one: Data) -> int:
    """Return the position of the validation whose weights were kept."""
    steps = list(one["validation_steps"])
    return steps.index(one["best_step"]) if one["best_step"] in steps else len(steps) - 1


def _verdict(data: Data, name: str, losses: tuple[float, float] | None) -> str:
    start = (
        f"Trained by {name} in {count(len(data['rounds']), 'round')} on "
        f"{count(data['n_definitions'], 'definition')} of {data['n_entries']:,} entries. "
    )
    top = _ends(data["rounds"], "validation_top1")
    if losses is None or top is None:
        return f"{start}No definitions were held out, so nothing says how well it does on new ones."
    return (
        f"{start}In the last round the loss on held-out definitions went from {number(losses[0])} to "
        f"{number(losses[1])}, and the share whose own entry comes first from {percent(top[0])} to {percent(top[1])}."
    )


def _cards(data: Data, losses: tuple[float, float] | None) -> list[dict[str, str]]:
    cards = []
    if losses is not None:
        note = f"mean cross-entropy, last round; held-out entries: {data['n_validation']:,}"
        cards.append(card("Held-out loss", f"{number(losses[0])} → {number(losses[1])}", note))
    for key, label, note in (
        ("validation_top1", "Own entry first", "share of held-out definitions"),
        ("validation_mrr", "Mean reciprocal rank", "of the own entry; 1: always first"),
    ):
        if ends := _ends(data["rounds"], key):
            write = percent if key == "validation_top1" else number
            cards.append(card(label, f"{write(ends[0])} → {write(ends[1])}", note))
    dropped = f"; {data['n_dropped']:,} left out, not one token" if data["n_dropped"] else ""
    cut_short = f"; {data['n_truncated']:,} cut" if data["n_truncated"] else ""
    cards += [
        card("Entries", f"{data['n_entries']:,}", f"{count(data['n_definitions'], 'definition')}{dropped}{cut_short}"),
        card("Learning rate", f"{data['learning_rate']:.3g}", f"largest of the schedule; {data['pooling']} pooling"),
        card("Time", _time(data["seconds"]), "interruptions left out"),
    ]
    return cards


def _time(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{seconds / 3600:.1f} h"


def _training_section(rounds: Sequence[Data]) -> dict[str, Any]:
    caption = (
        "Mean loss of the training definitions since the step noted before, one line a round. Where targets differ, as "
        "after a projection, losses of different rounds can't be compared."
    )
    chart = plot(
        "losses",
        "Training loss",
        caption,
        _curves(rounds, "steps", "losses", "loss"),
        size="wide",
        table=_curve(rounds, "steps", {"Loss": "losses"}),
    )
    return {"kind": "figures", "id": "training", "nav": "Training loss", "plots": [chart]}


def _lines(rounds: Sequence[Data], x: str, y: str, scale: float = 1.0) -> list[figures.Line]:
    return [
        figures.Line(
            f"round {one['round']}",
            one[x],
            [scale * value for value in one[y]],
            _COLOURS[i % len(_COLOURS)],
            dash=figures.DASHES[i % len(figures.DASHES)],
        )
        for i, one in enumerate(rounds)
        if len(one[x])
    ]


def _curves(rounds: Sequence[Data], x: str, key: str, y_title: str, scale: float = 1.0) -> str:
    """Return one line a round; losses of rounds that differ very much stand on a logarithmic scale."""
    values = [float(value) for one in rounds for value in one[key]]
    log = y_title == "loss" and min(values, default=0.0) > 0 and max(values) > _FAR * min(values)
    return figures.lines(
        _lines(rounds, x, key, scale),
        x_title="step",
        y_title=f"{y_title} (log scale)" if log else y_title,
        value=".4g",
        log=log,
    )


def _curve(rounds: Sequence[Data], x: str, columns: Mapping[str, str]) -> tuple[list[str], list[list[str]]]:
    body = [
        [f"{one['round']}", f"{step:,}", *(number(one[key][i]) for key in columns.values())]
        for one in rounds
        for i, step in enumerate(one[x])
    ]
    return ["Round", "Step", *columns], body


def _validation_section(rounds: Sequence[Data]) -> dict[str, Any]:
    plots = []
    for key, title, caption, y_title, scale in (
        (
            "validation_losses",
            "Held-out loss",
            "Mean cross-entropy of held-out definitions over all entries.",
            "loss",
            1.0,
        ),
        (
            "validation_top1",
            "Own entry first",
            "Share of held-out definitions whose own entry has the largest logit; ties count against it.",
            "% of definitions",
            100.0,
        ),
        (
            "validation_mrr",
            "Mean reciprocal rank",
            "Mean of one over the rank of the own entry: 1 if it always comes first.",
            "mean reciprocal rank",
            1.0,
        ),
    ):
        figure = _curves(rounds, "validation_steps", key, y_title, scale)
        table = _curve(rounds, "validation_steps", {title: key})
        size = "wide" if key == "validation_losses" else "square"
        caption += " Step 0 is before training."
        plots.append(plot(key.replace("_", "-"), title, caption, figure, size=size, table=table))
    return {"kind": "figures", "id": "validation", "nav": "Held-out definitions", "plots": plots}


def _entries_section(rounds: Sequence[Data]) -> dict[str, Any]:
    plots = []
    numbers = [one["round"] for one in rounds]
    for key, label in _MEASURES:
        entry, target = ([one[f"{which}_{key}"] for one in rounds] for which in ("entry", "target"))
        drawn = [
            figures.Line("entry embeddings", numbers, entry, "f"),
            figures.Line("trained against", numbers, target, "g", dash="dash", symbol="diamond-open"),
        ]
        perfect = "1: the same variance in all directions" if key == "isoscore" else "0: no common direction"
        caption = (
            f"Of the entries, by round: their embeddings, and the matrix that was trained against, which is projected "
            f"where a round says so, and scaled. {perfect}."
        )
        table = (
            ["Round", "Entry embeddings", "Trained against", "Projected"],
            [
                [f"{one['round']}", number(entry[i]), number(target[i]), "yes" if one["projected"] else "no"]
                for i, one in enumerate(rounds)
            ],
        )
        figure = figures.lines(drawn, x_title="round", y_title=label, whole=True)
        plots.append(plot(f"entries-{key.replace('_', '-')}", f"{label} of the entries", caption, figure, table=table))
    return {"kind": "figures", "id": "entries", "nav": "Entries", "plots": plots}


def _rounds_section(rounds: Sequence[Data]) -> dict[str, Any]:
    return {
        "kind": "table",
        "id": "rounds",
        "nav": "Rounds",
        "title": "All rounds",
        "note": "Arrows lead from before the round to the weights that were kept, and for entries from their "
        "embeddings to the matrix that was trained against. Kept: the step whose weights were kept.",
        "head": [
            "Round",
            "Steps",
            "Training loss",
            "Held-out loss",
            "Own entry first",
            "MRR",
            "Kept",
            *(f"{label} of entries" for _, label in _MEASURES),
            "Time",
        ],
        "body": [
            [
                f"{one['round']}" + (", projected" if one["projected"] else ""),
                f"{one['n_steps']:,}" + (", stopped early" if one["stopped_early"] else ""),
                number(one["losses"][-1]) if len(one["losses"]) else "–",
                _arrow(one, "validation_losses", number),
                _arrow(one, "validation_top1", percent),
                _arrow(one, "validation_mrr", number),
                "last" if one["best_step"] is None else f"{one['best_step']:,}",
                *(_pair(one[f"entry_{key}"], one[f"target_{key}"]) for key, _ in _MEASURES),
                _time(one["seconds"]),
            ]
            for one in rounds
        ],
    }


def _arrow(one: Data, key: str, write: Any) -> str:
    values = one[key]
    return f"{write(values[0])} → {write(values[_kept(one)])}" if len(values) else "–"


def _pair(entry: float | None, target: float | None) -> str:
    return "–" if entry is None and target is None else f"{number(entry)} → {number(target)}"
