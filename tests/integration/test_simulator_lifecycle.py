"""How the simulated engine starts and ends: port, load, worker, signals."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from fakes.simulated_engine import (
    INSTALLER,
    RunningEngine,
    children_of,
    free_port,
    is_alive,
    simulated_engine,
    wait_for,
    write_checkpoint,
)
from trtllm_install.simulator.program import engine_program

LONG = {
    "messages": [{"role": "user", "content": "hello"}],
    "stream": True,
    "ignore_eos": True,
    "max_tokens": 100_000,
}


def _run(*words: str, faults: str = "load_seconds=0") -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "PYTHONPATH": str(INSTALLER), "TRTLLM_SIMULATED_FAULTS": faults}
    return subprocess.run(
        [sys.executable, "-m", "trtllm_install.simulator.main", *words],
        capture_output=True,
        text=True,
        env=environment,
        timeout=30,
        check=False,
    )


def _open_stream(engine: RunningEngine, body: dict[str, object]) -> http.client.HTTPResponse:
    """Start a stream and return it after its first byte."""
    connection = engine.connect()
    connection.request("POST", "/v1/chat/completions", json.dumps(body))
    answer = connection.getresponse()
    assert answer.read(1) == b"d"
    return answer


# start ---------------------------------------------------------------------------


def test_connections_are_refused_until_the_model_is_loaded(tmp_path: Path) -> None:
    with simulated_engine(tmp_path, faults="load_seconds=0.5", wait=False) as engine:
        wait_for(lambda: "Loading weights:  50%" in engine.log)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", engine.port))
        engine.await_listening()
        assert "Model loaded" in engine.log
        assert engine.ask("GET", "/health")[0] == 200


def test_the_port_is_taken_during_the_load(tmp_path: Path) -> None:
    with simulated_engine(tmp_path, faults="stall_at=0", wait=False) as engine:
        wait_for(lambda: "Loading weights" in engine.log)
        with socket.socket() as other, pytest.raises(OSError, match="in use"):
            other.bind(("127.0.0.1", engine.port))


def test_a_taken_port_ends_the_start_at_once(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path, "a/b")
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        port = other.getsockname()[1]
        ended = _run(
            str(folder), "--host", "127.0.0.1", "--port", str(port), faults="load_seconds=60"
        )
    assert ended.returncode == 1
    assert f"RuntimeError: Failed to bind socket to 127.0.0.1:{port}" in ended.stderr


def test_a_port_just_used_cannot_be_bound_again(tmp_path: Path) -> None:
    """The real one sets no SO_REUSEADDR, so connections it closed hold the port."""
    port = free_port()
    with simulated_engine(tmp_path, port=port) as engine:
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(b"GET /health HTTP/1.1\r\nConnection: close\r\n\r\n")
            with client.makefile("rb") as answer:
                assert b"200" in answer.read()  # it closed first, so TIME_WAIT is on its side
        engine.process.terminate()
        engine.process.wait(20)
    ended = _run(
        str(tmp_path / "nvidia/Qwen3-30B-A3B-FP4"), "--host", "127.0.0.1", "--port", str(port)
    )
    assert ended.returncode == 1
    assert "Failed to bind socket" in ended.stderr


def test_the_load_reads_the_weight_files_in_the_worker(tmp_path: Path) -> None:
    with simulated_engine(tmp_path, faults="load_seconds=0.1,stall_at=90", wait=False) as engine:
        wait_for(lambda: "Loading weights:  90%" in engine.log)
        (worker,) = children_of(engine.process.pid)
        counters = dict(
            line.split(": ") for line in Path(f"/proc/{worker}/io").read_text().splitlines()
        )
        assert int(counters["rchar"]) > 100_000


def test_the_worker_lives_in_a_session_of_its_own(tmp_path: Path) -> None:
    with simulated_engine(tmp_path) as engine:
        worker = engine.state()["worker_pid"]
        assert children_of(engine.process.pid) == [worker]
        assert os.getsid(worker) == worker != os.getsid(engine.process.pid)
        assert Path(f"/proc/{worker}/comm").read_text().strip() == "sim-mpi-worker"


@pytest.mark.parametrize(
    ("words", "code", "cause"),
    [
        (["MODEL", "--prot", "1"], 2, "Error: No such option: --prot Did you mean --port?"),
        (["MODEL", "--served_model_name", "x"], 2, "Error: No such option: --served_model_name"),
        (["--port", "1"], 2, "Error: Missing argument 'MODEL'."),
        (["MODEL", "--custom_module_dirs", "/nowhere"], 2, "Path '/nowhere' does not exist."),
        (["MODEL", "--config", "/nowhere.yaml"], 1, "FileNotFoundError"),
        (["MODEL", "--backend", "_autodeploy", "--tp_size", "2"], 1, "via world_size"),
        (["/nowhere/model"], 1, "/nowhere/model is not a local folder"),
    ],
)
def test_a_start_that_cannot_be_ends_as_the_real_one_does(
    tmp_path: Path, words: list[str], code: int, cause: str
) -> None:
    folder = str(write_checkpoint(tmp_path, "a/b"))
    ended = _run(
        *(folder if word == "MODEL" else word for word in words), *_port_unless_given(words)
    )
    assert (ended.returncode, cause in ended.stderr) == (code, True), ended.stderr


def _port_unless_given(words: list[str]) -> list[str]:
    return [] if "--port" in words else ["--host", "127.0.0.1", "--port", str(free_port())]


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("", "TypeError: the engine configuration is not a mapping"),
        ("max_batchsize: 4\n", "max_batchsize\n  Extra inputs are not permitted"),
        ("kv_cache_config: {free_gpu_memory_fractoin: 0.3}\n", "Extra inputs are not permitted"),
    ],
)
def test_a_wrong_engine_config_ends_the_start(tmp_path: Path, text: str, cause: str) -> None:
    with simulated_engine(tmp_path, config=text, wait=False) as engine:
        assert engine.process.wait(20) == 1
        assert cause in engine.log


def test_help_is_printed_without_a_model() -> None:
    for words in (["--help"], ["serve", "--help"]):
        ended = _run(*words)
        assert ended.returncode == 0
        assert "Simulated" in ended.stdout
        assert "--free_gpu_memory_fraction" in ended.stdout


def test_an_unknown_fault_is_refused(tmp_path: Path) -> None:
    folder = str(write_checkpoint(tmp_path, "a/b"))
    ended = _run(folder, faults="hangs=1")
    assert ended.returncode == 2
    assert (
        "cannot read TRTLLM_SIMULATED_FAULTS: unknown fault 'hangs': did you mean hang"
        in ended.stderr
    )


def test_the_engine_program_runs_the_simulator(tmp_path: Path) -> None:
    program = tmp_path / "trtllm-serve"
    program.write_text(engine_program(sys.executable))
    program.chmod(0o755)
    environment = {**os.environ, "PYTHONPATH": str(INSTALLER)}
    ended = subprocess.run(
        [program, "--help"], capture_output=True, text=True, env=environment, check=False
    )
    assert (ended.returncode, ended.stdout.split()[:3]) == (0, ["Usage:", "trtllm-serve", "serve"])


# stop ----------------------------------------------------------------------------


def test_term_while_loading_kills_at_once_and_the_worker_follows(tmp_path: Path) -> None:
    with simulated_engine(tmp_path, faults="stall_at=10", wait=False) as engine:
        wait_for(lambda: "Loading weights:  10%" in engine.log)
        (worker,) = children_of(engine.process.pid)
        engine.process.terminate()
        assert engine.process.wait(5) == -signal.SIGTERM
        wait_for(lambda: not is_alive(worker), seconds=5)


def test_term_while_serving_ends_by_that_signal_with_the_worker_gone(tmp_path: Path) -> None:
    with simulated_engine(tmp_path) as engine:
        worker = engine.state()["worker_pid"]
        engine.process.terminate()
        assert engine.process.wait(10) == -signal.SIGTERM
        assert not is_alive(worker)


def test_interrupt_while_serving_ends_with_one(tmp_path: Path) -> None:
    with simulated_engine(tmp_path) as engine:
        engine.process.send_signal(signal.SIGINT)
        assert engine.process.wait(10) == 1
        assert engine.log.endswith("Aborted!\n")


def test_term_waits_for_running_streams_and_refuses_new_ones(tmp_path: Path) -> None:
    body = {**LONG, "max_tokens": 30}
    with simulated_engine(tmp_path, faults="load_seconds=0,token_seconds=0.02") as engine:
        idle = socket.create_connection(("127.0.0.1", engine.port))
        stream = _open_stream(engine, body)
        engine.process.terminate()
        wait_for(lambda: not engine.listens())
        assert idle.recv(10) == b""  # an idle connection is closed at once
        idle.close()
        assert engine.process.poll() is None
        assert stream.read().endswith(b"data: [DONE]\n\n")
        assert engine.process.wait(10) == -signal.SIGTERM


def test_a_second_term_does_not_hurry_but_a_second_interrupt_does(tmp_path: Path) -> None:
    with simulated_engine(tmp_path) as engine:
        stream = _open_stream(engine, LONG)
        engine.process.terminate()
        wait_for(lambda: "stopping on SIGTERM" in engine.log)
        engine.process.terminate()
        assert stream.read(20_000)  # still streaming
        assert engine.process.poll() is None
        engine.process.send_signal(signal.SIGINT)
        assert engine.process.wait(10) == -signal.SIGTERM
        stream.close()


def test_the_worker_ends_when_the_server_is_killed(tmp_path: Path) -> None:
    with simulated_engine(tmp_path) as engine:
        worker = engine.state()["worker_pid"]
        engine.process.kill()
        engine.process.wait()
        wait_for(lambda: not is_alive(worker), seconds=5)


def test_a_client_that_leaves_aborts_its_request(tmp_path: Path) -> None:
    with simulated_engine(tmp_path) as engine:
        stream = _open_stream(engine, LONG)
        assert engine.state()["running"] == 1
        stream.close()
        wait_for(lambda: engine.state()["aborted"] == 1, seconds=5)
        assert engine.state()["running"] == 0
        assert "aborted: the client is gone" in engine.log


def test_a_client_that_leaves_before_its_answer_aborts_it_too(tmp_path: Path) -> None:
    with simulated_engine(tmp_path, faults="load_seconds=0,hang") as engine:
        connection = engine.connect()
        connection.request("POST", "/v1/completions", b'{"prompt": "hello"}')
        wait_for(lambda: engine.state()["running"] == 1)
        connection.close()
        wait_for(lambda: engine.state()["aborted"] == 1, seconds=5)
