"""`from_preset` and `save_to_preset` of backbones."""

from kftune.models.preset_catalog import locate
from kftune.models.preset_files import (
    clear_errors,
    hugging_face_type,
    read_keras_hub_backbone,
)
from kftune.models.preset_saving import PresetSaving


class PresetBackbone(PresetSaving):
    """Mixin for backbones that are made from KerasHub's and saved as presets.

    Attributes:
        keras_hub_cls: class of KerasHub's backbone that `from_keras_hub` takes.
    """

    keras_hub_cls = None

    @classmethod
    def from_preset(cls, preset, load_weights=True, *, dtype=None, offline=False):
        """Makes a backbone from a preset of KerasHub's or of kftune's.

        `kftune.models.load_backbone` takes Hugging Face models as well.

        Args:
            preset: `str` or `Path`. A name (see `kftune.models.presets`), a KerasHub
                name or a local folder.
            load_weights: `bool`. False gives random weights.
            dtype: `str`, dtype policy or `None` for Keras's own.
            offline: `bool`. True: what is on this machine or an error, no network.

        Returns:
            A backbone of this class.

        Raises:
            FileNotFoundError: if a file is missing, or if `offline` and the preset is
                not on this machine.
            ConnectionError: if the preset could not be fetched.
            ValueError: if there is no such preset, its files are broken, or it is of
                another model.
        """
        folder = locate(preset, offline=offline)
        with clear_errors(folder):
            if hugging_face_type(folder) is not None:
                raise ValueError(
                    "Expected a preset of KerasHub or kftune. Received a Hugging Face "
                    "model, which kftune.models.load_backbone takes."
                )
            backbone = read_keras_hub_backbone(
                folder, load_weights=load_weights, dtype=dtype
            )
            if isinstance(backbone, cls):
                return backbone
            if not isinstance(backbone, cls.keras_hub_cls):
                raise ValueError(
                    f"Expected a {cls.__name__}. Received: {type(backbone).__name__}"
                )
            return cls.from_keras_hub(backbone)
