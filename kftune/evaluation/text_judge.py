"""Who says of which class a generated text is."""

import numpy as np

from kftune.data.labels import class_names
from kftune.evaluation.baselines import make_naive_bayes
from kftune.models import load_task


def text_judge(train, classifier=None):
    """Makes a function that tells the classes of texts.

    It judges whether a model that was told what to write has done so. It errs itself:
    how often it is right on texts that people wrote stands beside every score that it
    gives. It must not have been trained on these.

    Args:
        train: `datasets.Dataset` with `text` and the `label` of
            `kftune.data.encode_labels`.
        classifier: `str` or `Path`, the preset folder of a saved
            `kftune.models.TextClassifier` with the same label names; or `None`: naive
            Bayes is trained on `train`.

    Returns:
        Function from a list of N `str` to an int array of shape `(N,)`, the classes in
        the order of `train`.

    Raises:
        ValueError: if the classifier has other label names.

    Example:
    ```python
    judge = text_judge(train, "runs/classify_reviews/model")
    accuracy = (judge(test["text"]) == np.array(test["label"])).mean()
    ```
    """
    if classifier is None:
        model = make_naive_bayes().fit(train["text"], np.asarray(train["label"]))
        return model.predict
    names, task = class_names(train), load_task(classifier)
    theirs = getattr(task, "label_names", None) or []
    if sorted(theirs) != sorted(names):
        raise ValueError(
            f"Expected a classifier of the label names {names}. Received: "
            f"{type(task).__name__} in {classifier} with {list(theirs)}"
        )
    order = np.array([names.index(name) for name in theirs])
    return lambda texts: order[task.predict(list(texts), verbose=0).argmax(axis=-1)]
