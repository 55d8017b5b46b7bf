"""One worker of a search: runs trials, some at once, until all of all workers ended."""

import time

from kftune.training.run_folder import drop_weights
from kftune.training.search_result import trial_rows, write_tables
from kftune.training.search_space import searched
from kftune.training.search_trial import SearchTrial
from kftune.training.trial_process import TrialProcess

POLL_SECONDS = 1


class SearchWorker:
    """Runs trials of a study, each in a process of its own.

    Args:
        study: `kftune.training.search_study.SearchStudy`.
        queue: `kftune.training.trial_queue.TrialQueue` of the study.
        heartbeat: `kftune.training.worker_heartbeat.WorkerHeartbeat` of this worker.
        reference: `str`, what a trial calls, see `function_reference`.
        most: `int`, trials at once.
    """

    def __init__(self, study, queue, heartbeat, reference, most):
        self._study, self._queue, self._heartbeat = study, queue, heartbeat
        self._reference, self._most = reference, most
        self._running = {}  # processes by the numbers of their trials
        self._waits = False

    def run(self):
        """Runs trials until those of all workers have ended.

        When it is interrupted, its trials are tried again by whoever goes on.
        """
        try:
            while self._start_trials() or not self._queue.is_done():
                self._heartbeat.beat()
                time.sleep(POLL_SECONDS)
                self._end_trials()
        finally:
            for number, process in self._running.items():
                process.kill()
                if self._queue.give_back(number):
                    drop_weights(SearchTrial(self._study, number).folder)

    def _start_trials(self):
        """Starts as many trials as may run; tells whether any runs here."""
        while len(self._running) < self._most:
            number = self._queue.claim()
            if number is None:
                break
            folder = self._study.folder
            self._running[number] = TrialProcess(folder, number, self._reference)
        if not (self._running or self._waits or self._queue.is_done()):
            self._waits = True
            print("Waiting for the trials of other workers", flush=True)
        return bool(self._running)

    def _end_trials(self):
        """Takes note of the trials that ended."""
        for number, process in list(self._running.items()):
            if not process.has_ended():
                continue
            del self._running[number]
            trial = SearchTrial(self._study, number)
            # Nothing changes for a trial that told how it ended.
            trial.fail(process.death())
            if self._study.trials()[number].state.name != "COMPLETE":
                drop_weights(trial.folder)
            with self._study.alone():
                write_tables(self._study)
            print(self._line(number), flush=True)

    def _line(self, number):
        """One line of progress."""
        row, settings = trial_rows(self._study)[number], self._study.settings
        own = [f"{name} {_short(row[name])}" for name in searched(settings["space"])]
        what = row["error"] or f"{settings['monitor']} {row['value']:.6g}"
        best = self._study.best_trial()
        mark = ", the best so far" if best and best.number == number else ""
        return f"Trial {number} {row['state']}: {what}{mark} ({', '.join(own)})"


def _short(value):
    return f"{value:.3g}" if isinstance(value, float) else str(value)
