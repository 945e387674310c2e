"""The shift report: from a result's plain data to what the page shows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from xembed.reports import _figures as figures
from xembed.reports._script_data import pack

# Rows in the table of all texts, and dots in a figure. More of either makes pages that browsers can't handle.
_MAX_ROWS = 10_000
_MAX_DOTS = 5_000
_TOP = 10
# Characters of text that a page holds in total, and the least and most of one text.
_TEXT_BUDGET = 1_600_000
_SHORTEST, _LONGEST = 100, 1_000
_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


def shift_context(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the template of the shift report needs, from a shift or a rank-sum result."""
    is_shift = data["schema"] == "xembed.shift/1"
    test = data["test"] if is_shift else data
    names = tuple(data["names"]) if is_shift else ("F", "G")
    tested = (np.asarray(test["depths_F"]), np.asarray(test["depths_G"]))
    context: dict[str, Any] = {
        "title": f"{names[0]} and {names[1]}",
        "names": names,
        "verdict": data["verdict"],
        "shifted": test["pvalue"] <= (data["alpha"] if is_shift else 1 - test["confidence_level"]),
        "warnings": list(data["warnings"]) if is_shift else [],
        "numbers": _numbers(test, data if is_shift else None, names),
        "distribution": _distribution(tested, names, test),
        "dd_plot": None,
        "map": None,
        "tables": [],
        "rows": None,
        "how": _how_made(data, test),
        "reference": test["reference"],
    }
    if is_shift:
        context |= _texts_and_maps(data, names)
    return context


def _numbers(test: Mapping[str, Any], shift: Mapping[str, Any] | None, names: tuple[str, ...]) -> list[dict[str, str]]:
    low, high = test["confidence_interval"]
    level = f"{test['confidence_level']:.0%}"
    numbers = [
        {
            "label": "p-value",
            "value": _p(test["pvalue"]),
            "note": f"{test['alternative']}, {test['method']}, z = {test['statistic']:.2f}",
        },
        {
            "label": "Effect size 2Q − 1",
            "value": f"{test['effect_size']:+.2f}",
            "note": f"{level} interval {low:+.2f} to {high:+.2f}; 0 is no difference",
        },
        {
            "label": "Quality index Q",
            "value": f"{test['quality_index']:.3f}",
            "note": f"share of pairs in which {names[1]} is deeper; 0.5 is no difference",
        },
        {"label": "Texts", "value": f"{test['n_F']:,} / {test['n_G']:,}", "note": f"{names[0]} / {names[1]}"},
    ]
    if shift is not None:
        within, other = shift["similarity_within_F"], shift["similarity_within_G"]
        numbers.append(
            {
                "label": "Mean cosine of two texts",
                "value": f"{within:.2f} / {other:.2f}",
                "note": f"within {names[0]} / within {names[1]}; {shift['similarity_between']:.2f} between them",
            }
        )
    return numbers


def _distribution(
    tested: tuple[npt.NDArray[Any], npt.NDArray[Any]], names: tuple[str, ...], test: Mapping[str, Any]
) -> dict[str, Any]:
    quantiles = [np.quantile(depths, _QUANTILES) for depths in tested]
    medians = [q[_QUANTILES.index(0.5)] for q in quantiles]
    widths = [q[-1] - q[0] for q in quantiles]
    order = "above" if medians[1] > medians[0] else "below"
    where = {"pooled": "both corpora together", "first": names[0], "split": f"one half of {names[0]}"}
    return {
        "caption": (
            f"The median depth of {names[1]} ({medians[1]:.3f}) lies {order} that of {names[0]} ({medians[0]:.3f}); "
            f"the middle 90% of texts span {widths[1]:.3f} and {widths[0]:.3f}. Depth is measured in "
            f"{where[test['reference']]}, by {test['distance']} distance. Right: typical. Left: outliers."
        ),
        "figure": figures.depth_distributions(tested, names, medians),
        "sampled": None,
        "head": ["Corpus", "Texts", *(f"{q:.0%} quantile" for q in _QUANTILES)],
        "body": [
            [name, f"{len(depths):,}", *(f"{value:.4f}" for value in values)]
            for name, depths, values in zip(names, tested, quantiles, strict=True)
        ],
    }


