"""What verify calls drift, what it only mentions, and what it says it cannot see."""

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from fakes.fake_systemd import FakeSystemd, debian
from fakes.heard import Heard
from fakes.installed import MULTI, installed
from trtllm_install.app.install import install
from trtllm_install.app.options import Options
from trtllm_install.app.verify import verify
from trtllm_install.apply.entries import Begin
from trtllm_install.apply.journal import Journal
from trtllm_install.judge.drift_services import judge_units
from trtllm_install.model import layout
from trtllm_install.model.drift import ASPECTS, Drift, Weight
from trtllm_install.model.errors import ConfigError
from trtllm_install.model.facts.units import UnitFacts

if TYPE_CHECKING:
    from trtllm_install.judge.drift_tree import Installed

ENGINE_YAML = f"{layout.ENGINE_CONFIGS}/nano_v3.yaml"
SPEC = layout.launch_spec("qwen")
UNIT = f"{layout.UNITS}/{layout.unit('qwen')}"
ROUTES = f"{layout.PROXY}/routes.lua"
Did = Callable[[FakeSystemd], object]


def seen(systemd: FakeSystemd) -> tuple[Drift, ...]:
    return verify(systemd.host, Heard()).drift


def told(systemd: FakeSystemd) -> set[tuple[str, str, str, str]]:
    return {(d.weight.value, d.kind, d.subject, d.aspect) for d in seen(systemd)}


def altered(path: str, **fields: object) -> Did:
    """Change what a node is, and not its time."""

    def did(systemd: FakeSystemd) -> None:
        node = systemd.host.nodes[path]
        systemd.host.nodes[path] = replace(node, **fields)  # type: ignore[arg-type]

    return did


def written(path: str, content: str) -> Did:
    """Edit a file as an operator does, at a later time than any before."""

    def did(systemd: FakeSystemd) -> None:
        systemd.host.write(path, content.encode(), mode=0o644, owner="root")

    return did


def a_link_instead(systemd: FakeSystemd) -> None:
    systemd.host.remove(ROUTES)
    systemd.host.make_link(ROUTES, "/etc/hostname")


def another_engine(systemd: FakeSystemd) -> None:
    systemd.host.make_link(layout.ENGINE_CURRENT, "/opt/other")


def a_stranger_on_the_port(systemd: FakeSystemd) -> None:
    systemd.end("qwen")
    table = systemd.host.read("/proc/net/tcp") or b""
    line = b" 0: 0100007F:1F41 00000000:0000 0A 0 0 0 0 0 77 1\n"
    systemd.host.add_file("/proc/net/tcp", table + line)
    systemd.host.take_port("127.0.0.1", 8001)
    systemd.host.add_file("/proc/900/comm", "python3\n")
    systemd.host.add_link("/proc/900/fd/3", "socket:[77]")


def a_newer_unit(systemd: FakeSystemd) -> None:
    text = (systemd.host.read(UNIT) or b"").decode()
    written(UNIT, text + "# edited\n")(systemd)


def drift(kind: str, subject: str, aspect: str) -> tuple[str, str, str, str]:
    return "drift", kind, subject, aspect


