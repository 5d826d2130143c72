"""Runs kill_walk.py in a root, with the tool's own Python."""

import re
import sys

from lab import roots

_WALKS = 4


def walk(root: roots.Root, supervisor: str) -> None:
    """Demand that every point of every walk ended with the old tree or the new one."""
    brought = root.bootstrap("--version")
    assert brought.returncode == 0, brought.stderr
    script = f"{roots.CHECKOUT_INSIDE}/tests/lab/kill_walk.py"
    ended = root.run("/opt/trtllm/tool/bin/python", script, supervisor, timeout=380)
    sys.stdout.write(ended.stdout)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    said = re.findall(r": (\d+) of (\d+) ", ended.stdout)
    assert len(said) == _WALKS
    assert all(had == of != "0" for had, of in said)
