"""What a task's `fit`, `evaluate` and `predict` take: strings and ready batches."""

import keras
import numpy as np
import tensorflow as tf

from kftune.models.class_labels import class_indices

FEATURES = ("padding_mask", "token_ids")


class TaskInputs:
    """Mixin for KerasHub tasks: a `keras.utils.PyDataset` goes straight to Keras.

    KerasHub's own `fit`, `evaluate` and `predict` refuse a `PyDataset`. Here training
    and validation data may each be

    - a `keras.utils.PyDataset` of tokenised batches, such as
      `kftune.data.LengthBucketed`,
    - a `tf.data.Dataset` of strings or of tokenised batches,
    - strings in a list or array, tokenised once before the first epoch, and shuffled
      by `fit` as any array is,
    - a dict of arrays, `token_ids` and `padding_mask`, each `(N, T)`.

    Labels and sample weights may be lists, arrays, or dicts of these by head. Labels
    of one class a text are integers from 0 to C - 1, or label names of the head. Put
    the mixin before the KerasHub class among the bases.
    """

    def fit(
        self,
        x=None,
        y=None,
        batch_size=None,
        sample_weight=None,
        validation_data=None,
        **kwargs,
    ):
        """Trains the task.

        Args:
            x: training data, see the class.
            y: labels, unless `x` gives them.
            batch_size: `int` or `None` for 32, unless `x` comes in batches.
            sample_weight: weights of the examples, unless `x` gives them.
            validation_data: data set, or tuple `(x, y)` or `(x, y, sample_weight)`.
            **kwargs: Passed to `keras.Model.fit`.

        Returns:
            `keras.callbacks.History`.

        Raises:
            TypeError: if text is expected and something else comes.
            ValueError: if a dict of arrays has other keys, or if a label is no class.
        """
        x, y, sample_weight = self._prepared(x, y, sample_weight)
        if validation_data is not None:
            validation_data = self._prepared_validation(validation_data)
        return keras.Model.fit(
            self,
            x=x,
            y=y,
            batch_size=batch_size,
            sample_weight=sample_weight,
            validation_data=validation_data,
            **kwargs,
        )

    def evaluate(self, x=None, y=None, batch_size=None, sample_weight=None, **kwargs):
        """Computes loss and metrics; data as in `fit`.

        Args:
            x: data, see the class.
            y: labels, unless `x` gives them.
            batch_size: `int` or `None` for 32, unless `x` comes in batches.
            sample_weight: weights of the examples, unless `x` gives them.
            **kwargs: Passed to `keras.Model.evaluate`.

        Returns:
            What `keras.Model.evaluate` returns.
        """
        x, y, sample_weight = self._prepared(x, y, sample_weight)
        return keras.Model.evaluate(
            self,
            x=x,
            y=y,
            batch_size=batch_size,
            sample_weight=sample_weight,
            **kwargs,
        )

    def predict(self, x, batch_size=None, **kwargs):
        """Computes the outputs; data as in `fit`, without labels.

        Args:
            x: data, see the class.
            batch_size: `int` or `None` for 32, unless `x` comes in batches.
            **kwargs: Passed to `keras.Model.predict`.

        Returns:
            `float32` array `(N, C)`, or a dict of them by head.
        """
        x, _, _ = self._prepared(x)
        return keras.Model.predict(self, x=x, batch_size=batch_size, **kwargs)

    def preprocess_samples(self, x, y=None, sample_weight=None):
        """Tokenises a batch of strings; what is tokenised already passes as it is.

        Args:
            x: strings, or a dict of `token_ids` and `padding_mask`.
            y: labels or `None`.
            sample_weight: weights or `None`.

        Returns:
            `x`, or a tuple of `x`, `y` and `sample_weight` as far as given.

        Raises:
            ValueError: if a dict has other keys, or if strings come to a task without
                a preprocessor.
        """
        if isinstance(x, dict):
            check_features(x)
            return keras.utils.pack_x_y_sample_weight(x, y, sample_weight)
        if self.preprocessor is None:
            raise ValueError(
                f"Expected a dict of {FEATURES}, because this task has no "
                f"preprocessor. Received: {type(x).__name__}"
            )
        return super().preprocess_samples(x, y, sample_weight)

    def call(self, inputs, training=None, mask=None):
        """Runs the model.

        Args:
            inputs: dict of `token_ids` and `padding_mask`, integer tensors `(B, T)`. 1
                in the mask means a real token.
            training: `bool`, whether dropout acts.
            mask: not used, as tensors carry none here.

        Returns:
            `float32` tensor `(B, C)`, or a dict of them by head.

        Raises:
            ValueError: if the dict has other keys. Keras would only warn, and take
                one tensor for the other.
        """
        check_features(inputs)
        return super().call(inputs, training=training, mask=mask)

    def _prepared(self, x, y=None, sample_weight=None):
        """Data as `keras.Model` takes it: tokenised, labels as numbers."""
        if isinstance(x, keras.utils.PyDataset):
            return x, y, sample_weight
        if isinstance(x, tf.data.Dataset):
            batches = x.map(
                self.preprocess_samples, num_parallel_calls=tf.data.AUTOTUNE
            )
            return batches.prefetch(tf.data.AUTOTUNE), y, sample_weight
        x = as_arrays(x) if isinstance(x, dict) else x
        y = class_indices(as_arrays(y), self.head)
        samples = self.preprocess_samples(x, y, as_arrays(sample_weight))
        return keras.utils.unpack_x_y_sample_weight(samples)

    def _prepared_validation(self, data):
        if isinstance(data, keras.utils.PyDataset | tf.data.Dataset):
            return self._prepared(data)[0]
        return self._prepared(*keras.utils.unpack_x_y_sample_weight(data))


def check_features(features):
    """Checks that a dict holds `token_ids` and `padding_mask` and nothing else.

    Args:
        features: dict.

    Raises:
        ValueError: if it does not; names the keys.
    """
    if not isinstance(features, dict) or sorted(features) != sorted(FEATURES):
        received = sorted(features) if isinstance(features, dict) else type(features)
        raise ValueError(
            f"Expected a dict with exactly the keys {FEATURES}. Received: {received}"
        )


def as_arrays(values):
    """Makes arrays of labels or weights that came as lists or columns.

    Args:
        values: a list, column or array, a dict of these, or `None`.

    Returns:
        The same structure of arrays; Python floats become float32.
    """
    if values is None or hasattr(values, "dtype"):
        return values
    if isinstance(values, dict):
        return {name: as_arrays(value) for name, value in values.items()}
    array = np.asarray(list(values))
    return array.astype("float32") if array.dtype == np.float64 else array
