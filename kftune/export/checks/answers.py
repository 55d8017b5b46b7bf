"""Compares the answers of a session with those that are expected."""

import numpy as np

from kftune.error_text import first_few, shortened
from kftune.export.checks.session_errors import explained

_HALF = 0.01


def tolerance_of(expected, exact):
    """Tells how far numbers may be apart.

    Args:
        expected: `dict`, that of `expected.json`.
        exact: `float`, for float32.

    Returns:
        `float`; 0.01 if the task computes in half precision, where a single rounding
        changes a number by up to 0.4 % (bfloat16).
    """
    dtype = expected.get("compute_dtype", "float32")
    return _HALF if dtype in ("bfloat16", "float16") else exact


def answer_problems(session, cases, tolerance):
    """Runs cases in a session and compares.

    Args:
        session: `kftune.export.server_session.ServerSession`.
        cases: list of `dict` of `signature`, `inputs` and `outputs`, as in
            `expected.json`.
        tolerance: `float`. How far floats may be apart; for values beyond 1, times
            their size.

    Returns:
        List of `str`.
    """
    return [
        f"{case['signature']}, case {number}: {problem}"
        for number, case in enumerate(cases, start=1)
        for problem in _case_problems(session, case, tolerance)
    ]


def _case_problems(session, case, tolerance):
    try:
        outputs = session.run(case["signature"], case["inputs"])
    except Exception as error:  # every error of a served graph is a finding
        return [explained(error)]
    wanted = case["outputs"]
    if unknown := sorted(wanted.keys() - outputs.keys()):
        return [f"expected outputs {unknown}. Received: {sorted(outputs)}"]
    found = [_difference(wanted[key], outputs[key], tolerance) for key in wanted]
    return [f"{k}: {text}" for k, text in zip(wanted, found, strict=True) if text]


def _difference(wanted, received, tolerance):
    """How an output differs from what is expected, or `None`."""
    is_text = received.dtype == object
    wanted = np.array(wanted, object if is_text else "float64")
    if wanted.shape != received.shape:
        return f"expected the shape {wanted.shape}. Received: {received.shape}"
    if is_text:
        return _text_difference(wanted, received)
    gaps = np.abs(wanted - received) / np.maximum(1, np.abs(wanted))
    if np.all(gaps <= tolerance):
        return None
    return f"expected numbers within {tolerance:g}. Received: {gaps.max():.3g} apart"


def _text_difference(wanted, received):
    pairs = [
        (text, answer.decode("utf-8", "replace"))
        for text, answer in zip(wanted.flat, received.flat, strict=True)
    ]
    changed = [
        f"{shortened(answer)} in place of {shortened(text)}"
        for text, answer in pairs
        if text != answer
    ]
    if not changed:
        return None
    return f"expected the same texts. Received: {first_few(changed, 3, str)}"
