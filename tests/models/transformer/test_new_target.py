"""A new target behind a trained encoder: what is copied, what is new, and saving."""

import keras
import numpy as np
import pytest
import torch
import transformers
from keras import ops

from kftune.models import (
    TransformerBackbone,
    TransformerSeq2SeqLM,
    TransformerSeq2SeqLMPreprocessor,
    save_to_hugging_face,
    train_marian_tokenizer,
    with_new_target,
)
from kftune.tuning import freeze

pytestmark = pytest.mark.backend

ENGLISH = ["the red house", "a blue car is here", "two old books"] * 5
GERMAN = ["das rote Haus", "hier ist ein blaues Auto", "zwei alte Bücher"] * 5
FRENCH = ["la maison rouge", "une voiture bleue est là", "deux vieux livres"] * 5
HF_NAMES = ("input_ids", "attention_mask", "decoder_input_ids")
SETTINGS = {
    "marian": {"logits_bias": True},
    "untied": {"tie_output": False, "normalize_first": True},
    "learned": {
        "position_embedding": "learned",
        "embedding_layer_norm": True,
        "decoder_num_layers": 1,
    },
}


@pytest.fixture(scope="module")
def french():
    """Fewer tokens than the preset's: its id of padding has no place here."""
    return train_marian_tokenizer(FRENCH, FRENCH, 27, byte_fallback=False)


@pytest.fixture(params=SETTINGS)
def task(request, randomised):
    tokenizer = train_marian_tokenizer(ENGLISH, GERMAN, 290)
    backbone = TransformerBackbone(
        tokenizer.vocabulary_size(), 2, 2, 8, 16, 0.0, 40, **SETTINGS[request.param]
    )
    preprocessor = TransformerSeq2SeqLMPreprocessor(tokenizer, 24, 40)
    return TransformerSeq2SeqLM(randomised(backbone), preprocessor)


def weights(backbone, side):
    """Weights of one side but the table of tokens, by layer and number."""
    return {
        (layer.name, number): ops.convert_to_numpy(weight)
        for layer in backbone.layers
        if layer.name.startswith((f"{side}_", f"transformer_{side}_"))
        and not layer.name.endswith("token_embedding")
        for number, weight in enumerate(layer.weights)
    }


def assert_same(ours, theirs, expected=True):
    assert ours.keys() == theirs.keys()
    same = {name for name in ours if np.array_equal(ours[name], theirs[name])}
    assert same == (set(ours) if expected else set())


def encoded(task, inputs):
    states = task.backbone.encode(
        inputs["encoder_token_ids"], inputs["encoder_padding_mask"]
    )
    return ops.convert_to_numpy(states)


def test_the_encoder_is_that_of_the_preset(task, french):
    new = with_new_target(task, french)
    tables = [
        ops.convert_to_numpy(t.backbone.encoder_token_embedding.embeddings)
        for t in (new, task)
    ]
    np.testing.assert_array_equal(*tables)
    ours, theirs = (weights(t.backbone, "encoder") for t in (new, task))
    assert len(ours) >= 2 * 16
    assert_same(ours, theirs)
    inputs, others = (t.preprocessor(ENGLISH[:3], FRENCH[:3])[0] for t in (new, task))
    for name in ("encoder_token_ids", "encoder_padding_mask"):
        np.testing.assert_array_equal(inputs[name], others[name])
    states = encoded(task, others)
    np.testing.assert_allclose(encoded(new, inputs), states, rtol=0, atol=1e-6)
    assert np.abs(states).max() > 0.1


@pytest.mark.long
@pytest.mark.parametrize("copy_decoder", [False, True])
def test_the_decoder_is_new_unless_it_is_asked_for(task, french, copy_decoder):
    new = with_new_target(task, french, copy_decoder=copy_decoder)
    sides = [weights(t.backbone, "decoder") for t in (new, task)]
    assert_same(*sides, expected=copy_decoder)
    table = new.backbone.token_embedding
    assert table.embeddings.shape == (27, 8)
    if not new.backbone.tie_output:
        assert table.reverse_embeddings.shape == (8, 27)
    size = new.backbone.vocabulary_size
    assert size == task.backbone.vocabulary_size == 290


@pytest.mark.long
def test_what_lora_learned_comes_along(task, french):
    task.backbone.enable_lora(2)
    for weight in task.backbone.trainable_weights:
        weight.assign(np.random.default_rng(0).normal(0, 0.3, weight.shape))
    new = with_new_target(task, french)
    inputs = task.preprocessor.generate_preprocess(ENGLISH[:3])
    received, expected = encoded(new, inputs), encoded(task, inputs)
    np.testing.assert_allclose(received, expected, atol=1e-5)


