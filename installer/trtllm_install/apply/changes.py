"""One change made, one change undone."""

import re
from posixpath import basename, dirname

from trtllm_install.apply.accounts import add_account, remove_account
from trtllm_install.apply.detours import refuse_detour
from trtllm_install.apply.packages import take_away
from trtllm_install.host.protocol import Entry, Host
from trtllm_install.host.seeing import see
from trtllm_install.model import layout
from trtllm_install.model.errors import HostError
from trtllm_install.model.tree import Action, Change, Seen

_UNFINISHED = re.compile(r"[0-9a-f]{12}")  # how host/files.py names a file that it writes


def apply_change(host: Host, change: Change) -> None:
    """Make one change; raises HostError, and then the path is as it was."""
    match change.kind:
        case "account":
            _account(host, change)
        case "package":
            raise HostError(
                f"cannot install {change.path} alone: packages are made together",
                hint="this is a bug of the tool",
            )
        case "directory":
            _directory(host, change)
        case "link":
            if change.action is Action.REMOVE:
                host.remove(change.path)
            else:
                host.make_link(change.path, change.target)
        case "file":
            if change.action is Action.REMOVE:
                host.remove(change.path)
            else:
                host.write(change.path, change.content, mode=change.mode, owner=change.owner)


def refuse_what_moved(host: Host, change: Change) -> None:
    """Raise HostError when the path is no longer as the plan saw it: that would eat an edit."""
    refuse_detour(host, change.path)
    if change.kind not in {"file", "link"}:
        return
    if _outline(host.look(change.path)) != _outline(change.old):
        raise HostError(
            f"cannot change {change.path}: somebody changed it while this run was planning",
            hint="run the same command again",
        )


def _outline(there: Entry | Seen | None) -> tuple[object, ...] | None:
    """What tells two moments of a path apart without reading it."""
    if there is None:
        return None
    mtime_ns = 0 if there.kind == "directory" else there.mtime_ns
    return there.kind, there.mode, there.owner, there.target, mtime_ns


def undo_change(host: Host, change: Change) -> None:
    """Put the path back as ``change.old`` says; right also when the change was never made.

    A file that was never touched keeps its inode. Raises HostError.
    """
    if change.kind == "package":
        take_away(host, [change.path])
        return
    if change.kind == "account":
        if change.action is Action.CREATE:
            remove_account(host, change.path)
        return
    refuse_detour(host, change.path)
    if change.kind in {"file", "link"}:
        _remove_unfinished(host, change.path)
    if change.old is None:
        _unmake(host, change)
    elif see(host, change.path) != change.old:
        _restore(host, change.path, change.old)


def _unmake(host: Host, change: Change) -> None:
    entry = host.look(change.path)
    if entry is None:
        return
    if change.kind != "directory":
        host.remove(change.path)
    elif entry.kind != "directory":
        raise HostError(
            f"cannot remove {change.path}: it is a {entry.kind}, and we made a folder",
            hint=f"ls -ld {change.path}",
        )
    elif change.owner == layout.USER and change.path != layout.LOGS:
        host.remove_tree(change.path)  # all in it is by services that this run began
    elif not host.names_in(change.path):
        host.remove(change.path)
    elif change.path == layout.LOGS:
        # They say why it failed. Their user goes, and the next account with its number
        # must not read them.
        host.make_directory(change.path, mode=0o750, owner="root")


def _restore(host: Host, path: str, old: Seen) -> None:
    match old.kind:
        case "file":
            host.write(
                path,
                old.content,
                mode=old.mode,
                owner=old.owner,
                group=old.group,
                mtime_ns=old.mtime_ns,
            )
        case "link":
            host.make_link(
                path, old.target, owner=old.owner, group=old.group, mtime_ns=old.mtime_ns
            )
        case "directory":
            host.make_directory(path, mode=old.mode, owner=old.owner, group=old.group)
        case "other":
            raise HostError(
                f"cannot put {path} back: it was neither a file, a link nor a folder",
                hint=f"ls -l {path}",
            )


def _remove_unfinished(host: Host, path: str) -> None:
    """A file that was being written beside ``path`` when the power went."""
    folder, prefix = dirname(path), f".{basename(path)}."
    for name in host.names_in(folder):
        if name.startswith(prefix) and _UNFINISHED.fullmatch(name[len(prefix) :]):
            host.remove(f"{folder}/{name}")


def _directory(host: Host, change: Change) -> None:
    if change.action is not Action.REMOVE:
        host.make_directory(change.path, mode=change.mode, owner=change.owner)
    elif not host.names_in(change.path):  # what others put there is theirs
        host.remove(change.path)


def _account(host: Host, change: Change) -> None:
    if change.action is Action.REMOVE:
        remove_account(host, change.path)
    else:
        add_account(host, change.path, change.target)
