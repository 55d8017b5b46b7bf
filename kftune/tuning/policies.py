"""Freezing policies: from a name or a rule to the weights that are frozen."""

import re
from collections.abc import Callable

import keras

from kftune.error_text import first_few
from kftune.models.layer_tree import (
    backbone_of,
    base_of,
    bias_and_norm_weights,
    is_kind,
    output_weights_in_backbone,
    sublayers,
    unused_layers,
    weights_made_to_train,
)
from kftune.tuning.lora import frozen_beside_factors, lora_settings

Policy = str | re.Pattern | Callable[[str], bool]

# Where KerasHub backbones keep their blocks; the stack nearest the output first.
_STACKS = (
    "decoder_transformer_layers",
    "transformer_layers",
    "encoder_transformer_layers",
)


def policy_name(policy: Policy) -> str:
    """Names a policy for reports and saved configs.

    Args:
        policy: as `kftune.tuning.freeze` takes it.

    Returns:
        The policy itself if it is a string, else `"regex:PATTERN"` or
        `"callable:NAME"`.
    """
    if isinstance(policy, str):
        return policy
    if isinstance(policy, re.Pattern):
        return f"regex:{policy.pattern}"
    return f"callable:{getattr(policy, '__name__', type(policy).__name__)}"


def frozen_weights(model: keras.Model, policy: Policy) -> list[keras.Variable]:
    """Lists the weights of a model that a policy freezes. Changes nothing.

    Args:
        model: built model.
        policy: as `kftune.tuning.freeze` takes it.

    Returns:
        Weights that could be trained and are frozen under the policy.

    Raises:
        TypeError: if the policy is of another type.
        ValueError: if its name or argument is unknown, or if what it speaks of is
            not in the model.
    """
    if isinstance(policy, re.Pattern):
        return _by_path(model, policy.search, policy)
    if not isinstance(policy, str):
        if not callable(policy):
            raise TypeError(
                "Expected a policy name, a compiled regular expression or a callable "
                f"over weight paths. Received: {policy!r} ({type(policy).__name__})."
            )
        return _by_path(model, policy, policy)
    name, colon, argument = policy.partition(":")
    if name == "regex" and colon:
        return _by_path(model, _compiled(argument).search, policy)
    if name == "all_but_last":
        return _all_but_last(model, argument, policy)
    if name == "lora":
        return frozen_beside_factors(model, lora_settings(policy))
    if policy not in _NAMED:
        known = [*_NAMED, "all_but_last:N", "lora:rank=N,layers=REGEX", "regex:PATTERN"]
        raise ValueError(f"Expected a policy of {known}. Received: {policy!r}.")
    return _NAMED[policy](model)


def block_stacks(model: keras.Model) -> list[list[keras.Layer]]:
    """Lists the blocks of a model's backbone that take part, stack by stack.

    Args:
        model: model with a KerasHub backbone, see `backbone_of`.

    Returns:
        A list of layers, in order, for each of its stacks; the one nearest the output
        first. Empty if it keeps no blocks where KerasHub's backbones do.
    """
    backbone, unused = backbone_of(model), unused_layers(model)
    # ALBERT keeps a list of groups of blocks.
    stacks = (keras.tree.flatten(getattr(backbone, name, [])) for name in _STACKS)
    return [blocks for blocks in stacks if blocks and blocks[-1] not in unused]


def _compiled(pattern):
    """The regular expression of a policy string."""
    try:
        return re.compile(pattern)
    except re.error as error:
        raise ValueError(
            f"Expected a regular expression after 'regex:'. Received: {pattern!r} "
            f"({error})."
        ) from error


def _by_path(model, is_frozen, policy):
    """Weights whose path the rule picks."""
    weights = weights_made_to_train(model)
    frozen = [weight for weight in weights if is_frozen(weight.path)]
    if not frozen:
        paths = [weight.path for weight in weights]
        raise ValueError(
            f"Expected a rule that freezes at least one weight of {model.name!r}. "
            f"Received: {policy_name(policy)!r}, which matches none of "
            f"{first_few(paths)}."
        )
    return frozen


def _nothing(model):
    return []


def _backbone(model):
    weights = weights_made_to_train(_needed_backbone(model, "backbone"))
    return _without(weights, output_weights_in_backbone(model))


def _embeddings(model):
    weights = _weights_of(
        layer
        for layer in sublayers(base_of(model))
        if is_kind(layer, "Embedding") and not isinstance(layer, keras.Model)
    )
    _check_any(weights, "embeddings", "an embedding layer", model)
    return _without(weights, output_weights_in_backbone(model))


