"""Names of corpora, classes and corrections as pages show them: short, and without what turns a line around."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from xembed.reports._text import plain

_LONGEST = 60
_NAMES = ("names", "classes", "name", "correction", "recommendation")
# Whole texts are shown as they are, and hold no names.
_TEXTS = frozenset(("texts", "texts_F", "texts_G", "typical_texts", "words", "words_a", "words_b"))


def with_short_names(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the data of a result with names that fit into a heading, a legend and a sentence.

    Names stand in many places of a page, and in sentences that the analysis wrote. So they are exchanged in the data,
    before a page is made of them; the .json file beside the page has them whole.
    """
    listed = [data.get(key) or () for key in _NAMES]
    names = [name for found in listed for name in ([found] if isinstance(found, str) else found)]
    shown: dict[str, str] = {}
    for name in dict.fromkeys(names):  # a correction and what is recommended can be the same
        short = plain(name, _LONGEST) or "–"
        shown[name] = short if short not in shown.values() else f"{short} ({len(shown) + 1})"
    changed = {name: short for name, short in shown.items() if short != name}
    return {key: _exchanged(key, value, changed) for key, value in data.items()} if changed else data


def _exchanged(key: str, value: Any, changed: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        if value in changed:
            return changed[value]
        for name, short in changed.items():
            # What is long or holds unprintable characters is a name also where no quotes say so.
            bare = len(name) > _LONGEST or not name.isprintable()
            value = value.replace(name, short) if bare else value.replace(f"“{name}”", f"“{short}”")
        return value
    if isinstance(value, Mapping):
        return {changed.get(inner, inner): _exchanged(inner, item, changed) for inner, item in value.items()}
    if isinstance(value, list | tuple) and key not in _TEXTS and not (value and isinstance(value[0], int | float)):
        return [_exchanged(key, item, changed) for item in value]
    return value
