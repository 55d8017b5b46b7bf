import json

import keras
import keras_hub
import numpy as np
import pytest
import torch
import transformers

from kftune.models import TextClassifier, load_backbone, load_preprocessor
from kftune.models.bert.exact_gelu_bert_backbone import ExactGeluBertBackbone

pytestmark = pytest.mark.backend

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "cafe", "film", "good"]
IDS = np.random.default_rng(2).integers(5, 30, (3, 6))
MASK = np.array([[1] * 6, [1] * 4 + [0] * 2, [1] + [0] * 5])


def save_reference(folder, **settings):
    """Saves a random BERT as sentence-transformers models lie on the hub."""
    config = transformers.BertConfig(
        vocab_size=30,
        hidden_size=8,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=16,
        initializer_range=0.6,
        **settings,
    )
    model = transformers.BertModel(config).eval()
    model.save_pretrained(folder)
    words = WORDS + [f"w{i}" for i in range(30 - len(WORDS))]
    (folder / "vocab.txt").write_text("\n".join(words))
    (folder / "tokenizer_config.json").write_text('{"do_lower_case": true}')
    return model


def mean_state(model):
    with torch.no_grad():
        states = model(torch.tensor(IDS), attention_mask=torch.tensor(MASK))
    states = states.last_hidden_state.numpy()
    return (states * MASK[:, :, None]).sum(axis=1) / MASK.sum(axis=1)[:, None]


def pooled(task):
    """What the head of a task is given."""
    features = keras.Model(task.input, task.pool.output)
    inputs = {"token_ids": IDS, "padding_mask": MASK}
    return features.predict(inputs, verbose=0)


@pytest.mark.parametrize("activation", ["gelu", "gelu_new"])
def test_mean_states_are_those_of_transformers(tmp_path, activation):
    model = save_reference(tmp_path, hidden_act=activation)
    task = TextClassifier.from_preset(tmp_path, num_classes=2)
    exact = isinstance(task.backbone, ExactGeluBertBackbone)
    assert exact == (activation == "gelu")
    np.testing.assert_allclose(pooled(task), mean_state(model), atol=1e-5)


def test_the_stock_backbone_is_further_off(tmp_path):
    """If this fails, KerasHub reads the activation itself: drop our backbone."""
    model = save_reference(tmp_path, hidden_act="gelu")
    backbone = keras_hub.models.BertBackbone.from_preset(str(tmp_path))
    features = {"token_ids": IDS, "padding_mask": MASK, "segment_ids": IDS * 0}
    states = keras.ops.convert_to_numpy(backbone(features)["sequence_output"])
    mean = (states * MASK[:, :, None]).sum(axis=1) / MASK.sum(axis=1)[:, None]
    assert np.abs(mean - mean_state(model)).max() > 1e-4


def test_the_activation_survives_saving(tmp_path):
    model = save_reference(tmp_path / "hf", hidden_act="gelu")
    task = TextClassifier.from_preset(tmp_path / "hf", num_classes=2)
    task.save_to_preset(tmp_path / "saved")
    again = TextClassifier.from_preset(tmp_path / "saved")
    np.testing.assert_allclose(pooled(again), mean_state(model), atol=1e-5)
    backbone = load_backbone(tmp_path / "saved")
    assert isinstance(backbone, ExactGeluBertBackbone)


def test_lower_case_models_lose_accents(tmp_path):
    save_reference(tmp_path)
    rows = load_preprocessor(tmp_path, sequence_length=8)
    cls, cafe, unknown, sep = 2, WORDS.index("cafe"), 1, 3
    assert rows.tokenize_rows(["Café xyz"])[0].tolist() == [cls, cafe, unknown, sep]


def test_a_vocabulary_as_transformers_5_writes_it(tmp_path):
    save_reference(tmp_path)
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path)
    for name in ("vocab.txt", "tokenizer_config.json"):
        (tmp_path / name).unlink()
    theirs.save_pretrained(tmp_path)
    assert not (tmp_path / "vocab.txt").exists()
    config = json.loads((tmp_path / "tokenizer_config.json").read_text())
    config.pop("do_lower_case", None)  # True unless it is said
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    rows = load_preprocessor(tmp_path, sequence_length=8)
    text = "Café, good xyz"
    assert rows.tokenize_rows([text])[0].tolist() == theirs(text)["input_ids"]


def test_distilbert_loses_accents_too(tmp_path):
    save_reference(tmp_path)
    config = transformers.DistilBertConfig(
        vocab_size=30, dim=8, n_layers=1, n_heads=2, hidden_dim=16
    )
    transformers.DistilBertModel(config).save_pretrained(tmp_path)
    rows = load_preprocessor(tmp_path, sequence_length=8)
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path)
    text = "Café good"
    assert rows.tokenize_rows([text])[0].tolist() == theirs(text)["input_ids"]


def test_settings_that_are_computed_otherwise_are_listed(tmp_path):
    save_reference(tmp_path, hidden_act="relu", layer_norm_eps=1e-5)
    with pytest.raises(ValueError, match="'relu'.*1e-05"):
        load_backbone(tmp_path)


@pytest.mark.large
def test_minilm_gives_the_sentence_embeddings_of_transformers():
    from kftune.models.pretrained.preset_catalog import locate

    texts = ["A treat from start to end.", "Un café naïve, 2 hours…", "x " * 300, ""]
    folder = locate("minilm_l6")
    task = TextClassifier.from_preset("minilm_l6", num_classes=2, sequence_length=256)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    batch = tokenizer(
        texts, padding=True, truncation=True, max_length=256, return_tensors="pt"
    )
    with torch.no_grad():
        model = transformers.BertModel.from_pretrained(folder).eval()
        states = model(**batch).last_hidden_state.numpy()
    mask = batch["attention_mask"].numpy()[:, :, None]
    expected = (states * mask).sum(axis=1) / mask.sum(axis=1)
    features = keras.Model(task.input, task.pool.output)
    received = features.predict(task.preprocessor(texts), verbose=0)
    np.testing.assert_allclose(received, expected, atol=1e-4)
    norms = [np.linalg.norm(x, axis=-1, keepdims=True) for x in (received, expected)]
    np.testing.assert_allclose(received / norms[0], expected / norms[1], atol=1e-5)
    assert task.backbone.count_params() == pytest.approx(22.7e6, rel=0.01)
