"""The page of `layer_profile`: every layer and pooling, raw and corrected."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from xembed.reports import _isotropy_figures as figures
from xembed.reports._common import card, notes, page_context, plot
from xembed.reports._corrections import correction_references
from xembed.reports._format import bounds, count, cut, number, percent, point_bounds, points
from xembed.reports._space import NAME, RAW, methods_of
from xembed.reports._text import plain

Data = Mapping[str, Any]
Value = Callable[[Data], float | None]

_SET = 60  # characters of the name of a set
_COLOURS = ("c1", "c2", "c3", "c4", "c5")
_FEW = 3  # corrections up to which each line has a color


def layers_context(data: Data) -> dict[str, Any]:
    """Return what the page of `layer_profile` needs."""
    best = _best_row(data)
    rows = data["rows"]
    corrected, sources = correction_references(list(data["corrections"].values()))
    depth = f"{len(data['layers'])} of {data['n_blocks'] + 1}"
    cards = [card("Layers", depth, "0 is the output of the embedding layer")]
    if best is not None:
        cards = [card("Highest correlation × 100", points(best["sts"]["spearman"]), _where(best)), *cards]
        raw = max(
            (row for row in rows if row["correction"] == RAW and row["sts"] is not None), key=_spearman, default=None
        )
        if raw is not None and raw is not best:
            cards.insert(1, card("Highest raw", points(raw["sts"]["spearman"]), _where(raw)))
    fitted = (
        []
        if data["fit_on"] is None
        else [card("Fitted on", f"{data['n_fit']:,}", f"texts, “{plain(data['fit_on'], _SET)}”")]
    )
    return page_context(
        data,
        template="isotropy.html.j2",
        kind="layers",
        title=cut(str(data["encoder"].get("model") or "Layers of an encoder"), 120),
        chip=(best is not None, "Measures, no verdict" if best is None else f"Highest: {_where(best)}", "≡"),
        verdict=_verdict(data, best),
        cards=[*cards, card("Texts", f"{data['n_texts']:,}", "that isotropy is measured on"), *fitted],
        warnings=notes(data["notes"]),
        sections=[layers_section(data, None)],
        sizes=count(data["n_texts"], "text"),
        package="xembed.isotropy",
        **methods_of(
            [measure for row in rows for measure in row["measures"]],
            tasks=bool(data["sts"]),
            layered=True,
            corrected=corrected,
            sources=sources,
        ),
    )


def _verdict(data: Data, best: Data | None) -> str:
    if best is None:
        return (
            f"{count(len(data['layers']), 'layer')} measured without a task to judge by. A more isotropic layer need "
            "not be a better one."
        )
    return (
        f"Of {count(len(data['layers']), 'layer')}, {_where(best)} agrees best with human scores: Spearman's "
        f"correlation is {points(best['sts']['spearman'])} (× 100). It was found on the same pairs, so expect less on "
        "others."
    )


def _where(row: Data) -> str:
    correction = RAW if row["correction"] == RAW else cut(row["correction"], NAME)
    return f"layer {row['layer']}, {row['pooling']} pooling, {correction}"


def _spearman(row: Data) -> float:
    return float(row["sts"]["spearman"])


def _best_row(data: Data) -> Data | None:
    return max((row for row in data["rows"] if row["sts"] is not None), key=_spearman, default=None)


def layers_section(data: Data, correction: str | None) -> dict[str, Any]:
    """Return figures by pooling, and all numbers; ``correction`` stands out where no task says which is best."""
    best = _best_row(data)
    plots: list[dict[str, Any]] = []
    for name, label, percents, value in _quantities(data, best is not None):
        known = [found for row in data["rows"] if (found := value(row)) is not None]
        if not known:
            continue
        pad = 0.06 * (max(known) - min(known)) or 0.05
        for pooling in data["poolings"]:
            rows = [row for row in data["rows"] if row["pooling"] == pooling]
            chosen = _highlight(rows, value, correction, by_task=name == "spearman")
            plots.append(
                plot(
                    f"layers-{name}-{len(plots)}",
                    f"{label}, {pooling} pooling",
                    _caption(data, rows, name, label, chosen, percents),
                    _lines(data, rows, value, chosen, label, percents, (min(known) - pad, max(known) + pad)),
                    table=_grid(data, rows, value, percents),
                )
            )
    return {
        "kind": "layers",
        "id": "layers",
        "nav": "Layers",
        "note": _note(data),
        "plots": plots,
        "table": _all_rows(data),
        "n_rows": len(data["rows"]),
    }


def _note(data: Data) -> str:
    parts = [f"{count(data['n_texts'], 'text')} measured"]
    if data["sts"]:
        parts.append("correlations on " + ", ".join(f"“{plain(name, _SET)}”" for name in data["sts"]))
    if data["fit_on"] is not None:
        fit = f"corrections fitted on “{plain(data['fit_on'], _SET)}” ({count(data['n_fit'], 'text')})"
        if data["fit_overlap"] is not None:
            fit += f", which holds {percent(data['fit_overlap'])} of the sentences of the pairs"
        parts.append(fit)
    return "; ".join(parts) + "."


def _quantities(data: Data, judged: bool) -> list[tuple[str, str, bool, Value]]:
    """Return what is drawn: the correlation, or without one each of the measures that are shown by layer."""
    if judged:
        return [("spearman", "Spearman × 100", True, lambda row: None if row["sts"] is None else _spearman(row) * 100)]
    labels = {measure["name"]: measure["label"] for row in data["rows"] for measure in row["measures"]}
    usual = [name for name in ("debiased_isoscore", "average_cosine") if name in labels]
    return [(name, labels[name], False, _measured(name)) for name in usual or list(labels)[:2]]


def _measured(name: str) -> Value:
    def value(row: Data) -> float | None:
        return next((measure["value"] for measure in row["measures"] if measure["name"] == name), None)

    return value


def _highlight(rows: Sequence[Data], value: Value, correction: str | None, *, by_task: bool) -> str | None:
    """Return the correction whose line stands out: that of the highest mean correlation, else the one asked for."""
    if by_task:
        found: dict[str, list[float]] = {}
        for row in rows:
            if row["correction"] != RAW and (one := value(row)) is not None:
                found.setdefault(row["correction"], []).append(one)
        return max(found, key=lambda name: sum(found[name]) / len(found[name]), default=None)
    return correction if any(row["correction"] == correction for row in rows) else None


def _lines(
    data: Data,
    rows: Sequence[Data],
    value: Value,
    chosen: str | None,
    label: str,
    percents: bool,
    y_range: tuple[float, float],
) -> str:
    names = list(dict.fromkeys(row["correction"] for row in rows))
    corrections = [name for name in names if name != RAW]
    few = len(corrections) <= _FEW
    drawn = []
    # The lines that matter are drawn last, above the others.
    for name in sorted(corrections, key=lambda name: name == chosen):
        which = corrections.index(name)
        stands_out = few or name == chosen
        color = "found" if name == chosen else _COLOURS[which % len(_COLOURS)] if few else "quiet"
        drawn.append(
            figures.Line(
                cut(name, NAME),
                data["layers"],
                _by_layer(data, rows, name, value),
                color,
                width=2.5 if stands_out else 1.0,
                dash="dash" if name == chosen else figures.DASHES[2 + which % 4] if few else "solid",
                faint=not stands_out,
                symbol="diamond" if name == chosen else "circle",
            )
        )
    if RAW in names:
        drawn.append(figures.Line(RAW, data["layers"], _by_layer(data, rows, RAW, value), "ink", width=3.5))
    return figures.lines(
        drawn, x_title="layer", y_title=label, value=".1f" if percents else ".3f", y_range=y_range, whole=True
    )


def _by_layer(data: Data, rows: Sequence[Data], name: str, value: Value) -> list[float | None]:
    found = {row["layer"]: value(row) for row in rows if row["correction"] == name}
    return [found.get(layer) for layer in data["layers"]]


def _caption(data: Data, rows: Sequence[Data], name: str, label: str, chosen: str | None, percents: bool) -> str:
    corrections = {row["correction"] for row in rows} - {RAW}
    what = {
        "spearman": "Agreement of cosines with human scores, by layer",
        "debiased_isoscore": "IsoScore without the bias of small samples, by layer; 1: the same variance everywhere",
        "average_cosine": "Mean cosine of two different texts, by layer; 0: no common direction",
    }.get(name, f"{label} by layer")
    parts = [f"{what}. Thick: raw embeddings."]
    if chosen is not None and name == "spearman":
        parts.append(f"Colored: {cut(chosen, NAME)}, the correction with the highest mean over the layers.")
    elif chosen is not None:
        parts.append(f"Colored: {cut(chosen, NAME)}.")
    if len(corrections) > _FEW:
        parts.append("Thin lines: the other corrections; point at one for its name.")
    if any(row["sts"] is None for row in rows) and name == "spearman":
        parts.append("Where all pairs have the same cosine there is no value.")
    return " ".join(parts)


def _grid(data: Data, rows: Sequence[Data], value: Value, percents: bool) -> tuple[list[str], list[list[str]]]:
    names = list(dict.fromkeys(row["correction"] for row in rows))
    body = []
    for name in names:
        values = _by_layer(data, rows, name, value)
        shown = ["–" if x is None else f"{x:.1f}" if percents else number(x) for x in values]
        body.append([cut(name, NAME), *shown])
    return ["Layer", *(str(layer) for layer in data["layers"])], body


def _all_rows(data: Data) -> tuple[list[str], list[list[str]]]:
    labels = {measure["name"]: measure["label"] for row in data["rows"] for measure in row["measures"]}
    judged = bool(data["sts"])
    body = []
    for row in data["rows"]:
        found = {measure["name"]: measure for measure in row["measures"]}
        cells = [cut(row["correction"], NAME), str(row["layer"]), row["pooling"]]
        if judged:
            cells.append(_correlation(row["sts"]))
        body.append([*cells, *(_measure(found.get(name)) for name in labels)])
    return ["Correction", "Layer", "Pooling", *(["Spearman × 100"] if judged else []), *labels.values()], body


def _correlation(found: Data | None) -> str:
    if found is None:
        return "–"
    ends = point_bounds(found["spearman_low"], found["spearman_high"])
    return points(found["spearman"]) + (f" ({ends})" if ends else "")


def _measure(measure: Data | None) -> str:
    if measure is None:
        return "–"
    ends = bounds(measure["low"], measure["high"])
    return number(measure["value"]) + (f" ({ends})" if ends else "")
