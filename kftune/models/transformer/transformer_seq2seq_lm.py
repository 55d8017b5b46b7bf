"""The encoder-decoder Transformer that is trained on text pairs and translates."""

import keras
import keras_hub
import numpy as np
from keras import ops

from kftune.models.decoding_settings import DecodingSettings
from kftune.models.language_model import LanguageModel
from kftune.models.pretrained.preset_files import saved_config
from kftune.models.pretrained.preset_folders import load_decoding_settings
from kftune.models.pretrained.preset_language_model import PresetLanguageModel
from kftune.models.transformer.side_ends import side_ends
from kftune.models.transformer.target_language import into_language
from kftune.models.transformer.transformer_backbone import TransformerBackbone
from kftune.models.transformer.transformer_seq2seq_lm_preprocessor import (
    TransformerSeq2SeqLMPreprocessor,
)

_NEVER = -1e9


@keras.saving.register_keras_serializable(package="kftune")
class TransformerSeq2SeqLM(
    LanguageModel, PresetLanguageModel, keras_hub.models.Seq2SeqLM
):
    """Translation, summaries and the like: `fit` on pairs, `generate` from sources.

    It is used as `keras_hub.models.BartSeq2SeqLM` is. Letters: B batch, S source
    length, T target length, V vocabulary of the decoder.

    Args:
        backbone: `TransformerBackbone`.
        preprocessor: `TransformerSeq2SeqLMPreprocessor`, or `None` if inputs are
            tokenised.
        decoding_settings: `DecodingSettings` of the checkpoint, or `None`. Single
            tokens among its `bad_words_ids` are never generated.
        **kwargs: `name`, `trainable`, `dtype` and `compile`, passed to
            `keras_hub.models.Seq2SeqLM`.

    Call arguments:
        inputs: dict of `encoder_token_ids` and `encoder_padding_mask`, integer tensors
            `(B, S)`, `decoder_token_ids` and `decoder_padding_mask`, `(B, T)`. 1 in a
            mask means a real token.

    Returns:
        Logits of the next tokens, float tensor `(B, T, V)`.

    Raises:
        TypeError: if there is no such option, or if the backbone is another one.
        ValueError: if the preprocessor makes rows longer than the backbone's positions.

    Example:
    ```python
    task = TransformerSeq2SeqLM.from_preset("bart_base_en")
    task.fit(["A long text.", "Another."], ["Its summary.", "Its own."])
    task.compile(sampler="greedy")
    task.generate(["A third text."], max_length=32)
    task.save_to_preset("runs/summaries")
    ```
    """

    backbone_cls = TransformerBackbone
    preprocessor_cls = TransformerSeq2SeqLMPreprocessor
    feature_names = (
        "decoder_padding_mask",
        "decoder_token_ids",
        "encoder_padding_mask",
        "encoder_token_ids",
    )
    text_names = ("decoder_text", "encoder_text")
    generated_name = "decoder_token_ids"
    generated_mask_name = "decoder_padding_mask"
    length_names = ("encoder_sequence_length", "decoder_sequence_length")
    num_start_tokens = 2  # of M2M100 and BART; Marian has one

    def __init__(self, backbone, preprocessor=None, decoding_settings=None, **kwargs):
        self.check_task(backbone, preprocessor, kwargs)

        # === Layers ===
        self.backbone = backbone
        self.preprocessor = preprocessor

        # === Functional Model ===
        inputs = backbone.input
        hidden = backbone(inputs)["decoder_sequence_output"]
        super().__init__(inputs=inputs, outputs=backbone.logits(hidden), **kwargs)

        # === Config ===
        self.decoding_settings = decoding_settings or DecodingSettings()

    def compile(self, optimizer="auto", loss="auto", *, sampler="greedy", **kwargs):
        """Configures training and generation.

        Args:
            optimizer: as in `LanguageModel.compile`, and so is `loss`.
            loss: as there.
            sampler: a name or a `keras_hub.samplers.Sampler`. By default a translation
                or summary is the likeliest, token by token;
                `kftune.decoding.BeamSearch.from_settings(task.decoding_settings)` is
                the search that a checkpoint asks for.
            **kwargs: as in `LanguageModel.compile`.
        """
        super().compile(optimizer=optimizer, loss=loss, sampler=sampler, **kwargs)

    def generate(
        self,
        inputs,
        max_length=None,
        stop_token_ids="auto",
        *,
        num_return_sequences=1,
        return_scores=False,
        target_language=None,
    ):
        """Generates texts for source texts.

        Args:
            inputs: source texts, one or a list; or a dict of `encoder_text` and
                `decoder_text`, the beginnings of the targets; or, without a
                preprocessor, a dict of token ids and masks; or a `tf.data.Dataset` of
                batches of these.
            max_length: `int`. Tokens of a generated row at most, start tokens included;
                by default the preprocessor's `decoder_sequence_length`.
            stop_token_ids: `"auto"` for the preprocessor's, a sequence of `int`, or
                `None` to go on to `max_length`.
            num_return_sequences: `int`, as in `LanguageModel.generate`.
            return_scores: `bool`, as in `LanguageModel.generate`.
            target_language: `str` or `None`. Into which language, for this call: a
                code that the tokenizer knows, such as `"de"`.

        Returns:
            List of `str`, one `str` for one, or a dict of arrays without a
            preprocessor; more with scores, see `LanguageModel.generate`.

        Raises:
            ValueError: if a row has no start token, or is too long, or if there is no
                such language.
            TypeError: if the sampler gives no scores.
        """
        with into_language(self.preprocessor, inputs, target_language) as told:
            return super().generate(
                told,
                max_length,
                stop_token_ids,
                num_return_sequences=num_return_sequences,
                return_scores=return_scores,
            )

    def hidden_states(self, inputs, training=None):
        """See `ChunkedLoss`: the states of the decoder."""
        outputs = self.backbone(inputs, training=training)
        return outputs["decoder_sequence_output"]

    def start_state(self, inputs):
        """Encodes the sources, projects them once and makes an empty cache."""
        mask = inputs["encoder_padding_mask"]
        encoded = self.backbone.encode(inputs["encoder_token_ids"], mask)
        projected = self.backbone.project_encoder(encoded)
        return super().start_state(inputs), projected, ops.cast(mask, "bool")

    def start_beams(self, state, num_beams):
        """Makes room for the tokens of W beams a row; they share the source."""
        cache, projected, mask = state
        return super().start_beams(cache, num_beams), projected, mask

    def prompt_lengths(self, mask):
        """See `LanguageModel`; a start that is forced on the model is found by it.

        For transformers the `<s>` of BART and the language of M2M100 are generated,
        with probability 1, unless they come with a beginning of the target.
        """
        lengths = super().prompt_lengths(mask)
        if self.preprocessor is None:
            return lengths
        starts, _ = side_ends(self.preprocessor.tokenizer, "target")
        return ops.where(lengths == len(starts), 1, lengths)

    def source_mask(self, state):
        """See `LanguageModel`."""
        return state[2]

    def decode_step(self, token_ids, state, index, **options):
        """See `LanguageModel`."""
        cache, projected, mask = state
        hidden, cache = self.backbone.step(
            token_ids,
            cache,
            index,
            encoder_key_values=projected,
            encoder_padding_mask=mask,
            **options,
        )
        return hidden, (cache, projected, mask)

    def next_token_logits(self, hidden):
        """See `LanguageModel`; what may not occur gets no probability."""
        logits = super().next_token_logits(hidden)
        words = self.decoding_settings.bad_words_ids or []
        banned = [word[0] for word in words if len(word) == 1]
        if not banned:
            return logits
        is_banned = np.zeros(self.backbone.decoder_vocabulary_size, "bool")
        is_banned[banned] = True
        logits = ops.cast(logits, "float32")
        return ops.where(ops.convert_to_tensor(is_banned), _NEVER, logits)

    @classmethod
    def read_options(cls, folder):
        """Reads the decoding settings of a saved task or a checkpoint.

        Args:
            folder: `Path` of a preset folder.

        Returns:
            `dict`.
        """
        saved = saved_config(folder, "task.json")
        if saved is not None and "decoding_settings" in saved["config"]:
            settings = saved["config"]["decoding_settings"]
            settings = keras.saving.deserialize_keras_object(settings)
        else:
            settings = load_decoding_settings(folder)
        return {"decoding_settings": settings}

    def get_config(self):
        """The constructor's arguments."""
        settings = keras.saving.serialize_keras_object(self.decoding_settings)
        return {**super().get_config(), "decoding_settings": settings}

    @classmethod
    def from_config(cls, config):
        """Makes the task from its config."""
        config = dict(config)
        settings = config.get("decoding_settings")
        if isinstance(settings, dict):
            settings = keras.saving.deserialize_keras_object(settings)
        return super().from_config({**config, "decoding_settings": settings})
