"""Makes the layers of an encoder or of a decoder."""

import math

import keras
import keras_hub

from kftune.layers import SinusoidalPositionEmbedding, TransformerBlock
from kftune.models.transformer.transformer_stack import TransformerStack

_SINUSOIDAL = {
    "sinusoidal": {},
    "sinusoidal_fairseq": {"reach_max_wavelength": True},
    "sinusoidal_interleaved": {"layout": "interleaved"},
}
POSITION_EMBEDDINGS = ("learned", *_SINUSOIDAL)


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


def truncated_normal(settings):
    """The initial weights of kernels and tables.

    Args:
        settings: dict with `initializer_stddev`.

    Returns:
        A new `keras.initializers.Initializer`.
    """
    return keras.initializers.TruncatedNormal(stddev=settings["initializer_stddev"])


def _position_embedding(name, settings, dtype):
    kind = settings["position_embedding"]
    length = settings["max_sequence_length"] + settings["position_offset"]
    if kind != "learned":
        return SinusoidalPositionEmbedding(
            length, **_SINUSOIDAL[kind], dtype=dtype, name=name
        )
    return keras_hub.layers.PositionEmbedding(
        length,
        initializer=truncated_normal(settings),
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
        kernel_initializer=truncated_normal(settings),
        normalize_first=settings["normalize_first"],
        use_causal_mask=side == "decoder",
        use_cross_attention=side == "decoder",
        remat=settings["remat"],
        dtype=dtype,
        name=name,
    )


def _norm(name, dtype):
    return keras.layers.LayerNormalization(epsilon=1e-5, dtype=dtype, name=name)
