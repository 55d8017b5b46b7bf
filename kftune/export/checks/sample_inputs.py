"""Inputs for a signature: texts, and values for its options."""

import numpy as np

from kftune.error_text import first_few
from kftune.export.checks.contract import INPUTS


def sample_inputs(signature, texts, cases):
    """Makes a batch for a signature.

    Args:
        signature: `kftune.export.server_session.Signature`.
        texts: list of B `bytes`.
        cases: list of `dict`, those of `expected.json`. Values of options that are not
            known by name are taken out of them.

    Returns:
        `dict` of `str` to arrays `(B,)`, one for each input.

    Raises:
        ValueError: if there are inputs for which no value is known.
    """
    names = [name for name in signature.inputs if name != "text"]
    values = {name: _values(name, cases) for name in names}
    if unknown := [name for name in names if not values[name]]:
        raise ValueError(
            f"Expected inputs of the names {sorted(INPUTS)}, or cases in expected.json "
            f"that give values. Received: {first_few(unknown)}. Export again"
        )
    batch = {
        name: _cycled(values[name], len(texts), signature.inputs[name].dtype)
        for name in names
    }
    if "text" in signature.inputs:
        batch["text"] = np.array(texts, object)
    return batch


def _values(name, cases):
    """Values that an input may have, in order."""
    known = INPUTS.get(name, (None, None))[1]
    return known or [v for case in cases for v in case["inputs"].get(name, [])]


def _cycled(values, count, dtype):
    rows = [values[row % len(values)] for row in range(count)]
    return np.array(rows, object if dtype == "string" else dtype)
