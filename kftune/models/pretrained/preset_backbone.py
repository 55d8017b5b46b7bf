"""`from_preset` and `save_to_preset` of backbones."""

from kftune.models.pretrained.preset_catalog import locate
from kftune.models.pretrained.preset_files import clear_errors
from kftune.models.pretrained.preset_readers import check_class, read_backbone
from kftune.models.pretrained.preset_saving import PresetSaving


class PresetBackbone(PresetSaving):
    """Mixin for backbones that are made from KerasHub's and saved as presets.

    Attributes:
        keras_hub_cls: class of KerasHub's backbone that `from_keras_hub` takes.
    """

    keras_hub_cls = None

    @classmethod
    def from_preset(cls, preset, load_weights=True, *, dtype=None, offline=False):
        """Makes a backbone from a preset.

        Args:
            preset: `str` or `Path`. A name (see `kftune.models.presets`), a KerasHub
                name, `hf://owner/name`, or a local folder of KerasHub or Hugging Face.
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
                another model. `kftune.models.load_backbone` takes every text model.
        """
        folder = locate(preset, offline=offline)
        with clear_errors(folder):
            backbone = read_backbone(folder, load_weights=load_weights, dtype=dtype)
            if isinstance(backbone, cls.keras_hub_cls):
                backbone = cls.from_keras_hub(backbone)
        check_class(cls, backbone, (cls,), folder, "kftune.models.load_backbone")
        return backbone
