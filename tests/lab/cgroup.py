"""A control group for each lab root.

Roots that were started in one group would share the tree below it. Each systemd
would then find the other's units in its own, and on stopping a service try to kill
processes that it cannot even number ("Failed to kill control group").
"""

import os
import time
from collections.abc import Iterable, Sequence
from pathlib import Path


def make_groups(name: str) -> list[Path]:
    """Make a group below the caller's own, in each hierarchy in which systemd keeps its tree."""
    folders = [_mount_point(wanted) / path.lstrip("/") / name for wanted, path in _own_groups()]
    for folder in folders:
        folder.mkdir()
    return folders


def enter_and_run(folders: Iterable[Path], argv: Sequence[str]) -> list[str]:
    """Return the command that runs ``argv`` in these groups."""
    enter = [f'echo $$ >"{folder}/cgroup.procs"' for folder in folders]
    return ["sh", "-c", " && ".join([*enter, 'exec "$@"']), "sh", *argv]


def remove_groups(folders: Iterable[Path], *, seconds: float = 10) -> None:
    """Remove the groups and all below; their processes must be ending."""
    deadline = time.monotonic() + seconds
    for top in folders:
        below = [Path(folder) for folder, _, _ in os.walk(top, topdown=False)]
        for folder in below:
            while True:
                try:
                    folder.rmdir()
                    break
                except OSError:  # busy: the kernel is still reaping
                    if time.monotonic() > deadline:
                        raise
                    time.sleep(0.05)


def _own_groups() -> list[tuple[str, str]]:
    """Return hierarchy and path of the caller's groups: the unified one, systemd's named one."""
    lines = Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    groups = [line.split(":", 2)[1:] for line in lines]
    return [(kind, path) for kind, path in groups if kind in {"", "name=systemd"}]


def _mount_point(kind: str) -> Path:
    for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines():
        before, _, after = line.partition(" - ")
        file_system, _, options = after.split(" ", 2)
        unified = kind == "" and file_system == "cgroup2"
        if unified or (file_system == "cgroup" and kind and kind in options.split(",")):
            return Path(before.split(" ")[4])
    raise RuntimeError(f"cannot find the control group hierarchy {kind or 'unified'}: not mounted")
