"""What the proxy counts, as Prometheus reads it, and the log of requests."""

import json
import os
import re
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fakes.nginx_rig import NEMOTRON, QWEN, Handler, Rig, connect, eventually, running

SAMPLE = re.compile(r'([a-zA-Z_:][\w:]*)(\{(?:\w+="(?:[^"\\]|\\.)*",?)*\})? (\S+)')


@pytest.fixture(name="rig")
def start_rig() -> Iterator[Rig]:
    with running("qwen", "nemotron") as rig:
        yield rig


def metrics(rig: Rig) -> dict[str, float]:
    """Return series → value, after checking the format as a strict parser would."""
    reply = rig.ask("GET", "/metrics")
    assert reply.status == 200
    assert reply.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    values: dict[str, float] = {}
    family, seen = "", set()
    for line in reply.body.decode().splitlines():
        if line.startswith("# "):
            _, kind, name, *_ = line.split(" ")
            if kind == "HELP":
                assert name not in seen, f"{name} comes twice"
                seen.add(name)
            family = name
            continue
        match = SAMPLE.fullmatch(line)
        assert match, line
        assert match[1].startswith(family)
        assert match[1] + (match[2] or "") not in values, line
        values[match[1] + (match[2] or "")] = float(match[3])
    return values


def value(rig: Rig, name: str, **labels: str) -> float:
    """Return the one series that has all these labels, 0 if there is none."""
    wanted = [f'{k}="{v}"' for k, v in labels.items()]
    found = [
        v
        for series, v in metrics(rig).items()
        if series.split("{")[0] == name and all(label in series for label in wanted)
    ]
    assert len(found) < 2, found
    return found[0] if found else 0


def stream(*events: bytes) -> object:
    def answer(request: Handler) -> None:
        request.start_stream()
        for event in events:
            request.send_chunk(event)
        request.send_chunk(b"")

    return answer


def test_requests_are_counted_by_model_and_status(rig: Rig) -> None:
    for model in ("qwen", "QWEN", "nemotron", "nobody"):
        rig.chat(model)
    rig.ask("POST", "/v1/completions", b"no json")
    rig.ask("GET", "/health")
    rig.ask("GET", "/v1/models")
    name = "trtllm_proxy_requests_total"
    assert value(rig, name, model=QWEN, status="200") == 2
    assert value(rig, name, model=NEMOTRON, status="200") == 1
    assert value(rig, name, model="", status="404") == 1
    assert value(rig, name, model="", status="400") == 1
    everything = [v for series, v in metrics(rig).items() if series.startswith(name)]
    assert sum(everything) == 5
    assert value(rig, "trtllm_proxy_received_bytes_total", model=QWEN) > 100
    assert value(rig, "trtllm_proxy_sent_bytes_total", model=QWEN) > 100


def test_histograms_are_whole_and_cumulative(rig: Rig) -> None:
    for _ in range(3):
        assert rig.chat("qwen").status == 200
    values = metrics(rig)
    name = "trtllm_proxy_request_seconds"
    buckets = [v for k, v in values.items() if k.startswith(f"{name}_bucket") and QWEN in k]
    assert len(buckets) == 18
    assert buckets == sorted(buckets)
    assert buckets[-1] == values[f'{name}_count{{model="{QWEN}"}}'] == 3
    assert 0 <= values[f'{name}_sum{{model="{QWEN}"}}'] < 30


def test_stream_has_a_first_chunk_a_duration_and_tokens(rig: Rig) -> None:
    event = b'data: {"choices":[{"delta":{"content":"x"}}]}\n\n'
    usage = b'data: {"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":41}}\n\n'
    rig.backends["qwen"].answer = stream(event, event, usage, b"data: [DONE]\n\n")  # type: ignore[assignment]
    assert rig.chat("qwen", stream=True).status == 200
    assert value(rig, "trtllm_proxy_tokens_total", model=QWEN) == 41
    rig.backends["qwen"].answer = stream(event * 2, event, b"data: [DONE]\n\n")  # type: ignore[assignment]
    assert rig.chat("qwen", stream=True).status == 200
    assert value(rig, "trtllm_proxy_tokens_total", model=QWEN) == 44, "events, where none is told"
    assert value(rig, "trtllm_proxy_first_chunk_seconds_count", model=QWEN) == 2
    assert value(rig, "trtllm_proxy_stream_seconds_count", model=QWEN) == 2
    body = b'{"choices":[],"usage":{"completion_tokens": 7}}'
    rig.backends["nemotron"].answer = lambda request: request.send(200, body)
    rig.chat("nemotron")
    assert value(rig, "trtllm_proxy_tokens_total", model=NEMOTRON) == 7
    assert value(rig, "trtllm_proxy_stream_seconds_count", model=NEMOTRON) == 0


