"""How the embeddings of a text's tokens become one embedding."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple


class Pooling(NamedTuple):
    """A way to pool.

    Attributes
    ----------
    name : str
        Key in `POOLINGS`.
    mode : str
        Name in sentence-transformers.
    meaning : str
        Embedding of a text, in words.
    """

    name: str
    mode: str
    meaning: str


_TABLE = (
    Pooling("mean", "mean", "mean of the tokens"),
    Pooling("cls", "cls", "first token, which is [CLS] in BERT"),
    Pooling("max", "max", "maximum of each dimension over the tokens"),
    Pooling("last_token", "lasttoken", "last token"),
    Pooling("weighted_mean", "weightedmean", "mean of the tokens, weighted by their position"),
)
POOLINGS: Mapping[str, Pooling] = MappingProxyType({pooling.name: pooling for pooling in _TABLE})


def check_poolings(poolings: Any, *, caller: str) -> tuple[str, ...]:
    """Return the names of the poolings, each once."""
    from xembed._core.validation import check_option  # the shell's help, which names the poolings, needs no numpy

    names = [poolings] if isinstance(poolings, str) else poolings
    if not isinstance(names, list | tuple) or not names:
        raise TypeError(
            f"The 'poolings' parameter of {caller} must be a list or tuple of names of poolings. "
            f"Got {poolings!r:.60} instead."
        )
    return tuple(dict.fromkeys(check_option(name, POOLINGS, name="poolings", caller=caller) for name in names))
