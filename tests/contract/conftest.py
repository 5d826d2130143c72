"""What tests of the collection share."""

from pathlib import Path

import pytest

from lab import collection


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of collections that holds ours."""
    folder = tmp_path_factory.mktemp("collections")
    collection.place(folder)
    return folder
