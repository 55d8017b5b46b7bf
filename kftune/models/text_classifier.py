"""A classifier on any KerasHub text backbone: pooling by mask and Dense heads."""

import keras
import keras_hub
import numpy as np

from kftune.layers import LeftEdge, MaskedPooling
from kftune.models.backbone_states import (
    hidden_states,
    is_causal,
    layers_without_effect,
)
from kftune.models.class_labels import class_indices
from kftune.models.heads import DenseHead
from kftune.models.pretrained.preset_tasks import PresetTask
from kftune.models.rounded_length import rounded_length
from kftune.models.task_inputs import TASK_OPTIONS, TaskInputs, as_arrays
from kftune.models.trainable_guard import TrainableGuard

_DEFAULT_LENGTH = 512


@keras.saving.register_keras_serializable(package="kftune")
class TextClassifier(
    TrainableGuard, TaskInputs, PresetTask, keras_hub.models.TextClassifier
):
    """Backbone, pooling over the real tokens, one Dense head or several.

    Rows are moved to the left edge first, so that left and right padding give the same
    numbers, as do a batch of 1 and of N. Layers that take no part, such as BERT's
    pooler or the decoder of BART, are frozen. Letters: B batch, T length, C outputs.

    `from_preset` makes one from a preset by name; `attach_head` from a backbone.

    Args:
        backbone: `keras_hub.models.Backbone` over text; of an encoder-decoder the
            encoder is used.
        head: `DenseHead`, or a dict of them by name, to train several tasks at once.
            Each head of a dict is renamed to its key.
        preprocessor: `TextClassifierPreprocessor`, or `None` if inputs are tokenised.
        pooling: `str`. `"mean"`, `"first"`, `"last"` or `"last_mean"`, see
            `kftune.layers.MaskedPooling`. `None` takes the last token where a token
            sees those before it only, as in GPT-2, else the mean.
        **kwargs: `name`, `trainable`, `dtype` and `compile`, passed to
            `keras_hub.models.TextClassifier`.

    Call arguments:
        inputs: dict of `token_ids` and `padding_mask`, integer tensors `(B, T)`. 1 in
            the mask means a real token.

    Returns:
        `float32` tensor `(B, C)`, or a dict of them by head.

    Raises:
        TypeError: if there is no such option, or if the backbone is no
            `keras_hub.models.Backbone`.
        ValueError: if the backbone is not one over text, or if the preprocessor makes
            rows longer than the backbone's positions.

    Example:
    ```python
    backbone = keras_hub.models.DistilBertBackbone(
        vocabulary_size=50, num_layers=2, num_heads=2, hidden_dim=8,
        intermediate_dim=16, max_sequence_length=16,
    )
    task = TextClassifier(backbone, DenseHead(2), pooling="mean")
    task.predict({"token_ids": np.ones((4, 9)), "padding_mask": np.ones((4, 9))})
    ```
    """

    backbone_classes = (keras_hub.models.Backbone,)
    known_options = ("pooling", *TASK_OPTIONS)

    def __init__(self, backbone, head, preprocessor=None, *, pooling=None, **kwargs):
        self._check_arguments(backbone, kwargs)
        pooling = pooling or ("last" if is_causal(backbone) else "mean")

        # === Layers ===
        self.has_several_heads = isinstance(head, dict)
        self.backbone = backbone
        self.preprocessor = preprocessor
        self.left_edge = LeftEdge(name="left_edge")
        self.pool = MaskedPooling(pooling, name="pooling")
        self.heads = dict(head) if self.has_several_heads else {"head": head}
        for name, layer in self.heads.items():
            layer.name = name

        # === Functional Model ===
        inputs = {
            name: keras.Input((None,), dtype="int32", name=name)
            for name in ("token_ids", "padding_mask")
        }
        token_ids, padding_mask = self.left_edge(**inputs)
        states = hidden_states(backbone, token_ids, padding_mask)
        pooled = self.pool(states, padding_mask)
        outputs = {name: layer(pooled) for name, layer in self.heads.items()}
        for layer in self.unused_layers:
            layer.trainable = False
        if not self.has_several_heads:
            outputs = outputs["head"]
        super().__init__(inputs=inputs, outputs=outputs, **kwargs)

        # === Config ===
        self.pooling = pooling
        if preprocessor is not None:
            self.set_sequence_length(preprocessor.sequence_length)

    @property
    def head(self):
        """The `DenseHead`, or a dict of them by name if there are several."""
        return dict(self.heads) if self.has_several_heads else self.heads["head"]

    @property
    def unused_layers(self):
        """Layers of the backbone that no output depends on; they are never trained."""
        return layers_without_effect(self.backbone)

    @property
    def label_names(self):
        """List of `str` or `None`; a dict of these by head if there are several."""
        names = {name: head.label_names for name, head in self.heads.items()}
        return names if self.has_several_heads else names["head"]

    def prepare_labels(self, y):
        """Makes arrays of labels, and indices of label names.

        Args:
            y: integers from 0 to C - 1, label names of the head, arrays `(N, C)`, or
                dicts of these by head.

        Returns:
            The labels as the loss takes them.

        Raises:
            ValueError: if a label is no class; shows the first ones.
        """
        return class_indices(as_arrays(y), self.head)

    def fit(self, x=None, y=None, *args, class_weight=None, **kwargs):
        """Trains the task, see `TaskInputs`.

        Args:
            x: as there, and so are the others.
            y: labels, unless `x` gives them.
            *args: as there.
            class_weight: dict of class, an index or a label name, to the `float` by
                which its losses are multiplied; classes that are not in it count once.
            **kwargs: as there.

        Returns:
            `keras.callbacks.History`.

        Raises:
            ValueError: as there, or if a key of `class_weight` is no class, or if there
                is one for lists of labels or numbers.
        """
        if class_weight and not self.has_several_heads:
            if self.head.problem_type != "single_label_classification":
                raise ValueError(
                    "Expected class_weight for single_label_classification alone; pass "
                    f"sample_weight. Received: a head for {self.head.problem_type}"
                )
            classes = class_indices(np.array(list(class_weight)), self.head)
            weights = class_weight.values()
            class_weight = dict(zip(map(int, classes), weights, strict=True))
        return super().fit(x, y, *args, class_weight=class_weight, **kwargs)

    def preprocess_samples(self, x, y=None, sample_weight=None):
        """Tokenises a batch of strings, see `TaskInputs`; cuts what is padding in all.

        Rows are as long as the longest text needs, rounded up to 32, 64, 128, ...: so
        short texts cost little, and few lengths are compiled. In a `tf.data` graph
        they have the preprocessor's `sequence_length`.

        Args:
            x: as in `TaskInputs`, and so are the others.
            y: labels or `None`.
            sample_weight: weights or `None`.

        Returns:
            As in `TaskInputs`.
        """
        samples = super().preprocess_samples(x, y, sample_weight)
        features, y, sample_weight = keras.utils.unpack_x_y_sample_weight(samples)
        came_padded = isinstance(x, dict) and "padding_mask" in x
        if not came_padded and isinstance(features["padding_mask"], np.ndarray):
            features = _without_padding(features)
        return keras.utils.pack_x_y_sample_weight(features, y, sample_weight)

    def set_sequence_length(self, sequence_length):
        """Sets the length of the preprocessor's rows.

        Args:
            sequence_length: `int`, in tokens. `None` for as many as the backbone takes,
                at most 512.

        Raises:
            ValueError: if the backbone has fewer positions, or if the row has no room
                for a token of the text.
        """
        longest = getattr(self.backbone, "max_sequence_length", None)
        if sequence_length is None:
            sequence_length = min(longest or _DEFAULT_LENGTH, _DEFAULT_LENGTH)
        if longest and sequence_length > longest:
            raise ValueError(
                f"Expected sequence_length <= {longest}, the positions of "
                f"{type(self.backbone).__name__}. Received: a preprocessor with "
                f"sequence_length={sequence_length}"
            )
        if sequence_length != self.preprocessor.sequence_length:
            self.preprocessor.check_length(sequence_length)
            self.preprocessor.sequence_length = sequence_length

    @classmethod
    def with_head(cls, backbone, head, preprocessor=None, **options):
        """Makes a task of the class that is made for a backbone.

        Args:
            backbone: `keras_hub.models.Backbone` over text.
            head: `int`, the outputs of one new head, or a `DenseHead`, or a dict of
                them by name.
            preprocessor: `TextClassifierPreprocessor` or `None`.
            **options: `pooling`; if `head` is an `int`, also the arguments of
                `DenseHead`.

        Returns:
            A `GPT2TextClassifier` for a GPT-2 and an `int`, else a `TextClassifier`.
        """
        if not hasattr(head, "__index__"):
            return cls(backbone, head, preprocessor, **options)
        for special in cls.__subclasses__():
            if isinstance(backbone, special.backbone_classes):
                return special.with_head(backbone, head, preprocessor, **options)
        pooling = options.pop("pooling", None)
        return cls(backbone, DenseHead(head, **options), preprocessor, pooling=pooling)

    def compile(
        self,
        optimizer="auto",
        loss="auto",
        *,
        metrics="auto",
        weighted_metrics="auto",
        **kwargs,
    ):
        """Configures training.

        Args:
            optimizer: `"auto"` for Adam at 5e-5, a name or a `keras.Optimizer`.
            loss: `"auto"` for `DenseHead.make_loss` of each head, or what
                `keras.Model.compile` takes.
            metrics: `"auto"` for `DenseHead.make_metrics` of the head, or what
                `keras.Model.compile` takes.
            weighted_metrics: `"auto"` for none, or with several heads for those of the
                heads: there a weight of 0 marks a row without a label, which must not
                count. Else what `keras.Model.compile` takes.
            **kwargs: Passed to `keras.Model.compile`.
        """
        if loss == "auto":
            loss = self._by_head(DenseHead.make_loss)
        if weighted_metrics == "auto":
            weights_mark_labels = self.has_several_heads and metrics == "auto"
            weighted_metrics = (
                self._by_head(DenseHead.make_metrics) if weights_mark_labels else None
            )
        if metrics == "auto":
            metrics = None if self.has_several_heads else self.head.make_metrics()
        super().compile(
            optimizer=optimizer,
            loss=loss,
            metrics=metrics,
            weighted_metrics=weighted_metrics,
            **kwargs,
        )

    def get_config(self):
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "head": keras.saving.serialize_keras_object(self.head),
            "pooling": self.pooling,
        }

    @classmethod
    def from_config(cls, config):
        """Makes the task from its config."""
        config = dict(config)
        if "head" in config:
            config["head"] = keras.saving.deserialize_keras_object(config["head"])
        return super().from_config(config)

    def _check_arguments(self, backbone, options):
        """Refuses what is no backbone, and options that Keras would drop silently."""
        if unknown := sorted(set(options) - set(TASK_OPTIONS)):
            raise TypeError(
                f"Expected options of {type(self).__name__}: "
                f"{sorted(self.known_options)}. Received: {unknown}. A DenseHead gets "
                "its options where it is made."
            )
        if not isinstance(backbone, keras_hub.models.Backbone):
            raise TypeError(
                "Expected a keras_hub.models.Backbone. Received: "
                f"{type(backbone).__name__}. Of a task pass task.backbone."
            )

    def _by_head(self, make):
        """What `make` gives for the head, or a dict of it by head."""
        made = {name: make(head) for name, head in self.heads.items()}
        return made if self.has_several_heads else made["head"]


def _without_padding(features):
    """Arrays `(..., T)` without places that are padding in all rows, T rounded up."""
    mask = features["padding_mask"]
    used = np.flatnonzero(mask.reshape(-1, mask.shape[-1]).any(axis=0))
    length = rounded_length(used.max(initial=0) + 1, mask.shape[-1])
    return {name: values[..., :length] for name, values in features.items()}
