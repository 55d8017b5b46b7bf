"""SavedModels for TF Serving, proofs that they run there, clients; other formats.

Nothing is imported before it is used: a check and a client start without Keras.
"""

import importlib

_HOMES = {
    "DockerServer": "kftune.export.docker_server",
    "ServingClient": "kftune.export.client",
    "StandInServer": "kftune.export.stand_in_server",
    "export_ctranslate2": "kftune.export.ctranslate2_model",
    "export_hugging_face": "kftune.export.hugging_face_model",
    "export_onnx": "kftune.export.onnx_model",
    "export_saved_model": "kftune.export.saved_model",
    "known_languages": "kftune.export.graph_languages",
    "serve_and_ask": "kftune.export.answers_by_protocol",
    "verify": "kftune.export.verify_saved_model",
}

__all__ = [
    "DockerServer",
    "ServingClient",
    "StandInServer",
    "export_ctranslate2",
    "export_hugging_face",
    "export_onnx",
    "export_saved_model",
    "known_languages",
    "serve_and_ask",
    "verify",
]


def __getattr__(name):
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted(__all__)
