"""An install that fails, and one that is killed, at every step, under supervisord."""

import os
from collections.abc import Iterator

import pytest

from lab import images, roots
from lab.walk import walk

_WHOLE = os.environ.get("TRTLLM_WALK") == "1"
_FAULTS_S = 7200 if _WHOLE else 300
pytestmark = [pytest.mark.lab, pytest.mark.timeout(_FAULTS_S + 500)]
STAGED = True


@pytest.fixture(scope="module")
def root() -> Iterator[roots.PlainRoot]:
    with roots.PlainRoot(images.DEBIAN_12) as host:
        yield host


def test_every_point_that_is_killed_ends_old_or_new(root: roots.PlainRoot) -> None:
    walk(root, "kill_walk", "supervisord", walks=4, timeout=380)
    ended = root.run("trtllm-install", "uninstall", "--purge", "--yes", timeout=120)
    assert ended.returncode == 0, ended.stderr


def test_every_fault_ends_old_or_new_or_says_what_is_left(root: roots.PlainRoot) -> None:
    walk(root, "fault_walk", "supervisord", walks=6, timeout=_FAULTS_S)
