"""What a task's `fit`, `evaluate` and `predict` take: strings and ready batches."""

import warnings

import keras
import numpy as np
import tensorflow as tf

from kftune.models.layer_tree import sublayers

# What every KerasHub task takes beside its own arguments.
TASK_OPTIONS = ("compile", "dtype", "name", "trainable")


class TaskInputs:
    """Mixin for KerasHub tasks: a `keras.utils.PyDataset` goes straight to Keras.

    KerasHub's own `fit`, `evaluate` and `predict` refuse a `PyDataset`. Here training
    and validation data may each be

    - a `keras.utils.PyDataset` of tokenised batches, such as
      `kftune.data.LengthBucketed`,
    - a `tf.data.Dataset` of strings or of tokenised batches,
    - strings in a list or array, or dicts of these as the preprocessor takes them,
      tokenised once before the first epoch, and shuffled by `fit` as any array is,
    - a dict of arrays of token ids and masks, see `feature_names`.

    Labels and sample weights may be lists, arrays, or dicts of these by head. Put the
    mixin before the KerasHub class among the bases.

    Attributes:
        feature_names: tuple of `str`, the keys of tokenised inputs, in order.
        optional_feature_names: tuple of `str`, more keys that these may have.
        text_names: tuple of `str`, the keys of strings that come in a dict, in order.
    """

    feature_names = ("padding_mask", "token_ids")
    optional_feature_names = ()
    text_names = ()

    def prepare_labels(self, y):
        """Brings labels into the form that the loss takes.

        Args:
            y: labels as a user passes them, or `None`.

        Returns:
            Arrays, or `None`.
        """
        return as_arrays(y)

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
            TypeError: if text is expected and something else comes, one text among it.
            ValueError: if there are no examples, if a dict of arrays has other keys, or
                if labels are missing or do not fit; those of a `PyDataset` are checked
                if it has them as `known_labels`.
        """
        if kwargs.get("initial_epoch", 0) < kwargs.get("epochs", 1):
            _warn_of_rate_zero(self.optimizer)
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
            Array of the outputs, or a dict of them by head.
        """
        x, _, _ = self._prepared(x, check_labels=False)
        return keras.Model.predict(self, x=x, batch_size=batch_size, **kwargs)

    def preprocess_samples(self, x, y=None, sample_weight=None):
        """Tokenises a batch of strings; what is tokenised already passes as it is.

        Args:
            x: strings, or a dict of strings or of token ids and masks.
            y: labels or `None`.
            sample_weight: weights or `None`.

        Returns:
            `x`, or a tuple of `x`, `y` and `sample_weight` as far as given.

        Raises:
            ValueError: if a dict has other keys, or if strings come to a task without
                a preprocessor.
        """
        if isinstance(x, dict) and set(x) != set(self.text_names):
            more = (name for name in self.optional_feature_names if name in x)
            check_features(x, (*self.feature_names, *more))
            return keras.utils.pack_x_y_sample_weight(x, y, sample_weight)
        if self.preprocessor is None:
            raise ValueError(
                f"Expected a dict of {self.feature_names}, because this task has no "
                f"preprocessor. Received: {type(x).__name__}"
            )
        return super().preprocess_samples(x, y, sample_weight)

    def call(self, inputs, training=None, mask=None):
        """Runs the model.

        Args:
            inputs: dict of token ids and masks, integer tensors. 1 in a mask means a
                real token.
            training: `bool`, whether dropout acts.
            mask: not used, as tensors carry none here.

        Returns:
            The outputs of the task.

        Raises:
            ValueError: if the dict has other keys. Keras would only warn, and take
                one tensor for the other.
        """
        check_features(inputs, self.feature_names)
        return super().call(inputs, training=training, mask=mask)

    def get_compile_config(self):
        """Tells how the task was compiled, and its sampler, for `keras.saving`."""
        config = super().get_compile_config()
        sampler = getattr(self, "sampler", None)
        if config and sampler is not None:
            config["sampler"] = keras.saving.serialize_keras_object(sampler)
        return config

    def compile_from_config(self, config):
        """Compiles the task as it was, when `keras.saving.load_model` makes it.

        Args:
            config: dict of `get_compile_config`.
        """
        self.compile(**keras.saving.deserialize_keras_object(config))
        if self.built and self.optimizer is not None:
            self.optimizer.build(self.trainable_variables)

    def quantize(self, mode=None, **kwargs):
        """Makes integers of the weights; what was compiled is compiled again.

        Args:
            mode: `str`, such as `"int8"`.
            **kwargs: Passed to `keras.Model.quantize`.
        """
        # Keras refuses layers that were not called yet, a tokenizer among them.
        for layer in sublayers(self.preprocessor) if self.preprocessor else []:
            if layer is not self.preprocessor:  # which builds what it packs with
                layer.built = True
        super().quantize(mode, **kwargs)

    def check_known_labels(self, batches):
        """Checks the labels that a dataset knows, as those of arrays are.

        Args:
            batches: `keras.utils.PyDataset`, checked if it has `known_labels`.

        Raises:
            ValueError: if a label is no class, or is a name in place of a number.
        """
        labels = getattr(batches, "known_labels", None)
        pairs = map(keras.tree.flatten, (labels, self.prepare_labels(labels)))
        if any(given is not taken for given, taken in zip(*pairs, strict=True)):
            raise ValueError(
                "Expected labels as numbers in a PyDataset. Received: label names. "
                "Number them first, in the order of label_names."
            )

    def _prepared(self, x, y=None, sample_weight=None, *, check_labels=True):
        """Data as `keras.Model` takes it: tokenised, labels as numbers."""
        if isinstance(x, keras.utils.PyDataset):
            if check_labels:
                self.check_known_labels(x)
            return x, y, sample_weight
        if isinstance(x, tf.data.Dataset):
            batches = x.map(
                self.preprocess_samples, num_parallel_calls=tf.data.AUTOTUNE
            )
            return batches.prefetch(tf.data.AUTOTUNE), y, sample_weight
        _check_examples(x)
        x = as_arrays(x) if isinstance(x, dict) else x
        samples = self.preprocess_samples(
            x, self.prepare_labels(y), as_arrays(sample_weight)
        )
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(samples)
        # TensorFlow would trace a step that fails, and refuse every later one.
        if check_labels and y is None and self.compiled:
            raise ValueError("Expected labels, one for each example. Received: none")
        return x, y, sample_weight

    def _prepared_validation(self, data):
        if isinstance(data, keras.utils.PyDataset | tf.data.Dataset):
            return self._prepared(data)[0]
        # Keras would take a list of two or three strings for such a tuple.
        if isinstance(data, list) and all(isinstance(x, str | bytes) for x in data):
            return self._prepared(data)
        return self._prepared(*keras.utils.unpack_x_y_sample_weight(data))


