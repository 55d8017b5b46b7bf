"""A search space read from a file."""

import re
from pathlib import Path

import yaml

from kftune.error_text import shortened


class _Loader(yaml.SafeLoader):
    """Reads 1e-5 as a number, as JSON and YAML 1.2 do; PyYAML alone makes it a text."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+$"),
    list("-+0123456789"),
)


def read_space(path):
    """Reads a search space from a YAML or JSON file.

    Args:
        path: `str` or `Path`.

    Returns:
        `dict` of setting to list, range or fixed value, as `search` takes it, which
        checks it, too.

    Raises:
        ValueError: if the file holds something else than names and values.

    Example:
    ```python
    space = read_space("recipes/configs/search_reviews.yaml")
    ```
    """
    space = yaml.load(Path(path).read_text("utf-8"), _Loader)
    if not isinstance(space, dict):
        raise ValueError(
            f"Expected a search space in {path}: lines of `setting: [value, ...]` or "
            f"`setting: {{low: ..., high: ...}}`. Received: {shortened(space)}"
        )
    return space
