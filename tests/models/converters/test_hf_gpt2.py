import json
import shutil

import keras
import numpy as np
import pytest
import safetensors.numpy
import torch
import transformers

from kftune.models import GPT2TextClassifier, TextClassifier, load_backbone
from kftune.models.converters.hf_gpt2 import (
    read_gpt2_tokenizer,
)

pytestmark = pytest.mark.backend

IDS = np.random.default_rng(1).integers(1, 390, (3, 6))
BATCH = {"token_ids": IDS, "padding_mask": np.ones_like(IDS)}


def save_reference(folder, bpe_folder, **settings):
    """Saves a random GPT-2 classifier with its tokenizer as transformers does."""
    config = transformers.GPT2Config(
        **{
            "vocab_size": 400,
            "n_positions": 24,
            "n_embd": 8,
            "n_layer": 2,
            "n_head": 2,
            "num_labels": 3,
            "pad_token_id": 399,
            "initializer_range": 0.4,
            **settings,
        }
    )
    model = transformers.GPT2ForSequenceClassification(config).eval()
    model.save_pretrained(folder)
    transformers.GPT2Tokenizer(
        vocab=str(bpe_folder / "vocabulary.json"), merges=str(bpe_folder / "merges.txt")
    ).save_pretrained(folder)
    return model


def logits_of(model, ids=IDS):
    with torch.no_grad():
        return model(torch.tensor(ids)).logits.numpy()


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "hf"


@pytest.fixture
def reference(folder, bpe_folder):
    return save_reference(folder, bpe_folder)


def test_the_head_comes_with_the_checkpoint(reference, folder):
    task = GPT2TextClassifier.from_preset(folder)
    assert (task.head.num_classes, task.head.use_bias) == (3, False)
    assert task.label_names is None
    np.testing.assert_allclose(
        task.predict(BATCH, verbose=0), logits_of(reference), atol=1e-4
    )


def test_texts_get_the_ids_of_transformers(reference, folder):
    task = TextClassifier.from_preset(folder)
    text = "The film isn't bad,\n\nI'd say 1999!"
    ids = transformers.AutoTokenizer.from_pretrained(folder)(text)["input_ids"]
    assert task.preprocessor.tokenize_rows([text])[0].tolist() == ids[:24]
    expected = logits_of(reference, np.array([ids[:24]]))
    np.testing.assert_allclose(task.predict([text], verbose=0), expected, atol=1e-4)


def test_torch_weights_are_read_without_running_code(reference, folder):
    (folder / "model.safetensors").unlink()
    torch.save(reference.state_dict(), folder / "pytorch_model.bin")
    task = GPT2TextClassifier.from_preset(folder)
    np.testing.assert_allclose(
        task.predict(BATCH, verbose=0), logits_of(reference), atol=1e-4
    )


class Malicious:
    def __reduce__(self):
        return (open, ("executed", "w"))


