"""`from_preset` and `save_to_preset` of the classifiers."""

import json

import keras

from kftune.models.converters.hf_files import read_json
from kftune.models.converters.hf_gpt2 import gpt2_head_options, load_gpt2_head
from kftune.models.layer_tree import sublayers
from kftune.models.pretrained.preset_catalog import locate
from kftune.models.pretrained.preset_files import clear_errors, hugging_face_type
from kftune.models.pretrained.preset_folders import load_backbone, load_preprocessor
from kftune.models.pretrained.preset_readers import check_class
from kftune.models.pretrained.preset_saving import PresetSaving
from kftune.models.saved_tasks import read_task, saved_task_class


class PresetTask(PresetSaving):
    """Mixin for classifiers that are made from presets and saved as presets."""

    @classmethod
    def from_preset(
        cls,
        preset,
        *,
        num_classes=None,
        head=None,
        sequence_length=None,
        load_weights=True,
        dtype=None,
        offline=False,
        **options,
    ):
        """Makes a classifier from a pretrained model, or loads a saved one.

        With `num_classes`, `label_names` or `head` the head is new. Without them the
        preset must bring one: a folder that `save_to_preset` wrote, which comes back
        with label names and frozen weights, or a Hugging Face
        `GPT2ForSequenceClassification`.

        Args:
            preset: `str` or `Path`. A name (see `kftune.models.presets`), a KerasHub
                name, `hf://owner/name`, or a local folder of KerasHub or Hugging Face.
            num_classes: `int`. Outputs of a new head.
            head: `DenseHead`, or dict of them by name, as new heads.
            sequence_length: `int` or `None`. Tokens a text may have. `None` keeps what
                was saved, else as many as the backbone takes, at most 512.
            load_weights: `bool`. False gives the architecture with random weights.
            dtype: `str`, dtype policy or `None`, of the backbone.
            offline: `bool`. True: what is on this machine or an error, no network.
            **options: For a new head: `pooling` and the arguments of `DenseHead`, such
                as `label_names`, `dropout`, `hidden_dim`, `problem_type`.

        Returns:
            A compiled `GPT2TextClassifier` for a GPT-2 and one head, else a
            `TextClassifier`.

        Raises:
            FileNotFoundError: if a file is missing, or if `offline` and the preset is
                not on this machine.
            ConnectionError: if the preset could not be fetched.
            ValueError: if there is no such preset, its files are broken, it brings no
                head and none was asked for, or it is of another model than the class.

        Example:
        ```python
        task = kftune.models.TextClassifier.from_preset(
            "minilm_l6", num_classes=2, label_names=["rotten", "fresh"]
        )
        task.fit(["A treat.", "A bore."], [1, 0])
        task.save_to_preset("runs/reviews/model")
        again = kftune.models.TextClassifier.from_preset("runs/reviews/model")
        ```
        """
        folder = locate(preset, offline=offline)
        names = options.get("label_names")
        if head is None and num_classes is None and names is not None:
            num_classes = len(names)
        head = num_classes if head is None else head
        if head is None:
            is_saved = saved_task_class(folder) is not None
            reader = _saved_task if is_saved else _hugging_face_task
            task = reader(cls, folder, load_weights, dtype, options)
            if sequence_length is not None and task.preprocessor is not None:
                task.set_sequence_length(sequence_length)
            return task
        backbone = load_backbone(folder, load_weights=load_weights, dtype=dtype)
        every = "kftune.models.TextClassifier"
        check_class(cls, backbone, cls.backbone_classes, folder, every)
        preprocessor = load_preprocessor(folder, sequence_length=sequence_length)
        return cls.with_head(backbone, head, preprocessor, **options)

    def write_preset(self, folder, max_shard_size):
        """Writes all files: head, label names, preprocessing, what is frozen.

        Args:
            folder: `Path` of an empty folder.
            max_shard_size: as in `save_to_preset`.
        """
        super().write_preset(folder, max_shard_size)
        # Our GPT-2 is saved as KerasHub's; here, too.
        task = read_json(folder, "task.json")
        task["config"]["backbone"] = read_json(folder, "config.json")
        (folder / "task.json").write_text(json.dumps(task, indent=4), "utf-8")

    def save_task_weights(self, filepath):
        """Saves the weights outside the backbone, without the optimizer's slots.

        KerasHub would save those with them: twice the size of the whole model.

        Args:
            filepath: `str` that ends in `.weights.h5`.
        """
        keras.saving.save_weights(self, filepath, objects_to_skip=self._apart())

    def load_task_weights(self, filepath):
        """Loads what `save_task_weights` saved.

        Args:
            filepath: `str` that ends in `.weights.h5`.
        """
        keras.saving.load_weights(self, filepath, objects_to_skip=self._apart())

    def _apart(self):
        """What does not belong to the head's file."""
        return [*sublayers(self.backbone), *filter(None, [self.optimizer])]


def _saved_task(cls, folder, load_weights, dtype, options):
    """A task that kftune saved, with its head."""
    if options:
        raise ValueError(
            f"Expected no options for the head that was saved in {folder}. Received: "
            f"{sorted(options)}. Pass num_classes or head to get a new head."
        )
    task = read_task(folder, load_weights=load_weights, dtype=dtype)
    if not isinstance(task, cls):
        raise ValueError(
            f"Expected a {cls.__name__} in {folder}. Received: {type(task).__name__}"
        )
    return task


def _hugging_face_task(cls, folder, load_weights, dtype, options):
    """A task with the head of a `GPT2ForSequenceClassification`."""
    with clear_errors(folder):
        is_gpt2 = hugging_face_type(folder) == "gpt2"
        found = gpt2_head_options(folder) if is_gpt2 else {}
    if not found:
        raise ValueError(
            "Expected num_classes, label_names or head, because the preset in "
            f"{folder} brings no head for classes. Received: none of them"
        )
    backbone = load_backbone(folder, load_weights=load_weights, dtype=dtype)
    options = {**found, **options}
    num_classes = options.pop("num_classes")
    task = cls.with_head(backbone, num_classes, load_preprocessor(folder), **options)
    if load_weights:
        with clear_errors(folder):
            load_gpt2_head(task.head, folder)
    return task
