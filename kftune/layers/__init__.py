"""Layers on `keras.ops`, the same on TensorFlow, JAX and PyTorch."""

from kftune.layers.chunked_crossentropy import chunked_crossentropy
from kftune.layers.left_edge import LeftEdge
from kftune.layers.masked_pooling import MaskedPooling
from kftune.layers.multi_head_attention import MultiHeadAttention
from kftune.layers.output_embedding import OutputEmbedding
from kftune.layers.sinusoidal_position_embedding import SinusoidalPositionEmbedding
from kftune.layers.smoothed_crossentropy import SmoothedCrossentropy
from kftune.layers.transformer_block import TransformerBlock

__all__ = [
    "LeftEdge",
    "MaskedPooling",
    "MultiHeadAttention",
    "OutputEmbedding",
    "SinusoidalPositionEmbedding",
    "SmoothedCrossentropy",
    "TransformerBlock",
    "chunked_crossentropy",
]
