import json

import keras
import numpy as np
import pytest
import safetensors.numpy
import torch
from hf_references import (
    KINDS,
    gradients_of,
    loss_and_gradients,
    make_batch,
    make_reference,
    reference_outputs,
)

from kftune.models.converters.hf_bart import BART
from kftune.models.converters.hf_m2m100 import M2M100
from kftune.models.converters.hf_marian import MARIAN

FORMATS = {family.model_type: family for family in (MARIAN, BART, M2M100)}


@pytest.fixture(params=KINDS)
def reference(request):
    return make_reference(request.param)


@pytest.fixture
def marian(tmp_path):
    model = make_reference("marian")
    model.save_pretrained(tmp_path)
    return model


def family_of(model):
    return FORMATS[model.config.model_type]


def logits_of(backbone, inputs):
    logits = backbone.logits(backbone(inputs)["decoder_sequence_output"])
    return keras.ops.convert_to_numpy(logits)


def real(logits, weights):
    """Logits where a token follows; what padding gives does not matter."""
    return logits[weights > 0]


def assert_same_logits(backbone, model):
    inputs, _, weights = make_batch(model.config)
    np.testing.assert_allclose(
        real(logits_of(backbone, inputs), weights),
        real(reference_outputs(model, inputs), weights),
        atol=1e-4,
    )


def assert_same_loss_and_gradients(backbone, model, quick):
    inputs, labels, weights = make_batch(model.config)
    logits = backbone.logits(backbone.output["decoder_sequence_output"])
    loss, ours = loss_and_gradients(
        keras.Model(backbone.input, logits),
        family_of(model).table(backbone),
        (inputs, labels, weights),
        **quick,
    )
    _, expected = reference_outputs(model, inputs, labels, weights)
    assert loss == pytest.approx(expected, abs=1e-3)
    theirs = gradients_of(model, ours)
    assert theirs.keys() == ours.keys() - {"final_logits_bias"}
    for name, gradient in theirs.items():
        # PyTorch's padding_idx trains no embedding of the token that pads and, in
        # Marian, starts the target.
        embeds = "embed_tokens" in name or "shared" in name
        skipped = [model.config.pad_token_id] if embeds else []
        np.testing.assert_allclose(
            np.delete(ours[name], skipped, 0),
            np.delete(gradient, skipped, 0),
            atol=1e-4,
            rtol=1e-3,
            err_msg=name,
        )


def change_tensors(folder, change):
    path = folder / "model.safetensors"
    tensors = safetensors.numpy.load_file(path)
    change(tensors)
    safetensors.numpy.save_file(tensors, path)


def change_config(folder, **settings):
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **settings}))


@pytest.mark.long
@pytest.mark.backend
def test_logits_are_those_of_transformers(reference, tmp_path):
    reference.save_pretrained(tmp_path)
    backbone = family_of(reference).read_backbone(tmp_path)
    assert_same_logits(backbone, reference)


@pytest.mark.long
@pytest.mark.backend
def test_loss_and_gradients_are_those_of_transformers(reference, tmp_path, quick):
    reference.save_pretrained(tmp_path)
    backbone = family_of(reference).read_backbone(tmp_path)
    assert_same_loss_and_gradients(backbone, reference, quick)


