"""What `freeze` left trainable, in numbers and as a table."""

import dataclasses
import math

import keras

from kftune.models.layer_tree import backbone_of


@dataclasses.dataclass(frozen=True)
class BlockCount:
    """How many parameters of one block are trained and how many are frozen.

    Attributes:
        name: name of the layer.
        trainable_params: number of parameters that are trained.
        frozen_params: number of parameters that are not.

    Example:
    ```python
    for block in kftune.tuning.freeze(task, "backbone").blocks:
        print(block.name, block.trainable_params)
    ```
    """

    name: str
    trainable_params: int
    frozen_params: int


@dataclasses.dataclass(frozen=True)
class FreezeReport:
    """Receipt of `kftune.tuning.freeze`; printed, a table by block.

    Attributes:
        policy: name of the policy, see `policy_name`.
        trainable_params: number of parameters that are trained.
        frozen_params: number of all others, moving statistics included: with
            `trainable_params` it is the model's `count_params()`.
        optimizer_bytes: bytes of the optimizer's slots, which exist for trainable
            weights only; `None` if the model is not compiled.
        blocks: the counts by layer of the backbone and of the model around it. A
            weight that two layers share counts in the first.

    Example:
        ```python
        report = kftune.tuning.freeze(task, "all_but_last:1")
        print(report.trainable_params)
        print(report)
        ```
    """

    policy: str
    trainable_params: int
    frozen_params: int
    optimizer_bytes: int | None
    blocks: tuple[BlockCount, ...]

    @property
    def trained_share(self):
        """`float`, 0 to 1: which share of the parameters is trained."""
        return self.trainable_params / (self.trainable_params + self.frozen_params)

    def __str__(self):
        """The table: a line a block, the sum and the optimizer's memory."""
        total = BlockCount("all", self.trainable_params, self.frozen_params)
        rows = [*self.blocks, total]
        width = max(len(row.name) for row in rows)
        lines = [f"{'block':<{width}}  {'trainable':>13}  {'frozen':>13}"]
        lines += [
            f"{row.name:<{width}}  {row.trainable_params:>13,}"
            f"  {row.frozen_params:>13,}"
            for row in rows
        ]
        memory = "not compiled yet"
        if self.optimizer_bytes is not None:
            memory = f"{self.optimizer_bytes / 2**20:.2f} MiB of slots"
        return "\n".join([f"frozen: {self.policy}", *lines, f"optimizer: {memory}"])


def count_blocks(model: keras.Model) -> tuple[BlockCount, ...]:
    """Counts parameters by layer, the layers of the backbone among them.

    Args:
        model: built model.

    Returns:
        A count for each layer that has weights. Each weight counts once.
    """
    counted = set()
    blocks = []
    # The model itself comes last, for weights that belong to no layer of it.
    for layer in [*_blocks(model), model]:
        weights = [weight for weight in layer.weights if id(weight) not in counted]
        if weights:
            counted.update(map(id, weights))
            trained = _size(weight for weight in weights if weight.trainable)
            blocks.append(BlockCount(layer.name, trained, _size(weights) - trained))
    return tuple(blocks)


def _blocks(model):
    """The layers of a model; in place of its backbone, the layers of that."""
    backbone = backbone_of(model)
    for layer in model.layers:
        if layer is backbone:
            yield from backbone.layers
        else:
            yield layer


def _size(weights):
    return sum(math.prod(weight.shape) for weight in weights)
