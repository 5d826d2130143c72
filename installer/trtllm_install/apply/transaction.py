"""All of it or none of it."""

from collections.abc import Callable, Sequence
from contextlib import suppress

from trtllm_install.apply.changes import apply_change, undo_change
from trtllm_install.apply.journal import Journal
from trtllm_install.host.protocol import Host
from trtllm_install.model.errors import ApplyFailed, HostError, Interrupted, NotUndone
from trtllm_install.model.tree import Change


def apply_all(host: Host, changes: Sequence[Change], *, told: Callable[[Change], None]) -> None:
    """Make every change, the receipt's among them; on any failure undo every one.

    Raises ApplyFailed (all undone), Interrupted (all undone) or NotUndone (its hint
    lists what is left). After a crash, ``recover`` does the undoing.
    """
    journal = Journal(host)
    try:
        for change in changes:
            if change.writes:
                journal.announce(change)
                apply_change(host, change)
                told(change)
        journal.commit()
    except KeyboardInterrupt:
        undone = recover(host)
        raise Interrupted(
            f"interrupted: undid {undone} changes", hint="run the same command again"
        ) from None
    except HostError as error:
        undone = recover(host)
        raise ApplyFailed(
            f"{error.message}; undid {undone} changes, the host is as it was", hint=error.hint
        ) from error
    # Nothing is lost when the journal cannot be cleared: the next run does it first.
    with suppress(HostError):
        journal.clear()


def recover(host: Host) -> int:
    """Undo an open transaction, newest change first, and return how many changes it had.

    What a run left of a journal that was committed is cleared: that run was complete.

    Raises NotUndone when the machine refuses; the transaction then stays open, and the
    next run tries again.
    """
    journal = Journal(host)
    changes = journal.announced()
    failures = []
    for change in reversed(changes):
        try:
            undo_change(host, change)
        except HostError as error:  # noqa: PERF203 (one that fails must not keep the rest)
            failures.append(f"{change.path}: {error.message}")
    if failures:
        raise NotUndone(
            "cannot undo: " + "; ".join(failures),
            hint="mend the cause, then run `trtllm-install` again: it goes on undoing",
        )
    journal.clear()
    return len(changes)
