"""What the tokenizers of translation models have in common."""

import json
from pathlib import Path

import keras_hub

from kftune.models.pretrained.preset_tokenizer import PresetTokenizer
from kftune.models.texts import as_texts
from kftune.models.tokenizers.special_tokens import set_special_tokens

VOCABULARY_FILE = "vocab.json"


class TranslationTokenizer(PresetTokenizer, keras_hub.tokenizers.Tokenizer):
    """Base of tokenizers that know a source and a target side.

    A row of the encoder is `source_start_ids`, the tokens of the source and
    `source_end_ids`; one of the decoder `target_start_ids`, the tokens of the target
    and `target_end_ids`. Calling the tokenizer tokenises the source side. Ids are those
    of transformers, eagerly and in a TensorFlow graph (`tf.data`, SavedModel).

    A subclass sets `file_assets`, reads and writes them, and calls `_set_coders`; see
    `MarianTokenizer` for an example.

    Args:
        start_token: `str`, with which decoding starts.
        end_token: `str`, of both sides.
        pad_token: `str`.
        unknown_token: `str`, for what the vocabulary does not know.
        extra_special_tokens: list of `str`: more tokens of the vocabulary that are
            never cut and no part of a text.
        **kwargs: Passed to `keras_hub.tokenizers.Tokenizer`.
    """

    def __init__(
        self,
        start_token,
        end_token,
        pad_token,
        unknown_token,
        extra_special_tokens=(),
        **kwargs,
    ):
        set_special_tokens(
            self,
            start_token=start_token,
            end_token=end_token,
            pad_token=pad_token,
            unknown_token=unknown_token,
        )
        super().__init__(dtype=kwargs.pop("dtype", "int32"), **kwargs)
        self.extra_special_tokens = list(extra_special_tokens)
        self._source, self._target = None, None
        self._source_ids, self._target_ids, self._target_tokens = None, None, None

    def tokenize(self, inputs):
        """Gives the token ids of the source side.

        Args:
            inputs: strings: one, a list, an array or a tensor of shape `(B,)`.

        Returns:
            List of B lists of `int`, or one list for one string. In a graph a
            `tf.RaggedTensor`, `int32` of shape `(B, None)` or `(None,)`.

        Raises:
            TypeError: if something is not a string.
            ValueError: if the vocabulary was not loaded.
        """
        return self._loaded(self._source).tokenize(inputs)

    def tokenize_target(self, inputs):
        """Gives the token ids of the target side; as `tokenize`.

        Args:
            inputs: as in `tokenize`.

        Returns:
            As from `tokenize`.

        Raises:
            TypeError: as in `tokenize`.
            ValueError: as in `tokenize`.
        """
        return self._loaded(self._target).tokenize(inputs)

    def sample(self, texts, side="source", alpha=0.1, seed=0):
        """Cuts texts at random, for training: subword regularisation.

        Args:
            texts: list of B `str`.
            side: `str`. `"source"` or `"target"`.
            alpha: `float`. For unigram models, a way to cut a text is as probable as
                the product of the probabilities of its pieces, to the power of
                `alpha`: the smaller, the more different they are. For BPE models, the
                probability, 0 to 1, that a merge is left out.
            seed: `int`, 0 to 2³² - 1. The same seed gives the same ids.

        Returns:
            List of B lists of `int`, without start and end token.

        Raises:
            TypeError: if something is not a string.
            ValueError: if the vocabulary was not loaded.

        Reference:
            Kudo, 2018, "Subword Regularization"; Provilkov et al., 2020, "BPE-Dropout".
        """
        coder = self._target if side == "target" else self._source
        return self._loaded(coder).sample(as_texts(texts)[0], alpha, seed)

    def detokenize(self, inputs):
        """Gives the texts of the target side's ids, without special tokens.

        Args:
            inputs: ids of shape `(B, T)` or `(T,)`, ragged, padded, or in lists.

        Returns:
            List of B `str`, or one `str`; in a graph a `tf.string` tensor.

        Raises:
            ValueError: if the vocabulary was not loaded.
        """
        return self._loaded(self._target).detokenize(inputs)

    @property
    def special_tokens(self):
        """List of `str`: tokens that are no part of a text."""
        return sorted({*super().special_tokens, *self.extra_special_tokens})

    @property
    def special_token_ids(self):
        """List of `int`: ids of `special_tokens`, on the target side."""
        ids = self._loaded(self._target_ids)
        return [ids[token] for token in self.special_tokens]

    @property
    def source_start_ids(self):
        """List of `int`: what stands before the source."""
        return []

    @property
    def source_end_ids(self):
        """List of `int`: what stands after the source."""
        return [self.end_token_id]

    @property
    def target_start_ids(self):
        """List of `int`: what the decoder is given first."""
        return [self._loaded(self._target_ids)[self.start_token]]

    @property
    def target_end_ids(self):
        """List of `int`: what stands after the target."""
        return [self._loaded(self._target_ids)[self.end_token]]

    @property
    def target_pad_token_id(self):
        """`int`: what fills up targets; `pad_token_id` is that of the source side."""
        return self._loaded(self._target_ids)[self.pad_token]

    def get_vocabulary(self):
        """Gives the tokens of the target side.

        Returns:
            List of `str`, ordered by id.
        """
        tokens = self._loaded(self._target_tokens)
        return [tokens[token_id] for token_id in sorted(tokens)]

    def vocabulary_size(self):
        """Gives the number of ids of the target side that the embedding must have.

        Returns:
            `int`, one more than the largest id.
        """
        return max(self._loaded(self._target_tokens)) + 1

    def source_vocabulary_size(self):
        """Gives the number of ids of the source side that the embedding must have.

        Returns:
            `int`, one more than the largest id.
        """
        return max(self._loaded(self._source_ids).values()) + 1

    def id_to_token(self, id):
        """Gives a token of the target side.

        Args:
            id: `int`.

        Returns:
            `str`, the unknown token if there is no such id.
        """
        return self._loaded(self._target_tokens).get(int(id), self.unknown_token)

    def token_to_id(self, token):
        """Gives the id of a token of the source side.

        Args:
            token: `str`.

        Returns:
            `int`, that of the unknown token if there is no such token.
        """
        ids = self._loaded(self._source_ids)
        return ids.get(token, ids[self.unknown_token])

    def get_config(self):
        """The constructor's arguments, without the files."""
        return {
            **super().get_config(),
            "start_token": self.start_token,
            "end_token": self.end_token,
            "pad_token": self.pad_token,
            "unknown_token": self.unknown_token,
            "extra_special_tokens": list(self.extra_special_tokens),
        }

    def _set_coders(self, source, target, source_ids, target_ids):
        """Takes what was loaded; `source_ids` and `target_ids` are dicts by token."""
        self._source, self._target = source, target
        self._source_ids, self._target_ids = source_ids, target_ids
        self._target_tokens = {i: token for token, i in target_ids.items()}
        self._update_special_token_ids()

    def _loaded(self, part):
        if part is None:
            raise ValueError(
                f"Expected a {type(self).__name__} with a vocabulary. Received one "
                "without: load it from a preset or pass its files."
            )
        return part


