"""Texts to embeddings: loading models, encoding with a cache on disk, and encoders of your own."""

from __future__ import annotations

from xembed.encoders._any_encoder import describe_encoder, encode_texts
from xembed.encoders._cache import cache_info, clear_cache
from xembed.encoders._encoder import Encoder
from xembed.encoders._encoding import Encoding
from xembed.encoders._layers import LayerEmbeddings, encode_layers, truncate
from xembed.encoders._load import load_encoder

__all__ = [
    "Encoder",
    "Encoding",
    "LayerEmbeddings",
    "cache_info",
    "clear_cache",
    "describe_encoder",
    "encode_layers",
    "encode_texts",
    "load_encoder",
    "truncate",
]
