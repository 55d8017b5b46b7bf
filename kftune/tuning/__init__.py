"""What is trained and what is not: freezing with a receipt, cached features."""

from kftune.tuning.freeze import freeze
from kftune.tuning.freeze_guard import FreezeGuard
from kftune.tuning.freeze_report import BlockCount, FreezeReport
from kftune.tuning.frozen_feature_cache import FrozenFeatureCache

__all__ = [
    "BlockCount",
    "FreezeGuard",
    "FreezeReport",
    "FrozenFeatureCache",
    "freeze",
]