def check_vocabulary(vocabulary, special_tokens):
    """Checks that a vocabulary maps tokens to ids and has the special tokens.

    Args:
        vocabulary: what was read from `vocab.json`.
        special_tokens: list of `str`.

    Raises:
        ValueError: if it does not; lists all that is wrong.
    """
    if not isinstance(vocabulary, dict):
        raise ValueError(
            "Expected a vocabulary as a dict of token to id. Received: "
            f"{type(vocabulary).__name__}"
        )
    wrong = [
        f"{token!r}: {i!r}"
        for token, i in vocabulary.items()
        if not isinstance(token, str) or type(i) is not int or i < 0
    ]
    wrong += [f"no {token!r}" for token in special_tokens if token not in vocabulary]
    if not wrong and len(set(vocabulary.values())) != len(vocabulary):
        wrong.append("several tokens with one id")
    if wrong:
        raise ValueError(
            "Expected a vocabulary with ids from 0 on, one for each token, and the "
            f"tokens {sorted(set(special_tokens))}. Received: {', '.join(wrong[:20])}"
        )


def write_vocabulary(vocabulary, path):
    """Writes a vocabulary as transformers does.

    Args:
        vocabulary: dict of token to id.
        path: `str` or `Path`.
    """
    text = json.dumps(dict(vocabulary), ensure_ascii=False, indent=2)
    Path(path).write_text(text, "utf-8")
