"""Pages: templates and assets put together into one file that needs no network."""

from __future__ import annotations

import base64
import hashlib
import importlib
import os
import re
from collections.abc import Mapping
from functools import cache, lru_cache
from importlib import resources
from pathlib import Path
from typing import Any, Protocol

from xembed._core.files import check_writable, write_together
from xembed._core.provenance import dump_json, versions
from xembed._core.schemas import class_of
from xembed.reports import _combined
from xembed.reports._comparison_page import comparison_context
from xembed.reports._names import with_short_names
from xembed.reports._script_data import pack_text

# The cartesian bundle of plotly.js, of the version that the plotly package writes figures for. It holds every trace
# that the reports use, is a third of the full bundle and loads in half its time. MIT license, beside it.
_PLOTLY = "plotly-cartesian-4.1.1.min.js.gz"
_PLOTLY_SHA256 = "79542150855a52c567260e3137095dbe2b744e6d702a5cabe67da246942fba7a"

# Each script uses what those before it define.
_SCRIPTS = ("theme", "figures", "elements", "downloads", "tables", "rows", "inspector", "words", "start")
_STYLES = ("report", "benchmark", "words", "several", "linked", "tables")

# Characters that the data may take on a page, packed. Larger data are in the .json file only.
_MOST_DATA = 600_000


class HasDict(Protocol):
    """Anything that can say what it is as plain data."""

    def to_dict(self) -> dict[str, Any]:
        """Return plain data with a ``schema``."""
        ...


def write_report(result: HasDict, path: str | os.PathLike[str]) -> None:
    """Write the page of a result to ``path`` and its data to a .json file beside it.

    Parameters
    ----------
    result : object with ``to_dict``
        A result of this package.
    path : path-like
        The page, usually ``*.html``. The data go to the same name with the ending ``.json``.

    Raises
    ------
    OSError
        If the folder does not exist or can't be written, or if a .json file that is not a result lies there already.
    ValueError
        If ``path`` ends in ``.json``, or there is no page for the result.

    Examples
    --------
    >>> import tempfile, pathlib, numpy as np
    >>> from xembed.shift import compare_corpora
    >>> rng = np.random.default_rng(0)
    >>> result = compare_corpora(rng.normal(1, 1, (40, 8)), rng.normal(1, 0.5, (40, 8)))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     result.report(pathlib.Path(folder, "report.html"))
    ...     sorted(path.name for path in pathlib.Path(folder).iterdir())
    ['report.html', 'report.json']
    """
    page = check_report_path(path)
    data = result.to_dict()
    write_together(
        {
            page: render_page(data).encode("utf-8"),
            page.with_suffix(".json"): dump_json(data).encode("utf-8"),
        }
    )


def check_report_path(path: str | os.PathLike[str]) -> Path:
    """Return ``path`` if a report can be written there, without touching what is not ours."""
    page = check_writable(path)
    beside = page.with_suffix(".json")
    if page.suffix.lower() == ".json":
        raise ValueError(
            f"A report is a page: its path must not end in .json. Got {str(page)!r}, use for example .html."
        )
    if beside.is_file():
        with beside.open("rb") as file:
            ours = file.read(64).lstrip(b"{ \r\n").startswith(b'"schema": "xembed.')
        if not ours:
            raise FileExistsError(
                f"{str(beside)!r} would be overwritten by the report's data, and it is not a report of xembed. "
                "Give the report another name."
            )
    return page


def render_page(data: Mapping[str, Any]) -> str:
    """Return the HTML page for a result's plain data (`Result.to_dict`), or for those of several results together."""
    if data.get("schema") == _combined.SCHEMA:
        context = _combined.combined_context(data, _render_part)
        template, charts = "combined.html.j2", any('class="plot' in part["page"] for part in context["parts"])
    else:
        context = page_context_of(data)
        template, charts = context["template"], data["schema"] != "xembed.comparison/1"
    script = _script()
    made = data.get("provenance")  # parts of other results have none
    page: str = (
        _environment()
        .get_template(template)
        .render(
            **context,
            layout="frame.html.j2",
            place=0,
            style="".join(_asset(f"{name}.css").decode("utf-8") for name in _STYLES),
            script=script,
            script_hash=_csp_hash(script.encode("utf-8")),
            library=base64.b64encode(_asset(_PLOTLY)).decode("ascii") if charts else None,
            library_hash="sha256-" + base64.b64encode(bytes.fromhex(_PLOTLY_SHA256)).decode("ascii"),
            packed=_packed(data),
            data_name=_data_name(data["schema"]),
            made_by=(made["versions"] if made else versions())["xembed"],
        )
    )
    return page.encode("utf-8", "replace").decode("utf-8")  # UTF-8 holds no halves of characters


def page_context_of(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the page of one result needs."""
    if data.get("schema") == "xembed.comparison/1":
        return comparison_context(data)
    kind = class_of(data, "A page")
    if kind.page is None:
        raise ValueError(f"There is no page for a {kind.__name__}. Its numbers are in `to_dict()` and `to_json()`.")
    module, function = kind.page.split(":")
    context: dict[str, Any] = getattr(importlib.import_module(module), function)(with_short_names(data))
    return context


def _render_part(data: Mapping[str, Any], place: int, prefix: str) -> tuple[dict[str, Any], str]:
    context = page_context_of(data)
    template = _environment().get_template(context["template"])
    return context, template.render(**context, layout="part.html.j2", place=place, prefix=prefix)


def _packed(data: Mapping[str, Any]) -> str | None:
    """Return the data for the page to carry, or None where they are too large."""
    text = dump_json(data)
    if len(text) > 10 * _MOST_DATA:  # texts seldom shrink to a tenth: not worth the seconds
        return None
    packed = pack_text(text)
    return packed if len(packed) <= _MOST_DATA else None


def _data_name(schema: str) -> str:
    """Return what a browser saves the data as: 'xembed-rank-sum.json' for 'xembed.shift.RankSumResult/1'."""
    name = schema.split("/")[0].rpartition(".")[2].removesuffix("Result")
    return f"xembed-{re.sub('(?<=[a-z])(?=[A-Z])', '-', name).lower()}.json"


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

    return Environment(
        loader=PackageLoader("xembed.reports", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
