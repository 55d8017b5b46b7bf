"""A GPT-2 backbone with the outputs it is pretrained on."""

import keras

from kftune.layers import MaskedPooling


def gpt2_pretrainer(backbone, embedding_dim=None, polarity=False):
    """Put pretraining outputs on a GPT-2 backbone.

    The language model's output is tied to the token embedding, as in GPT-2. With
    a teacher, the state of the last real token also predicts the teacher's
    sentence embedding (knowledge distillation, Hinton et al. 2015,
    https://arxiv.org/abs/1503.02531) and the polarity it gives the text.

    Args:
        backbone: `keras_hub.models.GPT2Backbone`, hidden size D, vocabulary V.
        embedding_dim: int or `None`, the teacher's embedding size E. `None`
            leaves this output out.
        polarity: bool. `True` adds the logit of "this text praises".

    Returns:
        A functional `keras.Model`. Inputs: `token_ids` and `padding_mask`
        (non-zero: a real token), int32 [B, T]. Outputs, float, by name:
        `next_token` logits [B, T, V]; `sentence_embedding` [B, E]; `polarity`
        logit [B, 1].

    Example:
    ```python
    backbone = keras_hub.models.GPT2Backbone(
        vocabulary_size=50, num_layers=2, num_heads=2, hidden_dim=8,
        intermediate_dim=16, max_sequence_length=16,
    )
    model = gpt2_pretrainer(backbone, embedding_dim=4, polarity=True)
    model.compile("adam", loss=pretraining_losses(model))
    ```
    """
    hidden = backbone(backbone.input)
    mask = backbone.input["padding_mask"]
    pooled = MaskedPooling("last", name="pooling")(hidden, mask)
    outputs = {"next_token": backbone.token_embedding(hidden, reverse=True)}
    if embedding_dim:
        dense = keras.layers.Dense(embedding_dim, name="sentence_embedding")
        outputs["sentence_embedding"] = dense(pooled)
    if polarity:
        outputs["polarity"] = keras.layers.Dense(1, name="polarity")(pooled)
    return keras.Model(backbone.input, outputs, name="gpt2_pretrainer")


def pretraining_losses(model):
    """Losses of each output of a `gpt2_pretrainer`, for `compile(loss=...)`.

    Each is the mean over what has a weight: real tokens, taught texts.

    Args:
        model: a `gpt2_pretrainer`.

    Returns:
        Dict of output name to `keras.losses.Loss`: cross-entropy of the next
        token, in nats; the negative cosine, from -1 to 1; binary cross-entropy.
    """
    mean = {"reduction": "mean_with_sample_weight"}
    losses = {
        "next_token": keras.losses.SparseCategoricalCrossentropy(
            from_logits=True, **mean
        ),
        "sentence_embedding": keras.losses.CosineSimilarity(**mean),
        "polarity": keras.losses.BinaryCrossentropy(from_logits=True, **mean),
    }
    return {name: losses[name] for name in model.output}
