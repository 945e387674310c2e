"""What commands read: texts or ready embeddings from files, and embeddings of the texts."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from xembed.cli.options import EncoderOptions, ReadingOptions

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import numpy.typing as npt

    from xembed.datasets import TextTable


def read_source(path: Path, reading: ReadingOptions) -> TextTable | npt.NDArray[Any]:
    """Read texts or ready embeddings: those of .npy, or of a table where their column is named."""
    from xembed.datasets import read_embeddings, read_texts

    options = dataclasses.asdict(reading)
    column = options.pop("embedding_column")
    if path.suffix.lower() in {".npy", ".npz"}:
        return read_embeddings(path)
    if column is not None:
        form = {name: options[name] for name in ("delimiter", "encoding")}
        return read_embeddings(path, embedding_column=column, **form)
    return read_texts(path, **options)


def read_text_source(path: Path, reading: ReadingOptions, *, why: str) -> TextTable:
    """Read texts; embeddings are refused, and ``why`` says for what reason."""
    source = read_source(path, reading)
    if texts_of(source) is None:
        raise ValueError(f"{str(path)!r} holds embeddings{why}. Give a file of texts.")
    return source  # type: ignore[return-value]


def texts_of(source: TextTable | npt.NDArray[Any]) -> tuple[str, ...] | None:
    """Return the texts of a source, or None for embeddings."""
    return getattr(source, "texts", None)


def column_of(source: TextTable | npt.NDArray[Any], column: str, path: Path) -> list[Any]:
    """Return a column of a table, such as groups or times."""
    if texts_of(source) is None:
        raise ValueError(f"{str(path)!r} holds embeddings only, so it has no column {column!r}. Give a table of texts.")
    return list(source.column(column))  # type: ignore[union-attr]


def complete_column(source: TextTable | npt.NDArray[Any], column: str, path: Path) -> list[Any]:
    """Return a column of groups or labels; blank cells are refused: they would pass for one large group."""
    from xembed.shift._battery import is_missing

    values = column_of(source, column, path)
    missing = [place for place, value in enumerate(values) if is_missing(value)]
    if missing:
        raise ValueError(
            f"{str(path)!r} must have a value in each cell of {column!r}. {len(missing)} "
            f"{'is' if len(missing) == 1 else 'are'} blank ({_list_rows(source, missing)}): fill them in, or drop the "
            "rows."
        )
    return values


def _list_rows(source: Any, places: Sequence[int]) -> str:
    """Name rows as they are counted in the file, not all of many."""
    numbers = ", ".join(str(source.rows[place]) for place in places[:5]) + (", ..." if len(places) > 5 else "")
    return f"{source.unit}{'s' * (len(places) > 1)} {numbers}"


def check_same_kind(first: Any, second: Any, names: str) -> None:
    """Refuse texts beside embeddings; ``names`` says which inputs these are."""
    if (texts_of(first) is None) != (texts_of(second) is None):
        raise ValueError(
            f"{names} must both be texts, or both embeddings of the same model. Got one of each: embed the texts with "
            "that model first (xembed embed)."
        )


def different_names(first: str, second: str) -> tuple[str, str]:
    """Return the names of two corpora, told apart if they are the same."""
    return (first, second) if first != second else (f"{first} (F)", f"{second} (G)")


class Embedded(NamedTuple):
    """Embeddings, what to warn of, and the description of the encoder (None for ready embeddings)."""

    embeddings: npt.NDArray[np.floating[Any]]
    warnings: list[str]
    encoder: dict[str, Any] | None


def embed_source(source: TextTable | npt.NDArray[Any], encoding: EncoderOptions, name: str) -> Embedded:
    """Return the embeddings of a source, which warnings call ``name``."""
    texts = texts_of(source)
    if texts is None:
        return Embedded(source, [], None)  # type: ignore[arg-type]
    encoder = encoding.encoder
    encoded = encoder.encode_detailed(texts)
    warnings = [*getattr(source, "warnings", ()), *encoded.warnings(name)]
    if n_skipped := getattr(source, "n_skipped", 0):
        warnings.append(f"{n_skipped} blank text{'s were' if n_skipped > 1 else ' was'} dropped from {name}.")
    return Embedded(encoded.embeddings, warnings, encoder.describe())


def embed_with_reference(
    sources: Sequence[Any], encoding: EncoderOptions, files: Sequence[Path | None]
) -> tuple[npt.NDArray[np.floating[Any]], npt.NDArray[np.floating[Any]] | None, list[str]]:
    """Return the embeddings of a source and of its reference corpus, if there is one, and what to warn of."""
    parts = [embed_source(s, encoding, file.name) for s, file in zip(sources, files, strict=True) if file is not None]
    warnings = [warning for part in parts for warning in part.warnings]
    return parts[0].embeddings, parts[1].embeddings if len(parts) > 1 else None, warnings
