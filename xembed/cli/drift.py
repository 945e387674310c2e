"""The command ``xembed drift``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

import typer
from typer import Argument, Option

from xembed.cli.inputs import (
    Source,
    TextsBeside,
    check_same_kind,
    different_names,
    embed_source,
    file_name,
    name_of,
    open_source,
)
from xembed.cli.options import INPUT, EncoderOptions, GroupColumn, OutputOptions, ReadingOptions, Seed, command
from xembed.cli.outputs import check_outputs, say, stamped, warn, write

_CALENDAR = re.compile(r"(19|20)\d\d((0[1-9]|1[0-2])([0-2]\d|3[01])?)?")  # years, months, days without hyphens


@command(
    "xembed drift tickets.csv --reference 2024-03-01 --window 7D --time-column date",
    "xembed drift stream.npy --reference 500 --window 50 --fail-on-shift",
    place=20,
)
def drift(
    stream: Annotated[Path, Argument(help=f"The texts in the order of time: {INPUT}.")],
    reference: Annotated[str, "What to compare with: a file; a time, for the rows before it; a number of first rows."],
    window: Annotated[str, "Rows a window (50), or its length in time (7D, 12h, MS)."],
    reading: ReadingOptions,
    encoding: EncoderOptions,
    output: OutputOptions,
    beside: TextsBeside = None,
    time_column: Annotated[str | None, "Column of times. Default: 'date' if there is one, else row numbers."] = None,
    group_column: GroupColumn = None,
    alpha: Annotated[float, "Bound of the chance of any false alarm, ever."] = 0.05,
    resamples: Annotated[int, Option(min=19, help="Number of random permutations a window.")] = 999,
    seed: Seed = 0,
    fail_on_shift: Annotated[bool, "Exit with 3 if drift is found."] = False,
) -> None:
    """Since when has the corpus changed? Watch a stream of texts, looking as often as you like."""
    import numpy as np

    from xembed.datasets._tables import as_times
    from xembed.shift import drift_over_time
    from xembed.shift._drift import plan

    destination = check_outputs(output, "drift.html", [stream, reference, beside, encoding.model])
    source = open_source(stream, reading, beside)
    if time_column is None and source.table is not None and "date" in source.table.columns:
        time_column = "date"
    options: dict[str, Any] = {"window": _number_or_text(window), "alpha": alpha, "n_resamples": resamples}
    times, order = (
        (np.arange(len(source)), None) if time_column is None else _read_times(source, time_column, reading.dayfirst)
    )
    if order is not None:
        note = f"The rows of {file_name(stream)} are not in the order of {time_column!r}: they were sorted by it."
        source = source.take(order, note)
    groups: Any = None if group_column is None else source.column(group_column, "--group-column")
    start: Any = _number_or_text(reference)
    file = Path(reference)
    if isinstance(start, str) and not file.is_file():
        start = as_times([start], dayfirst=reading.dayfirst, name="--reference")[0]
    earlier = None
    if file.is_file():
        earlier = open_source(file, reading)
        check_same_kind(source.data, earlier.data, "The stream and its reference")
        if group_column is not None:
            groups = (earlier.column(group_column, "--group-column"), groups)
    # All that can be refused is, before the encoder is loaded.
    places = [None if part is None else np.ones((len(part), 1), np.float32) for part in (source, earlier)]
    plan(places[0], times, reference=start if earlier is None else places[1], groups=groups, **options)
    X, warnings, encoder, unread = embed_source(source, encoding, file_name(stream))
    unread_before = unread
    if earlier is not None:
        start, of_reference, _, unread_before = embed_source(earlier, encoding, file_name(file))
        warnings += of_reference
    result = drift_over_time(
        X,
        times,
        reference=start,
        groups=groups,
        names=different_names("reference", name_of(stream)),
        encoder=encoder,
        warnings=warnings,
        unread=(unread_before, unread),
        rng=seed,
        **options,
    )
    warn(result.warnings)
    say(result.verdict)
    write(stamped(result), destination, output)
    if fail_on_shift and result.detected:
        raise typer.Exit(3)


def _read_times(source: Source, column: str, dayfirst: bool) -> tuple[Any, Any]:
    """Return the times in a column in order, and the order of the rows if it is another than that of the file."""
    import numpy as np

    from xembed.datasets._tables import as_times
    from xembed.shift._windows import read_times

    values = source.column(column, "--time-column", complete=False)
    if not all(isinstance(value, str) and _CALENDAR.fullmatch(value) for value in values):
        values = as_times(
            values, dayfirst=dayfirst, name=f"The column {column!r} of {file_name(source.path)}", rows=source.rows
        )
    times = read_times(values, n_rows=len(values), caller="xembed drift", in_order=False, numbers=source.rows)
    order = np.argsort(times, kind="stable")
    return times[order], None if (order == np.arange(len(order))).all() else order


def _number_or_text(value: str) -> int | float | str:
    """Read a number where there is one: rows as an integer, a time as a float; otherwise a date or a length of time."""
    for kind in (int, float):
        try:
            return kind(value)
        except ValueError:
            continue
    return value
