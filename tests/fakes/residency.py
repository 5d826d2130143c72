"""How much of a file is in the page cache (mincore(2)), and putting it out of there."""

import ctypes
import mmap
import os
from pathlib import Path

_LIBC = ctypes.CDLL(None, use_errno=True)


def drop(*files: Path) -> None:
    """Write files back and drop them from the page cache; nobody else's pages are touched."""
    for file in files:
        descriptor = os.open(file, os.O_RDWR)
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)


def resident(file: Path) -> float:
    """Return the share of a file that is in the page cache, 0 to 1."""
    size = file.stat().st_size
    with file.open("r+b") as stream, mmap.mmap(stream.fileno(), size) as mapped:
        pages = -(-size // mmap.PAGESIZE)
        seen = (ctypes.c_ubyte * pages)()
        view = ctypes.c_char.from_buffer(mapped)
        address = ctypes.c_void_p(ctypes.addressof(view))
        assert _LIBC.mincore(address, ctypes.c_size_t(size), seen) == 0
        del view
        return sum(page & 1 for page in seen) / pages
