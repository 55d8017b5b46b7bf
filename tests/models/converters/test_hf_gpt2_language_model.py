import warnings

import keras
import numpy as np
import pytest
import safetensors.numpy
from hf_references import (
    gradients_of,
    loss_and_gradients,
    make_gpt2,
    reference_outputs,
)

from kftune.models.converters.hf_gpt2 import (
    gpt2_table,
    read_gpt2_backbone,
)

pytestmark = pytest.mark.backend


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "hf"


def make_lm_batch():
    """Padded rows, their next tokens and weights."""
    rng = np.random.default_rng(2)
    ids = rng.integers(0, 97, (3, 9))
    mask = (np.arange(9) < np.array([[9], [6], [2]])).astype("int32")
    inputs = {"token_ids": ids[:, :-1] * mask[:, :-1], "padding_mask": mask[:, :-1]}
    return inputs, ids[:, 1:], mask[:, 1:].astype("float32")


def assert_same_logits(backbone, model):
    inputs, _, weights = make_lm_batch()
    logits = keras.ops.convert_to_numpy(backbone.logits(backbone(inputs)))
    expected = reference_outputs(model, inputs)
    np.testing.assert_allclose(logits[weights > 0], expected[weights > 0], atol=1e-4)


def assert_same_loss_and_gradients(backbone, model, quick):
    batch = make_lm_batch()
    loss, ours = loss_and_gradients(
        keras.Model(backbone.input, backbone.logits(backbone.output)),
        gpt2_table(backbone),
        batch,
        **quick,
    )
    _, expected = reference_outputs(model, *batch)
    assert loss == pytest.approx(expected, abs=1e-3)
    theirs = gradients_of(model, ours)
    assert theirs.keys() == ours.keys()
    for name, gradient in theirs.items():
        np.testing.assert_allclose(
            ours[name], gradient, atol=1e-4, rtol=1e-3, err_msg=name
        )


def test_logits_loss_and_gradients_of_a_language_model(folder, quick):
    model = make_gpt2()
    model.save_pretrained(folder)
    backbone = read_gpt2_backbone(folder)
    assert_same_logits(backbone, model)
    assert_same_loss_and_gradients(backbone, model, quick)


def test_masks_of_old_checkpoints_are_no_weights(folder):
    model = make_gpt2()
    model.save_pretrained(folder)
    path = folder / "model.safetensors"
    tensors = safetensors.numpy.load_file(path)
    tensors["transformer.h.0.attn.bias"] = np.ones((1, 1, 24, 24), "bool")
    tensors["transformer.h.0.attn.masked_bias"] = np.array(-1e4, "float32")
    tensors["lm_head.weight"] = tensors["transformer.wte.weight"]
    safetensors.numpy.save_file(tensors, path)
    assert_same_logits(read_gpt2_backbone(folder), model)
    tensors["lm_head.weight"] = tensors["transformer.wte.weight"] * 2
    safetensors.numpy.save_file(tensors, path)
    with pytest.raises(ValueError, match="lm_head.weight: expected the numbers of"):
        read_gpt2_backbone(folder)


@pytest.mark.large
def test_gpt2_at_full_size(folder, quick):
    model = make_gpt2(
        vocab_size=50257,
        n_positions=1024,
        n_embd=768,
        n_layer=12,
        n_head=12,
        n_inner=None,
        initializer_range=0.02,
    )
    model.save_pretrained(folder)
    backbone = read_gpt2_backbone(folder)
    assert_same_logits(backbone, model)
    assert_same_loss_and_gradients(backbone, model, quick)


def test_rates_of_dropout_that_differ_are_told(folder):
    make_gpt2(resid_pdrop=0.3, attn_pdrop=0.1, embd_pdrop=0.0).save_pretrained(folder)
    told = "resid_pdrop=0.3, attn_pdrop=0.1, embd_pdrop=0.0"
    with pytest.warns(UserWarning, match=told):
        assert read_gpt2_backbone(folder).dropout == 0.3
    make_gpt2(resid_pdrop=0.2, attn_pdrop=0.2, embd_pdrop=0.2).save_pretrained(folder)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        read_gpt2_backbone(folder)
