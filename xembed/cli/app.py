"""The application: its commands in the order of a user's questions, and what errors become."""

from __future__ import annotations

import importlib
import io
import os
import pkgutil
import sys
import warnings
from pathlib import Path
from typing import Annotated

import typer
from typer import Option

from xembed.cli.embed import cache_app
from xembed.cli.options import Command, add_commands
from xembed.cli.outputs import say, warn

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
    """Run the command line: exit code 0 done, 1 failed, 2 wrong usage, 3 a shift with ``--fail-on-shift``."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # what the terminal's encoding lacks is no reason to fail
    try:
        with warnings.catch_warnings():
            warnings.showwarning = lambda message, *_, **__: warn([str(message)])
            sys.exit(app(prog_name="xembed", standalone_mode=False) or 0)
    except BrokenPipeError:  # a reader such as head has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is still to be flushed goes nowhere
        sys.exit(1)
    except KeyboardInterrupt:
        say("xembed: interrupted", err=True)
        sys.exit(130)
    except Exception as error:
        if os.environ.get("XEMBED_DEBUG"):
            raise
        sys.exit(_say_error(error))


def _say_error(error: Exception) -> int:
    """Print one error as a sentence, and return the exit code it stands for."""
    if type(error).__name__ == "NoArgsIsHelpError":  # whose message is the help
        error.show()  # type: ignore[attr-defined]
        return 2
    context = getattr(error, "ctx", None)
    if hasattr(error, "format_message"):  # of typer, whose classes have moved between its versions
        lead = "" if context is None else f" ({context.command_path} --help lists what can be given.)"
        problem = error.format_message().replace(": Value error, ", ": ")  # as some versions of typer begin it
        say(f"xembed: error: {problem}{lead}", err=True)
        return int(error.exit_code)  # type: ignore[attr-defined]
    expected = isinstance(error, ValueError | TypeError | OSError | ImportError | RuntimeError | MemoryError)
    problem = str(error) or type(error).__name__
    if not expected:  # a fault of ours
        problem = f"{type(error).__name__}: {error}. Set XEMBED_DEBUG=1 to see where, and please report it."
    say(f"xembed: error: {problem}", err=True)
    return 1


def _print_version(wanted: bool) -> None:
    if wanted:
        from xembed import __version__

        say(f"xembed {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Ask text embeddings, and the models behind them, the questions that matter."""
