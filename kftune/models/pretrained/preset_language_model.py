"""`from_preset` and `save_to_preset` of language models."""

import json

from kftune.models.converters.hf_files import read_json_if_there
from kftune.models.frozen_weights import freezing_config, restore_freezing
from kftune.models.pretrained.preset_catalog import locate
from kftune.models.pretrained.preset_files import clear_errors
from kftune.models.pretrained.preset_folders import load_backbone
from kftune.models.pretrained.preset_readers import check_class
from kftune.models.pretrained.preset_saving import FREEZING_FILE, PresetSaving
from kftune.models.trainable_guard import record_trainable


class PresetLanguageModel(PresetSaving):
    """Mixin for language models that are made from presets and saved as presets.

    Attributes:
        length_names: tuple of `str`, the preprocessor's lengths of rows.
    """

    length_names = ()

    @classmethod
    def from_preset(
        cls, preset, *, load_weights=True, dtype=None, offline=False, **options
    ):
        """Makes a language model from a pretrained model, or loads a saved one.

        Args:
            preset: `str` or `Path`. A name (see `kftune.models.presets`), a KerasHub
                name, `hf://owner/name`, or a local folder of KerasHub or Hugging Face.
            load_weights: `bool`. False gives the architecture with random weights.
            dtype: `str`, dtype policy or `None`, of the backbone.
            offline: `bool`. True: what is on this machine or an error, no network.
            **options: Arguments of the class: `preprocessor=None` loads none. Lengths
                of rows in tokens: `sequence_length` for GPT-2,
                `encoder_sequence_length` and `decoder_sequence_length` for an
                encoder-decoder; by default what was saved, or fits.

        Returns:
            The task, compiled. The weights are frozen that were frozen when it was
            saved.

        Raises:
            FileNotFoundError: if a file is missing, or if `offline` and the preset is
                not on this machine.
            ConnectionError: if the preset could not be fetched.
            ValueError: if there is no such preset, its files are broken, it is of
                another model than the class, or lengths do not fit.

        Example:
        ```python
        task = kftune.models.GPT2CausalLM.from_preset("gpt2_tiny_en")
        task.generate("The film", max_length=16)
        ```
        """
        folder = locate(preset, offline=offline)
        lengths = {name: options.pop(name, None) for name in cls.length_names}
        if "preprocessor" not in options:
            options["preprocessor"] = cls.preprocessor_cls.from_preset(folder)
        with clear_errors(folder):
            options = {**cls.read_options(folder), **options}
            freezing = read_json_if_there(folder, FREEZING_FILE)
        backbone = load_backbone(folder, load_weights=load_weights, dtype=dtype)
        check_class(cls, backbone, (cls.backbone_cls,), folder)
        _set_lengths(options["preprocessor"], lengths, backbone.max_positions)
        task = cls(backbone, **options)
        if freezing:
            restore_freezing(task, freezing)
            record_trainable(task)
        return task

    @classmethod
    def read_options(cls, folder):
        """Reads more arguments of the class.

        Args:
            folder: `Path`.

        Returns:
            `dict`.
        """
        return {}

    def write_preset(self, folder, max_shard_size):
        """Writes all files of the preset, and what is frozen.

        Args:
            folder: `Path` of an empty folder.
            max_shard_size: as in `save_to_preset`.
        """
        self.write_task(folder, max_shard_size)
        if self.freeze_policy is not None:
            freezing = json.dumps(freezing_config(self))
            (folder / FREEZING_FILE).write_text(freezing, "utf-8")

    def write_task(self, folder, max_shard_size):
        """Writes the files of the task; here, those that KerasHub writes.

        Args:
            folder: `Path` of an empty folder.
            max_shard_size: as in `save_to_preset`.
        """
        super().write_preset(folder, max_shard_size)


def _set_lengths(preprocessor, lengths, longest):
    """Sets the lengths that were asked for, and shortens the others as needed."""
    if preprocessor is None:
        return
    for name, length in lengths.items():
        fits = min(getattr(preprocessor, name), longest)
        setattr(preprocessor, name, fits if length is None else length)
