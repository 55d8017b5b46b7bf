"""Cuts a classifier in two: its first layers, which are frozen, and all that follows.

A frozen layer belongs to the first part if no trained layer stands before it. Keras has
no public way to walk a graph call by call but `clone_model`, which hands each call to a
function; that function calls the layers themselves, so nothing is cloned.
"""

import keras

from kftune.models.layer_tree import is_kind
from kftune.models.text_classifier import TextClassifier


def split_frozen(task):
    """Splits a frozen classifier where training begins.

    Both models are made of the task's own layers. Letters: B batch, T length, D hidden.

    Args:
        task: `kftune.models.TextClassifier` that `kftune.tuning.freeze` froze, its
            dropout off in what is frozen.

    Returns:
        Tuple of two `keras.Model`: the frozen part, from the task's inputs to features,
        and the rest, from these to the task's outputs. Features are the pooled vectors
        `(B, D)`, or a list of states `(B, T, D)` and the `int32` padding mask `(B, T)`,
        1 for a real token.

    Raises:
        TypeError: if the task is no `TextClassifier`.
        ValueError: if it was not frozen, dropout stayed on, nothing is frozen before
            the first trained layer, or features are neither one vector a row nor one
            a token.

    Example:
    ```python
    kftune.tuning.freeze(task, "all_but_last:1")
    frozen, rest = split_frozen(task)
    rest.predict(frozen.predict(x))  # as task.predict(x)
    ```
    """
    _check_is_frozen(task)
    flat = _replay(keras.Model(task.input, task.output), _Unfold(task.backbone))
    cut = _Cut()
    flat = _replay(flat, cut)
    features = list(cut.features.values())
    frozen = keras.Model(flat.input, features)
    _check_features(task, frozen, cut)
    return frozen, keras.Model(features, flat.output)


class _Unfold:
    """Calls the layers of a backbone in place of the backbone."""

    def __init__(self, backbone):
        self.backbone = backbone

    def __call__(self, layer, *args, **kwargs):
        if layer is self.backbone:
            return layer.call(*args, **kwargs)
        return layer(*args, **kwargs)


class _Cut:
    """Calls layers and notes which tensors go from frozen to trained ones."""

    def __init__(self):
        self.features = {}
        self.first_trained = None
        self._trained = set()

    def __call__(self, layer, *args, **kwargs):
        if is_kind(layer, "ConvertToTensor"):
            # Of the backbone's inputs, which are tensors. The mask would come twice.
            return args[0]
        outputs = layer(*args, **kwargs)
        inputs = {id(x): x for x in keras.tree.flatten((args, kwargs)) if _is_tensor(x)}
        frozen = {key: x for key, x in inputs.items() if key not in self._trained}
        has_trained = bool(getattr(layer, "trainable_weights", ()))
        if has_trained or len(frozen) < len(inputs):
            self._trained.update(map(id, keras.tree.flatten(outputs)))
            self.features.update(frozen)
            self.first_trained = self.first_trained or layer
        return outputs


def _replay(model, call):
    """A model of the same layers, each called by `call(layer, *args, **kwargs)`."""
    return keras.models.clone_model(
        model, clone_function=lambda layer: layer, call_function=call
    )


def _is_tensor(value):
    return isinstance(value, keras.KerasTensor)


def _check_is_frozen(task):
    if not isinstance(task, TextClassifier):
        raise TypeError(
            "Expected a kftune.models.TextClassifier, such as "
            "kftune.models.attach_head(backbone, num_classes) makes of any text "
            f"backbone. Received: {type(task).__name__}, whose features are not cached."
        )
    if task.freeze_policy is None:
        raise ValueError(
            f"Expected a task that kftune.tuning.freeze(task, policy) froze. Received: "
            f"{type(task).__name__} {task.name!r}, which was not."
        )
    if task.frozen_dropout:
        raise ValueError(
            "Expected a task without dropout in what is frozen, so that it computes "
            "the same in each epoch. Received: freeze(..., dropout=True). Freeze again "
            "with dropout=False."
        )


def _check_features(task, frozen, cut):
    if not frozen.weights:
        raise ValueError(
            "Expected a task whose first layers are frozen, so that what they compute "
            f"can be kept. Received: the policy {task.freeze_policy!r}, which trains "
            f"{cut.first_trained.name!r}. Freeze with 'backbone' or 'all_but_last:N', "
            "or train without a cache."
        )
    shapes = [feature.shape for feature in frozen.outputs]
    if not all(_is_by_row(shape) or _is_by_token(shape) for shape in shapes):
        raise ValueError(
            "Expected features of one vector a row, (None, D), or one a token, "
            f"(None, None, D). Received: {shapes}, what {cut.first_trained.name!r} of "
            f"{type(task.backbone).__name__} takes. Freeze with 'backbone', or train "
            "without a cache."
        )


def _is_by_row(shape):
    return len(shape) == 2 and shape[0] is None and shape[1] is not None


def _is_by_token(shape):
    return shape[:2] == (None, None) and None not in shape[2:]
