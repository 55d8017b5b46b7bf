"""Which versions of a model stand under its base path."""

from pathlib import Path


def newest_version(base_path):
    """Gives the highest version under a base path, the one that a server answers with.

    Args:
        base_path: `str` or `Path`.

    Returns:
        `int`: of the folders whose names are positive integers without leading zeros.

    Raises:
        FileNotFoundError: if there is none.

    Example:
    ```python
    newest_version("serving/reviews")  # 2
    ```
    """
    names = [path.name for path in Path(base_path).glob("[1-9]*") if path.is_dir()]
    versions = [int(name) for name in names if name.isascii() and name.isdigit()]
    if not versions:
        raise FileNotFoundError(
            f"Expected versions, folders named 1, 2, …, in {base_path}. Received: "
            "none. Write one with kftune.export.export_saved_model."
        )
    return max(versions)
