import keras
import numpy as np
import pytest

from kftune.training.sample_callback import SampleCallback


def fit(callback, epochs):
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse", run_eagerly=True)
    x = np.ones((2, 1), "float32")
    model.fit(x, x, epochs=epochs, verbose=0, callbacks=[callback])
    return model


def test_texts_and_outputs_are_printed_every_so_many_epochs(capsys):
    models = []

    def translate(model, texts):
        models.append(model)
        return [text.upper() for text in texts]

    model = fit(SampleCallback(translate, ("ein", "zwei"), every=2), epochs=5)
    assert models == [model, model]
    lines = capsys.readouterr().out.split("\n")
    sample = ["  ein", "    EIN", "  zwei", "    ZWEI", ""]
    assert lines == ["", "epoch 2", *sample, "epoch 4", *sample]


@pytest.mark.parametrize("outputs", [["a"], "ab"])
def test_as_many_outputs_as_texts_are_expected(outputs):
    with pytest.raises(ValueError, match="list of 2 texts.*Received: .*" + outputs[0]):
        fit(SampleCallback(lambda model, texts: outputs, ["x", "y"]), epochs=1)


def test_every_must_be_positive():
    with pytest.raises(ValueError, match="at least 1 epoch. Received: 0"):
        SampleCallback(list, [], every=0)
