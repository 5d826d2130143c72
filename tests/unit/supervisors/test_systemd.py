"""The exact commands that systemd is ordered by."""

import pytest

from fakes.supervised import SERVICES, SHOWN, change, commands, host
from trtllm_install.model import layout
from trtllm_install.model.tree import ServiceAction
from trtllm_install.supervisors.protocol import Supervisor
from trtllm_install.supervisors.systemd import Systemd


def test_a_start_that_is_queued_behind_a_load_of_minutes_is_about_to_run() -> None:
    """Until the model before has loaded, "is-active" says inactive of the one behind it."""
    machine = host(qwen="STARTING")
    shown = (
        "Id=trtllm-nemotron.service\nJob=41\n\n"
        "Id=trtllm-proxy.service\nJob=\n\nId=another.service\nJob=7\n"
    )
    machine.answer_command(["systemctl", "show", "--property=Id,Job"], shown)
    assert Systemd(machine).running(SERVICES) == {"qwen", "nemotron"}


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


def test_a_host_with_only_a_proxy_is_not_asked_for_what_waits_for_gpus() -> None:
    machine = host(proxy="RUNNING")
    machine.answer_command(["systemctl", "show"], "Id=trtllm-proxy.service\nLoadState=loaded\n")
    Systemd(machine).describe(["proxy"])
    assert machine.ran[-1][-2:] == ("trtllm-proxy.service", "trtllm.target")
