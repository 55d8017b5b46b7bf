import pytest


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
