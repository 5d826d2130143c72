"""One change made, one change undone."""

from trtllm_install.host.protocol import Host
from trtllm_install.model.errors import HostError
from trtllm_install.model.tree import Action, Change, Seen


def apply_change(host: Host, change: Change) -> None:
    """Make one change; raises HostError, and then the path is as it was."""
    match change.kind:
        case "account":
            _account(host, change)
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


def undo_change(host: Host, change: Change) -> None:
    """Put the path back as ``change.old`` says; right also when the change was never made."""
    if change.kind == "account":
        if change.action is Action.CREATE and host.account_exists(change.path):
            _run(host, "userdel", change.path)
    elif change.old is None:
        if change.kind != "directory" or not host.names_in(change.path):
            host.remove(change.path)
    else:
        _restore(host, change.path, change.old)


def _restore(host: Host, path: str, old: Seen) -> None:
    match old.kind:
        case "file":
            host.write(path, old.content, mode=old.mode, owner=old.owner)
        case "link":
            host.make_link(path, old.target)
        case "directory":
            host.make_directory(path, mode=old.mode, owner=old.owner)
        case "other":
            raise HostError(
                f"cannot put {path} back: it was neither a file, a link nor a folder",
                hint=f"ls -l {path}",
            )


def _directory(host: Host, change: Change) -> None:
    if change.action is not Action.REMOVE:
        host.make_directory(change.path, mode=change.mode, owner=change.owner)
    elif not host.names_in(change.path):  # what others put there is theirs
        host.remove(change.path)


def _account(host: Host, change: Change) -> None:
    if change.action is Action.REMOVE:
        _run(host, "userdel", change.path)
        return
    _run(
        host,
        "useradd",
        "--system",
        "--user-group",
        "--no-create-home",
        "--home-dir",
        change.target,
        "--shell",
        "/usr/sbin/nologin",
        change.path,
    )


def _run(host: Host, *argv: str) -> None:
    ended = host.run(argv)
    if ended.code != 0:
        cause = (ended.stderr or ended.stdout).strip().splitlines()[-1:] or [f"exit {ended.code}"]
        raise HostError(
            f"cannot run {' '.join(argv)}: {cause[0]}", hint="run it by hand to see the whole of it"
        )
