"""What a file tree is: path, kind, mode, owner and content, and how two differ."""

import hashlib
import os
import stat
from collections.abc import Collection
from pathlib import Path

# What lives by itself on a running host, with or without us. Each is one file,
# or (with the slash at its end) one folder's content; nothing broader.
RESTLESS = (
    "var/log/journal/",
    "var/log/wtmp",
    "var/log/lastlog",
    "var/log/btmp",
    "var/lib/systemd/random-seed",
    "var/lib/systemd/timers/",
    "var/lib/systemd/timesync/clock",
    # What the account tools keep of the moment before their last change.
    *("etc/passwd-", "etc/group-", "etc/shadow-", "etc/gshadow-"),
)


def manifest_of(tree: Path, *, leaving_out: Collection[str] = RESTLESS) -> dict[str, str]:
    """Return one line of facts for each path below ``tree``, its mount only."""
    facts: dict[str, str] = {}
    device = tree.stat().st_dev
    for folder, folders, files in os.walk(tree):
        for name in (*folders, *files):
            path = Path(folder, name)
            relative = str(path.relative_to(tree))
            if not _is_left_out(relative, leaving_out):
                facts[relative] = _facts_of(path)
        folders[:] = [f for f in folders if Path(folder, f).lstat().st_dev == device]
    return facts


def differences(before: dict[str, str], after: dict[str, str]) -> list[str]:
    """Return what was added, removed or changed, one line a path; empty = the same tree."""
    return [
        f"{path}: {before.get(path, 'absent')} -> {after.get(path, 'absent')}"
        for path in sorted(before.keys() | after.keys())
        if before.get(path) != after.get(path)
    ]


def assert_same(before: dict[str, str], after: dict[str, str]) -> None:
    """Demand the same tree; the failure shows every path that differs."""
    found = "\n".join(differences(before, after))
    assert not found, found


def _is_left_out(relative: str, leaving_out: Collection[str]) -> bool:
    # Of other services; a boot gives them new names. Those of our units must go with them.
    if relative.startswith("var/tmp/systemd-private-") and "trtllm" not in relative:
        return True
    return any(
        relative.startswith(name) if name.endswith("/") else relative == name
        for name in leaving_out
    )


def _facts_of(path: Path) -> str:
    entry = path.lstat()
    owner = f"{entry.st_uid}:{entry.st_gid}"
    mode = f"{stat.S_IMODE(entry.st_mode):04o}"
    if stat.S_ISLNK(entry.st_mode):
        return f"link {owner} to {path.readlink()}"
    if stat.S_ISDIR(entry.st_mode):
        return f"folder {mode} {owner}"
    if stat.S_ISREG(entry.st_mode):
        content = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
        return f"file {mode} {owner} {content}"
    return f"{stat.filemode(entry.st_mode)[0]} {mode} {owner}"
