"""What is trained and what is not: freezing policies with a receipt."""

from kftune.tuning.freeze import freeze
from kftune.tuning.freeze_guard import FreezeGuard
from kftune.tuning.freeze_report import BlockCount, FreezeReport
from kftune.tuning.gradual_unfreezing import GradualUnfreezing

__all__ = ["BlockCount", "FreezeGuard", "FreezeReport", "GradualUnfreezing", "freeze"]
