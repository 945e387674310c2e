"""The page of `compare_many`: matrices of all pairs of corpora."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt

from xembed.reports._common import card, notes, page_context
from xembed.reports._format import effect, level, p_value
from xembed.reports._wording import MEANINGS, TITLES

Floats = npt.NDArray[np.float64]

# Corpora in a matrix and pairs in the table: larger ones can't be read.
_MOST_CORPORA, _MOST_PAIRS = 25, 200
_DEEPER = "2Q − 1; above 0: the column's texts are the deeper ones, nearer to what both have in common."


def many_context(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the page of several corpora needs."""
    names = list(data["names"])
    n_pairs = len(names) * (len(names) - 1) // 2
    found = data["n_different"]
    return page_context(
        data,
        template="plain.html.j2",
        kind="several corpora",
        title=f"{len(names)} corpora",
        chip=(found > 0, f"{found} of {n_pairs} pairs differ" if found else "No difference found"),
        cards=[
            card("Pairs that differ", f"{found:,} of {n_pairs:,}", f"level {level(data['alpha'])} for all together"),
            card("Corpora", f"{len(names)}", f"{min(data['counts']):,} to {max(data['counts']):,} texts each"),
        ],
        warnings=notes(data["warnings"]),
        sections=[*_matrices(data, names), _pairs(data, names)],
        sizes=", ".join(f"{name}: {n:,}" for name, n in zip(names, data["counts"], strict=True)),
        method="many",
        references=["westfall", "holm"],
    )


def _matrices(data: Mapping[str, Any], names: list[str]) -> list[dict[str, Any]]:
    if len(names) > _MOST_CORPORA:
        return []
    adjusted, cosines = np.asarray(data["adjusted_pvalues"]), np.asarray(data["similarities"])
    different = adjusted <= data["alpha"]
    largest = max(float(np.abs(cosines).max()), 1e-9)
    matrices = [
        {
            "title": "Adjusted p-values",
            "note": f"✓: at most {data['alpha']:.3g}. Corrected for the number of pairs.",
            "cells": [
                [
                    _cell("–", 0.0)
                    if i == j
                    else _cell(p_value(p) + (" ✓" if different[i, j] else ""), different[i, j])
                    for j, p in enumerate(line)
                ]
                for i, line in enumerate(adjusted.tolist())
            ],
        },
        {
            "title": "Mean cosine of two texts",
            "note": "One text of each corpus; on the diagonal, two of the same.",
            "cells": [[_cell(f"{x:.3f}", abs(x) / largest) for x in line] for line in cosines.tolist()],
        },
    ]
    matrices += [
        {
            "title": f"Effect: {TITLES[name]}",
            "note": _DEEPER if name == "depth" else MEANINGS[name],
            "cells": _effect_cells(np.asarray(values)),
        }
        for name, values in zip(data["tests"], data["effects"], strict=True)
    ]
    return [
        {
            "kind": "matrices",
            "id": "matrices",
            "nav": "Matrices",
            "title": "Each with each",
            "names": names,
            "matrices": matrices,
        }
    ]


def _effect_cells(values: Floats) -> list[list[dict[str, str]]]:
    largest = max(float(np.abs(values).max()), 1e-9)
    return [
        [_cell("–", 0.0) if i == j else _cell(effect(x), abs(x) / largest) for j, x in enumerate(line)]
        for i, line in enumerate(values.tolist())
    ]


def _cell(text: str, shade: float) -> dict[str, str]:
    return {"text": text, "shade": f"{float(shade):.2f}"}


def _pairs(data: Mapping[str, Any], names: list[str]) -> dict[str, Any]:
    pvalues, adjusted = data["pvalues"], data["adjusted_pvalues"]
    pairs = sorted(combinations(range(len(names)), 2), key=lambda pair: adjusted[pair[0]][pair[1]])
    shown = pairs[:_MOST_PAIRS]
    return {
        "kind": "table",
        "id": "pairs",
        "nav": "Pairs",
        "title": "All pairs, strongest evidence first",
        "note": ""
        if len(shown) == len(pairs)
        else f"The first {len(shown):,} of {len(pairs):,} pairs; all are in the .json file beside this page.",
        "head": [
            "Corpora",
            "Texts",
            "p",
            "Adjusted p",
            *(f"Effect: {TITLES[name]}" for name in data["tests"]),
            "Mean cosine",
        ],
        "body": [
            [
                f"{names[i]} and {names[j]}",
                f"{data['counts'][i]:,} / {data['counts'][j]:,}",
                p_value(pvalues[i][j]),
                p_value(adjusted[i][j]) + (" ✓" if adjusted[i][j] <= data["alpha"] else ""),
                *(effect(values[i][j]) for values in data["effects"]),
                f"{data['similarities'][i][j]:.3f}",
            ]
            for i, j in shown
        ],
    }
