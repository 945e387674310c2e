"""What commands write and say: pages with the command in their provenance, warnings, findings."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import typer

from xembed._core.text import printable

if TYPE_CHECKING:
    from xembed._core.results import Result

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


def say(text: str, *, err: bool = False) -> None:
    """Print lines without what a terminal would obey: the one way out for all that is printed."""
    typer.echo("\n".join(printable(line) for line in text.split("\n")), err=err)


def warn(warnings: Iterable[str]) -> None:
    """Print warnings to the standard error stream."""
    for warning in warnings:
        say(f"xembed: warning: {warning}", err=True)


def say_where(report: Path, *more: str) -> None:
    """Print where the report and its numbers are."""
    where = "; ".join([f"numbers: {report.with_suffix('.json')}", *more])
    say(f"Report: {report}  ({where})")
