"""The load: bodies through wrk, streams through one socket after the other."""

import json
import re
import socket
import statistics
import subprocess
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

SCRIPT = """
local bodies = {{}}
function init()
    for i, name in ipairs {{ "qwen", "nemotron" }} do
        local file = io.open("{folder}/" .. name .. ".body", "r")
        bodies[i] = wrk.format("POST", "/v1/chat/completions",
            {{ ["Content-Type"] = "application/json" }}, file:read("*a"))
        file:close()
    end
end
local turn = 0
function request()
    turn = turn + 1
    return bodies[turn % 2 + 1]
end
function done(summary, latency)
    local errors = summary.errors
    io.stderr:write(string.format(
        '{{"requests":%d,"seconds":%.6f,"p50":%d,"p99":%d,"errors":%d}}', summary.requests,
        summary.duration / 1e6, latency:percentile(50), latency:percentile(99),
        errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
"""

TEXTS = {
    "prose": "The quick brown fox jumps over the lazy dog. He was not\\nsurprised at all. ",
    "quotes": 'He said \\"yes\\" and \\"no\\".\\n ',
    "japanese": "吾輩は猫である。名前はまだ無い。",
}
_TICKS = 100  # of /proc/PID/stat, a second (sysconf SC_CLK_TCK on Linux)


@dataclass(frozen=True)
class Cell:
    """One measurement of one variant: latencies in ms."""

    p50: float
    p99: float
    rate: float  # requests a second
    cpu: float  # seconds of CPU for 1,000 requests


def write_bodies(folder: Path, size: int, text: str, names: Iterable[str]) -> None:
    """Write a chat request of about ``size`` bytes for each model, the model behind the text."""
    (folder / "wrk.lua").write_text(SCRIPT.format(folder=folder))
    content = TEXTS[text] * max(1, size // len(TEXTS[text].encode()))
    for name in names:
        (folder / f"{name}.body").write_text(
            f'{{"messages":[{{"role":"user","content":"{content}"}}],"max_tokens":16,'
            f'"model":"{name}"}}'
        )


def tree(pid: int) -> list[int]:
    """Return a process and all that descend from it."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(one for child in children for one in tree(int(child)))]


def cpu_seconds(pid: int) -> float:
    """Return what a process and its descendants have used, all threads."""
    used = 0
    for one in tree(pid):
        fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
        used += int(fields[11]) + int(fields[12])
    return used / _TICKS


def private_mb(pid: int) -> float:
    """Return the memory of a process and its descendants that is no file's, in MB."""
    kilobytes = 0
    for one in tree(pid):
        text = Path(f"/proc/{one}/status").read_text()
        kilobytes += int(re.findall(r"^RssAnon:\s+(\d+)", text, re.MULTILINE)[0])
    return kilobytes / 1024


def measure(folder: Path, port: int, pid: int, connections: int, seconds: float) -> Cell | None:
    """Run wrk once; None when a request failed."""
    before = cpu_seconds(pid)
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds:g}s", "--timeout", "30s", "-s"]
    command += [str(folder / "wrk.lua"), f"http://127.0.0.1:{port}/"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    said = json.loads(re.findall(r"\{.*\}", done.stderr)[-1])
    if said["errors"] or not said["requests"]:
        return None
    return Cell(
        p50=said["p50"] / 1000,
        p99=said["p99"] / 1000,
        rate=said["requests"] / said["seconds"],
        cpu=1000 * (cpu_seconds(pid) - before) / said["requests"],
    )


def measure_streams(port: int, pid: int, kind: str, streams: int) -> Cell | None:
    """Ask for one stream after the other; latencies are times to the first chunk."""
    body = json.dumps(
        {
            "messages": [{"role": "user", "content": kind}],
            "stream": True,
            "max_tokens": 20,
            "model": "qwen",
        }
    ).encode()
    head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    request = head + b"Content-Length: %d\r\nConnection: close\r\n\r\n%s" % (len(body), body)
    before, begun, times = cpu_seconds(pid), time.monotonic(), []
    for _ in range(streams):
        with socket.create_connection(("127.0.0.1", port), 30) as client:
            client.sendall(request)
            asked, seen = time.perf_counter(), b""
            while b"data:" not in seen:
                part = client.recv(65536)
                if not part:
                    return None
                seen += part
            times.append(time.perf_counter() - asked)
            while part := client.recv(65536):
                seen += part
        if b"[DONE]" not in seen:
            return None
    times.sort()
    return Cell(
        p50=1000 * statistics.median(times),
        p99=1000 * times[int(len(times) * 0.99)],
        rate=streams / (time.monotonic() - begun),
        cpu=1000 * (cpu_seconds(pid) - before) / streams,
    )


def peak_private_mb(pid: int, work: Callable[[], object]) -> float:
    """Return the most that the processes held at any of the looks taken during ``work``."""
    done = threading.Event()
    peaks = [0.0]

    def look() -> None:
        while not done.wait(0.01):
            peaks[0] = max(peaks[0], private_mb(pid))

    thread = threading.Thread(target=look)
    thread.start()
    work()
    done.set()
    thread.join()
    return peaks[0]


def beside_uploads(folder: Path, port: int, pid: int, uploads: int, seconds: float) -> Cell | None:
    """Measure small requests while as many clients send 50 MB over and over."""
    stop = threading.Event()
    filler = b'{"messages":[{"role":"user","content":"' + b"large body. " * (50_000_000 // 12)
    body = filler + b'"}],"model":"qwen"}'
    head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    head += b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(body)

    def upload() -> None:
        while not stop.is_set():
            with socket.create_connection(("127.0.0.1", port), 60) as client:
                client.sendall(head)
                client.sendall(body)
                while client.recv(65536):
                    pass

    threads = [threading.Thread(target=upload) for _ in range(uploads)]
    for thread in threads:
        thread.start()
    try:
        return measure(folder, port, pid, 1, seconds)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
