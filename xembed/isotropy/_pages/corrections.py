"""The pages of `compare_corrections` and `evaluate_sts`: what was fitted and judged on what, and the scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from xembed.isotropy._pages import methods
from xembed.isotropy._pages.sections import RAW, by_name, measured, short
from xembed.reports import kit
from xembed.reports.kit import Block, Data, Line

_DESCRIPTION = 200  # characters of how a correction is written
_TASKS = (("Test correlation", "test", "spearman"), ("Probe accuracy", "probe", "accuracy"))
_SIMILARITIES = {"cosine": "The cosine", "euclidean": "Minus the distance", "dot": "The dot product"}


def corrections(data: Data) -> kit.Page:
    """Return the page of `compare_corrections`."""
    return kit.Page(
        title=f"{kit.count(len(data['rows']) - 1, 'correction')} of {kit.plain(data['measured_on'])}",
        kind="corrections",
        finding=recommended(data["recommendation"]),
        verdict=data["reason"],
        blocks=[protocol_section(data, data["measured_on"]), corrections_section(data)],
        cards=[*test_card(data, _best(data)), kit.Card("Fitted on", f"{data['n_fit']:,}", "texts")],
        caveats=data["notes"],
        methods=methods.of_space([], data, None),
        sizes=f"fitted on {kit.count(data['n_fit'], 'text')}",
    )


def recommended(recommendation: str | None) -> kit.Finding:
    """Return the recommendation in a few words."""
    if recommendation is None:
        return kit.Finding("No recommendation", sign="–")
    if recommendation == "none":
        return kit.Finding("Keep the embeddings as they are")
    return kit.Finding(f"Apply {short(recommendation)}", True)


def _best(data: Data) -> str | None:
    """Return the correction to put beside raw embeddings: the recommended one, else the best where it was chosen."""
    if data["recommendation"] not in (None, "none"):
        return str(data["recommendation"])
    scores = {row["name"]: _tuned(row) for row in data["rows"] if row["name"] != RAW}
    judged = {key: score for key, score in scores.items() if score is not None}
    return max(judged, key=judged.__getitem__, default=None)


def _tuned(row: Data) -> float | None:
    if row["tune"] is not None:
        return float(row["tune"]["spearman"])
    return None if row["probe_tune"] is None else float(row["probe_tune"]["accuracy"])


def test_card(data: Data, correction: str | None) -> list[kit.Card]:
    """Return raw embeddings and a correction on what they were judged by; nothing where there is no such judgment."""
    rows = {row["name"]: row for row in data["rows"]}
    raw, corrected = rows.get(RAW), rows.get(correction or "")
    for label, task, value in _TASKS:
        if raw and corrected and raw[task] is not None and corrected[task] is not None:
            gain, note = corrected[f"{task}_gain"], f"raw → {short(correction)}"
            if gain is not None:
                ends = kit.gain_bounds(gain["low"], gain["high"])
                note += f": {kit.gain_points(gain['value'])}" + (f" ({ends})" if ends else "")
            return [
                kit.Card(
                    f"{label} × 100", f"{kit.points(raw[task][value])} → {kit.points(corrected[task][value])}", note
                )
            ]
    return []


# ---- what was fitted and judged on what


def protocol_section(data: Data | None, measured_on: str, space: str | None = None) -> kit.Section:
    """Return in plain words which texts had which part: the fit, the choice, the judgment."""
    texts = f"“{kit.plain(measured_on)}”" + (f", {space}" if space else "")
    steps: list[tuple[Line, Line]] = [("Measured on", f"{texts}: measures and neighbors.")]
    alert = ""
    if data is None:
        nothing = "Nothing: no texts were given to fit corrections on, so none was fitted, chosen or judged."
        steps.append(("Fitted on", nothing))
    else:
        fit = f"“{kit.plain(data['fit_on'])}”"
        steps.append(("Fitted on", f"{fit}, {kit.count(data['n_fit'], 'text')}. Scores and labels played no part."))
        steps += _judgment(data)
        if data["fit_overlap"]:
            steps.append(("Sentences in the fit", _overlap(data["fit_overlap"], f"the texts of the fit, {fit}")))
        if data["tune_overlap"]:
            steps.append(("Sentences in the choice", _overlap(data["tune_overlap"], "the tune pairs")))
        if data["transductive"]:
            alert = (
                "Corrections were fitted on sentences of a test set. What they gain there they need not gain on new "
                "sentences, and the figures can't be compared with those of other fits."
            )
    title = "What was fitted, chosen and judged on what"
    return kit.Section("protocol", title, _protocol(steps, alert), nav="What was judged on what")


def _protocol(steps: Sequence[tuple[Line, Line]], alert: str) -> list[Block]:
    alerts = [kit.Prose([kit.strong("Transductive."), f" {alert}"], "note alert")] if alert else []
    return [*alerts, kit.Definitions(steps)]


def _judgment(data: Data) -> list[tuple[Line, Line]]:
    tune, test = _sets(data["tune"]), _sets(data["test"])
    if tune and test:
        return [
            ("Chosen on", f"{tune}: the correction with the best correlation there."),
            ("Judged on", f"{test}, which had no part in the choice."),
        ]
    if any(row["probe"] is not None for row in data["rows"]):
        shown = f"Correlations on {tune or test}; no choice was made by them."
        return [
            ("Chosen on", "One half of the labeled texts: the correction with the best accuracy of a linear probe."),
            ("Judged on", "The other half of the labeled texts."),
            *([("Also shown", shown)] if tune or test else []),
        ]
    if tune or test:
        missing = "there are no test pairs to judge it by" if tune else "there are no tune pairs to choose by"
        return [("Judged", f"Correlations on {tune or test}; nothing was chosen, because {missing}.")]
    return [("Judged", "Not at all: there are neither pairs with scores nor labels.")]


def _sets(names: Sequence[str]) -> str:
    return ", ".join(f"“{kit.plain(one)}”" for one in names)


def _overlap(overlaps: Mapping[str, float], where: str) -> str:
    if not any(overlaps.values()):
        return f"No sentence of {_sets(list(overlaps))} is among {where}."
    shares = [f"{kit.percent(share)} of those of “{kit.plain(one)}”" for one, share in overlaps.items()]
    shares[0] = shares[0].replace("those", "the different sentences", 1)
    return f"{', '.join(shares)} are among {where}."


# ---- corrections


def corrections_section(data: Data) -> kit.Section:
    """Return all corrections: what they do to tasks, to neighbors, and to isotropy."""
    rows = data["rows"]
    has = {key: any(row[key] is not None for row in rows) for key in ("tune", "test", "probe", "neighbor_overlap")}
    gains = [row[key] for row in rows for key in ("test_gain", "probe_gain") if row[key] is not None]
    most = max(
        [0.001, *(abs(gain[key]) for gain in gains for key in ("value", "low", "high") if gain[key] is not None)]
    )
    several = f", mean of {len(data['test'])} sets" if len(data["test"]) > 1 else ""
    columns: list[kit.Column] = [kit.Column("Correction")]
    if has["tune"]:
        columns.append(kit.Column("Tune pairs"))
    if has["test"]:
        columns += [
            kit.Column(f"Test pairs{several}", name="test pairs"),
            kit.Column("Gain on the test pairs", name="gain"),
        ]
    if has["probe"]:
        columns += [kit.Column("Probe accuracy"), kit.Column("Gain of the probe")]
    if has["neighbor_overlap"]:
        columns.append(kit.Column("Neighbors kept"))
    body = [_row(row, row["name"] == data["recommendation"], has, most) for row in rows]
    blocks: list[Block] = [kit.Table(columns, body, "Corrections", note=_note(data, has, most), layout="stack")]
    if several:
        blocks += [kit.Heading("Each test set"), _sets_table(rows)]
    labels = {measure["name"]: measure["label"] for row in rows for measure in row["measures"]}
    if labels:
        measures: list[list[kit.Cell | Line]] = [
            [short(row["name"]), *map(measured, map(by_name(row["measures"]).get, labels))] for row in rows
        ]
        texts = kit.name(kit.plain(data["measured_on"]))
        note = kit.line(
            "Of “", texts, "”. A more isotropic space can be worse for a task: compare with the table above."
        )
        title = "Measures after each correction"
        table = kit.Table(kit.number_columns(["Correction", *labels.values()]), measures, title, note=note)
        blocks += [kit.Heading(title), table]
    return kit.Section("corrections", "Corrections", blocks)


def _note(data: Data, has: Mapping[str, bool], most: float) -> Line:
    probe = data["rows"][0]["probe"]
    pieces: list[str | kit.Span] = [f"In brackets: {kit.level(data['confidence_level'])} intervals. "]
    if has["tune"] or has["test"]:
        pieces.append("Pairs: Spearman's correlation × 100")
        for key in ("tune", "test"):
            if data[key]:
                pieces += [f"; {key}: ", kit.name(", ".join(map(kit.plain, data[key])))]
        pieces.append(". ")
    if has["test"] or has["probe"]:
        scale = kit.points(most)
        pieces.append(
            f"Gain: corrected less raw, in points, drawn from −{scale} to +{scale} with 0 in the middle; ✓: the "
            "interval excludes 0. "
        )
    if probe is not None:
        pieces.append(
            "Probe: % of the test half of the labeled texts that a linear classifier gets right; always saying the "
            f"most frequent label: {kit.points(probe['majority'])}. "
        )
    return [*pieces, "Neighbors kept: of the nearest neighbors in raw embeddings." if has["neighbor_overlap"] else ""]


def _row(row: Data, recommended: bool, has: Mapping[str, bool], most: float) -> kit.Row:
    badge: list[str | kit.Span] = [" ", kit.Span("recommended", "badge found")] if recommended else []
    cells = [kit.Cell([short(row["name"]), *badge], kit.Span(kit.cut(row["description"], _DESCRIPTION), "code"))]
    if has["tune"]:
        cells.append(correlation(row["tune"]))
    if has["test"]:
        cells += [correlation(row["test"]), _gain(row["test_gain"], most)]
    if has["probe"]:
        cells += [_score(row["probe"], "accuracy"), _gain(row["probe_gain"], most)]
    if has["neighbor_overlap"]:
        kept = row["neighbor_overlap"]
        if row["name"] == RAW or kept is None:
            cells.append(kit.Cell("all" if row["name"] == RAW else "–"))
        else:
            ends = None if kept["low"] is None else f"{kit.percent(kept['low'])} to {kit.percent(kept['high'])}"
            cells.append(kit.estimate(kit.percent(kept["value"]), ends))
    return kit.Row(cells, kind="chosen" if recommended else "")


def _score(scores: Data | None, key: str, graphic: kit.Whisker | None = None) -> kit.Cell:
    """Return a score times 100 with its interval."""
    if scores is None:
        return kit.Cell("–")
    ends = kit.point_bounds(scores[f"{key}_low"], scores[f"{key}_high"])
    return kit.estimate(kit.points(scores[key]), ends, graphic=graphic)


def correlation(scores: Data | None) -> kit.Cell:
    """Return Spearman's correlation times 100 with its interval."""
    return _score(scores, "spearman")


