"""The page of `layer_profile`: every layer and pooling, raw and corrected."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from xembed.isotropy._pages import methods
from xembed.isotropy._pages.corrections import correlation
from xembed.isotropy._pages.sections import RAW, by_name, measured, short
from xembed.reports import kit
from xembed.reports.kit import Block, Data

_COLORS = ("c1", "c2", "c3", "c4", "c5")
_FEW = 3  # corrections up to which each line has a color
_USUAL = ("debiased_isoscore", "average_cosine")


class _Quantity(NamedTuple):
    """What is drawn by layer, how captions describe it, how it is read from a row, and its decimals."""

    name: str
    label: str
    meaning: str
    of: Callable[[Data], float | None]
    decimals: str = ".3f"


def layers(data: Data) -> kit.Page:
    """Return the page of `layer_profile`."""
    best, n_layers = _best_row(data["rows"]), kit.count(len(data["layers"]), "layer")
    cards = []
    verdict = f"{n_layers} measured without a task to judge by. A more isotropic layer need not be a better one."
    if best is not None:
        cards.append(kit.Card("Highest correlation × 100", kit.points(best["sts"]["spearman"]), _where(best)))
        raw = _best_row([row for row in data["rows"] if row["correction"] == RAW])
        if raw is not None and raw is not best:
            cards.append(kit.Card("Highest raw", kit.points(raw["sts"]["spearman"]), _where(raw)))
        verdict = (
            f"Of {n_layers}, {_where(best)} agrees best with human scores: Spearman's correlation is "
            f"{kit.points(best['sts']['spearman'])} (× 100). It was chosen on the same pairs, so expect less on others."
        )
    depth = f"{len(data['layers'])} of {data['n_blocks'] + 1}"
    cards.append(kit.Card("Layers", depth, "0 is the output of the embedding layer"))
    cards.append(kit.Card("Texts", f"{data['n_texts']:,}", "that isotropy is measured on"))
    if data["fit_on"] is not None:
        cards.append(kit.Card("Fitted on", f"{data['n_fit']:,}", f"texts, “{kit.plain(data['fit_on'])}”"))
    return kit.Page(
        title=kit.plain(str(data["encoder"].get("model") or "Layers of an encoder"), 120),
        kind="layers",
        finding=kit.Finding(
            "Measures, no verdict" if best is None else f"Highest: {_where(best)}", best is not None, "≡"
        ),
        verdict=verdict,
        blocks=[layers_section(data, None)],
        cards=cards,
        caveats=data["notes"],
        methods=methods.of_space([], None, data),
        sizes=kit.count(data["n_texts"], "text"),
    )


def _where(row: Data) -> str:
    return f"layer {row['layer']}, {row['pooling']} pooling, {short(row['correction'])}"


def _best_row(rows: Sequence[Data]) -> Data | None:
    judged = (row for row in rows if row["sts"] is not None)
    return max(judged, key=lambda row: float(row["sts"]["spearman"]), default=None)


def layers_section(data: Data, correction: str | None) -> kit.Section:
    """Return figures by pooling, and all numbers; ``correction`` stands out where no task says which is best."""
    plots: list[Block] = []
    for quantity in _quantities(data["rows"]):
        values = [value for row in data["rows"] if (value := quantity.of(row)) is not None]
        if values:
            pad = 0.06 * (max(values) - min(values)) or 0.05
            y_range = (min(values) - pad, max(values) + pad)
            for pooling in data["poolings"]:
                plots.append(_figure(data, quantity, pooling, len(plots), y_range, correction))
    rows = kit.Fold(f"All layers, poolings and corrections ({len(data['rows'])} rows)", [_all_rows(data)])
    return kit.Section("layers", "Layers", [kit.Prose(_note(data)), *([kit.Columns(plots)] if plots else []), rows])


def _note(data: Data) -> str:
    parts = [f"{kit.count(data['n_texts'], 'text')} measured"]
    if data["sts"]:
        parts.append("correlations on " + ", ".join(f"“{kit.plain(one)}”" for one in data["sts"]))
    if data["fit_on"] is not None:
        fit = f"corrections fitted on “{kit.plain(data['fit_on'])}” ({kit.count(data['n_fit'], 'text')})"
        if data["fit_overlap"] is not None:
            fit += f", which holds {kit.percent(data['fit_overlap'])} of the sentences of the pairs"
        parts.append(fit)
    return "; ".join(parts) + "."


def _quantities(rows: Sequence[Data]) -> list[_Quantity]:
    """Return what is drawn: the correlation, or without one two of the measures."""
    if _best_row(rows) is not None:
        meaning = "Agreement of cosines with human scores, by layer"
        return [_Quantity("spearman", "Spearman × 100", meaning, _spearman, ".1f")]
    measures = by_name([measure for row in rows for measure in row["measures"]])
    return [
        _Quantity(
            key,
            measures[key]["label"],
            f"{measures[key]['label']} by layer; isotropic value {kit.number(measures[key]['perfect'])}",
            lambda row, key=key: by_name(row["measures"]).get(key, {}).get("value"),  # type: ignore[misc]
        )
        for key in [key for key in _USUAL if key in measures] or list(measures)[:2]
    ]


def _spearman(row: Data) -> float | None:
    return None if row["sts"] is None else 100 * float(row["sts"]["spearman"])


def _figure(
    data: Data, quantity: _Quantity, pooling: str, place: int, y_range: tuple[float, float], correction: str | None
) -> kit.Figure:
    rows = [row for row in data["rows"] if row["pooling"] == pooling]
    names = list(dict.fromkeys(row["correction"] for row in rows))
    values = {
        name: [by_layer.get(layer) for layer in data["layers"]]
        for name in names
        for by_layer in [{row["layer"]: quantity.of(row) for row in rows if row["correction"] == name}]
    }
    by_task = quantity.name == "spearman"
    chosen = _highest(values) if by_task else correction if correction in names else None
    body = [
        [short(name), *("–" if x is None else f"{x:.1f}" if by_task else kit.number(x) for x in of_layers)]
        for name, of_layers in values.items()
    ]
    title = f"{quantity.label}, {pooling} pooling"
    parts = [f"{quantity.meaning}. Thick: raw embeddings."]
    if chosen is not None:
        reason = ", the correction with the highest mean over the layers" if by_task else ""
        parts.append(f"Colored: {short(chosen)}{reason}.")
    if len(set(names) - {RAW}) > _FEW:
        parts.append("Thin lines: the other corrections; point at one for its name.")
    if by_task and any(row["sts"] is None for row in rows):
        parts.append("Where all pairs have the same cosine there is no value.")
    return kit.Figure(
        f"layers-{quantity.name}-{place}",
        title,
        " ".join(parts),
        kit.curves(
            _curves(data["layers"], values, chosen),
            x_title="layer",
            y_title=quantity.label,
            value=quantity.decimals,
            y_range=y_range,
            whole=True,
        ),
        table=kit.Table(kit.number_columns(["Layer", *map(str, data["layers"])]), body, title),
    )


def _highest(values: dict[str, list[float | None]]) -> str | None:
    """Return the correction of the highest mean."""
    known = {name: [x for x in of_layers if x is not None] for name, of_layers in values.items() if name != RAW}
    means = {name: sum(of_layers) / len(of_layers) for name, of_layers in known.items() if of_layers}
    return max(means, key=means.__getitem__, default=None)


def _curves(layers: Sequence[int], values: dict[str, list[float | None]], chosen: str | None) -> list[kit.Curve]:
    """Return a line for each correction, and last, above the others, those that matter."""
    corrections = [name for name in values if name != RAW]
    few = len(corrections) <= _FEW
    lines = []
    for which, name in sorted(enumerate(corrections), key=lambda item: item[1] == chosen):
        if name == chosen:
            look = kit.Curve(short(name), layers, values[name], "found", 2.5, "dash", symbol="diamond")
        elif few:
            look = kit.Curve(short(name), layers, values[name], _COLORS[which], 2.5, kit.DASHES[2 + which])
        else:
            look = kit.Curve(short(name), layers, values[name], "quiet", 1.0, faint=True)
        lines.append(look)
    if RAW in values:
        lines.append(kit.Curve(RAW, layers, values[RAW], "ink", 3.5))
    return lines


def _all_rows(data: Data) -> kit.Table:
    rows, judged = data["rows"], bool(data["sts"])
    labels = {measure["name"]: measure["label"] for row in rows for measure in row["measures"]}
    body = [
        [
            short(row["correction"]),
            str(row["layer"]),
            row["pooling"],
            *([correlation(row["sts"])] if judged else []),
            *map(measured, map(by_name(row["measures"]).get, labels)),
        ]
        for row in rows
    ]
    heads = ["Correction", "Layer", "Pooling", *(["Spearman × 100"] if judged else []), *labels.values()]
    return kit.Table(kit.number_columns(heads), body, "All layers, poolings and corrections")
