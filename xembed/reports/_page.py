"""A page: what a result's page function returns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from xembed.reports._blocks import Block, Card, Cards, Data, Line, Prose, Span
from xembed.reports._format import cut

_LONGEST = 500  # characters of a parameter


@dataclass(frozen=True)
class Finding:
    """What was found, in a few words; its sign is by default a full circle if there is something, else an empty one."""

    words: str
    found: bool = False
    sign: str = ""

    @property
    def mark(self) -> str:
        """Return the sign."""
        return self.sign or ("●" if self.found else "○")


@dataclass(frozen=True)
class Page:
    """What a page says of one result.

    ``names`` are the heading of a page about two corpora, otherwise ``title`` is. ``cards`` are the numbers to see
    first, ``caveats`` what to know before relying on them. ``methods`` say what was done: paragraphs made by `method`,
    and other blocks; the works that they and ``cites`` name are listed below. How the result was made is added by the
    kit, which knows all of it but ``sizes``.
    """

    title: str
    kind: str
    finding: Finding
    verdict: str
    blocks: Sequence[Block]
    names: tuple[str, ...] | None = None
    cards: Sequence[Card] = ()
    caveats: Sequence[Line] = ()
    methods: Sequence[Block] = ()
    cites: Sequence[str] = ()
    sizes: str | None = None
    provenance: Sequence[tuple[str, str]] = ()

    @property
    def heading(self) -> list[str | Span]:
        """Return the names or the title as pieces of a line."""
        if self.names is None:
            return [Span(self.title, "name")]
        return [Span(self.names[0], "name"), " and ", Span(self.names[1], "name")]

    @property
    def numbers(self) -> Cards:
        """Return the cards as a block."""
        return Cards(self.cards)

    @property
    def parts(self) -> list[Part]:
        """Return the results of a combined page."""
        return [block for block in self.blocks if isinstance(block, Part)]

    @property
    def works(self) -> list[str]:
        """Return the keys of all works that the page cites, each once."""
        cited = [key for block in self.methods if isinstance(block, Prose) for key in block.cites]
        return list(dict.fromkeys([*cited, *self.cites]))

    @property
    def contents(self) -> list[tuple[str, str]]:
        """Return the sections of the page: ids and names."""
        entries = [entry for block in self.blocks for entry in block.entries()]
        return [*entries, ("method", "Methods")] if self.methods else entries


@dataclass(frozen=True)
class Part(Block):
    """A page as a part of a combined one."""

    page: Page
    number: int


@dataclass(frozen=True)
class Contents(Block):
    """The contents of a combined page."""

    parts: Sequence[Part]


def provenance_rows(data: Data, sizes: str | None) -> list[tuple[str, str]]:
    """Return how a result was made, rows without a value left out."""
    made = data.get("provenance")
    if made is None:
        return []
    package = ".".join(str(data["schema"]).split(".")[:2]) if data["schema"].count(".") == 2 else "xembed.reports"
    rows = [
        ("Command", made.get("command")),
        ("Date", made.get("created")),
        ("Function", f"{package}.{made['function']}"),
        ("Parameters", ", ".join(f"{key}={cut(repr(value), _LONGEST)}" for key, value in made["parameters"].items())),
        ("Sizes", sizes),
    ]
    encoder: Mapping[str, Any] = data.get("encoder") or {}
    rows += [(f"Encoder: {key}", cut(str(value), _LONGEST)) for key, value in encoder.items() if value is not None]
    rows.append(("Versions", ", ".join(f"{key} {value}" for key, value in made["versions"].items())))
    return [(key, value) for key, value in rows if value]
