"""The whole sentence on a fake Debian: observe, judge, plan, apply, start, prove."""

import dataclasses
from typing import Any

import pytest

import fakes.installed
from fakes.fake_host import FakeHost, KilledError
from fakes.fake_systemd import FakeSystemd, debian
from fakes.heard import Heard
from fakes.installed import MULTI
from trtllm_install import resources
from trtllm_install.app.install import Installed, install
from trtllm_install.app.wish import Wish, remembered
from trtllm_install.model import layout
from trtllm_install.model.errors import (
    ApplyFailed,
    ConfigError,
    EditsKept,
    Locked,
    NeedsRoot,
    PreflightFailed,
)
from trtllm_install.model.tree import Action
from trtllm_install.receipts.store import read_receipt

QWEN_ENGINE = f"{layout.ENGINE_CONFIGS}/qwen_multi.yaml"


class Machine:
    """A host, its systemd, and a way to install on it."""

    def __init__(self, systemd: FakeSystemd | None = None) -> None:
        self.systemd = systemd or FakeSystemd(debian())
        self.host: FakeHost = self.systemd.host
        self.heard = Heard()

    def install(self, **options: Any) -> Installed:
        self.heard = Heard()
        return install(self.host, dataclasses.replace(MULTI, **options), self.heard)

    def orders(self) -> list[str]:
        """What systemctl was told since the last look, without questions."""
        told = [" ".join(c[1:]) for c in self.host.ran if c[0] == "systemctl"]
        self.host.ran.clear()
        asking = ("is-active", "is-enabled", "--version", "show --property=Id,Job")
        return [t for t in told if not t.startswith(asking)]


@pytest.fixture
def machine() -> Machine:
    return Machine()


@pytest.fixture
def installed() -> Machine:
    return Machine(fakes.installed.installed())


def test_one_install_ends_with_every_service_healthy_and_every_model_proved(
    machine: Machine,
) -> None:
    done = machine.install()
    assert [(live.name, live.state) for live in done.outcome.services] == [
        ("qwen", "healthy"),
        ("nemotron", "healthy"),
        ("proxy", "healthy"),
    ]
    assert [p.model for p in done.outcome.proofs] == [
        "nvidia/Qwen3-30B-A3B-FP4",
        "nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-NVFP4",
    ]
    receipt = read_receipt(machine.host)
    assert receipt is not None
    assert (receipt.profile, receipt.generation) == ("multi", 1)
    assert receipt.endpoint == "http://127.0.0.1:8000"
    assert machine.host.look(layout.JOURNAL) is None


def test_systemd_learns_of_the_units_before_it_is_told_to_start_them(machine: Machine) -> None:
    machine.install()
    orders = machine.orders()
    assert orders[:3] == [
        "daemon-reload",
        "enable --quiet trtllm.target",
        "start --no-block trtllm.target",
    ]
    started = [o.split()[-1] for o in orders if o.startswith("start") and ".service" in o]
    assert started == ["trtllm-qwen.service", "trtllm-nemotron.service", "trtllm-proxy.service"]


def test_second_install_changes_nothing(installed: Machine) -> None:
    serials, pids = installed.host.serials(), dict(installed.systemd.pids)
    done = installed.install()
    assert done.step.plan.count == 0
    assert installed.host.changes == []
    assert installed.host.serials() == serials
    assert installed.orders() == []
    assert installed.systemd.pids == pids
    assert installed.host.requests == []  # nor does it cost a client a token


def test_second_install_parses_and_renders_nothing(
    installed: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def again(*_: object) -> None:
        raise AssertionError("it is remembered")

    monkeypatch.setattr("trtllm_install.app.desired.render_tree", again)
    monkeypatch.setattr("trtllm_install.app.prepare.parsed", again)
    assert installed.install().step.plan.count == 0


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (layout.SITE_FILE, "proxy: {body_limit_mib: 7}\n"),
        (f"{layout.PROFILES}/mine.yaml", "description: not even whole\n"),
    ],
)
def test_a_file_that_changed_is_read_again(installed: Machine, path: str, text: str) -> None:
    before = installed.install()
    installed.host.add_file(path, text)
    receipt = read_receipt(installed.host)
    assert receipt
    wish = Wish(options=MULTI, engine=before.judged.wanted.engine, supervisor="systemd")
    assert remembered(installed.host, wish, receipt) is None


def test_a_run_without_simulate_on_a_simulated_host_says_what_is_installed(
    installed: Machine,
) -> None:
    installed.host.variables.pop("SUDO_USER", None)
    with pytest.raises(ConfigError, match="cannot find weights folder") as refused:
        installed.install(simulate=False)
    assert refused.value.hint.startswith("--simulate, as this host was installed")
    assert "--weights-dir DIR" in refused.value.hint
    with pytest.raises(PreflightFailed, match="or say --simulate to stay with it"):
        installed.install(simulate=False, weights_dir="/models")


