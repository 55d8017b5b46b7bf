"""Texts that a model was told to write, judged by the class that they are of."""

import dataclasses

import numpy as np

from kftune.data.labels import class_names
from kftune.evaluation.classification import ClassificationScores, score_classes
from kftune.evaluation.generated_texts import score_variety
from kftune.evaluation.score_intervals import wilson_interval


@dataclasses.dataclass(frozen=True)
class JudgedTexts:
    """Whether generated texts are of the class that was asked for, and how varied.

    Printed, it says so, beside the same numbers of texts that people wrote.

    Attributes:
        classes: int array of shape `(N,)`, what the judge says of each text.
        scores: `ClassificationScores`, the asked class as the true one: `accuracy` is
            the control accuracy.
        judge_accuracy: float, 0 to 1, how often the judge is right on real texts, as
            the mean of the classes. A control accuracy above it is no error: generated
            texts may be plainer.
        variety: dict, `score_variety` of the texts.
        real_variety: dict, that of as many real texts.

    Example:
    ```python
    judged = kftune.evaluation.judge_texts(texts, real, judge, train=train, test=test)
    judged.scores.accuracy, judged.interval  # the control accuracy
    ```
    """

    classes: np.ndarray
    scores: ClassificationScores
    judge_accuracy: float
    variety: dict
    real_variety: dict

    @property
    def interval(self):
        """Tuple of two float, the 95 % interval of the control accuracy by Wilson."""
        return wilson_interval(self.scores.accuracy, len(self.classes))

    def summary(self):
        """What `results.json` keeps of it.

        Returns:
            dict of numbers, and dicts of them.
        """
        recall = zip(self.scores.names, self.scores.recall, strict=True)
        return {
            "control_accuracy": self.scores.accuracy,
            "interval": self.interval,
            "by_class": dict(recall),
            "judge_accuracy": self.judge_accuracy,
            **self.variety,
            "real_texts": self.real_variety,
        }

    def __str__(self):
        low, high = self.interval
        recall = zip(self.scores.names, self.scores.recall, strict=True)
        by_class = ", ".join(f"{name} {share:.1%}" for name, share in recall)
        lines = [
            f"control accuracy {self.scores.accuracy:.1%} [{low:.1%}, {high:.1%}] of "
            f"{len(self.classes)} texts: {by_class}",
            f"the judge is right on {self.judge_accuracy:.1%} of the real texts",
        ]
        for name, value in self.variety.items():
            lines.append(
                f"{name} {value:.3f}, real texts {self.real_variety[name]:.3f}"
            )
        return "\n".join(lines)


def judge_texts(texts, real, judge, *, train, test):
    """Judges generated texts, each of which was asked for by the class of a real one.

    Args:
        texts: sequence of N `str`, what a model has generated.
        real: `datasets.Dataset` of N rows with `text` and the `label` of
            `kftune.data.encode_labels`: the classes that were asked for, and texts of
            them.
        judge: function from a list of `str` to an int array of classes, see
            `text_judge`.
        train: `datasets.Dataset` with the texts that the model was trained on.
        test: `datasets.Dataset` with `text` and `label`, on which the judge is judged.

    Returns:
        `JudgedTexts`.

    Raises:
        ValueError: if there are not as many texts as real ones.

    Example:
    ```python
    real = kftune.data.few_a_class(test, 100)
    rows = kftune.data.prompted_by_label(real, "{label} review:")
    texts = kftune.decoding.generate_texts(task, rows["prompt"])
    print(judge_texts(texts, real, text_judge(train), train=train, test=test))
    ```
    """
    if len(texts) != len(real):
        raise ValueError(
            "Expected as many texts as real ones. Received: "
            f"{len(texts)} texts and {len(real)} real ones"
        )
    classes = judge(list(texts))
    # A judge that always says the commonest class is right on half of two.
    found, names = judge(list(test["text"])), class_names(real)
    by_class = score_classes(test["label"], found, names).recall
    return JudgedTexts(
        classes=classes,
        scores=score_classes(real["label"], classes, names),
        judge_accuracy=float(np.mean(by_class)),
        variety=score_variety(texts, train["text"]),
        real_variety=score_variety(real["text"], train["text"]),
    )
