"""Compiles a model again as it was, with a fresh optimizer.

Keras keeps the arguments of `compile`, and some state of an optimizer that its
config leaves out, under private names. They are used here alone.
"""

import math
import re

import keras

from kftune.tuning.optimizer_state import carry_state, optimizer_parts, start_averages


def fresh_optimizer(
    optimizer: keras.optimizers.Optimizer, keep_steps: bool = True
) -> keras.Optimizer:
    """Makes an optimizer of the same settings without slots.

    What is excluded from weight decay is kept. A gradient that is half accumulated is
    dropped.

    Args:
        optimizer: any optimizer, also one that wraps others (`LossScaleOptimizer`,
            `MultiOptimizer`).
        keep_steps: whether it keeps the count of steps, so that a learning-rate
            schedule goes on.

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
    if keep_steps:
        for old, new in zip(step_counts(optimizer), step_counts(fresh), strict=True):
            # On JAX both would share an array, which a step of one frees.
            new.assign(keras.ops.copy(old))
    for old, new in zip(
        optimizer_parts(optimizer), optimizer_parts(fresh), strict=True
    ):
        _copy_decay_exclusions(old, new)
    return fresh


def check_compiled(model: keras.Model) -> None:
    """Checks that a model can be trained.

    Args:
        model: any model.

    Raises:
        ValueError: if it is not compiled, or has no optimizer.
    """
    if not (model.compiled and model.optimizer is not None):
        raise ValueError(
            "Expected a model that is compiled with an optimizer. Received: "
            f"{type(model).__name__} {model.name!r} with compiled={model.compiled}. "
            "Call its compile() before."
        )


def fresh_optimizer_of(model: keras.Model) -> keras.Optimizer | None:
    """Makes the `fresh_optimizer` of a model's.

    Args:
        model: any model.

    Returns:
        A new optimizer, not built yet; `None` if the model is not compiled, or has no
        optimizer.

    Raises:
        ValueError: if it cannot be made from its own config.
    """
    has_one = model.compiled and model.optimizer is not None
    return fresh_optimizer(model.optimizer) if has_one else None


def recompile(model: keras.Model, optimizer: keras.Optimizer | None) -> None:
    """Compiles a compiled model again, with another optimizer, and builds that.

    Losses, metrics and the sampler of a KerasHub task are the same objects as
    before. The functions that were traced for training, evaluation, prediction and
    generation are made again when they are needed.

    Args:
        model: compiled model.
        optimizer: optimizer without slots, such as `fresh_optimizer` makes it. It
            gets slots for the weights that are trainable now. One that has its slots
            keeps them. `None`, for a model without one, compiles nothing.
    """
    if optimizer is None:
        # They work without an optimizer, and may know nothing of LoRA factors.
        model.test_function = model.predict_function = None
        return
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
        optimizer: as `recompile` takes it, for the weights of `model`.
    """
    arguments = {**compiled._compile_config.config, **_settings(compiled)}
    if hasattr(compiled, "sampler"):
        arguments["sampler"] = compiled.sampler
    model.compile(**{**arguments, "optimizer": optimizer})
    if not optimizer.built:
        _build(optimizer, model)


def renew_optimizer(model: keras.Model) -> None:
    """Gives a model a new optimizer for what is trainable now, also within a `fit`.

    It takes over the step count and all that the old one keeps for weights that are
    still trained. Other weights get empty slots, and moving averages that start at
    the weight. Losses and metrics stay as they are: new ones would be built before
    the first step of a `fit` only.

    Args:
        model: compiled model; on JAX with its state in the variables, as in
            `on_epoch_begin`.

    Raises:
        ValueError: if the optimizer cannot be made again from its config, or keeps its
            slots in another way than those of Keras do. The model keeps the old one.
    """
    fresh = fresh_optimizer(model.optimizer)
    _build(fresh, model)
    carry_state(model.optimizer, fresh)
    arguments = {**model._compile_config.config, "optimizer": fresh}
    # The method of Keras itself: without a loss and metrics it keeps those it has.
    keras.Model.compile(model, fresh, **_settings(model))
    model._compile_config.config.update(arguments)
    model.make_train_function()


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


def step_counts(optimizer: keras.Optimizer) -> list[keras.Variable]:
    """Lists the raw step counts: `iterations` is divided when gradients accumulate.

    Args:
        optimizer: any optimizer.

    Returns:
        The count of the optimizer, and those of all that it wraps.
    """
    return [v for v in optimizer.variables if v.name == "iteration"]


def _bytes_per_item(dtype):
    """Size of one number of a dtype; `bool` has no width in its name."""
    width = re.search(r"\d+", dtype)
    return int(width.group()) // 8 if width else 1


def _settings(model):
    """How a model was compiled, but for its optimizer, losses and metrics."""
    return {
        "run_eagerly": model.run_eagerly,
        "steps_per_execution": model.steps_per_execution,
        "jit_compile": model.jit_compile,
        # The optimizer is wrapped already, if it is to be.
        "auto_scale_loss": False,
    }


def _build(optimizer, model):
    """Makes slots for what is trainable."""
    optimizer.build(model.trainable_variables)
    start_averages(optimizer)


def _copy_decay_exclusions(old, new):
    """Copies what `exclude_from_weight_decay` set, as no config holds it."""
    for name in ("_exclude_from_weight_decay", "_exclude_from_weight_decay_pattern"):
        if hasattr(old, name):
            setattr(new, name, getattr(old, name))
