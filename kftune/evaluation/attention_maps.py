"""How much the tokens of a text attend to each other in the last block of a model."""

import dataclasses

import keras
import keras_hub
import numpy as np
from keras import ops

from kftune.layers import TransformerBlock


@dataclasses.dataclass(frozen=True)
class AttentionMap:
    """The attention within one text.

    Attributes:
        text: `str`.
        tokens: tuple of T `str` as the vocabulary has them, start and end tokens among
            them.
        weights: float array `(T, T)`, 0 to 1, the mean over the heads. Row i tells how
            much token i attends to each token, and sums to 1.

    Example:
    ```python
    (found,) = kftune.evaluation.attention_maps(task, ["Not a good film."])
    found.tokens[found.weights[-1].argmax()]  # what the last token looks at most
    ```
    """

    text: str
    tokens: tuple
    weights: np.ndarray


def attention_maps(task, texts):
    """Computes the self-attention of the last block; of the encoder, if there is one.

    Args:
        task: a task of kftune with a preprocessor, such as `kftune.models.load_task`
            gives. Its blocks are `kftune.layers.TransformerBlock` or
            `keras_hub.layers.TransformerEncoder`: those of GPT-2, BART, OPUS-MT, BERT,
            RoBERTa, DistilBERT and ELECTRA are.
        texts: list of N `str`. Long ones are cut as in training.

    Returns:
        List of N `AttentionMap`.

    Raises:
        ValueError: if the backbone has no such blocks.

    Example:
    ```python
    task = kftune.models.load_task("runs/reviews/model")
    (found,) = attention_maps(task, ["Not a good film."])
    dict(zip(found.tokens, found.weights[-1]))  # what the last token attends to
    ```
    """
    backbone, tokenizer = task.backbone, task.preprocessor.tokenizer
    block = _last_block(backbone)
    # What the block was called with: the states, then the mask.
    before = keras.Model(backbone.input, block.input[0])
    maps = []
    for text, row in zip(texts, _rows(task, texts), strict=True):
        inputs = {name: _input(name, row[None]) for name in backbone.input}
        states = before(inputs, training=False)
        weights = ops.convert_to_numpy(_weights(block, states, np.ones_like(row[None])))
        tokens = tuple(tokenizer.id_to_token(int(token_id)) for token_id in row)
        maps.append(AttentionMap(text, tokens, weights[0].mean(axis=0)))
    return maps


def _last_block(backbone):
    for name in ("transformer_layers", "encoder_transformer_layers"):
        blocks = getattr(backbone, name, None) or [None]
        if isinstance(
            blocks[-1], TransformerBlock | keras_hub.layers.TransformerEncoder
        ):
            return blocks[-1]
    raise ValueError(
        "Expected a backbone whose blocks tell their attention, "
        "kftune.layers.TransformerBlock or keras_hub.layers.TransformerEncoder. "
        f"Received: {type(backbone).__name__}"
    )


def _rows(task, texts):
    """Token ids of each text, int32 arrays `(T,)`."""
    preprocessor = task.preprocessor
    if "encoder_token_ids" in task.input:
        return preprocessor.tokenize_rows(texts, "source")
    # A language model's rows have a token more, which is predicted only.
    rows = preprocessor.tokenize_rows(texts)
    return [row[: preprocessor.sequence_length] for row in rows]


def _input(name, token_ids):
    """What a backbone gets; what its decoder gets does not matter."""
    if name.endswith("padding_mask"):
        return np.ones_like(token_ids)
    return np.zeros_like(token_ids) if name == "segment_ids" else token_ids


def _weights(block, states, padding_mask):
    if isinstance(block, TransformerBlock):
        return block.attention_weights(states, padding_mask)
    padding_mask = ops.convert_to_tensor(padding_mask)
    _, weights = block(states, padding_mask=padding_mask, return_attention_scores=True)
    return weights
