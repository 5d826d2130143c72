"""Announced before it happens, fsynced: what undoes a change outlives any crash."""

import base64
import json
from dataclasses import asdict

from trtllm_install.host.protocol import Host
from trtllm_install.model import layout
from trtllm_install.model.tree import Action, Change, Seen

_COMMITTED = "committed"


class Journal:
    """The open transaction, one file per change, so that no write can tear another.

    ``/var/lib/trtllm/journal/NNNN.json`` exists = the change was announced and may have
    been made. ``committed`` exists = every change was made, and only the journal itself
    is left to clear. No folder = no transaction is open.
    """

    def __init__(self, host: Host, folder: str = layout.JOURNAL) -> None:
        self._host = host
        self._folder = folder
        self._count = 0

    def announce(self, change: Change) -> None:
        """Write down what undoes ``change``; raises HostError, and then nothing may be changed."""
        if self._count == 0:
            self._make_folder()
        path = f"{self._folder}/{self._count:04d}.json"
        self._host.write(path, _encode(change), mode=0o600, owner="root")
        self._count += 1

    def commit(self) -> None:
        """Make the transaction final: from here on nothing is undone any more."""
        if self._count:
            self._host.write(f"{self._folder}/{_COMMITTED}", b"", mode=0o600, owner="root")

    def announced(self) -> tuple[Change, ...]:
        """Return the changes of an open transaction, oldest first; none once committed."""
        names = self._host.names_in(self._folder)
        found: list[Change] = []
        if _COMMITTED in names:
            return ()
        for name in names:
            raw = self._host.read(f"{self._folder}/{name}")
            if name.endswith(".json") and raw:
                found.append(_decode(raw))
        return tuple(found)

    def clear(self) -> None:
        """Remove the journal, and the state folder when nothing else is in it.

        Newest entry first, the mark of the commit last: a crash in here leaves either a
        committed journal or the undoable beginning of one that is undone.
        """
        names = self._host.names_in(self._folder)
        for name in sorted(names, key=lambda n: (n != _COMMITTED, n), reverse=True):
            self._host.remove(f"{self._folder}/{name}")
        for folder in (self._folder, layout.STATE):
            if self._host.look(folder) and not self._host.names_in(folder):
                self._host.remove(folder)
        self._count = 0

    def _make_folder(self) -> None:
        """The state folder may be one of the changes; the journal needs it before them."""
        for folder in (layout.STATE, self._folder):
            if self._host.look(folder) is None:
                mode = 0o755 if folder == layout.STATE else 0o700
                self._host.make_directory(folder, mode=mode, owner="root")


def _encode(change: Change) -> bytes:
    old = asdict(change.old) if change.old else None
    if change.old and old:
        old["content"] = base64.b64encode(change.old.content).decode()
    record = {
        "action": change.action.value,
        "kind": change.kind,
        "path": change.path,
        "target": change.target,
        "old": old,
    }
    return (json.dumps(record) + "\n").encode()


def _decode(raw: bytes) -> Change:
    record = json.loads(raw)
    old = record["old"]
    if old:
        old = Seen(**{**old, "content": base64.b64decode(old["content"])})
    return Change(
        action=Action(record["action"]),
        kind=record["kind"],
        path=record["path"],
        target=record["target"],
        reason="",
        old=old,
    )
