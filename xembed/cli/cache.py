"""The commands ``xembed cache info`` and ``xembed cache clear``."""

from __future__ import annotations

from typing import Annotated

import typer
from typer import Option

from xembed.cli.options import add_commands, command


@command("xembed cache info", "XEMBED_CACHE=/data/embeddings xembed cache info")
def info() -> None:
    """Show where embeddings are kept, of which models, and how many."""
    from xembed.encoders import cache_info

    info = cache_info()
    typer.echo(f"{info['folder']}: {info['n_texts']} texts, {info['n_bytes'] / 1e6:.1f} MB")
    for entry in info["encoders"]:
        size = f"{entry['n_bytes'] / 1e6:>9.1f} MB"
        what = entry["problem"] or f"{entry['n_texts']:>9} texts  {entry['model']}"
        typer.echo(f"{entry['fingerprint'][:12]}  {size}  {what}")


@command("xembed cache clear", "xembed cache clear --fingerprint 3f9a2c")
def clear(
    fingerprint: Annotated[str | None, Option(help="Only the model whose fingerprint starts so.")] = None,
) -> None:
    """Remove kept embeddings."""
    from xembed.encoders import clear_cache

    removed = clear_cache(fingerprint=fingerprint)
    typer.echo(f"{removed['n_files']} files removed, {removed['n_bytes'] / 1e6:.1f} MB")


cache_app = typer.Typer(help="Show or clear the cache of embeddings.", no_args_is_help=True)
add_commands(cache_app, {"info": info, "clear": clear})
