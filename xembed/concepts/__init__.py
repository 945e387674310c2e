"""Concepts as directions: which concepts are in these vectors, and how much of a difference lies along each."""

import lazy_loader

# Names are loaded when they are first asked for; __init__.pyi says where they are.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
