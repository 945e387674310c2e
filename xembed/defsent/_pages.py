"""The page of DefSent and DefSent+: what was learnt, round by round."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from xembed.isotropy._metrics import METRICS
from xembed.isotropy._pages.methods import describe
from xembed.reports import kit
from xembed.reports.kit import Block, Data

_NAMES = {"defsent": "DefSent", "defsent+": "DefSent+"}
_FAR = 20  # times: losses of a projected and scaled target are on another scale than those of plain ones
# Measures of the entries by the fields of a round that hold them.
_MEASURES = {"isoscore": METRICS["debiased_isoscore"], "average_cosine": METRICS["average_cosine"]}
# What is validated: its field, its title, what it is, its axis, its scale there, and how it is written.
_VALIDATED: tuple[tuple[str, str, str, str, float, Callable[[float], str]], ...] = (
    ("validation_losses", "Held-out loss", "Mean cross-entropy of held-out definitions over all entries", "loss",
     1.0, kit.number),
    ("validation_top1", "Own entry first",
     "Share of held-out definitions whose own entry has the largest logit (top-1 accuracy); ties count against it",
     "% of definitions", 100.0, kit.percent),
    ("validation_mrr", "Mean reciprocal rank", "Mean of one over the rank of the own entry: 1 if it always comes first",
     "mean reciprocal rank", 1.0, kit.number),
)  # fmt: skip
how = kit.methods_of("xembed.defsent")


def training(data: Data) -> kit.Page:
    """Return the page of a training."""
    rounds, name = data["rounds"], _NAMES[data["method"]]
    losses = _first_and_kept(rounds, "validation_losses")
    measured = any(
        entry[f"{which}_{key}"] is not None for entry in rounds for which in ("entry", "target") for key in _MEASURES
    )
    finding = kit.Finding("No held-out definitions", sign="–")
    blocks: list[Block] = [_training_section(rounds)]
    if losses is not None:
        fell = losses[1] < losses[0]
        finding = kit.Finding("Held-out loss fell" if fell else "Held-out loss did not fall", fell, "" if fell else "!")
        figures = [_validation_figure(rounds, *quantity[:5]) for quantity in _VALIDATED]
        blocks.append(kit.Section("validation", "Held-out definitions", [kit.Columns(figures)]))
    if measured:
        entries = kit.Columns([_entries_figure(rounds, key) for key in _MEASURES])
        blocks.append(kit.Section("entries", "Isotropy of the entries", [entries], nav="Entries"))
    plus = data["method"] == "defsent+"
    return kit.Page(
        title=kit.plain(str(data["encoder"].get("model") or "An encoder"), 120),
        kind=f"training by {name}",
        finding=finding,
        verdict=_verdict(data, name, losses),
        blocks=[*blocks, _rounds_section(rounds)],
        cards=_cards(data),
        caveats=data["notes"],
        methods=[
            how("defsent_plus" if plus else "defsent"),
            *([how("projection")] if plus and any(entry["projected"] for entry in rounds) else []),
            how("held_out"),
            *(describe(metric.name for metric in _MEASURES.values()) if measured else []),
        ],
        sizes=f"{kit.count(data['n_definitions'], 'definition')} of {data['n_entries']:,} entries",
    )


def _first_and_kept(rounds: Sequence[Data], key: str) -> tuple[float, float] | None:
    """Return the first and the kept value of the last round that was validated."""
    for entry in reversed(rounds):
        if len(entry[key]):
            return float(entry[key][0]), float(entry[key][_kept(entry)])
    return None


def _kept(entry: Data) -> int:
    """Return the position of the validation whose weights were kept."""
    steps = list(entry["validation_steps"])
    return steps.index(entry["best_step"]) if entry["best_step"] in steps else len(steps) - 1


def _arrow(ends: tuple[float, float] | None, write: Callable[[float], str]) -> str:
    return "–" if ends is None else f"{write(ends[0])} → {write(ends[1])}"


def _verdict(data: Data, name: str, losses: tuple[float, float] | None) -> str:
    start = (
        f"Trained by {name} in {kit.count(len(data['rounds']), 'round')} on "
        f"{kit.count(data['n_definitions'], 'definition')} of {data['n_entries']:,} entries. "
    )
    top = _first_and_kept(data["rounds"], "validation_top1")
    if losses is None or top is None:
        return f"{start}No definitions were held out, so nothing says how well it does on new ones."
    return (
        f"{start}In the last round the loss on held-out definitions went from {kit.number(losses[0])} to "
        f"{kit.number(losses[1])}, and the share whose own entry comes first from {kit.percent(top[0])} to "
        f"{kit.percent(top[1])}."
    )


def _cards(data: Data) -> list[kit.Card]:
    notes = (
        f"mean cross-entropy, last round; held-out entries: {data['n_validation']:,}",
        "share of held-out definitions",
        "of the own entry; 1: always first",
    )
    cards = [
        kit.Card(title, _arrow(ends, write), note)
        for (key, title, *_, write), note in zip(_VALIDATED, notes, strict=True)
        if (ends := _first_and_kept(data["rounds"], key)) is not None
    ]
    dropped = f"; {data['n_dropped']:,} left out, not one token" if data["n_dropped"] else ""
    shortened = f"; {data['n_truncated']:,} cut" if data["n_truncated"] else ""
    definitions = f"{kit.count(data['n_definitions'], 'definition')}{dropped}{shortened}"
    return [
        *cards,
        kit.Card("Entries", f"{data['n_entries']:,}", definitions),
        kit.Card(
            "Learning rate", f"{data['learning_rate']:.3g}", f"largest of the schedule; {data['pooling']} pooling"
        ),
        kit.Card("Time", _time(data["seconds"]), "without interruptions"),
    ]


def _time(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{seconds / 3600:.1f} h"


def _training_section(rounds: Sequence[Data]) -> kit.Section:
    caption = (
        "Mean loss of the training definitions since the step noted before, one line a round. Where targets differ, as "
        "after a projection, losses of different rounds can't be compared."
    )
    spec, table = _curves(rounds, "steps", "losses", "loss"), _numbers(rounds, "steps", "losses", "Loss")
    figure = kit.Figure("losses", "Loss by step", caption, spec, size="wide", table=table)
    return kit.Section("training", "Training loss", [figure])


def _validation_figure(
    rounds: Sequence[Data], key: str, title: str, meaning: str, axis: str, scale: float
) -> kit.Figure:
    spec = _curves(rounds, "validation_steps", key, axis, scale)
    table = _numbers(rounds, "validation_steps", key, title)
    caption = f"{meaning}. Step 0 is before training."
    return kit.Figure(key.replace("_", "-"), title, caption, spec, "wide" if axis == "loss" else "square", table=table)


def _curves(rounds: Sequence[Data], x: str, key: str, axis: str, scale: float = 1.0) -> str:
    """Return one line a round; losses of rounds that differ very much stand on a logarithmic scale."""
    values = [float(value) for entry in rounds for value in entry[key]]
    log = axis == "loss" and min(values, default=0.0) > 0 and max(values) > _FAR * min(values)
    lines = [
        kit.Curve(
            f"round {entry['round']}", entry[x], [scale * y for y in entry[key]], f"c{i % 6}", dash=kit.DASHES[i % 6]
        )
        for i, entry in enumerate(rounds)
        if len(entry[x])
    ]
    return kit.curves(lines, x_title="step", y_title=f"{axis} (log scale)" if log else axis, value=".4g", log=log)


def _numbers(rounds: Sequence[Data], x: str, key: str, label: str) -> kit.Table:
    body = [
        [f"{entry['round']}", f"{step:,}", kit.number(value)]
        for entry in rounds
        for step, value in zip(entry[x], entry[key], strict=True)
    ]
    return kit.Table(kit.number_columns(["Round", "Step", label]), body, label)


def _entries_figure(rounds: Sequence[Data], key: str) -> kit.Figure:
    label, isotropic = _MEASURES[key].label, _MEASURES[key].bounds(2, 2)[2]
    numbers = [entry["round"] for entry in rounds]
    entries, targets = ([entry[f"{which}_{key}"] for entry in rounds] for which in ("entry", "target"))
    lines = [
        kit.Curve("entry embeddings", numbers, entries, "f"),
        kit.Curve("trained against", numbers, targets, "g", dash="dash", symbol="diamond-open"),
    ]
    caption = (
        "Of the entries, by round: their embeddings, and the matrix that was trained against, which is projected "
        f"where a round says so, and scaled. Isotropic value: {kit.number(isotropic)}."
    )
    body = [
        [f"{entry['round']}", kit.number(before), kit.number(after), "yes" if entry["projected"] else "no"]
        for entry, before, after in zip(rounds, entries, targets, strict=True)
    ]
    title = f"{label} of the entries"
    table = kit.Table(kit.number_columns(["Round", "Entry embeddings", "Trained against", "Projected"]), body, title)
    spec = kit.curves(lines, x_title="round", y_title=label, whole=True)
    return kit.Figure(f"entries-{key.replace('_', '-')}", title, caption, spec, table=table)


def _rounds_section(rounds: Sequence[Data]) -> kit.Section:
    heads = ["Round", "Steps", "Training loss", "Held-out loss", "Own entry first", "MRR", "Kept"]
    heads += [*(f"{metric.label} of entries" for metric in _MEASURES.values()), "Time"]
    note = (
        "Arrows lead from before the round to the weights that were kept, and for entries from their embeddings to the "
        "matrix that was trained against. Kept: the step whose weights were kept."
    )
    table = kit.Table(kit.number_columns(heads), [_round(entry) for entry in rounds], "All rounds", note=note)
    return kit.Section("rounds", "All rounds", [table], nav="Rounds")


def _round(entry: Data) -> list[str]:
    measures = [(entry[f"entry_{key}"], entry[f"target_{key}"]) for key in _MEASURES]
    return [
        f"{entry['round']}" + (", projected" if entry["projected"] else ""),
        f"{entry['n_steps']:,}" + (", stopped early" if entry["stopped_early"] else ""),
        kit.number(entry["losses"][-1]) if len(entry["losses"]) else "–",
        *(_arrow(_first_and_kept([entry], key), write) for key, *_, write in _VALIDATED),
        "last" if entry["best_step"] is None else f"{entry['best_step']:,}",
        *("–" if pair == (None, None) else f"{kit.number(pair[0])} → {kit.number(pair[1])}" for pair in measures),
        _time(entry["seconds"]),
    ]
