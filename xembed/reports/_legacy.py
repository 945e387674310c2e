"""Pages in the old form, contexts and macros, until all have the new one."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from xembed.reports._blocks import Block, Card, Data, Span
from xembed.reports._names import with_short_names
from xembed.reports._page import Finding, Page

if TYPE_CHECKING:
    from markupsafe import Markup

    from xembed.reports._render import Place

_TAG = re.compile(r'<([a-z][a-z0-9]*)((?:\s+[\w:-]+(?:="[^"]*")?)*)\s*/?>')
_ATTRIBUTE = re.compile(r'(\s+)([\w:-]+)(?:="([^"]*)")?')
# Attributes that hold ids, which may be several.
_REFERENCES = frozenset(
    ("id", "for", "headers", "list", "data-spec", "aria-labelledby", "aria-describedby", "aria-controls", "aria-owns")
)


@dataclass(frozen=True)
class Legacy(Block):
    """The sections and methods of an old page."""

    context: Mapping[str, Any]

    def entries(self) -> list[tuple[str, str]]:
        """Return the sections."""
        return [*((one["id"], one["nav"]) for one in self.context["sections"]), ("method", "Methods")]


def legacy_page(function: Callable[[Data], dict[str, Any]], data: Data) -> Page:
    """Return the page that an old context describes."""
    context = function(with_short_names(data))
    return Page(
        title=context["title"],
        kind=context["kind"],
        finding=Finding(context["chip"], context["found"], context["mark"]),
        verdict=context["verdict"],
        names=context["names"],
        cards=[Card(**card) for card in context["cards"]],
        caveats=[
            [one["text"], " ", Span(one["link"], to=one["to"])] if one["link"] else one["text"]
            for one in context["warnings"]
        ],
        blocks=[Legacy(context)],
        provenance=context["how"],
    )


def legacy_html(block: Legacy, place: Place) -> Markup:
    """Return the HTML of an old page's sections, with the ids of its place."""
    from markupsafe import Markup

    from xembed.reports._render import _environment

    html = _environment().get_template(block.context["template"]).render(**block.context)
    return Markup(prefix_ids(html, place.prefix) if place.prefix else html)


def prefix_ids(html: str, prefix: str) -> str:
    """Return a part with all its ids, and all that refers to them, behind ``prefix``; its headings one level down."""

    def tag(match: re.Match[str]) -> str:
        name, attributes = match[1], match[2]
        attributes = _ATTRIBUTE.sub(lambda found: _prefixed(found, prefix), attributes)
        if re.fullmatch(r"h[1-5]", name):
            name = f"h{int(name[1]) + 1}"
        if name == "section":  # the same in several parts: a list of landmarks tells them apart by the part
            attributes = attributes.replace('aria-labelledby="', f'aria-labelledby="{prefix}place ')
        return f"<{name}{attributes}{match[0][match.end(2) - match.start() :]}"

    return re.sub(r"</h([1-5])>", lambda found: f"</h{int(found[1]) + 1}>", _TAG.sub(tag, html))


def _prefixed(attribute: re.Match[str], prefix: str) -> str:
    space, name, value = attribute.groups()
    if value and name in _REFERENCES:
        value = " ".join(prefix + one for one in value.split())
    elif value and name == "href" and value.startswith("#"):
        value = f"#{prefix}{value[1:]}"
    else:
        return attribute[0]
    return f'{space}{name}="{value}"'
