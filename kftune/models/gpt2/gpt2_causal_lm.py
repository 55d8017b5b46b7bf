"""GPT-2 that is trained on text and goes on with text."""

import keras
import keras_hub

from kftune.models.gpt2.gpt2_backbone import GPT2Backbone
from kftune.models.gpt2.gpt2_causal_lm_preprocessor import GPT2CausalLMPreprocessor
from kftune.models.language_model import LanguageModel
from kftune.models.pretrained.preset_language_model import PresetLanguageModel
from kftune.models.task_inputs import check_features


@keras.saving.register_keras_serializable(package="kftune")
class GPT2CausalLM(LanguageModel, PresetLanguageModel, keras_hub.models.CausalLM):
    """A language model on kftune's GPT-2: `fit` on texts, `generate` from prompts.

    It is used as `keras_hub.models.GPT2CausalLM` is, generates the same tokens, and
    does so faster. Letters: B batch, T length, V vocabulary.

    Args:
        backbone: `kftune.models.GPT2Backbone`.
        preprocessor: `GPT2CausalLMPreprocessor`, or `None` if inputs are tokenised.
        **kwargs: `name`, `trainable`, `dtype` and `compile`, passed to
            `keras_hub.models.CausalLM`.

    Call arguments:
        inputs: dict of `token_ids` and `padding_mask`, integer tensors `(B, T)`. 1 in
            the mask means a real token. In batches of a `keras.utils.PyDataset` also
            `segment_ids`, which keep the texts of a row apart, see
            `kftune.data.TextBuckets`.

    Returns:
        Logits of the next tokens, float tensor `(B, T, V)`.

    Raises:
        TypeError: if there is no such option, or if the backbone is another one.
        ValueError: if the preprocessor makes rows longer than the backbone's positions.

    Example:
    ```python
    task = GPT2CausalLM.from_preset("gpt2_tiny_en")
    task.fit(["A treat.", "A bore."], epochs=2)
    task.compile(sampler="greedy")
    task.generate(["The film"], max_length=16)
    task.save_to_preset("runs/gpt2")  # keras_hub.models.CausalLM.from_preset takes it
    ```
    """

    backbone_cls = GPT2Backbone
    preprocessor_cls = GPT2CausalLMPreprocessor
    optional_feature_names = ("segment_ids",)  # of packed rows

    def __init__(self, backbone, preprocessor=None, **kwargs):
        self.check_task(backbone, preprocessor, kwargs)

        # === Layers ===
        self.backbone = backbone
        self.preprocessor = preprocessor

        # === Functional Model ===
        inputs = backbone.input
        outputs = backbone.logits(backbone(inputs))
        super().__init__(inputs=inputs, outputs=outputs, **kwargs)

    def call(self, inputs, training=None, mask=None):
        """See the class."""
        if not isinstance(inputs, dict) or "segment_ids" not in inputs:
            return super().call(inputs, training=training, mask=mask)
        check_features(inputs, (*self.feature_names, *self.optional_feature_names))
        states = self.backbone.packed_states(inputs["token_ids"], inputs["segment_ids"])
        return states if self._gives_states else self.backbone.logits(states)

    def to_keras_hub(self):
        """Makes KerasHub's task with these weights; LoRA is merged into them.

        Returns:
            `keras_hub.models.GPT2CausalLM`, not compiled.
        """
        preprocessor = self.preprocessor
        if preprocessor is not None:
            preprocessor = keras_hub.models.GPT2CausalLMPreprocessor(
                preprocessor.tokenizer,
                preprocessor.sequence_length,
                preprocessor.add_start_token,
                preprocessor.add_end_token,
            )
        return keras_hub.models.GPT2CausalLM(
            self.backbone.to_keras_hub(), preprocessor, compile=False
        )

    def write_task(self, folder, max_shard_size):
        """Writes the files of KerasHub's task, which opens without kftune.

        Args:
            folder: `Path` of an empty folder.
            max_shard_size: as in `save_to_preset`.
        """
        theirs = self.to_keras_hub()
        theirs.save_to_preset(str(folder), max_shard_size=max_shard_size)
