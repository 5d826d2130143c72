"""The files of this checkout, as a commit of it would hold them."""

import os
import subprocess
from collections.abc import Iterable
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_NOT_OURS = {"__pycache__", "build", "dist"}


@cache
def files() -> tuple[Path, ...]:
    """Return every file that is tracked, or that would be; from git where there is one."""
    if not (ROOT / ".git").exists():
        return tuple(sorted(_walk()))
    # A checkout may belong to the user and the test to root: git asks to be told.
    listed = subprocess.run(
        [
            *("git", "-c", f"safe.directory={ROOT}", "ls-files", "-z"),
            *("--cached", "--others", "--exclude-standard"),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split("\0")
    paths = {ROOT / name for name in listed if name}
    return tuple(sorted(path for path in paths if path.is_file()))


def below(folder: str, *, suffix: str = "") -> tuple[Path, ...]:
    """Return the files of one folder whose names end in ``suffix``."""
    start = ROOT / folder
    return tuple(p for p in files() if p.is_relative_to(start) and p.name.endswith(suffix))


def relative(paths: Iterable[Path]) -> list[str]:
    """Return paths as a commit names them."""
    return [str(path.relative_to(ROOT)) for path in paths]


def _walk() -> Iterable[Path]:
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [f for f in folders if f not in _NOT_OURS and not f.startswith(".")]
        yield from (Path(folder, name) for name in names)
