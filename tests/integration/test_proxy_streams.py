"""Streams come as they are made, are seen to break, and end at the backend with the client."""

import contextlib
import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from fakes.nginx_rig import QWEN, Backend, Handler, Rig, connect, eventually, running


@pytest.fixture(scope="module", name="rig")
def start_rig() -> Iterator[Rig]:
    with running("qwen", "nemotron", first_byte_s=2) as rig:
        yield rig


@pytest.fixture(name="qwen")
def give_backend(rig: Rig) -> Iterator[Backend]:
    backend = rig.backends["qwen"]
    yield backend
    backend.answer = backend.say_name
    backend.begins = lambda: None


def open_stream(rig: Rig) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
    connection = connect(rig.port)
    connection.request("POST", "/v1/chat/completions", b'{"model":"qwen","stream":true}')
    return connection, connection.getresponse()


def test_first_event_arrives_before_the_last_is_made(rig: Rig, qwen: Backend) -> None:
    may_end = threading.Event()

    def answer(request: Handler) -> None:
        request.start_stream()
        request.send_chunk(b"data: 1\n\n")
        assert may_end.wait(10)
        request.send_chunk(b"data: [DONE]\n\n")
        request.send_chunk(b"")

    qwen.answer = answer
    connection, response = open_stream(rig)
    assert response.headers["Content-Type"] == "text/event-stream"
    assert response.headers["X-Accel-Buffering"] == "no"
    assert response.headers["Transfer-Encoding"] == "chunked"
    assert response.headers["Content-Encoding"] is None
    assert response.read1() == b"data: 1\n\n"
    assert rig.status("qwen")["in_flight"] == 1
    may_end.set()
    assert response.read() == b"data: [DONE]\n\n"
    connection.close()
    eventually("the request is counted out", lambda: rig.status("qwen")["in_flight"] == 0)


def test_client_sees_that_a_backend_died_in_the_middle(rig: Rig, qwen: Backend) -> None:
    def answer(request: Handler) -> None:
        request.start_stream()
        request.send_chunk(b"data: 1\n\n")
        request.connection.shutdown(socket.SHUT_RDWR)

    qwen.answer = answer
    connection, response = open_stream(rig)
    assert response.status == 200
    with pytest.raises(http.client.IncompleteRead):
        response.read()
    connection.close()
    eventually("the request is counted out", lambda: rig.status("qwen")["in_flight"] == 0)
    error = rig.status("qwen")["last_error"]
    assert error["code"] == "stream_cut"
    assert error["request_id"] == response.headers["X-Request-Id"]


@pytest.mark.parametrize("with_bytes", [True, False])
def test_client_that_leaves_is_no_error_of_the_backend(with_bytes: bool) -> None:
    left = threading.Event()

    def answer(request: Handler) -> None:
        request.start_stream()
        if with_bytes:
            request.send_chunk(b"data: 1\n\n")
        if request.connection.recv(1) == b"":
            left.set()

    with running("qwen") as rig:
        rig.backends["qwen"].answer = answer
        connection, response = open_stream(rig)
        if with_bytes:
            assert response.read1()
        response.close()
        connection.close()
        assert left.wait(5)
        eventually("the request is counted out", lambda: rig.status("qwen")["in_flight"] == 0)
        assert rig.status("qwen")["last_error"] is None
        assert (rig.status("qwen")["last_bytes"] is not None) == with_bytes


@pytest.mark.parametrize("with_bytes", [True, False])
def test_stream_that_falls_silent_is_cut_and_told(
    rig: Rig, qwen: Backend, with_bytes: bool
) -> None:
    released = threading.Event()

    def answer(request: Handler) -> None:
        request.start_stream()
        if with_bytes:
            request.send_chunk(b"data: 1\n\n")
        released.wait(20)
        request.connection.shutdown(socket.SHUT_RDWR)

    qwen.answer = answer
    connection, response = open_stream(rig)
    with pytest.raises(http.client.IncompleteRead):
        response.read()
    connection.close()
    released.set()

    def told() -> tuple[str, str]:
        error = rig.status("qwen")["last_error"] or {}
        return error.get("request_id", ""), error.get("code", "")

    wanted = (response.headers["X-Request-Id"], "stream_cut")
    eventually("it is told", lambda: told() == wanted)


def test_backend_sees_that_the_client_has_left(rig: Rig, qwen: Backend) -> None:
    left = threading.Event()

    def answer(request: Handler) -> None:
        request.start_stream()
        request.send_chunk(b"data: 1\n\n")
        if request.connection.recv(1) == b"":
            left.set()

    qwen.answer = answer
    connection, response = open_stream(rig)
    assert response.read1() == b"data: 1\n\n"
    connection.close()
    response.close()
    assert left.wait(5)
    eventually("the request is counted out", lambda: rig.status("qwen")["in_flight"] == 0)


def test_client_that_leaves_before_the_first_byte_ends_the_request(rig: Rig, qwen: Backend) -> None:
    arrived, left = threading.Event(), threading.Event()

    def answer(request: Handler) -> None:
        arrived.set()
        if request.connection.recv(1) == b"":
            left.set()

    qwen.answer = answer
    connection = connect(rig.port)
    connection.request("POST", "/v1/chat/completions", b'{"model":"qwen"}')
    assert arrived.wait(5)
    assert rig.status("qwen")["in_flight"] == 1
    connection.close()
    assert left.wait(5)
    eventually("the request is counted out", lambda: rig.status("qwen")["in_flight"] == 0)


