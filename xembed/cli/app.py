"""The command line: one subcommand per question. Heavy imports stay inside the commands."""

from __future__ import annotations

import os
import sys
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from xembed._core.text import one_line
from xembed.cli.explain import explain
from xembed.cli.geco import geco
from xembed.cli.inputs import (
    Encode,
    check_same_kind,
    column_of,
    embed_source,
    encoder_on_demand,
    read_source,
    signed,
    texts_of,
)
from xembed.cli.isotropy import isotropy
from xembed.cli.options import (
    INPUT,
    BatchSize,
    Cache,
    Device,
    Distance,
    Layer,
    Map,
    MaxLength,
    Mode,
    Model,
    PoolingOption,
    Progress,
    SkipBlank,
    TextColumn,
)
from xembed.cli.report import report

if TYPE_CHECKING:
    from xembed.attribution import ShiftExplanation
    from xembed.shift import DriftResult, ShiftResult

app = typer.Typer(
    name="xembed",
    help="Ask text embeddings, and the models behind them, the questions that matter.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # rich costs more than all else that --help needs
    context_settings={"help_option_names": ["-h", "--help"]},
)
cache_app = typer.Typer(help="Show or clear the cache of embeddings.", no_args_is_help=True)
app.add_typer(cache_app, name="cache")
app.command()(isotropy)
app.command()(geco)
app.command()(explain)
app.command()(report)


class Demo(Enum):
    """The bundled pairs of corpora."""

    support_tickets = "support_tickets"
    product_reviews = "product_reviews"


# Which corpora a demo compares: the column that tells them apart, and its values for F and G.
_DEMOS: dict[str, tuple[str, Any, Any, tuple[str, str]]] = {
    "support_tickets": ("week", 1, 2, ("week 1", "week 2")),
    "product_reviews": ("source", "human_style", "imitation", ("human style", "imitation")),
}


def main() -> None:
    """Run the command line: exit code 0 done, 1 failed, 2 wrong usage, 3 shift found with --fail-on-shift."""
    try:
        app(standalone_mode=True)
    except (ValueError, TypeError, OSError, ImportError, RuntimeError, MemoryError) as error:
        if os.environ.get("XEMBED_DEBUG"):
            raise
        typer.echo(f"xembed: error: {error}", err=True)
        sys.exit(1)


