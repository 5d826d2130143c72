"""Small JSON files that a reader sees whole or not at all."""

import json
import os

from trtllm_install.launcher.tree import read_proc


def write_json(path: str, content: object, *, durable: bool = False) -> None:
    """Replace ``path`` by ``content`` (mode 0644); ``durable`` survives a power cut too.

    Raises OSError; then the old file is still there, whole.
    """
    temporary = f"{path}.{os.getpid()}.tmp"
    data = (json.dumps(content, ensure_ascii=False) + "\n").encode()
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
    try:
        os.write(descriptor, data)
        os.fchmod(descriptor, 0o644)  # whatever the unit's umask says, operators may read it
        if durable:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
    os.replace(temporary, path)  # noqa: PTH105 (pathlib costs 2 MB of memory)


def read_json(path: str) -> dict[str, object]:
    """Return the object in ``path``, empty when there is none or it cannot be read."""
    try:
        with open(path, "rb") as file:  # noqa: PTH123 (as above)
            content = json.load(file)
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def boot_id() -> str:
    """Return what tells this boot of the kernel from every other."""
    return read_proc("sys/kernel/random/boot_id").strip()
