"""Tables that a TensorFlow graph looks things up in, and that never change."""

import tensorflow as tf


def static_table(keys, values, default):
    """Makes a table; a `tf.Module` that holds it takes it along into a SavedModel.

    Args:
        keys: N `int` or `str`: a list, an array or a tensor. A list of `int` becomes
            `int32`.
        values: N `int`, `str` or `bytes`, likewise.
        default: value of whatever is no key.

    Returns:
        `tf.lookup.StaticHashTable`.
    """
    keys, values = tf.convert_to_tensor(keys), tf.convert_to_tensor(values)
    return tf.lookup.StaticHashTable(
        tf.lookup.KeyValueTensorInitializer(keys, values),
        tf.constant(default, values.dtype),
    )
