import keras
import pytest

from kftune.tuning import freeze, scale_learning_rates

pytestmark = pytest.mark.backend


def sgd():
    return keras.optimizers.SGD(0.4)


def rates(optimizer):
    return [float(part.learning_rate) for part in optimizer.optimizers]


def test_each_pattern_has_its_rate(classifier):
    factors = {"head/.*": 10.0, ".*embedding.*": 0.5}
    optimizer = scale_learning_rates(classifier, sgd(), factors)
    assert optimizer.factors == factors
    optimizer.build(classifier.trainable_variables)
    assert rates(optimizer) == pytest.approx([4.0, 0.2, 0.4])


def test_frozen_weights_count_as_matched(classifier):
    freeze(classifier, "backbone")
    optimizer = scale_learning_rates(classifier, sgd(), {"transformer_layer_0/.*": 0.5})
    assert rates(optimizer) == pytest.approx([0.2, 0.4])


@pytest.mark.parametrize(
    ("factors", "message"),
    [
        (
            {"head/.*": 2.0, "haed/.*": 2.0, "head": 1.0},
            r"\['haed/.*', 'head'\], which",
        ),
        ({"head/(": 2.0}, r"Received: 'head/\(' \(missing \)"),
        (
            {"head/.*": 2.0, ".*bias": 1.0},
            r"one pattern at most.*'head/bias': \['head/.*', '.*bias'\]",
        ),
    ],
)
def test_patterns_that_do_not_fit_are_told(classifier, factors, message):
    with pytest.raises(ValueError, match=message):
        scale_learning_rates(classifier, sgd(), factors)
