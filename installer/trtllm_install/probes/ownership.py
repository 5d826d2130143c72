"""Tells processes of an installation of ours from everybody else's."""

import json
import re
from collections.abc import Iterator
from typing import Final, Literal

from trtllm_install.host.protocol import Host
from trtllm_install.model import layout
from trtllm_install.model.errors import HostError
from trtllm_install.model.launchspec import SUPERVISED_MARK

Belonging = Literal["running", "left-over", "other"]
_ANCESTORS: Final = 16  # launcher, engine, MPI daemon, worker, compile pool: five are usual


def recorded_pids(host: Host) -> frozenset[int]:
    """Return the pids that our launchers wrote into their state files."""
    pids: set[int] = set()
    try:
        names = host.names_in(layout.RUN)
    except HostError:
        return frozenset()
    for name in names:
        if not name.endswith(".json"):
            continue
        try:
            state = json.loads(host.read(f"{layout.RUN}/{name}") or b"{}")
        except (HostError, ValueError, RecursionError):
            continue
        if isinstance(state, dict):
            said = (state.get("pid"), state.get("child_pid"))
            pids.update(p for p in said if isinstance(p, int) and p > 1)
    return frozenset(pids)


def is_ours(host: Host, pid: int, recorded: frozenset[int]) -> bool:
    """Tell whether a process, or one above it, belongs to an installation of ours."""
    return belonging(host, pid, recorded) != "other"


def belonging(host: Host, pid: int, recorded: frozenset[int]) -> Belonging:
    """Tell whose a process is: one of a service of ours that runs, or what such a one left.

    A left-over is recorded in a state file, or carries the mark that a launcher gives to
    what it starts, and neither launcher nor supervisor of ours is above it any more.
    """
    if unit_of(host, pid).startswith("trtllm-"):
        return "running"
    own = (layout.SUPERVISORD_CONF, layout.supervise())
    stray = f"{SUPERVISED_MARK}={layout.RUN}/" in text_of(host, pid, "environ")
    for above in lineage(host, pid):
        if any(a in own or a.startswith(layout.PROXY + "/") for a in argv_of(host, above)):
            return "running"
        stray |= above in recorded
    return "left-over" if stray else "other"


def lineage(host: Host, pid: int) -> Iterator[int]:
    """Yield a process, its parent and so on, without process 1."""
    for _ in range(_ANCESTORS):
        yield pid
        # pid (comm) state ppid …: the name may hold blanks and brackets
        match text_of(host, pid, "stat").rpartition(")")[2].split():
            case [_, parent, *_] if parent.isdecimal() and int(parent) > 1:
                pid = int(parent)
            case _:
                return


def unit_of(host: Host, pid: int) -> str:
    """Return the systemd unit of a process, a service before a scope, empty if it has none."""
    text = text_of(host, pid, "cgroup")
    units: list[str] = re.findall(r"([^/\s]+\.(?:service|scope))", text)
    return next((u for u in reversed(units) if u.endswith(".service")), units[-1] if units else "")


def argv_of(host: Host, pid: int) -> tuple[str, ...]:
    """Return the words of a command line; nginx writes its title as one text with blanks."""
    return tuple(text_of(host, pid, "cmdline").replace("\0", " ").split())


def name_of(host: Host, pid: int) -> str:
    """Return the kernel's short name of a process, empty if it ended or is hidden."""
    return text_of(host, pid, "comm").strip()


def text_of(host: Host, pid: int, name: str) -> str:
    """Return a file of /proc/PID as text, empty if the process ended or is hidden."""
    try:
        return (host.read(f"/proc/{pid}/{name}") or b"").decode(errors="replace")
    except HostError:
        return ""
