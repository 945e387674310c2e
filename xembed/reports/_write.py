"""The page of a result and its data, written together: both whole or not at all."""

from __future__ import annotations

import codecs
import io
import os
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, Protocol

from xembed._core.files import check_writable, write_together
from xembed._core.provenance import dump_json
from xembed.reports._render import render_page


class HasDict(Protocol):
    """Anything that can say what it is as plain data."""

    def to_dict(self) -> dict[str, Any]:
        """Return plain data with a ``schema``."""
        ...


def write_report(result: HasDict, path: str | os.PathLike[str] | IO[Any]) -> None:
    """Write the page of a result to ``path`` and its data to a .json file beside it.

    Parameters
    ----------
    result : object with ``to_dict``
        A result of this package.
    path : path-like or file handle
        The page, usually ``*.html``. The data go to the same name with the ending ``.json``. To an open file, of bytes
        or of text in UTF-8, the page alone is written.

    Raises
    ------
    OSError
        If the folder does not exist or can't be written, or if a .json file that is not a result lies there already.
    TypeError
        If ``path`` is neither a path nor a file.
    ValueError
        If ``path`` ends in ``.json``, or is a text file in another encoding than UTF-8.

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
    data = result.to_dict()
    if not isinstance(path, str | os.PathLike):
        _write_to_file(data, path)
        return
    page = check_report_path(path)
    write_together(
        {
            page: render_page(data).encode("utf-8"),
            page.with_suffix(".json"): dump_json(data).encode("utf-8"),
        }
    )


def _write_to_file(data: Mapping[str, Any], file: IO[Any]) -> None:
    """Write a page to an open file."""
    if not hasattr(file, "write"):
        raise TypeError(
            f"The 'path' parameter of report must be a path or an open file. Got {type(file).__name__} instead."
        )
    if not isinstance(file, io.TextIOBase):
        file.write(render_page(data).encode("utf-8"))
        return
    encoding = getattr(file, "encoding", None)
    if encoding is not None and codecs.lookup(encoding).name != "utf-8":
        raise ValueError(
            f"A page is text in UTF-8. Got a file that is open as {encoding!r}: open it with encoding='utf-8', or as "
            "bytes."
        )
    file.write(render_page(data))


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
