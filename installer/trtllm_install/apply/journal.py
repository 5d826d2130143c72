"""Announced before it happens, fsynced: what undoes a step outlives any crash."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from secrets import token_bytes

from trtllm_install.apply.entries import Entry, Opened, decode, encode, opened
from trtllm_install.host.protocol import Host
from trtllm_install.model import layout
from trtllm_install.model.errors import HostError
from trtllm_install.model.sealed import UnusableRecord
from trtllm_install.model.tree import Change, Seen

_COMMITTED = "committed"
_RESERVE = "reserve"
_MARGIN = 256 * 1024  # for what account tools write, and the tool's own records
_BLOCK = 4096
_ENTRY = re.compile(r"\d{4}\.json")


def room_for(changes: Iterable[Change]) -> int:
    """Return the bytes that putting back every old file takes on a disk."""
    sizes = (len(c.old.content) for c in changes if c.old and c.old.kind == "file")
    return sum(size // _BLOCK * _BLOCK + _BLOCK for size in sizes)


class DamagedJournal(Exception):
    """The journal cannot be followed; ``entries`` are those that can be read."""

    def __init__(self, path: str, cause: UnusableRecord, entries: tuple["Numbered", ...]) -> None:
        super().__init__(f"{path}: {cause}")
        self.path = path
        self.newer = cause.newer
        self.entries = entries


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbered:
    """An entry and where the old content that it speaks of lies."""

    entry: Entry
    old_at: str


class Journal:
    """The open transaction, one file per step, so that no write can tear another.

    ``/var/lib/trtllm/journal/NNNN.json`` exists = the step was announced and may have
    been taken; ``NNNN.old`` beside it is the file that it replaces, as it was.
    ``committed`` exists = every step was taken, and only what it sweeps and the journal
    itself are left. No entry = no transaction is open. ``reserve`` is room for the undo.
    """

    def __init__(self, host: Host, folder: str = layout.JOURNAL, *, room: int = 0) -> None:
        """Take ``room`` bytes at the beginning, so that an undo has them on a full disk."""
        self._host = host
        self._folder = folder
        self._room = room
        self._count = 0

    def announce(self, entry: Entry) -> None:
        """Write down a step; raises HostError, and then it must not be taken."""
        if self._count == 0:
            self._make_folder()
            # Random: a file system that compresses would make nothing of zeros.
            reserve = token_bytes(self._room + _MARGIN)
            self._host.write(f"{self._folder}/{_RESERVE}", reserve, mode=0o600, owner="root")
        path = f"{self._folder}/{self._count:04d}"
        if isinstance(entry, Change) and entry.old and entry.old.kind == "file":
            self._keep(f"{path}.old", entry.old)
        self._host.write(f"{path}.json", encode(entry), mode=0o600, owner="root")
        self._count += 1

    def commit(self) -> None:
        """Make the transaction final: from here on nothing is undone any more.

        Raises HostError, and then it is not final.
        """
        mark = f"{self._folder}/{_COMMITTED}"
        try:
            self._host.write(mark, b"", mode=0o600, owner="root")
        except HostError:
            self._host.remove(mark)  # it may be there, and not be safe from a power cut
            raise

    def make_room(self) -> None:
        """Give up what was reserved, for an undo on a disk that is full by now."""
        self._host.remove(f"{self._folder}/{_RESERVE}")

    def is_there(self) -> bool:
        """Tell whether a transaction is open, or was not cleared; needs no root."""
        return self._host.look(self._folder) is not None

    def read(self) -> Opened | None:
        """Return the transaction, None when none is open; raises DamagedJournal."""
        numbered = self.numbered()
        final = _COMMITTED in self._names()
        try:
            return opened((n.entry for n in numbered), final=final)
        except UnusableRecord as error:
            raise DamagedJournal(self._folder, error, numbered) from error

    def numbered(self) -> tuple[Numbered, ...]:
        """Return every entry, oldest first; raises DamagedJournal."""
        found: list[Numbered] = []
        for number, name in enumerate(self._entries()):
            path = f"{self._folder}/{name}"
            try:
                found.append(self._read_entry(path, number))
            except UnusableRecord as error:
                rest = tuple(self._readable())
                raise DamagedJournal(path, error, rest) from error
        return tuple(found)

    def clear(self, *, found_state: bool = False) -> None:
        """Remove the journal, and an empty state folder unless it was found.

        Newest entry first, what it speaks of after it, the mark of the commit last: a
        crash in here leaves either a committed journal or the undoable beginning of one.
        What a crash leaves of the folders themselves, the next call takes.
        """
        for name in sorted(self._names(), key=_clearing_order):
            self._host.remove(f"{self._folder}/{name}")
        for folder in (self._folder, *(() if found_state else (layout.STATE,))):
            if self._host.look(folder) and not self._host.names_in(folder):
                self._host.remove(folder)
        self._count = 0

    def _names(self) -> tuple[str, ...]:
        """Names in the folder; one that is not root's own is no journal of ours."""
        entry = self._host.look(self._folder)
        if entry is None:
            return ()
        if entry.kind != "directory" or entry.owner != "root":
            what = f"a {entry.kind} of {entry.owner}"
            raise DamagedJournal(self._folder, UnusableRecord(f"it is {what}"), ())
        return self._host.names_in(self._folder)

    def _entries(self) -> list[str]:
        return sorted(name for name in self._names() if _ENTRY.fullmatch(name))

    def _readable(self) -> Iterator[Numbered]:
        for name in self._entries():
            try:
                yield self._read_entry(f"{self._folder}/{name}", int(name[:4]))
            except UnusableRecord:  # noqa: PERF203 (each on its own)
                continue

    def _read_entry(self, path: str, number: int) -> Numbered:
        if not path.endswith(f"/{number:04d}.json"):
            raise UnusableRecord(f"entry {number:04d} is missing before it")
        old_at = f"{path.removesuffix('.json')}.old"
        entry = decode(self._host.read(path) or b"", self._host.read(old_at))
        return Numbered(entry=entry, old_at=old_at)

    def _keep(self, path: str, old: Seen) -> None:
        """As it was in every respect, so that `cp -a` puts it back when nothing else does."""
        self._host.write(
            path,
            old.content,
            mode=old.mode,
            owner=old.owner,
            group=old.group,
            mtime_ns=old.mtime_ns,
        )

    def _make_folder(self) -> None:
        """The state folder may be one of the changes; the journal needs it before them."""
        for folder in (layout.STATE, self._folder):
            if self._host.look(folder) is None:
                mode = 0o755 if folder == layout.STATE else 0o700
                self._host.make_directory(folder, mode=mode, owner="root")


def _clearing_order(name: str) -> tuple[bool, int, bool]:
    number = name[:4]
    newest_first = -int(number) if number.isdigit() else -10_000
    return (name == _COMMITTED, newest_first, name.endswith(".old"))