def test_targets_have_the_new_vocabulary_and_its_padding(task, french):
    new = with_new_target(task, french)
    x, y, weight = new.preprocessor(ENGLISH[:2], FRENCH[:2])
    expected = [*french.tokenize_target(FRENCH[0]), french.end_token_id]
    assert y[0][weight[0]].tolist() == expected
    assert x["decoder_token_ids"][0, 0] == french.pad_token_id == 26
    assert set(y[~weight]) == {26}
    assert x["encoder_token_ids"].max() == task.preprocessor.tokenizer.pad_token_id
    assert new.preprocessor.encoder_sequence_length == 24
    assert new.preprocessor.decoder_sequence_length == 40


@pytest.mark.long
def test_a_frozen_encoder_stays_and_the_rest_is_trained(task, french):
    new = with_new_target(task, french)
    freeze(new, "encoder")
    new.compile(keras.optimizers.Adam(0.01), run_eagerly=is_tensorflow())
    before = [weights(new.backbone, side) for side in ("encoder", "decoder")]
    new.fit(ENGLISH, FRENCH, batch_size=5, epochs=1, verbose=0)
    after = [weights(new.backbone, side) for side in ("encoder", "decoder")]
    assert_same(before[0], after[0])
    assert not any(
        np.array_equal(before[1][name], after[1][name])
        for name in before[1]
        if "layer_0" in name[0] and before[1][name].ndim > 1
    )


def is_tensorflow():
    return keras.backend.backend() == "tensorflow"


@pytest.mark.long
def test_it_is_saved_and_loaded(task, french, tmp_path):
    new = with_new_target(task, french)
    new.save_to_preset(tmp_path)
    loaded = TransformerSeq2SeqLM.from_preset(tmp_path)
    inputs, y, _ = new.preprocessor(ENGLISH[:3], FRENCH[:3])
    again, loaded_y, _ = loaded.preprocessor(ENGLISH[:3], FRENCH[:3])
    np.testing.assert_array_equal(y, loaded_y)
    np.testing.assert_allclose(
        ops.convert_to_numpy(loaded(again)),
        ops.convert_to_numpy(new(inputs)),
        atol=1e-6,
    )
    assert ops.convert_to_numpy(new(inputs)).shape == (3, 40, 27)


@pytest.mark.filterwarnings("ignore:Recommended. pip install sacremoses")
@pytest.mark.parametrize("task", ["marian"], indirect=True)
def test_transformers_loads_it(task, tmp_path):
    texts = [*FRENCH[:3], "le chien noir dort devant la porte du jardin"] * 5
    tokenizer = train_marian_tokenizer(texts, texts, 291)
    new = with_new_target(task, tokenizer)
    save_to_hugging_face(new, tmp_path)
    model = transformers.MarianMTModel.from_pretrained(tmp_path).eval()
    assert model.config.vocab_size == 290
    assert model.config.decoder_vocab_size == 291
    assert model.config.decoder_start_token_id == tokenizer.target_start_ids[0] == 290
    inputs, y, weight = new.preprocessor(ENGLISH[:3], FRENCH[:3])
    names = ("encoder_token_ids", "encoder_padding_mask", "decoder_token_ids")
    tensors = (torch.tensor(np.array(inputs[name], "int64")) for name in names)
    with torch.no_grad():
        logits = model(**dict(zip(HF_NAMES, tensors, strict=True))).logits.numpy()
    ours = ops.convert_to_numpy(new(inputs))
    np.testing.assert_allclose(ours[weight], logits[weight], atol=1e-4)
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path)
    targets = theirs(text_target=FRENCH[:3])["input_ids"]
    assert targets == [row[real].tolist() for row, real in zip(y, weight, strict=True)]


@pytest.mark.parametrize("task", ["marian"], indirect=True)
def test_transformers_wants_one_id_of_padding(task, french, tmp_path):
    new = with_new_target(task, french)
    with pytest.raises(ValueError, match="Received: 289.*290 and 27 tokens"):
        save_to_hugging_face(new, tmp_path / "hf")
    assert not (tmp_path / "hf").exists()


def test_other_tokenizers_and_lost_special_tokens_are_errors(task, french):
    bare = TransformerSeq2SeqLM(task.backbone)
    with pytest.raises(TypeError, match="MarianTokenizer.*NoneType and MarianTok"):
        with_new_target(bare, french)
    with pytest.raises(TypeError, match="MarianTokenizer and str"):
        with_new_target(task, "fr")
    task.preprocessor.tokenizer.extra_special_tokens = [">>de<<"]
    with pytest.raises(ValueError, match="no '>>de<<'"):
        with_new_target(task, french)
