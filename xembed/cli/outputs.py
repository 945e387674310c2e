"""What commands write and say: pages with the command in their provenance, warnings, findings."""

from __future__ import annotations

import itertools
import os
import re
import shlex
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import typer

from xembed._core.text import printable

if TYPE_CHECKING:
    from xembed._core.results import Result
    from xembed.cli.options import OutputOptions
    from xembed.reports._write import HasDict

# Control characters that JSON text may hold as they are: C1, and what turns a line around.
_OBEYED = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")

ResultT = TypeVar("ResultT", bound="Result")


def command_line_provenance() -> dict[str, str]:
    """Return the command and the date."""
    from datetime import datetime, timezone

    epoch = os.environ.get("SOURCE_DATE_EPOCH")  # for reports that are the same to the byte
    moment = datetime.fromtimestamp(int(epoch), timezone.utc) if epoch else datetime.now(timezone.utc)
    return {"command": shlex.join(["xembed", *sys.argv[1:]]), "created": moment.strftime("%Y-%m-%d %H:%M UTC")}


def stamped(result: ResultT) -> ResultT:
    """Add the command and the date to a result's provenance."""
    from dataclasses import replace

    provenance = result.provenance | command_line_provenance()  # type: ignore[attr-defined]
    return replace(result, provenance=provenance)  # type: ignore[type-var]


def say(text: str = "", *, err: bool = False) -> None:
    """Print lines without what a terminal would obey: the one way out for all that is printed."""
    typer.echo(printable_lines(text), err=err)


def printable_lines(text: str) -> str:
    """Return the same lines without what a terminal would obey."""
    return "\n".join(map(printable, text.split("\n")))


def warn(warnings: Iterable[str]) -> None:
    """Print warnings to the standard error stream."""
    for warning in warnings:
        say(f"xembed: warning: {warning}", err=True)


class Destination(NamedTuple):
    """Where a page goes, and the name that was meant if that is taken."""

    page: Path
    intended: Path


def check_outputs(
    output: OutputOptions, default: str | Path | None, inputs: Iterable[Any], *, kept: bool = False
) -> Destination | None:
    """Return the page that is to be written, if one is; what can't or must not be written is refused at once.

    ``default`` is the page without ``--out`` (None: then there is none); it takes no name that there is already.
    ``inputs`` are paths that are read; what is no path is passed over. With ``kept``, the data lie beside the page.
    """
    from xembed._core.files import check_not_read
    from xembed.reports._write import PAGE_ENDINGS, check_report_path, outputs_of

    if output.to_stdout or (output.out is None and (default is None or output.format != "text")):
        return None
    page = Path(default or "") if output.out is None else output.out
    if page.suffix.lower() not in PAGE_ENDINGS:
        raise ValueError(f"--out must end in .html or .htm, as pages do. Got {str(page)!r} instead.")
    free = page if output.out else free_name(page)
    check_not_read(outputs_of(free, data_too=output.data and not kept), inputs)
    return Destination(check_report_path(free, overwrite=output.overwrite, data_too=output.data or kept), page)


def check_output_file(
    path: Path, option: str, endings: Iterable[str], inputs: Iterable[Any], *, overwrite: bool
) -> Path:
    """Return the path of a table, of embeddings or of a correction if it can be written; of these, none is replaced."""
    from xembed._core.files import check_not_read, check_writable
    from xembed._core.validation import quote_options

    if path.suffix.lower() not in endings:
        raise ValueError(f"{option} must end in one of {quote_options(endings)}. Got {str(path)!r} instead.")
    check_not_read([path], inputs)
    check_writable(path)
    if path.exists() and not overwrite:
        raise FileExistsError(f"{str(path)!r} exists already. Give another name, or --overwrite.")
    return path


def free_name(page: Path) -> Path:
    """Return ``page``, or with the first number after its name for which neither a page nor data are there."""
    names = itertools.chain([page], (page.with_name(f"{page.stem}-{n}{page.suffix}") for n in itertools.count(2)))
    return next(name for name in names if not os.path.lexists(name) and not os.path.lexists(name.with_suffix(".json")))


def write(
    result: HasDict | Mapping[str, Any],
    destination: Destination | None,
    output: OutputOptions,
    *more: str,
    kept: bool = False,
) -> None:
    """Write a result, or its plain data, and say where; ``kept`` are data that lie beside the page already."""
    from xembed._core.provenance import dump_json
    from xembed.reports import render_markdown, render_page
    from xembed.reports._write import check_replaceable, maker, outputs_of, write_page

    data = result if isinstance(result, Mapping) else result.to_dict()
    if output.to_stdout:
        print_data(render_page(data, data_beside=False), output.stdout)
    elif output.format == "json":
        print_data(_OBEYED.sub(lambda c: f"\\u{ord(c[0]):04x}", dump_json(data)), output.stdout)
    elif output.format == "markdown":
        print_data(printable_lines(render_markdown(data)), output.stdout)
    if destination is None:
        return
    page, intended = destination
    data_too = output.data and not kept
    while True:
        replaced = {file: maker(file) for file in outputs_of(page, data_too=data_too) if file.exists()}
        check = None if output.overwrite else check_replaceable if output.out else _refuse
        try:
            write_page(data, page, data_too=data_too, check=check, data_beside=output.data or kept)
            break
        except FileExistsError:  # made by another process while this one computed
            page = free_name(page)
    for file, made in replaced.items():
        say(f"xembed: replaced {file}{f' ({made})' if made else ''}", err=True)
    if page != intended:
        say(f"xembed: {intended} or the data beside it is there already, and is kept.", err=True)
    where = "; ".join([*([f"numbers: {page.with_suffix('.json')}"] if output.data or kept else []), *more])
    say(f"Report: {page}{f'  ({where})' if where else ''}")


def print_data(text: str, file: Any = None) -> None:
    """Print what is for other programs: in UTF-8, and as it is unless a terminal shows it."""
    stream = file or sys.stdout
    shown = printable_lines(text) if stream.isatty() else text
    try:
        typer.echo(shown.encode("utf-8"), file=stream, nl=not text.endswith("\n"))
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OSError(f"standard output can't be written: {error.strerror}.") from None


def _refuse(path: Path) -> None:
    raise FileExistsError(f"{str(path)!r} exists already.")
