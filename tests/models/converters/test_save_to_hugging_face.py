import json

import keras
import keras_hub
import numpy as np
import pytest
import torch
import transformers
from hf_references import (
    KINDS,
    make_batch,
    make_reference,
    reference_outputs,
)
from translation_files import SOURCE, TARGET, write_marian_files

from kftune.models.converters.save_to_hugging_face import save_to_hugging_face
from kftune.models.decoding_settings import DecodingSettings
from kftune.models.gpt2.gpt2_backbone import GPT2Backbone
from kftune.models.gpt2.gpt2_causal_lm import GPT2CausalLM
from kftune.models.gpt2.gpt2_causal_lm_preprocessor import GPT2CausalLMPreprocessor
from kftune.models.pretrained.preset_folders import (
    load_backbone,
    load_decoding_settings,
)
from kftune.models.pretrained.preset_tokenizers import load_tokenizer
from kftune.models.transformer.transformer_backbone import TransformerBackbone
from kftune.models.transformer.transformer_seq2seq_lm import TransformerSeq2SeqLM
from kftune.models.transformer.transformer_seq2seq_lm_preprocessor import (
    TransformerSeq2SeqLMPreprocessor,
)

pytestmark = pytest.mark.filterwarnings("ignore:Recommended. pip install sacremoses")
WRITTEN = [kind for kind in KINDS if kind != "m2m_100"]


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "written"


@pytest.fixture
def gpt2_task(gpt2_backbone, gpt2_tokenizer):
    backbone = GPT2Backbone.from_config(gpt2_backbone.get_config())
    return GPT2CausalLM(
        backbone, GPT2CausalLMPreprocessor(gpt2_tokenizer, sequence_length=16)
    )


def gpt2_logits(task, ids):
    inputs = {"token_ids": ids, "padding_mask": np.ones_like(ids)}
    return keras.ops.convert_to_numpy(task(inputs))


def small_backbone(**options):
    sizes = {"vocabulary_size": 20, "num_layers": 1, "num_heads": 2}
    return TransformerBackbone(**sizes, hidden_dim=8, intermediate_dim=12, **options)


def test_transformers_does_not_stop_after_its_own_few_tokens(gpt2_task, folder):
    save_to_hugging_face(gpt2_task, folder)
    model = transformers.AutoModelForCausalLM.from_pretrained(folder)
    assert model.generation_config.max_length == 16


@pytest.mark.backend
@pytest.mark.parametrize("kind", WRITTEN)
def test_transformers_loads_the_same_logits(kind, tmp_path, folder):
    model = make_reference(kind)
    model.save_pretrained(tmp_path / "read")
    task = TransformerSeq2SeqLM(
        load_backbone(tmp_path / "read"),
        decoding_settings=load_decoding_settings(tmp_path / "read"),
    )
    for weight in task.backbone.trainable_weights:
        weight.assign(weight * 0.9)  # numbers of our own
    save_to_hugging_face(task, folder)
    again = transformers.AutoModelForSeq2SeqLM.from_pretrained(folder)
    assert type(again) is type(model)
    inputs, _, weights = make_batch(model.config)
    ours = keras.ops.convert_to_numpy(task(inputs))[weights > 0]
    theirs = reference_outputs(again.eval(), inputs)[weights > 0]
    np.testing.assert_allclose(ours, theirs, atol=1e-4)
    assert np.abs(ours - reference_outputs(model, inputs)[weights > 0]).max() > 0.1


@pytest.mark.backend
def test_gpt2_with_its_tokenizer(gpt2_task, folder):
    save_to_hugging_face(gpt2_task, folder)
    model = transformers.AutoModelForCausalLM.from_pretrained(folder).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    text = "The film isn't bad,\n\n naïve 1999<|endoftext|>"
    ids = np.array([tokenizer(text)["input_ids"]])
    rows = gpt2_task.preprocessor.tokenize_rows([text])
    assert rows[0][1:-1].tolist() == ids[0].tolist()[:15]
    with torch.no_grad():
        theirs = model(torch.tensor(ids[:, :16])).logits.numpy()
    ours = gpt2_logits(gpt2_task, ids[:, :16])
    np.testing.assert_allclose(ours, theirs, atol=1e-4)
    assert tokenizer.decode(ids[0]) == text
    # Other programs know GPT-2's way to cut words by this name.
    written = json.loads((folder / "tokenizer.json").read_text("utf-8"))
    assert written["pre_tokenizer"]["type"] == "ByteLevel"
    end = gpt2_task.preprocessor.tokenizer.end_token_id
    assert model.config.eos_token_id == model.config.bos_token_id == end


