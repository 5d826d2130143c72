"""Peers of the site file as values."""

import ipaddress
import re

from trtllm_install.config.schemas import SiteShape
from trtllm_install.model.errors import ConfigError
from trtllm_install.model.installation import Peer, Proxy

_URL = re.compile(r"https?://(?:\[(?P<six>[^\]]+)\]|(?P<four>[\d.]+)):(?P<port>\d{1,5})/?")
_LAST_PORT = 65535
_SITE = "/etc/trtllm/site.yaml"


def split_url(url: str) -> tuple[str, int] | None:
    """Return address and port of ``http[s]://ADDRESS:PORT``; None unless both are usable."""
    match = _URL.fullmatch(url)
    if match is None or not 0 < int(match["port"]) <= _LAST_PORT:
        return None
    try:
        address = ipaddress.ip_address(match["six"] or match["four"])
    except ValueError:
        return None
    return str(address), int(match["port"])


def speaks_tls(url: str) -> bool:
    """Tell whether what is at this URL is spoken to by TLS."""
    return url.startswith("https:")


def peers_of(site: SiteShape) -> tuple[Peer, ...]:
    """Return the peers of a site file that ``parse_site`` has accepted."""
    places = ((shape, split_url(shape.url)) for shape in site.peers)
    return tuple(
        Peer(
            name=shape.name,
            host=place[0],
            port=place[1],
            tls_name=shape.tls_name or "",
            models=tuple(dict.fromkeys(shape.models)),
            in_flight=shape.in_flight,
        )
        for shape, place in places
        if place
    )


def refuse_lonely(profile: str, site: SiteShape, proxy: Proxy | None, instances: int) -> None:
    """Raise ConfigError for peers without a proxy, a proxy without models, and a circle."""
    if site.peers and proxy is None:
        raise ConfigError(
            f"cannot use the peers of the site file: profile {profile} has no proxy",
            hint="add a proxy section to a profile of yours, or remove peers",
        )
    if proxy and not instances and not proxy.peers:
        raise ConfigError(
            f"cannot use profile {profile}: it has no instances, and the site file no peers",
            hint=f"write peers into {_SITE} (docs/reference/profiles.md)",
        )
    for peer in proxy.peers if proxy else ():
        if _same_place(peer, proxy):
            raise ConfigError(
                f"cannot use peer {peer.name}: {peer.address} is this proxy itself",
                hint=f"change peers or port in {_SITE}",
            )


def _same_place(peer: Peer, proxy: Proxy | None) -> bool:
    if proxy is None or peer.port != proxy.port:
        return False
    if proxy.host == "localhost":
        return ipaddress.ip_address(peer.host).is_loopback
    listening = ipaddress.ip_address(proxy.host)
    if listening.is_unspecified:
        return ipaddress.ip_address(peer.host).is_loopback
    return peer.host == str(listening)
