"""The page of `find_outliers`."""

from __future__ import annotations

import numpy as np

from xembed.encoders._corpora import MUCH_UNREAD
from xembed.reports import kit

# Rows in the table of outliers, and of the lowest scores where there are none.
_MOST_OUTLIERS, _LOWEST = 100, 20

how = kit.methods_of("xembed.depth")


def outliers(data: kit.Data) -> kit.Page:
    """Return the page of `find_outliers`."""
    rows, scores = data["rows"], np.asarray(data["scores"])
    what = {"depth": "depth", "local": "local depth"}[data["score"]]
    source = {
        "conformal": "texts of the reference that calibrate the p-values",
        "empirical_null": "texts in the bulk, which the p-values are extrapolated from",
    }[data["method"]]
    rate = f"false discovery rate {kit.level(data['fdr'])}"
    caption = f"The {what} of all {data['n_tested']:,} texts. Left: outlying."
    threshold = "–" if data["threshold"] is None else f"{data['threshold']:.3f}"
    if data["threshold"] is not None:
        caption += " Texts at or left of the dashed line are reported."
    spec = kit.histogram(scores, title=what, mark=data["threshold"], mark_name="largest that is reported")
    return kit.Page(
        title="Outlying texts",
        kind="outliers",
        finding=_finding(data),
        verdict=data["verdict"],
        cards=[
            kit.Card("Reported", f"{len(rows):,} of {data['n_tested']:,}", rate),
            kit.Card("Threshold", threshold, f"largest {what} that is reported"),
            kit.Card("Compared with", f"{data['n_calibration']:,}", source),
        ],
        caveats=data["warnings"],
        blocks=[
            kit.Section("scores", "Scores", [kit.Figure("scores-plot", "All scores", caption, spec, size="wide")]),
            _rows(data, what),
        ],
        methods=[how(data["method"]), how("limits")],
        sizes=f"{data['n_tested']:,} texts",
    )


def _finding(data: kit.Data) -> kit.Finding:
    if data.get("unread", 0.0) >= MUCH_UNREAD:
        return kit.Finding("Texts are not read", sign="!")
    n_found = len(data["rows"])
    return kit.Finding(f"{kit.count(n_found, 'outlier')} found" if n_found else "No outliers found", n_found > 0)


def _rows(data: kit.Data, what: str) -> kit.Section:
    rows, scores = set(data["rows"]), np.asarray(data["scores"])
    order = np.argsort(scores, kind="stable").tolist()
    listed = [row for row in order if row in rows][:_MOST_OUTLIERS] or order[:_LOWEST]
    note = ""
    if not rows:
        note = "None of these is reported: such scores are what texts of one corpus have. They are the first to read."
    elif len(listed) < len(rows):
        note = f"The {len(listed)} most outlying; all are in the .json file beside this page."
    title = "The outliers" if rows else "The lowest scores"
    body = [
        [str(row), f"{scores[row]:.4f}", kit.p_value(data["pvalues"][row]), kit.p_value(data["qvalues"][row])]
        for row in listed
    ]
    table = kit.Table(kit.number_columns(["Row", what.capitalize(), "p", "q"]), body, title)
    return kit.Section("outliers", title, [*([kit.Prose(note, "quiet")] if note else []), table], nav="Rows")
