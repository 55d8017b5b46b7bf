"""Layers on `keras.ops`, the same on TensorFlow, JAX and PyTorch."""

from kftune.layers.left_edge import LeftEdge
from kftune.layers.masked_pooling import MaskedPooling

__all__ = ["LeftEdge", "MaskedPooling"]
