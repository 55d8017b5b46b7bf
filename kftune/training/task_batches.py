"""From the labelled texts of several tasks to batches that mix them."""

import numpy as np

from kftune.data import LengthBucketed
from kftune.models import mask_missing_labels
from kftune.models.missing_labels import label_arrays
from kftune.training.check_splits import check_splits

_MIXES = ("size", "even")


def task_batches(task, splits, *, mix="size", label="label", **options):
    """Tokenises the texts of several tasks once and mixes them in every batch.

    A row has the label of its own task; for the other heads its weight is 0, so it
    moves them neither in loss nor in metrics. As every batch trains every head, no
    head drifts on what the optimizer remembers, as it would if the tasks took turns.

    Args:
        task: `kftune.models.TextClassifier` with a preprocessor and a dict of heads.
        splits: dict of head to `datasets.DatasetDict` of `kftune.data.split`, or to
            dict of split to columns: `text`, N str, and the labels. The same splits for
            every head.
        mix: `"size"`: every row counts the same, as if all stood in one file. `"even"`:
            every task does. Training rows of a smaller task then come several times an
            epoch, a whole number of times, and weights make up what rounding leaves;
            elsewhere weights do it alone. A row without a label counts for neither.
        label: str, the column of the labels, as `DenseHead` takes them, `(N,)` or
            `(N, C)`; -1, or NaN among floats, where there is none.
        **options: of `kftune.data.LengthBucketed`: `batch_size` or `max_tokens`,
            `seed`.

    Returns:
        Dict of split to `kftune.data.LengthBucketed`, whose `y` and `sample_weight` are
        dicts by head; the mean weight of a row for its own head is 1. `"train"` is
        shuffled; the others keep their order, task by task.

    Raises:
        TypeError: if the splits of a head are no dict of columns.
        ValueError: if heads or splits do not match, if columns are missing, if there is
            no such mix, if labels are no numbers, or if all labels of a head are
            missing, in `"train"` or, to be mixed evenly, anywhere.

    Example:
    ```python
    heads = {"reviews": DenseHead(2), "intents": DenseHead(77)}
    task = attach_head(backbone, heads, preprocessor)
    splits = {"reviews": split(reviews), "intents": split(questions)}
    batches = task_batches(task, splits, mix="even", batch_size=32)
    task.fit(batches["train"], validation_data=batches["validation"], shuffle=False)
    ```
    """
    for parts in splits.values():
        check_splits(parts, text="text", label=label)
    _check(task, splits, mix)
    first = next(iter(splits.values()))
    return {
        split: _mixed(
            task.preprocessor.tokenize_rows,
            {head: parts[split] for head, parts in splits.items()},
            label,
            is_even=mix == "even",
            split=split,
            options=options,
        )
        for split in first
    }


def _mixed(tokenize, rows, label, *, is_even, split, options):
    """The batches of one split of all tasks."""
    is_train = split == "train"
    own = label_arrays({head: columns[label] for head, columns in rows.items()})
    _, known = mask_missing_labels(_side_by_side(own))
    labelled = {head: int(each.sum()) for head, each in known.items()}
    if is_even or is_train:
        _check_labelled(labelled, split)
    x, labels, most = [], {}, max(labelled.values())
    for head, columns in rows.items():
        repeats = round(most / labelled[head]) if is_even and is_train else 1
        x += tokenize(columns["text"]) * repeats
        labels[head] = np.concatenate([own[head]] * repeats)
    y, weights = mask_missing_labels(_side_by_side(labels))
    if is_even:
        share = len(x) / len(rows)
        weights = {
            head: each * np.float32(share / each.sum())
            for head, each in weights.items()
        }
    return LengthBucketed(x, y, weights, shuffle=is_train, **options)


def _check_labelled(labelled, split):
    """Raises if a head has nothing to learn from or to be weighted by."""
    if empty := [head for head, number in labelled.items() if not number]:
        raise ValueError(
            f"task_batches: expected labels for each head in {split!r}. Received none "
            f"for {empty}: all are missing (-1, or NaN). Leave the head out, or give "
            "it rows with labels."
        )


def _side_by_side(labels):
    """The labels of each head for the rows of all tasks; missing where not its own."""
    num_rows, begin, columns = sum(map(len, labels.values())), 0, {}
    for head, own in labels.items():
        is_float = own.dtype.kind == "f"
        columns[head] = np.full(
            (num_rows, *own.shape[1:]),
            np.nan if is_float else -1,
            own.dtype if is_float else "int64",
        )
        columns[head][begin : begin + len(own)] = own
        begin += len(own)
    return columns


def _check(task, splits, mix):
    """Raises one error that names all that does not match."""
    wrong = []
    if mix not in _MIXES:
        wrong.append(f"expected a mix of {_MIXES}. Received: {mix!r}")
    if set(task.heads) != set(splits):
        wrong.append(
            f"expected texts for the heads {list(task.heads)}. Received: {list(splits)}"
        )
    names = {head: sorted(parts) for head, parts in splits.items()}
    if len(set(map(tuple, names.values()))) > 1:
        wrong.append(f"expected the same splits for every head. Received: {names}")
    if wrong:
        raise ValueError("task_batches: " + "; ".join(wrong))
