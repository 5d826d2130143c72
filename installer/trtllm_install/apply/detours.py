"""Below our folders no link is followed: what is behind it is not ours."""

from collections.abc import Iterator

from trtllm_install.host.protocol import Host
from trtllm_install.model import layout
from trtllm_install.model.errors import HostError


def refuse_detour(host: Host, path: str) -> None:
    """Raise HostError when a folder of ours above ``path`` has become something else."""
    for folder in _ours_above(path):
        entry = host.look(folder)
        if entry and entry.kind != "directory":
            where = f" to {entry.target}" if entry.target else ""
            raise HostError(
                f"cannot change {path}: {folder} is a {entry.kind}{where}; expected a folder",
                hint=f"put the folder back in its place: ls -ld {folder}",
            )


def _ours_above(path: str) -> Iterator[str]:
    for top in layout.OURS:
        if path.startswith(f"{top}/"):
            folder = top
            for part in path[len(top) + 1 :].split("/"):
                yield folder
                folder = f"{folder}/{part}"
