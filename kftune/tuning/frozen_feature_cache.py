"""What the frozen part of a classifier computes, kept on disk."""

import hashlib
import json
from pathlib import Path

import keras
import keras_hub

import kftune
from kftune.models.task_inputs import check_features
from kftune.tuning.feature_column import FEATURE_DTYPES, FeatureColumn
from kftune.tuning.feature_rows import FeatureRows, write_features
from kftune.tuning.recompile import compile_as, fresh_optimizer
from kftune.tuning.split_frozen import split_frozen

# Raise it whenever the files change, so that no old one is read.
_LAYOUT = 1


class FrozenFeatureCache:
    """Computes the frozen part of a classifier once, and trains the rest alone.

    The frozen part is all that stands before the first trained layer: the whole
    backbone under `"backbone"`, embeddings and first blocks under `"all_but_last:N"`.
    Without dropout it gives the same numbers in every epoch. They are computed once
    for each row, and kept in an Arrow file, which is mapped into memory. The losses are
    those of training the whole task on the same batches.

    `model` is built of the task's own layers, so what `fit` learns is in the task at
    once: evaluate, predict, save and export that.

    Args:
        task: `kftune.models.TextClassifier` that `kftune.tuning.freeze` froze.
        folder: `str` or `Path`. Holds the files, each in a folder named after all that
            it depends on: rows of tokens, settings and weights of the frozen layers,
            `dtype`, versions of kftune, Keras and KerasHub. So tasks, policies and
            data sets may share a folder. What is in it is never outdated; delete it to
            make room.
        dtype: `str`. How features are stored: `"float32"`, or `"float16"` or
            `"bfloat16"` for half the space at some loss of precision.

    Attributes:
        model: `keras.Model`, the rest. If the task is compiled, so is this, with the
            same losses, metrics and settings and a fresh optimizer of the same
            settings.

    Raises:
        TypeError: if the task is no `TextClassifier`.
        ValueError: if the dtype is unknown, the task was not frozen, dropout stayed on
            in what is frozen, nothing is frozen before the first trained layer, or the
            features are neither one vector a row nor one a token.

    Example:
    ```python
    kftune.tuning.freeze(task, "all_but_last:2")
    cache = kftune.tuning.FrozenFeatureCache(task, "runs/features")
    cache.model.fit(cache.batches(train), epochs=5, shuffle=False)
    task.predict(["A treat."])
    ```
    """

    def __init__(self, task, folder, dtype="float32"):
        if dtype not in FEATURE_DTYPES:
            raise ValueError(
                f"Expected a dtype of {list(FEATURE_DTYPES)}. Received: {dtype!r}"
            )
        self._task = task
        self._folder = Path(folder)
        self._dtype = dtype
        self._frozen, self.model = split_frozen(task)
        self._columns = [FeatureColumn(x, dtype) for x in self._frozen.outputs]
        self._frozen.compile(jit_compile=task.jit_compile, run_eagerly=task.run_eagerly)
        if task.compiled:
            compile_as(self.model, task, fresh_optimizer(task.optimizer))

    def batches(self, batches):
        """Gives batches of features in place of tokens, computed unless they are there.

        Args:
            batches: `kftune.data.LengthBucketed`, for the task.

        Returns:
            `kftune.data.LengthBucketed` for `model`: the same rows, lengths, order,
            labels and weights.

        Raises:
            TypeError: if it is something else.
            ValueError: if a label is no class, if the batches hold other columns than
                token ids, or if a feature is too large for the dtype.
        """
        if not hasattr(batches, "with_rows"):
            raise TypeError(
                "Expected a kftune.data.LengthBucketed, such as "
                "kftune.training.split_batches makes of texts. Received: "
                f"{type(batches).__name__}"
            )
        self._task.check_known_labels(batches)
        path = self._folder / self._fingerprint(batches.rows) / "features.arrow"
        if not path.exists():
            write_features(path, self._columns, self._computed(batches))
        return batches.with_rows(FeatureRows(path, self._columns, batches.rows))

    def _computed(self, batches):
        """Rows, real tokens and features of each batch, every row once."""
        for length, rows in batches.plan_in_order():
            x = batches.rows.batch(rows, length)[0]
            check_features(x, self._task.feature_names)
            features = self._frozen.predict_on_batch(x)
            yield rows, x["padding_mask"], keras.tree.flatten(features)

    def _fingerprint(self, rows):
        """Names what the features depend on, as it is now."""
        parts = [
            _LAYOUT,
            self._dtype,
            [package.__version__ for package in (kftune, keras, keras_hub)],
            rows.fingerprint(),
            [feature.shape for feature in self._frozen.outputs],
            # Layers do not know all: how embeddings are scaled, or an activation.
            _settings(self._task.backbone),
            [_settings(operation) for operation in self._frozen.operations],
        ]
        digest = hashlib.sha256(json.dumps(parts).encode())
        for weight in self._frozen.weights:
            digest.update(keras.ops.convert_to_numpy(weight).tobytes())
        return digest.hexdigest()[:32]


def _settings(operation):
    """Class and settings of a layer; its name differs from one task to the next."""
    is_layer = isinstance(operation, keras.Layer)
    config = operation.get_config() if is_layer else {}
    return [type(operation).__name__, {**config, "name": None}]