def _version(wanted: bool) -> None:
    if wanted:
        from xembed import __version__

        typer.echo(f"xembed {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Ask text embeddings, and the models behind them, the questions that matter."""


@app.command()
def demo(
    corpus: Annotated[Demo, typer.Argument(help="Which bundled pair of corpora.")] = Demo.product_reviews,
    out: Annotated[Path | None, typer.Option(help="Where the report goes. Default: xembed-demo/CORPUS.html")] = None,
    words: Annotated[
        bool, typer.Option("--words", help="Say which words the shift is made of, text by text, on the same page.")
    ] = False,
    progress: Progress = None,
) -> None:
    """Compare two bundled corpora and write the report: needs no data and no network."""
    from xembed.datasets import load_corpora
    from xembed.reports import check_report_path

    if out is None:
        out = Path("xembed-demo", f"{corpus.value}.html")
        out.parent.mkdir(exist_ok=True)
    check_report_path(out)
    column, f, g, names = _DEMOS[corpus.value]
    table = load_corpora(corpus.value)
    encode = encoder_on_demand()
    sources = (table.where(**{column: f}), table.where(**{column: g}))
    result = _compare(sources, encode, names=names, progress=progress, seed=0)
    explanation = None
    if words:
        from xembed.cli.explain import explain_result

        explanation = explain_result(result, [source.texts for source in sources], encode, progress, seed=0)
    _finish(result, out, explanation)


@app.command()
def shift(
    f: Annotated[Path, typer.Argument(metavar="F", help=f"The reference corpus: {INPUT}.")],
    g: Annotated[Path, typer.Argument(metavar="G", help="The corpus compared with it.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The report; its numbers go to a .json beside it.")] = Path(
        "shift.html"
    ),
    name_f: Annotated[str | None, typer.Option(help="What the report calls F. Default: its file name.")] = None,
    name_g: Annotated[str | None, typer.Option(help="What the report calls G.")] = None,
    text_column: TextColumn = None,
    skip_blank: SkipBlank = False,
    group_column: Annotated[
        str | None, typer.Option(help="Column of the document or author of each row: groups are relabeled whole.")
    ] = None,
    paired: Annotated[bool, typer.Option("--paired", help="Row i of F and of G are versions of one text.")] = False,
    self_check: Annotated[
        bool, typer.Option("--self-check", help="Also test F against itself: does the level hold on these data?")
    ] = False,
    words: Annotated[
        bool, typer.Option("--words", help="Also say which words the shift is made of; the report has both.")
    ] = False,
    mode: Annotated[Mode, typer.Option(help="All tests, sums only, or by size.")] = Mode.auto,
    resamples: Annotated[int, typer.Option(min=19, help="Random relabelings.")] = 999,
    distance: Annotated[Distance, typer.Option(help="Distance of depth.")] = Distance.cosine,
    alpha: Annotated[float, typer.Option(help="Level of the verdict.")] = 0.05,
    map_: Annotated[Map, typer.Option("--map", help="How the map is made.")] = Map.pca,
    seed: Annotated[int, typer.Option(min=0, help="Seed of every random step.")] = 0,
    fail_on_shift: Annotated[bool, typer.Option("--fail-on-shift", help="Exit with 3 if a shift is found.")] = False,
    model: Model = None,
    layer: Layer = -1,
    pooling: PoolingOption = None,
    device: Device = "auto",
    max_length: MaxLength = None,
    batch_size: BatchSize = 32,
    cache: Cache = True,
    progress: Progress = None,
) -> None:
    """Did the corpus change? Compare G with F and write a report."""
    from xembed.reports import check_report_path

    check_report_path(out)
    sources = read_source(f, text_column, skip_blank), read_source(g, text_column, skip_blank)
    names = (name_f or f.stem, name_g or g.stem)
    if names[0] == names[1]:
        names = (f"{names[0]} (F)", f"{names[1]} (G)")
    encode = encoder_on_demand(model, layer, pooling.value if pooling else None, device, max_length, batch_size, cache)
    texts = [texts_of(source) for source in sources]
    if words and None in texts:
        raise ValueError("--words needs texts: these are embeddings. Give the files that they were made of.")
    result = _compare(
        sources,
        encode,
        names=names,
        progress=progress,
        seed=seed,
        groups=None
        if group_column is None
        else (column_of(sources[0], group_column, f), column_of(sources[1], group_column, g)),
        paired=paired,
        self_check=self_check,
        mode=mode.value,
        n_resamples=resamples,
        distance=distance.value,
        alpha=alpha,
        projection=map_.value,
    )
    explanation = None
    if words:
        from xembed.cli.explain import explain_result

        explanation = explain_result(result, texts, encode, progress, seed)
    _finish(result, out, explanation)
    if fail_on_shift and result.shifted:
        raise typer.Exit(3)


@app.command()
def drift(
    stream: Annotated[Path, typer.Argument(help=f"The texts in the order of time: {INPUT}.")],
    reference: Annotated[
        str,
        typer.Option(
            help="What they are compared with: a file; a time, for the rows before it; a number of first rows."
        ),
    ],
    window: Annotated[str, typer.Option(help="Rows a window (50), or its length in time (7D, 12h, MS).")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The report; its numbers go to a .json beside it.")] = Path(
        "drift.html"
    ),
    time_column: Annotated[
        str | None, typer.Option(help="Column of the times. Default: 'date' if there is one, else the row numbers.")
    ] = None,
    group_column: Annotated[str | None, typer.Option(help="Column of the document or author of each row.")] = None,
    alpha: Annotated[float, typer.Option(help="Bound of the chance of any false alarm, ever.")] = 0.05,
    resamples: Annotated[int, typer.Option(min=19, help="Random relabelings a window.")] = 999,
    seed: Annotated[int, typer.Option(min=0, help="Seed of every random step.")] = 0,
    fail_on_shift: Annotated[bool, typer.Option("--fail-on-shift", help="Exit with 3 if drift is found.")] = False,
    text_column: TextColumn = None,
    skip_blank: SkipBlank = False,
    model: Model = None,
    layer: Layer = -1,
    pooling: PoolingOption = None,
    device: Device = "auto",
    max_length: MaxLength = None,
    batch_size: BatchSize = 32,
    cache: Cache = True,
    progress: Progress = None,
) -> None:
    """Since when has the corpus changed? Watch a stream of texts, looking as often as you like."""
    import numpy as np

    from xembed.reports import check_report_path
    from xembed.shift import drift_over_time

    check_report_path(out)
    source = read_source(stream, text_column, skip_blank)
    texts = texts_of(source)
    if time_column is None and texts is not None and "date" in source.columns:  # type: ignore[union-attr]
        time_column = "date"
    times = np.arange(len(source)) if time_column is None else column_of(source, time_column, stream)
    groups: Any = None if group_column is None else column_of(source, group_column, stream)
    encode = encoder_on_demand(model, layer, pooling.value if pooling else None, device, max_length, batch_size, cache)
    X, notes, encoder = embed_source(source, encode, progress, stream.name)
    start: Any = _number_or_text(reference)
    if Path(reference).is_file():
        file = Path(reference)
        base = read_source(file, text_column, skip_blank)
        start, more, _ = embed_source(base, encode, progress, file.name)
        notes += more
        if group_column is not None:
            groups = (column_of(base, group_column, file), groups)
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
        warnings=notes,
        rng=seed,
    )
    result = signed(result)
    _finish(result, out)
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


