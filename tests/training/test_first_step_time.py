import time

import keras
import numpy as np
import pytest

from kftune.training.first_step_time import FirstStepTime


class Wait(keras.callbacks.Callback):
    """Makes the first step of each epoch last 0.2 seconds."""

    def on_train_batch_end(self, batch, logs=None):
        if batch == 0:
            time.sleep(0.2)


@pytest.mark.backend
def test_time_to_the_first_step_is_printed_once(capsys):
    model = keras.Sequential([keras.layers.Dense(1)])
    model.compile("sgd", "mse", jit_compile=False)
    first_step = FirstStepTime()
    start = time.perf_counter()
    model.fit(
        np.ones((6, 2)),
        np.ones(6),
        batch_size=2,
        epochs=3,
        verbose=0,
        callbacks=[Wait(), first_step],
    )
    assert 0.2 < first_step.seconds < time.perf_counter() - start - 0.4
    printed = capsys.readouterr().out
    assert printed.count("First step after") == 1
    assert f"First step after {first_step.seconds:.1f} s." in printed


@pytest.mark.backend
def test_a_second_fit_keeps_the_time_of_the_first(capsys):
    model = keras.Sequential([keras.layers.Dense(1)])
    model.compile("sgd", "mse", jit_compile=False)
    first_step, seconds = FirstStepTime(), []
    for rows in (6, 6, 2):
        model.fit(
            np.ones((rows, 2)),
            np.ones(rows),
            batch_size=2,
            verbose=0,
            callbacks=[first_step],
        )
        seconds.append(first_step.seconds)
    assert seconds[0] is not None
    assert seconds == seconds[:1] * 3
    assert capsys.readouterr().out.count("First step") == 1
