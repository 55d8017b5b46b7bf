"""Adds LoRA factors to the weights that they stand beside."""

import keras

from kftune.models.layer_tree import lora_layers
from kftune.models.merged_lora import merge_lora
from kftune.models.trainable_guard import record_trainable
from kftune.tuning.recompile import fresh_optimizer_of, recompile


def merge(task: keras.Model) -> int:
    """Adds the LoRA factors of a model to their weights, and removes the factors.

    The model computes the same as before, as fast as without LoRA, and its weights
    are those that it would be saved with. What was frozen stays frozen, the merged
    weights too: call `kftune.tuning.freeze` before it is trained on. A compiled model
    is compiled again with a fresh optimizer, as `freeze` does it.

    Args:
        task: built Keras model with factors, such as `freeze(task, "lora")` makes.

    Returns:
        The number of layers whose factors were merged.

    Raises:
        ValueError: if no layer has factors, or if the optimizer cannot be made again
            from its config. The model is then as it was before.

    Example:
        ```python
        kftune.tuning.freeze(task, "lora:rank=4")
        task.fit(x, y)
        kftune.tuning.merge(task)
        ```
    """
    layers = lora_layers(task)
    if not layers:
        raise ValueError(
            "Expected a model with LoRA factors, as freeze(task, 'lora') makes them. "
            f"Received: {type(task).__name__} {task.name!r}, which has none."
        )
    optimizer = fresh_optimizer_of(task)
    for layer in layers:
        merge_lora(layer)
    recompile(task, optimizer)
    record_trainable(task)
    return len(layers)
