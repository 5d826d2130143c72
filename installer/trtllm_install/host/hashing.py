"""Hashes a large file at disk speed and leaves the page cache as it was."""

import errno
import fcntl
import hashlib
import mmap
import os
import stat
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

from trtllm_install.model.hashes import Algorithm, FileIdentity

if TYPE_CHECKING:
    Hashes = dict[Algorithm, "hashlib._Hash"]  # noqa: SLF001 (the only name of the type)

_CHUNK = 8 * 2**20  # bytes: aligned for direct reads, long enough for a disk to stream
_BLOCK = 4096


def identity(path: str) -> FileIdentity | None:
    """Return what tells one content of a file from another, None if it is no regular file."""
    try:
        return _identity(os.stat(path))
    except (FileNotFoundError, NotADirectoryError):
        return None


def hash_file(
    path: str, algorithms: tuple[Algorithm, ...], told: Callable[[int], bool]
) -> tuple[FileIdentity, dict[Algorithm, str]] | None:
    """Return a file's identity and its hashes in hex.

    None if it is gone, no regular file, changed meanwhile, or ``told``, which hears the
    bytes of every chunk, was false. Direct reads leave the page cache of a serving host
    alone; where a file system has none, what was read is dropped from it again.
    """
    try:
        descriptor, direct = _open(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        before = _identity(os.fstat(descriptor))
        if before is None:
            return None
        hashes = _begin(algorithms, before.size)
        reading = _Reading(descriptor, before.size, hashes, direct=direct)
        if not reading.run(told) or _identity(os.fstat(descriptor)) != before:
            return None
        return before, {name: each.hexdigest() for name, each in hashes.items()}
    finally:
        os.close(descriptor)


class _Reading:
    """One pass over a file: this thread reads a chunk while another hashes the one before."""

    def __init__(self, descriptor: int, size: int, hashes: "Hashes", *, direct: bool) -> None:
        self._descriptor, self._size, self._hashes = descriptor, size, hashes
        self._direct = direct

    def run(self, told: Callable[[int], bool]) -> bool:
        """Read to the end; false when the file ended early or ``told`` said stop."""
        buffers = [mmap.mmap(-1, _CHUNK) for _ in range(2)]
        offset, pending = 0, None
        try:
            with ThreadPoolExecutor(max_workers=1) as hasher:
                while offset < self._size:
                    buffers.reverse()
                    length = self._read(buffers[0], offset)
                    if pending:
                        pending.result()
                    if not length:
                        return False
                    pending = self._hash(hasher, buffers[0], length)
                    offset += length
                    if not told(length):
                        return False
                if pending:
                    pending.result()
        finally:
            for buffer in buffers:
                buffer.close()
        return True

    def _hash(self, hasher: ThreadPoolExecutor, buffer: mmap.mmap, length: int) -> "Future[None]":
        return hasher.submit(self._feed, memoryview(buffer)[:length])

    def _feed(self, view: memoryview) -> None:
        with view:
            for each in self._hashes.values():
                each.update(view)

    def _read(self, buffer: mmap.mmap, offset: int) -> int:
        try:
            length = os.preadv(self._descriptor, [buffer], offset)
        except OSError as error:
            if not self._direct or error.errno != errno.EINVAL:
                raise
            self._give_up_direct()
            length = os.preadv(self._descriptor, [buffer], offset)
        if self._direct and length % _BLOCK and offset + length < self._size:
            self._give_up_direct()  # the next read could not begin on a block
        if not self._direct:
            os.posix_fadvise(self._descriptor, offset, length, os.POSIX_FADV_DONTNEED)
        return length

    def _give_up_direct(self) -> None:
        self._direct = False
        flags = fcntl.fcntl(self._descriptor, fcntl.F_GETFL)
        fcntl.fcntl(self._descriptor, fcntl.F_SETFL, flags & ~os.O_DIRECT)


def _begin(algorithms: tuple[Algorithm, ...], size: int) -> "Hashes":
    hashes: Hashes = {}
    for name in algorithms:
        if name == "git":
            hashes[name] = hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)
        else:
            hashes[name] = hashlib.sha256()
    return hashes


def _open(path: str) -> tuple[int, bool]:
    """Open for direct reads where the file system has them; never waits for a pipe."""
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        return os.open(path, flags | os.O_DIRECT), True
    except OSError as error:
        if error.errno not in {errno.EINVAL, errno.ENOTSUP}:
            raise
    return os.open(path, flags), False


def _identity(found: os.stat_result) -> FileIdentity | None:
    if not stat.S_ISREG(found.st_mode):
        return None
    return FileIdentity(
        device=found.st_dev, inode=found.st_ino, size=found.st_size, mtime_ns=found.st_mtime_ns
    )