def _gain(gain: Data | None, most: float | None = None) -> kit.Cell:
    """Return a gain with its interval, drawn from -``most`` to ``most`` if that is given."""
    if gain is None:
        return kit.Cell("–")
    low, high = gain["low"], gain["high"]
    known = low is not None and high is not None
    places = (gain["value"], low, high) if known else (gain["value"],) * 3
    graphic = None if most is None else kit.Whisker(*(place / most for place in places))
    sure = known and (low > 0 or high < 0)
    return kit.estimate(kit.gain_points(gain["value"]), kit.gain_bounds(low, high), graphic=graphic, sure=sure)


def _sets_table(rows: Sequence[Data]) -> kit.Table:
    heads = [head for scores in rows[0]["tests"] for head in (kit.name(kit.plain(scores["name"])), "Gain")]
    body: list[list[kit.Cell | Line]] = [
        [
            short(row["name"]),
            *(
                cell
                for scores, gain in zip(row["tests"], row["test_gains"] or [None] * len(row["tests"]), strict=True)
                for cell in (correlation(scores), _gain(gain))
            ),
        ]
        for row in rows
    ]
    return kit.Table(kit.number_columns(["Correction", *heads]), body, "Each test set")


# ---- correlations with human scores


def sts(data: Data) -> kit.Page:
    """Return the page of `evaluate_sts`."""
    sets, pooled, mean = data["sets"], data["all"], data["mean"]
    several, pairs = len(sets) > 1, kit.count(pooled["n_pairs"], "pair")
    ends = kit.point_bounds(pooled["spearman_low"], pooled["spearman_high"])
    steps: list[tuple[Line, Line]] = [
        ("Compared by", f"{_SIMILARITIES[data['similarity']]} of the two embeddings of a pair.")
    ]
    if data["fit_on"] is not None:
        fit = f"“{kit.plain(data['fit_on'])}”: what a correction of the embeddings was fitted on."
        if data["fit_overlap"] is not None:
            fit += f" Of the different sentences of the pairs, {kit.percent(data['fit_overlap'])} are among its texts."
        steps.append(("Fitted on", fit))
    alert = "The correction was fitted on sentences that it was tested on. The figures are not those of new sentences."
    cards = [
        _score_card("Spearman × 100, all pairs", pooled, "spearman"),
        _score_card("Pearson × 100, all pairs", pooled, "pearson"),
        *([_score_card("Mean of the sets", mean, "spearman")] if several else []),
    ]
    return kit.Page(
        title=_sets([scores["name"] for scores in sets[:3]]) + (f" and {len(sets) - 3} more" if sets[3:] else ""),
        kind="similarity of sentences",
        finding=kit.Finding(f"Spearman {kit.points(pooled['spearman'])}", sign="≡"),
        verdict="Spearman's correlation of the similarities with human scores is "
        f"{kit.points(pooled['spearman'])} (× 100"
        + (f"; interval {ends}" if ends else "")
        + f") on {pairs}"
        + (
            f" of {len(sets)} sets together; the mean of the sets is {kit.points(mean['spearman'])}."
            if several
            else "."
        ),
        blocks=[
            kit.Section("protocol", "What was compared", _protocol(steps, alert if data["transductive"] else "")),
            _sets_section(data),
        ],
        cards=[*cards, kit.Card("Pairs", f"{pooled['n_pairs']:,}", f"in {kit.count(len(sets), 'set')}")],
        caveats=data["notes"],
        methods=[methods.how("correlations", gain=""), methods.how("limits")],
        sizes=f"{pairs} in {kit.count(len(sets), 'set')}",
    )


