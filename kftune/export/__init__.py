"""SavedModels for TF Serving: proofs that they run there.

Nothing is imported before it is used, so that a check can start without Keras.
"""

import importlib

_HOMES = {"verify": "kftune.export.verify_saved_model"}

__all__ = ["verify"]


def __getattr__(name):
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted(__all__)
