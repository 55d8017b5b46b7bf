import types

import keras
import numpy as np
import pytest
import torch
import transformers

from kftune.evaluation import attention_maps
from kftune.models import TextClassifier, load_task, save_to_hugging_face

pytestmark = pytest.mark.backend

TEXTS = ["Not a good film.", "The red car is old, but a man likes it."]


def last_attention(model, row):
    """Mean over the heads of the last block, by transformers."""
    with torch.no_grad():
        outputs = model(torch.tensor(row[None]), output_attentions=True)
    return outputs.attentions[-1][0].numpy().mean(axis=0)


def check(maps, rows, model):
    assert [found.text for found in maps] == TEXTS
    for found, row in zip(maps, rows, strict=True):
        expected = last_attention(model, np.asarray(row))
        assert found.weights.shape == (len(found.tokens),) * 2 == (len(row),) * 2
        np.testing.assert_allclose(found.weights, expected, atol=2e-5)
        np.testing.assert_allclose(found.weights.sum(axis=-1), 1, atol=1e-5)
    # Attention that is even would not tell blocks apart.
    assert np.ptp(maps[0].weights) > 0.2


def test_gpt2_attends_as_transformers_says(tmp_path):
    task = load_task("gpt2_tiny_en")
    save_to_hugging_face(task, tmp_path / "hf")
    model = transformers.GPT2Model.from_pretrained(
        tmp_path / "hf", attn_implementation="eager"
    )
    maps = attention_maps(task, TEXTS)
    check(maps, task.preprocessor.tokenize_rows(TEXTS), model.eval())
    assert maps[0].tokens[1:4] == ("Not", "Ġa", "Ġgood")
    assert not np.triu(maps[0].weights, 1).any()


def test_the_encoder_of_a_translation_model_attends_as_transformers_says(tmp_path):
    task = load_task("transformer_tiny_en_de")
    save_to_hugging_face(task, tmp_path / "hf")
    model = transformers.MarianMTModel.from_pretrained(
        tmp_path / "hf", attn_implementation="eager"
    )
    maps = attention_maps(task, TEXTS)
    rows = task.preprocessor.tokenize_rows(TEXTS, "source")
    check(maps, rows, model.eval().get_encoder())
    assert maps[0].tokens[0] == "▁Not" and maps[0].tokens[-1] == "</s>"


def test_a_classifier_on_bert_attends_as_transformers_says(tmp_path):
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "not", "a", "good", "film"]
    config = transformers.BertConfig(
        vocab_size=len(words),
        hidden_size=8,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=32,
        initializer_range=1.5,
        attn_implementation="eager",
    )
    model = transformers.BertModel(config).eval()
    model.save_pretrained(tmp_path)
    (tmp_path / "vocab.txt").write_text("\n".join(words))
    (tmp_path / "tokenizer_config.json").write_text('{"do_lower_case": true}')
    task = TextClassifier.from_preset(tmp_path, num_classes=2)
    maps = attention_maps(task, TEXTS)
    check(maps, task.preprocessor.tokenize_rows(TEXTS), model)
    assert maps[0].tokens[:3] == ("[CLS]", "not", "a")


def test_long_texts_are_cut_to_what_the_task_takes():
    task = load_task("gpt2_tiny_en")
    task.preprocessor.sequence_length = 7
    (found,) = attention_maps(task, [TEXTS[1]])
    assert len(found.tokens) == 7


def test_blocks_that_do_not_tell_their_attention_are_refused():
    preprocessor = types.SimpleNamespace(tokenizer=None)
    task = types.SimpleNamespace(backbone=keras.Sequential(), preprocessor=preprocessor)
    with pytest.raises(ValueError, match=r"Received: Sequential"):
        attention_maps(task, TEXTS)