@app.command()
def depth(
    texts: Annotated[Path, typer.Argument(help=f"The texts to rank: {INPUT}.")],
    reference: Annotated[
        Path | None, typer.Option(help="Corpus to measure depth in. Default: the texts themselves, each left out.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Write all depths to .csv, .jsonl or .parquet.")
    ] = None,
    distance: Annotated[Distance, typer.Option(help="Distance of depth.")] = Distance.cosine,
    top: Annotated[int, typer.Option(min=0, help="How many of the deepest and of the shallowest to print.")] = 5,
    text_column: TextColumn = None,
    skip_blank: SkipBlank = False,
    model: Model = None,
    layer: Layer = -1,
    pooling: PoolingOption = None,
    device: Device = "auto",
    max_length: MaxLength = None,
    batch_size: BatchSize = 32,
    cache: Cache = True,
    progress: Progress = None,
) -> None:
    """Which texts are typical, which are outliers? Rank texts by their depth in a corpus."""
    import numpy as np

    from xembed.datasets import check_table_path, write_table
    from xembed.depth import tte_depth

    if out is not None:
        check_table_path(out)
    source = read_source(texts, text_column, skip_blank)
    corpus = None if reference is None else read_source(reference, text_column, skip_blank)
    encode = encoder_on_demand(model, layer, pooling.value if pooling else None, device, max_length, batch_size, cache)
    X, notes, _ = embed_source(source, encode, progress, texts.name)
    R = None
    if corpus is not None and reference is not None:
        R, more, _ = embed_source(corpus, encode, progress, reference.name)
        notes += more
    depths = tte_depth(X, R, distance=distance.value)
    order = np.argsort(depths, kind="stable")
    lines = texts_of(source)
    for note in notes:
        typer.echo(f"xembed: warning: {note}", err=True)
    median = float(np.median(depths))
    typer.echo(f"{len(depths)} texts, depth {depths.min():.3f} to {depths.max():.3f}, median {median:.3f}")
    for title, rows in (("deepest (typical)", order[::-1][:top]), ("shallowest (outliers)", order[:top])):
        typer.echo(f"\n{title}\n{'row':>8}  depth  text" if top else "", nl=bool(top))
        for i in rows:
            typer.echo(f"{i:>8}  {depths[i]:.3f}  {'' if lines is None else one_line(lines[i])}")
    if out is not None:
        columns: dict[str, Any] = {"row": np.arange(len(depths)), "depth": depths}
        write_table(out, columns if lines is None else columns | {"text": lines})
        typer.echo(f"\nAll depths: {out}")


