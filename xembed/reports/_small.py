"""The pages of results that answer one question: a test, regions, terms, form, coverage, self-check, outliers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from xembed.reports import _figures as figures
from xembed.reports._common import card, notes, page_context, plot
from xembed.reports._format import count, effect, interval, level, p_value, percent
from xembed.reports._sections import (
    coverage_section,
    regions_section,
    self_check_section,
    surface_section,
    terms_section,
)

Data = Mapping[str, Any]

# Rows in the table of outliers, and of the lowest scores where there are none.
_MOST_OUTLIERS, _LOWEST = 100, 20


def test_context(data: Data) -> dict[str, Any]:
    """Return what the page of a single test needs."""
    adjusted = data["adjusted_pvalue"]
    found = (data["pvalue"] if adjusted is None else adjusted) <= 1 - data["confidence_level"]
    cards = [card("p-value", p_value(data["pvalue"]), f"statistic {data['statistic']:.4g}")]
    if adjusted is not None:
        cards.append(card("Adjusted p-value", p_value(adjusted), "with all tests of its battery"))
    cards += [
        card(
            "Effect",
            effect(data["effect_size"]),
            f"{data['confidence_level']:.0%} interval {interval(data['confidence_interval'])}; {data['effect']}",
        ),
        card("Detectable", f"{data['detectable']:.2g}", "smallest effect that would show in 80 of 100 cases"),
        card("Texts", f"{data['n_F']:,} / {data['n_G']:,}", "F / G"),
    ]
    null = np.asarray(data["null"])
    sections = []
    if len(null):
        extreme = int((null >= data["statistic"]).sum())
        caption = (
            f"The statistic under {len(null):,} random relabelings, and as observed. {extreme:,} of them are at least "
            "as large."
        )
        figure = figures.histogram(null, title="statistic", mark=data["statistic"])
        sections = [
            {
                "kind": "figures",
                "id": "null",
                "nav": "Relabelings",
                "plots": [plot("null-plot", "What chance gives", caption, figure, size="wide")],
            }
        ]
    return page_context(
        data,
        template="plain.html.j2",
        kind=f"test by {data['title']}",
        title="F and G",
        names=("F", "G"),
        chip=(found, "Difference found" if found else "No difference found"),
        cards=cards,
        sections=sections,
        sizes=f"{data['n_F']:,} and {data['n_G']:,} texts",
        method="test",
        test=data["name"],
        references={
            "rbf": ["gretton", "biggs"],
            "linear": ["gretton"],
            "knn": ["schilling"],
            "energy": ["szekely"],
        }.get(data["name"], []),
    )


def regions_context(data: Data) -> dict[str, Any]:
    """Return what the page of `what_shifted` needs."""
    total = len(data["regions"])
    return _pair_context(
        data,
        regions_section(data, None, has_rows=False),
        kind="what shifted",
        chip=(data["n_changed"] > 0, f"{data['n_changed']} of {count(total, 'region')} changed"),
        cards=[
            card("Regions changed", f"{data['n_changed']} of {total}", f"false discovery rate {level(data['fdr'])}"),
            card(
                "Texts counted",
                " / ".join(f"{sum(region[key] for region in data['regions']):,}" for key in ("count_F", "count_G")),
                "the half that did not make the regions" if data["split"] else "all of them",
            ),
        ],
        method="regions",
        references=["benjamini"],
    )


def terms_context(data: Data) -> dict[str, Any]:
    """Return what the page of `distinguishing_terms` needs."""
    found = data["n_significant"]
    return _pair_context(
        data,
        terms_section(data),
        kind="distinguishing terms",
        chip=(found > 0, f"{count(found, 'term')} found" if found else "No term found"),
        cards=[
            card("Terms that differ", f"{found:,} of {data['n_terms']:,}", f"false discovery rate {level(data['fdr'])}")
        ],
        method="terms",
        references=["monroe", "benjamini"],
    )


def surface_context(data: Data) -> dict[str, Any]:
    """Return what the page of `compare_surface` needs."""
    found, total = data["n_different"], len(data["features"])
    cards = [card("Features that differ", f"{found} of {total}", f"false discovery rate {level(data['fdr'])}")]
    if data["auc"] is not None:
        cards.append(card("Told apart by form", percent(data["auc"]), "of pairs of texts; 50% is chance"))
    return _pair_context(
        data,
        surface_section(data, None),
        kind="differences of form",
        chip=(found > 0, "Differences of form found" if found else "No difference of form found"),
        cards=cards,
        method="surface",
        references=["benjamini"],
    )


def coverage_context(data: Data) -> dict[str, Any]:
    """Return what the page of `coverage` needs."""
    found = len(data["uncovered_F"]) + len(data["uncovered_G"])
    return _pair_context(
        data,
        coverage_section(data, None),
        kind="coverage",
        chip=(found > 0, f"{count(found, 'text')} not covered" if found else "No text found that is not covered"),
        cards=[],
        method="coverage",
        references=["vovk", "bates", "benjamini"],
    )


def self_check_context(data: Data) -> dict[str, Any]:
    """Return what the page of a self-check needs."""
    low, high = data["interval"]
    chip: tuple[bool, str, str] = (False, "Level holds", "✓")
    if low > data["alpha"] or data["ordered_pvalue"] <= data["alpha"]:
        chip = (True, "Level in doubt", "!")
    elif high < data["alpha"]:
        chip = (False, "Rejects too seldom", "○")
    return page_context(
        data,
        template="plain.html.j2",
        kind="self-check",
        title="F against itself",
        chip=chip,
        cards=[],
        sections=[self_check_section(data) | {"verdict": None}],
        sizes=None,
        method="self_check",
        references=[],
    )


def outliers_context(data: Data) -> dict[str, Any]:
    """Return what the page of `find_outliers` needs."""
    rows, scores = data["rows"], np.asarray(data["scores"])
    what = {"depth": "depth", "local": "local depth"}[data["score"]]
    source = {
        "conformal": "texts of the reference that calibrate the p-values",
        "empirical_null": "texts in the bulk, which the p-values are extrapolated from",
    }[data["method"]]
    order = np.argsort(scores, kind="stable")
    shown = [int(row) for row in order if row in set(rows)][:_MOST_OUTLIERS] or order[:_LOWEST].tolist()
    table = {
        "kind": "table",
        "id": "outliers",
        "nav": "Rows",
        "title": "The outliers" if rows else "The lowest scores",
        "note": _outliers_note(len(rows), len(shown)),
        "head": ["Row", what.capitalize(), "p", "q"],
        "body": [
            [str(row), f"{scores[row]:.4f}", p_value(data["pvalues"][row]), p_value(data["qvalues"][row])]
            for row in shown
        ],
    }
    caption = f"The {what} of all {data['n_tested']:,} texts. Left: outlying."
    if data["threshold"] is not None:
        caption += " Texts at or left of the dashed line are reported."
    figure = figures.histogram(scores, title=what, mark=data["threshold"], mark_name="largest that is reported")
    return page_context(
        data,
        template="plain.html.j2",
        kind="outliers",
        title="Texts that do not belong",
        chip=(bool(rows), f"{count(len(rows), 'outlier')} found" if rows else "No outliers found"),
        cards=[
            card("Reported", f"{len(rows):,} of {data['n_tested']:,}", f"false discovery rate {level(data['fdr'])}"),
            card(
                "Threshold",
                "–" if data["threshold"] is None else f"{data['threshold']:.3f}",
                f"largest {what} that is reported",
            ),
            card("Compared with", f"{data['n_calibration']:,}", source),
        ],
        warnings=notes(data["warnings"]),
        sections=[
            {
                "kind": "figures",
                "id": "scores",
                "nav": "Scores",
                "plots": [plot("scores-plot", "All scores", caption, figure, size="wide")],
            },
            table,
        ],
        sizes=f"{data['n_tested']:,} texts",
        package="xembed.depth",
        method=data["method"],
        references=["bates", "benjamini"] if data["method"] == "conformal" else ["efron", "benjamini"],
    )


def _outliers_note(found: int, shown: int) -> str:
    if not found:
        return "None of these is reported: such scores are what texts of one corpus have. They are the first to read."
    return f"The {shown} most outlying; all are in the .json file beside this page." if shown < found else ""


def _pair_context(
    data: Data,
    section: dict[str, Any],
    *,
    kind: str,
    chip: tuple[bool, str],
    cards: Sequence[Mapping[str, str]],
    method: str,
    references: Sequence[str],
) -> dict[str, Any]:
    """Return the page of a section of the shift report that stands alone: verdict and warnings are at its top."""
    names, sizes = tuple(data["names"]), f"{data['n_F']:,} / {data['n_G']:,}"
    return page_context(
        data,
        template="plain.html.j2",
        kind=kind,
        title=f"{names[0]} and {names[1]}",
        names=names,
        chip=chip,
        cards=[*cards, card("Texts", sizes, f"{names[0]} / {names[1]}")],
        warnings=notes(data.get("warnings", ())),
        sections=[section | {"verdict": None, "notes": ()}],
        sizes=f"{data['n_F']:,} and {data['n_G']:,} texts",
        method=method,
        references=list(references),
    )
