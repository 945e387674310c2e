"""Pages of `compare_corrections` and `evaluate_sts`: what was fitted and judged on what, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from xembed.reports._common import card, notes, page_context
from xembed.reports._format import (
    bounds,
    count,
    cut,
    gain_bounds,
    gain_points,
    number,
    percent,
    point_bounds,
    points,
)
from xembed.reports._space import NAME, RAW, methods_of
from xembed.reports._text import plain

Data = Mapping[str, Any]
Section = dict[str, Any]

_PACKAGE = "xembed.isotropy"
_TEMPLATE = "isotropy.html.j2"
_DESCRIPTION = 200  # characters of how a correction is written
_SET = 60  # characters of the name of a set


def correction_references(descriptions: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return what the corrections with such descriptions do, and the works that they come from."""
    from xembed import transforms

    names = sorted({text.split("(")[0] for text in descriptions} & set(dir(transforms)))
    known = [kind for name in names if hasattr(kind := getattr(transforms, name), "meaning")]
    return [kind.meaning for kind in known], [key for kind in known for key in kind.cites]


def recommendation_chip(recommendation: str | None) -> tuple[bool, str, str]:
    """Return the recommendation in a few words."""
    if recommendation is None:
        return False, "No recommendation", "–"
    if recommendation == "none":
        return False, "Keep the embeddings as they are", "○"
    return True, f"Apply {cut(recommendation, NAME)}", "✓"


def corrections_context(data: Data) -> dict[str, Any]:
    """Return what the page of `compare_corrections` needs."""
    rows = data["rows"]
    descriptions = [row["description"] for row in rows]
    corrected, sources = correction_references(descriptions)
    return page_context(
        data,
        template=_TEMPLATE,
        kind="corrections",
        title=f"{count(len(rows) - 1, 'correction')} of {cut(data['measured_on'], _SET)}",
        chip=recommendation_chip(data["recommendation"]),
        verdict=data["reason"],
        cards=[*test_card(data, _best(data)), card("Fitted on", f"{data['n_fit']:,}", "texts")],
        warnings=notes(data["notes"]),
        sections=[protocol_section(data, data["measured_on"]), corrections_section(data)],
        sizes=f"fitted on {count(data['n_fit'], 'text')}",
        package=_PACKAGE,
        **methods_of(
            [measure for row in rows for measure in row["measures"]],
            tasks=bool(data["tune"] or data["test"]),
            probe=rows[0]["probe"] is not None,
            neighbors=any(row["neighbor_overlap"] is not None for row in rows),
            choice=True,
            corrected=corrected,
            sources=sources,
        ),
    )


def _best(data: Data) -> str | None:
    """Return the correction to put beside raw embeddings: the recommended one, else the best where it was chosen."""
    if data["recommendation"] not in (None, "none"):
        return str(data["recommendation"])
    scores = [(_tuned(row), -i) for i, row in enumerate(data["rows"]) if row["name"] != RAW and _tuned(row) is not None]
    return data["rows"][-max(scores)[1]]["name"] if scores else None


def _tuned(row: Data) -> float | None:
    if row["tune"] is not None:
        return float(row["tune"]["spearman"])
    return None if row["probe_tune"] is None else float(row["probe_tune"]["accuracy"])


def test_card(data: Data, correction: str | None) -> list[dict[str, str]]:
    """Return raw embeddings and a correction on what they were judged by; nothing where there is no such judgment."""
    rows = {row["name"]: row for row in data["rows"]}
    raw, found = rows.get(RAW), rows.get(correction or "")
    if raw is None or found is None:
        return []
    for label, kind, value, gained in (
        ("Test correlation", "test", "spearman", "test_gain"),
        ("Probe accuracy", "probe", "accuracy", "probe_gain"),
    ):
        if raw[kind] is None or found[kind] is None:
            continue
        gain = found[gained]
        ends = None if gain is None else gain_bounds(gain["low"], gain["high"])
        change = "" if gain is None else f": {gain_points(gain['value'])}" + (f" ({ends})" if ends else "")
        numbers = f"{points(raw[kind][value])} → {points(found[kind][value])}"
        return [card(f"{label} × 100", numbers, f"raw → {cut(found['name'], NAME)}{change}")]
    return []


