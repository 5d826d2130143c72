"""Judges where requests would go: peers, and names that fit two instances."""

import ipaddress
from collections.abc import Iterator
from itertools import combinations

from trtllm_install.model import layout
from trtllm_install.model.facts import AuthorityFacts, Facts
from trtllm_install.model.findings import Finding, found
from trtllm_install.model.installation import Installation, Instance

_SITE = "/etc/trtllm/site.yaml"


def check_peers(facts: Facts, _: Installation) -> Iterator[Finding]:
    """Find peers that do not answer, do not serve what they should, or cannot be trusted."""
    unusable = facts.authority and not facts.authority.usable
    if facts.authority and unusable:
        yield _about_authority(facts.authority)
    for seen in facts.peers:
        peer = seen.peer
        if peer.tls_name and unusable:
            continue  # nothing can be said of it
        if seen.unreachable:
            yield found(
                "peer-unreachable",
                peer.name,
                what=seen.unreachable,
                expected=f"an answer from {peer.url}",
                remedy=f"curl -k {peer.url}/livez; or change peers in {_SITE}",
            )
        elif seen.untrusted:
            yield found(
                "peer-untrusted",
                peer.name,
                what=f"{peer.url}: {seen.untrusted}",
                expected=f"a certificate for {peer.tls_name}, of an authority of "
                "proxy.peer_authority, that has not ended",
                remedy=f"run on {peer.name}: sudo trtllm-install tls set; or tls_name and "
                f"proxy.peer_authority in {_SITE}",
            )
        elif seen.troubles:
            yield found(
                "peer-not-ready",
                peer.name,
                what="; ".join(f"{model}: {why}" for model, why in seen.troubles),
                expected="every model of the site file is ready",
                remedy=f"trtllm-install status on {peer.name}, or change peers in {_SITE}",
            )
        if not peer.tls_name and not ipaddress.ip_address(peer.host).is_loopback:
            yield found(
                "peer-in-the-clear",
                peer.name,
                what=f"{peer.url} is beyond this host",
                expected="https, a network that only these hosts share, or a tunnel",
                remedy=f"give {peer.name} a certificate (proxy.tls), then https and tls_name for "
                f"it in {_SITE}; or reach it through WireGuard",
            )


def _about_authority(seen: AuthorityFacts) -> Finding:
    return found(
        "peer-authority-unusable",
        seen.path,
        what="openssl finds no certificate in it"
        if seen.readable
        else "user trtllm cannot read it, or it is not there",
        expected="a PEM file of certificates that user trtllm may read",
        remedy="sudo apt-get install ca-certificates"
        if seen.path == layout.SYSTEM_AUTHORITIES
        else f"sudo install -D -m 0644 FILE {seen.path}",
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
