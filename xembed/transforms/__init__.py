"""Maps from one embedding space to another: corrections of anisotropy, and encoders wrapped in them."""

import lazy_loader

# Names are loaded when they are first asked for; __init__.pyi says where they are.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
