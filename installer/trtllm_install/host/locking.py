"""One run at a time; a lock dies with its holder, so it cannot be stale."""

import fcntl
import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from trtllm_install.host.errors import refusals
from trtllm_install.model.errors import Locked


@contextmanager
def lock(path: str) -> Iterator[None]:
    """Hold the lock; raises Locked with the holder's pid, command and age.

    The file is never removed: removing it would let two runs hold two files.
    """
    with refusals(f"open the lock {path}"):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(path, flags, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = _holder(descriptor)
            raise Locked(
                f"cannot start: another run holds the lock: {holder}",
                hint="wait for it to end, then run the same command again",
            ) from None
        note = {"pid": os.getpid(), "command": sys.argv, "since": time.time()}
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(note).encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _holder(descriptor: int) -> str:
    """Say who holds it; the note may not be written yet."""
    try:
        note = json.loads(os.pread(descriptor, 4096, 0))
        age = int(time.time() - float(note["since"]))
        return f"pid {int(note['pid'])}, {' '.join(map(str, note['command']))}, for {age} s"
    except (ValueError, KeyError, TypeError):
        return "a run that has just started"
