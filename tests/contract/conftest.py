"""What tests of the collection share."""

from pathlib import Path

import pytest

from fakes.command_line import CommandLine
from fakes.controlled import Controlled
from lab import collection


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of collections that holds ours."""
    folder = tmp_path_factory.mktemp("collections")
    collection.place(folder)
    return folder


@pytest.fixture(name="controlled")
def control_host(
    home: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Controlled:
    """Return a host on which modules run."""
    return Controlled(home, tmp_path, CommandLine(monkeypatch, capsys), capsys)
