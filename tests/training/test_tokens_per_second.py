import types

import keras
import numpy as np
import pytest

from kftune.data import LengthBucketed
from kftune.training import DataPosition, TokensPerSecond, tokens_per_second

pytestmark = pytest.mark.backend

ROWS = [[1] * length for length in (2, 3, 3, 7, 8)]


@pytest.fixture
def clock(monkeypatch):
    """A clock that goes on by a second each time it is asked."""
    ticks = iter(range(10**6))
    clock = types.SimpleNamespace(perf_counter=lambda: next(ticks))
    monkeypatch.setattr(tokens_per_second, "time", clock)


class Mean(keras.layers.Layer):
    def call(self, x):
        return keras.ops.mean(keras.ops.cast(x["token_ids"], "float32"), -1, True)


def test_real_tokens_count_and_validation_takes_no_time(clock):
    data = LengthBucketed(ROWS, np.zeros(5), batch_size=2)
    model = keras.Sequential([Mean(), keras.layers.Dense(1)])
    model.compile("sgd", "mse", jit_compile=False)
    history = model.fit(
        data,
        validation_data=LengthBucketed(ROWS, np.zeros(5), batch_size=2),
        epochs=2,
        shuffle=False,
        verbose=0,
        callbacks=[DataPosition(data), TokensPerSecond(data)],
    ).history
    # 23 real tokens, from the begin to the end of the third batch 3 s.
    assert data.padding_share > 0
    assert history["tokens_per_second"] == [23 / 3] * 2


def test_the_mask_of_targets_can_be_counted():
    batch = {
        "encoder_padding_mask": np.ones((2, 3), "bool"),
        "decoder_padding_mask": np.array([[1, 1, 1, 0], [1, 0, 0, 0]], "bool"),
    }
    callback = TokensPerSecond([(batch,), (batch,)], "decoder_padding_mask")
    callback.set_params({"steps": 2})
    callback.on_epoch_begin(0)
    assert callback._tokens == 2 * 4


def test_each_epoch_counts_its_own_tokens():
    # A batch is left out, which one differs by epoch.
    data = LengthBucketed(ROWS, np.zeros(5), batch_size=2, drop_remainder=True)
    callback = TokensPerSecond(data)
    callback.set_params({"steps": len(data)})
    counted = set()
    for epoch in range(9):
        data.begin_epoch(epoch)
        callback.on_epoch_begin(epoch)
        left_out = set(range(5)) - set(data.order.tolist())
        counted.add(callback._tokens)
        assert callback._tokens == 23 - sum(len(ROWS[i]) for i in left_out)
    assert len(counted) > 1
