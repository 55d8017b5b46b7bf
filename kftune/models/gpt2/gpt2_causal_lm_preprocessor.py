"""From strings to what GPT-2 is trained on and prompted with."""

import sys

import keras
import keras_hub
import numpy as np
import tensorflow as tf

from kftune.models.answer_rows import (
    answer_rows,
    answer_rows_in_graph,
    check_answers,
)
from kftune.models.cut_texts import tell_of_cut_texts
from kftune.models.gpt2.gpt2_backbone import GPT2Backbone
from kftune.models.graph_tokenizer import GraphTokenizer
from kftune.models.pretrained.preset_language_model_preprocessor import (
    PresetLanguageModelPreprocessor,
)
from kftune.models.texts import as_texts
from kftune.models.token_rows import RowTokenizer, check_room, padded, special_ids
from kftune.padding import pad_rows


@keras.saving.register_keras_serializable(package="kftune")
class GPT2CausalLMPreprocessor(
    PresetLanguageModelPreprocessor, keras_hub.models.GPT2CausalLMPreprocessor
):
    """Packs each text as `<|endoftext|> text <|endoftext|>`; every token has the next.

    A prompt and its answer are one text, of which the answer alone is learnt. They are
    tokenised apart, as when the prompt stands alone, and nothing is put between them:
    an answer usually begins with a space or a line end. A pair that is too long loses
    the beginning of its prompt first, then the end of its answer, and a warning says
    how much that was (none in a TensorFlow graph).

    Arguments and methods are those of `keras_hub.models.GPT2CausalLMPreprocessor`.
    The ids are those of transformers, in a TensorFlow graph and outside, at a cost that
    grows evenly with the text, see `kftune.models.TextClassifierPreprocessor`. Prompts
    get a start token only with `add_start_token`. Letters: B batch, T
    `sequence_length`.

    Args:
        tokenizer: `keras_hub.models.GPT2Tokenizer`.
        sequence_length: `int`. T, in tokens.
        add_start_token: `bool`. Whether `<|endoftext|>` comes before the text.
        add_end_token: `bool`. Whether it comes after the text, also if the text is cut.
        **kwargs: Passed to `keras_hub.models.GPT2CausalLMPreprocessor`.

    Call arguments:
        x: strings: one, a list, an array or a tensor of shape `(B,)`.
            Prompts, if there are answers.
        y: answers, strings `(B,)`, or `None`: all of the text is learnt.
        sample_weight: `None`.

    Returns:
        Tuple of `{"token_ids": int32 (B, T), "padding_mask": bool (B, T)}`, the next
        tokens, `int32 (B, T)`, and their weights, `bool (B, T)`, True where a real
        token follows, of an answer if there are answers: its end token, too. One string
        gives `(T,)`.

    Raises:
        TypeError: if something is not a string; names the first ones by index.
        ValueError: if there are not as many answers as prompts, or weights are given.

    Example:
    ```python
    tokenizer = keras_hub.models.GPT2Tokenizer(
        {"<|endoftext|>": 3, "!": 0, "a": 1, "b": 2, "ba": 4}, merges=["b a"]
    )
    preprocessor = GPT2CausalLMPreprocessor(tokenizer, sequence_length=6)
    x, y, sample_weight = preprocessor(["ab!"])
    x["token_ids"], y  # [[3, 1, 2, 0, 3, 0]], [[1, 2, 0, 3, 0, 0]]
    preprocessor.generate_preprocess(["ab!"])["token_ids"]  # [[3, 1, 2, 0, 0, 0]]
    x, y, sample_weight = preprocessor(["ab"], ["!"])  # the same x and y
    sample_weight  # [[False, False, True, True, False, False]]
    ```
    """

    backbone_cls = GPT2Backbone
    read_classes = ("GPT2CausalLMPreprocessor",)

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self._tokenize = RowTokenizer()
        self.graph_tokenizer = GraphTokenizer()

    def call(self, x, y=None, sample_weight=None, sequence_length=None):
        """See the class."""
        if sample_weight is not None:
            raise ValueError(
                "Expected texts, or prompts and answers, without sample weights: what "
                "is learnt are all tokens of a text, or of an answer. Received: "
                f"sample_weight={type(sample_weight).__name__}"
            )
        length = (sequence_length or self.sequence_length) + 1
        if y is None:
            token_ids, mask = self._pack_texts(x, length)
            learnt = mask
        else:
            token_ids, mask, learnt = self._pack_pairs(x, y, length)
        features = {
            "token_ids": token_ids[..., :-1],
            "padding_mask": mask[..., :-1],
        }
        return features, token_ids[..., 1:], learnt[..., 1:]

    def tokenize_rows(self, texts, answers=None, *, cut=True):
        """Tokenises many texts once, for batches that are padded later.

        Args:
            texts: strings, in any container that `call` takes. N of them. Prompts, if
                there are answers.
            answers: N strings, or `None`.
            cut: `bool`. False: rows of any length, as `kftune.data.chunk_rows` takes
                them.

        Returns:
            List of N `int32` arrays `(length,)`, start and end token among them,
            `length <= sequence_length + 1`, if cut: as many predict or are predicted.
            With answers, tuple of it and a list of N `bool` arrays `(length,)`, True
            for a token of the answer or its end, as `kftune.data.TextBuckets` takes
            them.

        Raises:
            TypeError: if something is not a string; names the first ones by index.
            ValueError: if there are not as many answers as prompts.
        """
        texts, _ = as_texts(texts)
        length = self.sequence_length + 1 if cut else sys.maxsize
        if answers is not None:
            answers, _ = as_texts(answers)
            return self._answer_rows(texts, answers, length)
        rows = self._rows(texts, length)
        return [np.array(row, "int32") for row in rows]

    def prompt_rows(self, texts):
        """Tokenises prompts of any length.

        Args:
            texts: list of N `str`.

        Returns:
            List of N lists of `int`, the start token among them if there is one.
        """
        start, (texts, _) = special_ids(self, "start"), as_texts(texts)
        return [[*start, *ids] for ids in self._tokenize(self.tokenizer, texts)]

    def count_tokens(self, text):
        """Counts the tokens of a text.

        Args:
            text: `str`.

        Returns:
            `int`, without start and end token.
        """
        (ids,) = self._tokenize(self.tokenizer, as_texts(text)[0])
        return len(ids)

    def generate_preprocess(self, x, sequence_length=None):
        """Makes the beginning of rows that `generate` goes on with.

        Args:
            x: strings, as for `call`.
            sequence_length: `int` or `None` for that of the preprocessor. T.

        Returns:
            `{"token_ids": int32 (B, T), "padding_mask": bool (B, T)}`.

        Raises:
            TypeError: if something is not a string; names the first ones by index.
            ValueError: if a prompt has more than T tokens. In a TensorFlow graph it is
                cut instead.
        """
        length = self.sequence_length if sequence_length is None else sequence_length
        if tf.is_symbolic_tensor(x):
            token_ids, mask = self._pack_in_graph(x, length, is_prompt=True)
        else:
            texts, several = as_texts(x)
            rows = self.prompt_rows(texts)
            check_room(rows, length)
            token_ids, mask = self._pack(rows, length, several)
        return {"token_ids": token_ids, "padding_mask": mask}

    def _pack_texts(self, x, length):
        """Token ids and mask of texts, all of which are learnt."""
        if tf.is_symbolic_tensor(x):
            return self._pack_in_graph(x, length)
        texts, several = as_texts(x)
        return self._pack(self._rows(texts, length), length, several)

    def _pack(self, rows, length, several):
        """Token ids and mask of rows, as NumPy arrays."""
        token_ids, mask = padded(rows, length, self.tokenizer.pad_token_id)
        return (token_ids, mask) if several else (token_ids[0], mask[0])

    def _pack_in_graph(self, x, length, *, is_prompt=False):
        """Token ids and mask of a symbolic string tensor; long prompts are cut, too."""
        if not self.built:
            self.build(None)
        return self.packer(
            self.graph_tokenizer(self.tokenizer, x),
            sequence_length=length,
            add_start_value=self.add_start_token,
            add_end_value=self.add_end_token and not is_prompt,
        )

    def _rows(self, texts, length):
        """Token ids with start and end token, at most `length` of them."""
        start, end = special_ids(self, "start"), special_ids(self, "end")
        room = length - len(start) - len(end)
        rows = list(self._tokenize(self.tokenizer, texts))
        tell_of_cut_texts([len(ids) - room for ids in rows], length)
        return [[*start, *ids[:room], *end] for ids in rows]

    def _pack_pairs(self, prompts, answers, length):
        """Token ids, mask, and where tokens of answers stand."""
        if tf.is_symbolic_tensor(prompts):
            return self._pack_pairs_in_graph(prompts, answers, length)
        prompts, several = as_texts(prompts)
        answers, _ = as_texts(answers)
        rows, weights = self._answer_rows(prompts, answers, length)
        token_ids, mask = self._pack(rows, length, several)
        learnt = pad_rows(weights, length).astype(bool)
        return token_ids, mask, learnt if several else learnt[0]

    def _pack_pairs_in_graph(self, prompts, answers, length):
        """The same of symbolic string tensors, `(B,)` or `()`."""
        packed = answer_rows_in_graph(
            *(
                self.graph_tokenizer(self.tokenizer, tf.reshape(texts, (-1,)))
                for texts in (prompts, answers)
            ),
            length,
            start=special_ids(self, "start"),
            end=special_ids(self, "end"),
            pad_token_id=self.tokenizer.pad_token_id,
        )
        return packed if prompts.shape.rank else tuple(part[0] for part in packed)

    def _answer_rows(self, prompts, answers, length):
        """Token ids and weights of pairs, at most `length` of them."""
        check_answers(prompts, answers)
        return answer_rows(
            *(self._tokenize(self.tokenizer, texts) for texts in (prompts, answers)),
            length,
            start=special_ids(self, "start"),
            end=special_ids(self, "end"),
        )
