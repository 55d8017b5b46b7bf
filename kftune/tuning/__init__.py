"""What is trained and what is not: freezing with a receipt, cached features."""

from kftune.tuning.freeze import freeze
from kftune.tuning.freeze_guard import FreezeGuard
from kftune.tuning.freeze_report import BlockCount, FreezeReport
from kftune.tuning.frozen_feature_cache import FrozenFeatureCache
from kftune.tuning.gradual_unfreezing import GradualUnfreezing
from kftune.tuning.layerwise_learning_rates import (
    layerwise_learning_rates,
    weight_depths,
)
from kftune.tuning.load_delta import load_delta
from kftune.tuning.merge import merge
from kftune.tuning.save_delta import save_delta
from kftune.tuning.scale_learning_rates import scale_learning_rates
from kftune.tuning.scaled_rates import ScaledRates

__all__ = [
    "BlockCount",
    "FreezeGuard",
    "FreezeReport",
    "FrozenFeatureCache",
    "GradualUnfreezing",
    "ScaledRates",
    "freeze",
    "layerwise_learning_rates",
    "load_delta",
    "merge",
    "save_delta",
    "scale_learning_rates",
    "weight_depths",
]
