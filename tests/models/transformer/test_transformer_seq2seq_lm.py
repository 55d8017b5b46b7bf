import keras
import keras_hub
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from kftune.models import (
    DecodingSettings,
    TextClassifier,
    TransformerBackbone,
    TransformerSeq2SeqLM,
    TransformerSeq2SeqLMPreprocessor,
)
from kftune.tuning import freeze

pytestmark = pytest.mark.backend

LENGTH = 40
SOURCES = ["good film", "it's a slow start!", "The film isn't bad: see it."]
TARGETS = ["bad", "a slow film", "good film: see it"]
SAMPLERS = {
    "greedy": {},
    "beam": {"num_beams": 3},
    "random": {"seed": 2},
    "top_k": {"k": 4, "temperature": 0.8, "seed": 3},
    "top_p": {"p": 0.7, "seed": 4},
}


@pytest.fixture
def bart_tokenizer(gpt2_tokenizer):
    """BART's special tokens on the vocabulary of the tests."""
    special = ["<s>", "<pad>", "</s>", "<mask>"]
    tokens = [*special, *(t for t in gpt2_tokenizer.get_vocabulary() if "<" not in t)]
    vocabulary = {token: i for i, token in enumerate(dict.fromkeys(tokens))}
    return keras_hub.models.BartTokenizer(vocabulary, gpt2_tokenizer.merges)


@pytest.fixture
def stock_backbone(randomised):
    backbone = keras_hub.models.BartBackbone(
        vocabulary_size=410,
        num_layers=2,
        num_heads=2,
        hidden_dim=8,
        intermediate_dim=12,
        max_sequence_length=LENGTH,
        dropout=0,
    )
    return randomised(backbone)


@pytest.fixture
def stock(stock_backbone, bart_tokenizer, quick):
    preprocessor = keras_hub.models.BartSeq2SeqLMPreprocessor(bart_tokenizer, 24, 16)
    task = keras_hub.models.BartSeq2SeqLM(stock_backbone, preprocessor)
    task.compile(sampler="greedy", **quick)
    return task


@pytest.fixture
def task(stock_backbone, bart_tokenizer, quick):
    task = TransformerSeq2SeqLM(
        TransformerBackbone.from_keras_hub(stock_backbone),
        TransformerSeq2SeqLMPreprocessor(bart_tokenizer, 24, 16),
    )
    task.compile(sampler="greedy", **quick)
    return task


@pytest.fixture
def bare(task):
    """The task without a preprocessor."""
    task.preprocessor = None
    return task


def prompts(*lengths):
    """Tokenised sources and beginnings of targets of some lengths."""
    rng = np.random.default_rng(1)
    token_ids = rng.integers(4, 400, (2, len(lengths), LENGTH)).astype("int32")
    source_lengths = np.array([[9], [2], [5]])[: len(lengths)]
    return {
        "encoder_token_ids": token_ids[0, :, :9],
        "encoder_padding_mask": np.arange(9) < source_lengths,
        "decoder_token_ids": token_ids[1],
        "decoder_padding_mask": np.arange(LENGTH) < np.array(lengths)[:, None],
    }


# === Generation


@pytest.mark.long
@pytest.mark.parametrize("name", SAMPLERS)
def test_the_tokens_are_keras_hubs_with_every_sampler(bare, stock, name, quick):
    stock.preprocessor = None
    received = []
    for model in (stock, bare):
        config = {"class_name": name, "config": SAMPLERS[name]}
        model.compile(sampler=keras_hub.samplers.deserialize(config), **quick)
        received.append(model.generate(prompts(9, 2, 35), stop_token_ids=[7, 8, 9]))
    assert len(np.unique(received[0]["decoder_token_ids"][1])) > 3
    for key in ("decoder_token_ids", "decoder_padding_mask"):
        np.testing.assert_array_equal(received[1][key], received[0][key])


def test_greedy_tokens_are_the_best_ones_of_the_full_pass(bare):
    given = prompts(1, 5, 34)
    outputs = bare.generate(given, stop_token_ids=None)
    tokens, mask = outputs["decoder_token_ids"], given["decoder_padding_mask"]
    np.testing.assert_array_equal(tokens[mask], given["decoder_token_ids"][mask])
    whole = {"decoder_token_ids": tokens, "decoder_padding_mask": np.ones_like(tokens)}
    best = bare.predict({**given, **whole}, verbose=0).argmax(-1)[:, :-1]
    chosen = ~mask[:, 1:]
    np.testing.assert_array_equal(tokens[:, 1:][chosen], best[chosen])
    assert len(set(tokens[:, 1:][chosen])) > 5


