"""Judges ports and listen addresses."""

import ipaddress
from collections.abc import Iterator
from typing import Final

from trtllm_install.model import layout
from trtllm_install.model.clientkeys import ADD_ONE
from trtllm_install.model.facts import Facts, PortFacts
from trtllm_install.model.findings import Finding, found
from trtllm_install.model.installation import Installation

_PRIVILEGED = 1024  # ports below it are root's to bind
_WITHDRAW: Final = (
    "remove listen from /etc/trtllm/site.yaml, or add --accept listen-without-keys "
    "if the network guards it"
)
_GUARD: Final = (
    "install with listen: 127.0.0.1, then sudo trtllm-install keys add NAME; "
    "or add --accept listen-without-keys if the network guards it"
)

_OPEN: Final = f"sudo rm {layout.PROXY_KEYS} && sudo trtllm-install restart proxy"


def check_ports(facts: Facts, _: Installation) -> Iterator[Finding]:
    """Find ports that somebody else holds; our own services are what is to be there."""
    for service, port in facts.ports:
        if not isinstance(port, PortFacts) or port.free or _is_ours(port):
            continue
        subject = f"{port.address}:{port.port}"
        another = f"give {service} another port in /etc/trtllm/site.yaml"
        if port.listening:
            yield found(
                "port-taken",
                f"{subject} for {service}",
                what=_named(port),
                expected="a free port",
                remedy=f"{_stop(port)}, or {another}",
            )
        elif port.lingering:
            yield found(
                "port-lingering",
                subject,
                what="old connections are closing",
                remedy="wait a minute",
            )
        elif not facts.root and port.port < _PRIVILEGED:
            yield found(
                "needs-root-to-see",
                f"port of {service}",
                what=f"only root may try port {port.port}",
                remedy="run the same command again, with sudo",
            )
        else:
            yield found(
                "address-unusable",
                f"{subject} for {service}",
                what="the system refuses the address, and nobody listens there",
                expected="an address of this host (ip address)",
                remedy=f"set listen in /etc/trtllm/site.yaml, or {another}",
            )


def check_exposure(facts: Facts, installation: Installation) -> Iterator[Finding]:
    """Find addresses beyond this host that no key guards: only the proxy can ask for one."""
    listening = [(i.name, i.host) for i in installation.instances]
    if installation.proxy and not facts.keys:
        listening.append(("proxy", installation.proxy.host))
    for service, address in listening:
        if not _is_loopback(address):
            yield found(
                "listen-without-keys",
                service,
                what=f"it would listen on {address} and ask nobody for a key",
                expected="a key that clients have to show, or a loopback address",
                remedy=_GUARD if service == "proxy" else _WITHDRAW,
            )


def check_keyless(facts: Facts, installation: Installation) -> Iterator[Finding]:
    """Find that the last key is gone, and with it every client, also those of this host."""
    proxy = installation.proxy
    if proxy is None or not facts.keyless:
        return
    open_here = f"; or ask nobody on this host for a key again: {_OPEN}"
    yield found(
        "nobody-let-in",
        f"{proxy.host}:{proxy.port}",
        what=f"every one has to show a key, and {layout.PROXY_KEYS} has none",
        expected="a key for each client",
        remedy=ADD_ONE + (open_here if _is_loopback(proxy.host) else ""),
    )


def _is_ours(port: PortFacts) -> bool:
    """Tell whether a service of ours listens; to others than root its user tells it."""
    return port.holder.ours if port.holder else port.user == layout.USER


def _named(port: PortFacts) -> str:
    holder = port.holder
    if holder is None:
        whose = f" of user {port.user}" if port.user else ""
        return f"a process{whose} that could not be named listens there"
    unit = f" of {holder.unit}" if holder.unit else ""
    return f"{holder.name} (pid {holder.pid}{unit}) listens there: {holder.command}".rstrip(": ")


def _stop(port: PortFacts) -> str:
    if port.holder is None:
        return f"sudo ss -ltnp 'sport = :{port.port}' names it"
    if port.holder.unit.endswith(".service"):
        return f"sudo systemctl stop {port.holder.unit}"
    return f"stop it where it was started (sudo kill {port.holder.pid})"


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"