@pytest.mark.parametrize("after_bytes", [True, False])
def test_clients_that_leave_are_counted(rig: Rig, after_bytes: bool) -> None:
    left = threading.Event()

    def answer(request: Handler) -> None:
        if after_bytes:
            request.start_stream()
            request.send_chunk(b"data: 1\n\n")
        if request.connection.recv(1) == b"":
            left.set()

    rig.backends["qwen"].answer = answer
    connection = connect(rig.port)
    connection.request("POST", "/v1/completions", b'{"model":"qwen"}')
    eventually("it is there", lambda: rig.status("qwen")["in_flight"] == 1)
    if after_bytes:
        response = connection.getresponse()
        assert response.read1()
        response.close()
    connection.close()
    assert left.wait(5)
    eventually("counted", lambda: value(rig, "trtllm_proxy_client_aborts_total", model=QWEN) == 1)
    assert value(rig, "trtllm_proxy_requests_total", model=QWEN, status="499") == 1


def test_errors_of_backends_are_counted_by_kind(rig: Rig) -> None:
    rig.backends["qwen"].answer = lambda request: request.connection.shutdown(socket.SHUT_RDWR)
    rig.chat("qwen")
    name = "trtllm_proxy_backend_errors_total"
    assert value(rig, name, backend="qwen", code="backend_died") == 1
    assert value(rig, "trtllm_proxy_requests_total", model=QWEN, status="502") == 1


def test_states_and_places_are_shown() -> None:
    with running("qwen", limits={"qwen": 4}) as rig:
        labels = {"backend": "qwen", "model": QWEN}
        assert value(rig, "trtllm_proxy_backend_up", **labels) == 1
        assert value(rig, "trtllm_proxy_backend_state", **labels) == 1
        assert value(rig, "trtllm_proxy_in_flight", **labels) == 0
        assert value(rig, "trtllm_proxy_in_flight_limit", **labels) == 4
        assert value(rig, "trtllm_proxy_waiting", model=QWEN) == 0
        rig.admin("POST", "/-/drain?name=qwen")
        assert value(rig, "trtllm_proxy_backend_up", **labels) == 0
        assert value(rig, "trtllm_proxy_backend_state", state="draining") == 1


def test_counters_survive_a_reload_and_a_killed_worker(rig: Rig) -> None:
    name, labels = "trtllm_proxy_requests_total", {"model": QWEN, "status": "200"}
    rig.chat("qwen")
    old = rig.workers()
    rig.reload()
    eventually("new workers serve", lambda: rig.workers() and not set(old) & set(rig.workers()))
    rig.chat("qwen")
    assert value(rig, name, **labels) == 2
    os.kill(rig.workers()[0], signal.SIGKILL)
    eventually("there is a new one", rig.is_alive)
    rig.chat("qwen")
    assert value(rig, name, **labels) == 3


def test_counts_of_all_workers_are_put_together() -> None:
    with running("qwen", workers=3) as rig:
        for _ in range(30):
            rig.chat("qwen")
        eventually(
            "all are seen",
            lambda: value(rig, "trtllm_proxy_requests_total", model=QWEN, status="200") == 30,
        )


def test_strange_names_stay_inside_their_quotes(rig: Rig) -> None:
    for model in ('x"} 1\nevil 2', "y\\", "z" * 5000):
        assert rig.chat(model).status == 404
    assert value(rig, "trtllm_proxy_requests_total", model="", status="404") == 3


def test_metrics_are_for_this_host(rig: Rig) -> None:
    assert rig.admin("GET", "/metrics").status == 200
    assert rig.ask("POST", "/metrics").status == 405


