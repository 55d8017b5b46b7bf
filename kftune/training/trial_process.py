"""A trial in a process of its own: its memory is free again when it ends."""

import inspect
import os
import signal
import subprocess
import sys
import threading
import traceback

from kftune.peak_memory import peak_memory
from kftune.training.run_folder import close_run, drop_weights
from kftune.training.search_study import SearchStudy, trial_folder
from kftune.training.search_trial import SearchTrial
from kftune.training.trial_callback import TrialPruned, enter_trial
from kftune.training.trial_function import load_function

LOG = "log.txt"
_MOST_CHARACTERS = 300  # of an error


class TrialProcess:
    """The process of a trial, as the search sees it.

    What it prints goes to `log.txt` in the trial's folder.

    Args:
        folder: `Path` of the study.
        number: `int`, number of the trial.
        reference: `str`, what it calls, see `function_reference`.
    """

    def __init__(self, folder, number, reference):
        log = trial_folder(folder, number) / LOG
        log.parent.mkdir(parents=True, exist_ok=True)
        # Not forked: TensorFlow does not outlive that.
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", __name__, str(folder), str(number), reference],
                env={
                    **os.environ,
                    "PYTHONPATH": os.pathsep.join(p or os.getcwd() for p in sys.path),
                    "PYTHONUNBUFFERED": "1",
                },
                stdin=subprocess.PIPE,  # it closes when this process ends, however
                stdout=output,
                stderr=output,
            )

    def has_ended(self):
        """Tells whether the process is gone."""
        return self._process.poll() is not None

    def death(self):
        """Says how the process ended, for a trial that did not say it itself."""
        status = self._process.wait()
        self._process.stdin.close()
        if status < 0:
            name = signal.Signals(-status).name
            hint = " (often: the memory ran out)" if name == "SIGKILL" else ""
            return f"ended by signal {name}{hint}"
        return f"ended with exit status {status} before it could say why"

    def kill(self):
        """Ends the process at once."""
        self._process.kill()
        self._process.wait()
        self._process.stdin.close()


def run_trial(folder, number, reference):
    """Runs a trial and reports it to the storage: all that its process does.

    Args:
        folder: `str` or `Path` of the study.
        number: `int`, number of the trial.
        reference: `str`, what it calls, see `function_reference`.
    """
    trial = SearchTrial(SearchStudy(folder), number)
    enter_trial(trial)
    complete = False
    try:
        value = _call(load_function(reference), trial)
        complete = True
        trial.complete(value, peak_mb=_peak_mb())
    except TrialPruned:
        trial.prune(peak_mb=_peak_mb())
    except BaseException as error:
        traceback.print_exc()
        # The line with the type; what Keras and TensorFlow write below is in the log,
        # and so are notes, which would come last.
        error.__dict__.pop("__notes__", None)
        text = traceback.format_exception_only(error)[-1].strip().splitlines()[0]
        trial.fail(text[:_MOST_CHARACTERS], peak_mb=_peak_mb())
    # A run folder keeps checkpoints for a training that goes on: trials do not.
    if complete:
        close_run(trial.folder)
    else:
        drop_weights(trial.folder)


def _call(function, trial):
    """Calls the function with the trial's settings, and its folder if it takes one."""
    takes_out = "out" in inspect.signature(function).parameters
    return function(**trial.settings, **({"out": trial.folder} if takes_out else {}))


def _end_with_search():
    """Ends this process when the search dies: another one tries these settings."""
    # Not sys.stdin: its lock would be held when Python ends.
    os.read(0, 1)
    os._exit(1)


def _peak_mb():
    """The most memory that this process held."""
    return round(peak_memory() / 2**20)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the search's
    threading.Thread(target=_end_with_search, daemon=True).start()
    run_trial(sys.argv[1], int(sys.argv[2]), sys.argv[3])
