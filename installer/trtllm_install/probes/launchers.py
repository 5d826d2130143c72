"""Reads what launchers that run say of themselves, and which configuration the proxy has."""

import json
import re
from collections.abc import Sequence

from trtllm_install.host.protocol import Host
from trtllm_install.model import layout
from trtllm_install.model.errors import HostError
from trtllm_install.model.facts import Unknown
from trtllm_install.model.facts.units import LauncherFacts

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
                started_at=float(started),
                port=port if isinstance(port, int) else None,
            )
    return Unknown(reason=f"{layout.live_state(name)} was not written by a launcher of ours")
