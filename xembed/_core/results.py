"""What every result object can do: a plain dictionary, JSON and back, a table, a report."""

from __future__ import annotations

import dataclasses
import os
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, ClassVar, TypeAlias, TypeVar

import numpy as np

from xembed._core.estimate import Estimate
from xembed._core.fields import MayBeNaN, Misfit, fields_of, parse_json, read_fields, read_json
from xembed._core.files import atomic_write
from xembed._core.provenance import dump_json
from xembed._core.schemas import class_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import pandas as pd
    from typing_extensions import Self

_SHOWN = 1_000  # characters of a text in a notebook's cell


class UserText:
    """Marks a field that holds what the user wrote, names, texts or labels: ``name: Annotated[str, UserText]``.

    Mappings are marked if their keys or their values are such text. Pages shorten what is marked, and tests for hostile
    texts fill it.
    """


class RowKey:
    """Marks a field that tells apart the rows of a table, a list of such results: ``term: Annotated[str, RowKey]``."""


class NotCompared:
    """Marks a field whose numbers are no findings: samples of texts, null distributions."""


@dataclass(frozen=True)
class IntervalIn:
    """Marks a number whose interval is in another field, or its bounds in two.

    Without a mark the interval of ``gap`` is in ``gap_interval``, or in ``gap_low`` and ``gap_high``; that of
    ``value``, ``mean`` or ``difference`` in ``low`` and ``high``.
    """

    low: str
    high: str | None = None


@dataclass(frozen=True)
class PerRow:
    """Marks an array with a number for each row of a table, which a field of names calls."""

    table: str
    names: str | None = None


@dataclass(frozen=True)
class PerPair:
    """Marks a matrix, or one for each of ``layers``, with a number, ``called`` so, for each pair of a field's items."""

    names: str
    called: str
    layers: str | None = None


AnyResult = TypeVar("AnyResult", bound="Result")
DataFrame: TypeAlias = "pd.DataFrame"


def data_frame(columns: Mapping[str, Any]) -> DataFrame:
    """Return a table; pandas is loaded when one is asked for."""
    import pandas as pd

    return pd.DataFrame(columns)


def frame_of(rows: Iterable[Result], kind: type[Result]) -> DataFrame:
    """Return a table with a row a result, all of one kind, and a column a field."""
    import pandas as pd

    names = [field.name for field in dataclasses.fields(kind)]  # type: ignore[arg-type]
    return pd.DataFrame([[getattr(row, name) for name in names] for row in rows], columns=names)


