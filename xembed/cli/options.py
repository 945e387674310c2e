"""Options that several commands have, and what makes a function a command."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import inspect
import operator
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, get_type_hints

import typer
from typer import Option

from xembed.cli.outputs import say
from xembed.encoders import POOLINGS

if TYPE_CHECKING:
    from xembed.encoders import Encoder

    PoolingName = str
else:
    PoolingName = Literal[tuple(POOLINGS)]

# How the library's errors name what is wrong with a call, and the options of other names than the parameters they set.
_ABOUT_PARAMETER = re.compile(r"The '(\w+)' parameter of [\w. -]+? (?=must )")
_OPTION_OF = {
    "n_resamples": ("resamples",), "n_samples": ("samples",), "n_sentences": ("sentences",), "rng": ("seed",),
    "scheme": ("schemes",), "method": ("methods",), "n_faithful": ("faithful",), "n_randomised": ("randomised",),
}  # fmt: skip

TEXTS = "texts in .txt (one a line), .csv, .tsv, .jsonl, .json or .parquet, also .gz; - is standard input"
INPUT = f"{TEXTS}, or ready embeddings in .npy"

GroupColumn = Annotated[str | None, "Column of the document or author of each row: groups are permuted whole."]
Distance = Annotated[Literal["cosine", "chord", "angular"], "Distance of depth."]
Seed = Annotated[int, Option(min=0, help="Seed of every random step.")]
Overwrite = Annotated[bool, "Replace the file if there is one."]
Progress = Annotated[bool | None, "Progress bar. Default: on a terminal only."]


@dataclasses.dataclass(frozen=True)
class ReadingOptions:
    """How files of texts are read."""

    text_column: Annotated[str | None, "Column that holds the texts."] = None
    skip_blank: Annotated[bool, "Drop blank texts instead of refusing them."] = False
    id_column: Annotated[str | None, "Column with an identifier of each text."] = None
    delimiter: Annotated[str | None, "Character between cells. Default: comma in .csv, tab in .tsv."] = None
    encoding: Annotated[str | None, "Encoding of texts, such as cp1252. Default: UTF-8."] = None
    dayfirst: Annotated[bool, "Read 04/03/2024 as the 4th of March."] = False
    embedding_column: Annotated[str | None, "Column of ready embeddings, or the stem of its columns: emb_0, ..."] = None


@dataclasses.dataclass(frozen=True)
class EncoderOptions:
    """Which model embeds texts, and how."""

    model: Annotated[str | None, "Hub id or local folder. Default: all-MiniLM-L6-v2, offline."] = None
    layer: Annotated[int, "Layer to read; -1 is the model's output."] = -1
    pooling: Annotated[PoolingName | None, "How tokens become one vector. Default: the model's own."] = None
    device: Annotated[str, "auto, cpu, cuda, mps, ..."] = "auto"
    backend: Annotated[Literal["torch", "onnx", "openvino"], "What runs the model."] = "torch"
    max_length: Annotated[int | None, "Tokens after which texts are cut. Default: the model's own."] = None
    batch_size: Annotated[int, Option(min=1, help="Texts encoded at once.")] = 32
    cache: Annotated[bool, "Keep embeddings on disk."] = True
    progress: Progress = None

    @functools.cached_property
    def encoder(self) -> Encoder:
        """The encoder, loaded when it is first needed: ready embeddings need none."""
        return self.load()

    def load(self, normalize: bool | None = None) -> Encoder:
        """Load the encoder, which keeps batch size, cache and progress wherever it is called."""
        if sys.stderr is not None and sys.stderr.isatty():  # importing PyTorch takes seconds
            say("Loading the encoder ...", err=True)
        from xembed.encoders import load_encoder

        encoder = load_encoder(
            self.model,
            layer=self.layer,
            pooling=self.pooling,
            normalize=normalize,
            device=self.device,
            max_length=self.max_length,
            backend=self.backend,
        )
        return encoder.with_options(batch_size=self.batch_size, cache=self.cache, progress=self.progress)


@dataclasses.dataclass(frozen=True)
class NormalizingEncoderOptions(EncoderOptions):
    """The same, and whether rows get length 1."""

    normalize: Annotated[bool | None, "Rows of length 1. Default: as the model does."] = None

    @functools.cached_property
    def encoder(self) -> Encoder:
        """The encoder, loaded when it is first needed."""
        return self.load(self.normalize)


@dataclasses.dataclass(frozen=True)
class OutputOptions:
    """What is written, and what goes to standard output."""

    out: Annotated[
        Path | None,
        Option(
            "--out", "-o", help="The page (.html), or - for standard output. Default: a new file of the command's name."
        ),
    ] = None
    format: Annotated[
        Literal["text", "json", "markdown"],
        "What goes to standard output. Other than text: messages go to standard error, and a page only to --out.",
    ] = "text"
    data: Annotated[bool, "All numbers in a .json beside the page."] = True
    overwrite: Annotated[bool, "Replace other files than reports of xembed, too."] = False

    @property
    def to_stdout(self) -> bool:
        """Whether the page goes to standard output."""
        return self.out == Path("-")

    @functools.cached_property
    def stdout(self) -> IO[Any]:
        """Standard output as it was when the command began."""
        return sys.stdout

    def messages(self) -> contextlib.AbstractContextManager[Any]:
        """Return within what messages go to standard error if standard output is for a page or for data."""
        if self.to_stdout and self.format != "text":
            raise ValueError("--format says what goes to standard output, and so does --out -. Give one of the two.")
        is_free = self.stdout is not None and not self.to_stdout and self.format == "text"
        return contextlib.nullcontext() if is_free else contextlib.redirect_stdout(sys.stderr)


class Command(NamedTuple):
    """A function that is a command, what lists of commands say of it, and what stands below its help."""

    run: Callable[..., None]
    short_help: str
    epilog: str
    place: int


def command(*examples: str, place: int = 50) -> Callable[[Callable[..., None]], Command]:
    """Make a function a command, with examples of it and its place among the commands.

    A parameter that is annotated with a dataclass, such as `EncoderOptions`, stands for the dataclass's fields: each
    becomes an option, after those of the command's own, and the function gets the object. A sentence in place of an
    ``Option`` is its help; what is false by default is then a flag.
    """

    def decorate(function: Callable[..., None]) -> Command:
        hints = get_type_hints(function, include_extras=True)
        groups: dict[str, Any] = {name: hint for name, hint in hints.items() if dataclasses.is_dataclass(hint)}
        own = [p for name, p in inspect.signature(function).parameters.items() if name not in groups]
        options = [(p.name, p.default, hints[p.name]) for p in own]
        for group in groups.values():
            of_group = get_type_hints(group, include_extras=True)
            options += [(field.name, field.default, of_group[field.name]) for field in dataclasses.fields(group)]
        options = [(name, default, _with_option(name, default, hint)) for name, default, hint in options]
        flags = {name: _flag(name, hint) for name, _, hint in options}

        @functools.wraps(function)
        def run(**values: Any) -> None:
            from xembed._core.progress import showing

            for name, group in groups.items():
                values[name] = group(**{field.name: values.pop(field.name) for field in dataclasses.fields(group)})
            output = next((value for value in values.values() if isinstance(value, OutputOptions)), OutputOptions())
            progress = next((v.progress for v in values.values() if isinstance(v, EncoderOptions)), None)
            try:
                with output.messages(), showing(values.get("progress", progress), caller="xembed"):
                    function(**values)
            except (ValueError, TypeError) as error:
                if (of_usage := _as_usage_error(error, flags)) is None:
                    raise
                raise of_usage from error

        kind = inspect.Parameter.KEYWORD_ONLY
        run.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
            [inspect.Parameter(name, kind, default=default, annotation=hint) for name, default, hint in options]
        )
        run.__annotations__ = {name: hint for name, _, hint in options}
        question = re.match(r"[^.?]*[.?]", inspect.getdoc(function) or "")
        # The backspace keeps the examples from being wrapped.
        epilog = "\n".join(["\b", "Examples:", *(f"  {example}" for example in examples)])
        return Command(run, question[0] if question else "", epilog, place)

    return decorate


def _with_option(name: str, default: Any, hint: Any) -> Any:
    (about,) = hint.__metadata__
    if not isinstance(about, str):
        return hint
    flags = [f"--{name.replace('_', '-')}"] if default is False else []
    return operator.getitem(Annotated, (hint.__origin__, Option(*flags, help=about)))


def _flag(name: str, hint: Any) -> str:
    """Return how an option is written."""
    declarations = getattr(hint.__metadata__[0], "param_decls", None) or ()
    return next((d for d in declarations if d.startswith("--")), f"--{name.replace('_', '-')}")


def _as_usage_error(error: Exception, flags: dict[str, str]) -> Exception | None:
    """Return the error as one of usage, in terms of options, if it is about one of the command's own; else None."""
    message = str(error)
    if message.startswith("--"):
        return typer.BadParameter(message.partition(" ")[2], param_hint=f"'{message.partition(' ')[0]}'")
    about = _ABOUT_PARAMETER.match(message)
    name = about and next((n for n in (about[1], *_OPTION_OF.get(about[1], ())) if n in flags), None)
    if not about or not name:
        return None
    return typer.BadParameter(message[about.end() :], param_hint=f"'{flags[name]}'")


def add_commands(app: typer.Typer, commands: dict[str, Command]) -> None:
    """Add commands to an application, in their order."""
    for name, item in commands.items():
        app.command(name, short_help=item.short_help, epilog=item.epilog)(item.run)
