"""SavedModels for TF Serving."""

from kftune.export.saved_model import export_saved_model

__all__ = ["export_saved_model"]
