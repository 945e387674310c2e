"""Corpora given as texts or as embeddings: read when called, encoded when everything else is checked."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from xembed._core.inputs import column_names, holds_texts, text_columns
from xembed._core.validation import FloatArray, check_number, check_texts
from xembed.encoders._encoding import describe_encoder, encode_texts


class Embedded(NamedTuple):
    """Embeddings, what to warn of, the description of the encoder (None for ready ones), and `Encoding.unread`."""

    embeddings: FloatArray
    warnings: list[str]
    encoder: dict[str, Any] | None
    unread: float = 0.0


def embed(texts: Sequence[str], encoder: Any, *, name: str, table: Any = None) -> Embedded:
    """Return the embeddings of texts, which warnings call ``name``; those of the ``table`` they are from come along."""
    encoding = encode_texts(encoder, texts)
    warnings = [*getattr(table, "warnings", ()), *encoding.warnings(name)]
    if n_skipped := getattr(table, "n_skipped", 0):
        warnings.append(f"{n_skipped} blank text{'s were' if n_skipped > 1 else ' was'} dropped from {name}.")
    return Embedded(encoding.embeddings, warnings, describe_encoder(encoder), encoding.unread)


class Corpora(NamedTuple):
    """By the name of the parameter: what was given, and its texts (none where embeddings were given)."""

    sources: dict[str, Any]
    texts: dict[str, list[str]]
    encoder: Any

    def places(self, name: str) -> npt.NDArray[np.float32]:
        """Return an array with as many rows as a corpus has texts, for checks that need no more."""
        return np.ones((len(self.texts[name]), 1), np.float32)

    def load(self) -> Any:
        """Return the encoder of the texts; a model that was named, or the default one, is loaded."""
        if self.encoder is not None and not isinstance(self.encoder, str | os.PathLike):
            return self.encoder
        from xembed.encoders._load import load_encoder

        return load_encoder(self.encoder)

    def embed(self, **names: str) -> tuple[list[Any], list[str], dict[str, Any] | None, list[float]]:
        """Return the embeddings of all corpora, warnings, the encoder's description, and `Encoding.unread` of each.

        Parameters
        ----------
        **names
            What warnings call the corpora, by the name of the parameter; by default that.
        """
        encoder = self.encoder
        if not self.texts:
            given = encoder is None or isinstance(encoder, Mapping)
            described = encoder if given else describe_encoder(encoder)
            ready = list(self.sources.values())
            return ready, [], None if described is None else dict(described), [0.0] * len(ready)
        encoder = self.load()
        parts = [
            embed(texts, encoder, name=names.get(name, name), table=self.sources[name])
            for name, texts in self.texts.items()
        ]
        warnings = [warning for part in parts for warning in part.warnings]
        return [part.embeddings for part in parts], warnings, parts[0].encoder, [part.unread for part in parts]


MUCH_UNREAD = 0.5  # share of a corpus' texts of which the encoder reads nothing, from which on a verdict says so first


def unread_verdict(unread: Mapping[str, float], *, same: bool = False) -> str:
    """Return what has to be said before all else where an encoder reads too little of texts; empty if it reads enough.

    Parameters
    ----------
    unread : mapping of str to float
        `Encoding.unread` by what sentences call the texts.
    same : bool, default=False
        Whether different texts have the same embedding, all of them.
    """
    parts = [
        f"nothing of {'' if share == 1 else f'{100 * share:.3g} % of '}{texts}"
        for texts, share in unread.items()
        if share >= MUCH_UNREAD
    ]
    if parts:
        return f"The encoder reads {' and '.join(parts)}: nothing can be said of what they say."
    return (
        "The encoder gives all these texts the same embedding: nothing can be said of how they differ." if same else ""
    )


def check_unread(unread: Any, *, caller: str) -> tuple[float, float]:
    """Return the shares of the texts of two corpora of which an encoder reads nothing."""
    if not isinstance(unread, Sequence) or len(unread) != 2:
        raise TypeError(f"The 'unread' parameter of {caller} must be a pair of shares. Got {unread!r:.60} instead.")
    first, second = (check_number(share, name="unread", caller=caller, low=0, high=1) for share in unread)
    return first, second


def read_corpora(
    sources: Mapping[str, Any],
    *,
    encoder: Any = None,
    text_column: Any = None,
    min_texts: Mapping[str, int] | None = None,
    caller: str,
) -> Corpora:
    """Return corpora, all of texts or all of embeddings, of which nothing is encoded yet; None is left out.

    Parameters
    ----------
    sources : mapping of str to texts or embeddings
        By the name of the parameter.
    encoder : encoder, str, path, mapping or None
        What encodes texts (None: the default encoder), or the description of what made the embeddings.
    text_column : str, optional
        Column of the texts, where sources are tables.
    min_texts : mapping of str to int, optional
        Fewest texts, by the name of the parameter; 1 by default.
    caller : str
        Name of the function in messages.

    Raises
    ------
    TypeError
        If something is neither texts nor embeddings, or the encoder does not go with it.
    ValueError
        If texts are blank or too few, a table does not have the column, or texts and embeddings are mixed.
    """
    given = {name: source for name, source in sources.items() if source is not None}
    least = min_texts or {}
    if text_column is not None and all(column_names(source) is None for source in given.values()):
        raise TypeError(
            f"The 'text_column' parameter of {caller} goes with a DataFrame or another table. Got none: leave "
            "'text_column' out."
        )
    texts = {
        name: _find_texts(source, text_column, name=name, caller=caller, min_texts=least.get(name, 1))
        for name, source in given.items()
    }
    as_rows = [name for name, items in texts.items() if items is None]
    if as_rows and len(as_rows) < len(texts):
        as_texts = next(name for name, items in texts.items() if items is not None)
        raise ValueError(
            f"{caller} takes texts or embeddings, not one of each. Got texts as {as_texts} and embeddings as "
            f"{as_rows[0]}: encode the texts with the model that made the embeddings, encoder.encode({as_texts})."
        )
    _check_encoder(encoder, are_texts=not as_rows, caller=caller)
    return Corpora(given, {name: items for name, items in texts.items() if items is not None}, encoder)


def _find_texts(source: Any, text_column: Any, *, name: str, caller: str, min_texts: int) -> list[str] | None:
    if type(source).__module__.startswith("dask."):
        return None
    names = column_names(source)
    if hasattr(source, "texts") and hasattr(source, "column"):  # a table of `xembed.datasets`
        items = source if text_column is None else source.column(text_column)
        return check_texts(items, name=name, min_texts=min_texts)
    if names is None:
        return check_texts(source, name=name, min_texts=min_texts) if holds_texts(source) else None
    if text_column is None:
        written = text_columns(source)
        if not written:
            return None
        raise TypeError(
            f"{name} must be texts or embeddings ({caller}). Got a {type(source).__name__} with the column "
            f"{written[0]!r:.60}: name the column of the texts, text_column={written[0]!r:.60}, or, if it holds "
            f"vectors, pass it alone, {name}[{written[0]!r:.60}]."
        )
    if text_column not in names:
        raise ValueError(
            f"The 'text_column' parameter of {caller} must be a column of {name}. Got {text_column!r}; the columns are "
            f"{', '.join(repr(column) for column in names[:20])}."
        )
    return check_texts(source[text_column], name=f"{name}[{text_column!r}]", min_texts=min_texts)


def _check_encoder(encoder: Any, *, are_texts: bool, caller: str) -> None:
    encodes = callable(getattr(encoder, "encode", None)) and not isinstance(encoder, str | type)
    if encoder is None or encodes or isinstance(encoder, str | os.PathLike if are_texts else Mapping):
        return
    if are_texts:
        expected, remedy = "an encoder, the name or folder of a model, or None (the default encoder)", "with texts"
    else:
        expected, remedy = "a mapping that describes the model, its encoder, or None", "with embeddings"
    raise TypeError(f"The 'encoder' parameter of {caller} must be {expected} {remedy}. Got {encoder!r:.80} instead.")
