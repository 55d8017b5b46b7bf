"""From text pairs to what an encoder-decoder is trained on and prompted with."""

import keras
import keras_hub
import tensorflow as tf

from kftune.models.rounded_length import rounded_length
from kftune.models.texts import as_texts
from kftune.models.token_rows import RowTokenizer, padded
from kftune.models.transformer.transformer_backbone import TransformerBackbone

_DECODER_CONFIG_FILE = "decoder_tokenizer.json"


@keras.saving.register_keras_serializable(package="kftune")
class TransformerSeq2SeqLMPreprocessor(keras_hub.models.Seq2SeqLMPreprocessor):
    """Puts start and end tokens around sources and targets, and pads on the right.

    Outside a TensorFlow graph common tokenizers give exactly the ids of transformers,
    see `kftune.models.TextClassifierPreprocessor`. Letters: B batch, S
    `encoder_sequence_length`, T `decoder_sequence_length`.

    Args:
        tokenizer: a `keras_hub.tokenizers.Tokenizer`, for sources.
        encoder_sequence_length: `int`. S, in tokens; longer sources are cut.
        decoder_sequence_length: `int`. T, in tokens; longer targets are cut.
        decoder_tokenizer: a `keras_hub.tokenizers.Tokenizer` for targets. `None` for
            `tokenizer`.
        encoder_start_ids: sequence of `int`, before each source. Default: none.
        encoder_end_ids: sequence of `int`, after each source, also if it is cut.
            `None` for the tokenizer's end token.
        decoder_start_ids: sequence of `int`, before each target, at least one. `None`
            for the tokenizer's start token. BART has `(end, start)`, Marian
            `(pad,)`, M2M100 `(end, language)`.
        decoder_end_ids: sequence of `int`, after each target. `None` for the
            tokenizer's end token. `generate` stops at any of them.
        **kwargs: Passed to `keras_hub.models.Seq2SeqLMPreprocessor`.

    Call arguments:
        x: source texts, strings `(B,)`, one or several; or a dict of `encoder_text` and
            `decoder_text`.
        y: target texts, unless `x` is a dict.
        sample_weight: `None`.

    Returns:
        Tuple of a dict of `encoder_token_ids`, `int32 (B, S)`, `encoder_padding_mask`,
        `bool (B, S)`, `decoder_token_ids` and `decoder_padding_mask`, `(B, T)`; the
        next tokens, `int32 (B, T)`, and their weights, `bool (B, T)`, True where a real
        token follows.

    Raises:
        TypeError: if something is not a string; names the first ones by index.
        ValueError: if targets are missing or not as many as sources, or if lengths or
            start tokens do not fit.

    Example:
    ```python
    vocabulary = {"<s>": 0, "<pad>": 1, "</s>": 2, "<mask>": 3, "a": 4, "b": 5}
    preprocessor = TransformerSeq2SeqLMPreprocessor(
        keras_hub.models.BartTokenizer(vocabulary, merges=[]), 4, 4
    )
    x, y, sample_weight = preprocessor(["ab"], ["b"])
    x["encoder_token_ids"], x["decoder_token_ids"]  # [[4, 5, 2, 1]], [[0, 5, 2, 1]]
    y  # [[5, 2, 1, 1]]
    ```
    """

    backbone_cls = TransformerBackbone

    def __init__(
        self,
        tokenizer,
        encoder_sequence_length=256,
        decoder_sequence_length=256,
        *,
        decoder_tokenizer=None,
        encoder_start_ids=(),
        encoder_end_ids=None,
        decoder_start_ids=None,
        decoder_end_ids=None,
        **kwargs,
    ):
        super().__init__(
            tokenizer, encoder_sequence_length, decoder_sequence_length, **kwargs
        )
        self.decoder_tokenizer = decoder_tokenizer
