"""An encoder that keeps its batch size, cache and progress bar wherever it is called."""

from __future__ import annotations

from collections.abc import Iterable

from xembed.encoders._cache import CacheOption
from xembed.encoders._encoder import Encoder
from xembed.encoders._encoding import Encoding


class ConfiguredEncoder(Encoder):
    """The same encoder, whose callers need not know how it is to encode.

    Parameters
    ----------
    encoder : Encoder
        The encoder.
    batch_size : int
        Number of texts the model reads at once; whatever a caller asks for.
    cache : bool
        Whether to use a cache at all; if true, callers decide.
    progress : bool, optional
        Whether to show a progress bar where a caller leaves it open.
    """

    def __init__(self, encoder: Encoder, *, batch_size: int, cache: bool, progress: bool | None) -> None:
        vars(self).update(vars(encoder))  # the same model, not loaded again
        self._batch_size, self._cache, self._progress = batch_size, cache, progress

    def _encode(
        self, texts: Iterable[str], batch_size: int, progress: bool | None, cache: CacheOption, *, caller: str
    ) -> Encoding:
        progress = self._progress if progress is None else progress
        return super()._encode(texts, self._batch_size, progress, cache if self._cache else False, caller=caller)
