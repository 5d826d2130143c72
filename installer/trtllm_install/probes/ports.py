"""Reads whether wanted ports are free, and who listens where they are not."""

import ipaddress
from collections.abc import Sequence
from typing import Final

from trtllm_install.host.protocol import Host
from trtllm_install.model.errors import HostError
from trtllm_install.model.facts import Holder, PortFacts, Unknown
from trtllm_install.probes.ownership import argv_of, is_ours, name_of, recorded_pids, unit_of

TABLES: Final = ("/proc/net/tcp", "/proc/net/tcp6")
_LISTEN: Final = "0A"  # TCP_LISTEN of the kernel's include/net/tcp_states.h
_PASSWD: Final = 1_000_000  # bytes
_LIKELY: Final = ("nginx", "openresty", "trtllm", "python", "supervisord", "docker-proxy")


def probe_ports(
    host: Host, wanted: Sequence[tuple[str, str, int]]
) -> tuple[tuple[str, PortFacts | Unknown], ...]:
    """Return for each (service, address, port) whether it can be bound, and who is in the way."""
    return tuple((service, _port(host, service, at, port)) for service, at, port in wanted)


def _port(host: Host, service: str, address: str, port: int) -> PortFacts | Unknown:
    try:
        if host.can_bind(address, port):
            return PortFacts(wanted_by=service, address=address, port=port, free=True)
        listening, others = _sockets(host, address, port)
        holder = _holder(host, frozenset(listening)) if listening else None
        return PortFacts(
            wanted_by=service,
            address=address,
            port=port,
            free=False,
            listening=bool(listening),
            lingering=bool(others) and not listening,
            holder=holder,
            user="" if holder else _user(host, set(listening.values())),
        )
    except HostError as error:
        return Unknown(reason=error.message)


def _sockets(host: Host, address: str, port: int) -> tuple[dict[str, str], dict[str, str]]:
    """Return sockets in the way, inode → uid: those that listen, and those that still close."""
    listening: dict[str, str] = {}
    others: dict[str, str] = {}
    for table in TABLES:
        # Without a limit: the kernel gives this file out a page at a time.
        text = (host.read(table) or b"").decode(errors="replace")
        for line in text.splitlines()[1:]:
            match line.split():
                case [_, local, _, state, _, _, _, uid, _, inode, *_]:
                    at, _, number = local.partition(":")
                    if number == f"{port:04X}" and _clash(at, address):
                        (listening if state == _LISTEN else others)[inode] = uid
    return listening, others


def _clash(local: str, address: str) -> bool:
    """Tell whether a table's hexadecimal address and ``address`` cannot both be bound."""
    try:
        packed = ipaddress.ip_address(address).packed
    except ValueError:
        return True  # a name: whoever is on the port is suspect enough
    # Each group of four bytes is a number of the machine's own byte order, little here.
    groups = [packed[n : n + 4][::-1].hex().upper() for n in range(0, len(packed), 4)]
    wild = not local.strip("0") or not any(packed)
    return wild or local.endswith("".join(groups))


def _user(host: Host, uids: set[str]) -> str:
    """Return the name of the user that sockets belong to, who is known also to other users."""
    text = (host.read("/etc/passwd", limit=_PASSWD) or b"").decode(errors="replace")
    named = (line.split(":") for line in text.splitlines())
    return next((words[0] for words in named if words[2:3] and words[2] in uids), "")


def _holder(host: Host, sockets: frozenset[str]) -> Holder | None:
    """Return the process that holds one of the sockets, None where only root could tell."""
    targets = {f"socket:[{inode}]" for inode in sockets}
    recorded = recorded_pids(host)
    pids = [int(n) for n in host.names_in("/proc") if n.isdecimal()]
    # Ours and the usual suspects first: looking through every descriptor of a busy
    # host costs a second, and the second install of a converged host has half of one.
    for pid in sorted(
        pids, key=lambda p: (p not in recorded, not name_of(host, p).startswith(_LIKELY), p)
    ):
        if _holds(host, pid, targets):
            return Holder(
                pid=pid,
                name=name_of(host, pid),
                command=" ".join(argv_of(host, pid))[:200],
                unit=unit_of(host, pid),
                ours=is_ours(host, pid, recorded),
            )
    return None


def _holds(host: Host, pid: int, targets: set[str]) -> bool:
    folder = f"/proc/{pid}/fd"
    try:
        looks = (host.look(f"{folder}/{name}") for name in host.names_in(folder))
        return any(entry is not None and entry.target in targets for entry in looks)
    except HostError:  # another user's process, or one that just ended
        return False
