"""Calls any KerasHub text backbone on one text and picks its hidden states."""

import inspect

import keras
import keras_hub
from keras import ops

from kftune.models.gpt2.gpt2_backbone import GPT2Backbone

_OUTPUTS = ("sequence_output", "encoder_sequence_output")


def hidden_states(backbone, token_ids, padding_mask):
    """Last hidden states of a backbone; of its encoder if it has a decoder too.

    Segment ids are all 0. A decoder is given next to nothing, since its output
    is not used. Letters: B batch, T length, D hidden.

    Args:
        backbone: `keras_hub.models.Backbone` over text.
        token_ids: symbolic `int32` tensor `(B, T)`.
        padding_mask: symbolic `int32` tensor `(B, T)`. 1 means a real token.

    Returns:
        Symbolic float tensor `(B, T, D)`.

    Raises:
        ValueError: if the backbone has inputs or outputs that are not known here;
            names them.
    """
    # Two tokens: at one, Keras warns about a softmax over an axis of size 1.
    first = ops.repeat(token_ids[:, :1], 2, axis=1)
    known = {
        "token_ids": token_ids,
        "padding_mask": padding_mask,
        "segment_ids": ops.zeros_like(token_ids),
        "encoder_token_ids": token_ids,
        "encoder_padding_mask": padding_mask,
        "decoder_token_ids": first,
        "decoder_padding_mask": ops.ones_like(first),
    }
    names = backbone.input if isinstance(backbone.input, dict) else ()
    if not names or set(names) - set(known):
        raise ValueError(
            f"Expected a text backbone with inputs among {sorted(known)}. "
            f"Received: {type(backbone).__name__} with {backbone.input}"
        )
    outputs = backbone({name: known[name] for name in names})
    return outputs[_output_name(backbone)] if isinstance(outputs, dict) else outputs


def layers_without_effect(backbone):
    """Lists the layers that `hidden_states` does not depend on: pooler, decoder.

    They get no gradient, but an optimizer with weight decay would shrink them.

    Args:
        backbone: `keras_hub.models.Backbone` over text.

    Returns:
        List of layers.
    """
    outputs = backbone.output
    if not isinstance(outputs, dict):
        return []
    used = keras.Model(backbone.input, outputs[_output_name(backbone)]).layers
    return [layer for layer in backbone.layers if layer not in used]


def is_causal(backbone):
    """Tells whether each token sees those before it only.

    Args:
        backbone: `keras_hub.models.Backbone` over text.

    Returns:
        `bool`. True for the backbones of `CausalLM` tasks, kftune's and KerasHub's.
    """
    if isinstance(backbone, GPT2Backbone):
        return True
    causal, both = keras_hub.models.CausalLM, keras_hub.models.Seq2SeqLM
    tasks = [task for task in vars(keras_hub.models).values() if inspect.isclass(task)]
    return any(
        isinstance(backbone, task.backbone_cls)
        for task in tasks
        if issubclass(task, causal) and not issubclass(task, both) and task.backbone_cls
    )


def _output_name(backbone):
    names = [name for name in _OUTPUTS if name in backbone.output]
    if not names:
        raise ValueError(
            f"Expected a text backbone with one of the outputs {_OUTPUTS}. "
            f"Received: {type(backbone).__name__} with {sorted(backbone.output)}"
        )
    return names[0]
