"""The check `server_session`: every signature answers odd texts, XLA being disabled."""

import numpy as np

from kftune.error_text import first_few
from kftune.export.checks.contract import ODD_TEXTS
from kftune.export.checks.outcome import failed, ok
from kftune.export.checks.sample_inputs import sample_inputs
from kftune.export.checks.session_errors import explained
from kftune.export.checks.version_files import known_cases, open_session

_BATCH_SIZES = (1, 3, 32)


def check(version, options=None):
    """Runs every signature with batches of odd texts.

    Args:
        version: `Path`, the folder of the version.
        options: not used.

    Returns:
        `Outcome`.
    """
    session, cases = open_session(version), known_cases(version)
    problems = []
    for name in session.signatures:
        found = (_problems(session, name, size, cases) for size in _BATCH_SIZES)
        problems += next(filter(None, found), [])  # the next sizes fail alike
    if problems:
        return failed(*problems)
    return ok(
        f"{', '.join(session.signatures)} with batches of {_BATCH_SIZES}: empty texts, "
        "emoji, right to left, no UTF-8, 10,000 characters, control characters"
    )


def _problems(session, name, size, cases):
    """What is wrong with the answers of a signature to a batch."""
    texts = [ODD_TEXTS[row % len(ODD_TEXTS)] for row in range(size)]
    where = f"{name} with {size} texts"
    try:
        inputs = sample_inputs(session.signatures[name], texts, cases)
        outputs = session.run(name, inputs)
    except Exception as error:  # every error of a served graph is a finding
        return [f"{where}: {explained(error)}"]
    return [
        f"{where}: {problem}"
        for key, array in outputs.items()
        for problem in _output_problems(key, array, size)
    ]


def _output_problems(key, array, size):
    if np.shape(array)[:1] != (size,):
        yield (
            f"expected {size} rows of {key}. Received: the shape {np.shape(array)}. "
            "The first axis of every output is the batch"
        )
    if array.dtype == object and (broken := _broken(array)):
        yield (
            f"expected UTF-8 in {key}. Received: {first_few(broken, most=2)}. End with "
            'tf.strings.unicode_transcode(x, "UTF-8", "UTF-8", errors="replace")'
        )
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        yield f"expected finite numbers in {key}. Received: NaN or infinity"


def _broken(array):
    """Strings that are no UTF-8."""
    return [text for text in array.flat if not _is_utf8(text)]


def _is_utf8(text):
    try:
        text.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
