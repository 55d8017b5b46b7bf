import json

import keras
import keras_hub
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from kftune.models import (
    GPT2Backbone,
    GPT2CausalLM,
    GPT2CausalLMPreprocessor,
    TextClassifier,
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
def stock_backbone(randomised):
    backbone = keras_hub.models.GPT2Backbone(
        vocabulary_size=400,
        num_layers=2,
        num_heads=2,
        hidden_dim=8,
        intermediate_dim=12,
        max_sequence_length=LENGTH,
        dropout=0,
    )
    return randomised(backbone)


@pytest.fixture
def task(stock_backbone, gpt2_tokenizer, quick):
    preprocessor = GPT2CausalLMPreprocessor(gpt2_tokenizer, sequence_length=20)
    backbone = GPT2Backbone.from_keras_hub(stock_backbone)
    task = GPT2CausalLM(backbone, preprocessor)
    task.compile(sampler="greedy", **quick)
    return task


@pytest.fixture
def stock(stock_backbone, gpt2_tokenizer, quick):
    preprocessor = keras_hub.models.GPT2CausalLMPreprocessor(gpt2_tokenizer, 20)
    task = keras_hub.models.GPT2CausalLM(stock_backbone, preprocessor)
    task.compile(sampler="greedy", **quick)
    return task


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


def test_a_row_is_the_same_alone_and_among_others(bare):
    given = prompts(3, 33)
    together = bare.generate(given, stop_token_ids=None)["token_ids"]
    for row in (0, 1):
        alone = {name: x[row : row + 1] for name, x in given.items()}
        received = bare.generate(alone, stop_token_ids=None)["token_ids"]
        np.testing.assert_array_equal(received[0], together[row])


def test_texts_in_and_texts_out(task, stock):
    expected = stock.generate(TEXTS[:2], max_length=16)
    assert task.generate(TEXTS[:2], max_length=16) == expected
    assert task.generate(TEXTS[0], max_length=16) == expected[0]
    assert all(e.startswith(t) for e, t in zip(expected, TEXTS, strict=False))
    batches = tf.data.Dataset.from_tensor_slices(TEXTS[:2]).batch(1)
    assert task.generate(batches, max_length=16) == expected
    stripped = task.generate(TEXTS[:2], max_length=16, strip_prompt=True)
    assert [t + s for t, s in zip(TEXTS, stripped, strict=False)] == expected


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


def test_fit_on_texts_lowers_the_loss(task, quick):
    task.compile(keras.optimizers.Adam(0.01), sampler="greedy", **quick)
    before = loss_of(task, task.preprocessor(TEXTS))
    history = task.fit(TEXTS, epochs=4, validation_data=TEXTS[:2], verbose=0)
    assert history.history["loss"][0] == pytest.approx(before, abs=1e-3)
    assert loss_of(task, task.preprocessor(TEXTS)) < before - 0.3
    assert len(history.history["val_loss"]) == 4


def test_generation_follows_training(task, quick):
    task.compile(keras.optimizers.Adam(0.05), sampler="greedy", **quick)
    first = task.generate("good", max_length=8)
    task.fit(["good film"] * 8, epochs=30, verbose=0)
    assert first != "good film"
    assert task.generate("good", max_length=8) == "good film"


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


# === Presets


def test_a_saved_task_is_a_preset_of_keras_hub(task, tmp_path):
    task.save_to_preset(tmp_path)
    for path in tmp_path.glob("*.json"):
        assert "kftune" not in path.read_text("utf-8")
    theirs = keras_hub.models.CausalLM.from_preset(str(tmp_path))
    assert type(theirs) is keras_hub.models.GPT2CausalLM
    theirs.compile(sampler="greedy")
    again = GPT2CausalLM.from_preset(tmp_path, offline=True)
    again.compile(sampler="greedy")
    expected = task.generate(TEXTS[:2], max_length=16)
    for model in (theirs, again):
        assert model.preprocessor.sequence_length == 20
        assert model.generate(TEXTS[:2], max_length=16) == expected


def test_a_saved_task_of_keras_hub_becomes_ours(stock, tmp_path):
    stock.save_to_preset(str(tmp_path))
    ours = GPT2CausalLM.from_preset(tmp_path)
    ours.compile(sampler="greedy")
    assert type(ours.preprocessor) is GPT2CausalLMPreprocessor
    expected = stock.generate(TEXTS[:2], max_length=16)
    assert ours.generate(TEXTS[:2], max_length=16) == expected


def test_integer_weights_are_saved_and_saved_again(task, tmp_path, quick):
    task.quantize("int8")
    task.compile(sampler="greedy", **quick)
    expected = task.generate(TEXTS[:2], max_length=16)
    task.save_to_preset(tmp_path / "once")
    again = GPT2CausalLM.from_preset(tmp_path / "once")
    again.save_to_preset(tmp_path / "twice")
    theirs = keras_hub.models.CausalLM.from_preset(str(tmp_path / "twice"))
    ours = GPT2CausalLM.from_preset(tmp_path / "twice")
    for model in (theirs, ours):
        assert model.backbone.token_embedding.quantization_mode == "int8"
        model.compile(sampler="greedy", **quick)
        assert model.generate(TEXTS[:2], max_length=16) == expected


def test_without_a_preprocessor(task, tmp_path):
    task.save_to_preset(tmp_path)
    for name in ("tokenizer.json", "preprocessor.json"):
        (tmp_path / name).unlink()
    bare = GPT2CausalLM.from_preset(tmp_path, preprocessor=None)
    assert bare.preprocessor is None
    bare.save_to_preset(tmp_path / "bare")
    assert not (tmp_path / "bare" / "tokenizer.json").exists()
    bare = GPT2CausalLM.from_preset(tmp_path / "bare", preprocessor=None)
    bare.compile(sampler="greedy")
    given = task.preprocessor.generate_preprocess(TEXTS[:2])
    task.preprocessor = None
    expected, received = (
        model.generate(given, stop_token_ids=None) for model in (task, bare)
    )
    np.testing.assert_array_equal(received["token_ids"], expected["token_ids"])
    with pytest.raises(ValueError, match="preprocessor"):
        bare.generate(given)
    with pytest.raises(ValueError, match="no preprocessor"):
        bare.fit(TEXTS)


def test_lengths_and_dtype_of_a_preset(task, tmp_path):
    task.save_to_preset(tmp_path)
    again = GPT2CausalLM.from_preset(tmp_path, sequence_length=12, dtype="bfloat16")
    assert again.preprocessor.sequence_length == 12
    assert again.backbone.compute_dtype == "bfloat16"
    with pytest.raises(ValueError, match="<= 40.*'sequence_length': 64"):
        GPT2CausalLM.from_preset(tmp_path, sequence_length=64)
    # KerasHub's default of 1024 is more than the positions.
    config = json.loads((tmp_path / "preprocessor.json").read_text())
    config["config"]["sequence_length"] = 1024
    (tmp_path / "preprocessor.json").write_text(json.dumps(config))
    assert GPT2CausalLM.from_preset(tmp_path).preprocessor.sequence_length == 40


def test_a_classifier_on_a_saved_language_model_and_back(task, tmp_path):
    task.save_to_preset(tmp_path / "lm")
    classifier = TextClassifier.from_preset(tmp_path / "lm", num_classes=2)
    assert type(classifier.backbone) is GPT2Backbone
    classifier.save_to_preset(tmp_path / "classifier")
    again = GPT2CausalLM.from_preset(tmp_path / "classifier")
    for received, wanted in zip(again.get_weights(), task.get_weights(), strict=True):
        np.testing.assert_array_equal(received, wanted)
    # Saved over a classifier, nothing of its head stays to be loaded.
    task.save_to_preset(tmp_path / "classifier")
    assert not (tmp_path / "classifier" / "task.weights.h5").exists()
    keras_hub.models.CausalLM.from_preset(str(tmp_path / "classifier"))


def test_a_failed_save_leaves_the_old_task(task, tmp_path, monkeypatch):
    def fail(*args, **kwargs):
        raise OSError("disk full")

    task.save_to_preset(tmp_path)
    files = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    task.backbone.layer_norm.gamma.assign(task.backbone.layer_norm.gamma + 1)
    monkeypatch.setattr(keras_hub.models.GPT2Tokenizer, "save_to_preset", fail)
    with pytest.raises(OSError, match="disk full"):
        task.save_to_preset(tmp_path)
    left = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert left == files


@pytest.mark.parametrize("name", ["config.json", "model.weights.h5", "tokenizer.json"])
def test_a_missing_file_is_one_clear_error(task, tmp_path, name):
    task.save_to_preset(tmp_path)
    (tmp_path / "preprocessor.json").unlink()
    (tmp_path / name).unlink()
    with pytest.raises(FileNotFoundError, match=f"{tmp_path}.*Nothing was loaded"):
        GPT2CausalLM.from_preset(tmp_path)


def test_other_models_and_options_are_refused(task, stock_backbone, tmp_path):
    with pytest.raises(TypeError, match="keras_hub.*GPT2Backbone.from_keras_hub"):
        GPT2CausalLM(stock_backbone)
    with pytest.raises(TypeError, match=r"\['smapler'\]"):
        GPT2CausalLM(task.backbone, smapler="greedy")
    with pytest.raises(ValueError, match="<= 40.*'sequence_length': 64"):
        GPT2CausalLM(
            task.backbone, GPT2CausalLMPreprocessor(task.preprocessor.tokenizer, 64)
        )
    keras_hub.models.BertBackbone(
        vocabulary_size=9, num_layers=1, num_heads=1, hidden_dim=4, intermediate_dim=4
    ).save_to_preset(str(tmp_path))
    with pytest.raises(ValueError, match="Expected a GPT2Backbone.*BertBackbone"):
        GPT2CausalLM.from_preset(tmp_path, preprocessor=None)
    with pytest.raises(ValueError, match=r"\['token_ids'\]"):
        task.predict({"token_ids": np.ones((1, 3))})


def test_the_task_comes_back_from_its_config(task):
    again = GPT2CausalLM.from_config(task.get_config())
    assert again.backbone.get_config() == task.backbone.get_config()
    assert again.preprocessor.sequence_length == 20
