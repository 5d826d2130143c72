"""The service account: by the host's own tools, or as lines in the files of an image."""

from collections.abc import Mapping

from trtllm_install.host.protocol import Host
from trtllm_install.model.errors import HostError

NOLOGIN = "/usr/sbin/nologin"
# What useradd --system takes, highest first, unless login.defs says otherwise.
_SYSTEM_IDS = range(999, 99, -1)


def add_account(host: Host, name: str, home: str) -> None:
    """Make a system user with a group of its name; raises HostError."""
    if host.image():
        _add_lines(host, name, home)
        return
    run(
        host,
        "useradd",
        "--system",
        "--user-group",
        "--no-create-home",
        "--home-dir",
        home,
        "--shell",
        NOLOGIN,
        name,
    )


def remove_account(host: Host, name: str) -> None:
    """Remove a user and its group; absent is fine. Raises HostError."""
    if host.image():
        _remove_lines(host, name)
    elif host.account_exists(name):
        run(host, "userdel", name)


def run(host: Host, *argv: str) -> None:
    """Run a command that has to succeed; raises HostError with its last line."""
    ended = host.run(argv)
    if ended.code != 0:
        cause = (ended.stderr or ended.stdout).strip().splitlines()[-1:] or [f"exit {ended.code}"]
        raise HostError(
            f"cannot run {' '.join(argv)}: {cause[0]}", hint="run it by hand to see the whole of it"
        )


def _add_lines(host: Host, name: str, home: str) -> None:
    """One number for user and group, the group first: a crash leaves no user without one.

    A group of that name that is there already is taken, as systemd-sysusers(8) does.
    """
    users, groups = _numbers(host, "/etc/passwd"), _numbers(host, "/etc/group")
    free = (n for n in _SYSTEM_IDS if n not in {*users.values(), *groups.values()})
    number = next(free, None)
    if number is None:
        raise HostError(
            f"cannot make user {name} in {host.image()}: no system number is free",
            hint=f"make it in the image: useradd --system --root {host.image()} {name}",
        )
    if name not in groups:
        _append(host, "/etc/group", f"{name}:x:{number}:")
        _append(host, "/etc/gshadow", f"{name}:!::", only_if_there=True)
    _append(host, "/etc/shadow", f"{name}:!:::::::", only_if_there=True)
    gid = groups.get(name, number)
    _append(host, "/etc/passwd", f"{name}:x:{number}:{gid}::{home}:{NOLOGIN}")


def _remove_lines(host: Host, name: str) -> None:
    for path in ("/etc/passwd", "/etc/shadow", "/etc/group", "/etc/gshadow"):
        text = host.read(path)
        if text is None:
            continue
        prefix = f"{name}:".encode()
        kept = [line for line in text.splitlines(keepends=True) if not line.startswith(prefix)]
        _replace(host, path, text, b"".join(kept))


def _append(host: Host, path: str, line: str, *, only_if_there: bool = False) -> None:
    text = host.read(path)
    if text is None and only_if_there:
        return
    text = text or b""
    if text and not text.endswith(b"\n"):
        line = f"\n{line}"
    _replace(host, path, text, text + f"{line}\n".encode())


def _replace(host: Host, path: str, old: bytes, new: bytes) -> None:
    """Write a file where it really is, as it is: images may keep /etc/passwd elsewhere."""
    if new == old:
        return
    real = host.resolve(path)
    entry = host.look(real)
    mode, owner, group = (
        (entry.mode, entry.owner, entry.group) if entry else (0o644, "root", "root")
    )
    host.write(real, new, mode=mode, owner=owner, group=group)


def _numbers(host: Host, path: str) -> Mapping[str, int]:
    lines = (host.read(path) or b"").decode(errors="replace").splitlines()
    fields = (line.split(":") for line in lines)
    return {f[0]: int(f[2]) for f in fields if len(f) > 2 and f[2].isdigit()}  # noqa: PLR2004
