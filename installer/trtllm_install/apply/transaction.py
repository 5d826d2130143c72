"""One run's steps: each is announced, then taken; a mark makes all of them final."""

from collections.abc import Callable, Sequence

from trtllm_install.apply.accounts import remove_account
from trtllm_install.apply.changes import apply_change, refuse_what_moved, undo_change
from trtllm_install.apply.entries import Begin, Opened, Order, Sweep
from trtllm_install.apply.journal import Journal
from trtllm_install.apply.packages import take_away
from trtllm_install.host.protocol import Host
from trtllm_install.host.seeing import see
from trtllm_install.model.tree import Action, Change


class Transaction:
    """From the first change to the proof. What it announced, ``undo`` in app/ takes back."""

    def __init__(
        self, host: Host, begin: Begin, told: Callable[[Change], None], *, room: int = 0
    ) -> None:
        self._host = host
        self._told = told
        self._journal = Journal(host, room=room)
        self.begin = begin
        self.is_starting = False  # every change is made, and services begin
        self._journal.announce(begin)

    def make(self, change: Change) -> None:
        """Make one change; raises HostError, also when the path is not as it was planned for."""
        if not change.writes:
            return
        refuse_what_moved(self._host, change)
        self._journal.announce(change)
        apply_change(self._host, change)
        self._told(change)

    def make_together(self, changes: Sequence[Change], deed: Callable[[], None]) -> None:
        """Make changes that only one deed can make all of; raises HostError."""
        for change in changes:
            self._journal.announce(change)
        deed()
        for change in changes:
            self._told(change)

    def take_back(self, change: Change) -> None:
        """Put a path back as it was before ``change`` of this transaction; raises HostError."""
        back = Change(
            action=Action.REPLACE if change.old else Action.REMOVE,
            kind=change.kind,
            path=change.path,
            reason="as it was",
            old=see(self._host, change.path),
        )
        self._journal.announce(back)
        undo_change(self._host, change)

    def announce(self, word: str, name: str = "") -> None:
        """Write down what the supervisor is about to be told."""
        self.is_starting = self.is_starting or word == "activate"
        self._journal.announce(Order(word=word, name=name))

    def sweep_later(self, sweep: Sweep) -> None:
        """Let something go that cannot be brought back, once nothing is undone any more."""
        self._journal.announce(sweep)

    def commit(self) -> None:
        """Make every step final; raises HostError, and then all of it can still be undone."""
        self._journal.commit()


def finish(host: Host, done: Opened) -> None:
    """Do what a final transaction left for last; right also the second time.

    Raises HostError for the first thing that does not go; the next run tries again.
    """
    for sweep in done.sweeps:
        carry_out_sweep(host, sweep)


def carry_out_sweep(host: Host, sweep: Sweep) -> None:
    """Remove a folder with what is in it, a folder if it is empty, a file or an account.

    Right also the second time. Raises HostError.
    """
    if sweep.what == "account":
        remove_account(host, sweep.path)
        return
    if sweep.what == "packages":
        take_away(host, sweep.path.split())
        return
    entry = host.look(sweep.path)
    if entry and sweep.what == "file" and entry.kind == "file":
        host.remove(sweep.path)
    if entry is None or entry.kind != "directory":
        return
    if sweep.what == "contents":
        host.remove_tree(sweep.path)
    elif not host.names_in(sweep.path):
        host.remove(sweep.path)
    elif sweep.owner:
        host.make_directory(sweep.path, mode=entry.mode, owner=sweep.owner)
