"""Whose a process is: of a service that runs, left behind by one, or somebody else's."""

import json

import pytest

from fakes.fake_host import FakeHost
from trtllm_install.model import layout
from trtllm_install.probes.ownership import belonging, recorded_pids


def process(
    host: FakeHost, pid: int, *, parent: int = 1, argv: str = "x", mark: str = "", unit: str = ""
) -> None:
    host.add_file(f"/proc/{pid}/stat", f"{pid} (a b) S {parent} 0 0\n")
    host.add_file(f"/proc/{pid}/cmdline", argv.replace(" ", "\0") + "\0")
    host.add_file(f"/proc/{pid}/cgroup", f"0::/system.slice/{unit}\n")
    host.add_file(f"/proc/{pid}/environ", f"PATH=/bin\0{mark}\0")


@pytest.mark.parametrize(
    ("unit", "launcher", "mark", "whose"),
    [
        ("trtllm-qwen.service", False, "TRTLLM_SUPERVISED=/run/trtllm/qwen", "running"),
        ("supervisor.service", True, "TRTLLM_SUPERVISED=/run/trtllm/qwen", "running"),
        ("supervisor.service", False, "TRTLLM_SUPERVISED=/run/trtllm/qwen", "left-over"),
        ("supervisor.service", False, "TRTLLM_SUPERVISED=/srv/other/qwen", "other"),
        ("session-1.scope", False, "", "other"),
    ],
)
def test_mark_of_a_launcher_without_the_launcher_is_a_left_over(
    unit: str, launcher: bool, mark: str, whose: str
) -> None:
    host = FakeHost()
    process(host, 40, argv=f"{layout.supervise()} qwen" if launcher else "init")
    process(host, 41, parent=40, mark=mark, unit=unit)
    assert belonging(host, 41, frozenset()) == whose


def test_recorded_process_whose_launcher_died_is_a_left_over() -> None:
    host = FakeHost()
    host.add_file("/run/trtllm/qwen.json", json.dumps({"pid": 40, "child_pid": 41}))
    process(host, 41)
    process(host, 42, parent=41)
    recorded = recorded_pids(host)
    assert belonging(host, 42, recorded) == "left-over"
    assert belonging(host, 43, recorded) == "other"
