"""The callback stops a fit whose flags changed since `freeze`."""

import keras
import numpy as np
import pytest

from kftune.tuning import FreezeGuard, freeze

pytestmark = pytest.mark.backend


def fit(model, batch):
    model.fit(*batch, verbose=0, callbacks=[FreezeGuard()])


def compile_(model):
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))


@pytest.mark.long
def test_a_late_change_stops_before_the_first_step(gpt2, classifier, batch):
    compile_(classifier)
    freeze(classifier, "backbone")
    fit(classifier, batch)
    head = classifier.get_layer("head").kernel
    before = np.array(keras.ops.convert_to_numpy(head))
    gpt2.layer_norm.trainable = True
    with pytest.raises(RuntimeError, match=r"Trainable since then: .*layer_norm/gamma"):
        fit(classifier, batch)
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(head), before)
    freeze(classifier, "all_but_last:1")
    fit(classifier, batch)


def test_a_model_that_was_never_frozen_is_refused(classifier, batch):
    compile_(classifier)
    with pytest.raises(ValueError, match=f"froze. Received: .*'{classifier.name}'"):
        fit(classifier, batch)