def test_a_stock_gpt2_is_written_too(gpt2_backbone, folder):
    task = keras_hub.models.GPT2CausalLM(gpt2_backbone)
    save_to_hugging_face(task, folder)
    model = transformers.AutoModelForCausalLM.from_pretrained(folder).eval()
    ids = np.array([[3, 5, 7]])
    with torch.no_grad():
        theirs = model(torch.tensor(ids)).logits.numpy()
    np.testing.assert_allclose(gpt2_logits(task, ids), theirs, atol=1e-4)
    assert model.config.eos_token_id is None


def test_a_bart_of_keras_hub_is_written_too(folder):
    stock = keras_hub.models.BartBackbone(
        vocabulary_size=20,
        num_layers=2,
        num_heads=2,
        hidden_dim=8,
        intermediate_dim=12,
        max_sequence_length=16,
    )
    settings = DecodingSettings(
        decoder_start_token_id=2, eos_token_id=2, pad_token_id=1
    )
    task = TransformerSeq2SeqLM(
        TransformerBackbone.from_keras_hub(stock), decoding_settings=settings
    )
    save_to_hugging_face(task, folder)
    model = transformers.AutoModelForSeq2SeqLM.from_pretrained(folder).eval()
    source, target = np.array([[3, 7, 5, 2]]), np.array([[2, 4, 6]])
    inputs = {
        "encoder_token_ids": source,
        "encoder_padding_mask": np.ones_like(source),
        "decoder_token_ids": target,
        "decoder_padding_mask": np.ones_like(target),
    }
    expected = reference_outputs(model, inputs)
    outputs = keras.ops.convert_to_numpy(task(inputs))
    np.testing.assert_allclose(outputs, expected, atol=1e-5)
    hidden = stock(inputs)["decoder_sequence_output"]
    outputs = keras.ops.convert_to_numpy(stock.token_embedding(hidden, reverse=True))
    np.testing.assert_allclose(outputs, expected, atol=1e-5)


def test_marian_with_its_tokenizer_and_settings(tmp_path, folder):
    write_marian_files(tmp_path)
    tokenizer = transformers.MarianTokenizer.from_pretrained(tmp_path)
    pad = tokenizer.pad_token_id
    model = make_reference(
        "marian",
        vocab_size=len(tokenizer),
        pad_token_id=pad,
        decoder_start_token_id=pad,
    )
    model.generation_config.update(num_beams=3, bad_words_ids=[[pad]], max_length=30)
    model.save_pretrained(tmp_path)
    task = TransformerSeq2SeqLM(
        load_backbone(tmp_path),
        TransformerSeq2SeqLMPreprocessor(load_tokenizer(tmp_path), 16, 16),
        load_decoding_settings(tmp_path),
    )
    save_to_hugging_face(task, folder)
    again = transformers.AutoTokenizer.from_pretrained(folder)
    assert type(again) is type(tokenizer)
    batch = again(SOURCE, text_target=TARGET)
    assert batch["input_ids"] == tokenizer(SOURCE)["input_ids"]
    assert batch["labels"] == tokenizer(text_target=TARGET)["input_ids"]
    settings = transformers.GenerationConfig.from_pretrained(folder)
    assert (settings.num_beams, settings.max_length) == (3, 30)
    assert settings.bad_words_ids == [[pad]]
    assert settings.decoder_start_token_id == settings.pad_token_id == pad
    assert settings.eos_token_id == settings.forced_eos_token_id == 0


