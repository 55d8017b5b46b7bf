"""`results.json`: what a run was, on what it ran, and what came out."""

import dataclasses
import datetime
import importlib.metadata
import json
import math
import os
import platform

import keras
import numpy as np

from kftune.files import write_aside

_PACKAGES = ("kftune", "keras", "keras-hub", "datasets", "tokenizers", "scikit-learn")


def write_results(path, *, settings, **results):
    """Writes the results of a run, with all that is needed to repeat it.

    The file appears whole or not at all. Numbers that JSON does not have (not a
    number, infinity) become null.

    Args:
        path: `str` or `Path` of the JSON file.
        settings: `dict`, the resolved settings of the run.
        **results: what came out, by name; nested as it is to stand in the file. Of a
            dataclass, such as `kftune.tuning.FreezeReport`, its fields.

    Returns:
        `dict`, what was written: the results, `"settings"`, `"versions"`, `"machine"`
        and `"finished"`, the time in UTC.

    Raises:
        TypeError: if a value is not one of JSON's, NumPy's or a path.

    Example:
    ```python
    write_results(
        "runs/reviews/results.json",
        settings={"preset": "gpt2_tiny_en", "epochs": 3, "seed": 0},
        times={"fit": 212.5},
        test={"accuracy": 0.79, "macro_f1": 0.78},
        baselines=score_baselines(train, test),
    )
    ```
    """
    written = _plain(
        {
            **results,
            "settings": settings,
            "versions": _versions(),
            "machine": {"platform": platform.platform(), "cpus": os.cpu_count()},
            "finished": datetime.datetime.now(datetime.UTC).isoformat("T", "seconds"),
        }
    )
    with write_aside(path) as aside:
        aside.write_text(
            json.dumps(written, indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
        )
    return written


def _versions():
    """Versions of Python, the backend and the packages that change results."""
    backend = keras.config.backend()
    versions = {"python": platform.python_version(), "backend": backend}
    for package in (*_PACKAGES, backend):
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = None
    return versions


def _plain(value):
    """Turns NumPy's numbers, paths, tuples and dataclasses into what JSON has."""
    if dataclasses.is_dataclass(value):
        value = vars(value)
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic | np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
