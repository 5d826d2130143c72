"""Every fault of the simulated engine, shown by a process that has it."""

import contextlib
import http.client
import json
import os
import re
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from fakes.simulated_engine import (
    RunningEngine,
    children_of,
    is_alive,
    simulated_engine,
    wait_for,
)

CHAT = {"messages": [{"role": "user", "content": "hello"}]}
STREAM = {**CHAT, "stream": True}


def _read_stream(engine: RunningEngine) -> tuple[bytes, bool]:
    """Return what came of a stream, and whether its end came."""
    connection = engine.connect()
    connection.request("POST", "/v1/chat/completions", json.dumps(STREAM))
    answer = connection.getresponse()
    received = b""
    try:
        while part := answer.read1():
            received += part
    except (http.client.IncompleteRead, ConnectionError):
        return received, False
    finally:
        connection.close()
    return received, True


def _generates(engine: RunningEngine) -> bool:
    try:
        return engine.ask("GET", "/health_generate", timeout=0.3)[0] == 200
    except TimeoutError:
        return False


def test_without_faults_a_stream_is_whole(tmp_path: Path) -> None:
    with simulated_engine(tmp_path) as engine:
        received, whole = _read_stream(engine)
        assert whole
        assert received.endswith(b"data: [DONE]\n\n")


def test_load_seconds_is_how_long_the_load_takes(tmp_path: Path) -> None:
    with simulated_engine(tmp_path, faults="load_seconds=0.4") as engine:
        (seconds,) = re.findall(r"Model loaded in ([\d.]+) s", engine.log)
        assert 0.4 <= float(seconds) < 3


def test_a_stalled_load_says_where_and_goes_no_further(tmp_path: Path) -> None:
    with simulated_engine(tmp_path, faults="load_seconds=0,stall_at=37", wait=False) as engine:
        wait_for(lambda: "Loading weights:  37%" in engine.log)
        (worker,) = children_of(engine.process.pid)
        state = wait_for(lambda: Path(f"/proc/{worker}/stat").read_text().split(") ")[1][0] == "S")
        assert state
        assert engine.log.splitlines()[-1].startswith("[simulated] Loading weights:  37%")
        assert not engine.listens()


def test_oom_ends_the_load_with_the_text_of_the_real_one(tmp_path: Path) -> None:
    with simulated_engine(tmp_path, faults="load_seconds=0,oom", wait=False) as engine:
        assert engine.process.wait(20) == 1
        assert "Executor creation failed due to insufficient GPU memory." in engine.log
        assert "The following component could not be created: KV cache" in engine.log


def test_exit_code_ends_the_start(tmp_path: Path) -> None:
    with simulated_engine(tmp_path, faults="exit_code=41", wait=False) as engine:
        assert engine.process.wait(20) == 41


def test_exit_code_ends_a_serving_process(tmp_path: Path) -> None:
    with simulated_engine(tmp_path) as engine:
        with pytest.raises((http.client.RemoteDisconnected, ConnectionError)):
            engine.switch(exit_code=43)
        assert engine.process.wait(20) == 43


def test_slow_tokens_come_one_by_one(tmp_path: Path) -> None:
    with simulated_engine(tmp_path, faults="load_seconds=0,token_seconds=0.3") as engine:
        connection = engine.connect()
        connection.request("POST", "/v1/chat/completions", json.dumps(STREAM))
        answer = connection.getresponse()
        first = answer.read1()
        assert first.count(b"data: ") == 1  # the role; the first word is still to come
        assert answer.read1().count(b"data: ") == 1
        connection.close()


def test_a_long_prefill_is_silence_with_work_going_on(tmp_path: Path) -> None:
    with simulated_engine(tmp_path, faults="load_seconds=0,prefill_seconds=1") as engine:
        worker = engine.state()["worker_pid"]
        before = cpu_seconds(worker)
        connection = engine.connect()
        connection.request("POST", "/v1/chat/completions", json.dumps(CHAT))
        assert not _generates(engine), "a probe waits behind it"
        assert connection.getresponse().status == 200
        connection.close()
        assert 0.05 < cpu_seconds(worker) - before < 0.9
        assert _generates(engine)


def test_a_spin_is_a_hang_that_works(tmp_path: Path) -> None:
    with simulated_engine(tmp_path) as engine:
        engine.switch(spin=True)
        worker = engine.state()["worker_pid"]
        before = cpu_seconds(worker)
        assert not _generates(engine)
        wait_for(lambda: cpu_seconds(worker) - before > 0.1)
        assert engine.ask("GET", "/health")[0] == 200
        engine.switch(spin=False)
        assert _generates(engine)


def cpu_seconds(pid: int) -> float:
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


def test_sigterm_can_mean_nothing(tmp_path: Path) -> None:
    for faults in ("load_seconds=60,ignore_term", "load_seconds=0,ignore_term"):
        with simulated_engine(tmp_path, faults=faults, wait="=0" in faults) as engine:
            wait_for(lambda: children_of(engine.process.pid))
            engine.process.send_signal(signal.SIGTERM)
            with pytest.raises(subprocess.TimeoutExpired):
                engine.process.wait(0.3)


