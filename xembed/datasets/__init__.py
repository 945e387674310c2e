"""Corpora to try things on, and reading and writing texts, tables and embeddings."""

import lazy_loader

# Names are loaded when they are first asked for; __init__.pyi says where they are.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
