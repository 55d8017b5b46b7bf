"""Answers of a model server that are no results, as Python's own exceptions."""


class TryAgainError(ConnectionError):
    """The server cannot answer now, and may in a moment: down, starting, or full."""


def serving_error(code, message):
    """Gives the exception for a failed request.

    Args:
        code: `str`, the name of a gRPC status code, such as `"NOT_FOUND"`.
        message: `str`, what the server said.

    Returns:
        `TryAgainError` for UNAVAILABLE and RESOURCE_EXHAUSTED, `LookupError` if there
        is no such model, version or signature, `ValueError` for other requests that
        are not as the server expects, `TimeoutError`, or `RuntimeError` for failures
        inside the server.

    Example:
    ```python
    raise serving_error("INVALID_ARGUMENT", "Missing named input: text")  # ValueError
    ```
    """
    text = f"The server answered {code}: {message}"
    if code in ("UNAVAILABLE", "RESOURCE_EXHAUSTED"):
        return TryAgainError(text)
    if code == "NOT_FOUND" or _is_missing_signature(code, message):
        return LookupError(text)
    if code in ("INVALID_ARGUMENT", "OUT_OF_RANGE"):
        return ValueError(text)
    if code == "DEADLINE_EXCEEDED":
        return TimeoutError(text)
    return RuntimeError(text)


def _is_missing_signature(code, message):
    """TensorFlow Serving has no code of its own for an unknown signature."""
    return (
        code in ("FAILED_PRECONDITION", "INVALID_ARGUMENT")
        and "Serving signature" in message
        and "not found" in message
    )