CASES: dict[str, tuple[Did, set[tuple[str, str, str, str]]]] = {
    "content": (
        written(f"{layout.PROXY}/nginx.conf", "# mine\n"),
        {drift("file", f"{layout.PROXY}/nginx.conf", "content")},
    ),
    "content of what a process reads": (
        written(ENGINE_YAML, "max_batch_size: 1\n"),
        {drift("file", ENGINE_YAML, "content"), drift("service", "nemotron", "input")},
    ),
    "launch spec": (
        written(SPEC, "{}\n"),
        {drift("file", SPEC, "content"), drift("service", "qwen", "launch spec")},
    ),
    "unit": (a_newer_unit, {drift("file", UNIT, "content"), drift("service", "qwen", "input")}),
    "mode": (
        altered(SPEC, mode=0o666),
        {drift("file", SPEC, "mode")},
    ),
    "owner": (
        altered(SPEC, owner="nobody"),
        {drift("file", SPEC, "owner")},
    ),
    "mode of a folder": (
        altered(layout.PROXY, mode=0o777),
        {drift("directory", layout.PROXY, "mode")},
    ),
    "type": (a_link_instead, {drift("file", ROUTES, "type")}),
    "missing": (lambda s: s.host.remove(ROUTES), {drift("file", ROUTES, "missing")}),
    "engine link": (
        another_engine,
        {
            drift("link", layout.ENGINE_CURRENT, "target"),
            drift("service", "qwen", "input"),
            drift("service", "nemotron", "input"),
        },
    ),
    "account": (
        lambda s: s.host.accounts.pop(layout.USER),
        {drift("account", layout.USER, "missing")},
    ),
    "home": (
        lambda s: s.host.add_account(layout.USER, "/home/t"),
        {drift("account", layout.USER, "home")},
    ),
    "a service that does not run": (
        lambda s: s.end("nemotron"),
        {drift("unit", "trtllm-nemotron.service", "active")},
    ),
    "not at boot": (
        lambda s: setattr(s, "enabled", False),
        {drift("unit", layout.TARGET, "enabled")},
    ),
    "daemon-reload": (
        lambda s: s.shown.update({layout.unit("qwen"): {"NeedDaemonReload": "yes"}}),
        {drift("unit", layout.unit("qwen"), "read")},
    ),
    "masked": (
        lambda s: s.shown.update({layout.unit("qwen"): {"LoadState": "masked"}}),
        {drift("unit", layout.unit("qwen"), "load")},
    ),
    "another file": (
        lambda s: s.shown.update({layout.unit("qwen"): {"FragmentPath": "/run/systemd/x"}}),
        {drift("unit", layout.unit("qwen"), "path")},
    ),
    "drop-in": (
        lambda s: s.shown.update(
            {layout.unit("qwen"): {"DropInPaths": "/etc/a.conf /usr/lib/systemd/b.conf"}}
        ),
        {("information", "unit", layout.unit("qwen"), "drop-in")},
    ),
    "a process that is not our launcher": (
        lambda s: s.shown.update({layout.unit("qwen"): {"MainPID": "4242"}}),
        {drift("service", "qwen", "process")},
    ),
    "generation": (
        lambda s: setattr(s, "served_generation", "0123"),
        {drift("proxy", "proxy", "generation")},
    ),
    "a stranger on the port": (
        a_stranger_on_the_port,
        {
            drift("port", "127.0.0.1:8001", "holder"),
            drift("unit", layout.unit("qwen"), "active"),
        },
    ),
    "a damaged generation": (
        written(f"{layout.GENERATIONS}/000001.json", "{"),
        {drift("record", f"{layout.GENERATIONS}/000001.json", "content")},
    ),
}


def test_an_installed_host_has_no_drift() -> None:
    assert seen(installed()) == ()


@pytest.mark.parametrize("name", CASES)
def test_each_difference_is_told_and_nothing_else(name: str) -> None:
    did, expected = CASES[name]
    systemd = installed()
    did(systemd)
    found = seen(systemd)
    assert told(systemd) == expected
    assert all(d.remedy for d in found)
    assert all(d.aspect in ASPECTS[d.kind] for d in found)


def test_every_remedy_of_a_difference_is_found_again_by_install() -> None:
    systemd = installed()
    altered(SPEC, mode=0o666)(systemd)
    altered(layout.PROXY, owner="nobody")(systemd)
    install(systemd.host, MULTI, Heard())
    assert seen(systemd) == ()


def test_an_edit_that_install_took_account_of_is_drift_of_the_file_alone() -> None:
    systemd = installed()
    written(ENGINE_YAML, "max_batch_size: 1\n")(systemd)
    install(systemd.host, MULTI, Heard())
    (only,) = seen(systemd)
    assert (only.subject, only.aspect) == (ENGINE_YAML, "content")
    assert "+max_batch_size: 1" in only.diff


