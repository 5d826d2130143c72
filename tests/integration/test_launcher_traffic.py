"""No false kill, with real processes: half an hour of hard work, thirty times as fast."""

import http.client
import json
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fakes.launcher_room import INSTALLER, Launcher, Room, await_true, pick_port
from fakes.simulated_engine import QWEN, write_checkpoint
from trtllm_install.model.liveness import DEFAULTS, Liveness

pytestmark = pytest.mark.timeout(180)

FASTER = 30.0
HALF_HOUR_S = 1800 / FASTER


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    made = Room(tmp_path)
    yield made
    made.close()


class Crowd:
    """Clients that stream one answer after the other."""

    def __init__(self, port: int, *, clients: int, tokens: int) -> None:
        self.answered = 0
        self.lost: list[str] = []
        self._port = port
        self._tokens = tokens
        self._ending = threading.Event()
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(clients)]
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        self._ending.set()
        for thread in self._threads:
            thread.join(30)

    def _run(self) -> None:
        while not self._ending.is_set():
            problem = self._ask()
            if problem:
                self.lost.append(problem)
                return
            self.answered += 1

    def _ask(self) -> str:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        question = [{"role": "user", "content": "go on"}]
        body = {"messages": question, "max_tokens": self._tokens, "stream": True}
        try:
            connection.request("POST", "/v1/chat/completions", json.dumps(body))
            answer = connection.getresponse()
            while part := answer.read1():
                if part.endswith(b"data: [DONE]\n\n") or self._ending.is_set():
                    return ""
        except (OSError, http.client.HTTPException) as error:
            return repr(error)
        else:
            return f"cut, status {answer.status}"
        finally:
            connection.close()


WORK = {
    # name: faults of the engine, clients, tokens of an answer
    "saturated": ({"token_seconds": 0.02}, 24, 60),
    "slow": ({"token_seconds": 5 / FASTER}, 2, 12),  # 0.2 tokens a second
    "prefill": ({"prefill_seconds": 240 / FASTER, "token_seconds": 0.02}, 2, 8),
}


def start(room: Room, name: str) -> Launcher:
    """Start a simulated engine under a launcher whose every budget is thirty times shorter."""
    port = pick_port()
    folder = write_checkpoint(room.folder, QWEN)
    seconds = {n: value / FASTER for n, value in DEFAULTS.items() if n.endswith("_s")}
    arguments = ("serve", str(folder), "--host", "127.0.0.1", "--port", str(port))
    room.write_spec(
        name,
        port=port,
        argv=(sys.executable, "-m", "trtllm_install.simulator.main", *arguments),
        environment={
            "PATH": "/usr/bin:/bin",
            "PYTHONPATH": str(INSTALLER),
            "TRTLLM_SIMULATED_FAULTS": json.dumps({"load_seconds": 0, **WORK[name][0]}),
        },
        gpus=(name,),
        canary_idle_s=60 / FASTER,
        liveness=Liveness(**seconds),
    )
    return room.start(name)


def test_half_an_hour_of_hard_work_is_never_death(
    room: Room, record_property: Callable[[str, object], None]
) -> None:
    launchers = {name: start(room, name) for name in WORK}
    pids = {name: launchers[name].await_state("healthy")["child_pid"] for name in WORK}
    crowds = {
        name: Crowd(launchers[name].state["port"], clients=clients, tokens=tokens)
        for name, (_, clients, tokens) in WORK.items()
    }
    ended = threading.Event()
    threading.Timer(HALF_HOUR_S, ended.set).start()
    seen: dict[str, set[str]] = {name: set() for name in WORK}

    def is_over() -> bool:
        for name, launcher in launchers.items():
            seen[name].add(launcher.state["state"])
        return ended.is_set()

    await_true(is_over, "half an hour", HALF_HOUR_S + 60)
    for name, launcher in launchers.items():
        record_property(f"{name}: answered, states", (crowds[name].answered, sorted(seen[name])))
        assert launcher.process.poll() is None, launcher.log.read_text()[-2000:]
        assert launcher.state["child_pid"] == pids[name]
        assert crowds[name].lost == []
        assert crowds[name].answered > 0
    for launcher in launchers.values():
        launcher.send(signal.SIGKILL)  # its engine ends with it, and so do the streams
    for crowd in crowds.values():
        crowd.end()
