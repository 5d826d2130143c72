"""Waiting until everything serves, and saying why it will not."""

import json
import re
from dataclasses import replace

import pytest

from fakes.fake_host import FakeHost
from fakes.fake_systemd import FakeSystemd, Fate, debian
from fakes.heard import Heard
from fakes.installed import MULTI, installed
from trtllm_install.app.gate import await_serving
from trtllm_install.app.install import install
from trtllm_install.app.operate import operate, wait
from trtllm_install.app.options import Options
from trtllm_install.host.protocol import Answer
from trtllm_install.model import layout
from trtllm_install.model.errors import GateFailed, Interrupted
from trtllm_install.model.tree import ServiceAction
from trtllm_install.supervisors.supervisord import Supervisord
from trtllm_install.supervisors.systemd import Systemd


@pytest.fixture
def host() -> FakeHost:
    return debian()


@pytest.fixture
def systemd(host: FakeHost) -> FakeSystemd:
    return FakeSystemd(host)


def await_all(host: FakeHost, *, timeout_s: float = 3600) -> Heard:
    heard = Heard()
    await_serving(
        host,
        Systemd(host),
        ("qwen", "nemotron", "proxy"),
        heard,
        timeout_s=timeout_s,
        replaced={},
    )
    return heard


def test_a_service_that_failed_for_good_ends_the_wait_with_its_last_lines(
    host: FakeHost, systemd: FakeSystemd
) -> None:
    systemd.fates["nemotron"] = Fate(state="failed", code=78, reason="unknown key: max_batch_sice")
    with pytest.raises(GateFailed) as caught:
        install(host, MULTI, Heard())
    message = re.sub(r"; [1-9]\d+ changes", "; N changes", caught.value.message)
    assert message == (
        "cannot bring up nemotron (failed, it is failed): unknown key: max_batch_sice; "
        "N changes undone, the host is as it was\n"
        "last lines of nemotron; the log stays: journalctl -u trtllm-nemotron.service -n 100 -f\n"
        "  | nemotron said: loading\n"
        "  | nemotron said: the last line"
    )
    assert caught.value.hint == "sudo journalctl -u trtllm-nemotron.service -n 100 -f"


def test_a_log_that_is_hidden_does_not_hide_the_failure() -> None:
    """As on a host of supervisord, whose logs are root's."""
    host = FakeHost(root=False)
    host.add_file("/proc/7/comm", "x")
    failed = {"state": "failed", "status": "it is failed", "exit": {"code": 78, "reason": "bad"}}
    host.add_file(layout.live_state("qwen"), json.dumps(failed).encode())
    log = f"{layout.LOGS}/qwen.log"
    host.add_file(log, b"secret")
    host.forbid(log)
    with pytest.raises(GateFailed, match="cannot bring up qwen") as caught:
        await_serving(host, Supervisord(host), ("qwen",), Heard(), timeout_s=60, replaced={})
    assert caught.value.hint == f"sudo tail -n 100 -F {log}"


def test_after_a_failed_gate_the_host_is_as_it_was(host: FakeHost, systemd: FakeSystemd) -> None:
    before = host.snapshot("/etc", "/opt", "/var", "/run"), dict(host.accounts)
    systemd.fates["nemotron"] = Fate(state="failed", code=66, reason="no weights")
    with pytest.raises(GateFailed):
        install(host, MULTI, Heard())
    assert (host.snapshot("/etc", "/opt", "/var", "/run"), host.accounts) == before
    assert (systemd.pids, systemd.enabled) == ({}, False)


def test_what_is_not_rolled_back_stays_and_the_next_run_starts_the_rest(
    host: FakeHost, systemd: FakeSystemd
) -> None:
    systemd.fates["nemotron"] = Fate(state="failed", code=66, reason="no weights")
    with pytest.raises(GateFailed, match="stays so") as caught:
        install(host, replace(MULTI, rollback=False), Heard())
    assert caught.value.installed
    qwen = systemd.pids["qwen"]
    systemd.fates.clear()
    done = install(host, MULTI, Heard())
    assert [(s.action.value, s.name) for s in done.step.plan.services] == [("start", "nemotron")]
    assert systemd.pids["qwen"] == qwen


