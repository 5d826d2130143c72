"""Status, start, stop and restart of an installed host."""

import json
from dataclasses import replace

import pytest

from fakes.fake_host import FakeHost
from fakes.fake_systemd import FakeSystemd, debian
from fakes.heard import Heard
from fakes.installed import installed
from trtllm_install.app.install import install
from trtllm_install.app.operate import operate, read_status, wait
from trtllm_install.app.options import Options
from trtllm_install.host.protocol import Answer
from trtllm_install.model import layout
from trtllm_install.model.errors import ConfigError, Locked, NeedsRoot
from trtllm_install.model.tree import ServiceAction


@pytest.fixture
def systemd() -> FakeSystemd:
    return installed()


def states(host: FakeHost) -> dict[str, str]:
    return {live.name: live.state for live in read_status(host).services}


def test_status_reads_every_service_in_start_order_without_root(systemd: FakeSystemd) -> None:
    systemd.host.root = False
    assert list(states(systemd.host).items()) == [
        ("qwen", "healthy"),
        ("nemotron", "healthy"),
        ("proxy", "healthy"),
    ]
    assert systemd.host.ran == []


def test_status_does_not_believe_the_file_of_a_dead_launcher(systemd: FakeSystemd) -> None:
    systemd.end("qwen")
    (qwen, nemotron, _) = read_status(systemd.host).services
    assert (qwen.state, qwen.status, qwen.pid) == ("absent", "its launcher is gone", None)
    assert nemotron.state == "healthy"


def test_status_does_not_quote_a_dead_launcher_that_remembers_an_earlier_end(
    systemd: FakeSystemd,
) -> None:
    path = layout.live_state("qwen")
    record = json.loads(systemd.host.read(path) or b"")
    record |= {"exit": {"code": 0, "reason": "stopped", "at": 1.0}, "status": "healthy"}
    systemd.host.add_file(path, json.dumps(record).encode())
    systemd.end("qwen")
    qwen, *_ = read_status(systemd.host).services
    assert (qwen.state, qwen.status) == ("absent", "its launcher is gone")


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b"null", b'{"state": 3}'])
def test_status_survives_any_state_file(systemd: FakeSystemd, content: bytes) -> None:
    systemd.host.add_file(layout.live_state("qwen"), content)
    assert states(systemd.host)["qwen"] == "absent"


def test_status_on_a_host_without_us_says_how_to_install() -> None:
    with pytest.raises(ConfigError, match="no receipt") as caught:
        read_status(debian())
    assert "trtllm-install --profile" in caught.value.hint


def test_who_waits_can_ask_at_once(systemd: FakeSystemd) -> None:
    """The proxy hears of a launcher's word a moment later, and would refuse until then."""
    host, url = systemd.host, "http://127.0.0.1:8000/health"
    told = [
        Answer(status=503, body=b"{}"),
        Answer(status=503, body=b"{}"),
        Answer(status=200, body=b""),
    ]
    host.answer_http("GET", url, lambda _: told.pop(0))
    wait(host, Heard(), timeout_s=60)
    assert told == []


def test_a_backend_that_is_drained_on_purpose_ends_the_wait_all_the_same(
    systemd: FakeSystemd,
) -> None:
    drained = b'{"backends":{"qwen":{"state":"draining"},"nemotron":{"state":"healthy"}}}'
    answer = Answer(status=503, body=drained)
    systemd.host.answer_http("GET", "http://127.0.0.1:8000/health", answer)
    assert {live.state for live in wait(systemd.host, Heard(), timeout_s=60)} == {"healthy"}


def test_stop_and_start_are_for_all_when_none_is_named(systemd: FakeSystemd) -> None:
    operate(systemd.host, ServiceAction.STOP, (), Heard())
    assert systemd.pids == {}
    assert set(states(systemd.host).values()) == {"stopped"}
    operate(systemd.host, ServiceAction.START, (), Heard())
    wait(systemd.host, Heard(), timeout_s=60)
    assert set(states(systemd.host).values()) == {"healthy"}


def test_restart_of_one_leaves_the_others(systemd: FakeSystemd) -> None:
    before = dict(systemd.pids)
    ordered = operate(systemd.host, ServiceAction.RESTART, ("nemotron",), Heard())
    assert ordered.replaced == {"nemotron": before["nemotron"]}
    assert systemd.pids["nemotron"] != before["nemotron"]
    assert systemd.pids["qwen"] == before["qwen"]


def test_an_unknown_service_is_told_with_the_nearest_name(systemd: FakeSystemd) -> None:
    with pytest.raises(ConfigError, match="cannot find service nemotorn: did you mean nemotron"):
        operate(systemd.host, ServiceAction.STOP, ("nemotorn",), Heard())
    assert systemd.host.ran == []


def test_orders_need_root(systemd: FakeSystemd) -> None:
    systemd.host.root = False
    with pytest.raises(NeedsRoot) as caught:
        operate(systemd.host, ServiceAction.STOP, (), Heard())
    assert caught.value.hint == "sudo trtllm-install stop"


def test_an_operator_waits_for_a_run_that_holds_the_lock(systemd: FakeSystemd) -> None:
    systemd.host.hold_lock(layout.LOCK, "pid 7")
    with pytest.raises(Locked, match="pid 7"):
        operate(systemd.host, ServiceAction.RESTART, ("qwen",), Heard())
    assert systemd.host.ran == []


def test_what_no_start_wrote_and_start_began_is_not_begun_again() -> None:
    systemd = FakeSystemd(debian())
    wishes = Options(profile="multi", simulate=True)
    install(systemd.host, replace(wishes, start=False), Heard())
    operate(systemd.host, ServiceAction.START, (), Heard())
    wait(systemd.host, Heard(), timeout_s=60)
    assert ("systemctl", "daemon-reload") in systemd.host.ran
    assert install(systemd.host, wishes, Heard()).step.plan.count == 0
