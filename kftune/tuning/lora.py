"""The policy `"lora"`: factors beside frozen weights (Hu et al. 2021).

https://arxiv.org/abs/2106.09685
"""

import dataclasses
import re

import keras

from kftune.error_text import first_few
from kftune.models.layer_tree import (
    base_of,
    is_lora_factor,
    lora_layers,
    sublayers,
    unused_layers,
    weights_made_to_train,
)

_POLICY = re.compile(
    r"lora(?::(?=.)(?:rank=(?P<rank>0*[1-9]\d*))?"
    r"(?:(?:(?<=:)|,)layers=(?P<layers>.+))?)?"
)


@dataclasses.dataclass(frozen=True)
class LoraSettings:
    """What a policy such as `"lora:rank=4,layers=query|value"` asks for.

    Attributes:
        rank: int, 1 or more: the columns of one factor and the rows of the other.
        layers: regular expression; layers with a match in their path get factors.
    """

    rank: int = 8
    layers: str = "query|value"


def lora_settings(policy) -> LoraSettings | None:
    """Reads a policy that asks for LoRA.

    Args:
        policy: as `kftune.tuning.freeze` takes it.

    Returns:
        Its settings, or `None` if it is another policy.

    Raises:
        ValueError: if it begins as a policy for LoRA does and goes on in another way.
    """
    if not isinstance(policy, str) or policy.partition(":")[0] != "lora":
        return None
    try:
        options = _POLICY.fullmatch(policy).groupdict()
        given = {name: text for name, text in options.items() if text is not None}
        re.compile(given.get("layers", ""))
    except (AttributeError, re.error) as error:
        raise ValueError(
            "Expected 'lora', or 'lora:rank=N,layers=REGEX' with a rank of 1 or more "
            "and a regular expression over layer paths, or one of both. Received: "
            f"{policy!r}."
        ) from error
    if "rank" in given:
        given["rank"] = int(given["rank"])
    return LoraSettings(**given)


def add_factors(model: keras.Model, policy) -> None:
    """Gives layers of a model the LoRA factors that a policy asks for.

    Does nothing if it asks for none, or if the model has them.

    Args:
        model: built model.
        policy: as `kftune.tuning.freeze` takes it.

    Raises:
        ValueError: if no layer matches, or if the model has other factors.
    """
    settings = lora_settings(policy)
    if settings is not None:
        for layer in _layers_without(model, settings):
            layer.enable_lora(settings.rank)


def frozen_beside_factors(
    model: keras.Model, settings: LoraSettings
) -> list[keras.Variable]:
    """Lists what is frozen so that in the backbone the LoRA factors alone are trained.

    Args:
        model: built model that has the factors.
        settings: of the policy.

    Returns:
        The weights of the backbone, or of a model without one, that could be trained
        and are no factors.

    Raises:
        ValueError: if no layer matches, or if the model has other factors or none.
    """
    if _layers_without(model, settings):
        raise ValueError(
            f"Expected a model with LoRA factors as in {settings}. Received: "
            f"{type(model).__name__} {model.name!r}, which has none. "
            "kftune.tuning.freeze(model, policy) makes them."
        )
    weights = weights_made_to_train(base_of(model))
    return [weight for weight in weights if not is_lora_factor(weight)]


def _layers_without(model, settings):
    """The layers that are to get factors; none if they have them."""
    matching = _matching(model, settings)
    present = lora_layers(model)
    if not present:
        return matching
    same_layers = {id(layer) for layer in present} == {id(layer) for layer in matching}
    ranks = {layer.lora_rank for layer in present}
    if same_layers and ranks == {settings.rank}:
        return []
    paths = first_few([layer.path for layer in present], show=str)
    raise ValueError(
        f"Expected a model with LoRA factors as in {settings}, or without any. "
        f"Received: {type(model).__name__} {model.name!r} with factors of the ranks "
        f"{sorted(ranks)} in {paths}. Add those to their weights with "
        "kftune.tuning.merge(model) first."
    )


def _matching(model, settings):
    """Layers that can have factors, take part, and whose path matches."""
    unused = {id(part) for layer in unused_layers(model) for part in sublayers(layer)}
    able = [
        layer
        for layer in lora_layers(base_of(model), enabled=False)
        if id(layer) not in unused
    ]
    matching = [layer for layer in able if re.search(settings.layers, layer.path)]
    if not matching:
        paths = first_few([layer.path for layer in able], show=str)
        raise ValueError(
            "Expected a regular expression with a match in the path of a layer that "
            f"can have LoRA factors: {paths}. Received: {settings.layers!r}."
        )
    return matching
