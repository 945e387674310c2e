"""The page of `compare_many`: matrices of all pairs of corpora."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations

import numpy as np
import numpy.typing as npt

from xembed.reports import kit
from xembed.shift._kinds import KINDS
from xembed.shift._pages import methods

Floats = npt.NDArray[np.float64]

# Corpora in a matrix and pairs in the table: larger ones can't be read.
_MOST_CORPORA, _MOST_PAIRS = 25, 200
_DEEPER = "2Q − 1; above 0: the column's texts are the deeper ones, nearer to what both have in common."


def many(data: kit.Data) -> kit.Page:
    """Return the page of several corpora."""
    names, counts = kit.short_names(data["names"]), data["counts"]
    n_pairs, found = len(names) * (len(names) - 1) // 2, data["n_different"]
    level = f"level {kit.level(data['alpha'])} for all together"
    return kit.Page(
        title=f"{len(names)} corpora",
        kind="several corpora",
        finding=kit.Finding(f"{found} of {n_pairs} pairs differ" if found else "No difference found", found > 0),
        verdict=data["verdict"],
        blocks=[*_matrices(data, names), _pairs(data, names)],
        cards=[
            kit.Card("Pairs that differ", f"{found:,} of {n_pairs:,}", level),
            kit.Card("Corpora", f"{len(names)}", f"{min(counts):,} to {max(counts):,} texts each"),
        ],
        caveats=data["warnings"],
        methods=[methods.how("many"), methods.which_tests(data["tests"]), methods.how("limits")],
        sizes=", ".join(f"{one}: {n:,}" for one, n in zip(names, counts, strict=True)),
    )


def _matrices(data: kit.Data, names: Sequence[str]) -> list[kit.Block]:
    if len(names) > _MOST_CORPORA:
        return []
    adjusted, cosines = np.asarray(data["adjusted_pvalues"]), np.asarray(data["similarities"])

    def pvalue(p: float) -> str:
        return kit.p_value(p) + (" ✓" if p <= data["alpha"] else "")

    pvalues = _cells(adjusted, pvalue, (adjusted <= data["alpha"]).astype(float))
    largest = max(float(np.abs(cosines).max()), 1e-9)
    similar = [[kit.Cell(f"{x:.3f}", shade=abs(x) / largest) for x in line] for line in cosines.tolist()]
    corrected = f"✓: at most {data['alpha']:.3g}. Corrected for the number of pairs."
    of_two = "One text of each corpus; on the diagonal, two of the same."
    panels = [
        _matrix("Adjusted p-values", corrected, names, pvalues),
        _matrix("Mean cosine of two texts", of_two, names, similar),
    ]
    for test, values in zip(data["tests"], data["effects"], strict=True):
        note = _DEEPER if test == "depth" else KINDS[test].meaning
        sizes = np.abs(values)
        cells = _cells(np.asarray(values), kit.effect, sizes / max(float(sizes.max()), 1e-9))
        panels.append(_matrix(f"Effect: {KINDS[test].title}", note, names, cells))
    return [kit.Section("matrices", "All pairs", [kit.Columns(panels)], nav="Matrices")]


def _matrix(title: str, note: str, names: Sequence[str], cells: Sequence[Sequence[kit.Cell]]) -> kit.Panel:
    rows: list[list[kit.Cell | kit.Line]] = [[kit.name(one), *line] for one, line in zip(names, cells, strict=True)]
    table = kit.Table(kit.number_columns(["", *map(kit.name, names)]), rows, title, note=note, kind="matrix")
    return kit.Panel(title, [table])


def _cells(values: Floats, write: Callable[[float], str], shades: Floats) -> list[list[kit.Cell]]:
    """Return the cells of a matrix of pairs, nothing on the diagonal."""
    nothing = kit.Cell("–", shade=0.0)
    return [
        [nothing if i == j else kit.Cell(write(x), shade=float(shades[i, j])) for j, x in enumerate(line)]
        for i, line in enumerate(values.tolist())
    ]


def _pairs(data: kit.Data, names: Sequence[str]) -> kit.Block:
    pvalues, adjusted, counts = data["pvalues"], data["adjusted_pvalues"], data["counts"]
    pairs = sorted(combinations(range(len(names)), 2), key=lambda pair: adjusted[pair[0]][pair[1]])
    shown = pairs[:_MOST_PAIRS]
    effects = [f"Effect: {KINDS[test].title}" for test in data["tests"]]
    columns = kit.number_columns(["Corpora", "Texts", "p", "Adjusted p", *effects, "Mean cosine"])
    rows: list[list[kit.Cell | kit.Line]] = [
        [
            [kit.name(names[i]), " and ", kit.name(names[j])],
            f"{counts[i]:,} / {counts[j]:,}",
            kit.p_value(pvalues[i][j]),
            kit.Cell(kit.p_value(adjusted[i][j]), sure=adjusted[i][j] <= data["alpha"]),
            *(kit.effect(values[i][j]) for values in data["effects"]),
            f"{data['similarities'][i][j]:.3f}",
        ]
        for i, j in shown
    ]
    left_out = f"The first {len(shown):,} of {len(pairs):,} pairs; all are in the .json file beside this page."
    title = "All pairs, strongest evidence first"
    table = kit.Table(columns, rows, title, note=left_out if len(shown) < len(pairs) else "")
    return kit.Section("pairs", title, [table], nav="Pairs")
