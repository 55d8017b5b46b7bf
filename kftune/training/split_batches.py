"""From splits of labelled texts to the batches that a task is trained on."""

import numpy as np

from kftune.data import LengthBucketed
from kftune.training.check_splits import check_splits
from kftune.training.full_rows import tell_full_rows


def split_batches(task, splits, *, label="label", **options):
    """Tokenises labelled texts once and batches them by length.

    How many texts are longer than the model reads is printed.

    Args:
        task: task with a preprocessor, such as `kftune.models.TextClassifier`.
        splits: `datasets.DatasetDict` of `kftune.data.split`, or `dict` of name to
            columns: `text`, N str, and the labels.
        label: str, the column of the labels, numbers of shape `(N,)` or `(N, C)`.
        **options: of `kftune.data.LengthBucketed`: `batch_size` or `max_tokens`,
            `seed`.

    Returns:
        Dict of name to `kftune.data.LengthBucketed`. `"train"` is shuffled; the others
        keep their order, so that `restore_order` fits what is predicted of them.

    Raises:
        TypeError: if the splits are no dict of columns.
        ValueError: if columns are missing.

    Example:
    ```python
    batches = kftune.training.split_batches(task, splits, batch_size=32)
    task.fit(batches["train"], validation_data=batches["validation"], shuffle=False)
    ```
    """
    check_splits(splits, text="text", label=label)
    preprocessor = task.preprocessor

    def batched(name, rows):
        texts = preprocessor.tokenize_rows(rows["text"])
        tell_full_rows(name, texts=(texts, preprocessor.sequence_length))
        labels = np.array(rows[label])
        return LengthBucketed(texts, labels, shuffle=name == "train", **options)

    return {name: batched(name, rows) for name, rows in splits.items()}
