"""The trials of a search, in Optuna's journal in a folder that workers share."""

import contextlib
from pathlib import Path

from kftune.error_text import differences
from kftune.training.optuna_extra import optuna
from kftune.training.search_space import fixed, searched

JOURNAL = "journal.log"
_NAME = "search"


class SearchStudy:
    """A search's folder: its settings and its trials.

    Args:
        folder: `str` or `Path`, made when missing.
        settings: `dict` of what must not change when the study goes on: `space`,
            `sampler`, `pruner`, `monitor`, `mode`, `seed` as `search` takes them, and
            others. `None` takes those of the study that the folder holds.
        lists: dict of settings that the function of the trials takes as a list, and of
            which it gets a list of one value, to what it gets for null.

    Raises:
        ValueError: if the folder holds a study with other settings; lists them all.
    """

    def __init__(self, folder, settings=None, lists=None):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._storage = _open_journal(self.folder / JOURNAL)
        if settings is not None:
            with self.alone():
                self._create(settings, lists)
        self.study = optuna.load_study(study_name=_NAME, storage=self._storage)
        self.settings = self.study.user_attrs["settings"]
        self._lists = self.study.user_attrs["lists"]
        self.study.pruner = _make_pruner(self.settings["pruner"])

    @contextlib.contextmanager
    def alone(self):
        """Holds off all other workers. A dead one's lock is broken after 30 s."""
        lock = optuna.storages.journal.JournalFileOpenLock(str(self.folder / "study"))
        lock.acquire()
        try:
            yield
        finally:
            lock.release()

    def trials(self, *states):
        """The trials in the order of their numbers, as `optuna.trial.FrozenTrial`.

        Args:
            *states: names of `optuna.trial.TrialState`; without any, all trials.
        """
        states = [optuna.trial.TrialState[name] for name in states] or None
        return self.study.get_trials(deepcopy=False, states=states)

    def running_trial(self, number):
        """A trial that was claimed, by this process or another, to be reported on.

        Args:
            number: `int`.

        Returns:
            `optuna.trial.Trial`.
        """
        study_id = self._storage.get_study_id_from_name(_NAME)
        return optuna.trial.Trial(
            self.study,
            self._storage.get_trial_id_from_study_id_trial_number(study_id, number),
        )

    def settings_of(self, trial):
        """What a trial's function gets: what all trials share and its own settings."""
        space = self.settings["space"]
        own = {name: trial.params[name] for name in searched(space)}
        settings = {**fixed(space), **own}
        for name, nothing in self._lists.items():
            value = settings[name]
            settings[name] = nothing if value is None else [value]
        return settings

    def best_trial(self):
        """The best trial of those that ran to their end; `None` without one."""
        return self.study.best_trial if self.trials("COMPLETE") else None

    def _create(self, settings, lists):
        """Makes the study; refuses one that was started with other settings."""
        study = optuna.create_study(
            storage=self._storage,
            study_name=_NAME,
            direction={"min": "minimize", "max": "maximize"}[settings["mode"]],
            load_if_exists=True,
        )
        before = study.user_attrs.get("settings")
        if before is None:
            study.set_user_attr("settings", settings)
        elif changed := differences(before, settings):
            raise ValueError(
                f"{self.folder} holds a study with other settings: "
                f"{'; '.join(changed)}. Go on with it under the same ones, or choose "
                "another folder."
            )
        # Not one of the settings: it follows from the function, which may change.
        study.set_user_attr("lists", lists or {})


def trial_folder(folder, number):
    """Where a trial writes.

    Args:
        folder: `Path` of the study.
        number: `int`, of the trial.

    Returns:
        `Path`.
    """
    return folder / "trials" / str(number)


def _make_pruner(name):
    """A pruner by the name that `search` has for it."""
    pruners = {
        "median": optuna.pruners.MedianPruner(),
        "halving": optuna.pruners.SuccessiveHalvingPruner(min_resource=1),
        "nothing": optuna.pruners.NopPruner(),
    }
    return pruners[name]


def _open_journal(path):
    """Opens Optuna's journal; the part of a line that a full disk cut off goes."""
    # Not Optuna's default lock, a link: it points to nowhere where another machine has
    # the folder under another path, and is then never broken.
    lock = optuna.storages.journal.JournalFileOpenLock(str(path))
    backend = optuna.storages.journal.JournalFileBackend(str(path), lock)
    lock.acquire()
    try:
        with path.open("rb+") as file:
            file.truncate(file.read().rfind(b"\n") + 1)
    finally:
        lock.release()
    return optuna.storages.JournalStorage(backend)
