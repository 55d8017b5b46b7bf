"""One head of several, as a classifier of its own."""

from kftune.models.text_classifier import TextClassifier
from kftune.models.trainable_guard import record_trainable

_OF_EVERY_LAYER = ("name", "trainable", "dtype")


def single_task(task, name):
    """Makes an ordinary classifier of one head of a task with several.

    It shares the backbone with the task, so that training one changes the other, and
    has a copy of the head. It is saved, exported and scored as any classifier is. What
    is frozen in the task is frozen in it.

    Args:
        task: `TextClassifier` with several heads, such as `attach_head` makes.
        name: `str`, the head.

    Returns:
        A compiled `GPT2TextClassifier` for a GPT-2, else a `TextClassifier`.

    Raises:
        ValueError: if the task has no such head.

    Example:
    ```python
    heads = {"reviews": DenseHead(2), "intents": DenseHead(77)}
    task = attach_head(backbone, heads, preprocessor)
    single_task(task, "reviews").save_to_preset("runs/reviews/model")
    ```
    """
    if name not in task.heads:
        raise ValueError(f"Expected a head of {list(task.heads)}. Received: {name!r}")
    head = task.heads[name]
    options = {k: v for k, v in head.get_config().items() if k not in _OF_EVERY_LAYER}
    num_classes = options.pop("num_classes")
    single = TextClassifier.with_head(
        task.backbone, num_classes, task.preprocessor, pooling=task.pooling, **options
    )
    for copy, weight in zip(single.head.weights, head.weights, strict=True):
        copy.assign(weight)
        copy.trainable = weight.trainable
    if task.freeze_policy is not None:
        single.freeze_policy = task.freeze_policy
        single.frozen_dropout = task.frozen_dropout
    record_trainable(single)
    return single
