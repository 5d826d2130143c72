"""Reads which paths keep the service user out, by their modes."""

import posixpath
from collections.abc import Mapping
from typing import Final

from trtllm_install.host.protocol import Entry, Host
from trtllm_install.model import layout
from trtllm_install.model.facts import Blocked

READ: Final = 4
ENTER: Final = 1


def blocked_paths(host: Host, folder: str, files: Mapping[str, str]) -> tuple[Blocked, ...]:
    """Return what user ``trtllm`` cannot open on the way to ``files`` (name -> real path).

    Judged by owner, group and mode; access lists and further groups are not known.
    """
    real = host.resolve(folder)
    outside = {posixpath.dirname(f) for f in files.values()} - {real}
    above = {a for path in (folder, real, *outside) for a in _above(path)}
    wanted: list[tuple[str, int, bool]] = [
        (a, ENTER, not _below(a, real)) for a in sorted(above - outside)
    ]
    wanted += [(real, READ | ENTER, False)]
    wanted += [(d, ENTER, False) for d in sorted(outside)]
    wanted += [(f, READ, False) for f in sorted(set(files.values()))]
    found = []
    for path, bits, is_above in wanted:
        entry = host.look(host.resolve(path))
        if entry is not None and not may(entry, layout.USER, bits):
            found.append(
                Blocked(
                    path=path,
                    mode=entry.mode,
                    owner=entry.owner,
                    group=entry.group,
                    above=is_above,
                )
            )
    return tuple(found)


def may(entry: Entry, user: str, bits: int) -> bool:
    """Tell whether the mode gives ``user`` (in the group of its own name) all these bits."""
    if entry.owner == user:
        given = entry.mode >> 6
    elif entry.group == user:
        given = entry.mode >> 3
    else:
        given = entry.mode
    return given & bits == bits


def _above(path: str) -> tuple[str, ...]:
    """Return every folder above ``path``, without the root."""
    parts = path.strip("/").split("/")[:-1]
    return tuple("/" + "/".join(parts[: n + 1]) for n in range(len(parts)))


def _below(path: str, folder: str) -> bool:
    return path.startswith(folder + "/")
