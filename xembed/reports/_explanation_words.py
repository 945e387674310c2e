"""Texts whose words carry numbers: what the templates show of one text, and of many."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from xembed._core.text import cut
from xembed.reports._script_data import pack
from xembed.reports._text import direction, plain
from xembed.reports._words import signed

Data = Mapping[str, Any]
Section = dict[str, Any]

_WORD = 60  # characters of a word
_WORDS = 400  # words of a text; the others are in the .json file
_LINE, _TEXT = 200, 600  # characters of a text where it is a line to click, and where it is read
# Without scripts: texts that are there, and words of them in all.
_STATIC_TEXTS, _STATIC_WORDS = 50, 1500
_COUNTED = 10  # words a side in the table over all texts

_FAINT = 0.05  # share of the largest below which a word gets no sign
_SOURCES = {
    "saliency_l1": ["simonyan"], "saliency_l2": ["li_saliency"], "input_x_gradient": ["shrikumar2016"],
    "integrated_gradients": ["sundararajan"], "gradient_shap": ["lundberg", "erion"], "deep_lift": ["shrikumar2017"],
    "guided_backprop": ["springenberg"], "deconvolution": ["zeiler"], "occlusion": ["zeiler"], "lime": ["ribeiro"],
    "kernel_shap": ["lundberg"], "shapley_sampling": ["strumbelj"], "attention_rollout": ["abnar"],
    "attention_gradient": ["chefer"], "pattern": ["haufe"], "pattern_variant": ["haufe"],
    "faithfulness": ["deyoung"], "randomisation": ["adebayo"],
}  # fmt: skip


def _chip(word: str, truth: bool, value: float, most: float) -> dict[str, Any]:
    share = abs(value) / most if most > 0 else 0.0
    return {
        "word": word,
        "truth": truth,
        "tone": "pos" if value > 0 else "neg" if value < 0 else "",
        "sign": "" if share < _FAINT else "+" if value > 0 else "−",
        "share": f"{share:.2f}",
    }


def told_text(
    words: Sequence[str],
    values: Sequence[float],
    *,
    has_signs: bool = True,
    boxed: Sequence[bool] | None = None,
    most: float | None = None,
) -> dict[str, Any]:
    """Return a text as colored words, and its numbers as a table; ``most``: the value with the deepest color."""
    largest = _largest(values) if most is None else most
    marks = [False] * len(words) if boxed is None else boxed
    shown = list(zip(words, values, marks, strict=True))[:_WORDS]
    chips = [_word(word, bool(mark), float(value), largest, has_signs) for word, value, mark in shown]
    return {
        "chips": chips,
        "dir": direction(words),
        "more": len(words) - len(shown),
        "table": (
            ["Word", "Attribution"],
            [[f"{one['word']}{' ▣' if one['truth'] else ''}", one["value"]] for one in chips],
        ),
    }


def _word(word: str, mark: bool, value: float, most: float, has_signs: bool) -> dict[str, Any]:
    chip = _chip(cut(word, _WORD), mark, value, most)
    written = signed(value) if has_signs else signed(value).lstrip("+")
    return chip | {"value": written, "sign": chip["sign"] if has_signs else ""}


def _largest(values: Sequence[float]) -> float:
    return max((abs(float(value)) for value in values), default=0.0)


def told_section(
    items: Sequence[Data],
    *,
    orders: Sequence[tuple[str, str, bool]],
    has_signs: bool,
    plus: str,
    minus: str,
    title: str,
    beside: str | None = None,
) -> Section:
    """Return the texts to open, packed for the script, and the first ones as they are.

    Parameters
    ----------
    items : sequence of mapping
        Texts, in the order to be shown: ``row``, ``text``, ``words``, ``values``, ``keys`` (numbers to sort by),
        ``facts`` (pairs of a label and a number as it is written), ``notes``, and ``near``, a text to read beside it
        with what is said of it, or None.
    orders : sequence of (key, label, descending)
        What the texts can be sorted by, the first as they are now.
    beside : str, optional
        What the texts beside are.
    """
    static: list[dict[str, Any]] = []
    total = 0
    for item in items[:_STATIC_TEXTS]:
        total += min(len(item["words"]), _WORDS)
        if static and total > _STATIC_WORDS:
            break
        static.append(_static(item, has_signs))
    return {
        "kind": "told",
        "id": "texts",
        "nav": "Texts",
        "title": title,
        "plus": plus,
        "minus": minus,
        "has_signs": has_signs,
        "beside": beside,
        "static": static,
        "n": len(items),
        "orders": [label for _, label, _ in orders],
        "data": pack(
            {
                "orders": [{"key": key, "down": down} for key, _, down in orders],
                "signs": has_signs,
                "beside": beside or "",
                "items": [_packed(item) for item in items],
            }
        ),
    }


def _static(item: Data, has_signs: bool) -> dict[str, Any]:
    near = item["near"]
    return {
        "row": item["row"],
        "line": cut(item["text"], _LINE),
        "facts": item["facts"],
        "notes": item["notes"],
        "near": None if near is None else {"text": cut(near["text"], _TEXT), "note": near["note"]},
        "told": told_text(item["words"], item["values"], has_signs=has_signs),
    }


def _packed(item: Data) -> dict[str, Any]:
    near = item["near"]
    return {
        "row": item["row"],
        "line": cut(item["text"], _LINE),
        "facts": item["facts"],
        "notes": item["notes"],
        "near": None if near is None else [cut(near["text"], _TEXT), near["note"]],
        "keys": item["keys"],
    } | packed_words(item["words"], item["values"])


def packed_words(words: Sequence[str], values: Sequence[float]) -> dict[str, Any]:
    """Return a text as words for the script."""
    return {
        "words": [cut(word, _WORD) for word in words[:_WORDS]],
        "values": [float(f"{value:.3g}") for value in values[:_WORDS]],  # as many digits as are shown
        "more": max(len(words) - _WORDS, 0),
        "dir": direction(words),
    }


def counted_section(data: Data, *, up: str, down: str) -> Section | None:
    """Return the words that count most over all texts: the sums of what each says, or None for too few texts."""
    if len(data["words"]) < 5:
        return None
    sums: dict[str, float] = {}
    texts: dict[str, set[int]] = {}
    for place, (words, values) in enumerate(zip(data["words"], data["values"], strict=True)):
        for word, value in zip(words, values, strict=True):
            key = word.lower()
            if any(character.isalnum() for character in key):
                sums[key] = sums.get(key, 0.0) + float(value)
                texts.setdefault(key, set()).add(place)
    order = sorted(sums, key=lambda word: -sums[word])
    sides = [(up, [word for word in order if sums[word] > 0])]
    if data["signed"]:
        sides.append((down, [word for word in reversed(order) if sums[word] < 0]))
    return {
        "kind": "counted",
        "id": "words",
        "nav": "Words over all texts",
        "sides": [
            {
                "title": title,
                "rows": [[cut(word, _WORD), signed(sums[word]), f"{len(texts[word]):,}"] for word in found[:_COUNTED]],
            }
            for title, found in sides
        ],
    }


def named(words: Sequence[str], values: Sequence[float], *, most: int = 3, lowest: bool = False) -> list[str]:
    """Return the words with the largest values, in quotes; those with the lowest, if below 0, for ``lowest``."""
    array = -np.asarray(values, dtype=float) if lowest else np.asarray(values, dtype=float)
    floor = 0.1 * np.abs(array).max(initial=0.0)
    order = np.argsort(-array, kind="stable")
    found = [f"“{plain(words[i], 40)}”" for i in order if array[i] > floor and any(c.isalnum() for c in words[i])]
    return list(dict.fromkeys(found))[:most]


_NAME = 80  # characters of what a target is called
# Of the targets that this package has; any other is called as it calls itself.
TARGETS = {
    "similarity": "similarity",
    "nearest_similarity": "similarity to the nearest texts",
    "depth": "depth in the whole corpus",
    "projection": "projection on a direction",
}


def target_name(output: str) -> str:
    """Return what was attributed to words, in words."""
    return TARGETS.get(output, cut(str(output), _NAME))


def methods(kind: str, name: str, label: str, *references: str) -> dict[str, Any]:
    """Return what the section on what was done says, with the works that the method is taken from."""
    found = [*references, *_SOURCES.get(name, [])]
    return {"method": kind, "explained": name, "label": label, "references": list(dict.fromkeys(found))}
