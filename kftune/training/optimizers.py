"""Optimizers whose weight decay spares biases and norms."""

import keras

from kftune.models.layer_tree import bias_and_norm_weights
from kftune.training.make_schedule import make_schedule


def adamw(
    model,
    learning_rate,
    total_steps,
    weight_decay=0.01,
    *,
    schedule="linear",
    warmup=0.1,
):
    """Makes AdamW as pretrained text models are mostly fine-tuned with it.

    Unless told otherwise, the rate rises over a tenth of the steps and falls to 0 over
    all others. Gradients are clipped to a global norm of 1, and biases and norms do not
    decay (Devlin et al. 2019, BERT, https://arxiv.org/abs/1810.04805).

    Args:
        model: built `keras.Model` that is going to be compiled.
        learning_rate: float, the highest rate.
        total_steps: int, optimizer steps of the training.
        weight_decay: float, the share of a weight that a step takes away, times the
            rate.
        schedule: str, a name of `make_schedule`.
        warmup: int, steps in which the rate rises, or float, their share of all.

    Returns:
        `keras.optimizers.AdamW`.

    Raises:
        ValueError: if `make_schedule` refuses an argument.

    Example:
    ```python
    optimizer = kftune.training.adamw(task, 5e-4, total_steps=epochs * len(train))
    task.compile(optimizer)
    ```
    """
    optimizer = keras.optimizers.AdamW(
        make_schedule(schedule, learning_rate, total_steps, warmup),
        weight_decay=weight_decay,
        global_clipnorm=1.0,
    )
    return spare_bias_and_norm(optimizer, model)


def muon(model, learning_rate):
    """Makes Muon for the matrices of feed-forward layers, and AdamW for all else.

    Kernels of attention have an axis of heads, and Keras's Muon takes weights of two
    axes alone. Gradients are clipped to a global norm of 1, and biases and norms do not
    decay (Liu et al. 2025, https://arxiv.org/abs/2502.16982).

    Args:
        model: built `keras.Model` that is going to be compiled.
        learning_rate: float or `keras.optimizers.schedules.LearningRateSchedule`, of
            both.

    Returns:
        `keras.optimizers.Muon`.

    Example:
    ```python
    schedule = WarmupStableDecay(2e-3, total_steps=10_000, warmup_steps=250)
    compile_pretrainer(model, kftune.training.muon(model, schedule))
    ```
    """
    optimizer = keras.optimizers.Muon(
        learning_rate, adam_beta_2=0.98, global_clipnorm=1.0
    )
    return spare_bias_and_norm(optimizer, model)


def spare_bias_and_norm(optimizer, model):
    """Excludes the biases and norms of a model from weight decay.

    They are few and do not overfit; decay would pull the scale of a norm to 0. They
    stay excluded when `kftune.tuning.freeze` compiles the model again.

    Args:
        optimizer: `keras.Optimizer` that is not built yet.
        model: built `keras.Model`.

    Returns:
        The optimizer.

    Raises:
        ValueError: if the optimizer is built already.

    Example:
    ```python
    optimizer = spare_bias_and_norm(keras.optimizers.Muon(2e-3), model)
    ```
    """
    if optimizer.built:
        # Keras means to refuse it too, but its check never holds.
        raise ValueError(
            "Expected an optimizer that has not been built yet: exclude before "
            f"compile and fit. Received: {type(optimizer).__name__} at step "
            f"{int(optimizer.iterations)}"
        )
    optimizer.exclude_from_weight_decay(var_list=bias_and_norm_weights(model))
    return optimizer