def test_workers_of_the_proxy_come_from_the_site_file(installed: Machine) -> None:
    installed.host.add_file(layout.SITE_FILE, "proxy: {workers: 3}\n")
    done = installed.install()
    assert [action.name for action in done.step.plan.services] == ["proxy"]
    assert b"worker_processes 3;" in installed.host.nodes[f"{layout.PROXY}/nginx.conf"].content


def test_second_install_remembers_the_profile(installed: Machine) -> None:
    done = installed.install(profile=None)
    assert (done.judged.wanted.installation.profile, done.step.plan.count) == ("multi", 0)


def test_profile_switch_stops_and_removes_what_the_new_one_lacks(installed: Machine) -> None:
    done = installed.install(profile="qwen")
    orders = installed.orders()
    assert orders[:2] == ["stop trtllm-proxy.service", "stop trtllm-nemotron.service"]
    assert orders[2] == "daemon-reload"
    assert list(installed.systemd.pids) == ["qwen"]
    assert [live.port for live in done.outcome.services] == [8000]
    units = installed.host.names_in(layout.UNITS)
    assert "trtllm-nemotron.service" not in units
    assert "trtllm-proxy.service" not in units
    assert installed.host.look(layout.PROXY) is None
    receipt = read_receipt(installed.host)
    assert receipt is not None
    assert receipt.order == ("qwen",)
    assert installed.install(profile="qwen").step.plan.count == 0


def test_an_edited_engine_file_is_kept_and_restarts_only_its_own_service(
    installed: Machine,
) -> None:
    before = dict(installed.systemd.pids)
    mine = resources.read_text("configs/engine/qwen_multi.yaml").replace("4", "2").encode()
    installed.host.add_file(QWEN_ENGINE, mine)
    plan = installed.install().step.plan
    assert [(c.action, c.path) for c in plan.changes] == [(Action.KEEP, QWEN_ENGINE)]
    assert [(s.action.value, s.name) for s in plan.services] == [("restart", "qwen")]
    assert installed.host.read(QWEN_ENGINE) == mine
    after = installed.systemd.pids
    assert after["qwen"] != before["qwen"]
    assert {n: after[n] for n in ("nemotron", "proxy")} == {
        n: before[n] for n in ("nemotron", "proxy")
    }
    assert installed.install().step.plan.count == 0


def test_an_edit_that_the_engine_would_refuse_is_told_before_anything_happens(
    installed: Machine,
) -> None:
    installed.host.add_file(QWEN_ENGINE, b"max_batch_sice: 2\n")
    with pytest.raises(ConfigError, match=r"qwen_multi.yaml:1: .*did you mean"):
        installed.install()
    assert installed.host.changes == []
    assert installed.orders() == []


def test_edits_in_the_way_are_an_error_where_that_was_asked_for(installed: Machine) -> None:
    mine = resources.read_text("configs/engine/qwen_multi.yaml") + "# mine\n"
    installed.host.add_file(QWEN_ENGINE, mine)
    with pytest.raises(EditsKept, match="qwen_multi"):
        installed.install(on_conflict="fail")
    assert installed.host.changes == []


def test_a_removed_unit_is_told_before_anything_happens_and_comes_back_on_request(
    installed: Machine,
) -> None:
    unit = f"{layout.UNITS}/trtllm-qwen.service"
    shipped = installed.host.read(unit)
    installed.host.remove(unit)
    installed.host.changes.clear()
    with pytest.raises(PreflightFailed, match="systemd cannot start qwen"):
        installed.install()
    assert (installed.host.changes, installed.orders()) == ([], [])
    plan = installed.install(on_conflict="restore").step.plan
    assert [(c.action.value, c.path) for c in plan.writes] == [("create", unit)]
    assert installed.host.read(unit) == shipped
    assert plan.services == ()


def test_a_changed_route_reloads_the_proxy_and_asks_which_generation_answers(
    installed: Machine,
) -> None:
    pids, old = dict(installed.systemd.pids), installed.systemd.served_generation
    profile = b"""
description: multi with one more name
instances:
  - {name: qwen, model: nvidia/Qwen3-30B-A3B-FP4, port: 8001, backend: _autodeploy,
     engine_config: qwen_multi.yaml, route: [qwen], aliases: [gpt]}
  - {name: nemotron, model: nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-NVFP4, port: 8002,
     backend: _autodeploy, engine_config: nano_v3.yaml, after: [qwen], route: [nemotron],
     arguments: [--trust_remote_code, --reasoning_parser, deepseek-r1]}
proxy: {port: 8000}
"""
    installed.host.add_file(f"{layout.PROFILES}/multi.yaml", profile)
    done = installed.install()
    assert [(s.action.value, s.name) for s in done.step.plan.services] == [("reload", "proxy")]
    assert installed.systemd.pids == pids
    assert installed.systemd.served_generation == done.step.desired.generation != old


