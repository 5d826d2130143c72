"""Health is answered from memory, follows launchers and probes, and steers requests."""

import os
import signal
import socket
import time
from collections.abc import Iterator

import pytest

from fakes.nginx_rig import Handler, Rig, ask, eventually, running


@pytest.fixture(name="rig")
def start_rig() -> Iterator[Rig]:
    with running("qwen", "nemotron") as rig:
        yield rig


def state(rig: Rig, name: str) -> str:
    return rig.ask("GET", "/health").json["backends"][name]["state"]


def fastest(rig: Rig, path: str, tries: int = 20) -> float:
    """Return the shortest of some answers, in seconds: what the machine adds is not ours."""
    times = []
    for _ in range(tries):
        started = time.monotonic()
        rig.ask("GET", path)
        times.append(time.monotonic() - started)
    return min(times)


def test_healthy_is_what_the_contract_says(rig: Rig) -> None:
    reply = rig.ask("GET", "/health")
    assert reply.status == 200
    assert reply.json == {
        "status": "healthy",
        "backends": {"qwen": {"state": "healthy"}, "nemotron": {"state": "healthy"}},
    }
    assert rig.ask("HEAD", "/health").body == b""


def test_dead_backend_is_a_503_for_its_model_and_nothing_for_the_other(rig: Rig) -> None:
    rig.backends["qwen"].stop()
    reply = rig.chat("qwen")  # nobody has noticed yet: the refused connect tells it
    assert reply.status == 503
    assert reply.error["type"] == "server_error"
    assert reply.error["code"] == "model_unavailable"
    assert "qwen" in reply.error["message"]
    assert reply.headers["x-should-retry"] == "true"
    assert 0 < int(reply.headers["Retry-After"]) <= 60
    eventually("health says it", lambda: rig.ask("GET", "/health").status == 503)
    assert rig.ask("GET", "/health").json["backends"]["qwen"]["state"] == "down"
    assert rig.ask("GET", "/readyz?model=qwen").status == 503
    assert rig.ask("GET", "/readyz?model=nemotron").status == 200
    assert rig.ask("GET", "/livez").status == 200
    assert rig.chat("nemotron").status == 200
    ready = {card["id"]: card["ready"] for card in rig.ask("GET", "/v1/models").json["data"]}
    assert sorted(ready.values()) == [False, True, True]

    rig.backends["qwen"].start()
    eventually("it is back by itself", lambda: rig.ask("GET", "/health").status == 200)
    assert rig.chat("qwen").status == 200


def test_request_counts_out_when_its_backend_refuses(rig: Rig) -> None:
    rig.backends["qwen"].stop()
    for _ in range(5):
        assert rig.chat("qwen").status == 503
    assert rig.status("qwen")["in_flight"] == 0


@pytest.mark.parametrize("loading", ["waiting", "admission", "backoff", "loading", "warming"])
def test_loading_backend_is_not_ready_and_says_when(rig: Rig, loading: str) -> None:
    rig.set_state("qwen", loading, since=time.time(), load_seconds=40, status="shard 3 of 9")
    eventually("the state is seen", lambda: state(rig, "qwen") == loading)
    asked = len(rig.backends["qwen"].seen)
    reply = rig.chat("qwen")
    assert reply.status == 503
    assert reply.error["code"] == "model_not_ready"
    assert "shard 3 of 9" in reply.error["message"]
    assert reply.headers["x-should-retry"] == "true"
    assert 5 < int(reply.headers["Retry-After"]) <= 40
    assert len(rig.backends["qwen"].seen) == asked
    health = rig.ask("GET", "/health")
    assert health.status == 503
    assert health.json["backends"]["qwen"] == {"state": loading, "detail": "shard 3 of 9"}


def test_retry_after_is_when_the_launcher_expects_to_be_ready(rig: Rig) -> None:
    moment = time.time() + 25
    rig.set_state("qwen", "warming", since=time.time(), load_seconds=600, expected_at=moment)
    eventually("the state is seen", lambda: state(rig, "qwen") == "warming")
    assert 5 < int(rig.chat("qwen").headers["Retry-After"]) <= 25


def test_states_of_the_launcher_steer_requests(rig: Rig) -> None:
    for word, health, answer, code in (
        ("busy", 200, 200, None),
        ("suspect", 503, 200, None),
        ("draining", 503, 503, "model_draining"),
        ("failed", 503, 503, "model_stopped"),
        ("healthy", 200, 200, None),
    ):
        rig.set_state("qwen", word)
        eventually(f"{word} is seen", lambda word=word: state(rig, "qwen") == word)
        assert rig.ask("GET", "/health").status == health
        reply = rig.chat("qwen")
        assert reply.status == answer
        if code:
            assert reply.error["code"] == code
    rig.set_state("qwen", "stopped", status="stopped by the operator")
    eventually("stopped is seen", lambda: state(rig, "qwen") == "stopped")
    reply = rig.chat("qwen")
    assert reply.headers["x-should-retry"] == "false"
    assert "Retry-After" not in reply.headers