@pytest.mark.parametrize("again", ["install", "start", "restart"])
def test_a_failure_of_before_is_no_word_of_the_launcher_that_begins(again: str) -> None:
    """What is mended is begun again, and its launcher needs a moment to say so."""
    systemd = installed()
    systemd.fates["qwen"] = Fate(state="failed", code=78, reason="unknown key", after_s=0)
    restart = operate(systemd.host, ServiceAction.RESTART, ("qwen",), Heard())
    with pytest.raises(GateFailed, match="unknown key"):
        wait(systemd.host, Heard(), timeout_s=9, replaced=restart.replaced)
    systemd.fates.clear()
    systemd.slow_s = 0.5
    if again == "install":
        install(systemd.host, MULTI, Heard())
    else:
        operate(systemd.host, ServiceAction(again), ("qwen",), Heard())
    wait(systemd.host, Heard(), timeout_s=9)


def test_a_restart_that_nobody_begins_is_not_told_in_the_words_of_the_old_launcher() -> None:
    systemd = installed()
    systemd.ends["qwen"] = {"code": 0, "reason": "asked to stop"}
    systemd._write("qwen", systemd.pids["qwen"], "stopped")
    replaced = {"qwen": systemd.pids["qwen"]}
    systemd.end("qwen")  # and systemd cannot execute what a drop-in says
    with pytest.raises(GateFailed, match="systemd does not run it"):
        wait(systemd.host, Heard(), timeout_s=9, replaced=replaced)


class FailingWith(dict[str, Fate]):
    """Qwen fails for as long as a file is there."""

    def __init__(self, host: FakeHost, path: str) -> None:
        super().__init__()
        self._host, self._path = host, path

    def get(self, name: str, default: Fate) -> Fate:  # type: ignore[override]
        """Say how the next launcher fares."""
        wrong = name == "qwen" and self._path in self._host.nodes
        return Fate(state="failed", code=78, reason="unknown key") if wrong else default


def test_what_failed_and_was_undone_serves_again_with_its_old_files() -> None:
    systemd = installed()
    systemd.host.add_file(layout.SITE_FILE, "instances: {qwen: {max_seq_len: 4096}}\n")
    systemd.fates = FailingWith(systemd.host, f"{layout.ENGINE_CONFIGS}/qwen.site.yaml")
    systemd.slow_s = 0.5
    with pytest.raises(GateFailed, match="the host is as it was, qwen serving again"):
        install(systemd.host, MULTI, Heard())


def test_a_gate_that_fails_when_nothing_was_changed_undoes_nothing() -> None:
    systemd = installed()
    systemd._write("qwen", systemd.pids["qwen"], "loading")
    before = systemd.host.snapshot("/etc", "/opt", "/var")
    with pytest.raises(GateFailed, match="not healthy within 4 s"):
        install(systemd.host, replace(MULTI, timeout_s=4), Heard())
    assert systemd.host.snapshot("/etc", "/opt", "/var") == before
    assert systemd.pids


def test_one_crash_may_be_chance_and_three_in_a_row_are_told(
    host: FakeHost, systemd: FakeSystemd
) -> None:
    systemd.fates["qwen"] = Fate(state="backoff", code=70, reason="segmentation fault", after_s=1)
    with pytest.raises(GateFailed, match=r"qwen .*: crashed 3 times; segmentation fault"):
        install(host, MULTI, Heard())
    assert 3 <= host.now - 1000 < 5


