"""One contract for both supervisors."""

import pytest

from fakes.fake_host import FakeHost
from fakes.supervised import CTL, SERVICES, SHOWN, Make, change, host
from trtllm_install.model.errors import HostError
from trtllm_install.model.tree import ServiceAction
from trtllm_install.supervisors.supervisord import Supervisord
from trtllm_install.supervisors.systemd import Systemd

BOTH = pytest.mark.parametrize("make", [Systemd, Supervisord])


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


@BOTH
def test_describe_tells_what_runs_and_with_which_launcher(make: Make) -> None:
    machine = host(qwen="STARTING")
    machine.answer_command(["systemctl", "show"], SHOWN)
    qwen = next(unit for unit in make(machine).describe(["qwen"]) if unit.name == "qwen")
    assert (qwen.load, qwen.runs, qwen.pid) == ("loaded", True, 7)