def test_a_daemon_in_its_own_session_holds_the_port(tmp_path: Path) -> None:
    with simulated_engine(tmp_path, faults="load_seconds=0,daemon") as engine:
        (daemon,) = named("sim-orted", str(engine.port))
        engine.process.kill()
        engine.process.wait()
        try:
            assert is_alive(daemon)
            assert os.getsid(daemon) != os.getsid(0)
            with socket.socket() as sock, pytest.raises(OSError, match="in use"):
                sock.bind(("127.0.0.1", engine.port))
        finally:
            os.kill(daemon, signal.SIGKILL)


def named(comm: str, argument: str) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/comm"):
        with contextlib.suppress(OSError):
            words = path.with_name("cmdline").read_text().split("\0")
            if path.read_text().strip() == comm and argument in words:
                found.append(int(path.parent.name))
    return found


def test_zombies_and_a_flood_of_lines_do_not_stop_it(tmp_path: Path) -> None:
    with simulated_engine(tmp_path) as engine:
        engine.switch(zombies=5, log_flood=20)
        wait_for(lambda: len(children_of(engine.process.pid)) == 6)
        wait_for(lambda: "the same warning again" in engine.log)
        assert _generates(engine)
        engine.switch(log_flood=0)
        assert engine.ask("POST", "/simulated/faults", {"zombies": None})[0] == 400


def test_a_hang_leaves_health_at_200_and_ends_when_switched_off(tmp_path: Path) -> None:
    with simulated_engine(tmp_path, faults="load_seconds=0,hang") as engine:
        assert not _generates(engine)
        assert engine.ask("GET", "/health")[0] == 200
        engine.switch(hang=False)
        wait_for(lambda: _generates(engine))


def test_a_hung_engine_is_ended_by_kill_only(tmp_path: Path) -> None:
    with simulated_engine(tmp_path) as engine:
        engine.switch(hang=True)
        engine.process.terminate()
        wait_for(lambda: "stopping the worker" in engine.log)
        assert engine.process.poll() is None


def test_a_killed_worker_is_not_noticed(tmp_path: Path) -> None:
    with simulated_engine(tmp_path) as engine:
        worker = engine.state()["worker_pid"]
        engine.switch(worker_killed=True)
        wait_for(lambda: not is_alive(worker))
        assert not _generates(engine)
        assert engine.ask("GET", "/health")[0] == 200
        assert engine.process.poll() is None


def test_a_worker_killed_from_outside_is_not_noticed_either(tmp_path: Path) -> None:
    with simulated_engine(tmp_path) as engine:
        os.kill(engine.state()["worker_pid"], signal.SIGKILL)
        assert not _generates(engine)
        assert engine.ask("GET", "/health")[0] == 200


def test_always_503_is_every_route(tmp_path: Path) -> None:
    with simulated_engine(tmp_path) as engine:
        engine.switch(always_503=True)
        for method, path in (
            ("GET", "/health"),
            ("GET", "/v1/models"),
            ("POST", "/v1/completions"),
        ):
            assert engine.ask(method, path)[0] == 503
        engine.switch(always_503=False)
        assert engine.ask("GET", "/health")[0] == 200


def test_failing_generation_is_400_to_clients_and_500_to_the_probe(tmp_path: Path) -> None:
    with simulated_engine(tmp_path, faults="load_seconds=0,generation_fails") as engine:
        assert engine.ask("POST", "/v1/chat/completions", CHAT)[0] == 400
        assert engine.ask("GET", "/health_generate")[0] == 500
        assert engine.ask("GET", "/health")[0] == 200


def test_a_cut_stream_has_no_end_and_the_process_lives(tmp_path: Path) -> None:
    with simulated_engine(tmp_path, faults="load_seconds=0,cut_after_events=3") as engine:
        received, whole = _read_stream(engine)
        assert (received.count(b"data: "), whole) == (3, False)
        assert engine.ask("GET", "/health")[0] == 200


def test_a_crash_cuts_the_stream_and_ends_the_process(tmp_path: Path) -> None:
    with simulated_engine(tmp_path, faults="load_seconds=0,crash_after_events=2") as engine:
        worker = engine.state()["worker_pid"]
        received, whole = _read_stream(engine)
        assert (received.count(b"data: "), whole) == (2, False)
        assert engine.process.wait(20) == -signal.SIGABRT
        wait_for(lambda: not is_alive(worker), seconds=5)
        assert "the process aborts" in engine.log


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_an_orphan_outlives_its_server(tmp_path: Path, how: signal.Signals) -> None:
    with simulated_engine(tmp_path) as engine:
        engine.switch(orphan=True)
        worker = engine.state()["worker_pid"]
        try:
            engine.process.send_signal(how)
            assert engine.process.wait(20) == -how
            assert is_alive(worker)
        finally:
            os.kill(worker, signal.SIGKILL)


def test_faults_are_shown_and_refused_when_unknown_or_too_late(tmp_path: Path) -> None:
    with simulated_engine(tmp_path, faults="load_seconds=0,token_seconds=0.001") as engine:
        assert engine.ask("GET", "/simulated/faults")[1]["token_seconds"] == 0.001
        status, error = engine.ask("POST", "/simulated/faults", {"hangs": True})
        assert (status, "did you mean hang" in error["message"]) == (400, True)
        status, error = engine.ask("POST", "/simulated/faults", {"oom": True})
        assert (status, "only at the start" in error["message"]) == (400, True)
