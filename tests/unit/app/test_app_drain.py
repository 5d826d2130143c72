"""Draining a backend of the proxy, and taking it back."""

import pytest

from fakes.fake_admin import FakeAdmin
from fakes.fake_systemd import debian
from fakes.heard import Heard
from fakes.installed import installed
from trtllm_install.app.drain import Drained, list_backends, set_draining
from trtllm_install.host.protocol import Answer
from trtllm_install.model import layout
from trtllm_install.model.errors import ConfigError, GateFailed, NeedsRoot


@pytest.fixture
def admin() -> FakeAdmin:
    return FakeAdmin(installed().host)


def told(admin: FakeAdmin, *names: str, draining: bool) -> Drained:
    return set_draining(admin.host, names, Heard(), draining=draining, timeout_s=5)


def test_a_drain_returns_once_nothing_is_in_flight(admin: FakeAdmin) -> None:
    begun = admin.host.now
    admin.in_flight["qwen"] = 2
    admin.host.later(3, lambda: admin.in_flight.update(qwen=0))
    done = told(admin, "qwen", draining=True)
    assert done.changed == ("qwen",)
    assert [(b.name, b.draining, b.in_flight) for b in done.backends] == [("qwen", True, 0)]
    assert admin.host.now >= begun + 3


def test_a_drain_that_does_not_end_stays_and_says_how_many_are_left(admin: FakeAdmin) -> None:
    admin.in_flight["qwen"] = 2
    with pytest.raises(GateFailed, match="after 5 s it has 2 requests and is healthy"):
        told(admin, "qwen", draining=True)
    assert admin.draining == {"qwen"}


def test_a_second_drain_changes_nothing(admin: FakeAdmin) -> None:
    told(admin, "qwen", "nemotron", draining=True)
    admin.asked.clear()
    assert told(admin, "nemotron", "qwen", draining=True).changed == ()
    assert admin.asked == []


def test_undrain_waits_until_the_backend_serves(admin: FakeAdmin) -> None:
    told(admin, "qwen", draining=True)
    admin.down.add("qwen")
    begun = admin.host.now
    admin.host.later(3, admin.down.clear)
    (backend,) = told(admin, "qwen", draining=False).backends
    assert (backend.serving, backend.draining) == (True, False)
    assert admin.host.now >= begun + 3


def test_one_unknown_name_and_nothing_is_told(admin: FakeAdmin) -> None:
    with pytest.raises(ConfigError, match="cannot find backend qwem: did you mean qwen"):
        told(admin, "nemotron", "qwem", draining=True)
    assert admin.asked == []


@pytest.mark.parametrize("body", [b"", b"[]", b'{"backends": {"qwen": {}}}', b'{"backends": []}'])
def test_an_answer_that_is_no_status_is_said_to_be_none(admin: FakeAdmin, body: bytes) -> None:
    admin.host.answer_http(
        "GET", "/-/status", Answer(status=200, body=body), unix_socket=layout.PROXY_ADMIN_SOCKET
    )
    with pytest.raises(GateFailed, match="it is not what this version writes"):
        list_backends(admin.host, Heard())


def test_without_a_proxy_or_without_root_there_is_nothing_to_ask(admin: FakeAdmin) -> None:
    with pytest.raises(GateFailed, match="cannot reach the proxy of this host"):
        list_backends(installed().host, Heard())
    with pytest.raises(ConfigError, match="no receipt"):
        list_backends(debian(), Heard())
    admin.host.root = False
    with pytest.raises(NeedsRoot):
        list_backends(admin.host, Heard())


def test_the_name_of_a_peer_means_all_that_it_serves(admin: FakeAdmin) -> None:
    admin.peers = {"qwen": "gpu1", "nemotron": "gpu1"}
    admin.in_flight["nemotron"] = 1
    admin.host.later(2, lambda: admin.in_flight.update(nemotron=0))
    done = told(admin, "gpu1", draining=True)
    assert [b.name for b in done.backends] == ["nemotron", "qwen"]
    assert admin.asked == ["/-/drain?name=gpu1"]
