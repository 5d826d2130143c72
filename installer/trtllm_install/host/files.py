"""Files as root must treat them: never through a link, never half written."""

import contextlib
import os
import stat
from collections.abc import Iterable
from io import FileIO

from trtllm_install.host.accounts import MACHINE, Accounts
from trtllm_install.host.protocol import Entry
from trtllm_install.model.tree import Kind


def read(path: str, *, limit: int | None, offset: int) -> bytes | None:
    """Return bytes of a file, None if absent; fewer than ``limit`` only where the file ends."""
    try:
        with open(path, "rb", buffering=0) as file:
            if offset:
                file.seek(offset)
            return file.read() if limit is None else _read_up_to(file, limit)
    except (FileNotFoundError, NotADirectoryError):
        return None


def _read_up_to(file: FileIO, limit: int) -> bytes:
    """One read may return less: 2 GiB are the kernel's most, /proc gives a page at a time."""
    parts: list[bytes] = []
    while limit > 0 and (part := file.read(limit)):
        parts.append(part)
        limit -= len(part)
    return b"".join(parts)


def look(path: str, accounts: Accounts = MACHINE) -> Entry | None:
    """Return what is at ``path`` itself, None if nothing is."""
    try:
        found = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return Entry(
        kind=_kind(found.st_mode),
        mode=stat.S_IMODE(found.st_mode),
        owner=accounts.user(found.st_uid),
        group=accounts.group(found.st_gid),
        size=found.st_size,
        mtime_ns=found.st_mtime_ns,
        target=os.readlink(path) if stat.S_ISLNK(found.st_mode) else "",
        major=os.major(found.st_rdev) if stat.S_ISCHR(found.st_mode) else None,
    )


def write(
    path: str,
    content: bytes,
    *,
    mode: int,
    owner: tuple[int, int] | None,
    mtime_ns: int | None = None,
) -> None:
    """Replace ``path`` in one step; on failure the old file is as it was and nothing is left."""
    write_parts(path, (content,), mode=mode, owner=owner, mtime_ns=mtime_ns)


def write_parts(
    path: str,
    parts: Iterable[bytes],
    *,
    mode: int,
    owner: tuple[int, int] | None,
    mtime_ns: int | None = None,
) -> None:
    """Do as ``write`` does with content that comes part by part."""
    folder = os.path.dirname(path)
    temporary = f"{folder}/.{os.path.basename(path)}.{os.urandom(6).hex()}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(temporary, flags, 0o600)
    try:
        try:
            for part in parts:
                view = memoryview(part)
                while view:
                    view = view[os.write(descriptor, view) :]
            if owner:
                os.fchown(descriptor, *owner)
            os.fchmod(descriptor, mode)  # after chown, which clears set-id bits
            if mtime_ns is not None:
                os.utime(descriptor, ns=(mtime_ns, mtime_ns))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.rename(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    _sync_folder(folder)


def append(path: str, content: bytes, *, mode: int, owner: tuple[int, int] | None) -> None:
    """Add to the end of ``path``; a new file has its owner and mode before its first byte."""
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    descriptor = os.open(path, flags, 0o600)
    try:
        if os.fstat(descriptor).st_size == 0:
            if owner:
                os.fchown(descriptor, *owner)
            os.fchmod(descriptor, mode)
        view = memoryview(content)
        while view:
            view = view[os.write(descriptor, view) :]
    finally:
        os.close(descriptor)


def make_directory(path: str, *, mode: int, owner: tuple[int, int] | None) -> None:
    """Make one folder or correct an existing one, through a descriptor: no link is followed."""
    with contextlib.suppress(FileExistsError):
        os.mkdir(path, 0o700)
        _sync_folder(os.path.dirname(path))
    descriptor = os.open(path, os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        if owner:
            os.fchown(descriptor, *owner)
        os.fchmod(descriptor, mode)
    finally:
        os.close(descriptor)


def make_link(
    path: str, target: str, *, owner: tuple[int, int] | None, mtime_ns: int | None = None
) -> None:
    """Make or replace a link in one step."""
    folder = os.path.dirname(path)
    temporary = f"{folder}/.{os.path.basename(path)}.{os.urandom(6).hex()}"
    os.symlink(target, temporary)
    try:
        if owner:
            os.lchown(temporary, *owner)
        if mtime_ns is not None:
            os.utime(temporary, ns=(mtime_ns, mtime_ns), follow_symlinks=False)
        os.rename(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
    _sync_folder(folder)


def remove(path: str) -> None:
    """Remove a file, a link or an empty folder; absent is fine."""
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return
    if stat.S_ISDIR(found.st_mode):
        os.rmdir(path)
    else:
        os.unlink(path)
    _sync_folder(os.path.dirname(path))


def _sync_folder(path: str) -> None:
    """Make a rename survive a power cut."""
    descriptor = os.open(path, os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _kind(mode: int) -> Kind:
    if stat.S_ISLNK(mode):
        return "link"
    if stat.S_ISREG(mode):
        return "file"
    return "directory" if stat.S_ISDIR(mode) else "other"
