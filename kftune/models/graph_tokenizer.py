"""From texts to token ids, and back, in a TensorFlow graph."""

import tensorflow as tf

from kftune.models.built_once import BuiltOnce
from kftune.models.fast_tokenizers import is_byte_level
from kftune.models.tokenizers.graph_byte_pairs import GraphBytePairs


class GraphTokenizer(tf.Module):
    """Tokenises tensors of texts; `RowTokenizer` does so outside a graph.

    The tokenizers of BART, GPT-2 and RoBERTa run as `GraphBytePairs`, others as
    KerasHub has them. A `tf.Module`, so that a SavedModel takes the tables along.

    Example:
    ```python
    tokenize = GraphTokenizer()
    texts = tf.data.Dataset.from_tensors(["A good film."])
    rows = texts.map(lambda batch: tokenize(tokenizer, batch))
    ```
    """

    def __init__(self):
        super().__init__()
        self._built = BuiltOnce(GraphBytePairs)
        self._byte_pairs = None

    def __call__(self, tokenizer, texts):
        """Tokenises texts.

        Args:
            tokenizer: a `keras_hub.tokenizers.Tokenizer`.
            texts: `tf.string` tensor `(B,)` or `()`.

        Returns:
            `tf.RaggedTensor`, `int32 (B, None)`, without start and end token; of one
            text a tensor `(None,)`.
        """
        if not is_byte_level(tokenizer):
            return tokenizer.tokenize(texts)
        return self._tables(tokenizer).tokenize(texts)

    def detokenize(self, tokenizer, ids):
        """Gives the texts of token ids.

        Args:
            tokenizer: a `keras_hub.tokenizers.Tokenizer`.
            ids: `tf.RaggedTensor`, `int32 (B, None)`, without special tokens.

        Returns:
            `tf.string` tensor `(B,)`.
        """
        if not is_byte_level(tokenizer):
            return tokenizer.detokenize(ids)
        return self._tables(tokenizer).detokenize(ids, skip_special_tokens=False)

    def _tables(self, tokenizer):
        with tf.init_scope():  # they outlive the graph
            self._byte_pairs = self._built(tokenizer)
        return self._byte_pairs