def protocol_section(data: Data | None, measured_on: str, size: str | None = None) -> Section:
    """Return in plain words which texts had which part: the fit, the choice, the judgment."""
    section: Section = {
        "kind": "protocol",
        "id": "protocol",
        "nav": "What was judged on what",
        "title": "What was fitted, chosen and judged on what",
        "alert": None,
    }
    measured = (
        "Measured on",
        f"“{plain(measured_on, _SET)}”" + (f", {size}" if size else "") + ": measures and neighbors.",
    )
    if data is None:
        nothing = "Nothing: no texts were given to fit corrections on, so none was fitted, chosen or judged."
        return section | {"steps": [measured, ("Fitted on", nothing)]}
    fit = cut(data["fit_on"], _SET)
    steps = [measured, ("Fitted on", f"“{fit}”, {count(data['n_fit'], 'text')}. Scores and labels played no part.")]
    tune, test = _names(data["tune"]), _names(data["test"])
    probed = any(row["probe"] is not None for row in data["rows"])
    if tune and test:
        steps += [
            ("Chosen on", f"{tune}: the correction with the best correlation there."),
            ("Judged on", f"{test}, which had no part in the choice."),
        ]
    elif probed:
        steps += [
            ("Chosen on", "One half of the labeled texts: the correction with the best accuracy of a linear probe."),
            ("Judged on", "The other half of the labeled texts."),
        ]
        if tune or test:
            steps.append(("Also shown", f"Correlations on {tune or test}; no choice was made by them."))
    elif tune or test:
        missing = "there are no test pairs to judge it by" if tune else "there are no tune pairs to choose by"
        steps.append(("Judged", f"Correlations on {tune or test}; nothing was chosen, because {missing}."))
    else:
        steps.append(("Judged", "Not at all: there are neither pairs with scores nor labels."))
    if data["fit_overlap"]:
        steps.append(("Sentences in the fit", _shares(data["fit_overlap"], f"the texts of the fit, “{fit}”")))
    if data["tune_overlap"]:
        steps.append(("Sentences in the choice", _shares(data["tune_overlap"], "the tune pairs")))
    alert = None
    if data["transductive"]:
        alert = (
            "Corrections were fitted on sentences of a test set. What they gain there they need not gain on new "
            "sentences, and the figures can't be compared with those of other fits."
        )
    return section | {"steps": steps, "alert": alert}


def _names(sets: Sequence[str]) -> str:
    return ", ".join(f"“{plain(name, _SET)}”" for name in sets)


def _shares(overlaps: Mapping[str, float], where: str) -> str:
    if not any(overlaps.values()):
        return f"No sentence of {_names(list(overlaps))} is among {where}."
    listed = [f"{percent(share)} of those of “{plain(name, _SET)}”" for name, share in overlaps.items()]
    listed[0] = listed[0].replace("those", "the different sentences", 1)
    return f"{', '.join(listed)} are among {where}."


def corrections_section(data: Data) -> Section:
    """Return all corrections: what they do to tasks, to neighbors, and to isotropy."""
    rows = data["rows"]
    gains = [row[key] for row in rows for key in ("test_gain", "probe_gain") if row[key] is not None]
    ends = [abs(gain[key]) for gain in gains for key in ("value", "low", "high") if gain[key] is not None]
    most = max([*ends, 0.001])
    probe = rows[0]["probe"]
    return {
        "kind": "corrections",
        "id": "corrections",
        "nav": "Corrections",
        "rows": [_row(row, data["recommendation"], most) for row in rows],
        "has": {
            key: any(row[key] is not None for row in rows) for key in ("tune", "test", "probe", "neighbor_overlap")
        },
        "tune": ", ".join(cut(name, _SET) for name in data["tune"]),
        "test": ", ".join(cut(name, _SET) for name in data["test"]),
        "n_tests": len(data["test"]),
        "most": points(most),
        "level": f"{100 * data['confidence_level']:g}%",
        "chance": None if probe is None else points(probe["majority"]),
        "measured_on": cut(data["measured_on"], _SET),
        "sets": _sets_table(rows) if len(data["test"]) > 1 else None,
        "isotropy": _measures_table(rows),
    }


def _row(row: Data, recommendation: str | None, most: float) -> dict[str, Any]:
    kept = row["neighbor_overlap"]
    return {
        "name": cut(row["name"], NAME),
        "description": cut(row["description"], _DESCRIPTION),
        "recommended": row["name"] == recommendation,
        "raw": row["name"] == RAW,
        "tune": _correlation(row["tune"]),
        "test": _correlation(row["test"]),
        "test_gain": _gain(row["test_gain"], most),
        "probe": None
        if row["probe"] is None
        else _value(row["probe"]["accuracy"], row["probe"]["accuracy_low"], row["probe"]["accuracy_high"]),
        "probe_gain": _gain(row["probe_gain"], most),
        "kept": None
        if kept is None
        else {"value": percent(kept["value"]), "bounds": _percents(kept["low"], kept["high"])},
    }


def _value(value: float, low: float | None, high: float | None) -> dict[str, str | None]:
    return {"value": points(value), "bounds": point_bounds(low, high)}


def _correlation(found: Data | None) -> dict[str, str | None] | None:
    return None if found is None else _value(found["spearman"], found["spearman_low"], found["spearman_high"])


def _percents(low: float | None, high: float | None) -> str | None:
    return None if low is None or high is None else f"{percent(low)} to {percent(high)}"


def _gain(gain: Data | None, most: float) -> dict[str, Any] | None:
    if gain is None:
        return None
    known = gain["low"] is not None and gain["high"] is not None
    low, high = (gain["low"], gain["high"]) if known else (gain["value"], gain["value"])
    return {
        "value": gain_points(gain["value"]),
        "bounds": gain_bounds(gain["low"], gain["high"]),
        "at": gain["value"] / most,
        "low": low / most,
        "high": high / most,
        "sure": known and (gain["low"] > 0 or gain["high"] < 0),
    }


