"""The works that pages and documentation cite: ``references.bib``, one field a line, authors as ``Last, F. M.``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib import resources

_ENTRY = re.compile(r"^@\w+\{([a-z]+\d{4}[a-z]?),\n(.*?)^\}", re.MULTILINE | re.DOTALL)
_FIELD = re.compile(r"^  (\w+) = \{(.*)\},$", re.MULTILINE)
_PLACES = ("journal", "booktitle", "publisher", "howpublished")


@dataclass(frozen=True)
class Work:
    """A work as a text names it (``short``) and as a list of references does (``full``)."""

    short: str
    full: str


@cache
def works() -> dict[str, Work]:
    """Return all works by their keys."""
    text = (resources.files("xembed.reports") / "references.bib").read_text(encoding="utf-8")
    return {key: _work(dict(_FIELD.findall(body))) for key, body in _ENTRY.findall(text)}


def work(key: str) -> Work:
    """Return the work with a key such as 'gretton2012'."""
    if key not in works():
        raise ValueError(f"The key of a work must be one of those in references.bib. Got {key!r}: add an entry.")
    return works()[key]


def _work(fields: dict[str, str]) -> Work:
    people = [name.split(", ") for name in fields["author"].split(" and ")]
    names = [" ".join(reversed(parts)) for parts in people if parts != ["others"]]
    last = [parts[0] for parts in people]
    named = f"{last[0]} et al." if len(last) > 2 or last[-1] == "others" else " & ".join(last)
    title = fields["title"].strip("{}")
    place, year = next(fields[key] for key in _PLACES if key in fields), fields["year"]
    if "volume" in fields:
        place = f"{place} {fields['volume']} ({year})"
        place += f", {fields['pages'].replace('--', '–')}" if "pages" in fields else ""
    else:
        place = f"{place} ({year})" if "howpublished" in fields else f"{place} {year}"
    others = " et al" if last[-1] == "others" else ""
    stop = "" if title.endswith(("?", "!")) else "."
    return Work(f"{named} {year}", f"{', '.join(names)}{others}. {title}{stop} {place}.")
