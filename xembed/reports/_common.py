"""What the contexts of all pages hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from xembed.reports._format import cut

_LONGEST = 500  # characters of a parameter


def page_context(
    data: Mapping[str, Any],
    *,
    template: str,
    kind: str,
    title: str,
    chip: tuple[bool, str] | tuple[bool, str, str],
    cards: Sequence[Mapping[str, str]],
    sections: Sequence[Mapping[str, Any]],
    sizes: str | None,
    names: Sequence[str] | None = None,
    warnings: Sequence[Mapping[str, str | None]] = (),
    package: str = "xembed.shift",
    verdict: str | None = None,
    **more: Any,
) -> dict[str, Any]:
    """Return what the frame of a page needs.

    ``names`` stand as the heading where a page is about two corpora, otherwise ``title`` does. ``chip`` is whether
    something was found, the words for it, and a mark where it is not the usual one. ``verdict`` is the sentence below
    it, by default that of the result.
    """
    return {
        "schema": data["schema"],
        "template": template,
        "kind": kind,
        "title": title,
        "names": None if names is None else tuple(names),
        "verdict": data["verdict"] if verdict is None else verdict,
        "found": chip[0],
        "chip": chip[1],
        "mark": chip[2] if len(chip) == 3 else "✓" if chip[0] else "○",
        "cards": list(cards),
        "warnings": list(warnings),
        "sections": list(sections),
        "how": how_made(data, sizes, package),
        **more,
    }


def card(label: str, value: str, note: str) -> dict[str, str]:
    """Return a number with what it means."""
    return {"label": label, "value": value, "note": note}


def plot(
    id_: str,
    title: str,
    caption: str,
    figure: str,
    *,
    size: str = "square",
    sampled: str | None = None,
    texts: bool = False,
    table: tuple[list[str], list[list[str]]] | None = None,
) -> dict[str, Any]:
    """Return a figure with what it says, and its numbers as a table.

    ``size``: 'square' and 'small' stand two in a row, 'wide' alone. ``texts``: its dots are texts of the table of all.
    """
    return {
        "id": id_,
        "title": title,
        "caption": caption,
        "figure": figure,
        "size": size,
        "sampled": sampled,
        "texts": texts,
        "table": table,
    }


def notes(warnings: Sequence[str]) -> list[dict[str, str | None]]:
    """Return warnings that lead nowhere else."""
    return [{"text": text, "link": None, "to": None} for text in warnings]


def how_made(data: Mapping[str, Any], sizes: str | None, package: str) -> list[tuple[str, str]]:
    """Return the rows of "How this page was made", those without a value left out."""
    made = data.get("provenance")
    if made is None:
        return []
    rows = [
        ("Command", made.get("command")),
        ("Date", made.get("created")),
        ("Function", f"{package}.{made['function']}"),
        ("Parameters", ", ".join(f"{key}={cut(repr(value), _LONGEST)}" for key, value in made["parameters"].items())),
        ("Sizes", sizes),
    ]
    encoder = (data.get("encoder") or {}).items()
    rows += [(f"Encoder: {key}", cut(str(value), _LONGEST)) for key, value in encoder if value is not None]
    rows.append(("Versions", ", ".join(f"{key} {value}" for key, value in made["versions"].items())))
    return [(key, value) for key, value in rows if value]
