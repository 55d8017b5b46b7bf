"""Freezes part of a model, in a way that holds on every backend."""

import keras

from kftune.models.frozen_weights import set_frozen
from kftune.models.layer_tree import (
    backbone_of,
    output_weights_in_backbone,
    weights_made_to_train,
)
from kftune.models.trainable_guard import record_trainable
from kftune.tuning.freeze_report import FreezeReport, count_blocks
from kftune.tuning.lora import add_factors
from kftune.tuning.policies import Policy, frozen_weights, policy_name
from kftune.tuning.recompile import fresh_optimizer_of, recompile, slot_bytes


def freeze(task: keras.Model, policy: Policy, *, dropout: bool = False) -> FreezeReport:
    """Freezes part of a model and trains all the rest.

    The policy alone decides: what was frozen before is trained again unless the
    policy freezes it. Weights that are never trained (moving statistics, quantised
    kernels, kernels under LoRA factors, layers that the task names as unused) stay so.

    A named policy freezes weights of the backbone; layers outside it, such as a new
    head, are always trained. Without a backbone, `"embeddings"`, `"nothing"` and the
    `"all_but_..."` ones but `"all_but_last:N"` act on the whole model:

    - `"backbone"`: all of it, so that the head alone is trained; of a language model
      the output, if it is not tied to the embeddings. These count as the output below,
      too.
    - `"all_but_last:N"`: all but the last N blocks of its last stack (the decoder of
      a seq2seq) and what follows them, a final norm or a pooler. Embeddings are
      frozen, even if they are tied to the output.
    - `"embeddings"`: tokens, positions, segments.
    - `"encoder"`, `"decoder"`: one side of a seq2seq, and what both sides share.
    - `"all_but_cross_attention"`, `"all_but_bias_and_norm"`: all but these.
    - `"all_but_bias"`: all but biases, those of norms included (Zaken et al. 2022,
      BitFit, https://arxiv.org/abs/2106.10199).
    - `"lora"`, `"lora:rank=8,layers=query|value"`: all of it, the output included. The
      layers whose path has a match of the regular expression get two factors of this
      rank, in float32, whose product is added to the layer's weight; these are
      trained (Hu et al. 2021, LoRA, https://arxiv.org/abs/2106.09685). `rank` is 8
      and `layers` is `query|value` if not given. Under other policies factors are
      weights as others, until `kftune.tuning.merge`.
    - `"nothing"`: nothing; trains all weights again.

    A compiled model is compiled again: with the same losses, metrics and settings
    and a fresh optimizer, which keeps its settings and step count and has empty slots
    for exactly the weights that are trained now.

    Args:
        task: built Keras model, such as a KerasHub task.
        policy: one of the names above; or a compiled `re.Pattern` (or a string
            `"regex:PATTERN"`), which freezes each weight with a match in its path
            (`"transformer_layer_0/self_attention/query/kernel"`); or a callable
            that takes such a path and returns True to freeze the weight.
        dropout: False switches dropout layers off in frozen blocks and between
            frozen layers of the backbone, True leaves them on.

    Returns:
        A report of what is trained and what is frozen.

    Raises:
        TypeError: if the model is none, or if the policy is neither a string, a pattern
            nor a callable.
        ValueError: if the model is not built, if the policy is unknown or speaks of
            parts that the model lacks, if nothing is left to train, if the model has
            other LoRA factors than the policy asks for, or if the optimizer cannot be
            made again from its config. The model is then as it was before.

    Example:
        ```python
        backbone = keras_hub.models.BertBackbone(
            vocabulary_size=50, num_layers=2, num_heads=2, hidden_dim=8,
            intermediate_dim=16, max_sequence_length=16,
        )
        task = keras_hub.models.BertTextClassifier(backbone, num_classes=2)
        print(kftune.tuning.freeze(task, "all_but_last:1"))
        ```
    """
    if not isinstance(task, keras.Model):
        raise TypeError(
            f"Expected a model, such as a task. Received: {task!r:.80} "
            f"({type(task).__name__})"
        )
    if not (task.built and task.weights):
        raise ValueError(
            f"Expected a built model. Received: {type(task).__name__} {task.name!r}, "
            "which has no weights yet. Call it on a batch, or build() it, first."
        )
    optimizer = fresh_optimizer_of(task)
    add_factors(task, policy)
    frozen = frozen_weights(task, policy)
    _check_something_is_left(task, frozen, policy)
    set_frozen(task, frozen, dropout=dropout)
    task.freeze_policy = policy_name(policy)
    recompile(task, optimizer)
    record_trainable(task)
    return _report(task, optimizer)


def _check_something_is_left(task, frozen, policy):
    """Raises if all weights are frozen, and says why."""
    frozen_ids = {id(weight) for weight in frozen}
    if any(id(weight) not in frozen_ids for weight in weights_made_to_train(task)):
        return
    raise ValueError(
        f"Expected a policy that leaves something to train. Received: "
        f"{policy_name(policy)!r}, which freezes all {len(frozen)} weights of "
        f"{type(task).__name__} {task.name!r}.{_why_all_is_frozen(task)} Train some "
        "blocks, for example with 'all_but_last:1'."
    )


def _why_all_is_frozen(task):
    """What to say of a task that has no weights of its own, such as a GPT-2 LM."""
    backbone = backbone_of(task)
    if backbone in (None, task) or len(backbone.weights) < len(task.weights):
        return ""
    if output_weights_in_backbone(task):
        return ""
    reused = [x.name for x in task.layers if x is not backbone and x.weights]
    return (
        " All of them belong to its backbone: the output reuses (is tied to) weights "
        f"of the backbone's layers {reused}."
    )


def _report(task, optimizer):
    blocks = count_blocks(task)
    return FreezeReport(
        policy=task.freeze_policy,
        trainable_params=sum(block.trainable_params for block in blocks),
        frozen_params=sum(block.frozen_params for block in blocks),
        optimizer_bytes=None if optimizer is None else slot_bytes(optimizer),
        blocks=blocks,
    )
