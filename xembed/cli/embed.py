"""The command ``xembed embed``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from typer import Argument, Option

from xembed.cli.inputs import embed_source, read_text_source
from xembed.cli.options import TEXTS, NormalizingEncoderOptions, ReadingOptions, command
from xembed.cli.outputs import warn


@command(
    "xembed embed reviews.csv --out reviews.npy",
    "xembed embed notes.txt --out notes.npy --model BAAI/bge-small-en-v1.5 --pooling cls",
    place=80,
)
def embed(
    texts: Annotated[Path, Argument(help=f"The texts: {TEXTS}.")],
    reading: ReadingOptions,
    encoding: NormalizingEncoderOptions,
    out: Annotated[Path, Option("--out", "-o", help="The .npy file to write, float32, a row a text.")],
) -> None:
    """Turn texts into embeddings."""
    import numpy as np

    from xembed._core.files import atomic_write, check_writable

    if out.suffix.lower() != ".npy":
        raise typer.BadParameter(f"must end in .npy. Got {str(out)!r}.", param_hint="--out")
    check_writable(out)
    source = read_text_source(texts, reading, why=" already")
    X, warnings, _ = embed_source(source, encoding, texts.name)
    warn(warnings)
    with atomic_write(out) as file:
        np.save(file, X, allow_pickle=False)
    typer.echo(f"{len(X)} texts, {X.shape[1]} dimensions: {out}")
