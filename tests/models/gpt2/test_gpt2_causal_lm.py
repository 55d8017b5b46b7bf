import keras
import keras_hub
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from kftune.models import (
    GPT2CausalLM,
)
from kftune.tuning import freeze

pytestmark = pytest.mark.backend

LENGTH = 40
TEXTS = ["good film", "it's a slow start!", "", "The film isn't bad: see it."]
SAMPLERS = {
    "greedy": {},
    "beam": {"num_beams": 3},
    "contrastive": {"k": 3},
    "top_k": {"k": 4, "seed": 3},
    "top_p": {"p": 0.9, "seed": 3},
    "random": {"seed": 2},
}


@pytest.fixture
def bare(task):
    """The task without a preprocessor."""
    task.preprocessor = None
    return task


def prompts(*lengths):
    """Tokenised prompts of some lengths."""
    token_ids = np.random.default_rng(1).integers(0, 400, (len(lengths), LENGTH))
    mask = np.arange(LENGTH) < np.array(lengths)[:, None]
    return {"token_ids": token_ids.astype("int32"), "padding_mask": mask}


# === Generation


@pytest.mark.long
@pytest.mark.parametrize("name", SAMPLERS)
def test_the_tokens_are_keras_hubs_with_every_sampler(bare, stock, name, quick):
    stock.preprocessor = None
    received = []
    for model in (stock, bare):
        config = {"class_name": name, "config": SAMPLERS[name]}
        model.compile(sampler=keras_hub.samplers.deserialize(config), **quick)
        outputs = model.generate(prompts(9, 2, 35), stop_token_ids=[7, 8, 9])
        received.append(outputs)
    assert len(np.unique(received[0]["token_ids"][1])) > 5
    for key in ("token_ids", "padding_mask"):
        np.testing.assert_array_equal(received[1][key], received[0][key])


class OutsideXla(keras_hub.samplers.GreedySampler):
    """Leaves TensorFlow's graph for NumPy, which XLA cannot compile."""

    def get_next_token(self, probabilities):
        def best(rows):
            return rows.argmax(axis=-1).astype("int32")

        tokens = tf.numpy_function(best, [probabilities], tf.int32)
        return tf.ensure_shape(tokens, probabilities.shape[:1])


@pytest.mark.long
@pytest.mark.skipif(
    keras.config.backend() != "tensorflow", reason="others have one way to compile"
)
def test_xla_compiles_generation_unless_compile_forbids_it(bare):
    given = prompts(1, 5, 34)
    bare.compile(sampler="greedy", jit_compile=False)
    expected = bare.generate(given, stop_token_ids=None)["token_ids"]
    bare.compile(sampler=OutsideXla(), jit_compile=False)
    received = bare.generate(given, stop_token_ids=None)["token_ids"]
    np.testing.assert_array_equal(received, expected)
    bare.compile(sampler=OutsideXla())
    trains_with_xla = bare.jit_compile
    freeze(bare, "all_but_last:1")
    with pytest.raises(tf.errors.InvalidArgumentError, match="XLA"):
        bare.generate(given, stop_token_ids=None)
    assert bare.jit_compile is trains_with_xla


def test_stop_tokens_may_be_an_array(bare):
    bare.compile(sampler="greedy", jit_compile=False)
    inputs = prompts(9, 2)
    expected = bare.generate(inputs, stop_token_ids=[7, 8])
    received = bare.generate(inputs, stop_token_ids=np.array([7, 8]))
    np.testing.assert_array_equal(received["token_ids"], expected["token_ids"])


def test_a_keras_file_keeps_how_it_generates(task, tmp_path):
    for jit_compile, with_xla in (("auto", True), (False, False)):
        task.compile(sampler="greedy", jit_compile=jit_compile)
        task.save(tmp_path / "lm.keras")
        again = keras.saving.load_model(tmp_path / "lm.keras")
        assert again.generates_with_xla == task.generates_with_xla == with_xla
        assert again.jit_compile == task.jit_compile


@pytest.mark.long
def test_greedy_tokens_are_the_best_ones_of_the_full_pass(bare):
    given = prompts(1, 5, 34)
    outputs = bare.generate(given, stop_token_ids=None)
    tokens, mask = outputs["token_ids"], given["padding_mask"]
    np.testing.assert_array_equal(tokens[mask], given["token_ids"][mask])
    assert outputs["padding_mask"].all()
    logits = bare.predict(
        {"token_ids": tokens, "padding_mask": np.ones_like(tokens)}, verbose=0
    )
    best = logits.argmax(-1)[:, :-1]
    chosen = ~mask[:, 1:]
    np.testing.assert_array_equal(tokens[:, 1:][chosen], best[chosen])
    assert len(set(tokens[:, 1:][chosen])) > 10


@pytest.mark.long
def test_a_row_is_the_same_alone_and_among_others(bare):
    given = prompts(3, 33)
    together = bare.generate(given, stop_token_ids=None)["token_ids"]
    for row in (0, 1):
        alone = {name: x[row : row + 1] for name, x in given.items()}
        received = bare.generate(alone, stop_token_ids=None)["token_ids"]
        np.testing.assert_array_equal(received[0], together[row])


@pytest.mark.long
def test_texts_in_and_texts_out(task, stock):
    expected = stock.generate(TEXTS[:2], max_length=16)
    assert task.generate(TEXTS[:2], max_length=16) == expected
    assert task.generate(TEXTS[0], max_length=16) == expected[0]
    assert all(e.startswith(t) for e, t in zip(expected, TEXTS, strict=False))
    batches = tf.data.Dataset.from_tensor_slices(TEXTS[:2]).batch(1)
    assert task.generate(batches, max_length=16) == expected
    stripped = task.generate(TEXTS[:2], max_length=16, strip_prompt=True)
    assert [t + s for t, s in zip(TEXTS, stripped, strict=False)] == expected


