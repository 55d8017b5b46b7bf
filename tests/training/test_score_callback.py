import keras
import numpy as np
import pytest

from kftune.training.score_callback import ScoreCallback


def fit(callbacks, epochs=4):
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    x = np.ones((4, 1), "float32")
    return model.fit(x, x, epochs=epochs, verbose=0, callbacks=callbacks).history


@pytest.mark.backend
def test_scores_reach_the_callbacks_behind_it():
    scores = iter([0.1, 0.5, 0.4, 0.9])
    history = fit(
        [
            ScoreCallback(lambda model: {"bleu": next(scores)}),
            keras.callbacks.EarlyStopping("val_bleu", mode="max", patience=0),
        ]
    )
    assert history["val_bleu"] == [0.1, 0.5, 0.4]


def test_scores_repeat_between_two_scorings():
    scores = iter([1.0, 2.0, 3.0])
    callback = ScoreCallback(lambda model: {"f": next(scores)}, "x_", every=2)
    assert fit([callback], epochs=5)["x_f"] == [1.0, 2.0, 2.0, 3.0, 3.0]


def test_the_model_is_handed_to_the_function():
    callback = ScoreCallback(lambda model: {"w": float(model.layers[0].kernel[0, 0])})
    weights = fit([callback])["val_w"]
    assert len(set(weights)) == 4


def test_every_must_be_positive():
    with pytest.raises(ValueError, match="at least 1 epoch. Received: 0"):
        ScoreCallback(dict, every=0)
