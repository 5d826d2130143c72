"""One contract for both supervisors, and the exact commands that each is kept by."""

from collections.abc import Callable

import pytest

from fakes.fake_host import FakeHost
from trtllm_install.host.protocol import Completed
from trtllm_install.model import layout
from trtllm_install.model.errors import HostError
from trtllm_install.model.tree import ServiceAction, ServiceChange
from trtllm_install.supervisors.protocol import Supervisor
from trtllm_install.supervisors.supervisord import Supervisord
from trtllm_install.supervisors.systemd import Systemd

CTL = ("/opt/trtllm/tool/bin/supervisorctl", "-c", "/etc/trtllm/supervisord.conf")
DAEMON = "/opt/trtllm/tool/bin/supervisord"
LIMITS = ("prlimit", "--memlock=unlimited", "--stack=67108864", "--core=0", "--nofile=65536")
SERVICES = ("qwen", "nemotron", "proxy")
Make = Callable[[FakeHost], Supervisor]
BOTH = pytest.mark.parametrize("make", [Systemd, Supervisord])


def change(action: ServiceAction, name: str = "qwen") -> ServiceChange:
    return ServiceChange(action=action, name=name, reason="a test")


def host(**running: str) -> FakeHost:
    """A host on which either supervisor runs these services; the values are supervisord's words."""
    machine = FakeHost()
    machine.add_file(layout.SUPERVISORD_SOCKET)
    machine.add_file(layout.TMPFILES)
    machine.add_file(f"{layout.UNITS}/{layout.TARGET}")
    words = {"RUNNING": "active", "STARTING": "activating", "FATAL": "failed"}

    def systemctl(argv: tuple[str, ...], _: str) -> Completed:
        asked = [unit.removeprefix("trtllm-").removesuffix(".service") for unit in argv[2:]]
        said = [words.get(running.get(name, ""), "inactive") for name in asked]
        return Completed(argv=argv, code=3, stdout="\n".join(said) + "\n", stderr="")

    status = "".join(f"{name:<32} {word:<9} pid 7\n" for name, word in running.items())
    machine.answer_command(["systemctl"])
    machine.answer_command(["systemctl", "is-active"], by=systemctl)
    machine.answer_command(["systemd-tmpfiles"])
    machine.answer_command(CTL)
    machine.answer_command([*CTL, "status"], status, code=3)
    machine.answer_command([*CTL, "pid"], "7\n")
    return machine


def commands(make: Make, machine: FakeHost, act: Callable[[Supervisor], object]) -> list[str]:
    """Return what was run, one line a command, programs and configuration left out."""
    act(make(machine))
    lines = [" ".join(argv) for argv in machine.ran]
    return [line.replace(" ".join(CTL), "ctl") for line in lines]


# the contract ----------------------------------------------------------------
@BOTH
def test_running_is_what_runs_or_is_about_to(make: Make) -> None:
    machine = host(qwen="RUNNING", nemotron="STARTING", proxy="FATAL")
    assert make(machine).running(SERVICES) == {"qwen", "nemotron"}


@BOTH
def test_running_names_only_what_was_asked_for(make: Make) -> None:
    machine = host(qwen="RUNNING", nemotron="RUNNING")
    assert make(machine).running(["nemotron", "unknown"]) == {"nemotron"}


@BOTH
def test_running_asks_once_for_all(make: Make) -> None:
    machine = host(**dict.fromkeys(SERVICES, "RUNNING"))
    make(machine).running(SERVICES)
    assert len(machine.ran) == 1


def test_a_start_that_is_queued_behind_a_load_of_minutes_is_about_to_run() -> None:
    """Until the model before has loaded, "is-active" says inactive of the one behind it."""
    machine = host(qwen="STARTING")
    shown = (
        "Id=trtllm-nemotron.service\nJob=41\n\n"
        "Id=trtllm-proxy.service\nJob=\n\nId=another.service\nJob=7\n"
    )
    machine.answer_command(["systemctl", "show", "--property=Id,Job"], shown)
    assert Systemd(machine).running(SERVICES) == {"qwen", "nemotron"}


@BOTH
@pytest.mark.parametrize("action", [a for a in ServiceAction if a is not ServiceAction.ENABLE])
def test_a_refused_order_is_an_error_in_the_words_of_the_supervisor(
    make: Make, action: ServiceAction
) -> None:
    machine = host()
    machine.answer_command(["systemctl"], code=1, stderr="Unit is masked.\n")
    machine.answer_command(CTL, "qwen: ERROR (Unit is masked.)\n", code=1)
    with pytest.raises(HostError, match=r"cannot run .*: .*Unit is masked") as caught:
        make(machine).carry_out(change(action))
    assert "status" in caught.value.hint


