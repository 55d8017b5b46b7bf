"""Files with given content, and rows of different lengths."""

import numpy as np
import pytest

from kftune.data import LengthBucketed


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    """A Keras home of the test's own."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    return tmp_path / "keras" / "kftune"


@pytest.fixture
def write(tmp_path):
    """Writes bytes or text to a file and returns its path."""

    def write_file(name, content):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write_file


@pytest.fixture
def make_rows():
    """Makes rows of 1 to 24 tokens."""

    def make(count=61):
        rng = np.random.default_rng(7)
        return [rng.integers(1, 20, n) for n in rng.integers(1, 25, count)]

    return make


@pytest.fixture
def make_data(make_rows):
    """Makes batches of such rows, padded to 8, 16 or 24 tokens.

    Row i has the label i % 2 and the weight 1 + i / 64, which tells rows apart.
    """

    def make(count=61, **changes):
        settings = {"batch_size": 8, "boundaries": (8, 16, 24), **changes}
        labels = np.arange(count) % 2
        weights = 1 + np.arange(count, dtype="float32") / 64
        return LengthBucketed(make_rows(count), labels, weights, **settings)

    return make
