"""The application: its commands in the order of a user's questions, and what errors become."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer
from typer import Option

from xembed.cli.depth import depth
from xembed.cli.embed import cache_app, embed
from xembed.cli.explain import explain
from xembed.cli.geco import geco
from xembed.cli.isotropy import isotropy
from xembed.cli.options import add_commands
from xembed.cli.report import report
from xembed.cli.shift import demo, drift, shift

app = typer.Typer(
    name="xembed",
    help="Ask text embeddings, and the models behind them, the questions that matter.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # rich costs more than all else that --help needs
    context_settings={"help_option_names": ["-h", "--help"]},
)

# Did my corpus change? Which texts? Is the space sound? Which words? Then what serves all of them.
add_commands(app, {
    "demo": demo, "shift": shift, "drift": drift, "depth": depth, "isotropy": isotropy, "explain": explain,
    "geco": geco, "report": report, "embed": embed,
})  # fmt: skip
app.add_typer(cache_app, name="cache")


def main() -> None:
    """Run the command line: exit code 0 done, 1 failed, 2 wrong usage, 3 shift found with --fail-on-shift."""
    try:
        app(standalone_mode=True)
    except (ValueError, TypeError, OSError, ImportError, RuntimeError, MemoryError) as error:
        if os.environ.get("XEMBED_DEBUG"):
            raise
        typer.echo(f"xembed: error: {error}", err=True)
        sys.exit(1)


def _print_version(wanted: bool) -> None:
    if wanted:
        from xembed import __version__

        typer.echo(f"xembed {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Ask text embeddings, and the models behind them, the questions that matter."""
