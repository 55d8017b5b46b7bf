"""Puts new heads on a pretrained backbone."""

from kftune.models.text_classifier import TextClassifier


def attach_head(backbone, head, preprocessor=None, **options):
    """Puts a new head, or several, on any KerasHub text backbone.

    Args:
        backbone: `keras_hub.models.Backbone` over text: BERT, RoBERTa, GPT-2, ...; of
            BART and T5 the encoder is used. The head shares its weights, and training
            the task trains it.
        head: `int`, the outputs of one new head; or a `DenseHead`; or a dict of them by
            name, which are trained in one `fit`. Outputs, labels, losses and sample
            weights are then dicts by head; for rows that have no label for a head see
            `kftune.models.mask_missing_labels`.
        preprocessor: `TextClassifierPreprocessor`, or `None` if inputs are tokenised.
        **options: `pooling` (`"mean"`, `"first"`, `"last"`, `"last_mean"`); if `head`
            is an `int`, also the arguments of `DenseHead`.

    Returns:
        A compiled `TextClassifier`; for a GPT-2 and an `int` a `GPT2TextClassifier`.

    Raises:
        TypeError: if the backbone is no `keras_hub.models.Backbone`, or if there is no
            such option.
        ValueError: if the backbone is not one over text, or an option does not fit.

    Example:
    ```python
    task = attach_head(
        kftune.models.load_backbone("minilm_l6"),
        {"topic": DenseHead(4), "stars": DenseHead(1, problem_type="regression")},
        kftune.models.load_preprocessor("minilm_l6"),
    )
    task.fit(["A treat.", "A bore."], {"topic": [1, 3], "stars": [4.5, 2.0]})
    ```
    """
    return TextClassifier.with_head(backbone, head, preprocessor, **options)