def _texts_and_maps(data: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    depths = np.asarray(data["depths"])
    in_F, in_G = np.asarray(data["depths_in_F"]), np.asarray(data["depths_in_G"])
    n_G = int(data["test"]["n_G"])
    n_F = len(depths) - n_G
    corpus = np.repeat([0, 1], [n_F, n_G])
    row = np.concatenate([np.arange(n_F), np.arange(n_G)])
    texts = None if data["texts_F"] is None else [*data["texts_F"], *data["texts_G"]]
    kept = sample_rows(depths, corpus, _MAX_ROWS)
    dots = np.flatnonzero(np.isin(kept, kept[sample_rows(depths[kept], corpus[kept], _MAX_DOTS)]))
    length = int(np.clip(_TEXT_BUDGET // max(len(kept), 1), _SHORTEST, _LONGEST))
    coordinates = None if data["coordinates"] is None else np.asarray(data["coordinates"])
    shown = kept[dots]
    return {
        "dd_plot": {
            "caption": _dd_caption(in_F, in_G, corpus, names),
            "figure": figures.dd_plot(in_F[shown], in_G[shown], corpus[shown], dots, names),
            "sampled": _sampled(len(dots), len(depths)),
        },
        "map": None
        if coordinates is None
        else {
            "caption": _map_caption(data["projection"], data["explained_variance"]),
            "figure": figures.text_map(coordinates[shown], corpus[shown], dots, names, data["projection"]),
            "sampled": _sampled(len(dots), len(depths)),
        },
        "tables": _tables(depths, corpus, row, texts, names, length),
        "rows": {
            "data": pack(
                {
                    "names": names,
                    "corpus": corpus[kept].tolist(),
                    "row": row[kept].tolist(),
                    "depth": depths[kept].round(4).tolist(),
                    "inF": in_F[kept].round(4).tolist(),
                    "inG": in_G[kept].round(4).tolist(),
                    "text": None if texts is None else [cut(texts[i], length) for i in kept],
                }
            ),
            "sampled": _sampled(len(kept), len(depths)),
            "cut": length if texts is not None and any(len(texts[i]) > length for i in kept) else None,
            "has_texts": texts is not None,
        },
    }


def sample_rows(depths: npt.NDArray[Any], corpus: npt.NDArray[Any], most: int) -> npt.NDArray[np.intp]:
    """Return at most ``most`` rows, in order: the extremes of each corpus, and a stratified random sample (seed 0)."""
    if len(depths) <= most:
        return np.arange(len(depths))
    rng = np.random.default_rng(0)
    kept: list[npt.NDArray[np.intp]] = []
    sizes = np.bincount(corpus, minlength=2)
    # Proportional, but the smaller corpus gets at least a tenth, or all that it has.
    quota = np.maximum(np.round(most * sizes / sizes.sum()).astype(int), np.minimum(sizes, most // 10))
    quota[np.argmax(sizes)] = most - quota[np.argmin(sizes)] if sizes[0] != sizes[1] else most // 2
    for which in (0, 1):
        members = np.flatnonzero(corpus == which)
        share = int(min(quota[which], len(members)))
        order = members[np.argsort(depths[members], kind="stable")]
        lowest, highest = order[: share // 10], order[len(order) - share // 20 :]
        extremes = np.union1d(lowest, highest)
        others = np.setdiff1d(members, extremes)
        kept += [extremes, rng.choice(others, share - len(extremes), replace=False)]
    return np.sort(np.concatenate(kept))


def cut(text: str, length: int) -> str:
    """Shorten a text, saying so by an ellipsis."""
    return text if len(text) <= length else text[: length - 1].rstrip() + "…"


def _tables(
    depths: npt.NDArray[Any],
    corpus: npt.NDArray[Any],
    row: npt.NDArray[Any],
    texts: list[str] | None,
    names: tuple[str, ...],
    length: int,
) -> list[dict[str, Any]]:
    tables = []
    for ends, sign in (("Most typical", -1), ("Most outlying", 1)):
        for which, name in enumerate(names):
            members = np.flatnonzero(corpus == which)
            best = members[np.argsort(sign * depths[members], kind="stable")][:_TOP]
            tables.append(
                {
                    "title": f"{ends} texts of {name}",
                    "rows": [
                        {
                            "row": int(row[i]),
                            "depth": f"{depths[i]:.3f}",
                            "text": cut(texts[i], length) if texts else "",
                        }
                        for i in best
                    ],
                }
            )
    return tables


def _dd_caption(
    in_F: npt.NDArray[Any], in_G: npt.NDArray[Any], corpus: npt.NDArray[Any], names: tuple[str, ...]
) -> str:
    own_F = float(np.mean(in_F[corpus == 0] > in_G[corpus == 0]))
    own_G = float(np.mean(in_G[corpus == 1] > in_F[corpus == 1]))
    return (
        f"Each dot is a text, by its depth in {names[0]} and in {names[1]}. {own_F:.0%} of the texts of {names[0]} and "
        f"{own_G:.0%} of those of {names[1]} are deeper in their own corpus than in the other. Corpora that do not "
        "differ lie along the dashed line together."
    )


def _map_caption(projection: str, shares: list[float] | None) -> str:
    if projection == "umap" or shares is None:
        return (
            "UMAP layout, an illustration only: distances between groups, their sizes and gaps are made by the method "
            "and are no evidence of anything. The test does not use it."
        )
    return (
        f"The first two principal components hold {shares[0]:.0%} and {shares[1]:.0%} of the variance; what the other "
        f"{1 - sum(shares):.0%} holds can't be seen here. The test does not use this map."
    )


def _sampled(shown: int, total: int) -> str | None:
    if shown == total:
        return None
    return f"Showing {shown:,} of {total:,} texts: the extremes of both corpora and a stratified random sample, seed 0."


def _how_made(data: Mapping[str, Any], test: Mapping[str, Any]) -> list[tuple[str, str]]:
    made = data["provenance"]
    rows = [
        ("Command", made.get("command")),
        ("Date", made.get("created")),
        ("Function", f"xembed.shift.{made['function']}"),
        ("Parameters", ", ".join(f"{key}={value!r}" for key, value in made["parameters"].items())),
        ("Sizes", f"{test['n_F']:,} and {test['n_G']:,} texts"),
    ]
    encoder = (data.get("encoder") or {}).items()
    rows += [(f"Encoder: {key}", str(value)) for key, value in encoder if value is not None]
    rows.append(("Versions", ", ".join(f"{key} {value}" for key, value in made["versions"].items())))
    return [(key, value) for key, value in rows if value]


def _p(pvalue: float) -> str:
    return "< 1e-300" if pvalue < 1e-300 else f"{pvalue:.2g}"
