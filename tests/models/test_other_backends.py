"""What is saved on one backend predicts the same on the two others."""

import json
import os
import subprocess
import sys

import keras
import keras_hub
import numpy as np
import pytest

from kftune.models import (
    DenseHead,
    GPT2TextClassifier,
    GPT2TextClassifierPreprocessor,
    TextClassifierPreprocessor,
    attach_head,
)

pytestmark = pytest.mark.backend

BACKENDS = ("tensorflow", "jax", "torch")
TEXTS = ["good film", "it's a slow start!", "", "The film isn't bad: see it. " * 9]
PROGRAM = """
import json, sys

import keras
import numpy as np

from kftune.models import TextClassifier

texts, folders, out = map(json.loads, sys.argv[1:])
outputs = {"backend": keras.config.backend()}
for name, folder in folders.items():
    predicted = TextClassifier.from_preset(folder).predict(texts, verbose=0)
    predicted = predicted if isinstance(predicted, dict) else {"head": predicted}
    outputs |= {f"{name}/{head}": values for head, values in predicted.items()}
np.savez(out, **outputs)
"""


@pytest.fixture
def tasks(gpt2_backbone, gpt2_tokenizer, make_backbone):
    gpt2 = GPT2TextClassifier(
        gpt2_backbone,
        3,
        GPT2TextClassifierPreprocessor(gpt2_tokenizer, 20),
        pooling="last_mean",
        hidden_dim=4,
    )
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "good", "film", "a", "slow"]
    pack = TextClassifierPreprocessor(keras_hub.models.BertTokenizer(words), 12)
    heads = {"topic": DenseHead(3), "stars": DenseHead(1, problem_type="regression")}
    return {"gpt2": gpt2, "bert": attach_head(make_backbone("Bert"), heads, pack)}


@pytest.mark.long
def test_saved_tasks_predict_the_same_on_the_other_backends(tasks, tmp_path):
    folders, expected = {}, {}
    for name, task in tasks.items():
        # Predictions of weights near 0 would differ by less than the tolerance.
        for weight in task.trainable_weights:
            noise = np.random.default_rng(len(expected)).normal(0, 0.3, weight.shape)
            weight.assign(keras.ops.convert_to_numpy(weight) + noise)
        predicted = task.predict(TEXTS, verbose=0)
        predicted = predicted if isinstance(predicted, dict) else {"head": predicted}
        expected |= {f"{name}/{head}": values for head, values in predicted.items()}
        folders[name] = str(tmp_path / name)
        task.save_to_preset(folders[name])

    others = [name for name in BACKENDS if name != keras.config.backend()]
    for backend, found in predict_on(others, folders, tmp_path).items():
        assert found.pop("backend") == backend
        assert found.keys() == expected.keys()
        for name, values in expected.items():
            assert np.ptp(values) > 0.01
            np.testing.assert_allclose(found[name], values, atol=1e-5)


def predict_on(backends, folders, tmp_path):
    """What processes with these backends predict, by backend; they run at once."""
    running = {}
    for backend in backends:
        out = tmp_path / f"{backend}.npz"
        arguments = map(json.dumps, (TEXTS, folders, str(out)))
        running[out] = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, *arguments],
            env={**os.environ, "KERAS_BACKEND": backend},
            stderr=subprocess.PIPE,
            text=True,
        )
    found = {}
    for out, process in running.items():
        _, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors
        with np.load(out) as file:
            found[out.stem] = dict(file)
    return found
