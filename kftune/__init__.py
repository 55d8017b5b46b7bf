"""kftune: fine-tune text models with Keras 3 on TensorFlow, JAX and PyTorch.

Subpackages load on first use, so ``import kftune`` alone imports no framework.
"""

import importlib

__version__ = "0.1.0"

__all__ = [
    "__version__",
    "data",
    "decoding",
    "evaluation",
    "export",
    "layers",
    "models",
    "training",
    "tuning",
]


def __getattr__(name):
    if name in __all__:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted(__all__)