def test_bart_with_its_tokenizer(bpe_folder, tmp_path, folder):
    vocabulary = json.loads((bpe_folder / "vocabulary.json").read_text("utf-8"))
    vocabulary.pop("<|endoftext|>")
    tokens = ["<s>", "<pad>", "</s>", "<unk>", *vocabulary, "<mask>"]
    ids = {token: i for i, token in enumerate(tokens)}
    (tmp_path / "vocab.json").write_text(json.dumps(ids), "utf-8")
    merges = (bpe_folder / "merges.txt").read_text("utf-8")
    (tmp_path / "merges.txt").write_text(merges, "utf-8")
    make_reference("bart", vocab_size=len(tokens)).save_pretrained(tmp_path)
    reference = transformers.BartTokenizer.from_pretrained(tmp_path)
    task = TransformerSeq2SeqLM(
        load_backbone(tmp_path),
        TransformerSeq2SeqLMPreprocessor(load_tokenizer(tmp_path), 30, 30),
        load_decoding_settings(tmp_path),
    )
    save_to_hugging_face(task, folder)
    texts = ["The film is <mask> good</s>", "naïve <unk>\n\n x", "", " a  b "]
    expected = reference(texts)["input_ids"]
    again = transformers.AutoTokenizer.from_pretrained(folder)
    assert again(texts)["input_ids"] == expected
    rows = task.preprocessor.tokenize_rows(texts, "source")
    assert [row.tolist() for row in rows] == expected


def test_what_was_written_is_read(gpt2_task, folder):
    save_to_hugging_face(gpt2_task, folder)
    backbone = load_backbone(folder)
    pairs = zip(backbone.get_weights(), gpt2_task.backbone.get_weights(), strict=True)
    for weight, expected in pairs:
        np.testing.assert_array_equal(weight, expected)
    assert load_tokenizer(folder)(["a film"]) == gpt2_task.preprocessor.tokenizer(
        ["a film"]
    )


def test_an_older_model_is_replaced_and_other_folders_are_not(gpt2_task, folder):
    save_to_hugging_face(gpt2_task, folder)
    (folder / "stale.safetensors").touch()
    save_to_hugging_face(gpt2_task, folder)
    assert not (folder / "stale.safetensors").exists()
    (folder.parent / "notes.txt").touch()
    with pytest.raises(FileExistsError, match="notes.txt, written and no config.json"):
        save_to_hugging_face(gpt2_task, folder.parent)


def test_what_no_family_computes_is_listed(folder):
    task = TransformerSeq2SeqLM(small_backbone(normalize_first=True))
    with pytest.raises(ValueError) as error:
        save_to_hugging_face(task, folder)
    for message in (
        "MarianMTModel normalize_first=True (expected False)",
        "BartForConditionalGeneration normalize_first=True",
        "position_embedding='sinusoidal' (expected 'learned')",
    ):
        assert message in str(error.value)
    assert not folder.exists()


def test_start_and_end_of_targets_must_be_known(folder):
    task = TransformerSeq2SeqLM(
        small_backbone(logits_bias=True),
        decoding_settings=DecodingSettings(eos_token_id=0),
    )
    with pytest.raises(ValueError, match="decoder_start_token_id, pad_token_id from"):
        save_to_hugging_face(task, folder)


def test_quantised_weights_are_refused(gpt2_task, folder):
    gpt2_task.backbone.quantize("int8")
    with pytest.raises(ValueError, match="transformer_layer_0/feedforward"):
        save_to_hugging_face(gpt2_task, folder)
    assert not folder.exists()


def test_other_backbones_are_named(folder):
    backbone = keras_hub.models.BertBackbone(
        vocabulary_size=9, num_layers=1, num_heads=1, hidden_dim=4, intermediate_dim=4
    )
    task = keras_hub.models.BertTextClassifier(backbone, num_classes=2)
    with pytest.raises(TypeError, match="Received: BertBackbone"):
        save_to_hugging_face(task, folder)


def test_other_tokenizers_are_named(gpt2_task, folder):
    gpt2_task.preprocessor.tokenizer = keras_hub.tokenizers.ByteTokenizer()
    gpt2_task.preprocessor.tokenizer.end_token_id = 0
    with pytest.raises(TypeError, match="Received: ByteTokenizer"):
        save_to_hugging_face(gpt2_task, folder)
    assert not folder.exists()


def test_merges_have_one_header(gpt2_task, folder):
    tokenizer = gpt2_task.preprocessor.tokenizer
    rules = [rule for rule in tokenizer.merges if not rule.startswith("#version")]
    tokenizer.set_vocabulary_and_merges(tokenizer.vocabulary, ["#version: 0.2", *rules])
    save_to_hugging_face(gpt2_task, folder)
    lines = (folder / "merges.txt").read_text("utf-8").splitlines()
    assert lines == ["#version: 0.2", *rules]
