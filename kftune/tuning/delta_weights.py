"""Which weights of a model are its own and which are those of its base."""

import dataclasses
import hashlib

import keras
import numpy as np

from kftune.models.frozen_weights import weights_by_layer
from kftune.models.layer_tree import (
    is_kind,
    is_lora_factor,
    lora_base,
    lora_layers,
    sublayers,
)


@dataclasses.dataclass(frozen=True)
class DeltaWeights:
    """The weights of a model by keys that are the same in every process.

    A key is the position of a weight layer by layer; LoRA factors have that of the
    weight that they stand beside, and `.a` or `.b`.

    Attributes:
        own: dict of key to weight: what is trained, LoRA factors, and moving
            statistics of normalisation that is trained.
        base: dict of key to all others.
        adapted: dict of the key of a weight to its layer, for layers with factors.
    """

    own: dict[str, keras.Variable]
    base: dict[str, keras.Variable]
    adapted: dict[str, keras.Layer]

    @property
    def all(self):
        """Dict of key to weight, all of them."""
        return {**self.base, **self.own}

    def base_fingerprint(self):
        """Hashes the values of the base.

        Returns:
            `str`, 64 hexadecimal digits: SHA-256 over keys, shapes and values, those
            of floating point as float32.
        """
        digest = hashlib.sha256()
        for key, weight in sorted(self.base.items(), key=lambda item: int(item[0])):
            array = plain_array(weight)
            digest.update(f"{key}\0{array.shape}\0".encode())
            digest.update(array.data)
        return digest.hexdigest()


def delta_weights(model: keras.Model) -> DeltaWeights:
    """Sorts the weights of a model.

    Args:
        model: built model.

    Returns:
        Its weights.
    """
    by_position = {str(i): w for i, w in enumerate(weights_by_layer(model))}
    keys = {id(weight): key for key, weight in by_position.items()}
    own = {key: weight for key, weight in by_position.items() if weight.trainable}
    for layer in sublayers(model):
        if is_kind(layer, "Norm") and layer.trainable:
            own |= {keys[id(w)]: w for w in layer.weights if id(w) in keys}
    adapted = {keys[id(lora_base(layer))]: layer for layer in lora_layers(model)}
    # The factors are called "lora_kernel_a", "lora_embeddings_b".
    own |= {
        f"{key}.{weight.name[-1]}": weight
        for key, layer in adapted.items()
        for weight in filter(is_lora_factor, layer.weights)
    }
    base = {key: weight for key, weight in by_position.items() if key not in own}
    return DeltaWeights(own, base, adapted)


def plain_array(weight: keras.Variable) -> np.ndarray:
    """Gives the values of a weight in a type that every backend has.

    Args:
        weight: any weight.

    Returns:
        Array in the order of C, of float32 if the weight is of floating point.
    """
    array = keras.ops.convert_to_numpy(weight)
    is_float = keras.backend.is_float_dtype(weight.dtype)
    return np.asarray(array, "float32" if is_float else None, order="C")
