"""Folders of small SavedModels."""

import pytest
from small_saved_models import save_scorer


@pytest.fixture
def version(tmp_path):
    """Folder of a version that is not there yet."""
    return tmp_path / "reviews" / "1"


@pytest.fixture
def scorer(version):
    """Folder of a version that passes every check."""
    return save_scorer(version)
