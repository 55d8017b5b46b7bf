"""From strings to token ids and a mask, for a classifier on any text backbone."""

import keras
import keras_hub
import numpy as np
import tensorflow as tf

from kftune.models.graph_tokenizer import GraphTokenizer
from kftune.models.pretrained.preset_preprocessor import PresetPreprocessor
from kftune.models.texts import as_texts
from kftune.models.token_rows import RowTokenizer, padded, special_ids

_SIDES = ("left", "right")


@keras.saving.register_keras_serializable(package="kftune")
class TextClassifierPreprocessor(
    PresetPreprocessor, keras_hub.models.TextClassifierPreprocessor
):
    """Tokenises, truncates, adds start and end token, pads on the right.

    The mask alone tells what is padding: GPT-2 in KerasHub pads with id 0, which is
    also the token `!`.

    The common tokenizers give the ids of transformers (see
    `kftune.models.fast_tokenizers`), at a cost that grows evenly with the text; those
    of GPT-2, BART and RoBERTa also in a TensorFlow graph (`tf.data`, SavedModel). They
    merge words of more than 256 bytes in pieces of 256. For other models KerasHub's own
    tokenizer runs in a graph, which differs on rare text: BERT's takes "…" for "...".
    Letters: B batch, T `sequence_length`.

    Args:
        tokenizer: a `keras_hub.tokenizers.Tokenizer`.
        sequence_length: `int` or `None`. T, in tokens. `None` leaves it to the task:
            as long as the backbone allows, at most 512.
        add_start_token: `bool`. Whether the tokenizer's start token comes first.
        add_end_token: `bool`. Whether the tokenizer's end token comes last, also after
            truncation.
        truncate: `str`. Side on which too long a text loses tokens: `"right"` keeps
            its beginning, `"left"` its end.
        **kwargs: Passed to `keras_hub.models.TextClassifierPreprocessor`.

    Call arguments:
        x: strings: one, a list, an array or a tensor of shape `(B,)`.
        y: labels or `None`, passed on.
        sample_weight: weights or `None`, passed on.

    Returns:
        `{"token_ids": int32 (B, T), "padding_mask": bool (B, T)}`, with `y` and
        `sample_weight` in a tuple if they were given. True in the mask means a real
        token. One string gives `(T,)`. NumPy arrays, in a graph TensorFlow tensors.

    Raises:
        ValueError: if `sequence_length` or `truncate` does not fit.

    Example:
    ```python
    tokenizer = keras_hub.models.BertTokenizer(
        ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "good", "film"]
    )
    preprocessor = TextClassifierPreprocessor(tokenizer, sequence_length=6)
    preprocessor(["good film"])["token_ids"]  # [[2, 5, 6, 3, 0, 0]]
    preprocessor.tokenize_rows(["good film"])  # [array([2, 5, 6, 3])]
    ```
    """

    def __init__(
        self,
        tokenizer,
        sequence_length=None,
        add_start_token=True,
        add_end_token=True,
        truncate="right",
        **kwargs,
    ):
        super().__init__(tokenizer, sequence_length, truncate, **kwargs)
        self.add_start_token = add_start_token
        self.add_end_token = add_end_token
        self.check_length(sequence_length)
        self._tokenize = RowTokenizer()
        self.graph_tokenizer = GraphTokenizer()
        if truncate not in _SIDES:
            raise ValueError(
                f"Expected truncate to be one of {_SIDES}. "
                f"Received: truncate={truncate!r}"
            )

    def check_length(self, sequence_length):
        """Checks that a token of the text fits beside start and end token.

        Args:
            sequence_length: `int`, in tokens, or `None`.

        Raises:
            ValueError: if none fits.
        """
        specials = self.add_start_token + self.add_end_token
        if sequence_length is not None and sequence_length <= specials:
            raise ValueError(
                f"Expected sequence_length > {specials}, room for a token beside start "
                f"and end token. Received: sequence_length={sequence_length}"
            )

    def build(self, input_shape=None):
        """Makes the packer of the graph; the vocabulary is loaded by now."""
        self.packer = keras_hub.layers.StartEndPacker(
            self._length(),
            start_value=special_ids(self, "start") or None,
            end_value=special_ids(self, "end") or None,
            pad_value=self._pad_id(),
            return_padding_mask=True,
        )
        self.built = True

    def call(self, x, y=None, sample_weight=None):
        """See the class."""
        pack = self._pack_in_graph if tf.is_symbolic_tensor(x) else self._pack
        token_ids, padding_mask = pack(x)
        features = {"token_ids": token_ids, "padding_mask": padding_mask}
        return keras.utils.pack_x_y_sample_weight(features, y, sample_weight)

    def tokenize_rows(self, texts):
        """Tokenises many texts once, for batches that are padded later.

        Start and end token and truncation are those of calling the preprocessor.

        Args:
            texts: strings, in any container that `call` takes. N of them.

        Returns:
            List of N `int32` arrays of shape `(length,)`, `length <= sequence_length`,
            without padding.

        Raises:
            TypeError: if something is not a string; names the first ones by index.
            ValueError: if the preprocessor has no `sequence_length` yet.
        """
        texts, _ = as_texts(texts)
        start, end = special_ids(self, "start"), special_ids(self, "end")
        room = self._room()
        return [
            np.array([*start, *self._truncated(ids, room), *end], "int32")
            for ids in self._tokenize(self.tokenizer, texts)
        ]

    def whole_lengths(self, texts):
        """Counts the tokens that whole texts have, also where they are cut.

        Args:
            texts: as in `tokenize_rows`. N of them.

        Returns:
            List of N `int`, start and end token included.
        """
        texts, _ = as_texts(texts)
        ends = len(special_ids(self, "start") + special_ids(self, "end"))
        return [len(ids) + ends for ids in self._tokenize(self.tokenizer, texts)]

    def get_config(self):
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "add_start_token": self.add_start_token,
            "add_end_token": self.add_end_token,
        }

    def _pack(self, x):
        """Token ids and mask of eager texts, as NumPy arrays."""
        texts, several = as_texts(x)
        rows = self.tokenize_rows(texts)
        token_ids, padding_mask = padded(rows, self._length(), self._pad_id())
        return (token_ids, padding_mask) if several else (token_ids[0], padding_mask[0])

    def _pack_in_graph(self, x):
        """Token ids and mask of a symbolic string tensor."""
        token_ids = self.graph_tokenizer(self.tokenizer, x)
        if self.truncate == "left":
            token_ids = token_ids[..., -self._room() :]
        return self.packer(token_ids)

    def _truncated(self, ids, room):
        return ids[:room] if self.truncate == "right" else ids[-room:]

    def _room(self):
        """How many tokens of the text fit."""
        ends = [*special_ids(self, "start"), *special_ids(self, "end")]
        return self._length() - len(ends)

    def _length(self):
        if self.sequence_length is None:
            raise ValueError(
                "Expected a preprocessor with a sequence_length. Received None: pass "
                "sequence_length, or give the preprocessor to a task first."
            )
        return self.sequence_length

    def _pad_id(self):
        return getattr(self.tokenizer, "pad_token_id", None) or 0