def test_torn_or_strange_state_file_leaves_the_word_to_the_probe(rig: Rig) -> None:
    for text in ("", "[]", '{"state":7}', "x" * 100_000):
        target = rig.folder / "qwen.json"
        target.write_text(text)
        target.chmod(0o644)
        for mark in ("busy", "healthy"):  # seen one after the other: a whole tick has passed
            rig.set_state("nemotron", mark)
            eventually("the other is seen", lambda mark=mark: state(rig, "nemotron") == mark)
        assert rig.ask("GET", "/health").status == 200, text[:20]
    assert "thread aborted" not in rig.error_log()


def test_hung_backend_makes_health_neither_slow_nor_green(rig: Rig) -> None:
    hung = socket.socket()
    hung.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    rig.backends["qwen"].stop()
    try:
        hung.bind(("127.0.0.1", rig.backends["qwen"].port))
        hung.listen(64)  # accepts and never answers
        eventually("three timeouts", lambda: state(rig, "qwen") == "unresponsive", within=15)
        assert rig.ask("GET", "/health").status == 503
        assert fastest(rig, "/health") < 0.005
        assert fastest(rig, "/v1/models") < 0.005
        reply = rig.chat("qwen")
        assert (reply.status, reply.error["code"]) == (503, "model_unavailable")
        assert rig.chat("nemotron").status == 200
    finally:
        hung.close()


def test_backend_with_flowing_bytes_is_alive_though_it_answers_no_probe(rig: Rig) -> None:
    backend = rig.backends["qwen"]
    ignored: list[float] = []

    def ignore(request: Handler) -> None:
        ignored.append(time.monotonic())
        request.connection.recv(1)  # until the probe gives up

    def stream(request: Handler) -> None:
        request.start_stream()
        while len(ignored) < 4:
            request.send_chunk(b"data: x\n\n")
            time.sleep(0.05)
        request.send_chunk(b"")

    backend.health, backend.answer = ignore, stream
    assert ask(rig.port, "POST", "/v1/completions", b'{"model":"qwen"}', timeout=30).status == 200
    assert len(ignored) >= 4
    backend.health = lambda request: request.send(200, b"")
    backend.answer = backend.say_name
    assert rig.chat("qwen").status == 200  # never refused in between


def test_probe_that_is_answered_with_an_error_three_times_counts(rig: Rig) -> None:
    rig.backends["qwen"].health = lambda request: request.send(503, b"")
    eventually("it is noticed", lambda: state(rig, "qwen") == "unresponsive")


def test_death_of_the_watching_worker_is_survived() -> None:
    with running("qwen", workers=2) as rig:
        before = rig.workers()
        for pid in before:
            os.kill(pid, signal.SIGKILL)
            eventually(
                "there is another in its place",
                lambda pid=pid: len(rig.workers()) == 2 and pid not in rig.workers(),
            )
        assert not set(before) & set(rig.workers())
        rig.backends["qwen"].stop()
        eventually("someone still watches", lambda: rig.ask("GET", "/health").status == 503)


def test_requests_of_a_killed_worker_are_not_counted_for_ever(rig: Rig) -> None:
    rig.backends["qwen"].answer = lambda request: request.connection.recv(1) and None
    with socket.create_connection(("127.0.0.1", rig.port)) as client:
        body = b'{"model":"qwen"}'
        client.sendall(
            b"POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s"
            % (len(body), body)
        )
        eventually("it is in flight", lambda: rig.status("qwen")["in_flight"] == 1)
        os.kill(rig.workers()[0], signal.SIGKILL)
        eventually("there is a new worker", rig.is_alive)
        eventually("the count is true again", lambda: rig.status("qwen")["in_flight"] == 0)


def test_server_under_a_rush_of_connections_is_not_called_down(rig: Rig) -> None:
    backend = rig.backends["qwen"]
    backend.stop()
    rush: list[socket.socket] = []
    with socket.socket() as full:
        full.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        full.bind(("127.0.0.1", backend.port))
        full.listen(0)
        while True:  # until the kernel answers no more
            client = socket.socket()
            client.settimeout(0.2)
            rush.append(client)
            try:
                client.connect(("127.0.0.1", backend.port))
            except TimeoutError:
                break
        eventually("it is not refused", lambda: state(rig, "qwen") != "down")
        reply = rig.chat("qwen")
        assert (reply.status, reply.error["code"]) == (503, "model_unavailable")
        assert "takes no connection now" in reply.error["message"]
        assert state(rig, "qwen") != "down"
    for client in rush:
        client.close()
