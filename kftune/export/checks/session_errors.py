"""Errors of a session, in words that say how to mend the export."""

_ADVICE = {
    "Could not find variable": "The SavedModel does not hold the variable. Track "
    "[v.value for v in model.variables], or use keras.export.ExportArchive().track",
    "XLA compilation disabled": "Export without jit_compile and keras.ops.slice_update",
    "Op type not registered": "Write it with the ops of TensorFlow and TF Text",
    "uninitialized": "The SavedModel does not hold the table or variable. Track it",
}


_NO_NEWS = "Graph execution error:"
_MOST = 300  # characters


def explained(error):
    """Says what an error of TensorFlow means.

    Args:
        error: `Exception`.

    Returns:
        `str`, one line: the error and advice if it is known.
    """
    message = getattr(error, "message", None) or str(error)
    signs = [sign for sign in _ADVICE if sign in message]
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    told = [line for line in lines if any(sign in line for sign in signs)]
    told = told or [line for line in lines if line != _NO_NEWS] or lines or ["no text"]
    advice = [_ADVICE[sign] for sign in signs[:1]]
    return ". ".join([f"{type(error).__name__}: {told[0][:_MOST]}", *advice])
