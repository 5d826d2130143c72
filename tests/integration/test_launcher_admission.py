"""Memory, the port and strangers in the way, with real processes and a driver that is played."""

import json
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fakes.launcher_room import Room, await_true, is_alive, pick_port

GIB = 1024**3


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    made = Room(tmp_path)
    yield made
    made.close()


class Driver:
    """A program that answers as ``probes/nvml_child.py`` does, with what the test last said."""

    def __init__(self, room: Room) -> None:
        self._answer = room.folder / "driver.json"
        self.argv = ("/bin/cat", str(self._answer))

    def say(self, *, free: int, **users: int) -> None:
        running = [{"pid": int(pid[1:]), "memory": held} for pid, held in users.items()]
        memory = {"total": 80 * GIB, "free": free}
        gpus = [{"index": 0, "uuid": "GPU-a", "memory": memory, "processes": running}]
        new = self._answer.with_suffix(".new")
        new.write_text(json.dumps({"driver": "580.1", "cuda": 13000, "gpus": gpus}))
        new.rename(self._answer)


def test_a_stranger_that_holds_the_gpu_is_named_and_waited_for(room: Room) -> None:
    driver = Driver(room)
    room.write_spec("stranger")
    stranger = room.start("stranger")
    pid = stranger.await_state("healthy")["child_pid"]
    driver.say(free=12 * GIB, **{f"p{pid}": 60 * GIB})
    room.write_spec("qwen", gpu_argv=driver.argv, gpu_bytes={"0": 31 * GIB})
    qwen = room.start("qwen")
    status = qwen.await_status("31.0 GiB needed on GPU 0, 12.0 GiB free, held by ")
    assert f"pid {pid} (python" in status
    assert "of stranger, 60.0 GiB), waiting" in status
    assert (qwen.state["state"], qwen.state["child_pid"]) == ("admission", None)
    driver.say(free=72 * GIB)
    qwen.await_state("healthy")
    assert is_alive(pid)


def test_memory_that_stays_short_ends_the_start_for_now(room: Room) -> None:
    driver = Driver(room)
    driver.say(free=12 * GIB)
    room.write_spec("qwen", gpu_argv=driver.argv, gpu_bytes={"0": 31 * GIB}, admission_s=0.2)
    qwen = room.start("qwen")
    assert qwen.await_exit() == 75
    assert qwen.state["state"] == "backoff"
    assert "not admitted within 0.2 s: 31.0 GiB needed" in qwen.state["exit"]["reason"]
    assert room.read_starts("qwen")[-1]["exit"]["code"] == 75


def test_a_port_that_stays_taken_ends_the_start_for_now(room: Room) -> None:
    with socket.socket() as holder:
        port = pick_port()
        holder.bind(("127.0.0.1", port))
        holder.listen()
        room.write_spec("qwen", port=port, admission_s=0.3)
        qwen = room.start("qwen")
        assert qwen.await_exit() == 75
        assert f"port {port} is held by pid" in qwen.state["exit"]["reason"]


def test_short_memory_does_not_keep_others_from_loading(room: Room) -> None:
    driver = Driver(room)
    driver.say(free=12 * GIB)
    fields = {"gpu_argv": driver.argv, "gpus": ("0",)}
    room.write_spec("large", gpu_bytes={"0": 31 * GIB}, **fields)
    room.write_spec("small", gpu_bytes={"0": 9 * GIB}, **fields)
    large = room.start("large")
    large.await_status("31.0 GiB needed")
    room.start("small").await_state("healthy")
    assert large.state["state"] == "admission"


@pytest.mark.parametrize(
    "argv",
    [
        ("/nowhere/python3",),
        ("/bin/sh", "-c", "echo broken; exit 1"),
        ("/bin/sh", "-c", 'echo "{\\"driver\\": 1, \\"gpus\\": 7}"'),
    ],
)
def test_a_driver_that_cannot_be_asked_stops_nobody(room: Room, argv: tuple[str, ...]) -> None:
    room.write_spec("qwen", gpu_argv=argv, gpu_bytes={"0": 31 * GIB})
    qwen = room.start("qwen")
    qwen.await_state("healthy")
    qwen.await_line("cannot ask the driver how much memory is free: ")


def test_a_stop_is_obeyed_while_the_driver_hangs(room: Room) -> None:
    pid_file = room.folder / "pid"
    script = f"echo $$ >{pid_file}; exec sleep 600"
    room.write_spec("qwen", gpu_argv=("/bin/sh", "-c", script), gpu_bytes={"0": GIB})
    qwen = room.start("qwen")
    pid = await_true(lambda: pid_file.exists() and pid_file.read_text().strip(), "the question")
    assert qwen.stop() == 0
    await_true(lambda: not is_alive(int(pid)), "the hung question is gone")


def test_a_load_that_only_fills_the_gpu_is_progress(room: Room) -> None:
    """Each question finds a GiB more; lines and reads stand still for longer than the budget."""
    count = room.folder / "count"
    count.write_text("")
    script = (
        f"import json,os; f={str(count)!r}; open(f,'a').write('x'); n=os.path.getsize(f); "
        "print(json.dumps({'driver':'5','gpus':[{'index':0,'memory':"
        "{'total':80<<30,'free':(80-n)<<30},'processes':[]}]}))"
    )
    room.write_spec(
        "qwen",
        *("--load-s", "6"),
        gpu_argv=(sys.executable, "-S", "-c", script),
        gpu_bytes={"0": GIB},
        no_progress_s=2.5,
    )
    qwen = room.start("qwen")
    state = qwen.await_state("healthy", "backoff")
    assert state["state"] == "healthy"
    assert state["progress"]["gpu_bytes"] >= 2 * GIB
