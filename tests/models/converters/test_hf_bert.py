import numpy as np
import pytest
import safetensors.numpy
import torch
import transformers
from keras import ops

from kftune.models.converters.hf_bert import read_bert_backbone

pytestmark = pytest.mark.backend

IDS = np.random.default_rng(2).integers(5, 30, (3, 6))
MASK = np.array([[1] * 6, [1] * 4 + [0] * 2, [1] + [0] * 5])
SEGMENTS = np.array([[0, 0, 0, 1, 1, 1]] * 3)


@pytest.fixture
def model(tmp_path):
    """A random BERT whose every weight and bias matters, and its folder."""
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=30,
        hidden_size=8,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=16,
        initializer_range=0.6,
        hidden_dropout_prob=0.3,
    )
    model = transformers.BertForPreTraining(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 1:
                parameter.add_(torch.randn_like(parameter) * 0.2)
    model.save_pretrained(tmp_path)
    return model


def change_tensors(folder, change):
    """Writes the tensors again after `change` was called with them."""
    path = folder / "model.safetensors"
    tensors = safetensors.numpy.load_file(path)
    change(tensors)
    safetensors.numpy.save_file(tensors, path)


def both_outputs(backbone, model):
    """Of our backbone, and of transformers' BERT."""
    found = backbone({"token_ids": IDS, "segment_ids": SEGMENTS, "padding_mask": MASK})
    with torch.no_grad():
        expected = model.bert(
            torch.tensor(IDS),
            attention_mask=torch.tensor(MASK),
            token_type_ids=torch.tensor(SEGMENTS),
        )
    return found, expected


def assert_same_outputs(backbone, model):
    found, expected = both_outputs(backbone, model)
    for name, theirs in (
        ("sequence_output", expected.last_hidden_state.numpy()),
        ("pooled_output", expected.pooler_output.numpy()),
    ):
        real = MASK.astype(bool) if theirs.ndim == 3 else slice(None)
        ours = ops.convert_to_numpy(found[name])
        np.testing.assert_allclose(ours[real], theirs[real], atol=1e-5)


def test_all_outputs_are_those_of_transformers(model, tmp_path):
    backbone = read_bert_backbone(tmp_path)
    assert_same_outputs(backbone, model)
    assert backbone.dropout == 0.3


def test_the_first_checkpoints_have_other_names_of_norms(model, tmp_path):
    def rename(tensors):
        for name in [name for name in tensors if "LayerNorm" in name]:
            old = name.replace(".weight", ".gamma").replace(".bias", ".beta")
            tensors[old] = tensors.pop(name)
        tensors["bert.embeddings.position_ids"] = np.arange(16)[None]

    change_tensors(tmp_path, rename)
    assert_same_outputs(read_bert_backbone(tmp_path), model)


def test_one_error_lists_all_that_does_not_fit(model, tmp_path):
    def spoil(tensors):
        tensors["bert.encoder.layer.2.output.dense.bias"] = np.zeros(8, "float32")
        tensors["bert.embeddings.word_embeddings.weight"] = np.zeros((29, 8), "float32")
        tensors["bert.encoder.layer.1.output.dense.weight"] = np.zeros(
            (8, 9), "float32"
        )
        del tensors["bert.pooler.dense.bias"]

    change_tensors(tmp_path, spoil)
    with pytest.raises(ValueError) as error:
        read_bert_backbone(tmp_path)
    lines = str(error.value).splitlines()
    assert lines[0].endswith("4 do not fit:")
    assert sorted(line.strip() for line in lines[1:]) == [
        "bert.embeddings.word_embeddings.weight: expected (30, 8), received (29, 8)",
        "bert.encoder.layer.1.output.dense.weight: expected (8, 16), received (8, 9)",
        "bert.encoder.layer.2.output.dense.bias: expected no such tensor",
        "bert.pooler.dense.bias: expected (8,), received nothing",
    ]


def test_a_checkpoint_without_a_pooler_has_one_of_zeros(model, tmp_path):
    folder = tmp_path / "masked"
    masked = transformers.BertForMaskedLM(model.config).eval()
    masked.bert.load_state_dict(model.bert.state_dict(), strict=False)
    masked.save_pretrained(folder)
    found, expected = both_outputs(read_bert_backbone(folder), masked)
    states = expected.last_hidden_state.numpy()
    real = MASK.astype(bool)
    ours = ops.convert_to_numpy(found["sequence_output"])
    np.testing.assert_allclose(ours[real], states[real], atol=1e-5)
    assert not ops.convert_to_numpy(found["pooled_output"]).any()
