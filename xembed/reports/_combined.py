"""Several results on one page: a summary, a table of contents, and every result as a part with ids of its own."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from xembed.reports._common import how_made
from xembed.reports._explanation_words import plain
from xembed.reports._format import count

SCHEMA = "xembed.combined/1"
_KEY_NUMBERS = 4  # of a part, in the summary
_FEW = 3  # parts that are all told in the verdict
_TITLE = 200  # characters

# A start tag of our templates. Texts of users are escaped, also in attributes, so they hold no <, > or ".
_TAG = re.compile(r'<([a-z][a-z0-9]*)((?:\s+[\w:-]+(?:="[^"]*")?)*)\s*/?>')
_ATTRIBUTE = re.compile(r'(\s+)([\w:-]+)(?:="([^"]*)")?')
# Attributes that hold ids, which may be several.
_REFERENCES = frozenset(
    ("id", "for", "headers", "list", "data-spec", "aria-labelledby", "aria-describedby", "aria-controls", "aria-owns")
)


def combined_context(
    data: Mapping[str, Any], render_part: Callable[[Mapping[str, Any], int, str], tuple[dict[str, Any], str]]
) -> dict[str, Any]:
    """Return what a page of several results needs; ``render_part`` gives the context of a result and its HTML."""
    parts = [_part(part, place, render_part) for place, part in enumerate(_linked(data["parts"]), start=1)]
    several = len(parts) > 1
    return {
        "kind": "combined report",
        "title": plain(data["title"], _TITLE),
        "verdict": _verdict(parts),
        "parts": parts,
        "warnings": _warnings(data["parts"]) if several else [],
        "how": how_made(data, count(len(parts), "part"), "xembed.reports"),
    }


def _verdict(parts: Sequence[Mapping[str, Any]]) -> str:
    if len(parts) == 1:
        return "One result."
    if len(parts) <= _FEW:
        said = "; ".join(f"{part['kind']}: {part['chip'][0].lower()}{part['chip'][1:]}" for part in parts)
        return f"{count(len(parts), 'result')} on one page. {said[0].upper()}{said[1:]}."
    n_found = sum(part["found"] for part in parts)
    verb = "reports" if n_found == 1 else "report"
    return f"{count(len(parts), 'result')} on one page; {n_found} of them {verb} a finding."


def _linked(parts: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the parts; a shift beside the explanation of the same texts gets what that says of their words."""
    explanations = [part for part in parts if part["schema"] == "xembed.attribution.ShiftExplanation/1"]

    def link(part: Mapping[str, Any]) -> Mapping[str, Any]:
        if part["schema"] != "xembed.shift.ShiftResult/1" or part["texts_F"] is None:
            return part
        found = next((one for one in explanations if _of_same_texts(part, one)), None)
        return part if found is None else {**part, "explained": found}

    return [link(part) for part in parts]


def _of_same_texts(shift: Mapping[str, Any], explanation: Mapping[str, Any]) -> bool:
    if list(shift["names"]) != list(explanation["names"]):
        return False
    for place, text in enumerate(explanation["texts"]):
        corpus = shift["texts_F" if place < explanation["n_F"] else "texts_G"]
        if text["row"] >= len(corpus) or not all(word in corpus[text["row"]] for word in text["words"][:5]):
            return False
    return True


def prefix_ids(html: str, prefix: str) -> str:
    """Return a part with all its ids, and all that refers to them, behind ``prefix``; its headings one level down."""

    def tag(match: re.Match[str]) -> str:
        name, attributes = match[1], match[2]
        attributes = _ATTRIBUTE.sub(lambda found: _prefixed(found, prefix), attributes)
        if re.fullmatch(r"h[1-5]", name):
            attributes += f' aria-level="{int(name[1]) + 1}"'
        if name == "section":  # the same in several parts: a list of landmarks tells them apart by the part
            attributes = attributes.replace('aria-labelledby="', f'aria-labelledby="{prefix}place ')
        return f"<{name}{attributes}{match[0][match.end(2) - match.start() :]}"

    return _TAG.sub(tag, html)


def _prefixed(attribute: re.Match[str], prefix: str) -> str:
    space, name, value = attribute.groups()
    if value and name in _REFERENCES:
        value = " ".join(prefix + one for one in value.split())
    elif value and name == "href" and value.startswith("#"):
        value = f"#{prefix}{value[1:]}"
    else:
        return attribute[0]
    return f'{space}{name}="{value}"'


def _part(
    data: Mapping[str, Any],
    place: int,
    render_part: Callable[[Mapping[str, Any], int, str], tuple[dict[str, Any], str]],
) -> dict[str, Any]:
    prefix = f"part{place}-"
    context, html = render_part(data, place, prefix)
    contents = [(section["nav"], section["id"]) for section in context["sections"]]
    return {
        "place": place,
        "prefix": prefix,
        "contents": [*contents, ("What was done", "method")],
        "page": prefix_ids(html, prefix),
        "cards": context["cards"][:_KEY_NUMBERS],
    } | {key: context[key] for key in ("kind", "title", "names", "verdict", "found", "chip", "mark")}


def _warnings(parts: Sequence[Mapping[str, Any]]) -> list[str]:
    said = ["Each part is judged by itself: no p-value or interval is corrected for the number of parts."]
    same: list[list[int]] = []
    for place, part in enumerate(parts):
        group = next((group for group in same if parts[group[0]] == part), None)
        if group is None:
            same.append([place])
        else:
            group.append(place)
    for group in same:
        if len(group) > 1:
            places = [str(place + 1) for place in group]
            said.append(f"Parts {', '.join(places[:-1])} and {places[-1]} are the same result.")
    encoders = {str((part.get("encoder") or {}).get("fingerprint")) for part in parts if part.get("encoder")}
    if len(encoders) > 1:
        said.append(f"The parts are of {len(encoders)} different encoders: their numbers are not on one scale.")
    return said
