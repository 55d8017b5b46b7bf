import keras
import numpy as np
import pytest

from kftune.models.gpt2.gpt2_pretrainer import compile_pretrainer, gpt2_pretrainer

pytestmark = pytest.mark.backend


def batch():
    rng = np.random.default_rng(0)
    x = {
        "token_ids": rng.integers(0, 400, (3, 6)).astype("int32"),
        "padding_mask": np.array([[1] * 6, [1] * 4 + [0] * 2, [1] * 2 + [0] * 4]),
    }
    y = {
        "next_token": rng.integers(0, 400, (3, 6)),
        "sentence_embedding": rng.normal(size=(3, 5)).astype("float32"),
        "polarity": np.array([[1.0], [0.25], [0.0]], "float32"),
    }
    weights = {
        "next_token": np.array([[1] * 5 + [0], [1] * 3 + [0] * 3, [0] * 6], "float32"),
        "sentence_embedding": np.array([1.0, 0.0, 1.0], "float32"),
        "polarity": np.array([1.0, 1.0, 0.0], "float32"),
    }
    return x, y, weights


def expected_losses(outputs, y, weights):
    """The three losses in NumPy."""
    logits = np.array(outputs["next_token"], "float64")
    log_p = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    nll = -np.take_along_axis(log_p, y["next_token"][..., None], -1)[..., 0]
    a, b = np.array(outputs["sentence_embedding"]), y["sentence_embedding"]
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    cosine = (a * b).sum(1) / norms
    p = 1 / (1 + np.exp(-np.array(outputs["polarity"])[:, 0]))
    t = y["polarity"][:, 0]
    entropy = -(t * np.log(p) + (1 - t) * np.log(1 - p))
    return {
        "next_token": np.average(nll, weights=weights["next_token"]),
        "sentence_embedding": -np.average(
            cosine, weights=weights["sentence_embedding"]
        ),
        "polarity": np.average(entropy, weights=weights["polarity"]),
    }


def test_losses_are_means_over_what_has_a_weight(gpt2_backbone, quick):
    model = gpt2_pretrainer(gpt2_backbone, teacher_dim=5)
    compile_pretrainer(model, "sgd", **quick)
    x, y, weights = batch()
    found = model.evaluate(x, y, 3, 0, weights, return_dict=True)
    expected = expected_losses(model.predict(x, verbose=0), y, weights)
    for name, loss in expected.items():
        assert found[f"{name}_loss"] == pytest.approx(loss, rel=1e-4)
    total = (
        expected["next_token"]
        + 2 * expected["sentence_embedding"]
        + expected["polarity"]
    )
    assert found["loss"] == pytest.approx(total, rel=1e-4)


def test_the_language_model_is_tied_to_the_token_embedding(gpt2_backbone):
    model = gpt2_pretrainer(gpt2_backbone)
    assert list(model.output) == ["next_token"]
    assert model.count_params() == gpt2_backbone.count_params()
    x = batch()[0]
    hidden = gpt2_backbone.predict(x, verbose=0)
    table = keras.ops.convert_to_numpy(gpt2_backbone.token_embedding.embeddings)
    logits = model.predict(x, verbose=0)["next_token"]
    np.testing.assert_allclose(logits, hidden @ table.T, atol=1e-5)


def test_the_teachers_outputs_read_the_last_real_token(gpt2_backbone):
    model = gpt2_pretrainer(gpt2_backbone, teacher_dim=5)
    x = batch()[0]
    before = model.predict(x, verbose=0)
    x["token_ids"][1, 4:] = 7  # behind the last real token of its row
    after = model.predict(x, verbose=0)
    for name in ("sentence_embedding", "polarity"):
        np.testing.assert_array_equal(before[name], after[name])
    x["token_ids"][1, 3] += 1
    changed = model.predict(x, verbose=0)["polarity"]
    assert changed[1] != before["polarity"][1]
