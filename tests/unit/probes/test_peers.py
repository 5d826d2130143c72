"""What peers say when they are asked."""

from dataclasses import replace

import pytest

from fakes.fake_host import FakeHost
from trtllm_install.host.protocol import Answer, Trust
from trtllm_install.model.errors import UntrustedServer
from trtllm_install.model.facts import PeerFacts
from trtllm_install.model.installation import Peer
from trtllm_install.probes.peers import probe_peers

PEER = Peer(name="gpu2", host="10.0.0.2", port=8000, models=("org/a b",))
BY_TLS = replace(PEER, tls_name="gpu2.example")
BASE = "http://10.0.0.2:8000"
AUTHORITY = "/ca.pem"


@pytest.mark.parametrize(
    ("ready", "health", "trouble"),
    [
        (Answer(status=200, body=b'{"status":"ready"}'), None, ""),
        (Answer(status=503, body=b'{"state":"loading"}'), None, "it is loading"),
        (Answer(status=404, body=b'{"error":{"message":"not here"}}'), None, "not here"),
        (Answer(status=401, body=b'{"error":{"code":"invalid_api_key"}}'), None, "invalid_api_key"),
        (Answer(status=500, body=b"[]"), None, "HTTP 500"),
        (Answer(status=404, body=b'{"detail":"Not Found"}'), 200, ""),
        (Answer(status=404, body=b"Not Found"), 503, "its /health says HTTP 503"),
    ],
)
def test_peer_is_asked_for_each_model(ready: Answer, health: int | None, trouble: str) -> None:
    host = FakeHost()
    host.answer_http("GET", f"{BASE}/readyz?model=org%2Fa%20b", ready)
    if health:
        host.answer_http("GET", f"{BASE}/health", Answer(status=health, body=b""))
    (seen,) = probe_peers(host, [PEER], AUTHORITY)
    assert seen.unreachable == ""
    assert seen.troubles == ((("org/a b", trouble),) if trouble else ())


def test_peer_with_a_name_is_asked_by_tls_and_has_to_prove_it() -> None:
    host = FakeHost()
    url = "https://10.0.0.2:8000/readyz?model=org%2Fa%20b"
    host.answer_http("GET", url, Answer(status=200, body=b'{"status":"ready"}'))
    (seen,) = probe_peers(host, [BY_TLS], AUTHORITY)
    assert seen == PeerFacts(peer=BY_TLS)
    assert host.trust_of["GET", url] == Trust(name="gpu2.example", authority=AUTHORITY)
    host.answer_http("GET", url, UntrustedServer("cannot", hint="", cause="has expired"))
    (seen,) = probe_peers(host, [BY_TLS], AUTHORITY)
    assert seen == PeerFacts(peer=BY_TLS, untrusted="has expired")


def test_peer_that_refuses_is_unreachable() -> None:
    (seen,) = probe_peers(FakeHost(), [PEER], AUTHORITY)
    assert "connection refused" in seen.unreachable


def test_six_is_bracketed() -> None:
    assert Peer(name="x", host="fd00::2", port=1, models=("a",)).address == "[fd00::2]:1"
