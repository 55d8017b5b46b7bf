"""A delta on its base predicts as what was saved; on anything else it is refused."""

import re

import keras
import numpy as np
import pytest
from delta_task import LABELS, TEXTS, WORDS, draw, make_task

from kftune.models import attach_head
from kftune.tuning import freeze, load_delta, merge, save_delta

pytestmark = pytest.mark.backend

POLICIES = ["backbone", "all_but_last:1", "lora:rank=2", "all_but_bias", "nothing"]


def value(variable):
    return np.array(keras.ops.convert_to_numpy(variable))


def saved(path, policy, seed=1):
    task = make_task()
    freeze(task, policy)
    draw(task, seed)
    save_delta(task, path, base_name="bert_tiny")
    return task


@pytest.mark.long
@pytest.mark.parametrize("policy", POLICIES)
def test_it_predicts_as_what_was_saved(policy, tmp_path):
    task = saved(tmp_path / "a.delta", policy)
    expected = task.predict(TEXTS, verbose=0)
    loaded = make_task()
    # Traced without factors.
    assert abs(loaded.predict(TEXTS, verbose=0) - expected).max() > 1e-3
    load_delta(loaded, tmp_path / "a.delta")
    np.testing.assert_allclose(loaded.predict(TEXTS, verbose=0), expected, atol=1e-6)
    assert loaded.freeze_policy == policy
    flags = [{w.path: w.trainable for w in t.weights} for t in (task, loaded)]
    assert flags[0] == flags[1]


def test_training_goes_on_with_what_was_trained(tmp_path):
    saved(tmp_path / "a.delta", "lora:rank=2")
    task = make_task()
    load_delta(task, tmp_path / "a.delta")
    before = {w.path: value(w) for w in task.weights}
    task.fit(TEXTS, LABELS, verbose=0)
    for weight in task.weights:
        is_same = np.array_equal(value(weight), before[weight.path])
        assert is_same != weight.trainable, weight.path


@pytest.mark.long
def test_deltas_of_one_base_take_turns(tmp_path):
    paths = [tmp_path / name for name in ("a.delta", "b.delta")]
    tasks = [saved(path, "lora:rank=2", i) for i, path in enumerate(paths)]
    loaded = make_task()
    for task, path in [*zip(tasks, paths, strict=True), (tasks[0], paths[0])]:
        load_delta(loaded, path)
        expected = task.predict(TEXTS, verbose=0)
        received = loaded.predict(TEXTS, verbose=0)
        np.testing.assert_allclose(received, expected, atol=1e-6)


def test_an_uncompiled_model_takes_factors_that_it_was_traced_without(tmp_path):
    def model():
        keras.utils.set_random_seed(2)
        return keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, name="one")])

    trained, plain = model(), model()
    freeze(trained, "lora:rank=1,layers=one")
    draw(trained)
    save_delta(trained, tmp_path / "a.delta")
    x = np.eye(3, dtype="float32")
    before = plain.predict(x, verbose=0)
    load_delta(plain, tmp_path / "a.delta")
    after = plain.predict(x, verbose=0)
    np.testing.assert_allclose(after, trained.predict(x, verbose=0), rtol=1e-6)
    assert abs(after - before).max() > 1e-3


class PlainDense(keras.layers.Layer):
    """The weights of a Dense layer, and no LoRA."""

    def build(self, shape):
        self.kernel = self.add_weight(shape=(shape[-1], 2), name="kernel")
        self.bias = self.add_weight(shape=(2,), name="bias")

    def call(self, x):
        return keras.ops.matmul(x, self.kernel) + self.bias


def test_a_layer_that_cannot_have_factors_is_refused(tmp_path):
    trained = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    plain = keras.Sequential([keras.Input((3,)), PlainDense()])
    plain.set_weights(trained.get_weights())
    freeze(trained, "lora:rank=1,layers=dense")
    save_delta(trained, tmp_path / "a.delta")
    message = r"of which the layers of the weights \['0'\] cannot have LoRA factors\. "
    with pytest.raises(ValueError, match=message):
        load_delta(plain, tmp_path / "a.delta")


def assert_refused(task, path, *messages):
    """It raises with all messages and changes nothing."""
    state = [(w, value(w), w.trainable) for w in task.weights]
    optimizer, policy = task.optimizer, task.freeze_policy
    with pytest.raises(ValueError, match="Nothing was loaded") as error:
        load_delta(task, path)
    for message in messages:
        assert re.search(message, str(error.value)), (message, str(error.value))
    assert len(task.weights) == len(state)
    for weight, was, trainable in state:
        assert weight.trainable == trainable
        np.testing.assert_array_equal(value(weight), was)
    assert task.optimizer is optimizer
    assert task.freeze_policy == policy


@pytest.mark.parametrize("policy", ["backbone", "lora:rank=2"])
def test_another_base_is_refused(policy, tmp_path):
    saved(tmp_path / "a.delta", policy)
    message = r"a\.delta was made on, bert_tiny\. Received: .*leaves as they are have"
    assert_refused(make_task(seed=5), tmp_path / "a.delta", message)


def test_another_tokenizer_is_refused(tmp_path):
    saved(tmp_path / "a.delta", "backbone")
    words = [*WORDS[:-2], "slow", "a"]
    task = make_task(words)
    assert_refused(
        task, tmp_path / "a.delta", "the tokenizer has the hash [0-9a-f]{64}"
    )
    without = attach_head(task.backbone, 3, dropout=0)
    load_delta(without, tmp_path / "a.delta")


def test_all_that_differs_is_told_at_once(tmp_path):
    saved(tmp_path / "a.delta", "all_but_last:1")
    task = make_task([*WORDS, "new"], num_classes=2, width=4)
    freeze(task, "lora:rank=2")
    assert_refused(
        task,
        tmp_path / "a.delta",
        "the tokenizer has the hash",
        r"kernel is \(4, 2, 2\), and not \(8, 2, 4\).* in all\)",
        "the LoRA factors in .*/query.*; merge them",
    )


def test_another_number_of_weights_is_refused(tmp_path, bart):
    saved(tmp_path / "a.delta", "backbone")
    task = attach_head(bart.backbone, 3)
    assert_refused(task, tmp_path / "a.delta", r"\d+ weights were found, and not \d+")


def test_other_factors_are_refused_until_they_are_merged(tmp_path):
    saved(tmp_path / "a.delta", "lora:rank=2")
    task = make_task()
    freeze(task, "lora:rank=3")
    assert_refused(task, tmp_path / "a.delta", "the LoRA factors in .*/query")
    merge(task)  # They were 0 in effect.
    load_delta(task, tmp_path / "a.delta")


def test_a_damaged_file_leaves_the_task_as_it_was(tmp_path):
    saved(tmp_path / "a.delta", "lora:rank=2")
    content = (tmp_path / "a.delta").read_bytes()
    (tmp_path / "a.delta").write_bytes(content[:-9])
    task = make_task()
    weights = len(task.weights)
    with pytest.raises(ValueError, match=r"whole safetensors file.*a\.delta"):
        load_delta(task, tmp_path / "a.delta")
    assert len(task.weights) == weights
