"""What encoding gives, and encoding with any object that has ``.encode``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from xembed._core.text import count, cut
from xembed._core.validation import FloatArray, check_count, check_embeddings, check_texts, shows_progress

if TYPE_CHECKING:
    from xembed.encoders._cache import CacheOption

Counts = npt.NDArray[np.int64]
_MUCH_UNKNOWN = 0.01  # share of tokens
_QUOTED = 60  # characters of a text in a warning


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
    n_unknown, n_content : ndarray of shape (n_texts,), int64, or None
        Number of unknown tokens of each whole text, such as ``[UNK]``, and of all its tokens that are neither special
        nor blank nor of the prompt, the unknown ones included. ``None`` if not counted.
    max_length : int or None
        Number of tokens that the encoder reads. ``None`` if there is no limit or it is unknown.
    texts : tuple of str
        The texts, which `warnings` quotes; empty if the encoder does not hand them on.

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
    n_tokens: Counts | None = None
    n_unknown: Counts | None = None
    n_content: Counts | None = None
    max_length: int | None = None
    texts: tuple[str, ...] = ()

    @property
    def unread(self) -> float:
        """Share of the texts of which the encoder reads nothing: no token, or unknown ones only. 0 if not counted."""
        if self.n_unknown is None or self.n_content is None or not self.n_texts:
            return 0.0
        return float((self.n_unknown >= self.n_content).mean())

    def warnings(self, name: str | None = None) -> list[str]:
        r"""Return what the encoder does not read of the texts, with counts; empty if it reads everything.

        Parameters
        ----------
        name : str, optional
            Name of the corpus, or of the text if it is one.

        Returns
        -------
        list of str
            A sentence for texts that are cut, for texts without a token, for texts of unknown tokens only, and for
            unknown tokens if they are more than 1 % of all.

        Examples
        --------
        >>> import numpy as np
        >>> from xembed.encoders import Encoding
        >>> none, all_unknown = np.zeros(2, np.int64), np.array([0, 3])
        >>> X = np.zeros((2, 4), np.float32)
        >>> encoding = Encoding(X, 2, 2, n_unknown=all_unknown, n_content=np.array([5, 3]), texts=("A cat.", "☃ ☃ ☃"))
        >>> print(*encoding.warnings("notes.txt"), sep="\n")
        1 of 2 texts of notes.txt holds only tokens that the encoder does not know ('☃ ☃ ☃'): it tells such texts apart
        by their number of tokens at most.
        37.5 % of the 8 tokens of notes.txt are unknown to the encoder: what they say has no influence on embeddings.
        """
        of = f" of {name}" if name else ""
        sentences = []
        if self.n_truncated:
            is_, was = ("is", "was") if self.n_truncated == 1 else ("are", "were")
            limit = "the encoder reads" if self.max_length is None else f"{self.max_length} tokens"
            sentences.append(
                f"{self._subject(self.n_truncated, name)} {is_} longer than {limit} and {was} cut: what follows has no "
                "influence on the embedding. Split long texts, or load the encoder with a larger max_length if the "
                "model allows it."
            )
        if self.n_unknown is None or self.n_content is None:
            return sentences
        empty = self.n_content == 0
        for unread, what, why in (
            (empty, "no tokens but special ones", "to the encoder such texts are all the same"),
            (
                ~empty & (self.n_unknown >= self.n_content),
                "only tokens that the encoder does not know",
                "it tells such texts apart by their number of tokens at most",
            ),
        ):
            if n := int(unread.sum()):
                first = cut(repr(self.texts[int(unread.argmax())]), _QUOTED) if self.texts else ""
                quoted = f" ({'first: ' if n > 1 else ''}{first})" if first else ""
                sentences.append(f"{self._subject(n, name)} hold{'s' if n == 1 else ''} {what}{quoted}: {why}.")
        n_unknown, n_content = int(self.n_unknown.sum()), int(self.n_content.sum())
        if _MUCH_UNKNOWN * n_content < n_unknown < n_content:
            sentences.append(
                f"{100 * n_unknown / n_content:.3g} % of the {n_content:,} tokens{of} are unknown to the encoder: what "
                "they say has no influence on embeddings."
            )
        return sentences

    def _subject(self, count: int, name: str | None) -> str:
        if self.n_texts == 1 and name:
            return name
        return f"{count:,} of {self.n_texts:,} texts{f' of {name}' if name else ''}"

    def __repr__(self) -> str:
        return (
            f"Encoding(n_texts={self.n_texts}, n_unique={self.n_unique}, n_cached={self.n_cached}, "
            f"n_truncated={self.n_truncated}, dimension={self.embeddings.shape[1]})"
        )


def different_texts(texts: Sequence[str]) -> tuple[list[str], npt.NDArray[np.intp]]:
    """Return the different texts in order, and for each text its place among them."""
    places: dict[str, int] = {}
    inverse = np.fromiter((places.setdefault(text, len(places)) for text in texts), np.intp, count=len(texts))
    return list(places), inverse


def longest_first(n_tokens: Counts, limit: int | None) -> npt.NDArray[np.intp]:
    """Return rows by falling number of tokens that are read: a batch too large for the memory fails at once."""
    return np.argsort(-(n_tokens if limit is None else np.minimum(n_tokens, limit)), kind="stable")


def counted(
    embeddings: FloatArray, texts: Sequence[str], counts: Counts, *, n_unique: int, n_cached: int, limit: int | None
) -> Encoding:
    """Return an `Encoding` with counts, (n_texts, 3), of tokens, unknown tokens and content tokens of each text."""
    n_tokens, n_unknown, n_content = counts.T
    return Encoding(
        embeddings,
        n_texts=len(texts),
        n_unique=n_unique,
        n_cached=n_cached,
        n_truncated=0 if limit is None else int(np.count_nonzero(n_tokens > limit)),
        n_tokens=n_tokens,
        n_unknown=n_unknown,
        n_content=n_content,
        max_length=limit,
        texts=tuple(texts),
    )


def warn_of_tokens(tokenizer: Any, rows: Sequence[Sequence[int]], texts: Sequence[str], name: str) -> list[str]:
    """Return `Encoding.warnings` of texts that training or a model of one's own reads, by the ids of their tokens."""
    from xembed.encoders._pipeline import TokenKinds

    return warn_of_counts(TokenKinds(tokenizer).count(rows), texts, name)