def test_what_holds_itself_back_is_begun_again_by_a_restart() -> None:
    systemd = installed()
    systemd.attempts["qwen"] = 6
    systemd.ends["qwen"] = {"code": 71, "reason": "no space left on device"}
    systemd._write("qwen", systemd.pids["qwen"], "backoff")
    with pytest.raises(GateFailed, match="crashed 5 times; no space left") as caught:
        wait(systemd.host, Heard(), timeout_s=9)
    assert caught.value.hint.endswith("once it is mended: sudo trtllm-install restart qwen")


def test_a_service_that_recovered_is_not_held_against_the_others(
    host: FakeHost, systemd: FakeSystemd
) -> None:
    systemd.attempts["qwen"] = 6  # its crashes are counted until it was well for half an hour
    systemd.ends["qwen"] = {"code": 70, "reason": "segmentation fault"}
    systemd.fates["nemotron"] = Fate(after_s=4)
    systemd.fates["qwen"] = Fate(after_s=0)
    install(host, MULTI, Heard())
    assert set(systemd.pids) == {"qwen", "nemotron", "proxy"}


def test_a_service_that_nobody_runs_is_given_up_after_a_second_look() -> None:
    systemd = installed()
    host = systemd.host
    systemd.end("qwen")
    begun = host.now
    with pytest.raises(
        GateFailed, match=r"cannot bring up qwen \(absent.*\): systemd does not run it"
    ):
        await_all(host)
    assert 5 < host.now - begun < 6


def test_a_launcher_between_two_starts_is_waited_for() -> None:
    systemd = installed()
    host = systemd.host
    systemd.end("qwen")
    host.later(3, lambda: systemd._start("qwen"))
    await_all(host)


def test_what_is_late_is_told_by_name(host: FakeHost, systemd: FakeSystemd) -> None:
    systemd.fates["proxy"] = Fate(after_s=500)
    with pytest.raises(
        GateFailed, match=r"cannot bring up proxy \(loading.*\): not healthy within 4 s"
    ):
        install(host, Options(profile="multi", simulate=True, timeout_s=4), Heard())


def test_a_restart_is_not_fooled_by_the_old_launcher_that_still_says_healthy() -> None:
    systemd = installed()
    host = systemd.host
    old = systemd.pids["qwen"]
    systemd.fates["qwen"] = Fate(stays_s=3)
    ordered = operate(host, ServiceAction.RESTART, ("qwen",), Heard())
    heard = Heard()
    (live,) = wait(host, heard, names=("qwen",), timeout_s=600, replaced=ordered.replaced)
    assert live.pid not in {None, old}
    assert "stopping, to start anew" in heard.text


def test_a_proxy_that_keeps_its_old_configuration_is_told(
    host: FakeHost, systemd: FakeSystemd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeSystemd, "_note_generation", lambda _: None)
    systemd.served_generation = "0ld"
    with pytest.raises(GateFailed, match="answers with generation 0ld, not "):
        install(host, MULTI, Heard())


def test_a_model_without_an_answer_is_no_proof(host: FakeHost, systemd: FakeSystemd) -> None:
    assert systemd.pids == {}
    url = "http://127.0.0.1:8000/v1/chat/completions"
    host.answer_http("POST", url, Answer(status=200, body=b'{"choices": []}'))
    with pytest.raises(GateFailed, match=r"cannot prove nvidia/Qwen3.*HTTP 200"):
        install(host, MULTI, Heard())


@pytest.mark.parametrize(("rollback", "ends"), [(True, "undone"), (False, "stays so")])
def test_an_interrupt_while_waiting_is_undone_unless_that_was_not_wanted(
    host: FakeHost, systemd: FakeSystemd, *, rollback: bool, ends: str
) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    host.later(0.3, interrupt)
    with pytest.raises(Interrupted, match=ends) as caught:
        install(host, replace(MULTI, rollback=rollback), Heard())
    assert caught.value.installed is not rollback
    assert (host.look(layout.RECEIPT) is None) is rollback
    assert bool(systemd.pids) is not rollback
