"""Installs into images that have less and less room; run in a mount namespace of its own.

    unshare --mount python tests/lab/full_disk.py FOLDER

Prints for each amount of room how the install ended. An assertion fails when one that did
not end well left anything behind, or took something away.
"""

# ruff: noqa: E402 (ours is found by the path that is set first)

import itertools
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[2] / "installer")]

from fakes.heard import Heard
from fakes.image_tree import image_tree
from trtllm_install.app.install import install
from trtllm_install.app.options import Options
from trtllm_install.host.image import ImageHost
from trtllm_install.model.errors import ApplyFailed, GateFailed

MULTI = Options(profile="multi", simulate=True)
QWEN = Options(profile="qwen", simulate=True)
STEP = 64 * 1024


def manifest(top: Path) -> dict[str, tuple[object, ...]]:
    """Return what an undo has to bring back, the times of files included."""
    found: dict[str, tuple[object, ...]] = {}
    for path in sorted(top.rglob("*")):
        entry = path.lstat()
        content: object = None
        if stat.S_ISREG(entry.st_mode):
            # A file of accounts is written to make one, and again to take it back.
            time = 0 if path.name in {"passwd", "group", "shadow"} else entry.st_mtime_ns
            content = (path.read_bytes(), time)
        elif stat.S_ISLNK(entry.st_mode):
            content = str(path.readlink())
        found[str(path)] = (entry.st_mode, entry.st_uid, content)
    return found


def fill(disk: Path, room: int) -> None:
    """Leave ``room`` bytes free."""
    free = os.statvfs(disk)
    size = free.f_bfree * free.f_frsize - room
    (disk / "filler").write_bytes(bytes(max(0, size)))


def ends_well(host: ImageHost, tree: Path, wanted: Options) -> bool:
    """Install; one that is refused for want of room must leave everything as it was."""
    before = manifest(tree)
    try:
        install(host, wanted, Heard())
    except (ApplyFailed, GateFailed) as error:
        said = error.message
    else:
        return True
    assert "no space left on device" in said, said
    after = manifest(tree)
    left = [path for path in before | after if before.get(path) != after.get(path)]
    assert left == [], (said, left)
    return False


def walk(disk: Path, prepared: Callable[[ImageHost], object], wanted: Options) -> None:
    """Give the install more room each time, until it ends well."""
    for refused in itertools.count():
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(disk)], check=True)
        tree = image_tree(disk / "image")
        host = ImageHost(str(tree))
        prepared(host)
        fill(disk, refused * STEP)
        ended = ends_well(host, tree, wanted)
        subprocess.run(["umount", str(disk)], check=True)
        if ended:
            break
    assert refused > 1
    room = refused * STEP // 1024
    sys.stdout.write(f"{wanted.profile}: {refused} refused and undone, {room} kB are enough\n")


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    walk(folder, lambda _: None, MULTI)
    walk(folder, lambda host: install(host, MULTI, Heard()), QWEN)
