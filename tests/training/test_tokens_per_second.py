import pytest

from kftune.training import tokens_per_second
from kftune.training.tokens_per_second import TokensPerSecond


def test_the_time_of_the_batches_counts_and_validation_does_not(monkeypatch):
    clock = iter([10.0, 12.0, 15.0])
    monkeypatch.setattr(tokens_per_second.time, "perf_counter", lambda: next(clock))
    callback = TokensPerSecond(tokens=600)
    callback.on_epoch_begin(0)
    callback.on_train_batch_end(0)
    callback.on_train_batch_end(1)
    logs = {"loss": 1.0}
    callback.on_epoch_end(0, logs)
    assert logs == {"loss": 1.0, "tokens_per_second": 120.0}


def test_an_epoch_without_tokens_is_refused():
    with pytest.raises(ValueError, match="at least 1. Received: 0"):
        TokensPerSecond(0)
