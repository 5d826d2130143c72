"""Where requests would go, judged."""

from dataclasses import replace

from fakes.healthy import FACTS, INSTALLATION
from trtllm_install.judge.routes import check_ambiguity, check_peers
from trtllm_install.model.facts import PeerFacts
from trtllm_install.model.installation import Installation, Peer, Route

NEAR = Peer(name="gpu2", host="127.0.0.1", port=8000, models=("a", "b"))
FAR = replace(NEAR, name="gpu3", host="10.0.0.3")


def said(*peers: PeerFacts) -> list[tuple[str, str, str]]:
    found = check_peers(replace(FACTS, peers=peers), INSTALLATION)
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