def warn_of_counts(counts: Counts, texts: Sequence[str], name: str) -> list[str]:
    """Return `Encoding.warnings` of texts by the counts, (n_texts, 3), of `count_tokens`; cuts are said elsewhere."""
    nothing = np.zeros((len(texts), 1), np.float32)
    return counted(nothing, texts, counts, n_unique=len(texts), n_cached=0, limit=None).warnings(name)


def find_unread(encoder: Any, texts: Sequence[str], name: str) -> tuple[list[str], float]:
    """Return `Encoding.warnings` and `Encoding.unread` of texts that are encoded elsewhere.

    Cuts are left out: explanations say them themselves. Objects without ``.encode_detailed`` are asked nothing.
    """
    if not callable(getattr(encoder, "encode_detailed", None)):
        return [], 0.0
    encoding = replace(encode_texts(encoder, texts), n_truncated=None)
    return encoding.warnings(name), encoding.unread


def encode_texts(
    encoder: Any,
    texts: Iterable[str],
    *,
    batch_size: int = 32,
    progress: bool | None = None,
    cache: CacheOption = True,
) -> Encoding:
    """Encode texts with an `Encoder`, or with any object that has ``.encode``.

    Parameters
    ----------
    encoder : Encoder or object with ``.encode(list of str)``
        Of an object of your own ``.encode(texts)`` is called once with all texts, without a cache or, if it has it,
        ``.encode_detailed`` as that of an `Encoder`.
    texts : iterable of str
        The texts, none of them blank.
    batch_size, progress, cache
        Options of `Encoder.encode`, for ``.encode_detailed`` only.

    Returns
    -------
    Encoding
        The embeddings and the counts.

    Raises
    ------
    TypeError, ValueError
        If ``encoder`` has no ``.encode``, gives no `Encoding` or no finite row a text, or a text is blank or no string.

    Examples
    --------
    >>> from xembed.encoders import encode_texts
    >>> class Lengths:
    ...     def encode(self, texts):
    ...         return [[len(text), text.count(" ")] for text in texts]
    >>> encode_texts(Lengths(), ["a b", "c"]).embeddings
    array([[3., 1.], [1., 0.]])
    """
    check_encoding_options(batch_size, progress, caller="encode_texts")
    encode_detailed = getattr(encoder, "encode_detailed", None)
    if callable(encode_detailed) and not isinstance(encoder, type):
        encoding = encode_detailed(texts, batch_size, progress=progress, cache=cache)
        if not isinstance(encoding, Encoding):
            raise TypeError(
                f"What {type(encoder).__name__}.encode_detailed returns must be an xembed.encoders.Encoding. "
                f"Got {type(encoding).__name__} instead."
            )
        return encoding
    encode = _find_encode(encoder, caller="encode_texts")
    checked = check_texts(texts)
    name = f"what {type(encoder).__name__}.encode returns"
    embeddings = check_embeddings(encode(checked), name=name, caller="encode_texts", min_rows=0)
    if len(embeddings) != len(checked):
        raise ValueError(f"{name} must have one row a text. Got {len(embeddings)} rows for {len(checked)} texts.")
    bad = np.flatnonzero(~np.isfinite(embeddings).all(axis=1))
    if len(bad):
        raise ValueError(
            f"{name} must be finite. Got {count(len(bad), 'row')} with NaN or infinity "
            f"(first: row {bad[0]}, text {checked[bad[0]]!r:.60})."
        )
    if embeddings.dtype == np.float16:
        embeddings = embeddings.astype(np.float32)
    return Encoding(embeddings, n_texts=len(checked), n_unique=len(set(checked)))


