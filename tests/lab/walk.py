"""Runs kill_walk.py or fault_walk.py in a root, with the tool's own Python."""

import os
import re
import sys
from pathlib import Path

from lab import roots


def walk(root: roots.Root, name: str, supervisor: str, *, walks: int, timeout: float) -> None:
    """Demand that every point of every walk ended with the old tree or the new one."""
    if not Path(f"{root.tree}/opt/trtllm/tool").exists():
        brought = root.bootstrap("--version")
        assert brought.returncode == 0, brought.stderr
    program = ("/opt/trtllm/tool/bin/python", "-m", f"lab.{name}", supervisor)
    surroundings = {
        "PYTHONPATH": f"{roots.CHECKOUT_INSIDE}/tests",
        "PYTHONDONTWRITEBYTECODE": "1",
        "TRTLLM_WALK": os.environ.get("TRTLLM_WALK", ""),
    }
    ended = root.run(*program, timeout=timeout, environment=surroundings)
    sys.stdout.write(ended.stdout)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    said = re.findall(r": (\d+) of (\d+)\b", ended.stdout)
    assert len(said) >= walks
    assert all(had == of != "0" for had, of in said)
