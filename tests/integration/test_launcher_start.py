"""From start to READY, with real processes: order, admission, gate, no-progress, back-off."""

import hashlib
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fakes.launcher_room import Room, await_true, is_alive, pick_port


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    made = Room(tmp_path)
    yield made
    made.close()


def read_phases(room: Room, name: str) -> dict[str, float]:
    """When each phase of the last start began, written just after the state file says healthy."""

    def written() -> dict[str, Any] | None:
        start = room.read_starts(name)[-1]
        return start if start["ready_s"] is not None else None

    start = await_true(written, f"the timeline of {name}'s last start")
    moments = {phase["phase"]: phase["from_s"] for phase in start["phases"]}
    moments["ready"] = start["ready_s"]
    return {phase: start["started_at"] + moment for phase, moment in moments.items()}


# the gate --------------------------------------------------------------------


def test_ready_is_announced_only_after_a_token(room: Room) -> None:
    room.write_spec("qwen", "--generate", "503")
    qwen = room.start("qwen")
    qwen.await_status("/health_generate answers 503")
    assert qwen.state["state"] == "warming"
    assert qwen.state["ready_at"] is None
    assert not room.has_heard("READY=1")
    qwen.fault(generate="200")
    assert qwen.await_state("healthy")["ready_at"]
    room.await_message("READY=1")


def test_the_proxy_is_ready_when_it_answers(room: Room) -> None:
    room.write_spec("proxy", "--generate", "503", kind="proxy", generate_path=None)
    assert room.start("proxy").await_state("healthy")


def test_a_start_tells_the_supervisor_every_phase_and_asks_for_time(room: Room) -> None:
    room.write_spec("qwen", "--load-s", "0.6", "--log-every", "0.1")
    qwen = room.start("qwen", WATCHDOG_USEC="200000")
    qwen.await_state("healthy")
    room.await_message("READY=1")
    room.await_message("WATCHDOG=1")
    phases = ["waiting", "admission", "start", "weights", "gate", "ready"]
    assert list(read_phases(room, "qwen")) == phases
    heard = list(room.heard)
    ready = next(i for i, message in enumerate(heard) if message.startswith("READY=1"))
    assert sum(message.startswith("READY=1") for message in heard) == 1
    assert "EXTEND_TIMEOUT_USEC=60000000" in heard[:ready]
    assert "STATUS=loading" in heard[:ready]
    assert qwen.stop() == 0
    room.await_message("STOPPING=1")


def test_the_state_file_says_what_runs(room: Room) -> None:
    port = room.write_spec("qwen", "--load-s", "0.3")
    qwen = room.start("qwen")
    state = qwen.await_state("healthy")
    assert list(state) == [
        "schema",
        "name",
        "pid",
        "child_pid",
        "state",
        "status",
        "since",
        "started_at",
        "ready_at",
        "attempt",
        "load_seconds",
        "expected_at",
        "exit",
        "port",
        "progress",
        "gpus",
        "spec",
    ]
    assert (state["schema"], state["name"], state["port"]) == (1, "qwen", port)
    assert (state["pid"], state["attempt"], state["exit"]) == (qwen.process.pid, 1, None)
    assert state["spec"] == hashlib.sha256((room.specs / "qwen.json").read_bytes()).hexdigest()
    assert is_alive(state["child_pid"])
    assert 0.3 <= state["load_seconds"] < 10
    assert (room.run / "qwen.json").stat().st_mode & 0o777 == 0o644
    qwen.stop()
    again = room.start("qwen")
    assert again.await_state("loading", "warming")["load_seconds"] == state["load_seconds"]


