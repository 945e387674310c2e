"""xembed: ask text embeddings, and the models behind them, the questions that matter.

Did my corpus change, and how? Which texts are typical, which are outliers? Names are loaded when they are
first used (PEP 562), so that ``import xembed`` costs no more than numpy.
"""

import lazy_loader

__version__ = "0.1.0"

# Names are loaded when they are first asked for; __init__.pyi says where they are.
__getattr__, _, __all__ = lazy_loader.attach_stub(__name__, __file__)
__all__ += ["__version__"]


def __dir__() -> list[str]:
    return list(__all__)
