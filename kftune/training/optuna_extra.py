"""What a search uses of Optuna, or an error that says how to install it."""

try:
    import optuna
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        f"Expected the package optuna for a search. Received: {error}. Install it "
        "with pip install 'kftune[search]'.",
        name=error.name,
    ) from error

from optuna.distributions import (
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from optuna.trial import TrialState

__all__ = [
    "CategoricalDistribution",
    "FloatDistribution",
    "IntDistribution",
    "JournalFileBackend",
    "JournalFileOpenLock",
    "JournalStorage",
    "TrialState",
    "UpdateFinishedTrialError",
    "optuna",
]
