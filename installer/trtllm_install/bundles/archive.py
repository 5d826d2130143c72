"""The archive of a bundle: a plain tar with exactly one form.

A bundle holds its manifest first, then the files that it names, in order. Everything
else of the archive (headers, padding, the end) follows from the manifest, so it is
compared and not believed: no byte of a bundle can be other than it was written.
Wheels and packages are compressed already; the tar is not.
"""

import posixpath
import tarfile
from collections.abc import Callable, Iterable, Iterator
from hashlib import sha256
from posixpath import dirname
from typing import Final

from trtllm_install.bundles.strange import describe_member
from trtllm_install.host.protocol import Host
from trtllm_install.model.bundle import (
    MANIFEST,
    BundleFile,
    Manifest,
    ManifestRefused,
    parse_manifest,
)
from trtllm_install.model.errors import ConfigError

_BLOCK: Final = tarfile.BLOCKSIZE
_END: Final = 2 * _BLOCK
_CHUNK: Final = 1 << 20
_LARGEST_MANIFEST: Final = 16 << 20
_HINT: Final = "fetch it again, and compare the hash that bundle create printed"

# Is given each file's parts and must take them all: a part that is wrong raises.
Sink = Callable[[BundleFile, Iterator[bytes]], None]


def archive_parts(
    manifest: Manifest, content: Callable[[BundleFile], Iterable[bytes]]
) -> Iterator[bytes]:
    """Yield the archive; the same manifest and content give the same bytes."""
    listed = manifest.encode()
    yield _header(MANIFEST, len(listed), manifest.created)
    yield listed + _padding(len(listed))
    for file in manifest.files:
        yield _header(file.path, file.size, manifest.created)
        yield from content(file)
        yield _padding(file.size)
    yield b"\0" * _END


def verify_bundle(host: Host, path: str, *, pinned: str = "") -> Manifest:
    """Read a whole bundle and return its manifest; nothing is written.

    ``pinned`` is the SHA-256 of the manifest that the caller trusts. Raises ConfigError
    that names the file of the bundle and what is wrong with it.
    """
    return _walk(host, path, pinned, lambda _, parts: _exhaust(parts))


def unpack_bundle(
    host: Host, path: str, folder: str, *, pinned: str = "", below: str = ""
) -> Manifest:
    """Write the files of a verified bundle whose paths begin with ``below`` into ``folder``.

    The folder must exist. What is written is hashed on its way: a bundle that changes
    under our hands raises ConfigError as ``verify_bundle`` does.
    """
    made = {folder}

    def write(file: BundleFile, parts: Iterator[bytes]) -> None:
        if not file.path.startswith(below):
            _exhaust(parts)
            return
        target = f"{folder}/{file.path}"
        _make_parents(host, dirname(target), made)
        host.write_parts(target, parts, mode=_mode(file.path), owner="root")

    return _walk(host, path, pinned, write)


def _make_parents(host: Host, folder: str, made: set[str]) -> None:
    if folder in made:
        return
    _make_parents(host, dirname(folder), made)
    host.make_directory(folder, mode=0o755, owner="root")
    made.add(folder)


def _walk(host: Host, path: str, pinned: str, sink: Sink) -> Manifest:
    reader = _Reader(host, path)
    manifest = _read_manifest(reader, pinned)
    for file in manifest.files:
        _demand_header(reader, file.path, file.size, manifest.created)
        sink(file, _checked(reader, file))
        _demand_zeros(reader, file.path, -file.size % _BLOCK)
    if (end := reader.take(_BLOCK, "its end")) != b"\0" * _BLOCK:
        raise reader.refused(f"{describe_member(end)} is not in the manifest")
    _demand_zeros(reader, "its end", _BLOCK)
    if reader.more():
        raise reader.refused("something follows its end")
    return manifest


