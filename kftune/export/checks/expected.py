"""The check `expected`: the answers are those of the live task when it was exported."""

from kftune.export.checks.answers import answer_problems
from kftune.export.checks.outcome import failed, note, ok
from kftune.export.checks.version_files import open_session, read_expected

_TOLERANCE = 1e-4


def check(version, options=None):
    """Compares the answers to the texts of `expected.json`.

    Args:
        version: `Path`, the folder of the version.
        options: not used.

    Returns:
        `Outcome`.
    """
    expected = read_expected(version)
    if expected is None or not expected["cases"]:
        return note("no expected.json with cases: no answers were compared")
    cases = expected["cases"]
    if problems := answer_problems(open_session(version), cases, _TOLERANCE):
        return failed(*problems)
    signatures = sorted({case["signature"] for case in cases})
    return ok(
        f"{len(cases)} cases of {', '.join(signatures)} as from the live task: texts "
        f"equal, numbers within {_TOLERANCE:g}"
    )
