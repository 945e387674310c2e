"""Sections of pages: from the plain data of a result, or a part of one, to what a template macro of that kind shows.

A section is a dictionary with its ``kind`` (the macro), ``id``, and ``nav``, what the list of contents calls it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from xembed.reports import _figures as figures
from xembed.reports._common import card, plot
from xembed.reports._format import count, cut, effect, interval, level, p_value, percent
from xembed.reports._wording import FACETS, SEES

Data = Mapping[str, Any]
Section = dict[str, Any]
Texts = tuple[Sequence[str], Sequence[str]]

# Characters of a text in the tables of these sections, of a term, and texts in a table.
_LENGTH, _LABEL = 300, 60
_TOP = 10
# From here on the form of the texts may be what an embedding sees: the AUC of all features, and a large effect of one.
_FORM_AUC, _FORM_EFFECT = 0.75, 0.474

_STATUS = {
    "new": ("+", "new", "g"),
    "more": ("▲", "more", "g"),
    "less": ("▼", "less", "f"),
    "vanished": ("×", "vanished", "f"),
    "unchanged": ("=", "unchanged", "quiet"),
}


def facets_section(facets: Sequence[Data], tests: Sequence[Data], alpha: float, names: tuple[str, ...]) -> Section:
    """Return the difference taken apart, and the tests behind it."""
    cards = []
    for facet in facets:
        title, question = FACETS[facet["name"]]
        mark, word = ("✓", "Found") if facet["found"] else ("○", "Not found")
        if facet["pvalue"] is None:
            mark, word = "–", "Not tested"
        cards.append(
            {
                "title": title,
                "question": question.format(*(f"“{name}”" for name in names)),
                "found": facet["found"],
                "mark": mark,
                "word": word,
                "sentence": facet["sentence"],
                "effect": None if facet["effect_size"] is None else effect(facet["effect_size"]),
                "interval": facet["confidence_interval"] and interval(facet["confidence_interval"]),
                "meaning": facet["effect"],
            }
        )
    return {
        "kind": "facets",
        "id": "how-they-differ",
        "nav": "How they differ",
        "cards": cards,
        "tests": [_test_row(test, alpha) for test in tests],
        "alpha": f"{alpha:.3g}",
        "level": f"{tests[0]['confidence_level']:.0%}",
        "names": names,
    }


def _test_row(test: Data, alpha: float) -> dict[str, Any]:
    adjusted = test["pvalue"] if test["adjusted_pvalue"] is None else test["adjusted_pvalue"]
    return {
        "title": test["title"],
        "sees": SEES.get(test["name"], ""),
        "found": adjusted <= alpha,
        "pvalue": p_value(test["pvalue"]),
        "adjusted": p_value(adjusted),
        "effect": effect(test["effect_size"]),
        "interval": interval(test["confidence_interval"]),
        "detectable": f"{test['detectable']:.2g}",
        "meaning": test["effect"],
    }


def regions_section(regions: Data, texts: Texts | None, *, has_rows: bool) -> Section:
    """Return what shifted: each region with its shares and, where there are texts, its most typical ones."""
    names = tuple(regions["names"])
    most = max(max(region["share_F"], region["share_G"]) for region in regions["regions"])
    listed = [_region(region, texts) for region in regions["regions"]]
    return {
        "kind": "regions",
        "id": "what-shifted",
        "nav": "What shifted",
        "verdict": regions["verdict"],
        "names": names,
        "most": max(most, 1e-9),
        "changed": [region for region in listed if region["changed"]],
        "unchanged": [region for region in listed if not region["changed"]],
        "fdr": level(regions["fdr"]),
        "split": regions["split"],
        "notes": regions["warnings"],
        "has_rows": has_rows,
        "has_texts": texts is not None,
    }


def _region(region: Data, texts: Texts | None) -> dict[str, Any]:
    mark, word, color = _STATUS[region["status"]]
    return {
        "id": region["id"],
        "changed": region["status"] != "unchanged",
        "mark": mark,
        "word": word,
        "color": color,
        "label": cut(region["label"], _LABEL),
        "terms": cut(", ".join(region["terms"]), _LENGTH),
        "F": region["share_F"],
        "G": region["share_G"],
        "share_F": percent(region["share_F"]),
        "share_G": percent(region["share_G"]),
        "count_F": f"{region['count_F']:,}",
        "count_G": f"{region['count_G']:,}",
        "log_odds": f"{region['log_odds']:+.2f}",
        "interval": f"{region['interval'][0]:+.2f} to {region['interval'][1]:+.2f}",
        "pvalue": p_value(region["pvalue"]),
        "qvalue": p_value(region["qvalue"]),
        "typical": [
            [{"row": row, "text": "" if texts is None else cut(texts[which][row], _LENGTH)} for row in region[key]]
            for which, key in enumerate(("typical_F", "typical_G"))
        ],
    }


def terms_section(terms: Data) -> Section:
    """Return the words of each corpus, strongest first."""
    names = tuple(terms["names"])
    return {
        "kind": "terms",
        "id": "words",
        "nav": "Words",
        "verdict": terms["verdict"],
        "names": names,
        "fdr": level(terms["fdr"]),
        "sides": [
            {
                "name": name,
                "color": color,
                "rows": [
                    {
                        "term": cut(term["term"], _LABEL),
                        "share_F": percent(term["share_F"]),
                        "share_G": percent(term["share_G"]),
                        "z": f"{term['z']:+.1f}",
                        "qvalue": p_value(term["qvalue"]),
                        "sure": term["qvalue"] <= terms["fdr"],
                    }
                    for term in terms[key]
                ],
            }
            for name, color, key in zip(names, "fg", ("more_in_F", "more_in_G"), strict=True)
        ],
    }


def surface_section(surface: Data, separability: float | None) -> Section:
    """Return the differences of form; ``separability`` is the AUC of the embeddings, to compare with that of form."""
    rows = [
        {
            "label": feature["label"],
            "mean_F": f"{feature['mean_F']:.3g}",
            "mean_G": f"{feature['mean_G']:.3g}",
            "effect": f"{feature['effect']:+.2f}",
            "interval": f"{feature['interval'][0]:+.2f} to {feature['interval'][1]:+.2f}",
            "at": feature["effect"],
            "low": feature["interval"][0],
            "high": feature["interval"][1],
            "qvalue": p_value(feature["qvalue"]),
            "sure": feature["qvalue"] <= surface["fdr"],
        }
        for feature in surface["features"]
    ]
    return {
        "kind": "surface",
        "id": "form",
        "nav": "Form",
        "verdict": surface["verdict"],
        "names": tuple(surface["names"]),
        "fdr": level(surface["fdr"]),
        "different": [row for row in rows if row["sure"]],
        "alike": [row for row in rows if not row["sure"]],
        "comparison": _form_against_embeddings(surface["auc"], separability),
        "suspicious": form_is_suspicious(surface),
        "notes": surface["warnings"],
    }


def form_is_suspicious(surface: Data) -> bool:
    """Return whether differences of form alone could make embeddings differ."""
    large = any(
        feature["qvalue"] <= surface["fdr"] and abs(feature["effect"]) >= _FORM_EFFECT
        for feature in surface["features"]
    )
    return large or (surface["auc"] is not None and surface["auc"] >= _FORM_AUC)


def _form_against_embeddings(form: float | None, embeddings: float | None) -> str | None:
    if form is None:
        return None
    sentence = (
        f"From length, spacing, case and punctuation alone, a text of each corpus is told apart in {percent(form)} of "
    )
    if embeddings is None:
        return f"{sentence}pairs (50% is chance)."
    return f"{sentence}pairs; from the embeddings, in {percent(embeddings)} (50% is chance)."


def coverage_section(coverage: Data, texts: Texts | None) -> Section:
    """Return how much of each corpus the other covers, and the texts that it does not."""
    names = tuple(coverage["names"])
    sides = []
    for which, (one, other) in ((1, ("G", 0)), (0, ("F", 1))):
        uncovered = coverage[f"uncovered_{one}"]
        scores = coverage[f"scores_{one}"]
        shown = uncovered[:_TOP] or np.argsort(np.round(scores, 9), kind="stable")[: _TOP // 2].tolist()
        n = coverage[f"n_{one}"]
        sides.append(
            {
                "name": names[which],
                "other": names[other],
                "share": percent(coverage[f"covered_{one}"]),
                "expected": percent(coverage[f"expected_{one}"]),
                "title": f"Texts of {names[which]} that {names[other]} does not cover"
                if uncovered
                else f"Least covered texts of {names[which]}",
                "note": _uncovered_note(len(uncovered), len(shown), n, coverage["fdr"]),
                "rows": [
                    {
                        "row": row,
                        "score": f"{scores[row]:.3f}",
                        "qvalue": p_value(coverage[f"qvalues_{one}"][row]),
                        "text": "" if texts is None else cut(texts[which][row], _LENGTH),
                    }
                    for row in shown
                ],
            }
        )
    return {
        "kind": "coverage",
        "id": "coverage",
        "nav": "Coverage",
        "verdict": coverage["verdict"],
        "names": names,
        "sides": sides,
        "score": {
            "similarity": f"mean cosine with the {coverage['n_neighbors']} nearest texts of the other corpus",
            "contrast": f"mean cosine with the {coverage['n_neighbors']} nearest texts of the other corpus, less that "
            "with those of its own",
        }[coverage["score"]],
        "notes": coverage["warnings"],
        "has_texts": texts is not None,
    }


def _uncovered_note(found: int, shown: int, n: int, fdr: float) -> str:
    rate = f"false discovery rate {level(fdr)}"
    if not found:
        return f"None of {n:,} is beyond what chance explains ({rate})."
    return f"{found:,} of {n:,} ({rate})" + (f"; the {shown} least covered:" if shown < found else ":")


def self_check_section(check: Data) -> Section:
    """Return F against itself: the rejection rate, and the p-values of all splits."""
    low, high = check["interval"]
    return {
        "kind": "self_check",
        "id": "self-check",
        "nav": "Self-check",
        "verdict": check["verdict"],
        "numbers": [
            card(
                "Rejected without a shift",
                percent(check["rejection_rate"]),
                f"of {count(check['n_splits'], 'random split')}; 95% interval {percent(low)} to {percent(high)}; "
                f"the level is {level(check['alpha'])}",
            ),
            card(
                "First half against second",
                f"p = {p_value(check['ordered_pvalue'])}",
                "in the order given; small if neighboring texts belong together",
            ),
        ],
        "plot": plot(
            "self-check-plot",
            "p-values of F against itself",
            f"Where the level holds, p-values are spread evenly: about {check['n_splits'] / 20:.0f} of "
            f"{check['n_splits']} in each twentieth.",
            figures.histogram(np.asarray(check["pvalues"]), title="p-value", bounds=(0.0, 1.0)),
            size="small",
        ),
    }
