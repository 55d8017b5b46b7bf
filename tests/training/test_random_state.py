import json
import random

import keras
import numpy as np
import pytest

from kftune.training.random_state import get_random_state, set_random_state

pytestmark = pytest.mark.backend


def draw():
    numbers = [random.random(), random.gauss(), np.random.normal()]
    drawn = [float(keras.random.uniform(())), float(keras.random.normal(()))]
    if keras.config.backend() == "torch":
        import torch

        drawn.append(float(torch.rand(())))
    return [*numbers, *drawn]


def through_json(state):
    return json.loads(json.dumps(state, default=lambda value: value.tolist()))


def test_all_generators_give_the_same_again():
    draw()  # a second normal number waits in Python's and NumPy's generators
    state = through_json(get_random_state())
    expected = [draw() for _ in range(3)]
    keras.utils.set_random_seed(1)
    assert draw() != expected[0]
    set_random_state(state)
    assert [draw() for _ in range(3)] == expected


def test_a_generator_of_keras_that_was_not_asked_yet_begins_anew():
    keras.utils.set_random_seed(5)
    state = get_random_state()
    assert state["keras"] is None
    expected = draw()
    draw()
    set_random_state(through_json(state))
    assert draw() == expected


def test_reading_changes_nothing():
    keras.utils.set_random_seed(5)
    expected = draw()
    keras.utils.set_random_seed(5)
    get_random_state()
    assert draw() == expected


def test_a_process_without_a_generator_of_keras_gets_one():
    draw()
    state = through_json(get_random_state())
    expected = draw()
    keras.utils.set_random_seed(1)
    set_random_state(state)
    assert draw() == expected