def _score_card(label: str, scores: Data, key: str) -> kit.Card:
    return kit.interval_card(
        label, kit.points(scores[key]), kit.point_bounds(scores[f"{key}_low"], scores[f"{key}_high"])
    )


def _sets_section(data: Data) -> kit.Section:
    several = len(data["sets"]) > 1
    rows: list[list[kit.Cell | Line]] = []
    for scores in (*data["sets"], *((data["all"], data["mean"]) if several else ())):
        value, low, high = (scores[key] for key in ("spearman", "spearman_low", "spearman_high"))
        known = low is not None and high is not None
        whisker = kit.Whisker(value, low if known else value, high if known else value)
        pairs = f"{scores['n_pairs']:,}"
        rows.append([kit.plain(scores["name"]), pairs, _score(scores, "spearman", whisker), _score(scores, "pearson")])
    note = (
        f"In brackets: {kit.level(data['confidence_level'])} intervals; drawn from −100 to +100 with 0 in the middle."
    )
    if several:
        note += (
            " all: one correlation of the pairs of all sets together, the convention of SentEval. mean: the mean of "
            "the sets, each with the same weight."
        )
    columns: list[kit.Column | Line] = ["Set", kit.Column("Pairs", "number")]
    columns += [kit.Column(f"{kind} × 100", name=kind) for kind in ("Spearman", "Pearson")]
    table = kit.Table(columns, rows, "Correlations with human scores", note=note, layout="stack")
    return kit.Section("sets", "Correlations with human scores", [table], nav="Sets")