@pytest.mark.long
def test_a_known_shape_is_compiled_once(bare, monkeypatch):
    if keras.backend.backend() == "torch":
        pytest.skip("PyTorch runs generate_step eagerly")
    traced = []
    step = bare.generate_step
    bare.compile(sampler="greedy")

    def counted_step(inputs, stop_token_ids=None):
        traced.append(1)
        return step(inputs, stop_token_ids)

    monkeypatch.setattr(bare, "generate_step", counted_step)
    for lengths in ((2, 5), (31, 5), (4, 38)):
        bare.generate(prompts(*lengths), stop_token_ids=None)
    assert len(traced) == 1
    bare.generate(prompts(33, 36), stop_token_ids=None)
    assert len(traced) == 2


@pytest.mark.parametrize(
    "mask",
    [[[0, 1, 1, 0]], [[0, 0, 0, 0]], [[1, 0, 1, 0]]],
    ids=["left", "none", "gap"],
)
def test_prompts_that_cannot_be_gone_on_with_are_refused(bare, mask):
    given = {"token_ids": np.ones((1, 4), "int32"), "padding_mask": np.array(mask)}
    with pytest.raises(ValueError, match=rf"{mask[0][:2]}".strip("[]")):
        bare.generate(given, stop_token_ids=None)


def test_too_many_positions_are_refused(bare):
    given = {"token_ids": np.ones((1, 41), "int32"), "padding_mask": np.ones((1, 41))}
    with pytest.raises(ValueError, match="max_length <= 40.*Received: 41"):
        bare.generate(given, stop_token_ids=None)


def test_no_prompt_at_all_is_refused(task):
    with pytest.raises(ValueError, match="at least one prompt. Received: none"):
        task.generate([])


def test_too_long_a_prompt_is_refused(task):
    with pytest.raises(ValueError, match="at most 4 tokens.*at index 1"):
        task.generate(["a", TEXTS[3]], max_length=4)


# === Training


def loss_of(task, batch):
    """Mean negative log-likelihood of what follows, over real tokens."""
    x, y, weight = batch
    logits = task.predict(x, verbose=0).astype("float64")
    logits -= logits.max(-1, keepdims=True)
    scores = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    chosen = np.take_along_axis(scores, y[..., None], axis=-1)[..., 0]
    return -chosen[weight].mean()


class Batches(keras.utils.PyDataset):
    def __init__(self, batch):
        super().__init__()
        self.batch = batch

    def __len__(self):
        return 1

    def __getitem__(self, index):
        return self.batch


@pytest.mark.long
def test_all_forms_of_data_give_the_loss_of_the_formula(task):
    batch = task.preprocessor(TEXTS)
    x, y, weight = batch
    expected = loss_of(task, batch)
    forms = [
        (TEXTS,),
        (np.array(TEXTS),),
        (x, y, None, weight),
        (tf.data.Dataset.from_tensor_slices(TEXTS).batch(4),),
        (Batches(batch),),
    ]
    for form in forms:
        arguments = dict(
            zip(("x", "y", "batch_size", "sample_weight"), form, strict=False)
        )
        losses = task.evaluate(**arguments, verbose=0, return_dict=True)
        assert losses["loss"] == pytest.approx(expected, abs=1e-4)


@pytest.mark.long
def test_fit_on_texts_lowers_the_loss(task, quick):
    task.compile(keras.optimizers.Adam(0.01), sampler="greedy", **quick)
    before = loss_of(task, task.preprocessor(TEXTS))
    history = task.fit(TEXTS, epochs=4, validation_data=TEXTS[:2], verbose=0)
    assert history.history["loss"][0] == pytest.approx(before, abs=1e-3)
    assert loss_of(task, task.preprocessor(TEXTS)) < before - 0.3
    assert len(history.history["val_loss"]) == 4


@pytest.mark.long
def test_generation_follows_training(task, quick):
    task.compile(keras.optimizers.Adam(0.05), sampler="greedy", **quick)
    first = task.generate("good", max_length=8)
    task.fit(["good film"] * 8, epochs=30, verbose=0)
    assert first != "good film"
    assert task.generate("good", max_length=8) == "good film"


@pytest.mark.long
@pytest.mark.parametrize("policy", ["all_but_last:1", "embeddings"])
def test_frozen_weights_stay_as_they_are_and_stay_frozen(task, policy, tmp_path, quick):
    report = freeze(task, policy)
    frozen = {w.path for w in task.weights if not w.trainable}
    blocks = {path.split("/")[0] for path in frozen}
    embeddings = {"token_embedding", "position_embedding"}
    one = policy == "all_but_last:1"
    assert blocks == embeddings | ({"transformer_layer_0"} if one else set())
    assert report.frozen_params + report.trainable_params == task.count_params()
    before = {w.path: ops.convert_to_numpy(w) for w in task.weights}
    task.fit(TEXTS, verbose=0)
    changed = {
        w.path
        for w in task.weights
        if (ops.convert_to_numpy(w) != before[w.path]).any()
    }
    assert changed
    assert not changed & frozen
    task.save_to_preset(tmp_path)
    again = GPT2CausalLM.from_preset(tmp_path)
    assert again.freeze_policy == policy
    assert {w.path for w in again.weights if not w.trainable} == frozen
    freeze(again, "nothing")
    again.save_to_preset(tmp_path)
    assert all(w.trainable for w in GPT2CausalLM.from_preset(tmp_path).weights)


def test_freezing_the_whole_backbone_leaves_nothing(task):
    with pytest.raises(ValueError, match="token_embedding"):
        freeze(task, "backbone")
