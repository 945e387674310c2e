"""The command ``xembed shift``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from typer import Argument, Option

from xembed.cli.inputs import check_same_kind, complete_column, different_names, embed_source, read_source, texts_of
from xembed.cli.options import (
    INPUT,
    Distance,
    EncoderOptions,
    GroupColumn,
    OutputOptions,
    ReadingOptions,
    Seed,
    command,
)
from xembed.cli.outputs import Destination, check_outputs, command_line_provenance, stamped, warn, write

if TYPE_CHECKING:
    from xembed.shift import ShiftResult


@command(
    "xembed shift last_week.csv this_week.csv --text-column message --words",
    "xembed shift F.npy G.npy --fail-on-shift --out check.html",
    place=10,
)
def shift(
    f: Annotated[Path, Argument(metavar="F", help=f"The reference corpus: {INPUT}.")],
    g: Annotated[Path, Argument(metavar="G", help="The corpus compared with it.")],
    reading: ReadingOptions,
    encoding: EncoderOptions,
    output: OutputOptions,
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
    destination = check_outputs(output, "shift.html", [f, g, encoding.model])
    sources = read_source(f, reading), read_source(g, reading)
    names = different_names(name_f or f.stem, name_g or g.stem)
    if words and None in map(texts_of, sources):
        raise ValueError("--words needs texts: these are embeddings. Give the files that they were made of.")
    groups = None
    if group_column is not None:
        groups = tuple(
            complete_column(source, group_column, file) for source, file in zip(sources, (f, g), strict=True)
        )
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
    write_shift(result, (destination, output), sources if words else None, encoding, seed)
    if fail_on_shift and result.shifted:
        raise typer.Exit(3)


def compare_sources(
    sources: tuple[Any, Any], encoding: EncoderOptions, *, names: tuple[str, str], **options: Any
) -> ShiftResult:
    """Compare two corpora of texts or of embeddings; ``options`` are those of `compare_corpora`."""
    from xembed.shift import compare_corpora
    from xembed.shift._compare import check_design, check_options

    check_same_kind(*sources, "F and G")
    design = {"groups": options.get("groups"), "paired": options.get("paired", False)}
    check_design(len(sources[0]), len(sources[1]), **design)
    check_options(**{name: value for name, value in options.items() if name not in {*design, "self_check", "rng"}})
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
    result: ShiftResult,
    where: tuple[Destination | None, OutputOptions],
    explained: tuple[Any, Any] | None,
    encoding: EncoderOptions,
    seed: int,
) -> None:
    """Write the report of a shift and say its verdict; with its words if ``explained`` are the texts."""
    verdicts = [result.verdict]
    written: Any = result
    if explained is not None:
        from xembed.attribution import explain_shift
        from xembed.reports._write import combine

        F, G = (texts_of(source) for source in explained)
        options: dict[str, Any] = {"progress": encoding.progress, "rng": seed}
        explanation = stamped(explain_shift(encoding.encoder, F, G, result=result, **options))  # type: ignore[arg-type]
        written = combine([result, explanation], title=f"{result.names[0]} and {result.names[1]}, and their words")
        written["provenance"] |= command_line_provenance()
        verdicts.append(explanation.verdict)
    warn(result.warnings)
    for verdict in verdicts:
        typer.echo(verdict)
    write(written, *where)
