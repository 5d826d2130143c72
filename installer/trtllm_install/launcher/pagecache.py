"""A model's files in the page cache: out of it where it is the GPU's memory (posix_fadvise(2))."""

import os

_ENDINGS = (".safetensors", ".bin", ".pt", ".gguf")


def find_weight_files(folder: str) -> list[tuple[str, int]]:
    """Return path and size of a checkpoint's weight files, in order of name; links are followed."""
    found = []
    try:
        names = sorted(os.listdir(folder))  # noqa: PTH208 (pathlib costs 2 MB of memory)
        for name in names:
            path = f"{folder}/{name}"
            if name.endswith(_ENDINGS) and os.path.isfile(path):  # noqa: PTH113 (as above)
                found.append((path, os.stat(path).st_size))  # noqa: PTH116 (as above)
    except OSError:
        pass  # what is not to be read cannot be read ahead, and is not in the cache by our doing
    return found


def evict(folder: str) -> int:
    """Drop the weight files of a folder from the page cache; return their bytes.

    Needs no rights but to read them. Pages that a process has mapped stay.
    """
    dropped = 0
    for path, size in find_weight_files(folder):
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            continue
        try:
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            dropped += size
        finally:
            os.close(descriptor)
    return dropped
