"""The check `expected`: the answers are those of the live task when it was exported."""

from kftune.export.checks.answers import answer_problems, tolerance_of
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
    tolerance = tolerance_of(expected, _TOLERANCE)
    if problems := answer_problems(open_session(version), cases, tolerance):
        return failed(*problems)
    signatures = sorted({case["signature"] for case in cases})
    return ok(
        f"{', '.join(signatures)} as the live task (cases: {len(cases)}): texts "
        f"equal, numbers within {tolerance:g}"
    )
