"""The layers and trainable weights of a Keras model; its backbone.

Keras has no public way to walk all layers below a layer, nor to ask which weights
were made to be trained. The two private names that say so are used here alone.
"""

import keras
import keras_hub


def sublayers(layer: keras.Layer) -> list[keras.Layer]:
    """Lists a layer and every layer below it, each once.

    Args:
        layer: any layer or model.

    Returns:
        The layers, `layer` first.
    """
    return layer._flatten_layers()


def weights_made_to_train(layer: keras.Layer) -> list[keras.Variable]:
    """Lists the weights of a layer that training may change, frozen or not.

    Left out are weights that are never trained: moving statistics, the state of
    random generators, quantised kernels, the base weight of a layer with LoRA
    factors, which stand in for it, and what `unused_layers` names.

    Args:
        layer: any built layer or model.

    Returns:
        The weights of the layer and all layers below it, each once.
    """
    unused = {id(w) for part in unused_layers(layer) for w in part.weights}
    weights = {
        id(weight): weight
        for sublayer in sublayers(layer)
        for weight in sublayer._trainable_variables
        if id(weight) not in unused and not _is_lora_base(sublayer, weight)
    }
    return list(weights.values())


def unused_layers(layer: keras.Layer) -> list[keras.Layer]:
    """Lists layers of a model that its outputs do not depend on.

    A task that uses a part of its backbone only (not the pooler, not the decoder)
    says so in a property `unused_layers`. Keras cannot tell.

    Args:
        layer: any layer or model.

    Returns:
        What its property holds, or an empty list if it has none.
    """
    return list(getattr(layer, "unused_layers", []))


def backbone_of(model: keras.Model) -> keras.Model | None:
    """Finds the backbone of a task or of a model built around one.

    Args:
        model: a KerasHub task, a functional model that calls a KerasHub backbone,
            a backbone itself, or any other Keras model.

    Returns:
        `model.backbone` if there is one, else the model itself or the one layer of
        it that is a `keras_hub.models.Backbone`, else `None`.

    Raises:
        ValueError: if several layers of the model are backbones.
    """
    if getattr(model, "backbone", None) is not None:
        return model.backbone
    found = [
        layer
        for layer in (model, *model.layers)
        if isinstance(layer, keras_hub.models.Backbone)
    ]
    if len(found) > 1 and found[0] is not model:
        raise ValueError(
            f"Expected one backbone in {model.name!r}. Received: "
            f"{[backbone.name for backbone in found]}. Freeze by weight path "
            "instead, with a regular expression or a callable."
        )
    return found[0] if found else None


def base_of(model: keras.Model) -> keras.Model:
    """Gives the backbone of a model, or the model itself if it has none.

    Args:
        model: any Keras model.

    Returns:
        One of both.

    Raises:
        ValueError: if several layers of the model are backbones.
    """
    backbone = backbone_of(model)
    return model if backbone is None else backbone


def is_kind(layer: keras.Layer, word: str) -> bool:
    """Tells whether a layer is, by the names of its classes, of some kind.

    KerasHub has many layers for one purpose (`Embedding`, `PositionEmbedding`,
    `T5LayerNorm`, ...) with no common base class but with telling names.

    Args:
        layer: any layer.
        word: part of a class name, such as `"Embedding"`.

    Returns:
        True if the name of its class, or of a class it inherits from, holds `word`.
    """
    return any(word in cls.__name__ for cls in type(layer).__mro__)


def bias_and_norm_weights(layer: keras.Layer) -> list[keras.Variable]:
    """Lists the biases of a layer and the weights of the norms below it.

    Args:
        layer: any built layer or model.

    Returns:
        Those of its `weights_made_to_train`, each once.
    """
    norms = {
        id(weight)
        for part in sublayers(layer)
        if is_kind(part, "Norm") and not isinstance(part, keras.Model)
        for weight in part.weights
    }
    return [
        weight
        for weight in weights_made_to_train(layer)
        if id(weight) in norms or weight.name.endswith("bias")
    ]


def output_weights_in_backbone(model: keras.Model) -> list[keras.Variable]:
    """Lists the weights of a backbone that are its language model's output alone.

    A `ReversibleEmbedding` holds them beside its table where the output is not tied to
    that table.

    Args:
        model: built model.

    Returns:
        The weights; empty if the output is tied, or if the model has layers of its own
        for its outputs.
    """
    backbone = backbone_of(model)
    if backbone is None or len(backbone.weights) < len(model.weights):
        return []
    weights = weights_made_to_train(backbone)
    return [weight for weight in weights if weight.name == "reverse_embeddings"]


def lora_layers(model: keras.Layer, *, enabled: bool = True) -> list[keras.Layer]:
    """Lists the layers of a model that have LoRA factors, or that can have them.

    Args:
        model: any built layer or model.
        enabled: bool. False lists all that can have them.

    Returns:
        The layers, each once.
    """
    return [
        layer
        for layer in sublayers(model)
        if hasattr(layer, "lora_enabled")
        and layer.built
        and (layer.lora_enabled or not enabled)
    ]


def lora_base(layer: keras.Layer) -> keras.Variable | None:
    """Gives the weight of a layer that LoRA factors stand in for, or would.

    Args:
        layer: one of `lora_layers`.

    Returns:
        Its kernel or its table of embeddings; `None` if it has been packed in integers
        that LoRA does not stand beside.
    """
    names = ("kernel", "embeddings")
    return next((weight for weight in layer.weights if weight.name in names), None)


def is_lora_factor(weight: keras.Variable) -> bool:
    """Tells whether a weight is one of the two LoRA factors of a layer.

    Args:
        weight: any weight.

    Returns:
        True if it is.
    """
    return weight.name.startswith("lora_")


def _is_lora_base(layer, weight):
    return getattr(layer, "lora_enabled", False) and weight is lora_base(layer)
