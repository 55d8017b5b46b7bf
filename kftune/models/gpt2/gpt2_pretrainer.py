"""A GPT-2 backbone with the outputs it is pretrained on."""

import keras

from kftune.layers import MaskedPooling

_LOSS_WEIGHTS = {"next_token": 1.0, "sentence_embedding": 2.0, "polarity": 1.0}


def gpt2_pretrainer(backbone, teacher_dim=None):
    """Put pretraining outputs on a GPT-2 backbone.

    The language model's output is tied to the token embedding, as in GPT-2. With a
    teacher, the state of the last real token also predicts the teacher's embedding of
    the text and whether it praises (distillation, Hinton et al. 2015,
    https://arxiv.org/abs/1503.02531).

    Args:
        backbone: `GPT2Backbone`, kftune's or KerasHub's, hidden size D, vocabulary V.
        teacher_dim: int, the size E of the teacher's embedding; `None`: no teacher.

    Returns:
        A functional `keras.Model`. Inputs: `token_ids` and `padding_mask` (non-zero:
        a real token), int32 [B, T]. Outputs, float, by name: `next_token` logits
        [B, T, V]; with a teacher also `sentence_embedding` [B, E] and the logit
        `polarity` [B, 1].

    Example:
    ```python
    backbone = keras_hub.models.GPT2Backbone(
        vocabulary_size=50, num_layers=2, num_heads=2, hidden_dim=8,
        intermediate_dim=16, max_sequence_length=16,
    )
    model = gpt2_pretrainer(backbone, teacher_dim=4)
    compile_pretrainer(model, "adam")
    ```
    """
    hidden = backbone(backbone.input)
    outputs = {"next_token": backbone.token_embedding(hidden, reverse=True)}
    if teacher_dim:
        mask = backbone.input["padding_mask"]
        pooled = MaskedPooling("last", name="pooling")(hidden, mask)
        for name, size in (("sentence_embedding", teacher_dim), ("polarity", 1)):
            outputs[name] = keras.layers.Dense(size, name=name)(pooled)
    return keras.Model(backbone.input, outputs, name="gpt2_pretrainer")


def compile_pretrainer(model, optimizer, **kwargs):
    """Compile a `gpt2_pretrainer` with a loss for each of its outputs.

    Cross-entropy of the next token, in nats; twice the negative cosine with the
    teacher's embedding; binary cross-entropy of the praise. Each is the mean over what
    has a sample weight: tokens that follow, texts that the teacher was asked about.

    Args:
        model: a `gpt2_pretrainer`.
        optimizer: as in `keras.Model.compile`.
        **kwargs: Passed to `keras.Model.compile`.

    Example:
    ```python
    compile_pretrainer(model, keras.optimizers.AdamW(1e-3), jit_compile=False)
    ```
    """
    mean = {"reduction": "mean_with_sample_weight"}
    losses = {
        "next_token": keras.losses.SparseCategoricalCrossentropy(
            from_logits=True, **mean
        ),
        "sentence_embedding": keras.losses.CosineSimilarity(**mean),
        "polarity": keras.losses.BinaryCrossentropy(from_logits=True, **mean),
    }
    names = list(model.output)
    model.compile(
        optimizer,
        loss={name: losses[name] for name in names},
        loss_weights={name: _LOSS_WEIGHTS[name] for name in names},
        **kwargs,
    )
