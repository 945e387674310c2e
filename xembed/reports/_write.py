"""Pages in files: of one result, of several, of two compared. Results are objects or .json files beside reports."""

from __future__ import annotations

import codecs
import html
import io
import os
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import IO, Any, Protocol

from xembed._core.fields import Misfit, fields_of, read_fields, read_json
from xembed._core.files import check_not_read, check_writable, sweep, write_together
from xembed._core.provenance import dump_json, provenance
from xembed._core.results import rebuild
from xembed._core.validation import check_flag
from xembed.reports import _combined, _comparison
from xembed.reports._render import render_page


class HasDict(Protocol):
    """Anything that can say what it is as plain data."""

    def to_dict(self) -> dict[str, Any]:
        """Return plain data with a ``schema``."""
        ...


Source = HasDict | str | os.PathLike[str]

PAGE_ENDINGS = (".html", ".htm")
_HEAD = 200_000  # bytes of a page or of data, at most, in which it says that it is ours
_GENERATOR = re.compile(rb'<meta name="generator" content="(xembed [^"]*)">')
_DATA = re.compile(rb'\s*\{\s*"schema"\s*:\s*"xembed\.')

# What may stand in a file beside results: data of pages that no analysis makes.
_PAGES: dict[str, Any] = {kind.schema: kind for kind in (_combined.Combined, _comparison.Comparison)}


