"""Encoders whose embeddings are transformed."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from xembed._core.validation import FloatArray, check_embeddings
from xembed.encoders import describe_encoder, encode_texts
from xembed.transforms._base import Transform, transform_bytes

if TYPE_CHECKING:
    from xembed.encoders import Encoding
    from xembed.encoders._cache import CacheOption


class WrappedEncoder:
    """An encoder whose embeddings are corrected; `wrap` makes one.

    Attributes
    ----------
    encoder : object with ``.encode``
        The wrapped encoder.
    correction : object with ``.transform``
        The transform that its embeddings go through.
    dimension : int or None
        Dimensions of the corrected embeddings. None if they are not known before encoding.
    max_length : int or None
        Maximum number of tokens that the wrapped encoder reads, if it says so.
    fingerprint : str or None
        Hash of the encoder's fingerprint and of the transform. None if the one has none, or the other is of your own.
    """

    def __init__(self, encoder: Any, correction: Any) -> None:
        self.encoder = encoder
        self.correction = correction

    @property
    def dimension(self) -> int | None:
        """Dimensions of the corrected embeddings."""
        return _dimension_after(self.correction)

    @property
    def max_length(self) -> int | None:
        """Maximum number of tokens that are read of a text."""
        return getattr(self.encoder, "max_length", None)

    @property
    def fingerprint(self) -> str | None:
        """Hash of everything that the embeddings depend on."""
        return self._combine_fingerprint(getattr(self.encoder, "fingerprint", None))

    def encode(
        self, texts: Iterable[str], batch_size: int = 32, *, progress: bool | None = None, cache: CacheOption = True
    ) -> FloatArray:
        """Return the corrected embeddings of texts.

        Parameters and errors are those of the wrapped encoder; ``batch_size``, ``progress`` and ``cache`` have no
        effect on an object of your own. The cache holds raw embeddings, so that another correction needs no encoding.

        Returns
        -------
        ndarray of shape (n_texts, dimension)
            One row a text; float32 from an `Encoder`. Rows are not scaled to unit length after the correction.
        """
        if hasattr(self.encoder, "encode_detailed"):  # its encode takes the options, and warns of texts that are cut
            raw = self.encoder.encode(texts, batch_size, progress=progress, cache=cache)
        else:
            raw = encode_texts(self.encoder, texts).embeddings
        return self._correct(raw)

    def encode_detailed(
        self, texts: Iterable[str], batch_size: int = 32, *, progress: bool | None = None, cache: CacheOption = True
    ) -> Encoding:
        """Return the corrected embeddings with the numbers of cached, repeated and truncated texts."""
        encoding = encode_texts(self.encoder, texts, batch_size=batch_size, progress=progress, cache=cache)
        return dataclasses.replace(encoding, embeddings=self._correct(encoding.embeddings))

    def describe(self) -> dict[str, Any]:
        """Return the description of the wrapped encoder, with that of the transform as ``correction``.

        Several transforms, of a pipeline or of nested wrappers, are a list in the order in which they are applied.
        ``dimension``, ``fingerprint`` and ``normalize`` are those of the corrected embeddings.
        """
        described = dict(describe_encoder(self.encoder))
        changed = {
            "dimension": self.dimension,
            "fingerprint": self._combine_fingerprint(described.get("fingerprint")),
            "normalize": False,
        }
        described |= {name: value for name, value in changed.items() if name in described}
        steps, inside = _describe_steps(self.correction), self.encoder
        while isinstance(inside, WrappedEncoder):
            steps, inside = _describe_steps(inside.correction) + steps, inside.encoder
        return described | {"correction": steps[0] if len(steps) == 1 else steps}

    def __repr__(self) -> str:
        return f"WrappedEncoder({self.encoder!r}, {self.correction!r})"

    def _correct(self, raw: FloatArray) -> FloatArray:
        name = f"what {type(self.correction).__name__}.transform returns"
        # numpy again, even if set_output asked for tables
        rows = check_embeddings(np.asarray(self.correction.transform(raw)), name=name, caller="wrap", min_rows=0)
        if len(rows) != len(raw):
            raise ValueError(f"{name} must have one row a text. Got {len(rows)} rows for {len(raw)} texts.")
        return rows

    def _combine_fingerprint(self, inside: Any) -> str | None:
        if not isinstance(inside, str) or not isinstance(self.correction, Transform):
            return None
        return hashlib.sha256(inside.encode() + b"\n" + transform_bytes(self.correction)).hexdigest()


def wrap(encoder: Any, correction: Any) -> WrappedEncoder:
    """Return an encoder that applies a fitted transform to the embeddings of another encoder.

    Parameters
    ----------
    encoder : Encoder or object with ``.encode(list of str)``
        The encoder, of the kinds that `xembed.encoders.encode_texts` takes.
    correction : fitted object with ``.transform``
        The transform, fitted on embeddings of this encoder: one of this package or a scikit-learn pipeline of several.

    Returns
    -------
    WrappedEncoder
        The encoder, with the methods and attributes of the other.

    Raises
    ------
    TypeError
        If ``encoder`` has no ``.encode``, or ``correction`` no ``.transform``.
    NotFittedError
        If the correction is not fitted (a ``ValueError``, too).
    ValueError
        If the correction was fitted to another number of dimensions than the encoder gives, where both say how many.

    Examples
    --------
    >>> import xembed
    >>> from xembed.transforms import Standardize, wrap
    >>> encoder = xembed.load_encoder(device="cpu")
    >>> texts = ["A cat sleeps.", "A dog barks.", "The rates rose.", "The sun rises."]
    >>> correction = Standardize().fit(encoder.encode(texts, cache=False))
    >>> corrected = wrap(encoder, correction)
    >>> corrected.encode(texts, cache=False).std(axis=0).round(3).max()
    np.float32(1.0)
    >>> corrected.describe()["correction"]["class"]
    'Standardize'
    """
    if not callable(getattr(encoder, "encode", None)) or isinstance(encoder, str):
        raise TypeError(
            "The 'encoder' parameter of wrap must be an encoder: an object with .encode(list of texts), such as "
            f"xembed.load_encoder() gives. Got {encoder!r:.60} instead."
        )
    if not callable(getattr(correction, "transform", None)) or isinstance(correction, type):
        raise TypeError(
            "The 'correction' parameter of wrap must be a fitted correction: an object with .transform, such as "
            f"xembed.transforms.Whitening().fit(X). Got {correction!r:.60} instead."
        )
    if isinstance(correction, BaseEstimator):
        try:
            check_is_fitted(correction)
        except NotFittedError:
            raise NotFittedError(
                f"The 'correction' parameter of wrap must be fitted. Got {correction!r:.80}, which is not: call its "
                "fit with embeddings of this encoder first."
            ) from None
    given, expected = getattr(encoder, "dimension", None), getattr(correction, "n_features_in_", None)
    if given is not None and expected is not None and given != expected:
        raise ValueError(
            f"The encoder and the correction must have the same number of dimensions. Got {given} and {expected}: was "
            f"the {type(correction).__name__} fitted to embeddings of another model?"
        )
    return WrappedEncoder(encoder, correction)


def _dimension_after(correction: Any) -> int | None:
    if isinstance(correction, Transform):
        return correction._width()
    try:
        return len(correction.get_feature_names_out())
    except (AttributeError, TypeError, ValueError):  # not every transformer can say
        return None


def _describe_steps(correction: Any) -> list[dict[str, Any]]:
    steps = getattr(correction, "steps", None)
    if isinstance(steps, list):  # a scikit-learn pipeline
        return [described for _, step in steps for described in _describe_steps(step)]
    describe = getattr(correction, "describe", None)
    described = describe() if callable(describe) else None
    return [described if isinstance(described, dict) and _is_json(described) else {"class": type(correction).__name__}]


def _is_json(data: Any) -> bool:
    try:
        json.dumps(data, allow_nan=False)
    except (TypeError, ValueError):
        return False
    return True