def test_last_quarter_of_an_hour_is_told(rig: Rig) -> None:
    body = b'{"choices":[],"usage":{"completion_tokens":5}}'
    rig.backends["qwen"].answer = lambda request: request.send(200, body)
    for _ in range(4):
        rig.chat("qwen")
    history = rig.admin("GET", "/-/history").json
    qwen = history["models"][QWEN]
    assert {len(figures) for figures in qwen.values()} == {90}
    assert (sum(qwen["requests"]), sum(qwen["tokens"]), sum(qwen["first_n"])) == (4, 20, 4)
    assert (sum(qwen["errors"]), sum(qwen["aborts"])) == (0, 0)
    assert abs(history["from"] + 900 - time.time()) < 30
    assert sum(history["models"][NEMOTRON]["requests"]) == 0


ENGINE = b"""# HELP e2e_seconds Latency.
# TYPE e2e_seconds histogram
e2e_seconds_bucket{le="1.0",engine="a"} 1
e2e_seconds_bucket{le="+Inf",engine="a"} 2
e2e_seconds_count 2
e2e_seconds_sum 1.5
# TYPE kv_used gauge
kv_used{} 0.5
"""


def test_engines_own_metrics_come_with_their_model() -> None:
    with running("qwen", "nemotron", engine_metrics=True) as rig:

        def answer(request: Handler) -> None:
            assert request.path == "/prometheus/metrics"
            request.send(200, ENGINE)

        released = threading.Event()
        rig.backends["qwen"].answer = answer
        eventually(
            "qwen's are there", lambda: value(rig, "kv_used", backend="qwen") == 0.5, within=25
        )
        assert value(rig, "e2e_seconds_bucket", le="+Inf", model=QWEN) == 2
        rig.backends["nemotron"].answer = answer
        eventually(
            "both are there", lambda: value(rig, "kv_used", backend="nemotron") == 0.5, within=25
        )
        rig.backends["nemotron"].answer = lambda request: released.wait(20) and None
        started = time.monotonic()
        assert value(rig, "kv_used", backend="qwen") == 0.5
        assert time.monotonic() - started < 1, "nobody waits for an engine"
        released.set()


def logged(rig: Rig, request_id: str) -> dict:
    lines: list[dict] = []

    def is_there() -> bool:
        lines[:] = [e for e in rig.access_log() if e["id"] == request_id]
        return bool(lines)

    eventually("the line is written", is_there)
    return lines[0]


def test_each_request_is_a_line_of_json_without_its_body(rig: Rig) -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    body = json.dumps({"model": "qwen", "secret": "hunter2"}).encode()
    headers = {"X-Request-Id": "mine", "traceparent": trace}
    reply = rig.ask("POST", "/v1/chat/completions", body, headers)
    line = logged(rig, "mine")
    assert (line["model"], line["backend"], line["status"]) == ("qwen", "qwen", 200)
    assert line["traceparent"] == trace
    assert rig.backends["qwen"].seen[-1].headers["traceparent"] == trace
    assert line["bytes_out"] > len(reply.body)
    assert float(line["first_byte_seconds"]) <= float(line["seconds"]) + 0.001
    assert "hunter2" not in Path(rig.spec.access_log).read_text()


def test_reload_opens_a_log_that_was_moved_anew(rig: Rig) -> None:
    log = Path(rig.spec.access_log)
    rig.chat("qwen")
    moved = log.rename(log.with_suffix(".1"))
    log.touch()
    os.chown(log, moved.stat().st_uid, moved.stat().st_gid)
    rig.reload()

    def is_written() -> bool:
        rig.chat("qwen")
        return log.stat().st_size > 0

    eventually("lines go to the new file", is_written)


def test_hostile_header_stays_in_its_field(rig: Rig) -> None:
    rig.ask(
        "POST",
        "/v1/chat/completions",
        b'{"model":"a\\"}\\n{\\"b"}',
        {"X-Request-Id": "odd", "traceparent": 'x","status":"1'},
    )
    line = logged(rig, "odd")
    assert (line["status"], line["traceparent"]) == (404, 'x","status":"1')
    assert line["model"] == 'a"}\n{"b'
