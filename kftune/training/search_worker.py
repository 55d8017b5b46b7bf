"""One worker of a search: runs trials, some at once, until all of all workers ended."""

import inspect
import math
from multiprocessing.connection import wait

from kftune.training.search_result import best_trial, trial_rows, write_tables
from kftune.training.trial_process import TrialProcess

POLL_SECONDS = 2


class SearchWorker:
    """Runs trials of a study, each in a process of its own.

    Args:
        study: `kftune.training.search_study.SearchStudy`.
        reference: `str`, what a trial calls, see `function_reference`.
        main: the function itself.
        most: `int`, trials at once.
    """

    def __init__(self, study, reference, main, most):
        self._study, self._reference, self._most = study, reference, most
        self._takes_out = "out" in inspect.signature(main).parameters
        self._running = {}  # the trial and its process, by its channel
        self._waits = False

    def run(self):
        """Runs trials until those of all workers have ended.

        When it is interrupted, its trials are tried again by whoever goes on.
        """
        try:
            while self._start_trials() or not self._study.is_done():
                self._study.heartbeat.beat()
                for channel in wait(list(self._running), POLL_SECONDS):
                    self._answer(channel)
        finally:
            for trial, process in self._running.values():
                process.kill()
                self._study.give_back(trial)

    def _start_trials(self):
        """Starts as many trials as may run; tells whether any runs here."""
        while len(self._running) < self._most and (trial := self._study.claim()):
            settings = self._study.settings_of(trial)
            folder = self._study.folder / "trials" / str(trial.number)
            if self._takes_out:
                settings["out"] = folder
            process = TrialProcess(
                self._reference, settings, folder, self._study.settings["monitor"]
            )
            self._running[process.channel] = trial, process
        if not (self._running or self._waits or self._study.is_done()):
            self._waits = True
            print("Waiting for the trials of other workers", flush=True)
        return bool(self._running)

    def _answer(self, channel):
        """Takes one message of a trial."""
        trial, process = self._running[channel]
        kind, content = process.receive()
        if kind == "report":
            process.reply(self._study.report(trial, content))
            return
        del self._running[channel]
        with self._study.alone():
            self._study.tell(trial, **self._outcome(trial, content))
            write_tables(self._study)
        print(self._line(trial), flush=True)

    def _outcome(self, trial, ended):
        """What a trial came to: a number, or why there is none."""
        kept = {"peak_mb": ended.get("peak_mb")}
        if ended.get("error"):
            return {"error": ended["error"], **kept}
        if ended["pruned"]:
            return {"pruned": True, **kept}
        settings, reported = self._study.settings, self._study.reported(trial)
        value = ended["value"]
        if value is None and reported:
            value = {"min": min, "max": max}[settings["mode"]](reported)
        if value is None or not math.isfinite(value):
            error = (
                f"Expected {settings['monitor']} from TrialCallback, or a finite "
                f"number returned. Received: {value}"
            )
            return {"error": error, **kept}
        return {"value": value, **kept}

    def _line(self, trial):
        """One line of progress."""
        row = trial_rows(self._study)[trial.number]
        own = ", ".join(f"{name} {_short(row[name])}" for name in self._study.searched)
        monitor = self._study.settings["monitor"]
        what = row["error"] or f"{monitor} {row['value']:.6g}"
        best = best_trial(self._study)
        mark = ", the best so far" if best and best.number == trial.number else ""
        return f"Trial {trial.number} {row['state']}: {what}{mark} ({own})"


def _short(value):
    return f"{value:.3g}" if isinstance(value, float) else str(value)
