"""What a launcher does with a spec, a program or a child that is not as it should be."""

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from time import monotonic

import pytest

from fakes.launcher_room import Room, await_true, is_alive, pick_port


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    made = Room(tmp_path)
    yield made
    made.close()


def test_a_malformed_spec_is_told_to_those_that_ask_and_those_that_wait(room: Room) -> None:
    room.write_spec("qwen")
    room.write_spec("nemotron", after=("qwen",))
    nemotron = room.start("nemotron")
    nemotron.await_status("waiting for qwen (not started)")
    spec = room.specs / "qwen.json"
    spec.write_text(spec.read_text().replace('"port": ', '"port": 70000, "was": '))
    qwen = room.start("qwen")
    assert qwen.await_exit() == 78
    assert qwen.state["state"] == "failed"
    assert "was: unknown key; run `sudo trtllm-install`" in qwen.state["status"]
    nemotron.await_state("healthy")


def test_a_refused_launcher_leaves_the_state_of_the_one_that_runs_alone(room: Room) -> None:
    room.write_spec("qwen")
    first = room.start("qwen")
    first.await_state("healthy")
    spec = room.specs / "qwen.json"
    spec.write_text(spec.read_text().replace('"port": ', '"port": 70000, "was": '))
    assert room.start("qwen").await_exit() == 78
    assert room.read_state("qwen")["pid"] == first.process.pid


def test_a_child_that_forks_away_is_ended_with_what_it_left(room: Room) -> None:
    pids = room.folder / "pids"
    room.write_spec("qwen", "--daemon", "--say-pid-to", str(pids), "--exit-after", "0")
    qwen = room.start("qwen", TRTLLM_BACKOFF="60")
    assert qwen.await_exit() == 70
    _, daemon = map(int, pids.read_text().split())
    assert not is_alive(daemon)
    assert "exit 0 while loading" in qwen.state["exit"]["reason"]


CLOSES = """
import os, socket, sys
s = socket.socket(); s.bind(("127.0.0.1", int(sys.argv[1]))); os.close(1); os.close(2); s.listen()
while True:
    c = s.accept()[0]; c.recv(999)
    c.send(b"HTTP/1.1 200 OK\\r\\nContent-Length: 0\\r\\n\\r\\n"); c.close()
"""


def test_a_child_that_closes_its_output_is_served_and_watched_all_the_same(room: Room) -> None:
    port = pick_port()
    argv = (sys.executable, "-S", "-c", CLOSES, str(port))
    room.write_spec("qwen", port=port, argv=argv, canary_idle_s=0.3)
    qwen = room.start("qwen", TRTLLM_BACKOFF="60")
    child = qwen.await_state("healthy")["child_pid"]
    spent, began = read_cpu_s(qwen.process.pid), monotonic()
    await_true(lambda: monotonic() - began > 1, "a second")
    # A pipe whose writer is gone polls as readable for ever.
    assert (read_cpu_s(qwen.process.pid) - spent) / (monotonic() - began) < 0.3
    os.kill(child, signal.SIGKILL)
    assert qwen.await_exit() == 70


def read_cpu_s(pid: int) -> float:
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


def test_binary_and_endless_lines_harm_nobody(room: Room) -> None:
    port = pick_port()
    noisy = (
        "import os; os.write(1, bytes(range(256)) * 64 + b'\\x1b[2J' + b'y' * (3 << 20));" + CLOSES
    )
    room.write_spec("qwen", port=port, argv=(sys.executable, "-S", "-c", noisy, str(port)))
    qwen = room.start("qwen")
    state = qwen.await_state("healthy")
    assert state["status"].isprintable()
    assert qwen.log.stat().st_size > 3 << 20


def test_a_crash_that_cannot_be_written_down_is_held_back_all_the_same(room: Room) -> None:
    """Without it a supervisor that restarts at once would spin."""
    (room.state_dir("qwen") / "history.json").mkdir(parents=True)
    room.write_spec("qwen", "--exit-after", "0", "--exit-code", "3")
    qwen = room.start("qwen", TRTLLM_BACKOFF="60")
    qwen.await_line("cannot record the crash: ")
    qwen.await_state("backoff")
    assert qwen.process.poll() is None
    assert qwen.stop() == 70
