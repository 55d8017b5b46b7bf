"""Smaller learning rates for the deeper layers of a pretrained model."""

import re

from kftune.error_text import first_few
from kftune.models.layer_tree import (
    backbone_of,
    is_kind,
    output_weights_in_backbone,
    weights_made_to_train,
)
from kftune.tuning.policies import block_stacks
from kftune.tuning.scale_learning_rates import scale_learning_rates


def layerwise_learning_rates(task, optimizer, decay=0.9):
    """Makes an optimizer whose rate falls by a factor a block, from the output down.

    A weight is trained at `decay ** depth` times the rate, see `weight_depths`: heads
    at the whole rate, the last block at `decay` times it, the block below at `decay`
    squared, and the embeddings at the least. What is specific to the old task changes
    most, what is general least (Howard & Ruder 2018,
    https://arxiv.org/abs/1801.06146, with 1 / 2.6; Clark et al. 2020,
    https://arxiv.org/abs/2003.10555, with 0.8 for small models and 0.9 for large).

    Args:
        task: built task, or functional model on a KerasHub backbone.
        optimizer: `keras.optimizers.Optimizer` that is not built yet, such as
            `kftune.training.adamw` makes it.
        decay: float above 0 and at most 1.

    Returns:
        `ScaledRates`, to be compiled with.

    Raises:
        ValueError: if the decay is not in its range, the model has no backbone with
            blocks, two weights of one path stand at two depths, or `ScaledRates`
            refuses the optimizer.

    Example:
    ```python
    optimizer = kftune.training.adamw(task, 5e-4, total_steps)
    task.compile(kftune.tuning.layerwise_learning_rates(task, optimizer, decay=0.8))
    ```
    """
    if not 0 < decay <= 1:
        raise ValueError(f"Expected decay above 0 and at most 1. Received: {decay}")
    paths = {}
    for weight, depth in weight_depths(task):
        paths.setdefault(weight.path, set()).add(depth)
    if clashes := [path for path, depths in paths.items() if len(depths) > 1]:
        raise ValueError(
            "Expected weights whose paths tell their depth. Received at several "
            f"depths: {first_few(clashes)}. Choose rates by patterns instead, with "
            "kftune.tuning.scale_learning_rates."
        )
    by_depth = {}
    for path, (depth,) in paths.items():
        by_depth.setdefault(depth, []).append(path)
    factors = {
        "|".join(dict.fromkeys(map(_pattern, by_depth[depth]))): decay**depth
        for depth in sorted(by_depth)
        if depth
    }
    return scale_learning_rates(task, optimizer, factors)


def weight_depths(task):
    """Tells how far below the output each weight stands.

    - 0: heads and all else outside the backbone; an output of a language model that is
      not tied to the embeddings; norms and poolers behind the blocks.
    - 1, 2, ...: the blocks from the last to the first. An encoder and a decoder are
      counted each from its own last block.
    - One more than the first block of the longest stack: embeddings, also if they are
      tied to the output, their norms, and all else before the first block.

    Args:
        task: as in `layerwise_learning_rates`.

    Returns:
        List of tuples of a `keras.Variable` and an int, for all weights that could be
        trained, frozen or not.

    Raises:
        ValueError: if the model has no backbone with blocks.

    Example:
    ```python
    task = kftune.models.TextClassifier.from_preset("gpt2_tiny_en", num_classes=2)
    max(depth for _, depth in weight_depths(task))  # 5: four blocks, and embeddings
    ```
    """
    stacks = block_stacks(task)
    if not stacks:
        raise ValueError(
            "Expected a model on a KerasHub backbone with a stack of blocks. Received: "
            f"{type(task).__name__} {task.name!r}. Choose rates by patterns instead, "
            "with kftune.tuning.scale_learning_rates."
        )
    layers = backbone_of(task).layers
    depths = {layer: 0 for layer in layers}
    lowest = 1 + max(map(len, stacks))
    first = min(layers.index(blocks[0]) for blocks in stacks)
    # Those of a decoder come behind the first block of an encoder.
    below = [layer for layer in layers if _is_embedding(layer)]
    depths |= dict.fromkeys([*layers[:first], *below], lowest)
    for blocks in stacks:
        depths |= {block: depth for depth, block in enumerate(reversed(blocks), 1)}
    by_weight = {id(w): depth for layer, depth in depths.items() for w in layer.weights}
    by_weight |= {id(weight): 0 for weight in output_weights_in_backbone(task)}
    return [(w, by_weight.get(id(w), 0)) for w in weights_made_to_train(task)]


def _is_embedding(layer):
    return is_kind(layer, "Embedding") or "embedding" in layer.name


def _pattern(path):
    """Matches a weight and its LoRA factors, whichever of them is there now."""
    layer, slash, name = path.rpartition("/")
    name = re.sub(r"^lora_(.*)_[ab]$", r"\1", name)
    return f"{re.escape(layer + slash)}(?:lora_)?{re.escape(name)}(?:_[ab])?"