@BOTH
def test_stop_all_is_one_order(make: Make) -> None:
    machine = host()
    make(machine).stop_all(SERVICES)
    assert len([argv for argv in machine.ran if argv[-1] != "pid"]) == 1


@BOTH
def test_the_log_command_names_the_service(make: Make) -> None:
    assert "qwen" in " ".join(make(FakeHost()).log_command("qwen"))


@pytest.mark.parametrize("make", [Systemd, Supervisord])
def test_names_are_those_of_the_command_line(make: Make) -> None:
    assert make(FakeHost()).name == make.__name__.lower()  # type: ignore[attr-defined]


SHOWN = """\
Id=trtllm-qwen.service
MainPID=7
LoadState=loaded
ActiveState=activating
FragmentPath=/etc/systemd/system/trtllm-qwen.service
DropInPaths=/etc/systemd/system/trtllm-qwen.service.d/a.conf
UnitFileState=disabled
NeedDaemonReload=yes

Id=trtllm.target
LoadState=loaded
ActiveState=inactive
UnitFileState=enabled
"""


@BOTH
def test_describe_tells_what_runs_and_with_which_launcher(make: Make) -> None:
    machine = host(qwen="STARTING")
    machine.answer_command(["systemctl", "show"], SHOWN)
    qwen = next(unit for unit in make(machine).describe(["qwen"]) if unit.name == "qwen")
    assert (qwen.load, qwen.runs, qwen.pid) == ("loaded", True, 7)


def test_systemd_describes_what_a_unit_is_made_of_and_the_target() -> None:
    machine = host()
    machine.answer_command(["systemctl", "show"], SHOWN)
    qwen, target = Systemd(machine).describe(["qwen"])
    assert qwen.path == "/etc/systemd/system/trtllm-qwen.service"
    assert qwen.drop_ins == ("/etc/systemd/system/trtllm-qwen.service.d/a.conf",)
    assert (qwen.needs_reread, qwen.enabled) == (True, "")
    assert (target.unit, target.enabled, target.runs, target.pid) == (
        layout.TARGET,
        "enabled",
        False,
        None,
    )


def test_supervisord_without_its_daemon_has_no_program() -> None:
    machine = host(qwen="RUNNING")
    machine.answer_command([*CTL, "pid"], code=1)
    qwen, daemon = Supervisord(machine).describe(["qwen"])
    assert (qwen.load, qwen.runs, daemon.runs) == ("not-found", False, False)


# systemd ---------------------------------------------------------------------
@pytest.mark.parametrize(
    ("action", "expected"),
    [
        (ServiceAction.STOP, ["systemctl stop trtllm-qwen.service"]),
        (ServiceAction.RELOAD, ["systemctl reload trtllm-qwen.service"]),
        (
            ServiceAction.START,
            [
                "systemctl reset-failed trtllm-qwen.service",
                "systemctl start --no-block trtllm-qwen.service",
            ],
        ),
        (
            ServiceAction.RESTART,
            [
                "systemctl reset-failed trtllm-qwen.service",
                "systemctl restart --no-block trtllm-qwen.service",
            ],
        ),
    ],
)
def test_systemd_carries_out(action: ServiceAction, expected: list[str]) -> None:
    assert commands(Systemd, host(), lambda s: s.carry_out(change(action))) == expected


def test_systemd_starts_a_unit_that_never_failed() -> None:
    machine = host()
    machine.answer_command(["systemctl", "reset-failed"], code=1, stderr="Unit not loaded.")
    Systemd(machine).carry_out(change(ServiceAction.START))
    assert machine.ran[-1] == ("systemctl", "start", "--no-block", "trtllm-qwen.service")


def test_systemd_activates() -> None:
    assert commands(Systemd, host(), lambda s: s.activate()) == [
        "systemctl daemon-reload",
        "systemd-tmpfiles --create /etc/tmpfiles.d/trtllm.conf",
        "systemctl enable --quiet trtllm.target",
        "systemctl start --no-block trtllm.target",
    ]


def test_systemd_deactivates_and_takes_note() -> None:
    def both(supervisor: Supervisor) -> None:
        supervisor.deactivate(("qwen", "proxy"))
        supervisor.reread()

    assert commands(Systemd, host(), both) == [
        (
            "systemctl stop trtllm.target trtllm-qwen.service trtllm-proxy.service "
            "trtllm-gpu-ready.service"
        ),
        "systemctl disable --quiet trtllm.target",
        "systemctl daemon-reload",
    ]


