"""The command ``xembed depth``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from typer import Argument, Option

from xembed._core.text import one_line
from xembed.cli.inputs import TextsBeside, check_same_kind, embed_with_reference, open_source
from xembed.cli.options import INPUT, Distance, EncoderOptions, Overwrite, ReadingOptions, command
from xembed.cli.outputs import check_output_file, print_data, say, warn


@command("xembed depth reviews.csv --out depths.csv", "xembed depth new.txt --reference reviews.csv --top 10", place=30)
def depth(
    texts: Annotated[Path, Argument(help=f"The texts to rank: {INPUT}.")],
    reading: ReadingOptions,
    encoding: EncoderOptions,
    reference: Annotated[Path | None, "Corpus to measure in. Default: the texts themselves, each left out."] = None,
    beside: TextsBeside = None,
    out: Annotated[
        Path | None, Option("--out", "-o", help="Write all depths to .csv, .jsonl or .parquet; - prints them.")
    ] = None,
    overwrite: Overwrite = False,
    distance: Distance = "cosine",
    top: Annotated[int, Option(min=0, help="How many of the deepest and of the shallowest to print.")] = 5,
) -> None:
    """Which texts are typical, which are outliers? Rank texts by their depth in a corpus."""
    import numpy as np

    from xembed.datasets import write_table
    from xembed.datasets._write import TABLE_ENDINGS, csv_text
    from xembed.depth import tte_depth
    from xembed.encoders._corpora import unread_verdict

    to_stdout = out == Path("-")
    if out is not None and not to_stdout:
        inputs = [texts, reference, beside, encoding.model]
        check_output_file(out, "--out", TABLE_ENDINGS, inputs, overwrite=overwrite)
    source = open_source(texts, reading, beside)
    corpus = None if reference is None else open_source(reference, reading)
    if corpus is not None:
        check_same_kind(source.data, corpus.data, "The texts and --reference")
    elif len(source) < 2:
        raise ValueError(f"{str(texts)!r} must hold at least 2 texts: depth is taken in a corpus. Got one.")
    X, R, warnings, unread = embed_with_reference((source, corpus), encoding, (texts, reference))
    depths = tte_depth(X, R, distance=distance)
    order = np.argsort(depths, kind="stable")
    lines, ids = source.texts, None if source.table is None else source.table.ids
    width = 0 if ids is None else 2 + min(max(map(len, ids)), 24)
    warn(warnings)
    same = lines is not None and len(set(lines)) > 1 and bool(depths.min() > 2 - 1e-6)
    if not_read := unread_verdict(dict(zip(("these texts", "the reference"), unread, strict=False)), same=same):
        say(not_read, err=to_stdout)
    median = float(np.median(depths))
    summary = f"{len(depths)} texts, depth {depths.min():.3f} to {depths.max():.3f}, median {median:.3f}"
    say(summary, err=to_stdout)
    for title, rows in (("deepest (typical)", order[::-1][:top]), ("shallowest (outliers)", order[:top])):
        if top:
            say(f"\n{title}\n{'row':>8}{'id' if width else '':>{width}}  depth  text", err=to_stdout)
        for i in rows:
            name, line = "" if ids is None else one_line(ids[i], 24), "" if lines is None else one_line(lines[i])
            say(f"{source.rows[i]:>8}{name:>{width}}  {depths[i]:.3f}  {line}", err=to_stdout)
    columns: dict[str, Any] = {"row": np.asarray(source.rows)} | ({} if ids is None else {"id": ids})
    columns |= {"depth": depths} | ({} if lines is None else {"text": lines})
    if to_stdout:
        print_data(csv_text(columns).decode())
    elif out is not None:
        write_table(out, columns, overwrite=overwrite)
        say(f"\nAll depths: {out}")
