"""Hands out the trials of a search to the workers that share its folder."""

import numpy as np

from kftune.training.optuna_extra import optuna
from kftune.training.run_folder import drop_weights
from kftune.training.search_space import distribution, grid_points, searched
from kftune.training.search_study import trial_folder

# A trial whose worker died is tried again so often: it may be what killed the worker.
MOST_RETRIES = 3


class TrialQueue:
    """Hands out trials, and those of workers that died again.

    All that is decided, such as the next settings, is decided by one worker at a time,
    and written to Optuna's journal before it is acted on. So a worker may be killed at
    any moment: whoever comes next finds its trial without a living worker, and hands
    its settings out again. (Optuna's own heartbeat needs a database.)

    The n-th settings depend on the seed and n (with TPE on the results so far, too),
    not on which worker asks.

    Args:
        study: `kftune.training.search_study.SearchStudy`.
        heartbeat: `kftune.training.worker_heartbeat.WorkerHeartbeat` of this worker.
        n_trials: `int`, of all workers together; `None` for all points of a grid.
        first: `dict` of the searched settings of the first trial, but for a grid;
            `None` leaves them to the sampler.
    """

    def __init__(self, study, heartbeat, n_trials, first=None):
        self._study, self._heartbeat = study, heartbeat
        space = study.settings["space"]
        self._distributions = {k: distribution(v) for k, v in searched(space).items()}
        self._points, self._n_trials = [first] if first else [], n_trials
        if study.settings["sampler"] == "grid":
            points = grid_points(space)
            self._points = points[:n_trials]
            self._n_trials = len(self._points)
            if len(points) > self._n_trials:
                print(f"Only the first {n_trials} of {len(points)} points of the grid.")

    def claim(self):
        """Takes the next trial: a lost one's settings, or new ones.

        Returns:
            `int`, its number; `None` if none is left to take now.
        """
        study = self._study.study
        with self._study.alone():
            for trial in self._study.trials("RUNNING"):
                if not self._is_held(trial):
                    self._retry(trial)
                    drop_weights(trial_folder(self._study.folder, trial.number))
            new, waiting = self._new_trials(), self._study.trials("WAITING")
            if waiting:
                index = new.index(_origin(waiting[0]))
            elif len(new) < self._n_trials:
                index = len(new)
                if index < len(self._points):
                    study.enqueue_trial(self._points[index])
            else:
                return None
            study.sampler = self._make_sampler(index)
            trial = study.ask(self._distributions)
            trial.set_user_attr("worker", self._heartbeat.name)
            return trial.number

    def give_back(self, number):
        """Has a trial that was broken off tried again, unless it told how it ended.

        Returns:
            `bool`, whether it was broken off.
        """
        with self._study.alone():
            trial = self._study.trials()[number]
            if trial.state.is_finished():
                return False
            self._retry(trial)
            return True

    def is_done(self):
        """Tells whether all trials of all workers ended."""
        all_new = len(self._new_trials()) >= self._n_trials
        return all_new and not self._study.trials("RUNNING", "WAITING")

    def _new_trials(self):
        """Numbers of the trials that are not a second try of another."""
        trials = self._study.trials()
        return [t.number for t in trials if "retry_of" not in t.user_attrs]

    def _is_held(self, trial):
        """Whether a worker that is alive has the trial."""
        # One without a worker: it was killed when it claimed the trial.
        worker = trial.user_attrs.get("worker")
        return worker is not None and self._heartbeat.is_alive(worker)

    def _retry(self, trial):
        """Puts a trial's settings in the queue again, then gives the trial up.

        In this order: a kill in between leaves a trial that is given up next time.
        """
        study, origin = self._study.study, _origin(trial)
        retries = [
            t.number
            for t in self._study.trials()
            if t.user_attrs.get("retry_of") == origin
        ]
        queued = max(retries, default=-1) > trial.number
        if not queued and len(retries) < MOST_RETRIES:
            fixed_params = trial.system_attrs.get("fixed_params", {})
            study.enqueue_trial(
                {**fixed_params, **trial.params}, user_attrs={"retry_of": origin}
            )
        failed = optuna.trial.TrialState.FAIL
        study.tell(trial.number, state=failed, skip_if_finished=True)

    def _make_sampler(self, index):
        """A sampler whose choices depend on the seed and the trial alone."""
        entropy = [self._study.settings["seed"], index]
        seed = int(np.random.SeedSequence(entropy).generate_state(1)[0])
        if self._study.settings["sampler"] == "tpe":
            return optuna.samplers.TPESampler(seed=seed)
        return optuna.samplers.RandomSampler(seed)  # a grid's settings are queued


def _origin(trial):
    """The number of the trial whose settings these were first."""
    return trial.user_attrs.get("retry_of", trial.number)
