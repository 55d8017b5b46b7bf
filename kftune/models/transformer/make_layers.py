"""Makes the layers of a `TransformerBackbone`."""

import math

import keras
import keras_hub

from kftune.layers import (
    OutputEmbedding,
    SinusoidalPositionEmbedding,
    TransformerBlock,
)
from kftune.models.transformer.transformer_stack import TransformerStack

_SINUSOIDAL = {
    "sinusoidal": {},
    "sinusoidal_fairseq": {"reach_max_wavelength": True},
    "sinusoidal_interleaved": {"layout": "interleaved"},
}
POSITION_EMBEDDINGS = ("learned", *_SINUSOIDAL)


def make_token_embeddings(encoder, decoder, both, dtype):
    """Makes the tables of tokens.

    Args:
        encoder: dict of sizes of the encoder.
        decoder: dict of sizes of the decoder.
        both: dict of what the backbone's arguments say of both.
        dtype: dtype policy of the layers.

    Returns:
        Tuple of the layer of the encoder and that of the decoder, which also gives
        logits; one and the same if they share embeddings.
    """

    def make(cls, sizes, name, **options):
        return cls(
            sizes["vocabulary_size"],
            sizes["hidden_dim"],
            embeddings_initializer=_truncated_normal(both),
            dtype=dtype,
            name=name,
            **options,
        )

    cls = OutputEmbedding if both["logits_bias"] else keras.layers.ReversibleEmbedding
    tie_weights = both["tie_output"]
    if both["share_embeddings"]:
        table = make(cls, decoder, "token_embedding", tie_weights=tie_weights)
        return table, table
    return (
        make(keras.layers.Embedding, encoder, "encoder_token_embedding"),
        make(cls, decoder, "decoder_token_embedding", tie_weights=tie_weights),
    )


def make_stack(side, token_embedding, settings, dtype):
    """Makes one side of a `TransformerBackbone`.

    Args:
        side: `str`. `"encoder"` or `"decoder"`.
        token_embedding: layer from `(B, T)` ids to `(B, T, D)`.
        settings: dict of what the backbone's arguments say of this side.
        dtype: dtype policy of the layers.

    Returns:
        `TransformerStack`, with names of layers as in `keras_hub.models.BartBackbone`.
    """
    hidden_dim = settings["hidden_dim"]
    return TransformerStack(
        token_embedding,
        _position_embedding(f"{side}_position_embedding", settings, dtype),
        [
            _block(side, f"transformer_{side}_layer_{index}", settings, dtype)
            for index in range(settings["num_layers"])
        ],
        dropout=settings["dropout"],
        prefix=f"{side}_",
        dtype=dtype,
        scale=math.sqrt(hidden_dim) if settings["scale_embedding"] else 1.0,
        position_offset=settings["position_offset"],
        embedding_norm=_norm(f"{side}_embeddings_layer_norm", dtype)
        if settings["embedding_layer_norm"]
        else None,
        layer_norm=_norm(f"{side}_layer_norm", dtype)
        if settings["final_layer_norm"]
        else None,
    )


def _position_embedding(name, settings, dtype):
    kind = settings["position_embedding"]
    length = settings["max_sequence_length"] + settings["position_offset"]
    if kind != "learned":
        return SinusoidalPositionEmbedding(
            length, **_SINUSOIDAL[kind], dtype=dtype, name=name
        )
    return keras_hub.layers.PositionEmbedding(
        length,
        initializer=_truncated_normal(settings),
        dtype=dtype,
        name=name,
    )


def _block(side, name, settings, dtype):
    return TransformerBlock(
        settings["intermediate_dim"],
        settings["num_heads"],
        dropout=settings["dropout"],
        attention_dropout=settings["attention_dropout"],
        activation_dropout=settings["activation_dropout"],
        activation=settings["activation"],
        kernel_initializer=_truncated_normal(settings),
        normalize_first=settings["normalize_first"],
        use_causal_mask=side == "decoder",
        use_cross_attention=side == "decoder",
        remat=settings["remat"],
        dtype=dtype,
        name=name,
    )


def _norm(name, dtype):
    return keras.layers.LayerNormalization(epsilon=1e-5, dtype=dtype, name=name)


def _truncated_normal(settings):
    """A new initializer of kernels and tables."""
    return keras.initializers.TruncatedNormal(stddev=settings["initializer_stddev"])
