"""What engines have compiled, one folder a version: the one in use and the one before stay."""

import os

_KEPT = 2  # with the one in use: a roll-back finds its kernels too


def prepare(cache_dir: str) -> None:
    """Make the folder of this version, and mark it as used now; OSError if that is not allowed."""
    os.makedirs(cache_dir, mode=0o750, exist_ok=True)  # noqa: PTH103 (pathlib costs 2 MB of memory)
    os.utime(cache_dir)


def find_outdated(cache_dir: str) -> list[str]:
    """Return the folders of other versions that nobody will need, the longest unused first."""
    parent, _, own = cache_dir.rpartition("/")
    try:
        with os.scandir(parent) as entries:
            others = [
                (entry.stat(follow_symlinks=False).st_mtime_ns, entry.path)
                for entry in entries
                if entry.name != own and entry.is_dir(follow_symlinks=False)
            ]
    except OSError:
        return []
    return [path for _, path in sorted(others)[: 1 - _KEPT]]


def prune(cache_dir: str) -> None:
    """Remove what ``find_outdated`` finds; no link is followed."""
    import shutil  # noqa: PLC0415 (in a process of its own, which ends)

    for folder in find_outdated(cache_dir):
        shutil.rmtree(folder, ignore_errors=True)
