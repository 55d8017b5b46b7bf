"""The trials of a search, kept in a folder that workers share."""

import contextlib

import numpy as np

from kftune.error_text import differences
from kftune.training.optuna_extra import (
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
    JournalFileBackend,
    JournalFileOpenLock,
    JournalStorage,
    TrialState,
    UpdateFinishedTrialError,
    optuna,
)
from kftune.training.search_space import fixed, grid_points, searched

JOURNAL = "journal.log"
# A trial whose worker died is tried again so often: it may be what killed the worker.
MOST_RETRIES = 3


class SearchStudy:
    """Hands out trials, and keeps what came of them, for all workers of a folder.

    All that is decided, such as the next settings, is decided by one worker at a time,
    and written to Optuna's journal before it is acted on. So a worker may be killed at
    any moment: whoever comes next finds its trial without a living worker, and hands
    its settings out again.

    The n-th settings depend on the seed and n (with TPE on the results so far, too),
    not on which worker asks.

    Args:
        folder: `Path` of the study; must exist.
        heartbeat: `kftune.training.worker_heartbeat.WorkerHeartbeat` of this worker.
        settings: `dict` of what must not change when the study goes on: `space`,
            `sampler`, `pruner`, `mode`, `seed` as `search` takes them, and others.
        n_trials: `int`, of all workers together; `None` for all points of a grid.

    Raises:
        ValueError: if the folder holds a study with other settings; lists them all.
    """

    def __init__(self, folder, heartbeat, settings, n_trials):
        self.folder, self.heartbeat, self.settings = folder, heartbeat, settings
        space = settings["space"]
        self.searched = list(searched(space))
        self._fixed = fixed(space)
        self._distributions = {k: _distribution(v) for k, v in searched(space).items()}
        self._points = grid_points(space) if settings["sampler"] == "grid" else None
        self._n_trials = n_trials
        if self._points is not None:
            self._n_trials = min(n_trials or len(self._points), len(self._points))
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        with self.alone():
            self.study = optuna.create_study(
                storage=_open_journal(folder / JOURNAL),
                study_name="search",
                direction={"min": "minimize", "max": "maximize"}[settings["mode"]],
                pruner=_make_pruner(settings["pruner"]),
                load_if_exists=True,
            )
            self._check_settings()

    @contextlib.contextmanager
    def alone(self):
        """Holds off all other workers. A dead one's lock is broken after 30 s."""
        # Not Optuna's default lock, a link: it points to nowhere where another
        # machine has the folder under another path, and is then never broken.
        lock = JournalFileOpenLock(str(self.folder / "study"))
        lock.acquire()
        try:
            yield
        finally:
            lock.release()

    def claim(self):
        """Takes the next trial: a lost one's settings, or new ones.

        Returns:
            `optuna.trial.Trial` with its settings sampled; `None` if none is left to
            take now.
        """
        with self.alone():
            self._hand_out_lost()
            trials = self.study.get_trials(deepcopy=False)
            new = [t.number for t in trials if "retry_of" not in t.user_attrs]
            waiting = [t for t in trials if t.state == TrialState.WAITING]
            if waiting:
                index = new.index(origin(waiting[0]))
            elif len(new) < self._n_trials:
                index = len(new)
                if self._points is not None:
                    self.study.enqueue_trial(self._points[index])
            else:
                return None
            self.study.sampler = self._make_sampler(index)
            trial = self.study.ask(self._distributions)
            trial.set_user_attr("worker", self.heartbeat.name)
            return trial

    def report(self, trial, value):
        """Keeps an epoch's value.

        Returns:
            `bool`, `True` if the trial shall be pruned.
        """
        try:
            # Epochs count from 1: pruners of halving take a step for so many epochs.
            trial.report(value, 1 + len(self.reported(trial)))
            return trial.should_prune()
        except UpdateFinishedTrialError:
            return True  # others took this worker for dead and try it again

    def tell(self, trial, *, value=None, pruned=False, **attributes):
        """Keeps how a trial ended.

        Args:
            trial: what `claim` gave.
            value: `float`; `None` for one that was pruned or failed.
            pruned: `bool`.
            **attributes: what else is kept: `error`, `str`, of one that failed.
        """
        state = TrialState.PRUNED if pruned else TrialState.FAIL
        state = state if value is None else TrialState.COMPLETE
        # As in `report`: what others tried again is not told twice.
        with contextlib.suppress(UpdateFinishedTrialError):
            for name, attribute in attributes.items():
                trial.set_user_attr(name, attribute)
            self.study.tell(trial, value, state, skip_if_finished=True)

    def give_back(self, trial):
        """Has a trial that was broken off tried again."""
        with self.alone():
            self._retry(self.study.get_trials(deepcopy=False)[trial.number])

    def is_done(self):
        """Tells whether all trials of all workers ended."""
        trials = self.study.get_trials(deepcopy=False)
        new = [t for t in trials if "retry_of" not in t.user_attrs]
        return len(new) >= self._n_trials and all(t.state.is_finished() for t in trials)

    def reported(self, trial):
        """The values of a trial's epochs, in their order."""
        values = self.study.get_trials(deepcopy=False)[trial.number].intermediate_values
        return [values[step] for step in sorted(values)]

    def settings_of(self, trial):
        """All settings of a trial: what all share and its own."""
        own = {name: trial.params[name] for name in self.searched}
        return {**self._fixed, **own}

    def _check_settings(self):
        """Refuses a study that was started with other settings."""
        before = self.study.user_attrs.get("settings")
        if before is None:
            self.study.set_user_attr("settings", self.settings)
        elif changed := differences(before, self.settings):
            raise ValueError(
                f"{self.folder} holds a study with other settings: "
                f"{'; '.join(changed)}. Go on with it under the same ones, or choose "
                "another folder."
            )

    def _hand_out_lost(self):
        """Has the trials of dead workers tried again."""
        for trial in self.study.get_trials(
            deepcopy=False, states=(TrialState.RUNNING,)
        ):
            worker = trial.user_attrs.get("worker")
            # One without a worker: it was killed when it claimed the trial.
            if worker is None or not self.heartbeat.is_alive(worker):
                self._retry(trial)

    def _retry(self, trial):
        """Puts a trial's settings in the queue again, then gives the trial up.

        In this order: a kill in between leaves a trial that is given up next time.
        """
        trials = self.study.get_trials(deepcopy=False)
        retries = [t for t in trials if t.user_attrs.get("retry_of") == origin(trial)]
        queued = any(t.number > trial.number for t in retries)
        if not queued and len(retries) < MOST_RETRIES:
            fixed_params = trial.system_attrs.get("fixed_params", {})
            self.study.enqueue_trial(
                {**fixed_params, **trial.params},
                user_attrs={"retry_of": origin(trial)},
            )
        self.study.tell(trial.number, state=TrialState.FAIL, skip_if_finished=True)

    def _make_sampler(self, index):
        """A sampler whose choices depend on the seed and the trial alone."""
        entropy = [self.settings["seed"], index]
        seed = int(np.random.SeedSequence(entropy).generate_state(1)[0])
        if self.settings["sampler"] == "tpe":
            return optuna.samplers.TPESampler(seed=seed)
        return optuna.samplers.RandomSampler(seed)  # a grid's settings are queued


def origin(trial):
    """The number of the trial whose settings these were first."""
    return trial.user_attrs.get("retry_of", trial.number)


def _make_pruner(name):
    """A pruner by the name that `search` has for it."""
    pruners = {
        "median": optuna.pruners.MedianPruner(),
        "halving": optuna.pruners.SuccessiveHalvingPruner(min_resource=1),
        "nothing": optuna.pruners.NopPruner(),
    }
    return pruners[name]


def _distribution(values):
    """Optuna's kind of a list or range."""
    if isinstance(values, list):
        return CategoricalDistribution(values)
    whole = all(isinstance(value, int) for key, value in values.items() if key != "log")
    return (IntDistribution if whole else FloatDistribution)(**values)


def _open_journal(path):
    """Opens Optuna's journal; the part of a line that a full disk cut off goes."""
    lock = JournalFileOpenLock(str(path))
    backend = JournalFileBackend(str(path), lock)
    lock.acquire()
    try:
        with path.open("rb+") as file:
            file.truncate(file.read().rfind(b"\n") + 1)
    finally:
        lock.release()
    return JournalStorage(backend)