def test_backend_that_dies_before_it_answers_is_a_502_not_worth_a_retry(
    rig: Rig, qwen: Backend
) -> None:
    qwen.answer = lambda request: request.connection.shutdown(socket.SHUT_RDWR)
    reply = rig.chat("qwen")
    assert reply.status == 502
    assert reply.error["type"] == "server_error"
    assert reply.error["code"] == "backend_died"
    assert reply.headers["x-should-retry"] == "false"
    error = rig.status("qwen")["last_error"]
    assert (error["code"], error["request_id"]) == ("backend_died", reply.headers["X-Request-Id"])
    assert abs(error["at"] - time.time()) < 60


def test_backend_that_stays_silent_is_a_504_not_worth_a_retry(rig: Rig, qwen: Backend) -> None:
    released = threading.Event()
    qwen.answer = lambda request: released.wait(20) and None
    reply = rig.chat("qwen")
    released.set()
    assert reply.status == 504
    assert reply.error["code"] == "timeout"
    assert reply.headers["x-should-retry"] == "false"


def test_answer_without_a_length_keeps_the_clients_connection(rig: Rig, qwen: Backend) -> None:
    def answer(request: Handler) -> None:
        request.start_stream()
        request.send_chunk(b'{"ok":')
        request.send_chunk(b"true}")
        request.send_chunk(b"")

    qwen.answer = answer
    connection = connect(rig.port)
    ports = set()
    for _ in range(3):
        connection.request("POST", "/v1/chat/completions", b'{"model":"qwen"}')
        assert json.loads(connection.getresponse().read()) == {"ok": True}
        ports.add(connection.sock.getsockname())
    connection.close()
    assert len(ports) == 1


def test_many_streams_at_once_are_counted_exactly(rig: Rig, qwen: Backend) -> None:
    may_end = threading.Event()

    def answer(request: Handler) -> None:
        request.start_stream()
        request.send_chunk(b"data: 1\n\n")
        assert may_end.wait(10)
        request.send_chunk(b"")

    qwen.answer = answer
    streams = [open_stream(rig) for _ in range(12)]
    for _, response in streams:
        assert response.read1()
    assert rig.status("qwen")["in_flight"] == 12
    for connection, response in streams[:5]:
        response.close()
        connection.close()
    eventually("five have left", lambda: rig.status("qwen")["in_flight"] == 7)
    may_end.set()
    for connection, response in streams[5:]:
        response.read()
        connection.close()
    eventually("all have left", lambda: rig.status("qwen")["in_flight"] == 0)


def test_small_requests_get_their_turn_while_a_large_body_is_scanned(
    rig: Rig, qwen: Backend
) -> None:
    body = b'{"x":[' + b"[]," * 18_000_000 + b'1],"model":"qwen"}'  # the slowest there is
    answered = 0
    passed_on: list[int] = []
    qwen.begins = lambda: passed_on.append(answered)

    def post(connection: http.client.HTTPConnection) -> None:
        connection.request("POST", "/v1/chat/completions", body)
        assert connection.getresponse().status == 200

    with contextlib.closing(connect(rig.port, 60)) as large, ThreadPoolExecutor(1) as pool:
        posted = pool.submit(post, large)
        with contextlib.closing(connect(rig.port, 60)) as small:
            while not passed_on and not posted.done():
                small.request("GET", "/livez")
                assert small.getresponse().read()
                answered += 1
        posted.result()
    # A turn has at most 4 ms, and the scan takes a second; hardly any are answered before.
    assert passed_on[0] > 30


def test_pause_within_an_answer_has_a_limit_of_its_own() -> None:
    released = threading.Event()

    def answer(request: Handler) -> None:
        released.wait(2.5)  # longer than the limit, and nothing has begun yet
        request.start_stream()
        for _ in range(4):
            request.send_chunk(b"data: 1\n\n")
            released.wait(0.5)
        if request.path == "/v1/completions":
            released.wait(30)
        request.send_chunk(b"")

    with running("qwen", between_chunks_s=2) as rig:
        rig.backends["qwen"].answer = answer
        assert rig.chat("qwen", stream=True).body.count(b"data") == 4
        assert rig.status("qwen")["last_error"] is None
        connection = connect(rig.port, timeout=20)
        connection.request("POST", "/v1/completions", b'{"model":"qwen","stream":true}')
        response = connection.getresponse()
        with pytest.raises((http.client.IncompleteRead, ConnectionResetError)):
            response.read()
        released.set()
        connection.close()
        eventually("counted out", lambda: rig.status("qwen")["in_flight"] == 0)
        error = rig.status("qwen")["last_error"]
        assert error["code"] == "stream_cut"
        assert error["request_id"] == response.headers["X-Request-Id"]
        text = rig.ask("GET", "/metrics").body.decode()
        assert 'backend_errors_total{backend="qwen",code="stream_cut"} 1' in text
        assert f'client_aborts_total{{model="{QWEN}"}} 0' in text


def test_client_that_closes_its_sending_half_ends_its_request(rig: Rig, qwen: Backend) -> None:
    arrived, left = threading.Event(), threading.Event()

    def answer(request: Handler) -> None:
        arrived.set()
        if request.connection.recv(1) == b"":
            left.set()

    qwen.answer = answer
    connection = connect(rig.port)
    connection.request("POST", "/v1/chat/completions", b'{"model":"qwen"}')
    assert arrived.wait(5)
    connection.sock.shutdown(socket.SHUT_WR)
    assert left.wait(5)
    connection.close()
    eventually("the request is counted out", lambda: rig.status("qwen")["in_flight"] == 0)
