"""Whether runs that are there are to be made anew: `--overwrite` of all recipes."""

import contextlib
import contextvars

_asked = contextvars.ContextVar("overwriting", default=False)


@contextlib.contextmanager
def overwriting(asked=True):
    """Makes `open_run` and `open_runs` discard what is there, within a block.

    Args:
        asked: bool.

    Yields:
        Nothing.

    Example:
    ```python
    with overwriting():
        open_run("runs/a", {"epochs": 3})  # False: begins anew
    ```
    """
    token = _asked.set(asked)
    try:
        yield
    finally:
        _asked.reset(token)


def is_overwriting():
    """Tells whether a block of `overwriting` was entered.

    Returns:
        bool.
    """
    return _asked.get()
