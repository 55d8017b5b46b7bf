"""What is trained and what is not: freezing policies with a receipt."""

from kftune.tuning.freeze import freeze
from kftune.tuning.freeze_guard import FreezeGuard
from kftune.tuning.freeze_report import BlockCount, FreezeReport
from kftune.tuning.layerwise_learning_rates import (
    layerwise_learning_rates,
    weight_depths,
)
from kftune.tuning.scale_learning_rates import scale_learning_rates
from kftune.tuning.scaled_rates import ScaledRates

__all__ = [
    "BlockCount",
    "FreezeGuard",
    "FreezeReport",
    "ScaledRates",
    "freeze",
    "layerwise_learning_rates",
    "scale_learning_rates",
    "weight_depths",
]
