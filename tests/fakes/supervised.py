"""A host on which either supervisor runs services, and what is run there."""

from collections.abc import Callable

from fakes.fake_host import FakeHost
from trtllm_install.host.protocol import Completed
from trtllm_install.model import layout
from trtllm_install.model.tree import ServiceAction, ServiceChange
from trtllm_install.supervisors.protocol import Supervisor

CTL = ("/opt/trtllm/tool/bin/supervisorctl", "-c", "/etc/trtllm/supervisord.conf")
SERVICES = ("qwen", "nemotron", "proxy")
Make = Callable[[FakeHost], Supervisor]


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
