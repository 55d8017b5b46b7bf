import keras
import numpy as np
import pytest

from kftune.evaluation.perplexity import perplexity
from kftune.training import text_batches

pytestmark = pytest.mark.backend


def model_of(probabilities):
    """A model that gives the same next-token distribution everywhere."""
    logits = np.log(np.array(probabilities, "float32"))
    x = keras.Input((None,), dtype="int32")
    table = keras.layers.Embedding(
        3,
        3,
        embeddings_initializer=keras.initializers.Constant(np.tile(logits, (3, 1))),
    )
    return keras.Model(x, {"next_token": table(x)})


def test_a_uniform_model_wavers_between_all_tokens():
    ids = np.array([[0, 1, 2], [2, 1, 0]])
    batch = (ids, {"next_token": ids}, {"next_token": np.ones((2, 3))})
    assert perplexity(model_of([1 / 3] * 3), [batch]) == pytest.approx(3, rel=1e-5)


def test_weights_decide_which_tokens_count():
    ids = np.array([[0, 1, 2]])
    batches = [
        (ids, {"next_token": ids}, {"next_token": np.array([[1, 1, 0]])}),
        (ids, {"next_token": ids}, {"next_token": np.array([[0, 0, 1]])}),
    ]
    expected = (0.5 * 0.3 * 0.2) ** (-1 / 3)
    found = perplexity(model_of([0.5, 0.3, 0.2]), batches)
    assert found == pytest.approx(expected, rel=1e-5)


def test_no_token_at_all_is_refused():
    batch = (np.array([[0]]), {"next_token": np.array([[0]])}, {"next_token": [[0]]})
    with pytest.raises(ValueError, match="Received: none"):
        perplexity(model_of([0.5, 0.3, 0.2]), [batch])


def test_what_stands_in_no_dict():
    ids = np.array([[0, 1, 2]])
    named = model_of([0.5, 0.3, 0.2])
    plain = keras.Model(named.input, named.output["next_token"])
    batch = (ids, ids, np.array([[True, False, True]]))
    expected = (0.5 * 0.2) ** (-1 / 2)
    assert perplexity(plain, [batch]) == pytest.approx(expected, rel=1e-5)


def test_packed_rows_have_the_perplexity_of_their_texts(language_model):
    splits = {"validation": {"text": ["A fine film.", "A bore.", "So it goes."]}}
    expected = perplexity(
        language_model,
        text_batches(language_model, splits, batch_size=3)["validation"],
    )
    packed = text_batches(language_model, splits, batch_size=2, pack_to=24)
    found = perplexity(language_model, packed["validation"])
    assert found == pytest.approx(expected, rel=1e-4)
