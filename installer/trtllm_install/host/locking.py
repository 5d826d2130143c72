"""One run at a time; a lock dies with its holder, so it cannot be stale."""

import fcntl
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from trtllm_install.host.errors import refusals
from trtllm_install.host.lock_holder import LockHolder, find_holder, write_note
from trtllm_install.model.errors import Locked

_LOOK_EVERY_S = 0.1
_UNSEEN = "a process of another container or user, which cannot be seen from here"


@contextmanager
def lock(
    path: str, *, patience: float = 0.0, told: Callable[[str], None] | None = None
) -> Iterator[None]:
    """Hold the lock; raises Locked with the holder's pid and command, of a run its age too.

    Another's is waited for up to ``patience`` seconds, and ``told`` hears once whose it is.
    The file is never removed: removing it would let two runs hold two files.
    """
    with refusals(f"open the lock {path}"):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(path, flags, 0o600)
    try:
        _take(descriptor, path, patience, told)
        write_note(descriptor, sys.argv)
        yield
    finally:
        os.close(descriptor)


def _take(descriptor: int, path: str, patience: float, told: Callable[[str], None] | None) -> None:
    """Take it at once, or look again: flock(2) itself would wait without end."""
    deadline = time.monotonic() + patience
    while not _is_taken(descriptor):
        if time.monotonic() >= deadline:
            raise _locked(find_holder(descriptor), path, patience)
        if told:
            holder = find_holder(descriptor)
            told(f"waiting for another {holder.kind}: {holder.words or _UNSEEN}")
            told = None
        time.sleep(min(_LOOK_EVERY_S, max(0.0, deadline - time.monotonic())))


def _locked(holder: LockHolder, path: str, patience: float) -> Locked:
    waited = f" after {patience:g} s" if patience else ""
    which = "the lock" if holder.kind == "run" else f"the lock {path}"
    hint = "wait for it to end, then run the same command again; --lock-timeout S waits for it"
    if not holder.words:
        hint = "lsns --type pid lists where else it can run; --lock-timeout S waits for it"
    return Locked(
        f"cannot start: another {holder.kind} holds {which}{waited}: {holder.words or _UNSEEN}",
        hint=hint,
    )


def _is_taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
