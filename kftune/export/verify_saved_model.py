"""Proves what can be proved of a SavedModel without TF Serving."""

import dataclasses
import json
from pathlib import Path

from kftune.export.checks.outcome import Outcome, failed
from kftune.export.checks.processes import run_module
from kftune.export.checks.version_files import find_version

_CHECKS = (
    "layout",
    "ops",
    "c_api",
    "server_session",
    "warmup",
    "expected",
    "preset",
    "cost",
)
_INDENT = "\n" + " " * 8


@dataclasses.dataclass(frozen=True)
class VerificationReport:
    """What the checks of an exported SavedModel found.

    Attributes:
        version_folder: `Path` of the version that was verified.
        outcomes: `dict` of `str`, the name of a check, to its `Outcome`: `status`,
            which is `"ok"`, `"note"` (nothing to check) or `"FAILED"`, and `text`.

    Example:
    ```python
    report = kftune.export.verify("serving/reviews")
    assert report.ok, report
    ```
    """

    version_folder: Path
    outcomes: dict

    @property
    def ok(self):
        """`bool`, True if no check failed."""
        return not self.failures

    @property
    def failures(self):
        """List of `str`, the names of the checks that failed."""
        return [n for n, found in self.outcomes.items() if found.status == "FAILED"]

    def __str__(self):
        lines = [outcome_line(name, found) for name, found in self.outcomes.items()]
        return "\n".join([*lines, self.summary()])

    def summary(self):
        """Says in a line how many checks held."""
        if self.ok:
            return f"{self.version_folder}: no check of {len(self.outcomes)} failed"
        return f"{self.version_folder}: FAILED {', '.join(self.failures)}"


def outcome_line(name, outcome):
    """Shows an outcome.

    Args:
        name: `str`, of the check.
        outcome: `Outcome`.

    Returns:
        `str`: one line, and one more for each further problem.
    """
    status = f"{outcome.status:<6}"
    return f"{status}  {name}: {_INDENT.join(outcome.text.splitlines())}"


def verify(folder, *, preset=None, calls=50, on_outcome=None):
    """Checks that an exported SavedModel would run in TF Serving's stock server.

    It proves what can be proved without the server: names and shapes; that the server
    knows all ops; that the model loads without Python; that every signature answers odd
    texts with XLA disabled; that warm-up requests succeed; that the answers are those
    of the live task. Each check runs in a fresh process, which takes some seconds to
    start.

    Args:
        folder: `str` or `Path`. A model's base path, whose newest version is checked,
            or the folder of a version.
        preset: `str`, `Path` or `None`. Folder or name of the preset that was exported;
            its predictions by Keras are compared with the answers, too.
        calls: `int`, 1 or more. How many calls are timed for each batch size.
        on_outcome: `None`, or function that is called with the name and the `Outcome`
            of each check as soon as it is done.

    Returns:
        `VerificationReport`. A check that fails raises nothing.

    Raises:
        FileNotFoundError: if there is no SavedModel in the folder.
        ValueError: if the versions are not named by positive integers, or if `calls` is
            less than 1.

    Example:
    ```python
    print(kftune.export.verify("serving/reviews", preset="runs/reviews/model"))
    ```
    """
    if calls < 1:
        raise ValueError(f"Expected calls of 1 or more. Received: {calls}")
    version = find_version(folder)
    options = {"preset": None if preset is None else str(preset), "calls": calls}
    outcomes = {}
    for name in _CHECKS:
        if name == "preset" and preset is None:
            continue
        outcomes[name] = _outcome(name, version, options)
        if on_outcome is not None:
            on_outcome(name, outcomes[name])
    return VerificationReport(version, outcomes)


def _outcome(name, version, options):
    """The outcome of a check in a fresh process, also if the process dies."""
    arguments = [name, str(version), json.dumps(options)]
    process = run_module("kftune.export.checks", arguments)
    last = process.output.strip().rpartition("\n")[2]
    try:
        return Outcome(**json.loads(last))
    except (TypeError, ValueError):
        return failed(
            f"the process of the check ended without it, {process.last_words}"
        )
