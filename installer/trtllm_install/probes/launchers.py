"""Reads what launchers that run say of themselves, and which configuration the proxy has."""

import json
import re
from collections.abc import Sequence
from math import inf

from trtllm_install.host.protocol import Host
from trtllm_install.model import layout
from trtllm_install.model.errors import HostError
from trtllm_install.model.facts import Unknown
from trtllm_install.model.facts.units import LauncherFacts
from trtllm_install.probes.ownership import text_of

_STARTED = 19  # of /proc/PID/stat after the name (proc_pid_stat(5)): ticks since the boot
_TICKS = 100  # a second, on every architecture that the kernel shows to user space
_GENERATION = re.compile(rb'generation = "([0-9a-f]+)"')


def probe_launchers(
    host: Host, services: Sequence[str]
) -> dict[str, LauncherFacts | Unknown | None]:
    """Return for each service its launcher, None where none runs."""
    return {name: _launcher(host, name) for name in services}


def probe_routes_generation(host: Host) -> str:
    """Return the generation of the routes on disk, empty where there are none."""
    found = _GENERATION.search(host.read(f"{layout.PROXY}/routes.lua") or b"")
    return found[1].decode() if found else ""


def _launcher(host: Host, name: str) -> LauncherFacts | Unknown | None:
    try:
        record = json.loads(host.read(layout.live_state(name)) or b"null")
    except HostError as error:
        return Unknown(reason=error.message)
    except (ValueError, RecursionError):
        return Unknown(reason=f"{layout.live_state(name)} is not JSON")
    match record:
        case None:
            return None
        case {"pid": int(pid), "spec": str(spec), "started_at": float() | int() as started}:
            if host.look(f"/proc/{pid}") is None:
                return None
            port = record.get("port")
            return LauncherFacts(
                name=name,
                pid=pid,
                spec=spec,
                started_at=min(float(started), _started(host, pid)),
                port=port if isinstance(port, int) else None,
            )
    return Unknown(reason=f"{layout.live_state(name)} was not written by a launcher of ours")


def _started(host: Host, pid: int) -> float:
    """Return when the process began by the clock of now, a second late at most; else infinity.

    Files and the launcher's own word have the clock of their moment. Where it was set since,
    the earlier of two answers is the one that hides nothing.
    """
    stat = text_of(host, pid, "stat").rpartition(")")[2].split()
    booted = re.search(r"^btime (\d+)$", (host.read("/proc/stat") or b"").decode(), re.MULTILINE)
    if booted is None or len(stat) <= _STARTED:
        return inf
    return int(booted[1]) + int(stat[_STARTED]) / _TICKS + 1