def test_the_child_gets_the_environment_of_the_spec_and_nothing_else(room: Room) -> None:
    environment = {"PATH": "/usr/bin:/bin", "GREETING": "ä", "WATCHDOG_PID": "1"}
    room.write_spec("qwen", "--print-environment", environment=environment)
    qwen = room.start("qwen", WATCHDOG_USEC="9000000", SECRET="x", CREDENTIALS_DIRECTORY="/c")
    qwen.await_state("healthy")
    lines = qwen.log.read_text().splitlines()
    seen = {line.split(" ", 1)[1] for line in lines if line.startswith("environment ")}
    assert seen - {"LC_CTYPE=C.UTF-8"} == {  # Python's own, in the fake engine
        "PATH=/usr/bin:/bin",
        "GREETING=ä",
        "CREDENTIALS_DIRECTORY=/c",
        f"TRTLLM_SUPERVISED={room.run}/qwen",
    }


# order -----------------------------------------------------------------------


def test_the_next_instance_is_spawned_within_half_a_second_of_ready(
    room: Room, record_property: Callable[[str, object], None]
) -> None:
    room.write_spec("qwen", "--load-s", "0.5")
    room.write_spec("nemotron", after=("qwen",))
    nemotron = room.start("nemotron")
    nemotron.await_status("waiting for qwen (not started)")
    qwen = room.start("qwen")
    ready_at = qwen.await_state("healthy")["ready_at"]
    nemotron.await_state("healthy")
    gap = read_phases(room, "nemotron")["start"] - ready_at
    record_property("predecessor ready to next process, ms", round(gap * 1000))
    assert 0 <= gap <= 0.5


def test_a_predecessor_that_failed_for_good_holds_nobody_back(room: Room) -> None:
    failure = {"code": 78, "reason": "no such option --x", "at": 1}
    room.write_state("qwen", state="failed", exit=failure)
    room.write_spec("nemotron", after=("qwen",))
    nemotron = room.start("nemotron")
    nemotron.await_state("healthy")
    nemotron.await_line("going on without qwen, which failed for good: no such option --x")


def test_a_failure_of_before_is_doubted_while_everything_begins_anew(room: Room) -> None:
    """As after `systemctl restart trtllm.target`, which leaves the state file of what failed."""
    room.write_state("qwen", state="failed", exit={"code": 78, "reason": "no such key", "at": 1})
    room.write_spec("qwen", "--load-s", "0.5")
    room.write_spec("nemotron", after=("qwen",))
    nemotron = room.start("nemotron")
    nemotron.await_status("waiting for qwen (no such key)")
    ready_at = room.start("qwen").await_state("healthy")["ready_at"]
    nemotron.await_state("healthy")
    assert read_phases(room, "nemotron")["start"] >= ready_at


def test_a_predecessor_that_failed_for_good_holds_where_the_profile_says_so(room: Room) -> None:
    room.write_state("qwen", state="failed", exit={"code": 78, "reason": "no such option", "at": 1})
    room.write_spec("nemotron", after=("qwen",), after_failed="hold", after_limit_s=1)
    nemotron = room.start("nemotron")
    nemotron.await_status("waiting for qwen (no such option)")
    nemotron.await_state("healthy")
    nemotron.await_line("going on without qwen, waited 1 s in vain")


def test_a_predecessor_on_its_way_is_not_waited_for_in_vain(room: Room) -> None:
    room.write_state("qwen", state="loading")
    room.write_spec("nemotron", after=("qwen",), after_limit_s=0.2)
    nemotron = room.start("nemotron")
    nemotron.await_status("waiting for qwen (loading)")
    room.write_spec("late", after=("nobody",), after_limit_s=0.2)
    room.start("late").await_state("healthy")  # longer than nemotron would have waited
    assert nemotron.state["state"] == "waiting"
    room.write_state("qwen", state="stopped")
    nemotron.await_state("healthy")


@pytest.mark.parametrize("state", ["stopped", "backoff", "loading", "suspect", "draining"])
def test_a_predecessor_that_does_not_serve_holds(room: Room, state: str) -> None:
    room.write_state("qwen", state=state)
    room.write_spec("nemotron", after=("qwen",))
    nemotron = room.start("nemotron")
    nemotron.await_status(f"waiting for qwen ({state})")
    assert nemotron.state["state"] == "waiting"
    assert nemotron.state["child_pid"] is None
    room.write_state("qwen", state="busy")
    nemotron.await_state("healthy")


