"""Every end, with real processes: stop, drain, crash, classification, nothing left behind."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fakes.launcher_room import Launcher, Room, await_true, is_alive

OOM = "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB"


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    made = Room(tmp_path)
    yield made
    made.close()


class Admin:
    """The proxy's admin socket: counts down what is in flight, one with each look."""

    def __init__(self, room: Room, in_flight: int) -> None:
        self.asked: list[str] = []
        self._in_flight = in_flight
        room.run.mkdir(exist_ok=True)
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(str(room.run / "proxy-admin.sock"))
        self._server.listen()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            with connection, contextlib.suppress(OSError):
                line = connection.recv(4096).decode().split(" HTTP/", 1)[0]
                self.asked.append(line)
                body = ""
                if line == "GET /-/status":
                    body = json.dumps({"backends": {"qwen": {"in_flight": self._in_flight}}})
                    self._in_flight = max(0, self._in_flight - 1)
                connection.sendall(f"HTTP/1.0 200 OK\r\n\r\n{body}".encode())


# stops -----------------------------------------------------------------------


def start_backoff(room: Room) -> Launcher:
    room.write_spec("qwen", "--exit-after", "0", "--exit-code", "3")
    assert room.start("qwen").await_exit() == 70
    return room.start("qwen")


def start_waiting(room: Room) -> Launcher:
    room.write_spec("qwen", after=("nobody",))
    return room.start("qwen")


def start_admission(room: Room) -> Launcher:
    room.write_spec("other", "--load-s", "60")
    room.start("other").await_state("loading")
    room.write_spec("qwen")
    return room.start("qwen")


def start_loading(room: Room) -> Launcher:
    room.write_spec("qwen", "--load-s", "60", "--daemon")
    return room.start("qwen")


def start_warming(room: Room) -> Launcher:
    room.write_spec("qwen", "--generate", "hang", "--daemon")
    return room.start("qwen")


def start_healthy(room: Room) -> Launcher:
    room.write_spec("qwen", "--daemon")
    return room.start("qwen")


def start_busy(room: Room) -> Launcher:
    room.write_spec("qwen", "--daemon", canary_idle_s=0.2)
    qwen = room.start("qwen")
    qwen.await_state("healthy")
    qwen.fault(generate="log")
    return qwen


def start_suspect(room: Room) -> Launcher:
    room.write_spec("qwen", "--daemon", canary_idle_s=3)
    qwen = room.start("qwen")
    qwen.await_state("healthy")
    qwen.fault(health="503", generate="503")
    return qwen


@pytest.mark.parametrize(
    "start",
    [
        start_backoff,
        start_waiting,
        start_admission,
        start_loading,
        start_warming,
        start_healthy,
        start_busy,
        start_suspect,
    ],
)
def test_a_stop_in_any_state_is_exit_0_and_leaves_nothing(
    room: Room, start: Callable[[Room], Launcher]
) -> None:
    qwen = start(room)
    qwen.await_state(start.__name__.removeprefix("start_"))
    others = {pid for pid in room.processes() if f"{room.run}/other" in read_mark(pid)}
    assert qwen.stop() == 0
    state = qwen.state
    assert (state["state"], state["child_pid"]) == ("stopped", None)
    assert (state["exit"]["code"], state["exit"]["reason"]) == (0, "stopped")
    assert set(room.processes()) == others
    room.await_message("STOPPING=1")


def test_an_interrupt_is_a_stop_too(room: Room) -> None:
    qwen = start_healthy(room)
    qwen.await_state("healthy")
    qwen.send(signal.SIGINT)
    assert qwen.await_exit() == 0
    assert room.processes() == []


