"""The commands ``xembed shift``, ``xembed drift`` (the shift of a stream) and ``xembed demo`` (of bundled corpora)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from typer import Argument, Option

from xembed.cli.inputs import check_same_kind, column_of, different_names, embed_source, read_source, texts_of
from xembed.cli.options import (
    INPUT,
    Distance,
    EncoderOptions,
    GroupColumn,
    Progress,
    ReadingOptions,
    ReportPath,
    Seed,
    command,
)
from xembed.cli.outputs import say_where, stamped, warn

if TYPE_CHECKING:
    from xembed.shift import ShiftResult

# The column that tells the two corpora of a demo apart, its values for F and G, and the corpora's names.
_CORPORA: dict[str, tuple[str, Any, Any, tuple[str, str]]] = {
    "support_tickets": ("week", 1, 2, ("week 1", "week 2")),
    "product_reviews": ("source", "human_style", "imitation", ("human style", "imitation")),
}


@command(
    "xembed shift last_week.csv this_week.csv --text-column message --words",
    "xembed shift F.npy G.npy --fail-on-shift --out check.html",
)
def shift(
    f: Annotated[Path, Argument(metavar="F", help=f"The reference corpus: {INPUT}.")],
    g: Annotated[Path, Argument(metavar="G", help="The corpus compared with it.")],
    reading: ReadingOptions,
    encoding: EncoderOptions,
    out: ReportPath = Path("shift.html"),
    name_f: Annotated[str | None, "What the report calls F. Default: its file name."] = None,
    name_g: Annotated[str | None, "What the report calls G. Default: its file name."] = None,
    group_column: GroupColumn = None,
    paired: Annotated[bool, "Row i of F and of G are versions of one text."] = False,
    self_check: Annotated[bool, "Also test F against itself: does the level hold on these data?"] = False,
    words: Annotated[bool, "Also say which words the shift is made of; the report has both."] = False,
    mode: Annotated[Literal["auto", "battery", "fast"], "All tests (battery), sums only (fast), or by size."] = "auto",
    resamples: Annotated[int, Option(min=19, help="Number of random permutations.")] = 999,
    distance: Distance = "cosine",
    alpha: Annotated[float, "Level of the verdict."] = 0.05,
    projection: Annotated[Literal["pca", "umap", "none"], Option("--map", help="Projection of the map.")] = "pca",
    seed: Seed = 0,
    fail_on_shift: Annotated[bool, "Exit with 3 if a shift is found."] = False,
) -> None:
    """Did the corpus change? Compare G with F and write a report."""
    from xembed.reports import check_report_path

    check_report_path(out)
    sources = read_source(f, reading), read_source(g, reading)
    names = different_names(name_f or f.stem, name_g or g.stem)
    if words and None in map(texts_of, sources):
        raise ValueError("--words needs texts: these are embeddings. Give the files that they were made of.")
    groups = None
    if group_column is not None:
        groups = tuple(column_of(source, group_column, file) for source, file in zip(sources, (f, g), strict=True))
    result = compare_sources(
        sources,
        encoding,
        names=names,
        groups=groups,
        paired=paired,
        self_check=self_check,
        mode=mode,
        n_resamples=resamples,
        distance=distance,
        alpha=alpha,
        projection=projection,
        rng=seed,
    )
    write_shift(result, out, sources if words else None, encoding, seed)
    if fail_on_shift and result.shifted:
        raise typer.Exit(3)


def compare_sources(
    sources: tuple[Any, Any], encoding: EncoderOptions, *, names: tuple[str, str], **options: Any
) -> ShiftResult:
    """Compare two corpora of texts or of embeddings; ``options`` are those of `compare_corpora`."""
    from xembed.shift import compare_corpora

    check_same_kind(*sources, "F and G")
    F, G = (embed_source(source, encoding, name) for source, name in zip(sources, names, strict=True))
    texts = texts_of(sources[0]), texts_of(sources[1])
    result = compare_corpora(
        F.embeddings,
        G.embeddings,
        texts=None if texts[0] is None or texts[1] is None else (texts[0], texts[1]),
        names=names,
        encoder=F.encoder,
        warnings=[*F.warnings, *G.warnings],
        **options,
    )
    return stamped(result)


def write_shift(
    result: ShiftResult, out: Path, explained: tuple[Any, Any] | None, encoding: EncoderOptions, seed: int
) -> None:
    """Write the report of a shift and say its verdict; with its words if ``explained`` are the texts."""
    verdicts = [result.verdict]
    if explained is None:
        result.report(out)
    else:
        from xembed.attribution import explain_shift
        from xembed.reports import write_combined

        F, G = (texts_of(source) for source in explained)
        options: dict[str, Any] = {"progress": encoding.progress, "rng": seed}
        explanation = stamped(explain_shift(encoding.encoder, F, G, result=result, **options))  # type: ignore[arg-type]
        write_combined([result, explanation], out, title=f"{result.names[0]} and {result.names[1]}, and their words")
        verdicts.append(explanation.verdict)
    warn(result.warnings)
    for verdict in verdicts:
        typer.echo(verdict)
    say_where(out)


@command(
    "xembed drift tickets.csv --reference 2024-03-01 --window 7D --time-column date",
    "xembed drift stream.npy --reference 500 --window 50 --fail-on-shift",
)
def drift(
    stream: Annotated[Path, Argument(help=f"The texts in the order of time: {INPUT}.")],
    reference: Annotated[str, "What to compare with: a file; a time, for the rows before it; a number of first rows."],
    window: Annotated[str, "Rows a window (50), or its length in time (7D, 12h, MS)."],
    reading: ReadingOptions,
    encoding: EncoderOptions,
    out: ReportPath = Path("drift.html"),
    time_column: Annotated[str | None, "Column of times. Default: 'date' if there is one, else row numbers."] = None,
    group_column: GroupColumn = None,
    alpha: Annotated[float, "Bound of the chance of any false alarm, ever."] = 0.05,
    resamples: Annotated[int, Option(min=19, help="Number of random permutations a window.")] = 999,
    seed: Seed = 0,
    fail_on_shift: Annotated[bool, "Exit with 3 if drift is found."] = False,
) -> None:
    """Since when has the corpus changed? Watch a stream of texts, looking as often as you like."""
    import numpy as np

    from xembed.reports import check_report_path
    from xembed.shift import drift_over_time

    check_report_path(out)
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
    stamped(result).report(out)
    warn(result.warnings)
    typer.echo(result.verdict)
    say_where(out)
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


@command("xembed demo", "xembed demo support_tickets --words --out tickets.html")
def demo(
    corpus: Annotated[
        Literal["support_tickets", "product_reviews"], Argument(help="Which bundled pair of corpora.")
    ] = "product_reviews",
    out: Annotated[Path | None, "Where the report goes. Default: xembed-demo/CORPUS.html"] = None,
    words: Annotated[bool, "Say which words the shift is made of, text by text, on the same page."] = False,
    progress: Progress = None,
) -> None:
    """Compare two bundled corpora and write the report: needs no data and no network."""
    from xembed.datasets import load_corpora
    from xembed.reports import check_report_path

    if out is None:
        out = Path("xembed-demo", f"{corpus}.html")
        out.parent.mkdir(exist_ok=True)
    check_report_path(out)
    column, f, g, names = _CORPORA[corpus]
    sources = (load_corpora(corpus).where(**{column: f}), load_corpora(corpus).where(**{column: g}))
    encoding = EncoderOptions(progress=progress)
    result = compare_sources(sources, encoding, names=names, rng=0)
    write_shift(result, out, sources if words else None, encoding, seed=0)
