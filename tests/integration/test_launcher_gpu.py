"""GPU faults, with the process that waits for them and a driver's library in C."""

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fakes.launcher_room import Launcher, Room, await_true, is_alive
from nvml.compiled import build, rendered
from nvml.described import description
from trtllm_install.launcher import tree
from trtllm_install.probes import gpu_events_child

_UUID = "GPU-b2000000-0000-0000-0000-000000000000"
_XID, _ECC = 8, 2


@pytest.fixture(scope="module", name="libraries")
def build_libraries(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("driver"), "nvml.c")


class Driver:
    """What the library says; changed while it is asked."""

    def __init__(self, room: Room, libraries: Path) -> None:
        self._room = room
        self._path = room.folder / "host"
        self._libraries = libraries
        self.describe()

    def describe(self, gpu: dict[str, Any] | None = None, **nvml: object) -> None:
        told = description("b200")
        told["gpus"][0].update(gpu or {})
        told["nvml"].update({"wait": "soon", **nvml})
        new = self._path.with_suffix(".new")
        new.write_text(rendered(told))
        new.rename(self._path)

    def happen(self, kind: int, data: int = 0) -> None:
        with Path(f"{self._path}.events").open("a", encoding="ascii") as file:
            file.write(f"0 {kind} {data}\n")

    def start(self, *options: str, **fields: Any) -> Launcher:
        self._room.write_spec(
            "qwen",
            *options,
            gpu_watch=(sys.executable, str(gpu_events_child.__file__)),
            environment={
                "PATH": "/usr/bin:/bin",
                "LD_LIBRARY_PATH": str(self._libraries),
                "NVML_TEST_HOST": str(self._path),
            },
            **fields,
        )
        return self._room.start("qwen")


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    made = Room(tmp_path)
    yield made
    made.close()


@pytest.fixture
def driver(room: Room, libraries: Path) -> Driver:
    return Driver(room, libraries)


def watcher_of(launcher: Launcher) -> int:
    """Return the pid of the process that watches, 0 while there is none."""
    for process in tree.below(launcher.process.pid, tree.read_processes()):
        if process.alive and "gpu_events" in tree.read_proc(f"{process.pid}/cmdline"):
            return process.pid
    return 0


def await_watcher(launcher: Launcher) -> int:
    pid = await_true(lambda: watcher_of(launcher), "a process that watches")
    assert isinstance(pid, int)
    return pid


_Happens = Callable[[Driver], None]


@pytest.mark.parametrize(
    ("happens", "verdict"),
    [
        (lambda d: (d.describe({"recovery": 1}), d.happen(_XID, 62)), (83, "asks for a reset")),
        (lambda d: (d.describe({"recovery": 2}), d.happen(_XID, 79)), (84, "reboot of the host")),
        (lambda d: d.describe({"recovery": 1}), (83, "asks for a reset")),
        (lambda d: d.describe({"memory": {"error": 15}}), (84, "GPU is lost")),
        (lambda d: d.describe({"memory": {"error": 16}}), (83, "GPU requires re")),
        (lambda d: (d.describe({"recovery": {"error": 3}}), d.happen(_XID, 95)), (83, "Xid 95")),
        (lambda d: (d.describe({"recovery": {"error": 3}}), d.happen(_ECC)), (83, "ECC")),
    ],
)
@pytest.mark.parametrize("state", ["loading", "healthy"])
def test_a_gpu_that_cannot_go_on_ends_its_service(
    driver: Driver, room: Room, happens: _Happens, verdict: tuple[int, str], state: str
) -> None:
    code, words = verdict
    qwen = driver.start("--daemon", *(["--load-s", "60"] if state == "loading" else []))
    qwen.await_state(state)
    await_watcher(qwen)
    happens(driver)
    assert qwen.await_exit() == code
    assert qwen.state["state"] == "failed"
    assert words in qwen.state["exit"]["reason"]
    assert "reset" in qwen.state["status"] or "reboot" in qwen.state["status"]
    assert room.processes() == []


def test_an_application_error_costs_one_canary_and_no_more(driver: Driver) -> None:
    qwen = driver.start(canary_idle_s=600, liveness=None)
    qwen.await_state("healthy")
    await_watcher(qwen)
    before = qwen.log.read_text().count("GET /health_generate")
    driver.happen(_XID, 31)
    qwen.await_line("Xid 31; asking for a token")
    count = lambda: qwen.log.read_text().count("GET /health_generate")  # noqa: E731 (a word)
    await_true(lambda: count() > before, "a canary")
    assert qwen.state["state"] == "healthy"
    assert qwen.stop() == 0


def test_the_state_file_has_the_memory_of_the_gpus(driver: Driver) -> None:
    qwen = driver.start()
    qwen.await_state("healthy")
    (gpu,) = await_true(lambda: qwen.state["gpus"], "the memory of the GPU")
    assert (gpu["index"], gpu["name"]) == (0, "NVIDIA B200")
    assert (gpu["total"], gpu["free"]) == (192265846784, 191646138368)
    driver.describe({"memory": [192265846784, 10 << 30]})
    await_true(lambda: qwen.state["gpus"][0]["free"] == 10 << 30, "the memory now")
    assert qwen.stop() == 0


def test_the_watching_process_is_started_again_and_ends_with_its_launcher(driver: Driver) -> None:
    qwen = driver.start()
    qwen.await_state("healthy")
    first = await_watcher(qwen)
    os.kill(first, signal.SIGKILL)
    await_true(lambda: not is_alive(first), "it is gone")
    assert qwen.process.poll() is None
    assert qwen.state["state"] == "healthy"
    assert qwen.stop() == 0
    assert watcher_of(qwen) == 0


def test_a_host_without_a_driver_says_that_nothing_is_watched(driver: Driver) -> None:
    driver.describe(init={"error": 9})
    qwen = driver.start()
    qwen.await_state("healthy")
    assert qwen.stop() == 0


def test_a_hang_is_saved_with_what_the_gpus_say(driver: Driver, room: Room) -> None:
    qwen = driver.start(canary_idle_s=0.3)
    qwen.await_state("healthy")
    qwen.fault(generate="hang")
    assert qwen.await_exit() == 82
    (saved,) = (room.state_dir("qwen") / "hangs").iterdir()
    (gpu,) = json.loads(saved.read_text())["gpus"]["gpus"]
    assert gpu["gpu"] == _UUID
    assert gpu["memory"]["used"] > 0
    assert gpu["recovery"] == 0


def test_what_the_watch_costs(
    driver: Driver, record_property: Callable[[str, object], None]
) -> None:
    driver.describe(wait="long")
    qwen = driver.start()
    qwen.await_state("healthy")
    pids = {"launcher": qwen.process.pid, "watch": await_watcher(qwen)}
    await_true(lambda: resident_kib(pids["watch"]) > 5000, "it runs")
    began = {name: cpu_seconds(pid) for name, pid in pids.items()}
    wait_s = 6.0
    until = os.times().elapsed + wait_s
    await_true(lambda: os.times().elapsed > until, "idle seconds", 30)
    for name, pid in pids.items():
        share = (cpu_seconds(pid) - began[name]) / wait_s
        record_property(f"{name} with a watch: RSS, KiB", resident_kib(pid))
        record_property(f"{name} with a watch: share of a core, %", round(share * 100, 3))
        assert resident_kib(pid) <= {"launcher": 20, "watch": 24}[name] * 1024, name
    assert qwen.stop() == 0


def cpu_seconds(pid: int) -> float:
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


def resident_kib(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1])
