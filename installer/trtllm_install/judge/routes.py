"""Judges where requests would go: peers, and names that fit two instances."""

import ipaddress
from collections.abc import Iterator
from itertools import combinations

from trtllm_install.model.facts import Facts
from trtllm_install.model.findings import Finding, found
from trtllm_install.model.installation import Installation, Instance

_SITE = "/etc/trtllm/site.yaml"


def check_peers(facts: Facts, _: Installation) -> Iterator[Finding]:
    """Find peers that do not answer, do not serve what they should, or are far and plain."""
    for seen in facts.peers:
        peer = seen.peer
        if seen.unreachable:
            yield found(
                "peer-unreachable",
                peer.name,
                what=seen.unreachable,
                expected=f"an answer from http://{peer.address}",
                remedy=f"curl http://{peer.address}/v1/models, and peers in {_SITE}",
            )
        elif seen.troubles:
            yield found(
                "peer-not-ready",
                peer.name,
                what="; ".join(f"{model}: {why}" for model, why in seen.troubles),
                expected="every model of the site file is ready",
                remedy=f"trtllm-install status on {peer.name}, or change peers in {_SITE}",
            )
        if not ipaddress.ip_address(peer.host).is_loopback:
            yield found(
                "peer-in-the-clear",
                peer.name,
                what=f"http://{peer.address} is beyond this host",
                expected="a network that only these hosts share, or a tunnel",
                remedy="reach it through WireGuard or another tunnel",
            )


def check_ambiguity(_: Facts, installation: Installation) -> Iterator[Finding]:
    """Find names and parts of names by which a request fits two models."""
    if installation.proxy is None:
        return
    for first, second in combinations(installation.instances, 2):
        if first.model.lower() == second.model.lower():
            continue  # two servers of one model
        for name in sorted(_shared(first, second)):
            yield found(
                "route-ambiguous",
                name,
                what=f"{first.name} and {second.name} both fit; {first.name} gets it",
                expected="routes and aliases that fit one instance only",
                remedy="change route or aliases in the profile",
            )


def _shared(first: Instance, second: Instance) -> set[str]:
    """Return the ids that both have, and the parts of which one holds the other."""
    ids = [{i.lower() for i in instance.route.ids} for instance in (first, second)]
    parts = {
        max(a, b, key=len)
        for a in first.route.contains
        for b in second.route.contains
        if a in b or b in a
    }
    return (ids[0] & ids[1]) | parts