def _check_examples(x):
    """Refuses one example in place of several, and none at all."""
    for values in x.values() if isinstance(x, dict) else [x]:
        if isinstance(values, str | bytes) or getattr(values, "shape", None) == ():
            raise TypeError(
                f"Expected several examples. Received: one, {str(values)[:40]!r}; pass "
                "it in a list."
            )
        if hasattr(values, "__len__") and len(values) == 0:
            raise ValueError("Expected one example or more. Received: none")


def _warn_of_rate_zero(optimizer):
    """A schedule that has ended trains nothing more, and Keras says nothing."""
    if optimizer is None or int(optimizer.iterations) == 0:
        return
    rate = getattr(optimizer, "learning_rate", None)
    if rate is not None and float(rate) == 0:
        warnings.warn(
            f"The learning rate is 0 after {int(optimizer.iterations)} steps: its "
            "schedule has ended, and nothing will be learnt. Compile the task again "
            "to train on.",
            stacklevel=3,
        )


def check_features(features, names):
    """Checks that a dict holds the given keys and nothing else.

    Args:
        features: dict.
        names: tuple of `str`.

    Raises:
        ValueError: if it does not; names the keys.
    """
    if not isinstance(features, dict) or sorted(features) != sorted(names):
        received = sorted(features) if isinstance(features, dict) else type(features)
        raise ValueError(
            f"Expected a dict with exactly the keys {names}. Received: {received}"
        )


def as_arrays(values):
    """Makes arrays of labels or weights that came as lists or columns.

    Args:
        values: a list, column or array, a dict of these, or `None`.

    Returns:
        The same structure of arrays; Python floats become float32, strings objects.
    """
    if values is None or hasattr(values, "dtype"):
        return values
    if isinstance(values, dict):
        return {name: as_arrays(value) for name, value in values.items()}
    values = list(values)
    if values and isinstance(values[0], str):
        # NumPy would make every string as long as the longest.
        return np.array(values, object)
    array = np.asarray(values)
    return array.astype("float32") if array.dtype == np.float64 else array
