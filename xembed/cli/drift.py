"""The command ``xembed drift``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from typer import Argument, Option

from xembed.cli.inputs import column_of, embed_source, read_source, texts_of
from xembed.cli.options import INPUT, EncoderOptions, GroupColumn, OutputOptions, ReadingOptions, Seed, command
from xembed.cli.outputs import check_outputs, stamped, warn, write


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
    time_column: Annotated[str | None, "Column of times. Default: 'date' if there is one, else row numbers."] = None,
    group_column: GroupColumn = None,
    alpha: Annotated[float, "Bound of the chance of any false alarm, ever."] = 0.05,
    resamples: Annotated[int, Option(min=19, help="Number of random permutations a window.")] = 999,
    seed: Seed = 0,
    fail_on_shift: Annotated[bool, "Exit with 3 if drift is found."] = False,
) -> None:
    """Since when has the corpus changed? Watch a stream of texts, looking as often as you like."""
    import numpy as np

    from xembed.shift import drift_over_time

    destination = check_outputs(output, "drift.html", [stream, reference, encoding.model])
    source = read_source(stream, reading)
    if time_column is None and texts_of(source) is not None and "date" in source.columns:  # type: ignore[union-attr]
        time_column = "date"
    times = np.arange(len(source)) if time_column is None else column_of(source, time_column, stream)
    groups: Any = None if group_column is None else column_of(source, group_column, stream)
    X, warnings, encoder = embed_source(source, encoding, stream.name)
    start: Any = _number_or_text(reference)
    file = Path(reference)
    if file.is_file():
        earlier = read_source(file, reading)
        start, of_reference, _ = embed_source(earlier, encoding, file.name)
        warnings += of_reference
        if group_column is not None:
            groups = (column_of(earlier, group_column, file), groups)
    result = drift_over_time(
        X,
        times,
        reference=start,
        window=_number_or_text(window),
        alpha=alpha,
        groups=groups,
        n_resamples=resamples,
        names=("reference", stream.stem),
        encoder=encoder,
        warnings=warnings,
        rng=seed,
    )
    warn(result.warnings)
    typer.echo(result.verdict)
    write(stamped(result), destination, output)
    if fail_on_shift and result.detected:
        raise typer.Exit(3)


def _number_or_text(value: str) -> int | float | str:
    """Read a number where there is one: rows as an integer, a time as a float; otherwise a date or a length of time."""
    for kind in (int, float):
        try:
            return kind(value)
        except ValueError:
            continue
    return value