def test_a_predecessor_whose_launcher_was_killed_holds(room: Room) -> None:
    room.write_state("qwen", state="healthy", pid=4_194_304)
    room.write_spec("nemotron", after=("qwen",))
    room.start("nemotron").await_status("waiting for qwen (healthy, but its launcher is gone)")


# admission -------------------------------------------------------------------


def test_a_taken_port_is_waited_for_and_its_holder_is_named(room: Room) -> None:
    with socket.socket() as holder:
        port = pick_port()
        holder.bind(("127.0.0.1", port))
        holder.listen()
        room.write_spec("qwen", port=port)
        qwen = room.start("qwen")
        status = qwen.await_status(f"port {port} is held by pid ")
        assert status.endswith("waiting")
        assert qwen.state["state"] == "admission"
        assert qwen.state["child_pid"] is None
    qwen.await_state("healthy")


def leave_in_time_wait(port: int) -> None:
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(("127.0.0.1", port))
        server.listen()
        with socket.create_connection(("127.0.0.1", port)) as client:
            accepted, _ = server.accept()
            accepted.close()  # who closes first keeps the port in TIME_WAIT
            assert client.recv(1) == b""


def test_an_engine_waits_for_time_wait_and_the_proxy_does_not(room: Room) -> None:
    port = pick_port()
    leave_in_time_wait(port)
    room.write_spec("qwen", port=port)
    qwen = room.start("qwen")
    qwen.await_status(f"port {port} is in TIME_WAIT, waiting")
    assert qwen.stop() == 0
    reuse = (
        "import socket as s; a = s.socket(); a.setsockopt(1, 2, 1); "
        f"a.bind(('127.0.0.1', {port})); a.listen()\n"
        "while True: c = a.accept()[0]; c.recv(999); "
        "c.send(b'HTTP/1.1 200 OK\\r\\nContent-Length: 0\\r\\n\\r\\n')"
    )
    room.write_spec(
        "proxy", port=port, kind="proxy", generate_path=None, argv=(sys.executable, "-c", reuse)
    )
    room.start("proxy").await_state("healthy")


def test_our_own_probes_leave_nothing_in_time_wait(room: Room) -> None:
    room.write_spec("qwen", canary_idle_s=0.1)
    for _ in range(2):
        qwen = room.start("qwen")
        qwen.await_state("healthy", deadline_s=5)
        qwen.await_line("GET /health ")
        assert qwen.stop() == 0


def test_two_engines_on_one_gpu_load_one_after_the_other(room: Room) -> None:
    room.write_spec("qwen", "--load-s", "3", gpus=("0",))
    room.write_spec("nemotron", "--load-s", "0.2", gpus=("0", "1"))
    room.write_spec("other", "--load-s", "0.2", gpus=("2",))
    qwen = room.start("qwen")
    qwen.await_state("loading")
    nemotron, other = room.start("nemotron"), room.start("other")
    nemotron.await_status("waiting until qwen (pid ")
    other.await_state("healthy")
    assert qwen.state["state"] == "loading"
    ready_at = qwen.await_state("healthy")["ready_at"]
    nemotron.await_state("healthy")
    assert read_phases(room, "nemotron")["start"] >= ready_at - 0.01


def test_an_engine_for_all_gpus_excludes_every_other(room: Room) -> None:
    room.write_spec("qwen", "--load-s", "0.7", gpus=())
    room.write_spec("nemotron", gpus=("1",))
    qwen = room.start("qwen")
    qwen.await_state("loading")
    room.start("nemotron").await_status("waiting until qwen (pid ")


