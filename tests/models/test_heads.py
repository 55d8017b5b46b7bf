import keras
import numpy as np
import pytest

from kftune.models import DenseHead

pytestmark = pytest.mark.backend

STATES = np.random.default_rng(0).normal(size=(5, 4)).astype("float32")


def numpy(tensor):
    return keras.ops.convert_to_numpy(tensor)


def built(*args, **kwargs):
    head = DenseHead(*args, **kwargs)
    head.build((None, 4))
    return head


def test_the_plain_head_is_one_matrix_product():
    head = built(3, use_bias=False)
    (kernel,) = head.get_weights()
    assert kernel.shape == (4, 3)
    np.testing.assert_allclose(numpy(head(STATES)), STATES @ kernel, rtol=1e-5)


def test_the_hidden_layer_comes_before_the_output():
    head = built(2, hidden_dim=6, hidden_activation="tanh")
    head.set_weights([np.ones_like(w) * 0.3 for w in head.get_weights()])
    hidden = np.tanh(STATES @ np.full((4, 6), 0.3) + 0.3)
    expected = hidden @ np.full((6, 2), 0.3) + 0.3
    np.testing.assert_allclose(numpy(head(STATES)), expected, rtol=1e-5)
    assert head.count_params() == 4 * 6 + 6 + 6 * 2 + 2


def test_dropout_acts_in_training_only():
    head = built(3, dropout=0.9, use_bias=False)
    kernel = head.get_weights()[0]
    np.testing.assert_allclose(numpy(head(STATES)), STATES @ kernel, rtol=1e-5)
    dropped = numpy(head(np.ones((200, 4), "float32"), training=True))
    share_of_zero_rows = (dropped == 0).all(axis=-1).mean()
    assert abs(share_of_zero_rows - 0.9**4) < 0.15


def test_outputs_are_float32_under_a_half_precision_policy():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        output = DenseHead(2)(keras.ops.zeros((1, 4), dtype="bfloat16"))
    finally:
        keras.config.set_dtype_policy("float32")
    assert keras.backend.standardize_dtype(output.dtype) == "float32"


def softmax(x):
    return np.exp(x) / np.exp(x).sum(-1, keepdims=True)


@pytest.mark.parametrize("activation", [None, "softmax"])
def test_single_label_loss(activation):
    head = built(3, activation=activation)
    y = np.array([0, 1, 2, 0, 1])
    logits = STATES @ head.get_weights()[0]
    expected = -np.log(softmax(logits)[np.arange(5), y]).mean()
    np.testing.assert_allclose(
        numpy(head.make_loss()(y, head(STATES))), expected, rtol=1e-4
    )


@pytest.mark.parametrize("activation", [None, "sigmoid"])
def test_multi_label_loss_and_accuracy(activation):
    head = built(
        3, problem_type="multi_label_classification", activation=activation, dropout=0
    )
    y = np.array([[0, 1, 1], [1, 0, 0], [0, 0, 0], [1, 1, 1], [0, 1, 0]], "float32")
    logits = STATES @ head.get_weights()[0]
    chance = 1 / (1 + np.exp(-logits))
    expected = -(y * np.log(chance) + (1 - y) * np.log(1 - chance)).mean()
    outputs = head(STATES)
    np.testing.assert_allclose(numpy(head.make_loss()(y, outputs)), expected, rtol=1e-4)
    (accuracy,) = head.make_metrics()
    expected = ((logits > 0) == y).mean()
    np.testing.assert_allclose(numpy(accuracy(y, outputs)), expected, rtol=1e-6)


def test_regression_loss_compares_row_by_row():
    head = built(1, problem_type="regression")
    y = np.arange(5, dtype="float32")
    outputs = head(STATES)
    errors = y - numpy(outputs)[:, 0]
    loss, (mae,) = numpy(head.make_loss()(y, outputs)), head.make_metrics()
    np.testing.assert_allclose(loss, (errors**2).mean(), rtol=1e-5)
    np.testing.assert_allclose(numpy(mae(y, outputs)), abs(errors).mean(), rtol=1e-5)


def test_config_round_trip_keeps_everything():
    head = DenseHead(
        2,
        problem_type="multi_label_classification",
        hidden_dim=8,
        hidden_activation="relu",
        dropout=0.3,
        activation="sigmoid",
        use_bias=False,
        label_names=["a", "b"],
        name="tone",
    )
    config = keras.saving.serialize_keras_object(head)
    again = keras.saving.deserialize_keras_object(config)
    assert again.get_config() == head.get_config()
    assert again.label_names == ["a", "b"]


def test_all_mistakes_come_in_one_error():
    with pytest.raises(ValueError) as error:
        DenseHead(0, hidden_dim=-4, label_names=["x", "x"], activation="sigmoid")
    for received in ("0", "-4", "['x', 'x']", "'sigmoid'"):
        assert received in str(error.value)


def test_each_class_has_one_name():
    with pytest.raises(ValueError, match=r"2 distinct label_names.*\['a', 'a', 'b'\]"):
        DenseHead(2, label_names=["a", "a", "b"])


def test_one_class_is_refused():
    with pytest.raises(ValueError, match="at least 2 classes"):
        DenseHead(1)


def test_an_unknown_problem_type_is_named():
    with pytest.raises(ValueError, match="'ranking'"):
        DenseHead(2, problem_type="ranking")
