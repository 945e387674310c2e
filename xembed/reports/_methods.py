"""What pages say under "Methods": paragraphs in ``methods.md`` beside an analysis.

A paragraph begins with ``## name: Title``. Its prose cites ``[@gretton2012; @biggs2023]`` and has ``{gaps}``; a last
line ``Cites: holm1979 liu1993`` names works that are listed and not mentioned.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from importlib import resources

from xembed.reports._bibliography import work
from xembed.reports._blocks import Prose, strong

_PARAGRAPH = r"^## (\w+): (.*?)\n(.*?)(?:^Cites: (.*?)\n)?\s*(?=^## |\Z)"
_CITED = re.compile(r"\[@([a-z0-9]+(?:; @[a-z0-9]+)*)\]")


def method(title: str, text: str, *cites: str) -> Prose:
    """Return a paragraph of "Methods", which cites ``[@gretton2012; @biggs2023]``, and silently ``cites``."""
    keys = [key for found in _CITED.findall(text) for key in found.split("; @")]
    named = _CITED.sub(lambda found: f"({'; '.join(work(key).short for key in found[1].split('; @'))})", text)
    return Prose((strong(f"{title}."), f" {named}"), cites=(*keys, *cites))


def methods_of(package: str) -> Callable[..., Prose]:
    """Return a function that gives the paragraphs of ``methods.md`` in a package by name, their gaps filled."""

    def paragraph(name: str, *cites: str, **gaps: object) -> Prose:
        title, text, keys = _paragraphs(package)[name]
        return method(title, text.format(**gaps), *keys, *cites)

    return paragraph


@cache
def _paragraphs(package: str) -> dict[str, tuple[str, str, list[str]]]:
    text = (resources.files(package) / "methods.md").read_text(encoding="utf-8")
    return {
        name: (title, " ".join(prose.split()), cites.split())
        for name, title, prose, cites in re.findall(_PARAGRAPH, text, re.MULTILINE | re.DOTALL)
    }
