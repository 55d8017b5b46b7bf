import keras
import numpy as np
import pytest

from kftune.data.length_bucketed import LengthBucketed
from kftune.training.data_position import DataPosition

pytestmark = pytest.mark.backend


def make_data(count=12):
    return LengthBucketed(
        [[1] * (1 + i) for i in range(count)], np.zeros(count), batch_size=2
    )


class Mean(keras.layers.Layer):
    def call(self, x):
        ids = keras.ops.cast(x["token_ids"], "float32")
        return keras.ops.mean(ids, axis=-1, keepdims=True)


@pytest.fixture
def model():
    model = keras.Sequential([Mean(), keras.layers.Dense(1)])
    model.compile("sgd", "mse", jit_compile=False)
    return model


def fit(model, data, position, **kwargs):
    model.fit(data, shuffle=False, verbose=0, callbacks=[position], **kwargs)


class Orders(keras.callbacks.Callback):
    """Keeps the order of the rows in every epoch of fit."""

    def __init__(self, data):
        super().__init__()
        self.data, self.seen = data, {}

    def on_epoch_begin(self, epoch, logs=None):
        self.seen[epoch] = self.data.order.tolist()


def test_order_belongs_to_the_number_of_the_epoch(model):
    data = make_data()
    first, later = Orders(data), Orders(data)
    for orders, initial_epoch in ((first, 0), (later, 2)):
        model.fit(
            data,
            initial_epoch=initial_epoch,
            epochs=3,
            verbose=0,
            callbacks=[DataPosition(data), orders],
        )
    assert set(first.seen) == {0, 1, 2}
    assert len({tuple(order) for order in first.seen.values()}) == 3
    assert later.seen == {2: first.seen[2]}
    assert (data.state()["epoch"], data.state()["batch"]) == (3, 0)


def test_fit_over_other_batches_is_refused(model):
    with pytest.raises(ValueError, match="over the 3 batches.* Received: 6 steps"):
        fit(model, make_data(12), DataPosition(make_data(6)))
    data = make_data()
    with pytest.raises(ValueError, match="over the 6 batches.* Received: 4 steps"):
        fit(model, data, DataPosition(data), steps_per_epoch=4)


def test_rest_of_an_epoch_is_a_fit_of_its_own(model):
    data = make_data()
    data.mark_trained(4)
    data.restore(data.state())
    with pytest.raises(ValueError, match=r"last 2 batches of epoch 0 .* epochs=3"):
        fit(model, data, DataPosition(data), epochs=3)


def test_restored_position_without_the_callback_is_refused(model):
    data = make_data()
    data.restore(data.state())
    with pytest.raises(RuntimeError, match="DataPosition"):
        model.fit(data, verbose=0)


@pytest.mark.skipif(
    keras.config.backend() == "torch", reason="Keras runs one step at a time there"
)
def test_several_steps_an_execution_end_with_the_epoch(model):
    data = make_data()
    model.compile("sgd", "mse", jit_compile=False, steps_per_execution=4)
    states = []
    see = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: states.append(data.state())
    )
    model.fit(data, verbose=0, callbacks=[DataPosition(data), see])
    assert (states[-1]["epoch"], states[-1]["batch"]) == (1, 0)
