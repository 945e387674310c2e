"""The page of `explain_axes`, with its figures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from xembed.reports import kit

Array = npt.NDArray[Any]

_NAME, _HEAD = 40, 18  # characters of the name of an axis, and above a column
_STACKS, _ROWS = 60, 100  # pairs in the figure and in the table
_PATTERNS = ("", "/", ".", "x", "\\", "-", "|", "+")
how = kit.methods_of("xembed.concepts")


def axes(data: kit.Data) -> kit.Page:
    """Return the page of `explain_axes`."""
    names = [kit.plain(str(axis), _NAME) for axis in data["names"]]
    shares = np.asarray(data["difference_shares"], dtype=float).reshape(-1, len(names))
    rest = np.asarray(data["difference_rest"], dtype=float)
    differ = np.flatnonzero(np.asarray(data["difference"], dtype=float) > 0)
    n, n_alike = len(shares), len(shares) - len(differ)
    cards = [
        kit.Card("Pairs", f"{n:,}", f"{n_alike:,} of them without a difference" if n_alike else "of texts"),
        kit.Card("Mean cosine", kit.number(float(np.mean(data["similarity"]))), "of the pairs"),
        kit.Card("Mean distance", kit.number(float(np.mean(data["difference"]))), "of embeddings of length 1"),
    ]
    blocks: list[kit.Block] = [_axes(data, names, shares[differ], rest[differ]), _pairs(data, names)]
    if len(differ):
        cards.append(kit.Card("Residual", kit.percent(float(rest[differ].mean())), "of the difference, on average"))
        blocks.insert(0, _figures(names, shares, rest, differ))
    return kit.Page(
        title=f"What lies along {kit.listed([f'“{axis}”' for axis in names])}",
        kind="explanation by axes",
        finding=kit.Finding("1 axis" if len(names) == 1 else f"{len(names)} axes", sign="▤"),
        verdict=_verdict(data, names, shares[differ], rest[differ]),
        cards=cards,
        caveats=data.get("warnings", ()),
        blocks=blocks,
        methods=[how("axes"), how("limits")],
        sizes=kit.count(n, "pair"),
    )


def _verdict(data: kit.Data, names: Sequence[str], shares: Array, rest: Array) -> str:
    if not len(shares):
        return "No pair differs: there is nothing to lie along an axis."
    means = shares.mean(axis=0)
    place = int(means.argmax())
    share, residual = kit.percent(float(means[place])), kit.percent(float(rest.mean()))
    return (
        f"Of the difference of {kit.count(len(shares), 'pair')}, {share} lies along “{names[place]}” on average; it is "
        f"the first axis for {list(data['first']).count(data['names'][place]):,} of them. {residual} is residual."
    )


def _figures(names: Sequence[str], shares: Array, rest: Array, differ: Array) -> kit.Section:
    pairs = differ[np.argsort(rest[differ], kind="stable")]
    sampled = ""
    if len(pairs) > _STACKS:
        pairs = pairs[np.linspace(0, len(pairs) - 1, _STACKS).round().astype(int)]
        sampled = f"{_STACKS} of {len(differ):,} pairs, evenly spaced."
    figures = [
        kit.Figure(
            "means-plot",
            "Share of the difference along each axis",
            "Bars: mean of the pairs. Lines: from the 5% to the 95% quantile of the pairs.",
            _means_figure(shares[differ], names),
        ),
        kit.Figure(
            "shares-plot",
            "Pair by pair",
            "Shares of the squared distance of each pair along each axis, and the residual. Pairs in the order of "
            "their residual.",
            _shares_figure(shares[pairs], rest[pairs], names, pairs.tolist()),
            sampled=sampled,
        ),
    ]
    return kit.Section("shares", "Shares", [kit.Columns(figures)])


def _axes(data: kit.Data, names: Sequence[str], shares: Array, rest: Array) -> kit.Section:
    parts = np.asarray(data["similarity_parts"], dtype=float).reshape(-1, len(names))

    def row(label: str, values: Array, first: str, part: float) -> list[str]:
        quantiles = np.quantile(values if len(values) else [0.0], [0.05, 0.5, 0.95])
        low, middle, high = (kit.percent(float(quantile)) for quantile in quantiles)
        mean = kit.percent(float(values.mean())) if len(values) else "–"
        return [label, mean, middle, f"{low} to {high}", first, kit.effect(part)]

    rows = []
    for place, (axis, values) in enumerate(zip(names, shares.T, strict=True)):
        first = f"{list(data['first']).count(data['names'][place]):,}"
        rows.append(row(axis, values, first, float(parts[:, place].mean())))
    if len(rest):
        rows.append(row("Residual", rest, "–", float(np.mean(data["similarity_rest"]))))
    heads = [
        "Axis", "Mean share of the difference", "Median", "5% to 95%", "First of pairs", "Mean part of the cosine",
    ]  # fmt: skip
    note = (
        "Shares of the squared distance add up to 100% for each pair, parts of the cosine to the cosine. Axes that are "
        "not at right angles are replaced by the nearest ones that are."
    )
    table = kit.Table(kit.number_columns(heads), rows, "The axes", note=note)
    return kit.Section("axes", "The axes", [table], nav="Axes")


def _pairs(data: kit.Data, names: Sequence[str]) -> kit.Section:
    n, labels = len(data["similarity"]), dict(zip(data["names"], names, strict=True))
    rows = [
        [
            str(row),
            kit.number(data["similarity"][row]),
            kit.number(data["difference"][row]),
            *(kit.percent(share) for share in data["difference_shares"][row]),
            kit.percent(max(data["difference_rest"][row], 0.0)),
            "–" if data["first"][row] is None else kit.name(labels[data["first"][row]]),
        ]
        for row in range(min(n, _ROWS))
    ]
    along = [f"Along {kit.plain(axis, _HEAD)}" for axis in names]
    columns = kit.number_columns(["Pair", "Cosine", "Distance", *along, "Residual", "First"])
    note = f"The first {_ROWS} of {n:,} pairs; all are in the .json file beside this page." if n > _ROWS else ""
    return kit.Section("pairs", "The pairs", [kit.Table(columns, rows, "The pairs", note=note)], nav="Pairs")


def _shares_figure(shares: Array, rest: Array, names: Sequence[str], pairs: Sequence[int]) -> str:
    """Return for each pair what of its difference lies along each axis, stacked to 100 %."""
    figure = kit.new_figure()
    parts = [*zip(names, shares.T, strict=True), ("residual", rest)]
    for place, (axis, values) in enumerate(parts):
        last = place == len(parts) - 1
        figure.add_bar(
            x=list(range(len(pairs))),
            y=(100 * values).tolist(),
            name=kit.name_label(axis),
            meta="grid" if last else f"c{place % 5}",
            marker={"pattern": {"shape": "" if last else _PATTERNS[place % len(_PATTERNS)], "solidity": 0.25}},
            customdata=list(pairs),
            hovertemplate=f"pair %{{customdata}}, {kit.name_label(axis)}: %{{y:.1f}}%<extra></extra>",
        )
    ticks = list(range(0, len(pairs), max(1, len(pairs) // 20)))
    figure.update_xaxes(tickmode="array", tickvals=ticks, ticktext=[str(pairs[i]) for i in ticks], showgrid=False)
    figure.update_layout(
        barmode="stack", bargap=0.15, xaxis_title="pair", yaxis_title="% of the difference", showlegend=True
    )
    return kit.to_script(figure)


def _means_figure(shares: Array, names: Sequence[str]) -> str:
    """Return the mean share along each axis, with the range of nine in ten pairs."""
    means = (100 * shares.mean(axis=0)).tolist()
    figure = kit.new_figure()
    figure.add_bar(
        x=means,
        y=list(range(len(names))),
        orientation="h",
        error_x=kit.error_bars(means, (100 * np.quantile(shares, [0.05, 0.95], axis=0)).T.tolist()),
        marker={"opacity": 0.55},
        name="mean",
        meta="f",
        hovertemplate="%{y}: %{x:.1f}%<extra></extra>",
    )
    figure.update_yaxes(kit.word_ticks(names, 30) | {"range": None, "autorange": "reversed", "showgrid": False})
    figure.update_layout(xaxis_title="% of the difference", showlegend=False, bargap=0.35, hovermode="closest")
    return kit.to_script(figure)
