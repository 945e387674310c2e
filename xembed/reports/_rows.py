"""The texts of two corpora on a page: which of them it holds, their table, and dots for figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from xembed.reports._explanation_words import packed_words
from xembed.reports._explanations_of_corpora import component_names
from xembed.reports._format import cut
from xembed.reports._script_data import pack

Array = npt.NDArray[Any]

# Rows in the table of all texts, and dots in a figure. More of either makes pages that browsers can't handle.
_MAX_ROWS = 10_000
_MAX_DOTS = 5_000
_TOP = 10
# Characters of text that a page holds in total, and the least and most of one text.
_TEXT_BUDGET = 1_600_000
_SHORTEST, _LONGEST = 100, 1_000
_LABEL = 60  # characters of a region's name


@dataclass(frozen=True)
class Rows:
    """The texts of F, then those of G, and which of them the page shows."""

    names: tuple[str, ...]
    depths: Array
    in_F: Array
    in_G: Array
    corpus: Array  # 0 or 1
    row: Array  # within its corpus
    texts: list[str] | None
    kept: Array  # rows in the table
    dots: Array  # positions in the table that are drawn, too
    length: int  # characters of a text

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Rows:
        """Choose the rows of a shift result."""
        depths = np.asarray(data["depths"])
        n_G = int(data["test"]["n_G"])
        n_F = len(depths) - n_G
        corpus = np.repeat([0, 1], [n_F, n_G])
        kept = sample_rows(depths, corpus, _MAX_ROWS)
        return cls(
            names=tuple(data["names"]),
            depths=depths,
            in_F=np.asarray(data["depths_in_F"]),
            in_G=np.asarray(data["depths_in_G"]),
            corpus=corpus,
            row=np.concatenate([np.arange(n_F), np.arange(n_G)]),
            texts=None if data["texts_F"] is None else [*data["texts_F"], *data["texts_G"]],
            kept=kept,
            dots=np.flatnonzero(np.isin(kept, kept[sample_rows(depths[kept], corpus[kept], _MAX_DOTS)])),
            length=int(np.clip(_TEXT_BUDGET // max(len(kept), 1), _SHORTEST, _LONGEST)),
        )

    def table(self, regions: Mapping[str, Any] | None, explained: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return the section of all texts.

        With ``regions``, each text has its region and how it leans; with an explanation of the same shift, its words.
        """
        columns = {
            "names": self.names,
            "corpus": self.corpus[self.kept].tolist(),
            "row": self.row[self.kept].tolist(),
            "depth": self.depths[self.kept].round(4).tolist(),
            "inF": self.in_F[self.kept].round(4).tolist(),
            "inG": self.in_G[self.kept].round(4).tolist(),
            "text": None if self.texts is None else [cut(self.texts[i], self.length) for i in self.kept],
        }
        if regions is not None:
            columns |= {
                "region": np.asarray(regions["membership"])[self.kept].tolist(),
                "regions": [f"{cut(region['label'], _LABEL)} ({region['status']})" for region in regions["regions"]],
                "groups": _groups(regions["regions"]),
                "lean": np.asarray(regions["scores"])[self.kept].round(3).tolist(),
            }
        if explained is not None:
            n_F = int((self.corpus == 0).sum())
            places = [
                text["row"] + (n_F if place >= explained["n_F"] else 0) for place, text in enumerate(explained["texts"])
            ]
            said = {
                place: {"component": text["component"]} | packed_words(text["words"], text["values"])
                for place, text in zip(places, explained["texts"], strict=True)
            }
            columns |= {"components": component_names(explained), "said": [said.get(int(i)) for i in self.kept]}
        return {
            "kind": "all_texts",
            "id": "all",
            "nav": "Texts",
            "names": self.names,
            "data": pack(columns),
            "sampled": sampled(len(self.kept), len(self.depths)),
            "cut": self.length
            if self.texts is not None and any(len(self.texts[i]) > self.length for i in self.kept)
            else None,
            "has_texts": self.texts is not None,
            "has_regions": regions is not None,
            "has_words": explained is not None,
        }

    def extremes(self) -> dict[str, Any]:
        """Return the section of the deepest and the shallowest texts of each corpus."""
        tables = []
        for ends, sign in (("Most typical", -1), ("Most outlying", 1)):
            for which, name in enumerate(self.names):
                members = np.flatnonzero(self.corpus == which)
                best = members[np.argsort(sign * self.depths[members], kind="stable")][:_TOP]
                tables.append(
                    {
                        "title": f"{ends} texts of {name}",
                        "rows": [
                            {
                                "row": int(self.row[i]),
                                "depth": f"{self.depths[i]:.3f}",
                                "text": cut(self.texts[i], self.length) if self.texts else "",
                            }
                            for i in best
                        ],
                    }
                )
        return {
            "kind": "extremes",
            "id": "extremes",
            "nav": "Typical and outlying",
            "tables": tables,
            "has_texts": self.texts is not None,
        }

    @property
    def all_drawn(self) -> bool:
        """Whether each text is a dot."""
        return len(self.dots) == len(self.depths)

    def sampled_dots(self) -> str | None:
        """Say how many of the texts are drawn, and what stands for the others."""
        if self.all_drawn:
            return None
        return (
            f"{sampled(len(self.dots), len(self.depths))} The gray shade is made from all of them: the stronger it is, "
            "the more texts lie there, on a logarithmic scale. It shows both corpora together."
        )


def _groups(regions: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return what can be switched on and off: each changed region, and all others together, or each if none changed."""
    changed = [i for i, region in enumerate(regions) if region["status"] != "unchanged"]
    single = changed or range(len(regions))
    groups = [
        {"label": cut(regions[i]["label"], _LABEL), "status": regions[i]["status"], "regions": [i]} for i in single
    ]
    others = [i for i in range(len(regions)) if i not in single]
    return [*groups, {"label": "other texts", "status": None, "regions": others}] if others else groups


def sample_rows(depths: Array, corpus: Array, most: int) -> npt.NDArray[np.intp]:
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


def sampled(shown: int, total: int) -> str | None:
    """Say how many texts are shown, if not all."""
    if shown == total:
        return None
    return f"Showing {shown:,} of {total:,} texts: the extremes of both corpora and a stratified random sample, seed 0."
