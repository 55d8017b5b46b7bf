"""Keras's `slice_update` on TensorFlow, in ops that run where XLA is switched off."""

import contextlib

import keras
import tensorflow as tf


@contextlib.contextmanager
def without_xla():
    """Lets `keras.ops.slice_update` be traced without an `Xla*` op, for a while.

    On TensorFlow it is `XlaDynamicUpdateSlice`, which TF Serving as started by default
    refuses with "XLA compilation disabled". The op that stands in for it here cannot
    be compiled by XLA, so it is for exports alone.

    Example:
    ```python
    with without_xla():
        traced = tf.function(lambda x: keras.ops.slice_update(x, (0,), [1.0]))
        traced.get_concrete_function(tf.TensorSpec([4]))
    ```
    """
    with_xla = keras.ops.slice_update
    keras.ops.slice_update = _slice_update
    try:
        yield
    finally:
        keras.ops.slice_update = with_xla


def _slice_update(inputs, start_indices, updates):
    begin = tf.stack([tf.cast(index, tf.int32) for index in start_indices])
    updates = tf.cast(updates, inputs.dtype)
    return tf.raw_ops.TensorStridedSliceUpdate(
        input=inputs,
        begin=begin,
        end=begin + tf.shape(updates),
        strides=tf.ones_like(begin),
        value=updates,
    )