def read_mark(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/environ").read_text()
    except OSError:
        return ""


def test_a_process_that_ignores_sigterm_is_killed_after_its_grace(room: Room) -> None:
    room.write_spec("qwen", "--ignore-term", "--daemon", stop_grace_s=0.3)
    qwen = room.start("qwen")
    qwen.await_state("healthy")
    assert qwen.stop() == 0
    assert qwen.state["state"] == "stopped"
    assert room.processes() == []


def test_a_second_request_skips_the_wait(room: Room) -> None:
    room.write_spec("qwen", "--ignore-term", stop_grace_s=60)
    qwen = room.start("qwen")
    qwen.await_state("healthy")
    qwen.send(signal.SIGTERM)
    qwen.await_state("draining")
    assert qwen.process.poll() is None
    qwen.send(signal.SIGTERM)
    assert qwen.await_exit(5) == 0
    assert room.processes() == []


def test_a_stop_ends_a_crash_streak(room: Room) -> None:
    qwen = start_backoff(room)
    qwen.await_state("backoff")
    qwen.stop()
    room.write_spec("qwen")
    assert room.start("qwen").await_state("healthy", "backoff")["state"] == "healthy"


def test_the_launcher_stops_when_its_supervisor_dies(room: Room) -> None:
    room.write_spec("qwen", "--daemon")
    program = (
        "import subprocess, sys, signal\n"
        "p = subprocess.Popen([sys.executable, '-m', 'trtllm_install.launcher.main',"
        f" '--spec-dir', {str(room.specs)!r}, 'qwen'])\n"
        "signal.pause()"
    )
    installer = str(Path(__file__).parents[2] / "installer")
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": installer}
    supervisor = subprocess.Popen([sys.executable, "-c", program], env=environment)
    try:
        await_true(lambda: room.read_state("qwen").get("state") == "healthy", "healthy")
    finally:
        supervisor.kill()
        supervisor.wait()
    await_true(lambda: room.read_state("qwen")["state"] == "stopped", "stopped")
    assert room.processes() == []


def test_a_hangup_reloads_the_proxy_and_means_nothing_to_an_engine(room: Room) -> None:
    room.write_spec("proxy", "--reload", kind="proxy", generate_path=None)
    room.write_spec("qwen")
    proxy, qwen = room.start("proxy"), room.start("qwen")
    child = qwen.await_state("healthy")["child_pid"]
    proxy.await_state("healthy")
    for launcher in (qwen, proxy):
        launcher.send(signal.SIGHUP)
    proxy.await_line("reloaded")
    assert is_alive(child)
    assert qwen.stop() == 0


# drain -----------------------------------------------------------------------


def test_running_requests_end_before_the_engine_does(room: Room) -> None:
    admin = Admin(room, in_flight=2)
    room.write_spec("qwen")
    qwen = room.start("qwen")
    qwen.await_state("healthy")
    await_true(lambda: admin.asked == ["POST /-/undrain?name=qwen"], "undrained once healthy")
    assert qwen.stop() == 0
    assert admin.asked[1:] == ["POST /-/drain?name=qwen", *["GET /-/status"] * 3]


def test_a_drain_ends_with_its_budget(room: Room) -> None:
    Admin(room, in_flight=10**6)
    room.write_spec("qwen", drain_s=0.5)
    qwen = room.start("qwen")
    qwen.await_state("healthy")
    assert qwen.stop() == 0


def test_a_second_request_skips_the_drain(room: Room) -> None:
    Admin(room, in_flight=10**6)
    room.write_spec("qwen", drain_s=60)
    qwen = room.start("qwen")
    qwen.await_state("healthy")
    qwen.send(signal.SIGTERM)
    qwen.await_status("requests left")
    qwen.send(signal.SIGTERM)
    assert qwen.await_exit(5) == 0


def test_the_proxy_is_asked_to_end_its_requests_before_it_is_told_to_end(room: Room) -> None:
    room.write_spec("proxy", "--reload", kind="proxy", generate_path=None)
    proxy = room.start("proxy")
    proxy.await_state("healthy")
    assert proxy.stop() == 0
    assert "quit" in proxy.log.read_text()


# crashes ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "code", "state", "words"),
    [
        (["--say", "Error: No such option: --foo", "--exit-code", "2"], 78, "failed", "--foo"),
        (["--exit-code", "2"], 78, "failed", "exit 2 while loading"),
        (["--say", "  Extra inputs are not permitted", "--exit-code", "1"], 78, "failed", "YAML"),
        (["--kill-self", str(int(signal.SIGSEGV))], 70, "backoff", "killed by SIGSEGV"),
        (["--exit-code", "0"], 70, "backoff", "exit 0"),
        (["--say", "OSError: No space left on device", "--exit-code", "1"], 71, "backoff", "space"),
    ],
)
def test_a_death_while_loading_is_noticed_and_classified(
    room: Room, options: list[str], code: int, state: str, words: str
) -> None:
    room.write_spec("qwen", *options, "--exit-after", "0", "--daemon")
    qwen = room.start("qwen")
    assert qwen.await_exit() == code
    content = qwen.state
    assert (content["state"], content["child_pid"]) == (state, None)
    assert content["exit"]["code"] == code
    assert words in content["exit"]["reason"]
    assert f"exit {code}" in content["status"]
    room.await_message(f"STATUS={content['status']}")
    assert room.processes() == []


