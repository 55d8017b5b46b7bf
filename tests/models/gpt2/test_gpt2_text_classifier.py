import keras
import keras_hub
import numpy as np
import pytest
import torch
import transformers

from kftune.models import GPT2TextClassifier, GPT2TextClassifierPreprocessor

pytestmark = pytest.mark.backend

PAD = 399


@pytest.fixture
def reference(tmp_path):
    """A random `GPT2ForSequenceClassification` and the folder it is saved in."""
    config = transformers.GPT2Config(
        vocab_size=400,
        n_positions=24,
        n_embd=8,
        n_layer=2,
        n_head=2,
        num_labels=3,
        pad_token_id=PAD,
        initializer_range=0.4,
    )
    model = transformers.GPT2ForSequenceClassification(config).eval()
    model.save_pretrained(tmp_path / "hf")
    return model, tmp_path / "hf"


def rows(side):
    """Token ids and mask of rows of 9, 4, 1 and 7 tokens, padded on a side."""
    generator = np.random.default_rng(3)
    token_ids, mask = np.full((4, 9), PAD), np.zeros((4, 9), int)
    for i, length in enumerate((9, 4, 1, 7)):
        place = slice(0, length) if side == "right" else slice(9 - length, 9)
        token_ids[i, place] = generator.integers(0, PAD, length)
        mask[i, place] = 1
    return {"token_ids": token_ids, "padding_mask": mask}


def logits_of(model, batch):
    with torch.no_grad():
        return model(
            torch.tensor(batch["token_ids"]),
            attention_mask=torch.tensor(batch["padding_mask"]),
        ).logits.numpy()


@pytest.fixture
def task(reference, gpt2_tokenizer):
    folder = reference[1]
    backbone = keras_hub.models.GPT2Backbone.from_preset(str(folder))
    task = GPT2TextClassifier(backbone, 3, use_bias=False)
    kernel = reference[0].score.weight.detach().numpy().T
    task.head.output_dense.kernel.assign(kernel)
    return task


def test_logits_are_those_of_transformers(task, reference):
    expected = logits_of(reference[0], rows("right"))
    assert np.ptp(expected) > 0.5
    np.testing.assert_allclose(
        task.predict(rows("right"), verbose=0), expected, atol=1e-4
    )


def test_left_padding_gives_the_same(task):
    right = task.predict(rows("right"), verbose=0)
    np.testing.assert_allclose(task.predict(rows("left"), verbose=0), right, atol=1e-5)


@pytest.mark.long
def test_a_batch_of_one_and_more_padding_give_the_same(task):
    batch = rows("right")
    together = task.predict(batch, verbose=0)
    wider = {key: np.pad(ids, ((0, 0), (0, 5))) for key, ids in batch.items()}
    for i in range(4):
        one = {key: ids[i : i + 1] for key, ids in wider.items()}
        alone = task.predict(one, verbose=0)[0]
        np.testing.assert_allclose(alone, together[i], atol=1e-5)


def test_what_stands_in_the_padding_does_not_matter(task):
    batch = rows("right")
    expected = task.predict(batch, verbose=0)
    batch["token_ids"] = np.where(batch["padding_mask"], batch["token_ids"], 0)
    np.testing.assert_allclose(task.predict(batch, verbose=0), expected, atol=1e-6)


def test_an_empty_row_is_finite(task):
    batch = {"token_ids": np.zeros((1, 5)), "padding_mask": np.zeros((1, 5))}
    assert np.isfinite(task.predict(batch, verbose=0)).all()


@pytest.mark.parametrize(
    ("pooling", "width"), [("last", 8), ("mean", 8), ("last_mean", 16)]
)
def test_pooling_decides_the_width_of_the_head(gpt2_backbone, pooling, width):
    task = GPT2TextClassifier(gpt2_backbone, 2, pooling=pooling)
    assert task.head.output_dense.kernel.shape == (width, 2)