def check_encoding_options(batch_size: Any, progress: Any, *, caller: str) -> None:
    """Check the options of encoding, which an object of one's own never sees."""
    check_count(batch_size, name="batch_size", caller=caller)
    shows_progress(progress, caller=caller)


def describe_encoder(encoder: Any) -> dict[str, Any]:
    """Return what a report says about an encoder, as plain data.

    Parameters
    ----------
    encoder : Encoder or object with ``.encode``
        An object of your own is asked for ``.describe()`` if it has that.

    Returns
    -------
    dict
        For an `Encoder`: ``model``, ``revision``, ``layer``, ``pooling``, ``normalize``, ``max_length``, ``dtype``,
        ``dimension``, ``fingerprint``, ``device``, and ``backend`` if it is not PyTorch. For another object what its
        ``.describe()`` returns, or ``model`` with the name of its class.

    Raises
    ------
    TypeError
        If ``encoder`` has no ``.encode``.

    Examples
    --------
    >>> from xembed.encoders import describe_encoder
    >>> class Lengths:
    ...     def encode(self, texts):
    ...         return [[len(text)] for text in texts]
    >>> describe_encoder(Lengths())
    {'model': 'Lengths'}
    """
    _find_encode(encoder, caller="describe_encoder")
    describe = getattr(encoder, "describe", None)
    described = describe() if callable(describe) else None
    return described if isinstance(described, dict) else {"model": type(encoder).__name__}


def _find_encode(encoder: Any, *, caller: str) -> Callable[[Sequence[str]], Any]:
    encode = getattr(encoder, "encode", None)
    if not callable(encode) or isinstance(encoder, str):  # a string's encode is another matter
        raise TypeError(
            f"The 'encoder' parameter of {caller} must be an encoder: an object with .encode(list of texts), "
            f"such as xembed.load_encoder() gives. Got {encoder!r:.60} instead."
        )
    return encode  # type: ignore[no-any-return]
