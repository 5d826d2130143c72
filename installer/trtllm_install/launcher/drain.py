"""What the launcher says to the proxy: stop routing to me, route to me again, how do I do."""

import json
from time import time

from trtllm_install.launcher.station import Station

_TIMEOUT_S = 1.0
_OK = 200
_CLOCKS_DIFFER_S = 2.0  # last_bytes is rounded


class Traffic:
    """What the proxy knows of one service."""

    __slots__ = ("in_flight", "silent_s")

    def __init__(self, in_flight: int, silent_s: float | None) -> None:
        self.in_flight = in_flight
        self.silent_s = silent_s  # since a byte of a success came from it; None: never


def tell_proxy(station: Station, verb: str) -> bool:
    """Ask the proxy to ``drain`` or ``undrain`` this service; False where there is no proxy."""
    if station.spec.kind == "proxy":
        return False
    request = station.fetch(
        f"/-/{verb}?name={station.spec.name}",
        timeout=_TIMEOUT_S,
        method="POST",
        address=station.admin_socket,
    )
    return request.status is not None and _OK <= request.status < 300  # noqa: PLR2004 (2xx)


def fetch_traffic(station: Station) -> Traffic | None:
    """Return what the proxy knows of this service, None where there is no proxy."""
    if station.spec.kind == "proxy":
        return None
    request = station.fetch("/-/status", timeout=_TIMEOUT_S, address=station.admin_socket)
    return parse_traffic(request.body, station.spec.name, time()) if request.status == _OK else None


def parse_traffic(body: bytes, name: str, now: float) -> Traffic | None:
    """Return ``backends.<name>`` of the proxy's status, None if it is not there.

    ``now`` in unix seconds, as ``last_bytes``; a time in the future (the clock was set) says
    nothing.
    """
    try:
        view = json.loads(body)["backends"][name]
        count, last = view["in_flight"], view.get("last_bytes")
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    if not isinstance(count, int):
        return None
    known = isinstance(last, int | float) and last <= now + _CLOCKS_DIFFER_S
    return Traffic(count, max(0.0, now - last) if known else None)
