"""A few texts of the model after each epoch, to be read by people."""

import keras


class SampleCallback(keras.callbacks.Callback):
    """Prints what the model makes of a few texts after an epoch.

    Args:
        translate: function of the model and a list of N `str` that returns N `str`;
            the `generate` of the task's class is one.
        texts: sequence of N `str`.
        every: int, epochs from one sample to the next. Defaults to 1.

    Raises:
        ValueError: If `every` is less than 1, or, in `fit`, if as many texts do not
            come back.

    Example:
    ```python
    sample = SampleCallback(TransformerSeq2SeqLM.generate, ["A man rides a horse."])
    task.fit(train, epochs=3, callbacks=[sample])
    ```
    """

    def __init__(self, translate, texts, every=1):
        super().__init__()
        if every < 1:
            raise ValueError(f"`every` must be at least 1 epoch. Received: {every}")
        self.translate = translate
        self.texts = list(texts)
        self.every = every

    def on_epoch_end(self, epoch, logs=None):
        """Prints each text and, below it, what became of it."""
        if (epoch + 1) % self.every:
            return
        outputs = self.translate(self.model, self.texts)
        if isinstance(outputs, str) or len(outputs) != len(self.texts):
            raise ValueError(
                f"Expected a list of {len(self.texts)} texts, one for each text. "
                f"Received: {outputs!r}"
            )
        print(f"\nepoch {epoch + 1}")
        for text, output in zip(self.texts, outputs, strict=True):
            print(f"  {text}\n    {output}")