@pytest.mark.long
def test_a_banned_token_is_never_generated(bare, quick):
    given = prompts(1, 5)
    tokens = bare.generate(given, stop_token_ids=None)["decoder_token_ids"]
    banned = int(tokens[0, 1])
    settings = DecodingSettings(bad_words_ids=[[banned], [7, 8]])
    task = TransformerSeq2SeqLM(bare.backbone, decoding_settings=settings)
    task.compile(sampler="greedy", **quick)
    received = task.generate(given, stop_token_ids=None)["decoder_token_ids"]
    assert not (received == banned)[~given["decoder_padding_mask"]].any()
    assert received[0, 1] != banned


@pytest.mark.long
def test_texts_in_and_texts_out(task, stock):
    expected = stock.generate(SOURCES, max_length=12)
    assert len(set(expected)) > 1
    assert task.generate(SOURCES, max_length=12) == expected
    assert task.generate(SOURCES[1], max_length=12) == expected[1]
    begun = {"encoder_text": SOURCES, "decoder_text": TARGETS}
    expected = stock.generate(dict(begun), max_length=12)
    assert task.generate(dict(begun), max_length=12) == expected
    assert expected[2].startswith("good film")


def test_what_is_passed_to_generate_is_left_as_it_is(task):
    inputs = {"encoder_text": "good film", "decoder_text": "it"}
    first = task.generate(inputs, max_length=8)
    assert isinstance(first, str)
    assert inputs == {"encoder_text": "good film", "decoder_text": "it"}
    assert task.generate(inputs, max_length=8) == first
    stops = task.preprocessor.stop_token_ids
    assert task.generate(inputs, 8, np.array(stops)) == first


@pytest.mark.long
def test_generation_follows_training_and_ends(bart_tokenizer, quick):
    backbone = TransformerBackbone(
        410, 1, 2, 16, 32, dropout=0, max_sequence_length=LENGTH, normalize_first=True
    )
    preprocessor = TransformerSeq2SeqLMPreprocessor(bart_tokenizer, 24, 16)
    task = TransformerSeq2SeqLM(backbone, preprocessor)
    task.compile(keras.optimizers.Adam(0.03), sampler="greedy", **quick)
    sources, targets = SOURCES[:2], TARGETS[:2]
    assert task.generate(sources, max_length=16) != targets
    task.fit(sources * 8, targets * 8, epochs=40, verbose=0)
    assert task.generate(sources, max_length=16) == targets


def test_what_cannot_be_generated_is_refused(bare):
    given = prompts(1, 5)
    given["decoder_padding_mask"][1] = False
    with pytest.raises(ValueError, match="at least one token.*at index 1"):
        bare.generate(given, stop_token_ids=None)
    given = {**prompts(1), "decoder_token_ids": np.ones((1, 41), "int32")}
    given["decoder_padding_mask"] = np.ones((1, 41), "int32")
    with pytest.raises(ValueError, match="max_length <= 40.*Received: 41"):
        bare.generate(given, stop_token_ids=None)
    with pytest.raises(ValueError, match="preprocessor"):
        bare.generate(prompts(1))


# === Training


@pytest.mark.long
def test_all_forms_of_data_give_the_loss_of_the_formula(task):
    batch = task.preprocessor(SOURCES, TARGETS)
    x, y, weight = batch
    logits = task.predict(x, verbose=0).astype("float64")
    logits -= logits.max(-1, keepdims=True)
    scores = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    expected = -np.take_along_axis(scores, y[..., None], -1)[..., 0][weight].mean()
    texts = {"encoder_text": SOURCES, "decoder_text": TARGETS}
    forms = [
        {"x": SOURCES, "y": TARGETS},
        {"x": texts},
        {"x": {name: np.array(values) for name, values in texts.items()}},
        {"x": x, "y": y, "sample_weight": weight},
        {"x": tf.data.Dataset.from_tensor_slices((SOURCES, TARGETS)).batch(3)},
        {"x": tf.data.Dataset.from_tensor_slices(texts).batch(3)},
    ]
    for form in forms:
        losses = task.evaluate(**form, verbose=0, return_dict=True)
        assert losses["loss"] == pytest.approx(expected, abs=1e-4)


@pytest.mark.long
def test_fit_takes_validation_pairs(task):
    history = task.fit(
        SOURCES, TARGETS, validation_data=(SOURCES, TARGETS), epochs=2, verbose=0
    )
    assert len(history.history["val_loss"]) == 2
    assert history.history["loss"][1] < history.history["loss"][0]


