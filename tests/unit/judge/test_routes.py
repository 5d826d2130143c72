"""Where requests would go, judged."""

from dataclasses import replace

import pytest

from fakes.healthy import FACTS, INSTALLATION
from trtllm_install.judge.routes import check_ambiguity, check_peers
from trtllm_install.model.facts import AuthorityFacts, PeerFacts
from trtllm_install.model.installation import Installation, Peer, Route

NEAR = Peer(name="gpu2", host="127.0.0.1", port=8000, models=("a", "b"))
FAR = replace(NEAR, name="gpu3", host="10.0.0.3")
BY_TLS = replace(FAR, tls_name="gpu3.example")
FINE = AuthorityFacts(path="/ca.pem", readable=True, is_certificate=True)


def said(*peers: PeerFacts, authority: AuthorityFacts | None = None) -> list[tuple[str, str, str]]:
    found = check_peers(replace(FACTS, peers=peers, authority=authority), INSTALLATION)
    return [(f.code, f.subject, f.found) for f in found]


def ambiguous(second: Route, **changed: object) -> list[str]:
    qwen, nemotron = INSTALLATION.instances
    instances = (qwen, replace(nemotron, route=second, **changed))  # type: ignore[arg-type]
    installation: Installation = replace(INSTALLATION, instances=instances)
    return [f.subject for f in check_ambiguity(FACTS, installation)]


def test_peer_that_answers_on_this_host_is_no_finding() -> None:
    assert said(PeerFacts(peer=NEAR)) == []


def test_unreachable_peer_and_one_that_lacks_a_model_are_told() -> None:
    assert said(PeerFacts(peer=NEAR, unreachable="refused")) == [
        ("peer-unreachable", "gpu2", "refused")
    ]
    assert said(PeerFacts(peer=NEAR, troubles=(("b", "it is loading"),))) == [
        ("peer-not-ready", "gpu2", "b: it is loading")
    ]


def test_plain_http_beyond_this_host_is_told() -> None:
    assert [code for code, _, _ in said(PeerFacts(peer=FAR))] == ["peer-in-the-clear"]
    assert said(PeerFacts(peer=BY_TLS), authority=FINE) == []


def test_a_certificate_that_does_not_hold_is_told() -> None:
    assert said(PeerFacts(peer=BY_TLS, untrusted="certificate has expired"), authority=FINE) == [
        ("peer-untrusted", "gpu3", "https://10.0.0.3:8000: certificate has expired")
    ]


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        (replace(FINE, readable=False), "user trtllm cannot read it, or it is not there"),
        (replace(FINE, is_certificate=False), "openssl finds no certificate in it"),
    ],
)
def test_without_an_authority_nothing_else_is_said_of_peers_with_tls(
    seen: AuthorityFacts, words: str
) -> None:
    peers = (PeerFacts(peer=BY_TLS, unreachable="no such file"), PeerFacts(peer=NEAR))
    assert said(*peers, authority=seen) == [("peer-authority-unusable", "/ca.pem", words)]
    assert said(*peers[1:], authority=replace(FINE, is_certificate=None)) == []


def test_routes_of_the_shipped_profile_are_unambiguous() -> None:
    assert list(check_ambiguity(FACTS, INSTALLATION)) == []


def test_same_id_or_part_of_two_models_is_told_once() -> None:
    qwen = INSTALLATION.instances[0]
    assert ambiguous(Route(ids=("x", qwen.model.upper()))) == [qwen.model.lower()]
    assert ambiguous(Route(ids=("x",), contains=("qwen3",))) == ["qwen3"]
    assert ambiguous(Route(ids=("x",), contains=("wen",))) == ["qwen"]
    assert ambiguous(Route(ids=("x",), contains=("nano",))) == []


def test_two_servers_of_one_model_are_not_ambiguous() -> None:
    qwen = INSTALLATION.instances[0]
    assert ambiguous(qwen.route, model=qwen.model) == []
