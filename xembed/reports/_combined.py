"""Several results on one page: a summary, a table of contents, and every result as a part with ids of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from xembed._core.fields import Provenance
from xembed.reports._blocks import Block, Data, Section, Span, Table, plain_text, quiet, status
from xembed.reports._format import count
from xembed.reports._page import Contents, Finding, Page, Part, provenance_rows
from xembed.reports._text import listed, plain

SCHEMA = "xembed.combined/1"
_KEY_NUMBERS = 4  # of a part, in the summary
_FEW = 3  # parts that are all told in the verdict
_TITLE = 200  # characters


@dataclass(frozen=True)
class Combined:
    """What the file of a combined page holds."""

    schema: ClassVar[str] = SCHEMA

    title: str
    parts: tuple[dict[str, Any], ...]
    provenance: Provenance


def combined_page(data: Data, page_of: Callable[[Data], Page]) -> Page:
    """Return the page of several results; ``page_of`` gives that of one, and finds the others in ``beside``."""
    results = data["parts"]
    pages = [page_of({**one, "beside": [other for other in results if other is not one]}) for one in results]
    parts = [Part(page, number) for number, page in enumerate(pages, start=1)]
    sizes = count(len(parts), "part")
    return Page(
        title=plain(data["title"], _TITLE),
        kind="combined report",
        finding=Finding(""),
        verdict=_verdict(pages),
        caveats=_caveats(results) if len(parts) > 1 else (),
        blocks=[_summary(parts), Contents(parts), *parts],
        sizes=sizes,
        provenance=provenance_rows(data, sizes),
    )


def _summary(parts: Sequence[Part]) -> Block:
    rows = []
    for part in parts:
        page, to = part.page, f"part{part.number}-part"
        called = [Span(plain_text(page.heading), "name", to)] if page.names is None else _names(page.names, to)
        keys: list[str | Span] = []
        for card in page.cards[:_KEY_NUMBERS]:
            keys += [quiet(plain_text(card.label)), " ", Span(plain_text(card.value), "name"), "; "]
        finding = page.finding
        about = [quiet(f"{part.number} · {page.kind}"), " ", *called]
        found = [status(finding.found, finding.words, finding.mark), " ", plain_text(page.verdict)]
        rows.append([about, found, keys[:-1]])
    columns = ["Part", "Finding", "Key numbers"]
    return Section("summary", "Summary", [Table(columns, rows, "Summary", layout="stack", kind="summary")])


def _names(names: Sequence[str], to: str) -> list[str | Span]:
    return [Span(names[0], "name", to), " and ", Span(names[1], "name", to)]


def _verdict(pages: Sequence[Page]) -> str:
    if len(pages) == 1:
        return "One result."
    if len(pages) <= _FEW:
        findings = [(page.kind, page.finding.words) for page in pages]
        told = "; ".join(f"{kind}: {words[:1].lower()}{words[1:]}" for kind, words in findings)
        return f"{count(len(pages), 'result')} on one page. {told[0].upper()}{told[1:]}."
    n_found = sum(page.finding.found for page in pages)
    verb = "reports" if n_found == 1 else "report"
    return f"{count(len(pages), 'result')} on one page; {n_found} of them {verb} a finding."


def _caveats(parts: Sequence[Mapping[str, Any]]) -> list[str]:
    caveats = ["Each part is judged by itself: no p-value or interval is corrected for the number of parts."]
    for place, part in enumerate(parts):
        same = [str(other + 1) for other in range(place, len(parts)) if parts[other] == part]
        if len(same) > 1 and part not in parts[:place]:
            caveats.append(f"Parts {listed(same)} are the same result.")
    encoders = {str((part.get("encoder") or {}).get("fingerprint")) for part in parts if part.get("encoder")}
    if len(encoders) > 1:
        caveats.append(f"The parts are of {len(encoders)} different encoders: their numbers are not on one scale.")
    return caveats
