"""Which process holds a lock: the kernel is asked, a note in the file is not believed alone."""

import json
import os
import time
from dataclasses import dataclass

from trtllm_install.model.secrets import mask_argv


@dataclass(frozen=True, slots=True, kw_only=True)
class LockHolder:
    """Who holds a lock, as far as this process can see."""

    kind: str  # "run" that left a note of itself, or "program"
    words: str  # pid and command; empty = it is not seen from here


def find_holder(descriptor: int) -> LockHolder:
    """Return who holds the flock(2) lock on an open file.

    A run leaves its pid, command and time in the file for good, so these are its holder's
    only while that process has the lock. Else it is looked for among all processes; those of
    another pid namespace, and those of others where the caller is not root, are not seen.
    """
    pid, words = _note(descriptor)
    if pid and _holds(pid, descriptor):
        return LockHolder(kind="run", words=words)
    for other in sorted(int(name) for name in os.listdir("/proc") if name.isdigit()):
        if _holds(other, descriptor):
            return LockHolder(kind="program", words=f"pid {other}, {_command(other)}")
    return LockHolder(kind="program", words="")


def write_note(descriptor: int, argv: list[str]) -> None:
    """Say in the file that this process holds its lock."""
    note = {"pid": os.getpid(), "command": mask_argv(argv), "since": time.time()}
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, json.dumps(note).encode(), 0)


def _note(descriptor: int) -> tuple[int, str]:
    """Return what the last run wrote of itself, 0 where it is not whole."""
    try:
        note = json.loads(os.pread(descriptor, 4096, 0))
        age = max(0, int(time.time() - float(note["since"])))  # the clock may have been set
        pid = int(note["pid"])
        return pid, f"pid {pid}, {' '.join(map(str, note['command']))}, for {age} s"
    except (ValueError, KeyError, TypeError, OverflowError):
        return 0, ""


def _holds(pid: int, descriptor: int) -> bool:
    """Tell whether a process has the file open by a descriptor that is locked (proc(5))."""
    wanted = os.fstat(descriptor)
    try:
        for number in os.listdir(f"/proc/{pid}/fd"):
            if os.path.samestat(os.stat(f"/proc/{pid}/fd/{number}"), wanted):
                with open(f"/proc/{pid}/fdinfo/{number}", encoding="ascii") as info:
                    if any(line.startswith("lock:") and " FLOCK " in line for line in info):
                        return True
    except OSError:
        pass  # gone meanwhile, or another user's
    return False


def _command(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/cmdline", encoding="utf-8", errors="replace") as file:
            words = file.read().rstrip("\0").split("\0")
    except OSError:
        words = []
    return " ".join(mask_argv(words)) or "which has just ended"
