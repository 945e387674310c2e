"""The texts of two corpora on a page: which of them it holds, their table, and dots for figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from xembed.reports import kit
from xembed.shift._pages.sections import text_table

Array = npt.NDArray[Any]

# Rows in the table of all texts, and dots in a figure. More of either makes pages that browsers can't handle.
_MAX_ROWS = 10_000
_MAX_DOTS = 5_000
_TOP = 10
# Characters of text that a page holds in total, and the least and most of one text.
_TEXT_BUDGET = 1_600_000
_SHORTEST, _LONGEST = 100, 1_000
_LABEL = 60  # characters of a region's name
_NAME, _CELL = 24, 60  # characters of a column's name, and of what is in it


@dataclass(frozen=True)
class Rows:
    """The texts of F, then those of G, and which of them the page shows."""

    names: tuple[str, ...]
    depths: Array
    in_F: Array
    in_G: Array
    corpus: Array  # 0 or 1
    row: Array  # number within its corpus, as in its file where that is known
    columns: dict[str, list[str]]  # what else is known of the texts
    texts: list[str] | None
    kept: Array  # rows in the table
    dots: Array  # positions in the table that are drawn, too
    length: int  # characters of a text

    @classmethod
    def of(cls, data: kit.Data) -> Rows:
        """Choose the rows of a shift result."""
        depths = np.asarray(data["depths"])
        n_G = int(data["test"]["n_G"])
        n_F = len(depths) - n_G
        corpus = np.repeat([0, 1], [n_F, n_G])
        kept = sample_rows(depths, corpus, _MAX_ROWS)
        metadata = data.get("metadata_F") or {}, data.get("metadata_G") or {}
        known = {name: [*metadata[0][name], *metadata[1].get(name, ())] for name in metadata[0]}
        known = {name: column for name, column in known.items() if len(column) == len(depths)}
        return cls(
            names=kit.short_names(data["names"]),
            depths=depths,
            in_F=np.asarray(data["depths_in_F"]),
            in_G=np.asarray(data["depths_in_G"]),
            corpus=corpus,
            row=np.array(known["row"] if "row" in known else [*range(n_F), *range(n_G)]),
            columns={name: [_cell(value) for value in column] for name, column in known.items() if name != "row"},
            texts=None if data["texts_F"] is None else [*data["texts_F"], *data["texts_G"]],
            kept=kept,
            dots=np.flatnonzero(np.isin(kept, kept[sample_rows(depths[kept], corpus[kept], _MAX_DOTS)])),
            length=int(np.clip(_TEXT_BUDGET // max(len(kept), 1), _SHORTEST, _LONGEST)),
        )

    @property
    def numbers(self) -> tuple[list[int], list[int]]:
        """The numbers of the rows of F and of G."""
        return self.row[self.corpus == 0].tolist(), self.row[self.corpus == 1].tolist()

    def section(self, regions: kit.Data | None, explained: kit.Data | None = None) -> kit.Section:
        """Return the section of all texts.

        With ``regions``, each text has its region and how it leans; with an explanation of the same shift, its words.
        """
        first, second = self.names
        numbers: list[tuple[str, kit.Line, str]] = [
            ("depth", "Depth", ""),
            ("inF", ["in ", kit.name(first)], f"Depth in {first}"),
            ("inG", ["in ", kit.name(second)], f"Depth in {second}"),
        ]
        if regions is not None:
            numbers.append(("lean", "Leaning", f"Above 0: where {second} has more; below 0: where {first} has more"))
        last = "Text" if self.texts is not None else "Region" if regions is not None else ""
        packed, note = kit.pack(self._columns(regions, explained)), self._note(regions, explained)
        known = [(f"meta{k}", kit.name(kit.cut(name, _NAME))) for k, name in enumerate(self.columns)]
        table = kit.TextTable(packed, numbers, last, note, known)
        return kit.Section("all", "All texts", [table], nav="Texts")

    def _columns(self, regions: kit.Data | None, explained: kit.Data | None) -> dict[str, Any]:
        columns = {
            "names": self.names,
            "numbers": [
                {"key": "depth", "label": "depth", "csv": "depth"},
                {"key": "inF", "label": f"in {self.names[0]}", "csv": "depth_in_F"},
                {"key": "inG", "label": f"in {self.names[1]}", "csv": "depth_in_G"},
            ],
            "meta": [{"key": f"meta{k}", "label": kit.cut(name, _NAME)} for k, name in enumerate(self.columns)],
            **{f"meta{k}": [column[i] for i in self.kept] for k, column in enumerate(self.columns.values())},
            "corpus": self.corpus[self.kept].tolist(),
            "row": self.row[self.kept].tolist(),
            "depth": self.depths[self.kept].round(4).tolist(),
            "inF": self.in_F[self.kept].round(4).tolist(),
            "inG": self.in_G[self.kept].round(4).tolist(),
            "text": None if self.texts is None else [kit.cut(self.texts[i], self.length) for i in self.kept],
        }
        if regions is not None:
            called = [f"{kit.cut(region['label'], _LABEL)} ({region['status']})" for region in regions["regions"]]
            columns |= {
                "region": np.asarray(regions["membership"])[self.kept].tolist(),
                "regions": called,
                "groups": _groups(regions["regions"]),
                "lean": np.asarray(regions["scores"])[self.kept].round(3).tolist(),
            }
            columns["numbers"].append({"key": "lean", "label": "leaning", "csv": "leaning", "signed": True})
        if explained is not None:
            n_F = int((self.corpus == 0).sum())
            words = {
                text["row"] + (n_F if place >= explained["n_F"] else 0): {"component": text["component"]}
                | kit.packed_words(text["words"], text["values"])
                for place, text in enumerate(explained["texts"])
            }
            columns |= {
                "components": [_component(component) for component in explained["components"]],
                "said": [words.get(int(i)) for i in self.kept],
            }
        return columns

    def _note(self, regions: kit.Data | None, explained: kit.Data | None) -> kit.Line:
        first, second = map(kit.name, self.names)
        note: list[str | kit.Span] = []
        if len(self.kept) < len(self.depths):
            note.append(f"{sampled(len(self.kept), len(self.depths))} ")
        if self.texts is not None and any(len(self.texts[i]) > self.length for i in self.kept):
            note.append(f"Texts are cut after {self.length} characters here. ")
        if regions is not None:
            note += [
                "Leaning: the share of ", second, " among a text's nearest other texts, less what chance gives; above "
                "0 it lies where ", second, " has more, below 0 where ", first, " has more. "
            ]  # fmt: skip
        note.append("Draw around dots on the map or the plot of depths to see their texts here, or click on one;")
        if explained is not None:
            note.append(" texts with “Its words” were explained, orange+ takes a text along, blue− holds it back;")
        note.append(
            " what you search for stands out there. Escape shows all again. Everything, whole, is in the .json file "
            "beside this page."
        )
        return note

    def extremes(self) -> kit.Section:
        """Return the section of the deepest and the shallowest texts of each corpus."""
        panels: list[kit.Block] = []
        for ends, sign in (("Most typical", -1), ("Most outlying", 1)):
            for which, one in enumerate(self.names):
                members = np.flatnonzero(self.corpus == which)
                best = members[np.argsort(sign * self.depths[members], kind="stable")][:_TOP].tolist()
                lines: list[list[Any]] = [[str(int(self.row[i])), f"{self.depths[i]:.3f}"] for i in best]
                columns = [kit.Column("Row", "number"), kit.Column("Depth", "number")]
                table = text_table(columns, lines, best, self.texts, self.length, [self._known(i) for i in best])
                panels.append(kit.Panel([f"{ends} texts of ", kit.name(one)], [table]))
        note = (
            "By depth in both corpora together. Deep texts say what the corpora have in common; shallow ones are where "
            "to look for errors and out-of-distribution texts."
        )
        blocks: list[kit.Block] = [kit.Prose(note, "quiet"), kit.Columns(panels)]
        title = "The most typical and the most outlying texts"
        return kit.Section("extremes", title, blocks, nav="Typical and outlying")

    def _known(self, i: int) -> kit.Line:
        """Return what else is known of a text, on one line: half a page is too narrow for columns."""
        known = [(kit.cut(name, _NAME), column[i]) for name, column in self.columns.items() if column[i]]
        return [piece for name, value in known for piece in (" · ", kit.name(name), f": {value}")][1:]

    @property
    def all_drawn(self) -> bool:
        """Whether each text is a dot."""
        return len(self.dots) == len(self.depths)

    def sampled_dots(self) -> str:
        """Say how many of the texts are drawn, and what stands for the others."""
        shade = (
            "The gray shade is made from all of them: the stronger it is, the more texts lie there, on a logarithmic "
            "scale. It shows both corpora together."
        )
        return "" if self.all_drawn else f"{sampled(len(self.dots), len(self.depths))} {shade}"


def _component(component: kit.Data) -> str:
    label = kit.plain(component["label"], _LABEL)
    return "the center" if component["kind"] == "location" else f"{component['kind']}: {label}"


def _groups(regions: Sequence[kit.Data]) -> list[dict[str, Any]]:
    """Return what can be switched on and off: each changed region, and all others together, or each if none changed."""
    changed = [i for i, region in enumerate(regions) if region["status"] != "unchanged"]
    single = changed or range(len(regions))
    groups = [
        {"label": kit.cut(regions[i]["label"], _LABEL), "status": regions[i]["status"], "regions": [i]} for i in single
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


def sampled(shown: int, total: int) -> str:
    """Say how many texts are shown, if not all."""
    return f"Showing {shown:,} of {total:,} texts: the extremes of both corpora and a stratified random sample, seed 0."


def _cell(value: Any) -> str:
    return "" if value is None else kit.cut(f"{value:g}" if isinstance(value, float) else str(value), _CELL)
