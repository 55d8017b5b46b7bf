import csv

import keras
import numpy as np
import pytest

from kftune.data import LengthBucketed
from kftune.training import TrialCallback, fit_run, open_run, standard_callbacks
from kftune.training.scalar_logs import scalar_logs
from kftune.training.trial_callback import enter_trial

pytestmark = pytest.mark.backend

ROWS = [[1] * (1 + i % 6) for i in range(12)]
CLASSES = np.array([i % 6 // 2 for i in range(12)])
F1 = ["f1_score_0", "f1_score_1", "f1_score_2"]


def make_model():
    """Tells short, middling and long rows apart, but for what training does to it."""
    keras.utils.set_random_seed(0)
    mask = keras.Input((None,), dtype="bool", name="padding_mask")
    ids = keras.Input((None,), dtype="int32", name="token_ids")
    length = keras.layers.Lambda(
        lambda m: keras.ops.sum(keras.ops.cast(m, "float32"), -1, keepdims=True),
        output_shape=(1,),
    )(mask)
    model = keras.Model(
        {"token_ids": ids, "padding_mask": mask},
        keras.layers.Dense(3, activation="softmax")(length),
    )
    metrics = ["accuracy", keras.metrics.F1Score(average=None)]
    model.compile(
        keras.optimizers.SGD(0.1),
        "categorical_crossentropy",
        metrics=metrics,
        jit_compile=False,
    )
    return model


def f1_scores(predicted):
    """By counting, in NumPy."""
    scores = []
    for number in range(3):
        hits = ((predicted == number) & (number == CLASSES)).sum()
        named = (predicted == number).sum() + (number == CLASSES).sum()
        scores.append(2 * hits / named)
    return scores


def read_csv(folder):
    with (folder / "history.csv").open() as file:
        return list(csv.DictReader(file))


def test_a_run_logs_the_score_of_each_class(tmp_path):
    labels = np.eye(3, dtype="float32")[CLASSES]
    train = LengthBucketed(ROWS, labels, batch_size=4)
    validation = LengthBucketed(ROWS, labels, batch_size=12, shuffle=False)
    open_run(tmp_path, {})
    model = make_model()
    history, _ = fit_run(
        model, train, validation, tmp_path, epochs=3, monitor="val_f1_score_1"
    )
    outputs = validation.restore_order(model.predict(validation, verbose=0))
    expected = f1_scores(outputs.argmax(axis=-1))
    best = int(np.argmax(history.history["val_f1_score_1"]))
    told = read_csv(tmp_path)[best]
    for name, score in zip(F1, expected, strict=True):
        assert history.history[f"val_{name}"][best] == pytest.approx(score)
        assert float(told[f"val_{name}"]) == pytest.approx(score)
        assert name in told
    assert "f1_score" not in history.history


def test_callbacks_of_a_fit_of_ones_own_write_each_score(tmp_path):
    x = LengthBucketed(ROWS, np.eye(3, dtype="float32")[CLASSES], batch_size=4)
    open_run(tmp_path, {})
    callbacks = standard_callbacks(tmp_path, "f1_score_0", "max")
    history = make_model().fit(x, epochs=1, verbose=0, callbacks=callbacks).history
    assert float(read_csv(tmp_path)[0]["f1_score_2"]) == history["f1_score_2"][0]


class Trial:
    def report(self, logs):
        self.logs = logs
        return False


def test_a_search_gets_each_score():
    trial = Trial()
    enter_trial(trial)
    try:
        x = LengthBucketed(ROWS, np.eye(3, dtype="float32")[CLASSES], batch_size=4)
        make_model().fit(x, verbose=0, callbacks=[TrialCallback()])
    finally:
        enter_trial(None)
    assert sorted(trial.logs) == ["accuracy", *F1, "loss"]
    assert all(isinstance(value, float) for value in trial.logs.values())


def test_arrays_of_any_rank_are_taken_apart():
    matrix = keras.ops.convert_to_tensor([[1.0, 2.0], [3.0, 4.0]])
    logs = {"loss": 0.5, "note": "a", "once": np.float32(2), "table": matrix}
    parts = {"table_0_0": 1, "table_0_1": 2, "table_1_0": 3, "table_1_1": 4}
    assert scalar_logs(logs) == {"loss": 0.5, "note": "a", "once": 2, **parts}


def test_a_name_that_is_there_already_is_told():
    with pytest.raises(ValueError, match="twice: 'f1_1'"):
        scalar_logs({"f1": np.ones(2), "f1_1": 0.5})
