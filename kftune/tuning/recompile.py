"""Compiles a model again as it was, with a fresh optimizer.

Keras keeps the arguments of `compile`, and some state of an optimizer that its
config leaves out, under private names. They are used here alone.
"""

import math
import re

import keras


def fresh_optimizer(optimizer: keras.optimizers.Optimizer) -> keras.Optimizer:
    """Makes an optimizer of the same settings without slots.

    The count of steps is kept, so that a learning-rate schedule goes on; so is what
    is excluded from weight decay. A gradient that is half accumulated is dropped.

    Args:
        optimizer: any optimizer, also one that wraps others (`LossScaleOptimizer`,
            `MultiOptimizer`).

    Returns:
        A new optimizer, not built yet.

    Raises:
        ValueError: if the optimizer cannot be made from its own config.
    """
    try:
        fresh = type(optimizer).from_config(optimizer.get_config())
    except Exception as error:
        raise ValueError(
            "Expected an optimizer that can be made again from its config (a custom "
            "learning-rate schedule needs get_config). Received: "
            f"{type(optimizer).__name__} ({error}). Compile afterwards instead."
        ) from error
    for old, new in zip(_step_counts(optimizer), _step_counts(fresh), strict=True):
        new.assign(old)
    for old, new in zip(_parts(optimizer), _parts(fresh), strict=True):
        _copy_decay_exclusions(old, new)
    return fresh


def recompile(model: keras.Model, optimizer: keras.Optimizer) -> None:
    """Compiles a compiled model again, with another optimizer, and builds that.

    Losses, metrics and the sampler of a KerasHub task are the same objects as
    before. The functions that were traced for training, evaluation, prediction and
    generation are made again when they are needed.

    Args:
        model: compiled model.
        optimizer: optimizer without slots, such as `fresh_optimizer` makes it. It
            gets slots for the weights that are trainable now.
    """
    generates_with_xla = getattr(model, "generates_with_xla", None)
    compile_as(model, model, optimizer)
    if generates_with_xla is not None:
        # What Keras chose for training says nothing of it.
        model.generates_with_xla = generates_with_xla


def compile_as(
    model: keras.Model, compiled: keras.Model, optimizer: keras.Optimizer
) -> None:
    """Compiles a model with what another one was compiled with, but the optimizer.

    Args:
        model: model with the outputs of the other.
        compiled: compiled model, which may be the same. Losses, metrics and the sampler
            of a KerasHub task are passed on as they are.
        optimizer: optimizer without slots, such as `fresh_optimizer` makes it. It
            gets slots for the weights of `model` that are trainable now.
    """
    arguments = dict(compiled._compile_config.config)
    arguments.update(
        optimizer=optimizer,
        run_eagerly=compiled.run_eagerly,
        steps_per_execution=compiled.steps_per_execution,
        jit_compile=compiled.jit_compile,
        # The optimizer is wrapped already, if it is to be.
        auto_scale_loss=False,
    )
    if hasattr(compiled, "sampler"):
        arguments["sampler"] = compiled.sampler
    model.compile(**arguments)
    optimizer.build(model.trainable_variables)
    for part in _parts(optimizer):
        _start_averages(part)


def slot_bytes(optimizer: keras.Optimizer) -> int:
    """Counts the bytes of the slots of a built optimizer.

    Args:
        optimizer: built optimizer.

    Returns:
        The bytes of all its variables but scalars (step count, learning rate, loss
        scale). Adam has two slots a weight: 8 bytes a float32 parameter.
    """
    return sum(
        math.prod(variable.shape) * _bytes_per_item(variable.dtype)
        for variable in optimizer.variables
        if len(variable.shape)
    )


def _bytes_per_item(dtype):
    """Size of one number of a dtype; `bool` has no width in its name."""
    width = re.search(r"\d+", dtype)
    return int(width.group()) // 8 if width else 1


def _parts(optimizer):
    """An optimizer and all that it wraps."""
    inner = getattr(optimizer, "inner_optimizer", None)
    wrapped = [inner] if inner is not None else getattr(optimizer, "optimizers", [])
    return [optimizer, *(part for each in wrapped for part in _parts(each))]


def _step_counts(optimizer):
    """The raw step counts: `iterations` is divided when gradients accumulate."""
    return [v for v in optimizer.variables if v.name == "iteration"]


def _copy_decay_exclusions(old, new):
    """Copies what `exclude_from_weight_decay` set, as no config holds it."""
    for name in ("_exclude_from_weight_decay", "_exclude_from_weight_decay_pattern"):
        if hasattr(old, name):
            setattr(new, name, getattr(old, name))


def _start_averages(optimizer):
    """Starts moving averages at the weights.

    Keras does so at step 0 only; at a later step it would average with zeros and
    then write that over the weights.
    """
    if not (optimizer.use_ema and optimizer.built):
        return
    averages = optimizer._model_variables_moving_average
    for weight, average in zip(optimizer._trainable_variables, averages, strict=True):
        if average is not None:
            # A copy, as JAX may not give one buffer to a train step twice.
            average.assign(keras.ops.copy(weight))
