"""Errors of a session, in words that say how to mend the export."""

_ADVICE = {
    "Could not find variable": "The SavedModel does not hold the variable. Track "
    "[v.value for v in model.variables], or use keras.export.ExportArchive().track",
    "XLA compilation disabled": "Export without jit_compile and keras.ops.slice_update",
    "Op type not registered": "Write it with the ops of TensorFlow and TF Text",
    "uninitialized": "The SavedModel does not hold the table or variable. Track it",
}


def explained(error):
    """Says what an error of TensorFlow means.

    Args:
        error: `Exception`.

    Returns:
        `str`, one line: the error and advice if it is known.
    """
    message = getattr(error, "message", None) or str(error)
    line = next((line for line in message.splitlines() if line.strip()), "")
    advice = [text for sign, text in _ADVICE.items() if sign in message]
    return ". ".join([f"{type(error).__name__}: {line.strip()[:300]}", *advice])
