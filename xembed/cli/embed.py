"""The commands ``xembed embed``, ``xembed cache info`` and ``xembed cache clear``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from typer import Argument, Option

from xembed.cli.inputs import embed_source, file_name, read_text_source
from xembed.cli.options import TEXTS, NormalizingEncoderOptions, Overwrite, ReadingOptions, add_commands, command
from xembed.cli.outputs import check_output_file, say, warn


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
    overwrite: Overwrite = False,
) -> None:
    """Turn texts into embeddings."""
    import numpy as np

    from xembed._core.files import atomic_write

    check_output_file(out, "--out", [".npy"], [texts, encoding.model], overwrite=overwrite)
    source = read_text_source(texts, reading, why=" already")
    X, warnings, *_ = embed_source(source, encoding, file_name(texts))
    warn(warnings)
    with atomic_write(out, exclusive=not overwrite) as file:
        np.save(file, X, allow_pickle=False)
    say(f"{len(X)} texts, {X.shape[1]} dimensions: {out}")


@command("xembed cache info", "XEMBED_CACHE=/data/embeddings xembed cache info")
def info() -> None:
    """Show where embeddings are kept, of which models, and how many."""
    from xembed.encoders import cache_info

    info = cache_info()
    say(f"{info['folder']}: {info['n_texts']} texts, {info['n_bytes'] / 1e6:.1f} MB")
    for entry in info["encoders"]:
        size = f"{entry['n_bytes'] / 1e6:>9.1f} MB"
        what = entry["problem"] or f"{entry['n_texts']:>9} texts  {entry['model']}"
        say(f"{entry['fingerprint'][:12]}  {size}  {what}")


@command("xembed cache clear", "xembed cache clear --fingerprint 3f9a2c")
def clear(
    fingerprint: Annotated[str | None, "Only the model whose fingerprint starts so."] = None,
) -> None:
    """Remove kept embeddings."""
    from xembed.encoders import clear_cache

    removed = clear_cache(fingerprint=fingerprint)
    say(f"{removed['n_files']} files removed, {removed['n_bytes'] / 1e6:.1f} MB")


cache_app = typer.Typer(help="Show or clear the cache of embeddings.", no_args_is_help=True)
add_commands(cache_app, {"info": info, "clear": clear})
