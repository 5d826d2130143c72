"""Processes below a process, read from /proc; no group or session is relied on."""

import os
from collections.abc import Iterable

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_DEAD = ("Z", "X", "x")


class Process:
    """One line of /proc/<pid>/stat; ``start`` tells a reused pid from the process itself."""

    __slots__ = ("cpu_s", "parent", "pid", "start", "state")

    def __init__(self, pid: int, parent: int, state: str, start: int, cpu_s: float) -> None:
        self.pid = pid
        self.parent = parent
        self.state = state
        self.start = start  # clock ticks after boot
        self.cpu_s = cpu_s

    @property
    def alive(self) -> bool:
        """Tell whether it can still do anything; a zombie cannot."""
        return self.state not in _DEAD


def parse_stat(text: str) -> Process:
    """Return the process that a line of /proc/<pid>/stat describes.

    The name in parentheses may hold spaces and parentheses, so the fields are
    counted from the last one (proc_pid_stat(5)).
    """
    before, _, after = text.rpartition(")")
    fields = after.split()
    cpu = (int(fields[11]) + int(fields[12])) / _TICKS_PER_S
    return Process(int(before.split(" ", 1)[0]), int(fields[1]), fields[0], int(fields[19]), cpu)


def read_process(pid: int) -> Process | None:
    """Return the process ``pid``, None if there is none."""
    text = read_proc(f"{pid}/stat")
    return parse_stat(text) if text else None


def read_processes() -> list[Process]:
    """Return every process that /proc shows."""
    names = os.listdir("/proc")  # noqa: PTH208 (pathlib costs 2 MB of memory)
    found = (read_process(int(name)) for name in names if name.isdigit())
    return [process for process in found if process]


def below(root: int, processes: Iterable[Process]) -> list[Process]:
    """Return the descendants of ``root``, parents before children, without ``root``."""
    children: dict[int, list[Process]] = {}
    for process in processes:
        children.setdefault(process.parent, []).append(process)
    found: list[Process] = []
    wanted = [root]
    while wanted:
        for child in children.get(wanted.pop(0), ()):
            found.append(child)
            wanted.append(child.pid)
    return found


def living_below(root: int) -> list[Process]:
    """Return the descendants of ``root`` that are not yet dead."""
    return [process for process in below(root, read_processes()) if process.alive]


def read_io(pid: int) -> tuple[int, int]:
    """Return what ``pid`` has read so far, and how much of it from disk; bytes, 0 if hidden.

    The first is the larger of two counters of proc_pid_io(5): ``rchar`` misses mapped
    files, ``read_bytes`` the page cache.
    """
    counters = dict(
        line.split(": ", 1) for line in read_proc(f"{pid}/io").splitlines() if ": " in line
    )
    disk = int(counters.get("read_bytes", 0))
    return max(int(counters.get("rchar", 0)), disk), disk


def read_proc(name: str) -> str:
    """Return the text of /proc/<name>, empty when it is gone or hidden."""
    try:
        with open(f"/proc/{name}", encoding="utf-8", errors="replace") as file:  # noqa: PTH123 (as above)
            return file.read()
    except OSError:
        return ""


def send_signal(pid: int, number: int) -> bool:
    """Signal one process; False if it is gone or not ours."""
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True
