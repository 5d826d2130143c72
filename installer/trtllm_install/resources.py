"""Finds templates and configs, in a wheel and in a checkout."""

import os
from collections.abc import Iterator
from functools import cache
from hashlib import sha256
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def root() -> Path:
    """Return the folder that holds ``templates/`` and ``configs/``.

    A wheel carries them in ``_data`` beside the package; an editable install
    and a plain checkout have them at the top of the repository.
    """
    shipped = _PACKAGE / "_data"
    return shipped if shipped.is_dir() else _PACKAGE.parents[1]


def read_text(relative: str) -> str:
    """Return a shipped text file, for example ``configs/profiles/multi.yaml``.

    Raises FileNotFoundError when no such file is shipped.
    """
    return (root() / relative).read_text(encoding="utf-8")


def names(folder: str, suffix: str) -> tuple[str, ...]:
    """Return the sorted file names in a shipped folder that end in ``suffix``."""
    return tuple(sorted(p.name for p in (root() / folder).iterdir() if p.name.endswith(suffix)))


@cache
def identity() -> str:
    """Return a hash of this very tool: it changes with every file that is replaced.

    By path, size and time of change, so that it costs two milliseconds.
    """
    total = sha256()
    for folder in (_PACKAGE, root() / "templates", root() / "configs"):
        for line in sorted(_stamps(str(folder))):
            total.update(line.encode())
    return total.hexdigest()


def _stamps(folder: str) -> Iterator[str]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir():
                if entry.name != "__pycache__":
                    yield from _stamps(entry.path)
            else:
                seen = entry.stat()
                yield f"{entry.path}\0{seen.st_size}\0{seen.st_mtime_ns}\n"