@app.command()
def embed(
    texts: Annotated[Path, typer.Argument(help="Texts in .txt (one a line), .csv, .jsonl or .parquet.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The .npy file to write, float32, a row a text.")],
    text_column: TextColumn = None,
    skip_blank: SkipBlank = False,
    model: Model = None,
    layer: Layer = -1,
    pooling: PoolingOption = None,
    normalize: Annotated[
        bool | None,
        typer.Option("--normalize/--no-normalize", help="Rows of length 1. Default: as the model does."),
    ] = None,
    device: Device = "auto",
    max_length: MaxLength = None,
    batch_size: BatchSize = 32,
    cache: Cache = True,
    progress: Progress = None,
) -> None:
    """Turn texts into embeddings."""
    import numpy as np

    from xembed._core.files import atomic_write, check_writable

    if out.suffix.lower() != ".npy":
        raise typer.BadParameter(f"must end in .npy. Got {str(out)!r}.", param_hint="--out")
    check_writable(out)
    source = read_source(texts, text_column, skip_blank)
    if texts_of(source) is None:
        raise ValueError(f"{str(texts)!r} holds embeddings already. Give a file of texts.")
    encode = encoder_on_demand(
        model, layer, pooling.value if pooling else None, device, max_length, batch_size, cache, normalize
    )
    X, notes, _ = embed_source(source, encode, progress, texts.name)
    for note in notes:
        typer.echo(f"xembed: warning: {note}", err=True)
    with atomic_write(out) as file:
        np.save(file, X, allow_pickle=False)
    typer.echo(f"{len(X)} texts, {X.shape[1]} dimensions: {out}")


@cache_app.command("info")
def cache_info_command() -> None:
    """Show where embeddings are kept, of which models, and how many."""
    from xembed.encoders import cache_info

    info = cache_info()
    typer.echo(f"{info['folder']}: {info['n_texts']} texts, {info['n_bytes'] / 1e6:.1f} MB")
    for entry in info["encoders"]:
        size = f"{entry['n_bytes'] / 1e6:>9.1f} MB"
        what = entry["problem"] or f"{entry['n_texts']:>9} texts  {entry['model']}"
        typer.echo(f"{entry['fingerprint'][:12]}  {size}  {what}")


@cache_app.command("clear")
def cache_clear_command(
    fingerprint: Annotated[str | None, typer.Option(help="Only the model whose fingerprint starts so.")] = None,
) -> None:
    """Remove kept embeddings."""
    from xembed.encoders import clear_cache

    removed = clear_cache(fingerprint=fingerprint)
    typer.echo(f"{removed['n_files']} files removed, {removed['n_bytes'] / 1e6:.1f} MB")


def _compare(
    sources: tuple[Any, Any],
    encode: Encode,
    *,
    names: tuple[str, str],
    progress: bool | None,
    seed: int,
    **options: Any,
) -> ShiftResult:
    from xembed.shift import compare_corpora

    check_same_kind(*sources, "F and G")
    texts = [texts_of(source) for source in sources]
    (F, notes, encoder), (G, more, _) = (
        embed_source(source, encode, progress, name) for source, name in zip(sources, names, strict=True)
    )
    result = compare_corpora(
        F,
        G,
        texts=None if texts[0] is None or texts[1] is None else (texts[0], texts[1]),
        names=names,
        encoder=encoder,
        warnings=[*notes, *more],
        rng=seed,
        **options,
    )
    return signed(result)


def _finish(result: ShiftResult | DriftResult, out: Path, explanation: ShiftExplanation | None = None) -> None:
    if explanation is None:
        result.report(out)
    else:
        from xembed.reports import write_combined

        write_combined([result, explanation], out, title=f"{result.names[0]} and {result.names[1]}, and their words")
    for warning in result.warnings:
        typer.echo(f"xembed: warning: {warning}", err=True)
    typer.echo(result.verdict)
    if explanation is not None:
        typer.echo(explanation.verdict)
    typer.echo(f"Report: {out}  (numbers: {out.with_suffix('.json')})")


if __name__ == "__main__":
    main()
