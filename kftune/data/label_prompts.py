"""Labels as what stands before a text, for a model that is to write by them."""

from kftune.data.labels import class_names

_PLACE = "{label}"


def label_prompts(names, template):
    """Makes a prompt of each class: a control prefix.

    Reference: Keskar et al. 2019, CTRL, https://arxiv.org/abs/1909.05858

    Args:
        names: sequence of C `str`, the classes by number.
        template: `str` with `{label}` in it, where the name of the class stands.

    Returns:
        List of C `str`.

    Raises:
        ValueError: if the template has no `{label}`.

    Example:
    ```python
    label_prompts(["fresh", "rotten"], "A {label} review:")  # ["A fresh review:", ...]
    ```
    """
    if _PLACE not in template:
        raise ValueError(
            f"Expected a template with {_PLACE}, where the name of the class stands. "
            f"Received: {template!r}"
        )
    return [template.replace(_PLACE, name) for name in names]


def prompted_by_label(dataset, template):
    """Adds a prompt made of the label, and the text as the answer that it asks for.

    Args:
        dataset: `datasets.Dataset` with `text` and the `label` of `encode_labels`.
        template: as in `label_prompts`.

    Returns:
        `datasets.Dataset` with the columns `prompt` and `answer`, in place of those of
        that name, as `kftune.training.text_batches` takes them; answers begin with a
        space.

    Raises:
        ValueError: as `label_prompts` and `class_names`.

    Example:
    ```python
    rows = prompted_by_label(rows, "{label} review:")
    rows[0]["prompt"], rows[0]["answer"]  # "fresh review:", " A treat."
    ```
    """
    prompts = label_prompts(class_names(dataset), template)
    added = {
        "prompt": [prompts[label] for label in dataset["label"]],
        "answer": [f" {text}" for text in dataset["text"]],
    }
    dataset = dataset.select_columns(
        [name for name in dataset.column_names if name not in added]
    )
    for name, column in added.items():
        dataset = dataset.add_column(name, column)
    return dataset
