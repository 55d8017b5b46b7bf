"""Compiled forward and backward passes of a layer, the same on each backend."""

import keras
import numpy as np
from keras import ops


def make_step(layer, x, *, compiled=True, **call):
    """Returns a function that computes all gradients of `layer(x, x)` and waits.

    Args:
        layer: built attention layer.
        x: float tensor of shape `(B, T, D)`.
        compiled: `bool`. Whether XLA compiles it; PyTorch always runs eagerly.
        **call: Passed to the layer, such as `use_causal_mask`.
    """
    step = {"tensorflow": _tensorflow, "jax": _jax, "torch": _torch}
    return step[keras.backend.backend()](layer, x, compiled, call)


def make_input(shape, dtype):
    """Returns a random tensor."""
    return ops.cast(np.random.default_rng(0).normal(size=shape), dtype)


def _tensorflow(layer, x, compiled, call):
    import tensorflow as tf

    weights = [variable.value for variable in layer.trainable_variables]

    @tf.function(jit_compile=compiled)
    def step(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = tf.reduce_mean(tf.cast(layer(x, x, **call), "float32") ** 2)
        return tape.gradient(loss, [x, *weights])

    return lambda: [gradient.numpy() for gradient in step(x)[:1]]


def _jax(layer, x, compiled, call):
    import jax

    def loss(x, trainable, other):
        output, _ = layer.stateless_call(trainable, other, x, x, **call)
        return ops.mean(ops.cast(output, "float32") ** 2)

    step = jax.grad(loss, argnums=(0, 1))
    step = jax.jit(step) if compiled else step
    state = [
        [variable.value for variable in variables]
        for variables in (layer.trainable_variables, layer.non_trainable_variables)
    ]
    return lambda: jax.block_until_ready(step(x, *state))


def _torch(layer, x, compiled, call):
    import torch

    x = x.requires_grad_(True)
    weights = [variable.value for variable in layer.trainable_variables]

    def step():
        loss = ops.mean(ops.cast(layer(x, x, **call), "float32") ** 2)
        torch.autograd.grad(loss, [x, *weights])
        if x.is_cuda:
            torch.cuda.synchronize()

    return step
