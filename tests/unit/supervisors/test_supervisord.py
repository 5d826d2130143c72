"""The exact commands that supervisord is started and ordered by."""

from collections.abc import Callable

import pytest

from fakes.fake_host import FakeHost
from fakes.supervised import CTL, SERVICES, change, commands, host
from trtllm_install.host.protocol import Completed
from trtllm_install.model import layout
from trtllm_install.model.errors import HostError
from trtllm_install.model.tree import ServiceAction
from trtllm_install.supervisors.protocol import Supervisor
from trtllm_install.supervisors.supervisord import Supervisord

DAEMON = "/opt/trtllm/tool/bin/supervisord"
LIMITS = ("prlimit", "--memlock=unlimited", "--stack=67108864", "--core=0", "--nofile=65536")


def test_supervisord_without_its_daemon_has_no_program() -> None:
    machine = host(qwen="RUNNING")
    machine.answer_command([*CTL, "pid"], code=1)
    qwen, daemon = Supervisord(machine).describe(["qwen"])
    assert (qwen.load, qwen.runs, daemon.runs) == ("not-found", False, False)


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