def test_processes_that_a_killed_launcher_left_behind_are_ended(room: Room) -> None:
    pids = room.folder / "pids"
    room.write_spec("qwen", "--daemon", "--say-pid-to", str(pids), "--ignore-term")
    qwen = room.start("qwen")
    qwen.await_state("healthy")
    engine, daemon = map(int, pids.read_text().split())
    qwen.send(signal.SIGKILL)
    qwen.await_exit()
    await_true(lambda: not is_alive(engine), "the engine dies with its launcher")
    assert is_alive(daemon)
    again = room.start("qwen")
    again.await_state("healthy")
    assert not is_alive(daemon)
    again.await_line(f"processes that a former start left behind: {daemon}")


def test_processes_of_other_services_are_left_alone(room: Room) -> None:
    room.write_spec("qwen")
    room.write_spec("qwen-2")
    room.start("qwen").await_state("healthy")
    child = room.read_state("qwen")["child_pid"]
    room.start("qwen-2").await_state("healthy")
    assert is_alive(child)


def test_a_second_launcher_waits_and_leaves_the_state_file_alone(room: Room) -> None:
    room.write_spec("qwen")
    first = room.start("qwen")
    first.await_state("healthy")
    second = room.start("qwen")
    second.await_line(
        f"waiting until the other launcher of this service ends: pid {first.process.pid}"
    )
    assert room.read_state("qwen")["pid"] == first.process.pid
    assert first.stop() == 0
    second.await_state("healthy")


# no progress -----------------------------------------------------------------


def test_a_load_without_progress_ends_as_a_hang(room: Room) -> None:
    room.write_spec("qwen", "--load-s", "60", "--say", "Loading shard 3", no_progress_s=0.5)
    qwen = room.start("qwen")
    assert qwen.await_exit() == 82
    assert qwen.state["state"] == "backoff"
    assert "no progress for" in qwen.state["exit"]["reason"]
    assert "last line: Loading shard 3" in qwen.state["exit"]["reason"]
    assert room.processes() == []


def test_a_load_that_writes_lines_may_take_longer_than_the_budget(room: Room) -> None:
    room.write_spec("qwen", "--load-s", "2", "--log-every", "0.1", no_progress_s=0.7)
    qwen = room.start("qwen")
    qwen.await_status("last line: Loading weights: one more shard")
    assert qwen.await_state("healthy", "backoff")["state"] == "healthy"


def test_a_load_that_reads_may_take_longer_than_the_budget(room: Room) -> None:
    weights = room.folder / "weights"
    weights.write_bytes(bytes(8 << 20))
    room.write_spec("qwen", "--load-s", "4", "--read", str(weights), no_progress_s=2.7)
    qwen = room.start("qwen")
    state = qwen.await_state("healthy", "backoff")
    assert state["state"] == "healthy"
    assert state["progress"]["bytes_read"] > 8 << 20


def test_an_engine_that_never_gives_a_token_ends_as_a_hang(room: Room) -> None:
    room.write_spec("qwen", "--generate", "500", no_progress_s=1)
    qwen = room.start("qwen")
    assert qwen.await_exit() == 82
    assert "/health_generate answers 500" in qwen.state["exit"]["reason"]
    assert not room.has_heard("READY=1")


# back-off --------------------------------------------------------------------


def test_a_start_after_a_crash_is_held_back(room: Room) -> None:
    room.write_spec("qwen", "--exit-after", "0", "--exit-code", "3")
    qwen = room.start("qwen", TRTLLM_BACKOFF="0.1,1.5")
    assert qwen.await_exit() == 70
    assert qwen.state["status"].startswith("backing off 0.")
    assert "after crash (exit 70: exit 3" in qwen.state["status"]
    second = room.start("qwen", TRTLLM_BACKOFF="0.1,1.5")
    assert second.await_exit() == 70
    room.write_spec("qwen")
    third = room.start("qwen", TRTLLM_BACKOFF="0.1,1.5")
    third.await_status("backing off")
    assert third.state["state"] == "backoff"
    assert third.state["child_pid"] is None
    state = third.await_state("healthy")
    assert state["attempt"] == 3
    assert state["exit"]["code"] == 70
    assert read_phases(room, "qwen")["waiting"] - state["exit"]["at"] >= 1.5