def test_torch_weights_with_every_copy(reference, tmp_path):
    """As most OPUS-MT repositories have it: a pickle with tied copies and positions."""
    reference.save_pretrained(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    torch.save(reference.state_dict(), tmp_path / "pytorch_model.bin")
    assert "lm_head.weight" in reference.state_dict()
    assert_same_logits(family_of(reference).read_backbone(tmp_path), reference)


@pytest.mark.parametrize(
    "kept", ["lm_head.weight", "model.encoder.embed_tokens.weight"]
)
def test_one_copy_of_the_embeddings_is_enough(marian, tmp_path, kept):
    def rename(tensors):
        tensors[kept] = tensors.pop("model.shared.weight")

    change_tensors(tmp_path, rename)
    assert_same_logits(MARIAN.read_backbone(tmp_path), marian)


def test_names_without_their_prefix(marian, tmp_path):
    def strip(tensors):
        for name in list(tensors):
            tensors[name.removeprefix("model.")] = tensors.pop(name)

    change_tensors(tmp_path, strip)
    assert_same_logits(MARIAN.read_backbone(tmp_path), marian)


def test_a_missing_bias_of_the_logits_is_zero(marian, tmp_path):
    change_tensors(tmp_path, lambda tensors: tensors.pop("final_logits_bias"))
    marian.final_logits_bias.zero_()
    assert_same_logits(MARIAN.read_backbone(tmp_path), marian)


def test_half_precision_is_read(tmp_path):
    model = make_reference("bart").to(torch.bfloat16)
    model.save_pretrained(tmp_path)
    backbone = BART.read_backbone(tmp_path)
    assert backbone.token_embedding.embeddings.dtype == "float32"
    assert_same_logits(backbone, model.float())


def test_m2m100_positions_in_the_file(tmp_path):
    model = make_reference("m2m_100")
    model.save_pretrained(tmp_path)
    table = model.model.encoder.embed_positions.weights.numpy()
    name = "model.encoder.embed_positions.weights"
    change_tensors(tmp_path, lambda tensors: tensors.update({name: table}))
    assert_same_logits(M2M100.read_backbone(tmp_path), model)
    coarse = M2M100.read_backbone(tmp_path, dtype="bfloat16")
    assert coarse.compute_dtype == "bfloat16"
    change_tensors(tmp_path, lambda tensors: tensors.update({name: table[::-1].copy()}))
    with pytest.raises(ValueError, match=f"{name}: expected what its formula"):
        M2M100.read_backbone(tmp_path)


def test_all_tensors_that_do_not_fit_are_one_error(marian, tmp_path):
    def spoil(tensors):
        del tensors["model.encoder.layers.0.fc1.bias"]
        tensors["model.decoder.layers.1.fc2.weight"] = np.zeros((40, 55), "float32")
        tensors["model.decoder.layers.2.fc2.bias"] = np.zeros(40, "float32")
        tensors["lm_head.weight"] = tensors["model.shared.weight"] + 1
        tensors["model.encoder.embed_positions.weight"] = np.zeros((32, 40), "float32")
        tensors["model.decoder.embed_positions.weight"] = np.zeros((7, 40), "float32")

    change_tensors(tmp_path, spoil)
    with pytest.raises(ValueError) as error:
        MARIAN.read_backbone(tmp_path)
    for message in (
        "6 do not fit",
        "model.encoder.layers.0.fc1.bias: expected (24,), received nothing",
        "decoder.layers.1.fc2.weight: expected (40, 56), received (40, 55)",
        "model.decoder.layers.2.fc2.bias: expected no such tensor",
        "lm_head.weight: expected the numbers of model.shared.weight, received others",
        "encoder.embed_positions.weight: expected what its formula gives",
        "decoder.embed_positions.weight: expected (32, 40), received (7, 40)",
    ):
        assert message in str(error.value)


def test_settings_that_are_computed_otherwise_are_one_error(marian, tmp_path):
    change_config(tmp_path, normalize_before=True, activation_function="gelu_new")
    change_config(tmp_path, tie_word_embeddings=False)
    with pytest.raises(ValueError) as error:
        MARIAN.read_backbone(tmp_path)
    for received in ("before=True", "'gelu_new' (expected 'gelu' or", "gs=False"):
        assert received in str(error.value)


def test_a_config_of_another_model(marian, tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "marian", "n_embd": 40}')
    with pytest.raises(ValueError, match="without activation_function, d_model"):
        MARIAN.read_backbone(tmp_path)


def test_random_weights_on_request(marian, tmp_path):
    (tmp_path / "model.safetensors").unlink()
    backbone = MARIAN.read_backbone(tmp_path, load_weights=False, dtype="bfloat16")
    assert backbone.decoder_num_heads == 4
    assert backbone.compute_dtype == "bfloat16"


@pytest.mark.large
def test_opus_mt_at_full_size(tmp_path, quick):
    model = make_reference(
        "marian",
        vocab_size=58101,
        d_model=512,
        encoder_layers=6,
        decoder_layers=6,
        encoder_attention_heads=8,
        decoder_attention_heads=8,
        encoder_ffn_dim=2048,
        decoder_ffn_dim=2048,
        max_position_embeddings=512,
        init_std=0.02,
        activation_function="swish",
        pad_token_id=58100,
        decoder_start_token_id=58100,
    )
    model.save_pretrained(tmp_path)
    backbone = MARIAN.read_backbone(tmp_path)
    assert_same_logits(backbone, model)
    assert_same_loss_and_gradients(backbone, model, quick)
