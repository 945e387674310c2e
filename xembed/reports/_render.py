"""Pages as HTML: templates and assets put together into one text that needs no network."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from xembed._core.provenance import dump_json, versions
from xembed._core.validation import check_flag
from xembed.reports._bibliography import work
from xembed.reports._blocks import Block, Data, Line, Span, plain_text
from xembed.reports._combined import combined_page
from xembed.reports._comparison_page import comparison_page
from xembed.reports._page import Page, page_of
from xembed.reports._text import pack_text, plain_sentence

if TYPE_CHECKING:
    from markupsafe import Markup

# The cartesian bundle of plotly.js, of the version that the plotly package writes figures for. It holds every trace
# that the reports use, is a third of the full bundle and loads in half its time. MIT license, beside it.
_PLOTLY = "plotly-cartesian-4.1.1.min.js.gz"
_PLOTLY_SHA256 = "79542150855a52c567260e3137095dbe2b744e6d702a5cabe67da246942fba7a"

# Each script uses what those before it define.
_SCRIPTS = ("theme", "figures", "elements", "downloads", "tables", "rows", "inspector", "words", "start")
_STYLES = ("report", "benchmark", "words", "several", "linked", "tables")

# Characters that the data may take on a page, packed. Larger data are in the .json file only.
_MOST_DATA = 600_000


def render_page(data: Data, *, data_beside: bool = True) -> str:
    """Return the HTML page for a result's plain data (`Result.to_dict`), or for those of several results together.

    Parameters
    ----------
    data : mapping
        Plain data with a ``schema``.
    data_beside : bool, default=True
        Whether the page says that its data are in a .json file beside it.

    Returns
    -------
    str
        The page, complete: it loads nothing.

    Raises
    ------
    ValueError
        If there is no page for the schema.

    Examples
    --------
    >>> import numpy as np
    >>> from xembed.isotropy import measure
    >>> from xembed.reports import render_page
    >>> render_page(measure(np.random.default_rng(0).normal(size=(60, 4))).to_dict())[:15]
    '<!doctype html>'
    """
    data_beside = check_flag(data_beside, name="data_beside", caller="render_page")
    page = any_page(data)
    main = body_html(page, Place())
    script = _script()
    charts = 'class="plot' in main
    made = data.get("provenance")  # parts of other results have none
    version = (made["versions"] if made else versions())["xembed"]
    html: str = (
        _environment()
        .get_template("page.html.j2")
        .render(
            page=page,
            head=head_html(page, Place()),
            main=main,
            style="".join(_asset(f"{name}.css").decode("utf-8") for name in _STYLES),
            script=script,
            script_hash=_csp_hash(script.encode("utf-8")),
            library=base64.b64encode(_asset(_PLOTLY)).decode("ascii") if charts else None,
            library_hash="sha256-" + base64.b64encode(bytes.fromhex(_PLOTLY_SHA256)).decode("ascii"),
            packed=_packed(data),
            data_name=f"xembed-{re.split('[./]', data['schema'])[1]}.json",
            data_beside=data_beside,
            made_by=version,
            generator="; ".join(
                [f"xembed {version}", *(str(made[key]) for key in ("created", "command") if made and made.get(key))]
            ),
        )
    )
    return html.encode("utf-8", "replace").decode("utf-8")  # UTF-8 holds no halves of characters


def any_page(data: Data) -> Page:
    """Return the page of a result, of several results, or of a comparison."""
    if data.get("schema") == "xembed.combined/1":
        return combined_page(data, any_page)
    return comparison_page(data) if data.get("schema") == "xembed.comparison/1" else page_of(data)


# ---- blocks


@dataclass(frozen=True)
class Place:
    """Where a block stands: the prefix of its ids, the level of its heading, and which part of a page it is in."""

    prefix: str = ""
    level: int = 2
    part: int = 0

    @property
    def within(self) -> Place:
        """Return the place of what stands below a heading here."""
        return Place(self.prefix, min(self.level + 1, 6), self.part)

    def of_part(self, place: int) -> Place:
        """Return the place of a page that is a part of this one: its heading takes the level of a section."""
        return Place(f"part{place}-", self.level + 1, place)

    def labelled(self, id_: str) -> str:
        """Return what labels a section: in a part, which has the same ones as others, the part does, too."""
        return f"{self.prefix}place {self.prefix}{id_}" if self.part else id_


def block_html(block: Block, place: Place) -> Markup:
    """Return the HTML of a block, by the template of its class."""
    from markupsafe import Markup

    template = _environment().get_template(f"blocks/{type(block).__name__.lower()}.html.j2")
    return Markup(template.render(block=block, at=place))


def head_html(page: Page, place: Place) -> Markup:
    """Return the HTML of what stands above all else: what was asked, and what was found."""
    from markupsafe import Markup

    return Markup(_environment().get_template("head.html.j2").render(page=page, at=place))


def body_html(page: Page, place: Place) -> Markup:
    """Return the HTML of a page below its frame."""
    from markupsafe import Markup

    works = [work(key).full for key in page.works]
    return Markup(_environment().get_template("body.html.j2").render(page=page, at=place, works=works))


_TAGS = {
    "strong": "<b>%s</b>", "name": "<bdi>%s</bdi>", "code": '<span class="quiet code">%s</span>',
    "small": '<small dir="auto">%s</small>', "boxed": '<b class="true">%s</b>',
    "spoken": '<span class="hear">%s</span>',
    "plus": '<span class="word pos" style="--share: 1">%s<sup>+</sup></span>',
    "minus": '<span class="word neg" style="--share: 1">%s<sup>−</sup></span>',
}  # fmt: skip


def line_html(line: Line, place: Place) -> Markup:
    """Return the HTML of a line of text; what users wrote is escaped."""
    from markupsafe import Markup, escape

    if isinstance(line, str):
        return escape(line)
    if not isinstance(line, Span):
        return Markup("").join(line_html(piece, place) for piece in line)
    if line.style is None:
        text = escape(line.text)
    elif line.style.startswith("status"):
        sign, _, words = line.text.partition(" ")
        text = Markup('<span class="%s"><span aria-hidden="true">%s</span> %s</span>') % (line.style, sign, words)
    elif line.style in _TAGS:
        text = Markup(_TAGS[line.style]) % line.text
    else:
        text = Markup('<span class="%s">%s</span>') % (line.style, line.text)
    return Markup('<a href="#%s%s">%s</a>') % (place.prefix, line.to, text) if line.to else text


# ---- what a page carries


def _packed(data: Data) -> str | None:
    """Return the data for the page to carry, or None where they are too large."""
    text = dump_json(data)
    if len(text) > 10 * _MOST_DATA:  # texts seldom shrink to a tenth: not worth the seconds
        return None
    packed = pack_text(text)
    return packed if len(packed) <= _MOST_DATA else None


def _script() -> str:
    """Return all scripts as one, in a scope of their own."""
    parts = "".join(_asset(f"{name}.js").decode("utf-8") for name in _SCRIPTS)
    return f'(() => {{\n"use strict";\n{parts}}})();\n'


def _csp_hash(content: bytes) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(content).digest()).decode("ascii")


@cache
def _asset(name: str) -> bytes:
    return (resources.files("xembed.reports") / "assets" / name).read_bytes()


@lru_cache(maxsize=1)
def _environment() -> Any:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("xembed.reports", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {"html": block_html, "head": head_html, "body": body_html}
    environment.filters |= {"line": line_html, "plain": plain_sentence, "text": plain_text}
    return environment
