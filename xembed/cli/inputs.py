"""What the commands share: files in, an encoder when it is needed, embeddings out."""

from __future__ import annotations

import functools
import os
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import typer

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from xembed.datasets import TextTable


Encode = Callable[[], Any]


def encoder_on_demand(
    model: str | None = None,
    layer: int = -1,
    pooling: str | None = None,
    device: str = "auto",
    max_length: int | None = None,
    batch_size: int = 32,
    cache: bool = True,
    normalize: bool | None = None,
) -> Encode:
    """Return a function that loads the encoder when it is first needed: ready embeddings need none."""

    @functools.cache
    def load() -> Any:
        if sys.stderr.isatty():  # importing PyTorch takes seconds in which nothing else can be seen
            typer.echo("Loading the encoder ...", err=True)
        from xembed.encoders import load_encoder

        encoder = load_encoder(
            model,
            layer=layer,
            pooling=pooling,
            normalize=normalize,
            device=device,
            max_length=max_length,
        )
        return encoder, batch_size, cache

    return load


def read_source(path: Path, text_column: str | None, skip_blank: bool) -> TextTable | npt.NDArray[Any]:
    """Read texts or ready embeddings, by the ending of the file."""
    from xembed.datasets import read_embeddings, read_texts

    if path.suffix.lower() in {".npy", ".npz"}:
        return read_embeddings(path)
    return read_texts(path, text_column=text_column, skip_blank=skip_blank)


def check_same_kind(first: Any, second: Any, names: str) -> None:
    """Refuse texts beside embeddings; ``names`` says which inputs these are."""
    if (texts_of(first) is None) != (texts_of(second) is None):
        raise ValueError(
            f"{names} must both be texts, or both embeddings of the same model. Got one of each: embed the texts with "
            "that model first (xembed embed)."
        )


def texts_of(source: TextTable | npt.NDArray[Any]) -> tuple[str, ...] | None:
    """Return the texts of a source, or None for embeddings."""
    return getattr(source, "texts", None)


def embed_source(
    source: TextTable | npt.NDArray[Any], encode: Encode, progress: bool | None, name: str
) -> tuple[npt.NDArray[np.floating[Any]], list[str], dict[str, Any] | None]:
    """Return embeddings, warnings, and what made them (None for ready ones)."""
    texts = texts_of(source)
    if texts is None:
        return source, [], None  # type: ignore[return-value]
    encoder, batch_size, cache = encode()
    encoding = encoder.encode_detailed(list(texts), batch_size=batch_size, progress=progress, cache=cache)
    notes = []
    if encoding.n_truncated:
        notes.append(
            f"{encoding.n_truncated} of the {len(texts)} texts of {name} exceed {encoder.max_length} tokens: what "
            "comes after is not in their embeddings."
        )
    if skipped := getattr(source, "n_skipped", 0):
        notes.append(f"{skipped} blank text{'s were' if skipped > 1 else ' was'} dropped from {name}.")
    return encoding.embeddings, notes, encoder.describe()


def column_of(source: TextTable | npt.NDArray[Any], column: str, path: Path) -> list[Any]:
    """Return a column of a table, such as groups or times."""
    if texts_of(source) is None:
        raise ValueError(f"{str(path)!r} holds embeddings only, so it has no column {column!r}. Give a table of texts.")
    values: list[Any] = list(source.column(column))  # type: ignore[union-attr]
    return values


Made = TypeVar("Made")


def signed(result: Made) -> Made:
    """Add the command and the date to a result's provenance."""
    from dataclasses import replace

    return replace(result, provenance=result.provenance | signature())  # type: ignore[type-var, attr-defined]


def signature() -> dict[str, str]:
    """Return the command and the date."""
    from datetime import datetime, timezone

    epoch = os.environ.get("SOURCE_DATE_EPOCH")  # for reports that are the same to the byte
    moment = datetime.fromtimestamp(int(epoch), timezone.utc) if epoch else datetime.now(timezone.utc)
    return {"command": shlex.join(["xembed", *sys.argv[1:]]), "created": moment.strftime("%Y-%m-%d %H:%M UTC")}
