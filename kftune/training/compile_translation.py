"""Compiles an encoder-decoder to be trained on text pairs."""

import keras

from kftune.layers import SmoothedCrossentropy


def compile_translation(task, learning_rate, label_smoothing=0.1):
    """Compiles a task as the Transformer was trained; `generate` searches greedily.

    Args:
        task: `kftune.models.TransformerSeq2SeqLM`.
        learning_rate: `float` or a schedule, such as `InverseSquareRoot`; Adam's.
        label_smoothing: `float` in `[0, 1)`; see `SmoothedCrossentropy`.

    Reference:
        Vaswani et al., 2017, "Attention Is All You Need".

    Example:
    ```python
    rate = kftune.training.InverseSquareRoot(5e-3, warmup_steps=2000)
    kftune.training.compile_translation(task, rate)
    task.fit(batches, epochs=20, shuffle=False)
    ```
    """
    task.compile(
        keras.optimizers.Adam(learning_rate, beta_2=0.98, global_clipnorm=1.0),
        loss=SmoothedCrossentropy(label_smoothing),
        sampler="greedy",
    )
