"""KerasHub's backbones as kftune's."""

from kftune.models.gpt2.gpt2_backbone import GPT2Backbone
from kftune.models.transformer.transformer_backbone import TransformerBackbone

_OURS = {ours.keras_hub_cls: ours for ours in (GPT2Backbone, TransformerBackbone)}


def our_backbone(backbone):
    """Makes kftune's backbone of a GPT-2 or a BART of KerasHub's.

    Args:
        backbone: `keras_hub.models.Backbone`.

    Returns:
        `GPT2Backbone` or `TransformerBackbone` with the same weights; what is of no
        such model comes back as it is.
    """
    ours = _OURS.get(type(backbone))
    return backbone if ours is None else ours.from_keras_hub(backbone)
