"""A full disk: whatever the room, the tree is the old one or the new one."""

import subprocess
import sys
from pathlib import Path

import pytest

from lab import images, needs

pytestmark = pytest.mark.timeout(120)


def test_an_install_without_room_leaves_the_tree_as_it_was(tmp_path: Path) -> None:
    needs.require_root()
    needs.require("unshare", "mount")
    script = images.CHECKOUT / "tests/lab/full_disk.py"
    ended = subprocess.run(
        ["unshare", "--mount", sys.executable, str(script), str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    sys.stdout.write(ended.stdout)
    assert [line.partition(":")[0] for line in ended.stdout.splitlines()] == ["multi", "qwen"]
