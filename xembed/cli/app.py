"""The application: its commands in the order of a user's questions, and what errors become."""

from __future__ import annotations

import importlib
import os
import pkgutil
import sys
from pathlib import Path
from typing import Annotated

import typer
from typer import Option

from xembed.cli.embed import cache_app
from xembed.cli.options import Command, add_commands

app = typer.Typer(
    name="xembed",
    help="Ask text embeddings, and the models behind them, the questions that matter.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # rich costs more than all else that --help needs
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _commands() -> dict[str, Command]:
    """Return the command of each module that has one of its own name, in the order of their places."""
    names = [module.name for module in pkgutil.iter_modules([str(Path(__file__).parent)]) if module.name != "app"]
    modules = {name: importlib.import_module(f"xembed.cli.{name}") for name in names}
    commands = {name: getattr(module, name, None) for name, module in modules.items()}
    own = {name: item for name, item in commands.items() if isinstance(item, Command)}
    return dict(sorted(own.items(), key=lambda item: item[1].place))


# Did my corpus change? Which texts? Is the space sound? Which words? Then what serves all of them.
add_commands(app, _commands())
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
