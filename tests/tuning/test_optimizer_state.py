"""State that goes from one optimizer to another, weight by weight."""

import keras
import numpy as np
import pytest

from kftune.tuning.optimizer_state import (
    carry_state,
    check_state_can_be_carried,
    optimizer_parts,
    start_averages,
)

pytestmark = pytest.mark.backend


def value(variable):
    return np.array(keras.ops.convert_to_numpy(variable))


@pytest.fixture
def weights():
    """Three weights, of which the first two have one path."""
    return [
        keras.Variable(np.full((2,), number, "float32"), name=name)
        for number, name in enumerate(("same", "same", "other"))
    ]


def built(make, weights):
    optimizer = make()
    optimizer.build(weights)
    return optimizer


def number(variables, start=0.0):
    """Gives each variable a value of its own."""
    for place, variable in enumerate(variables, 1):
        variable.assign(np.full(variable.shape, start + place, variable.dtype))


def momentum(**options):
    return keras.optimizers.SGD(0.5, momentum=0.9, **options)


def test_slots_follow_their_weight_and_not_its_path(weights):
    first, second, third = weights
    old, new = built(momentum, [first, second]), built(momentum, [third, second])
    number(old.variables)  # step, rate, slots of the first and the second
    number(new.variables, 10)
    carry_state(old, new)
    assert [value(v).flat[0] for v in new.variables] == [1, 2, 13, 4]


def test_numbers_of_weights_do_not_matter_to_those_of_the_optimizer(weights):
    """Two weights and two variables: lists of one length, and no slots."""
    old = built(lambda: keras.optimizers.SGD(0.5), weights[:2])
    new = built(lambda: keras.optimizers.SGD(0.25), weights)
    number(old.variables)
    carry_state(old, new)
    assert [float(value(v)) for v in new.variables] == [1, 2]


def test_an_optimizer_that_was_not_built_has_its_step_to_give(weights):
    old, new = momentum(), built(momentum, weights)
    old.iterations.assign(7)
    carry_state(old, new)
    assert int(new.iterations) == 7
    assert not any(value(v).any() for v in new.variables if len(v.shape))


def test_parts_of_a_wrapper_keep_their_own(weights):
    def make():
        routes = keras.optimizers.OptimizerMap(momentum(), {"other": momentum()})
        return keras.optimizers.MultiOptimizer(routes)

    old, new = built(make, weights[:2]), built(make, weights)
    outer, routed, default = optimizer_parts(old)
    assert (outer, [routed, default]) == (old, old.optimizers)
    assert not routed.built
    number(old.variables)
    carry_state(old, new)
    for before, after in zip(optimizer_parts(old), optimizer_parts(new), strict=True):
        assert int(after._iterations) == int(before._iterations)
    slots = [value(v).flat[0] for v in new.optimizers[1].variables]
    assert slots == [value(v).flat[0] for v in default.variables]
    scaled = keras.optimizers.LossScaleOptimizer(inner := momentum())
    assert optimizer_parts(scaled) == [scaled, inner]


def test_averages_start_at_the_weights(weights):
    optimizer = built(lambda: momentum(use_ema=True), weights)
    start_averages(optimizer)
    averages = [v for v in optimizer.variables if "average" in v.path]
    for weight, average in zip(weights, averages, strict=True):
        np.testing.assert_array_equal(value(average), value(weight))


class KeepsDict(keras.optimizers.SGD):
    """Keeps its slots by name."""

    def build(self, variables):
        super().build(variables)
        self.by_name = {v.path: self.add_variable_from_reference(v) for v in variables}


def test_slots_in_no_list_are_refused(weights):
    with pytest.raises(ValueError, match=r"Received: KeepsDict with \['.*same_var'\]"):
        check_state_can_be_carried(KeepsDict(0.5), weights)
    check_state_can_be_carried(momentum(), weights)
