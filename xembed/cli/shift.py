"""The command ``xembed shift``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from typer import Argument, Option

from xembed.cli import inputs
from xembed.cli.inputs import Source, different_names, name_of, open_source
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
from xembed.cli.outputs import Destination, check_outputs, command_line_provenance, say, stamped, warn, write

if TYPE_CHECKING:
    from xembed.shift import ShiftResult


@command(
    "xembed shift last_week.csv this_week.csv --text-column message --words",
    "xembed shift tickets.csv --split-by week --reference 2024-W10 --group-column author --sample 2000",
    "xembed shift F.npy G.npy --texts-f F.csv --texts-g G.csv --fail-on-shift --out check.html",
    "xembed shift F.npy G.npy --format json",
    place=10,
)
def shift(
    f: Annotated[Path, Argument(metavar="F", help=f"The reference corpus: {INPUT}.")],
    reading: ReadingOptions,
    encoding: EncoderOptions,
    output: OutputOptions,
    g: Annotated[
        Path | None, Argument(metavar="G", help="The corpus compared with it; left out with --split-by.")
    ] = None,
    name_f: Annotated[str | None, "What the report calls F. Default: its file name."] = None,
    name_g: Annotated[str | None, "What the report calls G. Default: its file name."] = None,
    texts_f: Annotated[Path | None, "The texts of F and their columns, where F holds embeddings."] = None,
    texts_g: Annotated[Path | None, "The same of G."] = None,
    split_column: Annotated[
        str | None, Option("--split-by", help="Column of F that tells two corpora apart, where there is no G.")
    ] = None,
    reference: Annotated[
        str | None, "With --split-by: the value of the reference corpus; in a column of dates the first day after it."
    ] = None,
    compare: Annotated[str | None, "With --split-by: the value of the other corpus. Default: all other rows."] = None,
    sample: Annotated[
        int | None, Option(min=2, help="Take at most so many rows of each corpus at random; of groups whole ones.")
    ] = None,
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
    destination = check_outputs(output, "shift.html", [f, g, texts_f, texts_g, encoding.model])
    if (g is None) != (split_column is not None):
        what = "takes one file, which it splits" if g is not None else "must be given where there is no G"
        raise typer.BadParameter(f"{what}.", param_hint="'--split-by'")
    if (reference is None) != (split_column is None) or (compare is not None and split_column is None):
        raise typer.BadParameter("goes with --split-by, which needs it.", param_hint="'--reference'")
    first = open_source(f, reading, texts_f, "--texts-f")
    if g is None:
        *pair, names = inputs.split_by(first, str(split_column), str(reference), compare)
        sources = (pair[0], pair[1])
        names = different_names(name_f or names[0], name_g or names[1])
    else:
        sources = first, open_source(g, reading, texts_g, "--texts-g")
        names = different_names(name_f or name_of(f), name_g or name_of(g))
    if words and None in (source.texts for source in sources):
        raise ValueError("--words needs texts: these are embeddings. Give the files that they were made of.")
    if paired:
        sources = inputs.keep_together(*sources)
    if sample is not None:
        sources = inputs.sample_of(sources, sample, names, group_column=group_column, paired=paired, seed=seed)
    groups = None
    if group_column is not None:
        groups = (sources[0].column(group_column, "--group-column"), sources[1].column(group_column, "--group-column"))
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
        metadata=inputs.metadata_of(sources, (reading.id_column, group_column, split_column)),
        rng=seed,
    )
    write_shift(result, (destination, output), sources if words else None, encoding, seed)
    if fail_on_shift and result.shifted:
        raise typer.Exit(3)


def compare_sources(
    sources: tuple[Source, Source], encoding: EncoderOptions, *, names: tuple[str, str], **options: Any
) -> ShiftResult:
    """Compare two corpora of texts or of embeddings; ``options`` are those of `compare_corpora`."""
    from xembed.shift import compare_corpora
    from xembed.shift._compare import check_design, check_options

    inputs.check_same_kind(sources[0].data, sources[1].data, "F and G")
    design = {"groups": options.get("groups"), "paired": options.get("paired", False)}
    check_design(len(sources[0]), len(sources[1]), **design)
    check_options(
        **{name: value for name, value in options.items() if name not in {*design, "self_check", "metadata", "rng"}}
    )
    F, G = (inputs.embed_source(source, encoding, name) for source, name in zip(sources, names, strict=True))
    texts = sources[0].texts, sources[1].texts
    result = compare_corpora(
        F.embeddings,
        G.embeddings,
        texts=None if texts[0] is None or texts[1] is None else (texts[0], texts[1]),
        names=names,
        encoder=F.encoder,
        warnings=list(dict.fromkeys([*F.warnings, *G.warnings])),
        unread=(F.unread, G.unread),
        **options,
    )
    return stamped(result)


def write_shift(
    result: ShiftResult,
    where: tuple[Destination | None, OutputOptions],
    explained: tuple[Source, Source] | None,
    encoding: EncoderOptions,
    seed: int,
) -> None:
    """Write the report of a shift and say its verdict; with its words if ``explained`` are the texts."""
    verdicts = [result.verdict]
    written: Any = result
    if explained is not None:
        from xembed.attribution import explain_shift
        from xembed.reports._write import combine

        F, G = (source.texts for source in explained)
        options: dict[str, Any] = {"progress": encoding.progress, "rng": seed}
        explanation = stamped(explain_shift(encoding.encoder, F, G, result=result, **options))  # type: ignore[arg-type]
        written = combine([result, explanation], title=f"{result.names[0]} and {result.names[1]}, and their words")
        written["provenance"] |= command_line_provenance()
        verdicts.append(explanation.verdict)
    warn(result.warnings)
    for verdict in verdicts:
        say(verdict)
    write(written, *where)
