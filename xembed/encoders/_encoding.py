"""What encoding gives: embeddings and counts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from xembed._core.validation import FloatArray


@dataclass(frozen=True, eq=False)
class Encoding:
    """Embeddings, and what happened on the way to them.

    Attributes
    ----------
    embeddings : ndarray of shape (n_texts, n_dims), float32
        Embeddings, one row a text, in the order of the texts. (An encoder of your own that gives float64 keeps it.)
    n_texts, n_unique : int
        Numbers of texts, and of different texts.
    n_cached : int
        Number of the different texts that were in the cache.
    n_truncated : int or None
        Number of texts that are longer than the encoder reads, each repetition counted. ``None`` if unknown.
    n_tokens : ndarray of shape (n_texts,), int64, or None
        Number of tokens of each whole text, special tokens and the model's prompt included. ``None`` if unknown.

    Examples
    --------
    >>> import numpy as np
    >>> from xembed.encoders import Encoding
    >>> Encoding(np.zeros((3, 2), np.float32), n_texts=3, n_unique=2)
    Encoding(n_texts=3, n_unique=2, n_cached=0, n_truncated=None, dimension=2)
    """

    embeddings: FloatArray
    n_texts: int
    n_unique: int
    n_cached: int = 0
    n_truncated: int | None = None
    n_tokens: npt.NDArray[np.int64] | None = None

    def __repr__(self) -> str:
        return (
            f"Encoding(n_texts={self.n_texts}, n_unique={self.n_unique}, n_cached={self.n_cached}, "
            f"n_truncated={self.n_truncated}, dimension={self.embeddings.shape[1]})"
        )
