"""Folders of small SavedModels, and a server of one."""

import pytest
from small_saved_models import save_scorer
from toy_served_model import save_toy

from kftune.export import StandInServer


@pytest.fixture
def version(tmp_path):
    """Folder of a version that is not there yet."""
    return tmp_path / "reviews" / "1"


@pytest.fixture
def scorer(version):
    """Folder of a version that passes every check."""
    return save_scorer(version)


@pytest.fixture(scope="session")
def toy_model(tmp_path_factory):
    """The base path of the model `toy`, whose version is 10."""
    folder = tmp_path_factory.mktemp("serving") / "toy"
    save_toy(folder / "10")
    for name in ("2", ".writing-11", "011", "assets", "12"):  # No newer versions.
        (folder / name).mkdir()
    return folder


@pytest.fixture(scope="session")
def server(toy_model):
    """A stand-in server of the toy model."""
    with StandInServer(toy_model) as server:
        yield server