@pytest.mark.parametrize(("code", "word"), [(0, "enabled"), (1, "disabled"), (4, "")])
def test_systemd_is_in_force_when_its_target_starts_at_boot(code: int, word: str) -> None:
    machine = host()
    machine.answer_command(["systemctl", "is-enabled"], f"{word}\n", code=code)
    assert Systemd(machine).enabled() is (word == "enabled")


def test_systemd_resumes_without_starting_what_was_stopped() -> None:
    assert commands(Systemd, host(), lambda s: s.resume()) == [
        "systemctl enable --quiet trtllm.target",
        "systemctl start --no-block --job-mode=ignore-dependencies trtllm.target",
    ]


def test_what_systemd_never_loaded_is_stopped_already() -> None:
    machine = host()
    machine.answer_command(
        ["systemctl", "stop"], code=5, stderr="Failed to stop trtllm.target: Unit x not loaded.\n"
    )
    Systemd(machine).stop_all(SERVICES)
    del machine.nodes[f"{layout.UNITS}/{layout.TARGET}"]
    Systemd(machine).deactivate(SERVICES)
    assert machine.ran[-1][1] == "stop"


def test_a_stop_may_take_as_long_as_running_streams_and_the_tree_need() -> None:
    machine = host()
    machine.answer_command(["systemctl", "stop"], takes=180)
    Systemd(machine).stop_all(SERVICES)
    assert machine.now == 1180


def test_systemd_log() -> None:
    machine = host()
    machine.answer_command(["journalctl"], "one\ntwo\n")
    assert Systemd(machine).log("qwen", lines=2) == "one\ntwo\n"
    expected = "journalctl --no-pager -o cat -n 2 -u trtllm-qwen.service"
    assert " ".join(machine.ran[0]) == expected


# supervisord -----------------------------------------------------------------
@pytest.mark.parametrize(
    ("action", "expected"),
    [
        (ServiceAction.STOP, ["ctl stop qwen"]),
        (ServiceAction.RELOAD, ["ctl signal HUP qwen"]),
        (
            ServiceAction.RESTART,
            ["ctl status", "ctl stop qwen", "ctl remove qwen", "ctl add qwen"],
        ),
        (ServiceAction.START, ["ctl status"]),
    ],
)
def test_supervisord_carries_out_on_what_runs(action: ServiceAction, expected: list[str]) -> None:
    machine = host(qwen="RUNNING")
    assert commands(Supervisord, machine, lambda s: s.carry_out(change(action))) == expected


@pytest.mark.parametrize("action", [ServiceAction.START, ServiceAction.RESTART])
def test_supervisord_starts_what_does_not_run_with_its_present_configuration(
    action: ServiceAction,
) -> None:
    machine = host(qwen="EXITED")
    told = commands(Supervisord, machine, lambda s: s.carry_out(change(action)))
    assert [t for t in told if t != "ctl status"] == ["ctl remove qwen", "ctl add qwen"]


def test_supervisord_that_runs_only_reads_its_configuration_again() -> None:
    assert commands(Supervisord, host(), lambda s: s.activate()) == ["ctl pid", "ctl reread"]


def test_supervisord_drops_the_programs_that_left_its_configuration() -> None:
    machine = host()
    machine.answer_command([*CTL, "reread"], "qwen: changed\nnemotron: disappeared\n")
    told = commands(Supervisord, machine, lambda s: s.activate())
    assert told == ["ctl pid", "ctl reread", "ctl remove nemotron"]


def test_without_root_what_runs_is_read_from_what_the_launchers_write() -> None:
    machine = host()
    machine.root = False
    machine.add_file(layout.live_state("qwen"), '{"pid": 7}')
    machine.add_file(layout.live_state("nemotron"), '{"pid": 8}')
    machine.add_directory("/proc/7")
    assert Supervisord(machine).running(["qwen", "nemotron", "proxy"]) == {"qwen"}
    assert machine.ran == []


def without_daemon() -> FakeHost:
    """A host whose daemon answers once it was started."""
    machine = host()
    del machine.nodes[layout.SUPERVISORD_SOCKET]

    def daemon(argv: tuple[str, ...], _: str) -> Completed:
        machine.later(0.5, lambda: machine.add_file(layout.SUPERVISORD_SOCKET))
        return Completed(argv=argv, code=0, stdout="", stderr="")

    machine.answer_command([DAEMON], by=daemon)
    machine.answer_command(LIMITS, by=daemon)
    machine.answer_command([*LIMITS, "true"])
    return machine