def test_mean_pooling_is_the_mean_of_the_states(gpt2_backbone):
    task = GPT2TextClassifier(gpt2_backbone, 2, pooling="mean", use_bias=False)
    batch = rows("right")
    states = keras.ops.convert_to_numpy(gpt2_backbone(batch))
    mask = batch["padding_mask"][:, :, None]
    mean = (states * mask).sum(axis=1) / mask.sum(axis=1)
    expected = mean @ task.head.get_weights()[0]
    np.testing.assert_allclose(task.predict(batch, verbose=0), expected, atol=1e-5)


TEXTS = ["good good film", "a good start", "bad bad waiting", "a bad film"] * 4


@pytest.mark.long
@pytest.mark.parametrize(
    ("problem_type", "y"),
    [
        ("single_label_classification", [1, 1, 0, 0] * 4),
        ("multi_label_classification", [[1, 0], [1, 0], [0, 1], [0, 1]] * 4),
        ("regression", [[1.5, 0], [1.5, 0], [-1.5, 0], [-1.5, 0]] * 4),
    ],
)
def test_it_learns_each_kind_of_problem(
    gpt2_backbone, gpt2_tokenizer, quick, problem_type, y
):
    task = GPT2TextClassifier(
        gpt2_backbone,
        2,
        GPT2TextClassifierPreprocessor(gpt2_tokenizer, sequence_length=16),
        problem_type=problem_type,
        dropout=0,
    )
    task.compile(keras.optimizers.Adam(0.02), **quick)
    before = task.evaluate(TEXTS, y, return_dict=True, verbose=0)
    task.fit(TEXTS, y, epochs=12, batch_size=8, verbose=0)
    after = task.evaluate(TEXTS, y, return_dict=True, verbose=0)
    assert after["loss"] < before["loss"] / 3
    assert after.get("accuracy", 1) == 1


def test_the_config_is_flat_and_comes_back(gpt2_backbone, gpt2_tokenizer):
    task = GPT2TextClassifier(
        gpt2_backbone,
        2,
        GPT2TextClassifierPreprocessor(gpt2_tokenizer, 16, truncate="left"),
        pooling="last_mean",
        hidden_dim=4,
        activation="softmax",
        label_names=["rotten", "fresh"],
    )
    config = task.get_config()
    assert config["num_classes"] == 2
    again = GPT2TextClassifier.from_config(config)
    assert again.get_config()["label_names"] == ["rotten", "fresh"]
    assert again.pooling == "last_mean"
    assert again.preprocessor.truncate == "left"
    assert [w.shape for w in again.weights] == [w.shape for w in task.weights]


def test_the_length_comes_from_the_backbone(gpt2_backbone, gpt2_tokenizer):
    preprocessor = GPT2TextClassifierPreprocessor(gpt2_tokenizer)
    task = GPT2TextClassifier(gpt2_backbone, 2, preprocessor)
    assert task.preprocessor.sequence_length == 24
    assert task.predict(["good " * 99], verbose=0).shape == (1, 2)


def test_rows_longer_than_the_positions_are_refused(gpt2_backbone, gpt2_tokenizer):
    preprocessor = GPT2TextClassifierPreprocessor(gpt2_tokenizer, 25)
    with pytest.raises(ValueError, match="sequence_length <= 24.*25"):
        GPT2TextClassifier(gpt2_backbone, 2, preprocessor)


def test_float16_outputs_are_float32(make_backbone):
    task = GPT2TextClassifier(make_backbone("GPT2", dtype="mixed_bfloat16"), 2)
    outputs = task.predict({"token_ids": [[1]], "padding_mask": [[1]]}, verbose=0)
    assert outputs.dtype == np.float32


def test_a_misspelt_option_is_named_beside_the_known_ones(gpt2_backbone):
    with pytest.raises(TypeError, match="'problem_type'.*Received: .'problem_typ'"):
        GPT2TextClassifier(gpt2_backbone, 2, problem_typ="regression")
