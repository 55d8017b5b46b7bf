"""The check `preset`: the answers are those of the saved preset, by Keras, now."""

import json
import tempfile
from pathlib import Path

from kftune.export.checks.answers import answer_problems, tolerance_of
from kftune.export.checks.outcome import failed, ok
from kftune.export.checks.processes import run_module
from kftune.export.checks.version_files import open_session, read_expected

_TOLERANCE = 1e-5
_ADVICE = "If the preset is the one that was exported, export it again"


def check(version, options):
    """Compares the answers with predictions of a preset, made in another process.

    Args:
        version: `Path`, the folder of the version.
        options: `dict` with `preset`, a `str`: folder or name of the preset.

    Returns:
        `Outcome`.
    """
    preset = options["preset"]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "live.json")
        arguments = [str(preset), str(version), str(path)]
        process = run_module("kftune.export.checks.live_predictions", arguments)
        if not path.is_file():
            return failed(f"{preset} cannot predict: {process.last_words}")
        cases = json.loads(path.read_text("utf-8"))["cases"]
    if not cases:
        return failed(f"{version} names no answers that {preset} could repeat")
    tolerance = tolerance_of(read_expected(version) or {}, _TOLERANCE)
    if problems := answer_problems(open_session(version), cases, tolerance):
        return failed(*(f"{problem}. {_ADVICE}" for problem in problems))
    texts = sum(len(case["inputs"]["text"]) for case in cases)
    names = sorted({name for case in cases for name in case["outputs"]})
    return ok(
        f"{texts} texts as {preset} predicts them now: {', '.join(names)}; texts "
        f"equal, numbers within {tolerance:g}"
    )
