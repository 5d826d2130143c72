"""Reads a model's weights ahead into the page cache, while it waits and the disk is idle."""

import fcntl
import mmap
import os

from trtllm_install.launcher import pagecache, room
from trtllm_install.launcher.admission import try_lock
from trtllm_install.launcher.aside import end_aside, run_aside
from trtllm_install.launcher.station import Station
from trtllm_install.launcher.words import render_amount

_BLOCK = 4 << 20
_LOOK_EVERY = 64 << 20  # bytes, at the memory that is left
# Beside the weights, for everything else on the host while both models run.
_RESERVE = 4 << 30


class Preread:
    """One reading ahead; does nothing where the launch spec does not ask for it.

    Page cache counts as available, what others take does not: so it goes on only while
    the weights and a reserve fit into what is available, and stops for good when not.
    """

    def __init__(self, station: Station) -> None:
        self._station = station
        self._folder = station.spec.weights if station.spec.preread else None
        self._size = station.spec.weights_bytes
        self._pid = 0
        self._lock = -1
        self._ended = False
        self._read: mmap.mmap | None = None  # bytes so far, shared with the process that reads

    @property
    def bytes_read(self) -> int:
        """How much was read ahead."""
        return int.from_bytes(self._read[:8], "little") if self._read else 0

    @property
    def words(self) -> str:
        """How far it is, empty where nothing is read ahead."""
        if not self._pid or not self.bytes_read:
            return ""
        done = self.bytes_read >= self._size
        return f"{'read' if done else 'reading'} ahead {render_amount(self.bytes_read, self._size)}"

    def begin(self) -> None:
        """Begin, once, if there is memory for it and no other model is being read ahead."""
        if self._pid or not self._folder or not has_room(self._size):
            return
        path = f"{self._station.spec.run_dir}/preread.lock"
        self._lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        if not try_lock(self._lock, fcntl.LOCK_EX):
            os.close(self._lock)
            return
        folder, read, size = self._folder, mmap.mmap(-1, mmap.PAGESIZE), self._size
        self._read = read
        self._pid = run_aside(self._station, lambda: read_ahead(folder, size, read))

    def end(self) -> None:
        """Stop: the engine reads by itself now; the next model's turn."""
        if not self._pid or self._ended:
            return
        self._ended = True
        end_aside(self._station, self._pid)
        os.close(self._lock)
        self._station.record.timeline.note(preread_bytes=self.bytes_read)


def has_room(size: int) -> bool:
    """Tell whether weights of this size fit into memory that nobody needs."""
    _, available = room.read_memory()
    return available >= size + _RESERVE


def read_ahead(folder: str, size: int, counter: mmap.mmap) -> None:
    """Read a checkpoint's files once, in order; stops when memory gets short."""
    block = bytearray(_BLOCK)
    total = looked_at = 0
    for path, _ in pagecache.find_weight_files(folder):
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            while count := os.readv(descriptor, [block]):
                total += count
                counter[:8] = total.to_bytes(8, "little")
                if total - looked_at >= _LOOK_EVERY:
                    looked_at = total
                    if not has_room(size):
                        return
        finally:
            os.close(descriptor)
