"""From text pairs to what an encoder-decoder is trained on and prompted with."""

import functools

import keras
import keras_hub
import numpy as np
import tensorflow as tf
from keras import ops

from kftune.models.cut_texts import tell_of_cut_texts
from kftune.models.graph_tokenizer import GraphTokenizer
from kftune.models.pretrained.preset_language_model_preprocessor import (
    PresetLanguageModelPreprocessor,
)
from kftune.models.rounded_length import rounded_length
from kftune.models.texts import as_texts
from kftune.models.token_rows import RowTokenizer, check_room, padded
from kftune.models.tokenizer_fingerprint import tokenizer_fingerprint
from kftune.models.tokenizers.translation_tokenizer import TranslationTokenizer
from kftune.models.transformer.side_ends import pad_id, side_ends
from kftune.models.transformer.text_pairs import (
    check_as_many,
    empty_texts,
    text_pairs,
)
from kftune.models.transformer.transformer_backbone import TransformerBackbone


@keras.saving.register_keras_serializable(package="kftune")
class TransformerSeq2SeqLMPreprocessor(
    PresetLanguageModelPreprocessor, keras_hub.models.Seq2SeqLMPreprocessor
):
    """Puts start and end tokens around sources and targets, and pads on the right.

    Which tokens these are, a `TranslationTokenizer` (Marian, M2M100) knows. BART's are
    `<s> source </s>` and `</s> <s> target </s>`. Other KerasHub tokenizers give
    `source, end` and `start, target, end`.

    Common tokenizers give the ids of transformers, see
    `kftune.models.TextClassifierPreprocessor`. Letters: B batch, S
    `encoder_sequence_length`, T `decoder_sequence_length`.

    Args:
        tokenizer: a `keras_hub.tokenizers.Tokenizer`.
        encoder_sequence_length: `int`. S, in tokens. Longer sources are cut, and keep
            their end tokens.
        decoder_sequence_length: `int`. T, in tokens; longer targets are cut likewise.
        **kwargs: Passed to `keras_hub.models.Seq2SeqLMPreprocessor`.

    Call arguments:
        x: source texts, strings of shape `(B,)`, one or several; or a dict of
            `encoder_text` and `decoder_text`.
        y: target texts, unless `x` is a dict.
        sample_weight: `None`.

    Returns:
        Tuple of a dict of `encoder_token_ids`, `int32 (B, S)`, `encoder_padding_mask`,
        `bool (B, S)`, `decoder_token_ids` and `decoder_padding_mask`, `(B, T)`; the
        next tokens, `int32 (B, T)`, and their weights, `bool (B, T)`, True where a real
        token follows.

    Raises:
        TypeError: if something is not a string; names the first ones by index.
        ValueError: if targets are missing or not as many as sources, if weights are
            given, or if the tokenizer lacks a start or end token.

    Example:
    ```python
    vocabulary = {"<s>": 0, "<pad>": 1, "</s>": 2, "a": 3, "b": 4, "ba": 5}
    preprocessor = TransformerSeq2SeqLMPreprocessor(
        keras_hub.models.BartTokenizer(vocabulary, merges=["b a"]), 5, 4
    )
    x, y, sample_weight = preprocessor(["ab"], ["b"])
    x["encoder_token_ids"], x["decoder_token_ids"]  # [[0, 3, 4, 2, 1]], [[2, 0, 4, 2]]
    y  # [[0, 4, 2, 1]]
    ```
    """

    backbone_cls = TransformerBackbone
    read_classes = ("TransformerSeq2SeqLMPreprocessor", "BartSeq2SeqLMPreprocessor")

    def __init__(
        self,
        tokenizer,
        encoder_sequence_length=256,
        decoder_sequence_length=256,
        **kwargs,
    ):
        super().__init__(
            tokenizer, encoder_sequence_length, decoder_sequence_length, **kwargs
        )
        self._tokenize = RowTokenizer()
        self.graph_tokenizer = GraphTokenizer()

    def build(self, input_shape=None):
        """Makes nothing: the tokens around a text may change with its language."""
        self.built = True

    def call(self, x, y=None, sample_weight=None):
        """See the class."""
        sources, targets = text_pairs(x, y, sample_weight)
        encoder_ids, encoder_mask = self._pack(
            "source", sources, self.encoder_sequence_length
        )
        token_ids, mask = self._pack(
            "target", targets, self.decoder_sequence_length + 1
        )
        check_as_many(encoder_ids, token_ids)
        features = {
            "encoder_token_ids": encoder_ids,
            "encoder_padding_mask": encoder_mask,
            "decoder_token_ids": token_ids[..., :-1],
            "decoder_padding_mask": mask[..., :-1],
        }
        return features, token_ids[..., 1:], mask[..., 1:]

    def tokenize_rows(self, texts, side, *, alpha=None, seed=0):
        """Tokenises many texts once, for batches that are padded later.

        Args:
            texts: strings, in any container that `call` takes. N of them.
            side: `str`. `"source"` or `"target"`.
            alpha: `float` to cut texts at random, see `TranslationTokenizer.sample`; or
                `None`.
            seed: `int`. Of the cuts.

        Returns:
            List of N `int32` arrays `(length,)` with start and end tokens. A target has
            at most T + 1 tokens: as many predict or are predicted.

        Raises:
            TypeError: if something is not a string; names the first ones by index. If
                the tokenizer cannot cut at random.
        """
        length = self.encoder_sequence_length
        if side == "target":
            length = self.decoder_sequence_length + 1
        tokenize = self._tokenizer_of(side, self._tokenize)
        if alpha is not None:
            self._check_samples()
            tokenize = functools.partial(
                self.tokenizer.sample, side=side, alpha=alpha, seed=seed
            )
        rows = self._cut_rows(side, tokenize(as_texts(texts)[0]), length)
        return [np.array(row, "int32") for row in rows]

    def fingerprint(self):
        """Tells whether two preprocessors give the same rows.

        Returns:
            List of JSON's types, equal in every process if they do.
        """
        lengths = (self.encoder_sequence_length, self.decoder_sequence_length)
        ends = [
            [int(token_id) for token_id in ids]
            for side in ("source", "target")
            for ids in side_ends(self.tokenizer, side)
        ]
        return [tokenizer_fingerprint(self.tokenizer), *lengths, *ends]

    def generate_preprocess(
        self,
        x,
        *,
        encoder_sequence_length=None,
        decoder_sequence_length=None,
        sequence_length=None,
    ):
        """Makes sources, and the beginning of targets that `generate` goes on with.

        Outside a graph sources are padded to the next power of two only.

        Args:
            x: source texts; or a dict of `encoder_text` and `decoder_text`, the
                beginnings of the targets.
            encoder_sequence_length: `int` or `None` for that of the preprocessor.
            decoder_sequence_length: `int` or `None` for that of the preprocessor.
            sequence_length: `int` or `None`, stands for `decoder_sequence_length`.

        Returns:
            Dict of `encoder_token_ids`, `encoder_padding_mask`, `decoder_token_ids` and
            `decoder_padding_mask`, as from `call`.

        Raises:
            TypeError: if something is not a string; names the first ones by index.
            ValueError: if the beginning of a target has too many tokens, or if there
                are not as many as sources.
        """
        source_length = _first(encoder_sequence_length, self.encoder_sequence_length)
        length = _first(
            decoder_sequence_length, sequence_length, self.decoder_sequence_length
        )
        sources, prompts = x, None
        if isinstance(x, dict):
            sources, prompts = x["encoder_text"], x.get("decoder_text")
        if prompts is None:
            prompts = empty_texts(sources)
        encoder_ids, encoder_mask = self._pack(
            "source", sources, source_length, rounded=True
        )
        token_ids, mask = self._pack("target", prompts, length, is_prompt=True)
        check_as_many(encoder_ids, token_ids)
        return {
            "encoder_token_ids": encoder_ids,
            "encoder_padding_mask": encoder_mask,
            "decoder_token_ids": token_ids,
            "decoder_padding_mask": mask,
        }

    def generate_postprocess(self, x):
        """Makes texts of what was generated.

        Args:
            x: dict of `decoder_token_ids`, integers `(B, T)`, and
                `decoder_padding_mask`, True where a token counts.

        Returns:
            List of B `str`, without special tokens.
        """
        names = ("decoder_token_ids", "decoder_padding_mask")
        token_ids, mask = (ops.convert_to_numpy(x[name]) for name in names)
        special = [*self.tokenizer.special_token_ids]
        for ids in side_ends(self.tokenizer, "target"):
            special += ids
        keep = mask.astype(bool) & ~np.isin(token_ids, special)
        rows = [row[kept].tolist() for row, kept in zip(token_ids, keep, strict=True)]
        return [str(text) for text in self.tokenizer.detokenize(rows)]

    def get_config(self):
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "encoder_sequence_length": self.encoder_sequence_length,
            "decoder_sequence_length": self.decoder_sequence_length,
        }

    @property
    def stop_token_ids(self):
        """List of `int`: tokens at which `generate` stops."""
        return side_ends(self.tokenizer, "target")[1]

    def _pack(self, side, texts, length, *, is_prompt=False, rounded=False):
        """Token ids and mask of texts; a prompt has no end and is not cut."""
        if tf.is_symbolic_tensor(texts):
            return self._pack_in_graph(side, texts, length, is_prompt)
        texts, several = as_texts(texts)
        rows = self._rows(side, texts, length, is_prompt, tells=not rounded)
        if rounded:
            length = rounded_length(max(map(len, rows), default=0), length)
        token_ids, mask = padded(rows, length, pad_id(self.tokenizer, side))
        return (token_ids, mask) if several else (token_ids[0], mask[0])

    def _pack_in_graph(self, side, texts, length, is_prompt):
        """Token ids and mask of a symbolic string tensor."""
        start, end = side_ends(self.tokenizer, side)
        packer = keras_hub.layers.StartEndPacker(
            length,
            start_value=list(start) or None,
            end_value=None if is_prompt else list(end),
            pad_value=pad_id(self.tokenizer, side),
            return_padding_mask=True,
        )
        return packer(self._tokenizer_of(side, self.graph_tokenizer)(texts))

    def _rows(self, side, texts, length, is_prompt, *, tells):
        """Lists of token ids, start and end among them, at most `length` of them."""
        rows = self._tokenizer_of(side, self._tokenize)(texts)
        if not is_prompt:
            return self._cut_rows(side, rows, length, tells=tells)
        start, _ = side_ends(self.tokenizer, side)
        rows = [[*start, *ids] for ids in rows]
        check_room(rows, length)
        return rows

    def _cut_rows(self, side, rows, length, *, tells=False):
        """Rows with start and end tokens, at most `length` of them."""
        start, end = side_ends(self.tokenizer, side)
        room = length - len(start) - len(end)
        if room < 1:
            raise ValueError(
                f"Expected room for a token between {len(start)} tokens that start a "
                f"{side} and {len(end)} that end it. Received: a length of {length}"
            )
        rows = list(rows)
        if tells:
            excess = [len(ids) - room for ids in rows]
            name = {"source": "encoder", "target": "decoder"}[side]
            advice = f"A larger {name}_sequence_length keeps more."
            tell_of_cut_texts(excess, length, f"{side}s", advice)
        return [[*start, *ids[:room], *end] for ids in rows]

    def _tokenizer_of(self, side, tokenize):
        """Function from texts to token ids without start and end.

        `tokenize` is for tokenizers that do not know source and target.
        """
        if not self._is_two_sided:
            return functools.partial(tokenize, self.tokenizer)
        if side == "target":
            return self.tokenizer.tokenize_target
        return self.tokenizer.tokenize

    @property
    def _is_two_sided(self):
        """Whether the tokenizer knows source and target."""
        return isinstance(self.tokenizer, TranslationTokenizer)

    def _check_samples(self):
        if not self._is_two_sided:
            raise TypeError(
                "Expected a MarianTokenizer or M2M100Tokenizer, which cut texts at "
                f"random, for alpha. Received: {type(self.tokenizer).__name__}"
            )


def _first(*lengths):
    """The first that is given."""
    return next(length for length in lengths if length is not None)