def test_a_load_without_a_worker_stops_although_its_log_goes_on(room: Room) -> None:
    spawn = "mpi4py.MPI.Exception: MPI_ERR_SPAWN: could not spawn processes"
    options = ("--say", spawn, "--log-every", "0.05", "--load-s", "120")
    room.write_spec("qwen", *options, no_progress_s=0.5)
    qwen = room.start("qwen")
    assert qwen.await_exit() == 78
    assert qwen.state["state"] == "failed"
    assert "MPI cannot start the worker process" in qwen.state["exit"]["reason"]
    assert "mpirun --version" in qwen.state["status"]
    assert room.processes() == []


def test_a_failure_says_what_to_do_next(room: Room) -> None:
    room.write_spec("qwen", "--say", "Error: No such option: --foo", "--exit-after", "0")
    qwen = room.start("qwen")
    qwen.await_exit()
    assert qwen.state["status"].endswith("then run `sudo trtllm-install`)")


def test_a_crash_while_serving_takes_its_daemons_along(room: Room) -> None:
    room.write_spec("qwen", "--daemon")
    qwen = room.start("qwen")
    os.kill(qwen.await_state("healthy")["child_pid"], signal.SIGKILL)
    assert qwen.await_exit() == 70
    assert qwen.state["state"] == "backoff"
    assert "killed by SIGKILL while serving" in qwen.state["exit"]["reason"]
    assert room.processes() == []


def test_a_crash_of_the_proxy_is_restarted_too(room: Room) -> None:
    room.write_spec("proxy", kind="proxy", generate_path=None)
    proxy = room.start("proxy")
    os.kill(proxy.await_state("healthy")["child_pid"], signal.SIGABRT)
    assert proxy.await_exit() == 70


def test_out_of_memory_while_loading_is_retried_once(room: Room) -> None:
    room.write_spec("qwen", "--say", OOM, "--exit-after", "0", "--exit-code", "1")
    first = room.start("qwen", TRTLLM_BACKOFF="0.1")
    assert first.await_exit() == 75
    assert first.state["state"] == "backoff"
    assert "one retry" in first.state["exit"]["reason"]
    second = room.start("qwen", TRTLLM_BACKOFF="0.1")
    assert second.await_exit() == 80
    assert second.state["state"] == "failed"


def test_out_of_memory_while_serving_is_restarted(room: Room) -> None:
    room.write_spec("qwen", "--say", OOM, "--exit-after", "0.6", "--load-s", "0.1")
    qwen = room.start("qwen")
    assert qwen.await_exit() == 81
    assert qwen.state["state"] == "backoff"


def test_the_same_crash_three_times_soon_after_ready_stops(room: Room) -> None:
    room.write_spec("qwen", "--exit-after", "0.6", "--exit-code", "3", "--load-s", "0.1")
    codes = [room.start("qwen", TRTLLM_BACKOFF="0.05").await_exit() for _ in range(3)]
    assert codes == [70, 70, 78]
    state = room.read_state("qwen")
    assert state["state"] == "failed"
    assert "the same crash three times" in state["status"]
    room.write_spec("qwen")
    assert room.start("qwen").await_state("healthy", "backoff")["state"] == "healthy"


def test_a_bind_error_of_the_child_is_no_crash(room: Room) -> None:
    bind = "RuntimeError: Failed to bind socket to 127.0.0.1:1"
    room.write_spec("qwen", "--say", bind, "--exit-after", "0", "--exit-code", "1")
    for _ in range(4):
        qwen = room.start("qwen", TRTLLM_BACKOFF="0.05,60")
        assert qwen.await_exit() == 75
        assert qwen.state["state"] == "backoff"


@pytest.mark.parametrize(
    ("mode", "content", "code"),
    [(None, "", 78), (0o755, "not a program", 78), (0o644, "#!/bin/sh\n", 77)],
)
def test_a_program_that_cannot_be_executed(
    room: Room, mode: int | None, content: str, code: int
) -> None:
    program = room.folder / "program"
    if mode is not None:
        program.write_text(content)
        program.chmod(mode)
    room.write_spec("qwen", argv=(str(program),))
    qwen = room.start("qwen")
    assert qwen.await_exit() == code
    assert qwen.state["state"] == "failed"
    assert qwen.state["exit"]["reason"].startswith(f"cannot execute {program}: ")


def test_a_state_folder_that_cannot_be_made_stops_the_start(room: Room) -> None:
    (room.folder / "state").write_text("a file, not a folder")
    room.write_spec("qwen")
    qwen = room.start("qwen")
    assert qwen.await_exit() == 78
    qwen.await_line(f"error: cannot write to {room.state_dir('qwen')}: not a directory")
    assert qwen.state["state"] == "failed"
