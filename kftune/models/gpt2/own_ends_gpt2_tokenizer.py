"""GPT-2's tokenizer with the ends of a checkpoint that was tuned for chats."""

import keras
import keras_hub

from kftune.models.tokenizers.special_tokens import set_special_tokens


@keras.saving.register_keras_serializable(package="kftune")
class OwnEndsGPT2Tokenizer(keras_hub.models.GPT2Tokenizer):
    """KerasHub's GPT-2 tokenizer, where texts end otherwise than by `<|endoftext|>`.

    Args:
        vocabulary: dict of token to id, or path of a JSON file.
        merges: list of rules, or path of a file with one a line.
        start_token: `str`, before a text.
        end_token: `str`, after a text that is learnt.
        stop_token_ids: list of `int`. Tokens at which `generate` stops, that of
            `end_token` among them.
        **kwargs: Passed to `keras_hub.tokenizers.BytePairTokenizer`.

    Raises:
        ValueError: if a token is not in the vocabulary.

    Example:
    ```python
    tokenizer = OwnEndsGPT2Tokenizer(
        {"<|endoftext|>": 0, "<|im_end|>": 1, "a": 2},
        [],
        end_token="<|im_end|>",
        stop_token_ids=[0, 1],
    )
    tokenizer.end_token_id  # 1
    ```
    """

    def __init__(
        self,
        vocabulary=None,
        merges=None,
        *,
        start_token="<|endoftext|>",
        end_token="<|endoftext|>",
        stop_token_ids=(),
        **kwargs,
    ):
        set_special_tokens(self, end_token=end_token, start_token=start_token)
        self.pad_token_id = 0
        # That of GPT2Tokenizer would look for <|endoftext|>.
        super(keras_hub.models.GPT2Tokenizer, self).__init__(
            vocabulary=vocabulary, merges=merges, **kwargs
        )
        self.stop_token_ids = [int(token_id) for token_id in stop_token_ids]

    @property
    def special_token_ids(self):
        """List of `int`: tokens that are no part of a text, whole ones that stop."""
        whole = set(self.unsplittable_tokens)
        stops = [i for i in self.stop_token_ids if self.id_to_token(i) in whole]
        return sorted({*super().special_token_ids, *stops})

    def get_config(self):
        """The constructor's arguments, without the files."""
        return {
            **super().get_config(),
            "start_token": self.start_token,
            "end_token": self.end_token,
            "stop_token_ids": list(self.stop_token_ids),
        }