def test_supervisord_is_started_with_the_limits_of_an_engine() -> None:
    machine = without_daemon()
    Supervisord(machine).activate()
    assert machine.ran == [
        (*LIMITS, "true"),
        (*LIMITS, DAEMON, "-c", layout.SUPERVISORD_CONF),
        (*CTL, "pid"),
    ]


def test_supervisord_starts_where_limits_may_not_be_raised() -> None:
    machine = without_daemon()
    machine.answer_command([*LIMITS, "true"], code=1, stderr="Operation not permitted")
    Supervisord(machine).activate()
    assert (DAEMON, "-c", layout.SUPERVISORD_CONF) in machine.ran


def test_an_order_to_a_supervisord_that_does_not_run_is_told_as_that() -> None:
    machine = host()
    for word in ("pid", "add"):
        machine.answer_command([*CTL, word], "error: ConnectionRefusedError\n", code=1)
    with pytest.raises(
        HostError, match="cannot tell supervisord to add qwen: it does not run"
    ) as e:
        Supervisord(machine).carry_out(change(ServiceAction.RESTART))
    assert e.value.hint.startswith("sudo trtllm-install start")


def test_a_supervisord_that_does_not_start_is_told_with_the_command_that_shows_why() -> None:
    machine = without_daemon()
    machine.answer_command(LIMITS, code=2, stderr="Error: Invalid user name trtllm")
    machine.answer_command([*LIMITS, "true"])
    with pytest.raises(HostError, match="Invalid user name") as caught:
        Supervisord(machine).activate()
    assert caught.value.hint == f"{DAEMON} -n -c {layout.SUPERVISORD_CONF}"


def test_a_supervisord_that_never_answers_is_given_up_after_ten_seconds() -> None:
    machine = without_daemon()
    machine.answer_command(LIMITS)
    machine.answer_command([*LIMITS, "true"])
    with pytest.raises(HostError, match="cannot start supervisord: no answer"):
        Supervisord(machine).activate()
    assert 10 < machine.now - 1000 < 11


def test_supervisord_deactivates_and_is_gone_afterwards() -> None:
    machine = host(qwen="RUNNING")
    machine.add_directory("/proc/7")

    def shutdown(argv: tuple[str, ...], _: str) -> Completed:
        del machine.nodes[layout.SUPERVISORD_SOCKET]
        machine.later(0.2, lambda: machine.nodes.pop("/proc/7") and None)  # it closes its log
        return Completed(argv=argv, code=0, stdout="Shut down\n", stderr="")

    machine.answer_command([*CTL, "shutdown"], by=shutdown)
    told = commands(Supervisord, machine, lambda s: s.deactivate(SERVICES))
    assert [t for t in told if t != "ctl pid"] == ["ctl stop all", "ctl shutdown"]
    assert machine.look("/proc/7") is None


@pytest.mark.parametrize(
    "act",
    [lambda s: s.deactivate(SERVICES), lambda s: s.stop_all(SERVICES), lambda s: s.reread()],
)
def test_without_a_daemon_there_is_nothing_to_stop(act: Callable[[Supervisor], None]) -> None:
    machine = FakeHost()
    act(Supervisord(machine))
    assert Supervisord(machine).running(SERVICES) == frozenset()
    assert machine.ran == []


def test_a_socket_that_nobody_listens_on_is_no_daemon() -> None:
    machine = host()
    machine.answer_command([*CTL, "status"], "unix:///run/x refused connection\n", code=4)
    machine.answer_command([*CTL, "pid"], code=4)
    assert Supervisord(machine).running(SERVICES) == frozenset()
    Supervisord(machine).stop_all(SERVICES)
    assert [argv[-1] for argv in machine.ran] == ["status", "pid"]


def test_supervisord_log_is_the_end_of_its_file() -> None:
    machine = FakeHost()
    machine.add_file(f"{layout.LOGS}/qwen.log", "".join(f"line {n}\n" for n in range(5000)))
    assert Supervisord(machine).log("qwen", lines=2) == "line 4998\nline 4999\n"
    assert Supervisord(machine).log("proxy", lines=2) == ""


def test_a_host_with_only_a_proxy_is_not_asked_for_what_waits_for_gpus() -> None:
    machine = host(proxy="RUNNING")
    machine.answer_command(["systemctl", "show"], "Id=trtllm-proxy.service\nLoadState=loaded\n")
    Systemd(machine).describe(["proxy"])
    assert machine.ran[-1][-2:] == ("trtllm-proxy.service", "trtllm.target")
