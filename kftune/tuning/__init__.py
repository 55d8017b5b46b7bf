"""What is trained and what is not: freezing with a receipt, cached features."""

from kftune.tuning.freeze import freeze
from kftune.tuning.freeze_guard import FreezeGuard
from kftune.tuning.freeze_report import BlockCount, FreezeReport
from kftune.tuning.frozen_feature_cache import FrozenFeatureCache
from kftune.tuning.gradual_unfreezing import GradualUnfreezing
from kftune.tuning.layerwise_optimizer import layerwise_optimizer
from kftune.tuning.load_delta import load_delta
from kftune.tuning.merge import merge
from kftune.tuning.save_delta import save_delta

__all__ = [
    "BlockCount",
    "FreezeGuard",
    "FreezeReport",
    "FrozenFeatureCache",
    "GradualUnfreezing",
    "freeze",
    "layerwise_optimizer",
    "load_delta",
    "merge",
    "save_delta",
]
