"""Texts to embeddings: loading models, encoding with a cache on disk, and encoders of your own."""

import lazy_loader

# Names are loaded when they are first asked for; __init__.pyi says where they are.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
