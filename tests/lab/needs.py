"""What a test needs of this machine: absent, it is skipped here and fails in CI."""

import os
import shutil
import sys
from pathlib import Path

import pytest


def program(name: str) -> str:
    """Return the path of a program: beside this Python first, then on the path."""
    places = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    found = shutil.which(name, path=places)
    if found is None:
        _cannot_run(f"not installed: {name}")
    return str(found)


def require(*names: str) -> None:
    """Go on only if every program is there."""
    for name in names:
        program(name)


def require_root() -> None:
    """Go on only as root."""
    if os.geteuid() != 0:
        _cannot_run("not root")


def _cannot_run(reason: str) -> None:
    if os.environ.get("CI") == "true":
        pytest.fail(f"CI must run this test: {reason}")
    pytest.skip(reason)
