"""Reads on which file system a path lies, and what is free there."""

import posixpath
import re
from typing import Final

from trtllm_install.host.protocol import Host
from trtllm_install.model.errors import HostError
from trtllm_install.model.facts import Unknown
from trtllm_install.model.facts.host import FileSystem

MOUNTS: Final = "/proc/self/mountinfo"
_LIMIT: Final = 16_000_000  # bytes; a host of many containers has some hundred kB


def probe_filesystem(host: Host, path: str) -> FileSystem | Unknown:
    """Return where ``path`` lies, or where it would once it is made."""
    try:
        there = _nearest(host, path)
        text = (host.read(MOUNTS, limit=_LIMIT) or b"").decode(errors="replace")
        mount = mount_of(text, host.resolve(there))
        if mount is None:
            return Unknown(reason=f"{MOUNTS} does not say where {path} is mounted")
        point, source, kind, options = mount
        return FileSystem(
            path=path,
            mount=point,
            source=source,
            kind=kind,
            free=host.free_bytes(there),
            options=options,
        )
    except HostError as error:
        return Unknown(reason=error.message)


def mount_of(text: str, path: str) -> tuple[str, str, str, tuple[str, ...]] | None:
    """Return mount point, source, kind and options of the file system that holds ``path``.

    The last line counts where several are mounted at one point (proc_pid_mountinfo(5)).
    """
    found: tuple[str, str, str, tuple[str, ...]] | None = None
    for line in text.splitlines():
        before, _, after = line.partition(" - ")
        match before.split(), after.split():
            case [_, _, _, _, at, options, *_], [kind, source, *more]:
                point = _plain(at)
                inside = path == point or path.startswith(point.rstrip("/") + "/")
                if inside and (found is None or len(point) >= len(found[0])):
                    words = ",".join((options, *more)).split(",")
                    found = point, _plain(source), kind, tuple(dict.fromkeys(words))
    return found


def _plain(text: str) -> str:
    """Undo the octal escapes that the kernel writes for blanks and backslashes."""
    return re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), text)


def _nearest(host: Host, path: str) -> str:
    """Return the path, or the nearest folder above it that there is."""
    while path != "/" and host.look(host.resolve(path)) is None:
        path = posixpath.dirname(path)
    return path
