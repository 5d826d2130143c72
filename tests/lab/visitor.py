"""What somebody who uses or watches a host can see of it."""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from lab.roots import Root

QWEN = "nvidia/Qwen3-30B-A3B-FP4"
NEMOTRON = "nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-NVFP4"

T = TypeVar("T")


def ask(root: Root, model: str, *, stream: bool = False) -> dict[str, Any]:
    """Return the answer to one chat question by the ``openai`` client (see lab/ask.py)."""
    program = [sys.executable, str(Path(__file__).with_name("ask.py"))]
    ended = root.run_on_network(*program, *(["--stream"] if stream else []), model)
    assert ended.returncode == 0, ended.stderr
    answer: dict[str, Any] = json.loads(ended.stdout)
    return answer


def assert_answers(root: Root, model: str) -> None:
    """Demand a real completion from ``model``, whole and streamed."""
    whole = ask(root, model)
    assert whole["status"] == 200, whole
    assert whole["completion_tokens"] > 0, whole
    assert whole["finish_reason"] in {"stop", "length"}, whole
    streamed = ask(root, model, stream=True)
    assert streamed["status"] == 200, streamed
    assert streamed["deltas"] > 1, streamed
    assert streamed["finish_reason"] in {"stop", "length"}, streamed


def health(root: Root) -> tuple[int, str]:
    """Return status and body of the endpoint's ``/health``; status 0 = no answer."""
    ended = root.run(
        *("curl", "--silent", "--max-time", "5", "--write-out", "\n%{http_code}"),
        "http://127.0.0.1:8000/health",
    )
    body, _, status = ended.stdout.rpartition("\n")
    return int(status or 0), body


def running(root: Root) -> set[str]:
    """Return everything of ours that runs, each with pid, start time and command."""
    table = root.check("ps", "-e", "-ww", "-o", "user:32=,pid=,lstart=,args=")
    return {
        " ".join(line.split())
        for line in table.splitlines()
        if line.startswith("trtllm ") or "supervisord" in line
    }


def engine_pid(root: Root, name: str) -> int:
    """Return the pid, inside, of the engine of an instance; 0 if none runs.

    Its launcher says so: by its command line an engine and its worker look the same.
    """
    state = json.loads(root.check("cat", f"/run/trtllm/{name}.json"))
    return int(state["child_pid"] or 0)


def await_true(what: str, look: Callable[[], T], *, seconds: float) -> T:
    """Return the first true value of ``look``; AssertionError naming ``what`` after ``seconds``."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        time.sleep(0.1)
    return found
