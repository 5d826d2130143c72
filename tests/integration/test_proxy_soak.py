"""Hours of traffic in a minute: memory, shared memory and descriptors stay what they were.

TRTLLM_SOAK_REQUESTS=36000 makes the whole run, an hour at ten requests a second; its
figures are in BENCHMARKS.md.
"""

import contextlib
import http.client
import json
import os
import re
import socket
import threading
import time
from pathlib import Path
from typing import Final

from fakes.nginx_rig import QWEN, Handler, Rig, Seen, connect, eventually, running

REQUESTS: Final = int(os.environ.get("TRTLLM_SOAK_REQUESTS", "1800"))
CLIENTS: Final = 4
WORKERS: Final = 2  # as it is installed
LARGE: Final = json.dumps({"model": "qwen", "filler": "x" * 3_000_000}).encode()


def answer(request: Handler) -> None:
    """Answer as the body wishes: whole, as a stream, with an error, or not at all."""
    seen: list[Seen] = request.server.backend.seen  # type: ignore[attr-defined]
    mine = next(s for s in reversed(seen) if s.client == request.client_address[1])
    seen.remove(mine)
    with contextlib.suppress(OSError):  # clients leave
        answer_wish(request, json.loads(mine.body).get("wish"))


def answer_wish(request: Handler, wish: str | None) -> None:
    if wish == "stream":
        request.start_stream()
        for _ in range(5):
            request.send_chunk(b'data: {"choices":[]}\n\n')
        request.send_chunk(b"")
    elif wish == "break":
        request.start_stream()
        request.send_chunk(b"data: 1\n\n")
        request.connection.shutdown(socket.SHUT_RDWR)
    elif wish == "die":
        request.connection.shutdown(socket.SHUT_RDWR)
    elif wish == "fail":
        request.send(500, b'{"error":"it failed"}')
    else:
        request.send(200, b'{"choices":[],"usage":{"completion_tokens":3}}')


def leave(rig: Rig, *, after_bytes: bool) -> None:
    """Ask for a stream and go away, before or after its first bytes."""
    connection = connect(rig.port, timeout=60)
    connection.request("POST", "/v1/completions", b'{"model":"qwen","wish":"stream"}')
    if after_bytes:
        connection.getresponse().read1(1)
    connection.close()


def one_round(rig: Rig, number: int) -> None:
    """Make twelve requests, one of each kind that there is."""
    for wish in ("stream", "break", "die", "fail", "", ""):
        connection = connect(rig.port, timeout=60)
        body = {"model": "qwen", "wish": wish, "number": number}
        connection.request("POST", "/v1/chat/completions", json.dumps(body))
        try:
            connection.getresponse().read()
        except (OSError, http.client.HTTPException):
            assert wish == "break"
        connection.close()
    leave(rig, after_bytes=True)
    leave(rig, after_bytes=False)
    rig.chat(f"no-such-model-{number}")
    rig.ask("POST", "/v1/completions", b"{")
    rig.ask("GET", "/metrics")
    if number % 50 == 0:
        assert rig.ask("POST", "/v1/completions", LARGE, timeout=60).status == 200
    else:
        rig.ask("GET", "/v1/models", None, {"X-Request-Id": f"soak-{number}"})


def traffic(rig: Rig, requests: int) -> None:
    rounds = iter(range(requests // 12))
    lock = threading.Lock()
    failures: list[BaseException] = []

    def client() -> None:
        try:
            while True:
                with lock:
                    number = next(rounds, None)
                if number is None:
                    return
                one_round(rig, number)
        except BaseException as error:  # noqa: BLE001 (told by the test's own thread)
            failures.append(error)

    threads = [threading.Thread(target=client) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def held(rig: Rig) -> dict[str, float]:
    """Return what the workers hold once everything has been counted out."""
    eventually("nothing is in flight", lambda: rig.status("qwen")["in_flight"] == 0, within=30)
    statuses = [Path(f"/proc/{worker}/status").read_text() for worker in rig.workers()]
    text = rig.ask("GET", "/metrics").body.decode()
    free = re.findall(r'^trtllm_proxy_shared_free_bytes\{dict="(\w+)"\} (\d+)', text, re.MULTILINE)
    assert len(free) == 2
    return {
        "private KiB": sum(
            int(re.findall(r"^RssAnon:\s+(\d+)", status, re.MULTILINE)[0]) for status in statuses
        ),
        # Kept connections to the backend end after 4 s; those of clients have been closed.
        "temporary files": len(list(Path(rig.spec.temp_dir, "body").rglob("*"))),
        **{f"free in {name}": int(size) for name, size in free},
    }


def descriptors(rig: Rig) -> int:
    return sum(len(os.listdir(f"/proc/{worker}/fd")) for worker in rig.workers())  # noqa: PTH208 (a count)


def test_nothing_grows() -> None:
    with running("qwen", limits={"qwen": 64}, workers=WORKERS) as rig:
        rig.backends["qwen"].answer = answer
        idle = descriptors(rig)
        traffic(rig, max(600, REQUESTS // 4))  # buffers and compiled code come to their size
        before, begun = held(rig), time.monotonic()
        traffic(rig, REQUESTS)
        after = held(rig)
        eventually(
            "descriptors are what they were",
            lambda: descriptors(rig) <= idle + 2 * WORKERS,
            within=30,
        )
        figures = f"{REQUESTS} requests: before {before}, after {after}"
        print(f"\n{figures}")  # noqa: T201 (for BENCHMARKS.md)
        assert after["private KiB"] - before["private KiB"] < 4096 * WORKERS, figures
        assert before["temporary files"] == after["temporary files"] == 0
        for name in ("trtllm", "trtllm_metrics"):
            # The history of /-/history fills for a quarter of an hour: 2 kB in 10 s at most.
            room = 16384 + 200 * (time.monotonic() - begun)
            assert before[f"free in {name}"] - after[f"free in {name}"] <= room, figures
        assert rig.chat(QWEN, wish="").status == 200