def test_a_pickle_that_runs_code_is_refused(reference, folder, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (folder / "model.safetensors").unlink()
    torch.save({"wte.weight": Malicious()}, folder / "pytorch_model.bin")
    with pytest.raises(ValueError, match=f"{folder}.*run code.*Nothing was run"):
        GPT2TextClassifier.from_preset(folder)
    assert not (tmp_path / "executed").exists()


def test_sharded_weights(reference, folder):
    reference.save_pretrained(folder, max_shard_size="4KB")
    if (folder / "model.safetensors").exists():
        (folder / "model.safetensors").unlink()
    assert (folder / "model.safetensors.index.json").exists()
    task = GPT2TextClassifier.from_preset(folder)
    np.testing.assert_allclose(
        task.predict(BATCH, verbose=0), logits_of(reference), atol=1e-4
    )


def test_names_of_shards_cannot_leave_the_folder(reference, folder):
    (folder / "model.safetensors").rename(folder.parent / "outside.safetensors")
    index = {"weight_map": {"wte.weight": "../outside.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(ValueError, match="outside.safetensors"):
        GPT2TextClassifier.from_preset(folder)


def test_a_new_head_on_the_checkpoint(reference, folder):
    task = GPT2TextClassifier.from_preset(folder, num_classes=5, hidden_dim=4)
    assert task.predict(BATCH, verbose=0).shape == (3, 5)
    loaded = load_backbone(folder).get_weights()
    for weight, wanted in zip(task.backbone.get_weights(), loaded, strict=True):
        np.testing.assert_array_equal(weight, wanted)


def test_random_weights_on_request(reference, folder):
    random = GPT2TextClassifier.from_preset(folder, load_weights=False)
    loaded = load_backbone(folder).token_embedding.embeddings
    embeddings = random.backbone.token_embedding.embeddings
    assert not np.allclose(
        keras.ops.convert_to_numpy(embeddings), keras.ops.convert_to_numpy(loaded)
    )


@pytest.mark.parametrize(
    ("settings", "problem_type", "names"),
    [
        ({"num_labels": 1}, "regression", None),
        (
            {
                "num_labels": 2,
                "problem_type": "multi_label_classification",
                "id2label": {0: "slow", 1: "loud"},
            },
            "multi_label_classification",
            ["slow", "loud"],
        ),
    ],
)
def test_problem_type_and_label_names(
    folder, bpe_folder, settings, problem_type, names
):
    save_reference(folder, bpe_folder, **settings)
    task = GPT2TextClassifier.from_preset(folder)
    assert task.head.problem_type == problem_type
    assert task.label_names == names


def test_a_language_model_brings_no_head(folder, bpe_folder):
    model = save_reference(folder, bpe_folder)
    transformers.GPT2LMHeadModel(model.config).save_pretrained(folder)
    with pytest.raises(ValueError, match="num_classes, label_names or head"):
        GPT2TextClassifier.from_preset(folder)
    assert GPT2TextClassifier.from_preset(folder, num_classes=2).head.num_classes == 2


def test_vocabulary_files_of_older_versions(folder, bpe_folder, gpt2_tokenizer):
    folder.mkdir()
    shutil.copy(bpe_folder / "vocabulary.json", folder / "vocab.json")
    merges = (bpe_folder / "merges.txt").read_text("utf-8")
    (folder / "merges.txt").write_text("#version: 0.2\n" + merges, "utf-8")
    tokenizer = read_gpt2_tokenizer(folder)
    assert tokenizer.merges == gpt2_tokenizer.merges
    assert dict(tokenizer.vocabulary) == dict(gpt2_tokenizer.vocabulary)


def test_another_kind_of_vocabulary_is_named(folder):
    folder.mkdir()
    tokenizer = {"model": {"type": "WordPiece"}, "added_tokens": []}
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    with pytest.raises(ValueError, match="WordPiece"):
        read_gpt2_tokenizer(folder)


def test_settings_that_are_computed_otherwise_are_listed(folder, bpe_folder):
    save_reference(
        folder,
        bpe_folder,
        activation_function="relu",
        scale_attn_by_inverse_layer_idx=True,
    )
    with pytest.raises(ValueError) as error:
        GPT2TextClassifier.from_preset(folder)
    for received in ("'relu'", "inverse_layer_idx=True"):
        assert received in str(error.value)


def test_all_tensors_that_do_not_fit_are_listed(reference, folder):
    tensors = safetensors.numpy.load_file(folder / "model.safetensors")
    del tensors["transformer.h.0.ln_1.bias"]
    tensors["transformer.wpe.weight"] = np.zeros((7, 8), "float32")
    tensors["transformer.h.2.ln_1.bias"] = np.zeros(8, "float32")
    safetensors.numpy.save_file(tensors, folder / "model.safetensors")
    with pytest.raises(ValueError) as error:
        GPT2TextClassifier.from_preset(folder)
    for received in ("h.0.ln_1.bias", "nothing", "(7, 8)", "h.2.ln_1.bias"):
        assert received in str(error.value)


def test_a_truncated_file_is_one_clear_error(reference, folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(ValueError, match=f"{folder}.*Nothing was loaded"):
        GPT2TextClassifier.from_preset(folder)


def test_missing_weights_are_named(reference, folder):
    (folder / "model.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match="pytorch_model.bin"):
        GPT2TextClassifier.from_preset(folder)


@pytest.mark.parametrize("files", ["tokenizer.json", "vocab.json"])
def test_added_tokens_are_never_cut(folder, bpe_folder, files):
    words = json.loads((bpe_folder / "vocabulary.json").read_text())
    size = len(words)
    save_reference(folder, bpe_folder, vocab_size=size + 1, pad_token_id=0)
    theirs = transformers.AutoTokenizer.from_pretrained(folder)
    theirs.add_tokens(["<|user|>"])
    theirs.add_tokens(["<|late|>"])  # the embedding has no row for it
    theirs.save_pretrained(folder)
    text = "<|user|> Good film"
    expected = theirs(text)["input_ids"]
    assert expected[0] == size
    if files == "vocab.json":
        shutil.copy(bpe_folder / "vocabulary.json", folder / "vocab.json")
        shutil.copy(bpe_folder / "merges.txt", folder / "merges.txt")
        added = {"<|user|>": size, "<|late|>": size + 1}
        (folder / "added_tokens.json").write_text(json.dumps(added))
        (folder / "tokenizer.json").unlink()
    task = TextClassifier.from_preset(folder)
    assert task.preprocessor.tokenize_rows([text])[0].tolist() == expected
    assert "<|late|>" not in task.preprocessor.tokenizer.vocabulary
