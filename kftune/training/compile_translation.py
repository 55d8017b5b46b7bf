"""Compiles an encoder-decoder to be trained from scratch on text pairs."""

import keras

from kftune.training.inverse_square_root import InverseSquareRoot
from kftune.training.jit_compile import choose_jit_compile
from kftune.training.smoothed_crossentropy import SmoothedCrossentropy


def compile_translation(task, learning_rate, warmup_steps, label_smoothing=0.1):
    """Compiles a task as the Transformer was trained; `generate` searches greedily.

    Args:
        task: `kftune.models.TransformerSeq2SeqLM`.
        learning_rate: `float`, Adam's peak; see `InverseSquareRoot`.
        warmup_steps: `int`. Batches in which the rate rises.
        label_smoothing: `float` in `[0, 1)`; see `SmoothedCrossentropy`.

    Reference:
        Vaswani et al., 2017, "Attention Is All You Need".

    Example:
    ```python
    kftune.training.compile_translation(task, 5e-3, warmup_steps=2000)
    task.fit(batches, epochs=20, shuffle=False)
    ```
    """
    rate = InverseSquareRoot(learning_rate, warmup_steps)
    task.compile(
        keras.optimizers.Adam(rate, beta_2=0.98, global_clipnorm=1.0),
        loss=SmoothedCrossentropy(label_smoothing),
        sampler="greedy",
        jit_compile=choose_jit_compile(),
    )
