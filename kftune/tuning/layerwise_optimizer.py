"""Smaller learning rates for the deeper layers of a pretrained model."""

import re

import keras

from kftune.models.layer_tree import backbone_of, weights_made_to_train
from kftune.tuning.policies import block_stacks


def layerwise_optimizer(model, make_optimizer, decay=0.9):
    """Makes an optimizer whose rate falls by a factor a block, from the output down.

    Layer-wise decay of the learning rate (Howard & Ruder 2018,
    https://arxiv.org/abs/1801.06146, with 1 / 2.6; Clark et al. 2020,
    https://arxiv.org/abs/2003.10555, with 0.8): heads and other weights outside of the
    backbone have the whole rate, what stands behind the last block and that block
    `decay` times it, the block below `decay` squared, and the embeddings, below all
    blocks, the least. An encoder and a decoder count their own blocks.

    It is a `keras.optimizers.MultiOptimizer`: each depth has an optimizer of its own,
    which clips gradients by the norm of its own weights alone.

    Args:
        model: built task, or functional model on a KerasHub backbone.
        make_optimizer: function of a `float`, the factor of the rate, that returns a
            new `keras.optimizers.Optimizer`.
        decay: `float` above 0 and at most 1.

    Returns:
        `keras.optimizers.MultiOptimizer`, to be compiled with.

    Raises:
        ValueError: if the decay is not in its range, or the model has no backbone with
            blocks.

    Example:
    ```python
    def make_optimizer(factor):
        return kftune.training.adamw(task, 5e-4 * factor, total_steps)

    task.compile(kftune.tuning.layerwise_optimizer(task, make_optimizer, decay=0.8))
    ```
    """
    if not 0 < decay <= 1:
        raise ValueError(f"Expected decay above 0 and at most 1. Received: {decay}")
    paths = {}
    for weight, depth in weight_depths(model):
        paths.setdefault(depth, []).append(weight.path)
    return keras.optimizers.MultiOptimizer(
        keras.optimizers.OptimizerMap(
            make_optimizer(1.0),
            {
                "|".join(f"^{re.escape(path)}$" for path in paths[depth]): (
                    make_optimizer(decay**depth)
                )
                for depth in sorted(paths)
                if depth
            },
        )
    )


def weight_depths(model):
    """Tells how far below the output each weight stands.

    Args:
        model: as in `layerwise_optimizer`.

    Returns:
        List of tuples of a weight and an `int`: 0 outside of the backbone, 1 in its
        last blocks and behind them, and so on down to the embeddings.

    Raises:
        ValueError: if the model has no backbone with blocks.
    """
    backbone = backbone_of(model)
    stacks = block_stacks(backbone) if backbone is not None else []
    if not stacks:
        raise ValueError(
            "Expected a model on a KerasHub backbone with a stack of blocks. Received: "
            f"{type(model).__name__} {model.name!r}"
        )
    depths = {}
    lowest = 1 + max(len(blocks) for blocks in stacks)
    first = min(backbone.layers.index(blocks[0]) for blocks in stacks)
    for position, layer in enumerate(backbone.layers):
        # Those of a decoder, and tied ones, come after the first block.
        depth = lowest if position < first or "embedding" in layer.name else 1
        depths |= {id(weight): depth for weight in layer.weights}
    for blocks in stacks:
        for depth, block in enumerate(reversed(blocks), start=1):
            depths |= {id(weight): depth for weight in block.weights}
    return [
        (weight, depths.get(id(weight), 0)) for weight in weights_made_to_train(model)
    ]
