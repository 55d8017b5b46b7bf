"""A trial in a process of its own: its memory is free again when it ends."""

import contextlib
import multiprocessing
import multiprocessing.connection
import os
import resource
import shutil
import signal
import subprocess
import sys
import threading
import traceback

from kftune.training.run_folder import BACKUP, BEST_WEIGHTS
from kftune.training.trial_callback import Trial, TrialPruned, enter_trial
from kftune.training.trial_function import load_function

LOG = "log.txt"
_MOST_CHARACTERS = 300  # of an error
_PROGRAM = "from kftune.training.trial_process import run_trial; run_trial({channel})"


class TrialProcess:
    """The process of a trial, as the search sees it.

    Args:
        reference: `str`, see `function_reference`.
        settings: `dict`, the function's keyword arguments.
        folder: `Path`, where the output goes, to `log.txt`; made when missing.
        monitor: `str`, the log entry that `TrialCallback` reports.
    """

    def __init__(self, reference, settings, folder, monitor):
        folder.mkdir(parents=True, exist_ok=True)
        self.channel, theirs = multiprocessing.Pipe()
        # Not forked: TensorFlow does not outlive that. Not spawned by multiprocessing:
        # what is printed while TensorFlow is imported belongs in the log, too.
        with (folder / LOG).open("ab") as log, theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _PROGRAM.format(channel=theirs.fileno())],
                env={
                    **os.environ,
                    "PYTHONPATH": os.pathsep.join(p or os.getcwd() for p in sys.path),
                    "PYTHONUNBUFFERED": "1",
                },
                stdin=subprocess.PIPE,  # it closes when this process ends, however
                stdout=log,
                stderr=log,
                pass_fds=[theirs.fileno()],
            )
        with contextlib.suppress(OSError):  # it died; `receive` finds out
            self.channel.send((reference, settings, folder, monitor))

    def receive(self):
        """Waits for what the trial sends next.

        Returns:
            `("report", value)`, to be answered by `reply`; or, once, `("ended",
            outcome)`: a `dict` with `value`, what the function returned, `pruned`,
            `error`, and `peak_mb`, the most memory it held.
        """
        try:
            message = self.channel.recv()
        except (EOFError, OSError):
            message = ("ended", {"error": _death(self._process.wait())})
        if message[0] == "ended":
            self._close()
        return message

    def reply(self, prune):
        """Answers a report: whether the trial shall end."""
        with contextlib.suppress(OSError):  # it died; `receive` finds out
            self.channel.send(prune)

    def kill(self):
        """Ends the process at once."""
        self._process.kill()
        self._close()

    def _close(self):
        """Waits for the end of the process and frees what belonged to it."""
        self._process.wait()
        self._process.stdin.close()
        self.channel.close()


def run_trial(channel):
    """Runs a trial: all that its process does.

    Args:
        channel: `int`, file descriptor of the connection to the search.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the search's
    threading.Thread(target=_end_with_search, daemon=True).start()
    channel = multiprocessing.connection.Connection(channel)
    reference, settings, folder, monitor = channel.recv()
    enter_trial(Trial(channel, monitor))
    outcome = {"value": None, "pruned": False, "error": None}
    try:
        outcome["value"] = _as_number(load_function(reference)(**settings))
    except TrialPruned:
        outcome["pruned"] = True
    except BaseException as error:
        traceback.print_exc()
        # The line with the type; what Keras and TensorFlow write below is in the log.
        text = traceback.format_exception_only(error)[-1]
        outcome["error"] = text.strip().splitlines()[0][:_MOST_CHARACTERS]
    _clear(folder, keep_weights=not (outcome["pruned"] or outcome["error"]))
    channel.send(("ended", {**outcome, "peak_mb": _peak_mb()}))


def _end_with_search():
    """Ends this process when the search dies: another one tries these settings."""
    # Not sys.stdin: its lock would be held when Python ends.
    os.read(0, 1)
    os._exit(1)


def _as_number(value):
    """What the function returned, if that is the trial's value."""
    try:
        return None if value is None else float(value)
    except (TypeError, ValueError) as error:
        raise TypeError(
            "Expected the function to return a number or nothing. Received: "
            f"{type(value).__name__}"
        ) from error


def _clear(folder, keep_weights):
    """Removes what a run folder keeps of a training that goes on: trials do not."""
    shutil.rmtree(folder / BACKUP, ignore_errors=True)
    if not keep_weights:
        (folder / BEST_WEIGHTS).unlink(missing_ok=True)


def _peak_mb():
    """The most memory that this process held."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    unit = 2**20 if sys.platform == "darwin" else 2**10  # bytes there, KiB on Linux
    return round(peak / unit)


def _death(status):
    """Says how a process ended that could not say it itself."""
    if status < 0:
        name = signal.Signals(-status).name
        hint = " (often: the memory ran out)" if name == "SIGKILL" else ""
        return f"ended by signal {name}{hint}"
    return f"ended with exit status {status} before it could say why"
