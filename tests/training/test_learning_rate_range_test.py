import keras
import numpy as np
import pytest

from kftune.training import InverseSquareRoot, learning_rate_range_test

pytestmark = pytest.mark.backend

RNG = np.random.default_rng(1)
BATCHES = [
    (x.astype("float32"), x @ [[1.0], [-2.0], [3.0]])
    for x in RNG.normal(size=(3, 8, 3))
]


def make_model(optimizer, dropout=0.0):
    keras.utils.set_random_seed(3)
    layers = [keras.Input((3,)), keras.layers.Dropout(dropout), keras.layers.Dense(1)]
    model = keras.Sequential(layers)
    model.compile(optimizer, loss="mse", metrics=["mae"])
    return model


def state(model):
    variables = [*model.variables, *model.optimizer.variables]
    return [np.array(keras.ops.convert_to_numpy(variable)) for variable in variables]


def test_losses_are_those_of_gradient_descent():
    model = make_model("sgd")
    kernel, bias = (
        np.array(keras.ops.convert_to_numpy(w), "float64") for w in model.weights
    )
    result = learning_rate_range_test(
        model, BATCHES, lowest=1e-3, highest=0.1, steps=12
    )
    expected = []
    for step in range(12):
        x, y = BATCHES[step % 3]
        error = x @ kernel + bias - y
        expected.append((error**2).mean())
        rate = 1e-3 * 100 ** (step / 11)
        kernel -= rate * 2 * x.T @ error / len(x)
        bias -= rate * 2 * error.mean(axis=0)
    np.testing.assert_allclose(result.losses, expected, rtol=1e-4)
    np.testing.assert_allclose(result.rates[[0, -1]], [1e-3, 0.1], rtol=1e-6)
    weights = 0.9 ** np.arange(12)[::-1]
    mean = (weights * expected).sum() / weights.sum()
    assert result.smoothed[-1] == pytest.approx(mean, rel=1e-4)


@pytest.mark.parametrize(
    "optimizer",
    [
        lambda: keras.optimizers.Adam(0.01),
        lambda: keras.optimizers.Adam(InverseSquareRoot(0.01, 5), use_ema=True),
        lambda: keras.optimizers.SGD(0.01, momentum=0.9, gradient_accumulation_steps=2),
    ],
    ids=["adam", "schedule", "accumulation"],
)
def test_all_is_as_it_was(optimizer):
    model = make_model(optimizer(), dropout=0.5)
    model.fit(*BATCHES[0], epochs=3, verbose=0)
    made, before = model.optimizer, state(model)
    learning_rate_range_test(model, BATCHES, steps=10)
    assert model.optimizer is made
    for value, expected in zip(state(model), before, strict=True):
        np.testing.assert_array_equal(value, expected)
    twin = make_model(optimizer(), dropout=0.5)
    twin.fit(*BATCHES[0], epochs=3, verbose=0)
    for each in (model, twin):
        each.fit(*BATCHES[1], epochs=2, verbose=0)
    for value, expected in zip(state(model), state(twin), strict=True):
        np.testing.assert_array_equal(value, expected)


def test_an_error_in_the_middle_leaves_all_as_it_was():
    model = make_model("adam")
    before = state(model)[: len(model.variables)]

    def broken():
        yield BATCHES[0]
        raise OSError("gone")

    made = model.optimizer
    with pytest.raises(OSError, match="gone"):
        learning_rate_range_test(model, broken(), steps=10)
    assert model.optimizer is made
    for value, expected in zip(state(model), before, strict=False):
        np.testing.assert_array_equal(value, expected)


def test_it_ends_where_the_loss_diverges():
    result = learning_rate_range_test(make_model("sgd"), BATCHES, highest=1e3)
    assert 10 < len(result.losses) < 100
    assert result.rates[-1] < 1e3
    assert result.smoothed[-1] <= 4 * result.smoothed.min()


def test_the_suggestion_is_where_the_loss_falls_fastest():
    result = learning_rate_range_test(make_model("sgd"), BATCHES, highest=10.0)
    falls = np.diff(result.smoothed) / np.diff(np.log(result.rates))
    lowest = result.smoothed.argmin()
    fastest = falls[:lowest].argmin()
    assert result.rates[fastest] <= result.suggestion <= result.rates[fastest + 1]
    assert result.suggestion < result.rates[lowest]


class Batches(keras.utils.PyDataset):
    def __len__(self):
        return len(BATCHES)

    def __getitem__(self, index):
        return BATCHES[index]


def test_a_dataset_begins_anew_when_it_ends():
    results = [
        learning_rate_range_test(make_model("sgd"), data, steps=10)
        for data in (BATCHES, Batches())
    ]
    np.testing.assert_array_equal(results[0].losses, results[1].losses)


def test_what_is_wrong_is_told():
    model = make_model("sgd")
    with pytest.raises(ValueError, match="lowest=1, highest=0.5, steps=3"):
        learning_rate_range_test(model, BATCHES, lowest=1, highest=0.5, steps=3)
    bad = [(x, y * np.nan) for x, y in BATCHES]
    with pytest.raises(ValueError, match="finite loss at the first step.*nan"):
        learning_rate_range_test(model, bad)
