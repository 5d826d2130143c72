"""Liveness, with real processes: a hang is found, and busy is never killed."""

import json
import os
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fakes.launcher_room import INSTALLER, Launcher, Room, await_true, hurried, pick_port
from fakes.simulated_engine import QWEN, write_checkpoint
from trtllm_install.model.liveness import DEFAULTS, Liveness


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    made = Room(tmp_path)
    yield made
    made.close()


def start_healthy(room: Room, *options: str, canary_idle_s: float = 0.3) -> Launcher:
    room.write_spec("qwen", *options, canary_idle_s=canary_idle_s)
    qwen = room.start("qwen")
    qwen.await_state("healthy")
    return qwen


def test_a_hang_behind_a_healthy_health_is_found_when_idle(room: Room) -> None:
    qwen = start_healthy(room, "--ignore-term", "--daemon")
    qwen.fault(generate="hang")
    qwen.await_state("suspect")
    assert qwen.await_exit() == 82
    assert qwen.state["state"] == "backoff"
    assert "no answer to /health_generate" in qwen.state["exit"]["reason"]
    assert room.processes() == []
    (saved,) = (room.state_dir("qwen") / "hangs").iterdir()
    evidence = json.loads(saved.read_text())
    assert "no answer" in evidence["reason"]
    assert any("fake_engine.py" in process["command"] for process in evidence["processes"])
    assert any("/health_generate" in line for line in evidence["lines"])


def test_an_idle_hang_is_served_again_with_the_usual_thresholds(
    room: Room, record_property: Callable[[str, object], None]
) -> None:
    canary_s = 2.0
    room.write_spec("qwen", canary_idle_s=canary_s, liveness=Liveness())
    qwen = room.start("qwen")
    qwen.await_state("healthy")
    qwen.fault(generate="hang")
    began = clock()
    assert qwen.await_exit(90) == 82
    noticed_s = clock() - began
    again = room.start("qwen")  # as a supervisor does, and the first delay is waited for
    again.await_state("healthy")
    served_s = clock() - began
    record_property("idle hang: noticed, served again, s", (noticed_s, served_s))
    assert noticed_s >= 3 * DEFAULTS["idle_window_s"]
    slack_s = 15.0  # of a machine that has others to run
    assert served_s <= canary_s + 35 + slack_s
    assert again.stop() == 0


def test_reading_the_engines_counters_is_no_work_of_the_engine(room: Room) -> None:
    port = pick_port()
    config = room.folder / "engine.yaml"
    config.write_text("return_perf_metrics: true\n")
    model = write_checkpoint(room.folder, QWEN)
    command = (sys.executable, "-m", "trtllm_install.simulator.main", "serve", str(model))
    environment = {
        "PATH": "/usr/bin:/bin",
        "PYTHONPATH": str(INSTALLER),
        "TRTLLM_SIMULATED_FAULTS": "load_seconds=0",
    }
    room.write_spec(
        "qwen",
        port=port,
        argv=(*command, "--host", "127.0.0.1", "--port", str(port), "--config", str(config)),
        environment=environment,
        canary_idle_s=1,
        liveness=hurried(1),
    )
    qwen = room.start("qwen")
    qwen.await_state("healthy")
    qwen.await_line("/prometheus/metrics")
    with socket.create_connection(("127.0.0.1", port), 5) as sock:
        body = b'{"hang": true}'
        head = f"POST /simulated/faults HTTP/1.1\r\nContent-Length: {len(body)}\r\n\r\n"
        sock.sendall(head.encode() + body)
        assert b" 200 " in sock.recv(4096)
    assert qwen.await_exit(40) == 82
    assert "no sign of work" in qwen.state["exit"]["reason"]


def test_a_killed_worker_is_looked_into_at_once(room: Room) -> None:
    room.write_spec("qwen", "--daemon", canary_idle_s=600, liveness=hurried(0.5))
    qwen = room.start("qwen")
    server = qwen.await_state("healthy")["child_pid"]
    qwen.fault(generate="hang")
    (worker,) = set(room.processes()) - {server}
    os.kill(worker, 9)
    qwen.await_line("a process of the service has ended")
    assert qwen.await_exit() == 82
    assert room.processes() == []


def test_a_process_that_was_stopped_in_its_tracks_is_found(room: Room) -> None:
    import signal  # noqa: PLC0415 (only here)

    qwen = start_healthy(room, canary_idle_s=0.2)
    os.kill(qwen.state["child_pid"], signal.SIGSTOP)
    assert qwen.await_exit() == 82
    assert room.processes() == []


@pytest.mark.parametrize("work", ["spin", "log"])
def test_a_busy_engine_is_not_killed_and_recovers(room: Room, work: str) -> None:
    qwen = start_healthy(room)
    qwen.fault(generate=work)
    since = qwen.await_state("busy")["since"]
    # Ten times the silence that would have been death.
    await_true(lambda: clock() - since > 9 * 0.3, "time passes")
    assert qwen.state["state"] == "busy"
    assert qwen.process.poll() is None
    qwen.fault(generate="200")
    qwen.await_state("healthy")


def clock() -> float:
    import time  # noqa: PLC0415 (only here)

    return time.time()


def test_an_engine_that_refuses_for_ever_is_restarted(room: Room) -> None:
    qwen = start_healthy(room)
    qwen.fault(health="503", generate="500")
    qwen.await_state("suspect")
    assert qwen.await_exit() == 82
    assert "/health_generate answers 500" in qwen.state["exit"]["reason"]


def test_an_engine_that_recovers_is_not_restarted(room: Room) -> None:
    qwen = start_healthy(room, canary_idle_s=2)
    qwen.fault(health="503", generate="500")
    qwen.await_state("suspect")
    qwen.fault(health="200", generate="200")
    qwen.await_state("healthy")
    assert qwen.process.poll() is None


def test_a_token_outweighs_a_bad_health(room: Room) -> None:
    qwen = start_healthy(room)
    qwen.fault(health="503")
    before = qwen.log.read_text().count("GET /health_generate")
    canaries = lambda: qwen.log.read_text().count("GET /health_generate")  # noqa: E731 (a word)
    await_true(lambda: canaries() >= before + 3, "three canaries")
    assert qwen.state["state"] == "healthy"


def test_an_engine_in_use_gets_no_canary(room: Room) -> None:
    qwen = start_healthy(room, canary_idle_s=1)
    before = qwen.log.read_text().count("GET /health_generate")
    until = clock() + 2.5
    while clock() < until:
        qwen.fault(note="in use")  # each writes a line of the engine's own
    assert qwen.log.read_text().count("GET /health_generate") == before


def test_one_service_costs_less_than_20_mb_and_a_500th_of_a_core(
    room: Room, record_property: Callable[[str, object], None]
) -> None:
    qwen = start_healthy(room, canary_idle_s=60)
    room.write_spec("late", after=("nobody",))
    late = room.start("late")
    late.await_status("waiting for nobody")
    pids = {"healthy": qwen.process.pid, "waiting": late.process.pid}
    spent = {state: read_cpu_s(pid) for state, pid in pids.items()}
    began = clock()
    await_true(lambda: clock() - began > 10, "ten idle seconds", 30)
    for state, pid in pids.items():
        share = (read_cpu_s(pid) - spent[state]) / (clock() - began)
        resident = read_resident_kib(pid)
        record_property(f"launcher, {state}: RSS, KiB", resident)
        record_property(f"launcher, {state}: share of a core, %", round(share * 100, 3))
        assert resident <= 20 * 1024, state
        assert share <= 0.002, state


def read_cpu_s(pid: int) -> float:
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


def read_resident_kib(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1])
