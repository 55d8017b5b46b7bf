"""GPT-2 with a new Dense head."""

import keras
import keras_hub

from kftune.models.gpt2.gpt2_backbone import GPT2Backbone
from kftune.models.gpt2.gpt2_text_classifier_preprocessor import (
    GPT2TextClassifierPreprocessor,
)
from kftune.models.heads import DenseHead
from kftune.models.text_classifier import TextClassifier

_HEAD_OPTIONS = (
    "num_classes",
    "problem_type",
    "hidden_dim",
    "hidden_activation",
    "dropout",
    "activation",
    "use_bias",
    "label_names",
)


@keras.saving.register_keras_serializable(package="kftune")
class GPT2TextClassifier(TextClassifier):
    """Classifies texts, gives them labels, or predicts numbers, with GPT-2.

    The state of the last real token (by mask) goes through a `DenseHead`. With
    `use_bias=False` and equal weights the logits are those of
    `transformers.GPT2ForSequenceClassification`. Letters: B batch, T length, C outputs.

    Args:
        backbone: `GPT2Backbone`, kftune's or KerasHub's.
        num_classes: `int`. C: classes, labels, or numbers to predict.
        preprocessor: `GPT2TextClassifierPreprocessor`, or `None` if inputs are
            tokenised.
        pooling: `str`. `"last"`, `"mean"` or `"last_mean"`, see
            `kftune.layers.MaskedPooling`.
        **kwargs: Arguments of `DenseHead` (`problem_type`, `hidden_dim`,
            `hidden_activation`, `dropout`, `activation`, `use_bias`, `label_names`);
            others as for `TextClassifier`.

    Call arguments:
        inputs: dict of `token_ids` and `padding_mask`, integer tensors `(B, T)`. 1 in
            the mask means a real token.

    Returns:
        `float32` tensor `(B, C)`.

    Raises:
        TypeError: if there is no such option; lists the known ones.
        ValueError: naming the arguments that do not fit.

    Example:
    ```python
    backbone = kftune.models.GPT2Backbone(
        vocabulary_size=50, num_layers=2, num_heads=2, hidden_dim=8,
        intermediate_dim=16, max_sequence_length=16,
    )
    task = GPT2TextClassifier(backbone, 2, label_names=["rotten", "fresh"])
    task.predict({"token_ids": np.ones((4, 9)), "padding_mask": np.ones((4, 9))})
    ```
    """

    backbone_cls = keras_hub.models.GPT2Backbone  # KerasHub finds the class by it.
    backbone_classes = (GPT2Backbone, keras_hub.models.GPT2Backbone)
    preprocessor_cls = GPT2TextClassifierPreprocessor
    known_options = (*_HEAD_OPTIONS, *TextClassifier.known_options)

    def __init__(
        self, backbone, num_classes, preprocessor=None, *, pooling="last", **kwargs
    ):
        options = {name: kwargs.pop(name) for name in _HEAD_OPTIONS if name in kwargs}
        head = DenseHead(num_classes, **options)
        super().__init__(backbone, head, preprocessor, pooling=pooling, **kwargs)

    @classmethod
    def with_head(cls, backbone, head, preprocessor=None, **options):
        """Makes the task; see `TextClassifier.with_head`.

        Args:
            backbone: `GPT2Backbone`, kftune's or KerasHub's.
            head: `int`, the outputs of the new head.
            preprocessor: `GPT2TextClassifierPreprocessor` or `None`.
            **options: As for the constructor.

        Returns:
            `GPT2TextClassifier`.

        Raises:
            TypeError: if `head` is not an `int`.
        """
        if not hasattr(head, "__index__"):
            raise TypeError(
                "Expected num_classes for a GPT2TextClassifier. Received: head="
                f"{type(head).__name__}. kftune.models.attach_head takes other heads."
            )
        return cls(backbone, head, preprocessor, **options)

    def get_config(self):
        """The constructor's arguments."""
        config = super().get_config()
        del config["head"]
        head = self.head.get_config()
        return {**config, **{name: head[name] for name in _HEAD_OPTIONS}}
