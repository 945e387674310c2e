"""The page of a result and its data, written together: both whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Protocol

from xembed._core.files import check_writable, write_together
from xembed._core.provenance import dump_json
from xembed.reports._render import render_page


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