class Result:
    """Base of the frozen dataclasses that functions return.

    A subclass names its JSON form in ``schema`` (``"xembed.<package>.<class>/<version>"``, see `_core.schemas`) and
    the function that makes its page in ``page`` (``"module:function"``, imported when a page is asked for). Fields may
    be numbers, strings, ``None``, arrays, an `Estimate`, tuples, mappings of such, and other results.
    """

    schema: ClassVar[str]
    page: ClassVar[str | None] = None

    def to_dict(self) -> dict[str, Any]:
        """Return the result as plain Python data, ready for JSON; ``schema`` says what it is."""
        kind: Any = type(self)
        data = {name: _plain(getattr(self, name), MayBeNaN in field.marks) for name, field in fields_of(kind).items()}
        return {"schema": self.schema} | data

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Rebuild a result from what `to_dict` gave.

        Raises
        ------
        ValueError
            If ``data`` is of another schema, lacks a field that has no default, or a field (it is named by its place,
            such as ``tests[2].pvalue``) holds what its type does not allow.
        """
        return rebuild(data, cls.__name__, cls)

    def to_json(self, path: str | os.PathLike[str] | None = None) -> str:
        """Return the result as JSON text and, if ``path`` is given, write it there (whole or not at all)."""
        text = dump_json(self.to_dict())
        if path is not None:
            with atomic_write(path) as file:
                file.write(text.encode("utf-8"))
        return text

    @classmethod
    def from_json(cls, source: str | os.PathLike[str]) -> Self:
        """Read a result from JSON text (a string that starts with ``{``) or a file, as `xembed.read_result` does."""
        if isinstance(source, str) and source.lstrip("\ufeff \t\r\n").startswith("{"):
            return rebuild(parse_json(source.lstrip("\ufeff"), cls.__name__), cls.__name__, cls)
        return rebuild(*read_json(source, f"{cls.__name__}.from_json"), cls)

    def report(self, path: str | os.PathLike[str] | IO[Any], *, overwrite: bool = False) -> None:
        """Write an HTML page to ``path`` and all its numbers to a .json file beside it, both whole or not at all.

        Parameters
        ----------
        path : path-like or file handle
            The page, ``*.html`` or ``*.htm``. To an open file, of bytes or of text in UTF-8, the page alone is written.
        overwrite : bool, default=False
            Replace files that are no pages or data of this package, too.

        Raises
        ------
        OSError
            If the folder does not exist or can't be written, or a file that is not of this package lies there already.
        TypeError, ValueError
            If ``path`` is neither a path nor a file, has another ending, or is text in another encoding than UTF-8.
        """
        from xembed.reports import write_report

        write_report(self, path, overwrite=overwrite)

    def html(self) -> str:
        """Return the HTML page as text: complete, it loads nothing.

        Examples
        --------
        >>> import numpy as np, xembed
        >>> X = np.random.default_rng(0).normal(size=(20, 3))
        >>> xembed.shift.rank_sum_test(X[:10], X[10:]).html()[:15]
        '<!doctype html>'
        """
        from xembed.reports import render_page

        return render_page(self.to_dict())

    def to_markdown(self) -> str:
        """Return what the page says as Markdown: title, verdict, key numbers, caveats, and tables as those of GitHub.

        Examples
        --------
        >>> import numpy as np, xembed
        >>> X = np.random.default_rng(0).normal(size=(20, 3))
        >>> print(xembed.shift.rank_sum_test(X[:10], X[10:]).to_markdown()[:9])
        # F and G
        """
        from xembed.reports import render_markdown

        return render_markdown(self.to_dict())

    def open(self) -> Path:
        """Write the page to a temporary folder, show it in the web browser, and return where it is."""
        import tempfile
        import webbrowser

        page = Path(tempfile.mkdtemp(prefix="xembed-"), "report.html")
        self.report(page)
        webbrowser.open(page.as_uri())
        return page

    def to_frame(self) -> pd.DataFrame:
        """Return the result's scalar values as a table of one row."""
        import pandas as pd

        return pd.DataFrame([self._scalars()])

    def _scalars(self) -> dict[str, Any]:
        fields = dataclasses.fields(self)  # type: ignore[arg-type]
        values = {field.name: getattr(self, field.name) for field in fields}
        return {name: value for name, value in values.items() if isinstance(value, str | int | float | bool)}

    def __repr__(self) -> str:
        short = {k: v for k, v in self._scalars().items() if not (isinstance(v, str) and len(v) > 40)}
        shown = (f"{k}={v:.4g}" if isinstance(v, float) else f"{k}={v!r}" for k, v in short.items())
        return f"{type(self).__name__}({', '.join(shown)})"

    def _repr_html_(self) -> str:
        from html import escape

        values = self._scalars().items()
        written = ((name, f"{v:.4g}" if isinstance(v, float) else str(v)[:_SHOWN]) for name, v in values)
        rows = "".join(
            f"<tr><th style='text-align:left'>{escape(name)}</th><td>{escape(value)}</td></tr>"
            for name, value in written
        )
        return f"<table><caption>{escape(type(self).__name__)}</caption>{rows}</table>"


def read_result(source: str | os.PathLike[str]) -> Result:
    """Read any result from a JSON file, such as the one beside a report, by its schema.

    Parameters
    ----------
    source : path-like
        The file.

    Returns
    -------
    Result
        Of the class that wrote it, for example `xembed.shift.ShiftResult`. Fields that this does not have are left out.

    Raises
    ------
    OSError, ValueError
        If the file can't be read, is too large, not JSON, not a result, or not complete, or a field (it is named) holds
        what its type does not allow.

    Examples
    --------
    >>> import tempfile, pathlib, numpy as np, xembed
    >>> X = np.random.default_rng(0).normal(size=(20, 3))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "result.json")
    ...     _ = xembed.shift.rank_sum_test(X[:10], X[10:]).to_json(path)
    ...     xembed.read_result(path).n_F
    10
    """
    return rebuild(*read_json(source))


def rebuild(data: Any, where: str, kind: type[AnyResult] | None = None) -> AnyResult:
    """Return the result that plain data are of, by their schema; ``where`` says what they are from."""
    found: Any = class_of(data, where) if kind is None else kind
    try:
        result: AnyResult = read_fields(found, data)
    except Misfit as error:
        raise ValueError(f"{where}: {error}") from None
    return result


def _plain(value: Any, may_be_nan: bool = False) -> Any:
    if isinstance(value, Result):
        return value.to_dict()
    if isinstance(value, Estimate):
        return _plain(dataclasses.asdict(value))
    if isinstance(value, np.ndarray):
        return (np.where(np.isfinite(value), value, np.array(None)) if may_be_nan else value).tolist()
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