def _read_manifest(reader: "_Reader", pinned: str) -> Manifest:
    raw = reader.take(_BLOCK, MANIFEST)
    try:
        first = tarfile.TarInfo.frombuf(raw, "utf-8", "surrogateescape")
    except tarfile.HeaderError as error:
        raise reader.refused("it is not a bundle: no tar header at its beginning") from error
    if first.name != MANIFEST or not first.isreg() or first.size > _LARGEST_MANIFEST:
        raise reader.refused(f"it is not a bundle: it begins with {describe_member(raw)}")
    listed = reader.take(first.size, MANIFEST)
    found = sha256(listed).hexdigest()
    if pinned and found != pinned.lower():
        raise reader.refused(f"{MANIFEST}: its hash is {found}, the one given is {pinned}")
    try:
        manifest = parse_manifest(listed)
    except ManifestRefused as error:
        raise reader.refused(f"{MANIFEST}: {error}") from error
    if raw != _header(MANIFEST, len(listed), manifest.created):
        raise reader.refused(f"{MANIFEST}: its header was changed")
    _demand_zeros(reader, MANIFEST, -len(listed) % _BLOCK)
    return manifest


def _demand_header(reader: "_Reader", path: str, size: int, created: int) -> None:
    wanted = _header(path, size, created)
    found = reader.take(_BLOCK, path)
    if found == wanted[:_BLOCK]:
        found += reader.take(len(wanted) - _BLOCK, path)
    if found == wanted:
        return
    said = describe_member(found[-_BLOCK:])
    if said == path or wanted.startswith(found[:_BLOCK]):
        raise reader.refused(f"{path}: its header was changed")
    raise reader.refused(f"{path} is expected, found {said}")


def _demand_zeros(reader: "_Reader", path: str, count: int) -> None:
    if any(reader.take(count, path)):
        raise reader.refused(f"{path}: what fills up its last block was changed")


def _checked(reader: "_Reader", file: BundleFile) -> Iterator[bytes]:
    total, left = sha256(), file.size
    while left:
        part = reader.take(min(left, _CHUNK), file.path)
        total.update(part)
        left -= len(part)
        if not left and total.hexdigest() != file.sha256:
            break  # the last part must not be handed out
        yield part
    if total.hexdigest() != file.sha256:
        raise reader.refused(f"{file.path}: its content was changed")


def _exhaust(parts: Iterator[bytes]) -> None:
    for _ in parts:
        pass


def _header(path: str, size: int, created: int) -> bytes:
    """Return the only header that a file of ours can have; a long name has its own blocks."""
    info = tarfile.TarInfo(path)
    info.size, info.mtime, info.mode = size, created, _mode(path)
    return info.tobuf(tarfile.GNU_FORMAT)


def _padding(size: int) -> bytes:
    return b"\0" * (-size % _BLOCK)


def _mode(path: str) -> int:
    return 0o755 if path.endswith(".sh") else 0o644


class _Reader:
    """The bytes of a bundle, one after the other."""

    def __init__(self, host: Host, path: str) -> None:
        self._host, self._path, self._at = host, path, 0
        entry = host.look(host.resolve(path))
        if entry is None or entry.kind != "file":
            raise ConfigError(
                f"cannot read bundle {path}: no such file",
                hint=f"ls -l {posixpath.dirname(path) or '.'}",
            )

    def take(self, count: int, path: str) -> bytes:
        """Return exactly ``count`` bytes of the member at ``path``."""
        found = self._host.read(self._path, limit=count, offset=self._at) or b""
        self._at += len(found)
        if len(found) != count:
            raise self.refused(f"{path}: the bundle ends in the middle of it")
        return found

    def more(self) -> bool:
        """Tell whether anything is left."""
        return bool(self._host.read(self._path, limit=1, offset=self._at))

    def refused(self, cause: str) -> ConfigError:
        """Return the error for a bundle that is not as it was made."""
        return ConfigError(f"cannot use bundle {self._path}: {cause}", hint=_HINT)