def _sets_table(rows: Sequence[Data]) -> tuple[list[str], list[list[str]]]:
    names = [cut(found["name"], _SET) for found in rows[0]["tests"]]
    body = []
    for row in rows:
        gains: list[Data | None] = [*row["test_gains"]] or [None] * len(names)
        cells = []
        for found, gain in zip(row["tests"], gains, strict=True):
            ends = point_bounds(found["spearman_low"], found["spearman_high"])
            cells.append(f"{points(found['spearman'])}" + (f" ({ends})" if ends else ""))
            change = None if gain is None else gain_bounds(gain["low"], gain["high"])
            cells.append("–" if gain is None else gain_points(gain["value"]) + (f" ({change})" if change else ""))
        body.append([cut(row["name"], NAME), *cells])
    return ["Correction", *(head for name in names for head in (name, "Gain"))], body


def _measures_table(rows: Sequence[Data]) -> tuple[list[str], list[list[str]]] | None:
    labels = {measure["name"]: measure["label"] for row in rows for measure in row["measures"]}
    if not labels:
        return None
    body = []
    for row in rows:
        found = {measure["name"]: measure for measure in row["measures"]}
        body.append([cut(row["name"], NAME), *(_measure(found.get(name)) for name in labels)])
    return ["Correction", *labels.values()], body


def _measure(measure: Data | None) -> str:
    if measure is None:
        return "–"
    ends = bounds(measure["low"], measure["high"])
    return number(measure["value"]) + (f" ({ends})" if ends else "")


def sts_context(data: Data) -> dict[str, Any]:
    """Return what the page of `evaluate_sts` needs."""
    sets = data["sets"]
    shown = [*sets, *([data["all"], data["mean"]] if len(sets) > 1 else [])]
    together, mean = data["all"], data["mean"]
    ends = point_bounds(together["spearman_low"], together["spearman_high"])
    verdict = (
        f"Spearman's correlation of the similarities with human scores is {points(together['spearman'])} (× 100"
        + (f"; interval {ends}" if ends else "")
        + f") on {count(together['n_pairs'], 'pair')}"
        + (f" of {len(sets)} sets together; the mean of the sets is {points(mean['spearman'])}." if sets[1:] else ".")
    )
    how = {"cosine": "the cosine", "euclidean": "minus the distance", "dot": "the dot product"}[data["similarity"]]
    steps = [("Compared by", f"{how[0].upper()}{how[1:]} of the two embeddings of a pair.")]
    if data["fit_on"] is not None:
        fit = f"“{plain(data['fit_on'], _SET)}”: what a correction of the embeddings was fitted on."
        if data["fit_overlap"] is not None:
            fit += f" Of the different sentences of the pairs, {percent(data['fit_overlap'])} are among its texts."
        steps.append(("Fitted on", fit))
    return page_context(
        data,
        template=_TEMPLATE,
        kind="similarity of sentences",
        title=_names([found["name"] for found in sets[:3]]) + (f" and {len(sets) - 3} more" if sets[3:] else ""),
        chip=(False, f"Spearman {points(together['spearman'])}", "≡"),
        verdict=verdict,
        cards=[
            card(
                "Spearman × 100, all pairs", points(together["spearman"]), f"interval {ends}" if ends else "no interval"
            ),
            card("Pearson × 100, all pairs", points(together["pearson"]), _interval(together, "pearson")),
            *([card("Mean of the sets", points(mean["spearman"]), _interval(mean, "spearman"))] if sets[1:] else []),
            card("Pairs", f"{together['n_pairs']:,}", f"in {count(len(sets), 'set')}"),
        ],
        warnings=notes(data["notes"]),
        sections=[
            {
                "kind": "protocol",
                "id": "protocol",
                "nav": "What was compared",
                "title": "What was compared",
                "steps": steps,
                "alert": "The correction was fitted on sentences that it was tested on. The figures are not those of "
                "new sentences."
                if data["transductive"]
                else None,
            },
            {
                "kind": "sts",
                "id": "sets",
                "nav": "Sets",
                "level": f"{100 * data['confidence_level']:g}%",
                "several": len(sets) > 1,
                "rows": [_sts_row(found) for found in shown],
            },
        ],
        sizes=f"{count(together['n_pairs'], 'pair')} in {count(len(sets), 'set')}",
        package=_PACKAGE,
        **methods_of(tasks=True),
    )


def _interval(found: Data, which: str) -> str:
    ends = point_bounds(found[f"{which}_low"], found[f"{which}_high"])
    return f"interval {ends}" if ends else "no interval"


def _sts_row(found: Data) -> dict[str, Any]:
    low, high = found["spearman_low"], found["spearman_high"]
    known = low is not None and high is not None
    return {
        "name": cut(found["name"], _SET),
        "n_pairs": f"{found['n_pairs']:,}",
        "spearman": _correlation(found),
        "pearson": _value(found["pearson"], found["pearson_low"], found["pearson_high"]),
        "at": found["spearman"],
        "low": low if known else found["spearman"],
        "high": high if known else found["spearman"],
    }
