"""Random models of transformers with odd sizes, and their numbers."""

import keras
import numpy as np
import torch
import transformers

SIZES = {
    "vocab_size": 97,
    "d_model": 40,
    "encoder_layers": 3,
    "decoder_layers": 2,
    "encoder_attention_heads": 5,
    "decoder_attention_heads": 4,
    "encoder_ffn_dim": 24,
    "decoder_ffn_dim": 56,
    "max_position_embeddings": 32,
    "init_std": 0.3,
    "dropout": 0.0,
}
MARIAN_IDS = {
    "pad_token_id": 96,
    "decoder_start_token_id": 96,
    "eos_token_id": 0,
    "forced_eos_token_id": 0,
    "bos_token_id": None,
}
# Class of the settings, class of the model, settings.
KINDS = {
    "marian": ("Marian", "MarianMTModel", MARIAN_IDS | {"scale_embedding": True}),
    "marian_swish_two_vocabularies": (
        "Marian",
        "MarianMTModel",
        MARIAN_IDS
        | {
            "activation_function": "swish",
            "share_encoder_decoder_embeddings": False,
            "decoder_vocab_size": 101,
        },
    ),
    "bart": ("Bart", "BartForConditionalGeneration", {}),
    "m2m_100": (
        "M2M100",
        "M2M100ForConditionalGeneration",
        {"attention_dropout": 0.0, "encoder_layerdrop": 0.0, "decoder_layerdrop": 0.0},
    ),
}


def make_reference(kind, seed=0, **settings):
    """A random encoder-decoder whose every weight and bias matters."""
    torch.manual_seed(seed)
    family, model_class, own = KINDS[kind]
    config = getattr(transformers, f"{family}Config")(**{**SIZES, **own, **settings})
    return randomised(getattr(transformers, model_class)(config))


def make_gpt2(seed=0, **settings):
    """A random GPT-2 of odd sizes."""
    torch.manual_seed(seed)
    config = transformers.GPT2Config(
        **{
            "vocab_size": 97,
            "n_positions": 24,
            "n_embd": 40,
            "n_layer": 3,
            "n_head": 5,
            "n_inner": 56,
            "initializer_range": 0.3,
            "bos_token_id": 96,
            "eos_token_id": 96,
            "resid_pdrop": 0.0,
            "embd_pdrop": 0.0,
            "attn_pdrop": 0.0,
            **settings,
        }
    )
    return randomised(transformers.GPT2LMHeadModel(config))


def randomised(model):
    """Gives vectors, which start as zeros and ones, other numbers."""
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 1:
                parameter.add_(torch.randn_like(parameter) * 0.2)
        if hasattr(model, "final_logits_bias"):
            model.final_logits_bias.normal_()
    return model.eval()


def make_batch(config, seed=0):
    """Rows of source and target, some of them padded, as NumPy arrays.

    Returns the inputs of a `TransformerBackbone`, labels and their weights.
    """
    rng = np.random.default_rng(seed)
    source = rng.integers(3, 90, (3, 9))
    source_mask = np.arange(9) < np.array([[9], [5], [1]])
    target = rng.integers(3, 90, (3, 8))
    target[:, 0] = config.decoder_start_token_id
    target_mask = np.arange(8) < np.array([[8], [6], [3]])
    inputs = {
        "encoder_token_ids": np.where(source_mask, source, config.pad_token_id),
        "encoder_padding_mask": source_mask.astype("int32"),
        "decoder_token_ids": np.where(target_mask, target, config.pad_token_id)[:, :-1],
        "decoder_padding_mask": target_mask[:, :-1].astype("int32"),
    }
    return inputs, target[:, 1:], target_mask[:, 1:].astype("float32")


def greedy(model, tokenizer, texts, **options):
    """The rows that transformers generates for texts, the likeliest token each time."""
    batch = tokenizer(texts, return_tensors="pt", padding=True)
    options = {"num_beams": 1, "do_sample": False, "max_length": 16, **options}
    with torch.no_grad():
        return model.generate(**batch, **options)


def reference_outputs(model, inputs, labels=None, weights=None):
    """Logits of transformers and, with labels, the loss, whose gradients are made."""
    tensors = {name: torch.tensor(array).long() for name, array in inputs.items()}
    if "token_ids" in tensors:
        arguments = {
            "input_ids": tensors["token_ids"],
            "attention_mask": tensors["padding_mask"],
        }
    else:
        arguments = {
            "input_ids": tensors["encoder_token_ids"],
            "attention_mask": tensors["encoder_padding_mask"],
            "decoder_input_ids": tensors["decoder_token_ids"],
            "decoder_attention_mask": tensors["decoder_padding_mask"],
        }
    logits = model(**arguments).logits
    if labels is None:
        return logits.detach().numpy()
    targets = torch.tensor(np.where(weights > 0, labels, -100))
    loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten())
    model.zero_grad()
    loss.backward()
    return logits.detach().numpy(), loss.item()


def gradients_of(model, names):
    """The gradients that `reference_outputs` made, by those of the names it has."""
    parameters = {name: p for name, p in model.named_parameters() if name in names}
    return {name: p.grad.numpy() for name, p in parameters.items()}


def loss_and_gradients(model, table, batch, **options):
    """The loss of a Keras model, and its gradients by the names of a table.

    A step of plain gradient descent with rate 1 moves each weight by its gradient, on
    every backend.
    """
    model.compile(
        keras.optimizers.SGD(1.0),
        keras.losses.SparseCategoricalCrossentropy(
            from_logits=True, reduction="mean_with_sample_weight"
        ),
        **options,
    )
    before = {row.name: row.tensor() for row in table.rows}
    loss = float(model.train_on_batch(*batch))
    return loss, {row.name: before[row.name] - row.tensor() for row in table.rows}
