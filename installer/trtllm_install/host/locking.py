"""One run at a time; a lock dies with its holder, so it cannot be stale."""

import fcntl
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from trtllm_install.host.errors import refusals
from trtllm_install.model.errors import Locked
from trtllm_install.model.secrets import mask_argv

_LOOK_EVERY_S = 0.1


@contextmanager
def lock(
    path: str, *, patience: float = 0.0, told: Callable[[str], None] | None = None
) -> Iterator[None]:
    """Hold the lock; raises Locked with the holder's pid, command and age.

    Another's is waited for up to ``patience`` seconds, and ``told`` hears once whose it is.
    The file is never removed: removing it would let two runs hold two files.
    """
    with refusals(f"open the lock {path}"):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(path, flags, 0o600)
    try:
        _take(descriptor, patience, told)
        note = {"pid": os.getpid(), "command": mask_argv(sys.argv), "since": time.time()}
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(note).encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _take(descriptor: int, patience: float, told: Callable[[str], None] | None) -> None:
    """Take it at once, or look again: flock(2) itself would wait without end."""
    deadline = time.monotonic() + patience
    while not _is_taken(descriptor):
        holder = _holder(descriptor)
        if time.monotonic() >= deadline:
            waited = f" after {patience:g} s" if patience else ""
            raise Locked(
                f"cannot start: another run holds the lock{waited}: {holder}",
                hint="wait for it to end, then run the same command again; "
                "--lock-timeout S waits for it",
            )
        if told:
            told(f"waiting for another run: {holder}")
            told = None
        time.sleep(min(_LOOK_EVERY_S, max(0.0, deadline - time.monotonic())))


def _is_taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holder(descriptor: int) -> str:
    """Say who holds it; the note may not be written yet."""
    try:
        note = json.loads(os.pread(descriptor, 4096, 0))
        age = max(0, int(time.time() - float(note["since"])))  # the clock may have been set
        return f"pid {int(note['pid'])}, {' '.join(map(str, note['command']))}, for {age} s"
    except (ValueError, KeyError, TypeError, OverflowError):
        return "a run that has just started"