@pytest.mark.long
@pytest.mark.parametrize(
    ("policy", "trained"),
    [
        ("all_but_last:1", "transformer_decoder_layer_1/"),
        ("encoder", "decoder"),
        ("decoder", "encoder"),
        ("all_but_cross_attention", "cross_attention"),
    ],
)
def test_only_what_a_policy_leaves_is_trained(task, policy, trained, tmp_path):
    freeze(task, policy)
    left = {w.path for w in task.weights if w.trainable}
    assert left == {w.path for w in task.weights if trained in w.path}
    before = {w.path: ops.convert_to_numpy(w) for w in task.weights}
    task.fit(SOURCES, TARGETS, verbose=0)
    changed = {
        weight.path
        for weight in task.weights
        if (ops.convert_to_numpy(weight) != before[weight.path]).any()
    }
    # No gradient reaches the bias of keys: it moves all scores of a query alike.
    assert changed | {path for path in left if path.endswith("key/bias")} == left
    task.save_to_preset(tmp_path)
    again = TransformerSeq2SeqLM.from_preset(tmp_path)
    assert {w.path for w in again.weights if w.trainable} == left


def test_frozen_embeddings_are_all_embeddings(task):
    freeze(task, "embeddings")
    frozen = {w.path for w in task.weights if not w.trainable}
    assert frozen == {
        "token_embedding/embeddings",
        "encoder_position_embedding/embeddings",
        "decoder_position_embedding/embeddings",
    }


# === Presets


@pytest.mark.long
def test_a_saved_task_comes_back_whole(stock_backbone, bart_tokenizer, tmp_path, quick):
    task = TransformerSeq2SeqLM(
        TransformerBackbone.from_keras_hub(stock_backbone),
        TransformerSeq2SeqLMPreprocessor(bart_tokenizer, 24, 16),
        decoding_settings=DecodingSettings(num_beams=3, bad_words_ids=[[1]]),
    )
    task.save_to_preset(tmp_path)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == [
        "assets",
        "config.json",
        "metadata.json",
        "model.weights.h5",
        "preprocessor.json",
        "task.json",
        "tokenizer.json",
    ]
    task.compile(sampler="greedy", **quick)
    expected = task.generate(SOURCES, max_length=12)
    loaded = TransformerSeq2SeqLM.from_preset(tmp_path, offline=True)
    by_keras_hub = keras_hub.models.Seq2SeqLM.from_preset(str(tmp_path))
    for again in (loaded, by_keras_hub):
        assert type(again) is TransformerSeq2SeqLM
        assert again.decoding_settings == task.decoding_settings
        again.compile(sampler="greedy", **quick)
        assert again.generate(SOURCES, max_length=12) == expected
    assert loaded.preprocessor.encoder_sequence_length == 24
    assert loaded.preprocessor.decoder_sequence_length == 16


@pytest.mark.long
def test_keras_hubs_bart_becomes_ours(stock, tmp_path, quick):
    stock.save_to_preset(str(tmp_path))
    ours = TransformerSeq2SeqLM.from_preset(tmp_path)
    # KerasHub does not save lengths; as many as there are positions then.
    assert ours.preprocessor.encoder_sequence_length == LENGTH
    assert ours.preprocessor.decoder_sequence_length == LENGTH
    ours.compile(sampler="greedy", **quick)
    expected = stock.generate(SOURCES, max_length=12)
    assert ours.generate(SOURCES, max_length=12) == expected


def test_options_of_from_preset(task, tmp_path):
    task.save_to_preset(tmp_path)
    again = TransformerSeq2SeqLM.from_preset(
        tmp_path, decoder_sequence_length=8, dtype="bfloat16", load_weights=False
    )
    assert again.preprocessor.decoder_sequence_length == 8
    assert again.preprocessor.encoder_sequence_length == 24
    assert again.backbone.compute_dtype == "bfloat16"
    bare = TransformerSeq2SeqLM.from_preset(tmp_path, preprocessor=None)
    assert bare.preprocessor is None
    with pytest.raises(ValueError, match="<= 40.*'encoder_sequence_length': 99"):
        TransformerSeq2SeqLM.from_preset(tmp_path, encoder_sequence_length=99)


@pytest.mark.long
def test_a_classifier_on_the_encoder(task, tmp_path):
    task.save_to_preset(tmp_path / "lm")
    classifier = TextClassifier.from_preset(tmp_path / "lm", num_classes=2)
    assert type(classifier.backbone) is TransformerBackbone
    expected = classifier.predict(SOURCES, verbose=0)
    classifier.save_to_preset(tmp_path / "classifier")
    again = TextClassifier.from_preset(tmp_path / "classifier")
    received = again.predict(SOURCES, verbose=0)
    np.testing.assert_allclose(received, expected, atol=1e-6)


def test_other_models_are_refused(stock_backbone, tmp_path):
    with pytest.raises(TypeError, match="TransformerBackbone.from_keras_hub"):
        TransformerSeq2SeqLM(stock_backbone)
    keras_hub.models.BertBackbone(
        vocabulary_size=9, num_layers=1, num_heads=1, hidden_dim=4, intermediate_dim=4
    ).save_to_preset(str(tmp_path))
    with pytest.raises(ValueError, match="Expected a TransformerBackbone.*BertBack"):
        TransformerSeq2SeqLM.from_preset(tmp_path, preprocessor=None)