def test_a_process_that_began_after_the_edit_runs_with_it() -> None:
    systemd = installed()
    written(ENGINE_YAML, "max_batch_size: 1\n")(systemd)
    systemd.host.run(["systemctl", "restart", "trtllm-nemotron.service"])
    systemd.host.pause(10)
    assert told(systemd) == {drift("file", ENGINE_YAML, "content")}


@pytest.mark.parametrize("set_by", [-7200, 7200])
def test_a_clock_that_was_set_hides_no_older_process(set_by: int) -> None:
    """Between the start and the edit, and between the edit and now."""
    for before_edit in (True, False):
        systemd = installed()
        pid, started = systemd.pids["nemotron"], float(str(systemd.begun["nemotron"]["started_at"]))
        now = set_by if before_edit else 0
        moment = int((started + 60 + now) * 1_000_000_000)
        systemd.host.write(ENGINE_YAML, b"x: 1\n", mode=0o644, owner="root", mtime_ns=moment)
        # The kernel counts from the boot, and tells the boot by the clock of now.
        systemd.host.add_file("/proc/stat", f"btime {int(started) + set_by - 100}\n".encode())
        stat = " ".join(["S", *["0"] * 18, str(100 * 100), "0"])
        systemd.host.add_file(f"/proc/{pid}/stat", f"{pid} (x) {stat}\n".encode())
        assert drift("service", "nemotron", "input") in told(systemd)


def test_a_file_offered_beside_an_edit_is_mentioned() -> None:
    systemd = installed()
    written(f"{layout.PROXY}/nginx.conf", "# mine\n")(systemd)
    install(systemd.host, Options(profile="multi", simulate=True, accept=()), Heard())
    written(f"{layout.ETC}/site.yaml", "proxy:\n  body_limit_mib: 5\n")(systemd)
    install(systemd.host, MULTI, Heard())
    beside = f"{layout.PROXY}/nginx.conf.trtllm-new"
    assert ("information", "file", beside, "offered") in told(systemd)


def test_a_run_that_was_cut_off_is_drift() -> None:
    systemd = installed()
    begin = Begin(
        verb="install",
        supervisor="systemd",
        services=(),
        running={},
        serving=(),
        enabled=True,
        process="1 1 x",
        found_state=True,
    )
    Journal(systemd.host).announce(begin)
    (only,) = seen(systemd)
    assert (only.kind, only.weight) == ("run", Weight.DRIFT)
    assert "rollback" in only.remedy


def test_a_supervisord_that_does_not_run_is_one_difference_with_a_remedy_that_mends_all() -> None:
    receipt = SimpleNamespace(supervisor="supervisord", started=True)
    daemon = UnitFacts(
        name="supervisord", unit="supervisord", load="loaded", active="inactive", runs=False
    )
    absent = replace(daemon, name="qwen", unit="qwen", load="not-found", active="absent")
    there = cast("Installed", SimpleNamespace(receipt=receipt))
    (only,) = judge_units(there, (absent, daemon))
    assert (only.subject, only.aspect, only.remedy) == (
        "supervisord",
        "active",
        "sudo trtllm-install start",
    )


def test_what_was_never_started_is_mentioned_and_is_no_drift() -> None:
    systemd = FakeSystemd(debian())
    install(systemd.host, Options(profile="multi", simulate=True, start=False), Heard())
    assert {d.weight for d in seen(systemd)} == {Weight.INFORMATION}


def test_without_root_what_is_hidden_is_unknown_and_the_rest_is_compared() -> None:
    systemd = installed()
    systemd.host.root = False
    systemd.host.forbid(layout.GENERATIONS)
    written(ROUTES, "-- mine\n")(systemd)
    assert told(systemd) == {
        ("unknown", "record", f"{layout.GENERATIONS}/000001.json", "content"),
        ("unknown", "proxy", "proxy", "generation"),
        drift("file", ROUTES, "content"),
    }


def test_a_host_without_us_has_nothing_to_compare_with() -> None:
    with pytest.raises(ConfigError, match="no receipt"):
        seen(FakeSystemd(debian()))
