"""Reads what `hf download --local-dir` left beside a checkpoint: its record of every file.

Below ``.cache/huggingface/download`` lie ``FILE.metadata`` (three lines: revision, etag, time;
the etag is the SHA-256 of a file in large-file storage and git's hash of any other) and
``*.incomplete`` for each file that is half done (huggingface_hub, _local_folder.py).
"""

import posixpath
import re
from typing import Final

from trtllm_install.host.protocol import Host
from trtllm_install.model.errors import HostError

RECORDS: Final = ".cache/huggingface/download"
_LIMIT: Final = 4096
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_GIT: Final = re.compile(r"[0-9a-f]{40}")


def unfinished(host: Host, folder: str) -> int:
    """Return how many files of the folder an interrupted download left half done."""
    names = host.names_in(f"{folder}/{RECORDS}")
    return sum(name.endswith(".incomplete") for name in names)


def hub_hash(host: Host, folder: str, name: str, real: str) -> str:
    """Return the hash that the hub gave for a file, empty where none is recorded.

    64 hex digits are a SHA-256, 40 are git's hash of a blob. A file in the hub's own
    cache is named by it.
    """
    if posixpath.basename(posixpath.dirname(real)) == "blobs":
        return _hash(posixpath.basename(real))
    path = f"{folder}/{RECORDS}/{name}.metadata"
    try:
        entry = host.look(path)
        if entry is None or entry.kind != "file":
            return ""
        lines = (host.read(path, limit=_LIMIT) or b"").decode(errors="replace").splitlines()
    except HostError:
        return ""
    return _hash(lines[1].strip().strip('"')) if len(lines) > 1 else ""


def download_user(host: Host, folder: str) -> str:
    """Return who has to fetch files into ``folder``: its owner, empty if that is the caller.

    Under sudo the caller is whoever called sudo: their shell has their ``hf``.
    """
    path = folder
    while (entry := host.look(path)) is None and path not in {"", "/"}:
        path = posixpath.dirname(path)
    caller = host.environment("SUDO_USER") if host.is_root() else host.environment("USER")
    owner = entry.owner if entry else "root"
    return "" if owner == (caller or "root") else owner


def _hash(text: str) -> str:
    return text if _SHA256.fullmatch(text) or _GIT.fullmatch(text) else ""
