"""From strings to what a GPT-2 classifier reads."""

import keras
import keras_hub

from kftune.models.text_classifier_preprocessor import TextClassifierPreprocessor


@keras.saving.register_keras_serializable(package="kftune")
class GPT2TextClassifierPreprocessor(TextClassifierPreprocessor):
    """Packs each text as `<|endoftext|> text <|endoftext|>`, padded on the right.

    GPT-2's classifier reads the state of the last real token. With the end token that
    is always the same token, and never the last word of the text; presets made by
    kftune were pretrained so. Checkpoints from elsewhere were not: their texts go
    without both (`add_start_token=False, add_end_token=False`), as in
    `transformers.GPT2ForSequenceClassification`.

    Arguments, call and methods are those of `TextClassifierPreprocessor`.

    Example:
    ```python
    preprocessor = GPT2TextClassifierPreprocessor(
        keras_hub.models.GPT2Tokenizer(
            {"<|endoftext|>": 4, "!": 0, "a": 1, "b": 2, "ab": 3}, merges=["a b"]
        ),
        sequence_length=6,
    )
    preprocessor("aab!")["token_ids"]  # [4, 1, 3, 0, 4, 0]
    preprocessor("aab!")["padding_mask"]  # [True, True, True, True, True, False]
    ```
    """

    backbone_cls = keras_hub.models.GPT2Backbone
    tokenizer_cls = keras_hub.models.GPT2Tokenizer
