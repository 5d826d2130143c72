"""Asks each peer once whether it serves what the site file says."""

import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final
from urllib.parse import quote

from trtllm_install.host.protocol import Answer, Host, Trust
from trtllm_install.model.errors import HostError, UntrustedServer
from trtllm_install.model.facts.peers import PeerFacts
from trtllm_install.model.installation import Peer

_TIMEOUT_S: Final = 1.0
_AT_ONCE: Final = 16
_OK, _NOT_FOUND = 200, 404


def probe_peers(host: Host, peers: Sequence[Peer], authority: str) -> tuple[PeerFacts, ...]:
    """Return for each peer what it says; a second for each model at most, peers side by side.

    ``authority`` is the file of those who vouch for the certificates of peers.
    """
    if not peers:
        return ()
    with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
        return tuple(pool.map(lambda peer: _ask(host, peer, authority), peers))


def _ask(host: Host, peer: Peer, authority: str) -> PeerFacts:
    trust = Trust(name=peer.tls_name, authority=authority) if peer.tls_name else None

    def got(path: str) -> Answer:
        return host.http("GET", f"{peer.url}{path}", timeout=_TIMEOUT_S, trust=trust)

    troubles = []
    for model in peer.models:
        try:
            trouble = _trouble(got, model)
        except UntrustedServer as error:
            return PeerFacts(peer=peer, untrusted=error.cause)
        except HostError as error:
            return PeerFacts(peer=peer, unreachable=error.message)
        if trouble:
            troubles.append((model, trouble))
    return PeerFacts(peer=peer, troubles=tuple(troubles))


def _trouble(got: Callable[[str], Answer], model: str) -> str:
    """Return why the peer would not serve the model now, empty when it would."""
    answer = got(f"/readyz?model={quote(model, safe='')}")
    if answer.status == _OK:
        return ""
    try:
        said = json.loads(answer.body)
    except ValueError:
        said = None
    said = said if isinstance(said, dict) else {}
    error = said.get("error")
    if answer.status == _NOT_FOUND and not isinstance(error, dict):
        # An engine without a proxy: it serves whatever it is sent.
        health = got("/health")
        return "" if health.status == _OK else f"its /health says HTTP {health.status}"
    if isinstance(error, dict):
        return str(error.get("message") or error.get("code") or f"HTTP {answer.status}")
    return f"it is {said.get('state')}" if "state" in said else f"HTTP {answer.status}"
