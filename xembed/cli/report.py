"""The command ``xembed report``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from typer import Argument

from xembed.cli.options import OutputOptions, command
from xembed.cli.outputs import check_outputs, command_line_provenance, say, write


@command(
    "xembed report shift.json isotropy.json --out all.html",
    "xembed report old.json new.json --compare --out difference.html",
    "xembed report shift.json --format markdown",
    place=70,
)
def report(
    results: Annotated[list[Path], Argument(help="The .json files that lie beside reports.")],
    output: OutputOptions,
    title: Annotated[str | None, "Heading of the combined page."] = None,
    compare: Annotated[bool, "Say what differs between two results of one kind: old, then new."] = False,
) -> None:
    """Put results on one page, make a page again from its data, or compare two runs."""
    if compare and len(results) != 2:
        problem = f"takes two files, the old and the new result. Got {len(results)}."
        raise typer.BadParameter(problem, param_hint="--compare")
    if compare and title is not None:
        raise typer.BadParameter("is for combined pages. Leave it out with --compare.", param_hint="--title")

    from xembed._core.files import check_writable
    from xembed.reports import compare_results
    from xembed.reports._write import combine, read_plain

    again = len(results) == 1 and title is None  # the page of data as they are
    beside = None if output.out is None else check_writable(output.out).with_suffix(".json")
    kept = again and beside is not None and beside.exists() and beside.samefile(results[0])
    destination = check_outputs(output, "report.html", results, kept=kept)
    if again:
        data = read_plain(results[0])
    else:
        data = compare_results(*results) if compare else combine(results, title=title)
        data["provenance"] |= command_line_provenance()
    for sentence in data["changed"] if compare else ():
        say(sentence)
    write(data, destination, output, kept=kept)
