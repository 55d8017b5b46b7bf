"""What is in the file of a delta."""

import json

import keras
import keras_hub
import numpy as np
import pytest
import safetensors
from delta_task import draw, make_task

from kftune.models.tokenizer_fingerprint import tokenizer_fingerprint
from kftune.tuning import freeze, save_delta

pytestmark = pytest.mark.backend


def test_the_file_has_what_is_trained_and_tells_of_the_rest(tmp_path):
    task = make_task()
    freeze(task, "lora:rank=2,layers=layer_1/.*query", dropout=True)
    draw(task)
    save_delta(task, tmp_path / "a.delta", base_name="bert_tiny")
    with safetensors.safe_open(tmp_path / "a.delta", "np") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        details = json.loads(file.metadata()["details"])
    by_path = {name.split(" ")[1]: array for name, array in tensors.items()}
    assert by_path.keys() == {weight.path for weight in task.trainable_weights}
    for weight in task.trainable_weights:
        expected = keras.ops.convert_to_numpy(weight)
        np.testing.assert_array_equal(by_path[weight.path], expected)
    factor = next(name for name in tensors if name.endswith("lora_kernel_a"))
    assert details["factors"] == {factor.split(".")[0]: [2, 2]}
    assert details["base_name"] == "bert_tiny"
    assert details["policy"] == "lora:rank=2,layers=layer_1/.*query"
    assert details["dropout"] is True
    assert details["num_weights"] == len(task.weights) - 2
    assert len(details["frozen"]) == len(task.non_trainable_weights)
    fingerprint = tokenizer_fingerprint(task.preprocessor.tokenizer)
    assert details["tokenizer_sha256"] == fingerprint
    assert details["versions"]["keras"] == keras.__version__
    assert details["versions"]["keras-hub"] == keras_hub.__version__


def test_a_model_that_no_policy_froze_is_refused(tmp_path):
    task = make_task()
    with pytest.raises(ValueError, match=f"Received: TextClassifier '{task.name}'"):
        save_delta(task, tmp_path / "a.delta")
    assert not any(tmp_path.iterdir())


def test_factors_that_were_merged_are_no_delta(tmp_path):
    task = make_task()
    freeze(task, "lora:rank=2,layers=layer_1/.*query")
    draw(task)
    task.save_weights(tmp_path / "all.weights.h5")
    task.load_weights(tmp_path / "all.weights.h5")  # Keras merges
    with pytest.raises(ValueError, match="factors of zeros.*query.*load_best_weights"):
        save_delta(task, tmp_path / "a.delta")
    assert not (tmp_path / "a.delta").exists()
