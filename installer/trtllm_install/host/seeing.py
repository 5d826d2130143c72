"""One path of the host as a value that a plan compares and an undo puts back."""

from trtllm_install.host.protocol import Host
from trtllm_install.model.tree import Seen


def see(host: Host, path: str) -> Seen | None:
    """Return what is at ``path``, a file with its content; None if nothing is."""
    entry = host.look(path)
    if entry is None:
        return None
    return Seen(
        kind=entry.kind,
        mode=entry.mode,
        owner=entry.owner,
        group=entry.group,
        # A folder's changes with everything that is put into it: it says nothing of ours.
        mtime_ns=0 if entry.kind == "directory" else entry.mtime_ns,
        content=(host.read(path) or b"") if entry.kind == "file" else b"",
        target=entry.target,
    )