def _encoder(model):
    weights = _side(model, "encoder", other="decoder")
    return _without(weights, output_weights_in_backbone(model))


def _decoder(model):
    return _side(model, "decoder", other="encoder")


def _side(model, side, *, other):
    """One side of a seq2seq backbone with all that both sides share.

    Shared weights (the token embedding) belong to it, because a frozen side is to
    compute the same after training.
    """
    backbone = _needed_backbone(model, side)
    if not all(_named(backbone, word) for word in (side, other)):
        raise ValueError(
            f"Expected a backbone with an encoder and a decoder for {side!r}. "
            f"Received: {type(backbone).__name__}. Use 'backbone' or 'all_but_last:N'."
        )
    return _without(
        weights_made_to_train(backbone), _weights_of(_named(backbone, other))
    )


def _named(backbone, word):
    """Layers of the backbone that have a word in their name."""
    return [layer for layer in backbone.layers if word in layer.name.split("_")]


def _all_but_cross_attention(model):
    weights = weights_made_to_train(base_of(model))
    trained = [weight for weight in weights if "cross_attention" in weight.path]
    _check_any(trained, "all_but_cross_attention", "cross-attention", model)
    return _without(weights, trained)


def _all_but_bias(model):
    base = base_of(model)
    # "beta" is the bias of a norm.
    ends = ("bias", "beta")
    trained = [w for w in bias_and_norm_weights(base) if w.name.endswith(ends)]
    _check_any(trained, "all_but_bias", "a bias", model)
    return _without(weights_made_to_train(base), trained)


def _all_but_bias_and_norm(model):
    base = base_of(model)
    trained = bias_and_norm_weights(base)
    _check_any(trained, "all_but_bias_and_norm", "a bias or a norm", model)
    return _without(weights_made_to_train(base), trained)


def _all_but_last(model, count, policy):
    """All of the backbone but its last blocks and the layers after them."""
    backbone = _needed_backbone(model, "all_but_last:N")
    blocks = _last_stack(model, backbone)
    if not count.isdecimal() or not 1 <= int(count) <= len(blocks):
        raise ValueError(
            f"Expected 'all_but_last:N' with N from 1 to {len(blocks)}, the blocks in "
            f"the last stack of {type(backbone).__name__}. Received: "
            f"{policy!r}."
        )
    # A final norm or a pooler comes later; a tied embedding does, too, in some.
    after = backbone.layers[backbone.layers.index(blocks[-1]) + 1 :]
    after = [layer for layer in after if not is_kind(layer, "Embedding")]
    trained = _weights_of([*blocks[-int(count) :], *after])
    trained += output_weights_in_backbone(model)
    return _without(weights_made_to_train(backbone), trained)


def _last_stack(model, backbone):
    """The blocks nearest the output that take part, in order."""
    for blocks in block_stacks(model):
        return blocks
    raise ValueError(
        f"Expected a backbone with a stack of blocks in one of {list(_STACKS)} for "
        f"'all_but_last:N'. Received: {type(backbone).__name__}. Freeze by weight "
        "path instead, with a regular expression or a callable."
    )


def _needed_backbone(model, policy):
    """The backbone of a model, or an error that says what to do without one."""
    backbone = backbone_of(model)
    if backbone is None:
        raise ValueError(
            f"Expected a model with a KerasHub backbone for {policy!r}: a task, or a "
            "functional model that calls the backbone as a layer. Received: "
            f"{type(model).__name__} {model.name!r} with the layers "
            f"{[layer.name for layer in model.layers]}. Freeze by weight path "
            "instead, with a regular expression or a callable."
        )
    return backbone


def _weights_of(layers):
    return [weight for layer in layers for weight in weights_made_to_train(layer)]


def _without(weights, left_out):
    left_out_ids = {id(weight) for weight in left_out}
    return [weight for weight in weights if id(weight) not in left_out_ids]


def _check_any(weights, policy, what, model):
    """Raises if a policy speaks of what the model lacks."""
    if not weights:
        raise ValueError(
            f"Expected a model with {what} for {policy!r}. Received: "
            f"{type(model).__name__} {model.name!r}, which has none."
        )


_NAMED = {
    "backbone": _backbone,
    "embeddings": _embeddings,
    "encoder": _encoder,
    "decoder": _decoder,
    "all_but_cross_attention": _all_but_cross_attention,
    "all_but_bias": _all_but_bias,
    "all_but_bias_and_norm": _all_but_bias_and_norm,
    "nothing": _nothing,
}
