"""Whether a TCP port can be bound, who holds it, and how many are connected to it."""

import errno
import os
import socket

from trtllm_install.launcher.tree import read_proc, read_process

_ESTABLISHED, _TIME_WAIT, _LISTEN = "01", "06", "0A"


class Connection:
    """One line of /proc/net/tcp (proc_net_tcp(5)): a socket whose local port is the wanted one."""

    __slots__ = ("inode", "state")

    def __init__(self, state: str, inode: str) -> None:
        self.state = state
        self.inode = inode


def try_bind(host: str, port: int, *, reuse: bool) -> int:
    """Bind the port and let it go; return 0 or the errno that the service would get.

    ``reuse`` sets SO_REUSEADDR as nginx does. trtllm-serve does not, and cannot
    bind while connections of its former life are in TIME_WAIT.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as sock:
        if reuse:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((host, port))  # Linux refuses it beside a listener in both cases
        except OSError as error:
            return error.errno or errno.EIO
    return 0


def describe_holder(port: int) -> str:
    """Return in words what keeps a port from being bound."""
    connections = read_connections(port)
    inodes = {c.inode for c in connections if c.state == _LISTEN} or {
        c.inode for c in connections if c.inode != "0"
    }
    owner = _find_owner({f"socket:[{inode}]" for inode in inodes}) if inodes else ""
    if owner:
        return f"is held by {owner}"
    if any(c.state == _TIME_WAIT for c in connections):
        return "is in TIME_WAIT"
    return "is held by another process"


def count_connected(port: int) -> int:
    """Return how many connections to the local port are open, those not yet accepted too."""
    return sum(1 for c in read_connections(port) if c.state == _ESTABLISHED)


def read_connections(port: int) -> list[Connection]:
    """Return every TCP socket of this network namespace whose local port is ``port``."""
    found = []
    for table in ("self/net/tcp", "self/net/tcp6"):
        for line in read_proc(table).splitlines()[1:]:
            fields = line.split()
            if int(fields[1].rpartition(":")[2], 16) == port:
                found.append(Connection(fields[3], fields[9]))
    return found


def _find_owner(links: set[str]) -> str:
    for name in filter(str.isdigit, os.listdir("/proc")):  # noqa: PTH208 (pathlib costs 2 MB)
        folder = f"/proc/{name}/fd"
        try:
            held = {os.readlink(f"{folder}/{fd}") for fd in os.listdir(folder)}  # noqa: PTH115, PTH208 (as above)
        except OSError:
            continue  # gone, or another user's
        if held & links:
            return f"pid {name} ({_command(int(name))})"
    return ""


def _command(pid: int) -> str:
    command = read_proc(f"{pid}/comm").strip()
    return command if command and read_process(pid) else "unknown"


def is_listening(path: str) -> bool:
    """Tell whether a process listens on a unix socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as sock:
        return sock.connect_ex(path) in {0, errno.EAGAIN}
