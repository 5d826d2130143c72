"""What the launcher says to the proxy: stop routing to me, route to me again, how many are left."""

import json

from trtllm_install.launcher.station import Station

_TIMEOUT_S = 1.0
_OK = 200


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


def fetch_in_flight(station: Station) -> int | None:
    """Return how many requests the proxy has with this service, None if that is not known."""
    if station.spec.kind == "proxy":
        return None
    request = station.fetch("/-/status", timeout=_TIMEOUT_S, address=station.admin_socket)
    return parse_in_flight(request.body, station.spec.name) if request.status == _OK else None


def parse_in_flight(body: bytes, name: str) -> int | None:
    """Return ``upstreams.<name>.in_flight`` of the proxy's status, None if it is not there."""
    try:
        count = json.loads(body)["upstreams"][name]["in_flight"]
    except (ValueError, KeyError, TypeError):
        return None
    return count if isinstance(count, int) else None