def write_report(result: HasDict, path: str | os.PathLike[str] | IO[Any], *, overwrite: bool = False) -> None:
    """Write the page of a result to ``path`` and its data to a .json file beside it.

    Parameters
    ----------
    result : object with ``to_dict``
        A result of this package.
    path, overwrite
        As in the ``report`` of a result.

    Raises
    ------
    OSError, TypeError, ValueError
        As in the ``report`` of a result.

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
    write_page(data, check_report_path(path, overwrite=overwrite), check=None if overwrite else check_replaceable)


def _write_to_file(data: Mapping[str, Any], file: IO[Any]) -> None:
    """Write a page to an open file."""
    if not hasattr(file, "write"):
        raise TypeError(
            f"The 'path' parameter of report must be a path or an open file. Got {type(file).__name__} instead."
        )
    encoding = getattr(file, "encoding", None)  # also of files that only wrap one of text, as those of tempfile do
    if encoding is None and not isinstance(file, io.TextIOBase):
        file.write(render_page(data).encode("utf-8"))
        return
    if encoding is not None and codecs.lookup(encoding).name != "utf-8":
        raise ValueError(
            f"A page is text in UTF-8. Got a file that is open as {encoding!r}: open it with encoding='utf-8', or as "
            "bytes."
        )
    file.write(render_page(data))


def check_report_path(path: str | os.PathLike[str], *, overwrite: bool = False, data_too: bool = True) -> Path:
    """Return ``path`` if a page, and its data beside it, can be written there without touching what is not ours."""
    overwrite = check_flag(overwrite, name="overwrite", caller="check_report_path")
    data_too = check_flag(data_too, name="data_too", caller="check_report_path")
    page = check_writable(path)
    if page.suffix.lower() not in PAGE_ENDINGS:
        raise ValueError(f"A report is a page: its path must end in .html or .htm. Got {str(page)!r} instead.")
    beside = page.with_suffix(".json")
    if data_too:
        check_writable(beside)
    elif beside.is_file() and maker(beside) is not None:
        raise FileExistsError(
            f"{str(beside)!r} holds the data of another page, and without data it would not be those of the new one. "
            "Remove it, or give the report another name."
        )
    for file in outputs_of(page, data_too=data_too):
        if file.exists() and not overwrite:
            check_replaceable(file)
    return page


def check_replaceable(file: Path) -> None:
    """Refuse to replace a file that is neither empty nor a page or data of this package."""
    if maker(file) is None:
        raise FileExistsError(
            f"{str(file)!r} would be overwritten, and it is not a report of xembed. Give the report another name, or "
            "ask to overwrite it."
        )


def maker(file: Path) -> str | None:
    """Return what a page or the data beside it say of how they were made, ``""`` if nothing, None if not by xembed."""
    with file.open("rb") as stream:
        head = stream.read(_HEAD)
    if file.suffix.lower() == ".json":
        return "" if not head or _DATA.match(head) else None
    if named := _GENERATOR.search(head):
        return html.unescape(named[1].decode("utf-8", "replace"))
    return "" if not head or b'<p class="eyebrow">xembed ' in head else None  # as pages before the second edition


def write_combined(
    results: Iterable[Source], path: str | os.PathLike[str], *, title: str | None = None, overwrite: bool = False
) -> None:
    """Write one page of several results to ``path``, and all their data to a .json file beside it.

    The page begins with a summary of one row a result and a table of contents. Each result follows as on its own page.

    Parameters
    ----------
    results : iterable of results or paths
        Results of this package, or .json files that lie beside reports, in the order of the page. A file of a
        combined page counts as all the results in it.
    path : path-like
        The page, ``*.html`` or ``*.htm``. The data go to the same name with the ending ``.json``.
    title : str, optional
        The heading. Default: how many results there are.
    overwrite : bool, default=False
        Replace files that are no pages or data of this package, too.

    Raises
    ------
    OSError
        If a file can't be read, ``path`` can't be written, or a file that is not of this package lies there.
    TypeError, ValueError
        If ``results`` are no list of results, or empty, ``title`` is blank, or one of ``results`` would be overwritten.

    Examples
    --------
    >>> import tempfile, pathlib, numpy as np
    >>> from xembed.isotropy import measure
    >>> from xembed.reports import write_combined
    >>> X = np.random.default_rng(0).normal(size=(60, 4))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_combined([measure(X), measure(X**3)], pathlib.Path(folder, "both.html"), title="Before and after")
    ...     sorted(path.name for path in pathlib.Path(folder).iterdir())
    ['both.html', 'both.json']
    """
    sources = _listed(results)
    _write_checked(lambda: combine(sources, title=title), path, sources, overwrite=overwrite)


def compare_results(old: Source, new: Source) -> dict[str, Any]:
    """Say what differs between two results of the same kind, in words and in numbers.

    Parameters
    ----------
    old, new : results or paths
        Two results of one schema, or .json files that lie beside reports.

    Returns
    -------
    dict
        Plain data of the schema ``xembed.comparison/1`` (docs/reference/schemas.md). ``changed`` holds sentences;
        ``old`` and ``new`` the findings, verdicts and warnings; ``numbers`` a dictionary for each number of the
        results and of the rows of their tables: both values, their ``difference``, both intervals, and ``beyond``,
        whether these do not overlap (None without intervals); ``made`` what differs in how the results were made.
        `write_comparison` makes the page of it.

    Raises
    ------
    OSError, TypeError, ValueError
        If one can't be read or is no result, or the two are of different schemas.

    Examples
    --------
    >>> import numpy as np
    >>> from xembed.isotropy import measure
    >>> from xembed.reports import compare_results
    >>> X = np.random.default_rng(0).normal(size=(60, 4))
    >>> found = compare_results(measure(X + 1), measure(X + 3))
    >>> cosine = next(row for row in found["numbers"] if row["row"] == "average_cosine" and row["name"] == "value")
    >>> round(cosine["old"], 2), round(cosine["new"], 2)
    (0.48, 0.92)
    """
    return _comparison.compare_plain(*(_one(source, name) for source, name in ((old, "old"), (new, "new"))))


def write_comparison(old: Source, new: Source, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
    """Write the page of `compare_results` to ``path``, and its data to a .json file beside it.

    Parameters
    ----------
    old, new : results or paths
        Two results of one schema, or .json files that lie beside reports.
    path, overwrite
        As in `write_combined`.

    Raises
    ------
    OSError, TypeError, ValueError
        As in `compare_results` and `write_combined`.

    Examples
    --------
    >>> import tempfile, pathlib, numpy as np
    >>> from xembed.isotropy import measure
    >>> from xembed.reports import write_comparison
    >>> X = np.random.default_rng(0).normal(size=(60, 4))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_comparison(measure(X), measure(X + 3), pathlib.Path(folder, "difference.html"))
    ...     sorted(path.name for path in pathlib.Path(folder).iterdir())
    ['difference.html', 'difference.json']
    """
    _write_checked(lambda: compare_results(old, new), path, [old, new], overwrite=overwrite)


def combine(results: Iterable[Source], *, title: str | None = None) -> dict[str, Any]:
    """Return the plain data of a combined page."""
    if title is not None and (not isinstance(title, str) or not title.strip()):
        raise ValueError(
            f"The 'title' parameter of write_combined must be a text that is not blank. Got {title!r} instead."
        )
    parts = [part for source in _listed(results) for part in _parts(source)]
    if not parts:
        raise ValueError("The 'results' parameter of write_combined must hold at least one result. Got none.")
    return {
        "schema": _combined.SCHEMA,
        "title": title or ("One result" if len(parts) == 1 else f"{len(parts)} results"),
        "parts": parts,
        "provenance": provenance("write_combined", title=title),
    }


def write_page(
    data: Mapping[str, Any],
    page: Path,
    *,
    data_too: bool = True,
    check: Callable[[Path], object] | None = check_replaceable,
    data_beside: bool | None = None,
) -> None:
    """Write a page and, if ``data_too``, its data, both or none; ``data_beside``: whether data are there in the end."""
    beside = data_too if data_beside is None else data_beside
    contents = {page: render_page(data, data_beside=beside).encode("utf-8")}
    if data_too:
        contents[page.with_suffix(".json")] = dump_json(data).encode("utf-8")
    write_together(contents, check=check)


def _write_checked(
    make: Callable[[], dict[str, Any]], path: str | os.PathLike[str], sources: list[Source], *, overwrite: bool
) -> None:
    """Write the page of data that are made once it is known that they can be written."""
    check_not_read(outputs_of(Path(path)), sources)
    page = check_report_path(path, overwrite=overwrite)
    write_page(make(), page, check=None if overwrite else check_replaceable)


def outputs_of(page: Path, *, data_too: bool = True) -> list[Path]:
    """Return the files that a page is written to."""
    return [page, page.with_suffix(".json")] if data_too else [page]


def read_plain(source: str | os.PathLike[str]) -> dict[str, Any]:
    """Return the plain data in a .json file, checked: of a result, of a combined page or of a comparison."""
    sweep(Path(source).parent)
    return checked(*read_json(source, "report"))


def checked(data: Any, where: str) -> dict[str, Any]:
    """Return plain data that are those of a page; ``where`` says what they are from."""
    kind = _PAGES.get(str(data.get("schema"))) if isinstance(data, dict) else None
    if kind is None:
        return rebuild(data, where).to_dict()
    try:
        read_fields(kind, data)
    except Misfit as error:
        raise ValueError(f"{where}: {error}") from None
    data = {"schema": kind.schema} | {name: data[name] for name in fields_of(kind)}
    if kind is _combined.Combined:
        if not data["parts"]:
            raise ValueError(f"{where} must hold a list of results in 'parts'. Got none.")
        places = (f"Part {place} of {where}" for place in range(len(data["parts"])))
        if any(part.get("schema") == _combined.SCHEMA for part in data["parts"]):
            raise ValueError(f"{where} must hold single results in 'parts'. Got the data of a combined page.")
        data["parts"] = [checked(part, place) for part, place in zip(data["parts"], places, strict=True)]
    return dict(data)


def _listed(results: Iterable[Source]) -> list[Source]:
    if isinstance(results, str | os.PathLike) or hasattr(results, "to_dict") or not isinstance(results, Iterable):
        raise TypeError(
            "The 'results' parameter of write_combined must be a list of results or paths. "
            f"Got {type(results).__name__} instead."
        )
    return list(results)


def _parts(source: Source) -> list[dict[str, Any]]:
    data = _one(source, "results")
    return list(data["parts"]) if data["schema"] == _combined.SCHEMA else [data]


def _one(source: Source, name: str) -> dict[str, Any]:
    if isinstance(source, str | os.PathLike):
        return read_plain(source)
    if isinstance(source, Mapping) or not hasattr(source, "to_dict") or isinstance(source, type):
        raise TypeError(
            f"The {name!r} parameter must be of results of this package or paths of .json files. "
            f"Got {type(source).__name__} instead."
        )
    return source.to_dict()