@pytest.mark.parametrize("n", [1, 2, 30, 90, 120])
def test_a_run_that_was_cut_off_is_undone_and_the_next_one_completes(
    machine: Machine, n: int
) -> None:
    machine.host.die_after_change = n
    with pytest.raises(KilledError):
        machine.install()
    machine.host.die_after_change = None
    machine.install()
    if n > 2:  # before that, no more than the journal's folders were there
        assert "a run of install was cut off: " in machine.heard.text
    clean = Machine(fakes.installed.installed())
    for folder in ("/etc", "/opt"):
        assert machine.host.tree(folder) == clean.host.tree(folder)
    assert machine.host.accounts == clean.host.accounts


def test_a_refused_write_leaves_the_host_as_it_was(machine: Machine) -> None:
    before = machine.host.tree(), dict(machine.host.accounts)
    machine.host.fail_at_change = 60
    with pytest.raises(ApplyFailed, match="the host is as it was"):
        machine.install()
    assert (machine.host.tree(), machine.host.accounts) == before
    assert machine.orders() == []


def test_a_profile_switch_that_fails_leaves_every_service_running(installed: Machine) -> None:
    before = installed.host.tree("/etc")
    installed.host.fail_at_change = installed.host._attempts + 20
    with pytest.raises(ApplyFailed):
        installed.install(profile="qwen")
    assert installed.host.tree("/etc") == before
    assert set(installed.systemd.pids) == {"qwen", "nemotron", "proxy"}
    installed.host.fail_at_change = None
    assert installed.install().step.plan.count == 0


def test_without_start_everything_is_written_and_nothing_started(machine: Machine) -> None:
    done = machine.install(start=False)
    assert machine.host.look(layout.launch_spec("qwen")) is not None
    assert (done.outcome.services, machine.systemd.pids) == ((), {})


def test_what_no_start_wrote_is_started_by_the_next_install(machine: Machine) -> None:
    machine.install(start=False)
    done = machine.install()
    assert [(s.action.value, s.name) for s in done.step.plan.services] == [
        ("start", "qwen"),
        ("start", "nemotron"),
        ("start", "proxy"),
    ]
    assert done.step.plan.writes == ()


def test_what_would_not_run_is_refused_with_nothing_written(machine: Machine) -> None:
    del machine.host.nodes["/usr/sbin/nginx"]
    with pytest.raises(PreflightFailed, match=r"(?s)1 reason.*proxy-binary-missing"):
        machine.install()
    assert machine.host.changes == []
    assert machine.orders() == []


def test_a_port_of_somebody_else_is_refused_by_the_name_of_its_process(machine: Machine) -> None:
    machine.host.take_port("127.0.0.1", 8001)
    machine.host.add_file(
        "/proc/net/tcp", "head\n 0: 0100007F:1F41 00000000:0000 0A 0 0 0 0 0 55 1\n"
    )
    machine.host.add_file("/proc/77/comm", "jupyter\n")
    machine.host.add_link("/proc/77/fd/3", "socket:[55]")
    with pytest.raises(PreflightFailed, match=r"127\.0\.0\.1:8001.*jupyter \(pid 77"):
        machine.install()


def test_not_root_is_told_before_anything_is_read(machine: Machine) -> None:
    machine.host.root = False
    with pytest.raises(NeedsRoot):
        machine.install()
    assert machine.host.ran == []


def test_a_second_run_at_once_names_the_first(machine: Machine) -> None:
    machine.host.hold_lock(layout.LOCK, "pid 7")
    with pytest.raises(Locked, match="pid 7"):
        machine.install()
    assert machine.host.changes == []


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"profile": "mutli"}, "did you mean multi"),
        ({"profile": None}, "none was given"),
        ({"site": "/nowhere.yaml"}, "/nowhere.yaml: no such file"),
    ],
)
def test_a_wish_that_cannot_be_meant_is_told(
    machine: Machine, wrong: dict[str, object], told: str
) -> None:
    with pytest.raises(ConfigError, match=told):
        machine.install(**wrong)
    assert machine.host.changes == []


def test_every_problem_of_the_site_file_is_told_with_its_line(machine: Machine) -> None:
    machine.host.add_file(layout.SITE_FILE, "prot: 8000\nweights_dir: relative\n")
    with pytest.raises(ConfigError, match="2 problems") as caught:
        machine.install()
    assert f"{layout.SITE_FILE}:1: prot: unknown key; did you mean port?" in caught.value.message
    assert f"{layout.SITE_FILE}:2: weights_dir" in caught.value.message


def test_the_supervisor_of_an_installed_host_does_not_change_silently(installed: Machine) -> None:
    with pytest.raises(ConfigError, match="installed with systemd"):
        installed.install(init="supervisord")
